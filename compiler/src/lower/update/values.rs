//! A neuron program as a graph of values: what each variable, event and recording becomes, and of what.
//!
//! Contract: a [`Graph`] computes what the kernel computes, lane by lane, for lanes that are neurons. Nodes are in an
//! order in which they can be computed; equal ones are one. Random numbers are nodes of their own, in the order in which
//! the kernel draws them, wanted or not: the generators advance with each.
//!
//! An `if` becomes choices between values under masks. What is assigned under a mask and read under the same mask only is
//! never chosen: [`Graph::under`] looks through choices that the mask at hand has made already. Operations on constants are
//! carried out here.
//!
//! Not here: instructions, registers, where arrays are, and kernels that repeat something (see [`super::walk`]).

use std::collections::BTreeMap;

use fenn_isa::Op;
use fenn_isa::lane;

use crate::kernel::{BinaryOp, CompareOp, Cond, Expr, Place, Rounding, Stmt, Table};
use crate::network::{Population, Values};

/// A lane value: the number of its node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Value(pub(super) usize);

/// One bit per lane: a node's, or the opposite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mask {
    pub(super) node: usize,
    pub(super) negated: bool,
}

impl Mask {
    /// Every lane; its node is always there.
    pub(super) const ALL: Self = Self { node: 0, negated: false };
    /// No lane.
    pub(super) const NONE: Self = Self { node: 0, negated: true };

    pub(super) const fn not(self) -> Self {
        Self { node: self.node, negated: !self.negated }
    }
}

/// How a value or a mask is computed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Node {
    /// Every lane.
    All,
    /// `left < right`, or `left == right`.
    Compare { equal: bool, left: Value, right: Value },
    /// Both.
    And(Mask, Mask),
    /// The same in each lane.
    Constant(i16),
    /// What the variable was before this step.
    Variable(usize),
    /// A parameter that differs from neuron to neuron.
    Parameter(usize),
    /// An instruction on values, with its shift where it has one.
    Operation { op: Op, values: Vec<Value>, shift: Option<u8> },
    /// An entry of a table of the kernel, or the one behind it, by twice its number.
    Lookup { table: usize, next: bool, offset: Value },
    /// `mask ? then : otherwise`; the mask is not negated.
    Select { mask: Mask, then: Value, otherwise: Value },
}

/// A neuron program.
#[derive(Debug, Default)]
pub(super) struct Graph {
    pub(super) nodes: Vec<Node>,
    numbers: BTreeMap<Node, usize>,
    /// What each variable holds at the end.
    pub(super) variables: Vec<Value>,
    /// Which lanes emit each event.
    pub(super) events: Vec<Mask>,
}

/// How deep masks are looked into; more could only miss a saving.
const DEPTH: u32 = 8;

impl Graph {
    /// The graph of a population's kernel.
    pub(super) fn of(population: &Population) -> Self {
        let kernel = &population.kernel;
        let mut graph = Self::default();
        graph.node(Node::All);
        graph.variables = (0..kernel.variables.len()).map(|index| graph.value(Node::Variable(index))).collect();
        graph.events = vec![Mask::NONE; kernel.events.len()];
        let zero = graph.value(Node::Constant(0));
        let mut builder = Builder { population, locals: vec![zero; kernel.locals.len()], graph };
        builder.statements(&kernel.body, Mask::ALL);
        builder.graph
    }

    /// The number of `node`, which is new or has been there.
    fn node(&mut self, node: Node) -> usize {
        if let Some(number) = self.numbers.get(&node) {
            return *number;
        }
        let number = self.nodes.len();
        let draws = matches!(node, Node::Operation { op, .. } if fenn_isa::timing::draws(op));
        if !draws {
            self.numbers.insert(node.clone(), number);
        }
        self.nodes.push(node);
        number
    }

    fn value(&mut self, node: Node) -> Value {
        Value(self.node(node))
    }

    pub(super) fn constant(&self, value: Value) -> Option<i16> {
        if let Node::Constant(code) = self.nodes[value.0] { Some(code) } else { None }
    }

    fn and(&mut self, a: Mask, b: Mask) -> Mask {
        if self.implies(a, b, DEPTH) {
            return a;
        }
        if self.implies(b, a, DEPTH) {
            return b;
        }
        if self.implies(a, b.not(), DEPTH) {
            return Mask::NONE;
        }
        Mask { node: self.node(Node::And(a.min(b), a.max(b))), negated: false }
    }

    fn or(&mut self, a: Mask, b: Mask) -> Mask {
        self.and(a.not(), b.not()).not()
    }

    /// Whether every lane of `a` is seen to be one of `b`.
    fn implies(&self, a: Mask, b: Mask, depth: u32) -> bool {
        if a == b || b == Mask::ALL || a == Mask::NONE {
            return true;
        }
        let Some(depth) = depth.checked_sub(1) else { return false };
        let both = |mask: Mask| if let Node::And(x, y) = self.nodes[mask.node] { Some((x, y)) } else { None };
        match (both(a), a.negated) {
            (Some((x, y)), false) if self.implies(x, b, depth) || self.implies(y, b, depth) => return true,
            (Some((x, y)), true) if self.implies(x.not(), b, depth) && self.implies(y.not(), b, depth) => return true,
            _ => {}
        }
        match (both(b), b.negated) {
            (Some((x, y)), false) => self.implies(a, x, depth) && self.implies(a, y, depth),
            (Some((x, y)), true) => self.implies(a, x.not(), depth) || self.implies(a, y.not(), depth),
            (None, _) => false,
        }
    }

    /// A value that is `value` in the lanes of `mask`.
    fn under(&self, mut value: Value, mask: Mask) -> Value {
        while let Node::Select { mask: chosen, then, otherwise } = self.nodes[value.0] {
            if self.implies(mask, chosen, DEPTH) {
                value = then;
            } else if self.implies(mask, chosen.not(), DEPTH) {
                value = otherwise;
            } else {
                break;
            }
        }
        value
    }

    fn select(&mut self, mask: Mask, then: Value, otherwise: Value) -> Value {
        let (then, otherwise) = (self.under(then, mask), self.under(otherwise, mask.not()));
        if then == otherwise || mask == Mask::ALL {
            return then;
        }
        if mask == Mask::NONE {
            return otherwise;
        }
        if mask.negated {
            return self.value(Node::Select { mask: mask.not(), then: otherwise, otherwise: then });
        }
        self.value(Node::Select { mask, then, otherwise })
    }

    fn compare(&mut self, equal: bool, left: Value, right: Value) -> Mask {
        let all = |holds: bool| if holds { Mask::ALL } else { Mask::NONE };
        if let (Some(a), Some(b)) = (self.constant(left), self.constant(right)) {
            return all(if equal { a == b } else { a < b });
        }
        if left == right {
            return all(equal);
        }
        // Equality has no direction.
        let (left, right) = if equal { (left.min(right), left.max(right)) } else { (left, right) };
        Mask { node: self.node(Node::Compare { equal, left, right }), negated: false }
    }

    fn binary(&mut self, op: BinaryOp, left: Value, right: Value) -> Value {
        let (a, b) = (self.constant(left), self.constant(right));
        let known = |code| Node::Constant(code);
        let node = match (op, a, b) {
            (BinaryOp::Add, Some(a), Some(b)) => known(lane::add(a, b, false)),
            (BinaryOp::AddSaturating, Some(a), Some(b)) => known(lane::add(a, b, true)),
            (BinaryOp::Sub, Some(a), Some(b)) => known(lane::sub(a, b, false)),
            (BinaryOp::SubSaturating, Some(a), Some(b)) => known(lane::sub(a, b, true)),
            (BinaryOp::And, Some(a), Some(b)) => known(a & b),
            (BinaryOp::ShiftLeft, _, Some(b)) => return self.shift_left(left, (b & 15) as u8),
            (BinaryOp::ShiftRight, _, Some(b)) => return self.shift_right(left, (b & 15) as u8, Rounding::Zero),
            (BinaryOp::And, Some(0), _) | (BinaryOp::And, _, Some(0)) => known(0),
            (BinaryOp::And, Some(-1), _) | (BinaryOp::Add | BinaryOp::AddSaturating, Some(0), _) => return right,
            (BinaryOp::And, _, Some(-1)) => return left,
            (BinaryOp::Add | BinaryOp::AddSaturating | BinaryOp::Sub | BinaryOp::SubSaturating, _, Some(0)) => {
                return left;
            }
            (BinaryOp::Sub | BinaryOp::SubSaturating, ..) if left == right => known(0),
            (BinaryOp::And, ..) if left == right => return left,
            _ => {
                let (op, commutes) = match op {
                    BinaryOp::Add => (Op::VAdd, true),
                    BinaryOp::AddSaturating => (Op::VAddS, true),
                    BinaryOp::Sub => (Op::VSub, false),
                    BinaryOp::SubSaturating => (Op::VSubS, false),
                    BinaryOp::And => (Op::VAnd, true),
                    BinaryOp::ShiftLeft => (Op::VSll, false),
                    BinaryOp::ShiftRight => (Op::VSra, false),
                };
                let values = if commutes { vec![left.min(right), left.max(right)] } else { vec![left, right] };
                Node::Operation { op, values, shift: None }
            }
        };
        self.value(node)
    }

    fn multiply(&mut self, left: Value, right: Value, shift: u8, rounding: Rounding, saturating: bool) -> Value {
        let op = match (saturating, rounding) {
            (false, Rounding::Zero) => Op::VMul,
            (false, Rounding::Nearest) => Op::VMulRn,
            (false, Rounding::Stochastic) => Op::VMulRs,
            (true, Rounding::Zero) => Op::VMulS,
            (true, Rounding::Nearest) => Op::VMulSRn,
            (true, Rounding::Stochastic) => Op::VMulSRs,
        };
        let whole = Node::Operation { op, values: vec![left.min(right), left.max(right)], shift: Some(shift) };
        if rounding == Rounding::Stochastic {
            return self.value(whole);
        }
        let (a, b) = (self.constant(left), self.constant(right));
        if let (Some(a), Some(b)) = (a, b) {
            return self.value(Node::Constant(lane::multiply(a, b, shift, rounding, 0, saturating)));
        }
        let (factor, value) = if a.is_some() { (a, right) } else { (b, left) };
        match factor {
            Some(0) => self.value(Node::Constant(0)),
            // A product with a power of two that is shifted as far or further is a shift: what is dropped of the product
            // is what the shorter shift drops, and below it nothing but zeros. It saturates nothing.
            Some(factor) if factor > 0 && factor.count_ones() == 1 && factor.trailing_zeros() <= u32::from(shift) => {
                self.shift_right(value, shift - factor.trailing_zeros() as u8, rounding)
            }
            Some(factor) if factor > 0 && factor.count_ones() == 1 && !saturating => {
                self.shift_left(value, factor.trailing_zeros() as u8 - shift)
            }
            _ => self.value(whole),
        }
    }

    fn shift_left(&mut self, value: Value, shift: u8) -> Value {
        match (self.constant(value), shift) {
            (_, 0) => value,
            (Some(code), _) => self.value(Node::Constant(lane::shift_left(code, shift))),
            (None, _) => self.value(Node::Operation { op: Op::VSlli, values: vec![value], shift: Some(shift) }),
        }
    }

    fn shift_right(&mut self, value: Value, shift: u8, rounding: Rounding) -> Value {
        let op = match rounding {
            Rounding::Zero => Op::VSrai,
            Rounding::Nearest => Op::VSraiRn,
            Rounding::Stochastic => Op::VSraiRs,
        };
        match (self.constant(value), rounding, shift) {
            (_, Rounding::Zero | Rounding::Nearest, 0) => value,
            (Some(code), Rounding::Zero | Rounding::Nearest, _) => {
                self.value(Node::Constant(lane::shift_right(code, shift, rounding, 0)))
            }
            _ => self.value(Node::Operation { op, values: vec![value], shift: Some(shift) }),
        }
    }
}

impl Graph {
    /// Straight lines between the entries of `kernel.tables[table]`, which is `codes`.
    fn interpolate(&mut self, table: usize, codes: &Table, value: Value, shift: u8) -> Value {
        if let Some(value) = self.constant(value) {
            return self.value(Node::Constant(codes.interpolate(value, shift)));
        }
        let constant = |graph: &mut Self, code: i32| graph.value(Node::Constant(code as i16));
        let last = codes.codes.len() as i32 - 2;
        // Twice the number of the entry is its place in a lane's memory.
        let (wide, mask) = (self.shift_right(value, shift - 1, Rounding::Zero), constant(self, 2 * last));
        let offset = self.binary(BinaryOp::And, wide, mask);
        let [entry, next] = [false, true].map(|next| self.value(Node::Lookup { table, next, offset }));
        let mask = constant(self, (1 << shift) - 1);
        let fraction = self.binary(BinaryOp::And, value, mask);
        let difference = self.binary(BinaryOp::Sub, next, entry);
        let part = self.multiply(difference, fraction, shift, Rounding::Nearest, false);
        self.binary(BinaryOp::Add, entry, part)
    }
}

struct Builder<'a> {
    population: &'a Population,
    locals: Vec<Value>,
    graph: Graph,
}

impl Builder<'_> {
    fn statements(&mut self, block: &[Stmt], mask: Mask) {
        for stmt in block {
            match stmt {
                Stmt::Assign { place, value } => {
                    let value = self.expr(value, mask);
                    let old = *self.place(*place);
                    *self.place(*place) = self.graph.select(mask, value, old);
                }
                Stmt::Emit(event) => {
                    let before = self.graph.events[*event];
                    self.graph.events[*event] = self.graph.or(before, mask);
                }
                Stmt::If { condition, then, otherwise } => {
                    let condition = self.condition(condition, mask);
                    let (inside, outside) = (self.graph.and(mask, condition), self.graph.and(mask, condition.not()));
                    self.statements(then, inside);
                    self.statements(otherwise, outside);
                }
                Stmt::Loop { .. } | Stmt::While(_) | Stmt::Break | Stmt::Continue => {
                    unreachable!("kernels that repeat something have no graph")
                }
            }
        }
    }

    fn place(&mut self, place: Place) -> &mut Value {
        match place {
            Place::Variable(index) => &mut self.graph.variables[index],
            Place::Local(index) => &mut self.locals[index],
        }
    }

    /// The value of an expression in the lanes of `mask`; anything in the others.
    fn expr(&mut self, expr: &Expr, mask: Mask) -> Value {
        match expr {
            Expr::Constant(code) => self.graph.value(Node::Constant(*code)),
            Expr::Variable(index) => self.graph.under(self.graph.variables[*index], mask),
            Expr::Local(index) => self.graph.under(self.locals[*index], mask),
            Expr::Parameter(index) => {
                let node = match &self.population.parameters[*index] {
                    Values::Uniform(code) => Node::Constant(*code),
                    Values::PerNeuron(_) => Node::Parameter(*index),
                };
                self.graph.value(node)
            }
            Expr::Random => self.graph.value(Node::Operation { op: Op::VRng, values: Vec::new(), shift: None }),
            Expr::Binary { op, left, right } => {
                let (left, right) = (self.expr(left, mask), self.expr(right, mask));
                self.graph.binary(*op, left, right)
            }
            Expr::Multiply { left, right, shift, rounding, saturating } => {
                let (left, right) = (self.expr(left, mask), self.expr(right, mask));
                self.graph.multiply(left, right, *shift, *rounding, *saturating)
            }
            Expr::ShiftLeft { value, shift } => {
                let value = self.expr(value, mask);
                self.graph.shift_left(value, *shift)
            }
            Expr::ShiftRight { value, shift, rounding } => {
                let value = self.expr(value, mask);
                self.graph.shift_right(value, *shift, *rounding)
            }
            Expr::Interpolate { table, value, shift } => {
                let value = self.expr(value, mask);
                self.graph.interpolate(*table, &self.population.kernel.tables[*table], value, *shift)
            }
            Expr::Select { condition, then, otherwise } => {
                let condition = self.condition(condition, mask);
                let inside = self.graph.and(mask, condition);
                let outside = self.graph.and(mask, condition.not());
                let (then, otherwise) = (self.expr(then, inside), self.expr(otherwise, outside));
                self.graph.select(condition, then, otherwise)
            }
        }
    }

    /// The lanes of `mask` in which the condition holds; any of the others.
    fn condition(&mut self, cond: &Cond, mask: Mask) -> Mask {
        match cond {
            Cond::Compare { op, left, right } => {
                let (left, right) = (self.expr(left, mask), self.expr(right, mask));
                match op {
                    CompareOp::Equal => self.graph.compare(true, left, right),
                    CompareOp::NotEqual => self.graph.compare(true, left, right).not(),
                    CompareOp::Less => self.graph.compare(false, left, right),
                    CompareOp::GreaterEqual => self.graph.compare(false, left, right).not(),
                    CompareOp::Greater => self.graph.compare(false, right, left),
                    CompareOp::LessEqual => self.graph.compare(false, right, left).not(),
                }
            }
            Cond::And(a, b) => {
                let (a, b) = (self.condition(a, mask), self.condition(b, mask));
                self.graph.and(a, b)
            }
            Cond::Or(a, b) => {
                let (a, b) = (self.condition(a, mask), self.condition(b, mask));
                self.graph.or(a, b)
            }
            Cond::Not(a) => self.condition(a, mask).not(),
        }
    }
}
