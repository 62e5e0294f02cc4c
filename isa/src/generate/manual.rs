//! The reference manual.
//!
//! Contract: one Markdown document, a chapter for each subject. Chapters stand between `ANCHOR` comments, by which the
//! book includes them one by one; the blocks marked `asm` are programs that say what they leave, and are run as tests.

use core::fmt::Write as _;

use super::ORIGIN;
use crate::csr::{Access, CSRS, DMA_MAX_BYTES};
use crate::example::example;
use crate::exception::{EXCEPTIONS, Exception, Raised};
use crate::fixed::Format;
use crate::memory::{LANES, MachineConfig, SPACES, Space};
use crate::operand::{ABI_NAMES, OperandKind};
use crate::spec::{Class, Extension, Op, Role, SPECS, Spec};
use crate::timing::{ClassTiming, DividerSkip, PROFILES, Profile};

const INTRODUCTION: &str = "\
FeNN is an in-order 32-bit RISC-V core with a vector unit of 32 lanes of 16 bits, made for spiking neural networks. This \
manual is read off the same tables as the assembler, the simulator and the SystemVerilog package; its examples are run as \
tests. The assembly language is described in [`docs/src/assembler`](../docs/src/assembler/index.md); `make doc` builds one \
book of everything.\n\n";

const INSTRUCTIONS: &str = "\
In the equations `x[r]` is a scalar register, `v[r][i]` lane `i` of a vector register, `llm[i]` the memory of lane `i`, `pc` \
the instruction's own address. Scalar arithmetic is modulo 2^32 unless stated. In the encodings `-` is a bit that is ignored, and \
a field of one bit, such as `[20]`, is that bit of the operand beside it. \
A word that matches no row is an illegal instruction. Examples end with what they leave, as comments; `v3 = 5` means all \
lanes.\n\n";

/// `isa/MANUAL.md`.
pub fn manual() -> String {
    let mut text = format!("<!-- {ORIGIN} -->\n\n# The FeNN machine\n\n{INTRODUCTION}");
    chapter(&mut text, "registers", "Registers", registers);
    chapter(&mut text, "memories", "Memories", memories);
    chapter(&mut text, "csrs", "Control and status registers", csrs);
    chapter(&mut text, "numbers", "Number formats", |text| text.push_str(include_str!("prose/numbers.md")));
    chapter(&mut text, "lanes", "Lane arithmetic", |text| text.push_str(include_str!("prose/lanes.md")));
    chapter(&mut text, "dma", "DMA engine", dma);
    chapter(&mut text, "exceptions", "Exceptions", exceptions);
    chapter(&mut text, "timing", "Timing", timing);
    chapter(&mut text, "card", "A card, as a host sees it", super::soc::chapter);
    chapter(&mut text, "operands", "Operands", operands);
    text += "## Instructions\n\n<!-- ANCHOR: index -->\n";
    text += INSTRUCTIONS;
    index(&mut text);
    text += "<!-- ANCHOR_END: index -->\n\n";
    for extension in Extension::ALL {
        let title = extension_title(*extension);
        let name = format!("{extension:?}").to_lowercase();
        chapter(&mut text, &name, title, |text| {
            let links: Vec<String> = rows(*extension).map(link).collect();
            let _ = writeln!(text, "{}\n\n{}", extension.doc().trim(), links.join(" · "));
            for spec in rows(*extension) {
                instruction(text, spec);
            }
        });
    }
    text.truncate(text.trim_end().len());
    text + "\n"
}

fn rows(extension: Extension) -> impl Iterator<Item = &'static Spec> {
    SPECS.iter().filter(move |spec| spec.extension == extension)
}

fn chapter(text: &mut String, anchor: &str, title: &str, body: impl FnOnce(&mut String)) {
    let _ = writeln!(text, "## {title}\n\n<!-- ANCHOR: {anchor} -->");
    body(text);
    text.truncate(text.trim_end().len());
    let _ = writeln!(text, "\n<!-- ANCHOR_END: {anchor} -->\n");
}

const fn extension_title(extension: Extension) -> &'static str {
    match extension {
        Extension::Rv32i => "Instructions: RV32I, base",
        Extension::Zifencei => "Instructions: Zifencei, instruction fetch",
        Extension::Machine => "Instructions: machine mode",
        Extension::Rv32m => "Instructions: M, multiply and divide",
        Extension::Zicsr => "Instructions: Zicsr, control and status",
        Extension::Zbb => "Instructions: Zbb, bits",
        Extension::Fenn => "Instructions: FeNN, vectors",
    }
}

fn registers(text: &mut String) {
    text.push_str("- `pc`: the address of the instruction, in instruction memory; a multiple of 4.\n");
    text.push_str("- `x0`–`x31`: 32 bits each; `x0` reads 0 and ignores writes.\n");
    let _ = writeln!(
        text,
        "- `v0`–`v31`: {LANES} lanes of 16 bits, signed. A mask is one bit per lane in a scalar register."
    );
    text.push_str("- `s0`, `s1` of each lane's random number generator, 16 bits each; see lane arithmetic.\n\n");
    text.push_str(
        "After reset everything is 0 in the simulator and not defined on a board, but for `x0` and the CSRs.\n\n",
    );
    text.push_str("| register | name | in the calling convention | kept by a called function |\n|---|---|---|---|\n");
    for (first, last, role, kept) in [
        (0, 0, "always 0", ""),
        (1, 1, "return address", "no"),
        (2, 2, "stack pointer", "yes"),
        (3, 4, "not used", ""),
        (5, 7, "temporaries", "no"),
        (8, 9, "kept values", "yes"),
        (10, 17, "arguments; results in the first two", "no"),
        (18, 27, "kept values", "yes"),
        (28, 31, "temporaries", "no"),
    ] {
        let span = |a: &str, b: &str| if a == b { format!("`{a}`") } else { format!("`{a}`–`{b}`") };
        let numbers = span(&format!("x{first}"), &format!("x{last}"));
        let names = span(ABI_NAMES[first], ABI_NAMES[last]);
        let _ = writeln!(text, "| {numbers} | {names} | {role} | {kept} |");
    }
    text.push_str("\n`fp` is another name of `s0`, the register. Functions keep no vector register.\n");
}

fn memories(text: &mut String) {
    text.push_str(
        "Each memory is an address space of its own that begins at 0, and each kind of instruction reaches one of them. \
         Outside the core, in ELF files and for a host, they lie at load addresses:\n\n",
    );
    text.push_str(
        "| memory | section | load address | window | unit | default size | holds |\n|---|---|---|---|---|---|---|\n",
    );
    let config = MachineConfig::default();
    for row in &SPACES {
        let size = match config.bytes(row.space) {
            bytes if bytes < 1 << 20 => format!("{} KiB", bytes >> 10),
            bytes => format!("{} MiB", bytes >> 20),
        };
        let _ = writeln!(
            text,
            "| {} | `{}` | `{:#010x}` | {} MiB | {} bytes | {size} | {} |",
            row.name,
            row.section,
            row.base,
            row.window >> 20,
            row.alignment,
            row.doc
        );
    }
    let _ = writeln!(
        text,
        "\nSizes are configuration. Byte address `a` of lane `l` in {} is at `{LANES}·(a & ~1) + 2·l` in its window, so that a \
         row of {LANES} halfwords, one of each lane, lies together. Everything is little-endian.\n",
        Space::LaneLocal
    );
}

fn csrs(text: &mut String) {
    text.push_str("| name | address | access | reset | meaning |\n|---|---|---|---|---|\n");
    for row in CSRS {
        let access = match row.access {
            Access::ReadWrite => "read,\u{a0}write",
            Access::ReadOnly => "read",
        };
        let doc = row.doc.trim().replace("\n ", " ");
        let _ = writeln!(text, "| `{}` | `{:#05x}` | {access} | `{:#x}` | {doc} |", row.name, row.address, row.reset);
    }
    text.push_str("\nAny other address is an illegal instruction, and so is a write to one that can only be read.\n");
}

fn dma(text: &mut String) {
    text.push_str(include_str!("prose/dma.md"));
    let _ = writeln!(text, "\nA transfer moves at most {DMA_MAX_BYTES} bytes.");
}

fn exceptions(text: &mut String) {
    text.push_str("| `mcause` | name | cause | `mtval` |\n|---|---|---|---|\n");
    for row in EXCEPTIONS {
        let name = exception_name(row.exception);
        let _ = writeln!(text, "| {} | {name} | {} | {} |", row.exception.code(), row.doc.trim(), row.value);
    }
    text.push('\n');
    text.push_str(include_str!("prose/exceptions.md"));
}

const fn exception_name(exception: Exception) -> &'static str {
    match exception {
        Exception::FetchMisaligned => "misaligned fetch",
        Exception::FetchFault => "fetch fault",
        Exception::Illegal => "illegal instruction",
        Exception::LoadMisaligned => "misaligned load",
        Exception::LoadFault => "load fault",
        Exception::StoreMisaligned => "misaligned store",
        Exception::StoreFault => "store fault",
    }
}

/// What one core needs for a class: cycles until the next instruction, and until a reader of the result.
fn cycles(profile: &Profile, class: Class) -> String {
    let ClassTiming { occupancy, latency } = profile.class(class);
    let redirect = &profile.redirect;
    let after = |extra: u8| u32::from(occupancy) + u32::from(extra);
    let issue = match class {
        Class::Divide => match profile.divider.skip {
            None => profile.divider.base.to_string(),
            Some(DividerSkip::Magnitude) => format!("{} + clz(\\|divisor\\|)", profile.divider.base),
            Some(DividerSkip::Complement) => format!("{} + clz(divisor)", profile.divider.base),
        },
        Class::Load | Class::Store => format!("{occupancy}; misaligned {}", after(profile.misaligned)),
        Class::Branch => format!("{occupancy}; {} if not foreseen", after(redirect.branch)),
        Class::Jump if redirect.buffer > 0 => format!("{occupancy}; {} if not foreseen", after(redirect.jump)),
        Class::Jump => after(redirect.jump).to_string(),
        Class::JumpRegister => after(redirect.jump_register).to_string(),
        Class::TrapReturn => after(redirect.trap_return).to_string(),
        _ => occupancy.to_string(),
    };
    let has_result = SPECS.iter().filter(|spec| spec.class == class).any(|spec| {
        class == Class::GeneratorLoad
            || spec.operands().any(|operand| matches!(operand.role, Role::Destination | Role::Merged))
    });
    if has_result && latency != 1 { format!("{issue}; result after {latency}") } else { issue }
}

fn timing(text: &mut String) {
    text.push_str(include_str!("prose/timing.md"));
    let profiles = PROFILES.iter().filter(|profile| profile.name != "functional");
    let names: Vec<&str> = profiles.clone().map(|profile| profile.name).collect();
    let _ =
        writeln!(text, "\n| class | {} | instructions |\n|---|{}---|", names.join(" | "), "---|".repeat(names.len()));
    for class in Class::ALL {
        let members = SPECS.iter().filter(|spec| spec.class == class);
        let instructions: Vec<String> = members.map(|spec| format!("`{}`", spec.mnemonic())).collect();
        let columns: Vec<String> = profiles.clone().map(|profile| cycles(profile, class)).collect();
        let _ = writeln!(text, "| {} | {} | {} |", class_name(class), columns.join(" | "), instructions.join(" "));
    }
    text.push_str("\nWhat else costs cycles:\n\n");
    let _ = writeln!(text, "| | {} |\n|---|{}", names.join(" | "), "---|".repeat(names.len()));
    let mut line = |name: &str, value: &dyn Fn(&Profile) -> String| {
        let columns: Vec<String> = profiles.clone().map(|profile| value(profile)).collect();
        let _ = writeln!(text, "| {name} | {} |", columns.join(" | "));
    };
    let whether = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
    line("entries of the branch target buffer", &|p| p.redirect.buffer.to_string());
    line("entering a trap handler, besides the trapping instruction's cycle", &|p| p.redirect.trap.to_string());
    line("`jalr` waits longer for its register by", &|p| p.early_jump_operand.to_string());
    line("from a CSR instruction to `mret`, at least", &|p| p.csr_to_return.to_string());
    line("from any instruction to a read of `mcycle` or `minstret`, at least", &|p| p.counter_drain.to_string());
    line("false dependencies of vector instructions", &|p| whether(p.false_dependency));
    line("`vsel` and `vloadl` wait for the destination's old value", &|p| whether(p.merged_is_read));
    line("DMA transfer: cycles until the first byte, then bytes per cycle", &|p| {
        format!("{}, {}", p.dram.latency, p.dram.bytes_per_cycle)
    });
    text.push('\n');
    text.push_str(include_str!("prose/stalls.md"));
}

fn operands(text: &mut String) {
    text.push_str("| kind | bits | numbers |\n|---|---|---|\n");
    for (kind, words) in [
        (OperandKind::Imm12, "signed immediate"),
        (OperandKind::Imm20, "upper immediate"),
        (OperandKind::Imm16, "lane constant, signed or unsigned"),
        (OperandKind::Branch, "branch offset in bytes, even"),
        (OperandKind::Jump, "jump offset in bytes, even"),
        (OperandKind::Shamt, "scalar shift"),
        (OperandKind::Shift, "lane shift"),
        (OperandKind::Lane, "lane"),
        (OperandKind::Uimm5, "unsigned immediate"),
        (OperandKind::FenceSet, "subset of `iorw`"),
    ] {
        let range = kind.range();
        let _ = writeln!(text, "| {words} | {} | {} to {} |", kind.width(), range.start(), range.end());
    }
    let _ = writeln!(
        text,
        "\nRegisters are 5 bits: `x5` or `t0`, `v5`. CSRs are 12 bits: a name of the table of CSRs or an address. Number formats \
         range from {} to {}.",
        Format::INTEGER,
        Format::UNIT
    );
}

/// The mnemonic, leading to the row's heading on the same page.
fn link(spec: &Spec) -> String {
    let kept = spec.syntax.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ' '));
    let target: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
    format!("[`{}`](#{target})", spec.mnemonic())
}

/// The mnemonics of each extension.
fn index(text: &mut String) {
    text.push_str("| extension | instructions |\n|---|---|\n");
    for extension in Extension::ALL {
        let names: Vec<String> = rows(*extension).map(|spec| format!("`{}`", spec.mnemonic())).collect();
        let title = extension_title(*extension).trim_start_matches("Instructions: ");
        let _ = writeln!(text, "| {title} | {} |", names.join(" "));
    }
}

fn instruction(text: &mut String, spec: &Spec) {
    let _ = writeln!(text, "\n### `{}`\n", spec.syntax);
    let paragraphs = spec.doc.lines().map(str::trim).collect::<Vec<_>>().join("\n");
    let _ = writeln!(text, "{}\n", paragraphs.trim());
    encoding(text, spec);
    let _ = writeln!(text, "Timing class: {}. {}\n", class_name(spec.class), raises(spec.op));
    let _ = writeln!(text, "```asm\n{}```", example(spec.op));
}

/// The encoding as a table whose columns are as wide as the fields; what follows stands below a blank line.
fn encoding(text: &mut String, spec: &Spec) {
    let mut high = 32;
    let (mut bits, mut names) = (String::new(), String::new());
    for token in spec.encoding.split(' ') {
        let width = width(spec, token);
        let low = high - width;
        let span = if width == 1 { low.to_string() } else { format!("{}:{low}", high - 1) };
        let _ = write!(bits, "<th colspan=\"{width}\">{span}</th>");
        // There is no room for more than the bit's number in a column of one bit.
        let shown = if width == 1 { token.find('[').map_or(token, |start| &token[start..]) } else { token };
        let _ = write!(names, "<td colspan=\"{width}\"><code>{shown}</code></td>");
        high = low;
    }
    let _ = writeln!(text, "<table class=\"encoding\">\n<tr>{bits}</tr>\n<tr>{names}</tr>\n</table>\n");
}

fn raises(op: Op) -> String {
    let names = |list: &[Exception]| list.iter().map(|one| exception_name(*one)).collect::<Vec<_>>().join(", ");
    let Raised { always, strict } = Raised::by(op);
    match (always.is_empty(), strict.is_empty()) {
        (true, true) => "Raises no exception.".to_owned(),
        (false, true) => format!("Can raise: {}.", names(always)),
        (true, false) => format!("Can raise, if strict: {}.", names(strict)),
        (false, false) => format!("Can raise: {}; if strict also {}.", names(always), names(strict)),
    }
}

fn width(spec: &Spec, token: &str) -> u8 {
    if token.starts_with(['0', '1', '-']) {
        return token.len() as u8;
    }
    let (name, slice) = token.split_once('[').unwrap_or((token, ""));
    let mut numbers = slice.trim_end_matches(']').split(':').filter_map(|number| number.parse::<u8>().ok());
    match (numbers.next(), numbers.next()) {
        (Some(high), Some(low)) => high - low + 1,
        (Some(_), None) => 1,
        _ => {
            let operand = spec.operands().find(|operand| operand.name == name);
            operand.map_or(0, |operand| operand.kind.width() - operand.kind.zero_bits())
        }
    }
}

/// The class in words.
fn class_name(class: Class) -> String {
    let mut words = String::new();
    for c in format!("{class:?}").chars() {
        if c.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.push(c.to_ascii_lowercase());
    }
    words
}
