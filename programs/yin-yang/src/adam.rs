//! D. P. Kingma, J. Ba, "Adam: a method for stochastic optimization", 2014, with its suggested constants.

/// Running moments of the gradient of a list of parameters.
pub(crate) struct Adam {
    mean: Vec<f64>,
    square: Vec<f64>,
    mean_power: f64,
    square_power: f64,
}

impl Adam {
    const MEAN_DECAY: f64 = 0.9;
    const SQUARE_DECAY: f64 = 0.999;
    const EPSILON: f64 = 1e-8;

    pub(crate) fn new(len: usize) -> Adam {
        Adam { mean: vec![0.0; len], square: vec![0.0; len], mean_power: 1.0, square_power: 1.0 }
    }

    /// One step of size `rate` against `scale · gradient`; parameters stay within `bounds`.
    pub(crate) fn step(
        &mut self,
        parameters: &mut [f64],
        gradient: &[f64],
        scale: f64,
        rate: f64,
        [least, most]: [f64; 2],
    ) {
        self.mean_power *= Self::MEAN_DECAY;
        self.square_power *= Self::SQUARE_DECAY;
        let moments = self.mean.iter_mut().zip(&mut self.square);
        for ((parameter, g), (mean, square)) in parameters.iter_mut().zip(gradient).zip(moments) {
            let g = g * scale;
            *mean += (1.0 - Self::MEAN_DECAY) * (g - *mean);
            *square += (1.0 - Self::SQUARE_DECAY) * (g * g - *square);
            let (m, s) = (*mean / (1.0 - self.mean_power), *square / (1.0 - self.square_power));
            *parameter = (*parameter - rate * m / (s.sqrt() + Self::EPSILON)).clamp(least, most);
        }
    }
}
