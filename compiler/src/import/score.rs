//! How a population in fixed point does against floating point.
//!
//! Contract: a [`Score`] sees the steps of one case after another; scores of different cases add up in any grouping to the same
//! [`Agreement`], as long as their order is kept.
//!
//! Not here: where the steps come from.

use crate::network::Readout;

use super::report::Agreement;

/// Adds up how a population does over several cases.
#[derive(Debug, Clone)]
pub(super) struct Score {
    size: usize,
    /// Whether spikes decide, or potentials.
    spikes: bool,
    /// How a case becomes one number per neuron, if anything asks which is the largest.
    readout: Option<Readout>,
    /// Of the case that is being seen: steps, spikes per neuron, and potentials folded as the readout says, in floating point and in
    /// fixed point.
    steps: usize,
    counts: [Vec<u32>; 2],
    folded: [Vec<f64>; 2],
    mismatched: usize,
    /// Of samples and of disturbed copies: how many, and mismatches.
    cases: [(usize, usize); 2],
    other_class: usize,
    /// All spikes, in floating point and in fixed point.
    total: [u64; 2],
    /// Of spike counts per neuron and case: how many pairs, and the sums of a, b, a², b² and ab. All are whole numbers.
    moments: [f64; 6],
    /// Sum of squared deviations of V, how many, and the largest |V|.
    squares: f64,
    values: usize,
    largest: f64,
}

impl Score {
    /// `readout`: of the population, if it is an output, and all of its neurons are seen.
    pub(super) fn new(size: usize, spikes: bool, readout: Option<Readout>) -> Self {
        Self {
            size,
            spikes,
            readout,
            steps: 0,
            counts: [vec![0; size], vec![0; size]],
            folded: [Vec::new(), Vec::new()],
            mismatched: 0,
            cases: [(0, 0); 2],
            other_class: 0,
            total: [0; 2],
            moments: [0.0; 6],
            squares: 0.0,
            values: 0,
            largest: 0.0,
        }
    }

    /// Whether potentials are wanted.
    pub(super) fn wants_potentials(&self) -> bool {
        !self.spikes || self.readout.is_some_and(|readout| readout != Readout::Count)
    }

    /// A step: who spikes in floating point and in fixed point, each in rising order.
    pub(super) fn spikes(&mut self, float: &[u32], fixed: &[u32]) {
        let mut common = 0;
        let mut rest = fixed;
        for neuron in float {
            let skip = rest.partition_point(|other| other < neuron);
            rest = &rest[skip..];
            common += usize::from(rest.first() == Some(neuron));
        }
        self.mismatched += float.len() + fixed.len() - 2 * common;
        for (counts, list) in self.counts.iter_mut().zip([float, fixed]) {
            list.iter().for_each(|neuron| counts[*neuron as usize] += 1);
        }
    }

    /// A step: all potentials in floating point and in fixed point.
    pub(super) fn potentials(&mut self, float: &[f64], fixed: &[f64]) {
        if !self.spikes {
            for (a, b) in float.iter().zip(fixed) {
                self.squares += (a - b).powi(2);
                self.largest = self.largest.max(a.abs());
            }
            self.values += float.len();
        }
        let first = self.steps == 0;
        self.steps += 1;
        for (folded, values) in self.folded.iter_mut().zip([float, fixed]) {
            if first {
                folded.clear();
                folded.extend_from_slice(values);
                continue;
            }
            let pairs = folded.iter_mut().zip(values);
            match self.readout {
                Some(Readout::Last) => folded.copy_from_slice(values),
                Some(Readout::Mean) => pairs.for_each(|(sum, value)| *sum += value),
                Some(Readout::Max) => pairs.for_each(|(most, value)| *most = most.max(*value)),
                Some(Readout::Count) | None => {}
            }
        }
    }

    /// The case is over.
    pub(super) fn end(&mut self, jittered: bool) {
        let (cases, mismatches) = &mut self.cases[usize::from(jittered)];
        *cases += 1;
        *mismatches += std::mem::take(&mut self.mismatched);
        let [float, fixed] = &self.counts;
        if self.spikes {
            for (&a, &b) in float.iter().zip(fixed) {
                let (a, b) = (f64::from(a), f64::from(b));
                let terms = [1.0, a, b, a * a, b * b, a * b];
                self.moments.iter_mut().zip(terms).for_each(|(sum, term)| *sum += term);
            }
            for (total, counts) in self.total.iter_mut().zip(&self.counts) {
                *total += counts.iter().map(|count| u64::from(*count)).sum::<u64>();
            }
        }
        let class = |of: usize| match self.readout {
            None => None,
            Some(Readout::Count) => largest(self.counts[of].iter().map(|count| f64::from(*count))),
            Some(_) => largest(self.folded[of].iter().copied()),
        };
        self.other_class += usize::from(class(0) != class(1));
        self.counts.iter_mut().for_each(|counts| counts.fill(0));
        self.steps = 0;
    }

    /// The cases of `other` behind those of `self`.
    pub(super) fn plus(mut self, other: &Self) -> Self {
        for (sum, part) in self.cases.iter_mut().zip(other.cases) {
            *sum = (sum.0 + part.0, sum.1 + part.1);
        }
        self.other_class += other.other_class;
        self.total.iter_mut().zip(other.total).for_each(|(sum, part)| *sum += part);
        self.moments.iter_mut().zip(other.moments).for_each(|(sum, part)| *sum += part);
        self.squares += other.squares;
        self.values += other.values;
        self.largest = self.largest.max(other.largest);
        self
    }

    /// `saturations`: of `I` and of `V`.
    pub(super) fn agreement(&self, saturations: [u64; 2]) -> Agreement {
        let mean = |(count, sum): (usize, usize)| if count == 0 { 0.0 } else { sum as f64 / count as f64 };
        let cases = self.cases[0].0 + self.cases[1].0;
        let deviation = || {
            let rms = (self.squares / self.values.max(1) as f64).sqrt();
            if self.largest > 0.0 { 100.0 * rms / self.largest } else { 0.0 }
        };
        let per_case = |total: u64| total as f64 / cases.max(1) as f64;
        Agreement {
            mismatches: mean(self.cases[0]),
            mismatches_jittered: mean(self.cases[1]),
            spikes_float: per_case(self.total[0]),
            spikes_fixed: per_case(self.total[1]),
            correlation: correlation(self.moments),
            deviation_percent: (!self.spikes).then(deviation),
            other_class_percent: 100.0 * self.other_class as f64 / cases.max(1) as f64,
            saturations_current: saturations[0],
            saturations_potential: saturations[1],
        }
    }

    /// How many neurons are seen.
    pub(super) fn size(&self) -> usize {
        self.size
    }
}

/// The position of the largest number, the first of equals.
fn largest(numbers: impl Iterator<Item = f64>) -> Option<usize> {
    let mut best: Option<(usize, f64)> = None;
    for (index, number) in numbers.enumerate() {
        if best.is_none_or(|(_, largest)| number > largest) {
            best = Some((index, number));
        }
    }
    best.map(|(index, _)| index)
}

/// Pearson's correlation; `None` where one side does not vary.
fn correlation([count, a, b, aa, bb, ab]: [f64; 6]) -> Option<f64> {
    let (xx, yy, xy) = (count * aa - a * a, count * bb - b * b, count * ab - a * b);
    (xx > 0.0 && yy > 0.0).then(|| xy / (xx.sqrt() * yy.sqrt()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mismatches_counts_and_classes_are_those_of_a_small_case() {
        let mut score = Score::new(3, true, Some(Readout::Count));
        score.spikes(&[0, 2], &[0, 1]);
        score.spikes(&[], &[1]);
        score.end(false);
        score.spikes(&[2], &[2]);
        score.end(true);
        let agreement = score.agreement([4, 5]);
        assert_eq!((agreement.mismatches, agreement.mismatches_jittered), (3.0, 0.0));
        assert_eq!((agreement.spikes_float, agreement.spikes_fixed), (1.5, 2.0));
        // Neuron 0 spikes most in floating point, the first of two; neuron 1 in fixed point.
        assert_eq!(agreement.other_class_percent, 50.0);
        // By hand, of (1, 1), (0, 2), (1, 0) and (0, 0), (0, 0), (1, 1): covariance 0 over 6 pairs.
        let r = agreement.correlation.unwrap();
        assert!(
            (r - (6.0 * 2.0 - 3.0 * 4.0) / ((6.0f64 * 3.0 - 9.0).sqrt() * (6.0f64 * 6.0 - 16.0).sqrt())).abs() < 1e-12
        );
        assert_eq!((agreement.saturations_current, agreement.saturations_potential), (4, 5));
    }

    #[test]
    fn potentials_are_read_out_as_asked() {
        for (readout, same) in [(Readout::Last, true), (Readout::Max, false), (Readout::Mean, false)] {
            let mut score = Score::new(2, false, Some(readout));
            score.potentials(&[5.0, 1.0], &[1.0, 5.5]);
            score.potentials(&[3.0, 2.0], &[3.0, 2.0]);
            score.end(false);
            let agreement = score.agreement([0, 0]);
            assert_eq!(agreement.other_class_percent, if same { 0.0 } else { 100.0 }, "{readout:?}");
            let rms = ((16.0f64 + 20.25) / 4.0).sqrt();
            assert!((agreement.deviation_percent.unwrap() - 100.0 * rms / 5.0).abs() < 1e-12);
        }
    }
}
