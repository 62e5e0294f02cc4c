//! Six firing patterns of the adaptive exponential neuron, its equations integrated by Runge and Kutta's method in 16 bits.
//!
//! V is in units of 100 mV and w in tenths of a nanoampere, both s4.11. One neuron in each of 32 lanes, which differ in their
//! random numbers alone.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use fenn_compiler::backend;
use fenn_host::device::Limit;
use fenn_host::session::array::Array;
use fenn_testbench::figure::{Figure, Gate};
use fenn_testbench::npz::numbers;
use maud::{Markup, html};
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};

use super::{Part, TRACES};
use crate::chart::{Axis, Mark, Series, curves, table};
use crate::program::{Failure, Line, Options};
use crate::run::{compiled, described, session, steps};

/// Milliseconds.
const STEP: f64 = 0.1;
const STEPS: usize = 2000;
const LANES: usize = 32;
/// mV above which a neuron has fired, and to which it is then drawn up in plots, both as published.
const FIRES: f64 = -40.0;
const PEAK: f64 = 10.0;

/// A firing pattern: its parameters in nF, µS, mV, nS, ms, pA and nA.
#[derive(Debug, Clone)]
struct Pattern {
    name: String,
    c: f64,
    g_l: f64,
    e_l: f64,
    v_t: f64,
    delta_t: f64,
    a: f64,
    tau_w: f64,
    i_offset: f64,
    b: f64,
    v_r: f64,
}

/// Potentials and spikes of one neuron.
#[derive(Debug, Clone, Default)]
struct Trace {
    /// After each step, in mV; at the peak where it fired.
    v: Vec<f64>,
    /// The steps in which it fired.
    spikes: Vec<usize>,
}

/// A pattern in 16 bits, rounded in one way.
struct Rounded {
    lanes: Vec<Trace>,
    instructions: f64,
}

struct Measured {
    pattern: Pattern,
    float: Trace,
    nest: Trace,
    /// GeNN's spikes.
    genn: usize,
    /// Rounded stochastically and to the nearest.
    ours: [Rounded; 2],
    published: [Vec<Trace>; 2],
}

pub(super) fn run(options: &Options<'_>, seed: u64) -> Result<Part, Failure> {
    let patterns = patterns(&std::fs::read_to_string(options.data("adexp/params.json")?)?)?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(options.jobs).build()?;
    let measured: Result<Vec<Measured>, Failure> =
        pool.install(|| patterns.par_iter().map(|pattern| measured(pattern, options, seed)).collect::<Result<_, _>>());
    let measured = measured?;
    let mut lines = Vec::new();
    for one in &measured {
        let references = [one.float.spikes.len(), one.nest.spikes.len(), one.genn];
        let (least, most) = references.iter().fold((usize::MAX, 0), |(a, b), count| (a.min(*count), b.max(*count)));
        let [float, nest, genn] = references;
        let name = &one.pattern.name;
        let [ours, nearest] = [0, 1].map(|which| count(&one.ours[which].lanes));
        let [theirs, theirs_nearest] = [0, 1].map(|which| count(&one.published[which]));
        lines.push(
            Line::new(Figure::new(
                format!("AdExp {name}: spikes, rounded stochastically"),
                ours,
                "",
                Gate::Between(least as f64 - 1.0, most as f64 + 1.0),
            ))
            .beside(format!("{theirs:.1}"), TRACES)
            .noted(format!(
                "float64 {float}, NEST {nest}, GeNN {genn}; to the nearest {nearest:.1}, theirs {theirs_nearest:.1}"
            )),
        );
        let error = |lanes: &[Trace]| last_common(lanes, &one.float);
        lines.push(
            Line::new(Figure::new(
                format!("AdExp {name}: time of the last common spike, mean error"),
                error(&one.ours[0].lanes),
                "ms",
                Gate::AtMost(2.0),
            ))
            .beside(format!("{:.2}", error(&one.published[0])), TRACES)
            .noted(format!(
                "to the nearest {:.1}, theirs {:.1}",
                error(&one.ours[1].lanes),
                error(&one.published[1])
            )),
        );
    }
    let body = html! {
        @for one in &measured { (drawn(one)) }
        h3 { "Spikes" }
        (spikes_table(&measured))
        p {
            "A lane's error is how far its last spike that float64 has too is from that, whichever is earlier; its mean is over "
            "32 lanes. The reference is Runge and Kutta's method in float64 in the same steps; NEST's own method fires a few "
            "tenths of a millisecond later. A neuron takes "
            (format!("{:.0}", measured.first().map_or(0.0, |one| one.ours[0].instructions)))
            " instructions a step, for 32 of them at once."
        }
    };
    Ok((lines, body))
}

fn patterns(text: &str) -> Result<Vec<Pattern>, Failure> {
    let all: BTreeMap<String, BTreeMap<String, f64>> = serde_json::from_str(text)?;
    // The order of the publication, which a map loses.
    let order =
        ["tonic", "adaptation", "initial burst", "transient spiking", "regular bursting", "delayed accelerating"];
    let pattern = |name: &str| {
        let values = all.get(name).ok_or_else(|| format!("there is no pattern `{name}`"))?;
        let get = |key: &str| values.get(key).copied().ok_or_else(|| format!("`{name}` has no `{key}`"));
        Ok(Pattern {
            name: name.to_owned(),
            c: get("c")?,
            g_l: get("g_l")?,
            e_l: get("e_l")?,
            v_t: get("v_t")?,
            delta_t: get("delta_t")?,
            a: get("a")?,
            tau_w: get("tau_w")?,
            i_offset: get("i_offset")?,
            b: get("b")?,
            v_r: get("v_r")?,
        })
    };
    order.into_iter().map(pattern).collect()
}

fn measured(pattern: &Pattern, options: &Options<'_>, seed: u64) -> Result<Measured, Failure> {
    let fenn = options.data("adexp/adexp_fenn.npz")?;
    let nest = options.data("adexp/adexp_nest.npz")?;
    let genn = options.data("adexp/adexp_genn.npz")?;
    let name = &pattern.name;
    let genn = numbers(&genn, &format!("{name}_spike_times"))?.len();
    let times = numbers(&nest, &format!("{name}_spike_times"))?;
    let nest = Trace {
        v: numbers(&nest, &format!("{name}_v"))?,
        spikes: times.iter().map(|time| (time / STEP).round() as usize).collect(),
    };
    let published = ["rs", "rn"].map(|rounding| published(&fenn, name, rounding));
    let [a, b] = published;
    let ours = ["stochastic", "nearest"].map(|rounding| pattern.rounded(rounding, seed, options));
    let [c, d] = ours;
    Ok(Measured { float: pattern.float(), pattern: pattern.clone(), nest, genn, ours: [c?, d?], published: [a?, b?] })
}

/// The published potentials and spikes of all lanes.
fn published(archive: &std::path::Path, name: &str, rounding: &str) -> Result<Vec<Trace>, Failure> {
    let v = numbers(archive, &format!("{name}_v_{rounding}"))?;
    let spikes = numbers(archive, &format!("{name}_spikes_{rounding}"))?;
    let of = |all: &[f64], lane: usize| -> Vec<f64> { all.iter().skip(lane).step_by(LANES).copied().collect() };
    Ok((0..LANES)
        .map(|lane| Trace {
            v: of(&v, lane).into_iter().map(|code| 100.0 * code / 2048.0).collect(),
            spikes: fired(of(&spikes, lane).into_iter().map(|spike| spike != 0.0)),
        })
        .collect())
}

fn fired(spikes: impl Iterator<Item = bool>) -> Vec<usize> {
    spikes.enumerate().filter_map(|(step, fires)| fires.then_some(step)).collect()
}

impl Pattern {
    /// Runge and Kutta's method in float64, in mV and nA.
    fn float(&self) -> Trace {
        let slopes = |v: f64, w: f64| {
            let leak = -self.g_l * (v - self.e_l);
            let rise = self.g_l * self.delta_t * ((v - self.v_t) / self.delta_t).exp();
            let dv = (leak + rise + self.i_offset / 1e3 - w) / self.c;
            let dw = (self.a / 1e3 * (v - self.e_l) - w) / self.tau_w;
            (dv, dw)
        };
        let (mut v, mut w) = (self.e_l, 0.0);
        let mut trace = Trace::default();
        for step in 0..STEPS {
            let (v1, w1) = slopes(v, w);
            let (v2, w2) = slopes(v + STEP / 2.0 * v1, w + STEP / 2.0 * w1);
            let (v3, w3) = slopes(v + STEP / 2.0 * v2, w + STEP / 2.0 * w2);
            let (v4, w4) = slopes(v + STEP * v3, w + STEP * w3);
            v += STEP / 6.0 * (v1 + 2.0 * v2 + 2.0 * v3 + v4);
            w += STEP / 6.0 * (w1 + 2.0 * w2 + 2.0 * w3 + w4);
            let fires = v > FIRES;
            trace.v.push(if fires { PEAK } else { v });
            if fires {
                trace.spikes.push(step);
                (v, w) = (self.v_r, w + self.b);
            }
        }
        trace
    }

    /// The network for `fenn-cc`. A slope is that of a membrane with a time constant of 1; the factors by which slopes are
    /// added up make good what rounding took from the step.
    fn description(&self, rounding: &str, seed: u64) -> String {
        let step = STEP * self.g_l / self.c;
        let step_w = STEP / self.tau_w;
        let fraction = |number: f64| (number * 32_768.0).round() / 32_768.0;
        let (good, good_w) = (step / fraction(step), step_w / fraction(step_w));
        let mut equations = String::new();
        let stages = [
            ("V", "W"),
            ("V + (Half * K1)", "W + (HalfW * L1)"),
            ("V + (Half * K2)", "W + (HalfW * L2)"),
            ("V + (Step * K3)", "W + (StepW * L3)"),
        ];
        for (stage, (v, w)) in (1..).zip(stages) {
            // Writing to a string cannot fail.
            let _ = write!(
                equations,
                "s4_11_sat_t V{stage} = {v};\ns4_11_sat_t W{stage} = {w};\n\
                 s6_9_sat_t X{stage} = (Steep * (V{stage} - Threshold)) + LogWidth;\n\
                 s4_11_sat_t K{stage} = Drive - V{stage} + exp_11(X{stage}) - (Wane * W{stage});\n\
                 s4_11_sat_t L{stage} = (Couple * (V{stage} - Rest)) - W{stage};\n"
            );
        }
        equations.push_str(
            "V += Step * ((Sixth * (K1 + K4)) + (Third * (K2 + K3)));\n\
             W += StepW * ((SixthW * (L1 + L4)) + (ThirdW * (L2 + L3)));\n\
             if (V > Fires) {\n    Spike();\n    V = Reset;\n    W += Jump;\n}\n",
        );
        let wide = [("Steep", 100.0 / self.delta_t), ("LogWidth", (self.delta_t / 100.0).ln())];
        let codes = [
            ("Threshold", self.v_t / 100.0),
            ("Rest", self.e_l / 100.0),
            ("Drive", self.e_l / 100.0 + self.i_offset / 1e5 / self.g_l),
            ("Couple", self.a),
            ("Fires", FIRES / 100.0),
            ("Reset", self.v_r / 100.0),
            ("Jump", 10.0 * self.b),
        ];
        let fractions = [
            ("Wane", 1e-3 / self.g_l),
            ("Step", step),
            ("StepW", step_w),
            ("Half", step / 2.0),
            ("HalfW", step_w / 2.0),
            ("Sixth", good / 6.0),
            ("Third", good / 3.0),
            ("SixthW", good_w / 6.0),
            ("ThirdW", good_w / 3.0),
        ];
        let mut parameters = String::new();
        for (kind, values) in [("s6_9_sat_t", &wide[..]), ("s4_11_sat_t", &codes), ("s0_15_t", &fractions)] {
            for (name, value) in values {
                let _ = writeln!(parameters, "{name} = {{ type = \"{kind}\", value = {value} }}");
            }
        }
        format!(
            "name = \"adexp\"\ntime_step_ms = {STEP}\nsteps = {STEPS}\nseed = {seed}\nrounding = \"{rounding}\"\n\n\
             # {} firing. V is in units of 100 mV, W in tenths of a nanoampere.\n[[population]]\nname = \"neurons\"\n\
             size = {LANES}\nevents = [\"Spike\"]\nequations = '''\n{equations}'''\n[population.variables]\n\
             V = {{ type = \"s4_11_sat_t\", initial = {} }}\nW = {{ type = \"s4_11_sat_t\" }}\n[population.parameters]\n\
             {parameters}\n[[output]]\npopulation = \"neurons\"\nevent = \"Spike\"\nreadout = \"count\"\n\n\
             [[record]]\npopulation = \"neurons\"\nvariable = \"V\"\n\n[[record]]\npopulation = \"neurons\"\nevent = \"Spike\"\n",
            self.name,
            self.e_l / 100.0
        )
    }

    /// Compiled and run.
    fn rounded(&self, rounding: &str, seed: u64, options: &Options<'_>) -> Result<Rounded, Failure> {
        let text = self.description(rounding, seed);
        let name = format!("adexp-{}-{rounding}.toml", self.name.replace(' ', "-"));
        fenn_isa::file::write_whole(&options.out.join(&name), text.as_bytes())?;
        let program = compiled(&described(&text, &name, options.out, None)?, &backend::Options::default())?;
        let mut session = session(&program.image)?;
        let run = session.run(&[], Limit::default())?;
        let recorded = session.recordings(0)?;
        let [Array::Values(v), spikes] = &recorded[..] else { return Err("V and Spike were to be recorded".into()) };
        let spikes = steps(spikes);
        let lanes = (0..LANES as u32).map(|lane| {
            let spikes = fired(spikes.iter().map(|fired| fired.contains(&lane)));
            let mut trace: Vec<f64> = v.of(lane).map(|code| 100.0 * f64::from(code) / 2048.0).collect();
            spikes.iter().for_each(|step| trace[*step] = PEAK);
            Trace { v: trace, spikes }
        });
        Ok(Rounded { lanes: lanes.collect(), instructions: run.finished.instructions as f64 / STEPS as f64 })
    }
}

/// Spikes, on average over lanes.
fn count(lanes: &[Trace]) -> f64 {
    lanes.iter().map(|lane| lane.spikes.len()).sum::<usize>() as f64 / lanes.len() as f64
}

/// How far the last spike that both have is off, in ms, on average over lanes.
fn last_common(lanes: &[Trace], float: &Trace) -> f64 {
    let error = |lane: &Trace| {
        let common = lane.spikes.len().min(float.spikes.len());
        common.checked_sub(1).map_or(f64::NAN, |last| STEP * lane.spikes[last].abs_diff(float.spikes[last]) as f64)
    };
    lanes.iter().map(error).sum::<f64>() / lanes.len() as f64
}

fn drawn(one: &Measured) -> Markup {
    let points = |v: &[f64]| v.iter().enumerate().map(|(step, v)| (STEP * step as f64, *v)).collect();
    let ours = one.ours[0].lanes.first().map_or(Vec::new(), |lane| points(&lane.v));
    curves(
        &one.pattern.name,
        Axis::linear("ms"),
        Axis::linear("mV"),
        &[
            Series::line("16 bits, rounded stochastically, lane 0", 0, ours),
            Series::line("NEST", 1, points(&one.nest.v)).marked(Mark::Dashed),
        ],
        "",
    )
}

fn spikes_table(measured: &[Measured]) -> Markup {
    let rows = measured.iter().map(|one| {
        let counts = |lanes: &[Trace]| format!("{:.1}", count(lanes));
        let errors = |lanes: &[Trace]| format!("{:.2}", last_common(lanes, &one.float));
        vec![
            one.pattern.name.clone(),
            one.float.spikes.len().to_string(),
            one.nest.spikes.len().to_string(),
            counts(&one.ours[0].lanes),
            counts(&one.published[0]),
            counts(&one.ours[1].lanes),
            counts(&one.published[1]),
            errors(&one.ours[0].lanes),
            errors(&one.published[0]),
            errors(&one.ours[1].lanes),
            errors(&one.published[1]),
        ]
    });
    table(
        &[
            "pattern",
            "float64",
            "NEST",
            "stochastic",
            "published",
            "nearest",
            "published",
            "ms off, stochastic",
            "published",
            "ms off, nearest",
            "published",
        ],
        &rows.collect::<Vec<_>>(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(spikes: &[usize]) -> Trace {
        Trace { v: Vec::new(), spikes: spikes.to_vec() }
    }

    #[test]
    fn the_last_common_spike_is_the_earlier_ones_last() {
        let float = trace(&[10, 20, 30]);
        assert!((last_common(&[trace(&[11, 25])], &float) - 0.5).abs() < 1e-12);
        assert!((last_common(&[trace(&[10, 20, 27, 40]), trace(&[10])], &float) - 0.15).abs() < 1e-12);
        assert!(last_common(&[trace(&[])], &float).is_nan(), "which no gate lets pass");
    }
}
