//! The debugger's requests, answered.

use core::num::NonZeroUsize;
use std::fmt::Write as _;

use fenn_isa::exception::Exception;
use fenn_isa::memory::Space;
use gdbstub::arch::{Arch, RegId, Registers};
use gdbstub::common::Signal;
use gdbstub::conn::ConnectionExt as _;
use gdbstub::stub::SingleThreadStopReason;
use gdbstub::stub::run_blocking::{BlockingEventLoop, Event, WaitForStopReasonError};
use gdbstub::target::ext::base::BaseOps;
use gdbstub::target::ext::base::single_register_access::{SingleRegisterAccess, SingleRegisterAccessOps};
use gdbstub::target::ext::base::singlethread::{
    SingleThreadBase, SingleThreadResume, SingleThreadResumeOps, SingleThreadSingleStep, SingleThreadSingleStepOps,
};
use gdbstub::target::ext::breakpoints::{
    Breakpoints, BreakpointsOps, HwBreakpoint, HwBreakpointOps, HwWatchpoint, HwWatchpointOps, SwBreakpoint,
    SwBreakpointOps, WatchKind,
};
use gdbstub::target::ext::memory_map::{MemoryMap, MemoryMapOps};
use gdbstub::target::ext::monitor_cmd::{ConsoleOutput, MonitorCmd, MonitorCmdOps};
use gdbstub::target::{Target, TargetError, TargetResult};

use super::debugger::{Debugger, Halted, Watched};
use super::link::{Link, LinkError};
use super::registers::{Reg, description};
use crate::trap::Stop;

/// Steps between two looks for an interrupt: far less than a person notices.
const STEPS: u32 = 1 << 14;
/// `EFAULT`: no such memory. `EINVAL`: not with this value.
const EFAULT: u8 = 14;
const EINVAL: u8 = 22;

/// Never happens: no request of a debugger can break the machine.
#[derive(Debug, thiserror::Error)]
pub(super) enum Never {}

#[derive(Debug)]
pub(super) enum Fenn {}

impl Arch for Fenn {
    type Usize = u32;
    type Registers = General;
    type BreakpointKind = usize;
    type RegId = Reg;

    fn target_description_xml() -> Option<&'static str> {
        Some(description())
    }
}

impl RegId for Reg {
    fn from_raw_id(id: usize) -> Option<(Self, Option<NonZeroUsize>)> {
        Self::from_number(id).map(|reg| (reg, Some(reg.bytes())))
    }

    fn to_raw_id(&self) -> Option<usize> {
        Some(self.number())
    }
}

/// What the `g` packet has: `x0` to `x31` and `pc`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct General {
    x: [u32; 32],
    pc: u32,
}

impl Registers for General {
    type ProgramCounter = u32;

    fn pc(&self) -> u32 {
        self.pc
    }

    fn gdb_serialize(&self, mut write_byte: impl FnMut(Option<u8>)) {
        let words = self.x.iter().chain([&self.pc]);
        words.flat_map(|word| word.to_le_bytes()).for_each(|byte| write_byte(Some(byte)));
    }

    fn gdb_deserialize(&mut self, bytes: &[u8]) -> Result<(), ()> {
        let places = self.x.iter_mut().chain([&mut self.pc]);
        let words = bytes.chunks_exact(4);
        if words.len() < 33 {
            return Err(());
        }
        places.zip(words).for_each(|(place, word)| *place = u32::from_le_bytes([word[0], word[1], word[2], word[3]]));
        Ok(())
    }
}

impl Target for Debugger<'_> {
    type Arch = Fenn;
    type Error = Never;

    fn base_ops(&mut self) -> BaseOps<'_, Fenn, Never> {
        BaseOps::SingleThread(self)
    }

    fn support_breakpoints(&mut self) -> Option<BreakpointsOps<'_, Self>> {
        Some(self)
    }

    fn support_monitor_cmd(&mut self) -> Option<MonitorCmdOps<'_, Self>> {
        Some(self)
    }

    fn support_memory_map(&mut self) -> Option<MemoryMapOps<'_, Self>> {
        Some(self)
    }
}

impl SingleThreadBase for Debugger<'_> {
    fn read_registers(&mut self, regs: &mut General) -> TargetResult<(), Self> {
        *regs = General { x: *self.machine.state().all_x(), pc: self.machine.state().pc };
        Ok(())
    }

    fn write_registers(&mut self, regs: &General) -> TargetResult<(), Self> {
        for (number, word) in regs.x.iter().chain([&regs.pc]).enumerate() {
            if let Some(reg) = Reg::from_number(number) {
                reg.write(self.machine, &word.to_le_bytes());
            }
        }
        Ok(())
    }

    fn support_single_register_access(&mut self) -> Option<SingleRegisterAccessOps<'_, (), Self>> {
        Some(self)
    }

    fn read_addrs(&mut self, start: u32, data: &mut [u8]) -> TargetResult<usize, Self> {
        let (space, address) = Space::at_load_address(start).ok_or(TargetError::Errno(EFAULT))?;
        // All or nothing, so that nobody takes what is missing for zeros.
        self.machine.read(space, address, data).map_err(|_| TargetError::Errno(EFAULT))?;
        Ok(data.len())
    }

    fn write_addrs(&mut self, start: u32, data: &[u8]) -> TargetResult<(), Self> {
        let (space, address) = Space::at_load_address(start).ok_or(TargetError::Errno(EFAULT))?;
        self.machine.write(space, address, data).map_err(|_| TargetError::Errno(EFAULT))
    }

    fn support_resume(&mut self) -> Option<SingleThreadResumeOps<'_, Self>> {
        Some(self)
    }
}

impl SingleRegisterAccess<()> for Debugger<'_> {
    fn read_register(&mut self, (): (), reg: Reg, buffer: &mut [u8]) -> TargetResult<usize, Self> {
        let bytes = reg.read(self.machine);
        buffer.get_mut(..bytes.len()).ok_or(TargetError::Errno(EINVAL))?.copy_from_slice(&bytes);
        Ok(bytes.len())
    }

    fn write_register(&mut self, (): (), reg: Reg, bytes: &[u8]) -> TargetResult<(), Self> {
        if reg.write(self.machine, bytes) { Ok(()) } else { Err(TargetError::Errno(EINVAL)) }
    }
}

impl SingleThreadResume for Debugger<'_> {
    /// The machine knows no signals: one that the debugger passes on is dropped.
    fn resume(&mut self, _signal: Option<Signal>) -> Result<(), Never> {
        self.single = false;
        Ok(())
    }

    fn support_single_step(&mut self) -> Option<SingleThreadSingleStepOps<'_, Self>> {
        Some(self)
    }
}

impl SingleThreadSingleStep for Debugger<'_> {
    fn step(&mut self, _signal: Option<Signal>) -> Result<(), Never> {
        self.single = true;
        Ok(())
    }
}

impl Breakpoints for Debugger<'_> {
    fn support_sw_breakpoint(&mut self) -> Option<SwBreakpointOps<'_, Self>> {
        Some(self)
    }

    fn support_hw_breakpoint(&mut self) -> Option<HwBreakpointOps<'_, Self>> {
        Some(self)
    }

    fn support_hw_watchpoint(&mut self) -> Option<HwWatchpointOps<'_, Self>> {
        Some(self)
    }
}

impl SwBreakpoint for Debugger<'_> {
    fn add_sw_breakpoint(&mut self, address: u32, _kind: usize) -> TargetResult<bool, Self> {
        Ok(self.add_breakpoint(address, false))
    }

    fn remove_sw_breakpoint(&mut self, address: u32, _kind: usize) -> TargetResult<bool, Self> {
        Ok(self.remove_breakpoint(address, false))
    }
}

impl HwBreakpoint for Debugger<'_> {
    fn add_hw_breakpoint(&mut self, address: u32, _kind: usize) -> TargetResult<bool, Self> {
        Ok(self.add_breakpoint(address, true))
    }

    fn remove_hw_breakpoint(&mut self, address: u32, _kind: usize) -> TargetResult<bool, Self> {
        Ok(self.remove_breakpoint(address, true))
    }
}

fn watched(kind: WatchKind) -> Watched {
    match kind {
        WatchKind::Read => Watched::Loads,
        WatchKind::Write => Watched::Stores,
        WatchKind::ReadWrite => Watched::Both,
    }
}

impl HwWatchpoint for Debugger<'_> {
    fn add_hw_watchpoint(&mut self, address: u32, bytes: u32, kind: WatchKind) -> TargetResult<bool, Self> {
        Ok(self.add_watchpoint(address, bytes, watched(kind)))
    }

    fn remove_hw_watchpoint(&mut self, address: u32, bytes: u32, kind: WatchKind) -> TargetResult<bool, Self> {
        Ok(self.remove_watchpoint(address, bytes, watched(kind)))
    }
}

impl MemoryMap for Debugger<'_> {
    /// So that GDB itself says which addresses are no memory.
    fn memory_map_xml(&self, offset: u64, length: usize, buffer: &mut [u8]) -> TargetResult<usize, Self> {
        let mut xml = String::from(concat!(
            "<?xml version=\"1.0\"?>\n",
            "<!DOCTYPE memory-map PUBLIC \"+//IDN gnu.org//DTD GDB Memory Map V1.0//EN\" ",
            "\"http://sourceware.org/gdb/gdb-memory-map.dtd\">\n<memory-map>\n",
        ));
        for space in Space::ALL {
            let (start, length) = (space.spec().base, self.machine.config().bytes(space));
            // Writing to a string cannot fail.
            let _ = writeln!(xml, "<memory type=\"ram\" start=\"{start:#x}\" length=\"{length:#x}\"/>");
        }
        xml.push_str("</memory-map>\n");
        let rest = usize::try_from(offset).ok().and_then(|offset| xml.as_bytes().get(offset..)).unwrap_or(&[]);
        let count = rest.len().min(length).min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }
}

impl MonitorCmd for Debugger<'_> {
    fn handle_monitor_cmd(&mut self, command: &[u8], mut out: ConsoleOutput<'_>) -> Result<(), Never> {
        out.write_raw(self.monitor(&String::from_utf8_lossy(command)).as_bytes());
        Ok(())
    }
}

/// What a stop is to a debugger.
fn reason(halted: Halted) -> SingleThreadStopReason<u32> {
    match halted {
        Halted::Stepped => SingleThreadStopReason::DoneStep,
        Halted::Breakpoint { hardware: false } => SingleThreadStopReason::SwBreak(()),
        Halted::Breakpoint { hardware: true } => SingleThreadStopReason::HwBreak(()),
        Halted::Watchpoint { watched, address } => {
            let kind = match watched {
                Watched::Loads => WatchKind::Read,
                Watched::Stores => WatchKind::Write,
                Watched::Both => WatchKind::ReadWrite,
            };
            SingleThreadStopReason::Watch { tid: (), kind, addr: address }
        }
        Halted::Stopped(Stop::Ecall { .. } | Stop::ReadyFlag { .. }) => SingleThreadStopReason::Exited(0),
        // A step has neither limits nor breakpoints of its own.
        Halted::Stopped(
            Stop::Ebreak { .. } | Stop::InstructionLimit { .. } | Stop::CycleLimit { .. } | Stop::Breakpoint { .. },
        ) => SingleThreadStopReason::Signal(Signal::SIGTRAP),
        Halted::Stopped(Stop::Trap(trap)) => SingleThreadStopReason::Signal(match trap.cause.exception() {
            Exception::Illegal => Signal::SIGILL,
            Exception::FetchMisaligned | Exception::LoadMisaligned | Exception::StoreMisaligned => Signal::SIGBUS,
            Exception::FetchFault | Exception::LoadFault | Exception::StoreFault => Signal::SIGSEGV,
        }),
    }
}

/// Runs the program while nothing is to be told and the debugger says nothing.
#[derive(Debug)]
pub(super) struct Loop<'a>(core::marker::PhantomData<&'a ()>);

impl<'a> BlockingEventLoop for Loop<'a> {
    type Target = Debugger<'a>;
    type Connection = Link;
    type StopReason = SingleThreadStopReason<u32>;

    fn wait_for_stop_reason(
        target: &mut Debugger<'a>,
        link: &mut Link,
    ) -> Result<Event<Self::StopReason>, WaitForStopReasonError<Never, LinkError>> {
        if target.single {
            return Ok(Event::TargetStopped(reason(target.step())));
        }
        loop {
            if let Some(halted) = target.go(STEPS) {
                return Ok(Event::TargetStopped(reason(halted)));
            }
            if link.peek().map_err(WaitForStopReasonError::Connection)?.is_some() {
                let byte = link.read().map_err(WaitForStopReasonError::Connection)?;
                return Ok(Event::IncomingData(byte));
            }
        }
    }

    fn on_interrupt(_target: &mut Debugger<'a>) -> Result<Option<Self::StopReason>, Never> {
        Ok(Some(SingleThreadStopReason::Signal(Signal::SIGINT)))
    }
}
