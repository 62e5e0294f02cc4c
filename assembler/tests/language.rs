//! Macros, conditions, repetitions, files, scopes, long branches and FeNN's own data: what they become, what is said of
//! wrong ones and where, and that no text makes the assembler run for ever.

use std::collections::BTreeMap;

use fenn_assembler::source::{root, trace};
use fenn_assembler::{Assembly, Options, Source, assemble, assemble_text, assemble_with_files, assemble_with_lines};
use fenn_isa::image::Image;
use fenn_isa::memory::{LANES, MachineConfig, Space};
use fenn_isa::seed::generator_seeds;
use fenn_isa::{Inst, decimal, fixed};
use proptest::prelude::*;

fn image(text: &str) -> Image {
    assemble_text("text.s", text).unwrap_or_else(|messages| panic!("{messages}"))
}

fn bytes(image: &Image, space: Space) -> Vec<u8> {
    let segments = image.segments.iter().filter(|segment| segment.space == space);
    segments.fold(Vec::new(), |mut all, segment| {
        all.resize(segment.address as usize, 0);
        all.extend(&segment.bytes);
        all.resize((segment.address + segment.size) as usize, 0);
        all
    })
}

/// A machine whose instruction memory holds a long program.
fn roomy() -> Options {
    Options { config: MachineConfig { instruction_bytes: 1 << 20, ..MachineConfig::default() }, ..Options::default() }
}

fn halfwords(image: &Image, space: Space) -> Vec<i16> {
    bytes(image, space).chunks(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}

fn messages(text: &str) -> Vec<String> {
    let (_, diagnostics) = assemble(&[Source::new("text.s", text)], &Options::default());
    diagnostics.iter().map(|diagnostic| diagnostic.problem.to_string()).collect()
}

/// The text and its expansion by hand become the same bytes.
#[track_caller]
fn same(text: &str, plain: &str) {
    let code = |text| image(text).segments.iter().map(|segment| segment.bytes.clone()).collect::<Vec<_>>();
    assert_eq!(code(text), code(plain));
}

#[test]
fn macros_are_what_they_stand_for() {
    same(
        ".macro m a, b=2, c:req\n.word \\a, \\b, \\c\nl\\@: .word l\\@ - .\n.endm\nm 1, , 3\nm c=5, a=6",
        ".word 1, 2, 3\n.word 0\n.word 6, 2, 5\n.word 0",
    );
    same(
        ".macro outer x\n.macro inner\\x y\n.byte \\x, \\y\n.endm\n.endm\nouter 4\ninner4 5\n.byte 0, 0",
        ".byte 4, 5, 0, 0",
    );
    same(".macro down n\n.if \\n\n.word \\n\ndown \\n - 1\n.endif\n.endm\ndown 3", ".word 3\n.word 2\n.word 1");
    same(
        ".irp r, a0, a1\n.irpc d, 12\naddi \\r, \\r, \\d\n.endr\n.endr",
        "addi a0,a0,1\naddi a0,a0,2\naddi a1,a1,1\naddi a1,a1,2",
    );
    same(".set i, 0\n.rept 3\n.rept 2\n.half i\n.endr\n.set i, i + 1\n.endr", ".half 0, 0, 1, 1, 2, 2");
    same(
        ".macro v first, rest:vararg\n.ifnb \\first\n.byte \\first\nv \\rest\n.endif\n.endm\nv 1, 2, 3, 4",
        ".byte 1,2,3,4",
    );
    same(".if 0\n} what \\x 'ever\n.elseif 1 == 1\nnop\n.else\n.if 1\nx\n.endif\n.endif", "nop");
    same(
        "a = 1\n.ifdef a\nnop\n.endif\n.ifndef a\necall\n.else\nebreak\n.endif\n.ifc x, x\nwfi\n.endif",
        "nop\nebreak\nwfi",
    );
}

#[test]
fn a_place_inside_a_macro_leads_back_to_its_calls() {
    let text = ".macro inner x\n  addi a0, a0, \\x\n.endm\n.macro outer\n  inner 5000\n.endm\nouter\n";
    let Assembly { diagnostics, sources, .. } = assemble_with_lines(&[Source::new("a.s", text)], &Options::default());
    let [wrong] = diagnostics.as_slice() else { panic!("{diagnostics:?}") };
    let span = wrong.span.unwrap();
    assert_eq!(span.text(&sources), "5000");
    let steps = trace(span, &sources);
    let whats: Vec<&str> = steps.iter().map(|step| step.what.as_str()).collect();
    assert_eq!(whats, ["in the expansion of macro `inner`", "in the expansion of macro `outer`"]);
    assert_eq!(steps[0].at.text(&sources), "inner 5000");
    assert_eq!(root(span, &sources).text(&sources), "outer");
    // Who knows the given sources only is told where the macro is called.
    let (_, diagnostics) = assemble(&[Source::new("a.s", text)], &Options::default());
    assert_eq!(diagnostics[0].span.unwrap().source, 0);
}

/// That many names.
fn numbered(count: usize) -> String {
    (0..count).map(|index| format!("p{index} ")).collect()
}

#[test]
fn many_macros_and_unknown_names_are_not_all_compared() {
    let macros: String = (0..50_000).map(|index| format!(".macro m{index}\n.endm\n")).collect();
    let calls: String = (0..9000).map(|index| format!("mm{index}\n")).collect();
    let (_, diagnostics) = assemble(&[Source::new("text.s", macros + &calls)], &Options::default());
    assert_eq!(diagnostics.len(), 9000);
    assert_eq!(diagnostics.iter().filter(|diagnostic| diagnostic.problem.help().is_some()).count(), 100);
}

#[test]
fn mistakes_come_in_the_order_of_the_lines_that_led_to_them() {
    let text = ".macro m x\n.half \\x\n.include \"bad.s\"\n.endm\n.byte 256\nm 65536\n.byte 257\n.include \"bad.s\"\n.byte 258";
    let graph = files(&[("bad.s", ".word 1 << 32\n.byte 999")]);
    let assembly = assemble_with_files(&[Source::new("a.s", text)], &Options::default(), &graph);
    let value = |diagnostic: &fenn_assembler::Diagnostic| diagnostic.span.unwrap().text(&assembly.sources).to_owned();
    let values: Vec<String> = assembly.diagnostics.iter().map(value).collect();
    assert_eq!(values, ["256", "65536", "1 << 32", "999", "257", "1 << 32", "999", "258"]);
}

#[test]
fn wrong_structure_is_said_once() {
    for (text, message) in [
        (".if 1\nnop", "this `.if` has no `.endif`"),
        (".endif", "there is no `.if` that this `.endif` could belong to"),
        (".if 0\n.else\n.else\n.endif", "nothing but `.endif` follows an `.else`"),
        (".rept 3\nnop", "this `.rept` has no `.endr`"),
        (".endm", "there is no `.macro` that this `.endm` could belong to"),
        (".macro m\n.endm\n.macro m\n.endm", "the macro `m` is defined twice"),
        (".macro m a\n.endm\nm 1, 2", "the macro `m` takes at most 1 arguments, and this call has 2"),
        (".macro m a:req\n.endm\nm", "the macro `m` wants a value for `a`"),
        (".macro m\nm\n.endm\nm", "macros, repetitions and included files are more than 100 deep here"),
        (&format!(".macro m {}\n.endm", numbered(1001)), "a macro has at most 1000 parameters"),
        (".error \"no\"", "no"),
        (".include \"x.s\"", "cannot read x.s: this assembly reads no files"),
        (".vec 1, 2", "a vector has 1 value for all lanes or 32, and this has 2"),
        (".vector\n.half 1\n.vec 1", "a vector would be at byte 0x2, which is not a multiple of 64"),
        (".fixed s5.10, 32", "32 is outside s5.10, which reaches from -32 to 31.9990234375"),
        ("vlui v1, fx(1.0, 15)", "1.0 is outside s0.15, which reaches from -1 to 0.999969482421875"),
        ("vlui v1, fx(1.0, 16)", "the number of fraction bits is 16, and must lie in 0..=15"),
    ] {
        assert_eq!(messages(text), [message], "{text}");
    }
}

#[test]
fn bombs_are_refused_in_time() {
    let long = "a".repeat(1_000_000);
    let budget = "macros and repetitions become more than 2^20 statements or 32 MiB of text";
    for text in [
        ".rept 0xffffffff\n.endr".to_owned(),
        ".rept 0xffff\n.rept 0xffff\n.set x, 1\n.endr\n.endr".to_owned(),
        ".macro m\nm\nm\n.endm\nm\n".replace("m\nm\n.endm", ".if . < 0\n.endif\nn\nn\n.endm")
            + ".macro n\n.endm\n.rept 3000000\nm\n.endr",
        (0..40).map(|i| format!(".macro m{i}\nm{0}\nm{0}\n.endm\n", i + 1)).collect::<String>()
            + ".macro m40\n.endm\nm0",
        format!(".macro m x\nm \"\\x\\x\"\n.endm\nm {}", "a".repeat(1000)),
        // Much text read again and again: comments, what a condition leaves out, bodies, statements, arguments.
        format!(".rept 0x7fffffff\n/* {long} */\n.endr"),
        format!(".rept 0x7fffffff\n.if 0\n{long}\n.endif\n.endr"),
        format!(".rept 0x7fffffff\n.macro m\n{long}\n.endm\n.purgem m\n.endr"),
        format!(".rept 0x7fffffff\n.rept 0\n{long}\n.endr\n.endr"),
        format!(".macro m x:vararg\n.endm\n.rept 0x7fffffff\nm {long}\n.endr"),
        format!(".macro m x\n.if 0\n{}\n.endif\n.endm\n.rept 0x7fffffff\nm\n.endr", "\\x".repeat(100_000)),
        // Each argument put into each of many places.
        format!(".macro m x\n{}\n.endm\nm {long}", ".if \\x\n".repeat(100_000)),
        format!(".irp x, {long}\n{}\n.endr", ".if \\x\n".repeat(100_000)),
        format!(".irpc x, {long}\n{}\n.endr", "\\()".repeat(100_000)),
        ".irp x, 1, 2, 3, 4, 5, 6, 7, 8, 9\n".repeat(12) + ".set a, 1\n" + &".endr\n".repeat(12),
    ] {
        assert!(messages(&text).contains(&budget.to_owned()), "{text:.60} {:?}", messages(&text).first());
    }
    for text in [
        "junk\n".repeat(50_000),
        // Found only at the end: what is not defined, and what is not closed.
        (0..50_000).map(|index| format!(".byte n{index}\n")).collect(),
        format!(".rept 5000\n{}.endr", ".if 1\n".repeat(20)),
    ] {
        let messages = {
            let (_, diagnostics) = assemble(&[Source::new("text.s", text)], &roomy());
            diagnostics.iter().map(|diagnostic| diagnostic.problem.to_string()).collect::<Vec<_>>()
        };
        assert!(messages.len() <= 10_001, "{}", messages.len());
        assert!(messages.contains(&"there are too many errors to go on".to_owned()), "{:?}", messages.first());
    }
}

#[test]
fn what_is_drawn_of_a_mistake_is_bounded() {
    // Ten thousand mistakes: in one line, and each far from the definition that it is about.
    let line = "junk;".repeat(20_000);
    let far = format!("x: nop\n{}{}", "nop\n".repeat(3000), "x: nop\n".repeat(9000));
    for (text, name, most) in [(line, "no instruction is called `junk`", 400), (far, "`x` is defined twice", 400)] {
        let sources = [Source::new("text.s", text)];
        let Assembly { diagnostics, sources, .. } = assemble_with_lines(&sources, &roomy());
        assert!(diagnostics.len() > 8000, "{}", diagnostics.len());
        let drawn = fenn_assembler::diagnostic::render(&diagnostics, &sources, false);
        assert!(drawn.contains(name) && drawn.contains("here"));
        assert!(drawn.len() < most * diagnostics.len(), "{} bytes", drawn.len() / diagnostics.len());
    }
}

#[test]
fn the_other_place_may_be_in_a_source_with_other_letters() {
    // In bytes, `x` is behind the middle of a character.
    let sources =
        [Source::new("a.s", ".ascii \"äääää🦀🦀\"\n# 🦀🦀🦀🦀\nx: nop\n"), Source::new("b.s", "\n# ä\n  x: nop\n")];
    let Assembly { diagnostics, sources, .. } = assemble_with_lines(&sources, &Options::default());
    let drawn = fenn_assembler::diagnostic::render(&diagnostics, &sources, false);
    assert!(drawn.contains("[ b.s:3:3 ]") && drawn.contains("first defined here: a.s:3:1"), "{drawn}");
}

#[test]
fn a_mistake_in_a_long_line_is_marked() {
    let text = format!("start: nop\n{}vaddd v0, v1, v2; {}", "nop; ".repeat(300), "nop; ".repeat(300));
    let sources = [Source::new("text.s", text)];
    let Assembly { diagnostics, sources, .. } = assemble_with_lines(&sources, &Options::default());
    let wanted = "\
Error: no instruction is called `vaddd`
   ╭─[ text.s:2:1501 ]
   │ … nop; nop; nop; nop; nop; nop; vaddd v0, v1, v2; nop; nop; nop; nop; nop; nop; nop; nop; no …
   │                                 ^^^^^ here
   │ Help: did you mean `vadd`?

";
    assert_eq!(fenn_assembler::diagnostic::render(&diagnostics, &sources, false), wanted);
}

fn files(files: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
    files.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect()
}

#[test]
fn files_are_found_beside_those_that_include_them() {
    let graph = files(&[
        ("k/a.s", ".include \"b/c.s\"\n.word 1\n.incbin \"raw\", 1, 2\n.balign 4"),
        ("k/b/c.s", ".word 2\n.include \"../d.s\"\n"),
        ("k/d.s", ".word 3"),
        ("k/raw", "wxyz"),
    ]);
    let sources = [Source::new("k/main.s", ".include \"a.s\"\n.word 4")];
    let assembly = assemble_with_files(&sources, &Options::default(), &graph);
    let found = bytes(assembly.image.as_ref().unwrap(), Space::Instruction);
    let plain = image(".word 2, 3, 1\n.ascii \"xy\"\n.balign 4\n.word 4");
    assert_eq!(found, bytes(&plain, Space::Instruction));
    let names: Vec<&str> = assembly.sources.iter().map(|source| source.name.as_str()).collect();
    assert_eq!(names, ["k/main.s", "k/a.s", "k/b/c.s", "k/d.s"]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    /// Any graph of inclusions ends, with an image exactly if it has no cycle and no missing file.
    #[test]
    fn any_include_graph_ends(edges in prop::collection::vec(prop::collection::vec(0usize..7, 0..3), 6)) {
        let name = |index: usize| format!("f{index}.s");
        let graph: BTreeMap<String, Vec<u8>> = edges.iter().enumerate().map(|(index, to)| {
            let text: String = to.iter().map(|to| format!(".include \"{}\"\n.half {index}\n", name(*to))).collect();
            (name(index), text.into_bytes())
        }).collect();
        let sources = [Source::new("main.s", ".include \"f0.s\"")];
        let assembly = assemble_with_files(&sources, &Options::default(), &graph);
        fn good(node: usize, path: &mut Vec<usize>, edges: &[Vec<usize>]) -> bool {
            if node >= edges.len() || path.contains(&node) {
                return false;
            }
            path.push(node);
            let all = edges[node].iter().all(|to| good(*to, path, edges));
            path.pop();
            all
        }
        prop_assert_eq!(assembly.image.is_some(), good(0, &mut Vec::new(), &edges));
    }

    /// Pieces of macros and conditions in any order: no panic, no hang.
    #[test]
    fn no_structure_panics(pieces in prop::collection::vec(prop::sample::select(PIECES.to_vec()), 0..60)) {
        let sources = [Source::new("random", pieces.concat())];
        let assembly = assemble_with_lines(&sources, &Options::default());
        prop_assert_eq!(assembly.image.is_some(), assembly.diagnostics.is_empty());
        fenn_assembler::diagnostic::render(&assembly.diagnostics, &assembly.sources, false);
    }
}

const PIECES: &[&str] = &[
    ".macro m a, b=1\n",
    ".macro n x:req\n",
    ".macro v r:vararg\n",
    ".endm\n",
    ".exitm\n",
    ".purgem m\n",
    "m 1, 2\n",
    "n ",
    "n 3\n",
    "v 1, 2, 3\n",
    "\\a ",
    "\\b",
    "\\x\n",
    "\\@",
    "\\()",
    ".if 1\n",
    ".if 0\n",
    ".if x\n",
    ".ifdef l\n",
    ".ifb\n",
    ".elseif 1\n",
    ".else\n",
    ".endif\n",
    ".rept 3\n",
    ".rept x\n",
    ".irp a, 1, 2\n",
    ".irpc a, xyz\n",
    ".endr\n",
    ".end\n",
    "l:\n",
    "l\\@: ",
    ".set x, x + 1\n",
    ".set x, 1\n",
    ".word x\n",
    ".word \\a\n",
    "nop\n",
    "beqz a0, l\n",
    ".include \"f\"\n",
    ".local l\n",
    ".pushsection .lane\n",
    ".popsection\n",
    ".previous\n",
    ".option pop\n",
    ".vec 1\n",
    ".fixed s0.15, .5\n",
    ".table s5.10, 1, 2\n",
    ".columns 1, 2\n",
    ".seed 5\n",
    "\"",
    "'",
    "/*",
    "*/",
    "#",
    ";",
    "\n",
    ",",
    "(",
    ")",
    "fx(",
    "0.5",
];

#[test]
fn local_names_belong_to_their_source() {
    let sources = [
        Source::new("a.s", ".local x\nx: .word 1\n.word x\n.Lend: .word .Lend\n1: j 1b\n"),
        Source::new("b.s", "y: .word x\n.local x\n.set x, 77\n.Lend: .word .Lend, shared\n"),
        Source::new("c.s", "shared: .word y\n"),
    ];
    let (image, diagnostics) = assemble(&sources, &Options::default());
    let image = image.unwrap_or_else(|| panic!("{diagnostics:?}"));
    let words: Vec<u32> =
        bytes(&image, Space::Instruction).chunks(4).map(|word| u32::from_le_bytes(word.try_into().unwrap())).collect();
    assert_eq!(words, [1, 0, 8, 0x6f, 77, 20, 28, 16]);
    let two = [Source::new("a.s", "x: nop"), Source::new("b.s", "x: nop\n1: nop"), Source::new("c.s", "j 1b")];
    let (_, diagnostics) = assemble(&two, &Options::default());
    assert_eq!(diagnostics.len(), 2, "{diagnostics:?}");
}

#[test]
fn only_branches_that_are_too_far_are_long() {
    for (words, length) in [(1022, 1 + 1022 + 1), (1023, 2 + 1023 + 1)] {
        let image = image(&format!("a: beqz a0, b\n.rept {words}\nnop\n.endr\nb: nop"));
        let code = bytes(&image, Space::Instruction);
        assert_eq!(code.len(), 4 * length, "{words}");
        let first = Inst::decode(u32::from_le_bytes(code[..4].try_into().unwrap())).unwrap();
        let wanted = if words == 1022 { "beq a0, zero, .+4092" } else { "bne a0, zero, .+8" };
        assert_eq!(first.to_string(), wanted);
    }
    // A chain in which each long branch makes the next one long.
    let chain: String = (0..200).map(|i| format!("l{i}: bnez a0, l{}\n{}", i + 100, "nop\n".repeat(9))).collect();
    let ends: String = (200..300).map(|i| format!("l{i}: nop\n")).collect();
    image(&(chain + &ends));
}

#[test]
fn fixed_point_and_lane_data_are_what_they_say() {
    let s5_10 = fixed::Format::new(10).unwrap();
    let text = ".vector\n.fixed s5.10, 0.9512, -3.25, .5\n.half fx(-0.5, 15), fx(3, 1 + 1)\n.balign 64\n.vec s0.15, 0.5\n.vec -7\n.seed 9\n.lane\n.table s5.10, 1, -1\n.columns 2, "
        .to_owned()
        + &(0..64).map(|value| value.to_string()).collect::<Vec<_>>().join(", ");
    let image = image(&text);
    let vector = halfwords(&image, Space::Vector);
    let code = |text| decimal::parse_decimal(text, s5_10).unwrap();
    assert_eq!(vector[..5], [code("0.9512"), -3328, 512, -16384, 12]);
    assert_eq!(vector[32..64], [16384; LANES]);
    assert_eq!(vector[64..96], [-7; LANES]);
    for (lane, generator) in generator_seeds(9).iter().enumerate() {
        assert_eq!((vector[96 + lane] as u16, vector[128 + lane] as u16), (generator.s0, generator.s1));
    }
    let lanes = halfwords(&image, Space::LaneLocal);
    assert_eq!((&lanes[..32], &lanes[32..64]), (&[1024; LANES][..], &[-1024; LANES][..]));
    for lane in 0..32 {
        assert_eq!([lanes[64 + lane], lanes[96 + lane]], [2 * lane as i16, 2 * lane as i16 + 1]);
    }
}

#[test]
fn a_million_random_words_come_back() {
    use rand::{RngExt, SeedableRng};
    let mut rng = rand_pcg::Pcg64Mcg::seed_from_u64(1);
    let config = MachineConfig { instruction_bytes: 1 << 24, ..MachineConfig::default() };
    let code: Vec<u8> = (0..1_000_000).flat_map(|_| rng.random::<u32>().to_le_bytes()).collect();
    let segments = vec![fenn_isa::image::Segment::new(Space::Instruction, 0, code)];
    let image = Image { config, segments, ..Image::default() };
    let sources = [Source::new("disassembly", fenn_assembler::disassemble(&image))];
    let (copy, diagnostics) = assemble(&sources, &Options { config, ..Options::default() });
    let copy = copy.unwrap_or_else(|| panic!("{:?}", diagnostics.first()));
    assert!(bytes(&copy, Space::Instruction) == bytes(&image, Space::Instruction));
}
