//! Intel HEX: records of a line each, with a checksum (Intel, "Hexadecimal Object File Format Specification", 1988).

use std::fmt::Write as _;

use fenn_isa::image::Image;
use fenn_isa::memory::Space;

use super::Contents;

/// Bytes in a record.
const PER_RECORD: usize = 32;

/// The memories at their load addresses, in records of type 00, the upper halves of addresses in type 04; then the entry
/// point's load address (type 05), if there is code, and the end (type 01).
pub fn intel_hex(image: &Image, memories: &[Contents]) -> String {
    let mut text = String::new();
    let mut upper = None;
    for contents in memories {
        let base = contents.space.spec().base;
        for run in &contents.runs {
            let mut bytes = run.bytes.as_slice();
            let mut address = base + run.address;
            while !bytes.is_empty() {
                if upper != Some(address >> 16) {
                    upper = Some(address >> 16);
                    record(&mut text, 4, 0, &((address >> 16) as u16).to_be_bytes());
                }
                // A record stays within the lower half of the address.
                let room = (0x1_0000 - (address & 0xffff)) as usize;
                let (now, rest) = bytes.split_at(bytes.len().min(PER_RECORD).min(room));
                record(&mut text, 0, address as u16, now);
                address += now.len() as u32;
                bytes = rest;
            }
        }
    }
    if memories.iter().any(|contents| contents.space == Space::Instruction)
        && let Some(entry) = Space::Instruction.load_address(image.entry)
    {
        record(&mut text, 5, 0, &entry.to_be_bytes());
    }
    record(&mut text, 1, 0, &[]);
    text
}

fn record(text: &mut String, kind: u8, address: u16, data: &[u8]) {
    let [high, low] = address.to_be_bytes();
    // Records are short by construction.
    let head = [data.len() as u8, high, low, kind];
    let sum = head.iter().chain(data).fold(0u8, |sum, byte| sum.wrapping_add(*byte));
    text.push(':');
    for byte in head.iter().chain(data).chain([&sum.wrapping_neg()]) {
        let _ = write!(text, "{byte:02X}");
    }
    text.push('\n');
}
