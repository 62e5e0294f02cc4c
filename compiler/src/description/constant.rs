//! Constant expressions such as `exp(-dt/20)`: how a description shows where a number comes from.
//!
//! Contract: evaluated in IEEE double precision with `libm`, whose results have the same bits on every platform. Rounding
//! to a number format happens once, afterwards, elsewhere.
//!
//! ```text
//! sum     = product (("+" | "-") product)*
//! product = unary (("*" | "/") unary)*
//! unary   = ("-" | "+") unary | power
//! power   = atom ("^" unary)?
//! atom    = number | "(" sum ")" | ("exp" | "ln" | "sqrt") "(" sum ")" | constant
//! ```

use std::ops::Range;

/// Deeper nesting is refused, so that no text exhausts the stack.
const DEEPEST: usize = 64;

/// The names that stand for numbers.
pub(super) type Constants<'a> = &'a [(&'a str, f64)];

/// Why a text has no value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ConstantError {
    /// Bytes of the text.
    pub(super) span: Range<usize>,
    /// What is wrong: a sentence without a full stop.
    pub(super) message: String,
}

type Result<T> = std::result::Result<T, ConstantError>;

/// The value of `text`, always finite.
pub(super) fn evaluate(text: &str, constants: Constants<'_>) -> Result<f64> {
    let mut parser = Parser { text, at: 0, depth: 0, constants };
    let value = parser.sum()?;
    parser.skip_space();
    match parser.rest().chars().next() {
        None => Ok(value),
        Some(c) => Err(parser.error_here(format!("`{c}` is not expected here"))),
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    constants: Constants<'a>,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn skip_space(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    fn error_here(&self, message: String) -> ConstantError {
        let length = self.rest().chars().next().map_or(0, char::len_utf8);
        ConstantError { span: self.at..self.at + length, message }
    }

    /// One of `signs`, if it is next.
    fn sign(&mut self, signs: &[char]) -> Option<char> {
        self.skip_space();
        let next = self.rest().chars().next().filter(|c| signs.contains(c))?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn expect(&mut self, sign: char) -> Result<()> {
        match self.sign(&[sign]) {
            Some(_) => Ok(()),
            None => Err(self.error_here(format!("`{sign}` is missing here"))),
        }
    }

    /// `value`, computed from the text from `start` on.
    fn finite(&self, value: f64, start: usize) -> Result<f64> {
        if value.is_finite() {
            return Ok(value);
        }
        Err(ConstantError { span: start..self.at, message: format!("this is {value}, not a finite number") })
    }

    fn sum(&mut self) -> Result<f64> {
        self.skip_space();
        let start = self.at;
        let mut value = self.product()?;
        while let Some(sign) = self.sign(&['+', '-']) {
            let right = self.product()?;
            value = self.finite(if sign == '+' { value + right } else { value - right }, start)?;
        }
        Ok(value)
    }

    fn product(&mut self) -> Result<f64> {
        self.skip_space();
        let start = self.at;
        let mut value = self.unary()?;
        while let Some(sign) = self.sign(&['*', '/']) {
            let right = self.unary()?;
            value = self.finite(if sign == '*' { value * right } else { value / right }, start)?;
        }
        Ok(value)
    }

    fn unary(&mut self) -> Result<f64> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.error_here("the expression is nested too deeply".to_owned()));
        }
        let value = match self.sign(&['+', '-']) {
            Some('-') => -self.unary()?,
            Some(_) => self.unary()?,
            None => self.power()?,
        };
        self.depth -= 1;
        Ok(value)
    }

    fn power(&mut self) -> Result<f64> {
        self.skip_space();
        let start = self.at;
        let base = self.atom()?;
        match self.sign(&['^']) {
            None => Ok(base),
            Some(_) => {
                let exponent = self.unary()?;
                self.finite(libm::pow(base, exponent), start)
            }
        }
    }

    fn atom(&mut self) -> Result<f64> {
        if self.sign(&['(']).is_some() {
            let value = self.sum()?;
            self.expect(')')?;
            return Ok(value);
        }
        self.skip_space();
        match self.rest().chars().next() {
            None => Err(self.error_here("a number is missing at the end".to_owned())),
            Some(c) if c.is_ascii_digit() || c == '.' => self.number(),
            Some(c) if c.is_ascii_alphabetic() || c == '_' => self.named(),
            Some(c) => Err(self.error_here(format!("`{c}` is not expected here; a number is"))),
        }
    }

    fn number(&mut self) -> Result<f64> {
        let bytes = self.rest().as_bytes();
        let digits = |from: usize| bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
        let mut length = digits(0);
        if bytes.get(length) == Some(&b'.') {
            length += 1;
            length += digits(length);
        }
        if matches!(bytes.get(length), Some(b'e' | b'E')) {
            let signed = usize::from(matches!(bytes.get(length + 1), Some(b'+' | b'-')));
            let exponent = digits((length + 1 + signed).min(bytes.len()));
            length += if exponent > 0 { 1 + signed + exponent } else { 0 };
        }
        let start = self.at;
        let text = &self.rest()[..length];
        self.at += length;
        match text.parse() {
            Ok(value) => self.finite(value, start),
            Err(_) => Err(ConstantError { span: start..self.at, message: format!("`{text}` is not a number") }),
        }
    }

    fn named(&mut self) -> Result<f64> {
        let start = self.at;
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let name = &self.rest()[..self.rest().find(|c| !is_word(c)).unwrap_or(self.rest().len())];
        self.at += name.len();
        let function = match name {
            "exp" => libm::exp,
            "ln" => libm::log,
            "sqrt" => libm::sqrt,
            _ => return self.constant(name, start),
        };
        self.expect('(')?;
        let argument = self.sum()?;
        self.expect(')')?;
        self.finite(function(argument), start)
    }

    fn constant(&self, name: &str, start: usize) -> Result<f64> {
        if let Some((_, value)) = self.constants.iter().find(|(constant, _)| *constant == name) {
            return Ok(*value);
        }
        if name == "dt" {
            let message = "`dt` has no value, because `time_step_ms` is not given".to_owned();
            return Err(ConstantError { span: start..self.at, message });
        }
        let known = self.constants.iter().map(|(constant, _)| format!(", `{constant}`"));
        let known: String = known.collect();
        let message = format!("`{name}` is unknown; there are `exp`, `ln`, `sqrt`{known} and + - * / ^ ( )");
        Err(ConstantError { span: start..self.at, message })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NAMES: Constants<'static> = &[("dt", 0.5), ("steps", 79.0)];

    #[test]
    fn expressions_mean_what_they_say() {
        for (text, expected) in [
            ("1 + 2 * 3", 7.0),
            ("(1 + 2) * 3", 9.0),
            ("10 - 4 - 3", 3.0),
            ("16 / 4 / 2", 2.0),
            ("-2^2", -4.0),
            ("2^-1", 0.5),
            ("2^3^2", 512.0),
            ("1e2 - .5e1 + 2.", 97.0),
            (" sqrt( 9 )*dt ", 1.5),
            ("2/steps", 2.0 / 79.0),
            ("ln(exp(1))", 1.0),
            ("--3", 3.0),
        ] {
            assert_eq!(evaluate(text, NAMES), Ok(expected), "{text}");
        }
        // The published MNIST network's decay factor: 0.951229…
        let alpha = evaluate("exp(-1/20)", NAMES).unwrap();
        assert!((alpha - 0.951_229_424_500_714).abs() < 1e-15);
    }

    #[test]
    fn errors_point_at_their_cause() {
        for (text, at, part) in [
            ("", 0..0, "missing at the end"),
            ("1 +", 3..3, "missing at the end"),
            ("1 $ 2", 2..3, "`$` is not expected"),
            ("exp 3", 4..5, "`(` is missing"),
            ("exp(3", 5..5, "`)` is missing"),
            ("1 + tau", 4..7, "`tau` is unknown"),
            ("2 / 0", 0..5, "inf"),
            ("3 + ln(-1)", 4..10, "NaN"),
            ("1e999", 0..5, "inf"),
            ("1.2.3", 3..5, "expected"),
            (".", 0..1, "not a number"),
            ("2 µ", 2..4, "`µ`"),
        ] {
            let error = evaluate(text, NAMES).unwrap_err();
            assert_eq!(error.span.start, at.start, "{text}: {error:?}");
            assert!(error.message.contains(part), "{text}: {error:?}");
        }
        assert!(evaluate("exp(-dt/20)", &[]).unwrap_err().message.contains("time_step_ms"));
        let deep = "(".repeat(100_000);
        assert!(evaluate(&deep, NAMES).unwrap_err().message.contains("deep"));
        let signs = "-".repeat(100_000);
        assert!(evaluate(&signs, NAMES).unwrap_err().message.contains("deep"));
    }

    proptest! {
        #[test]
        fn any_text_has_an_answer(text in "[0-9.eE+*/^() a-z-]{0,40}|.{0,20}") {
            match evaluate(&text, NAMES) {
                Ok(value) => prop_assert!(value.is_finite()),
                Err(error) => prop_assert!(error.span.start <= error.span.end && error.span.end <= text.len()),
            }
        }
    }
}
