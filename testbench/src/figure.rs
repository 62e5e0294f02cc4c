//! A figure beside its gate: one line, and a verdict.

use std::fmt;

/// What a figure has to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Gate {
    /// At least this.
    AtLeast(f64),
    /// At most this.
    AtMost(f64),
    /// Less than this.
    Below(f64),
    /// Exactly this.
    Exactly(f64),
    /// Between these, both included.
    Between(f64, f64),
    /// Printed for information.
    None,
}

/// Something measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// What was measured.
    pub name: String,
    /// What came out; `None` where it could not be measured.
    pub value: Option<f64>,
    /// In which unit.
    pub unit: &'static str,
    /// What it has to be.
    pub gate: Gate,
    /// Anything to be known besides; why there is no value.
    pub note: String,
}

impl Figure {
    /// A figure without a note.
    pub fn new(name: impl Into<String>, value: f64, unit: &'static str, gate: Gate) -> Self {
        Self { name: name.into(), value: Some(value), unit, gate, note: String::new() }
    }

    /// A figure that could not be measured, which misses its gate.
    pub fn unmeasured(name: impl Into<String>, gate: Gate, why: impl fmt::Display) -> Self {
        Self { name: name.into(), value: None, unit: "", gate, note: why.to_string().replace('\n', " ") }
    }

    /// Whether it is as it has to be. A value that is no number never is.
    pub fn ok(&self) -> bool {
        match (self.gate, self.value) {
            (_, None) => false,
            (Gate::AtLeast(bound), Some(value)) => value >= bound,
            (Gate::AtMost(bound), Some(value)) => value <= bound,
            (Gate::Below(bound), Some(value)) => value < bound,
            (Gate::Exactly(bound), Some(value)) => value == bound,
            (Gate::Between(least, most), Some(value)) => (least..=most).contains(&value),
            (Gate::None, Some(value)) => !value.is_nan(),
        }
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(bound) => write!(f, "at least {bound}"),
            Self::AtMost(bound) => write!(f, "at most {bound}"),
            Self::Below(bound) => write!(f, "below {bound}"),
            Self::Exactly(bound) => write!(f, "exactly {bound}"),
            Self::Between(least, most) => write!(f, "{least} to {most}"),
            Self::None => f.write_str("no gate"),
        }
    }
}

/// `figure: value unit (gate) ok|MISSED`
impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.name)?;
        match self.value {
            Some(value) if value.fract() == 0.0 => write!(f, "{value}")?,
            // Beside a number that it has to equal, a rounded one would not be seen to.
            Some(value) if matches!(self.gate, Gate::Exactly(_)) => write!(f, "{value}")?,
            Some(value) => write!(f, "{value:.3}")?,
            None => f.write_str("not measured")?,
        }
        if !self.unit.is_empty() {
            write!(f, " {}", self.unit)?;
        }
        write!(f, " ({}) {}", self.gate, if self.ok() { "ok" } else { "MISSED" })?;
        if self.note.is_empty() { Ok(()) } else { write!(f, " [{}]", self.note) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gates_hold_and_miss() {
        let figure = |value, gate| Figure::new("n", value, "u", gate).to_string();
        assert_eq!(figure(2.0, Gate::AtLeast(2.0)), "n: 2 u (at least 2) ok");
        assert_eq!(figure(1.5, Gate::AtLeast(2.0)), "n: 1.500 u (at least 2) MISSED");
        assert_eq!(figure(3.0, Gate::AtMost(2.0)), "n: 3 u (at most 2) MISSED");
        assert_eq!(figure(2.0, Gate::Below(2.0)), "n: 2 u (below 2) MISSED");
        assert_eq!(figure(1.5, Gate::Below(2.0)), "n: 1.500 u (below 2) ok");
        assert_eq!(figure(1.5, Gate::Between(1.5, 2.0)), "n: 1.500 u (1.5 to 2) ok");
        assert_eq!(figure(2.5, Gate::Between(1.5, 2.0)), "n: 2.500 u (1.5 to 2) MISSED");
        assert_eq!(figure(0.984271, Gate::Exactly(0.984271)), "n: 0.984271 u (exactly 0.984271) ok");
        assert_eq!(figure(f64::NAN, Gate::Exactly(1.0)), "n: NaN u (exactly 1) MISSED");
        assert!(!Figure::unmeasured("n", Gate::None, "why").ok());
    }
}
