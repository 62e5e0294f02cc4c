//! Random numbers of a description: where they come from, and the distributions it can name.
//!
//! Contract: a [`Stream`] depends on a seed and on what it is for (a name such as `projection in_hid, weights`), and on
//! nothing else: neither on other streams nor on the order of the file. Its numbers have the same bits on every platform:
//! the generator is PCG XSL RR 128/64, and the functions are those of `libm`.
//!
//! Not here: rounding to codes, and which synapses exist (see [`super::rules`]).

use rand_pcg::Pcg64;
use rand_pcg::rand_core::{Rng, SeedableRng};

/// Draws outside the bounds before a distribution is given up.
const MOST_DRAWS: u32 = 10_000;

/// A sequence of random numbers.
#[derive(Debug, Clone)]
pub(super) struct Stream {
    generator: Pcg64,
    /// The second number of a pair of normal ones.
    spare: Option<f64>,
}

impl Stream {
    /// The sequence for `purpose` of everything random under `seed`.
    pub(super) fn new(seed: u64, purpose: &str) -> Self {
        // FNV-1a of the purpose, and SplitMix64 of both: neighbouring seeds and similar purposes give unrelated states.
        let purpose = purpose
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
        let mut state = split_mix(seed).wrapping_add(purpose);
        let mut bytes = [0; 32];
        for chunk in bytes.chunks_exact_mut(8) {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            chunk.copy_from_slice(&split_mix(state).to_le_bytes());
        }
        Self { generator: Pcg64::from_seed(bytes), spare: None }
    }

    /// Uniform in [0, 1), a multiple of 2⁻⁵³.
    pub(super) fn unit(&mut self) -> f64 {
        (self.generator.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Uniform in (0, 1].
    pub(super) fn positive_unit(&mut self) -> f64 {
        1.0 - self.unit()
    }

    /// Uniform among 0 … `count − 1`, which is at least 1, without bias: the high half of a product, drawn again where its low
    /// half would favour some numbers.
    pub(super) fn below(&mut self, count: u64) -> u64 {
        let threshold = count.wrapping_neg() % count;
        loop {
            let product = u128::from(self.generator.next_u64()) * u128::from(count);
            if product as u64 >= threshold {
                return (product >> 64) as u64;
            }
        }
    }

    /// Mean 0, standard deviation 1: the polar method.
    fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        loop {
            let (x, y) = (2.0 * self.unit() - 1.0, 2.0 * self.unit() - 1.0);
            let square = x * x + y * y;
            if square > 0.0 && square < 1.0 {
                let factor = libm::sqrt(-2.0 * libm::log(square) / square);
                self.spare = Some(y * factor);
                return x * factor;
            }
        }
    }

    /// Scale 1: Marsaglia and Tsang's method; below shape 1 by way of shape + 1.
    fn gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            let boosted = self.gamma(shape + 1.0);
            return boosted * libm::pow(self.positive_unit(), 1.0 / shape);
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / libm::sqrt(9.0 * d);
        loop {
            let x = self.normal();
            let cube = 1.0 + c * x;
            if cube <= 0.0 {
                continue;
            }
            let v = cube * cube * cube;
            let accept = 0.5 * x * x + d - d * v + d * libm::log(v);
            if libm::log(self.positive_unit()) < accept {
                return d * v;
            }
        }
    }

    /// How many of `trials` succeed: jumps from success to success.
    fn binomial(&mut self, trials: u32, probability: f64) -> f64 {
        if probability >= 1.0 {
            return trials.into();
        }
        let mut successes = 0;
        let mut gaps = Gaps::new(probability);
        let mut at = gaps.next(self);
        while at < f64::from(trials) {
            successes += 1;
            at += 1.0 + gaps.next(self);
        }
        successes.into()
    }
}

/// Failures between successes that each come with the same probability below 1.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gaps {
    log_failure: f64,
}

impl Gaps {
    pub(super) fn new(probability: f64) -> Self {
        Self { log_failure: libm::log1p(-probability) }
    }

    /// A whole number, or infinity for probability 0.
    pub(super) fn next(&mut self, stream: &mut Stream) -> f64 {
        let log = libm::log(stream.positive_unit());
        if self.log_failure == 0.0 { f64::INFINITY } else { libm::floor(log / self.log_failure) }
    }
}

/// One step of SplitMix64's output function.
fn split_mix(state: u64) -> u64 {
    let mut mixed = state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// How a random number is distributed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Shape {
    /// From `min` to `max`.
    Uniform {
        min: f64,
        max: f64,
    },
    Normal {
        mean: f64,
        sd: f64,
    },
    /// `exp` of a normal number.
    LogNormal {
        mean: f64,
        sd: f64,
    },
    Exponential {
        mean: f64,
    },
    /// With mean `shape · scale`.
    Gamma {
        shape: f64,
        scale: f64,
    },
    Binomial {
        trials: u32,
        probability: f64,
    },
}

/// A distribution, cut off at bounds: what lies outside is drawn again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Distribution {
    pub(super) shape: Shape,
    pub(super) min: f64,
    pub(super) max: f64,
}

impl Distribution {
    /// The next number; `None` if next to nothing of the distribution lies within its bounds.
    pub(super) fn draw(&self, stream: &mut Stream) -> Option<f64> {
        (0..MOST_DRAWS).map(|_| self.shape.draw(stream)).find(|number| (self.min..=self.max).contains(number))
    }
}

impl Shape {
    fn draw(self, stream: &mut Stream) -> f64 {
        match self {
            Self::Uniform { min, max } => min + (max - min) * stream.unit(),
            Self::Normal { mean, sd } => mean + sd * stream.normal(),
            Self::LogNormal { mean, sd } => libm::exp(mean + sd * stream.normal()),
            Self::Exponential { mean } => -mean * libm::log(stream.positive_unit()),
            Self::Gamma { shape, scale } => scale * stream.gamma(shape),
            Self::Binomial { trials, probability } => stream.binomial(trials, probability),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(shape: Shape) -> (f64, f64, f64) {
        let mut stream = Stream::new(7, "moments");
        let numbers: Vec<f64> = (0..200_000).map(|_| shape.draw(&mut stream)).collect();
        let count = numbers.len() as f64;
        let mean = numbers.iter().sum::<f64>() / count;
        let variance = numbers.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count;
        let skewness = numbers.iter().map(|x| (x - mean).powi(3)).sum::<f64>() / count / variance.powf(1.5);
        (mean, variance, skewness)
    }

    /// Mean, variance and skewness as the textbooks have them, within five standard errors of the mean.
    #[test]
    fn moments_are_those_of_the_textbooks() {
        let shapes = [
            (Shape::Uniform { min: -1.0, max: 3.0 }, 1.0, 16.0 / 12.0, 0.0),
            (Shape::Normal { mean: 2.0, sd: 0.5 }, 2.0, 0.25, 0.0),
            (Shape::LogNormal { mean: 0.0, sd: 0.25 }, 1.0317, 0.068648, 0.7783),
            (Shape::Exponential { mean: 1.5 }, 1.5, 2.25, 2.0),
            (Shape::Gamma { shape: 0.5, scale: 2.0 }, 1.0, 2.0, 2.0 * 2f64.sqrt()),
            (Shape::Gamma { shape: 4.0, scale: 0.5 }, 2.0, 1.0, 1.0),
            (Shape::Binomial { trials: 20, probability: 0.25 }, 5.0, 3.75, 0.5 / 3.75f64.sqrt()),
        ];
        for (shape, mean, variance, skewness) in shapes {
            let found = moments(shape);
            let error = 5.0 * f64::sqrt(variance / 200_000.0);
            assert!((found.0 - mean).abs() < error, "{shape:?}: mean {}", found.0);
            assert!((found.1 / variance - 1.0).abs() < 0.04, "{shape:?}: variance {}", found.1);
            assert!((found.2 - skewness).abs() < 0.15, "{shape:?}: skewness {}", found.2);
        }
    }

    #[test]
    fn integers_are_uniform_and_streams_are_apart() {
        let mut stream = Stream::new(0, "integers");
        let mut counts = [0; 7];
        (0..70_000).for_each(|_| counts[stream.below(7) as usize] += 1);
        // 10,000 ± 5 standard deviations of 92.6.
        assert!(counts.iter().all(|count| (9537..=10463).contains(count)), "{counts:?}");
        let first = |seed, purpose| Stream::new(seed, purpose).generator.next_u64();
        let firsts = [first(0, "a"), first(0, "b"), first(1, "a"), first(1, "b")];
        for (index, number) in firsts.iter().enumerate() {
            assert!(!firsts[index + 1..].contains(number));
            // Unrelated words differ in 32 of 64 bits on average, with standard deviation 4.
            assert!(firsts[index + 1..].iter().all(|other| (12..=52).contains(&(number ^ other).count_ones())));
        }
    }

    /// Computed with another program: networks are to come out the same with every version and on every platform.
    #[test]
    fn numbers_stay_as_they_are() {
        let mut stream = Stream::new(1, "projection in_hid, weights");
        let numbers: Vec<u64> = (0..3).map(|_| stream.generator.next_u64()).collect();
        assert_eq!(numbers, [16592464312161637253, 12951368984074459536, 8277060514533309710]);
        let normal = Shape::Normal { mean: 0.0, sd: 1.0 };
        assert_eq!(normal.draw(&mut stream), -0.18402312662153658);
    }

    #[test]
    fn impossible_bounds_are_given_up() {
        let mut stream = Stream::new(1, "bounds");
        let normal = Shape::Normal { mean: 0.0, sd: 1.0 };
        let bounded = Distribution { shape: normal, min: 0.5, max: 0.75 };
        assert!((0..1000).all(|_| (0.5..=0.75).contains(&bounded.draw(&mut stream).unwrap())));
        assert_eq!(Distribution { shape: normal, min: 40.0, max: 41.0 }.draw(&mut stream), None);
    }
}
