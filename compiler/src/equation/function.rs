//! `exp`, `log`, `sqrt`, `reciprocal`, `sigmoid` and `tanh`: functions that the machine does not have, in statements that it has.
//!
//! Contract: [`Function::expand`] appends statements to a program that compute the function of a number in one format as a
//! number in another, for all 65,536 codes; what leaves the format saturates. How far results are from the exact ones is
//! stated in [`crate::equation`] and measured by the tests. Tables have 65 entries, between which functions are straight.
//!
//! The exponential function is the one published for FeNN, bit for bit where that is defined: `exp(x) = 2^K · exp(R)`, with
//! `K = x / ln 2` rounded and `R` looked up in a table over ±ln 2 / 2. Formats of fewer than eleven fraction bits are
//! widened first, as numbers beyond ±16 have no exponential that any format holds. The others make their argument's magnitude a
//! number from 1 to 2 (or start from an exponential that is there already), look that up, and scale the result by powers
//! of two.
//!
//! Not here: what names mean, and the types of results.

use fenn_isa::fixed::Format;

use crate::kernel::{BinaryOp, CompareOp, Cond, Expr, Kernel, Place, Rounding, Stmt, Table, Type};

/// A function with a name in the language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Exp,
    Log,
    Sqrt,
    Reciprocal,
    Sigmoid,
    Tanh,
}

impl Function {
    pub(super) const ALL: [(&'static str, Self); 6] = [
        ("exp", Self::Exp),
        ("log", Self::Log),
        ("sqrt", Self::Sqrt),
        ("reciprocal", Self::Reciprocal),
        ("sigmoid", Self::Sigmoid),
        ("tanh", Self::Tanh),
    ];

    /// The function called `name`, and the fraction bits of its result if the name states them, as in `exp_9`.
    pub(super) fn named(name: &str) -> Option<(Self, Option<u8>)> {
        let find = |stem: &str| Self::ALL.iter().find(|(name, _)| *name == stem).map(|(_, function)| *function);
        if let Some(function) = find(name) {
            return Some((function, None));
        }
        let (stem, bits) = name.rsplit_once('_')?;
        let plain = !bits.is_empty()
            && bits.bytes().all(|byte| byte.is_ascii_digit())
            && (bits == "0" || !bits.starts_with('0'));
        let bits = bits.parse().ok().filter(|bits| plain && *bits <= 15)?;
        Some((find(stem)?, Some(bits)))
    }

    /// The function of `argument`, which is in format `from`, in format `to`; an operation, not a slot. Statements go to the end of
    /// `body`; temporaries are made by `local`.
    pub(super) fn expand(
        self,
        argument: Expr,
        from: Format,
        to: Format,
        kernel: &mut Kernel,
        body: &mut Vec<Stmt>,
        local: &mut dyn FnMut(&mut Kernel, &'static str, Type) -> usize,
    ) -> Expr {
        let name = Self::ALL.iter().find(|(_, function)| *function == self).map_or("", |(name, _)| name);
        let mut steps = Steps { name, kernel, body, local };
        let x = steps.keep(from, argument);
        match self {
            Self::Exp => steps.exponential(x, from, to, false),
            Self::Log => steps.logarithm(x, from, to),
            Self::Sqrt => steps.root(x, from, to),
            Self::Reciprocal => steps.reciprocal(x, from, to),
            Self::Sigmoid => steps.sigmoid(x, from, to),
            Self::Tanh => steps.hyperbolic(x, from, to),
        }
    }
}

/// 1/ln 2 in s1.14.
const INVERSE_LN2: i16 = 23_637;
/// ln 2 in s0.15.
const LN2: i16 = 22_713;
/// √½ and 1 in s1.14.
const HALF_ROOT: i16 = 11_585;
const ONE: i16 = 1 << 14;
/// Fraction bits of what the tables hold.
const S1_14: u8 = 14;
/// Bits below those that select one of 64 intervals: of numbers from 0 to 1 in s0.15, and of numbers from 1 to 2 in s1.14.
const UNIT_SHIFT: u8 = 9;
const OCTAVE_SHIFT: u8 = 8;

/// A program in the making.
struct Steps<'s> {
    name: &'static str,
    kernel: &'s mut Kernel,
    body: &'s mut Vec<Stmt>,
    local: &'s mut dyn FnMut(&mut Kernel, &'static str, Type) -> usize,
}

fn format(fraction_bits: u8) -> Format {
    Format::new(fraction_bits.min(15)).unwrap_or(Format::INTEGER)
}

fn binary(op: BinaryOp, left: &Expr, right: &Expr) -> Expr {
    Expr::Binary { op, left: Box::new(left.clone()), right: Box::new(right.clone()) }
}

fn product(left: &Expr, right: &Expr, shift: u8, rounding: Rounding, saturating: bool) -> Expr {
    Expr::Multiply { left: Box::new(left.clone()), right: Box::new(right.clone()), shift, rounding, saturating }
}

/// Rounded to nearest, wrapping.
fn times(left: &Expr, factor: i16, shift: u8) -> Expr {
    product(left, &Expr::Constant(factor), shift, Rounding::Nearest, false)
}

fn right(value: &Expr, shift: u8) -> Expr {
    if shift == 0 {
        return value.clone();
    }
    Expr::ShiftRight { value: Box::new(value.clone()), shift, rounding: Rounding::Nearest }
}

fn left(value: &Expr, shift: u8) -> Expr {
    if shift == 0 { value.clone() } else { Expr::ShiftLeft { value: Box::new(value.clone()), shift } }
}

fn compare(op: CompareOp, left: &Expr, right: i16) -> Cond {
    Cond::Compare { op, left: left.clone(), right: Expr::Constant(right) }
}

fn select(condition: Cond, then: Expr, otherwise: Expr) -> Expr {
    Expr::Select { condition: Box::new(condition), then: Box::new(then), otherwise: Box::new(otherwise) }
}

impl Steps<'_> {
    /// A temporary with the value of `expr`; wraps.
    fn keep(&mut self, format: Format, expr: Expr) -> Expr {
        let local = (self.local)(self.kernel, self.name, Type { format, saturating: false });
        self.body.push(Stmt::Assign { place: Place::Local(local), value: expr });
        Expr::Local(local)
    }

    /// `keep` of a code without a format of its own.
    fn code(&mut self, expr: Expr) -> Expr {
        self.keep(Format::INTEGER, expr)
    }

    /// `local = value`, for a temporary.
    fn set(local: &Expr, value: Expr) -> Option<Stmt> {
        let Expr::Local(local) = local else { return None };
        Some(Stmt::Assign { place: Place::Local(*local), value })
    }

    /// The table called `name`, of `function` at `start + i / 64` for i from 0 to 64, in units of 2^−`bits`.
    fn table(&mut self, name: &str, start: f64, bits: u8, function: fn(f64) -> f64) -> usize {
        if let Some(index) = self.kernel.tables.iter().position(|table| table.name == name) {
            return index;
        }
        let code = |i: i32| {
            let number = libm::rint(function(start + f64::from(i) / 64.0) * f64::from(1u32 << bits));
            number.clamp(i16::MIN.into(), i16::MAX.into()) as i16
        };
        self.kernel.tables.push(Table { name: name.to_owned(), codes: (0..=64).map(code).collect() });
        self.kernel.tables.len() - 1
    }

    fn look_up(&mut self, table: usize, value: Expr, shift: u8) -> Expr {
        self.code(Expr::Interpolate { table, value: Box::new(value), shift })
    }

    /// `exp(x)`; `falling` where x is never positive.
    fn exponential(&mut self, x: Expr, from: Format, to: Format, falling: bool) -> Expr {
        let (mut x, mut bits) = (x, from.fraction_bits());
        if bits < 11 {
            // Numbers below -16 and above 16 become -16 and nearly 16, which serve as well.
            let factor = Expr::Constant(1 << (11 - bits));
            x = self.keep(format(11), product(&x, &factor, 0, Rounding::Zero, true));
            bits = 11;
        }
        // K: first with one fraction bit less than x, then with none.
        let k = product(&x, &Expr::Constant(INVERSE_LN2), 15, Rounding::Zero, false);
        let k = self.code(right(&k, bits - 1));
        // R = x - K ln 2 in 13 fraction bits or more. Both may wrap round; the difference wraps back.
        let fine = bits.max(13);
        let x = if fine > bits { self.keep(format(fine), left(&x, fine - bits)) } else { x };
        let multiple = self.keep(format(fine), times(&k, LN2, 15 - fine));
        let rest = self.code(binary(BinaryOp::Sub, &x, &multiple));
        // R / ln 2 + 1/2, held between 0 and 1: it may be a unit outside.
        let place = times(&rest, INVERSE_LN2, fine - 1);
        let place = self.code(binary(BinaryOp::AddSaturating, &place, &Expr::Constant(1 << 14)));
        let place = self.code(select(compare(CompareOp::Less, &place, 0), Expr::Constant(0), place));
        let table = self.table("exp", -0.5, S1_14, |x| libm::exp(x * std::f64::consts::LN_2));
        let power = self.look_up(table, place, UNIT_SHIFT);
        // The result has fewer (or one more) fraction bits than the table: shift by that and by K.
        let beyond = i16::from(S1_14) - i16::from(to.fraction_bits());
        let most = match bits {
            11 => 24,
            12 => 12,
            13 => 6,
            14 => 3,
            _ => 2,
        };
        let down = binary(BinaryOp::Sub, &Expr::Constant(beyond), &k);
        let down = self.code(down);
        let mut by = down.clone();
        if beyond + most > 15 {
            by = self.code(select(compare(CompareOp::Greater, &by, 15), Expr::Constant(15), by));
        }
        let least = if falling { beyond } else { beyond - most };
        if least >= 0 {
            return binary(BinaryOp::ShiftRight, &power, &by);
        }
        by = self.code(select(compare(CompareOp::Less, &by, 0), Expr::Constant(0), by));
        let power = self.code(binary(BinaryOp::ShiftRight, &power, &by));
        // Upwards by a saturating product with a power of two; 2^14 saturates whatever comes out of the table.
        let up = self.code(binary(BinaryOp::Sub, &Expr::Constant(0), &down));
        let up = self.code(select(compare(CompareOp::Less, &up, 0), Expr::Constant(0), up));
        let up = if least < -14 {
            self.code(select(compare(CompareOp::Greater, &up, 14), Expr::Constant(14), up))
        } else {
            up
        };
        let factor = self.code(binary(BinaryOp::ShiftLeft, &Expr::Constant(1), &up));
        product(&power, &factor, 0, Rounding::Zero, true)
    }

    /// Doubles `value`, which is not negative, until it is at least 2^14; 0 stays 0. `alongside` makes statements for each number of
    /// doublings that is made at once.
    fn normalize(&mut self, value: &Expr, mut alongside: impl FnMut(u8) -> Option<Stmt>) {
        for (limit, shift) in [(1 << 7, 8), (1 << 11, 4), (1 << 13, 2), (1 << 14, 1)] {
            let doubled = Self::set(value, left(value, shift));
            let also = alongside(shift);
            let then = doubled.into_iter().chain(also).collect();
            let condition = compare(CompareOp::Less, value, limit);
            self.body.push(Stmt::If { condition, then, otherwise: Vec::new() });
        }
    }

    /// The magnitude; that of -32768 is taken for 32767.
    fn magnitude(&mut self, x: &Expr) -> Expr {
        let negative = binary(BinaryOp::SubSaturating, &Expr::Constant(0), x);
        self.code(select(compare(CompareOp::Less, x, 0), negative, x.clone()))
    }

    /// `value`, or its opposite where `x` is negative.
    fn signed(x: &Expr, value: &Expr) -> Expr {
        let negative = binary(BinaryOp::Sub, &Expr::Constant(0), value);
        select(compare(CompareOp::Less, x, 0), negative, value.clone())
    }

    /// 1/m for m from 1 to 2, in s0.15.
    fn reciprocals(&mut self) -> usize {
        self.table("reciprocal", 1.0, 15, |m| 1.0 / m)
    }

    /// `1/x`: with |x| = m · 2^(14 − n) · 2^−F, its code is 1/m · 2^(F + G + n − 14).
    fn reciprocal(&mut self, x: Expr, from: Format, to: Format) -> Expr {
        let m = self.magnitude(&x);
        let power = self.code(Expr::Constant(1));
        self.normalize(&m, |shift| Self::set(&power, left(&power, shift)));
        let table = self.reciprocals();
        let inverse = self.look_up(table, m, OCTAVE_SHIFT);
        let both = from.fraction_bits() + to.fraction_bits();
        let scaled = |shift| product(&inverse, &power, shift, Rounding::Nearest, true);
        let y = match 29u8.checked_sub(both) {
            Some(shift) if shift <= 15 => self.code(scaled(shift)),
            Some(shift) => self.code(right(&scaled(15), shift - 15)),
            None => {
                let half = self.code(scaled(0));
                self.code(binary(BinaryOp::AddSaturating, &half, &half))
            }
        };
        let y = self.code(Self::signed(&x, &y));
        select(compare(CompareOp::Equal, &x, 0), Expr::Constant(i16::MAX), y)
    }

    /// `√x`: with x = m · 2^(14 − n) · 2^−F, its code is √m · 2^(7 − n/2 + G − F/2).
    fn root(&mut self, x: Expr, from: Format, to: Format) -> Expr {
        let m = self.code(select(compare(CompareOp::Less, &x, 0), Expr::Constant(0), x.clone()));
        let odd = from.fraction_bits() % 2 == 1;
        // √m in s1.14 times a whole power of two, 2^(exponent - h) where h is half the doublings made by 8, 4 and 2.
        let exponent = i16::from(to.fraction_bits()) - i16::from(from.fraction_bits() / 2) - 7;
        let shift = (14 - exponent).clamp(0, 15) as u8;
        let power = self.code(Expr::Constant(1 << (i16::from(shift) + exponent)));
        let factor = self.code(Expr::Constant(if odd { HALF_ROOT } else { ONE }));
        self.normalize(&m, |shift| match shift {
            1 => Self::set(&factor, Expr::Constant(if odd { ONE / 2 } else { HALF_ROOT })),
            _ => {
                let half =
                    Expr::ShiftRight { value: Box::new(power.clone()), shift: shift / 2, rounding: Rounding::Zero };
                Self::set(&power, half)
            }
        });
        let table = self.table("sqrt", 1.0, S1_14, libm::sqrt);
        let root = self.look_up(table, m, OCTAVE_SHIFT);
        let root = self.code(product(&root, &factor, S1_14, Rounding::Nearest, false));
        let y = self.code(product(&root, &power, shift, Rounding::Nearest, true));
        select(compare(CompareOp::Greater, &x, 0), y, Expr::Constant(0))
    }

    /// `ln x`: with x = m · 2^(14 − n) · 2^−F, it is ln m + (14 − F − n) · ln 2.
    fn logarithm(&mut self, x: Expr, from: Format, to: Format) -> Expr {
        let m = self.code(select(compare(CompareOp::Less, &x, 0), Expr::Constant(0), x.clone()));
        let octaves = self.code(Expr::Constant(14 - i16::from(from.fraction_bits())));
        self.normalize(&m, |shift| {
            let fewer = binary(BinaryOp::Sub, &octaves, &Expr::Constant(shift.into()));
            Self::set(&octaves, fewer)
        });
        let table = self.table("log", 1.0, 15, libm::log);
        let log = self.look_up(table, m, OCTAVE_SHIFT);
        let most = from.fraction_bits().max(14 - from.fraction_bits().min(14));
        if f64::from(most) * std::f64::consts::LN_2 >= f64::from(1u32 << (15 - to.fraction_bits())) {
            // The octaves alone may saturate where the sum does not, unless both have the same sign.
            let then = [
                Self::set(&octaves, binary(BinaryOp::Add, &octaves, &Expr::Constant(1))),
                Self::set(&log, binary(BinaryOp::Sub, &log, &Expr::Constant(LN2))),
            ];
            let then = then.into_iter().flatten().collect();
            let condition = compare(CompareOp::Less, &octaves, 0);
            self.body.push(Stmt::If { condition, then, otherwise: Vec::new() });
        }
        let shift = 15 - to.fraction_bits();
        let whole = product(&octaves, &Expr::Constant(LN2), shift, Rounding::Nearest, true);
        let y = self.code(binary(BinaryOp::AddSaturating, &whole, &right(&log, shift)));
        select(compare(CompareOp::Greater, &x, 0), y, Expr::Constant(i16::MIN))
    }

    /// `1 / (1 + exp(−|x|))`, and that times `exp(−|x|)` where x is negative.
    fn sigmoid(&mut self, x: Expr, from: Format, to: Format) -> Expr {
        let opposite = binary(BinaryOp::Sub, &Expr::Constant(0), &x);
        let falling = self.keep(from, select(compare(CompareOp::Greater, &x, 0), opposite, x.clone()));
        let (power, inverse) = self.logistic(falling, from);
        let below = self.code(product(&power, &inverse, S1_14, Rounding::Nearest, true));
        let y = select(compare(CompareOp::Less, &x, 0), below, inverse);
        right(&y, 15 - to.fraction_bits())
    }

    /// `(1 − exp(−2|x|)) / (1 + exp(−2|x|))`, with the sign of x.
    fn hyperbolic(&mut self, x: Expr, from: Format, to: Format) -> Expr {
        let opposite = binary(BinaryOp::Sub, &Expr::Constant(0), &x);
        let falling = select(compare(CompareOp::Greater, &x, 0), opposite, x.clone());
        // The same code with one fraction bit less means twice the number.
        let (falling, doubled) = match from.fraction_bits().checked_sub(1) {
            Some(bits) => (self.keep(format(bits), falling), format(bits)),
            None => {
                let falling = self.code(falling);
                (self.code(binary(BinaryOp::AddSaturating, &falling, &falling)), from)
            }
        };
        let (power, inverse) = self.logistic(falling, doubled);
        let rest = self.code(binary(BinaryOp::Sub, &Expr::Constant(ONE), &power));
        let y = self.code(product(&rest, &inverse, S1_14, Rounding::Nearest, true));
        let y = Self::signed(&x, &y);
        right(&y, 15 - to.fraction_bits())
    }

    /// `e = exp(x)` in s1.14 for an x that is not positive, and `1 / (1 + e)` in s0.15.
    fn logistic(&mut self, x: Expr, from: Format) -> (Expr, Expr) {
        let power = self.exponential(x, from, format(S1_14), true);
        let power = self.code(power);
        let sum = self.code(binary(BinaryOp::AddSaturating, &power, &Expr::Constant(ONE)));
        let table = self.reciprocals();
        let inverse = self.look_up(table, sum, OCTAVE_SHIFT);
        (power, inverse)
    }
}
