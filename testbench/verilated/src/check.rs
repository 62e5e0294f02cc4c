//! One retirement of the core against one step of the simulator.
//!
//! Contract: a [`Watch`] is the observer of the step; [`Shadow::compare`] is given the core's record and the state that the
//! step left, and names the first thing in which they differ. Of a destination in lanes, the lanes are compared, and then
//! the whole register, which the shadow keeps up from the records alone. Nothing of the core's is taken over into the
//! simulator. Of the simulator's lanes, those are compared that the core has.

use std::fmt;

use fenn_isa::memory::{LANES, Space};
use fenn_isa::operand::{OperandKind, XReg};
use fenn_isa::{Class, Inst, Op, Role};
use fenn_iss::dma::{Direction, Transfer};
use fenn_iss::{Access, AccessKind, Observer, Retired, State, Trap, Vector};

use crate::narrow;
use crate::ports::Outputs;

/// What one step of the simulator told.
#[derive(Debug, Default)]
pub struct Watch {
    /// The instruction, where one was executed.
    pub retired: Option<Retired>,
    /// Its accesses to data memories.
    pub accesses: Vec<Access>,
    /// The exception, where there was one.
    pub trap: Option<Trap>,
    /// Transfers that have moved their data.
    pub transfers: Vec<Transfer>,
}

impl Watch {
    /// Forgets the step before.
    pub fn clear(&mut self) {
        self.retired = None;
        self.trap = None;
        self.accesses.clear();
        self.transfers.clear();
    }

    /// Whether a transfer of this channel has ended in this step.
    pub fn ended(&self, direction: Direction) -> bool {
        self.transfers.iter().any(|transfer| transfer.direction == direction)
    }
}

impl Observer for Watch {
    #[inline(always)]
    fn retire(&mut self, retired: &Retired, _state: &State) {
        self.retired = Some(*retired);
    }
    #[inline(always)]
    fn access(&mut self, access: &Access) {
        self.accesses.push(*access);
    }
    fn transfer(&mut self, transfer: &Transfer) {
        self.transfers.push(*transfer);
    }
    fn trap(&mut self, trap: &Trap) {
        self.trap = Some(*trap);
    }
}

/// What differs between the core and the simulator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// In what.
    pub what: String,
    /// What the core says.
    pub core: String,
    /// What the simulator says.
    pub simulator: String,
}

impl Difference {
    /// A difference in `what`.
    pub fn new(what: impl Into<String>, core: impl fmt::Display, simulator: impl fmt::Display) -> Self {
        Self { what: what.into(), core: core.to_string(), simulator: simulator.to_string() }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: the core has {}, the simulator {}", self.what, self.core, self.simulator)
    }
}

/// Registers, as the core's records say they are.
#[derive(Debug, Clone)]
pub struct Shadow {
    /// How many lanes the core has.
    lanes: usize,
    x: [u32; 32],
    v: [Vector; 32],
}

fn same<T: PartialEq + fmt::LowerHex>(what: &str, core: T, simulator: T) -> Result<(), Difference> {
    if core == simulator {
        return Ok(());
    }
    Err(Difference::new(what, format_args!("{core:#x}"), format_args!("{simulator:#x}")))
}

/// The lanes of a wide port.
fn lanes(words: &[u32; 16]) -> Vector {
    Vector(std::array::from_fn(|lane| (words[lane / 2] >> (16 * (lane % 2))) as i16))
}

fn show(vector: &Vector) -> String {
    vector.0.iter().map(|lane| format!("{lane:04x}")).collect::<Vec<_>>().join(" ")
}

fn same_lanes(what: impl Fn() -> String, core: &Vector, simulator: &Vector) -> Result<(), Difference> {
    if core == simulator { Ok(()) } else { Err(Difference::new(what(), show(core), show(simulator))) }
}

impl Shadow {
    /// Registers of zeros, of a core with so many lanes.
    pub fn new(lanes: usize) -> Self {
        Self { lanes, x: [0; 32], v: [Vector::ZERO; 32] }
    }

    /// The lanes that the core has, and zeros.
    fn cut(&self, vector: &Vector) -> Vector {
        Vector(std::array::from_fn(|lane| if lane < self.lanes { vector.0[lane] } else { 0 }))
    }

    /// Compares the record with the step; `word` is what the simulator's instruction memory has at the step's address.
    ///
    /// # Errors
    /// The first difference.
    pub fn compare(
        &mut self,
        record: &Outputs,
        watch: &Watch,
        word: u32,
        trap_cycle: u64,
        state: &State,
    ) -> Result<(), Difference> {
        if let Some(trap) = &watch.trap {
            same("the address", record.ret_pc, trap.pc)?;
            same("the word", record.ret_word, word)?;
            same("an exception", u8::from(record.ret_trap), 1)?;
            same("the exception's cause", u32::from(record.ret_cause), trap.cause.code())?;
            same("the exception's value", record.ret_tval, trap.value())?;
            same_number("the cycle", record.ret_cycle, trap_cycle)?;
            let wrote = record.ret_x_we || record.ret_v_we && record.ret_v_lanes != 0 || record.ret_m_we;
            return same("a write of an instruction that trapped", u8::from(wrote), 0);
        }
        let Some(retired) = &watch.retired else {
            return Err(Difference::new("an instruction", format_args!("{:#x}", record.ret_word), "none"));
        };
        same("the address", record.ret_pc, retired.pc)?;
        same("the word", record.ret_word, word)?;
        same("an exception", u8::from(record.ret_trap), 0)?;
        self.scalar_result(record, retired.inst, state)?;
        self.vector_result(record, retired.inst, watch, state)?;
        self.stored(record, retired.inst, watch, state)?;
        let generators = |half: &[u16; LANES]| self.cut(&Vector(half.map(|word| word as i16)));
        same_lanes(|| "s0 of the generators".into(), &lanes(&record.ret_rng_s0), &generators(&state.generators.s0))?;
        same_lanes(|| "s1 of the generators".into(), &lanes(&record.ret_rng_s1), &generators(&state.generators.s1))?;
        same_number("the cycle", record.ret_cycle, retired.cycle)
    }

    fn scalar_result(&mut self, record: &Outputs, inst: Inst, state: &State) -> Result<(), Difference> {
        let rd = destination(inst, OperandKind::XReg).filter(|rd| *rd != 0);
        same("a scalar result", u8::from(record.ret_x_we), u8::from(rd.is_some()))?;
        if let Some(rd) = rd {
            same("the scalar register written", record.ret_x_rd, rd)?;
            let name = XReg::new(i64::from(rd)).unwrap_or(XReg::ZERO);
            same(&format!("{name} (x{rd})"), record.ret_x_value, state.x(name))?;
            self.x[usize::from(rd)] = record.ret_x_value;
        }
        Ok(())
    }

    fn vector_result(&mut self, record: &Outputs, inst: Inst, watch: &Watch, state: &State) -> Result<(), Difference> {
        let Some(vd) = destination(inst, OperandKind::VReg) else {
            let wrote = if record.ret_v_we { record.ret_v_lanes } else { 0 };
            return same("lanes of a vector result, where there is none", wrote, 0);
        };
        let written = match inst {
            Inst::VSel { rs1, .. } => state.x(rs1),
            Inst::VLoadL { .. } => lanes_of(&watch.accesses),
            _ => u32::MAX,
        };
        let written = written & narrow::mask(self.lanes);
        let core = if record.ret_v_we { record.ret_v_lanes } else { 0 };
        same(&format!("lanes of v{vd} that are written"), core, written)?;
        if written != 0 {
            same("the vector register written", record.ret_v_vd, vd)?;
        }
        let value = lanes(&record.ret_v_value);
        let register = &mut self.v[usize::from(vd)];
        for lane in (0..LANES).filter(|lane| written >> lane & 1 == 1) {
            register.0[lane] = value.0[lane];
        }
        let (core, simulator) = (*register, self.cut(&state.v[usize::from(vd)]));
        same_lanes(|| format!("v{vd}"), &core, &simulator)
    }

    /// Compares what the instruction wrote to a memory.
    fn stored(&self, record: &Outputs, inst: Inst, watch: &Watch, state: &State) -> Result<(), Difference> {
        let stores = || watch.accesses.iter().filter(|access| access.kind == AccessKind::Store);
        let space = match inst.op().spec().class {
            Class::Store => Space::Scalar,
            Class::VectorStore => Space::Vector,
            Class::LaneStore => Space::LaneLocal,
            _ => return same("a write to a memory", u8::from(record.ret_m_we), 0),
        };
        same("a write to a memory", u8::from(record.ret_m_we), 1)?;
        same("the memory written", record.ret_m_space, space as u8)?;
        let data = lanes(&record.ret_m_data);
        match inst {
            Inst::Sb { rs2, .. } | Inst::Sh { rs2, .. } | Inst::Sw { rs2, .. } => {
                let Some(access) = stores().next() else { return same("a store", 1, 0) };
                same("the address written", record.ret_m_addr, access.address)?;
                same("the bytes written", u32::from(record.ret_m_bytes), access.bytes)?;
                let mask = u32::MAX >> (32 - 8 * access.bytes);
                same("the data written", record.ret_m_data[0] & mask, state.x(rs2) & mask)
            }
            Inst::VStore { vs2, .. } => {
                let Some(access) = stores().next() else { return same("a store", 1, 0) };
                same("the address written", record.ret_m_addr, access.address)?;
                same_lanes(|| "the data written".into(), &data, &self.cut(state.v(vs2)))
            }
            Inst::VStoreL { vs2, .. } => {
                same(
                    "lanes that are written",
                    record.ret_m_lanes,
                    lanes_of(&watch.accesses) & narrow::mask(self.lanes),
                )?;
                let rows = lanes(&record.ret_m_rows);
                let values = state.v(vs2);
                for access in stores() {
                    let lane = usize::from(access.lane.unwrap_or(0));
                    if lane >= self.lanes {
                        continue;
                    }
                    let row = rows.0[lane] as u16;
                    same(&format!("the address in lane {lane}"), row & !1, access.address as u16 & !1)?;
                    same(&format!("the data in lane {lane}"), data.0[lane], values.0[lane])?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

fn same_number(what: &str, core: u64, simulator: u64) -> Result<(), Difference> {
    if core == simulator { Ok(()) } else { Err(Difference::new(what, core, simulator)) }
}

/// The register of this kind that the instruction writes.
pub fn destination(inst: Inst, kind: OperandKind) -> Option<u8> {
    let word = inst.encode();
    let writes = |role| matches!(role, Role::Destination | Role::Merged);
    let mut operands = inst.op().spec().operands();
    let operand = operands.find(|operand| writes(operand.role) && operand.kind == kind)?;
    Some(operand.field.extract(word) as u8)
}

fn lanes_of(accesses: &[Access]) -> u32 {
    accesses.iter().filter_map(|access| access.lane).fold(0, |mask, lane| mask | 1 << lane)
}

/// Whether the row stores to a memory.
pub fn is_store(op: Op) -> bool {
    matches!(op.spec().class, Class::Store | Class::VectorStore | Class::LaneStore)
}
