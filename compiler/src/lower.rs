//! Lowering: the network, with its arrays placed, to machine code on virtual registers.
//!
//! Contract: the code does what the network means ([`crate::interpret`]), one step after the other. Pointers that move from
//! step to step (into input spikes and recordings) live in registers for a whole launch.
//!
//! What is around the steps (runs, launches, what is kept for a host) is in `run`; what happens in one has a file per kind of
//! action: `propagate` (spikes through weights) and `update` (neuron programs). Every array lies where the placement says;
//! nothing here decides where.

use fenn_isa::Op;
use fenn_isa::memory::LANES;
use fenn_isa::operand::OperandKind;

use crate::ir::{Arg, Code, Reg};
use crate::network::{Network, Values};
use crate::place::{Home, Placement, Slots, Spikes, Vectors, When};
use lanes::{At, Pointers, load, store};

mod count;
mod lanes;
mod propagate;
mod run;
mod spikes;
mod update;

/// Names of the program's entry points, in the order of their code.
pub const INIT: &str = "init";
/// See [`INIT`].
pub const RUN: &str = "run";

/// How much code is spent on speed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most instructions that the loop over a population's blocks of neurons may be unrolled to.
    pub update: u32,
    /// Whether parts of dense rows that are alike share their code, in a loop, rather than having it each.
    pub rolled: bool,
}

impl Limits {
    /// From generous to none at all; a program that does not fit into instruction memory with one is tried with the next.
    pub const ALL: [Self; 4] = [
        Self { update: 512, rolled: false },
        Self { update: 512, rolled: true },
        Self { update: 128, rolled: true },
        Self { update: 0, rolled: true },
    ];
}

/// Lowers a verified network.
pub fn lower(network: &Network, placement: &Placement, limits: Limits) -> Code {
    let mut lowering = Lowering { network, placement, limits, code: Code::default(), step: StepPointers::default() };
    lowering.program();
    lowering.code
}

struct Lowering<'a> {
    network: &'a Network,
    placement: &'a Placement,
    limits: Limits,
    code: Code,
    step: StepPointers,
}

/// Registers that point into arrays with one slot per step.
#[derive(Default)]
struct StepPointers {
    /// For each input.
    inputs: Vec<InputPointer>,
    /// For each input that a host writes anew while the program runs, in a list: to the place of the sample after this one.
    lists: Vec<Option<Reg>>,
    /// For each output that is brought to scalar memory: to where the sample's numbers go.
    codes: Vec<Option<Reg>>,
    /// For each population's events: to the slot *before* the step's where each step has one; in a ring, how many bytes
    /// behind the first slot the latest is.
    events: Vec<Vec<Option<Reg>>>,
    /// For each ring of sums: how many bytes it has turned.
    rings: Vec<Reg>,
    /// For each bundle with marks: how many bytes behind the first slot of marks the latest is.
    marks: Vec<Option<Reg>>,
    /// To the vectors of the step or, if the step is not kept, of the next one that is, for each population's recorded
    /// variables.
    records: Vec<Vec<Option<Reg>>>,
    /// To the slot of the next step that is kept, for each population's events of which only some steps are.
    kept: Vec<Vec<Option<Reg>>>,
    /// To where the copy of the sample's variable goes, for each population's variables that are copied for each sample.
    copies: Vec<Vec<Option<Reg>>>,
}

/// Points to a step's slot of bits, or to its part of a list.
#[derive(Debug, Clone, Copy)]
struct InputPointer(Reg);

/// A place in memory: a register and a constant, or a constant alone.
#[derive(Debug, Clone, Copy)]
struct Address {
    base: Option<Reg>,
    offset: i64,
}

impl Lowering<'_> {
    /// Makes room in the rings of a population's events for the spikes of an update.
    fn advance_rings(&mut self, population: usize) {
        for (event, spikes) in self.placement.populations[population].events.iter().enumerate() {
            if let (Some(latest), Slots::Ring { .. }) = (self.step.events[population][event], spikes.slots) {
                self.code.advance(latest, spikes.slot_bytes().into());
                let again = self.plus(latest, -i64::from(spikes.count() * spikes.slot_bytes()));
                // The lesser without sign: what is below 0 is very large.
                self.code.emit(Op::Minu, &[latest.into(), latest.into(), again.into()]);
            }
        }
    }

    /// Where a population's spikes of one event are, of so many updates before that of `when`.
    fn event_address(&mut self, population: usize, event: usize, when: When, ago: u32) -> Address {
        let spikes = self.placement.populations[population].events[event];
        let back = -i64::from(ago * spikes.slot_bytes());
        match (self.step.events[population][event], spikes.slots) {
            (Some(base), Slots::Steps { .. }) => {
                let now = if when == When::Now { i64::from(spikes.slot_bytes()) } else { 0 };
                Address { base: Some(base), offset: now + back }
            }
            (Some(latest), _) if ago > 0 => {
                let back = self.plus(latest, back);
                self.in_ring(back, &spikes)
            }
            (base, _) => Address { base, offset: spikes.address.into() },
        }
    }

    /// The slot that is `offset` bytes behind the first one of a ring; less than none means as much before its end.
    fn in_ring(&mut self, offset: Reg, spikes: &Spikes) -> Address {
        let again = self.plus(offset, i64::from(spikes.count() * spikes.slot_bytes()));
        let offset = self.code.def_x(Op::Minu, &[offset.into(), again.into()]);
        Address { base: Some(offset), offset: spikes.address.into() }
    }

    /// A new register that holds `reg + amount`.
    fn plus(&mut self, reg: Reg, amount: i64) -> Reg {
        if OperandKind::Imm12.range().contains(&amount) {
            return self.code.def_x(Op::Addi, &[reg.into(), amount.into()]);
        }
        let amount = self.code.constant(amount);
        self.code.def_x(Op::Add, &[reg.into(), amount.into()])
    }

    /// A register and an offset that fits a load for `span` bytes from `address` on. The register is not to be written.
    fn reach(&mut self, address: Address, span: i64) -> (Arg, i64) {
        let fits = |offset: i64| {
            OperandKind::Imm12.range().contains(&offset) && OperandKind::Imm12.range().contains(&(offset + span - 1))
        };
        match address.base {
            _ if fits(address.offset) => (address.base.map_or(Arg::Zero, Arg::Reg), address.offset),
            Some(_) => (self.pointer(address).into(), 0),
            None => (self.code.constant(address.offset).into(), 0),
        }
    }

    /// A new register that holds `address` and may be moved.
    fn pointer(&mut self, address: Address) -> Reg {
        match address.base {
            None => self.code.constant(address.offset),
            Some(base) if OperandKind::Imm12.range().contains(&address.offset) => {
                self.code.def_x(Op::Addi, &[base.into(), address.offset.into()])
            }
            Some(base) => {
                let offset = self.code.constant(address.offset);
                self.code.def_x(Op::Add, &[base.into(), offset.into()])
            }
        }
    }

    /// Gives a variable its initial value, which is at `from` where it differs from neuron to neuron.
    fn set_variable(&mut self, initial: &Values, from: Option<Vectors>, home: Home, blocks: u32) {
        match (initial, from) {
            (Values::Uniform(code), _) => {
                let value = self.code.def_v(Op::VLui, &[i64::from(*code).into()]);
                self.for_blocks(blocks, &[home], |code, at| store(code, value, at[0]));
            }
            (Values::PerNeuron(_), Some(from)) => self.copy_blocks(blocks, Home::Vector(from), home),
            (Values::PerNeuron(_), None) => {
                unreachable!("values that the program brings to a variable have been placed")
            }
        }
    }

    fn copy_blocks(&mut self, blocks: u32, from: Home, to: Home) {
        self.for_blocks(blocks, &[from, to], |code, at| {
            let value = load(code, at[0]);
            store(code, value, at[1]);
        });
    }

    /// `body` for each block, with the places of that block in each of `arrays`.
    fn for_blocks(&mut self, blocks: u32, arrays: &[Home], body: impl Fn(&mut Code, &[At])) {
        let reach = arrays.iter().map(|home| home.reach()).min().unwrap_or(1);
        let unrolled = reach.min(4);
        let mut left = blocks;
        let mut first = 0;
        // Whole turns of a loop, if there are several, and the rest.
        if blocks > reach.min(8) {
            let mut pointers = Pointers::default();
            let places: Vec<At> = arrays.iter().map(|home| pointers.point(self, *home, unrolled)).collect();
            let turns = self.code.constant(i64::from(blocks / unrolled));
            let step = pointers.lane_step(self, unrolled);
            let head = self.code.label();
            self.code.bind(head);
            for block in 0..unrolled {
                let at: Vec<At> = places.iter().map(|place| place.behind(block)).collect();
                body(&mut self.code, &at);
            }
            pointers.advance(&mut self.code, step);
            self.code.advance(turns, -1);
            self.code.emit(Op::Bne, &[turns.into(), Arg::Zero, head.into()]);
            first = blocks - blocks % unrolled;
            left = blocks % unrolled;
        }
        if left > 0 {
            let mut pointers = Pointers::default();
            let moved = arrays.iter().map(|home| home.behind_blocks(first));
            let places: Vec<At> = moved.map(|home| pointers.point(self, home, left)).collect();
            for block in 0..left {
                let at: Vec<At> = places.iter().map(|place| place.behind(block)).collect();
                body(&mut self.code, &at);
            }
        }
    }
}

/// The lanes of the last block that are neurons, as a mask; all ones where all are.
fn last_lanes(size: u32) -> u32 {
    match size % LANES as u32 {
        0 => u32::MAX,
        lanes => (1 << lanes) - 1,
    }
}
