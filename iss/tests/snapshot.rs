//! Snapshots: what is restored goes on as if nothing had been, and no bytes do harm.

mod support;

use fenn_isa::memory::Space;
use fenn_isa::timing::{CV32E40X, DramTiming, FENN, FUNCTIONAL, Profile};
use fenn_isa::{Class, Inst, SPECS};
use fenn_iss::dma::Direction;
use fenn_iss::snapshot::{SnapshotError, VERSION};
use fenn_iss::{Limits, Machine, Options, Statistics};
use rand_pcg::Pcg32;
use rand_pcg::rand_core::{Rng, SeedableRng};
use support::{bytes, image, machine, small, words, x};

/// Starts a transfer of 20 rows from DRAM, then polls it while it counts.
const TRANSFER: [&str; 12] = [
    "addi t0, zero, 1280",
    "csrrw zero, mm2s_src_addr, zero",
    "csrrw zero, mm2s_dst_addr, t0",
    "csrrw zero, mm2s_count, t0",
    "csrrwi zero, mm2s_control, 1",
    "csrrs t1, mm2s_status, zero",
    "andi t1, t1, 2",
    "addi t2, t2, 1",
    "beq t1, zero, .-12",
    "vloadv v1, 1280(zero)",
    "vextract a0, v1, 3",
    "ecall",
];

fn below(source: &mut Pcg32, bound: u32) -> u32 {
    ((u64::from(source.next_u32()) * u64::from(bound)) >> 32) as u32
}

/// A machine full of random instructions and data, among them starts of transfers that the engine can do, with a trap
/// handler that goes on behind whatever trapped.
fn random_machine(seed: u64) -> Machine {
    let mut source = Pcg32::seed_from_u64(seed);
    let mut profile = [FENN, CV32E40X, FUNCTIONAL][below(&mut source, 3) as usize];
    profile.shared_vector_port = below(&mut source, 2) == 1;
    profile.dram = DramTiming { latency: below(&mut source, 40), bytes_per_cycle: 1 << below(&mut source, 8) };
    let strict = below(&mut source, 4) == 0;
    let mut machine = Machine::new(small(), Options { strict, profile, ..Options::default() }).unwrap();
    let handler = ["csrrs t0, mepc, zero", "addi t0, t0, 4", "andi t0, t0, 1020", "csrrw zero, mepc, t0", "mret"];
    let mut code = words(&["addi t0, zero, 980", "csrrw zero, mtvec, t0"]);
    while code.len() < 980 {
        let start = ["csrrwi zero, mm2s_control, 1", "csrrwi zero, s2mm_control, 1"];
        let poll = ["csrrs t1, mm2s_status, zero", "csrrs t1, s2mm_status, zero"];
        match below(&mut source, 12) {
            0 => code.extend(words(&[start[below(&mut source, 2) as usize]])),
            1 => code.extend(words(&[poll[below(&mut source, 2) as usize]])),
            _ => {
                let spec = &SPECS[below(&mut source, SPECS.len() as u32) as usize];
                let word = source.next_u32() & !spec.layout.mask | spec.layout.value;
                // Programs that end at once, or overwrite the engine's registers with nonsense, would test little.
                let dull = matches!(spec.class, Class::System | Class::Csr | Class::JumpRegister);
                if !dull || below(&mut source, 20) == 0 {
                    code.extend(word.to_le_bytes());
                }
            }
        }
    }
    code.truncate(980);
    code.extend(words(&handler));
    machine.write(Space::Instruction, 0, &code).unwrap();
    for (space, size) in [(Space::Scalar, 1024), (Space::Vector, 4096), (Space::LaneLocal, 256 * 32)] {
        let data: Vec<u8> = (0..size).map(|_| source.next_u32() as u8).collect();
        machine.write(space, 0, &data).unwrap();
    }
    for _ in 0..8 {
        let address = below(&mut source, 1 << 20) & !63;
        machine.write(Space::Dram, address, &[source.next_u32() as u8; 64]).unwrap();
    }
    let state = machine.state_mut();
    (1..32).for_each(|index| state.set_x(x(index), below(&mut source, 2048)));
    for direction in Direction::ALL {
        let channel = state.dma.channel_mut(direction);
        let dram = below(&mut source, 1 << 19) & !63;
        let vector = below(&mut source, 2048) & !63;
        (channel.source, channel.destination) =
            if direction == Direction::IntoVector { (dram, vector) } else { (vector, dram) };
        channel.count = (64 + below(&mut source, 1024)) & !63;
    }
    machine
}

/// Everything that a run can depend on or show.
fn assert_same(a: &Machine, b: &Machine, seed: u64) {
    assert_eq!(a.state(), b.state(), "seed {seed}");
    assert!(a.memory() == b.memory(), "seed {seed}: the memories differ");
    assert_eq!(a.timing(), b.timing(), "seed {seed}");
    assert_eq!(a.options(), b.options(), "seed {seed}");
}

#[test]
fn a_restored_machine_goes_on_as_the_first_one() {
    let (mut in_flight, mut transfers, mut pending) = (0, 0, 0);
    for seed in 0..400 {
        let mut source = Pcg32::seed_from_u64(!seed);
        let mut first = random_machine(seed);
        first.run(Limits { instructions: Some(u64::from(below(&mut source, 400))), ..Limits::default() }, &mut ());
        let file = first.snapshot().unwrap();
        let mut second = Machine::from_snapshot(&file).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert_same(&first, &second, seed);
        assert_eq!(second.snapshot().unwrap(), file, "seed {seed}: the same machine is the same file");
        let busy = |direction| first.state().dma.channel(direction).running().is_some();
        in_flight += usize::from(Direction::ALL.into_iter().any(busy));
        pending += usize::from(first.timing().pending(first.state().cycles).next().is_some());
        // A step at a time at first, where what was on its way arrives.
        for _ in 0..50 {
            assert_eq!(first.step(&mut ()), second.step(&mut ()), "seed {seed}");
            assert_eq!(first.state(), second.state(), "seed {seed}");
        }
        let mut seen = (Statistics::default(), Statistics::default());
        let limits = Limits { instructions: Some(2000), ..Limits::default() };
        assert_eq!(first.run(limits, &mut seen.0), second.run(limits, &mut seen.1), "seed {seed}");
        assert_eq!(seen.0, seen.1, "seed {seed}");
        assert_same(&first, &second, seed);
        transfers += seen.0.transfers;
        // Also after a reset: the entry point, and nothing but the memories, is remembered.
        first.reset();
        second.reset();
        assert_eq!(first.run(limits, &mut ()), second.run(limits, &mut ()), "seed {seed}");
        assert_same(&first, &second, seed);
    }
    assert!(in_flight > 50 && pending > 50 && transfers > 500, "{in_flight} {pending} {transfers}");
}

#[test]
fn a_transfer_in_flight_arrives_when_it_would_have() {
    let mut first = machine(&TRANSFER, Options::default());
    first.write(Space::Dram, 0, &bytes(&[11; 640])).unwrap();
    let mut whole = first.clone();
    let outcome = whole.run(Limits::default(), &mut ());
    first.run(Limits { instructions: Some(9), ..Limits::default() }, &mut ());
    assert!(first.state().dma.channel(Direction::IntoVector).running().is_some());
    let mut second = Machine::from_snapshot(&first.snapshot().unwrap()).unwrap();
    second.run(Limits::default(), &mut ());
    assert_eq!(second.state().x(x(10)), 11);
    assert_eq!(second.state().cycles, outcome.cycles);
    // 10 + 4·20 cycles, of which all but those before the first read of the status were waited for.
    let waited = second.state().dma.channel(Direction::IntoVector).waited();
    assert_eq!(waited, whole.state().dma.channel(Direction::IntoVector).waited());
    assert!((80..=96).contains(&waited), "{waited}");
}

#[test]
fn only_what_is_not_zero_is_stored() {
    let mut machine = Machine::new(fenn_isa::memory::MachineConfig::default(), Options::default()).unwrap();
    let empty = machine.snapshot().unwrap().len();
    assert!(empty < 4096, "256 MiB of zeros are not stored: {empty}");
    machine.write(Space::Dram, 200 << 20, &[1]).unwrap();
    machine.write(Space::Dram, 100 << 20, &[0]).unwrap();
    assert_eq!(machine.snapshot().unwrap().len(), empty + 4 + 4096);
}

#[test]
fn the_format_is_what_its_documentation_says() {
    let mut machine =
        machine(&["addi a0, zero, 7", "ecall"], Options { strict: true, profile: FENN, ..Options::default() });
    machine.write(Space::Scalar, 5, &[0xab]).unwrap();
    machine.run(Limits::default(), &mut ());
    let file = machine.snapshot().unwrap();
    assert_eq!(file[..12], *b"FeNNsnap\x02\0\0\0");
    // Read here a second time, by the documentation alone.
    let mut sections = Vec::new();
    let mut rest = &file[12..];
    while !rest.is_empty() {
        let length = u64::from_le_bytes(rest[4..12].try_into().unwrap()) as usize;
        sections.push((std::str::from_utf8(&rest[..4]).unwrap(), &rest[12..12 + length]));
        let sum = u32::from_le_bytes(rest[12 + length..16 + length].try_into().unwrap());
        assert_eq!(sum, crc32(&rest[..12 + length]));
        rest = &rest[16 + length..];
    }
    let tags: Vec<&str> = sections.iter().map(|(tag, _)| *tag).collect();
    assert_eq!(tags, ["MACH", "PROF", "INST", "SCAL", "VECT", "LANE", "DRAM", "CORE", "DMA ", "PIPE"]);
    let config = [1024u32, 1024, 4096, 256, 1 << 20].map(u32::to_le_bytes).concat();
    assert_eq!(sections[0].1, [&config[..], &[1], &[0; 4], &[255; 4]].concat());
    assert_eq!(sections[1].1[..16], *b"fenn\0\0\0\0\0\0\0\0\0\0\0\0");
    assert_eq!((sections[3].1.len(), sections[3].1[4 + 5]), (4 + 1024, 0xab), "the memory is shorter than a page");
    assert_eq!((sections[4].1, sections[6].1), (&[][..], &[][..]));
    // pc, then x1 onwards: x10 is the tenth.
    assert_eq!((sections[7].1[0], sections[7].1[4 + 9 * 4]), (4, 7));
}

/// CRC-32 as its definition has it, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| sum >> 1 ^ if sum & 1 == 1 { 0xedb8_8320 } else { 0 })
    })
}

/// A snapshot with a transfer in flight, and results on their way.
fn specimen() -> Vec<u8> {
    let mut machine = machine(&TRANSFER, Options::default());
    machine.write(Space::Dram, 128, &[9; 64]).unwrap();
    machine.run(Limits { instructions: Some(9), ..Limits::default() }, &mut ());
    machine.snapshot().unwrap()
}

#[test]
fn every_changed_byte_and_every_end_is_noticed() {
    let file = specimen();
    for at in 0..file.len() {
        let mut changed = file.clone();
        changed[at] ^= 1 << (at % 8);
        assert!(Machine::from_snapshot(&changed).is_err(), "byte {at}");
        let error = Machine::from_snapshot(&file[..at]).unwrap_err();
        let short = matches!(error, SnapshotError::Truncated { .. } | SnapshotError::NotSnapshot);
        assert!(short, "the first {at} bytes: {error}");
    }
}

#[test]
fn errors_say_what_and_where() {
    let file = specimen();
    let error = |bytes: &[u8]| Machine::from_snapshot(bytes).unwrap_err().to_string();
    assert_eq!(error(b"\x7fELF"), "this is not a snapshot; fenn-sim --snapshot writes them");
    let mut other = file.clone();
    other[8] = 1;
    let version = format!("this snapshot has version 1 of the format, and this simulator reads version {VERSION}");
    assert_eq!(error(&other), version);
    assert_eq!(
        error(&file[..100]),
        "the snapshot is truncated: the machine's timing at offset 57 needs 105 bytes and 43 are left"
    );
    let mut other = file.clone();
    other[30] ^= 1;
    assert_eq!(
        error(&other),
        "the snapshot is damaged: the checksum of the machine's description at offset 12 is wrong"
    );
    let mut other = file.clone();
    other[57] = b'?';
    assert_eq!(error(&other), "the snapshot is damaged: at offset 57 should be the machine's timing, and is \"?ROF\"");
    let long = [&file[..], b"more"].concat();
    assert_eq!(error(&long), format!("the snapshot is damaged: 4 bytes follow its end at offset {}", file.len()));
    assert_eq!(
        error(&tampered(&file, |sections| sections[1].1[..4].copy_from_slice(b"none"))),
        "the snapshot is wrong: in the machine's timing, at offset 85, this simulator has no timing called \
         none\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00"
    );
    let odd = error(&tampered(&file, |sections| sections[0].1[..4].copy_from_slice(&7u32.to_le_bytes())));
    assert!(odd.contains("instruction memory cannot have 7 bytes"), "{odd}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.snap");
    assert!(Machine::read_snapshot(&path).unwrap_err().to_string().starts_with("cannot read "));
    std::fs::write(&path, &file[..20]).unwrap();
    let said = Machine::read_snapshot(&path).unwrap_err().to_string();
    assert!(said.contains("a.snap: the snapshot is truncated"), "{said}");
    let machine = Machine::from_snapshot(&file).unwrap();
    machine.write_snapshot(&path).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), file);
    let none = machine.write_snapshot(folder.path().join("no/such")).unwrap_err().to_string();
    assert!(none.starts_with("cannot write "), "{none}");
}

#[test]
fn a_state_that_could_not_be_read_again_is_not_written() {
    let mut machine = machine(&["ecall"], Options::default());
    machine.state_mut().cycles = u64::MAX;
    let error = machine.snapshot().unwrap_err();
    assert!(error.to_string().contains("the core's state"), "{error}");
    let profile = Profile { name: "mine", ..FENN };
    let machine = Machine::new(small(), Options { strict: false, profile, ..Options::default() }).unwrap();
    assert!(matches!(machine.snapshot(), Err(SnapshotError::State { .. })));
}

/// The snapshot after `change` has changed sections' contents, with lengths and checksums that fit them.
fn tampered(file: &[u8], change: impl FnOnce(&mut Vec<([u8; 4], Vec<u8>)>)) -> Vec<u8> {
    let mut sections = Vec::new();
    let mut rest = &file[12..];
    while !rest.is_empty() {
        let length = u64::from_le_bytes(rest[4..12].try_into().unwrap()) as usize;
        sections.push((rest[..4].try_into().unwrap(), rest[12..12 + length].to_vec()));
        rest = &rest[16 + length..];
    }
    change(&mut sections);
    let mut out = file[..12].to_vec();
    for (tag, contents) in sections {
        let begin = out.len();
        out.extend(tag);
        out.extend((contents.len() as u64).to_le_bytes());
        out.extend(contents);
        let sum = crc32(&out[begin..]);
        out.extend(sum.to_le_bytes());
    }
    out
}

/// Random changes, some with checksums that fit: whatever is accepted is a machine that runs.
#[test]
fn no_bytes_do_harm() {
    let file = specimen();
    let mut source = Pcg32::seed_from_u64(7);
    let mut accepted = 0;
    for _ in 0..20_000 {
        let changed = if below(&mut source, 4) == 0 {
            let mut changed = file.clone();
            for _ in 0..=below(&mut source, 4) {
                let at = below(&mut source, changed.len() as u32) as usize;
                changed[at] = source.next_u32() as u8;
            }
            changed.truncate(below(&mut source, 2 * file.len() as u32).min(file.len() as u32) as usize);
            changed
        } else {
            tampered(&file, |sections| {
                for _ in 0..=below(&mut source, 3) {
                    let section = below(&mut source, sections.len() as u32) as usize;
                    let contents = &mut sections[section].1;
                    match below(&mut source, 8) {
                        0 => contents.truncate(below(&mut source, contents.len() as u32 + 1) as usize),
                        1 => contents.extend([source.next_u32() as u8; 3]),
                        _ if contents.is_empty() => {}
                        2 => {
                            let at = below(&mut source, contents.len() as u32) as usize;
                            let end = (at + 8).min(contents.len());
                            contents[at..end].fill(255);
                        }
                        _ => {
                            let at = below(&mut source, contents.len() as u32) as usize;
                            contents[at] = source.next_u32() as u8;
                        }
                    }
                }
            })
        };
        // A config of other sizes makes a machine of up to hundreds of megabytes: right, but slow to try so often.
        if changed.len() > 44 && changed[24..44] != file[24..44] {
            continue;
        }
        if let Ok(mut machine) = Machine::from_snapshot(&changed) {
            accepted += 1;
            machine.run(Limits { instructions: Some(300), ..Limits::default() }, &mut ());
            // A count that was at its limit already may be beyond it now; nothing else can have gone wrong.
            let again = machine.snapshot().err().map(|error| error.to_string());
            assert!(again.as_ref().is_none_or(|error| error.contains("are too many")), "{again:?}");
        }
    }
    assert!(accepted > 2000, "{accepted}");
}

#[test]
fn instructions_come_back_decoded() {
    let mut first = machine(&["addi a0, zero, 7", "ecall"], Options::default());
    first = Machine::from_snapshot(&first.snapshot().unwrap()).unwrap();
    assert_eq!(first.memory().word(0).and_then(Inst::decode), Some(fenn_isa::text::parse("addi a0, zero, 7").unwrap()));
    first.run(Limits::default(), &mut ());
    assert_eq!(first.state().x(x(10)), 7);
    let image = image(small(), &["ecall"]);
    first.load(&image).unwrap();
    assert_eq!(first.run(Limits::default(), &mut ()).instructions, 0);
}
