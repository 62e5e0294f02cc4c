//! Every row of the table, both ways: word to instruction to word, instruction to text to instruction.

use std::collections::HashSet;

use fenn_isa::operand::OperandKind;
use fenn_isa::text::{self, Part, TextError};
use fenn_isa::{Inst, Op, Role, SPECS, Spec};
use proptest::prelude::*;

/// A row and a number for each of its operands, the ends of each range among them often.
fn instances() -> impl Strategy<Value = (&'static Spec, Vec<i64>)> {
    (0..SPECS.len()).prop_flat_map(|index| {
        let spec = &SPECS[index];
        let values: Vec<_> = spec
            .operands()
            .map(|operand| {
                let (first, last) = operand.kind.range().into_inner();
                let step = 1 << operand.kind.zero_bits();
                let middle = (first..=last).prop_map(move |value| value / step * step);
                prop_oneof![1 => Just(first), 1 => Just(last), 6 => middle]
            })
            .collect();
        values.prop_map(move |values| (spec, values))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn operands_words_and_text_agree((spec, values) in instances()) {
        let word = spec.assemble(&values).unwrap();
        let inst = Inst::decode(word).unwrap();
        prop_assert_eq!(inst.op(), spec.op);
        prop_assert_eq!(inst.encode(), word);
        for (operand, value) in spec.operands().zip(&values) {
            let read = operand.kind.from_bits(operand.field.extract(word));
            // A lane constant may be written unsigned and is then read as the signed number of the same bits.
            let expected = if operand.kind == OperandKind::Imm16 { i64::from(*value as i16) } else { *value };
            prop_assert_eq!(read, expected, "{}", operand.name);
        }
        let printed = inst.to_string();
        prop_assert_eq!(text::parse(&printed), Ok(inst), "{}", printed);
        let spaced = printed.replace(',', " ,\t").replace('(', " ( ").replace(')', " ) ");
        prop_assert_eq!(text::parse(&spaced), Ok(inst), "{}", spaced);
    }

    #[test]
    fn decoding_any_word_is_stable(word: u32) {
        if let Some(inst) = Inst::decode(word) {
            let mask = inst.op().spec().layout.mask;
            prop_assert_eq!(inst.encode() & mask, word & mask);
            prop_assert_eq!(Inst::decode(inst.encode()), Some(inst));
            prop_assert_eq!(text::parse(&inst.to_string()), Ok(inst));
        } else {
            prop_assert!(SPECS.iter().all(|spec| word & spec.layout.mask != spec.layout.value));
        }
    }

    #[test]
    fn arbitrary_text_does_not_panic(text in ".{0,60}") {
        let _ = text::parse(&text);
    }

    #[test]
    fn almost_right_text_does_not_panic((spec, values) in instances(), at in any::<prop::sample::Index>(), c: char) {
        let printed = Inst::decode(spec.assemble(&values).unwrap()).unwrap().to_string();
        let mut chars: Vec<char> = printed.chars().collect();
        let at = at.index(chars.len());
        chars[at] = c;
        let _ = text::parse(&chars.into_iter().collect::<String>());
    }
}

#[test]
fn one_value_beyond_each_range_is_refused() {
    for spec in &SPECS {
        let good: Vec<i64> = spec.operands().map(|_| 0).collect();
        assert!(spec.assemble(&good).is_ok(), "{}", spec.name);
        for (index, operand) in spec.operands().enumerate() {
            let (first, last) = operand.kind.range().into_inner();
            for beyond in [first - 1, last + 1, i64::MIN, i64::MAX] {
                let mut values = good.clone();
                values[index] = beyond;
                assert_eq!(spec.assemble(&values), Err(index), "{} {}", spec.name, operand.name);
            }
        }
        let mut more = good.clone();
        more.push(0);
        assert!(spec.assemble(&more).is_err());
    }
}

#[test]
fn rows_are_consistent() {
    let mut mnemonics = HashSet::new();
    for (index, spec) in SPECS.iter().enumerate() {
        assert_eq!(spec.op as usize, index);
        assert_eq!(Op::ALL[index], spec.op);
        assert!(mnemonics.insert(spec.mnemonic()), "two rows are called {}", spec.mnemonic());
        assert_eq!(Op::from_mnemonic(spec.mnemonic()), Some(spec.op));
        assert!(!spec.doc.trim().is_empty(), "{} has no comment", spec.name);
        // Operands appear in the text in the row's order, each once.
        let order: Vec<usize> = text::parts(spec)
            .filter_map(|part| if let Part::Operand(index) = part { Some(index) } else { None })
            .collect();
        assert_eq!(order, (0..spec.operands().len()).collect::<Vec<_>>(), "{}", spec.syntax);
        for (position, operand) in spec.operands().enumerate() {
            if matches!(operand.role, Role::Destination | Role::Merged) {
                assert_eq!(position, 0, "{}: the destination comes first", spec.syntax);
            }
        }
    }
}

/// Words of the instruction-set document, put together by hand.
#[test]
#[expect(clippy::unusual_byte_groupings, reason = "groups are the encoding's fields")]
fn vector_words_are_the_published_ones() {
    for (text, word) in [
        ("vadd v1, v2, v3", 0b0000000_00011_00010_000_00001_00000_10),
        ("vadd_s v1, v2, v3", 0b1000000_00011_00010_000_00001_00000_10),
        ("vsub_s v1, v2, v3", 0b1000000_00011_00010_010_00001_00000_10),
        ("vmul_s_rs v3, v1, v2, 9", 0b1101001_00010_00001_100_00011_00000_10),
        ("vsrai_rn v2, v1, 4", 0b000000_01_0100_00001_001_00010_01001_10),
        ("vandadd v3, v4, x5, 10", 0b0001010_00101_00100_001_00011_01000_10),
        ("vextract x5, v1, 7", 0b000000000111_00001_001_00101_00110_10),
        ("vtge x5, v1, v2", 0b0000000_00010_00001_110_00101_00010_10),
        ("vsel v1, x2, v3", 0b0000000_00011_00010_000_00001_00011_10),
        ("vlui v7, -1", 0b0000_1111111111111111_00111_00001_10),
        ("vloadl v1, -2(v3)", 0b111111111110_00011_010_00001_00100_10),
        ("vloadr1 64(x3)", 0b000001000000_00011_101_00000_00100_10),
        ("vstorel v2, 33(v3)", 0b0000001_00010_00011_010_00001_00101_10),
        ("vrng v4", 0b0000000_00000_00000_000_00100_01000_10),
    ] {
        assert_eq!(text::parse(text).map(Inst::encode), Ok(word), "{text}");
    }
}

#[test]
fn errors_say_where() {
    assert_eq!(text::parse("vmagic v1"), Err(TextError::UnknownMnemonic("vmagic".to_owned())));
    assert!(matches!(text::parse("addi a0, a1"), Err(TextError::Expected { at: 11, .. })));
    assert!(matches!(text::parse("addi a0, v1, 1"), Err(TextError::Expected { at: 9, .. })));
    assert!(matches!(text::parse("addi a0, a1, 2048"), Err(TextError::OutOfRange { at: 13, operand: "imm", .. })));
    assert!(matches!(text::parse("ecall 1"), Err(TextError::Expected { at: 6, .. })));
}
