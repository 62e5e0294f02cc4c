//! Spoken digits: published networks with delays, without, and with adaptive thresholds, in 16 bits beside float64, and what they
//! cost beside published systems.
//!
//! Contract: see `programs/shd/README.md`. Descriptions are those of the folder, read with the weights among the reference data; the
//! float64 references are [`fenn_testbench::shd`]'s, which know nothing of them. Spikes and synaptic operations are counted on the
//! run, cycles are those of the simulated core, and energy is reckoned ([`cost`]).

pub mod cost;
mod data_set;
mod plots;

use std::path::Path;

use fenn_compiler::backend;
use fenn_isa::image::Image;
use fenn_isa::memory::MachineConfig;
use fenn_testbench::figure::{Figure, Gate};
use fenn_testbench::graph_comparison::{ROUNDING, correlation};
use fenn_testbench::shd::{Adaptive, HIDDEN, Network, OUTPUTS, Run, STEPS, sample};
use maud::html;

use crate::chart::table;
use crate::program::{Failure, Line, Options, Outcome, Program, Section};
use crate::run::{compiled, described};
use crate::sample;
use cost::{Cost, Counts};

/// The program.
pub const PROGRAM: Program = Program {
    name: "shd",
    title: "Spoken digits",
    about: "Three published classifiers of the Spiking Heidelberg Digits, 700 channels, 256 recurrent neurons, 20 classes, 1,170 steps \
            of 1 ms: 16 bits against float64, latency and energy beside published systems.",
    needs_data: true,
    run,
};

/// Steps that a bin of a peristimulus histogram has: 10 ms.
const BIN: usize = 10;
/// Copies of a float network with weights moved by a rounding, to see how far it is from itself.
const MOVED: u64 = 8;

/// A published network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Without delays.
    Lif,
    /// With a learned delay at every synapse.
    Delays,
    /// With adaptive thresholds.
    Adaptive,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Lif, Self::Delays, Self::Adaptive];

    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lif => "without delays",
            Self::Delays => "with delays",
            Self::Adaptive => "adaptive",
        }
    }

    fn description(self) -> &'static str {
        match self {
            Self::Lif => include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../shd/lif.toml")),
            Self::Delays => include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../shd/delays.toml")),
            Self::Adaptive => include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../shd/adaptive.toml")),
        }
    }

    /// The program as it is described, without recording.
    ///
    /// # Errors
    /// Weights are missing, or what the compiler says.
    pub fn image(self, options: &Options<'_>) -> Result<Image, Failure> {
        self.variant(options, Variant::DESCRIBED, false)
    }

    /// The program in another way of reckoning; `recorded` keeps the hidden spikes, for which the published board has too little
    /// scalar memory.
    fn variant(self, options: &Options<'_>, variant: Variant, recorded: bool) -> Result<Image, Failure> {
        let folder = options.data("shd")?.canonicalize()?;
        let folder = folder.to_str().ok_or("the path of the reference data is no text")?;
        let text = self.description().replace("../../../shared/data/shd", folder);
        let mut text = text.replace("rounding = \"nearest\"", &format!("rounding = \"{}\"", variant.rounding));
        if variant.coarse {
            text = text.replace("s6_9_sat_t", "s7_8_sat_t").replace("0.0h9", "0.0h8");
        }
        let mut target = backend::Options::default();
        if recorded {
            text.push_str("\n[[record]]\npopulation = \"hidden\"\nevent = \"Spike\"\n");
            target.config = MachineConfig { scalar_bytes: 1 << 19, ..target.config };
        }
        let network = described(&text, self.name(), Path::new("."), None)?;
        Ok(compiled(&network, &target)?.image)
    }

    /// The same in float64, on the channels that spike in each step.
    fn float(self, options: &Options<'_>) -> Result<Float, Failure> {
        Ok(match self {
            Self::Lif => Float::Lif(Network::without_delays(&options.data("shd/lif")?)?),
            Self::Delays => Float::Lif(Network::with_delays(&options.data("shd/delays")?)?),
            Self::Adaptive => Float::Adaptive(Adaptive::read(&options.data("shd/adaptive")?)?),
        })
    }
}

/// A way of reckoning in 16 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Variant {
    /// How products are rounded.
    rounding: &'static str,
    /// Whether hidden neurons have one fraction bit less than described: s7.8.
    coarse: bool,
}

impl Variant {
    const DESCRIBED: Self = Self { rounding: "nearest", coarse: false };

    fn of(rounding: &'static str, coarse: bool) -> Self {
        Self { rounding, coarse }
    }

    /// For people.
    fn name(self) -> String {
        let how = match self.rounding {
            "zero" => "towards zero",
            "stochastic" => "stochastic",
            _ => "to nearest",
        };
        if self.coarse { format!("{how}, s7.8") } else { how.to_owned() }
    }
}

/// A network in float64.
#[derive(Debug, Clone)]
enum Float {
    Lif(Network),
    Adaptive(Adaptive),
}

impl Float {
    /// From rest.
    fn run(&self, inputs: &[Vec<u32>]) -> Run {
        match self {
            Self::Lif(network) => network.run(inputs),
            Self::Adaptive(network) => network.run(inputs, &mut [0.0; HIDDEN]),
        }
    }

    fn moved(&self, part: f64, seed: u64) -> Self {
        match self {
            Self::Lif(network) => Self::Lif(network.moved(part, seed)),
            Self::Adaptive(network) => Self::Adaptive(network.moved(part, seed)),
        }
    }
}

/// A run of a network in 16 bits beside the one in float64.
#[derive(Debug, Clone)]
struct Compared {
    variant: Variant,
    hidden: Vec<Vec<u32>>,
    class: usize,
    /// Hidden spikes more or less than float64, in percent of it.
    off: f64,
    /// Correlation of the counts of neurons, and of spikes in bins of time.
    counts_r: f64,
    psth_r: f64,
}

/// What a network has to keep to.
#[derive(Debug, Clone, Copy)]
struct Gates {
    /// Of hidden spikes, in percent.
    off: f64,
    counts_r: f64,
    psth_r: f64,
    class: Option<usize>,
}

impl Gates {
    /// That of the first benchmark for the network without delays, and that of deployment with delays; the adaptive one is as far from
    /// itself as 16 bits are from it.
    fn of(kind: Kind) -> Option<Self> {
        match kind {
            Kind::Lif => Some(Self { off: 2.5, counts_r: 0.998, psth_r: 0.998, class: Some(18) }),
            Kind::Delays => Some(Self { off: 0.5, counts_r: 0.995, psth_r: 0.998, class: None }),
            Kind::Adaptive => None,
        }
    }

    /// How many of them a run misses.
    fn missed(&self, run: &Compared) -> usize {
        let misses = [
            run.off.abs() > self.off,
            run.counts_r < self.counts_r,
            run.psth_r < self.psth_r,
            self.class.is_some_and(|class| run.class != class),
        ];
        misses.into_iter().filter(|missed| *missed).count()
    }
}

impl Compared {
    fn new(variant: Variant, hidden: Vec<Vec<u32>>, class: usize, float: &Run) -> Self {
        let total = float.count() as f64;
        let off = 100.0 * (hidden.iter().map(Vec::len).sum::<usize>() as f64 - total) / total;
        let counts_r = correlation(&counts(&float.hidden), &counts(&hidden)).unwrap_or(f64::NAN);
        let psth_r = correlation(&histogram(&float.hidden), &histogram(&hidden)).unwrap_or(f64::NAN);
        Self { variant, hidden, class, off, counts_r, psth_r }
    }

    fn spikes(&self) -> usize {
        self.hidden.iter().map(Vec::len).sum()
    }
}

/// Spikes of each hidden neuron.
fn counts(steps: &[Vec<u32>]) -> Vec<f64> {
    let mut counts = vec![0.0; HIDDEN];
    steps.iter().flatten().for_each(|neuron| counts[*neuron as usize] += 1.0);
    counts
}

/// Spikes of all hidden neurons in each bin.
fn histogram(steps: &[Vec<u32>]) -> Vec<f64> {
    steps.chunks(BIN).map(|bin| bin.iter().map(Vec::len).sum::<usize>() as f64).collect()
}

/// Everything about a network on the sample.
struct Measured {
    kind: Kind,
    float: Run,
    /// Rounded to nearest first.
    runs: Vec<Compared>,
    /// Float networks whose weights are moved by a rounding, as if they were in 16 bits.
    moved: Vec<Compared>,
    cost: Cost,
}

fn measure(kind: Kind, options: &Options<'_>, inputs: &[Vec<u32>]) -> Result<Measured, Failure> {
    let network = kind.float(options)?;
    let float = network.run(inputs);
    let mut variants = vec![Variant::DESCRIBED];
    // The adaptive description says for each product how it rounds.
    if kind != Kind::Adaptive {
        variants.push(Variant::of("zero", false));
        if !options.small {
            variants.push(Variant::of("stochastic", false));
        }
    }
    if kind == Kind::Lif && !options.small {
        variants.extend(["nearest", "zero"].map(|rounding| Variant::of(rounding, true)));
    }
    let runs = variants.into_iter().map(|variant| {
        let found = sample::run(&kind.variant(options, variant, true)?, &sample::listed(inputs))?;
        Ok(Compared::new(variant, found.of("hidden")?.to_vec(), found.class, &float))
    });
    let runs = runs.collect::<Result<Vec<Compared>, Failure>>()?;
    let copies = if options.small { 0 } else { MOVED };
    let moved = (0..copies).map(|seed| {
        let run = network.moved(ROUNDING, seed).run(inputs);
        let class = run.class();
        Compared::new(Variant::DESCRIBED, run.hidden, class, &float)
    });
    let moved = moved.collect();
    // Without recording, as the published program runs.
    let plain = sample::run(&kind.image(options)?, &sample::listed(inputs))?;
    let counts = Counts {
        input_spikes: inputs.iter().map(Vec::len).sum::<usize>() as u64,
        hidden_spikes: runs[0].spikes() as u64,
        steps: STEPS as u64,
    };
    Ok(Measured { kind, float, runs, moved, cost: Cost { counts, finished: plain.finished } })
}

impl Measured {
    fn lines(&self) -> Vec<Line> {
        let Self { kind, float, runs, moved, cost } = self;
        let name = |what: &str| format!("{}: {what}", kind.name());
        let nearest = &runs[0];
        let gates = Gates::of(*kind);
        let gate = |of: fn(&Gates) -> Gate| gates.as_ref().map_or(Gate::None, of);
        let itself = match (moved.iter().map(Compared::spikes).min(), moved.iter().map(Compared::spikes).max()) {
            (Some(least), Some(most)) => {
                format!("; {least} to {most} in float64 with weights moved by 1/1024 of the largest")
            }
            _ => String::new(),
        };
        let least = |of: fn(&Compared) -> f64| match moved.iter().map(of).reduce(f64::min) {
            Some(least) => format!("float64 with weights moved like that: {least:.4} at least"),
            None => String::new(),
        };
        let fixed = cost.counts.hidden_spikes;
        let mut lines = vec![
            Line::new(Figure::new(
                name("hidden spikes off float64"),
                nearest.off.abs(),
                "%",
                gate(|gates| Gate::AtMost(gates.off)),
            ))
            .noted(format!("{fixed} instead of {}{itself}", float.count())),
            Line::new(Figure::new(
                name("correlation of counts per neuron"),
                nearest.counts_r,
                "",
                gate(|gates| Gate::AtLeast(gates.counts_r)),
            ))
            .noted(least(|run| run.counts_r)),
            Line::new(Figure::new(
                name("correlation of spikes in bins of 10 ms"),
                nearest.psth_r,
                "",
                gate(|gates| Gate::AtLeast(gates.psth_r)),
            ))
            .noted(least(|run| run.psth_r)),
            Line::new(Figure::new(
                name("class"),
                nearest.class as f64,
                "",
                gate(|gates| gates.class.map_or(Gate::None, |class| Gate::Exactly(class as f64))),
            ))
            .noted(format!("{} in float64{}", float.class(), self.rivals())),
        ];
        if let Some((gates, zero)) = gates.zip(self.towards_zero()) {
            // Without delays nothing is lost by it in the format described; whoever takes it is to know what is.
            let gate = if *kind == Kind::Delays { Gate::AtLeast(1.0) } else { Gate::None };
            let figure =
                Figure::new(name("gates that rounding towards zero misses"), gates.missed(zero) as f64, "", gate);
            lines.push(Line::new(figure).noted(format!(
                "class {}, spikes {:+.1} %, correlations {:.4} and {:.4}",
                zero.class, zero.off, zero.counts_r, zero.psth_r
            )));
        }
        lines.extend(cost.lines(*kind));
        lines
    }

    /// The run that was rounded towards zero, else as described.
    fn towards_zero(&self) -> Option<&Compared> {
        self.runs.iter().find(|run| run.variant == Variant::of("zero", false))
    }

    /// The two classes with the greatest float scores, where the second is nearly as great.
    fn rivals(&self) -> String {
        let scores = &self.float.scores;
        let best = self.float.class();
        let second = (0..OUTPUTS).filter(|class| *class != best).max_by(|a, b| scores[*a].total_cmp(&scores[*b]));
        let spread = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max)
            - scores.iter().copied().fold(f64::INFINITY, f64::min);
        match second.filter(|second| scores[best] - scores[*second] < 0.02 * spread) {
            Some(second) => format!(", where {second} is nearly as great"),
            None => String::new(),
        }
    }
}

fn run(options: &Options<'_>) -> Result<Outcome, Failure> {
    let inputs = sample(&options.data("shd/shd_input_spikes_1.csv")?)?;
    let kinds = if options.small { &Kind::ALL[..1] } else { &Kind::ALL[..] };
    let mut outcome = Outcome::default();
    let mut all = Vec::new();
    for (index, kind) in kinds.iter().enumerate() {
        (options.progress)(kind.name(), index as f64 / 4.0);
        let measured = measure(*kind, options, &inputs)?;
        outcome.lines.extend(measured.lines());
        all.push(measured);
    }
    (options.progress)("the data set", 0.75);
    outcome.lines.extend(data_set::lines(kinds, options)?);
    let costs: Vec<(Kind, &Cost)> = all.iter().map(|one| (one.kind, &one.cost)).collect();
    outcome.sections.push(Section::new("Latency and energy", cost::section(&costs)));
    outcome.sections.push(Section::new("Roundings", roundings(&all)));
    for measured in &all {
        let title = format!("The published sample, {}", measured.kind.name());
        outcome.sections.push(Section::new(title, plots::section(measured, &inputs)));
    }
    Ok(outcome)
}

/// All runs in a table.
fn roundings(all: &[Measured]) -> maud::Markup {
    let columns =
        ["network, rounding", "class", "hidden spikes", "off float64", "counts r", "10 ms bins r", "gates missed"];
    let mut rows = Vec::new();
    for Measured { kind, float, runs, .. } in all {
        let name = |what: &str| format!("{}, {what}", kind.name());
        let (class, count) = (float.class().to_string(), float.count().to_string());
        rows.push([name("float64"), class, count, String::new(), String::new(), String::new(), String::new()].to_vec());
        for run in runs {
            rows.push(vec![
                // The adaptive description says it for each product.
                if *kind == Kind::Adaptive { name("as described") } else { name(&run.variant.name()) },
                run.class.to_string(),
                run.spikes().to_string(),
                format!("{:+.2} %", run.off),
                format!("{:.4}", run.counts_r),
                format!("{:.4}", run.psth_r),
                Gates::of(*kind).map_or("–".to_owned(), |gates| gates.missed(run).to_string()),
            ]);
        }
    }
    html! {
        p {
            "Products round to nearest, up or down at random, or towards zero, which is what a plain shift does. The last loses half a \
             unit in every product, always in the same direction, and neurons that decay slowly add that up. Hidden neurons are in s6.9 but where it says s7.8."
        }
        (table(&columns, &rows))
    }
}
