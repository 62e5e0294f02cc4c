//! Text to words and back: what the disassembler writes is the same program, and no text makes the assembler panic.

use fenn_assembler::{Options, Source, assemble, diagnostic, disassemble};
use fenn_isa::image::{Image, Segment, Symbol, SymbolKind};
use fenn_isa::memory::{MachineConfig, Space};
use fenn_isa::{Inst, SPECS};
use proptest::prelude::*;

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// Room for as many words as one test wants.
fn large() -> MachineConfig {
    MachineConfig { instruction_bytes: 1 << 20, ..MachineConfig::default() }
}

fn again(image: &Image) -> Image {
    let sources = [Source::new("disassembly", disassemble(image))];
    let options = Options { config: image.config, ..Options::default() };
    let (copy, diagnostics) = assemble(&sources, &options);
    copy.unwrap_or_else(|| panic!("{}\n{}", diagnostic::render(&diagnostics, &sources, false), sources[0].text))
}

/// The bytes of each memory from address 0 to the end of its contents.
fn memory(image: &Image) -> Vec<Vec<u8>> {
    let mut memories = vec![Vec::new(); Space::ALL.len()];
    for segment in &image.segments {
        let memory = &mut memories[segment.space as usize];
        memory.resize(segment.address as usize, 0);
        memory.extend(&segment.bytes);
        memory.resize((segment.address + segment.size) as usize, 0);
    }
    memories
}

/// Words that are instructions more often than chance makes them, some of them with ignored bits set.
fn words() -> impl Strategy<Value = u32> {
    let near = (any::<u32>(), 0..SPECS.len()).prop_map(|(bits, index)| {
        let layout = &SPECS[index].layout;
        bits & !layout.mask | layout.value
    });
    prop_oneof![1 => any::<u32>(), 3 => near]
}

proptest! {
    #![proptest_config(config(20))]

    /// 20 programs of 1000 words.
    #[test]
    fn any_words_survive(words in prop::collection::vec(words(), 1000)) {
        let bytes = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let image = Image { config: large(), segments: vec![Segment::new(Space::Instruction, 0, bytes)], ..Image::default() };
        prop_assert_eq!(memory(&again(&image)), memory(&image));
    }
}

fn segments() -> impl Strategy<Value = Vec<Segment>> {
    let space = prop::sample::select(Space::ALL.to_vec());
    let bytes = prop_oneof![prop::collection::vec(any::<u8>(), 0..300), prop::collection::vec(0u8..2, 0..300)];
    prop::collection::vec((space, 0u32..20, bytes, prop_oneof![Just(0u32), 0u32..2000]), 0..8).prop_map(|parts| {
        let mut next = [0u32; 5];
        let mut segments = Vec::new();
        for (space, gap, bytes, zeros) in parts {
            let unit = space.spec().alignment;
            let (address, size) = (next[space as usize] + gap * unit, bytes.len() as u32 + zeros);
            next[space as usize] = (address + size).next_multiple_of(unit);
            segments.push(Segment { space, address, bytes, size });
        }
        segments.sort_by_key(|segment| (segment.space, segment.address));
        segments
    })
}

fn symbols() -> impl Strategy<Value = Vec<Symbol>> {
    let space = prop::sample::select(Space::ALL.to_vec());
    let kind = prop::sample::select(vec![SymbolKind::Function, SymbolKind::Object, SymbolKind::Label]);
    let name = prop_oneof![3 => "[a-z]{1,3}", 1 => "[ -~é]{1,6}"];
    let one = (name, space, 0u32..700, 0u32..100, kind, any::<bool>())
        .prop_map(|(name, space, address, size, kind, global)| Symbol { name, space, address, size, kind, global });
    prop::collection::vec(one, 0..20)
}

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn any_image_survives(segments in segments(), symbols in symbols()) {
        let image = Image { segments, symbols, ..Image::default() };
        prop_assert_eq!(image.check(), Ok(()));
        let copy = again(&image);
        prop_assert_eq!(memory(&copy), memory(&image));
        for symbol in &copy.symbols {
            let same = |other: &&Symbol| {
                (&other.name, other.space, other.address, other.kind, other.global)
                    == (&symbol.name, symbol.space, symbol.address, symbol.kind, symbol.global)
            };
            prop_assert!(image.symbols.iter().any(|other| same(&other)), "{symbol:?}");
        }
        // From there on nothing is lost.
        let third = again(&copy);
        prop_assert_eq!(memory(&third), memory(&copy));
        prop_assert_eq!(third.symbols, copy.symbols);
    }
}

/// Pieces of programs, so that random texts get beyond the lexer.
const PIECES: &[&str] = &[
    "add",
    "vadd",
    "lw",
    "li",
    "la",
    "j",
    "beqz",
    ".word",
    ".space",
    ".equ",
    ".set",
    ".align",
    ".text",
    ".data",
    ".lane",
    ".section",
    ".ascii",
    ".org",
    ".size",
    ".type",
    ".globl",
    ".option",
    "norelax",
    "a0",
    "x5",
    "v3",
    "zero",
    "mcycle",
    "iorw",
    "name",
    "other",
    "name:",
    "1:",
    "1b",
    "1f",
    "5",
    "-1",
    "0x7fffffffffffffff",
    "%hi",
    "%lo",
    "%pcrel_hi",
    "%pcrel_lo",
    "(",
    ")",
    ",",
    "+",
    "-",
    "*",
    "/",
    "%",
    "<<",
    ">>",
    "?",
    ":",
    "==",
    "&&",
    "||",
    "!",
    "~",
    "=",
    ".",
    "@",
    "\"text\"",
    "'c'",
    "\"",
    "'",
    "/*",
    "*/",
    "#",
    "//",
    "\\",
    "\n",
    "\n",
    "\n",
    ";",
    " ",
    "\t",
    "é",
    "\u{2028}",
    "\0",
    "\r",
];

fn programs() -> impl Strategy<Value = String> {
    let piece = (prop::sample::select(PIECES.to_vec()), any::<bool>())
        .prop_map(|(piece, blank)| format!("{piece}{}", if blank { " " } else { "" }));
    prop_oneof![".{0,200}", prop::collection::vec(piece, 0..80).prop_map(|pieces| pieces.concat())]
}

proptest! {
    #![proptest_config(config(3000))]

    #[test]
    fn no_text_panics(text in programs()) {
        let sources = [Source::new("random", text)];
        let (image, diagnostics) = assemble(&sources, &Options::default());
        prop_assert_eq!(image.is_some(), diagnostics.is_empty());
        let drawn = diagnostic::render(&diagnostics, &sources, false);
        for diagnostic in &diagnostics {
            let message = diagnostic.problem.to_string();
            prop_assert!(drawn.contains(message.lines().next().unwrap_or_default()), "{}", message);
        }
        if let Some(image) = image {
            prop_assert_eq!(memory(&again(&image)), memory(&image));
        }
    }
}

fn messages(text: &str) -> Vec<String> {
    let (_, diagnostics) = assemble(&[Source::new("text", text)], &Options::default());
    diagnostics.iter().map(|diagnostic| diagnostic.problem.to_string()).collect()
}

#[test]
fn depth_is_an_error_and_not_a_crash() {
    let deep = "this expression is nested too deeply";
    let n = 100_000;
    for expression in [
        "(".repeat(n) + "1" + &")".repeat(n),
        "-".repeat(n) + "1",
        "1".to_owned() + &"+1".repeat(n),
        "1".to_owned() + &"?1:1".repeat(n),
        "1".to_owned() + &"?1".repeat(n),
        "%hi(".repeat(n),
    ] {
        assert_eq!(messages(&format!(".word {expression}")), [deep], "{expression:.20}");
    }
    // Symbols that use the next one, many deep, and each of them twice.
    let chain: String = (0..5000).map(|i| format!(".equ n{i}, n{} + n{0}\n", i + 1)).collect();
    assert!(messages(&format!("{chain}.word n0")).contains(&deep.to_owned()));
    let short: String = (0..40).map(|i| format!(".equ n{i}, n{} + n{0}\n", i + 1)).collect();
    assert_eq!(messages(&format!("{short}.equ n40, 0\n.word n0")), Vec::<String>::new());
}

#[test]
fn every_row_assembles_from_its_own_text() {
    for spec in &SPECS {
        let inst = Inst::decode(spec.layout.value).unwrap();
        let image = fenn_assembler::assemble_text(spec.name, &inst.to_string()).unwrap();
        assert_eq!(image.segments[0].bytes, spec.layout.value.to_le_bytes(), "{inst}");
    }
}
