//! The symbol map: what lies where, for people.

use std::fmt::Write as _;

use fenn_isa::image::{Image, Symbol, SymbolKind};
use fenn_isa::memory::Space;

/// How full each memory is, then the symbols in the order of their addresses: load address, address, size in bytes,
/// `g` or `l` for global and local, kind, name, and for code the line of source.
pub fn map(image: &Image) -> String {
    let mut text = format!("entry point  {:08x}\n", image.entry);
    if let Some(flag) = image.ready_flag {
        let _ = writeln!(text, "ready flag   {flag:08x} of {}", Space::Scalar);
    }
    text += "\nsection       bytes       of  used  memory\n";
    for space in Space::ALL {
        let used: u64 = image.segments.iter().filter(|s| s.space == space).map(|s| u64::from(s.size)).sum();
        let size = u64::from(image.config.bytes(space));
        // In tenths of a per cent, rounded down: only what is full is shown as full.
        let share = used * 1000 / size.max(1);
        let row = space.spec();
        let share = format!("{}.{}", share / 10, share % 10);
        let _ = writeln!(text, "{:<8} {used:>10} {size:>9} {share:>4}%  {}", row.section, row.name);
    }
    let mut symbols: Vec<&Symbol> = image.symbols.iter().collect();
    symbols.sort_by(|a, b| (a.space, a.address, &a.name).cmp(&(b.space, b.address, &b.name)));
    text += "\nload      address   size     kind        name\n";
    for Symbol { name, space, address, size, kind, global } in symbols {
        let load = space.load_address(*address).map_or_else(|| "-".to_owned(), |load| format!("{load:08x}"));
        let visible = if *global { 'g' } else { 'l' };
        let kind = match kind {
            SymbolKind::Function => "function",
            SymbolKind::Object => "object",
            SymbolKind::Label => "label",
        };
        let line = image.line_of(*address).filter(|line| *space == Space::Instruction && line.address == *address);
        let line = line.map_or_else(String::new, |line| format!("  {}:{}", line.file, line.line));
        let _ = writeln!(text, "{load:<8}  {address:08x}  {size:<7}  {visible} {kind:<8}  {name}{line}");
    }
    text
}
