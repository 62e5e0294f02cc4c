//! Launches of several samples, windows, counters and exported recordings, on programs written by hand.

mod support;

use std::io::Read as _;

use fenn_host::dataset::{Dataset, Spike};
use fenn_host::device::{Device, Limit};
use fenn_host::error::{DeviceError, EvaluateError, ExportError, SessionError};
use fenn_host::evaluate::{Evaluation, Options, PhaseCost, evaluate};
use fenn_host::export;
use fenn_host::session::array::Array;
use fenn_host::session::{Count, Session};
use fenn_host::sim::Simulator;
use fenn_isa::image::manifest::{
    Counters, Data, InputSpikes, Phase, PhaseKind, Readout, SpikeList, StatePolicy, Window,
};
use fenn_isa::image::{Image, Segment};
use fenn_isa::memory::Space;
use fenn_isa::timing::FUNCTIONAL;
use support::{BATCH, LOOP, ONCE, RUN, STEPS, UNITS, counts, image, image_of_batch, samples};

/// A simulator whose cycles are its instructions.
fn simulator(image: &Image) -> Result<Simulator, DeviceError> {
    let options = fenn_iss::Options { strict: true, profile: FUNCTIONAL, ..fenn_iss::Options::default() };
    Simulator::with_options(image.config, options)
}

fn open(image: &Image) -> Session<Simulator> {
    Session::open(simulator(image).unwrap(), image).unwrap()
}

fn run(image: &Image, dataset: &Dataset, options: Options) -> Result<Evaluation, EvaluateError> {
    evaluate(image, dataset, || simulator(image), options, |_| ())
}

#[test]
fn a_launch_is_the_runs_of_its_samples() {
    let samples = samples(20);
    let mut session = open(&image_of_batch(Readout::Last));
    for chunk in [&samples[0..1], &samples[1..3], &samples[3..6], &samples[6..10], &samples[10..11]] {
        let spikes: Vec<&[Spike]> = chunk.iter().map(Vec::as_slice).collect();
        let launch = session.launch(&spikes, Limit::default()).unwrap();
        assert_eq!(launch.runs.len(), chunk.len());
        let further = chunk.len() as u64 - 1;
        let all = ONCE + RUN * chunk.len() as u64 + LOOP * further;
        assert_eq!((launch.finished.instructions, launch.finished.cycles), (all, all), "{} samples", chunk.len());
        for (index, (sample, run)) in chunk.iter().zip(&launch.runs).enumerate() {
            assert_eq!(run.outputs[0].codes, counts(sample));
            let cost = RUN + if index == 0 { 0 } else { LOOP };
            assert_eq!(run.finished.instructions, cost, "sample {index}");
            let [Array::Spikes(spikes), Array::Values(values)] = &session.recordings(index as u32).unwrap()[..] else {
                panic!("spikes, then values")
            };
            assert_eq!(spikes.counts(), counts(sample));
            let last: Vec<i64> = (0..UNITS).map(|unit| values.of(unit).next_back().unwrap().into()).collect();
            assert_eq!(last, counts(sample));
        }
    }
}

#[test]
fn evaluations_are_the_same_for_any_batch() {
    let (image, data) = (image_of_batch(Readout::Count), samples(23));
    let labels: Vec<u32> = (0..23).map(|index| index % UNITS).collect();
    let dataset = Dataset::new(data.clone(), Some(labels));
    let one = run(&image, &dataset, Options { batch: Some(1), record: true, ..Options::default() }).unwrap();
    for (sample, spikes) in one.samples.iter().zip(&data) {
        assert_eq!(sample.codes, [counts(spikes)]);
    }
    for (batch, jobs) in [(2, 1), (3, 2), (4, 1), (4, 3), (100, 2)] {
        let options = Options { batch: Some(batch), jobs, record: true, capture: Some(6), ..Options::default() };
        let some = run(&image, &dataset, options).unwrap();
        assert_eq!(some.batch, batch.min(4));
        assert_eq!(some.score, one.score);
        for (a, b) in some.samples.iter().zip(&one.samples) {
            assert_eq!((a.class, &a.codes, &a.recordings), (b.class, &b.codes, &b.recordings));
        }
        let capture = some.capture.unwrap();
        assert_eq!(capture.spikes, dataset.spikes(6));
        assert_eq!(capture.recordings, one.samples[6].recordings);
        let launches = 23u64.div_ceil(some.batch as u64);
        assert_eq!(some.launches.instructions, 23 * RUN + launches * ONCE + (23 - launches) * LOOP, "{batch}");
    }
    // What is not stated is as many as the program takes.
    assert_eq!(run(&image, &dataset, Options::default()).unwrap().batch, 4);
}

#[test]
fn launches_of_no_or_too_many_samples_are_refused() {
    let mut session = open(&image_of_batch(Readout::Last));
    for samples in [0, BATCH as usize + 1] {
        let error = session.launch(&vec![&[][..]; samples], Limit::default()).unwrap_err();
        assert_eq!(error, SessionError::Samples { samples, most: BATCH });
    }
    assert!(matches!(session.recordings(BATCH), Err(SessionError::Samples { .. })));
    assert!(matches!(session.output_arrays(u32::MAX), Err(SessionError::Samples { .. })));
}

#[test]
fn the_sample_at_fault_is_named_in_any_batch() {
    let image = image_of_batch(Readout::Last);
    let mut data = samples(10);
    data[6] = vec![Spike { step: 0, unit: UNITS }];
    let dataset = Dataset::new(data, None);
    for batch in 1..=4 {
        let error = run(&image, &dataset, Options { batch: Some(batch), ..Options::default() }).unwrap_err();
        assert!(matches!(error, EvaluateError::Sample { sample: 6, source: SessionError::Spike { .. } }), "{error}");
    }
    // What goes wrong in the program is a launch's.
    let mut image = image;
    image.segments[0].bytes[4 * 25..][..4].copy_from_slice(&0x0010_0073u32.to_le_bytes());
    let dataset = Dataset::new(samples(3), None);
    let error = run(&image, &dataset, Options::default()).unwrap_err();
    assert!(matches!(error, EvaluateError::Launch { first: 0, last: 2, .. }), "{error}");
    assert!(matches!(error.device(), Some(DeviceError::Breakpoint { pc: 100 })), "{error}");
}

#[test]
fn limits_are_for_each_sample() {
    let image = image_of_batch(Readout::Last);
    let dataset = Dataset::new(samples(4), None);
    let with = |instructions| {
        let limit = Limit { instructions, ..Limit::default() };
        run(&image, &dataset, Options { limit, ..Options::default() })
    };
    assert!(with(RUN + LOOP + ONCE).is_ok());
    assert!(matches!(with(RUN / 2).unwrap_err().device(), Some(DeviceError::Limit { .. })));
}

/// The usual program with its recordings kept in the steps of a window only.
fn windowed(window: Window) -> Image {
    let mut image = image_of_batch(Readout::Last);
    for recording in &mut image.manifest.as_mut().unwrap().recordings {
        recording.window = window;
        let steps = window.count(STEPS);
        match &mut recording.data {
            Data::Spikes(array) => {
                array.address += window.from * array.step_stride;
                (array.step_stride, array.steps) = (array.step_stride * window.every, steps);
            }
            Data::Values(array) => {
                array.address += window.from * array.step_stride;
                (array.step_stride, array.steps) = (array.step_stride * window.every, steps);
            }
            Data::Codes(_) => panic!("recorded values are in vector memory"),
        }
    }
    image
}

#[test]
fn windows_and_archives_have_the_steps_they_say() {
    let data = samples(7);
    for (from, every) in [(0, 1), (2, 1), (0, 2), (1, 2), (3, 1), (0, 3)] {
        let window = Window { from, every };
        let image = windowed(window);
        let dataset = Dataset::new(data.clone(), None);
        let evaluation = run(&image, &dataset, Options { record: true, ..Options::default() }).unwrap();
        let archive = export::npz(&evaluation).unwrap();
        assert_eq!(archive, export::npz(&evaluation).unwrap());
        let mut zip = zip::ZipArchive::new(std::io::Cursor::new(archive)).unwrap();
        let mut member = |name: &str| {
            let mut bytes = Vec::new();
            zip.by_name(name).unwrap().read_to_end(&mut bytes).unwrap();
            bytes
        };
        let kept: Vec<u32> = (0..STEPS).filter(|step| *step >= from && (step - from) % every == 0).collect();
        let integers = |bytes: &[u8]| npyz::NpyFile::new(bytes).unwrap().into_vec::<i32>().unwrap();
        for name in ["sum.Spike.steps.npy", "sum.V.steps.npy"] {
            assert_eq!(integers(&member(name)), kept.iter().map(|step| *step as i32).collect::<Vec<_>>());
        }
        let mut spikes = Vec::new();
        let mut values = Vec::new();
        for (index, sample) in data.iter().enumerate() {
            for step in &kept {
                for unit in 0..UNITS {
                    if sample.contains(&Spike { step: *step, unit }) {
                        spikes.extend([index as i32, *step as i32, unit as i32]);
                    }
                    let so_far: Vec<Spike> = sample.iter().copied().filter(|spike| spike.step <= *step).collect();
                    values.push(counts(&so_far)[unit as usize] as f32 / 16.0);
                }
            }
        }
        let bytes = member("sum.Spike.npy");
        assert_eq!(integers(&bytes), spikes, "{window:?}");
        assert_eq!(npyz::NpyFile::new(&bytes[..]).unwrap().shape(), [spikes.len() as u64 / 3, 3]);
        let bytes = member("sum.V.npy");
        let file = npyz::NpyFile::new(&bytes[..]).unwrap();
        assert_eq!(file.shape(), [7, kept.len() as u64, UNITS.into()]);
        assert_eq!(file.into_vec::<f32>().unwrap(), values, "{window:?}");
        assert_eq!(zip.len(), 4);
    }
}

#[test]
fn recordings_that_are_not_there_are_not_exported() {
    let dataset = Dataset::new(samples(2), None);
    let image = image(StatePolicy::Reset, Readout::Last);
    let without = run(&image, &dataset, Options::default()).unwrap();
    assert_eq!(export::npz(&without), Err(ExportError::Nothing));
    let none = {
        let mut image = image;
        image.manifest.as_mut().unwrap().recordings.clear();
        image
    };
    let evaluation = run(&none, &dataset, Options { record: true, ..Options::default() }).unwrap();
    assert_eq!(export::npz(&evaluation), Err(ExportError::Nothing));
}

#[test]
fn more_recordings_than_are_kept_are_refused_before_anything_runs() {
    let image = image(StatePolicy::Reset, Readout::Last);
    // 16 bytes of spikes and 256 of values for each sample.
    let samples = (1usize << 28) / 272 + 1;
    let dataset = Dataset::new(std::iter::repeat_n(Vec::new(), samples), None);
    let error = run(&image, &dataset, Options { record: true, ..Options::default() }).unwrap_err();
    let (bytes, most) = (samples as u64 * 272, 1 << 28);
    assert_eq!(error, EvaluateError::TooMuchRecorded { samples, bytes, most });
}

/// The table is written by no program here but by the image, so that every number in it is known.
#[test]
fn counts_are_told_without_what_counting_took() {
    let mut image = image_of_batch(Readout::Last);
    let phase = |name: &str, kind| Phase { name: name.to_owned(), kind };
    let phases = vec![
        phase("counting", PhaseKind::Nothing),
        phase("reset", PhaseKind::Reset),
        phase("in", PhaseKind::Propagate),
        phase("sum", PhaseKind::Update),
    ];
    // In all runs of a launch of three samples: 7 cycles and 1 instruction for nothing, each time.
    let table: [u64; 8] = [21, 3, 21 + 30, 3 + 12, 7 * 12 + (5 << 32), 12 + 24, 7 * 12 - 1, 12];
    let bytes = table.iter().flat_map(|number| number.to_le_bytes()).collect();
    image.segments.push(Segment::new(Space::Scalar, 0x300, bytes));
    image.sort();
    image.manifest.as_mut().unwrap().counters = Some(Counters { address: 0x300, phases: phases.clone() });
    let dataset = Dataset::new(samples(3), None);
    let evaluation = run(&image, &dataset, Options::default()).unwrap();
    let cost = |index: usize, visits, cycles, instructions| PhaseCost {
        phase: phases[index].clone(),
        visits,
        count: Count { cycles, instructions },
    };
    // What comes out below nothing, by rounding, is nothing.
    assert_eq!(evaluation.phases, [cost(1, 3, 30, 12), cost(2, 12, 5 << 32, 24), cost(3, 12, 0, 0)]);
    let json = fenn_host::summary::json(&evaluation);
    assert_eq!(json["phases"][1]["cycles"], 5u64 << 32);
    assert_eq!(json["phases"][1]["kind"], "propagate");
    assert_eq!(json["sample_instructions"].as_array().unwrap().len(), 3);
    let text = fenn_host::summary::text(&evaluation);
    assert!(text.contains("propagate in"), "{text}");
    assert!(fenn_host::report::html(&evaluation).contains("propagate in"));
}

#[test]
fn lists_are_written_where_the_manifest_says_and_no_further() {
    let mut image = image_of_batch(Readout::Last);
    let manifest = image.manifest.as_mut().unwrap();
    let list = SpikeList { address: 0x400, sample_bytes: 4 * (STEPS + 2), base: 100, scale: 4 };
    manifest.inputs[1].spikes = InputSpikes::List(list);
    image.segments.push(Segment::new(Space::Scalar, 0x3fc, vec![0xee; 4 + 2 * 24 + 4]));
    image.sort();
    let mut session = open(&image);
    // Units 3 and 4 are the second input's neurons 0 and 1.
    let spike = |step, unit| Spike { step, unit };
    let two = [spike(3, 4), spike(0, 1), spike(1, 3), spike(1, 3)];
    session.begin(&[&[], &two]).unwrap();
    let mut bytes = [0; 4 + 2 * 24 + 4];
    session.device().read(Space::Scalar, 0x3fc, &mut bytes).unwrap();
    let words: Vec<u32> = bytes.chunks_exact(4).map(|word| u32::from_le_bytes(word.try_into().unwrap())).collect();
    let expected = [0x404, 0x408, 0x40c, 0x410, 0x414, 0x41c, 100, 0x420, 0x428, 104];
    assert_eq!(words[1..11], expected);
    assert!(words[11..].iter().chain(&words[..1]).all(|word| *word == 0xeeee_eeee));
    session.finish(Limit::default()).unwrap();
    let three = [spike(0, 3), spike(0, 4), spike(2, 4)];
    let error = session.begin(&[&two, &three]).unwrap_err();
    assert_eq!(error, SessionError::TooManySpikes { name: "right".to_owned(), spikes: 3, capacity: 2 });
    assert!(error.to_string().contains("--input-spikes"), "{error}");
}
