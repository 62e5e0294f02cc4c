//! Manifests that lie: whatever a manifest says, if it is accepted, a host that believes it stays inside the memories.
//!
//! What is inside is found here by going through every address that the documentation of an array names, not by the
//! bound that the check computes.

use fenn_isa::fixed::Format;
use fenn_isa::image::manifest::{
    Batch, CodeArray, Counters, Counts, Data, Encoding, EntryPoint, Event, Footprint, Input, InputSpikes, LONGEST_NAME,
    Lanes, Manifest, ManifestError, Origin, Output, Phase, PhaseKind, Population, Projection, Readout, Recording, Rows,
    Section, SpikeArray, SpikeList, StatePolicy, Stream, VERSION, ValueArray, Variable, Window, Work,
};
use fenn_isa::memory::{MachineConfig, Space};
use proptest::prelude::*;

/// Small memories, so that few addresses are many.
fn config() -> MachineConfig {
    MachineConfig {
        instruction_bytes: 1 << 10,
        scalar_bytes: 1 << 10,
        vector_bytes: 4 << 10,
        ..MachineConfig::default()
    }
}

fn good() -> Manifest {
    let spikes = |address| SpikeArray { address, words: 2, steps: 3, step_stride: 8, sample_stride: 24 };
    let values =
        ValueArray { address: 0, stride: 64, steps: 3, step_stride: 128, sample_stride: 384, format: Format::UNIT };
    let name = |name: &str| name.to_owned();
    let recording = |what: &str, data| Recording {
        population: name("hidden"),
        name: name(what),
        neurons: 40,
        window: Window::WHOLE,
        data,
    };
    Manifest {
        version: VERSION,
        name: name("network"),
        generator: name("test 1"),
        time_step_ms: Some(1.0),
        steps: 3,
        state: StatePolicy::Reset,
        seed: None,
        entry_points: vec![EntryPoint { name: name("run"), address: 0 }],
        batch: Batch { samples: 2, count: Some(0x3fc), marks: Some(0x3e0), stream: None },
        inputs: vec![
            Input { name: name("bits"), neurons: 40, encoding: Encoding::Spikes, spikes: InputSpikes::Bits(spikes(0)) },
            Input {
                name: name("list"),
                neurons: 9,
                encoding: Encoding::Latency { tau: 1.0, threshold: 0.0 },
                spikes: InputSpikes::List(SpikeList { address: 0x100, sample_bytes: 40, base: 7, scale: 64 }),
            },
        ],
        outputs: vec![Output {
            name: name("hidden"),
            neurons: 40,
            data: Data::Values(values.clone()),
            readout: Readout::Max,
        }],
        recordings: vec![recording("V", Data::Values(values)), recording("Spike", Data::Spikes(spikes(0x200)))],
        counters: Some(Counters { address: 0x300, phases: vec![Phase { name: name("x"), kind: PhaseKind::Update }] }),
        populations: vec![Population {
            name: name("hidden"),
            neurons: 40,
            reset: true,
            variables: vec![Variable { name: name("V"), format: Format::UNIT, reset: true }],
        }],
        work: Some(work()),
    }
}

/// Two projections that share rows, and one of the population to itself.
fn work() -> Work {
    let section = |name: &str, kind, address, bytes| Section { name: name.to_owned(), kind, address, bytes };
    let projection = |name: &str, fan_out| Projection {
        name: name.to_owned(),
        target: "hidden".to_owned(),
        weights: 1600,
        nonzero: 1599,
        dense: 1600,
        fan_out,
    };
    Work {
        sections: vec![
            section("state", PhaseKind::Reset, 0, 8),
            section("in + again", PhaseKind::Propagate, 8, 16),
            section("hidden", PhaseKind::Update, 24, 16),
        ],
        events: vec![Event {
            population: "hidden".to_owned(),
            name: "Spike".to_owned(),
            neurons: 40,
            section: 2,
            address: 0x200,
            bytes: 48,
        }],
        rows: vec![
            Rows {
                section: 1,
                source: Origin::Input("bits".to_owned()),
                neurons: 40,
                delay: 0,
                merged: false,
                lanes: Lanes::PerSpike(Counts::Same(64)),
                projections: vec![
                    projection("in", Counts::Same(40)),
                    projection("again", Counts::Each((0..40).collect())),
                ],
            },
            Rows {
                section: 1,
                source: Origin::Event(0),
                neurons: 40,
                delay: 1,
                merged: false,
                lanes: Lanes::PerStep(64),
                projections: vec![projection("back", Counts::Same(1))],
            },
        ],
        footprint: Footprint { weights: 6400, connections: 0, parameters: 2, state: 80, spikes: 16 },
        vanished: Some(1),
    }
}

/// The same with a stream: a ring of two places.
fn good_stream() -> Manifest {
    let mut manifest = good();
    manifest.batch.marks = Some(0x380);
    manifest.batch.stream = Some(Stream { ready: 0x3f8, done: 0x3f4 });
    let codes = CodeArray { address: 0x180, steps: 1, step_stride: 0, sample_stride: 96, format: Format::UNIT };
    (manifest.outputs[0].data, manifest.outputs[0].neurons) = (Data::Codes(codes), 30);
    manifest
}

/// Every byte that a host may touch on this manifest's word: (memory, first byte, bytes), or `None` if they are too many to go
/// through, which no accepted manifest can have with memories that small.
fn touched(manifest: &Manifest) -> Option<Vec<(Space, u64, u64)>> {
    const MOST: u64 = 1 << 16;
    let samples = u64::from(manifest.batch.samples);
    let mut found = Vec::new();
    let array = |data: &Data, neurons: u32, found: &mut Vec<_>| {
        let (space, address, units, unit_stride, unit, steps, step_stride, sample_stride) = match data {
            Data::Spikes(a) => {
                (Space::Scalar, a.address, u64::from(a.words), 4, 4, a.steps, a.step_stride, a.sample_stride)
            }
            Data::Values(a) => {
                let blocks = u64::from(neurons.div_ceil(32));
                (Space::Vector, a.address, blocks, u64::from(a.stride), 64, a.steps, a.step_stride, a.sample_stride)
            }
            Data::Codes(a) => (Space::Scalar, a.address, neurons.into(), 2, 2, a.steps, a.step_stride, a.sample_stride),
        };
        if units.saturating_mul(samples).saturating_mul(steps.into()) > MOST {
            return None;
        }
        for sample in 0..samples {
            for step in 0..u64::from(steps) {
                for index in 0..units {
                    let at = u64::from(address) + sample * u64::from(sample_stride) + step * u64::from(step_stride);
                    found.push((space, at + index * unit_stride, unit));
                }
            }
        }
        Some(())
    };
    for input in &manifest.inputs {
        match &input.spikes {
            InputSpikes::Bits(bits) => array(&Data::Spikes(bits.clone()), input.neurons, &mut found)?,
            // A host fills each sample's share at most, one behind the other.
            InputSpikes::List(list) => {
                found.push((Space::Scalar, list.address.into(), u64::from(list.sample_bytes) * samples));
            }
        }
    }
    for output in &manifest.outputs {
        array(&output.data, output.neurons, &mut found)?;
    }
    for recording in &manifest.recordings {
        array(&recording.data, recording.neurons, &mut found)?;
    }
    found.extend(manifest.batch.count.map(|address| (Space::Scalar, address.into(), 4)));
    let marks = if manifest.batch.stream.is_some() { 16 * samples } else { 8 * (samples + 1) };
    found.extend(manifest.batch.marks.map(|address| (Space::Scalar, address.into(), marks)));
    let words = manifest.batch.stream.into_iter().flat_map(|stream| [stream.ready, stream.done]);
    found.extend(words.map(|address| (Space::Scalar, address.into(), 4)));
    if let Some(counters) = &manifest.counters {
        found.push((Space::Scalar, counters.address.into(), 16 * counters.phases.len() as u64));
    }
    found.extend(manifest.entry_points.iter().map(|entry| (Space::Instruction, entry.address.into(), 4)));
    Some(found)
}

#[test]
fn a_good_manifest_is_accepted_and_comes_back() {
    for manifest in [good(), good_stream()] {
        assert_eq!(manifest.check(&config()), Ok(()));
        let json = serde_json::to_vec(&manifest).unwrap();
        assert_eq!(Manifest::from_json(&json), Ok(manifest));
    }
}

/// Numbers near the ends of everything.
fn number() -> impl Strategy<Value = u64> {
    let ends = vec![
        0,
        1,
        2,
        3,
        4,
        31,
        32,
        33,
        40,
        60,
        64,
        128,
        256,
        1000,
        1020,
        1024,
        4032,
        4096,
        1 << 31,
        u64::from(u32::MAX),
    ];
    prop_oneof![4 => prop::sample::select(ends), 1 => 0..u64::from(u32::MAX), 1 => Just(u64::MAX)]
}

/// Every number of a JSON value, by its path.
fn numbers(value: &serde_json::Value, path: &str, found: &mut Vec<String>) {
    match value {
        serde_json::Value::Number(_) => found.push(path.to_owned()),
        serde_json::Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| numbers(item, &format!("{path}/{index}"), found));
        }
        serde_json::Value::Object(fields) => {
            fields.iter().for_each(|(name, field)| numbers(field, &format!("{path}/{name}"), found));
        }
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, ..ProptestConfig::default() })]

    /// Up to four numbers are replaced.
    #[test]
    fn what_is_accepted_lies_inside_the_memories(
        streams: bool,
        changes in prop::collection::vec((any::<prop::sample::Index>(), number()), 1..5),
    ) {
        let mut json = serde_json::to_value(if streams { good_stream() } else { good() }).unwrap();
        let mut paths = Vec::new();
        numbers(&json, "", &mut paths);
        for (which, number) in changes {
            *json.pointer_mut(&paths[which.index(paths.len())]).unwrap() = number.into();
        }
        let Ok(manifest) = Manifest::from_json(json.to_string().as_bytes()) else { return Ok(()) };
        if manifest.check(&config()).is_err() {
            return Ok(());
        }
        let touched = touched(&manifest);
        prop_assert!(touched.is_some(), "more than the memories hold was accepted: {manifest:?}");
        for (space, first, bytes) in touched.unwrap() {
            prop_assert!(first + bytes <= u64::from(config().bytes(space)), "{space} {first} {bytes}: {manifest:?}");
        }
        for recording in &manifest.recordings {
            let steps: Vec<u32> = recording.window.steps(manifest.steps).collect();
            prop_assert_eq!(steps.len(), recording.data.steps() as usize);
            prop_assert!(steps.iter().all(|step| *step < manifest.steps));
        }
    }

    /// Bytes are replaced, and nothing panics.
    #[test]
    fn any_bytes_are_read_or_refused(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..9)) {
        let mut json = serde_json::to_vec(&good()).unwrap();
        for (which, byte) in changes {
            let at = which.index(json.len());
            json[at] = byte;
        }
        if let Ok(manifest) = Manifest::from_json(&json) {
            let _ = manifest.check(&config());
        }
    }
}

/// The error table: a change, and what is said about it.
#[test]
fn what_is_wrong_is_told() {
    type Change = fn(&mut Manifest);
    let cases: Vec<(&str, Change)> = vec![
        ("version 1, this tool reads version 3; compile", |m| m.version = 1),
        ("a run has at least one step", |m| m.steps = 0),
        ("a step takes some time", |m| m.time_step_ms = Some(f64::NAN)),
        ("an address is not in instruction memory", |m| m.entry_points[0].address = 1 << 10),
        ("a launch has at least one sample", |m| m.batch.samples = 0),
        ("nothing says how many samples", |m| m.batch.count = None),
        ("`batch` does not lie inside scalar memory (1024 bytes)", |m| m.batch.marks = Some(0x3ec)),
        ("`batch` is inconsistent: an address is not a multiple of 4", |m| m.batch.count = Some(2)),
        ("an input has one slot per step", |m| m.steps = 2),
        ("`bits` does not lie inside scalar memory", |m| bits(m).address = 0x3e0),
        ("`bits` is inconsistent: its words lie on top", |m| bits(m).sample_stride = 16),
        ("`list` does not lie inside scalar memory", |m| list(m).sample_bytes = 1 << 10),
        ("a list has at least a word per step", |m| list(m).sample_bytes = 8),
        ("`list` is inconsistent: it is empty", |m| list(m).scale = 0),
        ("a latency code has a positive tau", |m| {
            m.inputs[1].encoding = Encoding::Latency { tau: 0.0, threshold: 1.0 }
        }),
        ("spikes are counted, and nothing else is", |m| m.outputs[0].readout = Readout::Count),
        ("`V` is inconsistent: its window has not as many steps", |m| {
            m.recordings[0].window = Window { from: 1, every: 1 }
        }),
        ("`V` is inconsistent: its window has not as many steps", |m| {
            m.recordings[0].window = Window { from: 0, every: 0 }
        }),
        ("`counters` does not lie inside scalar memory", |m| m.counters.as_mut().unwrap().address = 0x3f4),
        ("`counters` is inconsistent: nothing is counted", |m| m.counters.as_mut().unwrap().phases.clear()),
        ("the network \"\\u{1b}[2J\"", |m| m.name = "\u{1b}[2J".to_owned()),
        ("the input \"../../etc/passwd\", which is empty, longer", |m| {
            m.inputs[0].name = "../../etc/passwd".to_owned()
        }),
        ("the population \"\"", |m| m.populations[0].name.clear()),
        ("the recorded population \"/x\"", |m| m.recordings[1].population = "/x".to_owned()),
        ("the variable \"xxx", |m| m.populations[0].variables[0].name = "x".repeat(LONGEST_NAME + 1)),
        ("`hidden` is inconsistent: its code is not behind that", |m| parts(m).sections[2].address = 20),
        ("`hidden` is inconsistent: its code does not consist of words", |m| parts(m).sections[2].bytes = 3),
        ("`hidden` does not lie inside instruction memory", |m| parts(m).sections[2].bytes = 1 << 10),
        ("`hidden` is inconsistent: there is no population of that name and size", |m| parts(m).events[0].neurons = 41),
        ("`hidden` is inconsistent: its spikes appear in no update", |m| parts(m).events[0].section = 1),
        ("`hidden` is inconsistent: its spikes appear in no update", |m| parts(m).events[0].section = 9),
        ("`hidden` is inconsistent: its spikes are no words, or too few", |m| parts(m).events[0].bytes = 4),
        ("`hidden` does not lie inside scalar memory", |m| parts(m).events[0].address = 0x3f8),
        ("`in` is inconsistent: no section adds its weights", |m| parts(m).rows[0].section = 2),
        ("`in` is inconsistent: there is no source of that name and size", |m| parts(m).rows[0].neurons = 39),
        ("`back` is inconsistent: there is no source of that name", |m| parts(m).rows[1].source = Origin::Event(1)),
        ("`back` is inconsistent: its spikes are not kept for so many steps", |m| parts(m).rows[1].delay = 7),
        ("`in` is inconsistent: there is not one number for each", |m| {
            parts(m).rows[0].projections[1].fan_out = Counts::Each(vec![1; 39]);
        }),
        ("`in` is inconsistent: there is not one number for each", |m| {
            parts(m).rows[0].lanes = Lanes::PerSpike(Counts::Each(vec![1; 41]));
        }),
        ("`in` is inconsistent: there is no population of its target's name", |m| {
            parts(m).rows[0].projections[1].target = "bits".to_owned();
        }),
        ("`in` is inconsistent: more weights are not 0 than there are", |m| {
            parts(m).rows[0].projections[0].nonzero = 1601;
        }),
        ("`work` is inconsistent: rows of weights belong to no projection", |m| parts(m).rows[0].projections.clear()),
        ("the projection \"\"", |m| parts(m).rows[0].projections[0].name.clear()),
        ("the section \"..\"", |m| parts(m).sections[0].name = "..".to_owned()),
        ("the event \"\"", |m| parts(m).events[0].name.clear()),
        ("the phase \"a\\nb\"", |m| m.counters.as_mut().unwrap().phases[0].name = "a\nb".to_owned()),
    ];
    let of_streams: Vec<(&str, Change)> = vec![
        ("nothing says how many samples", |m| (m.batch.samples, m.batch.count) = (1, None)),
        ("`batch` is inconsistent: a word is two things at once", |m| stream(m).done = 0x3f8),
        ("`batch` is inconsistent: a word is two things at once", |m| stream(m).ready = 0x3fc),
        ("`batch` is inconsistent: a word is two things at once", |m| stream(m).done = 0x3fc),
        ("`batch` is inconsistent: an address is not a multiple of 4", |m| stream(m).ready = 2),
        ("`batch` does not lie inside scalar memory (1024 bytes)", |m| stream(m).done = 0x400),
        ("`batch` does not lie inside scalar memory (1024 bytes)", |m| m.batch.marks = Some(0x3e4)),
        ("`hidden` is inconsistent: what is read while the program runs is in scalar memory", |m| {
            m.outputs[0].data = good().outputs[0].data.clone();
        }),
        ("`hidden` is inconsistent: its words lie on top", |m| codes(m).sample_stride = 56),
        ("`hidden` is inconsistent: an address or a stride is not a multiple of 4", |m| codes(m).address = 2),
        ("`hidden` does not lie inside scalar memory", |m| codes(m).address = 0x380),
    ];
    let all =
        cases.into_iter().map(|case| (good(), case)).chain(of_streams.into_iter().map(|case| (good_stream(), case)));
    for (mut manifest, (expected, change)) in all {
        change(&mut manifest);
        let error = manifest.check(&config()).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}");
    }
}

fn stream(manifest: &mut Manifest) -> &mut Stream {
    manifest.batch.stream.as_mut().expect("made with one")
}

fn codes(manifest: &mut Manifest) -> &mut CodeArray {
    let Data::Codes(array) = &mut manifest.outputs[0].data else { panic!("codes") };
    array
}

fn bits(manifest: &mut Manifest) -> &mut SpikeArray {
    let InputSpikes::Bits(array) = &mut manifest.inputs[0].spikes else { panic!("bits") };
    array
}

fn parts(manifest: &mut Manifest) -> &mut Work {
    manifest.work.as_mut().unwrap()
}

fn list(manifest: &mut Manifest) -> &mut SpikeList {
    let InputSpikes::List(list) = &mut manifest.inputs[1].spikes else { panic!("a list") };
    list
}

#[test]
fn other_versions_and_unknown_fields_are_refused() {
    // As the compiler wrote it before there were versions to tell apart: what else it has does not matter.
    let old = br#"{"version": 1, "inputs": [{"spikes": {"address": 0, "words": 1, "steps": 1}}]}"#;
    assert_eq!(Manifest::from_json(old), Err(ManifestError::Version(1)));
    let mut json = serde_json::to_value(good()).unwrap();
    json["data_file"] = "../../secret".into();
    let error = Manifest::from_json(json.to_string().as_bytes()).unwrap_err();
    assert!(matches!(&error, ManifestError::Form(what) if what.contains("data_file")), "{error}");
    assert!(matches!(Manifest::from_json(b"{}"), Err(ManifestError::Form(_))));
    assert!(matches!(Manifest::from_json(b""), Err(ManifestError::Form(_))));
}
