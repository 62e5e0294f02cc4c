//! The machine's memories.
//!
//! Contract: every access is checked and answers with a value or the [`Cause`] of a trap; a store that traps has
//! changed nothing.
//! - Instruction memory holds words, decoded when they are written; it can only be fetched from.
//! - Scalar memory: an access beyond the end traps. A misaligned one is carried out (the core makes two of it), or
//!   traps when strict.
//! - Vector memory: an address that is no multiple of 64 traps. One beyond the end wraps, or traps when strict.
//! - Lane-local memory: bit 0 of an address is ignored, and it wraps at the end; either traps when strict.
//! - DRAM is reached by the DMA engine only. Its pages exist once something is written to them, and clones of a memory
//!   share pages until one of them writes.
//!
//! A host reads and writes any space as bytes, in the order that [`fenn_isa::memory`] states.
//!
//! Invariant: a decoded instruction, and what it uses, is always that of its word.

use std::sync::Arc;

use fenn_isa::Inst;
use fenn_isa::image::Image;
use fenn_isa::memory::{LANES, MachineConfig, Space, VECTOR_BYTES};
use fenn_isa::usage::Usage;

use crate::dma::{Direction, Transfer};
use crate::error::Error;
use crate::state::Vector;
use crate::trap::{Access, AccessKind, Cause};

const ROW: usize = VECTOR_BYTES as usize;
/// Vectors in a page of DRAM: 64 KiB, so that 256 MiB need a table of 32 KiB.
const PAGE_ROWS: usize = 1024;

static ZERO_ROW: Vector = Vector::ZERO;

/// External memory, with pages for what has been written.
///
/// Every machine has its own; one that stands for the DRAM of a card with several cores is lent to the machine that runs
/// ([`crate::Machine::run_with_dram`]). Clones share pages until one of them writes.
#[derive(Debug, Clone, Default)]
pub struct Dram {
    pages: Vec<Option<Arc<[Vector; PAGE_ROWS]>>>,
    bytes: u64,
    /// The row of it that a core sees as its row 0.
    first: usize,
}

impl Dram {
    /// The most there can be: 1 TiB, whose table of pages takes 128 MiB.
    pub const MOST: u64 = 1 << 40;

    /// So many bytes, all zero; less where that is no multiple of 64 or more than [`Dram::MOST`].
    pub fn new(bytes: u64) -> Self {
        let bytes = bytes.min(Self::MOST) / ROW as u64 * ROW as u64;
        Self { pages: vec![None; bytes.div_ceil((ROW * PAGE_ROWS) as u64) as usize], bytes, first: 0 }
    }

    /// How many bytes there are.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Copies bytes out of it; `false`, and nothing copied, when they do not all lie in it.
    pub fn read(&self, address: u64, out: &mut [u8]) -> bool {
        let inside = self.holds(address, out.len());
        if inside {
            read_units(address as usize, out, |index| self.row_of_all(index).to_bytes());
        }
        inside
    }

    /// Copies bytes into it; `false`, and nothing changed, when they do not all lie in it.
    pub fn write(&mut self, address: u64, bytes: &[u8]) -> bool {
        let inside = self.holds(address, bytes.len());
        if inside {
            write_units(address as usize, bytes, |index, update| update_row(self.row_of_all_mut(index), update));
        }
        inside
    }

    fn holds(&self, address: u64, length: usize) -> bool {
        address <= self.bytes && length as u64 <= self.bytes - address
    }

    fn row(&self, index: usize) -> &Vector {
        self.row_of_all(self.first + index)
    }

    fn row_mut(&mut self, index: usize) -> &mut Vector {
        self.row_of_all_mut(self.first + index)
    }

    fn row_of_all(&self, index: usize) -> &Vector {
        self.pages[index / PAGE_ROWS].as_ref().map_or(&ZERO_ROW, |page| &page[index % PAGE_ROWS])
    }

    fn row_of_all_mut(&mut self, index: usize) -> &mut Vector {
        let page = self.pages[index / PAGE_ROWS].get_or_insert_with(|| Arc::new([Vector::ZERO; PAGE_ROWS]));
        &mut Arc::make_mut(page)[index % PAGE_ROWS]
    }
}

/// A page that was never written equals one of zeros.
impl PartialEq for Dram {
    fn eq(&self, other: &Self) -> bool {
        let is_zero = |page: &[Vector; PAGE_ROWS]| page.iter().all(|row| *row == Vector::ZERO);
        self.pages.len() == other.pages.len()
            && self.bytes == other.bytes
            && self.pages.iter().zip(&other.pages).all(|pair| match pair {
                (None, None) => true,
                (Some(a), Some(b)) => Arc::ptr_eq(a, b) || a == b,
                (Some(page), None) | (None, Some(page)) => is_zero(page),
            })
    }
}

/// All memories of one machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Memory {
    config: MachineConfig,
    words: Vec<u32>,
    decoded: Vec<Option<Inst>>,
    usage: Vec<Usage>,
    scalar: Vec<u8>,
    vector: Vec<Vector>,
    /// Row `a` holds what the lanes have at byte address `2·a`.
    lane_local: Vec<Vector>,
    dram: Dram,
}

impl Memory {
    /// Memories of these sizes, all zero.
    ///
    /// # Errors
    /// [`Error::Config`] for sizes no machine can have.
    pub fn new(config: MachineConfig) -> Result<Self, Error> {
        config.check()?;
        let words = config.instruction_bytes as usize / 4;
        Ok(Self {
            config,
            words: vec![0; words],
            decoded: vec![Inst::decode(0); words],
            usage: vec![usage(Inst::decode(0)); words],
            scalar: vec![0; config.scalar_bytes as usize],
            vector: vec![Vector::ZERO; config.vector_bytes as usize / ROW],
            lane_local: vec![Vector::ZERO; config.lane_local_bytes as usize / 2],
            dram: Dram::new(config.dram_bytes.into()),
        })
    }

    /// The sizes.
    pub fn config(&self) -> &MachineConfig {
        &self.config
    }

    /// Fills every memory with what `image` says, and zero elsewhere.
    ///
    /// # Errors
    /// [`Error::Image`] for an image that is not well-formed, [`Error::TooSmall`] for one made for a machine with more
    /// memory. The memories have not changed then.
    pub fn load(&mut self, image: &Image) -> Result<(), Error> {
        image.check()?;
        for space in Space::ALL {
            let (needed, bytes) = (image.config.bytes(space), self.config.bytes(space));
            if needed > bytes {
                return Err(Error::TooSmall { space, needed, bytes });
            }
        }
        *self = Self::new(self.config)?;
        image.segments.iter().try_for_each(|segment| self.write(segment.space, segment.address, &segment.bytes))
    }

    /// Copies bytes out of a space.
    ///
    /// # Errors
    /// [`Error::Outside`] when they do not all lie in it.
    pub fn read(&self, space: Space, address: u32, out: &mut [u8]) -> Result<(), Error> {
        self.check_range(space, address, out.len())?;
        match space {
            Space::Instruction => read_units(address as usize, out, |index| self.words[index].to_le_bytes()),
            Space::Scalar => out.copy_from_slice(&self.scalar[address as usize..address as usize + out.len()]),
            Space::Vector => read_units(address as usize, out, |index| self.vector[index].to_bytes()),
            Space::LaneLocal => read_units(address as usize, out, |index| self.lane_local[index].to_bytes()),
            Space::Dram => read_units(address as usize, out, |index| self.dram.row(index).to_bytes()),
        }
        Ok(())
    }

    /// A copy of `length` bytes of a space.
    ///
    /// # Errors
    /// [`Error::Outside`] when they do not all lie in it; nothing is allocated then.
    pub fn read_bytes(&self, space: Space, address: u32, length: u32) -> Result<Vec<u8>, Error> {
        self.check_range(space, address, length as usize)?;
        let mut bytes = vec![0; length as usize];
        self.read(space, address, &mut bytes)?;
        Ok(bytes)
    }

    /// Copies bytes into a space.
    ///
    /// # Errors
    /// [`Error::Outside`] when they do not all lie in it; nothing has changed then.
    pub fn write(&mut self, space: Space, address: u32, bytes: &[u8]) -> Result<(), Error> {
        self.check_range(space, address, bytes.len())?;
        let at = address as usize;
        match space {
            Space::Instruction => write_units(at, bytes, |index, update| {
                let mut word = self.words[index].to_le_bytes();
                update(&mut word);
                self.words[index] = u32::from_le_bytes(word);
                self.decoded[index] = Inst::decode(self.words[index]);
                self.usage[index] = usage(self.decoded[index]);
            }),
            Space::Scalar => self.scalar[at..at + bytes.len()].copy_from_slice(bytes),
            Space::Vector => write_units(at, bytes, |index, update| update_row(&mut self.vector[index], update)),
            Space::LaneLocal => write_units(at, bytes, |index, update| update_row(&mut self.lane_local[index], update)),
            Space::Dram => write_units(at, bytes, |index, update| update_row(self.dram.row_mut(index), update)),
        }
        Ok(())
    }

    fn check_range(&self, space: Space, address: u32, length: usize) -> Result<(), Error> {
        let bytes = self.config.bytes(space);
        let end = u64::from(address) + length as u64;
        if end > u64::from(bytes) {
            return Err(Error::Outside { space, address, end, bytes });
        }
        Ok(())
    }

    /// Puts `dram` in the place of the memory's own and the other way round; the core sees `bytes` of it from byte `base` on,
    /// as far as it goes. The answer is the base and the size before, with which the same call takes it back.
    pub(crate) fn swap_dram(&mut self, dram: &mut Dram, base: u64, bytes: u32) -> (u64, u32) {
        let before = (self.dram.first as u64 * ROW as u64, self.config.dram_bytes);
        std::mem::swap(&mut self.dram, dram);
        let rest = self.dram.bytes.saturating_sub(base).min(bytes.into()) as u32;
        self.dram.first = (base.min(self.dram.bytes) / ROW as u64) as usize;
        self.config.dram_bytes = rest / VECTOR_BYTES * VECTOR_BYTES;
        before
    }

    /// Whether anything but zero can be in the 4096 bytes at `address`, a multiple of that: pages of DRAM that do not
    /// exist need not be looked at.
    pub(crate) fn may_hold(&self, space: Space, address: u32) -> bool {
        let page = address as usize / (ROW * PAGE_ROWS);
        space != Space::Dram || self.dram.pages.get(page).is_some_and(Option::is_some)
    }

    /// The word at `pc`, or `None` where there is none.
    pub fn word(&self, pc: u32) -> Option<u32> {
        if !pc.is_multiple_of(4) {
            return None;
        }
        self.words.get(pc as usize / 4).copied()
    }

    /// The instruction at `pc`.
    #[inline(always)]
    pub(crate) fn fetch(&self, pc: u32) -> Result<Inst, Cause> {
        match self.decoded.get(pc as usize / 4) {
            Some(Some(inst)) if pc.is_multiple_of(4) => Ok(*inst),
            _ => Err(self.fetch_fault(pc)),
        }
    }

    /// What the instruction at `pc` uses; nothing where there is none.
    #[inline(always)]
    pub(crate) fn usage(&self, pc: u32) -> Usage {
        self.usage.get(pc as usize / 4).copied().unwrap_or(Usage::NOTHING)
    }

    #[cold]
    fn fetch_fault(&self, pc: u32) -> Cause {
        if !pc.is_multiple_of(4) {
            Cause::FetchMisaligned { target: pc }
        } else if pc >= self.config.instruction_bytes {
            Cause::FetchOutside { size: self.config.instruction_bytes }
        } else {
            Cause::Illegal
        }
    }

    /// `N` bytes of scalar memory.
    #[inline(always)]
    pub(crate) fn load_scalar<const N: usize>(&self, address: u32, strict: bool) -> Result<[u8; N], Cause> {
        let at = address as usize;
        match self.scalar.get(at..at + N) {
            Some(bytes) if !strict || at.is_multiple_of(N) => {
                Ok(bytes.try_into().expect("the slice was cut to this length"))
            }
            _ => Err(self.scalar_fault(AccessKind::Load, address, N)),
        }
    }

    /// Writes `N` bytes of scalar memory.
    #[inline(always)]
    pub(crate) fn store_scalar<const N: usize>(
        &mut self,
        address: u32,
        bytes: [u8; N],
        strict: bool,
    ) -> Result<(), Cause> {
        let at = address as usize;
        match self.scalar.get_mut(at..at + N) {
            Some(place) if !strict || at.is_multiple_of(N) => {
                place.copy_from_slice(&bytes);
                Ok(())
            }
            _ => Err(self.scalar_fault(AccessKind::Store, address, N)),
        }
    }

    #[cold]
    fn scalar_fault(&self, kind: AccessKind, address: u32, bytes: usize) -> Cause {
        let access = Access { kind, space: Space::Scalar, address, bytes: bytes as u32, lane: None };
        let size = self.config.scalar_bytes;
        if u64::from(address) + bytes as u64 > u64::from(size) {
            return Cause::Outside { access, size };
        }
        Cause::Misaligned { access, alignment: bytes as u32 }
    }

    /// The vector at `address`.
    #[inline(always)]
    pub(crate) fn vector(&self, address: u32, strict: bool) -> Result<&Vector, Cause> {
        let index = self.vector_index(AccessKind::Load, address, strict)?;
        Ok(&self.vector[index])
    }

    /// The vector at `address`, to be written.
    #[inline(always)]
    pub(crate) fn vector_mut(&mut self, address: u32, strict: bool) -> Result<&mut Vector, Cause> {
        let index = self.vector_index(AccessKind::Store, address, strict)?;
        Ok(&mut self.vector[index])
    }

    #[inline(always)]
    fn vector_index(&self, kind: AccessKind, address: u32, strict: bool) -> Result<usize, Cause> {
        let size = self.config.vector_bytes;
        if address.is_multiple_of(VECTOR_BYTES) && address < size {
            return Ok(address as usize / ROW);
        }
        let access = Access { kind, space: Space::Vector, address, bytes: VECTOR_BYTES, lane: None };
        if !address.is_multiple_of(VECTOR_BYTES) {
            return Err(Cause::Misaligned { access, alignment: VECTOR_BYTES });
        }
        if strict {
            return Err(Cause::Outside { access, size });
        }
        Ok((address % size) as usize / ROW)
    }

    /// Whether every lane that takes part may use its address when strict.
    pub(crate) fn check_lanes(&self, kind: AccessKind, addresses: &[Option<u32>; LANES]) -> Result<(), Cause> {
        let size = self.config.lane_local_bytes;
        for (lane, address) in addresses.iter().enumerate() {
            let Some(address) = *address else { continue };
            let access = Access { kind, space: Space::LaneLocal, address, bytes: 2, lane: Some(lane as u8) };
            if !address.is_multiple_of(2) {
                return Err(Cause::Misaligned { access, alignment: 2 });
            }
            if address >= size {
                return Err(Cause::Outside { access, size });
            }
        }
        Ok(())
    }

    /// Scalar memory.
    #[inline(always)]
    pub(crate) fn scalar_bytes(&self) -> &[u8] {
        &self.scalar
    }

    /// Scalar memory, to be written.
    #[inline(always)]
    pub(crate) fn scalar_bytes_mut(&mut self) -> &mut [u8] {
        &mut self.scalar
    }

    /// The rows of vector memory.
    #[inline(always)]
    pub(crate) fn vector_rows(&self) -> &[Vector] {
        &self.vector
    }

    /// The rows of vector memory, to be written.
    #[inline(always)]
    pub(crate) fn vector_rows_mut(&mut self) -> &mut [Vector] {
        &mut self.vector
    }

    /// The rows of lane-local memory, a power of two of them: byte address `a` is in row `(a >> 1) % rows`.
    #[inline(always)]
    pub(crate) fn lane_rows(&self) -> &[Vector] {
        &self.lane_local
    }

    /// The rows of lane-local memory, to be written.
    #[inline(always)]
    pub(crate) fn lane_rows_mut(&mut self) -> &mut [Vector] {
        &mut self.lane_local
    }

    /// Moves the data of a transfer that the DMA engine has found possible.
    pub(crate) fn transfer(&mut self, transfer: &Transfer) {
        let Transfer { direction, source, destination, bytes } = *transfer;
        let (from, to, rows) = (source as usize / ROW, destination as usize / ROW, bytes as usize / ROW);
        match direction {
            Direction::IntoVector => (0..rows).for_each(|row| self.vector[to + row] = *self.dram.row(from + row)),
            Direction::OutOfVector => (0..rows).for_each(|row| *self.dram.row_mut(to + row) = self.vector[from + row]),
        }
    }
}

fn usage(inst: Option<Inst>) -> Usage {
    inst.map_or(Usage::NOTHING, Usage::of)
}

/// Copies bytes from `address` out of memory that is made of units of `N` bytes.
fn read_units<const N: usize>(address: usize, mut out: &mut [u8], unit: impl Fn(usize) -> [u8; N]) {
    let (mut index, mut skip) = (address / N, address % N);
    while !out.is_empty() {
        let count = out.len().min(N - skip);
        let (now, later) = out.split_at_mut(count);
        now.copy_from_slice(&unit(index)[skip..skip + count]);
        (out, index, skip) = (later, index + 1, 0);
    }
}

/// Copies bytes to `address` of memory that is made of units of `N` bytes: `unit` is to change the unit with the given
/// index as the function it is given says.
fn write_units<const N: usize>(address: usize, mut bytes: &[u8], mut unit: impl FnMut(usize, &dyn Fn(&mut [u8; N]))) {
    let (mut index, mut skip) = (address / N, address % N);
    while !bytes.is_empty() {
        let (now, later) = bytes.split_at(bytes.len().min(N - skip));
        unit(index, &|old| old[skip..skip + now.len()].copy_from_slice(now));
        (bytes, index, skip) = (later, index + 1, 0);
    }
}

fn update_row(row: &mut Vector, update: &dyn Fn(&mut [u8; ROW])) {
    let mut bytes = row.to_bytes();
    update(&mut bytes);
    *row = Vector::from_bytes(&bytes);
}
