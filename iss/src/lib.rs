//! The golden model of the FeNN machine: an instruction-set simulator.
//!
//! Contract: a [`Machine`] executes every instruction of [`fenn_isa::SPECS`] bit for bit as the machine does. It is
//! built from a [`fenn_isa::memory::MachineConfig`], loaded with an [`fenn_isa::image::Image`], and run until it
//! stops; every way of stopping is a value ([`Stop`]) with a program counter in it. No program makes it panic, and two
//! runs from equal states are equal.
//!
//! Meaning, time and watching are apart: [`execute`](Machine::step) changes [`State`] and memories, a
//! [`Pipeline`] says when, an [`Observer`] sees it happen. None of the three knows the others.
//!
//! ```
//! use fenn_isa::{image::{Image, Segment}, memory::Space, operand::XReg, text, timing::FENN};
//! use fenn_iss::{Limits, Machine, Stop};
//!
//! let code = ["addi t0, zero, 6", "mul t0, t0, t0", "sw t0, 0(zero)", "ecall"];
//! let bytes = code.iter().flat_map(|line| text::parse(line).unwrap().encode().to_le_bytes()).collect();
//! let image = Image { segments: vec![Segment::new(Space::Instruction, 0, bytes)], ..Image::default() };
//! let mut machine = Machine::builder().profile(FENN).strict(true).image(&image).build()?;
//!
//! // Until before the store, and then to the end. A product can be stored a cycle later than a sum.
//! let outcome = machine.run(Limits { breakpoints: &[8], ..Limits::default() }, &mut ());
//! assert_eq!((outcome.stop, outcome.instructions), (Stop::Breakpoint { pc: 8 }, 2));
//! assert_eq!(machine.state().x(XReg::from_name("t0").unwrap()), 36);
//! let outcome = machine.run(Limits::default(), &mut ());
//! assert_eq!((outcome.stop, outcome.cycles), (Stop::Ecall { pc: 12 }, 2));
//! assert_eq!(machine.region(Space::Scalar, 0, 4)?.u32(), [36]);
//! # Ok::<(), fenn_iss::Error>(())
//! ```
//!
//! [`observe`] has the observers, [`view`] the ways to read a memory.
//!
//! Not here: text (the assembler's), networks (the compiler's), and data sets (the host's).

#![deny(unsafe_code)]

mod builder;
mod csr;
pub mod dma;
mod engine;
mod error;
mod execute;
#[cfg(feature = "gdb")]
pub mod gdb;
mod machine;
pub mod memory;
pub mod observe;
pub mod snapshot;
pub mod speed;
pub mod state;
pub mod timing;
pub mod trap;
pub mod view;

pub use builder::MachineBuilder;
pub use engine::{Engine, Host};
pub use error::Error;
pub use machine::{Limits, Machine, Options, Outcome};
pub use memory::Dram;
pub use observe::{Observer, Statistics, Trace};
pub use state::{State, Vector};
pub use timing::{Pipeline, Retired, StallTable};
pub use trap::{Access, AccessKind, Cause, Stop, Trap};
pub use view::Region;
