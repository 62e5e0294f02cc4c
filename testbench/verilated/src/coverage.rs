//! Functional coverage: what has been compared.
//!
//! Contract: a [`Coverage`] is told of every step of the simulator that agreed with the core, exceptions included, and
//! counts it in the bins of the plan:
//! - every operand of every row, by kind of value: 0, 1, −1, least, greatest, other positive and negative; of a vector, any
//!   lane; of a destination, `x0` or another;
//! - every source of every row, by the distance to the instruction that made its value: 1, 2, 3, or further;
//! - which class made a value for which class, at distances 1 to 3;
//! - every cause of a stall, by the class that stalled or made others stall;
//! - branches by direction, taken or not, foreseen or not; jumps foreseen or not;
//! - exceptions, with a handler and without; CSRs read and written; offsets and sizes of scalar accesses; vector addresses
//!   that wrap; lanes that take part: none, some, all; transfers in flight while an instruction of each class is executed;
//!   values of the status registers.
//!
//! [`Coverage::summary`] lists the bins of the plan that are empty, with the reason where there is one.

use std::collections::BTreeMap;

use fenn_isa::csr::{CSRS, Register, dma_status};
use fenn_isa::exception::EXCEPTIONS;
use fenn_isa::memory::{MachineConfig, Space};
use fenn_isa::operand::OperandKind;
use fenn_isa::spec::OperandSpec;
use fenn_isa::timing::StallCause;
use fenn_isa::usage::{Resource, Usage};
use fenn_isa::{Class, Inst, Op, Role, SPECS};
use fenn_iss::dma::Direction;
use fenn_iss::{AccessKind, Retired, State, Vector};

use crate::check::Watch;

/// Kinds of values, by their index.
const VALUES: [&str; 7] = ["0", "1", "-1", "least", "greatest", "positive", "negative"];
/// Distances, by their index.
const DISTANCES: [&str; 4] = ["1", "2", "3", "more"];

/// Counts of everything.
#[derive(Debug, Clone)]
pub struct Coverage {
    operands: Vec<[[u64; VALUES.len()]; 4]>,
    distances: Vec<[[u64; DISTANCES.len()]; 4]>,
    pairs: Vec<[u64; 3]>,
    stalls: [[u64; Class::ALL.len()]; StallCause::ALL.len()],
    /// Whatever happens too seldom to be worth an array.
    named: BTreeMap<String, u64>,
    in_flight: [[u64; 4]; Class::ALL.len()],
    /// Which instruction wrote each resource, by its number, and of which class it was.
    writers: [Option<(u64, Class)>; Resource::COUNT],
    number: u64,
    x: [u32; 32],
    v: Box<[Vector; 32]>,
    pc: u32,
    handler: u32,
    in_flight_now: usize,
}

/// An empty bin.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Hole {
    /// Which.
    pub bin: String,
    /// Why it can only be empty; nothing where it should not be.
    pub reason: Option<&'static str>,
}

/// What is covered of the plan.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Summary {
    /// Bins that can be filled.
    pub possible: usize,
    /// Those that are.
    pub filled: usize,
    /// The empty ones, those that cannot be filled included.
    pub holes: Vec<Hole>,
}

impl Default for Coverage {
    fn default() -> Self {
        Self {
            operands: vec![Default::default(); SPECS.len()],
            distances: vec![Default::default(); SPECS.len()],
            pairs: vec![[0; 3]; Class::ALL.len() * Class::ALL.len()],
            stalls: [[0; Class::ALL.len()]; StallCause::ALL.len()],
            named: BTreeMap::new(),
            in_flight: [[0; 4]; Class::ALL.len()],
            writers: [None; Resource::COUNT],
            number: 0,
            x: [0; 32],
            v: Box::new([Vector::ZERO; 32]),
            pc: 0,
            handler: 0,
            in_flight_now: 0,
        }
    }
}

impl Coverage {
    /// A new program begins: nothing has been written.
    pub fn begin(&mut self) {
        self.writers = [None; Resource::COUNT];
    }

    /// The state before a step.
    pub fn before(&mut self, state: &State) {
        self.x = *state.all_x();
        *self.v = state.v;
        self.pc = state.pc;
        self.handler = state.csrs.mtvec;
        let busy = |direction| usize::from(state.dma.channel(direction).running().is_some());
        self.in_flight_now = busy(Direction::IntoVector) | busy(Direction::OutOfVector) << 1;
    }

    /// A step that agreed with the core.
    pub fn after(&mut self, watch: &Watch, state: &State, config: &MachineConfig) {
        if let Some(trap) = &watch.trap {
            let exception = trap.cause.exception();
            let handled = if state.pc == self.handler && trap.pc != self.handler && self.handler != 0 {
                "handled"
            } else {
                "the end"
            };
            self.count(format!("exception {exception:?}, {handled}"));
            if let Some(inst) = trap.word.and_then(Inst::decode) {
                // It waited for its operands like any other.
                self.operands_of(inst);
                self.number += 1;
                self.hazards_of(inst);
            }
        }
        if let Some(retired) = &watch.retired {
            self.retired(retired, watch, state, config);
        }
    }

    fn count(&mut self, name: String) {
        *self.named.entry(name).or_insert(0) += 1;
    }

    fn operands_of(&mut self, inst: Inst) {
        let word = inst.encode();
        let op = inst.op();
        for (slot, operand) in op.spec().operands().enumerate() {
            let bits = operand.field.extract(word);
            let counts = &mut self.operands[op as usize][slot];
            match (operand.kind, operand.role) {
                (OperandKind::XReg, Role::Source) => counts[value_of(i64::from(self.x[bits as usize] as i32), 32)] += 1,
                (OperandKind::XReg, _) => counts[usize::from(bits != 0)] += 1,
                (OperandKind::VReg, Role::Destination) => counts[1] += 1,
                (OperandKind::VReg, _) => {
                    let mut seen = 0_u32;
                    for lane in self.v[bits as usize].0 {
                        seen |= 1 << value_of(i64::from(lane), 16);
                    }
                    (0..VALUES.len()).filter(|index| seen >> index & 1 == 1).for_each(|index| counts[index] += 1);
                }
                (kind, _) => counts[immediate_of(kind, kind.from_bits(bits))] += 1,
            }
        }
    }

    fn retired(&mut self, retired: &Retired, watch: &Watch, state: &State, config: &MachineConfig) {
        let inst = retired.inst;
        let op = inst.op();
        let class = op.spec().class;
        self.operands_of(inst);
        self.number += 1;
        self.hazards_of(inst);
        let usage = Usage::of(inst);
        if usage.writes != Resource::NONE {
            self.writers[usage.writes.index()] = Some((self.number, class));
        }
        for stall in retired.stalls.iter() {
            self.stalls[stall.cause as usize][class as usize] += 1;
        }
        self.in_flight[class as usize][self.in_flight_now] += 1;
        self.special(retired, watch, state, config);
    }

    fn hazards_of(&mut self, inst: Inst) {
        let op = inst.op();
        let class = op.spec().class;
        let word = inst.encode();
        for (slot, operand) in op.spec().operands().enumerate() {
            let Some(resource) = read_by(operand, word) else { continue };
            let Some((number, writer)) = self.writers[resource.index()] else { continue };
            let distance = (self.number - number).min(4) as usize;
            self.distances[op as usize][slot][distance - 1] += 1;
            if distance <= 3 {
                self.pairs[writer as usize * Class::ALL.len() + class as usize][distance - 1] += 1;
            }
        }
    }

    /// What only some classes have.
    fn special(&mut self, retired: &Retired, watch: &Watch, state: &State, config: &MachineConfig) {
        let inst = retired.inst;
        let op = inst.op();
        let taken = retired.next != retired.pc.wrapping_add(4);
        let lost = retired.stalls.after.is_some();
        match op.spec().class {
            Class::Branch => {
                let forwards = inst.encode() >> 31 == 0;
                let name = op.spec().mnemonic();
                let direction = if forwards { "forwards" } else { "backwards" };
                let taken = if taken { "taken" } else { "not taken" };
                self.count(format!("branch {name} {direction}, {taken}"));
                let foreseen = if lost { "wrongly foreseen" } else { "foreseen" };
                self.count(format!("branches {direction}, {taken}, {foreseen}"));
            }
            Class::Jump => {
                let foreseen = if lost { "not foreseen" } else { "foreseen" };
                self.count(format!("jal {foreseen}"));
            }
            Class::Csr => self.csr(inst, state),
            Class::Load | Class::Store => {
                for access in &watch.accesses {
                    let kind = if access.kind == AccessKind::Load { "load" } else { "store" };
                    self.count(format!("{kind} of {} bytes at 4n + {}", access.bytes, access.address % 4));
                }
            }
            Class::VectorLoad | Class::VectorStore | Class::GeneratorLoad => {
                let beyond = watch.accesses.iter().any(|access| access.address >= config.bytes(Space::Vector));
                let where_to = if beyond { "beyond the end" } else { "within" };
                self.count(format!("{} {where_to}", op.spec().mnemonic()));
            }
            Class::LaneLoad | Class::LaneStore => self.lanes(op, watch.accesses.len() as u32),
            Class::VectorSelect => {
                let mask = op.spec().operands().nth(1).map_or(0, |operand| operand.field.extract(inst.encode()));
                self.lanes(op, self.x[mask as usize].count_ones());
            }
            _ => {}
        }
    }

    fn lanes(&mut self, op: Op, count: u32) {
        let some = match count {
            0 => "no lane",
            32 => "all lanes",
            _ => "some lanes",
        };
        self.count(format!("{} of {some}", op.spec().mnemonic()));
    }

    fn csr(&mut self, inst: Inst, state: &State) {
        let word = inst.encode();
        let Some(row) = CSRS.iter().find(|row| u32::from(row.address) == word >> 20) else { return };
        let op = inst.op();
        let reads = word >> 7 & 31 != 0;
        let writes = matches!(op, Op::Csrrw | Op::Csrrwi) || word >> 15 & 31 != 0;
        if writes {
            self.count(format!("{} written", row.name));
        }
        if reads {
            self.count(format!("{} read", row.name));
            let rd = (word >> 7 & 31) as usize;
            if matches!(row.register, Register::Mm2sStatus | Register::S2mmStatus) {
                let value = state.all_x()[rd];
                for (bit, name) in STATUS {
                    if value & bit != 0 {
                        self.count(format!("{} shows {name}", row.name));
                    }
                }
            }
        }
    }

    /// Adds what another has counted.
    pub fn add(&mut self, other: &Self) {
        fn sum<'a>(mine: impl Iterator<Item = &'a mut u64>, other: impl Iterator<Item = &'a u64>) {
            mine.zip(other).for_each(|(mine, other)| *mine += other);
        }
        sum(self.operands.iter_mut().flatten().flatten(), other.operands.iter().flatten().flatten());
        sum(self.distances.iter_mut().flatten().flatten(), other.distances.iter().flatten().flatten());
        sum(self.pairs.iter_mut().flatten(), other.pairs.iter().flatten());
        sum(self.stalls.iter_mut().flatten(), other.stalls.iter().flatten());
        sum(self.in_flight.iter_mut().flatten(), other.in_flight.iter().flatten());
        for (name, count) in &other.named {
            *self.named.entry(name.clone()).or_insert(0) += count;
        }
    }

    /// Every bin of the plan with its count, and why it is empty where it can only be.
    fn plan(&self) -> Vec<(String, u64, Option<&'static str>)> {
        let mut plan = Vec::new();
        for op in Op::ALL {
            self.plan_operands(*op, &mut plan);
        }
        self.plan_pairs(&mut plan);
        self.plan_stalls(&mut plan);
        for name in expected_names() {
            let count = self.named.get(&name).copied().unwrap_or(0);
            plan.push((name, count, None));
        }
        for class in Class::ALL {
            for (index, what) in [(1, "into vector memory"), (2, "out of it"), (3, "both ways")] {
                let count = self.in_flight[class as usize][index];
                plan.push((format!("{class:?} while a transfer runs {what}"), count, None));
            }
        }
        plan
    }

    fn plan_operands(&self, op: Op, plan: &mut Vec<(String, u64, Option<&'static str>)>) {
        let spec = op.spec();
        let ends = matches!(op, Op::Ecall | Op::Ebreak);
        for (slot, operand) in spec.operands().enumerate() {
            let name = |what: &str| format!("{} {} {what}", spec.mnemonic(), operand.name);
            let counts = &self.operands[op as usize][slot];
            match (operand.kind, operand.role) {
                (OperandKind::XReg, Role::Destination) => {
                    plan.push((name("x0"), counts[0], None));
                    plan.push((name("another"), counts[1], None));
                }
                (OperandKind::VReg, Role::Destination) => plan.push((name("any"), counts[1], None)),
                (OperandKind::XReg | OperandKind::VReg, _) => {
                    for (index, value) in VALUES.iter().enumerate() {
                        plan.push((name(value), counts[index], None));
                    }
                }
                (kind, _) => {
                    for &index in immediates(kind) {
                        plan.push((name(VALUES[index]), counts[index], None));
                    }
                }
            }
            if matches!(operand.role, Role::Source | Role::Merged) && !ends {
                for (index, distance) in DISTANCES.iter().enumerate() {
                    let bin = format!("{} {} made {distance} before", spec.mnemonic(), operand.name);
                    plan.push((bin, self.distances[op as usize][slot][index], None));
                }
            }
        }
    }

    fn plan_pairs(&self, plan: &mut Vec<(String, u64, Option<&'static str>)>) {
        for writer in Class::ALL {
            for reader in Class::ALL {
                if !passes(writer, reader) {
                    continue;
                }
                for distance in 0..3 {
                    let count = self.pairs[writer as usize * Class::ALL.len() + reader as usize][distance];
                    // What follows a jump is at its target; a link can be read there, at any distance.
                    plan.push((format!("{writer:?} to {reader:?} at {}", distance + 1), count, None));
                }
            }
        }
    }

    fn plan_stalls(&self, plan: &mut Vec<(String, u64, Option<&'static str>)>) {
        for cause in StallCause::ALL {
            for class in Class::ALL {
                if let Some(reason) = stalls(cause, class) {
                    let count = self.stalls[cause as usize][class as usize];
                    plan.push((format!("stall {} at {class:?}", cause.name()), count, reason.err()));
                }
            }
        }
    }

    /// What is covered of the plan.
    pub fn summary(&self) -> Summary {
        let plan = self.plan();
        let possible = plan.iter().filter(|(_, count, reason)| reason.is_none() || *count > 0).count();
        let filled = plan.iter().filter(|(_, count, _)| *count > 0).count();
        let holes = plan.into_iter().filter(|(_, count, _)| *count == 0);
        Summary { possible, filled, holes: holes.map(|(bin, _, reason)| Hole { bin, reason }).collect() }
    }

    /// Every bin of the plan with its count.
    pub fn bins(&self) -> BTreeMap<String, u64> {
        self.plan().into_iter().map(|(bin, count, _)| (bin, count)).collect()
    }
}

const STATUS: [(u32, &str); 7] = [
    (dma_status::IDLE, "idle"),
    (dma_status::START, "start"),
    (dma_status::TRANSFERRING, "transferring"),
    (dma_status::INTERNAL_ERROR, "an internal error"),
    (dma_status::DECODE_ERROR, "a decode error"),
    (dma_status::SLAVE_ERROR, "a slave error"),
    (dma_status::OK, "ok"),
];

/// The resource that the operand reads, if it reads one.
fn read_by(operand: &OperandSpec, word: u32) -> Option<Resource> {
    let bits = operand.field.extract(word) as u8;
    match (operand.kind, operand.role) {
        (OperandKind::XReg, Role::Source) if bits != 0 => Some(Resource::scalar(bits)),
        (OperandKind::VReg, Role::Source | Role::Merged) => Some(Resource::vector(bits)),
        _ => None,
    }
}

/// The kind of a value of `bits` bits, signed.
fn value_of(value: i64, bits: u32) -> usize {
    let least = -(1_i64 << (bits - 1));
    match value {
        0 => 0,
        1 => 1,
        -1 => 2,
        value if value == least => 3,
        value if value == -least - 1 => 4,
        value if value > 0 => 5,
        _ => 6,
    }
}

/// The kind of an immediate.
fn immediate_of(kind: OperandKind, value: i64) -> usize {
    if kind.signed() {
        let (least, greatest) = (*kind.range().start(), kind.range().end() & !3);
        return match value {
            0 => 0,
            1 => 1,
            -1 => 2,
            value if value == least => 3,
            value if value >= greatest.min(0x7fff) => 4,
            value if value > 0 => 5,
            _ => 6,
        };
    }
    match value {
        0 => 0,
        1 => 1,
        value if value == *kind.range().end() => 4,
        _ => 5,
    }
}

/// The kinds that an immediate has to have had.
fn immediates(kind: OperandKind) -> &'static [usize] {
    match kind {
        OperandKind::Branch | OperandKind::Jump => &[5, 6],
        // Its values are the rows of a table of their own.
        OperandKind::Csr => &[],
        kind if kind.signed() => &[0, 1, 2, 3, 4, 5, 6],
        _ => &[0, 1, 4, 5],
    }
}

/// Whether what one class makes can be read by another.
fn passes(writer: Class, reader: Class) -> bool {
    use Class::*;
    let writes_x = matches!(
        writer,
        Alu | Count | Multiply | MultiplyHigh | Divide | Load | Jump | JumpRegister | Csr | VectorToScalar
    );
    let writes_v =
        matches!(writer, VectorAlu | VectorMultiply | VectorRandom | VectorFill | VectorSelect | VectorLoad | LaneLoad);
    let reads_x = matches!(
        reader,
        Alu | Count
            | Multiply
            | MultiplyHigh
            | Divide
            | Load
            | Store
            | Branch
            | JumpRegister
            | Csr
            | VectorAlu
            | VectorFill
            | VectorSelect
            | VectorLoad
            | VectorStore
            | GeneratorLoad
    );
    let reads_v = matches!(
        reader,
        VectorAlu | VectorMultiply | VectorToScalar | VectorSelect | VectorStore | LaneLoad | LaneStore
    );
    writes_x && reads_x || writes_v && reads_v
}

/// Whether the cause can be seen at the class on this core: `None` if not, an error for a reason why it never is although
/// the words of the plan would let it be.
fn stalls(cause: StallCause, class: Class) -> Option<Result<(), &'static str>> {
    use Class::*;
    let reads = |writer| passes(writer, class) && class != JumpRegister;
    let possible = match cause {
        StallCause::LoadUse => reads(Load),
        StallCause::ScalarResult => reads(Multiply),
        StallCause::VectorResult => {
            matches!(class, VectorAlu | VectorMultiply | VectorToScalar | VectorStore | LaneLoad | LaneStore)
                || matches!(class, VectorSelect | VectorRandom)
        }
        StallCause::VectorToScalar => reads(VectorToScalar),
        StallCause::JumpOperand => class == JumpRegister,
        StallCause::ReturnAfterCsr | StallCause::Trap => class == TrapReturn,
        StallCause::Branch => class == Branch,
        StallCause::Jump => matches!(class, Jump | JumpRegister),
        StallCause::Divide => class == Divide,
        StallCause::Misaligned => matches!(class, Load | Store),
        StallCause::FalseDependency
        | StallCause::CounterDrain
        | StallCause::Multiply
        | StallCause::Fence
        | StallCause::PortConflict => false,
    };
    possible.then_some(Ok(()))
}

fn expected_names() -> Vec<String> {
    let mut names = Vec::new();
    for direction in ["forwards", "backwards"] {
        for taken in ["taken", "not taken"] {
            for op in [Op::Beq, Op::Bne, Op::Blt, Op::Bge, Op::Bltu, Op::Bgeu] {
                names.push(format!("branch {} {direction}, {taken}", op.spec().mnemonic()));
            }
        }
    }
    // Only branches backwards are learnt.
    names.extend(["foreseen", "wrongly foreseen"].map(|how| format!("branches backwards, taken, {how}")));
    names.extend(["foreseen", "wrongly foreseen"].map(|how| format!("branches backwards, not taken, {how}")));
    names.push("branches forwards, taken, wrongly foreseen".to_owned());
    names.push("branches forwards, not taken, foreseen".to_owned());
    names.extend(["jal foreseen", "jal not foreseen"].map(str::to_owned));
    for row in EXCEPTIONS {
        names.extend(["handled", "the end"].map(|how| format!("exception {:?}, {how}", row.exception)));
    }
    for row in CSRS {
        names.push(format!("{} read", row.name));
        if row.access == fenn_isa::csr::Access::ReadWrite {
            names.push(format!("{} written", row.name));
        }
    }
    for kind in ["load", "store"] {
        for bytes in [1, 2, 4] {
            names.extend((0..4).map(|offset| format!("{kind} of {bytes} bytes at 4n + {offset}")));
        }
    }
    for op in [Op::VLoadV, Op::VStore, Op::VLoadR0, Op::VLoadR1] {
        names.extend(["within", "beyond the end"].map(|place| format!("{} {place}", op.spec().mnemonic())));
    }
    for op in [Op::VLoadL, Op::VStoreL, Op::VSel] {
        names
            .extend(["no lane", "some lanes", "all lanes"].map(|lanes| format!("{} of {lanes}", op.spec().mnemonic())));
    }
    for status in ["mm2s_status", "s2mm_status"] {
        names.extend(STATUS.map(|(_, name)| format!("{status} shows {name}")));
    }
    names
}
