//! What the assembler is measured with: operands at random, words at random, and long sources.
//!
//! Contract: everything comes from a seed. A generated source has as many lines as asked for, of the kinds that people and
//! compilers write, and assembles without a message on [`roomy`].

use std::fmt::Write as _;

use fenn_assembler::{Options, Source, assemble, disassemble};
use fenn_isa::image::{Image, Segment};
use fenn_isa::memory::{MachineConfig, Space};
use fenn_isa::{Inst, SPECS, Spec, text};
use rand_pcg::Pcg32;
use rand_pcg::rand_core::{Rng, SeedableRng};

/// A machine whose instruction memory holds a long program.
pub fn roomy() -> MachineConfig {
    MachineConfig { instruction_bytes: 1 << 23, ..MachineConfig::default() }
}

/// How many of the instances of each row survive both ways: operands to word to instruction, and instruction to text to
/// instruction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RoundTrips {
    /// Rows of the table.
    pub rows: usize,
    /// Instances tried.
    pub tried: usize,
    /// Words that do not decode to the row and operands they were made of, or encode differently again.
    pub words_lost: usize,
    /// Texts that are not read as the instruction they were printed for.
    pub texts_lost: usize,
}

/// Tries `each` instances of every row, the ends of every operand's range among them.
pub fn round_trips(each: usize, seed: u64) -> RoundTrips {
    let mut source = Pcg32::seed_from_u64(seed);
    let mut result = RoundTrips { rows: SPECS.len(), ..RoundTrips::default() };
    for (spec, instance) in SPECS.iter().flat_map(|spec| (0..each).map(move |instance| (spec, instance))) {
        let values = operands(spec, instance, &mut source);
        result.tried += 1;
        let decoded = spec.assemble(&values).ok().and_then(|word| Some((word, Inst::decode(word)?)));
        let Some((word, inst)) = decoded else {
            result.words_lost += 1;
            continue;
        };
        let same = spec.operands().zip(&values).all(|(operand, value)| {
            let read = operand.kind.from_bits(operand.field.extract(word));
            // A lane constant may be written without sign; it is the number of the same 16 bits.
            read == *value || operand.kind.range().contains(&65_535) && read == i64::from(*value as i16)
        });
        result.words_lost += usize::from(!same || inst.op() != spec.op || inst.encode() != word);
        result.texts_lost += usize::from(text::parse(&inst.to_string()) != Ok(inst));
    }
    result
}

/// Operands of a row: first all at the beginning of their ranges, then all at the end, then anywhere.
fn operands(spec: &Spec, instance: usize, source: &mut Pcg32) -> Vec<i64> {
    let one = |operand: &fenn_isa::spec::OperandSpec| {
        let (first, last) = operand.kind.range().into_inner();
        let step = 1i64 << operand.kind.zero_bits();
        match instance {
            0 => first,
            1 => last,
            _ => first + (i64::from(source.next_u32()) % ((last - first) / step + 1)) * step,
        }
    };
    spec.operands().map(one).collect()
}

/// Words of which three in four are instructions, or are but for bits that the machine ignores.
pub fn words(count: usize, seed: u64) -> Vec<u32> {
    let mut source = Pcg32::seed_from_u64(seed);
    let mut word = |_| {
        let (bits, which) = (source.next_u32(), source.next_u32() as usize);
        match which % 4 {
            0 => bits,
            _ => {
                let layout = &SPECS[which / 4 % SPECS.len()].layout;
                bits & !layout.mask | layout.value
            }
        }
    };
    (0..count).map(&mut word).collect()
}

/// How many of the words are others after having been disassembled and assembled again.
///
/// # Errors
/// The text does not assemble; with the first message.
pub fn disassembled_and_back(words: &[u32]) -> Result<usize, String> {
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let segments = vec![Segment::new(Space::Instruction, 0, bytes.clone())];
    let image = Image { config: roomy(), segments, ..Image::default() };
    let copy = assembled(&disassemble(&image))?;
    let code = copy.segments.iter().filter(|segment| segment.space == Space::Instruction);
    let mut again = vec![0u8; bytes.len()];
    for segment in code {
        let at = segment.address as usize;
        let place = again.get_mut(at..at + segment.bytes.len()).ok_or("the text has more words")?;
        place.copy_from_slice(&segment.bytes);
    }
    Ok(bytes.chunks_exact(4).zip(again.chunks_exact(4)).filter(|(a, b)| a != b).count())
}

/// Assembles one text for [`roomy`].
///
/// # Errors
/// The first message.
pub fn assembled(text: &str) -> Result<Image, String> {
    let sources = [Source::new("generated.s", text)];
    let options = Options { config: roomy(), ..Options::default() };
    let (image, diagnostics) = assemble(&sources, &options);
    image.ok_or_else(|| {
        let first: Vec<_> = diagnostics.into_iter().take(1).collect();
        fenn_assembler::diagnostic::render(&first, &sources, false)
    })
}

/// A source of `lines` lines: functions with labels, loops, calls, comments, pseudo-instructions, vector instructions and
/// data.
pub fn long_source(lines: usize) -> String {
    let mut source = Pcg32::seed_from_u64(lines as u64);
    let mut text = String::new();
    let mut line = 0;
    let mut function = 0u32;
    while line < lines {
        let body = block(function, &mut source);
        for statement in body.lines().take(lines - line) {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{statement}");
            line += 1;
        }
        function += 1;
    }
    text
}

/// One function and its data; no line needs a later one, so that a source may end anywhere.
fn block(function: u32, source: &mut Pcg32) -> String {
    let mut text = String::new();
    let callee = if function == 0 { 0 } else { source.next_u32() % function };
    let (number, small) = (source.next_u32(), source.next_u32() % 2048);
    let [a, b, c] = [(); 3].map(|()| source.next_u32() % 32);
    let _ = write!(
        text,
        "\
        .data
        .balign 4
table_{function}:
        .word   {number:#x}, {small}, 1 << {shift}
        .text
        # Function {function}: calls function {callee}.
        .globl  function_{function}
function_{function}:
        addi    sp, sp, -16
        sw      ra, 12(sp)
        la      a0, table_{function}
        lw      t0, 0(a0)
        li      t1, {number}
.Lloop_{function}:
        vloadv  v{a}, {offset}(a0)      # a row
        vmul_rn v{b}, v{a}, v{c}, {shift}
        vadd_s  v{c}, v{b}, v{a}
        vstore  v{c}, {offset}(a0)

        addi    t1, t1, -1
        bnez    t1, .Lloop_{function}
        andi    t2, t0, {small} & 255
        sub     a0, a0, t2
        call    function_{callee}
        lw      ra, 12(sp)
        addi    sp, sp, 16
        ret
",
        offset = small / 64 * 64,
        shift = a % 16,
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_have_their_length_and_assemble() {
        for lines in [1, 100, 1003] {
            let text = long_source(lines);
            assert_eq!(text.lines().count(), lines);
            assembled(&text).unwrap();
        }
    }

    #[test]
    fn instructions_survive_both_ways() {
        let result = round_trips(20, 1);
        assert_eq!(result, RoundTrips { tried: 20 * result.rows, words_lost: 0, texts_lost: 0, ..result });
    }

    #[test]
    fn words_survive() {
        assert_eq!(disassembled_and_back(&words(2000, 1)), Ok(0));
    }
}
