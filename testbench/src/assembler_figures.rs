//! The assembler's figures: nothing is lost between text, words and instructions; how fast; and what its kernels compute.
//!
//! Contract: as in [`crate::keystone`]. Kernels run on the simulator in strict mode; they are compared with published
//! results and with [`crate::kernels`]. Speed is that of this process, and memory that of the
//! `fenn-as` beside it: build with `--release`.

use std::time::{Duration, Instant};

use crate::assembly::{assembled, disassembled_and_back, long_source, round_trips, words};
use crate::figure::{Figure, Gate};
use crate::fuzz::{Subject, run};
use crate::kernels::experiment;
use crate::kernels::neuron::{Arithmetic, Decay};
use crate::kernels::random::poisson_fit;
use crate::part::{Failure, OUT, Part, needed};
use crate::shared::root;
use crate::tools::{counted_test, tool};

/// Seed of everything random here.
const SEED: u64 = 1;

/// All parts, in the order in which they are shown.
pub const PARTS: [Part; 10] = [
    Part::new("round trips", false, all_round_trips),
    Part::new("GNU as", false, gnu),
    Part::new("speed", false, speed),
    Part::new("memory", false, memory),
    Part::new("fuzz", false, fuzz),
    Part::new("kernels", true, kernels),
    Part::new("exp", true, exp),
    Part::new("products", true, products),
    Part::new("Poisson", true, poisson),
    Part::new("ALIF", true, alif),
];

fn all_round_trips() -> Result<Vec<Figure>, Failure> {
    const WORDS: usize = 1_000_000;
    let trips = round_trips(1000, SEED);
    let mut tried = Figure::new("instructions with random operands", trips.tried as f64, "", Gate::None);
    tried.note = format!("{} rows", trips.rows);
    let words = words(WORDS, SEED);
    let instructions = words.iter().filter(|word| fenn_isa::Inst::decode(**word).is_some()).count();
    let mut changed = Figure::new(
        "random words changed by disassembling and assembling",
        disassembled_and_back(&words)? as f64,
        "",
        Gate::Exactly(0.0),
    );
    changed.note = format!("{WORDS} words, {instructions} of them instructions");
    Ok(vec![
        tried,
        Figure::new("lost between operands and words", trips.words_lost as f64, "", Gate::Exactly(0.0)),
        Figure::new("lost between instructions and text", trips.texts_lost as f64, "", Gate::Exactly(0.0)),
        changed,
    ])
}

fn gnu() -> Result<Vec<Figure>, Failure> {
    let count = counted_test("fenn-assembler", "gnu", "lines assembled as GNU as does")?;
    Ok(vec![Figure::new("scalar source, .text equal to GNU as and ld", count, "lines", Gate::AtLeast(2000.0))])
}

/// Lines in the source that is timed.
const LINES: usize = 200_000;

/// Inputs of each subject that are tried.
const FUZZED: usize = 5000;

fn speed() -> Result<Vec<Figure>, Failure> {
    let text = long_source(LINES);
    let mut best = f64::INFINITY;
    for _ in 0..9 {
        let (start, on_core) = (Instant::now(), on_core());
        let image = assembled(&text)?;
        let busy = self::on_core().zip(on_core).map(|(end, start)| end.saturating_sub(start));
        best = best.min(busy.unwrap_or_else(|| start.elapsed()).as_secs_f64());
        drop(image);
    }
    let mut figure = Figure::new("source lines per second, text to image", LINES as f64 / best, "", Gate::AtLeast(1e6));
    figure.note = format!(
        "in this process, per second on one core (waiting for it not counted); {LINES} lines, {} bytes, best of nine",
        text.len()
    );
    let mut whole = Figure::new("source lines per second, fenn-as as a process", whole_process()?, "", Gate::None);
    whole.note = "by the clock: start, reading the file, text to image, line table, writing the ELF file; best of five"
        .to_owned();
    Ok(vec![figure, whole])
}

/// How long this thread has been on a core, where the system says: on a machine that others use too, the clock measures
/// them. Linux only; elsewhere the clock has to do.
fn on_core() -> Option<Duration> {
    let times = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let busy = times.split_ascii_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(busy)).filter(|busy| !busy.is_zero())
}

/// Lines per second of `fenn-as`, from its start to its end.
fn whole_process() -> Result<f64, Failure> {
    let source = format!("{OUT}/{LINES}-lines.s");
    std::fs::write(root().join(&source), long_source(LINES))?;
    let mut best = f64::INFINITY;
    for _ in 0..5 {
        let mut command = tool("fenn-as")?;
        command.args([source.as_str(), "-o", &format!("{source}.elf"), "--instruction-words", "2M"]);
        let start = Instant::now();
        if !command.status()?.success() {
            return Err(format!("fenn-as {source} failed").into());
        }
        best = best.min(start.elapsed().as_secs_f64());
    }
    Ok(LINES as f64 / best)
}

/// A short run of each subject; the long ones are `make fuzz-assembler`.
fn fuzz() -> Result<Vec<Figure>, Failure> {
    let mut figures = Vec::new();
    for (subject, what) in
        [(Subject::Source, "source text"), (Subject::Elf, "ELF input"), (Subject::Includes, "include graphs")]
    {
        let outcome = run(subject, FUZZED, SEED)?;
        let found = outcome.findings.len() as f64;
        let mut figure = Figure::new(format!("fuzz, {what}: panics and wrong results"), found, "", Gate::Exactly(0.0));
        figure.note = format!("{} executions, {} inputs accepted", outcome.executions, outcome.accepted);
        figures.push(figure);
    }
    Ok(figures)
}

fn memory() -> Result<Vec<Figure>, Failure> {
    let [half, full] = [peak(LINES / 2)?, peak(LINES)?];
    let mut figure = Figure::new("memory for twice as many lines", full / half, "times as much", Gate::AtMost(2.2));
    figure.note = format!("fenn-as: peak {half} kB for {} lines, {full} kB for {LINES}", LINES / 2);
    Ok(vec![figure])
}

/// Peak of the resident memory of `fenn-as` on a source of that many lines, in kB. Linux only.
///
/// The system keeps the peak as long as the process runs, and it is asked every millisecond: what the last millisecond
/// added is missed.
fn peak(lines: usize) -> Result<f64, Failure> {
    let source = format!("{OUT}/{lines}-lines.s");
    std::fs::write(root().join(&source), long_source(lines))?;
    let arguments = [source.as_str(), "-o", &format!("{source}.elf"), "--instruction-words", "2M"];
    let mut child = tool("fenn-as")?.args(arguments).spawn()?;
    let mut peak = None;
    let status = loop {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let now = line.and_then(|line| line.trim_end_matches("kB").trim().parse::<f64>().ok());
        peak = now.filter(|kilobytes| *kilobytes > 0.0).or(peak);
        if let Some(status) = child.try_wait()? {
            break status;
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    if !status.success() {
        return Err(format!("fenn-as {source} failed").into());
    }
    peak.ok_or_else(|| "the system does not say how much memory a process has had".into())
}

fn kernels() -> Result<Vec<Figure>, Failure> {
    let count = counted_test("fenn-testbench", "kernels", "kernels equal to their references")?;
    Ok(vec![Figure::new("kernels equal to their references", count, "", Gate::AtLeast(20.0))])
}

fn exp() -> Result<Vec<Figure>, Failure> {
    let published = experiment::published_exponential(&needed("numerics/exp_fenn.npz")?)?;
    let ours = experiment::exponential_of_all(13, 9)?;
    let codes = || (i16::MIN..=i16::MAX).zip(&ours.values);
    let equal = codes().filter(|(code, value)| published.get(code) == Some(&i64::from(**value))).count();
    let error = |(code, value): (i16, &i16)| (f64::from(*value) - 512.0 * (f64::from(code) / 8192.0).exp()).abs();
    let close = codes().filter(|pair| error(*pair) < 1.0).count();
    // Where the published function wraps round, by its authors' formats.
    let mut falling = 0;
    for from in [10, 11, 12, 14] {
        let other = experiment::exponential_of_all(from, 9)?;
        falling += other.values.windows(2).filter(|pair| pair[1] < pair[0]).count() + other.wrong;
    }
    Ok(vec![
        Figure::new("exp: codes of s2.13 equal to the published s6.9", equal as f64, "", Gate::Exactly(65_536.0)),
        Figure::new("exp: codes less than 1 LSB off", 100.0 * close as f64 / 65_536.0, "%", Gate::AtLeast(95.89)),
        Figure::new("exp: greatest error", codes().map(error).fold(0.0, f64::max), "LSB", Gate::AtMost(3.32)),
        Figure::new(
            "exp: codes of s5.10, s4.11, s3.12, s1.14 that wrap or fall",
            falling as f64,
            "",
            Gate::Exactly(0.0),
        ),
        Figure::new("exp: instructions for 32 numbers", ours.instructions as f64, "", Gate::None),
    ])
}

fn products() -> Result<Vec<Figure>, Failure> {
    let [operands, expected] = experiment::published_products(&needed("numerics")?)?;
    let published = experiment::products(&operands, &expected, SEED)?;
    let [operands, expected] = experiment::generated_products(1562, SEED);
    let generated = experiment::products(&operands, &expected, SEED)?;
    let mut figures = Vec::new();
    for (name, products) in [("of the real core", published), ("against a reference", generated)] {
        let name = |what: &str| format!("products {name}: {what}");
        figures.push(Figure::new(name("pairs"), products.count as f64, "", Gate::AtLeast(20_000.0)));
        let wrong = products.wrong as f64;
        figures.push(Figure::new(name("down or nearest that differ"), wrong, "", Gate::Exactly(0.0)));
        let outside = products.outside as f64;
        figures.push(Figure::new(name("stochastic beyond one LSB of the floor"), outside, "", Gate::Exactly(0.0)));
        let mean = products.mean_error.abs();
        figures.push(Figure::new(name("stochastic, size of the mean error"), mean, "LSB", Gate::AtMost(0.01)));
    }
    Ok(figures)
}

fn poisson() -> Result<Vec<Figure>, Failure> {
    let poisson = experiment::poisson(5.0, 1000, SEED)?;
    let mut fit = Figure::new("Poisson, mean 5: p of the chi-squared test", poisson.fit.p, "", Gate::AtLeast(0.01));
    fit.note = format!("32000 counts, mean {:.3}, variance {:.3}", poisson.fit.mean, poisson.fit.variance);
    let counts = experiment::published_poisson(&needed("numerics/out_poisson_device.txt")?)?;
    let core = poisson_fit(&counts, 5.0);
    let mut published = Figure::new("Poisson: mean of the real core's counts", core.mean, "", Gate::None);
    published.note =
        format!("{} counts without those of lane 0, which are all 0; variance {:.3}", counts.len(), core.variance);
    Ok(vec![fit, published, Figure::new("Poisson: instructions for 32 counts", poisson.instructions, "", Gate::None)])
}

fn alif() -> Result<Vec<Figure>, Failure> {
    let inputs = needed("numerics/poisson_data.bin")?;
    let published = experiment::published_trace(&needed("numerics/out_alif_14_9.txt.gz")?)?;
    let down = experiment::adaptive(&inputs, Arithmetic { decay: Decay::Down, ..Arithmetic::KERNEL }, SEED)?;
    let equal = down.trace.iter().zip(&published).filter(|(a, b)| a == b).count();
    let stochastic = experiment::adaptive(&inputs, Arithmetic::KERNEL, SEED)?;
    Ok(vec![
        Figure::new(
            "ALIF rounded down: steps equal to the published trace",
            equal as f64,
            "",
            Gate::Exactly(160_000.0),
        ),
        Figure::new("ALIF rounded down: error of A", down.error[1], "of its range", Gate::None),
        Figure::new(
            "ALIF rounded stochastically: error of A",
            stochastic.error[1],
            "of its range",
            Gate::AtMost(0.010),
        ),
        Figure::new("ALIF rounded stochastically: error of V", stochastic.error[0], "of its range", Gate::None),
    ])
}
