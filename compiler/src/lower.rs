//! Lowering: the network, with its arrays placed, to machine code on virtual registers.
//!
//! Contract: the code of one run is: bring variables and spikes to their state before a run; then for each step the
//! placement's actions in order; then copy what a host reads to where it can, and tell it. `init`, where there is one, seeds the
//! generators, fills what keeps its value from run to run, and falls into `run`. Pointers that move from step to step
//! (into input spikes and recordings) live in registers for the whole run.
//!
//! One file per kind of action: `propagate` (spikes through weights) and `update` (neuron programs). Every array
//! lies where the placement says; nothing here decides where.

use fenn_isa::Op;
use fenn_isa::memory::{LANES, VECTOR_BYTES};
use fenn_isa::operand::OperandKind;

use crate::ir::{Arg, Code, Reg};
use crate::network::{Network, StatePolicy, Values};
use crate::place::{Action, Home, InputPlace, Placement, Slots, Spikes, Vectors, When};
use lanes::{At, Pointers, load, store};

mod lanes;
mod propagate;
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
}

impl Limits {
    /// From generous to none at all; a program that does not fit into instruction memory with one is tried with the next.
    pub const ALL: [Self; 3] = [Self { update: 512 }, Self { update: 128 }, Self { update: 0 }];
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
    /// For each population's events: to the slot *before* the step's where each step has one; in a ring, how many bytes
    /// behind the first slot the latest is.
    events: Vec<Vec<Option<Reg>>>,
    /// For each ring of sums: how many bytes it has turned.
    rings: Vec<Reg>,
    /// To the step's vectors, for each population's recorded variables.
    records: Vec<Vec<Option<Reg>>>,
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
    fn program(&mut self) {
        let carried = self.network.state == StatePolicy::Carried;
        if carried && (self.placement.seeds.is_some() || self.keeps_lanes()) {
            self.code.entry(INIT.to_owned());
            self.seed();
            self.fill_lanes();
        }
        self.code.entry(RUN.to_owned());
        if !carried {
            self.seed();
            self.fill_lanes();
        }
        self.clear_ready_flag();
        self.reset();
        self.start_pointers();
        let left = self.code.constant(i64::from(self.network.steps));
        let step = self.code.name("step".to_owned());
        for action in &self.placement.actions {
            match action {
                Action::Propagate(bundle) => self.propagate(*bundle),
                Action::Update(population) => self.update(*population),
            }
        }
        self.code.name("next_step".to_owned());
        self.advance_pointers();
        self.code.advance(left, -1);
        self.code.emit(Op::Bne, &[left.into(), Arg::Zero, step.into()]);
        self.code.name("done".to_owned());
        self.publish();
        self.end();
    }

    fn seed(&mut self) {
        if let Some(seeds) = self.placement.seeds {
            let base = self.code.constant(seeds.into());
            self.code.emit(Op::VLoadR0, &[0.into(), base.into()]);
            self.code.emit(Op::VLoadR1, &[i64::from(VECTOR_BYTES).into(), base.into()]);
        }
    }

    fn clear_ready_flag(&mut self) {
        if let Some(flag) = self.placement.ready_flag {
            let flag = self.code.constant(flag.into());
            self.code.emit(Op::Sw, &[Arg::Zero, 0.into(), flag.into()]);
        }
    }

    /// `ecall`, or the ready flag and a loop for ever.
    fn end(&mut self) {
        let Some(flag) = self.placement.ready_flag else { return self.code.emit(Op::Ecall, &[]) };
        let flag = self.code.constant(flag.into());
        let one = self.code.constant(1);
        self.code.emit(Op::Sw, &[one.into(), 0.into(), flag.into()]);
        let spin = self.code.label();
        self.code.bind(spin);
        self.code.jump(spin);
    }

    fn start_pointers(&mut self) {
        for input in &self.placement.inputs {
            let address = match input {
                InputPlace::Bits(spikes) => spikes.first_step(),
                InputPlace::List(list) => list.address,
            };
            self.step.inputs.push(InputPointer(self.code.constant(address.into())));
        }
        for place in &self.placement.populations {
            let mut events = Vec::new();
            for spikes in &place.events {
                events.push(match spikes.slots {
                    Slots::Latest => None,
                    Slots::Steps { .. } => {
                        let before = spikes.first_step() - spikes.slot_bytes();
                        Some(self.code.constant(before.into()))
                    }
                    Slots::Ring { position, .. } => Some(start_position(&mut self.code, position)),
                });
            }
            self.step.events.push(events);
            let records = place.records.iter().map(|record| record.map(|address| self.code.constant(address.into())));
            self.step.records.push(records.collect());
        }
        for ring in &self.placement.rings {
            self.step.rings.push(start_position(&mut self.code, ring.position));
        }
    }

    fn advance_pointers(&mut self) {
        for (InputPointer(pointer), input) in self.step.inputs.iter().zip(&self.placement.inputs) {
            match input {
                InputPlace::Bits(spikes) => self.code.advance(*pointer, spikes.slot_bytes().into()),
                // The only reader has moved it already.
                InputPlace::List(list) if list.readers == 1 => {}
                InputPlace::List(_) => self.code.emit(Op::Lw, &[(*pointer).into(), 0.into(), (*pointer).into()]),
            }
        }
        for (index, place) in self.placement.populations.iter().enumerate() {
            for (pointer, spikes) in self.step.events[index].iter().zip(&place.events) {
                if let (Some(pointer), Slots::Steps { .. }) = (pointer, spikes.slots) {
                    self.code.advance(*pointer, spikes.slot_bytes().into());
                }
            }
            for pointer in self.step.records[index].iter().flatten() {
                self.code.advance(*pointer, i64::from(place.blocks * VECTOR_BYTES));
            }
        }
    }

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

    /// Brings variables and spikes to their state before a run.
    fn reset(&mut self) {
        for (population, place) in self.network.populations.iter().zip(&self.placement.populations) {
            for (index, variable) in population.variables.iter().enumerate().filter(|(_, variable)| variable.reset) {
                self.set_variable(&variable.initial, place.initial[index], place.variables[index], place.blocks);
            }
            for spikes in &place.events {
                self.reset_spikes(*spikes);
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

    /// The spikes before a run: none, or those of the run before it.
    fn reset_spikes(&mut self, spikes: Spikes) {
        let carried = self.network.state == StatePolicy::Carried;
        let (slots, from) = match spikes.slots {
            Slots::Steps { before, steps } if carried => (before, Some(spikes.address + steps * spikes.slot_bytes())),
            Slots::Steps { before, .. } => (before, None),
            Slots::Latest | Slots::Ring { .. } if carried => return,
            Slots::Latest | Slots::Ring { .. } => (spikes.count(), None),
        };
        let to = self.code.constant(spikes.address.into());
        let from = from.map(|from| self.code.constant(from.into()));
        let end = self.code.constant(i64::from(spikes.address + slots * spikes.slot_bytes()));
        let head = self.code.label();
        self.code.bind(head);
        let word = match from {
            Some(from) => {
                let word = self.code.def_x(Op::Lw, &[0.into(), from.into()]);
                self.code.advance(from, 4);
                word.into()
            }
            None => Arg::Zero,
        };
        self.code.emit(Op::Sw, &[word, 0.into(), to.into()]);
        self.code.advance(to, 4);
        self.code.emit(Op::Bltu, &[to.into(), end.into(), head.into()]);
    }

    /// Brings what a host reads to where it can, and keeps what the next run begins with.
    fn publish(&mut self) {
        for place in &self.placement.populations {
            for (home, copy) in place.variables.iter().zip(&place.copies) {
                if let Some(copy) = copy {
                    self.copy_blocks(place.blocks, *home, Home::Vector(*copy));
                }
            }
        }
        let mut kept = Vec::new();
        for (place, registers) in self.placement.populations.iter().zip(&self.step.events) {
            for (spikes, register) in place.events.iter().zip(registers) {
                if let (Slots::Ring { position: Some(address), .. }, Some(register)) = (spikes.slots, register) {
                    kept.push((address, *register));
                }
            }
        }
        for (ring, register) in self.placement.rings.iter().zip(&self.step.rings) {
            kept.extend(ring.position.map(|address| (address, *register)));
        }
        for (address, register) in kept {
            let (base, offset) = self.reach(Address { base: None, offset: address.into() }, 4);
            self.code.emit(Op::Sw, &[register.into(), offset.into(), base]);
        }
    }
}

/// A new register for a position in a ring: where the run before stopped, or at its beginning.
fn start_position(code: &mut Code, kept: Option<u32>) -> Reg {
    match kept {
        None => code.constant(0),
        Some(address) => {
            let address = code.constant(address.into());
            code.def_x(Op::Lw, &[0.into(), address.into()])
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
