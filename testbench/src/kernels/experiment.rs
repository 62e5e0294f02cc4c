//! The published experiments on FeNN's numbers, run with the kernels.
//!
//! Contract: each function runs kernels on the published inputs, or on its own where there are none, and counts where
//! the results differ from the published ones and from this crate's references. Nothing is judged here.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use fenn_isa::memory::{LANES, Space};

use super::exponential::exponential;
use super::neuron::{Alif, AlifParameters, Arithmetic, Decay, alif_float};
use super::number::{Rounding, product, wrap};
use super::random::{self, Fit, poisson_fit};
use super::{Bench, vectors};
use crate::npz;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// One vector of numbers.
const WIDTH: usize = LANES;

/// The exponential function over all codes of a format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exponential {
    /// `exp` of each code, -32768 first.
    pub values: Vec<i16>,
    /// How many differ from [`exponential`].
    pub wrong: usize,
    /// Instructions for 32 codes.
    pub instructions: u64,
}

/// Runs `exp` on all 65,536 codes with `from` fraction bits; results have `to`.
///
/// # Errors
/// The kernel cannot be assembled or run.
pub fn exponential_of_all(from: u32, to: u32) -> Result<Exponential, Failure> {
    let changes = [
        ("EXP_X_FRACTION, 13", format!("EXP_X_FRACTION, {from}")),
        ("EXP_Y_FRACTION, 9", format!("EXP_Y_FRACTION, {to}")),
    ];
    let mut bench = Bench::changed(&["exp"], &[(changes[0].0, &changes[0].1), (changes[1].0, &changes[1].1)])?;
    let codes: Vec<i16> = (i16::MIN..=i16::MAX).collect();
    let count = (codes.len() / WIDTH) as u32;
    bench.set_halves(Space::Vector, 0, &codes)?;
    bench.call("exp_init", &[])?;
    let outcome = bench.call("exp", &[vectors(count), 0, count])?;
    let values = bench.halves(Space::Vector, vectors(count), codes.len())?;
    let wrong = codes.iter().zip(&values).filter(|(x, y)| exponential(**x, from, to) != **y).count();
    Ok(Exponential { values, wrong, instructions: outcome.instructions / u64::from(count) })
}

/// The published values of `exp` for s2.13, in s6.9, by code.
///
/// # Errors
/// The file is not what it should be.
pub fn published_exponential(path: &Path) -> Result<HashMap<i16, i64>, Failure> {
    let (x, y) = (npz::numbers(path, "x")?, npz::numbers(path, "exp_x")?);
    let code = |(x, y): (f64, f64)| ((x * 8192.0).round() as i16, (y * 512.0).round() as i64);
    Ok(x.into_iter().zip(y).map(code).collect())
}

/// Products of pairs of numbers, rounded in three ways.
#[derive(Debug, Clone, PartialEq)]
pub struct Products {
    /// How many pairs.
    pub count: usize,
    /// Products rounded down or to the nearest that differ from the expected ones.
    pub wrong: usize,
    /// Stochastically rounded ones that are neither the number below nor the one above.
    pub outside: usize,
    /// Stochastically rounded ones that differ from the reference with the same seed.
    pub unlike_reference: usize,
    /// Mean error of the stochastically rounded ones, in units of the last place.
    pub mean_error: f64,
    /// Error of every product rounded down, to the nearest and stochastically, in units of the last place.
    pub errors: [Vec<f64>; 3],
}

/// Multiplies `records` of (a, b, anything) with shift 15. `expected` are records of products down, nearest and (not
/// compared) stochastic.
///
/// # Errors
/// The kernel cannot be assembled or run.
pub fn products(records: &[i16], expected: &[i16], seed: u64) -> Result<Products, Failure> {
    const RECORD: usize = 3 * WIDTH;
    const BATCH: usize = 1000 * RECORD;
    const OUT: u32 = vectors(3000);
    let mut bench = Bench::new(&["multiply"])?;
    let mut lanes = bench.seed(seed, 0)?;
    let errors = Default::default();
    let mut result = Products { count: 0, wrong: 0, outside: 0, unlike_reference: 0, mean_error: 0.0, errors };
    for (records, expected) in records.chunks(BATCH).zip(expected.chunks(BATCH)) {
        bench.set_halves(Space::Vector, 0, records)?;
        bench.call("multiply", &[OUT, 0, (records.len() / RECORD) as u32])?;
        let products = bench.halves(Space::Vector, OUT, records.len())?;
        let all = records.chunks(RECORD).zip(expected.chunks(RECORD)).zip(products.chunks(RECORD));
        for ((operands, expected), products) in all {
            for lane in 0..WIDTH {
                let (a, b) = (operands[lane], operands[WIDTH + lane]);
                let stochastic = products[2 * WIDTH + lane];
                let exact = f64::from(a) * f64::from(b) / 32_768.0;
                let reference = product(a, b, 15, Rounding::Stochastic(lanes[lane].draw()));
                result.count += 1;
                result.wrong += [0, WIDTH].iter().filter(|row| products[lane + *row] != expected[lane + *row]).count();
                result.outside += usize::from(![0.0, 1.0].contains(&(f64::from(stochastic) - exact.floor())));
                result.unlike_reference += usize::from(wrap(reference) != stochastic);
                result.mean_error += f64::from(stochastic) - exact;
                for (row, errors) in result.errors.iter_mut().enumerate() {
                    errors.push(f64::from(products[row * WIDTH + lane]) - exact);
                }
            }
        }
    }
    result.mean_error /= result.count as f64;
    Ok(result)
}

/// The published operands and products of the real core.
///
/// # Errors
/// The files cannot be read.
pub fn published_products(numerics: &Path) -> Result<[Vec<i16>; 2], Failure> {
    Ok([halves(&numerics.join("stoch_rand_operands.bin"))?, halves(&numerics.join("out_stoch_round.bin"))?])
}

/// Operands from a seed, as many records as asked for, and their products by this crate's reference.
pub fn generated_products(count: usize, seed: u64) -> [Vec<i16>; 2] {
    let (mut operands, mut expected) = (Vec::new(), Vec::new());
    let mut source = random::Lane { s0: seed as u16 | 1, s1: (seed >> 16) as u16 };
    for _ in 0..count {
        // -32768 times itself is the one product that does not fit, and what to make of it is not the question here.
        let mut vector = || -> Vec<i16> { (0..WIDTH).map(|_| (source.draw() as i16).max(-i16::MAX)).collect() };
        let (a, b) = (vector(), vector());
        for rounding in [Rounding::Down, Rounding::Nearest] {
            expected.extend(a.iter().zip(&b).map(|(a, b)| wrap(product(*a, *b, 15, rounding))));
        }
        expected.extend([0; WIDTH]);
        operands.extend(a.into_iter().chain(b).chain([0; WIDTH]));
    }
    [operands, expected]
}

/// Poisson counts of the kernel.
#[derive(Debug, Clone, PartialEq)]
pub struct Poisson {
    /// In the order of rounds and lanes.
    pub counts: Vec<i16>,
    /// How they are distributed.
    pub fit: Fit,
    /// How many differ from the reference with the same seed.
    pub unlike_reference: usize,
    /// Instructions for 32 counts.
    pub instructions: f64,
}

/// Draws `rounds` counts in each lane.
///
/// # Errors
/// The kernel cannot be assembled or run.
pub fn poisson(lambda: f64, rounds: u32, seed: u64) -> Result<Poisson, Failure> {
    let mut bench = Bench::new(&["multiply", "poisson"])?;
    let mut lanes = bench.seed(seed, 0)?;
    let threshold = (16_384.0 * (-lambda).exp()).round() as u32;
    let outcome = bench.call("poisson", &[0, rounds, threshold])?;
    let counts = bench.halves(Space::Vector, 0, WIDTH * rounds as usize)?;
    let reference = random::poisson(&mut lanes, rounds as usize, i64::from(threshold));
    Ok(Poisson {
        fit: poisson_fit(&counts, lambda),
        unlike_reference: counts.iter().zip(&reference).filter(|(a, b)| a != b).count(),
        instructions: outcome.instructions as f64 / f64::from(rounds),
        counts,
    })
}

/// The published counts of the real core, λ = 5, in the order of lanes.
///
/// Lane 0 of that run gave 0 every time, as a generator does that was given the state 0; it is left out.
///
/// # Errors
/// The file is not what it should be.
pub fn published_poisson(path: &Path) -> Result<Vec<i16>, Failure> {
    let text = std::fs::read_to_string(path)?;
    let counts: Vec<i16> = text.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    Ok(counts.chunks_exact(WIDTH).flat_map(|row| &row[1..]).copied().collect())
}

/// The adaptive neurons of the published experiment.
#[derive(Debug, Clone, PartialEq)]
pub struct Adaptive {
    /// V and A of each lane after each step.
    pub trace: Vec<[i16; 2]>,
    /// How many of them differ from the reference with the same seed.
    pub unlike_reference: usize,
    /// Root of the mean squared distance of V and A from the floating-point neuron, over all lanes, relative to the range
    /// of that.
    pub error: [f64; 2],
    /// V and A of the floating-point neuron after each step.
    pub float: Vec<[f64; 2]>,
    /// Spikes of the floating-point neuron.
    pub float_spikes: usize,
    /// Spikes of the neurons, on average over the lanes.
    pub spikes: f64,
}

/// The experiment's parameters in the kernel's formats: see [`alif_float`].
pub fn adaptive_parameters() -> AlifParameters {
    let fixed = |value: f64, fraction: i32| (value * 2f64.powi(fraction)).round() as i16;
    AlifParameters {
        alpha: fixed((-1.0f64 / 20.0).exp(), 15),
        rho: fixed((-1.0f64 / 2000.0).exp(), 15),
        beta: fixed(0.0174, 15),
        theta: fixed(0.6, 14),
        jump: fixed(1.0, 9),
        tau: 5,
    }
}

/// Runs the neurons of one vector on the published counts, in this arithmetic instead of the kernel's.
///
/// # Errors
/// The kernel cannot be assembled or run, or the file cannot be read.
pub fn adaptive(inputs: &Path, arithmetic: Arithmetic, seed: u64) -> Result<Adaptive, Failure> {
    /// 0.01 in s1.14, by which each input count counts.
    const WEIGHT: i16 = 164;
    let [v, i, r, a] = [0, 1, 2, 3].map(vectors);
    let (parameters, spikes) = (256, 0);
    let mut changes = match arithmetic.decay {
        Decay::Down => vec![("vmul_rs", "vmul")],
        Decay::Nearest => vec![("vmul_rs", "vmul_rn")],
        Decay::Stochastic => Vec::new(),
    };
    if !arithmetic.saturating {
        changes.extend([("vadd_s", "vadd"), ("vsub_s", "vsub")]);
    }
    let mut bench = Bench::changed(&["multiply", "neuron_alif"], &changes)?;
    let mut lanes = bench.seed(seed, v)?;
    bench.set_halves(Space::Vector, 0, &[0; 4 * WIDTH])?;
    let constants = adaptive_parameters();
    bench.set_halves(Space::Scalar, parameters, &constants.halves())?;

    let counts = halves(inputs)?;
    let (float, float_spikes) = alif_float(counts.iter().step_by(WIDTH).map(|count| f64::from(*count)));
    let mut neurons = [Alif::default(); WIDTH];
    let (mut trace, mut unlike_reference, mut spikes_of_all) = (Vec::new(), 0, 0);
    for row in counts.chunks_exact(WIDTH) {
        let input: Vec<i16> = row.iter().map(|count| count * WEIGHT).collect();
        bench.set_halves(Space::Vector, i, &input)?;
        bench.call("neuron_alif", &[v, i, r, a, spikes, 1, parameters])?;
        let [potential, adaptation] = [bench.halves(Space::Vector, v, WIDTH)?, bench.halves(Space::Vector, a, WIDTH)?];
        let mut fired = 0u32;
        for (lane, neuron) in neurons.iter_mut().enumerate() {
            let fires = neuron.step(input[lane], &constants, arithmetic, &mut lanes[lane]);
            fired += u32::from(fires) << lane;
            let pair = [potential[lane], adaptation[lane]];
            unlike_reference += usize::from(pair != [neuron.v, neuron.a]);
            trace.push(pair);
        }
        unlike_reference += usize::from(bench.words(spikes, 1)? != [fired]);
        spikes_of_all += fired.count_ones();
    }
    let spikes = f64::from(spikes_of_all) / WIDTH as f64;
    Ok(Adaptive { error: errors(&trace, &float), trace, unlike_reference, float, float_spikes, spikes })
}

/// What [`Adaptive::error`] is, of any trace: V and A of each lane, step by step.
pub fn errors(trace: &[[i16; 2]], float: &[[f64; 2]]) -> [f64; 2] {
    [(0, 16_384.0), (1, 512.0)].map(|(which, unit)| distance(trace, float, which, unit))
}

/// Root of the mean squared distance of one of both numbers, relative to the reference's range.
fn distance(trace: &[[i16; 2]], float: &[[f64; 2]], which: usize, unit: f64) -> f64 {
    let values = trace.chunks_exact(WIDTH).zip(float);
    let square = |(row, float): (&[[i16; 2]], &[f64; 2])| -> f64 {
        row.iter().map(|pair| (f64::from(pair[which]) / unit - float[which]).powi(2)).sum()
    };
    let mean = values.map(square).sum::<f64>() / trace.len() as f64;
    let numbers = float.iter().map(|pair| pair[which]);
    let range = numbers.clone().fold(f64::NEG_INFINITY, f64::max) - numbers.fold(f64::INFINITY, f64::min);
    mean.sqrt() / range
}

/// A published trace: V and A of each lane, step by step.
///
/// # Errors
/// The file is not what it should be.
pub fn published_trace(path: &Path) -> Result<Vec<[i16; 2]>, Failure> {
    let mut text = String::new();
    flate2::read::GzDecoder::new(File::open(path)?).read_to_string(&mut text)?;
    let fields = text.split([',', '\n']).map(str::trim).filter(|field| !field.is_empty());
    let numbers: Vec<i16> = fields.map(str::parse).collect::<Result<_, _>>()?;
    Ok(numbers.chunks_exact(2).map(|pair| [pair[0], pair[1]]).collect())
}

/// A file of 16-bit numbers.
fn halves(path: &Path) -> Result<Vec<i16>, Failure> {
    let bytes = std::fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    Ok(bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect())
}
