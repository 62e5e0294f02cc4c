//! Programs on a simulated card, beside the simulator itself; and everything that can go wrong on the way.

mod support;

use std::time::{Duration, Instant};

use fenn_host::card::{Card, Core, Settings};
use fenn_host::dataset::{Dataset, Spike};
use fenn_host::device::{Device, Limit};
use fenn_host::error::{CardError, DeviceError, Exceeded, SessionError};
use fenn_host::evaluate::{Options as Evaluate, evaluate};
use fenn_host::session::Session;
use fenn_host::sim::Simulator;
use fenn_host::transport::sim::{Options, SimulatedCard};
use fenn_host::transport::{Transport, TransportError};
use fenn_isa::image::manifest::{Readout, StatePolicy};
use fenn_isa::image::{Image, Segment};
use fenn_isa::memory::{MachineConfig, Space};
use fenn_isa::soc::{CardRegister, CoreRegister, FINGERPRINT, core_offset};
use fenn_isa::text;
use support::faulty::{Fault, Faulty};
use support::{image, image_of_batch, samples};

const SMALL: MachineConfig = MachineConfig {
    instruction_bytes: 4096,
    scalar_bytes: 4096,
    vector_bytes: 8192,
    lane_local_bytes: 256,
    dram_bytes: 1 << 16,
};

/// A card whose cores are what the small programs are made for.
fn options(cores: u32) -> Options {
    Options { cores, dram_bytes: u64::from(cores) << 16, ..Options::default() }
}

fn small(cores: u32) -> Options {
    Options { config: SMALL, ..options(cores) }
}

fn card(options: Options) -> Card<SimulatedCard> {
    Card::open(SimulatedCard::new(options).unwrap()).unwrap()
}

/// A program of these lines for the small machine.
fn program(lines: &[&str]) -> Image {
    let code = lines.iter().flat_map(|line| text::parse(line).expect(line).encode().to_le_bytes()).collect();
    let segments = vec![Segment::new(Space::Instruction, 0, code)];
    Image { config: SMALL, segments, ..Image::default() }
}

fn limit(seconds: f64) -> Limit {
    Limit { time: Duration::from_secs_f64(seconds), ..Limit::default() }
}

/// Loads and runs a program on a core and on the simulator, and expects the same answer, whatever it is.
fn same<T: Transport>(core: &mut Core<T>, image: &Image) -> Result<(), DeviceError> {
    let mut simulator = Simulator::new(image.config).unwrap();
    core.load(image)?;
    simulator.load(image)?;
    core.start(image.entry)?;
    simulator.start(image.entry)?;
    let (here, there) = (core.wait(limit(20.0)), simulator.wait(limit(20.0)));
    assert_eq!(here, there);
    for space in Space::ALL {
        let bytes = image.config.bytes(space) as usize;
        let (mut a, mut b) = (vec![1; bytes], vec![2; bytes]);
        core.read(space, 0, &mut a)?;
        simulator.read(space, 0, &mut b)?;
        assert!(a == b, "{space}");
    }
    here.map(drop)
}

#[test]
fn sessions_are_the_same_on_a_card() {
    for alignment in [1, 4, 64] {
        for interrupts in [true, false] {
            let card = card(Options { alignment, interrupts, ..options(1) });
            for image in [image(StatePolicy::Reset, Readout::Count), image(StatePolicy::Carried, Readout::Last)] {
                let mut here = Session::open(card.core(0).unwrap(), &image).unwrap();
                let mut there = Session::open(Simulator::new(image.config).unwrap(), &image).unwrap();
                for sample in samples(12) {
                    let (a, b) = (here.run(&sample, limit(20.0)), there.run(&sample, limit(20.0)));
                    assert_eq!(a.unwrap(), b.unwrap());
                    assert_eq!(here.recordings(0).unwrap(), there.recordings(0).unwrap());
                }
            }
        }
    }
}

#[test]
fn an_evaluation_is_the_same_on_any_number_of_cores() {
    let image = image_of_batch(Readout::Last);
    let dataset = Dataset::new(samples(25), Some((0..25).map(|index| index % 5).collect()));
    // What branches take depends on what a core has run before, so instructions are what can be the same.
    let machine = fenn_iss::Options { profile: fenn_isa::timing::FUNCTIONAL, ..fenn_iss::Options::default() };
    let simulator = || Simulator::with_options(image.config, machine);
    let expected = evaluate(&image, &dataset, simulator, Evaluate::default(), |_| ()).unwrap();
    for cores in [1, 2, 4] {
        let card = card(Options { machine, ..options(cores) });
        let next = std::sync::atomic::AtomicU32::new(0);
        let open = || Ok(card.core(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed))?);
        let options = Evaluate { jobs: cores as usize, ..Evaluate::default() };
        let found = evaluate(&image, &dataset, open, options, |_| ()).unwrap();
        assert_eq!(
            (found.samples, found.score, found.cycles),
            (expected.samples.clone(), expected.score.clone(), expected.cycles)
        );
        assert_eq!(found.jobs, cores as usize);
    }
}

#[test]
fn cores_run_at_the_same_time() {
    let card = card(small(2));
    let image = program(&["lw t0, 0(zero)", "beq t0, zero, .-4", "ecall"]);
    let mut cores = [card.core(0).unwrap(), card.core(1).unwrap()];
    for core in &mut cores {
        core.load(&image).unwrap();
        core.start(0).unwrap();
    }
    // The first one never ends, and the second one is told to end and ends while the first is waited for.
    let [first, second] = &mut cores;
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| first.wait(limit(30.0)));
        second.write(Space::Scalar, 0, &[1]).unwrap();
        second.wait(limit(30.0)).unwrap();
        assert!(!waits.is_finished());
        let state = card.state(0).unwrap();
        assert!(state.running && !state.done);
        // Nobody else has the core; a recovery of the whole card is how it is taken from its owner.
        assert!(matches!(card.core(0), Err(CardError::Taken { core: 0 })));
        card.recover().unwrap();
        // The second if the thread comes to it only now.
        let interrupted = DeviceError::Interrupted { core: 0, pc: 0 };
        assert!([Err(interrupted), Err(DeviceError::NotRunning)].contains(&waits.join().unwrap()));
    });
}

#[test]
fn a_dma_kernel_is_the_same_on_every_core() {
    let card = card(small(3));
    let lines = [
        "addi t0, zero, 0x40",
        "csrrw zero, mm2s_src_addr, t0",
        "csrrwi zero, mm2s_dst_addr, 0",
        "addi t1, zero, 0x400",
        "csrrw zero, mm2s_count, t1",
        "csrrwi zero, mm2s_control, 1",
        "csrrs t2, mm2s_status, zero",
        "andi t3, t2, 2",
        "beq t3, zero, .-8",
        "vloadv v1, 0(zero)",
        "vadd v1, v1, v1",
        "vstore v1, 0(zero)",
        "csrrwi zero, s2mm_src_addr, 0",
        "lui t0, 8",
        "csrrw zero, s2mm_dst_addr, t0",
        "csrrw zero, s2mm_count, t1",
        "csrrwi zero, s2mm_control, 1",
        "ecall",
    ];
    for index in 0..3 {
        let mut image = program(&lines);
        let weights = (0..2048u32).map(|byte| (byte * 7 + index) as u8).collect();
        image.segments.push(Segment::new(Space::Dram, 0, weights));
        // The DRAM of the card is not cleared, this part of it excepted.
        image.segments.push(Segment::zeros(Space::Dram, 2048, (1 << 16) - 2048));
        same(&mut card.core(index).unwrap(), &image).unwrap();
    }
}

#[test]
fn faults_are_told_as_the_simulator_does() {
    let card = card(small(1));
    let mut core = card.core(0).unwrap();
    let faults = [
        &["lw a0, -4(zero)"][..],
        &["lui t0, 1", "sh a0, 0(t0)"],
        &["lbu a0, -1(zero)"],
        &["addi t0, zero, 32", "vloadv v1, 0(t0)"],
        &["addi t0, zero, 2", "vstore v1, 0(t0)"],
        &["addi t0, zero, 1", "vloadr0 0(t0)"],
        &["csrrs a0, mhartid, zero", "csrrw zero, mhartid, a0"],
        &["csrrs a0, 0x7ff, zero"],
        &["jal zero, .+2"],
        &["lui t0, 1", "jalr zero, 0(t0)"],
        &["lui t0, 16", "jalr zero, 0(t0)"],
        &["ebreak"],
        &["addi a0, zero, 0"],
    ];
    for lines in faults {
        let error = same(&mut core, &program(lines)).unwrap_err();
        assert!(matches!(error, DeviceError::Fault { .. } | DeviceError::Breakpoint { .. }), "{error}");
        // And the next program runs as if nothing had been.
        same(&mut core, &program(&["addi t0, zero, 3", "sw t0, 0(zero)", "ecall"])).unwrap();
    }
}

#[test]
fn an_endless_program_ends_at_its_limit() {
    let card = card(small(1));
    let mut core = card.core(0).unwrap();
    core.load(&program(&["jal zero, .+0"])).unwrap();
    assert_eq!(core.wait(limit(1.0)), Err(DeviceError::NotRunning));
    core.start(0).unwrap();
    assert_eq!(core.start(0), Err(DeviceError::Running));
    let begin = Instant::now();
    let by_time = core.wait(limit(0.05)).unwrap_err();
    assert!(begin.elapsed() < Duration::from_secs(20));
    let time = Duration::from_secs_f64(0.05);
    assert_eq!(by_time, DeviceError::Limit { limit: Exceeded::Time(time), pc: Some(0) });
    let by_count = core.wait(Limit { instructions: 1000, ..limit(60.0) }).unwrap_err();
    assert_eq!(by_count, DeviceError::Limit { limit: Exceeded::Instructions(1000), pc: Some(0) });
    // It still runs, so its vector memory is its own.
    let mut vector = [0; 64];
    assert_eq!(core.read(Space::Vector, 0, &mut vector), Err(DeviceError::Busy { space: Space::Vector }));
    core.read(Space::Scalar, 0, &mut vector).unwrap();
    core.halt().unwrap();
    core.read(Space::Vector, 0, &mut vector).unwrap();
    assert_eq!(core.wait(limit(1.0)), Err(DeviceError::NotRunning));
    core.start(0).unwrap();
    // Whoever gives up a core leaves it standing.
    drop(core);
    assert!(!card.state(0).unwrap().running);
    drop(card.core(0).unwrap());
}

#[test]
fn a_ready_flag_is_an_end() {
    let lines = [
        "addi t0, zero, 200",
        "addi t0, t0, -1",
        "bne t0, zero, .-4",
        "addi t1, zero, 7",
        "sw t1, 8(zero)",
        "jal zero, .+0",
    ];
    let image = Image { ready_flag: Some(8), ..program(&lines) };
    for interrupts in [true, false] {
        let card = card(Options { interrupts, ..small(1) });
        let mut core = card.core(0).unwrap();
        core.load(&image).unwrap();
        for _ in 0..3 {
            core.start(0).unwrap();
            let finished = core.wait(limit(20.0)).unwrap();
            assert!(finished.instructions >= 402 && finished.cycles >= 402, "{finished:?}");
            assert!(!card.state(0).unwrap().running);
        }
    }
}

#[test]
fn programs_that_do_not_fit_are_refused_before_anything_is_changed() {
    let card = card(small(2));
    let mut core = card.core(1).unwrap();
    core.write(Space::Scalar, 0, &[1, 2, 3]).unwrap();
    assert_eq!(core.start(0), Err(DeviceError::NoProgram));
    let large = Image { config: MachineConfig { vector_bytes: 16384, ..SMALL }, ..program(&["ecall"]) };
    assert!(matches!(
        core.load(&large),
        Err(DeviceError::TooSmall { space: Space::Vector, needed: 16384, bytes: 8192 })
    ));
    let mut dram = Image { config: MachineConfig { dram_bytes: 1 << 17, ..SMALL }, ..program(&["ecall"]) };
    dram.segments.push(Segment::zeros(Space::Dram, 1 << 16, 64));
    assert!(matches!(core.load(&dram), Err(DeviceError::TooSmall { space: Space::Dram, .. })));
    let mut wrong = program(&["ecall"]);
    wrong.segments[0].address = 4096;
    assert!(matches!(core.load(&wrong), Err(DeviceError::Image(_))));
    let mut bytes = [0; 3];
    core.read(Space::Scalar, 0, &mut bytes).unwrap();
    assert_eq!(bytes, [1, 2, 3]);
    core.load(&program(&["ecall"])).unwrap();
    for address in [2, 4096, u32::MAX] {
        assert_eq!(core.start(address), Err(DeviceError::Entry { address, bytes: 4096 }));
    }
    for (space, address, length) in [
        (Space::Scalar, 4096, 1),
        (Space::Scalar, u32::MAX, 2),
        (Space::Dram, (1 << 16) - 3, 4),
        (Space::LaneLocal, 8192, 1),
    ] {
        assert!(matches!(core.write(space, address, &vec![0; length]), Err(DeviceError::Outside { .. })));
        assert!(matches!(core.read(space, address, &mut vec![0; length]), Err(DeviceError::Outside { .. })));
    }
}

/// What any order of accesses of any length leaves is what they say, wherever the units of the way to the card are.
#[test]
fn bytes_keep_their_neighbours() {
    for alignment in [1, 4, 16, 64] {
        let card = card(Options { alignment, ..small(2) });
        let mut core = card.core(1).unwrap();
        for space in Space::ALL {
            let size = core.config().bytes(space).min(4096) as usize;
            let mut expected: Vec<u8> = (0..size).map(|index| (index * 11) as u8).collect();
            core.write(space, 0, &expected).unwrap();
            let mut state = 7u32;
            for _ in 0..60 {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let from = (state >> 8) as usize % size;
                let length = ((state >> 20) as usize % 150).min(size - from);
                let bytes: Vec<u8> = (0..length).map(|index| (index as u32 ^ state) as u8).collect();
                core.write(space, from as u32, &bytes).unwrap();
                expected[from..from + length].copy_from_slice(&bytes);
                let mut part = vec![0; length];
                core.read(space, from as u32, &mut part).unwrap();
                assert_eq!(part, bytes);
            }
            let mut found = vec![0; size];
            core.read(space, 0, &mut found).unwrap();
            assert!(found == expected, "{space}, units of {alignment}");
        }
    }
}

fn lies(register: CardRegister, value: u32) -> Result<Card<Faulty>, CardError> {
    let fault = Fault::Register { offset: register.spec().offset, value };
    Card::open(Faulty::new(SimulatedCard::new(small(2)).unwrap(), fault))
}

#[test]
fn cards_that_are_something_else_are_refused() {
    let error = lies(CardRegister::Ident, u32::MAX).unwrap_err();
    assert_eq!(error, CardError::NotFenn { found: u32::MAX });
    assert!(error.to_string().contains("load the FeNN bitstream"), "{error}");
    let error = lies(CardRegister::Version, 0x0002_0000).unwrap_err();
    assert_eq!(error, CardError::Version { found: 2, expected: 1 });
    // A later minor version has more registers, and nothing else.
    lies(CardRegister::Version, 0x0001_0007).unwrap();
    let error = lies(CardRegister::Fingerprint, 5).unwrap_err();
    assert_eq!(error, CardError::Fingerprint { found: 5, expected: FINGERPRINT });
    assert_eq!(lies(CardRegister::Lanes, 64).unwrap_err(), CardError::Lanes { found: 64 });
    for cores in [0, 17, u32::MAX] {
        assert_eq!(lies(CardRegister::Cores, cores).unwrap_err(), CardError::Cores { found: cores });
    }
    for register in
        [CardRegister::InstructionBytes, CardRegister::ScalarBytes, CardRegister::VectorBytes, CardRegister::LaneBytes]
    {
        for bytes in [0, 1, u32::MAX, !63] {
            assert!(matches!(lies(register, bytes).unwrap_err(), CardError::Config(_)), "{register:?} {bytes}");
        }
    }
    // More DRAM than the transport reaches is of no use.
    let card = lies(CardRegister::DramHigh, u32::MAX).unwrap();
    assert_eq!(card.identity().dram_bytes, 2 << 16);
    assert!(matches!(card.core(2), Err(CardError::NoCore { core: 2, cores: 2 })));
}

#[test]
fn a_card_without_dram_is_one() {
    let card = card(Options { dram_bytes: 0, ..small(1) });
    let mut core = card.core(0).unwrap();
    assert_eq!(core.config().dram_bytes, 0);
    let mut image = program(&["ecall"]);
    core.load(&image).unwrap();
    core.start(0).unwrap();
    core.wait(limit(20.0)).unwrap();
    image.segments.push(Segment::zeros(Space::Dram, 0, 64));
    assert!(matches!(core.load(&image), Err(DeviceError::TooSmall { space: Space::Dram, needed: 64, bytes: 0 })));
    assert!(matches!(core.write(Space::Dram, 0, &[0]), Err(DeviceError::Outside { .. })));
}

#[test]
fn what_the_card_notes_of_a_refusal_is_told() {
    // A transport that says of itself that it reaches everything, and a card that is smaller than it says.
    let blind = SimulatedCard::new(Options { tells_windows: false, ..small(1) }).unwrap();
    let fault = Fault::Register { offset: CardRegister::ScalarBytes.spec().offset, value: 8192 };
    let card = Card::open(Faulty::new(blind, fault)).unwrap();
    let mut core = card.core(0).unwrap();
    let error = core.write(Space::Scalar, 4096, &[0; 4]).unwrap_err();
    assert!(matches!(error, DeviceError::Bus { error: TransportError::Refused { .. }, .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("the card noted a write outside of every memory, the first at 0x10001000"), "{text}");
    assert_eq!(card.take_bus_error().unwrap(), None, "it has been told");
}

#[test]
fn errors_on_the_way_end_a_call_and_not_the_card() {
    let image = image(StatePolicy::Reset, Readout::Count);
    let sample: &[Spike] = &samples(3)[2];
    let gone = TransportError::Gone { name: "card".to_owned(), what: "no answer".to_owned() };
    for after in 0..60 {
        let faulty = Faulty::new(SimulatedCard::new(options(1)).unwrap(), Fault::Nothing);
        let switch = faulty.switch();
        let card = Card::open_with(faulty, Settings::default()).unwrap();
        let mut expected = Session::open(Simulator::new(image.config).unwrap(), &image).unwrap();
        let expected = expected.run(sample, limit(20.0)).unwrap();
        switch.fail_after(after, gone.clone());
        let core = card.core(0).map_err(DeviceError::from).map_err(SessionError::from);
        let result =
            core.and_then(|core| Session::open(core, &image)).and_then(|mut session| session.run(sample, limit(20.0)));
        match result {
            Ok(run) => {
                assert_eq!(run, expected);
                assert!(after > 20, "a session takes more calls than {after}");
                continue;
            }
            Err(SessionError::Device(
                DeviceError::Transport(error) | DeviceError::Card(CardError::Transport(error)),
            )) => {
                assert_eq!(error, gone, "after {after} calls");
            }
            Err(other) => panic!("after {after} calls: {other}"),
        }
        switch.mend();
        card.recover().unwrap();
        let mut session = Session::open(card.core(0).unwrap(), &image).unwrap();
        assert_eq!(session.run(sample, limit(20.0)).unwrap(), expected, "after {after} calls");
    }
}

#[test]
fn a_lost_interrupt_is_made_up_for() {
    let faulty = Faulty::new(SimulatedCard::new(small(1)).unwrap(), Fault::NoInterrupts);
    let card = Card::open(faulty).unwrap();
    let mut core = card.core(0).unwrap();
    core.load(&program(&["addi t0, zero, 1", "ecall"])).unwrap();
    core.start(0).unwrap();
    assert_eq!(core.wait(limit(20.0)).unwrap().instructions, 1);
}

#[test]
fn a_link_that_reads_all_ones_is_lost() {
    let offset = core_offset(0, CoreRegister::Status);
    let faulty = Faulty::new(SimulatedCard::new(small(1)).unwrap(), Fault::Register { offset, value: u32::MAX });
    let card = Card::open(faulty).unwrap();
    let error = card.core(0).unwrap().load(&program(&["ecall"])).unwrap_err();
    assert!(matches!(error, DeviceError::Transport(TransportError::Gone { .. })), "{error}");
}

#[test]
fn a_core_that_does_not_stop_is_told_of() {
    let offset = core_offset(0, CoreRegister::Status);
    let faulty = Faulty::new(SimulatedCard::new(small(1)).unwrap(), Fault::Register { offset, value: 1 });
    let card = Card::open(faulty).unwrap();
    let error = card.core(0).unwrap().load(&program(&["ecall"])).unwrap_err();
    assert!(matches!(error, DeviceError::Transport(TransportError::Deadline { .. })), "{error}");
    assert!(error.to_string().contains("the reset of core 0 did not end within 1 s"), "{error}");
}

#[test]
fn a_program_that_somebody_else_stops_has_no_result() {
    let card = card(small(1));
    let mut core = card.core(0).unwrap();
    core.load(&program(&["jal zero, .+0"])).unwrap();
    core.start(0).unwrap();
    card.recover().unwrap();
    assert_eq!(core.wait(limit(20.0)), Err(DeviceError::NotRunning));
    assert_eq!(core.start(0), Err(DeviceError::NoProgram));
    core.load(&program(&["ecall"])).unwrap();
    core.start(0).unwrap();
    core.wait(limit(20.0)).unwrap();
    core.recover().unwrap();
    assert_eq!(core.start(0), Err(DeviceError::NoProgram));
}
