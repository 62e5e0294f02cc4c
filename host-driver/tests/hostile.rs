//! Hostile programs: whatever an image or its manifest says, no access leaves the memories of the core that it is given to.
//!
//! Every access to the card is noted below the driver, by a way to the card that lets everything pass, and compared with what
//! the core has according to a list made here.

mod support;

use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fenn_host::card::{Card, Core};
use fenn_host::dataset::Spike;
use fenn_host::device::{Device as _, Limit};
use fenn_host::session::Session;
use fenn_host::transport::sim::{Options, SimulatedCard};
use fenn_host::transport::{Capabilities, Deadline, Transport, TransportError};
use fenn_isa::image::manifest::{Data, InputSpikes, Manifest, Readout, SpikeList, StatePolicy, Stream, VERSION};
use fenn_isa::image::{Image, Segment};
use fenn_isa::memory::Space;
use fenn_isa::soc::REGISTER_BYTES;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use support::{STEPS, UNITS, image, image_of_batch, image_of_stream};

/// The core that the programs get, of three.
const CORE: u32 = 1;
/// DRAM of each.
const DRAM: u64 = 1 << 16;

/// What a core of the default sizes may be reached at, by hand: instruction, scalar, vector and lane-local memory at their
/// bases plus 16 MiB for core 1, and the second part of DRAM.
const ALLOWED: [Range<u64>; 5] = [
    0x0100_0000..0x0100_4000,
    0x1100_0000..0x1102_0000,
    0x2100_0000..0x2108_0000,
    0x3100_0000..0x3101_0000,
    0x8000_0000 + DRAM..0x8000_0000 + 2 * DRAM,
];
/// The registers it may be reached at: the card's interrupts and errors, and its own block.
const CARD_REGISTERS: Range<u32> = 0..0x58;
const BLOCK: Range<u32> = 0x1100..0x1134;

/// What lies outside of all that, and how many accesses there were.
#[derive(Debug, Default)]
struct Seen {
    accesses: usize,
    outside: Vec<String>,
}

/// A way to a card that notes what goes by.
struct Recording {
    card: SimulatedCard,
    seen: Arc<Mutex<Seen>>,
    /// Whether registers are looked at too: not while the card is opened.
    seen_registers: Arc<Mutex<bool>>,
}

impl Recording {
    fn note(&self, what: &str, address: u64, bytes: usize) {
        let mut seen = self.seen.lock().unwrap();
        seen.accesses += 1;
        let end = u128::from(address) + bytes as u128;
        if !ALLOWED.iter().any(|range| range.start <= address && end <= u128::from(range.end)) {
            seen.outside.push(format!("{what} of {bytes} bytes at {address:#x}"));
        }
    }

    fn note_register(&self, what: &str, offset: u32) {
        let all = !*self.seen_registers.lock().unwrap();
        if !all && !CARD_REGISTERS.contains(&offset) && !BLOCK.contains(&offset) {
            self.seen.lock().unwrap().outside.push(format!("{what} of register {offset:#x}"));
        }
        assert!(offset < REGISTER_BYTES && offset.is_multiple_of(4));
    }
}

impl Transport for Recording {
    fn name(&self) -> String {
        "recording".to_owned()
    }

    fn capabilities(&self) -> Capabilities {
        self.card.capabilities()
    }

    fn read_register(&mut self, offset: u32) -> Result<u32, TransportError> {
        self.note_register("a read", offset);
        self.card.read_register(offset)
    }

    fn write_register(&mut self, offset: u32, value: u32) -> Result<(), TransportError> {
        self.note_register("a write", offset);
        self.card.write_register(offset, value)
    }

    fn read(&mut self, address: u64, out: &mut [u8], deadline: Deadline) -> Result<(), TransportError> {
        self.note("a read", address, out.len());
        self.card.read(address, out, deadline)
    }

    fn write(&mut self, address: u64, bytes: &[u8], deadline: Deadline) -> Result<(), TransportError> {
        self.note("a write", address, bytes.len());
        self.card.write(address, bytes, deadline)
    }

    fn wait_event(&mut self, core: u32, deadline: Deadline) -> Result<(), TransportError> {
        self.card.wait_event(core, deadline)
    }

    fn recover(&mut self) -> Result<(), TransportError> {
        self.card.recover()
    }
}

fn core() -> (Core<Recording>, Arc<Mutex<Seen>>) {
    let options = Options { cores: 3, dram_bytes: 3 * DRAM, tells_windows: false, slice: 64, ..Options::default() };
    let seen = Arc::new(Mutex::new(Seen::default()));
    let seen_registers = Arc::new(Mutex::new(false));
    let recording = Recording {
        card: SimulatedCard::new(options).unwrap(),
        seen: seen.clone(),
        seen_registers: seen_registers.clone(),
    };
    let core = Card::open(recording).unwrap().core(CORE).unwrap();
    *seen_registers.lock().unwrap() = true;
    (core, seen)
}

const LIMIT: Limit = Limit { instructions: 2000, time: Duration::from_secs(20) };

/// Does everything with a program that a host does, and gives what was seen.
fn use_it(image: &Image) -> Seen {
    let (core, seen) = core();
    if let Ok(mut session) = Session::open(core, image) {
        let spikes: Vec<Spike> = (0..STEPS).map(|step| Spike { step, unit: step % UNITS }).collect();
        for samples in [&[&spikes[..]][..], &[&spikes[..]; 3], &[&[]]] {
            if session.launch(samples, LIMIT).is_err() {
                break;
            }
        }
        _ = session.stream([&spikes[..]; 7], LIMIT, |_, _| ());
        for sample in [0, 2, u32::MAX] {
            _ = session.recordings(sample);
            _ = session.output_arrays(sample);
        }
    }
    let (mut core, others) = self::core();
    if core.load(image).is_ok() && core.start(image.entry).is_ok() {
        _ = core.wait(LIMIT);
        _ = core.halt();
    }
    drop(core);
    let mut seen = std::mem::take(&mut *seen.lock().unwrap());
    let others = std::mem::take(&mut *others.lock().unwrap());
    seen.accesses += others.accesses;
    seen.outside.extend(others.outside);
    seen
}

/// Numbers at the edges of things.
fn number() -> impl Strategy<Value = u32> {
    prop_oneof![
        Just(0),
        Just(u32::MAX),
        Just(u32::MAX - 3),
        0u32..256,
        (0u32..64).prop_map(|words| 64 * words),
        prop_oneof![Just(1u32 << 14), Just(1 << 17), Just(1 << 19), Just(1 << 24), Just(1 << 31)]
            .prop_flat_map(|edge| (0u32..130).prop_map(move |below| edge.wrapping_sub(below))),
        any::<u32>(),
    ]
}

/// A manifest with some of its numbers changed.
fn change(manifest: &mut Manifest, which: u32, number: u32) {
    let batch = &mut manifest.batch;
    match which % 26 {
        0 => batch.samples = number,
        1 => batch.count = Some(number),
        2 => batch.marks = Some(number),
        3 => manifest.steps = number,
        4 => manifest.entry_points[0].address = number,
        5 => manifest.inputs[0].neurons = number,
        6 => manifest.outputs[0].neurons = number,
        7 => manifest.recordings[0].neurons = number,
        8 => manifest.recordings[1].neurons = number,
        9 => manifest.version = number % 4,
        10..=14 => {
            let input = manifest.inputs.last_mut().unwrap();
            let InputSpikes::Bits(array) = &mut input.spikes else { return };
            let fields = [
                &mut array.address,
                &mut array.words,
                &mut array.steps,
                &mut array.step_stride,
                &mut array.sample_stride,
            ];
            *fields.into_iter().nth(which as usize % 26 - 10).unwrap() = number;
        }
        15 => {
            let list = SpikeList { address: number, sample_bytes: number.rotate_left(7) & 0xffff, base: 0, scale: 1 };
            manifest.inputs[0].spikes = InputSpikes::List(list);
        }
        16..=19 => {
            let Data::Spikes(array) = &mut manifest.recordings[0].data else { return };
            let fields = [&mut array.address, &mut array.words, &mut array.step_stride, &mut array.sample_stride];
            *fields.into_iter().nth(which as usize % 26 - 16).unwrap() = number;
        }
        24 => batch.stream = Some(Stream { ready: number, ..batch.stream.unwrap_or(Stream { ready: 0, done: 0x280 }) }),
        25 => batch.stream = Some(Stream { done: number, ..batch.stream.unwrap_or(Stream { ready: 0x204, done: 0 }) }),
        _ => {
            let Data::Values(array) = &mut manifest.recordings[1].data else { return };
            let fields = [&mut array.address, &mut array.stride, &mut array.steps, &mut array.step_stride];
            *fields.into_iter().nth(which as usize % 26 - 20).unwrap() = number;
        }
    }
}

/// What a good program does is seen, and all of it inside: so what the others do would be, too.
#[test]
fn good_programs_are_seen() {
    for image in [image(StatePolicy::Reset, Readout::Count), image_of_batch(Readout::Last), image_of_stream(&[], &[])] {
        let seen = use_it(&image);
        assert!(seen.accesses > 12, "{}", seen.accesses);
        assert_eq!(seen.outside, [""; 0]);
    }
    assert_eq!(image_of_batch(Readout::Last).manifest.unwrap().version, VERSION);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn manifests_lead_nowhere_else(changes in proptest::collection::vec((0u32..26, number()), 1..4), which in 0..3) {
        let mut image = match which {
            0 => image_of_batch(Readout::Last),
            1 => image(StatePolicy::Carried, Readout::Max),
            _ => image_of_stream(&[], &[]),
        };
        for (which, number) in changes {
            change(image.manifest.as_mut().unwrap(), which, number);
        }
        let seen = use_it(&image);
        prop_assert!(seen.outside.is_empty(), "{:?}", seen.outside);
    }

    #[test]
    fn images_lead_nowhere_else(
        segments in proptest::collection::vec((0usize..5, number(), number(), 0usize..300), 0..4),
        ready_flag in proptest::option::of(number()),
        entry in number(),
        sizes in proptest::option::of([number(), number(), number(), number(), number()]),
        sort: bool,
    ) {
        let mut image = image(StatePolicy::Reset, Readout::Count);
        for (space, address, size, bytes) in segments {
            let segment = Segment { space: Space::ALL[space], address, size: size % (1 << 20), bytes: vec![0x13; bytes] };
            image.segments.push(segment);
        }
        (image.ready_flag, image.entry) = (ready_flag, if entry % 3 == 0 { 0 } else { entry });
        if let Some([instruction, scalar, vector, lane, dram]) = sizes {
            let config = &mut image.config;
            (config.instruction_bytes, config.scalar_bytes) = (instruction, scalar);
            (config.vector_bytes, config.lane_local_bytes, config.dram_bytes) = (vector, lane, dram);
        }
        if sort {
            image.sort();
        }
        let seen = use_it(&image);
        prop_assert!(seen.outside.is_empty(), "{:?}", seen.outside);
    }

    /// And what is asked for directly.
    #[test]
    fn nobody_gets_elsewhere(space in 0usize..5, address in number(), length in 0usize..5000) {
        let (mut core, seen) = core();
        let mut bytes = vec![0; length];
        let inside = core.read(Space::ALL[space], address, &mut bytes).is_ok();
        prop_assert_eq!(core.write(Space::ALL[space], address, &bytes).is_ok(), inside);
        let streamed = core.stream(Space::ALL[space], address, length as u32, &bytes[..], &Default::default(), |_| ());
        prop_assert_eq!(streamed.is_ok(), inside);
        let seen = seen.lock().unwrap();
        prop_assert!(seen.outside.is_empty(), "{:?}", seen.outside);
        prop_assert!(inside || seen.accesses == 0, "refused before anything is moved");
    }
}

/// As files: bytes of a good one are changed. Those that no longer are programs count too.
#[test]
fn files_lead_nowhere_else() {
    let good = image_of_batch(Readout::Last).to_elf().unwrap();
    let change = (any::<prop::sample::Index>(), any::<u8>());
    let count = std::cell::Cell::new(0);
    let mut runner = TestRunner::new(ProptestConfig::with_cases(1000));
    let ended = runner.run(&proptest::collection::vec(change, 1..6), |changes| {
        let mut bytes = good.clone();
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if let Ok(image) = Image::from_elf(&bytes) {
            let seen = use_it(&image);
            prop_assert!(seen.outside.is_empty(), "{:?}", seen.outside);
        }
        count.set(count.get() + 1);
        Ok(())
    });
    ended.unwrap_or_else(|error| panic!("{error}"));
    eprintln!("{} hostile programs kept inside", count.get());
}
