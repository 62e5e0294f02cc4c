//! Rules that say which neurons are joined, drawn at random.
//!
//! Contract: [`Rule::draw`] gives rows in order, their targets not falling; which ones depends on the stream alone. Numbers
//! are exact, probabilities independent from pair to pair.
//!
//! Not here: weights and delays of the synapses.

use super::random::{Gaps, Stream};

/// How many synapses there are of which neuron.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Rule {
    /// Each pair with this probability.
    Probability(f64),
    /// So many sources for each target.
    Pre(u32),
    /// So many targets for each source.
    Post(u32),
    /// So many altogether.
    Total(u32),
}

/// Which pairs a rule may choose, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pairs {
    pub(super) sources: u32,
    pub(super) targets: u32,
    /// Whether a neuron may be joined to itself (to the target of its own number).
    pub(super) autapses: bool,
    /// Whether a number rule may choose a pair more than once.
    pub(super) replacement: bool,
}

/// Rows of targets: `starts` has one number more than there are sources.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Rows {
    pub(super) starts: Vec<u32>,
    pub(super) targets: Vec<u32>,
}

impl Rule {
    /// The most synapses there can be, or for a probability the expected number.
    pub(super) fn synapses(self, pairs: Pairs) -> f64 {
        match self {
            Self::Probability(probability) => probability * pairs.count() as f64,
            Self::Pre(number) => f64::from(number) * f64::from(pairs.targets),
            Self::Post(number) => f64::from(number) * f64::from(pairs.sources),
            Self::Total(number) => number.into(),
        }
    }

    /// From how many pairs a number is chosen at a time.
    pub(super) fn choices(self, pairs: Pairs) -> u64 {
        let self_too = u64::from(!pairs.autapses);
        match self {
            Self::Probability(_) | Self::Total(_) => pairs.count(),
            Self::Pre(_) => u64::from(pairs.sources) - self_too,
            Self::Post(_) => u64::from(pairs.targets) - self_too,
        }
    }

    /// The synapses. Number rules need at least one choice, and without replacement as many as the number.
    pub(super) fn draw(self, pairs: Pairs, stream: &mut Stream) -> Rows {
        let choices = self.choices(pairs);
        let choose = |number: u32, stream: &mut Stream| choose(number, choices, pairs.replacement, stream);
        match self {
            Self::Probability(probability) => pairs.each_with(probability, stream),
            Self::Post(number) => {
                let mut rows = Rows { starts: vec![0], targets: Vec::new() };
                for source in 0..pairs.sources {
                    let chosen = choose(number, stream);
                    rows.targets.extend(chosen.iter().map(|chosen| pairs.beside(*chosen as u32, source)));
                    rows.starts.push(rows.targets.len() as u32);
                }
                rows
            }
            Self::Pre(number) => {
                let chosen = (0..pairs.targets).flat_map(|target| {
                    let chosen = choose(number, stream);
                    chosen.into_iter().map(move |chosen| (pairs.beside(chosen as u32, target), target))
                });
                Rows::of_pairs(pairs.sources, &chosen.collect::<Vec<_>>())
            }
            Self::Total(number) => {
                let width = u64::from(pairs.targets) - u64::from(!pairs.autapses);
                let chosen = choose(number, stream).into_iter().map(|place| {
                    let (source, target) = ((place / width) as u32, (place % width) as u32);
                    (source, pairs.beside(target, source))
                });
                Rows::of_pairs(pairs.sources, &chosen.collect::<Vec<_>>())
            }
        }
    }
}

impl Pairs {
    fn count(self) -> u64 {
        let all = u64::from(self.sources) * u64::from(self.targets);
        all - if self.autapses { 0 } else { u64::from(self.sources.min(self.targets)) }
    }

    /// The neuron that `choice` stands for, where `own` may have to be left out.
    fn beside(self, choice: u32, own: u32) -> u32 {
        choice + u32::from(!self.autapses && choice >= own)
    }

    fn each_with(self, probability: f64, stream: &mut Stream) -> Rows {
        let mut rows = Rows { starts: vec![0], targets: Vec::new() };
        let mut gaps = Gaps::new(probability);
        for source in 0..self.sources {
            let width = self.targets - u32::from(!self.autapses && source < self.targets);
            let mut next = |stream: &mut Stream| if probability >= 1.0 { 0.0 } else { gaps.next(stream) };
            let mut at = next(stream);
            while at < f64::from(width) {
                rows.targets.push(self.beside(at as u32, source));
                at += 1.0 + next(stream);
            }
            rows.starts.push(rows.targets.len() as u32);
        }
        rows
    }
}

impl Rows {
    /// Pairs of source and target, by source and then by target; equal ones keep their order.
    fn of_pairs(sources: u32, pairs: &[(u32, u32)]) -> Self {
        let order = order(sources, pairs);
        Self { starts: starts(sources, pairs), targets: order.iter().map(|place| pairs[*place as usize].1).collect() }
    }
}

/// Where each source's row begins.
pub(super) fn starts(sources: u32, pairs: &[(u32, u32)]) -> Vec<u32> {
    let mut starts = vec![0; sources as usize + 1];
    pairs.iter().for_each(|(source, _)| starts[*source as usize + 1] += 1);
    for source in 0..sources as usize {
        starts[source + 1] += starts[source];
    }
    starts
}

/// The places of `pairs` in the order of sources, then targets, then places.
pub(super) fn order(sources: u32, pairs: &[(u32, u32)]) -> Vec<u32> {
    let starts = starts(sources, pairs);
    let mut next = starts.clone();
    let mut order = vec![0; pairs.len()];
    for (place, (source, _)) in pairs.iter().enumerate() {
        order[next[*source as usize] as usize] = place as u32;
        next[*source as usize] += 1;
    }
    for row in starts.windows(2) {
        order[row[0] as usize..row[1] as usize].sort_by_key(|place| pairs[*place as usize].1);
    }
    order
}

/// `number` of 0 … `choices − 1`, sorted.
fn choose(number: u32, choices: u64, replacement: bool, stream: &mut Stream) -> Vec<u64> {
    if replacement {
        let mut chosen: Vec<u64> = (0..number).map(|_| stream.below(choices)).collect();
        chosen.sort_unstable();
        return chosen;
    }
    let number = u64::from(number);
    if 2 * number > choices {
        // What is left out is fewer.
        let out = distinct(choices - number, choices, stream);
        let mut out = out.iter().copied().peekable();
        return (0..choices).filter(|choice| out.next_if_eq(choice).is_none()).collect();
    }
    distinct(number, choices, stream)
}

/// The first `number` different ones of a random sequence, sorted: every set of them is equally likely.
fn distinct(number: u64, choices: u64, stream: &mut Stream) -> Vec<u64> {
    let mut chosen: Vec<u64> = Vec::with_capacity(number as usize);
    while (chosen.len() as u64) < number {
        let missing = number - chosen.len() as u64;
        chosen.extend((0..missing).map(|_| stream.below(choices)));
        chosen.sort_unstable();
        chosen.dedup();
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(rule: Rule, pairs: Pairs) -> Vec<Vec<u32>> {
        let rows = rule.draw(pairs, &mut Stream::new(3, "rules"));
        assert_eq!(rows.starts.len(), pairs.sources as usize + 1);
        assert_eq!((rows.starts[0], *rows.starts.last().unwrap()), (0, rows.targets.len() as u32));
        let rows: Vec<Vec<u32>> =
            rows.starts.windows(2).map(|row| rows.targets[row[0] as usize..row[1] as usize].to_vec()).collect();
        for (source, row) in rows.iter().enumerate() {
            assert!(row.is_sorted() && row.iter().all(|target| *target < pairs.targets), "{rule:?}: {row:?}");
            assert!(pairs.autapses || !row.contains(&(source as u32)), "{rule:?}: {row:?}");
            let repeats = row.windows(2).any(|pair| pair[0] == pair[1]);
            assert!(pairs.replacement || !repeats, "{rule:?}: {row:?}");
        }
        rows
    }

    fn in_degrees(rows: &[Vec<u32>], targets: u32) -> Vec<u32> {
        let mut degrees = vec![0; targets as usize];
        rows.iter().flatten().for_each(|target| degrees[*target as usize] += 1);
        degrees
    }

    #[test]
    fn numbers_are_exact() {
        for autapses in [true, false] {
            for replacement in [true, false] {
                let pairs = Pairs { sources: 40, targets: 40, autapses, replacement };
                for number in [1, 15, 30, 39] {
                    let rows = drawn(Rule::Post(number), pairs);
                    assert!(rows.iter().all(|row| row.len() == number as usize));
                    let rows = drawn(Rule::Pre(number), pairs);
                    assert!(in_degrees(&rows, 40).iter().all(|degree| *degree == number));
                    let total = drawn(Rule::Total(40 * number), pairs);
                    assert_eq!(total.concat().len(), 40 * number as usize);
                }
            }
        }
        let uneven = Pairs { sources: 3, targets: 70, autapses: true, replacement: true };
        assert!(in_degrees(&drawn(Rule::Pre(5), uneven), 70).iter().all(|degree| *degree == 5));
        let all = drawn(Rule::Total(210), Pairs { replacement: false, ..uneven });
        assert!(all.iter().all(|row| *row == (0..70).collect::<Vec<_>>()));
    }

    /// The mean of in- and out-degrees, and their variance, are those of independent pairs: n·p and n·p·(1 − p).
    #[test]
    fn a_probability_is_that_of_every_pair() {
        let pairs = Pairs { sources: 1000, targets: 1000, autapses: true, replacement: true };
        let rows = drawn(Rule::Probability(0.1), Pairs { replacement: false, ..pairs });
        let out: Vec<f64> = rows.iter().map(|row| row.len() as f64).collect();
        let into: Vec<f64> = in_degrees(&rows, 1000).into_iter().map(f64::from).collect();
        for degrees in [out, into] {
            let mean = degrees.iter().sum::<f64>() / 1000.0;
            let variance = degrees.iter().map(|degree| (degree - mean).powi(2)).sum::<f64>() / 1000.0;
            // Standard errors 0.3 and 4.
            assert!((mean - 100.0).abs() < 1.5 && (variance - 90.0).abs() < 20.0, "{mean} {variance}");
        }
        let rows = drawn(Rule::Probability(1.0), Pairs { autapses: false, replacement: false, ..pairs });
        assert!(rows.iter().all(|row| row.len() == 999));
        assert!(drawn(Rule::Probability(0.0), pairs).iter().all(Vec::is_empty));
    }

    /// With replacement a pair's multiplicity is binomial: about n²/2m repeats are expected.
    #[test]
    fn replacement_repeats_pairs_as_often_as_chance_does() {
        let pairs = Pairs { sources: 100, targets: 100, autapses: true, replacement: true };
        let rows = drawn(Rule::Total(2000), pairs);
        let repeats: usize = rows.iter().map(|row| row.windows(2).filter(|pair| pair[0] == pair[1]).count()).sum();
        // Expected number of draws that hit a pair already chosen: 2000 − 10⁴·(1 − (1 − 10⁻⁴)²⁰⁰⁰) = 187 ± 13.
        assert!((122..=252).contains(&repeats), "{repeats}");
    }

    #[test]
    fn pairs_are_put_in_order_and_equal_ones_stay() {
        let pairs = [(2, 1), (0, 5), (2, 1), (0, 3), (2, 0)];
        assert_eq!(order(3, &pairs), [3, 1, 4, 0, 2]);
        assert_eq!(starts(3, &pairs), [0, 2, 2, 5]);
    }
}
