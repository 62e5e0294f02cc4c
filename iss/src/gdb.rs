//! A debugger's way in: the remote protocol of GDB.
//!
//! Contract: [`serve`] lets one GDB, behind a [`Link`], read and change a [`Machine`], run it and stop it. A machine that
//! is debugged does what it would have done otherwise, in the same cycles: breakpoints and watchpoints are kept beside it
//! and change nothing in it.
//! - **Addresses.** GDB sees the load addresses of [`fenn_isa::memory`], which are those of the ELF file: the program
//!   counter is one (instruction memory begins at 0), vector memory begins at 0x2000_0000, lane-local memory, row by row,
//!   at 0x3000_0000. Symbols and lines of the ELF file therefore mean what they should.
//! - **Registers**: `x0` to `x31` and `pc`; every CSR; `v0` to `v31` as 32 numbers of 16 bits; the generators' states as
//!   `rng_s0` and `rng_s1`; the clocks `cycles` and `instructions`, which cannot be written. See [`registers`].
//! - **Stops.** `ebreak` and breakpoints are SIGTRAP, before their instruction; traps that no handler of the program takes
//!   are SIGILL, SIGBUS (misaligned) or SIGSEGV (outside), with `pc` at the instruction; a program that ends has exited
//!   with 0. Continuing tries the instruction again.
//! - **Watchpoints** on scalar, vector and lane-local memory, and on DRAM: they stop behind the instruction that loaded or
//!   stored there, or behind the one before which a finished transfer moved data there.
//! - `monitor help` lists commands besides GDB's own.
//!
//! A malformed packet ends the session with an error; the machine is then as it was.
//!
//! Not here: the protocol itself (the crate `gdbstub`'s), symbols and lines (GDB's, from the ELF file).

mod debugger;
mod link;
mod monitor;
pub mod registers;
mod target;

use std::sync::PoisonError;

use gdbstub::stub::{DisconnectReason, GdbStub};

use crate::machine::Machine;
use crate::trap::Stop;
use debugger::Debugger;
pub use link::{Link, LinkError};
use target::Loop;

/// Bytes of the longest packet: an `x` of a whole row of a memory of 4 KiB a lane fits into a few.
const PACKET: usize = 1 << 14;

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The debugger left; the program may go on by itself.
    Detached,
    /// The debugger wants the program to end here.
    Killed,
    /// The program came to its end.
    Exited(Stop),
}

/// Why a session broke off.
#[derive(Debug, thiserror::Error)]
pub enum GdbError {
    /// The debugger could not be reached, or is gone without saying so.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// It said something that is no request.
    #[error("the debugger's request cannot be understood: {0}")]
    Protocol(String),
}

/// Lets the GDB behind `link` debug `machine` until it leaves or the program ends.
///
/// # Errors
/// Where the connection breaks, and for requests outside the protocol.
pub fn serve(machine: &mut Machine, link: Link) -> Result<Ended, GdbError> {
    let outgoing = link.outgoing();
    let mut debugger = Debugger::new(machine);
    let stub = GdbStub::builder(link).packet_buffer_size(PACKET).build();
    let stub = stub.map_err(|error| GdbError::Protocol(error.to_string()))?;
    match stub.run_blocking::<Loop>(&mut debugger) {
        Ok(DisconnectReason::Disconnect) => Ok(Ended::Detached),
        Ok(DisconnectReason::Kill) => {
            outgoing.lock().unwrap_or_else(PoisonError::into_inner).confirm_kill();
            Ok(Ended::Killed)
        }
        Ok(DisconnectReason::TargetExited(_) | DisconnectReason::TargetTerminated(_)) => {
            Ok(debugger.ended().map_or(Ended::Killed, Ended::Exited))
        }
        Err(error) if error.is_connection_error() => {
            let (error, _) = error.into_connection_error().expect("it is one");
            Err(GdbError::Link(error))
        }
        Err(error) => Err(GdbError::Protocol(error.to_string())),
    }
}
