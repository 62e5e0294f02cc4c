//! What a kernel does to its variables, as sums: enough to tell whether it is a neuron that NIR has.
//!
//! Contract: [`dynamics`] gives the update of a population in codes, rounding and saturation left out, or says which part of it is
//! no such sum. A kernel passes if it is assignments of sums of variables times constants, then at most one
//! `if (V > constant) { Spike(); V = ...; }`, then assignments again.
//!
//! Not here: NIR.

use std::collections::BTreeMap;

use crate::kernel::{BinaryOp, CompareOp, Cond, Expr, Place, Stmt};
use crate::network::Population;

/// One number per neuron.
type Numbers = Vec<f64>;

/// `Σ factor · variable + constant`, per neuron; variables as they are before the update.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Form {
    factors: BTreeMap<usize, Numbers>,
    pub(super) constant: Numbers,
}

/// What a spike does to the variable that is compared.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum After {
    /// It becomes this.
    Value(Numbers),
    /// The threshold is taken off.
    Subtract,
    /// Nothing.
    Keep,
}

/// When a population spikes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Decision {
    /// The variable that is compared.
    pub(super) variable: usize,
    /// With what.
    pub(super) threshold: Numbers,
    /// `>=` instead of `>`.
    pub(super) equal: bool,
    /// As it was before the update.
    pub(super) old: bool,
    /// With twice the threshold where the variable was above it before the update: snnTorch's subtraction.
    pub(super) delayed: bool,
    /// What a spike does.
    pub(super) after: After,
}

/// The update of a population.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Dynamics {
    /// Per variable, what becomes of it, resets left out.
    pub(super) updates: Vec<Form>,
    /// Whether it spikes.
    pub(super) spike: Option<Decision>,
}

impl Form {
    fn constant(constant: Numbers) -> Self {
        Self { factors: BTreeMap::new(), constant }
    }

    fn variable(variable: usize, size: usize) -> Self {
        Self { factors: BTreeMap::from([(variable, vec![1.0; size])]), constant: vec![0.0; size] }
    }

    /// The factor of a variable.
    pub(super) fn factor(&self, variable: usize) -> Numbers {
        self.factors.get(&variable).cloned().unwrap_or_else(|| vec![0.0; self.constant.len()])
    }

    /// The variables that have a factor other than 0.
    pub(super) fn variables(&self) -> Vec<usize> {
        let counts = |numbers: &Numbers| numbers.iter().any(|number| *number != 0.0);
        self.factors.iter().filter(|(_, numbers)| counts(numbers)).map(|(variable, _)| *variable).collect()
    }

    fn is_constant(&self) -> bool {
        self.variables().is_empty()
    }

    fn plus(mut self, other: &Self, sign: f64) -> Self {
        let add = |sum: &mut Numbers, part: &Numbers| sum.iter_mut().zip(part).for_each(|(a, b)| *a += sign * b);
        add(&mut self.constant, &other.constant);
        for (variable, factor) in &other.factors {
            let zeros = || vec![0.0; factor.len()];
            add(self.factors.entry(*variable).or_insert_with(zeros), factor);
        }
        self
    }

    fn times(mut self, factors: &Numbers) -> Self {
        for numbers in self.factors.values_mut().chain([&mut self.constant]) {
            numbers.iter_mut().zip(factors).for_each(|(number, factor)| *number *= factor);
        }
        self
    }
}

/// A value, and whether it is doubled where a variable was above it: snnTorch's threshold.
#[derive(Debug, Clone)]
struct Value {
    form: Form,
    doubled: Option<(usize, bool)>,
}

struct Reader<'p> {
    population: &'p Population,
    variables: Vec<Form>,
    locals: BTreeMap<usize, Value>,
}

type Part<T> = Result<T, &'static str>;

/// The update of `population`.
///
/// # Errors
/// What in its kernel is not of the form that the module states.
pub(super) fn dynamics(population: &Population) -> Part<Dynamics> {
    let size = population.size as usize;
    let variables = (0..population.variables.len()).map(|variable| Form::variable(variable, size)).collect();
    let mut reader = Reader { population, variables, locals: BTreeMap::new() };
    let mut spike: Option<Decision> = None;
    for stmt in &population.kernel.body {
        match stmt {
            Stmt::Assign { place: Place::Local(local), value } => {
                let value = reader.value(value)?;
                reader.locals.insert(*local, value);
            }
            Stmt::Assign { place: Place::Variable(variable), value } => {
                if spike.as_ref().is_some_and(|spike| spike.variable == *variable) {
                    return Err("changes the potential behind its reset");
                }
                let form = reader.form(value)?;
                // What has been reset is no longer a sum.
                let reset = |spike: &Decision| spike.after != After::Keep && reader.reads(value, spike.variable);
                if spike.as_ref().is_some_and(reset) {
                    return Err("reads the potential behind its reset");
                }
                reader.variables[*variable] = form;
            }
            Stmt::If { condition, then, otherwise } if spike.is_none() && otherwise.is_empty() => {
                spike = Some(reader.decision(condition, then)?);
            }
            Stmt::If { .. } => return Err("has more than one `if`, or an `else`"),
            Stmt::Emit(_) => return Err("spikes whatever its potential is"),
            Stmt::Loop { .. } | Stmt::While(_) | Stmt::Break | Stmt::Continue => return Err("repeats something"),
        }
    }
    Ok(Dynamics { updates: reader.variables, spike })
}

impl Reader<'_> {
    fn size(&self) -> usize {
        self.population.size as usize
    }

    /// Whether an expression reads a variable.
    fn reads(&self, expr: &Expr, variable: usize) -> bool {
        match expr {
            Expr::Variable(index) => *index == variable,
            Expr::Constant(_) | Expr::Parameter(_) | Expr::Local(_) | Expr::Random => false,
            Expr::Binary { left, right, .. } | Expr::Multiply { left, right, .. } => {
                self.reads(left, variable) || self.reads(right, variable)
            }
            Expr::ShiftLeft { value, .. } | Expr::ShiftRight { value, .. } | Expr::Interpolate { value, .. } => {
                self.reads(value, variable)
            }
            Expr::Select { then, otherwise, .. } => self.reads(then, variable) || self.reads(otherwise, variable),
        }
    }

    fn form(&self, expr: &Expr) -> Part<Form> {
        let Value { form, doubled } = self.value(expr)?;
        if doubled.is_some() { Err("chooses between two values") } else { Ok(form) }
    }

    fn value(&self, expr: &Expr) -> Part<Value> {
        let form = match expr {
            Expr::Constant(code) => Form::constant(vec![f64::from(*code); self.size()]),
            Expr::Variable(variable) => self.variables[*variable].clone(),
            Expr::Parameter(parameter) => {
                let values = &self.population.parameters[*parameter];
                Form::constant((0..self.size()).map(|neuron| f64::from(values.get(neuron))).collect())
            }
            Expr::Local(local) => return self.locals.get(local).cloned().ok_or("reads a value that it has not set"),
            Expr::Random => return Err("draws random numbers"),
            Expr::Interpolate { .. } => return Err("looks up a function"),
            Expr::Binary { op, left, right } => {
                let (left, right) = (self.form(left)?, self.form(right)?);
                match op {
                    BinaryOp::Add | BinaryOp::AddSaturating => left.plus(&right, 1.0),
                    BinaryOp::Sub | BinaryOp::SubSaturating => left.plus(&right, -1.0),
                    BinaryOp::And => return Err("works on single bits"),
                    BinaryOp::ShiftLeft | BinaryOp::ShiftRight => return Err("shifts by a variable"),
                }
            }
            Expr::Multiply { left, right, shift, .. } => {
                let (left, right) = (self.form(left)?, self.form(right)?);
                let (factor, value) = if left.is_constant() { (left, right) } else { (right, left) };
                if !factor.is_constant() {
                    return Err("multiplies two variables");
                }
                let scale = 1.0 / f64::from(1_u32 << shift);
                value.times(&factor.constant.iter().map(|factor| factor * scale).collect())
            }
            Expr::ShiftLeft { value, shift } => self.form(value)?.times(&vec![f64::from(1_u32 << shift); self.size()]),
            Expr::ShiftRight { value, shift, .. } => {
                self.form(value)?.times(&vec![1.0 / f64::from(1_u32 << shift); self.size()])
            }
            Expr::Select { condition, then, otherwise } => {
                let (then, otherwise) = (self.form(then)?, self.form(otherwise)?);
                let doubled = otherwise.clone().plus(&otherwise, 1.0);
                let (variable, threshold, equal) = self.compared(condition)?;
                if then != doubled || !otherwise.is_constant() || threshold != otherwise.constant {
                    return Err("chooses between two values");
                }
                return Ok(Value { form: otherwise, doubled: Some((variable, equal)) });
            }
        };
        Ok(Value { form, doubled: None })
    }

    /// `variable as before the update > threshold`; whether it is `>=`.
    fn compared(&self, condition: &Cond) -> Part<(usize, Numbers, bool)> {
        let (left, right, equal) = sides(condition)?;
        let (left, right) = (self.form(left)?, self.form(right)?);
        let variable = before(&left).ok_or("chooses by something that is not its potential")?;
        if right.is_constant() { Ok((variable, right.constant, equal)) } else { Err("compares two variables") }
    }

    fn decision(&self, condition: &Cond, then: &[Stmt]) -> Part<Decision> {
        let (left, right, equal) = sides(condition)?;
        let Value { form: limit, doubled } = self.value(right)?;
        if !limit.is_constant() {
            return Err("has a threshold that changes");
        }
        let threshold = limit.constant;
        let (variable, old) = match left {
            Expr::Variable(variable) => (*variable, before(&self.variables[*variable]) == Some(*variable)),
            other => {
                let form = self.form(other)?;
                (before(&form).ok_or("compares something that is not its potential")?, true)
            }
        };
        let delayed = match doubled {
            None => false,
            Some(of) if of == (variable, equal) && !old => true,
            Some(_) => return Err("chooses between two values"),
        };
        let mut after = After::Keep;
        let mut emits = false;
        for stmt in then {
            match stmt {
                Stmt::Emit(0) => emits = true,
                Stmt::Emit(_) => return Err("has more than one event"),
                Stmt::Assign { place: Place::Variable(place), value } if *place == variable && after == After::Keep => {
                    let form = self.form(value)?;
                    let lowered = self.variables[variable].clone().plus(&Form::constant(threshold.clone()), -1.0);
                    after = if form.is_constant() {
                        After::Value(form.constant)
                    } else if form == lowered {
                        After::Subtract
                    } else {
                        return Err(
                            "resets its potential to something that is neither a value nor less by the threshold",
                        );
                    };
                }
                Stmt::Assign { .. }
                | Stmt::If { .. }
                | Stmt::Loop { .. }
                | Stmt::While(_)
                | Stmt::Break
                | Stmt::Continue => return Err("does more at a spike than reset its potential"),
            }
        }
        if !emits {
            return Err("has an `if` that is no spike");
        }
        if delayed && after != After::Subtract {
            return Err("chooses between two values");
        }
        Ok(Decision { variable, threshold, equal, old, delayed, after })
    }
}

/// The variable whose value before the update this is.
fn before(form: &Form) -> Option<usize> {
    match form.variables()[..] {
        [variable] if form.constant.iter().all(|c| *c == 0.0) => {
            form.factors[&variable].iter().all(|factor| *factor == 1.0).then_some(variable)
        }
        _ => None,
    }
}

/// The greater and the lesser side of a comparison; whether equals pass.
fn sides(condition: &Cond) -> Part<(&Expr, &Expr, bool)> {
    match condition {
        Cond::Compare { op, left, right } => match op {
            CompareOp::Greater => Ok((left, right, false)),
            CompareOp::GreaterEqual => Ok((left, right, true)),
            CompareOp::Less => Ok((right, left, false)),
            CompareOp::LessEqual => Ok((right, left, true)),
            CompareOp::Equal | CompareOp::NotEqual => Err("compares for equality"),
        },
        Cond::And(..) | Cond::Or(..) | Cond::Not(_) => Err("has a condition of several parts"),
    }
}
