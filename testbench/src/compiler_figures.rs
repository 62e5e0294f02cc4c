//! The compiler's figures: what its code costs beside the published system's, and what its networks compute beside float64.
//!
//! Contract: as in [`crate::keystone`]. Costs are those of the simulator under the profile `fenn`. Event processing is the code
//! that the program's symbols call `propagate_…`, the neuron update that of `update_…`.

use std::collections::BTreeMap;
use std::path::Path;

use fenn_host::dataset::Spike;
use fenn_host::device::Limit;
use fenn_host::session::Session;
use fenn_host::session::array::Array;
use fenn_host::sim::Simulator;
use fenn_isa::image::Image;
use fenn_isa::memory::Space;
use fenn_isa::timing::FENN;
use fenn_iss::observe::{Cost, Profiler};
use fenn_iss::{Limits, Machine, Options};
use rand_pcg::Pcg32;
use rand_pcg::rand_core::SeedableRng;

use crate::bad_input;
use crate::figure::{Figure, Gate};
use crate::graph_comparison::{CORRELATION, COUNT_PERCENT, ROUNDING, Report, Survey, compare_file, correlation};
use crate::nir_reference::{self, Reset, Settings};
use crate::part::{Failure, OUT, Part, needed};
use crate::random::below;
use crate::random_graphs::Case;
use crate::shared::root;
use crate::shd;
use crate::tools::{ToolError, json, measured, number, run};
use crate::vogels_abbott_network::{Connectivity, RECORDED, STEPS, Spikes, array, recorded_spikes};

/// Of everything random here but the graphs, whose seeds count from 0.
const SEED: u64 = 6;

/// All parts, in the order in which they are shown.
pub const PARTS: [Part; 9] = [
    Part::new("MNIST", true, mnist),
    Part::new("Vogels-Abbott", true, vogels_abbott),
    Part::new("spoken digits", true, spoken_digits),
    Part::new("spoken digits with delays", true, delays),
    Part::new("Braille", true, braille),
    Part::new("N-MNIST", true, convolutional),
    Part::new("random graphs", false, random_graphs),
    Part::new("compile time", true, compile_time),
    Part::new("errors", false, errors),
];

fn noted(mut figure: Figure, note: impl Into<String>) -> Figure {
    figure.note = note.into();
    figure
}

/// Compiles the description at `network` with these options.
fn compile(network: &str, name: &str, options: &[&str]) -> Result<Image, Failure> {
    let elf = format!("{OUT}/{name}.elf");
    run("fenn-cc", &[&[network, "-o", &elf], options].concat())?;
    Ok(Image::read(root().join(elf))?)
}

/// Instructions per image; the published program takes 28,879.
fn mnist() -> Result<Vec<Figure>, Failure> {
    let (images, labels) = (needed("mnist/t10k-images-idx3-ubyte.gz")?, needed("mnist/t10k-labels-idx1-ubyte.gz")?);
    compile("programs/mnist/network.toml", "mnist", &["--allow-outside"])?;
    let elf = format!("{OUT}/mnist.elf");
    let (images, labels) = (images.to_string_lossy().into_owned(), labels.to_string_lossy().into_owned());
    let answer = json("fenn-run", &[&elf, "--data", &images, "--labels", &labels])?;
    Ok(vec![
        noted(
            Figure::new(
                "MNIST: instructions per image",
                number(&answer, "/instructions/mean")?,
                "",
                Gate::AtMost(16_000.0),
            ),
            format!("{} images; the published program takes 28,879", number(&answer, "/samples")?),
        ),
        Figure::new("MNIST: correct of 10,000", number(&answer, "/correct")?, "", Gate::Exactly(9591.0)),
    ])
}

/// What the code of a program cost, by what its symbols begin with.
#[derive(Debug, Clone, Copy, Default)]
struct Phases {
    /// `propagate_…`
    events: Cost,
    /// `update_…`
    neurons: Cost,
    /// Everything.
    total: Cost,
}

/// Runs a program that takes no input and reckons its phases.
fn phases(image: &Image) -> Result<Phases, Failure> {
    let mut machine = Machine::from_image(image, Options { profile: FENN, ..Options::default() })?;
    let mut profiler = Profiler::new();
    let outcome = machine.run(Limits { instructions: Some(1_000_000_000), ..Limits::NONE }, &mut profiler);
    if !outcome.stop.is_end() {
        return Err(format!("the program did not end: {}", outcome.stop).into());
    }
    let report = profiler.report(image);
    let mut phases = Phases { total: report.total, ..Phases::default() };
    for symbol in &report.symbols {
        let name = symbol.name.as_deref().unwrap_or_default();
        if name.starts_with("propagate") {
            phases.events.add(&symbol.cost);
        } else if name.starts_with("update") {
            phases.neurons.add(&symbol.cost);
        }
    }
    Ok(phases)
}

/// A row of the published measurements.
struct Published {
    /// Spikes of excitatory and inhibitory neurons.
    spikes: [f64; 2],
    /// Cycles of neuron update and event processing.
    cycles: [f64; 2],
    /// Places of a row, for each source both targets together.
    strides: [f64; 2],
}

/// The row of a table for so many excitatory neurons, with weights in DRAM or not, dense or not.
fn published(table: &str, neurons: usize, dram: bool, dense: bool) -> Result<Published, Failure> {
    let word = |is: bool| if is { "True" } else { "False" };
    let start = format!("{neurons},{},{},0.1,", word(dram), word(dense));
    let header: Vec<&str> = table.lines().next().unwrap_or_default().split(',').collect();
    let row = table.lines().find(|line| line.starts_with(&start)).ok_or_else(|| format!("no row {start}"))?;
    let row: Vec<&str> = row.split(',').collect();
    let get = |column: &str| -> Result<f64, Failure> {
        let index = header.iter().position(|name| *name == column).ok_or_else(|| format!("no column {column}"))?;
        Ok(row.get(index).ok_or("a row is too short")?.trim().parse()?)
    };
    Ok(Published {
        spikes: [get("Num excitatory spikes")?, get("Num inhibitory spikes")?],
        cycles: [get("Num neuron update cycles")?, get("Num event processing cycles")?],
        strides: [get("EE stride")? + get("EI stride")?, get("II stride")? + get("IE stride")?],
    })
}

/// The published network in six arrangements, as the board was measured in.
fn vogels_abbott() -> Result<Vec<Figure>, Failure> {
    let table = std::fs::read_to_string(needed("published/va_benchmark_device.csv")?)?;
    let archive = needed("golden/va_256.npz")?;
    let recorded = Connectivity::recorded(&archive)?;
    let expected = recorded.spikes();
    let gone = missing(&expected, &recorded_spikes(&archive)?);
    let mut figures = vec![Figure::new(
        "Vogels-Abbott 256: spikes of the reference that are not those recorded",
        gone as f64,
        "",
        Gate::Exactly(0.0),
    )];
    let other = Connectivity::random(1024, SEED);
    let networks = [(RECORDED, &recorded, expected), (1024, &other, other.spikes())];
    for (neurons, connectivity, _) in &networks {
        let folder = format!("out/vogels-abbott/{neurons}");
        connectivity.write(&root().join(&folder))?;
        let text = connectivity.description(".");
        fenn_isa::file::write_whole(&root().join(&folder).join("network.toml"), text.as_bytes())?;
    }
    for (index, dram, dense) in
        [(0, false, true), (0, false, false), (0, true, true), (0, true, false), (1, true, true), (1, true, false)]
    {
        let (neurons, _, spikes) = &networks[index];
        let layout = if dense { "dense" } else { "sparse" };
        let memory = if dram { "dram" } else { "vector" };
        let name = format!("Vogels-Abbott {neurons}, {layout}, {memory}");
        let published = published(&table, *neurons, dram, dense)?;
        match arrangement(*neurons, spikes, memory, layout) {
            Ok(measured) => figures.extend(compared(&name, &measured, &published, spikes)),
            Err(error) => figures.push(Figure::unmeasured(name, Gate::None, error)),
        }
    }
    Ok(figures)
}

/// What a program cost, and how many of its spikes are not what they should be.
struct Arrangement {
    phases: Phases,
    wrong: usize,
}

fn arrangement(neurons: usize, spikes: &Spikes, memory: &str, layout: &str) -> Result<Arrangement, Failure> {
    let network = format!("out/vogels-abbott/{neurons}/network.toml");
    let name = format!("va-{neurons}-{layout}-{memory}");
    // The larger network's spikes of all steps are more than the board has room for.
    let options = ["--weights", memory, "--rows", layout, "--scalar-kib", "256"];
    let image = compile(&network, &name, &options)?;
    let mut session = Session::open(Simulator::new(image.config)?, &image)?;
    session.run(&[], Limit::default())?;
    let mut found: Spikes = Default::default();
    let populations: Vec<String> = session.manifest().recordings.iter().map(|r| r.population.clone()).collect();
    for (population, array) in populations.iter().zip(session.recordings(0)?) {
        if let Array::Spikes(array) = array {
            found[usize::from(population == "I")] =
                (0..array.steps).map(|step| array.in_step(step).collect()).collect();
        }
    }
    Ok(Arrangement { phases: phases(&image)?, wrong: missing(spikes, &found) })
}

/// Spikes that only one of them has.
fn missing(a: &Spikes, b: &Spikes) -> usize {
    let mut differences = 0;
    for (a, b) in a.iter().zip(b) {
        for step in 0..a.len().max(b.len()) {
            let empty = Vec::new();
            let (a, b) = (a.get(step).unwrap_or(&empty), b.get(step).unwrap_or(&empty));
            differences += a.iter().filter(|neuron| !b.contains(neuron)).count();
            differences += b.iter().filter(|neuron| !a.contains(neuron)).count();
        }
    }
    differences
}

fn compared(name: &str, measured: &Arrangement, published: &Published, spikes: &Spikes) -> Vec<Figure> {
    let Arrangement { phases: Phases { events, neurons, total }, wrong } = measured;
    let work = |spikes: [f64; 2]| spikes[0] * published.strides[0] + spikes[1] * published.strides[1];
    let ours = [spikes[0].concat().len() as f64, spikes[1].concat().len() as f64];
    // Their row lengths stand for both: a layout with shorter rows is the compiler's gain.
    let scaled = published.cycles[1] * work(ours) / work(published.spikes);
    let update = neurons.cycles as f64 / published.cycles[0];
    let event = events.cycles as f64 / scaled;
    let rest = total.cycles - neurons.cycles - events.cycles;
    vec![
        noted(
            Figure::new(format!("{name}: neuron update, of the published cycles"), update, "", Gate::AtMost(0.92)),
            format!("{} of {} cycles, {} instructions", neurons.cycles, published.cycles[0], neurons.instructions),
        ),
        noted(
            Figure::new(format!("{name}: event processing, of the published cycles"), event, "", Gate::AtMost(0.85)),
            format!(
                "{} of {scaled:.0} cycles for {} and {} spikes; {rest} cycles are in neither",
                events.cycles, ours[0], ours[1]
            ),
        ),
        noted(
            Figure::new(format!("{name}: spikes that differ"), *wrong as f64, "", Gate::Exactly(0.0)),
            format!("of {} in {STEPS} steps", ours[0] + ours[1]),
        ),
    ]
}

/// A run of a spoken-digit network on the published sample.
struct Spoken {
    instructions: u64,
    class: usize,
    hidden: Vec<Vec<u32>>,
}

fn spoken(image: &Image, inputs: &[Vec<u32>]) -> Result<Spoken, Failure> {
    let mut session = Session::open(Simulator::new(image.config)?, image)?;
    let steps = inputs.iter().zip(0..);
    let spikes = steps.flat_map(|(units, step)| units.iter().map(move |unit| Spike { step, unit: *unit }));
    let mut spikes: Vec<Spike> = spikes.collect();
    spikes.sort_unstable();
    let run = session.run(&spikes, Limit::default())?;
    let hidden = session.recordings(0)?.into_iter().find_map(|array| match array {
        Array::Spikes(array) => Some((0..array.steps).map(|step| array.in_step(step).collect()).collect()),
        Array::Values(_) => None,
    });
    let class = run.outputs.first().map_or(0, fenn_host::session::readout::Result::class) as usize;
    Ok(Spoken { instructions: run.finished.instructions, class, hidden: hidden.unwrap_or_default() })
}

/// The network without delays: what it costs beside the published code for the same spikes.
fn spoken_digits() -> Result<Vec<Figure>, Failure> {
    let inputs = shd::sample(&needed("shd/shd_input_spikes_1.csv")?)?;
    let float = shd::Network::without_delays(&needed("shd/lif")?)?.run(&inputs);
    // Without recording, as the published program, and once more with, which wants more memory.
    let plain = spoken(&compile("programs/shd/lif.toml", "shd-lif", &["--allow-outside"])?, &inputs)?;
    let options = ["--allow-outside", "--record", "spikes", "--scalar-kib", "512"];
    let recorded = spoken(&compile("programs/shd/lif.toml", "shd-lif-recorded", &options)?, &inputs)?;
    let hidden = recorded.hidden.concat().len();
    let spikes = inputs.concat().len();
    let theirs = (69 * spikes + 71 * hidden + 267 * shd::STEPS) as f64;
    let off = 100.0 * (hidden as f64 - float.count() as f64) / float.count() as f64;
    Ok(vec![
        noted(
            Figure::new(
                "spoken digits: instructions, of the published",
                plain.instructions as f64 / theirs,
                "",
                Gate::AtMost(0.8),
            ),
            format!(
                "{} of {theirs}: {spikes} input spikes, {hidden} hidden ones, {} steps",
                plain.instructions,
                shd::STEPS
            ),
        ),
        Figure::new("spoken digits: class", plain.class as f64, "", Gate::Exactly(18.0)),
        Figure::new("spoken digits: class of the float reference", float.class() as f64, "", Gate::Exactly(18.0)),
        noted(
            Figure::new("spoken digits: hidden spikes against float", off, "%", Gate::Between(-2.5, 2.5)),
            format!("{hidden} instead of {}", float.count()),
        ),
    ])
}

/// The network with a delay at every synapse, in 16 bits and in float64.
fn delays() -> Result<Vec<Figure>, Failure> {
    let inputs = shd::sample(&needed("shd/shd_input_spikes_1.csv")?)?;
    let network = shd::Network::with_delays(&needed("shd/delays")?)?;
    let float = network.run(&inputs);
    // How far the float network is from itself, for the reader of the first figure.
    let counts: Vec<usize> = (0..8).map(|seed| network.moved(ROUNDING, seed).run(&inputs).count()).collect();
    let itself = format!(
        "{} to {} in float with weights moved by 1/1024 of the largest",
        counts.iter().min().unwrap_or(&0),
        counts.iter().max().unwrap_or(&0)
    );
    let options = ["--allow-outside", "--record", "spikes", "--scalar-kib", "512"];
    let fixed = spoken(&compile("programs/shd/delays.toml", "shd-delays", &options)?, &inputs)?;
    let counts = |steps: &[Vec<u32>]| {
        let mut counts = vec![0.0; shd::HIDDEN];
        steps.iter().flatten().for_each(|neuron| counts[*neuron as usize] += 1.0);
        counts
    };
    let hidden = fixed.hidden.concat().len() as f64;
    let off = 100.0 * (hidden - float.count() as f64).abs() / float.count() as f64;
    let r = correlation(&float.counts(), &counts(&fixed.hidden)).unwrap_or(f64::NAN);
    Ok(vec![
        noted(
            Figure::new("spoken digits with delays: hidden spikes off float", off, "%", Gate::AtMost(0.5)),
            format!("{hidden} instead of {}; {itself}", float.count()),
        ),
        Figure::new("spoken digits with delays: correlation of counts per neuron", r, "", Gate::AtLeast(0.995)),
        noted(
            Figure::new("spoken digits with delays: class", fixed.class as f64, "", Gate::None),
            format!("{} in float, two classes being nearly equal", float.class()),
        ),
        Figure::new("spoken digits with delays: instructions", fixed.instructions as f64, "", Gate::None),
    ])
}

/// A folder below the figures' own.
fn folder(name: &str) -> Result<std::path::PathBuf, Failure> {
    let folder = root().join(OUT).join(name);
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// A published graph, both ways.
fn of_file(name: &str, path: &Path, case: &Case, options: &[&str]) -> Result<Vec<Figure>, Failure> {
    let report = compare_file(case, path, &folder(&name.replace(' ', "-"))?, options);
    let Report { units, failures, instructions, .. } = &report;
    let spikes: usize = units.iter().map(|unit| unit.expected).sum();
    let off: usize = units.iter().map(|unit| unit.mismatches).sum();
    let failing = Figure::new(format!("{name}: reasons against it"), failures.len() as f64, "", Gate::Exactly(0.0));
    let mut figures = vec![noted(failing, failures.join("; ").replace('\n', " "))];
    for unit in units {
        let percent = 100.0 * (unit.found as f64 - unit.expected as f64) / (unit.expected as f64).max(1.0);
        let correlation = unit.correlation.map_or_else(|| "no".to_owned(), |r| format!("{r:.4}"));
        figures.push(noted(
            Figure::new(format!("{name}: spikes of {} against float", unit.name), percent, "%", Gate::None),
            format!("{} instead of {}; correlation {correlation}", unit.found, unit.expected),
        ));
    }
    if !units.is_empty() {
        let note = format!("{spikes} spikes, {off} steps and neurons off");
        let figure = Figure::new(format!("{name}: instructions"), *instructions as f64, "", Gate::None);
        figures.push(noted(figure, note));
    }
    Ok(figures)
}

/// Both published graphs on the published sample.
fn braille() -> Result<Vec<Figure>, Failure> {
    let text = std::fs::read_to_string(needed("nir/braille/sample0.csv")?)?;
    let mut inputs = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        inputs.push(line.split(',').map(|field| Ok(field.trim().parse()?)).collect::<Result<Vec<f64>, Failure>>()?);
    }
    let mut figures = Vec::new();
    for (name, file, reset) in [
        ("Braille subtract", "braille_noDelay_noBias_subtract.nir", Reset::DelayedSubtract),
        ("Braille zero", "braille_noDelay_bias_zero.nir", Reset::Value),
    ] {
        let path = needed(&format!("nir/braille/{file}"))?;
        let case = Case {
            graph: nir_reference::read(&path)?,
            settings: Settings { reset, ..Settings::new(1e-4) },
            inputs: vec![inputs.clone()],
            // There is no other sample.
            calibration: vec![inputs.clone()],
            exact: false,
        };
        figures.extend(of_file(name, &path, &case, &[])?);
    }
    Ok(figures)
}

/// The published convolutional network on random events: one in fifty pixels in each of 100 steps.
fn convolutional() -> Result<Vec<Figure>, Failure> {
    const PIXELS: usize = 2 * 34 * 34;
    let path = needed("nir/cnn/cnn_sinabs.nir")?;
    let mut source = Pcg32::seed_from_u64(SEED);
    let mut events = || -> Vec<Vec<f64>> {
        let mut pixel = || f64::from(u8::from(below(&mut source, 50) == 0));
        (0..100).map(|_| (0..PIXELS).map(|_| pixel()).collect()).collect()
    };
    let (inputs, calibration) = (vec![events()], vec![events()]);
    // It was trained with this reset, and with no other unit of time than its step.
    let settings = Settings { reset: Reset::Subtract, ..Settings::new(1.0) };
    let case = Case { graph: nir_reference::read(&path)?, settings, inputs, calibration, exact: false };
    // More than the board has for the spikes of all 8,970 neurons in all steps.
    of_file("N-MNIST", &path, &case, &["--scalar-kib", "256"])
}

/// Two hundred of them.
fn random_graphs() -> Result<Vec<Figure>, Failure> {
    const GRAPHS: u64 = 200;
    let survey = Survey::new(0..GRAPHS, &[])?;
    let passing = GRAPHS as usize - survey.failures().count();
    let (mut spikes, mut off, mut exact, mut spread) = (0, 0, 0, 0);
    let mut kinds: BTreeMap<&'static str, usize> = BTreeMap::new();
    for (_, report) in survey.reports.iter().filter(|(_, report)| report.passes()) {
        exact += usize::from(report.exact);
        spread += usize::from(report.judged_by_spread);
        for unit in &report.units {
            spikes += unit.expected;
            off += unit.mismatches;
        }
        report.kinds.keys().for_each(|kind| *kinds.entry(kind).or_default() += 1);
    }
    let reasons: Vec<String> =
        survey.reasons().iter().map(|(reason, seeds)| format!("{} times {reason}", seeds.len())).collect();
    let gate =
        format!("spikes of each population within {COUNT_PERCENT} %, counts per neuron correlating with {CORRELATION}");
    Ok(vec![
        noted(
            Figure::new("random graphs: within the gate", passing as f64, "of 200", Gate::Exactly(200.0)),
            if reasons.is_empty() { format!("seeds 0 to 199; {gate}") } else { reasons.join("; ") },
        ),
        Figure::new("random graphs: kinds of nodes in those", kinds.len() as f64, "", Gate::AtLeast(19.0)),
        noted(
            Figure::new("random graphs: spikes compared", spikes as f64, "", Gate::AtLeast(50_000.0)),
            format!(
                "{off} steps and neurons off; {exact} graphs have to be exact, and are; {spread} are as far off as float from itself"
            ),
        ),
    ])
}

/// From start to end of `fenn-cc`, and the most memory it had.
fn compile_time() -> Result<Vec<Figure>, Failure> {
    const SOURCES: usize = 2442;
    const TARGETS: usize = 4096;
    needed("mnist/mnist_in_hid.bin")?;
    let (mnist, _) = measured("fenn-cc", &["programs/mnist/network.toml", "--allow-outside", "--check"])?;
    let folder = folder("large")?;
    let mut source = Pcg32::seed_from_u64(SEED);
    let weights: Vec<i16> = (0..SOURCES * TARGETS).map(|_| below(&mut source, 2000) as i16 - 900).collect();
    array(&folder.join("weights.npy"), &[SOURCES, TARGETS], &weights)?;
    let text = format!(
        "name = \"large\"\nsteps = 100\n\n[[input]]\nname = \"in\"\nsize = {SOURCES}\n\n[[population]]\nname = \"out\"\n\
         size = {TARGETS}\nevents = [\"Spike\"]\nequations = '''\nV = (Alpha * V) + I;\nI = 0.0h8;\n\
         if (V >= 1.0h8) {{ Spike(); V = 0.0h8; }}\n'''\nvariables.V = {{ type = \"s7_8_sat_t\" }}\n\
         variables.I = {{ type = \"s7_8_sat_t\" }}\nparameters.Alpha = {{ type = \"s0_15_t\", value = 0.9 }}\n\n\
         [[projection]]\nname = \"in_out\"\nsource = \"in\"\ntarget = \"out.I\"\nweights = {{ file = \"weights.npy\" }}\n\n\
         [[output]]\npopulation = \"out\"\nevent = \"Spike\"\nreadout = \"count\"\n"
    );
    let network = folder.join("network.toml");
    fenn_isa::file::write_whole(&network, text.as_bytes())?;
    let elf = folder.join("large.elf");
    let arguments = [&*network.to_string_lossy(), "-o", &*elf.to_string_lossy()];
    let mut figures = vec![Figure::new("compile time: MNIST", mnist.as_secs_f64(), "s", Gate::AtMost(1.0))];
    match measured("fenn-cc", &arguments) {
        Ok((large, memory)) => {
            let image = Image::read(&elf)?;
            let bytes: usize = image
                .segments
                .iter()
                .filter(|segment| segment.space == Space::Dram)
                .map(|segment| segment.bytes.len())
                .sum();
            figures.push(noted(
                Figure::new(
                    "compile time: 4,096 neurons, 10 million synapses",
                    large.as_secs_f64(),
                    "s",
                    Gate::AtMost(20.0),
                ),
                format!("{} synapses, {bytes} bytes of DRAM", SOURCES * TARGETS),
            ));
            let gib = memory as f64 / f64::from(1 << 30);
            figures.push(Figure::new("compile time: memory for that", gib, "GiB", Gate::AtMost(4.0)));
        }
        Err(error) => {
            figures.push(Figure::unmeasured(
                "compile time: 4,096 neurons, 10 million synapses",
                Gate::AtMost(20.0),
                error,
            ));
        }
    }
    Ok(figures)
}

/// Every mistake of the table, made.
fn errors() -> Result<Vec<Figure>, Failure> {
    let cases = bad_input::compiler_cases(&root().join(OUT)).map_err(|error| ToolError(error.to_string()))?;
    let total = cases.len() as f64;
    let wrong: Vec<String> = cases.iter().filter_map(|case| case.check().err()).collect();
    let figure = Figure::new(
        "errors: mistakes with one clear message and its exit code",
        total - wrong.len() as f64,
        "",
        Gate::Exactly(total),
    );
    Ok(vec![noted(figure, wrong.join("; ").replace('\n', " "))])
}
