//! A card that is simulated: cores by the instruction set simulator, behind the registers and windows of [`fenn_isa::soc`].
//!
//! Contract: what [`fenn_isa::soc`] says, register by register, so this is what a system in hardware is compared with. Cores
//! run while a host waits, looks at `status` or `irq_pending`, or moves bytes, all of them by the same number of instructions,
//! so that a program can be seen running and everything that is seen is the same each time: [`Options::slice`] for a look, one
//! for every 64 bytes, and [`WAIT_SLICE`] at a time for as long as a wait lasts.
//!
//! What the register map leaves open is decided as the SystemVerilog does: in one write `reset` comes before all others and `run` before
//! `resume`, `step` goes with either, and `halt` beside a start stops the core in front of its first instruction. `reset` leaves
//! `entry` and the region of DRAM. `resume` goes on from wherever the core stands. A start or a reset takes back a core's pending
//! interrupt, as it does `done` and `error`. Bits of RW registers that mean nothing are kept.
//!
//! Two things only a simulation can decide: a core's region is that at its latest start or resume, and DMA transfers under way end
//! at once when a core comes to stand still.
//!
//! Not here: what instructions do (see [`fenn_iss`]).

use std::time::Duration;

use fenn_isa::memory::{LANES, MachineConfig, Space};
use fenn_isa::soc::{
    self, Access, CORE_BLOCK_BYTES, CORE_BLOCKS, CardRegister, CoreRegister, FINGERPRINT, IDENT, MOST_CORES,
    REGION_ALIGNMENT, REGISTER_BYTES, VERSION, bus_error, control, status,
};
use fenn_iss::{Dram, Limits, Machine, Stop};

use super::{Capabilities, Deadline, Transport, TransportError, Window};
use crate::error::DeviceError;

/// Instructions of each core between two looks at the clock while a host waits.
pub const WAIT_SLICE: u64 = 1 << 16;
/// Bytes that move on the way to the card while a core executes an instruction.
const BYTES_PER_INSTRUCTION: u64 = 64;
/// Bits of the ports of this card, for show.
const DATA_WIDTH: u32 = 512;

/// What kind of card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Cores, from 1 to [`MOST_CORES`].
    pub cores: u32,
    /// Each core's memories; what is said of DRAM here is of no account.
    pub config: MachineConfig,
    /// Bytes of the card's DRAM, a multiple of 4096, at most [`Dram::MOST`].
    pub dram_bytes: u64,
    /// How the cores' programs run.
    pub machine: fenn_iss::Options,
    /// Instructions of each core for each look at it.
    pub slice: u64,
    /// Whether a wait is for an interrupt, or a pause.
    pub interrupts: bool,
    /// What addresses and lengths must be multiples of, a power of two.
    pub alignment: u32,
    /// Whether the transport tells where memories are. If not, accesses outside of them get as far as the card.
    pub tells_windows: bool,
}

impl Default for Options {
    /// One core of the usual sizes with the usual 256 MiB of DRAM, reached in whole words, with interrupts.
    fn default() -> Self {
        let config = MachineConfig::default();
        Self {
            cores: 1,
            config,
            dram_bytes: config.dram_bytes.into(),
            machine: fenn_iss::Options::default(),
            slice: 1024,
            interrupts: true,
            alignment: 4,
            tells_windows: true,
        }
    }
}

/// A simulated card.
#[derive(Debug, Clone)]
pub struct SimulatedCard {
    options: Options,
    capabilities: Capabilities,
    cores: Vec<Core>,
    dram: Dram,
    scratch: u32,
    irq_pending: u32,
    irq_enable: u32,
    bus_error: u32,
    bus_error_address: u64,
}

/// One core and its block of registers.
#[derive(Debug, Clone)]
struct Core {
    machine: Machine,
    entry: u32,
    dram_base: u64,
    dram_limit: u32,
    /// The region at the latest start.
    region: (u64, u32),
    status: u32,
    trap_cause: u32,
    trap_value: u32,
    /// The machine's clocks at the latest start.
    cycles_before: u64,
    instructions_before: u64,
    /// The upper words that reads of the lower ones kept.
    cycles_high: u32,
    instructions_high: u32,
}

impl Core {
    fn new(options: &Options) -> Result<Self, DeviceError> {
        // Its own DRAM is never seen: it runs with the card's.
        let config = MachineConfig { dram_bytes: 64, ..options.config };
        Ok(Self {
            machine: Machine::new(config, options.machine)?,
            entry: 0,
            dram_base: 0,
            dram_limit: 0,
            region: (0, 0),
            status: 0,
            trap_cause: 0,
            trap_value: 0,
            cycles_before: 0,
            instructions_before: 0,
            cycles_high: 0,
            instructions_high: 0,
        })
    }

    fn is_running(&self) -> bool {
        self.status & status::RUNNING != 0
    }

    fn cycles(&self) -> u64 {
        self.machine.state().cycles - self.cycles_before
    }

    fn instructions(&self) -> u64 {
        self.machine.state().retired - self.instructions_before
    }

    fn reset(&mut self) {
        self.machine.reset();
        (self.cycles_before, self.instructions_before) = (0, 0);
        (self.cycles_high, self.instructions_high) = (0, 0);
        (self.status, self.trap_cause, self.trap_value) = (cause(status::Cause::Reset), 0, 0);
    }

    fn start(&mut self) {
        self.machine.state_mut().pc = self.entry;
        let state = self.machine.state();
        (self.cycles_before, self.instructions_before) = (state.cycles, state.retired);
        self.go_on();
    }

    fn go_on(&mut self) {
        let base = self.dram_base / u64::from(REGION_ALIGNMENT) * u64::from(REGION_ALIGNMENT);
        self.region = (base, self.dram_limit);
        (self.status, self.trap_cause, self.trap_value) = (status::RUNNING, 0, 0);
    }

    /// Stands still for this reason, with transfers ended.
    fn stop(&mut self, flags: u32, why: status::Cause, dram: &mut Dram) {
        self.machine.finish_transfers_with_dram(dram, self.region, &mut ());
        self.status = flags | cause(why);
    }

    /// Executes so many instructions; whether it has come to its end, or to an error.
    fn run(&mut self, instructions: u64, dram: &mut Dram) -> bool {
        if !self.is_running() {
            return false;
        }
        let limits = Limits { instructions: Some(instructions), ..Limits::default() };
        match self.machine.run_with_dram(dram, self.region, limits, &mut ()).stop {
            Stop::InstructionLimit { .. } | Stop::CycleLimit { .. } | Stop::Breakpoint { .. } => return false,
            // No ready flag is known to this machine.
            Stop::Ecall { .. } | Stop::ReadyFlag { .. } => self.stop(status::DONE, status::Cause::Ecall, dram),
            Stop::Ebreak { .. } => self.stop(status::ERROR, status::Cause::Ebreak, dram),
            Stop::Trap(trap) => {
                (self.trap_cause, self.trap_value) = (trap.cause.code(), trap.value());
                self.stop(status::ERROR, status::Cause::Trap, dram);
            }
        }
        true
    }

    fn read(&mut self, register: CoreRegister) -> u32 {
        match register {
            CoreRegister::Control => 0,
            CoreRegister::Status => self.status,
            CoreRegister::Entry => self.entry,
            CoreRegister::Pc => self.machine.state().pc,
            CoreRegister::TrapCause => self.trap_cause,
            CoreRegister::TrapValue => self.trap_value,
            CoreRegister::CyclesLow => {
                self.cycles_high = high(self.cycles());
                low(self.cycles())
            }
            CoreRegister::CyclesHigh => self.cycles_high,
            CoreRegister::InstructionsLow => {
                self.instructions_high = high(self.instructions());
                low(self.instructions())
            }
            CoreRegister::InstructionsHigh => self.instructions_high,
            CoreRegister::DramBaseLow => low(self.dram_base),
            CoreRegister::DramBaseHigh => high(self.dram_base),
            CoreRegister::DramLimit => self.dram_limit,
        }
    }
}

impl SimulatedCard {
    /// A card after power-up.
    ///
    /// # Errors
    /// [`DeviceError::Config`] and [`DeviceError::Machine`] for one that cannot be.
    pub fn new(options: Options) -> Result<Self, DeviceError> {
        let Options { cores, dram_bytes, alignment, .. } = options;
        if cores == 0 || cores > MOST_CORES {
            return Err(DeviceError::Machine(format!("a card has 1 to {MOST_CORES} cores, not {cores}")));
        }
        if !dram_bytes.is_multiple_of(REGION_ALIGNMENT.into()) || dram_bytes > Dram::MOST {
            let most = Dram::MOST;
            let text = format!("a simulated card has a multiple of 4096 bytes of DRAM up to {most}, not {dram_bytes}");
            return Err(DeviceError::Machine(text));
        }
        if !alignment.is_power_of_two() || alignment > 4096 {
            return Err(DeviceError::Machine(format!("{alignment} is no alignment of transfers")));
        }
        let cores = (0..cores).map(|_| Core::new(&options)).collect::<Result<_, _>>()?;
        let capabilities = Capabilities {
            registers: REGISTER_BYTES,
            windows: windows(&options),
            alignment,
            chunk: 4 << 20,
            interrupts: options.interrupts,
        };
        Ok(Self {
            options,
            capabilities,
            cores,
            dram: Dram::new(dram_bytes),
            scratch: 0,
            irq_pending: 0,
            irq_enable: 0,
            bus_error: 0,
            bus_error_address: 0,
        })
    }

    /// What kind of card it is.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Lets time pass in which each core that runs executes so many instructions.
    pub fn advance(&mut self, instructions: u64) {
        for (core, index) in self.cores.iter_mut().zip(0..) {
            if core.run(instructions, &mut self.dram) {
                self.irq_pending |= 1 << index;
            }
        }
    }

    fn write_control(&mut self, index: usize, value: u32) {
        let bit = 1 << index;
        let Self { cores, dram, irq_pending, .. } = self;
        let core = &mut cores[index];
        if value & control::RESET != 0 {
            core.reset();
            *irq_pending &= !bit;
            return;
        }
        if value & control::HALT != 0 && core.is_running() {
            core.stop(0, status::Cause::Request, dram);
            return;
        }
        if core.is_running() || value & (control::RUN | control::RESUME) == 0 {
            return;
        }
        *irq_pending &= !bit;
        if value & control::RUN != 0 {
            core.start()
        } else {
            core.go_on()
        }
        if value & control::HALT != 0 {
            core.stop(0, status::Cause::Request, dram);
        } else if value & control::STEP != 0 {
            if core.run(1, dram) {
                *irq_pending |= bit;
            } else {
                core.stop(0, status::Cause::Step, dram);
            }
        }
    }

    fn read_card(&mut self, register: CardRegister) -> u32 {
        let config = &self.options.config;
        match register {
            CardRegister::Ident => IDENT,
            CardRegister::Version => VERSION,
            CardRegister::Fingerprint => FINGERPRINT,
            CardRegister::Cores => self.options.cores,
            CardRegister::Lanes => LANES as u32,
            CardRegister::InstructionBytes => config.instruction_bytes,
            CardRegister::ScalarBytes => config.scalar_bytes,
            CardRegister::VectorBytes => config.vector_bytes,
            CardRegister::LaneBytes => config.lane_local_bytes,
            CardRegister::DramLow => low(self.dram.bytes()),
            CardRegister::DramHigh => high(self.dram.bytes()),
            CardRegister::DataWidth => DATA_WIDTH,
            CardRegister::ClockKhz => 0,
            CardRegister::Scratch => self.scratch,
            CardRegister::IrqPending => {
                self.advance(self.options.slice);
                self.irq_pending
            }
            CardRegister::IrqEnable => self.irq_enable,
            CardRegister::IrqAck => 0,
            CardRegister::BusError => self.bus_error,
            CardRegister::BusErrorLow => low(self.bus_error_address),
            CardRegister::BusErrorHigh => high(self.bus_error_address),
        }
    }

    fn write_card(&mut self, register: CardRegister, value: u32) {
        match register {
            CardRegister::Scratch => self.scratch = value,
            CardRegister::IrqEnable => self.irq_enable = value,
            CardRegister::IrqAck => self.irq_pending &= !value,
            CardRegister::BusError => self.bus_error &= !value,
            _ => debug_assert_eq!(register.spec().access, Access::ReadOnly, "{register:?}"),
        }
    }

    fn write_core(&mut self, index: usize, register: CoreRegister, value: u32) {
        let core = &mut self.cores[index];
        match register {
            CoreRegister::Control => self.write_control(index, value),
            CoreRegister::Entry => core.entry = value,
            CoreRegister::DramBaseLow => {
                core.dram_base = core.dram_base & !0xffff_ffff | u64::from(value);
            }
            CoreRegister::DramBaseHigh => core.dram_base = core.dram_base & 0xffff_ffff | u64::from(value) << 32,
            CoreRegister::DramLimit => core.dram_limit = value,
            _ => debug_assert_eq!(register.spec().access, Access::ReadOnly, "{register:?}"),
        }
    }

    /// The register at an offset that is a register's place: the card's, or a core's with its number.
    fn register_at(&self, offset: u32) -> Result<Option<Register>, TransportError> {
        self.capabilities.check_register(offset)?;
        let Some(inside) = offset.checked_sub(CORE_BLOCKS) else {
            return Ok(CardRegister::at(offset).map(Register::Card));
        };
        let index = (inside / CORE_BLOCK_BYTES) as usize;
        let register = CoreRegister::at(inside % CORE_BLOCK_BYTES).filter(|_| index < self.cores.len());
        Ok(register.map(|register| Register::Core(index, register)))
    }

    /// Where in the card an access goes that the way to it lets pass. What the card answers to others is noted in `bus_error`.
    fn place(&mut self, address: u64, bytes: usize, writes: bool) -> Result<(Space, usize, u64), TransportError> {
        self.capabilities.check(address, bytes)?;
        let length = bytes as u64;
        let refuse = |answer: &str| TransportError::Refused { address, bytes: length, answer: answer.to_owned() };
        let memory = |space| match space {
            Space::Dram => self.dram.bytes(),
            _ => u64::from(self.options.config.bytes(space)),
        };
        let place = soc::at(address).filter(|(space, core, inside)| {
            let size = memory(*space);
            (*core as usize) < self.cores.len() && *inside <= size && length <= size - inside
        });
        let Some((space, core, inside)) = place else {
            self.note(if writes { bus_error::WRITE_DECODE } else { bus_error::READ_DECODE }, address);
            return Err(refuse("decode error (DECERR): outside of every memory"));
        };
        let core = core as usize;
        if matches!(space, Space::Vector | Space::LaneLocal) && self.cores[core].is_running() {
            self.note(if writes { bus_error::WRITE_BUSY } else { bus_error::READ_BUSY }, address);
            return Err(refuse("slave error (SLVERR): the core runs"));
        }
        if writes && space != Space::Dram && !(address.is_multiple_of(4) && length.is_multiple_of(4)) {
            return Err(refuse("slave error (SLVERR): less than a word"));
        }
        Ok((space, core, inside))
    }

    fn note(&mut self, bit: u32, address: u64) {
        if self.bus_error == 0 {
            self.bus_error_address = address;
        }
        self.bus_error |= bit;
    }
}

/// Where the card's memories are, as far as the transport tells.
fn windows(options: &Options) -> Vec<Window> {
    let Options { cores, config, dram_bytes, tells_windows, .. } = options;
    if !tells_windows {
        return vec![Window { address: 0, bytes: u64::MAX }];
    }
    let spaces = Space::ALL.into_iter().filter(|space| *space != Space::Dram);
    let window = |space, core| Window { address: soc::window(space, core), bytes: config.bytes(space).into() };
    let memories = spaces.flat_map(|space| (0..*cores).map(move |core| window(space, core)));
    let dram = Window { address: soc::window(Space::Dram, 0), bytes: *dram_bytes };
    memories.chain((*dram_bytes > 0).then_some(dram)).collect()
}

/// A register, and whose.
enum Register {
    Card(CardRegister),
    Core(usize, CoreRegister),
}

impl Transport for SimulatedCard {
    fn name(&self) -> String {
        match self.options.cores {
            1 => "simulated card".to_owned(),
            cores => format!("simulated card of {cores} cores"),
        }
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities.clone()
    }

    fn read_register(&mut self, offset: u32) -> Result<u32, TransportError> {
        Ok(match self.register_at(offset)? {
            None => 0,
            Some(Register::Card(register)) => self.read_card(register),
            Some(Register::Core(index, register)) => {
                if register == CoreRegister::Status {
                    self.advance(self.options.slice);
                }
                self.cores[index].read(register)
            }
        })
    }

    fn write_register(&mut self, offset: u32, value: u32) -> Result<(), TransportError> {
        match self.register_at(offset)? {
            None => {}
            Some(Register::Card(register)) => self.write_card(register, value),
            Some(Register::Core(index, register)) => self.write_core(index, register, value),
        }
        Ok(())
    }

    fn read(&mut self, address: u64, out: &mut [u8], deadline: Deadline) -> Result<(), TransportError> {
        let (space, core, inside) = self.place(address, out.len(), false)?;
        in_time(&deadline, "reading", address)?;
        let bytes = out.len() as u64;
        // Both have been found inside.
        match space {
            Space::Dram => _ = self.dram.read(inside, out),
            _ => self.cores[core].machine.read(space, inside as u32, out).map_err(|error| refused(address, &error))?,
        }
        self.advance(bytes / BYTES_PER_INSTRUCTION);
        Ok(())
    }

    fn write(&mut self, address: u64, bytes: &[u8], deadline: Deadline) -> Result<(), TransportError> {
        let (space, core, inside) = self.place(address, bytes.len(), true)?;
        in_time(&deadline, "writing", address)?;
        match space {
            Space::Dram => _ = self.dram.write(inside, bytes),
            _ => {
                let machine = &mut self.cores[core].machine;
                machine.write(space, inside as u32, bytes).map_err(|error| refused(address, &error))?;
            }
        }
        self.advance(bytes.len() as u64 / BYTES_PER_INSTRUCTION);
        Ok(())
    }

    fn wait_event(&mut self, core: u32, deadline: Deadline) -> Result<(), TransportError> {
        if core >= self.options.cores {
            let message = format!("the card has {} cores", self.options.cores);
            return Err(TransportError::System { what: format!("waiting for core {core}"), message });
        }
        let bit = 1 << core;
        loop {
            if self.irq_pending & self.irq_enable & bit != 0 {
                return Ok(());
            }
            in_time(&deadline, "waiting for", u64::from(core))?;
            if !self.cores.iter().any(Core::is_running) {
                // Nothing can happen any more.
                std::thread::sleep(if self.options.interrupts { deadline.left() } else { Duration::ZERO });
            }
            self.advance(WAIT_SLICE);
            if !self.options.interrupts {
                return Ok(());
            }
        }
    }

    fn recover(&mut self) -> Result<(), TransportError> {
        Ok(())
    }
}

fn in_time(deadline: &Deadline, what: &str, place: u64) -> Result<(), TransportError> {
    if !deadline.passed() {
        return Ok(());
    }
    let what = match what {
        "waiting for" => format!("waiting for core {place}"),
        _ => format!("{what} at {place:#x}"),
    };
    Err(TransportError::Deadline { what, limit: deadline.limit() })
}

fn refused(address: u64, error: &fenn_iss::Error) -> TransportError {
    TransportError::Refused { address, bytes: 0, answer: error.to_string() }
}

fn cause(why: status::Cause) -> u32 {
    (why as u32) << status::CAUSE_SHIFT
}

const fn low(number: u64) -> u32 {
    number as u32
}

const fn high(number: u64) -> u32 {
    (number >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_upper_word_of_a_counter_is_that_of_the_latest_read_of_the_lower() {
        let mut card = SimulatedCard::new(Options::default()).unwrap();
        let read = |card: &mut SimulatedCard, register| card.read_register(soc::core_offset(0, register)).unwrap();
        let pairs = [
            (CoreRegister::CyclesLow, CoreRegister::CyclesHigh),
            (CoreRegister::InstructionsLow, CoreRegister::InstructionsHigh),
        ];
        for (low, high) in pairs {
            let set = |card: &mut SimulatedCard, number: u64| {
                let state = card.cores[0].machine.state_mut();
                (state.cycles, state.retired) = (number, number);
            };
            set(&mut card, 0x2_ffff_ffff);
            assert_eq!(read(&mut card, low), 0xffff_ffff);
            set(&mut card, 0x3_0000_0000);
            assert_eq!(read(&mut card, high), 2);
            assert_eq!((read(&mut card, low), read(&mut card, high)), (0, 3));
        }
    }
}
