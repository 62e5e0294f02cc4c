//! Sessions and evaluations against counts made here, on a program written by hand.

mod support;

use std::sync::Mutex;
use std::time::Duration;

use fenn_host::dataset::{Dataset, Spike};
use fenn_host::device::{Device, Finished, Limit};
use fenn_host::error::{DeviceError, EvaluateError, Exceeded, SessionError};
use fenn_host::evaluate::{Evaluation, Options, evaluate};
use fenn_host::session::Session;
use fenn_host::session::array::Array;
use fenn_host::sim::Simulator;
use fenn_isa::image::manifest::{Data, Readout, StatePolicy, Window};
use fenn_isa::image::{Image, Segment};
use fenn_isa::memory::{MachineConfig, Space};
use fenn_isa::timing::FUNCTIONAL;
use support::{STEPS, UNITS, counts, image, samples};

/// A simulator whose cycles can be counted by hand: one for every instruction.
fn simulator(config: MachineConfig) -> Result<Simulator, DeviceError> {
    Simulator::with_options(
        config,
        fenn_iss::Options { strict: false, profile: FUNCTIONAL, ..fenn_iss::Options::default() },
    )
}

fn open(image: &Image) -> Session<Simulator> {
    Session::open(simulator(image.config).unwrap(), image).unwrap()
}

fn run(image: &Image, dataset: &Dataset, options: Options) -> Result<Evaluation, EvaluateError> {
    evaluate(image, dataset, || simulator(image.config), options, |_| ())
}

#[test]
fn readouts_are_those_of_the_spikes_given() {
    for sample in samples(40) {
        let counts = counts(&sample);
        // The sums after step t.
        let sums = |t| support::counts(&sample.iter().copied().filter(|s| s.step <= t).collect::<Vec<_>>());
        let totals: Vec<i64> = (0..UNITS as usize).map(|unit| (0..STEPS).map(|t| sums(t)[unit]).sum()).collect();
        let cases = [
            (Readout::Last, &counts, 1.0 / 16.0),
            (Readout::Max, &counts, 1.0 / 16.0),
            (Readout::Mean, &totals, 1.0 / 16.0 / f64::from(STEPS)),
            (Readout::Count, &counts, 1.0),
        ];
        for (readout, codes, unit) in cases {
            let result = open(&image(StatePolicy::Reset, readout)).run(&sample, Limit::default()).unwrap();
            let [output] = &result.outputs[..] else { panic!("one output") };
            assert_eq!(&output.codes, codes, "{readout:?} of {sample:?}");
            let scores: Vec<f64> = codes.iter().map(|code| *code as f64 * unit).collect();
            assert_eq!(output.scores, scores, "{readout:?}");
            let first_greatest = codes.iter().position(|code| code == codes.iter().max().unwrap()).unwrap();
            assert_eq!(output.class() as usize, first_greatest);
            // 6 before the loop, 14 in each turn.
            assert_eq!(result.finished, Finished { instructions: 6 + 14 * 4, cycles: 6 + 14 * 4 });
        }
    }
}

#[test]
fn recordings_are_what_happened() {
    let sample = &samples(3)[2];
    let mut session = open(&image(StatePolicy::Reset, Readout::Last));
    session.run(sample, Limit::default()).unwrap();
    let recordings = session.recordings(0).unwrap();
    let [Array::Spikes(spikes), Array::Values(values)] = &recordings[..] else { panic!("spikes, then values") };
    let mut expected: Vec<(u32, u32)> = sample.iter().map(|spike| (spike.step, spike.unit)).collect();
    expected.sort_unstable();
    expected.dedup();
    assert_eq!(spikes.all().collect::<Vec<_>>(), expected);
    for unit in 0..UNITS {
        let sum = |step| expected.iter().filter(|(s, u)| *s <= step && *u == unit).count() as i16;
        assert_eq!(values.of(unit).collect::<Vec<_>>(), (0..STEPS).map(sum).collect::<Vec<_>>());
    }
}

#[test]
fn carried_state_begins_at_init_and_goes_on() {
    let samples = samples(20);
    let mut session = open(&image(StatePolicy::Carried, Readout::Last));
    let mut sums = vec![0; UNITS as usize];
    for sample in &samples {
        let result = session.run(sample, Limit::default()).unwrap();
        sums.iter_mut().zip(counts(sample)).for_each(|(sum, count)| *sum += count);
        assert_eq!(result.outputs[0].codes, sums);
    }
}

#[test]
fn evaluations_are_the_same_for_any_number_of_workers() {
    for state in [StatePolicy::Reset, StatePolicy::Carried] {
        // Enough that a worker takes many at once.
        let (image, samples) = (image(state, Readout::Last), samples(3000));
        let labels = samples.iter().enumerate().map(|(index, _)| index as u32 % UNITS).collect();
        let dataset = Dataset::new(samples, Some(labels));
        let evaluation = |jobs| {
            let options = Options { jobs, capture: Some(17), ..Options::default() };
            let mut evaluation = run(&image, &dataset, options).unwrap();
            assert_eq!(evaluation.jobs, if state == StatePolicy::Reset { jobs } else { 1 });
            (evaluation.jobs, evaluation.wall) = (0, Duration::ZERO);
            evaluation
        };
        let one = evaluation(1);
        assert_eq!(one.samples.len(), 3000);
        assert_eq!(one, evaluation(2));
        assert_eq!(one, evaluation(7));
    }
}

#[test]
fn scores_are_counted() {
    let image = image(StatePolicy::Reset, Readout::Count);
    let one = |unit| vec![Spike { step: 0, unit }];
    // No spike at all is class 0, the first of equals.
    let dataset = Dataset::new([one(1), one(1), one(4), vec![]], Some(vec![1, 2, 4, 0]));
    let evaluation = run(&image, &dataset, Options::default()).unwrap();
    let score = evaluation.score.as_ref().unwrap();
    assert_eq!((score.correct, score.samples, score.accuracy()), (3, 4, 0.75));
    assert_eq!((score.row(2), score.count(2, 1)), (vec![0, 1, 0, 0, 0], 1));
    assert_eq!(score.confusion.values().sum::<usize>(), 4);
    let spread = evaluation.instructions;
    assert_eq!((spread.min, spread.max, spread.total, spread.mean()), (62, 62, 248, 62.0));
}

#[test]
fn progress_counts_every_sample() {
    let image = image(StatePolicy::Reset, Readout::Count);
    let dataset = Dataset::new(samples(30), None);
    let seen = Mutex::new(Vec::new());
    let options = Options { jobs: 3, ..Options::default() };
    let open = || simulator(image.config);
    evaluate(&image, &dataset, open, options, |done| seen.lock().unwrap().push(done)).unwrap();
    let mut seen = seen.into_inner().unwrap();
    seen.sort_unstable();
    // After each turn of a worker, the first of which is one sample.
    assert_eq!(seen.last(), Some(&30));
    assert!(seen[0] >= 1 && seen.windows(2).all(|pair| pair[0] < pair[1]), "{seen:?}");
    assert!(seen.len() >= 3, "{seen:?}");
}

/// The manifest of the usual program over this code.
fn image_of(lines: &[&str]) -> Image {
    let code = lines.iter().flat_map(|line| fenn_isa::text::parse(line).expect(line).encode().to_le_bytes());
    let segments = vec![Segment::new(Space::Instruction, 0, code.collect())];
    Image { segments, ..image(StatePolicy::Reset, Readout::Count) }
}

#[test]
fn the_first_failing_sample_is_named_whatever_the_number_of_workers() {
    // Without spikes in step 1 the jump is to the last `ecall`; unit 1 makes it one to address 18.
    let image = image_of(&["lw t0, 4(zero)", "jalr zero, 16(t0)", "ecall", "ecall", "ecall"]);
    let bad = vec![Spike { step: 1, unit: 1 }];
    let samples = (0..40).map(|index| if index < 23 { vec![] } else { bad.clone() });
    let dataset = Dataset::new(samples, None);
    for jobs in [1, 4] {
        let error = run(&image, &dataset, Options { jobs, ..Options::default() }).unwrap_err();
        let EvaluateError::Sample { sample: 23, source: SessionError::Device(fault) } = &error else {
            panic!("{error}")
        };
        let DeviceError::Fault { pc: 4, cause: 0, value: 18, text } = fault else { panic!("{error}") };
        assert!(text.contains("0x12"), "{text}");
    }
}

#[test]
fn a_program_that_does_not_end_comes_to_its_limits() {
    let image = image_of(&["addi zero, zero, 0", "jal zero, .+0"]);
    let mut session = open(&image);
    let limit = Limit { instructions: 1000, ..Limit::default() };
    let Err(SessionError::Device(error)) = session.run(&[], limit) else { panic!("it cannot end") };
    assert_eq!(error, DeviceError::Limit { limit: Exceeded::Instructions(1000), pc: Some(4) });
    let limit = Limit { time: Duration::ZERO, ..Limit::default() };
    let Err(SessionError::Device(error)) = session.run(&[], limit) else { panic!("it cannot end") };
    assert_eq!(error, DeviceError::Limit { limit: Exceeded::Time(Duration::ZERO), pc: Some(4) });
}

#[test]
fn a_wait_can_be_continued_and_halted() {
    let image = image(StatePolicy::Reset, Readout::Count);
    let mut device = simulator(image.config).unwrap();
    assert_eq!(device.start(0), Err(DeviceError::NoProgram));
    device.load(&image).unwrap();
    assert_eq!(device.wait(Limit::default()), Err(DeviceError::NotRunning));
    assert!(matches!(device.start(2), Err(DeviceError::Entry { address: 2, .. })));
    assert!(matches!(device.start(1 << 20), Err(DeviceError::Entry { .. })));
    device.start(0).unwrap();
    assert_eq!(device.start(0), Err(DeviceError::Running));
    let limit = Limit { instructions: 10, ..Limit::default() };
    assert!(matches!(device.wait(limit), Err(DeviceError::Limit { .. })));
    assert_eq!(device.wait(Limit::default()), Ok(Finished { instructions: 62, cycles: 62 }));
    device.start(0).unwrap();
    device.halt().unwrap();
    assert_eq!(device.wait(Limit::default()), Err(DeviceError::NotRunning));
    let end = image.config.scalar_bytes;
    let outside = DeviceError::Outside { space: Space::Scalar, address: end - 1, end: u64::from(end) + 1, bytes: end };
    assert_eq!(device.write(Space::Scalar, end - 1, &[1, 2]), Err(outside.clone()));
    assert_eq!(device.read(Space::Scalar, end - 1, &mut [0; 2]), Err(outside));
}

#[test]
fn a_breakpoint_is_no_end() {
    let image = image_of(&["addi zero, zero, 0", "ebreak"]);
    let error = open(&image).run(&[], Limit::default()).unwrap_err();
    assert_eq!(error, SessionError::Device(DeviceError::Breakpoint { pc: 4 }));
}

#[test]
fn a_ready_flag_is_an_end() {
    let mut image = image_of(&["addi t0, zero, 1", "sw t0, 0x200(zero)", "jal zero, .+0"]);
    image.ready_flag = Some(0x200);
    let result = open(&image).run(&[], Limit::default()).unwrap();
    assert_eq!(result.finished.instructions, 2);
}

#[test]
fn spikes_that_no_input_has_are_refused() {
    let mut session = open(&image(StatePolicy::Reset, Readout::Count));
    for (step, unit) in [(STEPS, 0), (0, UNITS), (u32::MAX, u32::MAX)] {
        let error = session.run(&[Spike { step, unit }], Limit::default()).unwrap_err();
        let expected = SessionError::Spike { unit, step, units: UNITS.into(), steps: STEPS };
        assert_eq!(error, expected);
    }
}

#[test]
fn programs_that_cannot_be_evaluated_are_refused() {
    let good = image(StatePolicy::Reset, Readout::Last);
    let refused = |change: &dyn Fn(&mut Image)| {
        let mut image = good.clone();
        change(&mut image);
        run(&image, &Dataset::new([vec![]], None), Options::default()).unwrap_err()
    };
    let error = refused(&|image| image.manifest = None);
    assert_eq!(error, EvaluateError::Session(SessionError::NoManifest));
    let error = refused(&|image| image.manifest.as_mut().unwrap().entry_points.clear());
    assert_eq!(error, EvaluateError::Session(SessionError::NoEntryPoint));
    assert_eq!(refused(&|image| image.manifest.as_mut().unwrap().outputs.clear()), EvaluateError::NoOutput);
    let error = refused(&|image| image.manifest.as_mut().unwrap().version = 99);
    assert!(matches!(error, EvaluateError::Session(SessionError::Image(_))), "{error}");
    // With strides of zero an array of any size would lie inside a small memory.
    for (neurons, steps) in [(u32::MAX, 1), (1, u32::MAX), (u32::MAX, u32::MAX)] {
        let error = refused(&|image| {
            let output = &mut image.manifest.as_mut().unwrap().outputs[0];
            output.neurons = neurons;
            let Data::Values(array) = &mut output.data else { panic!("values") };
            (array.stride, array.step_stride, array.steps) = (0, 0, steps);
        });
        assert!(matches!(error, EvaluateError::Session(SessionError::Image(_))), "{error}");
    }
    // Naming one array again and again asks for as many copies.
    let error = refused(&|image| {
        let manifest = image.manifest.as_mut().unwrap();
        let output = manifest.outputs[0].clone();
        manifest.outputs = vec![output; 1 << 20];
    });
    assert!(matches!(error, EvaluateError::Session(SessionError::TooMuch { .. })), "{error}");
    let small = fenn_isa::memory::MachineConfig { vector_bytes: 1 << 10, ..good.config };
    let error = Session::open(simulator(small).unwrap(), &good).unwrap_err();
    assert!(matches!(error, SessionError::Device(DeviceError::TooSmall { space: Space::Vector, .. })), "{error}");
    let options = Options { capture: Some(1), ..Options::default() };
    let error = run(&good, &Dataset::new([vec![]], None), options).unwrap_err();
    assert_eq!(error, EvaluateError::NoSample { sample: 1, samples: 1 });
}

#[test]
fn arrays_with_gaps_are_read_vector_by_vector() {
    let mut image = image_of(&["ecall"]);
    let manifest = image.manifest.as_mut().unwrap();
    let Data::Values(array) = &mut manifest.recordings[1].data else { panic!("values") };
    (array.address, array.stride, array.step_stride, array.steps) = (128, 192, 64, 3);
    manifest.recordings[1].neurons = 40;
    manifest.recordings[1].window = Window { from: 1, every: 1 };
    // Every lane of vector memory holds its own number.
    let lanes: Vec<u8> = (0..512i16).flat_map(i16::to_le_bytes).collect();
    image.segments.push(Segment::new(Space::Vector, 0, lanes));
    let mut session = open(&image);
    session.run(&[], Limit::default()).unwrap();
    let recordings = session.recordings(0).unwrap();
    let Array::Values(values) = &recordings[1] else { panic!("values") };
    for neuron in 0..40u32 {
        let code = |step: u32| ((128 + step * 64 + neuron / 32 * 192) / 2 + neuron % 32) as i16;
        assert_eq!(values.of(neuron).collect::<Vec<_>>(), [code(0), code(1), code(2)]);
    }
}
