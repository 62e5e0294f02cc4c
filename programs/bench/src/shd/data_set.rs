//! The user's copy of the data set: accuracy in 16 bits and in float64.
//!
//! Contract: `shd/shd_test.h5` among the reference data, as its authors give it out, is run through every network; without it there is
//! a line that says so, and no gate. Samples are independent but for the adaptive network, whose adaptation is carried from
//! sample to sample in both.

use fenn_host::dataset::{Dataset, Selection, Shape};
use fenn_host::evaluate::{self, evaluate};
use fenn_host::sim::Simulator;
use fenn_isa::image::Image;
use fenn_testbench::figure::{Figure, Gate};
use fenn_testbench::shd::{HIDDEN, STEPS};
use rayon::prelude::*;

use super::{Float, Kind};
use crate::program::{Failure, Line, Options};

const FILE: &str = "shd/shd_test.h5";
/// Samples that are run at the size for tests.
const SMALL: usize = 20;
/// The most that 16 bits may lose, in points.
const LOSS: f64 = 0.5;

/// A line for each network, or one that says that there are no samples.
pub(super) fn lines(kinds: &[Kind], options: &Options<'_>) -> Result<Vec<Line>, Failure> {
    let Ok(path) = options.data(FILE) else {
        let figure = Figure::new("samples of a data set of your own", 0.0, "", Gate::None);
        return Ok(vec![
            Line::new(figure).noted(format!("there is no {FILE} among the data; accuracy cannot be told without it")),
        ]);
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(options.jobs).build()?;
    let mut lines = Vec::new();
    for kind in kinds {
        let image = kind.image(options)?;
        let manifest = image.manifest.as_ref().ok_or("the program has no manifest")?;
        let limit = options.small.then_some(SMALL);
        let dataset = Dataset::read(&path, None, &Shape::from(manifest), Selection { limit, ..Selection::default() })?;
        let float = pool.install(|| correct_in_float(&kind.float(options)?, &dataset))?;
        lines.extend(compared(*kind, &image, &dataset, float, options)?);
    }
    Ok(lines)
}

/// How many samples float64 gives their label.
fn correct_in_float(network: &Float, dataset: &Dataset) -> Result<usize, Failure> {
    let labels = dataset.labels().ok_or("the data set has no labels")?;
    let inputs = |sample: usize| {
        let mut steps = vec![Vec::new(); STEPS];
        dataset.spikes(sample).iter().for_each(|spike| steps[spike.step as usize].push(spike.unit));
        steps
    };
    let right = |class: usize, sample: usize| class == labels[sample] as usize;
    Ok(match network {
        Float::Lif(network) => {
            let samples = (0..dataset.len()).into_par_iter();
            samples.filter(|sample| right(network.run(&inputs(*sample)).class(), *sample)).count()
        }
        Float::Adaptive(network) => {
            let mut adaptation = [0.0; HIDDEN];
            let mut run = |sample: usize| network.run(&inputs(sample), &mut adaptation).class();
            (0..dataset.len()).filter(|sample| right(run(*sample), *sample)).count()
        }
    })
}

fn compared(
    kind: Kind,
    image: &Image,
    dataset: &Dataset,
    float: usize,
    options: &Options<'_>,
) -> Result<Vec<Line>, Failure> {
    let chosen = evaluate::Options { jobs: options.jobs, ..evaluate::Options::default() };
    let evaluation = evaluate(image, dataset, || Simulator::new(image.config), chosen, |_| ())?;
    let score = evaluation.score.as_ref().ok_or("the data set has no labels")?;
    let percent = |correct: usize| 100.0 * correct as f64 / dataset.len() as f64;
    let (ours, float) = (percent(score.correct), percent(float));
    let name = |what: &str| format!("data set, {}: {what}", kind.name());
    let late = dataset.late();
    let accuracy = Line::new(Figure::new(name("accuracy"), ours, "%", Gate::None)).noted(format!(
        "{} samples; {} spikes of {} of them come after the run",
        dataset.len(),
        late.spikes,
        late.samples
    ));
    let accuracy = match kind {
        Kind::Delays => accuracy.beside("90.32", "FeNN-DMA, arXiv 2511.00732, another network with delays"),
        _ => accuracy,
    };
    // A sample of an adaptive network begins where the one before it ended, so that small differences go on.
    let gate = if kind == Kind::Adaptive || options.small { Gate::None } else { Gate::AtMost(LOSS) };
    Ok(vec![
        accuracy,
        Line::new(Figure::new(name("points lost against float64"), float - ours, "", gate))
            .noted(format!("float64 {float:.2} %")),
        Line::new(Figure::new(name("cycles per sample"), evaluation.cycles.mean(), "", Gate::None)),
    ])
}
