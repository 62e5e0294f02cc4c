//! What is around the steps: runs, launches, and what is kept for a host.
//!
//! Contract: the program of a launch is: for each of its samples bring variables and spikes to their state before a run, then
//! for each step do the placement's actions in order and put away what is kept of the step, then copy what a host reads of
//! the sample to where it can; in the end tell the host. `init`, where there is one, seeds the generators, fills what keeps
//! its value from run to run, and falls into `run`.
//!
//! Where samples come while the program runs, it looks before each of them whether it has been provided, and behind it says that
//! it is done; behind the last place of the ring it goes on with the first one, as a launch would.
//!
//! What belongs to a sample follows what belongs to the sample before it, so that pointers just go on. A recording of some
//! steps has a pointer that rests until its step has been: what is stored in the steps before is stored over.
//!
//! Nothing of this costs instructions where it is not asked for: one sample has no loop, and recordings of all steps are
//! written where they are wanted in the first place.

use fenn_isa::Op;
use fenn_isa::code::Label;
use fenn_isa::csr::Register;
use fenn_isa::image::manifest::Stream;
use fenn_isa::memory::VECTOR_BYTES;

use super::lanes::{Pointers, load};
use super::{Address, INIT, InputPointer, Lowering, RUN};
use crate::ir::{Arg, Code, HOST, Reg};
use crate::network::{Quantity, Readout, StatePolicy, Window};
use crate::place::{Action, Home, InputPlace, Slots, Spikes, When};

/// The most words that are copied or cleared without a loop.
const UNROLLED: u32 = 4;

/// Registers of a launch of several samples.
struct Samples {
    /// How many are left, this one included.
    left: Reg,
    /// To the marks of the present one.
    marks: Reg,
}

/// Registers and labels of a launch whose samples come while it goes on.
struct Handshake {
    words: Stream,
    /// Samples that are done.
    done: Reg,
    /// Where the ring begins anew.
    turn: Label,
    /// Where the launch ends.
    end: Label,
}

/// What is kept of the same steps, where those are not all.
struct Kept {
    window: Window,
    /// How many steps until the next one is over that is kept.
    left: Reg,
    /// Population and variable.
    variables: Vec<(usize, usize)>,
    /// Population and event.
    events: Vec<(usize, usize)>,
}

impl Lowering<'_> {
    pub(super) fn program(&mut self) {
        let carried = self.network.state == StatePolicy::Carried;
        if carried && (self.placement.seeds.is_some() || self.keeps_lanes()) {
            self.code.entry(INIT.to_owned());
            self.seed();
            self.fill_lanes();
        }
        self.code.entry(RUN.to_owned());
        self.clear_ready_flag();
        self.start_counting();
        if !carried {
            self.fill_tables();
        }
        let shake = self.placement.stream.map(|words| self.start_handshake(words));
        self.start_pointers();
        let samples = self.start_samples();
        let sample = samples.is_some().then(|| self.code.name("sample".to_owned()));
        if let (Some(shake), Some(samples)) = (&shake, &samples) {
            self.await_sample(shake);
            self.mark(samples.marks);
        }
        self.counted(0, |_| ());
        self.counted(1, |lowering| {
            if !carried {
                lowering.seed();
            }
            lowering.reset();
        });
        let kept = self.start_windows();
        let left = self.code.constant(i64::from(self.network.steps));
        let step = self.code.name("step".to_owned());
        for (index, action) in self.placement.actions.iter().enumerate() {
            self.counted(2 + index, |lowering| match action {
                Action::Propagate(bundle) => lowering.propagate(*bundle),
                Action::Update(population) => lowering.update(*population),
            });
        }
        self.code.name("next_step".to_owned());
        self.counted(2 + self.placement.actions.len(), |lowering| {
            lowering.advance_pointers();
            lowering.advance_windows(&kept);
        });
        self.code.advance(left, -1);
        self.code.emit(Op::Bne, &[left.into(), Arg::Zero, step.into()]);
        self.code.name("done".to_owned());
        self.counted(3 + self.placement.actions.len(), Self::end_sample);
        if let (Some(Samples { left, marks }), Some(sample)) = (samples, sample) {
            self.code.advance(marks, 8);
            self.mark(marks);
            if let Some(shake) = &shake {
                self.code.advance(marks, 8);
                self.tell_done(shake);
            }
            self.code.advance(left, -1);
            self.code.emit(Op::Bne, &[left.into(), Arg::Zero, sample.into()]);
        }
        self.keep_positions();
        if let Some(shake) = shake {
            self.code.jump(shake.turn);
            self.code.bind(shake.end);
            self.keep_positions();
        }
        self.end();
    }

    /// No sample is done yet, and the ring begins.
    fn start_handshake(&mut self, words: Stream) -> Handshake {
        let done = self.code.constant(0);
        let (turn, end) = (self.code.label(), self.code.label());
        self.code.bind(turn);
        Handshake { words, done, turn, end }
    }

    /// Goes on when the next sample has been provided, or to the end when there is none.
    fn await_sample(&mut self, shake: &Handshake) {
        let Some(count) = self.placement.count else { return };
        let wait = self.code.name("wait".to_owned());
        let count = self.load_from_host(count);
        self.code.emit(Op::Beq, &[count.into(), shake.done.into(), shake.end.into()]);
        let ready = self.load_from_host(shake.words.ready);
        self.code.emit(Op::Beq, &[ready.into(), shake.done.into(), wait.into()]);
    }

    fn load_from_host(&mut self, address: u32) -> Reg {
        let (base, offset) = self.reach(Address { base: None, offset: address.into() }, 4);
        let word = self.code.def_x(Op::Lw, &[offset.into(), base]);
        self.code.within(HOST);
        word
    }

    /// The present sample is done: everything that a host reads of it is where it stays.
    fn tell_done(&mut self, shake: &Handshake) {
        self.code.advance(shake.done, 1);
        let (base, offset) = self.reach(Address { base: None, offset: shake.words.done.into() }, 4);
        self.code.emit(Op::Sw, &[shake.done.into(), offset.into(), base]);
        self.code.within(HOST);
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

    /// The first mark of a launch of several samples; where those come while the program runs, what is left of the ring.
    fn start_samples(&mut self) -> Option<Samples> {
        let (count, marks) = self.placement.count.zip(self.placement.marks)?;
        if self.placement.stream.is_some() {
            let left = self.code.constant(self.placement.samples.into());
            return Some(Samples { left, marks: self.code.constant(marks.into()) });
        }
        let (base, offset) = self.reach(Address { base: None, offset: count.into() }, 4);
        let left = self.code.def_x(Op::Lw, &[offset.into(), base]);
        let marks = self.code.constant(marks.into());
        self.mark(marks);
        Some(Samples { left, marks })
    }

    /// Notes at `marks` when it is.
    fn mark(&mut self, marks: Reg) {
        for (register, offset) in [(Register::Mcycle, 0), (Register::Minstret, 4)] {
            let now = self.counter(register);
            self.code.emit(Op::Sw, &[now.into(), offset.into(), marks.into()]);
        }
    }

    fn start_pointers(&mut self) {
        for input in &self.placement.inputs {
            let address = match input {
                InputPlace::Bits(spikes) => spikes.first_step(),
                InputPlace::List(list) => list.address,
            };
            let pointer = self.code.constant(address.into());
            self.step.inputs.push(InputPointer(pointer));
            let list = match input {
                InputPlace::List(list) if self.placement.stream.is_some() => {
                    Some(self.code.constant(i64::from(list.address) + i64::from(list.sample_bytes)))
                }
                _ => None,
            };
            self.step.lists.push(list);
        }
        for codes in &self.placement.codes {
            self.step.codes.push(codes.map(|codes| self.code.constant(codes.address.into())));
        }
        let several = self.placement.samples > 1;
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
            let pointer = |code: &mut Code, address: Option<u32>| address.map(|address| code.constant(address.into()));
            let code = &mut self.code;
            self.step.records.push(place.records.iter().map(|record| pointer(code, *record)).collect());
            self.step.kept.push(place.kept.iter().map(|kept| pointer(code, *kept)).collect());
            let copies =
                place.copies.iter().map(|copy| pointer(code, copy.filter(|_| several).map(|copy| copy.address)));
            self.step.copies.push(copies.collect());
        }
        for ring in &self.placement.rings {
            self.step.rings.push(start_position(&mut self.code, ring.position));
        }
        for bundle in &self.placement.bundles {
            let marks = bundle.marks().map(|marks| start_position(&mut self.code, marks.position));
            self.step.marks.push(marks);
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
            for (variable, pointer) in self.step.records[index].iter().enumerate() {
                let whole = self.network.kept(index, Quantity::Variable(variable)) == Some(Window::WHOLE);
                if let Some(pointer) = pointer.filter(|_| whole) {
                    self.code.advance(pointer, i64::from(place.blocks * VECTOR_BYTES));
                }
            }
        }
    }

    /// Starts to count steps for every window that is not the whole run.
    fn start_windows(&mut self) -> Vec<Kept> {
        let mut all: Vec<Kept> = Vec::new();
        for (population, place) in self.placement.populations.iter().enumerate() {
            let variables = (0..place.variables.len()).map(Quantity::Variable);
            for quantity in variables.chain((0..place.events.len()).map(Quantity::Event)) {
                let kept = self.network.kept(population, quantity).filter(|window| *window != Window::WHOLE);
                let Some(window) = kept else { continue };
                let at = all.iter().position(|kept| kept.window == window).unwrap_or_else(|| {
                    let left = self.code.constant(i64::from(window.from) + 1);
                    all.push(Kept { window, left, variables: Vec::new(), events: Vec::new() });
                    all.len() - 1
                });
                match quantity {
                    Quantity::Variable(variable) => all[at].variables.push((population, variable)),
                    Quantity::Event(event) => all[at].events.push((population, event)),
                }
            }
        }
        all
    }

    /// If the step is one that a window keeps: puts spikes away and goes on to the next place.
    fn advance_windows(&mut self, all: &[Kept]) {
        for Kept { window, left, variables, events } in all {
            let other = self.code.label();
            self.code.advance(*left, -1);
            self.code.emit(Op::Bne, &[(*left).into(), Arg::Zero, other.into()]);
            for (population, variable) in variables {
                if let Some(pointer) = self.step.records[*population][*variable] {
                    let bytes = self.placement.populations[*population].blocks * VECTOR_BYTES;
                    self.code.advance(pointer, bytes.into());
                }
            }
            for (population, event) in events {
                if let Some(pointer) = self.step.kept[*population][*event] {
                    let words = self.placement.populations[*population].events[*event].words;
                    let from = self.event_address(*population, *event, When::Now, 0);
                    self.copy_words(from, Address { base: Some(pointer), offset: 0 }, words);
                    self.code.advance(pointer, i64::from(4 * words));
                }
            }
            self.code.set(*left, window.every.into());
            self.code.bind(other);
        }
    }

    /// Brings variables and spikes to their state before a run.
    fn reset(&mut self) {
        for (index, place) in self.placement.populations.iter().enumerate() {
            let population = &self.network.populations[index];
            for (index, variable) in population.variables.iter().enumerate().filter(|(_, variable)| variable.reset) {
                self.set_variable(&variable.initial, place.initial[index], place.variables[index], place.blocks);
            }
            for event in 0..place.events.len() {
                self.reset_spikes(index, event);
            }
        }
        for index in 0..self.placement.rings.len() {
            let ring = self.placement.rings[index];
            if self.network.populations[ring.population].variables[ring.variable].reset {
                self.clear_ring(&ring);
            }
        }
    }

    /// The spikes before a run: none, or those of the run before it.
    fn reset_spikes(&mut self, population: usize, event: usize) {
        let spikes = self.placement.populations[population].events[event];
        let forgotten = self.network.forgets_spikes(population);
        match (spikes.slots, self.step.events[population][event]) {
            (Slots::Steps { before, .. }, Some(pointer)) => {
                let before_run = self.slots_before(&spikes, pointer);
                if forgotten {
                    self.clear_words(before_run, before * spikes.words);
                } else if self.placement.samples > 1 {
                    let home = Address { base: None, offset: spikes.address.into() };
                    self.copy_words(home, before_run, before * spikes.words);
                }
            }
            _ if forgotten => {
                let all = Address { base: None, offset: spikes.address.into() };
                self.clear_words(all, spikes.count() * spikes.words);
            }
            _ => {}
        }
    }

    /// The first of the slots up to that of `pointer` that a run looks back on.
    fn slots_before(&self, spikes: &Spikes, pointer: Reg) -> Address {
        let Slots::Steps { before, .. } = spikes.slots else { return Address { base: Some(pointer), offset: 0 } };
        Address { base: Some(pointer), offset: -i64::from((before - 1) * spikes.slot_bytes()) }
    }

    /// Brings what a host reads of a sample to where it can, keeps what the next run begins with, and goes on to where the next
    /// sample's things are.
    fn end_sample(&mut self) {
        let several = self.placement.samples > 1;
        for (index, place) in self.placement.populations.iter().enumerate() {
            for (variable, copy) in place.copies.iter().enumerate() {
                match (copy, self.step.copies[index][variable]) {
                    (Some(_), Some(pointer)) => self.copy_away(place.blocks, place.variables[variable], pointer),
                    (Some(copy), None) => {
                        self.copy_blocks(place.blocks, place.variables[variable], Home::Vector(*copy))
                    }
                    (None, _) => {}
                }
            }
            for (event, spikes) in place.events.iter().enumerate() {
                let (Slots::Steps { before, .. }, Some(pointer)) = (spikes.slots, self.step.events[index][event])
                else {
                    continue;
                };
                if !self.network.forgets_spikes(index) {
                    let last = self.slots_before(spikes, pointer);
                    let home = Address { base: None, offset: spikes.address.into() };
                    self.copy_words(last, home, before * spikes.words);
                }
                if several {
                    self.code.advance(pointer, i64::from(before * spikes.slot_bytes()));
                }
            }
        }
        for (InputPointer(pointer), input) in self.step.inputs.iter().zip(&self.placement.inputs) {
            if let InputPlace::Bits(Spikes { words, slots: Slots::Steps { before, .. }, .. }) = input
                && several
                && *before > 0
            {
                self.code.advance(*pointer, i64::from(before * 4 * words));
            }
        }
        for (index, input) in self.placement.inputs.iter().enumerate() {
            if let (Some(next), InputPlace::List(list)) = (self.step.lists[index], input) {
                let InputPointer(pointer) = self.step.inputs[index];
                self.code.emit(Op::Addi, &[pointer.into(), next.into(), 0.into()]);
                self.code.advance(next, list.sample_bytes.into());
            }
        }
        self.hand_over();
    }

    /// Brings the outputs' numbers to where a host reads them while the program goes on.
    fn hand_over(&mut self) {
        for (index, (output, codes)) in self.network.outputs.iter().zip(&self.placement.codes).enumerate() {
            let (Some(codes), Some(to), Quantity::Variable(variable)) =
                (codes, self.step.codes[index], output.quantity)
            else {
                continue;
            };
            let place = &self.placement.populations[output.population];
            let behind = self.step.records[output.population][variable].filter(|_| output.readout != Readout::Last);
            match behind {
                // All steps' vectors, up to where the next sample's go.
                Some(end) => {
                    let from = self.plus(end, -i64::from(codes.steps * codes.blocks * VECTOR_BYTES));
                    let head = self.code.label();
                    self.code.bind(head);
                    let value = self.code.def_v(Op::VLoadV, &[0.into(), from.into()]);
                    self.store_lanes(value, to, codes.lanes);
                    self.code.advance(from, VECTOR_BYTES.into());
                    self.code.emit(Op::Bne, &[from.into(), end.into(), head.into()]);
                }
                None => {
                    let mut pointers = Pointers::default();
                    let at = pointers.point(self, place.variables[variable], 1);
                    if codes.blocks == 1 {
                        let value = load(&mut self.code, at);
                        self.store_lanes(value, to, codes.lanes);
                        continue;
                    }
                    let left = self.code.constant(codes.blocks.into());
                    let step = pointers.lane_step(self, 1);
                    let head = self.code.label();
                    self.code.bind(head);
                    let value = load(&mut self.code, at);
                    self.store_lanes(value, to, codes.lanes);
                    pointers.advance(&mut self.code, step);
                    self.code.advance(left, -1);
                    self.code.emit(Op::Bne, &[left.into(), Arg::Zero, head.into()]);
                }
            }
        }
    }

    /// Puts the first `lanes` numbers of `value` to where `to` points, and moves it behind them.
    fn store_lanes(&mut self, value: Reg, to: Reg, lanes: u32) {
        for lane in 0..i64::from(lanes) {
            let number = self.code.def_x(Op::VExtract, &[value.into(), lane.into()]);
            self.code.emit(Op::Sh, &[number.into(), (2 * lane).into(), to.into()]);
        }
        self.code.advance(to, i64::from(2 * lanes));
    }

    /// Keeps where rings have turned to for the next launch.
    fn keep_positions(&mut self) {
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
        for (bundle, register) in self.placement.bundles.iter().zip(&self.step.marks) {
            let position = bundle.marks().and_then(|marks| marks.position);
            kept.extend(position.zip(*register));
        }
        for (address, register) in kept {
            let (base, offset) = self.reach(Address { base: None, offset: address.into() }, 4);
            self.code.emit(Op::Sw, &[register.into(), offset.into(), base]);
        }
    }

    /// Copies blocks to where `pointer` points, and moves it behind them.
    fn copy_away(&mut self, blocks: u32, from: Home, pointer: Reg) {
        let mut pointers = Pointers::default();
        let at = pointers.point(self, from, 1);
        let left = self.code.constant(blocks.into());
        let step = pointers.lane_step(self, 1);
        let head = self.code.label();
        self.code.bind(head);
        let value = load(&mut self.code, at);
        self.code.emit(Op::VStore, &[value.into(), 0.into(), pointer.into()]);
        pointers.advance(&mut self.code, step);
        self.code.advance(pointer, VECTOR_BYTES.into());
        self.code.advance(left, -1);
        self.code.emit(Op::Bne, &[left.into(), Arg::Zero, head.into()]);
    }

    /// `words` words become 0.
    pub(super) fn clear_words(&mut self, at: Address, words: u32) {
        if words <= UNROLLED {
            let (base, offset) = self.reach(at, i64::from(4 * words));
            return (0..words).for_each(|word| {
                self.code.emit(Op::Sw, &[Arg::Zero, (offset + i64::from(4 * word)).into(), base]);
            });
        }
        let to = self.pointer(at);
        let end = self.plus(to, i64::from(4 * words));
        let head = self.code.label();
        self.code.bind(head);
        self.code.emit(Op::Sw, &[Arg::Zero, 0.into(), to.into()]);
        self.code.advance(to, 4);
        self.code.emit(Op::Bne, &[to.into(), end.into(), head.into()]);
    }

    /// Copies `words` words, the first one first.
    fn copy_words(&mut self, from: Address, to: Address, words: u32) {
        if words <= UNROLLED {
            let (from, first) = self.reach(from, i64::from(4 * words));
            let (to, second) = self.reach(to, i64::from(4 * words));
            return (0..words).for_each(|word| {
                let offset = i64::from(4 * word);
                let value = self.code.def_x(Op::Lw, &[(first + offset).into(), from]);
                self.code.emit(Op::Sw, &[value.into(), (second + offset).into(), to]);
            });
        }
        let (from, to) = (self.pointer(from), self.pointer(to));
        let end = self.plus(to, i64::from(4 * words));
        let head = self.code.label();
        self.code.bind(head);
        let value = self.code.def_x(Op::Lw, &[0.into(), from.into()]);
        self.code.emit(Op::Sw, &[value.into(), 0.into(), to.into()]);
        self.code.advance(from, 4);
        self.code.advance(to, 4);
        self.code.emit(Op::Bne, &[to.into(), end.into(), head.into()]);
    }
}

/// A new register for a position in a ring: where the launch before stopped, or at its beginning.
fn start_position(code: &mut Code, kept: Option<u32>) -> Reg {
    match kept {
        None => code.constant(0),
        Some(address) => {
            let address = code.constant(address.into());
            code.def_x(Op::Lw, &[0.into(), address.into()])
        }
    }
}
