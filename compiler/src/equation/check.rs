//! Statements to kernel: what names mean, whether types agree, and the kernel's statements.
//!
//! Contract: [`check`] always gives a kernel; it means the program if and only if no error was reported here or before.
//! What could not be understood is left out of it and never reported twice.

use std::collections::BTreeSet;

use crate::diagnostic::{Diagnostic, Severity};
use crate::kernel::{self, BinaryOp, Kernel, Place, Rounding, Type};

use super::ast::{AssignOp, Declarator, Expr, ExprKind, Loop, Span, Stmt, Word};
use super::number::parse_type;
use super::scope::{Scopes, Symbol};
use super::value::{Value, instead_of};
use super::{Declarations, Options};

/// The kernel of a program, and what is wrong with or doubtful about it.
pub(super) fn check(
    text: &str,
    statements: &[Stmt],
    declarations: &Declarations,
    options: &Options,
) -> (Kernel, Vec<Diagnostic>) {
    let mut kernel = Kernel::default();
    let (scopes, diagnostics) = Scopes::new(declarations, &mut kernel);
    let mut checker = Checker { text, options, kernel, scopes, diagnostics, body: Vec::new(), loops: Vec::new() };
    checker.block(statements);
    checker.kernel.body = std::mem::take(&mut checker.body);
    checker.unread_locals();
    (checker.kernel, checker.diagnostics)
}

/// A program half checked.
pub(super) struct Checker<'a> {
    pub(super) text: &'a str,
    pub(super) options: &'a Options,
    pub(super) kernel: Kernel,
    pub(super) scopes: Scopes,
    pub(super) diagnostics: Vec<Diagnostic>,
    /// The statements of the current block so far.
    pub(super) body: Vec<kernel::Stmt>,
    /// The loops around the current statement.
    loops: Vec<Around>,
}

/// A loop that is being checked: which locals have values on all ways out of it, and to its step.
#[derive(Default)]
struct Around {
    left: Option<Vec<bool>>,
    continued: Option<Vec<bool>>,
    broken: bool,
}

/// Both, where one may not have been reached yet. Locals beyond either are out of sight.
fn meet(so_far: &mut Option<Vec<bool>>, assigned: &[bool]) {
    *so_far = Some(match so_far {
        None => assigned.to_vec(),
        Some(so_far) => so_far.iter().zip(assigned).map(|(a, b)| *a && *b).collect(),
    });
}

impl Checker<'_> {
    pub(super) fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// In a scope of its own.
    fn block(&mut self, statements: &[Stmt]) {
        self.scopes.enter();
        for (index, statement) in statements.iter().enumerate() {
            self.statement(statement);
            if let Stmt::Jump { continues, span } = statement
                && statements[index + 1..].iter().any(|next| !matches!(next, Stmt::Empty))
            {
                let word = if *continues { "continue" } else { "break" };
                let problem = Diagnostic::warning(format!("what stands behind this `{word}` is never reached"));
                self.report(problem.at(span.clone(), "always leaves").help("remove it, or put an `if` before"));
            }
        }
        self.scopes.leave();
    }

    fn statement(&mut self, statement: &Stmt) {
        match statement {
            Stmt::Block(statements) => self.block(statements),
            Stmt::Declare { constant, ty, items } => self.declaration(*constant, ty, items),
            Stmt::Assign { target, op, op_span, value } => self.assignment(target, *op, op_span, value),
            Stmt::Step { target, increment, span } => self.step(target, *increment, span),
            Stmt::Call(expr) => self.call_statement(expr),
            Stmt::If { condition, then, otherwise } => self.if_statement(condition, then, otherwise.as_deref()),
            Stmt::Loop(repeated) => self.repeat(repeated),
            Stmt::Jump { continues, span } => self.jump(*continues, span),
            Stmt::Empty => {}
        }
    }

    fn declaration(&mut self, constant: bool, ty: &Word, items: &[Declarator]) {
        let known = parse_type(&ty.text);
        if known.is_none() {
            self.unknown_type(ty);
        }
        for item in items {
            // The value first: a name is not visible in its own declaration.
            let value = item.value.as_ref().map(|value| (value, self.value(value, known)));
            let symbol = match self.scopes.declare(&item.name, known, constant, &mut self.kernel) {
                Ok(symbol) => symbol,
                Err(problem) => {
                    self.report(problem);
                    continue;
                }
            };
            let (Symbol::Local(local), Some(ty)) = (symbol, known) else { continue };
            match value {
                Some((expr, value)) => {
                    self.scopes.locals[local].assigned = true;
                    let declared = (item.name.span.clone(), item.name.text.as_str(), ty);
                    if let Some(value) = value.and_then(|value| self.fit(value, expr, declared)) {
                        self.assign(Place::Local(local), value.expr);
                    }
                }
                None if constant => {
                    let problem = Diagnostic::error(format!("the constant `{}` has no value", item.name.text));
                    let problem = problem.at(item.name.span.clone(), "never gets one");
                    self.report(problem.help("give it one here, or leave `const` out"));
                    self.scopes.locals[local].assigned = true;
                }
                None => {}
            }
        }
    }

    fn unknown_type(&mut self, ty: &Word) {
        let numbers: Option<(u32, u32)> = ty.text.strip_prefix('s').and_then(|rest| {
            let (integer, rest) = rest.split_once('_')?;
            let (fraction, _) = rest.split_once('_')?;
            Some((integer.parse().ok()?, fraction.parse().ok()?))
        });
        let help = match (numbers, ty.text.as_str()) {
            (Some((_, fraction @ 0..=15)), _) => {
                let sat = if ty.text.ends_with("_sat_t") { "_sat" } else { "" };
                format!("integer and fraction bits add up to 15; did you mean `s{}_{fraction}{sat}_t`?", 15 - fraction)
            }
            (Some(_), _) => "integer and fraction bits add up to 15, as in `s5_10_t`".to_owned(),
            (None, "float" | "double" | "scalar") => {
                "there is no floating point; choose a fixed-point type such as `s5_10_sat_t`".to_owned()
            }
            (None, "bool") => "conditions cannot be stored; use an `int16_t` that is 0 or 1".to_owned(),
            (None, "int" | "short" | "int32_t" | "int8_t" | "unsigned" | "uint16_t" | "char" | "long") => {
                "integers are `int16_t`".to_owned()
            }
            _ => "types are `sX_Y_t` and `sX_Y_sat_t` with X + Y = 15, and `int16_t`".to_owned(),
        };
        self.report(
            Diagnostic::error(format!("`{}` is not a type", ty.text)).at(ty.span.clone(), "unknown type").help(help),
        );
    }

    fn assignment(&mut self, target: &Expr, op: AssignOp, op_span: &Span, value: &Expr) {
        let place = self.place(target, op != AssignOp::Set);
        let value_given = self.value(value, place.as_ref().map(|(_, ty)| *ty));
        if let AssignOp::Refused(mark) = op {
            let problem = Diagnostic::error(format!("`{mark}` is not supported")).at(op_span.clone(), "this operator");
            return self.report(problem.help(instead_of(mark.trim_end_matches('='))));
        }
        let Some((place, ty)) = place else { return };
        self.assigned(place);
        let Some(value_given) = value_given else { return };
        let current = Value { expr: read(place), ty };
        let name = self.name(place).to_owned();
        let declared = (target.span.clone(), name.as_str(), ty);
        let result = match op {
            AssignOp::Set => self.fit(value_given, value, declared).map(|value| value.expr),
            AssignOp::Add | AssignOp::Sub => {
                self.fit(value_given, value, declared).map(|value| self.sum(op == AssignOp::Add, current, value).expr)
            }
            AssignOp::Multiply => Some(self.multiply_in_place(current, value_given)),
            AssignOp::Refused(_) => None,
        };
        if let Some(result) = result {
            self.assign(place, result);
        }
    }

    /// `x *= y`: the format of `x`, dropping the fraction bits of `y`.
    fn multiply_in_place(&self, x: Value, y: Value) -> kernel::Expr {
        let rounding = if self.options.published { Rounding::Zero } else { self.options.rounding };
        let (ty, shift) = (x.ty, y.ty.format.fraction_bits());
        self.product(x, y, ty, shift, rounding).expr
    }

    /// `x++`: one unit of the number, not of the code.
    fn step(&mut self, target: &Expr, increment: bool, span: &Span) {
        let Some((place, ty)) = self.place(target, true) else { return };
        self.assigned(place);
        let Ok(one) = i16::try_from(1i32 << ty.format.fraction_bits()) else {
            let problem = Diagnostic::error(format!("{ty} has no 1 to step by")).at(span.clone(), "too large a step");
            return self.report(problem.help("add or subtract a fraction, such as `0.5h15`"));
        };
        let one = Value { expr: kernel::Expr::Constant(one), ty };
        let sum = self.sum(increment, Value { expr: read(place), ty }, one).expr;
        self.assign(place, sum);
    }

    /// What `target` names, if it can be assigned to. `update` if its present value counts.
    fn place(&mut self, target: &Expr, update: bool) -> Option<(Place, Type)> {
        let ExprKind::Name(name) = &target.inner().kind else {
            if !matches!(target.inner().kind, ExprKind::Error) {
                let problem = Diagnostic::error("this cannot be assigned to").at(target.span.clone(), "not a variable");
                self.report(problem.help("only variables and locals hold values"));
            }
            return None;
        };
        let problem = |message: String, label: &str| Diagnostic::error(message).at(target.span.clone(), label);
        match self.scopes.find(name) {
            Some(Symbol::Variable(index)) => Some((Place::Variable(index), self.kernel.variables[index].ty)),
            Some(Symbol::Local(index)) => {
                if self.scopes.locals[index].constant {
                    let diagnostic = problem(format!("`{name}` is constant"), "assigned to");
                    let declared = self.scopes.place(index).unwrap_or_default();
                    self.report(diagnostic.at(declared, "declared constant here").help("leave `const` out there"));
                    return None;
                }
                if update {
                    self.require_value(index, name, target.span.clone());
                }
                Some((Place::Local(index), self.kernel.locals[index].ty))
            }
            Some(Symbol::Parameter(_)) => {
                let diagnostic = problem(format!("the parameter `{name}` cannot change"), "assigned to");
                self.report(diagnostic.help("declare it as a variable, or compute into a local"));
                None
            }
            Some(Symbol::Event(_)) => {
                let diagnostic = problem(format!("`{name}` is an event"), "assigned to");
                self.report(diagnostic.help(format!("emit it with `{name}();`")));
                None
            }
            Some(Symbol::Broken) => None,
            None => {
                self.unknown_name(name, &target.span, false);
                None
            }
        }
    }

    /// Only events do something by themselves.
    fn call_statement(&mut self, expr: &Expr) {
        let (name, bare_call) = match &expr.inner().kind {
            ExprKind::Call { function, arguments } => (function.text.as_str(), arguments.is_empty()),
            ExprKind::Name(name) => (name.as_str(), false),
            _ => ("", false),
        };
        if let Some(Symbol::Event(event)) = self.scopes.find(name) {
            if bare_call {
                return self.body.push(kernel::Stmt::Emit(event));
            }
            let problem = Diagnostic::error(format!("the event `{name}` is not emitted like this"));
            return self.report(problem.at(expr.span.clone(), "an event").help(format!("write `{name}();`")));
        }
        let understood =
            if expr.is_condition() { self.condition(expr).is_some() } else { self.value(expr, None).is_some() };
        if understood {
            let problem = Diagnostic::error("this statement does nothing").at(expr.span.clone(), "a value nobody uses");
            self.report(problem.help("assign it, as in `x = …;`, or remove it"));
        }
    }

    fn if_statement(&mut self, condition: &Expr, then: &Stmt, otherwise: Option<&Stmt>) {
        let condition = self.condition(condition);
        let before = self.assigned_locals();
        let then = self.branch(then);
        let after_then = self.assigned_locals();
        self.set_assigned(&before);
        let otherwise = otherwise.map(|otherwise| self.branch(otherwise)).unwrap_or_default();
        let both: Vec<bool> = self.assigned_locals().iter().zip(&after_then).map(|(a, b)| *a && *b).collect();
        self.set_assigned(&both);
        if let Some(condition) = condition {
            self.body.push(kernel::Stmt::If { condition, then, otherwise });
        }
    }

    fn repeat(&mut self, repeated: &Loop) {
        let errors = self.errors();
        self.scopes.enter();
        repeated.start.iter().for_each(|statement| self.statement(statement));
        let outside = std::mem::take(&mut self.body);
        self.loops.push(Around::default());
        let condition = repeated.condition.as_ref();
        condition.filter(|_| repeated.tested_first).into_iter().for_each(|condition| self.test(condition));
        self.block(std::slice::from_ref(&repeated.body));
        let body = std::mem::take(&mut self.body);
        let mut reached = self.loops.last_mut().and_then(|around| around.continued.take());
        meet(&mut reached, &self.assigned_locals());
        self.set_assigned(&reached.unwrap_or_default());
        repeated.step.iter().for_each(|statement| self.statement(statement));
        condition.filter(|_| !repeated.tested_first).into_iter().for_each(|condition| self.test(condition));
        let step = std::mem::replace(&mut self.body, outside);
        if let Some(around) = self.loops.pop() {
            // What was not understood may be what changes it.
            if self.errors() == errors && !around.broken && never_ends(&body, &step) {
                let problem = Diagnostic::error("this loop never ends, once it has begun");
                let problem = problem.at(repeated.span.clone(), "nothing in it changes its condition");
                self.report(problem.help("change what the condition compares, or leave the loop with `break`"));
            }
            // Behind a loop that nobody leaves everything counts as assigned.
            let everything = vec![true; self.scopes.locals.len()];
            self.set_assigned(&around.left.unwrap_or(everything));
        }
        self.scopes.leave();
        self.body.push(kernel::Stmt::Loop { body, step });
    }

    fn errors(&self) -> usize {
        self.diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count()
    }

    /// Whoever does not meet the condition leaves the loop here.
    fn test(&mut self, condition: &Expr) {
        let condition = self.condition(condition);
        let assigned = self.assigned_locals();
        if let Some(around) = self.loops.last_mut() {
            meet(&mut around.left, &assigned);
        }
        if let Some(condition) = condition {
            self.body.push(kernel::Stmt::While(condition));
        }
    }

    fn jump(&mut self, continues: bool, span: &Span) {
        let assigned = self.assigned_locals();
        let Some(around) = self.loops.last_mut() else {
            let word = if continues { "continue" } else { "break" };
            let problem =
                Diagnostic::error(format!("this `{word}` is in no loop")).at(span.clone(), "nothing to leave");
            return self.report(problem.help("`if` and `else` choose which statements are executed"));
        };
        if continues {
            meet(&mut around.continued, &assigned);
            self.body.push(kernel::Stmt::Continue);
        } else {
            around.broken = true;
            meet(&mut around.left, &assigned);
            self.body.push(kernel::Stmt::Break);
        }
        // What nobody reaches counts as assigned.
        let everything = vec![true; self.scopes.locals.len()];
        self.set_assigned(&everything);
    }

    fn branch(&mut self, statement: &Stmt) -> Vec<kernel::Stmt> {
        let outside = std::mem::take(&mut self.body);
        self.block(std::slice::from_ref(statement));
        std::mem::replace(&mut self.body, outside)
    }

    fn assigned_locals(&self) -> Vec<bool> {
        self.scopes.locals.iter().map(|local| local.assigned).collect()
    }

    /// Locals beyond `assigned` are out of sight by now.
    fn set_assigned(&mut self, assigned: &[bool]) {
        for (local, assigned) in self.scopes.locals.iter_mut().zip(assigned) {
            local.assigned = *assigned;
        }
    }

    fn assigned(&mut self, place: Place) {
        if let Place::Local(index) = place {
            self.scopes.locals[index].assigned = true;
        }
    }

    pub(super) fn assign(&mut self, place: Place, value: kernel::Expr) {
        self.body.push(kernel::Stmt::Assign { place, value });
    }

    fn name(&self, place: Place) -> &str {
        match place {
            Place::Variable(index) => &self.kernel.variables[index].name,
            Place::Local(index) => self.scopes.locals[index].declared.as_ref().map_or("", |name| &name.text),
        }
    }

    /// Reports a local that is read before it surely has a value; once.
    pub(super) fn require_value(&mut self, local: usize, name: &str, span: Span) {
        if self.scopes.locals[local].assigned {
            return;
        }
        self.scopes.locals[local].assigned = true;
        let ty = self.kernel.locals[local].ty;
        let zero =
            if ty.format.fraction_bits() == 0 { "0".to_owned() } else { format!("0.0h{}", ty.format.fraction_bits()) };
        let problem = Diagnostic::error(format!("`{name}` may have no value here")).at(span, "read here");
        let problem = match self.scopes.place(local) {
            Some(declared) => problem.at(declared, "declared without a value"),
            None => problem,
        };
        self.report(problem.help(format!("assign it on every path before, or declare it as `{ty} {name} = {zero};`")));
    }

    fn unread_locals(&mut self) {
        for local in &self.scopes.locals {
            if let (false, Some(name)) = (local.read, &local.declared) {
                self.diagnostics.push(
                    Diagnostic::warning(format!("the local `{}` is never read", name.text))
                        .at(name.span.clone(), "declared here")
                        .help("remove it, or use it"),
                );
            }
        }
    }
}

/// Whether a loop without `break` can only go on once it has begun: nothing it tests is assigned in it, and no test draws.
fn never_ends(body: &[kernel::Stmt], step: &[kernel::Stmt]) -> bool {
    let mut assigned = BTreeSet::new();
    kernel::assigned(body, &mut assigned);
    kernel::assigned(step, &mut assigned);
    body.iter().chain(step).all(|statement| match statement {
        kernel::Stmt::While(condition) => {
            let mut read = BTreeSet::new();
            condition.reads(&mut read);
            !condition.draws() && read.is_disjoint(&assigned)
        }
        _ => true,
    })
}

fn read(place: Place) -> kernel::Expr {
    match place {
        Place::Variable(index) => kernel::Expr::Variable(index),
        Place::Local(index) => kernel::Expr::Local(index),
    }
}

impl Checker<'_> {
    /// `left ± right`, of one format.
    pub(super) fn sum(&self, add: bool, left: Value, right: Value) -> Value {
        let saturating = left.ty.saturating || right.ty.saturating;
        let op = match (add, saturating) {
            (true, false) => BinaryOp::Add,
            (true, true) => BinaryOp::AddSaturating,
            (false, false) => BinaryOp::Sub,
            (false, true) => BinaryOp::SubSaturating,
        };
        let ty = Type { saturating, ..left.ty };
        Value { expr: kernel::Expr::Binary { op, left: Box::new(left.expr), right: Box::new(right.expr) }, ty }
    }
}
