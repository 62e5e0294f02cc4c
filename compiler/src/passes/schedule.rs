//! Reorders the instructions of each block so that the core waits less.
//!
//! Contract: every block keeps its instructions, and computes the same: registers, each memory, the generators' random
//! numbers and CSRs see the same accesses in an order that cannot be told from the first. Blocks keep their place. A block
//! is changed only where it becomes faster by the machine's description, and never needs more registers than there are if
//! it did not before.
//!
//! In-order list scheduling: of the instructions whose predecessors are done and whose operands are there, the one with
//! the longest way to the end of the block goes first. How far it may look ahead in the original order is limited by a
//! window, since what is begun early holds a register for long; several windows are tried, and the fastest order that fits
//! is taken. What is still under way when a block is entered counts, around a loop too.
//!
//! Two accesses to one memory may be exchanged where both only read, where their addresses differ by a known distance that
//! is long enough, or where lowering named different arrays ([`crate::ir::Inst::array`]). Accesses to CSRs stay in order
//! with each other and with all memories, since they start and observe the DMA engine; counters are read where they stand, and so
//! are the words that a host and the program share.

use std::collections::{BTreeMap, BTreeSet};

use fenn_isa::csr::{self, Register};
use fenn_isa::memory::Space;
use fenn_isa::timing::{Profile, draws};
use fenn_isa::{Class, Op, Role};

use super::{Context, Memory, memory};
use crate::ir::flow::{Flow, Liveness};
use crate::ir::{Arg, Code, File, HOST, Inst, Item, Reg};
use crate::regalloc::liveness::{Interval, intervals};

/// How far ahead an instruction may be taken from, in instructions.
const WINDOWS: [usize; 11] = [3, 6, 10, 16, 24, 32, 48, 64, 96, 160, 320];

/// Cycles that a divisor's leading zeros are reckoned to take.
const DIVIDER_ZEROS: i64 = 16;

/// Runs the pass.
pub fn run(code: &mut Code, context: &Context) {
    let flow = Flow::of(code);
    let liveness = Liveness::of(code, &flow);
    let intervals = intervals(code);
    let constants = constants(code);
    let mut exits: Vec<Exit> = Vec::new();
    let blocks: Vec<Option<Block>> = flow
        .blocks
        .iter()
        .enumerate()
        .map(|(index, block)| {
            // A label comes first and a terminator last; between them are instructions only.
            let first = block.items.start + usize::from(matches!(code.items[block.items.start], Item::Label(_)));
            let insts: Vec<&Inst> = code.items[first..block.items.end].iter().filter_map(instruction).collect();
            let pressure = Pressure::of(&insts, &intervals, |reg| {
                (liveness.live_in[index].contains(reg), liveness.live_out[index].contains(reg), block.items.clone())
            });
            let prepared = Block::new(first, &insts, pressure, &constants, context.profile);
            let order: Vec<usize> = (0..insts.len()).collect();
            exits.push(prepared.exit(&order, &Exit::new()));
            (insts.len() > 1).then_some(prepared)
        })
        .collect();
    for (index, block) in blocks.iter().enumerate() {
        let Some(block) = block else { continue };
        let around = flow.blocks[index].predecessors.contains(&index);
        let mut entry = Exit::new();
        for predecessor in flow.blocks[index].predecessors.iter().filter(|predecessor| **predecessor != index) {
            for (reg, cycles) in &exits[*predecessor] {
                let latest = entry.entry(*reg).or_insert(*cycles);
                *latest = (*latest).max(*cycles);
            }
        }
        let order = block.best(&entry, around);
        exits[index] = block.exit(&order, &entry);
        let items: Vec<Item> = order.iter().map(|inst| code.items[block.first + inst].clone()).collect();
        code.items[block.first..block.first + items.len()].clone_from_slice(&items);
    }
}

fn instruction(item: &Item) -> Option<&Inst> {
    if let Item::Inst(inst) = item { Some(inst) } else { None }
}

/// Cycles from the end of a block until a register can be read, where it cannot be read at once.
type Exit = BTreeMap<Reg, i64>;

/// What is known of a scalar register that always has one value.
pub(super) type Constants = BTreeMap<Reg, i64>;

/// The scalar registers that one instruction sets, to a constant.
pub(super) fn constants(code: &Code) -> Constants {
    let mut sets: BTreeMap<Reg, u32> = BTreeMap::new();
    code.insts().flat_map(Inst::defs).for_each(|def| *sets.entry(def).or_default() += 1);
    let mut found = Constants::new();
    for inst in code.insts() {
        let Some(def) = inst.defs().next().filter(|def| sets[def] == 1) else { continue };
        let value = match (inst.op, inst.args.as_slice()) {
            (Op::Addi, [_, Arg::Zero, Arg::Imm(value)]) => Some(*value),
            (Op::Addi, [_, Arg::Reg(source), Arg::Imm(value)]) => found.get(source).map(|source| source + value),
            (Op::Lui, [_, Arg::Imm(value)]) => Some(i64::from((value << 12) as i32)),
            _ => None,
        };
        found.extend(value.map(|value| (def, value)));
    }
    found
}

/// What is to be known of one instruction, with the block's registers as small numbers.
struct Node {
    class: Class,
    reads: Vec<usize>,
    /// A register whose other lanes it keeps.
    merges: Option<usize>,
    writes: Vec<usize>,
    /// Cycles until the next instruction.
    occupancy: i64,
    /// Cycles from then until a reader, minus one.
    latency: i64,
    /// Instructions that must come after it, and how many cycles later at least.
    successors: Vec<(usize, i64)>,
    predecessors: usize,
    /// Cycles from issuing it to the end of the block.
    height: i64,
}

/// A block to be put in order.
struct Block<'a> {
    profile: &'a Profile,
    /// The item of its first instruction.
    first: usize,
    registers: Vec<Reg>,
    nodes: Vec<Node>,
    pressure: Pressure,
}

/// A state of the core: when each register can be read.
struct Core {
    clock: i64,
    ready: Vec<i64>,
}

impl<'a> Block<'a> {
    fn new(first: usize, insts: &[&Inst], pressure: Pressure, constants: &Constants, profile: &'a Profile) -> Self {
        let registers: BTreeSet<Reg> = insts.iter().flat_map(|inst| inst.registers()).map(|(reg, _)| reg).collect();
        let registers: Vec<Reg> = registers.into_iter().collect();
        let number = |reg: Reg| registers.partition_point(|other| *other < reg);
        let nodes = insts.iter().map(|inst| {
            let timing = profile.class(inst.op.spec().class);
            let divides = inst.op.spec().class == Class::Divide;
            let occupancy =
                if divides { i64::from(profile.divider.base) + DIVIDER_ZEROS } else { i64::from(timing.occupancy) };
            Node {
                class: inst.op.spec().class,
                reads: inst.registers().filter(|(_, role)| *role == Role::Source).map(|(r, _)| number(r)).collect(),
                merges: inst.registers().find(|(_, role)| *role == Role::Merged).map(|(reg, _)| number(reg)),
                writes: inst.defs().map(number).collect(),
                occupancy: occupancy.max(1),
                latency: i64::from(timing.latency),
                successors: Vec::new(),
                predecessors: 0,
                height: 0,
            }
        });
        let nodes = nodes.collect();
        let mut block = Self { profile, first, registers, nodes, pressure };
        for (from, to, cycles) in dependences(insts, constants, profile) {
            block.nodes[from].successors.push((to, cycles));
            block.nodes[to].predecessors += 1;
        }
        for at in (0..block.nodes.len()).rev() {
            let after = block.nodes[at].successors.iter().map(|(to, cycles)| cycles + block.nodes[*to].height).max();
            block.nodes[at].height = after.unwrap_or(0).max(block.nodes[at].occupancy);
        }
        block
    }

    fn core(&self, entry: &Exit) -> Core {
        let ready = self.registers.iter().map(|reg| entry.get(reg).copied().unwrap_or(0));
        Core { clock: 0, ready: ready.collect() }
    }

    /// The first cycle in which `node` can be issued.
    fn earliest(&self, core: &Core, node: &Node) -> i64 {
        let mut at = core.clock;
        let jumps = node.class == Class::JumpRegister;
        let more = if jumps { i64::from(self.profile.early_jump_operand) } else { 0 };
        for register in &node.reads {
            at = at.max(core.ready[*register] + more);
        }
        if let Some(register) = node.merges
            && self.profile.merged_is_read
        {
            at = at.max(core.ready[register]);
        }
        at
    }

    fn issue(&self, core: &mut Core, node: &Node) {
        let at = self.earliest(core, node);
        core.clock = at + node.occupancy;
        let ready = core.clock - 1 + node.latency;
        for register in &node.writes {
            // The lanes that a merging instruction keeps may still be on their way.
            let kept = if node.merges == Some(*register) { core.ready[*register] } else { 0 };
            core.ready[*register] = ready.max(kept);
        }
    }

    fn execute(&self, order: &[usize], entry: &Exit) -> Core {
        let mut core = self.core(entry);
        order.iter().for_each(|inst| self.issue(&mut core, &self.nodes[*inst]));
        core
    }

    /// What is still under way behind the block.
    fn exit(&self, order: &[usize], entry: &Exit) -> Exit {
        let core = self.execute(order, entry);
        let late = self.registers.iter().zip(&core.ready).filter(|(_, ready)| **ready > core.clock);
        let mut exit: Exit = late.map(|(reg, ready)| (*reg, ready - core.clock)).collect();
        for (reg, cycles) in entry {
            if *cycles > core.clock && self.registers.binary_search(reg).is_err() {
                exit.insert(*reg, cycles - core.clock);
            }
        }
        exit
    }

    /// Cycles of the block, those of another turn if it is a loop; and what is under way behind it.
    fn cost(&self, order: &[usize], entry: &Exit, around: bool) -> (i64, i64) {
        let exit = self.exit(order, entry);
        let cycles = if around { self.execute(order, &exit).clock } else { self.execute(order, entry).clock };
        (cycles, exit.values().sum())
    }

    fn best(&self, entry: &Exit, around: bool) -> Vec<usize> {
        let mut best: Vec<usize> = (0..self.nodes.len()).collect();
        let start = self.pressure.most(&best);
        let fits = |pressure: [usize; 2]| (0..2).all(|file| pressure[file] <= start[file].max(REGISTERS[file]));
        let mut cost = (self.cost(&best, entry, around), usize::MAX);
        let entry_around = if around { self.exit(&best, entry) } else { entry.clone() };
        for window in WINDOWS {
            let order = self.list(window, &entry_around);
            let pressure = self.pressure.most(&order);
            let found = (self.cost(&order, entry, around), pressure[0] + pressure[1]);
            // The first order stays unless another one is faster, not only different.
            let better = if cost.1 == usize::MAX { found.0 < cost.0 } else { found < cost };
            if fits(pressure) && better {
                (best, cost) = (order, found);
            }
            if window >= self.nodes.len() {
                break;
            }
        }
        best
    }

    /// One order, looking at most `window` instructions ahead of the first that is not done.
    fn list(&self, window: usize, entry: &Exit) -> Vec<usize> {
        let mut core = self.core(entry);
        let mut waiting: Vec<usize> = self.nodes.iter().map(|node| node.predecessors).collect();
        let mut done = vec![false; self.nodes.len()];
        let mut order = Vec::with_capacity(self.nodes.len());
        let mut first = 0;
        while order.len() < self.nodes.len() {
            while done[first] {
                first += 1;
            }
            let ahead = first..(first + window).min(self.nodes.len());
            let candidates = ahead.filter(|at| !done[*at] && waiting[*at] == 0);
            let chosen = candidates.min_by_key(|at| {
                let node = &self.nodes[*at];
                (self.earliest(&core, node), -node.height, *at)
            });
            // The first that is not done has no predecessor that is not done.
            let chosen = chosen.unwrap_or(first);
            self.issue(&mut core, &self.nodes[chosen]);
            done[chosen] = true;
            order.push(chosen);
            for (successor, _) in &self.nodes[chosen].successors {
                waiting[*successor] -= 1;
            }
        }
        order
    }
}

/// Registers there are: scalar without `x0`, vector.
pub(super) const REGISTERS: [usize; 2] = [31, 32];

/// How many registers of each file are wanted at once, as the allocator will see it: a register is taken from the first
/// to the last place where its value is wanted.
struct Pressure {
    /// Of those that the block does not touch.
    through: [usize; 2],
    /// Those that it does: file, whether taken at the start, whether at the end, and the instructions with what they read
    /// and write.
    local: Vec<(File, bool, bool)>,
    touched: Vec<Vec<(usize, bool)>>,
}

impl Pressure {
    fn of(insts: &[&Inst], intervals: &[Interval], live: impl Fn(Reg) -> (bool, bool, std::ops::Range<usize>)) -> Self {
        let registers: BTreeSet<Reg> = insts.iter().flat_map(|inst| inst.registers()).map(|(reg, _)| reg).collect();
        let registers: Vec<Reg> = registers.into_iter().collect();
        let mut through = [0; 2];
        let mut local = vec![(File::X, false, false); registers.len()];
        for interval in intervals {
            let (live_in, live_out, items) = live(interval.reg);
            let before = live_in || interval.start < 2 * items.start;
            let after = live_out || interval.end > 2 * items.end - 1;
            match registers.binary_search(&interval.reg) {
                Ok(at) => local[at] = (interval.reg.file, before, after),
                Err(_) => through[interval.reg.file as usize] += usize::from(before && after),
            }
        }
        let number = |reg: Reg| registers.partition_point(|other| *other < reg);
        let touched = insts.iter().map(|inst| {
            let reads = inst.uses().map(|reg| (number(reg), false));
            reads.chain(inst.defs().map(|reg| (number(reg), true))).collect()
        });
        Self { through, local, touched: touched.collect() }
    }

    /// The most registers of each file that are taken at once in this order.
    fn most(&self, order: &[usize]) -> [usize; 2] {
        let end = 2 * order.len();
        let mut spans: Vec<Option<(usize, usize)>> = vec![None; self.local.len()];
        for (place, inst) in order.iter().enumerate() {
            for (register, writes) in &self.touched[*inst] {
                let at = 2 * place + usize::from(*writes);
                let span = spans[*register].get_or_insert((at, at));
                *span = (span.0.min(at), span.1.max(at));
            }
        }
        let mut changes = vec![[0isize; 2]; end + 2];
        for (span, (file, before, after)) in spans.iter().zip(&self.local) {
            let Some((first, last)) = span else { continue };
            let first = if *before { 0 } else { *first };
            let last = if *after { end } else { *last };
            changes[first][*file as usize] += 1;
            changes[last + 1][*file as usize] -= 1;
        }
        let mut now = self.through.map(|count| count as isize);
        let mut most = now;
        for change in changes {
            for file in 0..2 {
                now[file] += change[file];
                most[file] = most[file].max(now[file]);
            }
        }
        most.map(|count| count as usize)
    }
}

/// What a register holds, as far as addresses can be compared: something plus a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Value {
    root: Root,
    plus: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Root {
    Nothing,
    /// What the register holds when the block is entered.
    Entry(Reg),
    /// What the instruction of the block writes.
    Written(usize),
}

/// An access to a memory.
struct Access {
    memory: Memory,
    address: Value,
    array: Option<u32>,
}

impl Access {
    /// Whether exchanging the two could be seen.
    fn meets(&self, other: &Self) -> bool {
        if self.memory.space != other.memory.space || !(self.memory.writes || other.memory.writes) {
            return false;
        }
        if let (Some(mine), Some(others)) = (self.array, other.array)
            && mine != others
        {
            return false;
        }
        if self.address.root != other.address.root {
            return true;
        }
        // Lanes never meet: what counts in lane-local memory is the distance within a lane, where bit 0 is ignored.
        let bytes =
            |access: &Self| i64::from(if access.memory.space == Space::LaneLocal { 2 } else { access.memory.bytes });
        let distance = other.address.plus - self.address.plus;
        distance < bytes(self) && -distance < bytes(other)
    }
}

/// Which values the block's registers hold, followed through it.
struct Values<'a> {
    constants: &'a Constants,
    known: BTreeMap<Reg, Value>,
}

impl Values<'_> {
    fn of(&self, arg: Arg) -> Value {
        match arg {
            Arg::Reg(reg) => self.known.get(&reg).copied().unwrap_or_else(|| match self.constants.get(&reg) {
                Some(value) => Value { root: Root::Nothing, plus: *value },
                None => Value { root: Root::Entry(reg), plus: 0 },
            }),
            _ => Value { root: Root::Nothing, plus: 0 },
        }
    }

    fn step(&mut self, at: usize, inst: &Inst) {
        for def in inst.defs() {
            let value = match (inst.op, inst.args.as_slice()) {
                (Op::Addi, [_, source, Arg::Imm(number)]) => {
                    let source = self.of(*source);
                    Value { plus: source.plus + number, ..source }
                }
                (Op::Lui, [_, Arg::Imm(number)]) => {
                    Value { root: Root::Nothing, plus: i64::from((number << 12) as i32) }
                }
                _ => Value { root: Root::Written(at), plus: 0 },
            };
            self.known.insert(def, value);
        }
    }

    fn access(&self, inst: &Inst) -> Option<Access> {
        let memory = memory(inst.op)?;
        // Loads and stores end with their immediate and their base.
        let [.., offset, base] = inst.args.as_slice() else { return None };
        let base = self.of(*base);
        let plus = base.plus + if let Arg::Imm(number) = offset { *number } else { 0 };
        Some(Access { memory, address: Value { plus, ..base }, array: inst.array })
    }
}

/// What the instruction does besides registers and memories.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    None,
    /// Draws from the generators or sets them.
    Generators,
    /// Starts or observes the DMA engine.
    Device,
    /// Nothing moves past it.
    Everything,
}

/// Whether the instruction starts the DMA engine or looks at it.
pub(super) fn is_dma(inst: &Inst) -> bool {
    if inst.op.spec().class != Class::Csr {
        return false;
    }
    let address = inst.args.iter().find_map(|arg| if let Arg::Imm(value) = arg { Some(*value) } else { None });
    let row = address.and_then(|address| csr::by_address(address as u16));
    row.is_some_and(|row| {
        matches!(
            row.register,
            Register::Mm2sSrcAddr
                | Register::Mm2sDstAddr
                | Register::Mm2sCount
                | Register::Mm2sControl
                | Register::Mm2sStatus
                | Register::S2mmSrcAddr
                | Register::S2mmDstAddr
                | Register::S2mmCount
                | Register::S2mmControl
                | Register::S2mmStatus
        )
    })
}

fn effect(inst: &Inst) -> Effect {
    if inst.array == Some(HOST) {
        return Effect::Everything;
    }
    match inst.op.spec().class {
        Class::Csr if is_dma(inst) => Effect::Device,
        Class::Csr => Effect::Everything,
        Class::GeneratorLoad => Effect::Generators,
        Class::Fence | Class::System | Class::TrapReturn => Effect::Everything,
        Class::Branch | Class::Jump | Class::JumpRegister => Effect::Everything,
        _ if draws(inst.op) => Effect::Generators,
        _ => Effect::None,
    }
}

/// Which instructions must stay behind which, and how many cycles.
fn dependences(insts: &[&Inst], constants: &Constants, profile: &Profile) -> Vec<(usize, usize, i64)> {
    let mut found = Vec::new();
    // What wrote each register: the last instruction, and those before it whose lanes it kept.
    let mut written: BTreeMap<Reg, Vec<usize>> = BTreeMap::new();
    let mut read: BTreeMap<Reg, Vec<usize>> = BTreeMap::new();
    let mut values = Values { constants, known: BTreeMap::new() };
    let mut accesses: Vec<(usize, Access)> = Vec::new();
    let (mut generators, mut device, mut everything) = (None, None, None);
    let delay = |from: usize| {
        let timing = profile.class(insts[from].op.spec().class);
        i64::from(timing.occupancy.max(1)) - 1 + i64::from(timing.latency)
    };
    for (at, inst) in insts.iter().enumerate() {
        for (reg, role) in inst.registers() {
            let before = written.get(&reg).into_iter().flatten();
            match role {
                Role::Source => found.extend(before.map(|from| (*from, at, delay(*from)))),
                Role::Merged if profile.merged_is_read => found.extend(before.map(|from| (*from, at, delay(*from)))),
                _ => found.extend(before.map(|from| (*from, at, 1))),
            }
            if role != Role::Source {
                found.extend(
                    read.get(&reg).into_iter().flatten().filter(|from| **from != at).map(|from| (*from, at, 1)),
                );
            }
        }
        for (reg, role) in inst.registers() {
            match role {
                Role::Source => read.entry(reg).or_default().push(at),
                Role::Merged if !inst.fresh => {
                    written.entry(reg).or_default().push(at);
                    read.remove(&reg);
                }
                _ => {
                    written.insert(reg, vec![at]);
                    read.remove(&reg);
                }
            }
        }
        let access = values.access(inst);
        if let Some(access) = access {
            let met = accesses.iter().filter(|(_, other)| other.meets(&access));
            found.extend(met.map(|(from, _)| (*from, at, 1)));
            found.extend(device.map(|from| (from, at, 1)));
            accesses.push((at, access));
        }
        values.step(at, inst);
        match effect(inst) {
            Effect::None => {}
            Effect::Generators => found.extend(generators.replace(at).map(|from| (from, at, 1))),
            Effect::Device => {
                found.extend(accesses.iter().map(|(from, _)| (*from, at, 1)));
                found.extend(device.replace(at).map(|from| (from, at, 1)));
            }
            Effect::Everything => found.extend((everything.map_or(0, |from| from + 1)..at).map(|from| (from, at, 1))),
        }
        found.extend(everything.map(|from| (from, at, 1)));
        if effect(inst) == Effect::Everything {
            everything = Some(at);
        }
    }
    found
}
