//! Random numbers: the lanes' generators, Poisson counts, and how well counts follow a distribution.

use std::ops::RangeInclusive;

/// One lane's generator, Xoroshiro32++ with rotations 13, 5, 10 and 9.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lane {
    /// First half of its state.
    pub s0: u16,
    /// Second half.
    pub s1: u16,
}

impl Lane {
    /// The next 16 random bits.
    pub fn draw(&mut self) -> u16 {
        let Self { s0, s1 } = *self;
        let word = s0.wrapping_add(s1).rotate_left(9).wrapping_add(s0);
        let mixed = s0 ^ s1;
        *self = Self { s0: s0.rotate_left(13) ^ mixed ^ (mixed << 5), s1: mixed.rotate_left(10) };
        word
    }
}

/// Poisson counts as the kernel makes them, lanes advancing together: `rounds` of one count per lane, threshold
/// `2^14 exp(-lambda)`.
pub fn poisson(lanes: &mut [Lane], rounds: usize, threshold: i64) -> Vec<i16> {
    let mut counts = Vec::new();
    for _ in 0..rounds {
        let mut state = vec![(1i64 << 14, 0i16); lanes.len()];
        loop {
            for ((p, count), lane) in state.iter_mut().zip(lanes.iter_mut()) {
                let uniform = i64::from(lane.draw() / 2);
                *p = (*p * uniform + (1 << 14)) / (1 << 15);
                *count += i16::from(*p > threshold);
            }
            if state.iter().all(|(p, _)| *p <= threshold) {
                break;
            }
        }
        counts.extend(state.iter().map(|(_, count)| count));
    }
    counts
}

/// How well counts follow a distribution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fit {
    /// The probability of a worse fit, if they do follow it.
    pub p: f64,
    /// Their mean.
    pub mean: f64,
    /// Their variance.
    pub variance: f64,
}

/// Pearson's χ² of `counts` against the Poisson distribution with mean `lambda`, with a bin for each of 0 to 11 and one for
/// the rest: twelve degrees of freedom, none lost to a fitted parameter.
pub fn poisson_fit(counts: &[i16], lambda: f64) -> Fit {
    poisson_fit_in(counts, lambda, 0..=12)
}

/// The same with a bin for each of `bins`, of which the first has everything below it too and the last everything above it. Their
/// number is odd: the degrees of freedom are one less.
///
/// # Panics
/// It is even, or there is no bin.
pub fn poisson_fit_in(counts: &[i16], lambda: f64, bins: RangeInclusive<i16>) -> Fit {
    let (first, last) = bins.into_inner();
    let count = (last - first) as usize + 1;
    assert!(first <= last && !count.is_multiple_of(2), "there is an odd number of bins");
    let place = |number: i16| (number.clamp(first, last) - first) as usize;
    let n = counts.len() as f64;
    let mut observed = vec![0.0; count];
    counts.iter().for_each(|count| observed[place(*count)] += 1.0);
    let mut expected = vec![0.0; count];
    let mut term = (-lambda).exp();
    for k in 0..last {
        expected[place(k)] += n * term;
        term *= lambda / f64::from(k + 1);
    }
    expected[count - 1] = n - expected.iter().sum::<f64>();
    let chi2: f64 = observed.iter().zip(&expected).map(|(o, e)| (o - e) * (o - e) / e).sum();
    let mean = counts.iter().map(|count| f64::from(*count)).sum::<f64>() / n;
    let variance = counts.iter().map(|count| (f64::from(*count) - mean).powi(2)).sum::<f64>() / n;
    Fit { p: chi2_tail(chi2, (count - 1) / 2), mean, variance }
}

/// The probability that χ² with `2 half` degrees of freedom exceeds `x`: for an even number it is a finite sum.
fn chi2_tail(x: f64, half: usize) -> f64 {
    let mut term = 1.0;
    let mut sum = 0.0;
    for k in 0..half {
        sum += term;
        term *= x / 2.0 / (k + 1) as f64;
    }
    sum * (-x / 2.0).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Quantiles from printed tables of the χ² distribution with 12 degrees of freedom.
    #[test]
    fn tail_of_chi_squared() {
        for (x, p) in [(11.340, 0.5), (21.026, 0.05), (26.217, 0.01)] {
            assert!((chi2_tail(x, 6) - p).abs() < 1e-4, "{x}");
        }
    }

    #[test]
    fn wrong_counts_do_not_fit() {
        let counts: Vec<i16> = (0..3200).map(|i| i % 11).collect();
        assert!(poisson_fit(&counts, 5.0).p < 1e-6);
    }

    /// Three bins, worked out by hand: of 1,000 counts with mean 1, 367.88 are 0 or less, 367.88 are 1 and 264.24 are more.
    #[test]
    fn bins_have_the_tails() {
        let counts: Vec<i16> = [(0, 380), (1, 360), (2, 200), (5, 60)].iter().flat_map(|(k, n)| vec![*k; *n]).collect();
        let chi2 = 12.12 * 12.12 / 367.88 + 7.88 * 7.88 / 367.88 + 4.24 * 4.24 / 264.24;
        let fit = poisson_fit_in(&counts, 1.0, 0..=2);
        assert!((fit.p - f64::exp(-chi2 / 2.0)).abs() < 1e-3, "{}", fit.p);
        assert_eq!(fit.mean, (360.0 + 400.0 + 300.0) / 1000.0);
    }
}
