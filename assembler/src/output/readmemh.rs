//! `$readmemh`: words of hexadecimal digits, as IEEE 1364 has it.

use std::fmt::Write as _;

use super::Contents;

/// The memory's words, with `@` and the number of a word (hexadecimal too) before each run that is not all zeros.
/// What is not written must be zero in the model: `$readmemh` leaves it as it is.
pub fn readmemh(contents: &Contents) -> String {
    let word = contents.word;
    let mut text = format!("// {}, words of {} bits\n", contents.space, 8 * word);
    // Runs begin at multiples of the memory's unit, which words may be wider than: two runs can meet in one word.
    let mut next: Option<u32> = None;
    let mut pending: Vec<u8> = Vec::new();
    let flush = |pending: &mut Vec<u8>, text: &mut String| {
        for word in pending.chunks(word as usize) {
            let _ = writeln!(text, "{}", contents.digits(word));
        }
        pending.clear();
    };
    for run in &contents.runs {
        let index = run.address / word;
        match next {
            // In or directly behind the word where the run before ends.
            Some(start) if index <= start + (pending.len() as u32).div_ceil(word) => {
                pending.resize((run.address - start * word) as usize, 0);
            }
            _ => {
                flush(&mut pending, &mut text);
                let _ = writeln!(text, "@{index:x}");
                next = Some(index);
                pending.resize((run.address - index * word) as usize, 0);
            }
        }
        pending.extend(&run.bytes);
    }
    flush(&mut pending, &mut text);
    text
}
