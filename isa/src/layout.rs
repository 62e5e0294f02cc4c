//! Encoding strings: from the manual's picture of a word to masks and fields, while compiling.
//!
//! Contract: a layout is read from bit 31 down and accounts for all 32 bits. Its tokens, separated by blanks, are
//! fixed bits (`0`, `1`), ignored bits (`-`: written as 0, not looked at when decoding), an operand's name (its whole
//! field) or a slice of it (`imm[11:5]`, `imm[12]`). Every bit of every operand appears exactly once; operands
//! that are multiples of a power of two leave their low zero bits out. A layout that breaks a rule does not compile.
//!
//! Not here: which operands exist (see [`crate::operand`]) and which rows there are (see [`crate::spec`]).

/// The most operands a row may have.
pub const MAX_OPERANDS: usize = 4;
/// The most slices one operand may be cut into; the jump offset needs four.
pub const MAX_SLICES: usize = 4;

/// A run of bits of one operand at its place in the word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    /// Lowest bit in the word.
    pub word_low: u8,
    /// Lowest bit in the operand's value.
    pub value_low: u8,
    /// Number of bits.
    pub width: u8,
}

/// Where the bits of one operand are in the word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    slices: [Slice; MAX_SLICES],
    count: u8,
}

impl Field {
    const EMPTY: Self = Self { slices: [Slice { word_low: 0, value_low: 0, width: 0 }; MAX_SLICES], count: 0 };

    /// The slices, from the word's bit 31 down.
    pub const fn slices(&self) -> &[Slice] {
        self.slices.split_at(self.count as usize).0
    }

    /// The operand's bits, gathered from `word`; not sign-extended.
    pub const fn extract(&self, word: u32) -> u32 {
        let mut value = 0;
        let mut i = 0;
        while i < self.count as usize {
            let Slice { word_low, value_low, width } = self.slices[i];
            value |= (word >> word_low & ones(width)) << value_low;
            i += 1;
        }
        value
    }

    /// The word that holds `value` in this field and zeros elsewhere; bits outside the field are dropped.
    pub const fn insert(&self, value: u32) -> u32 {
        let mut word = 0;
        let mut i = 0;
        while i < self.count as usize {
            let Slice { word_low, value_low, width } = self.slices[i];
            word |= (value >> value_low & ones(width)) << word_low;
            i += 1;
        }
        word
    }
}

/// An operand as a layout needs to know it.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// As the row names it.
    pub name: &'static str,
    /// Bits of its value, low zero bits included.
    pub width: u8,
    /// Low bits that are always zero and not encoded.
    pub zero_bits: u8,
}

/// One row's encoding: which words are this instruction, and where its operands are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// The fixed bits.
    pub mask: u32,
    /// Their values: `word & mask == value` for the words of this row.
    pub value: u32,
    /// One field per operand, in the row's order.
    pub fields: [Field; MAX_OPERANDS],
}

impl Layout {
    /// Reads `text`; panics, which stops the compilation, where a rule of the module's contract is broken.
    pub const fn parse(text: &str, shapes: &[Shape]) -> Self {
        assert!(shapes.len() <= MAX_OPERANDS, "too many operands in one row");
        let text = text.as_bytes();
        let mut layout = Self { mask: 0, value: 0, fields: [Field::EMPTY; MAX_OPERANDS] };
        let mut covered = [0u32; MAX_OPERANDS];
        let mut left = 32u8;
        let mut at = 0;
        while at < text.len() {
            if text[at] == b' ' {
                at += 1;
                continue;
            }
            let start = at;
            while at < text.len() && text[at] != b' ' {
                at += 1;
            }
            if matches!(text[start], b'0' | b'1' | b'-') {
                let mut i = start;
                while i < at {
                    assert!(left > 0, "the layout has more than 32 bits");
                    left -= 1;
                    match text[i] {
                        b'0' => layout.mask |= 1 << left,
                        b'1' => {
                            layout.mask |= 1 << left;
                            layout.value |= 1 << left;
                        }
                        b'-' => {}
                        _ => panic!("a run of bits holds something else than 0, 1 and -"),
                    }
                    i += 1;
                }
            } else {
                let name_end = name_end(text, start, at);
                let index = find(shapes, text, start, name_end);
                let Shape { width, zero_bits, .. } = shapes[index];
                let (high, low) = if name_end == at { (width - 1, zero_bits) } else { slice(text, name_end, at) };
                assert!(low <= high && high < width && low >= zero_bits, "a slice lies outside its operand");
                let bits = high - low + 1;
                assert!(bits <= left, "the layout has more than 32 bits");
                left -= bits;
                let placed = ones(bits) << low;
                assert!(covered[index] & placed == 0, "a bit of an operand appears twice in the layout");
                covered[index] |= placed;
                let field = &mut layout.fields[index];
                assert!((field.count as usize) < MAX_SLICES, "an operand is cut into too many slices");
                field.slices[field.count as usize] = Slice { word_low: left, value_low: low, width: bits };
                field.count += 1;
            }
        }
        assert!(left == 0, "the layout has fewer than 32 bits");
        let mut i = 0;
        while i < shapes.len() {
            let all = ones(shapes[i].width) & !ones(shapes[i].zero_bits);
            assert!(covered[i] == all, "a bit of an operand is missing in the layout");
            i += 1;
        }
        layout
    }

    /// Whether some word belongs to both layouts.
    pub const fn overlaps(&self, other: &Self) -> bool {
        self.mask & other.mask & (self.value ^ other.value) == 0
    }
}

const fn ones(width: u8) -> u32 {
    if width >= 32 { u32::MAX } else { (1 << width) - 1 }
}

const fn name_end(text: &[u8], start: usize, end: usize) -> usize {
    let mut at = start;
    while at < end && text[at] != b'[' {
        at += 1;
    }
    at
}

const fn find(shapes: &[Shape], text: &[u8], start: usize, end: usize) -> usize {
    let mut index = 0;
    while index < shapes.len() {
        if same(shapes[index].name.as_bytes(), text, start, end) {
            return index;
        }
        index += 1;
    }
    panic!("the layout names an operand that the row does not have")
}

const fn same(name: &[u8], text: &[u8], start: usize, end: usize) -> bool {
    if name.len() != end - start {
        return false;
    }
    let mut i = 0;
    while i < name.len() {
        if name[i] != text[start + i] {
            return false;
        }
        i += 1;
    }
    true
}

/// `[high:low]` or `[bit]`, from the opening bracket on.
const fn slice(text: &[u8], open: usize, end: usize) -> (u8, u8) {
    let (high, at) = number(text, open + 1);
    let (low, at) = if text[at] == b':' { number(text, at + 1) } else { (high, at) };
    assert!(text[at] == b']' && at + 1 == end, "a slice is written name[high:low] or name[bit]");
    (high, low)
}

const fn number(text: &[u8], start: usize) -> (u8, usize) {
    let mut value = 0;
    let mut at = start;
    while at < text.len() && text[at].is_ascii_digit() {
        value = value * 10 + (text[at] - b'0');
        at += 1;
    }
    assert!(at > start && at < text.len(), "a slice is written name[high:low] or name[bit]");
    (value, at)
}
