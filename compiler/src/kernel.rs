//! Neuron programs: what one population computes in each time step, typed and in fixed point.
//!
//! Contract: a [`Kernel`] is what the equation language is checked into and what a NIR neuron is quantised into. It
//! works on 16-bit codes; every multiply carries its shift, rounding and saturation, so two readers of a kernel
//! cannot disagree on a bit. [`crate::verify`] states what makes one well-formed, [`crate::interpret`] executes it,
//! [`crate::lower`] compiles it.
//!
//! Execution is per vector of 32 neurons, statements in order, operands left to right; `If` runs its branches under a
//! lane mask, and a [`Expr::Random`] or stochastic rounding draws for all 32 lanes whether masked or not, as the
//! machine does. A loop is run by the lanes that are in it until none is left; lanes without a neuron are never in it.
//!
//! Not here: how many neurons there are, what the parameters' values are, and who is connected to whom (see
//! [`crate::network`]).

use std::collections::BTreeSet;
use std::fmt;

use fenn_isa::fixed::Format;
use fenn_isa::lane;
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
    /// Functions that are looked up, for [`Expr::Interpolate`].
    pub tables: Vec<Table>,
    /// Executed once per step.
    pub body: Vec<Stmt>,
}

/// A function by its values at equal distances.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Table {
    /// For reports.
    pub name: String,
    /// 2^k + 1 codes, for a k from 1 to 10.
    pub codes: Vec<i16>,
}

impl Table {
    /// How many bits select an entry: k of 2^k + 1 codes, if that is how many there are.
    pub fn index_bits(&self) -> Option<u8> {
        let intervals = self.codes.len().checked_sub(1).filter(|intervals| intervals.is_power_of_two())?;
        u8::try_from(intervals.trailing_zeros()).ok().filter(|bits| (1..=10).contains(bits))
    }

    /// What [`Expr::Interpolate`] gives for `value`.
    ///
    /// # Panics
    /// On a table or a shift that [`crate::verify`] would refuse.
    pub fn interpolate(&self, value: i16, shift: u8) -> i16 {
        let last = self.codes.len() - 2;
        let index = (value >> shift) as usize & last;
        let (entry, next) = (self.codes[index], self.codes[index + 1]);
        let fraction = lane::and_add(value, 0, shift);
        let part = lane::multiply(lane::sub(next, entry, false), fraction, shift, Rounding::Nearest, 0, false);
        lane::add(entry, part, false)
    }
}

/// What can be assigned to; the number indexes the kernel's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    /// Again and again, `body` and then `step`, for the lanes that are in the loop: at first those that the statement acts on and
    /// that have a neuron. It ends behind `step` when no lane is left, and is passed over if none is in it at first.
    Loop {
        /// Comes first.
        body: Vec<Stmt>,
        /// What [`Stmt::Continue`] does not leave out.
        step: Vec<Stmt>,
    },
    /// Lanes that are here and for which the condition does not hold leave the loop, which ends here if none is left in it. Stands in
    /// a loop's body or step itself, not in an `If` there.
    While(Cond),
    /// The lane leaves the innermost loop.
    Break,
    /// The lane leaves out what remains of the innermost loop's body in this iteration. Not in a step.
    Continue,
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
    /// Straight lines between the entries of `kernel.tables[table]`, which are 2^k + 1: with `i = (value >> shift) mod 2^k` and
    /// `f = value mod 2^shift`, `entry[i] + ((entry[i + 1] − entry[i]) · f + 2^(shift − 1)) >> shift`; the difference and the sum
    /// wrap.
    Interpolate {
        /// `kernel.tables[_]`
        table: usize,
        /// Where.
        value: Box<Expr>,
        /// Bits of `value` between two entries, 1 to 15.
        shift: u8,
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

/// Notes every place that the statements assign.
pub fn assigned(stmts: &[Stmt], places: &mut BTreeSet<Place>) {
    for stmt in stmts {
        match stmt {
            Stmt::Assign { place, .. } => {
                places.insert(*place);
            }
            Stmt::If { then: one, otherwise: other, .. } | Stmt::Loop { body: one, step: other } => {
                assigned(one, places);
                assigned(other, places);
            }
            Stmt::Emit(_) | Stmt::While(_) | Stmt::Break | Stmt::Continue => {}
        }
    }
}

impl Expr {
    /// Notes every place it reads.
    pub fn reads(&self, places: &mut BTreeSet<Place>) {
        match self {
            Self::Constant(_) | Self::Parameter(_) | Self::Random => {}
            Self::Variable(index) => {
                places.insert(Place::Variable(*index));
            }
            Self::Local(index) => {
                places.insert(Place::Local(*index));
            }
            Self::Binary { left, right, .. } | Self::Multiply { left, right, .. } => {
                left.reads(places);
                right.reads(places);
            }
            Self::ShiftLeft { value, .. } | Self::ShiftRight { value, .. } | Self::Interpolate { value, .. } => {
                value.reads(places);
            }
            Self::Select { condition, then, otherwise } => {
                condition.reads(places);
                then.reads(places);
                otherwise.reads(places);
            }
        }
    }

    /// Whether it draws random numbers.
    pub fn draws(&self) -> bool {
        match self {
            Self::Constant(_) | Self::Variable(_) | Self::Parameter(_) | Self::Local(_) => false,
            Self::Random => true,
            Self::Binary { left, right, .. } => left.draws() || right.draws(),
            Self::Multiply { left, right, rounding, .. } => {
                *rounding == Rounding::Stochastic || left.draws() || right.draws()
            }
            Self::ShiftLeft { value, .. } | Self::Interpolate { value, .. } => value.draws(),
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
    /// `left << right`, wrapping, by the low four bits of `right`.
    ShiftLeft,
    /// `left >> right`, arithmetic, towards minus infinity, by the low four bits of `right`.
    ShiftRight,
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
    /// Notes every place it reads.
    pub fn reads(&self, places: &mut BTreeSet<Place>) {
        match self {
            Self::Compare { left, right, .. } => {
                left.reads(places);
                right.reads(places);
            }
            Self::And(a, b) | Self::Or(a, b) => {
                a.reads(places);
                b.reads(places);
            }
            Self::Not(a) => a.reads(places),
        }
    }

    /// Whether it draws random numbers.
    pub fn draws(&self) -> bool {
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
                Stmt::Loop { body, step } => block(body) || block(step),
                Stmt::While(condition) => condition.draws(),
                Stmt::Emit(_) | Stmt::Break | Stmt::Continue => false,
            })
        }
        block(&self.body)
    }

    /// Whether anything in it is repeated.
    pub fn loops(&self) -> bool {
        fn block(stmts: &[Stmt]) -> bool {
            stmts.iter().any(|stmt| match stmt {
                Stmt::Loop { .. } => true,
                Stmt::If { then, otherwise, .. } => block(then) || block(otherwise),
                Stmt::Assign { .. } | Stmt::Emit(_) | Stmt::While(_) | Stmt::Break | Stmt::Continue => false,
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
                Stmt::Loop { body, step } => {
                    writeln!(f, "{pad}loop {{")?;
                    self.write_block(f, body, depth + 1)?;
                    if !step.is_empty() {
                        writeln!(f, "{pad}}} step {{")?;
                        self.write_block(f, step, depth + 1)?;
                    }
                    writeln!(f, "{pad}}}")?;
                }
                Stmt::While(condition) => writeln!(f, "{pad}while ({});", self.cond(condition))?,
                Stmt::Break => writeln!(f, "{pad}break;")?,
                Stmt::Continue => writeln!(f, "{pad}continue;")?,
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
                    BinaryOp::ShiftLeft => "<<",
                    BinaryOp::ShiftRight => ">>",
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
            Expr::Interpolate { table, value, shift } => {
                format!("{}[{}, {shift}]", self.tables[*table].name, self.expr(value))
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
