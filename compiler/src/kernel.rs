//! Neuron programs: what one population computes in each time step, typed and in fixed point.
//!
//! Contract: a [`Kernel`] is what the equation language is checked into and what a NIR neuron is quantised into. It
//! works on 16-bit codes; every multiply carries its shift, rounding and saturation, so two readers of a kernel
//! cannot disagree on a bit. [`crate::verify`] states what makes one well-formed, [`crate::interpret`] executes it,
//! [`crate::lower`] compiles it.
//!
//! Execution is per vector of 32 neurons, statements in order, operands left to right; `If` runs its branches under a
//! lane mask, and a [`Expr::Random`] or stochastic rounding draws for all 32 lanes whether masked or not, as the
//! machine does.
//!
//! Not here: how many neurons there are, what the parameters' values are, and who is connected to whom (see
//! [`crate::network`]).

use std::fmt;

use fenn_isa::fixed::Format;
pub use fenn_isa::lane::Rounding;

/// The type of a value: a number format, and whether `+` and `-` on it saturate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Type {
    /// How the code is read as a number; [`Format::INTEGER`] for `int16_t`.
    pub format: Format,
    /// `sX_Y_sat_t`: sums and products of this type saturate instead of wrapping.
    pub saturating: bool,
}

impl Type {
    /// `int16_t`.
    pub const INT: Self = Self { format: Format::INTEGER, saturating: false };
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::INT {
            return f.write_str("int16_t");
        }
        let sat = if self.saturating { "_sat" } else { "" };
        write!(f, "s{}_{}{sat}_t", self.format.integer_bits(), self.format.fraction_bits())
    }
}

/// A named, typed slot of a kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// As the user wrote it; unique within its kernel.
    pub name: String,
    /// Its type.
    pub ty: Type,
}

/// What one population computes in each time step.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Kernel {
    /// State that lives from step to step, one value per neuron; also where projections add.
    pub variables: Vec<Slot>,
    /// Values fixed for a run, uniform or one per neuron (the network says which).
    pub parameters: Vec<Slot>,
    /// Names of the events neurons can emit, such as `Spike`.
    pub events: Vec<String>,
    /// Values that live within one step.
    pub locals: Vec<Slot>,
    /// Executed once per step.
    pub body: Vec<Stmt>,
}

/// What can be assigned to; the number indexes the kernel's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// `kernel.variables[_]`
    Variable(usize),
    /// `kernel.locals[_]`
    Local(usize),
}

/// A statement. Inside `If` it acts only on lanes for which the condition holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stmt {
    /// `place = value`
    Assign {
        /// Where to.
        place: Place,
        /// What.
        value: Expr,
    },
    /// `if (condition) { then } else { otherwise }`; the condition is evaluated once, before either branch.
    If {
        /// Per lane.
        condition: Cond,
        /// For lanes where it holds.
        then: Vec<Stmt>,
        /// For the others, after `then`.
        otherwise: Vec<Stmt>,
    },
    /// `Spike()`: the neuron emits `kernel.events[_]` in this step; emitting twice is emitting once.
    Emit(usize),
}

/// A lane value. Shifts are 0 to 15.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expr {
    /// A code known when compiling.
    Constant(i16),
    /// `kernel.variables[_]`
    Variable(usize),
    /// `kernel.parameters[_]`
    Parameter(usize),
    /// `kernel.locals[_]`
    Local(usize),
    /// A uniform number in [0, 1) as s0.15, `fennrand()`.
    Random,
    /// `op(left, right)`
    Binary {
        /// Which operation.
        op: BinaryOp,
        /// Evaluated first.
        left: Box<Expr>,
        /// Evaluated second.
        right: Box<Expr>,
    },
    /// `round_shift(left · right)`, see [`fenn_isa::lane::multiply`].
    Multiply {
        /// Evaluated first.
        left: Box<Expr>,
        /// Evaluated second.
        right: Box<Expr>,
        /// Bits dropped from the 32-bit product.
        shift: u8,
        /// What becomes of them.
        rounding: Rounding,
        /// Whether the shifted product saturates or wraps.
        saturating: bool,
    },
    /// `value << shift`, wrapping.
    ShiftLeft {
        /// What.
        value: Box<Expr>,
        /// By how much.
        shift: u8,
    },
    /// `value >> shift`, arithmetic, rounded.
    ShiftRight {
        /// What.
        value: Box<Expr>,
        /// By how much.
        shift: u8,
        /// What becomes of the bits dropped.
        rounding: Rounding,
    },
    /// `condition ? then : otherwise`; both sides are evaluated, for all lanes.
    Select {
        /// Per lane; evaluated first.
        condition: Box<Cond>,
        /// Where it holds.
        then: Box<Expr>,
        /// Where it does not.
        otherwise: Box<Expr>,
    },
}

impl Expr {
    fn draws(&self) -> bool {
        match self {
            Self::Constant(_) | Self::Variable(_) | Self::Parameter(_) | Self::Local(_) => false,
            Self::Random => true,
            Self::Binary { left, right, .. } => left.draws() || right.draws(),
            Self::Multiply { left, right, rounding, .. } => {
                *rounding == Rounding::Stochastic || left.draws() || right.draws()
            }
            Self::ShiftLeft { value, .. } => value.draws(),
            Self::ShiftRight { value, rounding, .. } => *rounding == Rounding::Stochastic || value.draws(),
            Self::Select { condition, then, otherwise } => condition.draws() || then.draws() || otherwise.draws(),
        }
    }
}

/// An operation on two lane values of one format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    /// `left + right`, wrapping.
    Add,
    /// `left + right`, saturating.
    AddSaturating,
    /// `left − right`, wrapping.
    Sub,
    /// `left − right`, saturating.
    SubSaturating,
    /// Bitwise and.
    And,
}

/// A condition per lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cond {
    /// `left op right`, signed, on one format.
    Compare {
        /// Which comparison.
        op: CompareOp,
        /// Evaluated first.
        left: Expr,
        /// Evaluated second.
        right: Expr,
    },
    /// Both; both sides are evaluated.
    And(Box<Cond>, Box<Cond>),
    /// Either; both sides are evaluated.
    Or(Box<Cond>, Box<Cond>),
    /// The opposite.
    Not(Box<Cond>),
}

impl Cond {
    fn draws(&self) -> bool {
        match self {
            Self::Compare { left, right, .. } => left.draws() || right.draws(),
            Self::And(a, b) | Self::Or(a, b) => a.draws() || b.draws(),
            Self::Not(a) => a.draws(),
        }
    }
}

/// A signed comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum CompareOp {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

/// A kernel prints as the equation language's statements, with explicit shifts; used in reports and diagnostics.
impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for local in &self.locals {
            writeln!(f, "{} {};", local.ty, local.name)?;
        }
        self.write_block(f, &self.body, 0)
    }
}

impl Kernel {
    /// Whether it draws random numbers.
    pub fn draws(&self) -> bool {
        fn block(stmts: &[Stmt]) -> bool {
            stmts.iter().any(|stmt| match stmt {
                Stmt::Assign { value, .. } => value.draws(),
                Stmt::If { condition, then, otherwise } => condition.draws() || block(then) || block(otherwise),
                Stmt::Emit(_) => false,
            })
        }
        block(&self.body)
    }

    fn write_block(&self, f: &mut fmt::Formatter<'_>, block: &[Stmt], depth: usize) -> fmt::Result {
        let pad = "    ".repeat(depth);
        for stmt in block {
            match stmt {
                Stmt::Assign { place, value } => {
                    let name = match place {
                        Place::Variable(index) => &self.variables[*index].name,
                        Place::Local(index) => &self.locals[*index].name,
                    };
                    writeln!(f, "{pad}{name} = {};", self.expr(value))?;
                }
                Stmt::Emit(event) => writeln!(f, "{pad}{}();", self.events[*event])?,
                Stmt::If { condition, then, otherwise } => {
                    writeln!(f, "{pad}if ({}) {{", self.cond(condition))?;
                    self.write_block(f, then, depth + 1)?;
                    if !otherwise.is_empty() {
                        writeln!(f, "{pad}}} else {{")?;
                        self.write_block(f, otherwise, depth + 1)?;
                    }
                    writeln!(f, "{pad}}}")?;
                }
            }
        }
        Ok(())
    }

    fn expr(&self, expr: &Expr) -> String {
        match expr {
            Expr::Constant(code) => code.to_string(),
            Expr::Variable(index) => self.variables[*index].name.clone(),
            Expr::Parameter(index) => self.parameters[*index].name.clone(),
            Expr::Local(index) => self.locals[*index].name.clone(),
            Expr::Random => "fennrand()".to_owned(),
            Expr::Binary { op, left, right } => {
                let sign = match op {
                    BinaryOp::Add => "+",
                    BinaryOp::AddSaturating => "+|",
                    BinaryOp::Sub => "-",
                    BinaryOp::SubSaturating => "-|",
                    BinaryOp::And => "&",
                };
                format!("({} {sign} {})", self.expr(left), self.expr(right))
            }
            Expr::Multiply { left, right, shift, rounding, saturating } => {
                let sat = if *saturating { "_s" } else { "" };
                let name = format!("mul{sat}{}", rounding_suffix(*rounding));
                format!("{name}({}, {}, {shift})", self.expr(left), self.expr(right))
            }
            Expr::ShiftLeft { value, shift } => format!("({} << {shift})", self.expr(value)),
            Expr::ShiftRight { value, shift, rounding } => {
                format!("sra{}({}, {shift})", rounding_suffix(*rounding), self.expr(value))
            }
            Expr::Select { condition, then, otherwise } => {
                format!("({} ? {} : {})", self.cond(condition), self.expr(then), self.expr(otherwise))
            }
        }
    }

    fn cond(&self, cond: &Cond) -> String {
        match cond {
            Cond::Compare { op, left, right } => {
                let sign = match op {
                    CompareOp::Equal => "==",
                    CompareOp::NotEqual => "!=",
                    CompareOp::Less => "<",
                    CompareOp::LessEqual => "<=",
                    CompareOp::Greater => ">",
                    CompareOp::GreaterEqual => ">=",
                };
                format!("{} {sign} {}", self.expr(left), self.expr(right))
            }
            Cond::And(a, b) => format!("({}) && ({})", self.cond(a), self.cond(b)),
            Cond::Or(a, b) => format!("({}) || ({})", self.cond(a), self.cond(b)),
            Cond::Not(a) => format!("!({})", self.cond(a)),
        }
    }
}

fn rounding_suffix(rounding: Rounding) -> &'static str {
    match rounding {
        Rounding::Zero => "_rz",
        Rounding::Nearest => "_rn",
        Rounding::Stochastic => "_rs",
    }
}
