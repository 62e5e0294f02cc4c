//! The SystemVerilog package of a card's address map, and the manual's chapter about it.

use core::fmt::Write as _;

use super::ORIGIN;
use crate::memory::{SPACES, Space};
use crate::soc::{
    CARD_REGISTERS, CORE_BLOCK_BYTES, CORE_BLOCKS, CORE_REGISTERS, CORE_STRIDE, FINGERPRINT, IDENT, MOST_CORES,
    REGION_ALIGNMENT, REGISTER_BYTES, RegisterSpec, VERSION, bus_error, control, status,
};

/// Names and bits of what a register holds.
type Bits<'a> = &'a [(&'a str, u32)];

const CONTROL: Bits<'_> = &[
    ("RUN", control::RUN),
    ("HALT", control::HALT),
    ("RESET", control::RESET),
    ("STEP", control::STEP),
    ("RESUME", control::RESUME),
];
const STATUS: Bits<'_> = &[("RUNNING", status::RUNNING), ("DONE", status::DONE), ("ERROR", status::ERROR)];
const BUS_ERROR: Bits<'_> = &[
    ("READ_DECODE", bus_error::READ_DECODE),
    ("WRITE_DECODE", bus_error::WRITE_DECODE),
    ("READ_BUSY", bus_error::READ_BUSY),
    ("WRITE_BUSY", bus_error::WRITE_BUSY),
];

/// `rtl/pkg/fenn_soc_pkg.sv`.
pub fn soc_package() -> String {
    let mut text = format!("// {ORIGIN}\n//\n");
    text += "// Contract: a card's address map: byte offsets of registers in their blocks, positions of their bits, and windows of the\n";
    text += "// memory space. What they mean is in isa/MANUAL.md.\npackage fenn_soc_pkg;\n\n";
    for (name, value) in [
        ("SOC_IDENT", IDENT),
        ("SOC_VERSION", VERSION),
        ("SOC_FINGERPRINT", FINGERPRINT),
        ("SOC_CORE_BLOCKS", CORE_BLOCKS),
        ("SOC_CORE_BLOCK_BYTES", CORE_BLOCK_BYTES),
        ("SOC_REGISTER_BYTES", REGISTER_BYTES),
        ("SOC_CORE_STRIDE", CORE_STRIDE),
        ("SOC_REGION_ALIGNMENT", REGION_ALIGNMENT),
    ] {
        let _ = writeln!(text, "  localparam logic [31:0] {name:<22} = 32'h{value:08x};");
    }
    let _ = writeln!(text, "  localparam int unsigned SOC_MOST_CORES         = {MOST_CORES};");
    for (title, prefix, table) in [
        ("Registers of the card", "CARD", CARD_REGISTERS),
        ("Registers of a core, in its block", "CORE", CORE_REGISTERS),
    ] {
        let _ = writeln!(text, "\n  // {title}");
        for row in table {
            let name = row.name.to_uppercase();
            let _ = writeln!(text, "  localparam logic [11:0] {prefix}_{name:<16} = 12'h{:03x};", row.offset);
        }
    }
    for (title, prefix, bits) in
        [("control", "CONTROL", CONTROL), ("status", "STATUS", STATUS), ("bus_error", "BUS_ERROR", BUS_ERROR)]
    {
        let _ = writeln!(text, "\n  // Positions of the bits of {title}");
        for (name, bit) in bits {
            let _ = writeln!(text, "  localparam int unsigned {prefix}_{name:<12} = {};", bit.trailing_zeros());
        }
    }
    let _ = writeln!(text, "  localparam int unsigned STATUS_CAUSE        = {}; // of 3", status::CAUSE_SHIFT);
    text += "\nendpackage\n";
    text
}

/// The chapter "A card, as a host sees it".
pub(super) fn chapter(text: &mut String) {
    text.push_str(include_str!("prose/card.md"));
    let _ = writeln!(text, "\n### Memory space\n\n| memory of core n | first byte | room for |\n|---|---|---|");
    for row in SPACES.iter().filter(|row| row.space != Space::Dram) {
        let _ = writeln!(
            text,
            "| {} | `{:#010x}` + n·{} MiB | {MOST_CORES} cores |",
            row.name,
            row.base,
            CORE_STRIDE >> 20
        );
    }
    let dram = Space::Dram.spec();
    let _ = writeln!(text, "| {} (of the card) | `{:#010x}` | the rest of the 64-bit space |\n", dram.name, dram.base);
    text.push_str(include_str!("prose/card-memory.md"));
    let _ = writeln!(text, "\n### Registers of the card\n");
    registers(text, 0, CARD_REGISTERS);
    let _ = writeln!(
        text,
        "\n### Registers of a core\n\nThe block of core n begins at byte `{CORE_BLOCKS:#x}` + n·`{CORE_BLOCK_BYTES:#x}`.\n"
    );
    registers(text, 0, CORE_REGISTERS);
    for (name, bits, more) in [
        ("control", CONTROL, ""),
        (
            "status",
            STATUS,
            "; bits 6:4 why it stands still: 0 reset, 1 asked to, 2 step, 3 `ecall`, 4 `ebreak`, 5 exception",
        ),
        ("bus_error", BUS_ERROR, ""),
    ] {
        let list: Vec<String> =
            bits.iter().map(|(name, bit)| format!("{} `{}`", bit.trailing_zeros(), name.to_lowercase())).collect();
        let _ = writeln!(text, "\nBits of `{name}`: {}{more}.", list.join(", "));
    }
}

fn registers(text: &mut String, base: u32, table: &[RegisterSpec]) {
    text.push_str("| name | offset | access | meaning |\n|---|---|---|---|\n");
    for row in table {
        let doc = row.doc.trim().replace("\n ", " ");
        let doc = doc.replace("[`control`]", "`control`, below").replace("[`status`]", "`status`, below");
        let _ = writeln!(text, "| `{}` | `{:#04x}` | {} | {doc} |", row.name, base + row.offset, row.access.text());
    }
}
