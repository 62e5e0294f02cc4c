//! A disassembly as JSON, for other tools.

use std::collections::HashMap;

use fenn_isa::Inst;
use fenn_isa::image::{Image, Symbol, SymbolKind};
use fenn_isa::memory::Space;
use serde_json::{Value, json};

use super::{Origins, target, text_with_label};
use crate::source::Source;

/// The image as one object:
///
/// - `entry`, `ready_flag` (or null), `config` (the sizes of the memories);
/// - `symbols`: `name`, `section`, `address`, `size`, `kind` (`function`, `object` or `label`), `global`;
/// - `code`: for each word `address`, `word` (hexadecimal digits), `text` (null where it is no instruction, or has bits
///   set that the machine ignores), and where there are such: `target` (the address a branch or jump goes to), `file`,
///   `line` and `source`;
/// - `data`: for each segment of the other memories `section`, `address`, `size`, and `bytes` as hexadecimal digits
///   in the order of the memory, zeros to `size` left out.
pub fn disassembly_json(image: &Image, sources: &[Source]) -> Value {
    let origins = Origins::new(image, sources);
    let code_symbols = image.symbols.iter().filter(|symbol| symbol.space == Space::Instruction);
    // Of several names of one place, the first, as in the text.
    let names = code_symbols.rev().map(|symbol| (symbol.address, symbol.name.as_str())).collect();
    let mut code = Vec::new();
    let mut data = Vec::new();
    for segment in &image.segments {
        if segment.space == Space::Instruction {
            for (bytes, address) in segment.bytes.chunks(4).zip((segment.address..).step_by(4)) {
                code.push(word(bytes, address, &names, &origins));
            }
        } else {
            let section = segment.space.spec().section;
            let bytes: String = segment.bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            data.push(json!({
                "section": section, "address": segment.address, "size": segment.size, "bytes": bytes,
            }));
        }
    }
    let symbols: Vec<Value> = image.symbols.iter().map(symbol).collect();
    json!({
        "entry": image.entry,
        "ready_flag": image.ready_flag,
        "config": image.config,
        "symbols": symbols,
        "code": code,
        "data": data,
    })
}

fn symbol(Symbol { name, space, address, size, kind, global }: &Symbol) -> Value {
    let kind = match kind {
        SymbolKind::Function => "function",
        SymbolKind::Object => "object",
        SymbolKind::Label => "label",
    };
    let section = space.spec().section;
    json!({
        "name": name, "section": section, "address": address, "size": size, "kind": kind, "global": global,
    })
}

/// One word; fewer than four bytes at the end of a segment are no instruction.
fn word(bytes: &[u8], address: u32, names: &HashMap<u32, &str>, origins: &Origins<'_>) -> Value {
    let digits: String = bytes.iter().rev().map(|byte| format!("{byte:02x}")).collect();
    let inst = <[u8; 4]>::try_from(bytes).ok().map(u32::from_le_bytes).and_then(|word| {
        // Ignored bits would be lost in the text.
        Inst::decode(word).filter(|inst| inst.encode() == word)
    });
    let target = inst.and_then(|inst| target(inst, address));
    let named = target.and_then(|target| names.get(&target).copied());
    let mut value = json!({
        "address": address, "word": digits, "text": inst.map(|inst| text_with_label(inst, named)),
    });
    if let Some(target) = target {
        value["target"] = target.into();
    }
    if let Some((line, text)) = origins.at(address) {
        value["file"] = (*line.file).into();
        value["line"] = line.line.into();
        value["source"] = text.into();
    }
    value
}
