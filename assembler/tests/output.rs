//! The forms of output, each read back by something that did not write it: GNU objcopy for Intel HEX, Verilator for
//! `$readmemh` where it is installed, and small readers written from the formats' descriptions.

use std::collections::BTreeMap;
use std::process::Command;

use fenn_assembler::output::{Contents, OutputError, binary, coe, intel_hex, map, readmemh};
use fenn_assembler::{Source, assemble_text, disassemble_with_source};
use fenn_isa::image::{Image, Line, Segment};
use fenn_isa::memory::{LANES, Space};
use proptest::prelude::*;

/// Every memory, gaps, zeros, an end that fills no word, and addresses whose upper halves differ.
const PROGRAM: &str = "
        .globl  _start
_start: li      a0, 0x12345678
        ecall
        .balign 64
        .space  4096                    # zeros, not stored
        .word   0x01020304
        .data
        .byte   1, 2, 3, 4, 5
        .org    0x10000 - 20
        .word   1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12
        .vector
        .half   -1, 2
        .balign 64
        .space  128 * 64
        .half   3
        .lane
        .half   0, 1, 2, 3
        .balign 64
        .half   100, 101
        .dram
        .space  0x20000
        .byte   255
";

fn program() -> Image {
    assemble_text("program", PROGRAM).unwrap()
}

/// The bytes of a memory from address 0 to the end of its contents, straight from the image.
fn memory(image: &Image, space: Space) -> Vec<u8> {
    let mut memory = Vec::new();
    for segment in image.segments.iter().filter(|segment| segment.space == space) {
        memory.resize(segment.address as usize, 0);
        memory.extend(&segment.bytes);
        memory.resize((segment.address + segment.size) as usize, 0);
    }
    memory
}

fn all(image: &Image) -> Vec<Contents> {
    Space::ALL.map(|space| Contents::new(image, space)).to_vec()
}

/// Reads Intel HEX: the bytes at their addresses, and the start address.
fn read_ihex(text: &str) -> (BTreeMap<u32, u8>, Option<u32>) {
    let (mut bytes, mut start, mut upper, mut ended) = (BTreeMap::new(), None, 0u32, false);
    for line in text.lines() {
        assert!(!ended, "a record behind the end");
        let digits = line.strip_prefix(':').expect("a colon begins each record");
        let record: Vec<u8> =
            (0..digits.len() / 2).map(|i| u8::from_str_radix(&digits[2 * i..2 * i + 2], 16).unwrap()).collect();
        assert_eq!(record.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte)), 0, "checksum of {line}");
        let (length, address, kind) = (record[0], u16::from_be_bytes([record[1], record[2]]), record[3]);
        let data = &record[4..record.len() - 1];
        assert_eq!(data.len(), usize::from(length));
        match kind {
            0 => {
                for (at, byte) in data.iter().enumerate() {
                    let at = u32::from(address) + at as u32;
                    assert!(at < 0x1_0000, "a record across a boundary");
                    assert!(bytes.insert(upper << 16 | at, *byte).is_none(), "a byte twice");
                }
            }
            1 => ended = true,
            4 => upper = u32::from(u16::from_be_bytes([data[0], data[1]])),
            5 => start = Some(u32::from_be_bytes(data.try_into().unwrap())),
            other => panic!("record of type {other}"),
        }
    }
    assert!(ended);
    (bytes, start)
}

/// Whether `bytes` are the image's, where what is not written is zero.
fn same_as_image(bytes: &BTreeMap<u32, u8>, image: &Image) {
    let mut written = bytes.len();
    for space in Space::ALL {
        for (byte, address) in memory(image, space).iter().zip(space.spec().base..) {
            let found = bytes.get(&address);
            written -= usize::from(found.is_some());
            assert_eq!(found.copied().unwrap_or(0), *byte, "{address:#x}");
        }
    }
    assert_eq!(written, 0, "bytes outside the contents");
}

/// Words with their indices, the highest digit first.
type Words = BTreeMap<u32, String>;

fn read_coe(text: &str) -> Words {
    let plain: String = text.lines().filter(|line| !line.starts_with(';')).collect();
    let mut parts = plain.split(';').map(str::trim);
    assert_eq!(parts.next(), Some("memory_initialization_radix=16"));
    let vector = parts.next().unwrap().strip_prefix("memory_initialization_vector=").unwrap();
    assert_eq!(parts.next(), Some(""));
    (0..).zip(vector.split(',').map(|word| word.trim().to_owned())).collect()
}

fn read_readmemh(text: &str) -> Words {
    let mut words = Words::new();
    let mut at = 0;
    let plain = text.lines().map(|line| line.split("//").next().unwrap());
    for word in plain.flat_map(str::split_whitespace) {
        if let Some(address) = word.strip_prefix('@') {
            at = u32::from_str_radix(address, 16).unwrap();
        } else {
            assert!(words.insert(at, word.to_owned()).is_none(), "word {at} twice");
            at += 1;
        }
    }
    words
}

/// Bytes of words, the lowest first; words that are not there are zero.
fn bytes_of(words: &Words, width: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (index, word) in words {
        assert_eq!(word.len(), 2 * width);
        bytes.resize(*index as usize * width, 0);
        bytes.extend((0..width).rev().map(|i| u8::from_str_radix(&word[2 * i..2 * i + 2], 16).unwrap()));
    }
    bytes
}

/// The two are equal up to zeros at the end.
fn equal_padded(mut one: Vec<u8>, mut other: Vec<u8>) -> bool {
    let length = one.len().max(other.len());
    one.resize(length, 0);
    other.resize(length, 0);
    one == other
}

fn check_forms(image: &Image) {
    let (bytes, start) = read_ihex(&intel_hex(image, &all(image)));
    same_as_image(&bytes, image);
    assert_eq!(start, Some(image.entry));
    for space in Space::ALL {
        let contents = Contents::new(image, space);
        let wanted = memory(image, space);
        assert_eq!(binary(&contents), wanted);
        for width in [1, 2, 4, 16, 64] {
            let contents = contents.clone().with_width(8 * width as u32).unwrap();
            let words = read_coe(&coe(&contents));
            assert_eq!(words.len(), wanted.len().div_ceil(width).max(1));
            assert!(equal_padded(bytes_of(&words, width), wanted.clone()), "{space} {width}");
            let words = read_readmemh(&readmemh(&contents));
            assert!(equal_padded(bytes_of(&words, width), wanted.clone()), "{space} {width}");
        }
    }
    let lanes = memory(image, Space::LaneLocal);
    for lane in [0, 1, LANES - 1] {
        let contents = Contents::new(image, Space::LaneLocal).of_lane(lane).unwrap();
        let wanted: Vec<u8> = lanes
            .chunks(64)
            .flat_map(|row| [2 * lane, 2 * lane + 1].map(|at| row.get(at).copied().unwrap_or(0)))
            .collect();
        assert_eq!(binary(&contents), wanted, "lane {lane}");
    }
}

#[test]
fn every_form_holds_the_program() {
    check_forms(&program());
    check_forms(&Image::default());
}

fn segments() -> impl Strategy<Value = Vec<Segment>> {
    let space = prop::sample::select(Space::ALL.to_vec());
    let bytes = prop_oneof![prop::collection::vec(any::<u8>(), 0..200), prop::collection::vec(0u8..2, 0..100)];
    prop::collection::vec((space, 0u32..300, bytes, 0u32..200), 0..6).prop_map(|parts| {
        let mut next = [0u32; 5];
        let mut segments = Vec::new();
        for (space, gap, bytes, zeros) in parts {
            let unit = space.spec().alignment;
            // Lane-local memory is small.
            let gap = if matches!(space, Space::LaneLocal | Space::Instruction) { gap % 100 } else { gap };
            let (address, size) = (next[space as usize] + gap * unit, bytes.len() as u32 + zeros);
            next[space as usize] = (address + size).next_multiple_of(unit);
            segments.push(Segment { space, address, bytes, size });
        }
        segments.sort_by_key(|segment| (segment.space, segment.address));
        segments
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_form_holds_any_image(segments in segments()) {
        let image = Image { segments, ..Image::default() };
        prop_assert_eq!(image.check(), Ok(()));
        check_forms(&image);
    }
}

/// Names and lines of source that could be taken for something else than a comment.
#[test]
fn source_in_a_disassembly_stays_a_comment() {
    let mut image = assemble_text("kernel", "_start: nop\n nop\n nop\n j _start\n ecall\n").unwrap();
    let names = ["a\nb.s", "/* open", "\"quote", "\\", "é\u{2028}\r.s"];
    image.lines = (0..)
        .zip(names)
        .map(|(index, file)| Line { address: 4 * index, file: file.into(), line: 2, column: 1 })
        .collect();
    let texts = ["\n nop", "\n */ nop", "\n/* open", "\n\u{b}ecall\rnop", "\n\t# \\"];
    let sources: Vec<Source> = names.iter().zip(texts).map(|(name, text)| Source::new(*name, text)).collect();
    let text = disassemble_with_source(&image, &sources);
    assert!(text.contains("\n# /* open:2:  */ nop\n"), "{text}");
    let copy = assemble_text("copy", &text).unwrap();
    assert_eq!((copy.segments, copy.symbols), (image.segments, image.symbols));
}

/// A command's success; `None` with a reason where it is not installed, which in CI is a failure.
fn tool(program: &str, arguments: &[&str]) -> Option<()> {
    match Command::new(program).args(arguments).output() {
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{program} {arguments:?}: {text}");
            Some(())
        }
        Err(error) => {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{program} is needed in CI: {error}");
            eprintln!("skipped: {program} is not installed (Debian: binutils-riscv64-unknown-elf)");
            None
        }
    }
}

#[test]
fn objcopy_reads_the_hex() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let image = program();
    for space in Space::ALL {
        // objcopy fills gaps between sections from the lowest address on, so one memory at a time.
        let contents = Contents::new(&image, space);
        std::fs::write(path("one.hex"), intel_hex(&image, &[contents])).unwrap();
        let (hex, bin) = (path("one.hex"), path("one.bin"));
        if tool("riscv64-unknown-elf-objcopy", &["-I", "ihex", "-O", "binary", &hex, &bin]).is_none() {
            return;
        }
        let found = std::fs::read(&bin).unwrap();
        let memory = memory(&image, space);
        let first = memory.chunks(64).position(|row| row.iter().any(|byte| *byte != 0)).unwrap() * 64;
        // What objcopy reads begins with the first run, which begins at a multiple of 64 here.
        assert!(equal_padded(found, memory[first..].to_vec()), "{space}");
    }
}

#[test]
fn the_same_program_gives_the_same_bytes() {
    let forms = || {
        let image = program();
        let contents = Contents::new(&image, Space::Vector);
        let texts = [intel_hex(&image, &all(&image)), coe(&contents), readmemh(&contents), map(&image)];
        (texts, image.to_elf().unwrap())
    };
    assert_eq!(forms(), forms());
}

#[test]
fn widths_and_lanes_that_do_not_exist_are_refused() {
    let contents = Contents::new(&program(), Space::LaneLocal);
    for bits in [0, 4, 24, 1024, u32::MAX] {
        assert_eq!(contents.clone().with_width(bits), Err(OutputError::Width(bits)));
    }
    assert_eq!(contents.of_lane(32), Err(OutputError::Lane(32)));
    let vector = Contents::new(&program(), Space::Vector);
    assert_eq!(vector.of_lane(0), Err(OutputError::LaneOf(Space::Vector)));
}

#[test]
fn the_map_says_where_things_are() {
    let source = "_start: nop\n.globl run\nrun: ecall\n.size run, 4\n.data\ncount: .word 1, 2\n.lane\n.balign 64\nrow: .half 1\n";
    let text = map(&assemble_text("kernel.s", source).unwrap());
    for wanted in [
        "entry point  00000000",
        ".data             8    131072  0.0%  scalar memory",
        "00000000  00000000  0        l label     _start  kernel.s:1",
        "00000004  00000004  4        g function  run  kernel.s:3",
        "10000000  00000000  0        l object    count",
        "30000000  00000000  0        l object    row",
    ] {
        assert!(text.lines().any(|line| line == wanted), "no `{wanted}` in\n{text}");
    }
}

/// A testbench that prints what `$readmemh` reads.
#[test]
#[ignore = "Verilator builds a model for 10 s; run with --ignored"]
fn verilator_reads_the_words() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let image = assemble_text("program", "nop\necall\n.org 0x28\n.word 0x01020304\n").unwrap();
    std::fs::write(path("text.mem"), readmemh(&Contents::new(&image, Space::Instruction))).unwrap();
    let bench = "module bench;\n  logic [31:0] memory [0:15];\n  initial begin\n    for (int i = 0; i < 16; i++) memory[i] = 0;\n    $readmemh(\"text.mem\", memory);\n    for (int i = 0; i < 16; i++) $display(\"%08x\", memory[i]);\n    $finish;\n  end\nendmodule\n";
    std::fs::write(path("bench.sv"), bench).unwrap();
    let built = Command::new("verilator").current_dir(&folder).args(["--binary", "-Wno-fatal", "bench.sv"]).output();
    let Ok(built) = built else {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "verilator is needed in CI");
        eprintln!("skipped: verilator is not installed");
        return;
    };
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let ran = Command::new(path("obj_dir/Vbench")).current_dir(&folder).output().unwrap();
    let words: Vec<u32> = String::from_utf8_lossy(&ran.stdout)
        .lines()
        .filter_map(|line| u32::from_str_radix(line.trim(), 16).ok())
        .collect();
    let mut wanted = [0; 16];
    wanted[..2].copy_from_slice(&[0x13, 0x73]);
    wanted[10] = 0x0102_0304;
    assert_eq!(words, wanted);
}
