//! Inputs made from inputs, with some idea of what they are.
//!
//! Contract: [`mutate`] is a function of its arguments and the generator's state. Texts are changed by the line and by
//! the token: exchanged, repeated, left out, nested deeply, made very long, numbers made extreme. Programs are changed
//! by the field of 32 bits. Both lose their ends, get pieces of others, and single bits turned.

use fenn_isa::SPECS;
use rand::RngExt;
use rand_pcg::Pcg64Mcg;

use super::{MARK, Subject};

/// What `input` becomes after one to eight changes, at most `longest` bytes of it. Pieces of `others` may get into it.
pub fn mutate(subject: Subject, input: &[u8], others: &[Vec<u8>], longest: usize, random: &mut Pcg64Mcg) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..random.random_range(1..=8u32) {
        if random.random_range(..8u32) == 0 {
            rough(&mut bytes, others, random);
        } else if subject == Subject::Elf {
            field(&mut bytes, random);
        } else {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            bytes = if random.random() { line(&text, subject, others, random) } else { token(&text, random) };
        }
        bytes.truncate(longest);
    }
    bytes
}

/// One of `items`; the default where there is none.
fn one<T: Clone + Default>(items: &[T], random: &mut Pcg64Mcg) -> T {
    if items.is_empty() { T::default() } else { items[random.random_range(..items.len())].clone() }
}

/// Any place in something of that length, its end included.
fn place(length: usize, random: &mut Pcg64Mcg) -> usize {
    random.random_range(..=length)
}

/// A part of something of that length.
fn range(length: usize, random: &mut Pcg64Mcg) -> std::ops::Range<usize> {
    let (a, b) = (place(length, random), place(length, random));
    a.min(b)..a.max(b)
}

/// What can be done to any bytes.
fn rough(bytes: &mut Vec<u8>, others: &[Vec<u8>], random: &mut Pcg64Mcg) {
    match random.random_range(..5u32) {
        0 => bytes.truncate(place(bytes.len(), random)),
        1 => {
            let other = one(others, random);
            let piece = other[range(other.len(), random)].to_vec();
            let at = place(bytes.len(), random);
            bytes.splice(at..at, piece);
        }
        2 => {
            bytes.drain(range(bytes.len(), random));
        }
        3 => {
            let at = place(bytes.len(), random);
            bytes.insert(at, random.random());
        }
        _ => {
            if let Some(byte) = (!bytes.is_empty()).then(|| random.random_range(..bytes.len())) {
                bytes[byte] ^= 1 << random.random_range(..8u32);
            }
        }
    }
}

/// Numbers at the edges of what 8, 16, 32 and 64 bits and their signs hold.
const WORDS: [u32; 16] = [
    0,
    1,
    2,
    3,
    4,
    63,
    64,
    0x7f,
    0xff,
    0x7fff,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0x8000_0001,
    0xffff_fff0,
    0xffff_ffff,
];

/// A word at a multiple of 4 (seldom a halfword), as in ELF's tables.
fn field(bytes: &mut Vec<u8>, random: &mut Pcg64Mcg) {
    if bytes.len() < 4 {
        bytes.extend([0x7f, b'E', b'L', b'F']);
    }
    // Half of the changes are in the file's header and what follows it.
    let fields = if random.random() { bytes.len().min(512) } else { bytes.len() } / 4;
    let at = 4 * random.random_range(..fields);
    let old = u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let other = 4 * random.random_range(..bytes.len() / 4);
    let new = match random.random_range(..6u32) {
        0 => one(&WORDS, random),
        1 => old.wrapping_add(random.random_range(..9u32)).wrapping_sub(4),
        2 => old ^ 1 << random.random_range(..32u32),
        3 => u32::from_le_bytes([bytes[other], bytes[other + 1], bytes[other + 2], bytes[other + 3]]),
        4 => old & 0xffff_0000 | one(&WORDS, random) & 0xffff,
        _ => random.random(),
    };
    bytes[at..at + 4].copy_from_slice(&new.to_le_bytes());
}

/// Numbers as texts have them, most of them too large for something.
const NUMBERS: [&str; 26] = [
    "0",
    "-1",
    "1",
    "3",
    "31",
    "32",
    "63",
    "64",
    "2047",
    "2048",
    "-2049",
    "4096",
    "0xffff",
    "0x10000",
    "0x7fffffff",
    "0x80000000",
    "0xffffffff",
    "4294967296",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "18446744073709551616",
    "0.5",
    "1e309",
    "-.999999999999999999999999999999999999999999999999999999999",
    "1e-999999999",
];

/// Words and marks of the language, beside the mnemonics.
const WORDS_OF_TEXT: [&str; 134] = [
    ".align",
    ".ascii",
    ".asciz",
    ".attribute",
    ".balign",
    ".bss",
    ".byte",
    ".columns",
    ".data",
    ".dram",
    ".dword",
    ".else",
    ".elseif",
    ".end",
    ".endif",
    ".endm",
    ".endr",
    ".equ",
    ".equiv",
    ".err",
    ".error",
    ".exitm",
    ".fail",
    ".file",
    ".fill",
    ".fixed",
    ".globl",
    ".half",
    ".ident",
    ".if",
    ".ifb",
    ".ifc",
    ".ifdef",
    ".ifge",
    ".ifnb",
    ".ifnc",
    ".ifndef",
    ".incbin",
    ".include",
    ".irp",
    ".irpc",
    ".lane",
    ".local",
    ".macro",
    ".option",
    ".org",
    ".p2align",
    ".popsection",
    ".previous",
    ".purgem",
    ".pushsection",
    ".quad",
    ".rept",
    ".rodata",
    ".section",
    ".seed",
    ".set",
    ".size",
    ".space",
    ".string",
    ".table",
    ".text",
    ".type",
    ".vec",
    ".vector",
    ".word",
    ".zero",
    "norelax",
    "push",
    "pop",
    "@function",
    "s5.10",
    "s0.15",
    "u8.8",
    "fx(",
    "fx(0.5, 15)",
    "%hi(",
    "%lo(",
    "%pcrel_hi(",
    "%pcrel_lo(",
    ":req",
    ":vararg",
    "\\@",
    "\\()",
    "\\a",
    "\\x",
    "a",
    "x",
    "m",
    "m 1, 2",
    "x:",
    "1:",
    "1b",
    "1f",
    "9f",
    "a0",
    "zero",
    "v0",
    "v31",
    "x32",
    "mcycle",
    "li",
    "la",
    "call",
    "tail",
    "ret",
    "beqz",
    "csrr",
    "mv",
    "(",
    ")",
    ",",
    ":",
    "=",
    "==",
    "<<",
    ">>",
    "&&",
    "||",
    "?",
    "!",
    "~",
    "-",
    "%",
    "/",
    "/*",
    "*/",
    "#",
    ";",
    "\n",
    "\"",
    "'",
    "\\",
    ".",
];

/// Characters that are no letters of any language's keywords.
const CHARACTERS: [char; 10] = ['\0', '\t', '\r', '\u{b}', '\u{7f}', 'é', '\u{301}', '\u{2028}', '\u{fffd}', '🦀'];

/// A piece of a program.
fn word(random: &mut Pcg64Mcg) -> String {
    match random.random_range(..8u32) {
        0..3 => one(&WORDS_OF_TEXT, random).to_owned(),
        3 => SPECS[random.random_range(..SPECS.len())].name.to_owned(),
        4 => one(&CHARACTERS, random).to_string(),
        5 => {
            let (open, close) =
                one(&[("(", ")"), ("-", ""), ("~!", ""), ("1+", ""), ("%hi(", ")"), ("1?", ":1")], random);
            let deep = one(&[3, 60, 200, 2000], random);
            format!("{}1{}", open.repeat(deep), close.repeat(deep))
        }
        6 => "a ".repeat(one(&[10, 300, 5000], random)),
        _ => one(&NUMBERS, random).to_owned(),
    }
}

/// The parts of a text: words, numbers, runs of blanks, single marks.
fn tokens(text: &str) -> Vec<&str> {
    let kind = |c: char| match c {
        c if c.is_alphanumeric() || matches!(c, '.' | '_' | '\\' | '@' | '$') => 0u32,
        ' ' | '\t' => 1,
        // Marks stand alone.
        c => u32::from(c) + 2,
    };
    let mut tokens = Vec::new();
    let mut start = 0;
    let mut before = None;
    for (at, c) in text.char_indices() {
        if before.is_some_and(|before| before != kind(c) || before > 1) {
            tokens.push(&text[start..at]);
            start = at;
        }
        before = Some(kind(c));
    }
    tokens.push(&text[start..]);
    tokens
}

/// Changes tokens.
fn token(text: &str, random: &mut Pcg64Mcg) -> Vec<u8> {
    let mut tokens = tokens(text);
    let new = word(random);
    let number = one(&NUMBERS, random);
    let (a, b) = (random.random_range(..tokens.len()), random.random_range(..tokens.len()));
    match random.random_range(..6u32) {
        0 => tokens.swap(a, b),
        1 => tokens.insert(a, &new),
        2 => tokens[a] = &new,
        3 => tokens[a] = tokens[b],
        4 => {
            tokens.remove(a);
        }
        _ => {
            let numbers: Vec<usize> =
                (0..tokens.len()).filter(|at| tokens[*at].starts_with(|c: char| c.is_ascii_digit())).collect();
            if let Some(at) = numbers.get(a % numbers.len().max(1)) {
                tokens[*at] = number;
            }
        }
    }
    tokens.concat().into_bytes()
}

/// Changes lines.
fn line(text: &str, subject: Subject, others: &[Vec<u8>], random: &mut Pcg64Mcg) -> Vec<u8> {
    let mut lines: Vec<String> = text.split('\n').map(str::to_owned).collect();
    let at = random.random_range(..lines.len());
    let part = range(lines.len(), random);
    match random.random_range(..9u32) {
        0 => {
            let to = random.random_range(..lines.len());
            lines.swap(at, to);
        }
        1 => {
            lines.remove(at);
        }
        2 => {
            let times = one(&[1, 2, 100], random);
            let copies = vec![lines[at].clone(); times];
            lines.splice(at..at, copies);
        }
        3 => {
            let other = one(others, random);
            let other = String::from_utf8_lossy(&other);
            let theirs: Vec<&str> = other.split('\n').collect();
            let piece: Vec<String> =
                theirs[range(theirs.len(), random)].iter().map(|line| (*line).to_owned()).collect();
            lines.splice(at..at, piece);
        }
        // Lines inside something.
        4 => {
            let (open, close) = one(
                &[
                    (".macro m a, b=1", ".endm\nm 1\nm"),
                    (".macro x a:req\n.if \\a", "x \\a-1\n.endif\n.endm\nx 3"),
                    (".rept 3", ".endr"),
                    (".irp a, 1, x, (", ".endr"),
                    (".irpc x, a\"'1", ".endr"),
                    (".if 0", ".else\n.endif"),
                    (".ifdef x", ".endif"),
                    ("/*", "*/"),
                    (".pushsection .lane", ".popsection"),
                    (".option push\n.option norelax", ".option pop"),
                ],
                random,
            );
            lines.insert(part.end, close.to_owned());
            lines.insert(part.start, open.to_owned());
        }
        // Many deep.
        5 => {
            let (open, close) = one(
                &[(".if 1", ".endif"), (".rept 1", ".endr"), (".irp a, 1", ".endr"), (".macro q", ".endm\nq")],
                random,
            );
            let deep = one(&[5, 99, 150, 1000], random);
            lines.splice(part.end..part.end, vec![close.to_owned(); deep]);
            lines.splice(part.start..part.start, vec![open.to_owned(); deep]);
        }
        // One line of many.
        6 => {
            let joined = lines[part.clone()].join(";");
            lines.splice(part, [joined]);
        }
        7 if subject == Subject::Includes => {
            let names: Vec<String> =
                lines.iter().filter_map(|line| line.strip_prefix(MARK)).map(|name| name.trim().to_owned()).collect();
            let name = if random.random() { one(&names, random) } else { format!("f{}", random.random_range(..4u32)) };
            let path = one(
                &[name.clone(), format!("../{name}"), format!("./{name}"), format!("/{name}"), "".to_owned()],
                random,
            );
            let (x, y) = (one(&NUMBERS, random), one(&NUMBERS, random));
            lines.insert(
                at,
                match random.random_range(..5u32) {
                    0 => format!("{MARK}{name}"),
                    1 => format!(".incbin \"{path}\""),
                    2 => format!(".incbin \"{path}\", {x}, {y}"),
                    _ => format!(".include \"{path}\""),
                },
            );
        }
        _ => {
            let words: Vec<String> = (0..random.random_range(1..6u32)).map(|_| word(random)).collect();
            lines.insert(at, words.join(" "));
        }
    }
    lines.join("\n").into_bytes()
}
