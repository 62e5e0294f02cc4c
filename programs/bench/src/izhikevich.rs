//! Izhikevich's network of 1,000 neurons, driven by noise: rate, rhythm and what a step costs.
//!
//! `programs/izhikevich/network.toml` is compiled and run for ten seconds; the float64 reference has the same weights and the
//! same neurons, and noise of its own.

use fenn_compiler::backend;
use fenn_compiler::network::{Network, Values};
use fenn_host::device::Limit;
use fenn_testbench::figure::{Figure, Gate};
use fenn_testbench::shared::root;
use maud::html;
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};

use crate::chart::{Axis, Mark, Panel, Series, curves, raster};
use crate::program::{Failure, Line, Options, Outcome, Program, Section};
use crate::run::{compiled, described, session, steps};
use crate::vogels_abbott::CLOCK;

mod reference;

use reference::Reference;

/// The benchmark.
pub const PROGRAM: Program = Program {
    name: "izhikevich",
    title: "Izhikevich's network",
    about: "A thousand simple spiking neurons of all kinds, all joined to all and driven by noise: rate, rhythm, and cycles per step.",
    needs_data: false,
    run,
};

/// Of weights, neurons and noise, unless another is asked for.
const SEED: u64 = 1;
const NEURONS: usize = 1000;
const EXCITATORY: usize = 800;
/// Where potentials in s4.11 end, in mV.
const MOST: f64 = 256.0;
/// What another program of this project's gave before.
const FLOAT: &str = "float64 with other weights, computed apart from this; the original paper quotes no rate";
const SHORT: &str = "in s8.7, computed apart from this";
const MEMORY: &str = "the original paper's alpha rhythm, from memory";

/// Spikes of each step: the neurons, excitatory ones first.
type Spikes = Vec<Vec<u32>>;

/// A run of the compiled network.
struct Run {
    spikes: Spikes,
    cycles: f64,
    instructions: f64,
}

fn run(options: &Options<'_>) -> Result<Outcome, Failure> {
    let seed = options.seed.unwrap_or(SEED);
    let folder = root().join("programs/izhikevich");
    let path = folder.join("network.toml");
    let text = std::fs::read_to_string(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let seconds = if options.small { 2 } else { 20 };
    // The same network four times: in 16 bits, rounded in two ways, and in float64, with and without an end to potentials.
    enum Way {
        Rounded(&'static str),
        Float(f64),
    }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(options.jobs).build()?;
    let ways = [Way::Rounded("stochastic"), Way::Float(f64::INFINITY), Way::Rounded("nearest"), Way::Float(MOST)];
    (options.progress)("four runs", 0.1);
    let network = |rounding: &str| -> Result<Network, Failure> {
        const ROUNDING: &str = "rounding = \"stochastic\"";
        if !text.contains(ROUNDING) {
            return Err(format!("{} does not say how it rounds", path.display()).into());
        }
        let text = text.replace(ROUNDING, &format!("rounding = \"{rounding}\""));
        described(&text, "network.toml", &folder, Some(seed))
    };
    let one = |way: &Way| -> Result<Run, Failure> {
        match way {
            Way::Rounded(rounding) => rounded(&network(rounding)?, seconds),
            Way::Float(most) => {
                let spikes = Reference::new(&network("stochastic")?)?.run(1000 * seconds, *most, seed);
                Ok(Run { spikes, cycles: f64::NAN, instructions: f64::NAN })
            }
        }
    };
    let runs: Result<Vec<Run>, Failure> = pool.install(|| ways.par_iter().map(one).collect::<Result<_, _>>());
    let runs = runs?;
    let [stochastic, float, nearest, ended] = &runs[..] else { return Err("there are four runs".into()) };
    Ok(Outcome {
        seed: Some(seed),
        lines: lines([stochastic, float, nearest, ended], options.small),
        sections: sections(stochastic, float),
    })
}

/// Compiled and run.
fn rounded(network: &Network, seconds: usize) -> Result<Run, Failure> {
    let program = compiled(network, &backend::Options::default())?;
    let mut session = session(&program.image)?;
    let mut run = Run { spikes: Vec::new(), cycles: 0.0, instructions: 0.0 };
    for _ in 0..1000 * seconds / network.steps as usize {
        let launch = session.run(&[], Limit::default())?;
        run.cycles += launch.finished.cycles as f64;
        run.instructions += launch.finished.instructions as f64;
        let recorded = session.recordings(0)?;
        let [excitatory, inhibitory] = &recorded[..] else { return Err("two populations are recorded".into()) };
        for (mut first, second) in steps(excitatory).into_iter().zip(steps(inhibitory)) {
            first.extend(second.iter().map(|neuron| neuron + EXCITATORY as u32));
            run.spikes.push(first);
        }
    }
    Ok(run)
}

/// Spikes per neuron and second.
fn rate(spikes: &Spikes, neurons: std::ops::Range<u32>) -> f64 {
    let count = spikes.iter().flatten().filter(|neuron| neurons.contains(neuron)).count();
    1000.0 * count as f64 / (neurons.len() * spikes.len()) as f64
}

const ALL: std::ops::Range<u32> = 0..NEURONS as u32;

/// The power of the population's rate at 1, 2, 3 … Hz, on average over the seconds, relative to that of spikes at random: the
/// mean count.
fn spectrum(spikes: &Spikes) -> Vec<(f64, f64)> {
    const SECOND: usize = 1000;
    const MOST: usize = 100;
    let counts: Vec<f64> = spikes.iter().map(|fired| fired.len() as f64).collect();
    let segments: Vec<&[f64]> = counts.chunks_exact(SECOND).collect();
    let mean = counts.iter().sum::<f64>() / counts.len() as f64;
    (1..=MOST)
        .map(|frequency| {
            let power = segments.iter().map(|segment| {
                let (mut real, mut imaginary) = (0.0, 0.0);
                for (step, count) in segment.iter().enumerate() {
                    let (sine, cosine) = (std::f64::consts::TAU * (frequency * step) as f64 / SECOND as f64).sin_cos();
                    real += (count - mean) * cosine;
                    imaginary += (count - mean) * sine;
                }
                (real * real + imaginary * imaginary) / (SECOND as f64 * mean)
            });
            (frequency as f64, power.sum::<f64>() / segments.len() as f64)
        })
        .collect()
}

/// The frequency with the greatest power.
fn peak(spectrum: &[(f64, f64)]) -> f64 {
    spectrum.iter().max_by(|a, b| a.1.total_cmp(&b.1)).map_or(f64::NAN, |(frequency, _)| *frequency)
}

fn lines([stochastic, float, nearest, ended]: [&Run; 4], small: bool) -> Vec<Line> {
    let [ours, reference, other, short] = [stochastic, float, nearest, ended].map(|run| rate(&run.spikes, ALL));
    let part = |run: &Run| {
        let [e, i] = [0..EXCITATORY as u32, EXCITATORY as u32..NEURONS as u32].map(|range| rate(&run.spikes, range));
        format!("excitatory {e:.2}, inhibitory {i:.2}")
    };
    let of_seven = |percent: f64| {
        let bound = |percent: f64| (7.24 * (100.0 + percent)).round() / 100.0;
        Gate::Between(bound(-percent), bound(percent))
    };
    // Two seconds are noisier than twenty.
    let (wide, near) = if small { (15.0, 10.0) } else { (8.0, 3.0) };
    let alpha = if small { Gate::Between(6.0, 13.0) } else { Gate::Between(8.0, 11.0) };
    let off = |than: f64| 100.0 * (ours / than - 1.0);
    let steps = stochastic.spikes.len() as f64;
    vec![
        Line::new(Figure::new("rate, rounded stochastically", ours, "Hz", of_seven(wide)))
            .beside("7.24 ± 0.11", FLOAT)
            .noted(format!("{}; {}", part(stochastic), SHORT.to_owned() + ": 7.61 ± 0.12")),
        Line::new(Figure::new("rate in float64, the same network", reference, "Hz", of_seven(wide)))
            .beside("7.24 ± 0.11", FLOAT)
            .noted(part(float)),
        Line::new(Figure::new("rate against float64", off(reference), "%", Gate::Between(-wide, wide))),
        Line::new(Figure::new("rate against float64 that ends at 256 mV too", off(short), "%", Gate::Between(-near, near)))
            .noted(format!(
                "that is {short:.2} Hz: half steps of a millisecond overshoot, which raises U, and 16 bits cut off what is above"
            )),
        Line::new(Figure::new("rate, rounded to the nearest", other, "Hz", Gate::None)).noted(part(nearest)),
        Line::new(Figure::new("rhythm", peak(&spectrum(&stochastic.spikes)), "Hz", alpha))
            .beside("about 10", MEMORY),
        Line::new(Figure::new("rhythm in float64", peak(&spectrum(&float.spikes)), "Hz", alpha))
            .beside("about 10", MEMORY),
        Line::new(Figure::new(
            "time per step at 175 MHz",
            1e6 * stochastic.cycles / steps / CLOCK,
            "µs",
            Gate::AtMost(1000.0),
        ))
        .noted("1,000 is real time"),
        Line::new(Figure::new("instructions per step", stochastic.instructions / steps, "", Gate::None))
            .noted(format!("{:.0} cycles; 1,000 neurons in 32 vectors", stochastic.cycles / steps)),
    ]
}

fn sections(stochastic: &Run, float: &Run) -> Vec<Section> {
    const FROM: usize = 1000;
    let panel = |name: &str, run: &Run| {
        let shown = run.spikes.iter().enumerate().skip(FROM).take(1000);
        let spikes = shown.flat_map(|(step, fired)| fired.iter().map(move |neuron| (step as f64, *neuron)));
        Panel { name: name.to_owned(), neurons: NEURONS as u32, spikes: spikes.collect() }
    };
    let drawn = raster(
        "One second",
        "ms",
        FROM as f64,
        FROM as f64 + 1000.0,
        &[panel("16 bits, rounded stochastically", stochastic), panel("float64", float)],
        "All neurons, the 800 excitatory ones above. Weights are the same, noise is not, so the spikes differ and the rhythm does not.",
    );
    let spectra = curves(
        "Spectrum of the rate",
        Axis::linear("Hz"),
        Axis::log("power, of that of spikes at random"),
        &[
            Series::line("16 bits, rounded stochastically", 0, spectrum(&stochastic.spikes)),
            Series::line("float64", 1, spectrum(&float.spikes)).marked(Mark::Dashed),
        ],
        "Of the number of spikes in each millisecond, second by second, and averaged.",
    );
    vec![Section::new("Spikes", html! { (drawn) }), Section::new("Rhythm", html! { (spectra) })]
}

/// The numbers of all neurons, as real ones in `unit`s of their format.
fn reals(values: &Values, count: usize, unit: f64) -> Vec<f64> {
    (0..count).map(|index| f64::from(values.get(index)) * unit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 40 spikes in every hundredth millisecond, and one in each of the others.
    #[test]
    fn a_rhythm_is_found() {
        let spikes: Spikes = (0..3000).map(|step| (0..if step % 100 == 0 { 40 } else { 1 }).collect()).collect();
        let spectrum = spectrum(&spikes);
        // Its harmonics are as strong.
        assert_eq!(peak(&spectrum[..15]), 10.0);
        // 40 + 99 spikes in a tenth of a second, of a thousand neurons.
        assert!((rate(&spikes, ALL) - 1.39).abs() < 1e-9);
    }

    /// As many at one frequency as at another, if nothing is periodic: a Poisson train's power is its mean.
    #[test]
    fn spikes_at_random_have_power_one() {
        use rand_pcg::Pcg32;
        use rand_pcg::rand_core::SeedableRng as _;
        let mut source = Pcg32::seed_from_u64(5);
        let mut spike = || fenn_testbench::random::below(&mut source, 50) == 0;
        let spikes: Spikes = (0..20_000).map(|_| (0..500).filter(|_| spike()).collect()).collect();
        let all = spectrum(&spikes);
        let mean = all.iter().map(|(_, power)| power).sum::<f64>() / all.len() as f64;
        assert!((mean - 0.98).abs() < 0.1, "{mean}: a chance of a fiftieth varies by 0.98 of its mean");
    }
}
