//! A small program by hand, with a manifest, and what it must compute.
//!
//! The program adds up each input unit's spikes in a vector, stores the sums after every step, and copies the spikes.

#![allow(dead_code, reason = "not every test uses everything")]

pub(crate) mod faulty;

use fenn_host::dataset::Spike;
use fenn_isa::fixed::Format;
use fenn_isa::image::manifest::{
    Batch, Data, Encoding, EntryPoint, Input, InputSpikes, Manifest, Output, Population, Readout, Recording,
    SpikeArray, StatePolicy, Stream, VERSION, ValueArray, Variable, Window,
};
use fenn_isa::image::{Image, Segment};
use fenn_isa::memory::{MachineConfig, Space};
use fenn_isa::text;

/// Input units, spread over two inputs of 3 and 2.
pub(crate) const UNITS: u32 = 5;
/// Steps in a run.
pub(crate) const STEPS: u32 = 4;
/// Where the second input, the copies and the sums are.
const SECOND: u32 = 0x40;
const COPY: u32 = 0x100;
const SUMS: u32 = 0x80;

/// The program. Its sums go on from run to run where state is carried, and begin at `init`.
pub(crate) fn image(state: StatePolicy, readout: Readout) -> Image {
    let (init, clear) = match state {
        StatePolicy::Reset => (vec![], vec!["vlui v1, 0"]),
        StatePolicy::Carried => (vec!["vlui v1, 0"], vec![]),
    };
    let run = 4 * init.len() as u32;
    let body = [
        "addi t1, zero, 0",
        "addi t2, zero, 0x100",
        "addi t3, zero, 0x80",
        "addi t4, zero, 4",
        "vlui v2, 1",
        "lw t0, 0(t1)",
        "lw t5, 0x40(t1)",
        "slli t5, t5, 3",
        "or t0, t0, t5",
        "vlui v3, 0",
        "vsel v3, t0, v2",
        "vadd v1, v1, v3",
        "vstore v1, 0(t3)",
        "sw t0, 0(t2)",
        "addi t1, t1, 4",
        "addi t2, t2, 4",
        "addi t3, t3, 64",
        "addi t4, t4, -1",
        "bne t4, zero, .-52",
        "ecall",
    ];
    let lines = init.iter().chain(&clear).chain(&body);
    let code = lines.flat_map(|line| text::parse(line).expect(line).encode().to_le_bytes()).collect();
    let mut entry_points = vec![EntryPoint { name: "run".to_owned(), address: run }];
    if run > 0 {
        entry_points.push(EntryPoint { name: "init".to_owned(), address: 0 });
    }
    Image {
        config: MachineConfig { dram_bytes: 1 << 16, ..MachineConfig::default() },
        segments: vec![Segment::new(Space::Instruction, 0, code)],
        manifest: Some(manifest(state, readout, entry_points)),
        ..Image::default()
    }
}

fn manifest(state: StatePolicy, readout: Readout, entry_points: Vec<EntryPoint>) -> Manifest {
    let input = |name: &str, neurons, address| Input {
        name: name.to_owned(),
        neurons,
        encoding: Encoding::Spikes,
        spikes: InputSpikes::Bits(SpikeArray::dense(address, 1, STEPS)),
    };
    let copy = Data::Spikes(SpikeArray::dense(COPY, 1, STEPS));
    let sums = Data::Values(ValueArray {
        address: SUMS,
        stride: 64,
        steps: STEPS,
        step_stride: 64,
        sample_stride: 64 * STEPS,
        format: Format::new(4).expect("at most 15"),
    });
    let recording = |name: &str, data: &Data| Recording {
        population: "sum".to_owned(),
        name: name.to_owned(),
        neurons: UNITS,
        window: Window::WHOLE,
        data: data.clone(),
    };
    Manifest {
        version: VERSION,
        name: "sums <&>".to_owned(),
        generator: "by hand".to_owned(),
        time_step_ms: Some(0.1),
        steps: STEPS,
        state,
        seed: Some(7),
        entry_points,
        batch: Batch::ONE,
        inputs: vec![input("left", 3, 0), input("right", 2, SECOND)],
        outputs: vec![Output {
            name: "sum".to_owned(),
            neurons: UNITS,
            data: if readout == Readout::Count { copy.clone() } else { sums.clone() },
            readout,
        }],
        recordings: vec![recording("Spike", &copy), recording("V", &sums)],
        counters: None,
        populations: vec![Population {
            name: "sum".to_owned(),
            neurons: UNITS,
            reset: state == StatePolicy::Reset,
            variables: vec![Variable {
                name: "V".to_owned(),
                format: Format::new(4).expect("at most 15"),
                reset: state == StatePolicy::Reset,
            }],
        }],
        work: None,
    }
}

/// Samples that the program of [`image_of_batch`] takes.
pub(crate) const BATCH: u32 = 4;
/// Instructions from one run's mark to the next one's: the reading of `minstret` itself and what follows it, up to the next
/// reading. Before the first run nothing is left of the sample before it.
pub(crate) const RUN: u64 = 2 + 4 + 14 * STEPS as u64 + 2;
/// What a further sample takes besides: the loop.
pub(crate) const LOOP: u64 = 2;
/// Instructions before the first reading of `minstret`, and from the last one on; `ecall` is not counted.
pub(crate) const ONCE: u64 = 8 + 4;

/// The same program over several samples, which counts; the sums begin anew with each.
pub(crate) fn image_of_batch(readout: Readout) -> Image {
    let lines = [
        "csrrwi zero, mcountinhibit, 0",
        "lw s0, 0x200(zero)",
        "addi t1, zero, 0",
        "addi t2, zero, 0x100",
        "addi t3, zero, 0x80",
        "addi s1, zero, 0x240",
        "csrrs t5, mcycle, zero",
        "sw t5, 0(s1)",
        "csrrs t5, minstret, zero",
        "sw t5, 4(s1)",
        // For each sample.
        "addi s1, s1, 8",
        "vlui v1, 0",
        "vlui v2, 1",
        "addi t4, zero, 4",
        // For each step.
        "lw t0, 0(t1)",
        "lw t5, 0x40(t1)",
        "slli t5, t5, 3",
        "or t0, t0, t5",
        "vlui v3, 0",
        "vsel v3, t0, v2",
        "vadd v1, v1, v3",
        "vstore v1, 0(t3)",
        "sw t0, 0(t2)",
        "addi t1, t1, 4",
        "addi t2, t2, 4",
        "addi t3, t3, 64",
        "addi t4, t4, -1",
        "bne t4, zero, .-52",
        "csrrs t5, mcycle, zero",
        "sw t5, 0(s1)",
        "csrrs t5, minstret, zero",
        "sw t5, 4(s1)",
        "addi s0, s0, -1",
        "bne s0, zero, .-92",
        "ecall",
    ];
    let code = lines.iter().flat_map(|line| text::parse(line).expect(line).encode().to_le_bytes()).collect();
    let mut image = image(StatePolicy::Reset, readout);
    image.segments = vec![Segment::new(Space::Instruction, 0, code)];
    let manifest = image.manifest.as_mut().expect("made with one");
    manifest.entry_points.retain(|entry| entry.name == "run");
    manifest.entry_points[0].address = 0;
    manifest.batch = Batch { samples: BATCH, count: Some(0x200), marks: Some(0x240), stream: None };
    image
}

/// Places of the program of [`image_of_stream`].
pub(crate) const PLACES: u32 = 4;
/// Instructions from a streamed run's first mark to its second.
pub(crate) const STREAMED_RUN: u64 = 2 + 3 + 14 * STEPS as u64 + 2;

/// The same program over samples that come while it runs, with what the lines `before` do between waiting for a sample and
/// the first step, and `behind` between the last mark and saying that the sample is done. `s2` has the number of samples done.
pub(crate) fn image_of_stream(before: &[&str], behind: &[&str]) -> Image {
    let lines = [
        &["csrrwi zero, mcountinhibit, 0", "addi s2, zero, 0", "turn:"][..],
        &["addi t1, zero, 0", "addi t2, zero, 0x100", "addi t3, zero, 0x80"],
        &["addi s0, zero, 4", "addi s1, zero, 0x240", "wait:"],
        &["lw t5, 0x200(zero)", "beq t5, s2, end", "lw t5, 0x204(zero)", "beq t5, s2, wait"],
        before,
        &["csrrs t5, mcycle, zero", "sw t5, 0(s1)", "csrrs t5, minstret, zero", "sw t5, 4(s1)"],
        &["vlui v1, 0", "vlui v2, 1", "addi t4, zero, 4", "step:"],
        &["lw t0, 0(t1)", "lw t5, 0x40(t1)", "slli t5, t5, 3", "or t0, t0, t5", "vlui v3, 0", "vsel v3, t0, v2"],
        &["vadd v1, v1, v3", "vstore v1, 0(t3)", "sw t0, 0(t2)", "addi t1, t1, 4", "addi t2, t2, 4"],
        &["addi t3, t3, 64", "addi t4, t4, -1", "bne t4, zero, step"],
        &["csrrs t5, mcycle, zero", "sw t5, 8(s1)", "csrrs t5, minstret, zero", "sw t5, 12(s1)"],
        &["addi s1, s1, 16", "addi s2, s2, 1"],
        behind,
        &["sw s2, 0x280(zero)", "addi s0, s0, -1", "bne s0, zero, wait", "jal zero, turn", "end:", "ecall"],
    ]
    .concat();
    let mut image = image(StatePolicy::Reset, Readout::Count);
    image.segments = vec![Segment::new(Space::Instruction, 0, assembled(&lines))];
    let manifest = image.manifest.as_mut().expect("made with one");
    manifest.entry_points.retain(|entry| entry.name == "run");
    manifest.entry_points[0].address = 0;
    let stream = Some(Stream { ready: 0x204, done: 0x280 });
    manifest.batch = Batch { samples: PLACES, count: Some(0x200), marks: Some(0x240), stream };
    image
}

/// Code of lines with `label:` and branches to `label`.
fn assembled(lines: &[&str]) -> Vec<u8> {
    let mut labels = std::collections::BTreeMap::new();
    let mut insts = Vec::new();
    for line in lines {
        match line.strip_suffix(':') {
            Some(label) => _ = labels.insert(label, 4 * insts.len() as i64),
            None => insts.push(*line),
        }
    }
    let resolved = |(index, line): (usize, &&str)| {
        let last = line.rsplit([' ', ',']).next().unwrap_or(line);
        match labels.get(last) {
            Some(to) => line.replace(last, &format!(".{:+}", to - 4 * index as i64)),
            None => (*line).to_owned(),
        }
    };
    let lines = insts.iter().enumerate().map(resolved);
    lines.flat_map(|line| text::parse(&line).expect(&line).encode().to_le_bytes()).collect()
}

/// The same with one input of pixels under a latency code, so that images can be given. Units from 3 on are not seen.
pub(crate) fn image_of_pixels() -> Image {
    let mut image = image(StatePolicy::Reset, Readout::Count);
    let manifest = image.manifest.as_mut().expect("made with one");
    manifest.inputs.truncate(1);
    manifest.inputs[0].neurons = 4;
    manifest.inputs[0].encoding = Encoding::Latency { tau: 1.0, threshold: 51.0 };
    image
}

/// Samples that differ from each other, from a generator of its own.
pub(crate) fn samples(count: usize) -> Vec<Vec<Spike>> {
    let mut state = 1u32;
    let mut next = move |below: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) % below
    };
    (0..count)
        .map(|_| {
            let spikes = next(9);
            (0..spikes).map(|_| Spike { step: next(STEPS), unit: next(UNITS) }).collect()
        })
        .collect()
}

/// How often each unit spikes in the sample, spikes of the same step being one.
pub(crate) fn counts(sample: &[Spike]) -> Vec<i64> {
    let happened = |unit, step| sample.contains(&Spike { step, unit });
    (0..UNITS).map(|unit| (0..STEPS).filter(|step| happened(unit, *step)).count() as i64).collect()
}

/// Checks the page as far as that needs no browser: every element is closed by its own end, every number is one, and
/// nothing is loaded. Returns how many elements of each name there are.
pub(crate) fn check_page(page: &str) -> std::collections::BTreeMap<String, usize> {
    assert!(page.starts_with("<!DOCTYPE html>"));
    for wrong in ["NaN", "inf ", "-inf", "http://", "https://", "src=", "href=", "url(", "@import", "<script"] {
        assert!(!page.contains(wrong), "{wrong}");
    }
    let (mut open, mut count) = (Vec::new(), std::collections::BTreeMap::new());
    for tag in page.split('<').skip(2) {
        let (tag, _) = tag.split_once('>').unwrap();
        let name = tag.split([' ', '\n']).next().unwrap();
        match name.strip_prefix('/') {
            Some(end) => assert_eq!(open.pop(), Some(end), "</{end}>"),
            None => {
                *count.entry(name.to_owned()).or_insert(0) += 1;
                if name != "meta" {
                    open.push(name);
                }
            }
        }
    }
    assert!(open.is_empty(), "{open:?}");
    count
}
