//! Xilinx COE: the initial contents of a block memory.
//!
//! The format, from the documentation of the block memory generator: `memory_initialization_radix=16;`, then
//! `memory_initialization_vector=` and the words from address 0 on, commas between them and a semicolon at the end.
//! `;` begins a comment in a line of its own.

use super::Contents;

/// The memory's words from address 0 to the end of its contents. An empty memory has one word of zero, since the format
/// has no empty list.
pub fn coe(contents: &Contents) -> String {
    let mut bytes = contents.bytes();
    if bytes.is_empty() {
        bytes.push(0);
    }
    let words: Vec<String> = bytes.chunks(contents.word as usize).map(|word| contents.digits(word)).collect();
    format!(
        "; {}, {} words of {} bits\nmemory_initialization_radix=16;\nmemory_initialization_vector=\n{};\n",
        contents.space,
        words.len(),
        8 * contents.word,
        words.join(",\n"),
    )
}
