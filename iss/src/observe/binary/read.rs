//! Reading a trace.

use std::io::{self, BufRead as _, BufReader};

use fenn_isa::Inst;
use fenn_isa::memory::{LANES, Space};
use fenn_isa::timing::StallCause;

use super::{FLAG, Hash, LANE, MAGIC, Model, cycles, form, has, kind, time};
use crate::dma::{Direction, Transfer};
use crate::observe::record::{Record, Shape, Step, Touched, Value};
use crate::state::Vector;
use crate::timing::{Stall, Stalls};
use crate::trap::{Access, AccessKind, Cause, Trap};

/// Why a trace cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The system's answer.
    #[error("the trace cannot be read at byte {offset}: {source}")]
    Read {
        /// From the beginning.
        offset: u64,
        /// Why.
        source: io::Error,
    },
    /// It is not what was written.
    #[error("the trace is damaged at byte {offset}: {damage}")]
    Damaged {
        /// From the beginning: the byte behind the last one that was read.
        offset: u64,
        /// What is wrong.
        damage: Damage,
    },
}

/// What is wrong with a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// Another file.
    #[error("it does not begin as a trace of version 1")]
    NoTrace,
    /// Bytes are missing.
    #[error("it ends in the middle")]
    Cut,
    /// A number of more bits than it can have.
    #[error("a number is too great")]
    Number,
    /// Bits that mean nothing here.
    #[error("{0:#04x} means nothing here")]
    Byte(u8),
    /// No instruction has this word.
    #[error("{0:#010x} is the word of no instruction")]
    Word(u32),
    /// The word of an instruction was not given.
    #[error("the instruction at {0:#x} has no word")]
    NoWord(u32),
    /// A record was lost.
    #[error("it says that it has {said} records and has {found}")]
    Count {
        /// What its end says.
        said: u64,
        /// How many were read.
        found: u64,
    },
    /// The hash is another: some byte before is not what it was.
    #[error("its check sum is wrong, so that a byte before has changed")]
    Hash,
    /// Something follows the end.
    #[error("something follows its end")]
    Trailing,
}

/// The records of a trace, one after the other.
///
/// After an error there are no more. Records before it are what the file says, but only a trace that was read to its end
/// without an error is known to be the one that was written.
#[derive(Debug)]
pub struct TraceReader<R> {
    input: BufReader<R>,
    offset: u64,
    model: Model,
    hash: Hash,
    records: u64,
    done: bool,
}

impl<R: io::Read> TraceReader<R> {
    /// A reader of what `input` has, which need not be buffered.
    ///
    /// # Errors
    /// [`TraceError`], if it does not begin as a trace.
    pub fn new(input: R) -> Result<Self, TraceError> {
        let input = BufReader::new(input);
        let mut reader = Self { input, offset: 0, model: Model::new(), hash: Hash::new(), records: 0, done: false };
        let mut magic = [0; MAGIC.len()];
        for byte in &mut magic {
            *byte = reader.byte().map_err(|error| match error {
                TraceError::Damaged { offset, .. } => TraceError::Damaged { offset, damage: Damage::NoTrace },
                error @ TraceError::Read { .. } => error,
            })?;
        }
        if magic != MAGIC { Err(reader.damaged(Damage::NoTrace)) } else { Ok(reader) }
    }

    fn damaged(&self, damage: Damage) -> TraceError {
        TraceError::Damaged { offset: self.offset, damage }
    }

    /// The next byte, or `None` at the end.
    fn next_byte(&mut self) -> Result<Option<u8>, TraceError> {
        let buffer = match self.input.fill_buf() {
            Ok(buffer) => buffer,
            Err(source) => return Err(TraceError::Read { offset: self.offset, source }),
        };
        let Some(byte) = buffer.first().copied() else { return Ok(None) };
        self.input.consume(1);
        self.offset += 1;
        Ok(Some(byte))
    }

    fn byte(&mut self) -> Result<u8, TraceError> {
        let byte = self.next_byte()?.ok_or_else(|| self.damaged(Damage::Cut))?;
        self.hash.add(&[byte]);
        Ok(byte)
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], TraceError> {
        let mut bytes = [0; N];
        for byte in &mut bytes {
            *byte = self.byte()?;
        }
        Ok(bytes)
    }

    fn word(&mut self) -> Result<u32, TraceError> {
        self.bytes().map(u32::from_le_bytes)
    }

    fn varint(&mut self) -> Result<u64, TraceError> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                return Err(self.damaged(Damage::Number));
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(self.damaged(Damage::Number))
    }

    fn signed(&mut self) -> Result<i64, TraceError> {
        self.varint().map(|number| (number >> 1) as i64 ^ -((number & 1) as i64))
    }

    /// A number that has its type's range.
    fn number<T: TryFrom<u64>>(&mut self) -> Result<T, TraceError> {
        let number = self.varint()?;
        T::try_from(number).map_err(|_| self.damaged(Damage::Number))
    }

    /// A difference of 32 bits.
    fn difference(&mut self) -> Result<u32, TraceError> {
        let number = self.signed()?;
        i32::try_from(number).map(|number| number as u32).map_err(|_| self.damaged(Damage::Number))
    }

    fn record(&mut self) -> Result<Option<Record>, TraceError> {
        let head = self.byte()?;
        let record = match head & kind::MASK {
            kind::STEP => Record::Step(self.step(head)?),
            kind::TRANSFER => Record::Transfer(self.transfer(head)?),
            kind::TRAP => Record::Trap(self.trap(head)?),
            _ if head != kind::END => return Err(self.damaged(Damage::Byte(head))),
            _ => return self.end().map(|()| None),
        };
        self.records += 1;
        Ok(Some(record))
    }

    fn end(&mut self) -> Result<(), TraceError> {
        let said = self.varint()?;
        if said != self.records {
            return Err(self.damaged(Damage::Count { said, found: self.records }));
        }
        let hash = self.hash.0;
        if u64::from_le_bytes(self.bytes()?) != hash {
            return Err(self.damaged(Damage::Hash));
        }
        match self.next_byte()? {
            None => Ok(()),
            Some(_) => Err(self.damaged(Damage::Trailing)),
        }
    }

    fn step(&mut self, head: u8) -> Result<Step, TraceError> {
        let mut pc = self.model.pc;
        if head & has::ADDRESS != 0 {
            let words = self.signed()?;
            let bytes = i32::try_from(words).ok().and_then(|words| words.checked_mul(4));
            pc = pc.wrapping_add_signed(bytes.ok_or_else(|| self.damaged(Damage::Number))?);
        }
        let word = if head & has::WORD != 0 {
            self.word()?
        } else {
            self.model.words.get(&pc).copied().ok_or_else(|| self.damaged(Damage::NoWord(pc)))?
        };
        let inst = Inst::decode(word).ok_or_else(|| self.damaged(Damage::Word(word)))?;
        let shape = Shape::of(inst);
        let (stalls, later) = if head & has::TIME != 0 { self.time()? } else { (Stalls::default(), 0) };
        let waited = cycles(stalls.before).wrapping_add(u64::from(stalls.port));
        let cycle = self.model.cycle.wrapping_add(waited).wrapping_add_signed(later);
        let mut result = (shape.usage.writes.index() != 0).then(|| self.model.value(shape.usage.writes, shape.half));
        if head & has::RESULT != 0 {
            let foretold = result.ok_or_else(|| self.damaged(Damage::Byte(head)))?;
            result = Some(self.value(foretold)?);
        }
        let mut touched = self.model.touched(&shape);
        if head & has::PLACE != 0 {
            touched = self.touched(head, &touched)?;
        }
        let stores = matches!(shape.access, Some((AccessKind::Store, ..)));
        let mut stored = stores.then(|| shape.cut(self.model.value(shape.stored, 0)));
        if head & has::STORED != 0 {
            let foretold = stored.ok_or_else(|| self.damaged(Damage::Byte(head)))?;
            stored = Some(self.value(foretold)?);
        }
        let step = Step { cycle, pc, inst, stalls, result, touched, stored };
        self.model.apply(&step, &shape);
        Ok(step)
    }

    fn time(&mut self) -> Result<(Stalls, i64), TraceError> {
        let bits = self.byte()?;
        let all = time::BEFORE | time::PORT | time::AFTER | time::LATER;
        if bits == 0 || bits & !all != 0 {
            return Err(self.damaged(Damage::Byte(bits)));
        }
        let before = (bits & time::BEFORE != 0).then(|| self.stall()).transpose()?;
        let port = if bits & time::PORT != 0 { self.number()? } else { 0 };
        let after = (bits & time::AFTER != 0).then(|| self.stall()).transpose()?;
        let later = if bits & time::LATER != 0 { self.signed()? } else { 0 };
        Ok((Stalls { before, port, after }, later))
    }

    fn stall(&mut self) -> Result<Stall, TraceError> {
        let index = self.byte()?;
        let cause =
            StallCause::ALL.get(usize::from(index)).copied().ok_or_else(|| self.damaged(Damage::Byte(index)))?;
        match self.number()? {
            0 => Err(self.damaged(Damage::Byte(0))),
            cycles => Ok(Stall { cause, cycles }),
        }
    }

    fn value(&mut self, foretold: Value) -> Result<Value, TraceError> {
        Ok(match foretold {
            Value::Scalar(foretold) => Value::Scalar(foretold.wrapping_add(self.difference()?)),
            Value::Vector(foretold) => Value::Vector(self.lanes(foretold)?),
        })
    }

    fn lanes(&mut self, foretold: Vector) -> Result<Vector, TraceError> {
        match self.byte()? {
            form::SAME => Ok(Vector([i16::from_le_bytes(self.bytes()?); LANES])),
            form::CHANGED => {
                let mask = self.word()?;
                let mut vector = foretold;
                for (_, lane) in vector.0.iter_mut().enumerate().filter(|(lane, _)| mask >> lane & 1 != 0) {
                    let number = self.signed()?;
                    let difference = i16::try_from(number).map_err(|_| self.damaged(Damage::Number))?;
                    *lane = lane.wrapping_add(difference);
                }
                Ok(vector)
            }
            form::ALL => self.bytes().map(|bytes| Vector::from_bytes(&bytes)),
            byte => Err(self.damaged(Damage::Byte(byte))),
        }
    }

    fn touched(&mut self, head: u8, foretold: &Touched) -> Result<Touched, TraceError> {
        Ok(match foretold {
            Touched::Nothing => return Err(self.damaged(Damage::Byte(head))),
            Touched::Place { address } => Touched::Place { address: address.wrapping_add(self.difference()?) },
            Touched::Lanes(_) => {
                let mask = self.word()?;
                let mut addresses = [None; LANES];
                for (_, address) in addresses.iter_mut().enumerate().filter(|(lane, _)| mask >> lane & 1 != 0) {
                    *address = Some(self.difference()?);
                }
                Touched::Lanes(addresses)
            }
        })
    }

    fn transfer(&mut self, head: u8) -> Result<Transfer, TraceError> {
        let direction = match head & !kind::MASK {
            0 => Direction::IntoVector,
            FLAG => Direction::OutOfVector,
            _ => return Err(self.damaged(Damage::Byte(head))),
        };
        Ok(Transfer { direction, source: self.number()?, destination: self.number()?, bytes: self.number()? })
    }

    fn trap(&mut self, head: u8) -> Result<Trap, TraceError> {
        if head & !(kind::MASK | FLAG) != 0 {
            return Err(self.damaged(Damage::Byte(head)));
        }
        let pc = self.word()?;
        let word = (head & FLAG != 0).then(|| self.word()).transpose()?;
        let cause = match self.byte()? {
            0 => Cause::FetchMisaligned { target: self.number()? },
            1 => Cause::FetchOutside { size: self.number()? },
            2 => Cause::Illegal,
            3 => Cause::NoSuchCsr { address: self.number()? },
            4 => Cause::ReadOnlyCsr { address: self.number()? },
            5 => Cause::Misaligned { access: self.access()?, alignment: self.number()? },
            6 => Cause::Outside { access: self.access()?, size: self.number()? },
            byte => return Err(self.damaged(Damage::Byte(byte))),
        };
        Ok(Trap { pc, word, cause })
    }

    fn access(&mut self) -> Result<Access, TraceError> {
        let head = self.byte()?;
        let space = Space::ALL.get(usize::from(head >> 1 & 7)).copied().filter(|_| head < 2 * LANE);
        let space = space.ok_or_else(|| self.damaged(Damage::Byte(head)))?;
        let kind = if head & 1 == 0 { AccessKind::Load } else { AccessKind::Store };
        let (address, bytes) = (self.number()?, self.number()?);
        let lane = (head & LANE != 0).then(|| self.byte()).transpose()?;
        Ok(Access { kind, space, address, bytes, lane })
    }
}

impl<R: io::Read> Iterator for TraceReader<R> {
    type Item = Result<Record, TraceError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let record = self.record().transpose();
        self.done = !matches!(record, Some(Ok(_)));
        record
    }
}
