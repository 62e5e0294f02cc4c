//! Watching a machine: what happens is told to an [`Observer`].
//!
//! Contract: an observer sees every retirement, every access to a data memory, every finished DMA transfer and every
//! trap, in program order, and changes nothing. The machine is generic over it, so `()` costs nothing. A pair of observers
//! is an observer, and so is one that may be there.
//!
//! | observer | answers |
//! |---|---|
//! | [`Statistics`] | how often each instruction was executed, and what each class waited for |
//! | [`Trace`], [`BinaryTrace`] | what happened, instruction by instruction, as text, and as a fifth of its bytes or less |
//! | [`Profiler`] | which symbols and which lines of source the cycles went to; [`heatmap`] shows them beside the source |
//! | [`Stacks`] | through which calls |
//! | [`Phases`] | what each phase of a program cost |
//! | [`Checker`] | which reads and transfers are mistakes, although the machine has an answer |
//!
//! ```
//! use fenn_isa::timing::StallCause;
//! use fenn_iss::{Limits, Machine, Statistics, observe::{Profiler, TraceReader, BinaryTrace}};
//! # use fenn_isa::{image::{Image, Segment}, memory::Space, text};
//! # let code = ["lw t0, 0(zero)", "addi t0, t0, 1", "ecall"];
//! # let bytes = code.iter().flat_map(|line| text::parse(line).unwrap().encode().to_le_bytes()).collect();
//! # let image = Image { segments: vec![Segment::new(Space::Instruction, 0, bytes)], ..Image::default() };
//!
//! // A load, and an addition that waits a cycle for it.
//! let mut machine = Machine::builder().image(&image).build()?;
//! let mut observers = (Statistics::default(), (Profiler::new(), BinaryTrace::new(Vec::new())));
//! machine.run(Limits::default(), &mut observers);
//!
//! let (statistics, (profiler, trace)) = observers;
//! assert_eq!((statistics.total(), statistics.stalls().get(StallCause::LoadUse)), (2, 1));
//! assert_eq!(profiler.at(4).cycles, 2);
//! let trace = trace.finish().expect("a vector has room");
//! let records = TraceReader::new(&trace[..])?.collect::<Result<Vec<_>, _>>()?;
//! assert!(records[1].to_string().ends_with("x5=00000001 ; load-use 1"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::dma::Transfer;
use crate::state::State;
use crate::timing::Retired;
use crate::trap::{Access, Trap};

pub mod binary;
pub mod check;
pub mod cost;
pub mod heatmap;
mod page;
pub mod phases;
pub mod profile;
pub mod record;
mod stacks;
mod statistics;
mod trace;

pub use binary::{BinaryTrace, TraceError, TraceReader};
pub use check::Checker;
pub use cost::Cost;
pub use phases::Phases;
pub use profile::Profiler;
pub use stacks::Stacks;
pub use statistics::Statistics;
pub use trace::Trace;

/// What a machine tells while it runs.
pub trait Observer {
    /// Whether it sees nothing during a whole run, so that the machine may run by an engine that tells it nothing.
    fn is_passive(&self) -> bool {
        false
    }

    /// An instruction has been executed; `state` is what it left.
    fn retire(&mut self, retired: &Retired, state: &State);

    /// The instruction that retires next has made this access. Accesses to lane-local memory come lane by lane.
    fn access(&mut self, access: &Access);

    /// A DMA transfer has moved its data.
    fn transfer(&mut self, transfer: &Transfer);

    /// An instruction has trapped; the program's handler is entered or the run ends.
    fn trap(&mut self, trap: &Trap);
}

/// Sees nothing.
impl Observer for () {
    #[inline(always)]
    fn is_passive(&self) -> bool {
        true
    }

    #[inline(always)]
    fn retire(&mut self, _retired: &Retired, _state: &State) {}
    #[inline(always)]
    fn access(&mut self, _access: &Access) {}
    #[inline(always)]
    fn transfer(&mut self, _transfer: &Transfer) {}
    #[inline(always)]
    fn trap(&mut self, _trap: &Trap) {}
}

/// Tells the one it refers to.
impl<T: Observer> Observer for &mut T {
    fn is_passive(&self) -> bool {
        (**self).is_passive()
    }

    #[inline(always)]
    fn retire(&mut self, retired: &Retired, state: &State) {
        (**self).retire(retired, state);
    }
    #[inline(always)]
    fn access(&mut self, access: &Access) {
        (**self).access(access);
    }
    fn transfer(&mut self, transfer: &Transfer) {
        (**self).transfer(transfer);
    }
    fn trap(&mut self, trap: &Trap) {
        (**self).trap(trap);
    }
}

/// Tells both.
impl<A: Observer, B: Observer> Observer for (A, B) {
    fn is_passive(&self) -> bool {
        self.0.is_passive() && self.1.is_passive()
    }

    #[inline(always)]
    fn retire(&mut self, retired: &Retired, state: &State) {
        self.0.retire(retired, state);
        self.1.retire(retired, state);
    }
    #[inline(always)]
    fn access(&mut self, access: &Access) {
        self.0.access(access);
        self.1.access(access);
    }
    fn transfer(&mut self, transfer: &Transfer) {
        self.0.transfer(transfer);
        self.1.transfer(transfer);
    }
    fn trap(&mut self, trap: &Trap) {
        self.0.trap(trap);
        self.1.trap(trap);
    }
}

/// Tells the one that may be there.
impl<T: Observer> Observer for Option<T> {
    fn is_passive(&self) -> bool {
        self.as_ref().is_none_or(T::is_passive)
    }

    #[inline(always)]
    fn retire(&mut self, retired: &Retired, state: &State) {
        if let Some(observer) = self {
            observer.retire(retired, state);
        }
    }
    #[inline(always)]
    fn access(&mut self, access: &Access) {
        if let Some(observer) = self {
            observer.access(access);
        }
    }
    fn transfer(&mut self, transfer: &Transfer) {
        if let Some(observer) = self {
            observer.transfer(transfer);
        }
    }
    fn trap(&mut self, trap: &Trap) {
        if let Some(observer) = self {
            observer.trap(trap);
        }
    }
}
