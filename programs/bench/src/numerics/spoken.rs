//! A real recording of a spoken digit through the published network, with each way of rounding.

use fenn_compiler::backend;
use fenn_compiler::network::{Quantity, Recording, Window};
use fenn_host::dataset::Spike;
use fenn_host::device::{Finished, Limit};
use fenn_isa::memory::MachineConfig;
use fenn_testbench::figure::{Figure, Gate};
use fenn_testbench::shared::root;
use fenn_testbench::shd;
use maud::html;

use super::Part;
use crate::chart::{Axis, Mark, Series, curves};
use crate::program::{Failure, Line, Options};
use crate::run::{compiled, described, session, steps};
use crate::vogels_abbott::CLOCK;

const PAPER: &str = "FeNN's published mean over the SHD test set, adaptive network";
/// The class of the recording.
const CLASS: usize = 18;

/// A run of the compiled network.
struct Run {
    /// Of the program that records nothing.
    finished: Finished,
    class: usize,
    /// Hidden spikes of each step.
    hidden: Vec<Vec<u32>>,
}

pub(super) fn run(options: &Options<'_>, _: u64) -> Result<Part, Failure> {
    let inputs = shd::sample(&options.data("shd/shd_input_spikes_1.csv")?)?;
    let float = shd::Network::without_delays(&options.data("shd/lif")?)?.run(&inputs);
    let off = |run: &Run| {
        let spikes = run.hidden.iter().map(Vec::len).sum::<usize>();
        (100.0 * (spikes as f64 / float.count() as f64 - 1.0), spikes)
    };
    let [nearest, stochastic, zero] = ["nearest", "stochastic", "zero"].map(|rounding| one(rounding, false, &inputs));
    let (nearest, stochastic, zero) = (nearest?, stochastic?, zero?);
    let [coarse_nearest, coarse] = ["nearest", "zero"].map(|rounding| one(rounding, true, &inputs));
    let (coarse_nearest, coarse) = (coarse_nearest?, coarse?);
    let mut lines = vec![Line::new(Figure::new(
        "spoken digit: class in float64",
        float.class() as f64,
        "",
        Gate::Exactly(CLASS as f64),
    ))];
    for (name, run) in [("to the nearest", &nearest), ("stochastically", &stochastic)] {
        let (percent, spikes) = off(run);
        lines.push(Line::new(Figure::new(
            format!("spoken digit, rounded {name}: class"),
            run.class as f64,
            "",
            Gate::Exactly(CLASS as f64),
        )));
        lines.push(
            Line::new(Figure::new(
                format!("spoken digit, rounded {name}: hidden spikes against float64"),
                percent,
                "%",
                Gate::Between(-2.5, 2.5),
            ))
            .noted(format!("{spikes} instead of {}", float.count())),
        );
    }
    let (percent, spikes) = off(&zero);
    lines.push(
        Line::new(Figure::new("spoken digit, rounded down: hidden spikes against float64", percent, "%", Gate::None))
            .noted(format!(
                "class {}, {spikes} spikes: currents are large in this network, whose gain is multiplied at the neuron",
                zero.class
            )),
    );
    let (percent, spikes) = off(&coarse_nearest);
    lines.push(
        Line::new(Figure::new(
            "spoken digit, all in s7.8, gain in the weights, to the nearest: hidden spikes",
            percent,
            "%",
            Gate::Between(-2.5, 2.5),
        ))
        .noted(format!("class {}, {spikes} spikes", coarse_nearest.class)),
    );
    let (percent, spikes) = off(&coarse);
    lines.push(
        Line::new(Figure::new(
            "spoken digit, all in s7.8, gain in the weights, rounded down: hidden spikes",
            percent,
            "%",
            Gate::Below(-2.5),
        ))
        .noted(format!(
            "class {}, {spikes} spikes; it has to be out of the gate, which is how rounding down is found not to do; another \
             evaluation in s7.8, apart from this, gave class 13",
            coarse.class
        )),
    );
    let per_step = |count: u64| count as f64 / shd::STEPS as f64;
    lines.push(
        Line::new(Figure::new(
            "spoken digit: instructions per step",
            per_step(nearest.finished.instructions),
            "",
            Gate::AtMost(1500.0),
        ))
        .beside("1475.9", PAPER)
        .noted("another network, with adaptation and other spikes"),
    );
    lines.push(
        Line::new(Figure::new(
            "spoken digit: time per step at 175 MHz",
            1e6 * per_step(nearest.finished.cycles) / CLOCK,
            "µs",
            Gate::AtMost(10.8),
        ))
        .beside("10.80", PAPER),
    );
    let body = html! {
        (curves(
            "Hidden spikes",
            Axis::linear("ms"),
            Axis::linear("spikes per 10 ms"),
            &[
                Series::line("rounded to the nearest", 1, counts(&nearest.hidden)),
                Series::line("rounded stochastically", 2, counts(&stochastic.hidden)),
                Series::line("in s7.8 rounded down", 0, counts(&coarse.hidden)),
                Series::line("float64", 8, counts(&float.hidden)).marked(Mark::Dashed),
            ],
            "Spikes of the 256 hidden neurons while 9,386 input spikes of one recording arrive.",
        ))
    };
    Ok((lines, body))
}

/// Spikes in every ten steps.
fn counts(spikes: &[Vec<u32>]) -> Vec<(f64, f64)> {
    let bins = spikes.chunks(10).enumerate();
    bins.map(|(bin, steps)| (10.0 * bin as f64 + 5.0, steps.iter().map(Vec::len).sum::<usize>() as f64)).collect()
}

/// The network of `programs/shd/lif.toml` with another rounding, run on the recording; where `folded`, all in s7.8 and the gain
/// multiplied into the weights.
fn one(rounding: &str, folded: bool, inputs: &[Vec<u32>]) -> Result<Run, Failure> {
    const ROUNDING: &str = "rounding = \"nearest\"";
    let folder = root().join("programs/shd");
    let path = folder.join("lif.toml");
    let text = std::fs::read_to_string(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    if !text.contains(ROUNDING) {
        return Err(format!("{} does not say how it rounds", path.display()).into());
    }
    let text = text.replace(ROUNDING, &format!("rounding = \"{rounding}\""));
    let text = if folded { fold(&text)? } else { text };
    let mut network = described(&text, "lif.toml", &folder, None)?;
    let spikes = inputs.iter().zip(0..);
    let mut spikes: Vec<Spike> =
        spikes.flat_map(|(units, step)| units.iter().map(move |unit| Spike { step, unit: *unit })).collect();
    spikes.sort_unstable();
    let plain = compiled(&network, &backend::Options::default())?;
    let run = session(&plain.image)?.run(&spikes, Limit::default())?;
    network.recordings = vec![Recording { population: 0, quantity: Quantity::Event(0), window: Window::WHOLE }];
    // More than the board has, for spikes of all steps.
    let config = MachineConfig { scalar_bytes: 512 << 10, ..MachineConfig::default() };
    let recorded = compiled(&network, &backend::Options { config, ..backend::Options::default() })?;
    let mut session = session(&recorded.image)?;
    let again = session.run(&spikes, Limit::default())?;
    let class = crate::run::class(&run)? as usize;
    if run.outputs != again.outputs {
        return Err("the network that is recorded gives other outputs".into());
    }
    let hidden = session.recordings(0)?.first().map(steps).unwrap_or_default();
    Ok(Run { finished: run.finished, class, hidden })
}

/// The description with currents of a few hundredths, as the published programs have them.
fn fold(text: &str) -> Result<String, Failure> {
    let lines = text.lines().filter(|line| !line.starts_with("Gain"));
    let mut text: String = lines.flat_map(|line| [line, "\n"]).collect();
    for (old, new) in [
        ("(Gain * I)", "I"),
        ("-g.npy\"", "-g.npy\", scale = \"5*(1-exp(-dt/5))*(1-exp(-dt/20))\""),
        ("s6_9_sat_t", "s7_8_sat_t"),
        ("s8_7_sat_t", "s7_8_sat_t"),
        ("0.0h9", "0.0h8"),
    ] {
        if !text.contains(old) {
            return Err(format!("programs/shd/lif.toml has no `{old}` any more").into());
        }
        text = text.replace(old, new);
    }
    Ok(text)
}
