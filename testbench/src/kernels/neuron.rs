//! Neurons in fixed point and in floating point.

use super::number::{Rounding, product, saturate, wrap};
use super::random::Lane;

/// A leaky integrate-and-fire neuron.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lif {
    /// Membrane potential.
    pub v: i16,
    /// Steps for which it cannot fire.
    pub refractory: i16,
}

impl Lif {
    /// One step with input `i`; whether it fires. `alpha` is in s0.15.
    pub fn step(&mut self, i: i16, alpha: i16, theta: i16, tau: i16) -> bool {
        let leaked = wrap(product(alpha, self.v, 15, Rounding::Nearest));
        self.v = saturate(i64::from(leaked) + i64::from(i));
        if self.refractory > 0 {
            self.refractory -= 1;
            return false;
        }
        let fires = self.v >= theta;
        if fires {
            self.v = saturate(i64::from(self.v) - i64::from(theta));
            self.refractory = tau;
        }
        fires
    }
}

/// Parameters of an adaptive neuron, in the order in which the kernel reads them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AlifParameters {
    /// Decay of V in one step, s0.15.
    pub alpha: i16,
    /// Decay of A in one step, s0.15.
    pub rho: i16,
    /// Threshold per A, s0.15.
    pub beta: i16,
    /// Threshold at rest, s1.14.
    pub theta: i16,
    /// What a spike adds to A, s6.9.
    pub jump: i16,
    /// Refractory steps.
    pub tau: i16,
}

impl AlifParameters {
    /// The six halfwords.
    pub fn halves(&self) -> [i16; 6] {
        let Self { alpha, rho, beta, theta, jump, tau } = *self;
        [alpha, rho, beta, theta, jump, tau]
    }
}

/// How both decays of an adaptive neuron are rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Decay {
    /// Towards minus infinity.
    Down,
    /// To the nearest.
    Nearest,
    /// Stochastically.
    Stochastic,
}

/// The arithmetic of an adaptive neuron.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Arithmetic {
    /// Of V and A.
    pub decay: Decay,
    /// Whether sums and differences saturate; otherwise they wrap.
    pub saturating: bool,
}

impl Arithmetic {
    /// As `neuron_alif` has it.
    pub const KERNEL: Self = Self { decay: Decay::Stochastic, saturating: true };

    fn sum(self, value: i64) -> i16 {
        if self.saturating { saturate(value) } else { wrap(value) }
    }
}

/// An adaptive leaky integrate-and-fire neuron: V in s1.14, A in s6.9.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Alif {
    /// Membrane potential.
    pub v: i16,
    /// Adaptation.
    pub a: i16,
    /// Steps for which it cannot fire.
    pub refractory: i16,
}

impl Alif {
    /// One step with input `i`; whether it fires. Where decays are rounded stochastically, that of V draws before that of A.
    pub fn step(&mut self, i: i16, p: &AlifParameters, arithmetic: Arithmetic, lane: &mut Lane) -> bool {
        let [first, second] = [(); 2].map(|()| match arithmetic.decay {
            Decay::Down => Rounding::Down,
            Decay::Nearest => Rounding::Nearest,
            Decay::Stochastic => Rounding::Stochastic(lane.draw()),
        });
        let sum = |a: i16, b: i16| arithmetic.sum(i64::from(a) + i64::from(b));
        self.v = sum(wrap(product(p.alpha, self.v, 15, first)), i);
        self.a = wrap(product(p.rho, self.a, 15, second));
        if self.refractory > 0 {
            self.refractory -= 1;
            return false;
        }
        let raised = wrap(product(p.beta, self.a, 10, Rounding::Down));
        let fires = self.v >= sum(p.theta, raised);
        if fires {
            self.v = arithmetic.sum(i64::from(self.v) - i64::from(p.theta));
            self.a = sum(self.a, p.jump);
            self.refractory = p.tau;
        }
        fires
    }
}

/// The published adaptive-neuron experiment in floating point: V and A after each step, and the number of spikes.
/// τ_m 20 and τ_A 2000 steps, weight 0.01, β 0.0174, θ 0.6, refractory for 5 steps.
pub fn alif_float(inputs: impl IntoIterator<Item = f64>) -> (Vec<[f64; 2]>, usize) {
    let (alpha, rho) = ((-1.0f64 / 20.0).exp(), (-1.0f64 / 2000.0).exp());
    let (mut v, mut a, mut refractory, mut spikes) = (0.0, 0.0, 0, 0);
    let mut trace = Vec::new();
    for input in inputs {
        v = alpha * v + 0.01 * input;
        a *= rho;
        if refractory > 0 {
            refractory -= 1;
        } else if v >= 0.6 + 0.0174 * a {
            v -= 0.6;
            a += 1.0;
            refractory = 5;
            spikes += 1;
        }
        trace.push([v, a]);
    }
    (trace, spikes)
}
