//! The ELF form of an image: it comes back as it was, GNU's tools accept it, and nothing makes the reader panic.

use std::process::Command;
use std::sync::Arc;

use fenn_isa::fixed::Format;
use fenn_isa::image::elf::ElfError;
use fenn_isa::image::manifest::{
    Batch, Data, Encoding, EntryPoint, Input, InputSpikes, Manifest, Output, Population, Readout, SpikeArray,
    StatePolicy, VERSION, ValueArray, Variable,
};
use fenn_isa::image::{Image, ImageError, Line, Segment, Symbol, SymbolKind};
use fenn_isa::memory::{MachineConfig, Space};
use fenn_isa::{Extension, SPECS};
use proptest::prelude::*;

fn spaces() -> impl Strategy<Value = Space> {
    prop::sample::select(Space::ALL.to_vec())
}

fn segments() -> impl Strategy<Value = Vec<Segment>> {
    let one = (spaces(), 0u32..3, prop::collection::vec(any::<u8>(), 0..80), 0u32..200);
    prop::collection::vec(one, 0..8).prop_map(|parts| {
        let mut next = [0u32; 5];
        let mut segments = Vec::new();
        for (space, gap, bytes, zeros) in parts {
            let unit = space.spec().alignment;
            let address = next[space as usize] + gap * unit;
            let size = bytes.len() as u32 + zeros;
            next[space as usize] = (address + size).next_multiple_of(unit);
            segments.push(Segment { space, address, bytes, size });
        }
        segments.sort_by_key(|segment| (segment.space, segment.address));
        segments
    })
}

fn symbols() -> impl Strategy<Value = Vec<Symbol>> {
    let kind = prop::sample::select(vec![SymbolKind::Function, SymbolKind::Object, SymbolKind::Label]);
    let one = ("[a-zA-Z_.$][a-zA-Z0-9_.$]{0,12}", spaces(), 0u32..0x1000, 0u32..100, kind, any::<bool>())
        .prop_map(|(name, space, address, size, kind, global)| Symbol { name, space, address, size, kind, global });
    prop::collection::vec(one, 0..12)
}

fn manifest(tau: f64) -> Manifest {
    let spikes = InputSpikes::Bits(SpikeArray::dense(0x100, 2, 5));
    Manifest {
        version: VERSION,
        name: "network".to_owned(),
        generator: "test".to_owned(),
        time_step_ms: Some(tau / 3.0),
        steps: 5,
        state: StatePolicy::Reset,
        seed: Some(u64::MAX),
        entry_points: vec![EntryPoint { name: "run".to_owned(), address: 0 }],
        batch: Batch::ONE,
        inputs: vec![Input {
            name: "in".to_owned(),
            neurons: 40,
            encoding: Encoding::Latency { tau, threshold: 0.2 },
            spikes,
        }],
        outputs: vec![Output {
            name: "out".to_owned(),
            neurons: 3,
            data: Data::Values(ValueArray {
                address: 64,
                stride: 64,
                steps: 1,
                step_stride: 64,
                sample_stride: 64,
                format: Format::UNIT,
            }),
            readout: Readout::Last,
        }],
        recordings: Vec::new(),
        counters: None,
        populations: vec![Population {
            name: "out".to_owned(),
            neurons: 3,
            reset: true,
            variables: vec![Variable { name: "V".to_owned(), format: Format::INTEGER, reset: true }],
        }],
        work: None,
    }
}

/// Of those places, the ones where there is code.
fn lines(segments: &[Segment], places: &[(u32, usize, u32, u32)]) -> Vec<Line> {
    let files = ["kernel.s", "../lib/ä.inc", "/usr/src/start.s"].map(Arc::<str>::from);
    let code = |address: u32| {
        segments.iter().any(|segment| {
            segment.space == Space::Instruction && (segment.address..segment.address + segment.size).contains(&address)
        })
    };
    let mut lines: Vec<Line> = places
        .iter()
        .map(|(word, file, line, column)| Line {
            address: 4 * word,
            file: files[*file].clone(),
            line: *line,
            column: *column,
        })
        .filter(|line| code(line.address))
        .collect();
    lines.sort_by_key(|line| line.address);
    lines.dedup_by_key(|line| line.address);
    lines
}

prop_compose! {
    fn images()(
        segments in segments(),
        symbols in symbols(),
        entry in (0u32..4096).prop_map(|word| 4 * word),
        ready_flag in prop::option::of((0u32..1000).prop_map(|word| 4 * word)),
        tau in prop::option::of(1e-3..1e6),
        places in prop::collection::vec((0u32..200, 0usize..3, 1u32..2000, 0u32..200), 0..20),
        vector_bytes in prop::sample::select(vec![64u32 << 10, 512 << 10]),
    ) -> Image {
        let config = MachineConfig { vector_bytes, ..MachineConfig::default() };
        let lines = lines(&segments, &places);
        Image { config, entry, ready_flag, segments, symbols, lines, manifest: tau.map(manifest) }
    }
}

/// What an ELF file keeps of an image: bytes rather than how many of them were given, and symbols in ELF's order.
fn canonical(mut image: Image) -> Image {
    image.segments.retain(|segment| segment.size > 0);
    for segment in &mut image.segments {
        if segment.bytes.iter().all(|byte| *byte == 0) {
            segment.bytes.clear();
        }
    }
    image.symbols.sort_by_key(|symbol| symbol.global);
    image
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_image_comes_back(image in images()) {
        let bytes = image.to_elf().unwrap();
        prop_assert_eq!(Image::from_elf(&bytes).unwrap(), canonical(image));
    }

    #[test]
    fn arbitrary_bytes_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(Image::from_elf(&bytes).is_err());
    }

    #[test]
    fn changed_files_do_not_panic(image in images(), changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut bytes = image.to_elf().unwrap();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Ok(image) = Image::from_elf(&bytes) {
            prop_assert_eq!(image.check(), Ok(()));
        }
    }

    #[test]
    fn changed_headers_do_not_panic(image in images(), changes in prop::collection::vec((16usize..180, any::<u8>()), 1..4)) {
        let mut bytes = image.to_elf().unwrap();
        for (at, value) in changes {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = value;
            }
        }
        if let Ok(image) = Image::from_elf(&bytes) {
            prop_assert_eq!(image.check(), Ok(()));
        }
    }

    /// From the line table's header to the names and behind them.
    #[test]
    fn changed_line_tables_do_not_panic(changes in prop::collection::vec((0usize..160, any::<u8>()), 1..4)) {
        let mut bytes = with_lines().to_elf().unwrap();
        let name = bytes.windows(7).position(|window| window == b"start.s").unwrap();
        for (at, value) in changes {
            bytes[name - 40 + at] = value;
        }
        if let Ok(image) = Image::from_elf(&bytes) {
            prop_assert_eq!(image.check(), Ok(()));
        }
    }

    #[test]
    fn every_truncation_is_an_error_or_harmless(image in images(), at in any::<prop::sample::Index>()) {
        let bytes = image.to_elf().unwrap();
        // The section headers come last, so a shorter file always lacks a part of one.
        prop_assert!(Image::from_elf(&bytes[..at.index(bytes.len())]).is_err());
    }
}

fn sample() -> Image {
    let words = SPECS.iter().filter(|spec| spec.extension != Extension::Fenn).map(|spec| spec.layout.value);
    let code: Vec<u8> = words.flat_map(u32::to_le_bytes).collect();
    let label = |name: &str, space, address, kind, global| Symbol {
        name: name.to_owned(),
        space,
        address,
        size: 4,
        kind,
        global,
    };
    Image {
        segments: vec![
            Segment::new(Space::Instruction, 0, code),
            Segment::new(Space::Scalar, 0x40, vec![1, 2, 3, 4]),
            Segment::zeros(Space::Scalar, 0x80, 32),
            Segment::new(Space::Vector, 64, vec![7; 64]),
            Segment::zeros(Space::LaneLocal, 0, 128),
            Segment::new(Space::Dram, 0, vec![9; 65]),
        ],
        symbols: vec![
            label("start", Space::Instruction, 0, SymbolKind::Function, true),
            label("loop", Space::Instruction, 8, SymbolKind::Label, false),
            label("flag", Space::Scalar, 0x40, SymbolKind::Object, true),
            label("elsewhere", Space::Scalar, 0x4000, SymbolKind::Object, true),
        ],
        ready_flag: Some(0x40),
        manifest: Some(manifest(20.0)),
        ..Image::default()
    }
}

fn set_half(bytes: &mut [u8], at: usize, value: u16) {
    bytes[at..at + 2].copy_from_slice(&value.to_le_bytes());
}

fn set_word(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

/// Byte offset of program header `index`'s field `field` (in words).
fn program_field(index: usize, field: usize) -> usize {
    52 + 32 * index + 4 * field
}

#[test]
fn each_wrong_file_has_its_own_message() {
    let good = sample().to_elf().unwrap();
    let changed = |change: fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        change(&mut bytes);
        Image::from_elf(&bytes).unwrap_err()
    };
    assert_eq!(Image::from_elf(b"\x7fEL"), Err(ElfError::NotElf));
    assert!(matches!(Image::from_elf(&good[..20]), Err(ElfError::Truncated { .. })));
    assert_eq!(changed(|b| set_half(b, 18, 62)), ElfError::Machine("x86-64".to_owned()));
    assert_eq!(changed(|b| set_half(b, 18, 0xfff0)), ElfError::Machine("machine number 65520".to_owned()));
    assert_eq!(changed(|b| b[4] = 2), ElfError::Class);
    let big_endian = |b: &mut Vec<u8>| {
        b[5] = 2;
        b.swap(18, 19);
    };
    assert_eq!(changed(big_endian), ElfError::Endianness);
    assert_eq!(changed(|b| set_half(b, 16, 1)), ElfError::Type("a relocatable object"));
    assert_eq!(changed(|b| set_word(b, 24, 0x1000_0000)), ElfError::Entry(0x1000_0000));
    // p_paddr, p_filesz, p_memsz, p_offset of the first segment, which is the code.
    assert_eq!(changed(|b| set_word(b, program_field(0, 3), 0x7000_0000)), ElfError::NoMemory(0x7000_0000));
    assert!(matches!(
        changed(|b| set_word(b, program_field(0, 5), u32::MAX)),
        ElfError::Image(ImageError::Outside { space: Space::Instruction, .. })
    ));
    assert!(matches!(changed(|b| set_word(b, program_field(0, 4), 0xffff)), ElfError::Malformed(_)));
    assert!(matches!(changed(|b| set_word(b, program_field(0, 1), u32::MAX)), ElfError::Truncated { .. }));
    let note = good.windows(4).position(|bytes| bytes == b"FeNN").unwrap();
    let mut bytes = good.clone();
    set_word(&mut bytes, note + 8, 2);
    assert!(matches!(Image::from_elf(&bytes), Err(ElfError::Note { note: "machine", .. })));
    let mut bytes = good.clone();
    set_word(&mut bytes, note + 8 + 12, 100);
    assert!(matches!(Image::from_elf(&bytes), Err(ElfError::Image(ImageError::Config(_)))));
    let mut bytes = good.clone();
    let json = good.windows(9).position(|bytes| bytes == b"\"version\"").unwrap();
    bytes[json] = b'x';
    assert!(matches!(Image::from_elf(&bytes), Err(ElfError::Note { note: "manifest", .. })));
}

#[test]
fn symbols_that_cannot_be_stored_are_refused() {
    for name in ["", "a\0b", &"x".repeat(5000)] {
        let mut image = sample();
        image.symbols[0].name = name.to_owned();
        assert!(matches!(image.to_elf(), Err(ElfError::SymbolName(_))), "{name:.10}");
    }
    let mut image = sample();
    image.symbols[0].address = 1 << 24;
    assert_eq!(image.to_elf(), Err(ElfError::SymbolAddress("start".to_owned())));
}

#[test]
fn files_are_whole_or_absent() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("program.elf");
    sample().write(&path).unwrap();
    assert_eq!(Image::read(&path).unwrap(), canonical(sample()));
    assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 1);
    let missing = Image::read(directory.path().join("none.elf")).unwrap_err().to_string();
    assert!(missing.contains("none.elf"), "{missing}");
    assert!(sample().write(directory.path().join("none/program.elf")).is_err());
}

/// A tool's output, or `None` (with the reason on stderr) where it is not installed and need not be.
fn tool(name: &str, arguments: &[&str]) -> Option<String> {
    match Command::new(name).args(arguments).output() {
        Ok(output) => {
            let errors = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success() && errors.is_empty(), "{name} {arguments:?}: {errors}");
            Some(String::from_utf8(output.stdout).unwrap())
        }
        Err(error) => {
            assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{name} is needed: {error}");
            eprintln!("skipped: {name} is not installed (Debian: binutils-riscv64-unknown-elf)");
            None
        }
    }
}

#[test]
fn readelf_accepts_it() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, sample().to_elf().unwrap()).unwrap();
    let Some(text) = tool("riscv64-unknown-elf-readelf", &["-hlSsnA", "-W", file.path().to_str().unwrap()]) else {
        return;
    };
    assert!(!text.contains("Warning") && !text.contains("Error"), "{text}");
    for line in [
        "Machine:                           RISC-V",
        "Type:                              EXEC",
        ".text             PROGBITS        00000000",
        ".data             PROGBITS        10000040",
        ".data.1           NOBITS          10000080",
        ".vector           PROGBITS        20000040",
        ".lane             NOBITS          30000000",
        ".dram             PROGBITS        80000000",
        "FeNN                 0x00000020",
        "rv32i2p1_m2p0_zicsr2p0_zifencei2p0_zbb1p0",
        "FUNC    GLOBAL DEFAULT    1 start",
        "NOTYPE  LOCAL  DEFAULT    1 loop",
        "OBJECT  GLOBAL DEFAULT    2 flag",
        "OBJECT  GLOBAL DEFAULT  ABS elsewhere",
    ] {
        assert!(text.contains(line), "no `{line}` in\n{text}");
    }
}

#[test]
fn objdump_disassembles_every_scalar_row() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, sample().to_elf().unwrap()).unwrap();
    let arguments = ["-d", "-Mno-aliases", file.path().to_str().unwrap()];
    let Some(text) = tool("riscv64-unknown-elf-objdump", &arguments) else { return };
    let mnemonics: Vec<&str> = text.lines().filter_map(|line| line.split('\t').nth(2)).map(str::trim).collect();
    let ours: Vec<&str> =
        SPECS.iter().filter(|spec| spec.extension != Extension::Fenn).map(|spec| spec.mnemonic()).collect();
    assert_eq!(mnemonics, ours);
}

#[test]
fn a_program_linked_by_gnu_comes_in() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let source = ".equ constant, 5\n.globl _start\n.text\n_start: addi a0, zero, constant\nmiddle: ecall\n.data\nvalue: .word 1, 2\n";
    std::fs::write(path("program.s"), source).unwrap();
    let assemble = ["-march=rv32im", "-mabi=ilp32", &path("program.s"), "-o", &path("program.o")];
    if tool("riscv64-unknown-elf-as", &assemble).is_none() {
        return;
    }
    let link = ["-melf32lriscv", "-Ttext=0", "-Tdata=0x10000000", "-n", &path("program.o"), "-o", &path("program.elf")];
    tool("riscv64-unknown-elf-ld", &link).unwrap();
    let image = Image::read(path("program.elf")).unwrap();
    assert_eq!(image.config, MachineConfig::default());
    assert_eq!(image.segments.len(), 2);
    assert_eq!(image.segments[0], Segment::new(Space::Instruction, 0, vec![0x13, 5, 0x50, 0, 0x73, 0, 0, 0]));
    assert_eq!(image.segments[1].bytes, [1, 0, 0, 0, 2, 0, 0, 0]);
    let middle = image.symbol("middle").unwrap();
    assert_eq!((middle.space, middle.address, middle.global), (Space::Instruction, 4, false));
    assert_eq!(image.symbol("value").unwrap().space, Space::Scalar);
    assert!(image.symbol("constant").is_none());
    assert!(image.lines.is_empty());
    // Unlinked, it is refused with a reason.
    let object = Image::from_elf(&std::fs::read(path("program.o")).unwrap());
    assert_eq!(object, Err(ElfError::Type("a relocatable object")));
}

/// A program of two files with a gap in between, in two segments.
fn with_lines() -> Image {
    let line = |address, file: &str, line, column| Line { address, file: file.into(), line, column };
    let nops = |words| [0x13, 0, 0, 0].repeat(words);
    Image {
        segments: vec![
            Segment::new(Space::Instruction, 0, nops(3)),
            Segment::new(Space::Instruction, 0x100, nops(2)),
            Segment::new(Space::Scalar, 0, vec![1; 8]),
        ],
        lines: vec![
            line(0, "start.s", 3, 9),
            line(4, "lib/macros.inc", 70, 1),
            line(8, "start.s", 5, 9),
            line(0x100, "kernel.s", 12, 5),
            line(0x104, "kernel.s", 2000, 0),
        ],
        ..Image::default()
    }
}

#[test]
fn gnu_tools_find_the_lines() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    let image = with_lines();
    std::fs::write(&file, image.to_elf().unwrap()).unwrap();
    let addresses = ["0", "4", "6", "8", "100", "104", "108", "40"];
    let Some(found) = tool("riscv64-unknown-elf-addr2line", &[&["-e", path][..], &addresses].concat()) else {
        return;
    };
    let wanted = [
        "start.s:3",
        "lib/macros.inc:70",
        "lib/macros.inc:70",
        "start.s:5",
        "kernel.s:12",
        "kernel.s:2000",
        "??:0",
        "??:0",
    ];
    assert_eq!(found.lines().map(|line| line.replace("??:?", "??:0")).collect::<Vec<_>>(), wanted);
    let text = tool("riscv64-unknown-elf-objdump", &["-dl", path]).unwrap();
    for wanted in ["start.s:3", "lib/macros.inc:70", "start.s:5", "kernel.s:12", "kernel.s:2000"] {
        assert!(text.lines().any(|line| line == wanted), "no `{wanted}` in\n{text}");
    }
    let text = tool("riscv64-unknown-elf-readelf", &["--debug-dump=decodedline,info", "-W", path]).unwrap();
    assert!(!text.contains("Warning") && !text.contains("Error"), "{text}");
    let rows: Vec<(String, u32)> = text
        .lines()
        .filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let address = words.get(2)?.strip_prefix("0x").or_else(|| (words[2] == "0").then_some("0"))?;
            Some((words.get(1)?.parse::<u32>().ok()?.to_string(), u32::from_str_radix(address, 16).ok()?))
        })
        .collect();
    let wanted: Vec<(String, u32)> = image.lines.iter().map(|line| (line.line.to_string(), line.address)).collect();
    assert_eq!(rows, wanted, "{text}");
}

#[test]
fn lines_of_gnu_as_come_in() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("program.s"), "# comment\n.globl _start; _start: nop\n\n  ecall\n.data\n.word 1\n").unwrap();
    for version in ["-gdwarf-3", "-gdwarf-5"] {
        let assemble = [version, "-march=rv32im", "-mabi=ilp32", &path("program.s"), "-o", &path("program.o")];
        if tool("riscv64-unknown-elf-as", &assemble).is_none() {
            return;
        }
        let link =
            ["-melf32lriscv", "-Ttext=0", "-Tdata=0x10000000", "-n", &path("program.o"), "-o", &path("program.elf")];
        tool("riscv64-unknown-elf-ld", &link).unwrap();
        let image = Image::read(path("program.elf")).unwrap();
        let found: Vec<(u32, u32)> = image.lines.iter().map(|line| (line.address, line.line)).collect();
        assert_eq!(found, [(0, 2), (4, 4)], "{version}");
        assert!(image.lines.iter().all(|line| line.file.ends_with("program.s")), "{:?}", image.lines);
        assert_eq!(image.line_of(6).map(|line| line.line), Some(4));
        assert_eq!(image.line_of(8), None);
    }
}

#[test]
fn wrong_lines_are_refused() {
    for change in [
        |lines: &mut Vec<Line>| lines[1].address = 0,
        |lines: &mut Vec<Line>| lines[2].address = 12,
        |lines: &mut Vec<Line>| lines[1].address = 5,
        |lines: &mut Vec<Line>| lines[1].line = 0,
    ] {
        let mut image = with_lines();
        change(&mut image.lines);
        assert!(matches!(image.check(), Err(ImageError::Line(_))));
    }
    let mut image = with_lines();
    for name in ["", "zero\0byte", &"long".repeat(2000)] {
        // The first names the unit too.
        for index in [0, 3] {
            let mut image = image.clone();
            image.lines[index].file = name.into();
            assert_eq!(image.to_elf(), Err(ElfError::FileName(name.to_owned())));
        }
    }
    image.lines.clear();
    assert!(!String::from_utf8_lossy(&image.to_elf().unwrap()).contains(".debug"));
}
