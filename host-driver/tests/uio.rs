//! Boards through UIO, with files in the places of devices and sysfs.

mod support;

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fenn_host::card::Card;
use fenn_host::device::{Device, Limit};
use fenn_host::error::DeviceError;
use fenn_host::open::{OpenError, Selector, found, open_at};
use fenn_host::system::Root;
use fenn_host::transport::{Deadline, Transport, TransportError, Window};
use fenn_isa::csr::dma_status;
use fenn_isa::image::{Image, Segment};
use fenn_isa::memory::{MachineConfig, Space};
use fenn_isa::soc::{
    CORE_STRIDE, CardRegister, CoreRegister, FINGERPRINT, IDENT, VERSION, control, core_offset, status, window,
};
use fenn_isa::text;
use fenn_iss::{Limits, Machine};
use tempfile::TempDir;

const CONFIG: MachineConfig = MachineConfig {
    instruction_bytes: 4096,
    scalar_bytes: 8192,
    vector_bytes: 16384,
    lane_local_bytes: 256,
    dram_bytes: 64,
};
/// Where devices see the buffer, and its size.
const PHYSICAL: u64 = 0x7000_0000;
const BUFFER: u64 = 1 << 20;

/// A folder with `sys` and `dev` in it.
struct Board(TempDir);

impl Board {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn root(&self) -> Root {
        Root::at(self.0.path())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str, text: &str) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), format!("{text}\n")).unwrap();
    }

    /// A UIO device with maps of these names and sizes, all in one sparse file, for a file is found at the offset that tells a
    /// device's maps apart: they overlap but for the first page, so a device has one map that matters here, or small ones.
    fn uio(&self, number: u32, name: &str, maps: &[(&str, u64)]) {
        self.text(&format!("sys/class/uio/uio{number}/name"), name);
        let mut end = 0;
        for ((name, bytes), index) in maps.iter().zip(0u64..) {
            let folder = format!("sys/class/uio/uio{number}/maps/map{index}");
            self.text(&format!("{folder}/name"), name);
            self.text(&format!("{folder}/size"), &format!("{bytes:#x}"));
            end = end.max(4096 * index + bytes);
        }
        fs::create_dir_all(self.path("dev")).unwrap();
        fs::File::create(self.path(&format!("dev/uio{number}"))).unwrap().set_len(end).unwrap();
    }

    fn buffer(&self, number: u32) {
        self.text(&format!("sys/class/u-dma-buf/udmabuf{number}/size"), &BUFFER.to_string());
        self.text(&format!("sys/class/u-dma-buf/udmabuf{number}/phys_addr"), &format!("{PHYSICAL:#x}"));
        fs::File::create(self.path(&format!("dev/udmabuf{number}"))).unwrap().set_len(BUFFER).unwrap();
    }

    fn file(&self, device: &str) -> fs::File {
        fs::File::options().read(true).write(true).open(self.path(&format!("dev/{device}"))).unwrap()
    }

    fn word(&self, device: &str, offset: u64) -> u32 {
        let mut word = [0; 4];
        self.file(device).read_exact_at(&mut word, offset).unwrap();
        u32::from_le_bytes(word)
    }

    fn set(&self, device: &str, offset: u64, value: u32) {
        self.file(device).write_all_at(&value.to_le_bytes(), offset).unwrap();
    }

    fn bytes(&self, device: &str, offset: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.file(device).read_exact_at(&mut bytes, offset).unwrap();
        bytes
    }

    /// Our own system, with registers as the table has them.
    fn soc() -> Self {
        let board = Self::new();
        let registers = 0x2000;
        board.uio(3, "fenn@a0000000", &[("registers", registers), ("smem", 2 * u64::from(CORE_STRIDE))]);
        let set = |register: CardRegister, value| board.set("uio3", register.spec().offset.into(), value);
        set(CardRegister::Ident, IDENT);
        set(CardRegister::Version, VERSION);
        set(CardRegister::Fingerprint, FINGERPRINT);
        set(CardRegister::Cores, 2);
        set(CardRegister::Lanes, 32);
        set(CardRegister::InstructionBytes, CONFIG.instruction_bytes);
        set(CardRegister::ScalarBytes, CONFIG.scalar_bytes);
        set(CardRegister::VectorBytes, CONFIG.vector_bytes);
        set(CardRegister::LaneBytes, CONFIG.lane_local_bytes);
        set(CardRegister::DramHigh, 1);
        board
    }

    /// The published board, with one core.
    fn published() -> Self {
        let board = Self::new();
        board.uio(0, "axi_bram_ctrl_instr", &[("", 4096 * 4)]);
        board.uio(1, "axi_bram_ctrl_data", &[("", 128 << 10)]);
        board.uio(2, "axi_gpio", &[("", 4096)]);
        board.uio(4, "dm_cmd_and_fsm", &[("", 4096)]);
        board.buffer(0);
        board
    }

    fn open(&self, number: u32) -> Box<dyn Transport> {
        open_at(&Selector::Uio(number), &self.root(), fenn_iss::Options::default()).unwrap()
    }
}

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(20))
}

fn code(lines: &[&str]) -> Vec<u8> {
    lines.iter().flat_map(|line| text::parse(line).expect(line).encode().to_le_bytes()).collect()
}

#[test]
fn words_go_where_the_maps_are() {
    let board = Board::soc();
    board.buffer(3);
    let mut card = board.open(3);
    let can = card.capabilities();
    let dram = Window { address: window(Space::Dram, 0) + PHYSICAL, bytes: BUFFER };
    let scalar = |core| Window { address: window(Space::Scalar, core), bytes: 8192 };
    assert_eq!(can.windows, [scalar(0), scalar(1), dram]);
    card.write(window(Space::Scalar, 1) + 64, &[1, 2, 3, 4, 5, 6, 7, 8], soon()).unwrap();
    // The second map begins at the second page of the file.
    assert_eq!(board.bytes("uio3", 4096 + u64::from(CORE_STRIDE) + 64, 8), [1, 2, 3, 4, 5, 6, 7, 8]);
    card.write(dram.address + BUFFER - 4, &[9; 4], soon()).unwrap();
    assert_eq!(board.word("udmabuf3", BUFFER - 4), 0x0909_0909);
    let mut word = [0; 4];
    card.read(dram.address + BUFFER - 4, &mut word, soon()).unwrap();
    assert_eq!(word, [9; 4]);
    card.write_register(CardRegister::Scratch.spec().offset, 77).unwrap();
    assert_eq!(board.word("uio3", 0x34), 77);
    for (address, bytes) in [
        (window(Space::Scalar, 0) + 8192, 4),
        (window(Space::Scalar, 2), 4),
        (window(Space::Vector, 0), 4),
        (dram.address - 4, 8),
        (dram.address + BUFFER, 4),
        (u64::MAX - 3, 4),
    ] {
        let outside = Err(TransportError::Outside { address, bytes });
        assert_eq!(card.read(address, &mut word.repeat(2)[..bytes as usize], soon()), outside, "{address:#x}");
        assert_eq!(card.write(address, &[0; 8][..bytes as usize], soon()), outside, "{address:#x}");
    }
    assert!(matches!(
        card.read(window(Space::Scalar, 0) + 2, &mut word, soon()),
        Err(TransportError::Unaligned { .. })
    ));
    assert!(matches!(card.read_register(0x2000), Err(TransportError::Register { .. })));
    let passed = Deadline::after(Duration::ZERO);
    assert!(matches!(card.read(window(Space::Scalar, 0), &mut word, passed), Err(TransportError::Deadline { .. })));
    assert!(matches!(card.wait_event(0, passed), Err(TransportError::Deadline { .. })));
    card.wait_event(0, soon()).unwrap();
}

#[test]
fn a_core_s_region_is_in_the_buffer_alone() {
    let board = Board::soc();
    board.buffer(3);
    let card = Card::open(board.open(3)).unwrap();
    assert_eq!(card.identity().cores, 2);
    assert_eq!(card.identity().dram_bytes, BUFFER);
    let regions = card.regions();
    assert_eq!((regions[0].base, regions[0].bytes), (PHYSICAL, 1 << 19));
    assert_eq!((regions[1].base, regions[1].bytes), (PHYSICAL + (1 << 19), 1 << 19));
    let mut core = card.core(1).unwrap();
    core.write(Space::Dram, 3, &[5]).unwrap();
    assert_eq!(board.bytes("udmabuf3", 1 << 19, 5), [0, 0, 0, 5, 0]);
    assert!(matches!(core.write(Space::Dram, 1 << 19, &[5]), Err(DeviceError::Outside { .. })));
    // A program without contents for the memories that cannot be reached is loaded as far as they can.
    let mut image = Image { config: CONFIG, ..Image::default() };
    image.segments.push(Segment::new(Space::Scalar, 0, vec![7; 4]));
    core.load(&image).unwrap();
    assert_eq!(board.word("uio3", 4096 + u64::from(CORE_STRIDE)), 0x0707_0707);
    assert_eq!(board.word("uio3", core_offset(1, CoreRegister::DramBaseLow).into()), (PHYSICAL + (1 << 19)) as u32);
    assert_eq!(board.word("uio3", core_offset(1, CoreRegister::DramLimit).into()), 1 << 19);
    assert_eq!(board.word("uio3", core_offset(1, CoreRegister::Control).into()), control::RESET);
    image.segments.insert(0, Segment::new(Space::Instruction, 0, code(&["ecall"])));
    assert!(matches!(core.load(&image), Err(DeviceError::Transport(TransportError::Outside { .. }))));
}

#[test]
fn a_board_that_is_not_whole_is_refused() {
    let refused = |board: &Board, number, text: &str| {
        let result = open_at(&Selector::Uio(number), &board.root(), fenn_iss::Options::default());
        let error = result.err().unwrap();
        assert!(matches!(error, OpenError::Transport { .. }), "{error:?}");
        assert!(error.to_string().contains(text), "{error}");
    };
    let board = Board::new();
    refused(&board, 0, "is the device in the device tree");
    board.uio(0, "fenn", &[("imem", 4096)]);
    refused(&board, 0, "no map is called `registers`");
    board.uio(0, "fenn", &[("registers", 4096)]);
    refused(&board, 0, "less than 0x2000 bytes");
    // A file that is shorter than its map, which touching would end the program.
    board.uio(0, "fenn", &[("registers", 0x2000)]);
    board.file("uio0").set_len(100).unwrap();
    refused(&board, 0, "it has 100 bytes");
    fs::remove_file(board.path("dev/uio0")).unwrap();
    refused(&board, 0, "dev/uio0");
    let board = Board::new();
    board.uio(0, "core_0_axi_bram_ctrl_instr", &[("", 4096)]);
    refused(&board, 0, "axi_bram_ctrl_data is no UIO device of this machine");
    board.uio(1, "core_0_axi_bram_ctrl_data", &[("", 4096)]);
    board.uio(2, "core_0_axi_gpio", &[]);
    board.uio(3, "core_0_dm_cmd_and_fsm", &[("", 16)]);
    refused(&board, 3, "axi_gpio has no memory to map");
    board.uio(2, "core_0_axi_gpio", &[("", 4096)]);
    refused(&board, 3, "dm_cmd_and_fsm has 16 bytes and not 40");
    board.uio(3, "core_0_dm_cmd_and_fsm", &[("", 4096)]);
    open_at(&Selector::Uio(3), &board.root(), fenn_iss::Options::default()).unwrap();
    // A second core, of which nothing else is there.
    board.uio(4, "core_1_axi_gpio", &[("", 4096)]);
    refused(&board, 3, "core 1 of the published board: axi_bram_ctrl_instr");
}

#[test]
fn vector_memory_of_the_published_board_is_behind_its_dma_engine() {
    let board = Board::published();
    let mut card = board.open(1);
    board.set("uio4", 0x0c, dma_status::IDLE | dma_status::OK);
    board.set("uio4", 0x20, dma_status::IDLE | dma_status::OK);
    let bytes: Vec<u8> = (0..128).collect();
    card.write(window(Space::Vector, 0) + 0x1c0, &bytes, soon()).unwrap();
    assert_eq!(board.bytes("udmabuf0", 0, 128), bytes);
    let command = |from: u64| [0u64, 4, 8, 16].map(|offset| board.word("uio4", from + offset));
    assert_eq!(command(0), [PHYSICAL as u32, 0x1c0, 128, 1]);
    let mut out = vec![0; 128];
    card.read(window(Space::Vector, 0) + 0x40, &mut out, soon()).unwrap();
    assert_eq!(out, bytes, "what the engine has left in the buffer");
    assert_eq!(command(0x14), [0x40, PHYSICAL as u32, 128, 1]);
    // Its errors, and its silence.
    for (bit, text) in [
        (dma_status::DECODE_ERROR, "decode error"),
        (dma_status::SLAVE_ERROR, "slave error"),
        (dma_status::INTERNAL_ERROR, "multiple of 64"),
    ] {
        board.set("uio4", 0x0c, dma_status::IDLE | bit);
        let error = card.write(window(Space::Vector, 0), &bytes, soon()).unwrap_err();
        assert!(matches!(&error, TransportError::Refused { answer, .. } if answer.contains(text)), "{error}");
    }
    board.set("uio4", 0x0c, dma_status::TRANSFERRING);
    let error = card.write(window(Space::Vector, 0), &bytes, Deadline::after(Duration::from_millis(20))).unwrap_err();
    assert!(matches!(error, TransportError::Deadline { .. }), "{error}");
    // While the core runs the engine is its own.
    board.set("uio2", 0, 1);
    let error = card.write(window(Space::Vector, 0), &bytes, soon()).unwrap_err();
    assert!(matches!(error, TransportError::Refused { .. }), "{error}");
    assert!(card.read(window(Space::LaneLocal, 0), &mut out, soon()).is_err(), "nobody reaches that");
    assert!(card.read(window(Space::Dram, 0), &mut out, soon()).is_err());
    for bits in [control::STEP | control::RUN, control::RESUME] {
        assert!(card.write_register(core_offset(0, CoreRegister::Control), bits).is_err());
    }
    assert_eq!(card.read_register(core_offset(0, CoreRegister::Status)), Ok(status::RUNNING));
    card.recover().unwrap();
    assert_eq!(board.word("uio2", 0), 0);
}

/// The core of the published board: runs what is in the files while it is enabled, until it sets its ready flag.
fn be_a_core(board: &Board, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        if board.word("uio2", 0) & 1 == 0 {
            std::thread::sleep(Duration::from_micros(50));
            continue;
        }
        let config = MachineConfig { dram_bytes: 64, ..MachineConfig::default() };
        let mut machine = Machine::new(config, fenn_iss::Options::default()).unwrap();
        machine.write(Space::Instruction, 0, &board.bytes("uio0", 0, config.instruction_bytes as usize)).unwrap();
        machine.write(Space::Scalar, 0, &board.bytes("uio1", 0, config.scalar_bytes as usize)).unwrap();
        machine.run(Limits { instructions: Some(10_000), ..Limits::default() }, &mut ());
        let mut scalar = vec![0; config.scalar_bytes as usize];
        machine.read(Space::Scalar, 0, &mut scalar).unwrap();
        board.file("uio1").write_all_at(&scalar[4..], 4).unwrap();
        // The flag, which is word 0, comes last.
        board.file("uio1").write_all_at(&scalar[..4], 0).unwrap();
        // The host clears the flag before it starts the next program; that it is disabled in between may be too short to see.
        while board.word("uio1", 0) != 0 && !stop.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_micros(50));
        }
    }
}

#[test]
fn a_program_with_a_ready_flag_runs_on_the_published_board() {
    let board = Board::published();
    // As if every transfer had ended.
    board.set("uio4", 0x0c, dma_status::IDLE | dma_status::OK);
    board.set("uio4", 0x20, dma_status::IDLE | dma_status::OK);
    let lines =
        ["lw t0, 8(zero)", "add t0, t0, t0", "sw t0, 12(zero)", "addi t1, zero, 1", "sw t1, 0(zero)", "jal zero, .+0"];
    let mut image = Image { ready_flag: Some(0), ..Image::default() };
    image.segments.push(Segment::new(Space::Instruction, 0, code(&lines)));
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| be_a_core(&board, &stop));
        let end = || stop.store(true, Ordering::Relaxed);
        // Whatever goes wrong here, the core is to end too.
        let result = std::panic::catch_unwind(|| {
            let card = Card::open(board.open(0)).unwrap();
            let mut core = card.core(0).unwrap();
            core.load(&image).unwrap();
            for number in [3u32, 1000] {
                core.write(Space::Scalar, 8, &number.to_le_bytes()).unwrap();
                core.start(0).unwrap();
                core.wait(Limit { time: Duration::from_secs(20), ..Limit::default() }).unwrap();
                let mut word = [0; 4];
                core.read(Space::Scalar, 12, &mut word).unwrap();
                assert_eq!(u32::from_le_bytes(word), 2 * number);
                assert_eq!(board.word("uio2", 0), 0, "it is disabled again");
            }
            let error = core.start(4).unwrap_err();
            assert!(error.to_string().contains("always starts at address 0"), "{error}");
            let mut lane = image.clone();
            lane.segments.push(Segment::new(Space::LaneLocal, 0, vec![1; 2]));
            assert!(core.load(&lane).is_err(), "contents that cannot be brought there");
        });
        end();
        result.unwrap();
    });
}

#[test]
fn boards_are_found() {
    let selectors = |board: &Board| -> Vec<String> {
        found(&board.root()).into_iter().skip(2).map(|one| one.selector.to_string()).collect()
    };
    assert_eq!(selectors(&Board::new()), [""; 0]);
    assert_eq!(selectors(&Board::soc()), ["uio:3"]);
    assert_eq!(selectors(&Board::published()), ["uio:0"], "its parts are one board");
    let other = Board::new();
    other.uio(0, "axi-pmon", &[("", 4096)]);
    assert_eq!(selectors(&other), [""; 0]);
}
