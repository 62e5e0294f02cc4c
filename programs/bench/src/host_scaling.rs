//! Data sets on one host core and on two: how much faster, and whether anything but the time differs.
//!
//! Contract: see `programs/host-scaling/README.md`. A speedup is the shortest of several evaluations with one worker, divided by the
//! shortest with two, taken in turns, so that what else the host does falls on both; results have to be the same, every integer of
//! them.

use std::time::Duration;

use fenn_host::dataset::{Dataset, Spike};
use fenn_host::evaluate::{self, Evaluation, evaluate};
use fenn_host::sim::Simulator;
use fenn_isa::image::Image;
use fenn_testbench::figure::{Figure, Gate};
use fenn_testbench::shd::sample;
use maud::html;

use crate::chart::{bars, table};
use crate::program::{Failure, Line, Options, Outcome, Program, Section};
use crate::{sample as one, shd, spyx_quickstart};

/// The program.
pub const PROGRAM: Program = Program {
    name: "host-scaling",
    title: "Data sets on two host cores",
    about: "The same data set with one worker and with two, on the simulator: short runs, where what a host does for each counts, and \
            long ones, where memory does.",
    needs_data: false,
    run,
};

/// Least speedup on two cores.
const GATE: f64 = 1.8;
/// Two workers that are given less of the cores than this can tell nothing.
const LEAST_GIVEN: f64 = 1.7;
const SEED: u64 = 1;

/// A network and its samples.
struct Case {
    name: &'static str,
    image: Image,
    dataset: Dataset,
}

/// What two workers came to.
struct Measured {
    /// The shortest evaluations with one and with two workers.
    shortest: [Evaluated; 2],
    /// Processor time of all evaluations with two workers, of that of all with one, where the system tells.
    processor: Option<f64>,
    /// Samples of which anything differs.
    different: usize,
    samples: usize,
    instructions: u64,
}

/// What an evaluation took.
#[derive(Debug, Clone, Copy)]
struct Evaluated {
    wall: Duration,
    /// Of all threads, where the system tells.
    processor: Option<Duration>,
}

impl Evaluated {
    /// How many cores it was given.
    fn cores(self) -> Option<f64> {
        Some(self.processor?.as_secs_f64() / self.wall.as_secs_f64().max(1e-9))
    }
}

fn run(options: &Options<'_>) -> Result<Outcome, Failure> {
    let mut outcome = Outcome { seed: Some(options.seed.unwrap_or(SEED)), ..Outcome::default() };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let rounds = if options.small { 1 } else { 7 };
    let mut all = Vec::new();
    for (index, case) in cases(options)?.iter().enumerate() {
        (options.progress)(case.name, index as f64 / 2.0);
        let measured = measure(case, rounds)?;
        let name = |what: &str| format!("{}: {what}", case.name);
        let gate = if options.small { Gate::None } else { Gate::AtLeast(GATE) };
        let faster = name("times as fast on two cores");
        let given = measured.shortest[1].cores().filter(|given| *given < LEAST_GIVEN);
        outcome.lines.push(match given {
            _ if cores < 2 => Line::new(Figure::unmeasured(faster, gate, "this host has one core")),
            Some(given) if !options.small => Line::new(Figure::unmeasured(
                faster,
                gate,
                format!("this host is busy, and gave two workers {given:.2} cores; {}", measured.note(rounds)),
            )),
            _ => Line::new(Figure::new(faster, measured.speedup(), "", gate)).noted(measured.note(rounds)),
        });
        let different = Figure::new(name("samples that differ"), measured.different as f64, "", Gate::Exactly(0.0));
        outcome.lines.push(Line::new(different).noted(format!("of {}", measured.samples)));
        all.push((case.name, measured));
    }
    outcome.sections.push(Section::new("Time", section(&all)));
    Ok(outcome)
}

fn cases(options: &Options<'_>) -> Result<Vec<Case>, Failure> {
    let seed = options.seed.unwrap_or(SEED);
    let (image, samples) = spyx_quickstart::trained_program(seed, &options.out.join("network.nir"))?;
    let count = if options.small { 200 } else { 40_000 };
    let samples = samples.iter().cycle().take(count).cloned();
    let mut cases = vec![Case { name: "short runs", image, dataset: Dataset::new(samples, None) }];
    if let Ok(path) = options.data("shd/shd_input_spikes_1.csv") {
        let image = shd::Kind::Lif.image(options)?;
        let spikes: Vec<Spike> = one::listed(&sample(&path)?);
        let count = if options.small { 4 } else { 128 };
        let dataset = Dataset::new(std::iter::repeat_n(spikes, count), None);
        cases.push(Case { name: "long runs", image, dataset });
    }
    Ok(cases)
}

fn measure(case: &Case, rounds: usize) -> Result<Measured, Failure> {
    let with = |jobs: usize| -> Result<(Evaluation, Evaluated), Failure> {
        let options = evaluate::Options { jobs, ..evaluate::Options::default() };
        let before = processor_time();
        let evaluation = evaluate(&case.image, &case.dataset, || Simulator::new(case.image.config), options, |_| ())?;
        let processor = before.zip(processor_time()).map(|(before, after)| after.saturating_sub(before));
        let evaluated = Evaluated { wall: evaluation.wall, processor };
        Ok((evaluation, evaluated))
    };
    let mut shortest = [Evaluated { wall: Duration::MAX, processor: None }; 2];
    let mut processor = Some([0.0; 2]);
    let (mut different, mut instructions) = (0, 0);
    for _ in 0..rounds {
        let (one, two) = (with(1)?, with(2)?);
        for (index, evaluated) in [one.1, two.1].into_iter().enumerate() {
            if evaluated.wall < shortest[index].wall {
                shortest[index] = evaluated;
            }
            match (&mut processor, evaluated.processor) {
                (Some(sums), Some(spent)) => sums[index] += spent.as_secs_f64(),
                (sums, _) => *sums = None,
            }
        }
        different += differences(&one.0, &two.0);
        instructions = one.0.instructions.total;
    }
    let processor = processor.map(|[one, two]| two / f64::max(one, 1e-9));
    Ok(Measured { shortest, processor, different, samples: case.dataset.len(), instructions })
}

/// Samples that are not the same in both; cycles apart, of which a machine's first run takes a few more or less, because it knows
/// no branches yet.
fn differences(one: &Evaluation, two: &Evaluation) -> usize {
    let unlike = |a: &evaluate::Sample, b: &evaluate::Sample| {
        (a.class, &a.codes, a.finished.instructions) != (b.class, &b.codes, b.finished.instructions)
    };
    let pairs = one.samples.iter().zip(&two.samples);
    pairs.filter(|(a, b)| unlike(a, b)).count() + one.samples.len().abs_diff(two.samples.len())
}

impl Measured {
    /// In s.
    fn seconds(&self) -> [f64; 2] {
        self.shortest.map(|evaluated| evaluated.wall.as_secs_f64())
    }

    fn speedup(&self) -> f64 {
        let [one, two] = self.seconds();
        one / two.max(1e-9)
    }

    fn note(&self, rounds: usize) -> String {
        let [one, two] = self.seconds();
        let processor = self
            .processor
            .map_or(String::new(), |ratio| format!("; two workers took {ratio:.2} times the processor time"));
        format!("{one:.3} s and {two:.3} s, shortest of {rounds} in turns{processor}")
    }
}

/// Processor time of this process so far, where the system tells: user's and system's.
fn processor_time() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/self/stat").ok()?;
    // Fields 14 and 15; the second one is a name in parentheses, which may have blanks.
    let behind_name = text.rsplit_once(')')?.1;
    let ticks: u64 = behind_name.split_whitespace().skip(11).take(2).map_while(|field| field.parse::<u64>().ok()).sum();
    Some(Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64))
}

fn section(all: &[(&str, Measured)]) -> maud::Markup {
    let columns = [
        "data set",
        "samples",
        "million instructions",
        "one worker, s",
        "two workers, s",
        "million instructions a second, two",
    ];
    let rows: Vec<Vec<String>> = all
        .iter()
        .map(|(name, measured)| {
            let [one, two] = measured.seconds();
            let million = measured.instructions as f64 / 1e6;
            let text =
                [format!("{million:.1}"), format!("{one:.3}"), format!("{two:.3}"), format!("{:.0}", million / two)];
            [vec![(*name).to_owned(), measured.samples.to_string()], text.to_vec()].concat()
        })
        .collect();
    let groups: Vec<(String, Vec<f64>)> =
        all.iter().map(|(name, measured)| ((*name).to_owned(), vec![1.0, measured.speedup()])).collect();
    html! {
        p {
            "Samples whose runs begin in the same state are handed to workers, each with a machine of its own, in the order of the file. Where state \
             is carried from run to run there is one worker, and nothing to gain."
        }
        (table(&columns, &rows))
        (bars("Speed, beside one worker", "times", &["one worker", "two workers"], &groups, ""))
    }
}
