//! The Yin-Yang data set: points of a disc, each in one of three classes.
//!
//! A split is a function of its seed and size alone, and equals the published one bit for bit: the draws are those of
//! NumPy's legacy generator (MT19937), `randint(3)` for the class wanted and `rand(2)` for points until one is in it.
//! Geometry, seeds and sizes: L. Kriener, J. Göltz, M. A. Petrovici, "The Yin-Yang dataset", 2021 (arXiv 2102.08211).

use rand_mt::Mt;

/// Number of classes: yin, yang, dot.
pub const CLASSES: usize = 3;

/// Radius of the disc, centred on (0.5, 0.5).
const R_BIG: f64 = 0.5;
/// Radius of the two dots, centred on (0.25, 0.5) and (0.75, 0.5).
const R_SMALL: f64 = 0.1;

/// A part of the published data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Split {
    /// 5,000 samples to learn from.
    Train,
    /// 1,000 samples to choose a network by.
    Validation,
    /// 1,000 samples to report on.
    Test,
}

impl Split {
    /// The published seed and number of samples.
    pub fn seed_and_size(self) -> (u32, usize) {
        match self {
            Split::Train => (42, 5000),
            Split::Validation => (41, 1000),
            Split::Test => (40, 1000),
        }
    }

    /// The published samples, in order.
    pub fn samples(self) -> Vec<Sample> {
        let (seed, size) = self.seed_and_size();
        generate(seed, size)
    }
}

/// One point and its class.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Horizontal position, 0 to 1.
    pub x: f64,
    /// Vertical position, 0 to 1.
    pub y: f64,
    /// 0: yang, 1: yin, 2: dot.
    pub class: usize,
}

/// `size` samples of the generator seeded with `seed`.
pub fn generate(seed: u32, size: usize) -> Vec<Sample> {
    let mut random = Mt::new(seed);
    (0..size).map(|_| draw(&mut random)).collect()
}

fn draw(random: &mut Mt) -> Sample {
    let wanted = class_below_three(random);
    loop {
        let (x, y) = (unit(random), unit(random));
        if let Some(class) = class_of(x, y)
            && class == wanted
        {
            return Sample { x, y, class };
        }
    }
}

/// NumPy's `randint(3)`: the low two bits of a draw, drawn again when they are 3.
fn class_below_three(random: &mut Mt) -> usize {
    loop {
        let bits = random.next_u32() & 3;
        if bits < 3 {
            return bits as usize;
        }
    }
}

/// NumPy's `rand()`: 53 bits out of two draws, 0 included, 1 not.
fn unit(random: &mut Mt) -> f64 {
    let (high, low) = (random.next_u32() >> 5, random.next_u32() >> 6);
    (f64::from(high) * 67_108_864.0 + f64::from(low)) / 9_007_199_254_740_992.0
}

/// The class of a point, or `None` outside the disc.
pub fn class_of(x: f64, y: f64) -> Option<usize> {
    let distance = |centre: f64| ((x - centre) * (x - centre) + (y - R_BIG) * (y - R_BIG)).sqrt();
    if distance(R_BIG) > R_BIG {
        return None;
    }
    let (left, right) = (distance(0.5 * R_BIG), distance(1.5 * R_BIG));
    if left < R_SMALL || right < R_SMALL {
        return Some(2);
    }
    let yin = right <= R_SMALL || (left > R_SMALL && left <= 0.5 * R_BIG) || (y > R_BIG && right > 0.5 * R_BIG);
    Some(usize::from(yin))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(split: Split) -> [usize; CLASSES] {
        let mut counts = [0; CLASSES];
        for sample in split.samples() {
            counts[sample.class] += 1;
        }
        counts
    }

    /// Class counts of the published arrays.
    #[test]
    fn splits_have_the_published_class_counts() {
        assert_eq!(counts(Split::Train), [1681, 1702, 1617]);
        assert_eq!(counts(Split::Validation), [316, 336, 348]);
        assert_eq!(counts(Split::Test), [350, 316, 334]);
    }

    /// First, last and summed coordinates as NumPy 2.4 draws them with `RandomState(seed)`.
    #[test]
    fn points_are_those_numpy_draws() {
        let expected = [
            (
                Split::Train,
                (0.6803075385877797, 0.450499251969543, 2),
                (0.7690797231107925, 0.5883389337522971, 2),
                2528.3224565688233,
            ),
            (
                Split::Validation,
                (0.6805727261759029, 0.3209733938933629, 0),
                (0.7107040957004825, 0.804733352731108, 1),
                496.40889648664506,
            ),
            (
                Split::Test,
                (0.23409664559563403, 0.4017249751828972, 2),
                (0.32834060537145815, 0.3899830419619741, 1),
                498.2569893484742,
            ),
        ];
        for (split, first, last, sum) in expected {
            let samples = split.samples();
            for (sample, (x, y, class)) in [(samples[0], first), (samples[samples.len() - 1], last)] {
                assert_eq!(sample, Sample { x, y, class }, "{split:?}");
            }
            let total: f64 = samples.iter().map(|sample| sample.x).sum();
            // NumPy sums pairwise, we sum in order.
            assert!((total - sum).abs() < 1e-9, "{split:?}: {total}");
        }
    }

    #[test]
    fn classes_follow_the_drawing() {
        assert_eq!(class_of(0.25, 0.5), Some(2));
        assert_eq!(class_of(0.75, 0.5), Some(2));
        assert_eq!(class_of(0.25, 0.35), Some(1), "the left half disc below the middle is yin");
        assert_eq!(class_of(0.75, 0.65), Some(0), "the right half disc above the middle is yang");
        assert_eq!(class_of(0.5, 0.9), Some(1));
        assert_eq!(class_of(0.5, 0.1), Some(0));
        assert_eq!(class_of(0.01, 0.01), None);
    }
}
