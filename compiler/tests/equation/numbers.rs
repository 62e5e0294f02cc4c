//! Random programs against the meaning of their source in exact arithmetic.
//!
//! The witness does not know the kernel: it reads `a * b` as the product of two real numbers, rounded into the result's
//! format. The kernel is executed with the machine's lane arithmetic. A program is drawn from a tape of bytes, so that
//! a failure shrinks to a short one.

use std::fmt::Write as _;

use fenn_compiler::diagnostic::{Source, render};
use fenn_compiler::equation::{Declarations, Options, compile};
use fenn_compiler::kernel::{BinaryOp, CompareOp, Cond, Expr, Kernel, Place, Rounding, Stmt, Type};
use fenn_isa::fixed::Format;
use fenn_isa::lane;
use proptest::prelude::*;

/// Fraction bits of the variables; one wrapping and one saturating of each.
const FRACTIONS: [u8; 5] = [0, 3, 10, 13, 15];

/// A number as the language sees it: `code · 2^−bits`.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Number {
    code: i128,
    bits: u8,
    saturating: bool,
}

impl Number {
    /// `units · 2^−bits` brought into 16 bits.
    fn new(units: i128, bits: u8, saturating: bool, clamp: bool) -> Self {
        let code = if clamp { units.clamp(-32768, 32767) } else { (units + 32768).rem_euclid(65536) - 32768 };
        Self { code, bits, saturating }
    }

    fn less(self, other: Self) -> bool {
        self.code << other.bits < other.code << self.bits
    }
}

/// A program's expression.
#[derive(Debug, Clone)]
enum Term {
    Literal(i16, u8),
    Variable(usize),
    Negative(Box<Self>),
    Sum(bool, Box<Self>, Box<Self>),
    /// `*`, `@`, `mul_rz`, `mul_rn`
    Product(&'static str, Box<Self>, Box<Self>),
    Shift(bool, Box<Self>, u8),
    And(Box<Self>, Box<Self>),
    Call(&'static str, Vec<Self>),
    Choice(Box<Test>, Box<Self>, Box<Self>),
}

#[derive(Debug, Clone)]
enum Test {
    Compare(&'static str, Term, Term),
    Join(&'static str, Box<Self>, Box<Self>),
    Not(Box<Self>),
}

#[derive(Debug, Clone)]
enum Line {
    Assign(&'static str, usize, Term),
    If(Test, Vec<Self>, Vec<Self>),
    /// `for`, `while` or `do`, at most so often, while the test holds too if there is one.
    Repeat(&'static str, u8, Option<Test>, Vec<Self>),
    /// `if (…) { break; }` or `continue`
    Leave(&'static str, Test),
}

/// What comes after a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    Next,
    Break,
    Continue,
}

/// Draws a program from bytes; when they run out it draws leaves.
struct Tape<'a>(std::slice::Iter<'a, u8>);

impl Tape<'_> {
    fn pick(&mut self, choices: usize) -> usize {
        self.0.next().map_or(0, |byte| usize::from(*byte) % choices)
    }

    fn expr(&mut self, bits: u8, depth: u32) -> Term {
        let choice = if depth == 0 { self.pick(2) } else { self.pick(14) };
        let sub = |tape: &mut Self| Box::new(tape.expr(bits, depth - 1));
        match choice {
            0 => {
                let index = FRACTIONS.iter().position(|f| *f == bits).unwrap();
                Term::Variable(2 * index + self.pick(2))
            }
            1 => Term::Literal(i16::from_le_bytes([self.pick(256) as u8, self.pick(256) as u8]), bits),
            2 => Term::Negative(sub(self)),
            3 | 4 => Term::Sum(choice == 3, sub(self), sub(self)),
            5..=8 => self.product(bits, depth),
            9 => Term::Shift(self.pick(2) == 0, sub(self), self.pick(16) as u8),
            10 if bits == 0 => Term::And(sub(self), sub(self)),
            10 | 11 => Term::Call(["min", "max"][self.pick(2)], vec![*sub(self), *sub(self)]),
            12 => Term::Call("abs", vec![*sub(self)]),
            _ => Term::Choice(Box::new(self.test(depth - 1)), sub(self), sub(self)),
        }
    }

    /// A product whose result has `bits` fraction bits.
    fn product(&mut self, bits: u8, depth: u32) -> Term {
        let other = FRACTIONS[self.pick(FRACTIONS.len())];
        let (a, b) = (Box::new(self.expr(bits, depth - 1)), Box::new(self.expr(other, depth - 1)));
        let (a, b) = if self.pick(2) == 0 { (a, b) } else { (b, a) };
        // Which of the two formats `*` takes: the fixed one next to an integer, else the one with fewer fraction bits.
        let upper = match (bits, other) {
            (0, other) => other == 0,
            (_, 0) => true,
            (bits, other) => bits <= other,
        };
        let lower = !upper || bits == other;
        let op = if lower && (!upper || self.pick(4) == 0) { "@" } else { ["*", "mul_rz", "mul_rn"][self.pick(3)] };
        Term::Product(op, a, b)
    }

    fn test(&mut self, depth: u32) -> Test {
        let bits = FRACTIONS[self.pick(FRACTIONS.len())];
        let choice = if depth == 0 { 0 } else { self.pick(4) };
        match choice {
            1 => Test::Not(Box::new(self.test(depth - 1))),
            2 => {
                let op = ["&&", "||"][self.pick(2)];
                Test::Join(op, Box::new(self.test(depth - 1)), Box::new(self.test(depth - 1)))
            }
            _ => {
                let op = ["==", "!=", "<", "<=", ">", ">="][self.pick(6)];
                Test::Compare(op, self.expr(bits, depth), self.expr(bits, depth))
            }
        }
    }

    fn line(&mut self, depth: u32, in_loop: bool) -> Line {
        let choice = self.pick(6);
        if depth > 0 && choice == 1 {
            let test = self.test(2);
            let mut block = |length| (0..length).map(|_| self.line(depth - 1, in_loop)).collect();
            return Line::If(test, block(2), block(1));
        }
        if depth > 0 && choice == 2 {
            let kind = ["for", "while", "do"][self.pick(3)];
            let (most, tested) = (self.pick(5) as u8, self.pick(2) == 1);
            let test = tested.then(|| self.test(2));
            return Line::Repeat(kind, most, test, (0..3).map(|_| self.line(depth - 1, true)).collect());
        }
        if in_loop && choice == 3 {
            return Line::Leave(["break", "continue"][self.pick(2)], self.test(1));
        }
        let target = self.pick(2 * FRACTIONS.len());
        let bits = FRACTIONS[target / 2];
        let op = ["=", "+=", "-=", "*="][self.pick(4)];
        // The factor of `*=` may have any format.
        let bits = if op == "*=" { FRACTIONS[self.pick(FRACTIONS.len())] } else { bits };
        Line::Assign(op, target, self.expr(bits, 4))
    }
}

/// The program as text, with no more brackets than C needs.
struct Printer(String);

impl Printer {
    /// `tight` is the level of the operator around it: 10 products, 9 sums, 8 shifts, 7 and 6 comparisons, 5 `&`, …
    fn expr(&mut self, expr: &Term, tight: u8) {
        let level = match expr {
            Term::Product("*" | "@", ..) => 10,
            Term::Sum(..) => 9,
            Term::Shift(..) => 8,
            Term::And(..) => 5,
            Term::Choice(..) => 0,
            _ => 11,
        };
        self.bracket(level < tight, |p| match expr {
            Term::Literal(code, 0) => write!(p.0, "{code}").unwrap(),
            Term::Literal(code, bits) => {
                write!(p.0, "{}h{bits}", f64::from(*code) / f64::from(1u32 << bits)).unwrap();
            }
            Term::Variable(index) => p.0.push_str(&name(*index)),
            Term::Negative(a) => {
                p.0.push_str("-(");
                p.expr(a, 0);
                p.0.push(')');
            }
            Term::Sum(plus, a, b) => p.infix(if *plus { "+" } else { "-" }, level, a, b),
            Term::Product(op @ ("*" | "@"), a, b) => p.infix(op, level, a, b),
            Term::Product(function, a, b) => p.call(function, &[a, b]),
            Term::Shift(left, a, amount) => {
                p.expr(a, level);
                write!(p.0, " {} {amount}", if *left { "<<" } else { ">>" }).unwrap();
            }
            Term::And(a, b) => p.infix("&", level, a, b),
            Term::Call(function, arguments) => p.call(function, &arguments.iter().collect::<Vec<_>>()),
            Term::Choice(test, a, b) => {
                p.test(test, 1);
                p.0.push_str(" ? ");
                p.expr(a, 0);
                p.0.push_str(" : ");
                p.expr(b, 0);
            }
        });
    }

    fn bracket(&mut self, bracket: bool, inner: impl FnOnce(&mut Self)) {
        self.0.push_str(if bracket { "(" } else { "" });
        inner(self);
        self.0.push_str(if bracket { ")" } else { "" });
    }

    /// Operators group to the left.
    fn infix(&mut self, op: &str, level: u8, a: &Term, b: &Term) {
        self.expr(a, level);
        write!(self.0, " {op} ").unwrap();
        self.expr(b, level + 1);
    }

    fn call(&mut self, function: &str, arguments: &[&Term]) {
        write!(self.0, "{function}(").unwrap();
        for (index, argument) in arguments.iter().enumerate() {
            self.0.push_str(if index > 0 { ", " } else { "" });
            self.expr(argument, 0);
        }
        self.0.push(')');
    }

    fn test(&mut self, test: &Test, tight: u8) {
        let level = match test {
            Test::Compare("==" | "!=", ..) => 6,
            Test::Compare(..) => 7,
            Test::Join("&&", ..) => 2,
            Test::Join(..) => 1,
            Test::Not(_) => 11,
        };
        self.bracket(level < tight, |p| match test {
            Test::Compare(op, a, b) => p.infix(op, level, a, b),
            Test::Join(op, a, b) => {
                p.test(a, level);
                write!(p.0, " {op} ").unwrap();
                p.test(b, level + 1);
            }
            Test::Not(a) => {
                p.0.push('!');
                p.test(a, 11);
            }
        });
    }

    fn lines(&mut self, lines: &[Line]) {
        for line in lines {
            match line {
                Line::Assign(op, target, value) => {
                    write!(self.0, "{} {op} ", name(*target)).unwrap();
                    self.expr(value, 0);
                    self.0.push_str(";\n");
                }
                Line::If(test, then, otherwise) => {
                    self.0.push_str("if (");
                    self.test(test, 0);
                    self.0.push_str(") {\n");
                    self.lines(then);
                    self.0.push_str("} else {\n");
                    self.lines(otherwise);
                    self.0.push_str("}\n");
                }
                Line::Leave(word, test) => {
                    self.0.push_str("if (");
                    self.test(test, 0);
                    writeln!(self.0, ") {word};").unwrap();
                }
                Line::Repeat(kind, most, test, body) => {
                    // Every loop has a counter of its own, which comes first in the body, so that `continue` counts too.
                    let counter = format!("c{}", self.0.len());
                    let head = match *kind {
                        "for" => format!("{{ for (int16_t {counter} = 0; "),
                        "while" => format!("{{ int16_t {counter} = 0; while ("),
                        _ => format!("{{ int16_t {counter} = 0; do {{ {counter}++;\n"),
                    };
                    self.0.push_str(&head);
                    if *kind == "do" {
                        self.lines(body);
                        self.0.push_str("} while (");
                    }
                    write!(self.0, "{counter} < {most}").unwrap();
                    if let Some(test) = test {
                        self.0.push_str(" && ");
                        self.test(test, 3);
                    }
                    let tail = match *kind {
                        "for" => format!("; {counter}++) {{\n"),
                        "while" => format!(") {{ {counter}++;\n"),
                        _ => "); }\n".to_owned(),
                    };
                    self.0.push_str(&tail);
                    if *kind != "do" {
                        self.lines(body);
                        self.0.push_str("} }\n");
                    }
                }
            }
        }
    }
}

fn name(index: usize) -> String {
    format!("{}{}", ["w", "s"][index % 2], FRACTIONS[index / 2])
}

/// What the source means.
struct Meaning {
    variables: Vec<Number>,
    options: Options,
}

impl Meaning {
    fn expr(&self, expr: &Term) -> Number {
        match expr {
            Term::Literal(code, bits) => Number { code: i128::from(*code), bits: *bits, saturating: false },
            Term::Variable(index) => self.variables[*index],
            Term::Negative(a) => self.negative(self.expr(a)),
            Term::Sum(plus, a, b) => sum(*plus, self.expr(a), self.expr(b)),
            Term::Product(op, a, b) => {
                let (a, b) = (self.expr(a), self.expr(b));
                let rounding = match *op {
                    "mul_rz" => Rounding::Zero,
                    "mul_rn" => Rounding::Nearest,
                    _ => self.options.rounding,
                };
                // In the order of the language's formats integers come first, then fewer integer bits.
                let order = |n: Number| if n.bits == 0 { 0 } else { 16 - n.bits };
                let upper = if order(a) > order(b) { a } else { b };
                let lower = if order(a) > order(b) { b } else { a };
                self.product(a, b, if *op == "@" { lower.bits } else { upper.bits }, rounding)
            }
            Term::Shift(true, a, amount) => {
                let a = self.expr(a);
                Number::new(a.code << amount, a.bits, a.saturating, false)
            }
            Term::Shift(false, a, amount) => {
                let a = self.expr(a);
                Number { code: a.code.div_euclid(1 << amount), ..a }
            }
            Term::And(a, b) => Number { code: self.expr(a).code & self.expr(b).code, bits: 0, saturating: false },
            Term::Call("abs", arguments) => {
                let a = self.expr(&arguments[0]);
                if a.code < 0 { self.negative(a) } else { a }
            }
            Term::Call(function, arguments) => {
                let (a, b) = (self.expr(&arguments[0]), self.expr(&arguments[1]));
                let first = if *function == "min" { a.less(b) } else { b.less(a) };
                choose(first, a, b)
            }
            Term::Choice(test, a, b) => choose(self.test(test), self.expr(a), self.expr(b)),
        }
    }

    fn negative(&self, a: Number) -> Number {
        Number::new(-a.code, a.bits, a.saturating, a.saturating && !self.options.published)
    }

    /// The real product, rounded to `bits` fraction bits.
    fn product(&self, a: Number, b: Number, bits: u8, rounding: Rounding) -> Number {
        let unit = 1i128 << (a.bits + b.bits - bits);
        // Doubled, so that the half is an integer.
        let half = if rounding == Rounding::Nearest { unit } else { 0 };
        let units = (2 * a.code * b.code + half).div_euclid(2 * unit);
        let saturating = a.saturating || b.saturating;
        Number::new(units, bits, saturating, saturating && !self.options.published)
    }

    fn test(&self, test: &Test) -> bool {
        match test {
            Test::Compare(op, a, b) => {
                let (a, b) = (self.expr(a), self.expr(b));
                match *op {
                    "==" => !a.less(b) && !b.less(a),
                    "!=" => a.less(b) || b.less(a),
                    "<" => a.less(b),
                    "<=" => !b.less(a),
                    ">" => b.less(a),
                    _ => !a.less(b),
                }
            }
            Test::Join("&&", a, b) => self.test(a) && self.test(b),
            Test::Join(_, a, b) => self.test(a) || self.test(b),
            Test::Not(a) => !self.test(a),
        }
    }

    fn lines(&mut self, lines: &[Line]) -> Flow {
        for line in lines {
            match line {
                Line::Assign(op, target, value) => {
                    let (value, current) = (self.expr(value), self.variables[*target]);
                    let truncating = if self.options.published { Rounding::Zero } else { self.options.rounding };
                    let result = match *op {
                        "=" => value,
                        "+=" => sum(true, current, value),
                        "-=" => sum(false, current, value),
                        _ => self.product(current, value, current.bits, truncating),
                    };
                    self.variables[*target].code = result.code;
                }
                Line::If(test, then, otherwise) => {
                    let branch = if self.test(test) { then } else { otherwise };
                    let flow = self.lines(branch);
                    if flow != Flow::Next {
                        return flow;
                    }
                }
                Line::Leave(word, test) => {
                    if self.test(test) {
                        return if *word == "break" { Flow::Break } else { Flow::Continue };
                    }
                }
                Line::Repeat(kind, most, test, body) => {
                    let mut count = 0;
                    loop {
                        let goes_on =
                            |meaning: &Self| count < *most && test.as_ref().is_none_or(|test| meaning.test(test));
                        if *kind != "do" && !goes_on(self) {
                            break;
                        }
                        count += 1;
                        if self.lines(body) == Flow::Break {
                            break;
                        }
                        let goes_on =
                            |meaning: &Self| count < *most && test.as_ref().is_none_or(|test| meaning.test(test));
                        if *kind == "do" && !goes_on(self) {
                            break;
                        }
                    }
                }
            }
        }
        Flow::Next
    }
}

fn sum(plus: bool, a: Number, b: Number) -> Number {
    let saturating = a.saturating || b.saturating;
    let units = if plus { a.code + b.code } else { a.code - b.code };
    Number::new(units, a.bits, saturating, saturating)
}

fn choose(first: bool, a: Number, b: Number) -> Number {
    Number { saturating: a.saturating || b.saturating, ..if first { a } else { b } }
}

/// One lane of the machine executing a kernel.
struct Lane {
    variables: Vec<i16>,
    locals: Vec<i16>,
}

impl Lane {
    fn block(&mut self, block: &[Stmt]) -> Flow {
        for stmt in block {
            match stmt {
                Stmt::Assign { place: Place::Variable(index), value } => self.variables[*index] = self.expr(value),
                Stmt::Assign { place: Place::Local(index), value } => self.locals[*index] = self.expr(value),
                Stmt::If { condition, then, otherwise } => {
                    let branch = if self.cond(condition) { then } else { otherwise };
                    let flow = self.block(branch);
                    if flow != Flow::Next {
                        return flow;
                    }
                }
                Stmt::Loop { body, step } => {
                    while self.block(body) != Flow::Break && self.block(step) != Flow::Break {}
                }
                Stmt::While(condition) => {
                    if !self.cond(condition) {
                        return Flow::Break;
                    }
                }
                Stmt::Break => return Flow::Break,
                Stmt::Continue => return Flow::Continue,
                Stmt::Emit(_) => unreachable!("no program here emits"),
            }
        }
        Flow::Next
    }

    fn expr(&self, expr: &Expr) -> i16 {
        match expr {
            Expr::Constant(code) => *code,
            Expr::Variable(index) => self.variables[*index],
            Expr::Local(index) => self.locals[*index],
            Expr::Parameter(_) | Expr::Random | Expr::Interpolate { .. } => unreachable!("no program here uses them"),
            Expr::Binary { op, left, right } => {
                let (a, b) = (self.expr(left), self.expr(right));
                match op {
                    BinaryOp::Add => lane::add(a, b, false),
                    BinaryOp::AddSaturating => lane::add(a, b, true),
                    BinaryOp::Sub => lane::sub(a, b, false),
                    BinaryOp::SubSaturating => lane::sub(a, b, true),
                    BinaryOp::And => a & b,
                    BinaryOp::ShiftLeft | BinaryOp::ShiftRight => unreachable!("no program here uses them"),
                }
            }
            Expr::Multiply { left, right, shift, rounding, saturating } => {
                lane::multiply(self.expr(left), self.expr(right), *shift, *rounding, 0, *saturating)
            }
            Expr::ShiftLeft { value, shift } => lane::shift_left(self.expr(value), *shift),
            Expr::ShiftRight { value, shift, rounding } => lane::shift_right(self.expr(value), *shift, *rounding, 0),
            Expr::Select { condition, then, otherwise } => {
                if self.cond(condition) {
                    self.expr(then)
                } else {
                    self.expr(otherwise)
                }
            }
        }
    }

    fn cond(&self, cond: &Cond) -> bool {
        match cond {
            Cond::Compare { op, left, right } => {
                let (a, b) = (self.expr(left), self.expr(right));
                match op {
                    CompareOp::Equal => a == b,
                    CompareOp::NotEqual => a != b,
                    CompareOp::Less => a < b,
                    CompareOp::LessEqual => a <= b,
                    CompareOp::Greater => a > b,
                    CompareOp::GreaterEqual => a >= b,
                }
            }
            Cond::And(a, b) => self.cond(a) && self.cond(b),
            Cond::Or(a, b) => self.cond(a) || self.cond(b),
            Cond::Not(a) => !self.cond(a),
        }
    }
}

fn declarations() -> Declarations {
    let variables = (0..2 * FRACTIONS.len()).map(|index| {
        let format = Format::new(FRACTIONS[index / 2]).unwrap();
        (name(index), Type { format, saturating: index % 2 == 1 })
    });
    Declarations { variables: variables.collect(), ..Declarations::default() }
}

fn compiled(text: &str, options: &Options) -> Kernel {
    let source = Source { name: "random.eq", text };
    match compile(&source, &declarations(), options) {
        Ok((kernel, warnings)) => {
            assert!(warnings.is_empty(), "{}", render(&warnings, &source, false));
            kernel
        }
        Err(errors) => panic!("{}", render(&errors, &source, false)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn kernels_compute_what_the_source_says(
        tape in prop::collection::vec(any::<u8>(), 0..200),
        start in prop::collection::vec(prop_oneof![Just(i16::MIN), Just(i16::MAX), -3i16..4, any::<i16>()], 10),
        nearest: bool,
        published: bool,
    ) {
        let options = Options { rounding: if nearest { Rounding::Nearest } else { Rounding::Zero }, published };
        let mut tape = Tape(tape.iter());
        let program: Vec<Line> = (0..3).map(|_| tape.line(3, false)).collect();
        let mut printer = Printer(String::new());
        printer.lines(&program);
        let kernel = compiled(&printer.0, &options);
        crate::assert_well_formed(&kernel);

        let number = |(index, code): (usize, &i16)| {
            Number { code: i128::from(*code), bits: FRACTIONS[index / 2], saturating: index % 2 == 1 }
        };
        let mut meaning = Meaning { variables: start.iter().enumerate().map(number).collect(), options };
        meaning.lines(&program);
        let mut lane = Lane { variables: start, locals: vec![0; kernel.locals.len()] };
        lane.block(&kernel.body);

        let expected: Vec<i16> = meaning.variables.iter().map(|number| number.code as i16).collect();
        prop_assert_eq!(lane.variables, expected, "{}\n{}", printer.0, kernel);
    }

    /// Words of the language in any order: always an answer, always one that can be drawn.
    #[test]
    fn word_salad_has_an_answer(words in prop::collection::vec(0usize..40, 0..60)) {
        const WORDS: [&str; 40] = [
            "w10", "s10", "w0", "s15", "x", "=", "+=", "*=", ";", ";", "(", ")", "{", "}", "if", "else", "const",
            "s5_10_t", "int16_t", "1", "0.5h10", "-", "+", "*", "@", "<", "==", "&&", "!", "?", ":", ",", "min", "abs",
            "while", "for", "++", "do", "break", "é",
        ];
        let text = words.iter().map(|index| WORDS[*index]).collect::<Vec<_>>().join(" ");
        let source = Source { name: "salad.eq", text: &text };
        match compile(&source, &declarations(), &Options::default()) {
            Ok((kernel, warnings)) => prop_assert!(kernel.to_string().is_ascii() && warnings.len() < 60),
            Err(errors) => prop_assert!(render(&errors, &source, false).starts_with("Error: ")),
        }
    }

    #[test]
    fn any_text_has_an_answer(text in "\\PC{0,80}", bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        for text in [text.as_str(), &String::from_utf8_lossy(&bytes)] {
            let source = Source { name: "any.eq", text };
            if let Err(errors) = compile(&source, &declarations(), &Options::default()) {
                prop_assert!(!render(&errors, &source, true).is_empty());
            }
        }
    }
}
