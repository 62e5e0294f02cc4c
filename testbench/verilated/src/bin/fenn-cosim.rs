//! `fenn-cosim`: the SystemVerilog core against the simulator, retirement by retirement.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "printing is what this binary does")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clap::Parser;
use fenn_isa::image::Image;
use fenn_verilated::axi::Pace;
use fenn_verilated::campaign::{self, Plan};
use fenn_verilated::configuration::{CONFIGURATIONS, Configuration};
use fenn_verilated::core::Core;
use fenn_verilated::coverage::Coverage;
use fenn_verilated::lockstep::Lockstep;
use fenn_verilated::ports::Inputs;
use fenn_verilated::{kernels, mutants};
use serde_json::{Value, json};

/// Runs programs on the SystemVerilog core and on the simulator at once, and compares every retirement, in value and in
/// cycle.
///
/// Without an argument that says otherwise: random programs. The first difference ends the run; it is shown with both
/// histories, the program is made small and printed, and so is the command that shows it again.
#[derive(Parser)]
#[command(
    version,
    after_help = "Examples:\n  \
        fenn-cosim --config compact --cycles 1000000\n  \
        fenn-cosim --config board --seed 7 --program-number 12 --wave failure.fst\n  \
        fenn-cosim --program network.elf\n  \
        fenn-cosim --mutants\n\n\
        Exit codes: 0 no difference, 1 a difference or a mutant that was not caught, 2 wrong usage or no core."
)]
struct Arguments {
    /// Which core: board, wide, compact, with 32 lanes; four, eight, sixteen, with so many. Several with commas between them,
    /// or all of them, one after the other.
    #[arg(long, default_value = "board", value_name = "NAMES")]
    config: String,
    /// Seed of the random programs; without it the clock's, which is printed.
    #[arg(long)]
    seed: Option<u64>,
    /// Most random programs.
    #[arg(long, default_value_t = u64::MAX, hide_default_value = true)]
    programs: u64,
    /// Only this random program of the seed.
    #[arg(long, value_name = "NUMBER")]
    program_number: Option<u64>,
    /// Random programs until so many cycles have been compared, on each core.
    #[arg(long, default_value_t = 300_000)]
    cycles: u64,
    /// Run this program instead, from its entry point to its end.
    #[arg(long, value_name = "ELF")]
    program: Option<PathBuf>,
    /// Write a waveform of the failing program, as FST; with --program of the whole run.
    #[arg(long, value_name = "FST")]
    wave: Option<PathBuf>,
    /// Write what the random programs have exercised, as JSON, and print what they have not.
    #[arg(long, value_name = "JSON")]
    coverage: Option<PathBuf>,
    /// Write which lines of the core were executed, for verilator_coverage; needs a build with counters.
    #[arg(long, value_name = "FILE")]
    lines: Option<PathBuf>,
    /// The core is this mutant of mutants.toml; with --config mutants.
    #[arg(long, value_name = "NUMBER", default_value_t = 0, hide_default_value = true)]
    mutant: u32,
    /// Check that every mutant of the core is caught.
    #[arg(long)]
    mutants: bool,
    /// Compare the kernels of programs/kernels, and measure the promised loops.
    #[arg(long)]
    kernels: bool,
    /// Measure how many cycles a second the core alone makes.
    #[arg(long)]
    speed: bool,
    /// One JSON object instead of text.
    #[arg(long)]
    json: bool,
}

/// What was found, for people and for machines.
struct Answer {
    text: String,
    value: Value,
    good: bool,
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(Answer { text, value, good }) => {
            if arguments.json {
                println!("{value}");
            } else {
                println!("{}", text.trim_end());
            }
            if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("fenn-cosim: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Arguments) -> Result<Answer, Failure> {
    if arguments.mutants {
        return all_mutants(arguments);
    }
    if arguments.kernels {
        return all_kernels();
    }
    let configurations = configurations(&arguments.config)?;
    if arguments.speed {
        return speed(&configurations);
    }
    match &arguments.program {
        Some(path) => program(arguments, configurations[0], path),
        None => random(arguments, &configurations),
    }
}

fn configurations(list: &str) -> Result<Vec<&'static Configuration>, Failure> {
    if list == "all" {
        // The mutants' model is the core once more.
        return Ok(CONFIGURATIONS.iter().filter(|configuration| configuration.name != "mutants").collect());
    }
    let names: Vec<&str> = CONFIGURATIONS.iter().map(|configuration| configuration.name).collect();
    let none = |name: &str| format!("there is no configuration `{name}`: there are {}, all", names.join(", "));
    Ok(list.split(',').map(|name| Configuration::by_name(name).ok_or_else(|| none(name))).collect::<Result<_, _>>()?)
}

fn random(arguments: &Arguments, configurations: &[&'static Configuration]) -> Result<Answer, Failure> {
    let seed = match arguments.seed {
        Some(seed) => seed,
        None => SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos() as u64 & 0xffff_ffff,
    };
    let mut answer = Answer { text: format!("seed {seed}\n"), value: Value::Null, good: true };
    let mut all = Coverage::default();
    let mut runs = Vec::new();
    for configuration in configurations.iter().copied() {
        let plan = Plan {
            configuration,
            mutant: arguments.mutant,
            seed,
            first: arguments.program_number.unwrap_or(0),
            programs: if arguments.program_number.is_some() { 1 } else { arguments.programs },
            cycles: arguments.cycles,
            shrink: true,
            wave: arguments.wave.clone(),
            lines: arguments.lines.as_ref().map(|path| named(path, configuration.name)),
        };
        let outcome = campaign::run(&plan)?;
        let mismatches = u32::from(outcome.failure.is_some());
        answer.text += &format!(
            "{}: {} programs, {} cycles, {} retirements, {mismatches} mismatches\n",
            configuration.name, outcome.programs, outcome.cycles, outcome.retired
        );
        if !configuration.is_narrow() {
            // Of the simulator's lanes, the others have not been compared.
            all.add(&outcome.coverage);
        }
        let failure = outcome.failure.map(|report| report.to_string());
        if let Some(report) = &failure {
            answer.text += report;
            answer.text.push('\n');
            answer.good = false;
        }
        runs.push(json!({
            "configuration": configuration.name, "programs": outcome.programs, "cycles": outcome.cycles,
            "retirements": outcome.retired, "limited": outcome.limited, "mismatches": mismatches, "failure": failure,
        }));
    }
    let summary = all.summary();
    answer.text += &format!("coverage: {} of {} bins\n", summary.filled, summary.possible);
    if let Some(path) = &arguments.coverage {
        for hole in &summary.holes {
            answer.text += &format!("  empty: {} ({})\n", hole.bin, hole.reason.unwrap_or("not met in this run"));
        }
        let report = json!({ "seed": seed, "summary": summary, "bins": all.bins() });
        fenn_isa::file::write_whole(path, serde_json::to_string_pretty(&report)?.as_bytes())?;
    }
    answer.value = json!({ "seed": seed, "runs": runs, "coverage": summary });
    Ok(answer)
}

/// A file of its own for each core.
fn named(path: &Path, name: &str) -> PathBuf {
    let mut file = path.file_stem().unwrap_or_default().to_os_string();
    file.push(format!("-{name}"));
    if let Some(extension) = path.extension() {
        file.push(".");
        file.push(extension);
    }
    path.with_file_name(file)
}

fn program(arguments: &Arguments, configuration: &'static Configuration, path: &Path) -> Result<Answer, Failure> {
    let image = Image::read(path)?;
    let mut lockstep = Lockstep::new(configuration, arguments.mutant)?;
    lockstep.load(&image)?;
    if let Some(wave) = &arguments.wave {
        lockstep.open_wave(wave)?;
    }
    let result = lockstep.run(image.entry, Pace::Steady, arguments.cycles.max(100_000_000));
    let result = result.and_then(|end| lockstep.compare_memories().map(|()| end));
    let (cycles, retired) = (lockstep.cycles(), lockstep.retired());
    let (text, good) = match result {
        Ok(end) => (format!("{cycles} cycles, {retired} retirements, 0 mismatches: {end:?}"), true),
        Err(failure) => {
            let line = failure.pc.and_then(|pc| image.line_of(pc));
            let place = line.map_or_else(String::new, |line| format!("{}:{}: ", line.file, line.line));
            let mutant = if arguments.mutant == 0 { String::new() } else { format!(" --mutant {}", arguments.mutant) };
            let again = format!(
                "again: cargo run -p fenn-verilated -- --config {}{mutant} --program {} --wave failure.fst",
                configuration.name,
                path.display()
            );
            (format!("{place}{failure}{again}"), false)
        }
    };
    let value = json!({ "cycles": cycles, "retirements": retired, "mismatches": u32::from(!good), "text": text });
    Ok(Answer { text, value, good })
}

fn all_mutants(arguments: &Arguments) -> Result<Answer, Failure> {
    let verdicts = mutants::check(arguments.seed.unwrap_or(1), |verdict| {
        if !arguments.json {
            let how = match (&verdict.programs, &verdict.failure) {
                (Some(programs), Some(failure)) => format!("caught by program {}: {}", programs - 1, failure.cause),
                _ => "NOT CAUGHT".to_owned(),
            };
            let how: String = how.chars().take(150).collect();
            println!("{:>3} {} ({}): {how}", verdict.number, verdict.mutant.breaks, verdict.mutant.file);
        }
    })?;
    let caught = verdicts.iter().filter(|verdict| verdict.programs.is_some()).count();
    let text = format!("{caught} of {} mutants caught", verdicts.len());
    Ok(Answer { text, value: json!({ "mutants": verdicts.len(), "caught": caught }), good: caught == verdicts.len() })
}

fn all_kernels() -> Result<Answer, Failure> {
    let compared = kernels::run_all()?;
    let [dense, sparse, lif] = [kernels::dense()?, kernels::sparse()?, kernels::lif()?];
    let text = format!(
        "{} programs, {} cycles, 0 mismatches\ncycles for 32 synapses: dense {}, sparse {}\n\
         cycles for 32 neurons: LIF {}, of which stalls beyond data dependences {}",
        compared.programs, compared.cycles, dense.cycles, sparse.cycles, lif.cycles, lif.other_stalls
    );
    let value = json!({
        "programs": compared.programs, "cycles": compared.cycles, "dense": dense.cycles, "sparse": sparse.cycles,
        "lif": { "cycles": lif.cycles, "data_stalls": lif.data_stalls, "other_stalls": lif.other_stalls },
    });
    Ok(Answer { text, value, good: true })
}

/// The core alone, in a loop that keeps scalar and vector unit busy.
fn speed(configurations: &[&'static Configuration]) -> Result<Answer, Failure> {
    const CYCLES: u32 = 400_000;
    // Threads wait for each other without sleep: on a busy machine two are a hundred times slower than one.
    const ENOUGH: Duration = Duration::from_secs(20);
    const BETWEEN_LOOKS: u32 = 1000;
    let text = "1: vloadv v1, 0(zero)\n vmul_s_rs v2, v1, v1, 7\n vadd_s v3, v3, v2\n vstore v3, 64(zero)\n addi t0, t0, 1\n j 1b\n";
    let image = fenn_assembler::assemble_text("speed.s", text)?;
    let mut answer = Answer { text: String::new(), value: Value::Null, good: true };
    let mut speeds = Vec::new();
    for configuration in configurations.iter().copied() {
        let mut core = Core::new(configuration, 0)?;
        for segment in &image.segments {
            let words: Vec<u32> = segment
                .bytes
                .chunks_exact(4)
                .map(|bytes| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
                .collect();
            core.write(segment.space, segment.address, &words)?;
        }
        core.cycle(&Inputs { run: true, ..Inputs::default() });
        let begin = Instant::now();
        let mut cycles = 0;
        while cycles < CYCLES && begin.elapsed() < ENOUGH {
            for _ in 0..BETWEEN_LOOKS {
                core.cycle(&Inputs::default());
            }
            cycles += BETWEEN_LOOKS;
        }
        let speed = f64::from(cycles) / begin.elapsed().as_secs_f64();
        let threads = fenn_verilated::core::THREADS;
        let plural = if threads == "1" { "" } else { "s" };
        answer.text += &format!("{}: {speed:.0} cycles/s with {threads} thread{plural}\n", configuration.name);
        speeds.push(json!({ "configuration": configuration.name, "threads": threads, "cycles_per_second": speed }));
    }
    answer.value = json!(speeds);
    Ok(answer)
}
