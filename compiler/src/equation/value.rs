//! Expressions: their types, and the kernel's expressions and conditions for them.
//!
//! Contract: a rule returns `None` if and only if it, or the parser before it, has reported why.

use crate::diagnostic::Diagnostic;
use fenn_isa::fixed::Format;

use crate::kernel::{self, BinaryOp, CompareOp, Cond, Kernel, Place, Rounding, Type};

use super::ast::{Expr, ExprKind, Span, Word};
use super::check::Checker;
use super::function::Function;
use super::number::{LiteralError, literal};
use super::scope::{self, Symbol};

/// A number per lane.
#[derive(Debug, Clone)]
pub(super) struct Value {
    pub(super) expr: kernel::Expr,
    pub(super) ty: Type,
}

impl Value {
    fn boxed(self) -> Box<kernel::Expr> {
        Box::new(self.expr)
    }

    fn fraction_bits(&self) -> u8 {
        self.ty.format.fraction_bits()
    }

    /// The place of the type in C's sense of rank: integers below all fixed-point types, then by integer bits.
    fn rank(&self) -> Option<u8> {
        (self.fraction_bits() > 0).then(|| self.ty.format.integer_bits())
    }
}

/// The text of the number 1 (or 0) in the format of `ty`.
fn written(number: u8, ty: Type) -> String {
    match ty.format.fraction_bits() {
        0 => number.to_string(),
        bits => format!("{number}.0h{bits}"),
    }
}

/// The literal `text` with as many fraction bits as its value allows, if any.
fn fitting(text: &str, negative: bool) -> Option<String> {
    let (mantissa, _) = text.split_once('h')?;
    let sign = if negative { "-" } else { "" };
    (1..=15)
        .rev()
        .map(|bits| format!("{mantissa}h{bits}"))
        .find(|text| literal(text, negative).is_ok())
        .map(|text| format!("{sign}{text}"))
}

/// What to write instead of an operator of C that this language does not have.
pub(super) fn instead_of(op: &str) -> &'static str {
    match op {
        "/" => "multiply by the reciprocal, as a parameter or literal",
        "%" => "for a power of two write `x & (n - 1)` with the number filled in",
        "@" | "&" | "<<" | ">>" => "write `=` and the operator, as in `x = x << 1`",
        _ => "integers know `&`, `<<` and `>>`; conditions `&&`, `||` and `!`",
    }
}

impl Checker<'_> {
    /// The number that `expr` gives. `hint` is the type that would suit its surroundings; it only shapes advice.
    pub(super) fn value(&mut self, expr: &Expr, hint: Option<Type>) -> Option<Value> {
        if let Some((text, negative)) = expr.literal() {
            return self.literal(text, negative, &expr.span, hint);
        }
        if expr.is_condition() {
            let problem = Diagnostic::error("a condition is not a number").at(expr.span.clone(), "holds or does not");
            self.report(problem.help("choose between two numbers with `condition ? 1 : 0`"));
            return None;
        }
        match &expr.kind {
            ExprKind::Error | ExprKind::Number(_) => None,
            ExprKind::Group(inner) => self.value(inner, hint),
            ExprKind::Name(name) => self.named(name, &expr.span),
            ExprKind::Unary { op, operand } => self.unary(op, operand, &expr.span, hint),
            ExprKind::Binary { op, op_span, left, right } => self.binary(op, op_span, left, right, hint),
            ExprKind::Conditional { condition, then, otherwise } => {
                let condition = self.condition(condition);
                let (then, otherwise) = self.pair("? :", &expr.span, then, otherwise, hint)?;
                Some(select(condition?, then, otherwise))
            }
            ExprKind::Call { function, arguments } => self.call(function, arguments, &expr.span, hint),
        }
    }

    fn literal(&mut self, text: &str, negative: bool, span: &Span, hint: Option<Type>) -> Option<Value> {
        let error = match literal(text, negative) {
            Ok((code, ty)) => return Some(Value { expr: kernel::Expr::Constant(code), ty }),
            Err(error) => error,
        };
        let problem = |message: String, label: &str| Diagnostic::error(message).at(span.clone(), label);
        self.report(match error {
            LiteralError::Malformed(help) => problem(format!("`{text}` is not a number"), "not understood").help(help),
            LiteralError::Fraction => {
                let suffix = hint.filter(|ty| ty.format.fraction_bits() > 0).map(|ty| ty.format.fraction_bits());
                let problem = problem(format!("`{text}` has a fraction but no format"), "which fixed-point format?");
                match (suffix, hint) {
                    (Some(bits), Some(ty)) => problem.help(format!("write `{text}h{bits}` for {ty}")),
                    (None, Some(ty)) => problem.help(format!("an integer is needed here ({ty})")),
                    _ => problem.help(format!("write `{text}h10` for a format with 10 fraction bits")),
                }
            }
            LiteralError::Suffix => problem(format!("`{text}` has too many fraction bits"), "more than 15")
                .help("a number has 0 to 15 fraction bits, as in `0.5h10`"),
            LiteralError::Range(why) => problem(why, "does not fit").help(match fitting(text, negative) {
                Some(fitting) => format!("`{fitting}` fits; it has more integer bits"),
                None => "no number is outside -32768 to 32767".to_owned(),
            }),
        });
        None
    }

    fn named(&mut self, name: &str, span: &Span) -> Option<Value> {
        let problem = |message: String, label: &str| Diagnostic::error(message).at(span.clone(), label);
        match self.scopes.find(name) {
            Some(Symbol::Variable(index)) => {
                Some(Value { expr: kernel::Expr::Variable(index), ty: self.kernel.variables[index].ty })
            }
            Some(Symbol::Parameter(index)) => {
                Some(Value { expr: kernel::Expr::Parameter(index), ty: self.kernel.parameters[index].ty })
            }
            Some(Symbol::Local(index)) => {
                self.require_value(index, name, span.clone());
                self.scopes.locals[index].read = true;
                Some(Value { expr: kernel::Expr::Local(index), ty: self.kernel.locals[index].ty })
            }
            Some(Symbol::Event(_)) => {
                let diagnostic = problem(format!("the event `{name}` has no value"), "used as a number");
                self.report(diagnostic.help(format!("emit it with the statement `{name}();`")));
                None
            }
            Some(Symbol::Broken) => None,
            None if scope::arguments(name).is_some() => {
                let diagnostic = problem(format!("`{name}` is a function"), "used as a number");
                self.report(diagnostic.help(format!("call it: `{name}(…)`")));
                None
            }
            None => {
                self.unknown_name(name, span, false);
                None
            }
        }
    }

    /// Reports a name that means nothing, with the most similar one that would fit as advice.
    pub(super) fn unknown_name(&mut self, name: &str, span: &Span, called: bool) {
        let similar = self.scopes.suggest(name, called, |symbol| match symbol {
            Symbol::Event(_) => called,
            Symbol::Variable(_) | Symbol::Parameter(_) | Symbol::Local(_) => !called,
            Symbol::Broken => false,
        });
        let problem = if called {
            Diagnostic::error(format!("there is no function or event `{name}`")).at(span.clone(), "unknown")
        } else {
            Diagnostic::error(format!("there is no variable or parameter `{name}`")).at(span.clone(), "unknown")
        };
        self.report(match similar {
            Some(similar) => problem.help(format!("did you mean `{similar}`?")),
            _ if called => problem.help(
                "functions: exp, log, sqrt, reciprocal, sigmoid, tanh, min, max, abs, clamp, mul_rs, mul_rn, mul_rz, fennrand; \
                 declare events with the population",
            ),
            _ => problem.help("declare it with the population, or as a local: `s5_10_sat_t x = …;`"),
        });
    }

    fn unary(&mut self, op: &'static str, operand: &Expr, span: &Span, hint: Option<Type>) -> Option<Value> {
        match op {
            "+" => self.value(operand, hint),
            "-" => {
                let value = self.value(operand, hint)?;
                Some(self.negative(value))
            }
            _ => {
                let problem = Diagnostic::error("`~` is not supported").at(span.clone(), "bitwise complement");
                self.report(problem.help("`-1 - x` is the same number"));
                None
            }
        }
    }

    /// `0 - x`; in published programs it wraps whatever the type.
    fn negative(&self, value: Value) -> Value {
        let ty = value.ty;
        if ty.saturating && self.options.published {
            // The same bits as `0 - x` wrapping, which the verifier would take for an oversight on such a type.
            let minus_one = Value { expr: kernel::Expr::Constant(-1), ty: Type::INT };
            return self.product(minus_one, value, ty, 0, Rounding::Zero);
        }
        self.sum(false, Value { expr: kernel::Expr::Constant(0), ty }, value)
    }

    fn binary(
        &mut self,
        op: &'static str,
        op_span: &Span,
        left: &Expr,
        right: &Expr,
        hint: Option<Type>,
    ) -> Option<Value> {
        match op {
            "+" | "-" => {
                let (left, right) = self.pair(op, op_span, left, right, hint)?;
                Some(self.sum(op == "+", left, right))
            }
            "*" | "@" => {
                let (left, right) = self.both(left, right, None);
                Some(self.ranked_product(left?, right?, op == "*", self.options.rounding))
            }
            "<<" | ">>" => self.shift(op, left, right, hint),
            "&" => self.bitwise_and(op_span, left, right),
            _ => {
                let problem =
                    Diagnostic::error(format!("`{op}` is not supported yet")).at(op_span.clone(), "this operator");
                self.report(problem.help(instead_of(op)));
                let _ = self.both(left, right, None);
                None
            }
        }
    }

    /// Both operands. The type of the one that is no literal is the other's hint.
    fn both(&mut self, left: &Expr, right: &Expr, hint: Option<Type>) -> (Option<Value>, Option<Value>) {
        let type_of = |value: &Option<Value>| value.as_ref().map(|value| value.ty).or(hint);
        if left.literal().is_some() {
            let right = self.value(right, hint);
            (self.value(left, type_of(&right)), right)
        } else {
            let left = self.value(left, hint);
            let right = self.value(right, type_of(&left));
            (left, right)
        }
    }

    /// Both operands, in one format.
    fn pair(
        &mut self,
        what: &str,
        span: &Span,
        left: &Expr,
        right: &Expr,
        hint: Option<Type>,
    ) -> Option<(Value, Value)> {
        let (left_value, right_value) = self.both(left, right, hint);
        let (left_value, right_value) = (left_value?, right_value?);
        let (left_ty, right_ty) = (left_value.ty, right_value.ty);
        if left_ty.format == right_ty.format {
            return Some((left_value, right_value));
        }
        let problem = Diagnostic::error(format!("`{what}` needs both sides in one format"))
            .at(span.clone(), "differ")
            .at(left.span.clone(), format!("this is {left_ty}"))
            .at(right.span.clone(), format!("this is {right_ty}"));
        // A literal is easier to change than anything else.
        let help = if left.literal().is_some() && right.literal().is_none() {
            self.conversion(left, left_ty, right_ty)
        } else {
            self.conversion(right, right_ty, left_ty)
        };
        self.report(problem.help(help));
        None
    }

    /// How to write `expr`, which is `from`, so that it is `to`.
    fn conversion(&self, expr: &Expr, from: Type, to: Type) -> String {
        if let Some((text, negative)) = expr.literal() {
            let mantissa = text.split('h').next().unwrap_or(text);
            let sign = if negative { "-" } else { "" };
            return match to.format.fraction_bits() {
                0 => match mantissa.split_once('.') {
                    Some((whole, zeros)) if !whole.is_empty() && zeros.bytes().all(|digit| digit == b'0') => {
                        format!("write `{sign}{whole}` for {to}")
                    }
                    _ => format!("an integer is needed here ({to})"),
                },
                bits if mantissa.contains(['.', 'e', 'E', 'x', 'X']) => {
                    format!("write `{sign}{mantissa}h{bits}` for {to}")
                }
                bits => format!("write `{sign}{mantissa}.0h{bits}` for {to}"),
            };
        }
        let text = match self.text.get(expr.span.clone()) {
            Some(text) if text.len() <= 24 && !text.contains('\n') => match expr.kind {
                ExprKind::Name(_) | ExprKind::Group(_) | ExprKind::Call { .. } => text.to_owned(),
                _ => format!("({text})"),
            },
            _ => "(…)".to_owned(),
        };
        if to.format.fraction_bits() == 15 {
            return format!("there is no 1 in {to} to convert by; declare the quantities in one format");
        }
        let integer = |ty: Type| ty.format.fraction_bits() == 0;
        let narrower = from.format.fraction_bits() < to.format.fraction_bits();
        // `*` yields the fixed-point format next to an integer, the more integral format otherwise; `@` the other one.
        let operator = if integer(from) || (!integer(to) && !narrower) { '*' } else { '@' };
        format!("`{text} {operator} {}` converts it to {to}", written(1, to))
    }

    /// `value`, if it has the format of the place named `declared` (its span, name and type).
    pub(super) fn fit(&mut self, value: Value, expr: &Expr, declared: (Span, &str, Type)) -> Option<Value> {
        let (span, name, ty) = declared;
        if value.ty.format == ty.format {
            return Some(value);
        }
        let problem = Diagnostic::error(format!("`{name}` is {ty}, but the value is {}", value.ty))
            .at(expr.span.clone(), format!("this is {}", value.ty))
            .at(span, format!("this is {ty}"));
        let help = self.conversion(expr, value.ty, ty);
        self.report(problem.help(help));
        None
    }

    /// `left * right` (`upper`) or `left @ right`: the format of the operand of higher or lower rank, dropping the other's
    /// fraction bits.
    fn ranked_product(&self, left: Value, right: Value, upper: bool, rounding: Rounding) -> Value {
        let left_wins = (left.rank() > right.rank()) == upper;
        let (ty, shift) = if left_wins { (left.ty, right.fraction_bits()) } else { (right.ty, left.fraction_bits()) };
        self.product(left, right, ty, shift, rounding)
    }

    /// The product in the format of `ty`, `shift` bits dropped.
    pub(super) fn product(&self, left: Value, right: Value, ty: Type, shift: u8, rounding: Rounding) -> Value {
        let saturating = left.ty.saturating || right.ty.saturating;
        let integers = left.fraction_bits() == 0 && right.fraction_bits() == 0;
        let expr = kernel::Expr::Multiply {
            // Integers drop nothing; saying so keeps a stochastic mode from drawing for them.
            rounding: if integers { Rounding::Zero } else { rounding },
            left: left.boxed(),
            right: right.boxed(),
            shift,
            saturating: saturating && !self.options.published,
        };
        Value { expr, ty: Type { saturating, ..ty } }
    }

    fn shift(&mut self, op: &'static str, left: &Expr, right: &Expr, hint: Option<Type>) -> Option<Value> {
        let value = self.value(left, hint);
        let amount = right.literal().filter(|(_, negative)| !negative).and_then(|(text, _)| literal(text, false).ok());
        let shift = match amount {
            Some((amount @ 0..=15, Type::INT)) => amount as u8,
            _ => {
                let problem = Diagnostic::error(format!("`{op}` needs a number from 0 to 15 written out behind it"));
                let problem = problem.at(right.span.clone(), "not such a number");
                self.report(problem.help("other factors are products: `x * y`"));
                return None;
            }
        };
        let value = value?;
        let ty = value.ty;
        let expr = match op {
            "<<" => kernel::Expr::ShiftLeft { value: value.boxed(), shift },
            _ => kernel::Expr::ShiftRight { value: value.boxed(), shift, rounding: Rounding::Zero },
        };
        Some(Value { expr, ty })
    }

    fn bitwise_and(&mut self, span: &Span, left: &Expr, right: &Expr) -> Option<Value> {
        let (left_value, right_value) = self.both(left, right, Some(Type::INT));
        let (left_value, right_value) = (left_value?, right_value?);
        for (value, expr) in [(&left_value, left), (&right_value, right)] {
            if value.fraction_bits() > 0 {
                let problem = Diagnostic::error("`&` needs integers").at(span.clone(), "bitwise and");
                let problem = problem.at(expr.span.clone(), format!("this is {}", value.ty));
                self.report(problem.help("to join conditions compare first, as in `x > 0 && y > 0`"));
                return None;
            }
        }
        let (left, right) = (left_value.boxed(), right_value.boxed());
        Some(Value { expr: kernel::Expr::Binary { op: BinaryOp::And, left, right }, ty: Type::INT })
    }

    fn call(&mut self, function: &Word, arguments: &[Expr], span: &Span, hint: Option<Type>) -> Option<Value> {
        let name = function.text.as_str();
        let Some(expected) = scope::arguments(name) else {
            self.not_a_function(function, span);
            return None;
        };
        if arguments.len() != expected {
            let plural = if expected == 1 { "" } else { "s" };
            let problem =
                Diagnostic::error(format!("`{name}` takes {expected} argument{plural}, not {}", arguments.len()));
            let form = ["()", "(a)", "(a, b)", "(a, lowest, highest)"][expected];
            self.report(problem.at(span.clone(), "called here").help(format!("write `{name}{form}`")));
            return None;
        }
        match (name, arguments) {
            ("mul_rz", [a, b]) => self.explicit_product(a, b, Rounding::Zero),
            ("mul_rn", [a, b]) => self.explicit_product(a, b, Rounding::Nearest),
            ("mul_rs", [a, b]) => self.explicit_product(a, b, Rounding::Stochastic),
            ("min" | "max", [a, b]) => {
                let op = if name == "min" { CompareOp::Less } else { CompareOp::Greater };
                let (a, b) = self.pair(name, &function.span, a, b, hint)?;
                let (a, b) = (self.stored(a, name), self.stored(b, name));
                let condition = Cond::Compare { op, left: a.expr.clone(), right: b.expr.clone() };
                Some(select(condition, a, b))
            }
            ("abs", [a]) => {
                let value = self.value(a, hint)?;
                let value = self.stored(value, name);
                let zero = kernel::Expr::Constant(0);
                let condition = Cond::Compare { op: CompareOp::Less, left: value.expr.clone(), right: zero };
                Some(select(condition, self.negative(value.clone()), value))
            }
            ("clamp", [a, lowest, highest]) => self.clamp(&function.span, [a, lowest, highest], hint),
            (_, [a]) => self.function(name, a, hint),
            _ => Some(Value { expr: kernel::Expr::Random, ty: Type { format: Format::UNIT, saturating: false } }),
        }
    }

    /// `min(max(a, lowest), highest)`.
    fn clamp(&mut self, span: &Span, arguments: [&Expr; 3], hint: Option<Type>) -> Option<Value> {
        let [a, lowest, highest] = arguments;
        let (value, lowest_value) = self.pair("clamp", span, a, lowest, hint)?;
        let highest_value = self.value(highest, Some(value.ty))?;
        let declared = (a.span.clone(), self.text.get(a.span.clone()).unwrap_or("the number").to_owned(), value.ty);
        let highest = self.fit(highest_value, highest, (declared.0, &declared.1, declared.2))?;
        let (value, lowest, highest) =
            (self.stored(value, "clamp"), self.stored(lowest_value, "clamp"), self.stored(highest, "clamp"));
        let below = Cond::Compare { op: CompareOp::Greater, left: lowest.expr.clone(), right: value.expr.clone() };
        let at_least = select(below, lowest, value);
        let at_least = self.stored(at_least, "clamp");
        let above = Cond::Compare { op: CompareOp::Less, left: highest.expr.clone(), right: at_least.expr.clone() };
        Some(select(above, highest, at_least))
    }

    /// A function that is looked up: its result has the argument's format, or as many fraction bits as its name says.
    fn function(&mut self, name: &str, argument: &Expr, hint: Option<Type>) -> Option<Value> {
        let (function, bits) = Function::named(name)?;
        let value = self.value(argument, hint)?;
        let from = value.ty.format;
        let to = bits.and_then(Format::new).unwrap_or(from);
        let Self { kernel, scopes, body, .. } = self;
        let mut local = |kernel: &mut Kernel, purpose: &'static str, ty: Type| scopes.temporary(purpose, ty, kernel);
        let expr = function.expand(value.expr, from, to, kernel, body, &mut local);
        Some(Value { expr, ty: Type { format: to, saturating: value.ty.saturating } })
    }

    fn explicit_product(&mut self, a: &Expr, b: &Expr, rounding: Rounding) -> Option<Value> {
        let (a, b) = self.both(a, b, None);
        Some(self.ranked_product(a?, b?, true, rounding))
    }

    fn not_a_function(&mut self, function: &Word, span: &Span) {
        let name = &function.text;
        let problem = match self.scopes.find(name) {
            None => return self.unknown_name(name, &function.span, true),
            Some(Symbol::Broken) => return,
            Some(Symbol::Event(_)) => Diagnostic::error(format!("the event `{name}` has no value"))
                .at(span.clone(), "used as a number")
                .help(format!("emit it with the statement `{name}();`")),
            Some(_) => Diagnostic::error(format!("`{name}` is not a function"))
                .at(function.span.clone(), "a value")
                .help(format!("to multiply write `{name} * (…)`")),
        };
        self.report(problem);
    }

    /// `value` in a form that can be evaluated twice: itself, or a temporary it is assigned to before the statement.
    fn stored(&mut self, value: Value, purpose: &str) -> Value {
        use kernel::Expr::{Constant, Local, Parameter, Variable};
        if matches!(value.expr, Constant(_) | Local(_) | Parameter(_) | Variable(_)) {
            return value;
        }
        let local = self.scopes.temporary(purpose, value.ty, &mut self.kernel);
        self.assign(Place::Local(local), value.expr);
        Value { expr: Local(local), ty: value.ty }
    }

    /// The condition that `expr` gives.
    pub(super) fn condition(&mut self, expr: &Expr) -> Option<Cond> {
        match &expr.kind {
            ExprKind::Error => None,
            ExprKind::Group(inner) => self.condition(inner),
            ExprKind::Unary { op: "!", operand } => Some(Cond::Not(Box::new(self.condition(operand)?))),
            ExprKind::Binary { op, op_span, left, right } => {
                if let Some(op) = comparison(op) {
                    return self.compare(op, op_span, left, right);
                }
                match *op {
                    "&&" | "||" => self.join(op, left, right),
                    "&" | "|" if left.is_condition() && right.is_condition() => self.join(op, left, right),
                    "&" | "|" | "^" if left.is_condition() || right.is_condition() => {
                        let problem = Diagnostic::error(format!("`{op}` does not join these"))
                            .at(op_span.clone(), "binds tighter than it looks");
                        self.report(
                            problem.help("put each comparison into brackets, and join conditions with `&&`, `||`, `!`"),
                        );
                        None
                    }
                    _ => self.number_as_condition(expr),
                }
            }
            _ => self.number_as_condition(expr),
        }
    }

    fn join(&mut self, op: &str, left: &Expr, right: &Expr) -> Option<Cond> {
        let (left, right) = (self.condition(left), self.condition(right));
        let (left, right) = (Box::new(left?), Box::new(right?));
        Some(if op.starts_with('&') { Cond::And(left, right) } else { Cond::Or(left, right) })
    }

    fn compare(&mut self, op: CompareOp, span: &Span, left: &Expr, right: &Expr) -> Option<Cond> {
        let sign = self.text.get(span.clone()).unwrap_or("a comparison").to_owned();
        let (left, right) = self.pair(&sign, span, left, right, None)?;
        Some(Cond::Compare { op, left: left.expr, right: right.expr })
    }

    fn number_as_condition(&mut self, expr: &Expr) -> Option<Cond> {
        let value = self.value(expr, None)?;
        let text = self.text.get(expr.span.clone()).filter(|text| text.len() <= 24).unwrap_or("x");
        let help = format!("compare it, as in `{text} != {}`", written(0, value.ty));
        let problem =
            Diagnostic::error("a number is not a condition").at(expr.span.clone(), format!("this is {}", value.ty));
        self.report(problem.help(help));
        None
    }
}

fn comparison(op: &str) -> Option<CompareOp> {
    Some(match op {
        "==" => CompareOp::Equal,
        "!=" => CompareOp::NotEqual,
        "<" => CompareOp::Less,
        "<=" => CompareOp::LessEqual,
        ">" => CompareOp::Greater,
        ">=" => CompareOp::GreaterEqual,
        _ => return None,
    })
}

fn select(condition: Cond, then: Value, otherwise: Value) -> Value {
    let ty = Type { saturating: then.ty.saturating || otherwise.ty.saturating, ..then.ty };
    let (then, otherwise) = (then.boxed(), otherwise.boxed());
    Value { expr: kernel::Expr::Select { condition: Box::new(condition), then, otherwise }, ty }
}
