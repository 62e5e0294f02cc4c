//! The instructions of one block of 32 neurons, from the graph of its values.
//!
//! `vsel` changes its destination in some lanes, so a choice takes the register of one of its two values: of the one that
//! nobody wants any more, with the mask or the opposite of it. A [`Plan`] decides that once for all blocks, and which way
//! round each comparison is made, such that few masks have to be inverted and few values copied.

use std::collections::{BTreeMap, BTreeSet};

use fenn_isa::Op;
use fenn_isa::operand::OperandKind;

use super::super::lanes::{self, At};
use super::values::{Graph, Mask, Node, Value};
use crate::ir::{Arg, Code, Reg};

/// How a choice finds its destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// In the register of the value where the mask does not hold, which is not wanted any more.
    Otherwise,
    /// In the register of the value where it does, with the opposite mask.
    Then,
    /// In a copy of the value where the mask does not hold.
    CopyOtherwise,
    /// In a copy of the value where it does, with the opposite mask.
    CopyThen,
}

/// How blocks are computed.
pub(super) struct Plan<'a> {
    graph: &'a Graph,
    /// Nodes that something wants and that are computed, in order.
    order: Vec<usize>,
    /// How often each node is wanted as a value, by instructions and stores.
    uses: Vec<u32>,
    forms: BTreeMap<usize, Form>,
    /// Comparisons of which the opposite is made.
    opposite: BTreeSet<usize>,
    /// Variables to be stored, by the node they become.
    stores: BTreeMap<usize, Vec<usize>>,
    /// Variables to be recorded, by the node they become.
    records: BTreeMap<usize, Vec<usize>>,
}

/// A place in memory, and the array it belongs to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) base: Arg,
    pub(super) offset: i64,
    pub(super) array: u32,
}

/// Where a block's vectors and words are.
pub(super) struct Places {
    pub(super) variables: Vec<Option<Place>>,
    pub(super) parameters: Vec<Option<Place>>,
    pub(super) records: Vec<Option<Place>>,
    pub(super) events: Vec<Place>,
    /// Of the kernel's tables: first rows of lane-local memory.
    pub(super) tables: Vec<u32>,
    /// A mask of the lanes that are neurons, where not all are and the block is known to be the last.
    pub(super) lanes: Option<Reg>,
}

/// What all blocks share.
pub(super) struct Shared {
    pub(super) constants: BTreeMap<i16, Reg>,
    /// Every lane.
    pub(super) all: Option<Reg>,
}

impl<'a> Plan<'a> {
    /// How to compute `graph` where the variables for which `recorded` holds are recorded.
    pub(super) fn of(graph: &'a Graph, recorded: impl Fn(usize) -> bool) -> Self {
        let mut stores: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        let mut records: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (variable, value) in graph.variables.iter().enumerate() {
            // What has not changed is there already.
            if graph.nodes[value.0] != Node::Variable(variable) {
                stores.entry(value.0).or_default().push(variable);
            }
            if recorded(variable) {
                records.entry(value.0).or_default().push(variable);
            }
        }
        let mut wanted = vec![false; graph.nodes.len()];
        stores.keys().chain(records.keys()).for_each(|node| wanted[*node] = true);
        graph.events.iter().for_each(|mask| wanted[mask.node] = true);
        let mut uses = vec![0; graph.nodes.len()];
        for (node, variables) in stores.iter().chain(&records) {
            uses[*node] += variables.len() as u32;
        }
        for (number, node) in graph.nodes.iter().enumerate().rev() {
            let draws = matches!(node, Node::Operation { op, .. } if fenn_isa::timing::draws(*op));
            if wanted[number] || draws {
                wanted[number] = true;
                let (values, masks) = operands(node);
                for value in values {
                    wanted[value.0] = true;
                    uses[value.0] += 1;
                }
                masks.into_iter().for_each(|mask| wanted[mask.node] = true);
            }
        }
        let computed = |number: &usize| {
            let leaf =
                matches!(graph.nodes[*number], Node::All | Node::Constant(_) | Node::Variable(_) | Node::Parameter(_));
            wanted[*number] && !leaf
        };
        let order = (0..graph.nodes.len()).filter(computed).collect();
        let (forms, opposite) = (BTreeMap::new(), BTreeSet::new());
        let mut plan = Self { graph, order, uses, forms, opposite, stores, records };
        plan.choose();
        plan
    }

    /// Decides the form of every choice and the direction of every comparison.
    fn choose(&mut self) {
        let mut left = self.uses.clone();
        // Wishes for each mask as it is and for its opposite.
        let mut wishes: BTreeMap<usize, [u32; 2]> = BTreeMap::new();
        let mut wish = |node: usize, negated: bool| wishes.entry(node).or_default()[usize::from(negated)] += 1;
        let mut open = Vec::new();
        for number in &self.order {
            let node = &self.graph.nodes[*number];
            if let Node::Select { mask, then, otherwise } = node {
                // Constants outlive the block.
                let dies = |value: &Value| left[value.0] == 1 && self.graph.constant(*value).is_none();
                match (dies(otherwise), dies(then)) {
                    (true, false) => {
                        self.forms.insert(*number, Form::Otherwise);
                        wish(mask.node, false);
                    }
                    (false, true) => {
                        self.forms.insert(*number, Form::Then);
                        wish(mask.node, true);
                    }
                    (dies, _) => open.push((*number, mask.node, dies)),
                }
            }
            operands(node).0.into_iter().for_each(|value| left[value.0] -= 1);
            left[*number] -= self.kept(*number).0.len() as u32 + self.kept(*number).1.len() as u32;
        }
        self.graph.events.iter().for_each(|mask| wish(mask.node, mask.negated));
        for (number, mask, dies) in open {
            let wish = wishes.entry(mask).or_default();
            let negated = wish[0] == 0 && wish[1] > 0;
            wish[usize::from(negated)] += 1;
            let form = match (dies, negated) {
                (true, false) => Form::Otherwise,
                (true, true) => Form::Then,
                (false, false) => Form::CopyOtherwise,
                (false, true) => Form::CopyThen,
            };
            self.forms.insert(number, form);
        }
        self.opposite = wishes.into_iter().filter(|(_, [plain, opposite])| opposite > plain).map(|(n, _)| n).collect();
    }

    /// The variables that a node is stored to, and recorded as.
    fn kept(&self, number: usize) -> (&[usize], &[usize]) {
        let of = |map: &'_ BTreeMap<usize, Vec<usize>>| map.get(&number).map_or(0, Vec::len);
        let (stores, records) = (of(&self.stores), of(&self.records));
        (if stores > 0 { &self.stores[&number] } else { &[] }, if records > 0 { &self.records[&number] } else { &[] })
    }

    /// The constants that blocks read.
    pub(super) fn constants(&self) -> BTreeSet<i16> {
        let used = self.uses.iter().enumerate().filter(|(_, uses)| **uses > 0);
        used.filter_map(|(number, _)| self.graph.constant(Value(number))).collect()
    }

    /// Whether an event is emitted by all neurons.
    pub(super) fn wants_all(&self) -> bool {
        self.graph.events.contains(&Mask::ALL)
    }

    /// Whether a block reads the variable or the parameter.
    fn reads(&self, node: &Node) -> bool {
        self.graph.nodes.iter().zip(&self.uses).any(|(other, uses)| *uses > 0 && other == node)
    }

    /// Whether blocks access the variable's array.
    pub(super) fn accesses(&self, variable: usize) -> bool {
        self.reads(&Node::Variable(variable)) || self.stores.values().flatten().any(|stored| *stored == variable)
    }

    /// Instructions in a block, nearly.
    pub(super) fn length(&self) -> u32 {
        let loads = self
            .graph
            .nodes
            .iter()
            .zip(&self.uses)
            .filter(|(node, uses)| **uses > 0 && matches!(node, Node::Variable(_) | Node::Parameter(_)));
        let copies = self.forms.values().filter(|form| matches!(form, Form::CopyThen | Form::CopyOtherwise));
        let stores = self.stores.values().chain(self.records.values()).map(Vec::len).sum::<usize>();
        (loads.count() + copies.count() + stores + self.order.len() + self.graph.events.len()) as u32
    }

    /// Appends a block's code.
    pub(super) fn emit(&self, code: &mut Code, places: &Places, shared: &Shared) {
        let nodes = self.graph.nodes.len();
        let mut block =
            Block { plan: self, code, places, shared, values: vec![None; nodes], masks: vec![[None; 2]; nodes] };
        block.masks[0][0] = shared.all;
        self.order.iter().for_each(|number| block.compute(*number));
        block.finish();
    }
}

/// The entry of the table at `row` that `offset` bytes lead to, or the next one.
pub(super) fn look_up(code: &mut Code, row: u32, next: bool, offset: Reg) -> Reg {
    let at = 2 * (i64::from(row) + i64::from(next));
    let (base, at) = if OperandKind::Imm12.range().contains(&at) {
        (offset, at)
    } else {
        let start = code.def_v(Op::VLui, &[at.into()]);
        (code.def_v(Op::VAdd, &[start.into(), offset.into()]), 0)
    };
    let entry = lanes::load(code, At::new(base.into(), at, 0));
    code.within(row);
    entry
}

/// The values and masks that a node is computed of.
fn operands(node: &Node) -> (Vec<Value>, Vec<Mask>) {
    match node {
        Node::All | Node::Constant(_) | Node::Variable(_) | Node::Parameter(_) => (Vec::new(), Vec::new()),
        Node::Compare { left, right, .. } => (vec![*left, *right], Vec::new()),
        Node::And(a, b) => (Vec::new(), vec![*a, *b]),
        Node::Operation { values, .. } => (values.clone(), Vec::new()),
        Node::Lookup { offset, .. } => (vec![*offset], Vec::new()),
        Node::Select { mask, then, otherwise } => (vec![*then, *otherwise], vec![*mask]),
    }
}

/// The code of one block, as far as it is.
struct Block<'a> {
    plan: &'a Plan<'a>,
    code: &'a mut Code,
    places: &'a Places,
    shared: &'a Shared,
    /// The register of each value that has been computed.
    values: Vec<Option<Reg>>,
    /// The registers of each mask that has been computed, and of its opposite.
    masks: Vec<[Option<Reg>; 2]>,
}

impl Block<'_> {
    fn compute(&mut self, number: usize) {
        match &self.plan.graph.nodes[number] {
            Node::Compare { equal, left, right } => {
                let opposite = self.plan.opposite.contains(&number);
                let op = match (equal, opposite) {
                    (true, false) => Op::VTeq,
                    (true, true) => Op::VTne,
                    (false, false) => Op::VTlt,
                    (false, true) => Op::VTge,
                };
                let (left, right) = (self.value(*left), self.value(*right));
                self.masks[number][usize::from(opposite)] = Some(self.code.def_x(op, &[left.into(), right.into()]));
            }
            Node::And(a, b) => self.and(number, *a, *b),
            Node::Operation { op, values, shift } => {
                let mut args: Vec<Arg> = values.iter().map(|value| self.value(*value).into()).collect();
                args.extend(shift.map(|shift| Arg::Imm(shift.into())));
                let reg = self.code.def_v(*op, &args);
                self.define(number, reg);
            }
            Node::Lookup { table, next, offset } => {
                let offset = self.value(*offset);
                let reg = look_up(self.code, self.places.tables[*table], *next, offset);
                self.define(number, reg);
            }
            Node::Select { mask, then, otherwise } => {
                let form = self.plan.forms[&number];
                let (kept, taken, mask) = match form {
                    Form::Otherwise | Form::CopyOtherwise => (*otherwise, *then, *mask),
                    Form::Then | Form::CopyThen => (*then, *otherwise, mask.not()),
                };
                let (mask, taken) = (self.mask(mask), self.value(taken));
                let reg = match (form, self.plan.graph.constant(kept)) {
                    (Form::Otherwise | Form::Then, _) => self.value(kept),
                    (_, Some(code)) => self.code.def_v(Op::VLui, &[i64::from(code).into()]),
                    (_, None) => {
                        // There is no move; a shift by nothing takes as long.
                        let kept = self.value(kept);
                        self.code.def_v(Op::VSlli, &[kept.into(), 0.into()])
                    }
                };
                self.code.emit(Op::VSel, &[reg.into(), mask.into(), taken.into()]);
                self.define(number, reg);
            }
            Node::All | Node::Constant(_) | Node::Variable(_) | Node::Parameter(_) => {}
        }
    }

    /// Both masks in one instruction, or the opposite of that, whichever their registers allow.
    fn and(&mut self, number: usize, a: Mask, b: Mask) {
        let has = |mask: Mask| self.masks[mask.node][usize::from(mask.negated)];
        let opposite = self.plan.opposite.contains(&number);
        let plain = match ((has(a), has(a.not())), (has(b), has(b.not()))) {
            ((Some(a), _), (Some(b), _)) => Some((Op::And, a, b)),
            ((Some(a), _), (_, Some(not_b))) => Some((Op::Andn, a, not_b)),
            ((_, Some(not_a)), (Some(b), _)) => Some((Op::Andn, b, not_a)),
            _ => None,
        };
        // Not both: not the one or not the other.
        let inverse = match ((has(a), has(a.not())), (has(b), has(b.not()))) {
            ((_, Some(not_a)), (_, Some(not_b))) => Some((Op::Or, not_a, not_b)),
            ((Some(a), _), (_, Some(not_b))) => Some((Op::Orn, not_b, a)),
            ((_, Some(not_a)), (Some(b), _)) => Some((Op::Orn, not_a, b)),
            _ => None,
        };
        let chosen = match (opposite, plain, inverse) {
            (true, _, Some(inverse)) | (false, None, Some(inverse)) => (inverse, true),
            (_, Some(plain), _) => (plain, false),
            // Each operand has been computed in one way at least.
            (_, None, None) => ((Op::And, self.mask(a), self.mask(b)), false),
        };
        let ((op, left, right), negated) = chosen;
        self.masks[number][usize::from(negated)] = Some(self.code.def_x(op, &[left.into(), right.into()]));
    }

    /// The register of a value, which is loaded if need be.
    fn value(&mut self, value: Value) -> Reg {
        if let Some(reg) = self.values[value.0] {
            return reg;
        }
        let place = match self.plan.graph.nodes[value.0] {
            Node::Constant(code) => return self.shared.constants[&code],
            Node::Variable(index) => self.places.variables[index],
            Node::Parameter(index) => self.places.parameters[index],
            _ => None,
        };
        let place = place.expect("a value is computed before it is wanted, or lies in an array");
        let reg = lanes::load(self.code, At::new(place.base, place.offset, 0));
        self.code.within(place.array);
        self.values[value.0] = Some(reg);
        reg
    }

    /// The register of a mask, which is inverted if need be.
    fn mask(&mut self, mask: Mask) -> Reg {
        let at = usize::from(mask.negated);
        if let Some(reg) = self.masks[mask.node][at] {
            return reg;
        }
        let opposite = self.masks[mask.node][1 - at].expect("a mask is computed before it is wanted");
        let reg = self.code.def_x(Op::Xori, &[opposite.into(), (-1).into()]);
        self.masks[mask.node][at] = Some(reg);
        reg
    }

    /// `reg` is the node's value from now on; it is stored where it belongs.
    fn define(&mut self, number: usize, reg: Reg) {
        self.values[number] = Some(reg);
        self.keep(number);
    }

    fn keep(&mut self, number: usize) {
        let (stores, records) = self.plan.kept(number);
        for variable in stores {
            let old = self.plan.graph.nodes.iter().position(|node| *node == Node::Variable(*variable));
            if let Some(old) = old.filter(|old| self.plan.uses[*old] > 0) {
                // Somebody wants what is there now, perhaps later.
                self.value(Value(old));
            }
            self.store(number, self.places.variables[*variable]);
        }
        for variable in records {
            self.store(number, self.places.records[*variable]);
        }
    }

    fn store(&mut self, number: usize, place: Option<Place>) {
        let place = place.expect("what is stored has a place for it");
        let reg = self.value(Value(number));
        lanes::store(self.code, reg, At::new(place.base, place.offset, 0));
        self.code.within(place.array);
    }

    /// What is stored without being computed, and the spikes.
    fn finish(&mut self) {
        let leaves = self.plan.stores.keys().chain(self.plan.records.keys()).copied();
        let leaves: BTreeSet<usize> = leaves.filter(|number| self.plan.order.binary_search(number).is_err()).collect();
        // All are loaded before any is overwritten.
        for number in &leaves {
            if self.plan.graph.constant(Value(*number)).is_none() {
                self.value(Value(*number));
            }
        }
        leaves.into_iter().for_each(|number| self.keep(number));
        for (event, place) in self.plan.graph.events.iter().zip(&self.places.events) {
            let spikes = match (*event, self.places.lanes) {
                (Mask::NONE, _) => Arg::Zero,
                (Mask::ALL, Some(lanes)) => lanes.into(),
                (mask, Some(lanes)) => {
                    let spikes = self.mask(mask);
                    self.code.def_x(Op::And, &[spikes.into(), lanes.into()]).into()
                }
                (mask, None) => self.mask(mask).into(),
            };
            self.code.emit(Op::Sw, &[spikes, place.offset.into(), place.base]);
            self.code.within(place.array);
        }
    }
}
