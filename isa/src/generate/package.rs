//! The SystemVerilog package.

use core::fmt::Write as _;

use super::ORIGIN;
use crate::csr::{CSRS, DMA_MAX_BYTES};
use crate::memory::{LANES, SPACES, VECTOR_BYTES};
use crate::spec::{Extension, SPECS, Spec};

/// `rtl/pkg/fenn_isa_pkg.sv`.
pub fn package() -> String {
    let mut text = format!("// {ORIGIN}\n//\n");
    text += "// Contract: the encodings, the CSR addresses and the memory map; a decoder matches a word against the INSN_\n";
    text +=
        "// patterns in one `unique casez`, whose default is an illegal instruction. No two patterns share a word.\n";
    text += "package fenn_isa_pkg;\n\n";
    let _ = writeln!(text, "  localparam int unsigned LANES        = {LANES};");
    let _ = writeln!(text, "  localparam int unsigned VECTOR_BYTES = {VECTOR_BYTES};");
    let _ = writeln!(text, "  localparam int unsigned DMA_MAX_BYTES = {DMA_MAX_BYTES};");
    for extension in Extension::ALL {
        let _ = writeln!(text, "\n  // {}", extension.doc().trim());
        for spec in SPECS.iter().filter(|spec| spec.extension == *extension) {
            let name = constant(spec.mnemonic());
            let _ = writeln!(text, "  localparam logic [31:0] INSN_{name:<10} = 32'b{};", pattern(spec));
        }
    }
    text += "\n  // The CSRs: addresses, and values after reset\n";
    for row in CSRS {
        let name = constant(row.name);
        let _ = writeln!(text, "  localparam logic [11:0] CSR_{name:<14} = 12'h{:03x};", row.address);
    }
    for row in CSRS {
        let name = constant(row.name);
        let _ = writeln!(text, "  localparam logic [31:0] RESET_{name:<14} = 32'h{:08x};", row.reset);
    }
    text += "\n  // Load addresses of the memories, as a host sees them\n";
    for row in &SPACES {
        let name = constant(&format!("{:?}", row.space));
        let _ = writeln!(text, "  localparam logic [31:0] BASE_{name:<12} = 32'h{:08x};", row.base);
        let _ = writeln!(text, "  localparam logic [31:0] WINDOW_{name:<12} = 32'h{:08x};", row.window);
    }
    legal(&mut text);
    text += "\nendpackage\n";
    text
}

/// A function that tells whether a word belongs to a row.
fn legal(text: &mut String) {
    text.push_str("\n  // Whether a word is an instruction of the machine.\n");
    text.push_str("  function automatic logic insn_is_legal(input logic [31:0] word);\n    unique casez (word)\n");
    let names: Vec<String> = SPECS.iter().map(|spec| format!("INSN_{}", constant(spec.mnemonic()))).collect();
    for (index, line) in names.chunks(6).enumerate() {
        let separator = if index + 1 < names.len().div_ceil(6) { "," } else { ":" };
        let _ = writeln!(text, "      {}{separator}", line.join(", "));
    }
    text.push_str("        return 1'b1;\n      default: return 1'b0;\n    endcase\n  endfunction\n");
}

/// `sext.b` to `SEXT_B`.
fn constant(name: &str) -> String {
    name.replace('.', "_").to_uppercase()
}

/// The word's 32 bits, `?` for operands and ignored bits.
fn pattern(spec: &Spec) -> String {
    let bit = |bit: u32| match (spec.layout.mask >> bit & 1, spec.layout.value >> bit & 1) {
        (0, _) => '?',
        (_, 0) => '0',
        _ => '1',
    };
    (0..32).rev().map(bit).collect()
}
