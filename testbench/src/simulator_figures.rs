//! The simulator's figures: what it computes and how long it says that takes, each beside a witness from outside.
//!
//! Contract: as in [`crate::keystone`]. Every random figure's seed is in its note.

use std::path::Path;
use std::time::{Duration, Instant};

use fenn_isa::image::Image;
use fenn_isa::timing::{CV32E40X, FENN};

use crate::figure::{Figure, Gate};
use crate::part::{Failure, OUT, Part, needed};
use crate::shared::root;
use crate::tools::{counted_test, json, number, run};
use crate::{architecture_tests, conformance, gdb_session, pipeline_reference, random_words, vogels_abbott};

/// Of everything random here.
const SEED: u64 = 4;

/// All parts, in the order in which they are shown.
pub const PARTS: [Part; 11] = [
    Part::new("conformance", false, against_qemu),
    Part::new("architecture tests", false, architecture),
    Part::new("timing contract", false, timing_contract),
    Part::new("timing by stages", false, stages),
    Part::new("Vogels-Abbott", true, vogels_abbott_neurons),
    Part::new("random words", false, words),
    Part::new("engines", true, engines),
    Part::new("speed", false, speed),
    Part::new("MNIST", true, mnist),
    Part::new("start-up", false, start_up),
    Part::new("debugger", false, debugger),
];

fn noted(mut figure: Figure, note: impl Into<String>) -> Figure {
    figure.note = note.into();
    figure
}

/// What failed first, where something did.
fn first(failures: &[String]) -> String {
    failures.first().cloned().unwrap_or_default()
}

/// Scripted sessions of Debian's GDB with a kernel; what GDB printed is left beside the other figures' files.
fn debugger() -> Result<Vec<Figure>, Failure> {
    let name = "GDB: scripted sessions that say what they must";
    let gate = Gate::Exactly(3.0);
    Ok(vec![match gdb_session::run() {
        Ok(transcript) => {
            fenn_isa::file::write_whole(&root().join(OUT).join("gdb.txt"), transcript.as_bytes())?;
            noted(Figure::new(name, 3.0, "", gate), format!("{OUT}/gdb.txt has the first"))
        }
        Err(error) => Figure::unmeasured(name, gate, error),
    }])
}

/// A million random scalar instructions on QEMU and on the simulator.
fn against_qemu() -> Result<Vec<Figure>, Failure> {
    let result = conformance::compare(1_000_000, SEED)?;
    let (least, rarest) = &result.rarest;
    let name = |what: &str| format!("QEMU: {what}");
    Ok(vec![
        noted(
            Figure::new(name("scalar instructions"), result.instructions as f64, "", Gate::AtLeast(1e6)),
            format!("{} programs of seed {SEED}, {} bytes compared", result.programs, result.bytes),
        ),
        noted(
            Figure::new(name("rows of RV32I, M, Zbb and Zifencei"), result.rows as f64, "", Gate::None),
            format!("`{rarest}` least often"),
        ),
        Figure::new(name("executions of the rarest row"), *least as f64, "", Gate::AtLeast(1000.0)),
        noted(
            Figure::new(name("programs that differ"), result.mismatches.len() as f64, "", Gate::Exactly(0.0)),
            first(&result.mismatches),
        ),
    ])
}

/// The signatures of the architecture tests in the folder that `ARCH_TEST_DIR` names; nothing where it names none.
fn architecture() -> Result<Vec<Figure>, Failure> {
    let Some(folder) = std::env::var_os("ARCH_TEST_DIR") else { return Ok(Vec::new()) };
    let verdicts = architecture_tests::run_folder(Path::new(&folder))?;
    let failures = Figure::new("architecture tests: failures", verdicts.failures.len() as f64, "", Gate::Exactly(0.0));
    Ok(vec![
        noted(
            Figure::new("architecture tests: programs", verdicts.tests as f64, "", Gate::AtLeast(1.0)),
            format!("{} words compared", verdicts.words),
        ),
        noted(failures, first(&verdicts.failures)),
    ])
}

/// The tables of `iss/tests/timing.rs`, which fail there where a case is not as it should be.
fn timing_contract() -> Result<Vec<Figure>, Failure> {
    let pairs = counted_test("fenn-iss", "timing", "pairs of instructions")?;
    Ok(vec![Figure::new("timing: pairs of producer and reader as the tables say", pairs, "", Gate::AtLeast(50_000.0))])
}

/// Random programs through the simulator's table of latencies and through the core stage by stage.
fn stages() -> Result<Vec<Figure>, Failure> {
    let result = pipeline_reference::compare(10_000, 400, SEED)?;
    Ok(vec![
        noted(
            Figure::new("stages: instructions compared", result.instructions as f64, "", Gate::AtLeast(3e6)),
            format!("10,000 programs of seed {SEED}, {} cycles, {} traps", result.cycles, result.traps),
        ),
        noted(
            Figure::new("stages: programs issued otherwise", result.differences.len() as f64, "", Gate::Exactly(0.0)),
            first(&result.differences),
        ),
    ])
}

/// The neuron update of the Vogels-Abbott network on the published core and on its board.
fn vogels_abbott_neurons() -> Result<Vec<Figure>, Failure> {
    const UNIT: &str = "cycles per instruction";
    let table = std::fs::read_to_string(needed("published/va_benchmark_device.csv")?)?;
    let [least, most, slope] = vogels_abbott::board(&table)?;
    let published = vogels_abbott::published_loop(CV32E40X)?;
    let wrong = vogels_abbott::kernel_is_right(SEED)?;

    let (text, elf) = (format!("{OUT}/va.toml"), format!("{OUT}/va.elf"));
    fenn_isa::file::write_whole(&root().join(&text), vogels_abbott::description(1024).as_bytes())?;
    // Nobody writes a list of spikes here; of bits there are none.
    run("fenn-cc", &[&text, "--input", "bits", "-o", &elf])?;
    let image = Image::read(root().join(elf))?;
    let [theirs, ours] = [CV32E40X, FENN].map(|profile| vogels_abbott::compiled(&image, profile));
    let (theirs, ours) = (theirs?, ours?);
    let name = |what: &str| format!("Vogels-Abbott: {what}");
    Ok(vec![
        noted(
            Figure::new(name("published board"), slope, UNIT, Gate::None),
            format!("from one size to another; all its rows are {least:.4} to {most:.4}"),
        ),
        noted(
            Figure::new(name("published loop, cv32e40x"), published.ratio(), UNIT, Gate::Between(1.03, 1.06)),
            format!("four vectors of neurons: {} instructions, {} cycles", published.instructions, published.cycles),
        ),
        Figure::new(name("neurons that the loop computes wrongly"), wrong as f64, "of 1024", Gate::Exactly(0.0)),
        noted(
            Figure::new(name("compiled by fenn-cc, cv32e40x"), theirs.ratio(), UNIT, Gate::None),
            format!("{} instructions, {} cycles, 1,024 neurons, 100 steps", theirs.instructions, theirs.cycles),
        ),
        Figure::new(name("compiled by fenn-cc, fenn"), ours.ratio(), UNIT, Gate::None),
    ])
}

/// Ten million random words.
fn words() -> Result<Vec<Figure>, Failure> {
    let survey = random_words::survey(10_000_000, SEED);
    let traps: u64 = survey.traps.iter().sum();
    Ok(vec![
        noted(
            Figure::new("random words: executed from random states", survey.words as f64, "", Gate::AtLeast(1e7)),
            format!("seed {SEED}; {} retired, {traps} traps, {} of them handled", survey.retired, survey.handled),
        ),
        Figure::new("random words: rows executed", survey.rows as f64, "", Gate::None),
        noted(
            Figure::new("random words: panics and undocumented stops", survey.faulty as f64, "", Gate::Exactly(0.0)),
            first(&survey.faults),
        ),
    ])
}

/// The tests that compare both engines in every bit, which fail where one does not.
fn engines() -> Result<Vec<Figure>, Failure> {
    let random = counted_test("fenn-iss", "engines", "random programs came out the same")?;
    let shipped = counted_test("fenn-testbench", "engines", "functions of programs/kernels came out the same")?;
    let name = |what: &str| format!("engines: {what}, equal in every bit and cycle");
    Ok(vec![
        Figure::new(name("random programs"), random, "", Gate::AtLeast(10_000.0)),
        Figure::new(name("functions of programs/kernels, and both networks"), shipped, "", Gate::AtLeast(15.0)),
    ])
}

/// Simulated instructions per second of one thread, cycles counted exactly.
fn speed() -> Result<Vec<Figure>, Failure> {
    // The gates are ratios: what a host's core can do differs, what the engine gains on it much less.
    const GATES: [(f64, Gate); 3] =
        [(500.0, Gate::AtLeast(6.0)), (500.0, Gate::AtLeast(6.0)), (180.0, Gate::AtLeast(3.5))];
    let rows = fenn_iss::speed::measure(Duration::from_secs(2))?;
    let mut figures = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        let (aim, ratio) = match GATES.get(index) {
            Some((mips, gate)) => (format!(", {mips} asked of a 3.2 GHz Zen 3 core"), *gate),
            None => (String::new(), Gate::None),
        };
        figures.push(noted(
            Figure::new(format!("speed: {}", row.name), row.fast, "million instructions per second", Gate::None),
            format!("on {}{aim}; the reference interpreter makes {:.1}", processor(), row.reference),
        ));
        figures.push(Figure::new(format!("speed: {}, against the reference", row.name), row.ratio(), "times", ratio));
    }
    Ok(figures)
}

/// What the host calls its processor, where it says so.
fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    name.map_or_else(|| "an unnamed processor".to_owned(), |(_, name)| name.trim().to_owned())
}

/// 10,000 images one after the other, because state carries over; the whole process, best of three.
fn mnist() -> Result<Vec<Figure>, Failure> {
    let (images, labels) = (needed("mnist/t10k-images-idx3-ubyte.gz")?, needed("mnist/t10k-labels-idx1-ubyte.gz")?);
    let elf = format!("{OUT}/mnist.elf");
    run("fenn-cc", &["programs/mnist/network.toml", "--allow-outside", "-o", &elf])?;
    let (images, labels) = (images.to_string_lossy().into_owned(), labels.to_string_lossy().into_owned());
    let arguments = [elf.as_str(), "--data", &images, "--labels", &labels, "--jobs", "1"];
    let mut best = Duration::MAX;
    let mut samples = 0.0;
    for _ in 0..3 {
        let start = Instant::now();
        samples = number(&json("fenn-run", &arguments)?, "/samples")?;
        best = best.min(start.elapsed());
    }
    Ok(vec![noted(
        Figure::new("MNIST: 10,000 images on one core", best.as_secs_f64(), "s", Gate::AtMost(1.5)),
        format!("{samples} images, the whole process, best of three"),
    )])
}

/// What a small program takes from the command line.
fn start_up() -> Result<Vec<Figure>, Failure> {
    let elf = format!("{OUT}/hello.elf");
    run("fenn-as", &["programs/kernels/hello.s", "-o", &elf])?;
    let mut times = Vec::new();
    for _ in 0..101 {
        let start = Instant::now();
        run("fenn-sim", &[&elf])?;
        times.push(start.elapsed());
    }
    times.sort_unstable();
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    Ok(vec![noted(
        Figure::new("fenn-sim: a small program, start to end", milliseconds(times[50]), "ms", Gate::AtMost(5.0)),
        format!("the median of 101 runs; the best took {:.2}", milliseconds(times[0])),
    )])
}
