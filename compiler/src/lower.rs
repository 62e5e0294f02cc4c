//! Lowering: the network, with its arrays placed, to machine code on virtual registers.
//!
//! Contract: the code of one run is: bring variables and spikes to their state before a run; then for each step the
//! schedule's phases in order; then tell the host. `init`, where there is one, seeds the generators and falls into
//! `run`. Pointers that move from step to step (into input spikes and recordings) live in registers for the whole run.
//!
//! One file per kind of phase: `propagate` (spikes through weights) and `update` (neuron programs). Every vector
//! lies in vector memory at an address the placement gives; nothing here decides where.

use fenn_isa::Op;
use fenn_isa::memory::{LANES, VECTOR_BYTES};
use fenn_isa::operand::OperandKind;

use crate::ir::{Arg, Code, Reg};
use crate::network::{Network, Phase, StatePolicy, Values};
use crate::place::{InputPlace, Placement, PopulationPlace, Spikes, Vectors};

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
    /// To the slot *before* the step's, for each population's recorded events.
    events: Vec<Vec<Option<Reg>>>,
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

/// Which spikes of a population's event are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    /// Those of the latest update before this step.
    Before,
    /// Those of this step's update.
    Now,
}

impl Lowering<'_> {
    fn program(&mut self) {
        let carried = self.network.state == StatePolicy::Carried;
        if carried && self.placement.seeds.is_some() {
            self.code.entry(INIT.to_owned());
            self.seed();
        }
        self.code.entry(RUN.to_owned());
        if !carried {
            self.seed();
        }
        self.clear_ready_flag();
        self.reset();
        self.start_pointers();
        let left = self.code.constant(i64::from(self.network.steps));
        let step = self.code.name("step".to_owned());
        for phase in &self.network.schedule {
            match phase {
                Phase::Propagate(projection) => self.propagate(*projection),
                Phase::Update(population) => self.update(*population),
            }
        }
        self.code.name("next_step".to_owned());
        self.advance_pointers();
        self.code.advance(left, -1);
        self.code.emit(Op::Bne, &[left.into(), Arg::Zero, step.into()]);
        self.code.name("done".to_owned());
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
                InputPlace::Bits(spikes) => spikes.address,
                InputPlace::List(list) => list.address,
            };
            self.step.inputs.push(InputPointer(self.code.constant(address.into())));
        }
        for place in &self.placement.populations {
            let events =
                place.events.iter().map(|spikes| (spikes.slots > 1).then(|| self.code.constant(spikes.address.into())));
            self.step.events.push(events.collect());
            let records = place.records.iter().map(|record| record.map(|address| self.code.constant(address.into())));
            self.step.records.push(records.collect());
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
                pointer.iter().for_each(|pointer| self.code.advance(*pointer, spikes.slot_bytes().into()));
            }
            for pointer in self.step.records[index].iter().flatten() {
                self.code.advance(*pointer, i64::from(place.blocks * VECTOR_BYTES));
            }
        }
    }

    /// Where a population's spikes of one event are.
    fn event_address(&self, population: usize, event: usize, when: When) -> Address {
        let spikes = self.placement.populations[population].events[event];
        match self.step.events[population][event] {
            Some(base) => {
                let offset = if when == When::Now { spikes.slot_bytes().into() } else { 0 };
                Address { base: Some(base), offset }
            }
            None => Address { base: None, offset: spikes.address.into() },
        }
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
                match (&variable.initial, place.initial[index]) {
                    (Values::Uniform(code), _) => {
                        let value = self.code.def_v(Op::VLui, &[i64::from(*code).into()]);
                        self.fill(value, place, place.variables[index]);
                    }
                    (Values::PerNeuron(_), Some(from)) => self.copy_vectors(place.blocks, from, place.variables[index]),
                    (Values::PerNeuron(_), None) => unreachable!("values restored before a run have been placed"),
                }
            }
            for spikes in &place.events {
                self.reset_spikes(*spikes);
            }
        }
    }

    fn fill(&mut self, value: Reg, place: &PopulationPlace, to: Vectors) {
        self.for_vectors(place.blocks, &[to], |code, at| {
            code.emit(Op::VStore, &[value.into(), at[0].1.into(), at[0].0]);
        });
    }

    fn copy_vectors(&mut self, blocks: u32, from: Vectors, to: Vectors) {
        self.for_vectors(blocks, &[from, to], |code, at| {
            let value = code.def_v(Op::VLoadV, &[at[0].1.into(), at[0].0]);
            code.emit(Op::VStore, &[value.into(), at[1].1.into(), at[1].0]);
        });
    }

    /// `body` for each block, with the registers and offsets of that block in each of `arrays`.
    fn for_vectors(&mut self, blocks: u32, arrays: &[Vectors], body: impl Fn(&mut Code, &[(Arg, i64)])) {
        const UNROLLED: u32 = 4;
        let address = |array: &Vectors| Address { base: None, offset: array.address.into() };
        if blocks <= UNROLLED {
            let places: Vec<_> =
                arrays.iter().map(|array| self.reach(address(array), i64::from(blocks * array.stride))).collect();
            for block in 0..blocks {
                let at = places.iter().zip(arrays);
                let at: Vec<_> =
                    at.map(|((base, offset), array)| (*base, offset + i64::from(block * array.stride))).collect();
                // A stride so large that the last block is out of reach gets a pointer of its own.
                let reachable = at.iter().all(|(_, offset)| OperandKind::Imm12.range().contains(offset));
                if reachable {
                    body(&mut self.code, &at);
                } else {
                    let at: Vec<_> = arrays
                        .iter()
                        .map(|array| {
                            self.reach(
                                Address { base: None, offset: i64::from(array.address + block * array.stride) },
                                1,
                            )
                        })
                        .collect();
                    body(&mut self.code, &at);
                }
            }
            return;
        }
        let pointers: Vec<Reg> = arrays.iter().map(|array| self.pointer(address(array))).collect();
        let left = self.code.constant(i64::from(blocks));
        let head = self.code.label();
        self.code.bind(head);
        let at: Vec<_> = pointers.iter().map(|pointer| (Arg::Reg(*pointer), 0)).collect();
        body(&mut self.code, &at);
        for (pointer, array) in pointers.iter().zip(arrays) {
            self.code.advance(*pointer, array.stride.into());
        }
        self.code.advance(left, -1);
        self.code.emit(Op::Bne, &[left.into(), Arg::Zero, head.into()]);
    }

    /// The spikes before a run: none, or those of the run before it.
    fn reset_spikes(&mut self, spikes: Spikes) {
        let carried = self.network.state == StatePolicy::Carried;
        if carried && spikes.slots == 1 {
            return;
        }
        let last = spikes.address + (spikes.slots - 1) * spikes.slot_bytes();
        let to = self.code.constant(spikes.address.into());
        let from = carried.then(|| self.code.constant(last.into()));
        let end = self.code.constant(i64::from(spikes.address + spikes.slot_bytes()));
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
}

/// The lanes of the last block that are neurons, as a mask; all ones where all are.
fn last_lanes(size: u32) -> u32 {
    match size % LANES as u32 {
        0 => u32::MAX,
        lanes => (1 << lanes) - 1,
    }
}
