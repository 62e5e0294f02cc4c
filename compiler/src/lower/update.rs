//! Neuron programs: a population's kernel, for 32 neurons at a time.
//!
//! A kernel becomes a graph of values (`values`), and the graph the instructions of a block of neurons (`emit`); one that repeats
//! something becomes instructions as it stands (`walk`). Here is
//! what is around the blocks: constants and uniform parameters are loaded once, few pointers reach all arrays, and several
//! blocks make one turn of the loop, or all of them none: as many as the cost and the code's size allow. Their
//! instructions come one block after the other; [`crate::passes::schedule`] mingles them. Before it all, the sums that are
//! due are added to the variables, and the events' rings make room for the spikes.

use std::collections::BTreeSet;

use fenn_isa::Op;
use fenn_isa::memory::VECTOR_BYTES;
use fenn_isa::operand::OperandKind;

use super::propagate::symbol;
use super::{Address, Lowering, When, last_lanes};
use crate::ir::{Arg, Code, File, Reg, Turns};
use crate::place::Home;
use emit::{Place, Places, Plan, Shared};
use values::Graph;
use walk::Walk;

mod emit;
mod values;
mod walk;

/// The most blocks in one turn of a loop; more save nothing that counts.
const MOST_BLOCKS: u32 = 16;

/// How the blocks of a population are gone through: `turns` of a loop with `blocks` each, and `rest` behind it. One turn is
/// no loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shape {
    blocks: u32,
    turns: u32,
    rest: u32,
}

impl Shape {
    /// The shape of `count` blocks of `length` instructions that takes the fewest cycles with at most `most` instructions;
    /// one block a turn where even two are more. Each turn costs `turn` instructions besides.
    fn best(count: u32, length: u32, turn: u32, most: u32) -> Self {
        if count * length <= most {
            return Self { blocks: count, turns: 1, rest: 0 };
        }
        let shapes =
            (1..=count.min(MOST_BLOCKS)).map(|blocks| Self { blocks, turns: count / blocks, rest: count % blocks });
        let fits = |shape: &Self| shape.blocks == 1 || (shape.blocks + shape.rest) * length <= most;
        // Alone, a block cannot fill the cycles in which it waits for its own results.
        let waits = |shape: &Self| if shape.blocks == 1 { length.div_ceil(8) } else { 0 };
        let cycles = |shape: &Self| shape.turns * (turn + waits(shape)) + count * length;
        let shapes = shapes.filter(fits);
        shapes.min_by_key(|shape| (cycles(shape), shape.blocks + shape.rest)).unwrap_or(Self {
            blocks: 1,
            turns: count,
            rest: 0,
        })
    }
}

/// Addresses in one memory that are so far apart from one block to the next, relative to one register or to 0.
struct Group {
    /// The file of the registers that point there: vectors for lane-local memory, all lanes being equal.
    file: File,
    /// A register that is not to be written.
    origin: Option<Reg>,
    /// How far one turn of the loop moves it; 0 where there is no loop.
    step: i64,
    addresses: BTreeSet<i64>,
    /// Registers, and the addresses they hold at first.
    bases: Vec<(Arg, i64)>,
}

/// A vector or word of one block: which group reaches it, its address in the first block and the distance to the next.
#[derive(Debug, Clone, Copy)]
struct Access {
    group: usize,
    address: i64,
    stride: i64,
    array: u32,
}

/// All groups.
#[derive(Default)]
struct Groups(Vec<Group>);

impl Groups {
    /// Notes that `count` blocks are accessed, from `address` on and `stride` bytes apart.
    fn access(&mut self, origin: Option<Reg>, address: i64, stride: i64, shape: Shape, array: u32) -> Access {
        self.access_in(File::X, origin, address, stride, shape, array)
    }

    /// As [`Groups::access`], for a variable wherever it is.
    fn access_home(&mut self, home: Home, shape: Shape) -> Access {
        match home {
            Home::Vector(array) => self.access(None, array.address.into(), array.stride.into(), shape, array.address),
            Home::Lane { row } => self.access_in(File::V, None, 2 * i64::from(row), 2, shape, row),
        }
    }

    fn access_in(
        &mut self,
        file: File,
        origin: Option<Reg>,
        address: i64,
        stride: i64,
        shape: Shape,
        array: u32,
    ) -> Access {
        let step = if shape.turns > 1 { stride * i64::from(shape.blocks) } else { 0 };
        let group = self.0.iter().position(|group| (group.file, group.origin, group.step) == (file, origin, step));
        let group = group.unwrap_or_else(|| {
            self.0.push(Group { file, origin, step, addresses: BTreeSet::new(), bases: Vec::new() });
            self.0.len() - 1
        });
        let blocks = shape.blocks.max(shape.rest);
        self.0[group].addresses.extend((0..blocks).map(|block| address + i64::from(block) * stride));
        Access { group, address, stride, array }
    }

    /// A register and an offset for the block `block` of a turn.
    fn place(&self, access: Access, block: u32) -> Place {
        let address = access.address + i64::from(block) * access.stride;
        let reach = |(_, at): &&(Arg, i64)| OperandKind::Imm12.range().contains(&(address - at));
        let found = self.0[access.group].bases.iter().find(reach);
        let (base, at) = *found.expect("every address that was noted has a base");
        Place { base, offset: address - at, array: access.array }
    }
}

/// What a population's blocks access.
struct Accesses {
    /// None where no block touches the variable.
    variables: Vec<Option<Access>>,
    parameters: Vec<Option<Access>>,
    records: Vec<Option<Access>>,
    events: Vec<Access>,
    /// Of the kernel's tables: first rows.
    tables: Vec<u32>,
}

/// How a kernel's blocks are computed.
enum Program<'a> {
    Straight(Plan<'a>),
    Looping(Walk<'a>),
}

impl Program<'_> {
    fn constants(&self) -> BTreeSet<i16> {
        match self {
            Self::Straight(plan) => plan.constants(),
            Self::Looping(walk) => walk.constants(),
        }
    }

    /// Whether an event is emitted by all neurons.
    fn wants_all(&self) -> bool {
        matches!(self, Self::Straight(plan) if plan.wants_all())
    }

    fn accesses(&self, variable: usize) -> bool {
        match self {
            Self::Straight(plan) => plan.accesses(variable),
            Self::Looping(walk) => walk.accesses(variable),
        }
    }

    fn emit(&self, code: &mut Code, places: &Places, shared: &Shared) {
        match self {
            Self::Straight(plan) => plan.emit(code, places, shared),
            Self::Looping(walk) => walk.emit(code, places, shared),
        }
    }

    /// How `count` blocks are gone through with at most `most` instructions. Where some lanes of the last block are no neurons
    /// (`partly`), loops of the kernel have to know which block it is.
    fn shape(&self, count: u32, partly: bool, most: u32) -> Shape {
        match self {
            Self::Straight(plan) => Shape::best(count, plan.length().max(1), 5, most),
            Self::Looping(walk) if count == 1 || count * walk.length() <= most => {
                Shape { blocks: count, turns: 1, rest: 0 }
            }
            Self::Looping(_) if partly && count > 2 => Shape { blocks: 1, turns: count - 1, rest: 1 },
            // A single turn is no loop, and has no rest.
            Self::Looping(_) if partly => Shape { blocks: count, turns: 1, rest: 0 },
            Self::Looping(_) => Shape { blocks: 1, turns: count, rest: 0 },
        }
    }
}

impl Accesses {
    fn places(&self, groups: &Groups, block: u32, lanes: Option<Reg>) -> Places {
        let place = |access: &Access| groups.place(*access, block);
        let maybe = |access: &Option<Access>| access.as_ref().map(place);
        Places {
            variables: self.variables.iter().map(maybe).collect(),
            parameters: self.parameters.iter().map(maybe).collect(),
            records: self.records.iter().map(maybe).collect(),
            events: self.events.iter().map(place).collect(),
            tables: self.tables.clone(),
            lanes,
        }
    }
}

impl Lowering<'_> {
    pub(super) fn update(&mut self, index: usize) {
        let population = &self.network.populations[index];
        let place = &self.placement.populations[index];
        self.code.name(format!("update_{}", symbol(&population.name)));
        self.deliver(index);
        self.advance_rings(index);
        let recorded = |variable: usize| place.records[variable].is_some();
        let looping = population.kernel.loops();
        let graph = if looping { Graph::default() } else { Graph::of(population) };
        let plan = match looping {
            true => Program::Looping(Walk::of(population, recorded)),
            false => Program::Straight(Plan::of(&graph, recorded)),
        };
        let lanes = last_lanes(population.size);
        let shape = plan.shape(place.blocks, lanes != u32::MAX, self.limits.update);
        let constants = plan.constants().into_iter();
        let constants = constants.map(|code| (code, self.code.def_v(Op::VLui, &[i64::from(code).into()]))).collect();
        let all = plan.wants_all().then(|| self.code.constant(-1));
        let shared = Shared { constants, all };
        let mut groups = Groups::default();
        let accesses = self.accesses(index, &plan, shape, &mut groups);
        self.bases(&mut groups);
        // In a loop, the block that is the last one in the end is not known when it is computed.
        let known = shape.turns == 1 || shape.rest > 0;
        let lanes = (lanes != u32::MAX)
            .then(|| self.code.constant(i64::from(lanes as i32)))
            .filter(|_| looping || !accesses.events.is_empty());
        let last = |block: u32, blocks: u32| lanes.filter(|_| known && block + 1 == blocks);
        let turn = |lowering: &mut Self, blocks: u32, ends: bool| {
            for block in 0..blocks {
                let lanes = if ends { last(block, blocks) } else { None };
                plan.emit(&mut lowering.code, &accesses.places(&groups, block, lanes), &shared);
            }
        };
        if shape.turns == 1 {
            return turn(self, shape.blocks, true);
        }
        let scalar = |group: &&Group| group.file == File::X && group.origin.is_none();
        let until = groups.0.iter().filter(scalar).find(|group| group.step != 0 && !group.bases.is_empty());
        let until = until.map(|group| {
            let (pointer, start) = group.bases[0];
            (pointer, self.code.constant(start + group.step * i64::from(shape.turns)))
        });
        let lane_step = groups.0.iter().find(|group| group.file == File::V && group.step != 0);
        let lane_step = lane_step.map(|group| self.code.def_v(Op::VLui, &[group.step.into()]));
        let left = if until.is_none() { Some(self.code.constant(shape.turns.into())) } else { None };
        let head = self.code.label();
        self.code.bind_turns(head, Turns::Times(shape.turns));
        turn(self, shape.blocks, false);
        for group in groups.0.iter().filter(|group| group.step != 0) {
            for (base, _) in &group.bases {
                match (base, lane_step) {
                    (Arg::Reg(base), Some(step)) if group.file == File::V => {
                        self.code.emit(Op::VAdd, &[(*base).into(), (*base).into(), step.into()]);
                    }
                    (Arg::Reg(base), _) => self.code.advance(*base, group.step),
                    _ => {}
                }
            }
        }
        match (until, left) {
            (Some((pointer, end)), _) => self.code.emit(Op::Bne, &[pointer, end.into(), head.into()]),
            (None, Some(left)) => {
                self.code.advance(left, -1);
                self.code.emit(Op::Bne, &[left.into(), Arg::Zero, head.into()]);
            }
            (None, None) => unreachable!("a loop has an end"),
        }
        turn(self, shape.rest, true);
        if let (false, Some(lanes)) = (known, lanes) {
            self.mask_last_words(index, lanes);
        }
    }

    /// A loop over blocks stores whole words of spikes; the last one must not hold spikes of neurons that are not there.
    fn mask_last_words(&mut self, index: usize, lanes: Reg) {
        for event in 0..self.placement.populations[index].events.len() {
            let words = self.placement.populations[index].events[event].words;
            let mut address = self.event_address(index, event, When::Now, 0);
            address.offset += i64::from(4 * (words - 1));
            let (base, offset) = self.reach(address, 4);
            let word = self.code.def_x(Op::Lw, &[offset.into(), base]);
            let masked = self.code.def_x(Op::And, &[word.into(), lanes.into()]);
            self.code.emit(Op::Sw, &[masked.into(), offset.into(), base]);
        }
    }

    /// What the blocks access, noted in `groups`.
    fn accesses(&mut self, index: usize, plan: &Program<'_>, shape: Shape, groups: &mut Groups) -> Accesses {
        let place = &self.placement.populations[index];
        let variables = place.variables.iter().enumerate().map(|(variable, home)| {
            let touched = plan.accesses(variable);
            touched.then(|| groups.access_home(*home, shape))
        });
        let variables = variables.collect();
        let parameters = place.parameters.iter().map(|array| {
            array.map(|array| groups.access(None, array.address.into(), array.stride.into(), shape, array.address))
        });
        let parameters = parameters.collect();
        let records = self.step.records[index].iter().zip(&place.records);
        let records = records.map(|(pointer, array)| {
            pointer
                .zip(*array)
                .map(|(pointer, array)| groups.access(Some(pointer), 0, VECTOR_BYTES.into(), shape, array))
        });
        let records = records.collect();
        let events = (0..place.events.len()).map(|event| {
            let Address { base, offset } = self.event_address(index, event, When::Now, 0);
            groups.access(base, offset, 4, shape, place.events[event].address)
        });
        let events = events.collect();
        let tables = place.tables.iter().map(|table| self.placement.tables[*table].row).collect();
        Accesses { variables, parameters, records, events, tables }
    }

    /// Finds registers that reach every address of every group; those of groups that move may be moved.
    fn bases(&mut self, groups: &mut Groups) {
        let range = OperandKind::Imm12.range();
        let (least, most) = (*range.start(), *range.end());
        for group in &mut groups.0 {
            let (Some(first), Some(last)) = (group.addresses.first().copied(), group.addresses.last().copied()) else {
                continue;
            };
            let zero = group.step == 0 && first >= least && last <= most;
            if zero && group.file == File::V {
                let register = self.code.def_v(Op::VLui, &[0.into()]);
                group.bases.push((register.into(), 0));
                continue;
            }
            if zero {
                group.bases.push((group.origin.map_or(Arg::Zero, Arg::Reg), 0));
                continue;
            }
            let mut covered = i64::MIN;
            for address in &group.addresses {
                if *address <= covered {
                    continue;
                }
                // All of an immediate's range is made use of where that reaches further.
                let at = if last - address > most { address - least } else { *address };
                let register = match group.file {
                    File::X => self.pointer(Address { base: group.origin, offset: at }),
                    // The sum of register and offset may be anything; a lane whose register is negative is left out.
                    File::V => self.code.def_v(Op::VLui, &[at.max(0).into()]),
                };
                let at = if group.file == File::V { at.max(0) } else { at };
                group.bases.push((register.into(), at));
                covered = at + most;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_cover_all_blocks_and_fit() {
        for count in 1..60 {
            for length in [1, 5, 26, 90, 400] {
                for most in [0, 30, 128, 512] {
                    let shape = Shape::best(count, length, 5, most);
                    assert_eq!(shape.blocks * shape.turns + shape.rest, count);
                    assert!(shape.blocks == 1 || (shape.blocks + shape.rest) * length <= most, "{shape:?}");
                }
            }
        }
        assert_eq!(Shape::best(8, 26, 5, 512), Shape { blocks: 8, turns: 1, rest: 0 });
        assert_eq!(Shape::best(32, 26, 5, 512), Shape { blocks: 16, turns: 2, rest: 0 });
    }
}
