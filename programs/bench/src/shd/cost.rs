//! What a sample costs: time from cycles, energy from the published board's power, beside published systems.
//!
//! Contract:
//!
//! ```text
//! time   = cycles / 175 MHz
//! energy = (9.48 W − 8.00 W) · time
//! synaptic operations = 256 · input spikes + (256 + 20) · hidden spikes
//! ```
//!
//! Cycles are counted on the simulated core. 175 MHz is the published board's clock, and its mean and idle power while it ran this data
//! set were measured by those who published it; that our code draws as much is an assumption. Operations are those that the
//! network asks for, without a row's padding.

use fenn_host::device::Finished;
use fenn_testbench::figure::{Figure, Gate};
use fenn_testbench::shd::{HIDDEN, OUTPUTS, STEPS};
use maud::{Markup, html};

use super::Kind;
use crate::chart::{bars, table};
use crate::program::Line;

/// Clock of the published board.
const HERTZ: f64 = 175e6;
/// Mean and idle power of the published board on this data set, in W.
const POWER: [f64; 2] = [9.48, 8.0];
/// What the published code executes for an input spike, a hidden spike and a step, from its heat map; it executes
/// [`PUBLISHED_PER_STEP`] instructions a step on the data set, which take 10.80 µs.
const PUBLISHED_INSTRUCTIONS: [f64; 3] = [69.0, 71.0, 267.0];
const PUBLISHED_PER_STEP: f64 = 1475.9;
const PUBLISHED_MICROSECONDS: f64 = 10.80;
const SOURCE: &str = "FeNN paper's data, adaptive network, 2,264 samples";

/// What happened in a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Into the network.
    pub input_spikes: u64,
    /// Of hidden neurons.
    pub hidden_spikes: u64,
    /// Of the run.
    pub steps: u64,
}

/// What a sample took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// What happened in it.
    pub counts: Counts,
    /// Instructions and cycles.
    pub finished: Finished,
}

impl Counts {
    /// Spikes times synapses.
    pub fn operations(&self) -> u64 {
        HIDDEN as u64 * self.input_spikes + (HIDDEN + OUTPUTS) as u64 * self.hidden_spikes
    }

    /// Instructions of the published code for the same spikes.
    pub fn published_instructions(&self) -> f64 {
        let [input, hidden, step] = PUBLISHED_INSTRUCTIONS;
        input * self.input_spikes as f64 + hidden * self.hidden_spikes as f64 + step * self.steps as f64
    }
}

impl Cost {
    /// In ms.
    pub fn milliseconds(&self) -> f64 {
        self.finished.cycles as f64 / HERTZ * 1e3
    }

    /// Of a step, in µs.
    pub fn microseconds_per_step(&self) -> f64 {
        1e3 * self.milliseconds() / self.counts.steps as f64
    }

    /// Above idle, in mJ.
    pub fn millijoules(&self) -> f64 {
        (POWER[0] - POWER[1]) * self.milliseconds()
    }

    /// Above idle, for a synaptic operation, in nJ.
    pub fn nanojoules_per_operation(&self) -> f64 {
        1e6 * self.millijoules() / self.counts.operations() as f64
    }

    /// Figures of a network. Only that with adaptive thresholds has been published with its costs.
    pub(super) fn lines(&self, kind: Kind) -> Vec<Line> {
        let name = |what: &str| format!("{}: {what}", kind.name());
        let Counts { input_spikes, hidden_spikes, steps } = self.counts;
        let theirs = self.counts.published_instructions();
        let same_spikes = PUBLISHED_MICROSECONDS * theirs / steps as f64 / PUBLISHED_PER_STEP;
        let per_step = |count: u64| count as f64 / steps as f64;
        let without = if kind == Kind::Delays { ", which has no delays," } else { "" };
        let spikes = format!(
            "{:.2} input and {:.2} hidden spikes a step; for as many the published code{without} would take some \
             {same_spikes:.2} µs",
            per_step(input_spikes),
            per_step(hidden_spikes)
        );
        let scripted = match kind {
            Kind::Adaptive => "; the published script has 7.92 by counting steps for hidden spikes",
            _ => "",
        };
        let beside = |line: Line, value: &str| if kind == Kind::Adaptive { line.beside(value, SOURCE) } else { line };
        let delays = kind == Kind::Delays;
        let time_gate = if delays { Gate::None } else { Gate::AtMost(PUBLISHED_MICROSECONDS) };
        let code_gate = if delays { Gate::None } else { Gate::AtMost(0.8) };
        vec![
            beside(
                Line::new(Figure::new(name("time per step"), self.microseconds_per_step(), "µs", time_gate))
                    .noted(spikes),
                "10.80",
            ),
            Line::new(Figure::new(
                name("instructions, of the published code's for the same spikes"),
                self.finished.instructions as f64 / theirs,
                "",
                code_gate,
            ))
            .noted(format!("{} of {theirs:.0}", self.finished.instructions)),
            beside(Line::new(Figure::new(name("time per sample"), self.milliseconds(), "ms", Gate::None)), "12.63"),
            beside(
                Line::new(Figure::new(name("energy per sample above idle"), self.millijoules(), "mJ", Gate::None))
                    .noted("an estimate: the published board's 1.48 W above idle times our time"),
                "19.2",
            ),
            beside(
                Line::new(Figure::new(
                    name("energy per synaptic operation above idle"),
                    self.nanojoules_per_operation(),
                    "nJ",
                    Gate::None,
                ))
                .noted(format!("{} operations, counted; estimated as above{scripted}", self.counts.operations())),
                "3.57",
            ),
        ]
    }
}

/// A published system: µs per step, ms and mJ per sample, nJ per operation as published and with hidden spikes counted.
struct Published {
    name: &'static str,
    /// Below a bar.
    short: &'static str,
    microseconds: f64,
    energy: Option<[f64; 3]>,
}

const PUBLISHED: [Published; 4] = [
    Published { name: "FeNN, the board", short: "FeNN", microseconds: 10.80, energy: Some([19.2, 7.92, 3.57]) },
    Published {
        name: "Jetson Orin Nano, GPU",
        short: "Jetson GPU",
        microseconds: 26.28,
        energy: Some([42.9, 17.6, 7.96]),
    },
    Published {
        name: "Jetson Orin Nano, CPU",
        short: "Jetson CPU",
        microseconds: 42.09,
        energy: Some([49.7, 20.5, 9.23]),
    },
    Published { name: "Loihi", short: "Loihi", microseconds: 16.79, energy: None },
];

/// The table and its bars.
pub(super) fn section(costs: &[(Kind, &Cost)]) -> Markup {
    let columns = [
        "system",
        "µs per step",
        "ms per sample",
        "mJ per sample above idle",
        "nJ per operation",
        "the same, as the script counts",
    ];
    let ours = |kind: Kind| format!("this project, {}", kind.name());
    let mut rows: Vec<Vec<String>> = costs
        .iter()
        .map(|(kind, cost)| {
            vec![
                ours(*kind),
                format!("{:.2}", cost.microseconds_per_step()),
                format!("{:.2}", cost.milliseconds()),
                format!("{:.1} (estimate)", cost.millijoules()),
                format!("{:.2} (estimate)", cost.nanojoules_per_operation()),
                "–".to_owned(),
            ]
        })
        .collect();
    for Published { name, microseconds, energy, .. } in &PUBLISHED {
        let number = |index: usize, digits: usize| {
            energy.map_or("–".to_owned(), |energy| format!("{:.digits$}", energy[index]))
        };
        let milliseconds = microseconds * STEPS as f64 / 1e3;
        let row =
            [format!("{microseconds:.2}"), format!("{milliseconds:.2}"), number(0, 1), number(2, 2), number(1, 2)];
        rows.push([vec![(*name).to_owned()], row.to_vec()].concat());
    }
    // One colour for ours and one for theirs.
    let group = |name: &str, ours: f64, theirs: f64| (name.to_owned(), vec![ours, theirs]);
    let latency: Vec<(String, Vec<f64>)> = costs
        .iter()
        .map(|(kind, cost)| group(kind.name(), cost.microseconds_per_step(), f64::NAN))
        .chain(PUBLISHED.iter().map(|one| group(one.short, f64::NAN, one.microseconds)))
        .collect();
    let energy: Vec<(String, Vec<f64>)> = costs
        .iter()
        .map(|(kind, cost)| group(kind.name(), cost.millijoules(), f64::NAN))
        .chain(PUBLISHED.iter().filter_map(|one| Some(group(one.short, f64::NAN, one.energy?[0]))))
        .collect();
    let series = ["this project", "published"];
    html! {
        p {
            "Ours are of the one published sample, from rest: cycles of the simulated core at the published board's clock of 175 MHz. The \
             published ones are means over the 2,264 test samples, with the adaptive network, whose hidden neurons spike less \
             when its adaptation is carried over from sample to sample, as it was there."
        }
        (table(&columns, &rows))
        p {
            "Energy is not measured here. It is time, multiplied by 9.48 − 8.00 = 1.48 W: what the published board drew on average while \
             it ran this data set, less what it drew idle. Other code draws another power. The published script takes the number of \
             steps for that of hidden spikes; with the hidden spikes of its own heat map, 26,882,485, an operation takes \
             less than half."
        }
        (bars("Time per step", "µs", &series, &latency, "Ours are simulated, of the published sample."))
        (bars("Energy per sample above idle", "mJ", &series, &energy, "Ours are estimated from the published board's power."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published totals give the published figures.
    #[test]
    fn the_published_sums_are_reproduced() {
        let (samples, joules) = (2264.0, 43.6);
        let published = Counts { input_spikes: 18_631_462, hidden_spikes: 26_882_485, steps: 2264 * 1170 };
        let per_operation = joules / published.operations() as f64 * 1e9;
        assert!((per_operation - 3.57).abs() < 0.02, "{per_operation}");
        let instructions = published.published_instructions() / published.steps as f64;
        assert!((instructions / PUBLISHED_PER_STEP - 1.0).abs() < 0.01, "{instructions}");
        let cycles = (10.80e-6 * 175e6 * published.steps as f64) as u64;
        let cost = Cost { counts: published, finished: Finished { instructions: 0, cycles } };
        assert!((cost.milliseconds() / samples - 12.63).abs() < 0.01, "{}", cost.milliseconds() / samples);
        assert!((cost.millijoules() / samples - 19.2).abs() < 0.6, "{}", cost.millijoules() / samples);
    }
}
