//! A trace as bytes: as complete as the text and no more than a quarter of it, a twentieth where there are no vectors.
//!
//! Contract: what [`BinaryTrace`] writes, [`TraceReader`] reads again as the same [`Record`]s, so that their text is the one
//! that [`super::Trace`] prints. A file that was cut or changed is an error with the byte's offset ([`TraceError`]), at the
//! latest at its end: the reader never panics, and needs memory in proportion to the file.
//!
//! # The format, version 1
//!
//! A number is written as a *varint*: seven bits a byte, low bits first, bit 7 set in all bytes but the last, at most 64
//! bits. A *signed* number `n` is the varint `2n`, or `-2n - 1` where it is negative. Other numbers are little-endian.
//!
//! The file begins with the eight bytes `FENNTRC` and 1. Records follow; the two low bits of their first byte say which:
//!
//! - **0, step.** Writer and reader keep the same *model*: registers, generators and, for every address, the last word seen
//!   there, all zero at first; what a step says of them is carried out on the model. Only what the model does not foretell
//!   is written, in this order, where the bit is set:
//!
//!   | bit | follows | foretold |
//!   |---|---|---|
//!   | 2 | signed: words from the foretold address to this one | 4 more than the step's before |
//!   | 3 | the word, 4 bytes | the last one at this address |
//!   | 4 | time, see below | the cycle after the step before and its stalls; no stalls here |
//!   | 5 | the result, as a value | what the register holds |
//!   | 6 | the address | the base register and the immediate |
//!   | 7 | what was stored, as a value | the register stored |
//!
//!   *Time* is a byte of bits: 0, a stall before follows; 1, the cycles waited for the port; 2, a stall after; 3, a signed
//!   number of cycles by which the step came later than all that says. A stall is a byte, the cause's index in
//!   [`fenn_isa::timing::StallCause::ALL`], and its cycles. Cycles are not 0.
//!
//!   A *value* of 32 bits is the signed difference, modulo 2^32, from what was foretold. One of 32 lanes is a byte and what
//!   it says: 0, a number of 16 bits for all lanes; 1, a mask of 32 bits and for each lane in it, low ones first, the
//!   signed difference modulo 2^16; 2, all lanes, 16 bits each.
//!
//!   An *address* in scalar or vector memory is the signed difference, modulo 2^32, from the foretold one. Addresses in
//!   lane-local memory are a mask of 32 bits, the lanes that take part, and for each of them the address as a signed number.
//! - **1, transfer.** Bit 2 is the channel, 0 into vector memory. Source, destination and bytes follow.
//! - **2, trap.** Bit 2: a word follows the `pc`, both 4 bytes. Then the cause: a byte, the index of the variant in
//!   [`crate::Cause`], and its fields in their order; an access is a byte (bit 0 store, bits 1 to 3 the memory's index in
//!   [`Space::ALL`], bit 4 a lane follows), address, bytes, and the lane.
//! - **3, end.** The number of records, and the FNV-1a hash, 64 bits, of everything before the hash. Nothing follows. The
//!   hash's step is a bijection, so that a change within one byte is always noticed.

use std::collections::HashMap;
use std::io;

use fenn_isa::memory::{LANES, Space};
use fenn_isa::usage::Resource;

use super::Observer;
use super::record::{Record, Shape, Step, Touched, Value};
use crate::dma::{Direction, Transfer};
use crate::state::{State, Vector};
use crate::timing::{Retired, Stall};
use crate::trap::{Access, AccessKind, Cause, Trap};

mod read;

pub use read::{Damage, TraceError, TraceReader};

/// What a trace begins with.
const MAGIC: [u8; 8] = *b"FENNTRC\x01";

/// The two low bits of a record's first byte.
mod kind {
    pub(super) const STEP: u8 = 0;
    pub(super) const TRANSFER: u8 = 1;
    pub(super) const TRAP: u8 = 2;
    pub(super) const END: u8 = 3;
    pub(super) const MASK: u8 = 3;
}

/// The other bits of a step's first byte.
mod has {
    pub(super) const ADDRESS: u8 = 1 << 2;
    pub(super) const WORD: u8 = 1 << 3;
    pub(super) const TIME: u8 = 1 << 4;
    pub(super) const RESULT: u8 = 1 << 5;
    pub(super) const PLACE: u8 = 1 << 6;
    pub(super) const STORED: u8 = 1 << 7;
}

/// The bits of a step's time.
mod time {
    pub(super) const BEFORE: u8 = 1;
    pub(super) const PORT: u8 = 2;
    pub(super) const AFTER: u8 = 4;
    pub(super) const LATER: u8 = 8;
}

/// How lanes are written.
mod form {
    pub(super) const SAME: u8 = 0;
    pub(super) const CHANGED: u8 = 1;
    pub(super) const ALL: u8 = 2;
}

/// Bit 2 of a transfer's and a trap's first byte.
const FLAG: u8 = 1 << 2;
/// The bit of an access's first byte that says that a lane follows.
const LANE: u8 = 1 << 4;

/// The hash of everything written or read so far.
#[derive(Debug, Clone, Copy)]
struct Hash(u64);

impl Hash {
    const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

/// What writer and reader know of the machine.
#[derive(Debug)]
struct Model {
    x: [u32; 32],
    v: [Vector; 32],
    halves: [Vector; 2],
    words: HashMap<u32, u32>,
    pc: u32,
    cycle: u64,
}

impl Model {
    fn new() -> Self {
        let (x, v, halves) = ([0; 32], [Vector::ZERO; 32], [Vector::ZERO; 2]);
        Self { x, v, halves, words: HashMap::new(), pc: 0, cycle: 0 }
    }

    /// What a register holds; `half` says which half of the generators' states is meant by these.
    fn value(&self, resource: Resource, half: usize) -> Value {
        match resource.index() {
            index @ 0..32 => Value::Scalar(self.x[index]),
            index @ 32..64 => Value::Vector(self.v[index - 32]),
            _ => Value::Vector(self.halves[half & 1]),
        }
    }

    /// The memory that an instruction of this shape is expected to access.
    fn touched(&self, shape: &Shape) -> Touched {
        match (shape.access, self.value(shape.base, 0)) {
            (None, _) => Touched::Nothing,
            (Some((_, Space::LaneLocal, _)), Value::Vector(base)) => Touched::Lanes(shape.lane_addresses(&base)),
            (Some(_), Value::Scalar(base)) => Touched::Place { address: base.wrapping_add_signed(shape.offset) },
            (Some(_), Value::Vector(_)) => Touched::Nothing,
        }
    }

    /// Carries out what the step says.
    fn apply(&mut self, step: &Step, shape: &Shape) {
        match (step.result, shape.usage.writes.index()) {
            (Some(Value::Scalar(value)), index @ 1..32) => self.x[index] = value,
            (Some(Value::Vector(vector)), index @ 32..64) => self.v[index - 32] = vector,
            (Some(Value::Vector(vector)), 64) => self.halves[shape.half & 1] = vector,
            _ => {}
        }
        self.words.insert(step.pc, step.inst.encode());
        self.pc = step.pc.wrapping_add(4);
        self.cycle = step.cycle.wrapping_add(1 + cycles(step.stalls.after));
    }
}

fn cycles(stall: Option<Stall>) -> u64 {
    stall.map_or(0, |stall| u64::from(stall.cycles))
}

/// Writes a trace as bytes.
#[derive(Debug)]
pub struct BinaryTrace<W> {
    out: W,
    model: Model,
    accesses: Vec<Access>,
    bytes: Vec<u8>,
    hash: Hash,
    records: u64,
    failed: Option<io::Error>,
}

impl<W: io::Write> BinaryTrace<W> {
    /// A trace into `out`, which should be buffered.
    pub fn new(out: W) -> Self {
        let mut trace = Self {
            out,
            model: Model::new(),
            accesses: Vec::new(),
            bytes: MAGIC.to_vec(),
            hash: Hash::new(),
            records: 0,
            failed: None,
        };
        trace.flush();
        trace
    }

    /// Writes the end of the trace, without which it counts as cut; the writer, flushed.
    ///
    /// # Errors
    /// The first error of any write; nothing was written after it.
    pub fn finish(mut self) -> io::Result<W> {
        self.bytes.push(kind::END);
        varint(&mut self.bytes, self.records);
        self.flush();
        self.bytes.extend(self.hash.0.to_le_bytes());
        self.flush();
        match self.failed {
            Some(error) => Err(error),
            None => self.out.flush().map(|()| self.out),
        }
    }

    /// Writes one record, for traces that come from elsewhere than a machine.
    ///
    /// A step's result, memory and stored value must be those that its instruction has, or they are not all written.
    pub fn record(&mut self, record: &Record) {
        match record {
            Record::Step(step) => self.step(step),
            Record::Transfer(transfer) => put_transfer(&mut self.bytes, transfer),
            Record::Trap(trap) => put_trap(&mut self.bytes, trap),
        }
        self.records += 1;
        self.flush();
    }

    fn flush(&mut self) {
        self.hash.add(&self.bytes);
        if self.failed.is_none() {
            self.failed = self.out.write_all(&self.bytes).err();
        }
        self.bytes.clear();
    }

    fn step(&mut self, step: &Step) {
        let Self { model, bytes, .. } = self;
        let shape = Shape::of(step.inst);
        let head = bytes.len();
        bytes.push(kind::STEP);
        let mut bits = 0;
        if step.pc != model.pc {
            bits |= has::ADDRESS;
            signed(bytes, i64::from((step.pc.wrapping_sub(model.pc) as i32) >> 2));
        }
        let word = step.inst.encode();
        if model.words.get(&step.pc) != Some(&word) {
            bits |= has::WORD;
            bytes.extend(word.to_le_bytes());
        }
        if put_time(bytes, step, model.cycle) {
            bits |= has::TIME;
        }
        if let Some(result) = step.result
            && put_value(bytes, result, model.value(shape.usage.writes, shape.half))
        {
            bits |= has::RESULT;
        }
        if put_touched(bytes, &step.touched, &model.touched(&shape)) {
            bits |= has::PLACE;
        }
        if let Some(stored) = step.stored
            && put_value(bytes, stored, shape.cut(model.value(shape.stored, 0)))
        {
            bits |= has::STORED;
        }
        bytes[head] |= bits;
        model.apply(step, &shape);
    }
}

impl<W: io::Write> Observer for BinaryTrace<W> {
    fn retire(&mut self, retired: &Retired, state: &State) {
        let step = Step::new(retired, &self.accesses, state);
        self.accesses.clear();
        self.record(&Record::Step(step));
    }

    fn access(&mut self, access: &Access) {
        self.accesses.push(*access);
    }

    fn transfer(&mut self, transfer: &Transfer) {
        self.record(&Record::Transfer(*transfer));
    }

    fn trap(&mut self, trap: &Trap) {
        self.accesses.clear();
        self.record(&Record::Trap(*trap));
    }
}

fn varint(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn signed(bytes: &mut Vec<u8>, number: i64) {
    varint(bytes, (number << 1 ^ number >> 63) as u64);
}

/// Whether anything had to be written.
fn put_time(bytes: &mut Vec<u8>, step: &Step, clock: u64) -> bool {
    let stalls = &step.stalls;
    let foretold = clock.wrapping_add(cycles(stalls.before)).wrapping_add(u64::from(stalls.port));
    let later = step.cycle.wrapping_sub(foretold) as i64;
    let head = bytes.len();
    bytes.push(0);
    let mut bits = 0;
    let stall = |bytes: &mut Vec<u8>, Stall { cause, cycles }: Stall| {
        bytes.push(cause as u8);
        varint(bytes, u64::from(cycles));
    };
    if let Some(before) = stalls.before {
        bits |= time::BEFORE;
        stall(bytes, before);
    }
    if stalls.port > 0 {
        bits |= time::PORT;
        varint(bytes, u64::from(stalls.port));
    }
    if let Some(after) = stalls.after {
        bits |= time::AFTER;
        stall(bytes, after);
    }
    if later != 0 {
        bits |= time::LATER;
        signed(bytes, later);
    }
    if bits == 0 {
        bytes.truncate(head);
        return false;
    }
    bytes[head] = bits;
    true
}

/// Whether anything had to be written.
fn put_value(bytes: &mut Vec<u8>, value: Value, foretold: Value) -> bool {
    if value == foretold {
        return false;
    }
    match (value, foretold) {
        (Value::Scalar(value), Value::Scalar(foretold)) => {
            signed(bytes, i64::from(value.wrapping_sub(foretold) as i32));
        }
        (Value::Vector(vector), Value::Vector(foretold)) => put_lanes(bytes, &vector, &foretold),
        // A value of a kind that its instruction does not have: there is nothing to write it as.
        (Value::Scalar(_), Value::Vector(_)) | (Value::Vector(_), Value::Scalar(_)) => return false,
    }
    true
}

fn put_lanes(bytes: &mut Vec<u8>, vector: &Vector, foretold: &Vector) {
    if vector.0.iter().all(|lane| *lane == vector.0[0]) {
        bytes.push(form::SAME);
        bytes.extend(vector.0[0].to_le_bytes());
        return;
    }
    let head = bytes.len();
    let mask = (0..LANES).filter(|lane| vector.0[*lane] != foretold.0[*lane]).fold(0u32, |mask, lane| mask | 1 << lane);
    bytes.push(form::CHANGED);
    bytes.extend(mask.to_le_bytes());
    for lane in (0..LANES).filter(|lane| mask >> lane & 1 != 0) {
        signed(bytes, i64::from(vector.0[lane].wrapping_sub(foretold.0[lane])));
    }
    if bytes.len() - head > 1 + 2 * LANES {
        bytes.truncate(head);
        bytes.push(form::ALL);
        bytes.extend(vector.to_bytes());
    }
}

/// Whether anything had to be written.
fn put_touched(bytes: &mut Vec<u8>, touched: &Touched, foretold: &Touched) -> bool {
    if touched == foretold {
        return false;
    }
    match (touched, foretold) {
        (Touched::Place { address }, Touched::Place { address: foretold }) => {
            signed(bytes, i64::from(address.wrapping_sub(*foretold) as i32));
        }
        (Touched::Lanes(addresses), Touched::Lanes(_)) => {
            let mask = (0..LANES).filter(|lane| addresses[*lane].is_some()).fold(0u32, |mask, lane| mask | 1 << lane);
            bytes.extend(mask.to_le_bytes());
            addresses.iter().flatten().for_each(|address| signed(bytes, i64::from(*address as i32)));
        }
        // As above: not what the instruction has.
        _ => return false,
    }
    true
}

fn put_transfer(bytes: &mut Vec<u8>, transfer: &Transfer) {
    let Transfer { direction, source, destination, bytes: length } = *transfer;
    bytes.push(kind::TRANSFER | if direction == Direction::OutOfVector { FLAG } else { 0 });
    [source, destination, length].into_iter().for_each(|number| varint(bytes, u64::from(number)));
}

fn put_trap(bytes: &mut Vec<u8>, trap: &Trap) {
    bytes.push(kind::TRAP | if trap.word.is_some() { FLAG } else { 0 });
    bytes.extend(trap.pc.to_le_bytes());
    if let Some(word) = trap.word {
        bytes.extend(word.to_le_bytes());
    }
    let number = |bytes: &mut Vec<u8>, tag: u8, number: u32| {
        bytes.push(tag);
        varint(bytes, u64::from(number));
    };
    match trap.cause {
        Cause::FetchMisaligned { target } => number(bytes, 0, target),
        Cause::FetchOutside { size } => number(bytes, 1, size),
        Cause::Illegal => bytes.push(2),
        Cause::NoSuchCsr { address } => number(bytes, 3, u32::from(address)),
        Cause::ReadOnlyCsr { address } => number(bytes, 4, u32::from(address)),
        Cause::Misaligned { access, alignment } => {
            bytes.push(5);
            put_access(bytes, &access);
            varint(bytes, u64::from(alignment));
        }
        Cause::Outside { access, size } => {
            bytes.push(6);
            put_access(bytes, &access);
            varint(bytes, u64::from(size));
        }
    }
}

fn put_access(bytes: &mut Vec<u8>, access: &Access) {
    let Access { kind, space, address, bytes: length, lane } = *access;
    let store = u8::from(kind == AccessKind::Store);
    bytes.push(store | (space as u8) << 1 | if lane.is_some() { LANE } else { 0 });
    varint(bytes, u64::from(address));
    varint(bytes, u64::from(length));
    bytes.extend(lane);
}
