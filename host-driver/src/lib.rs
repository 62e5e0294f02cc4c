//! Talk to a FeNN machine: load programs, stream data in, read results out.
//!
//! Contract: everything a host does goes through one trait, [`device::Device`]; what a program's arrays are called and
//! where they lie is read from the manifest in its image, and nowhere else. On top of a device stand, in this order, a
//! [`session`] (runs of one program, with named arrays), a [`dataset`] (files become spikes), an evaluation of the one
//! with the other ([`evaluate`]) and a [`report`] for people; a [`profile`] says where the time went.
//!
//! A device is the simulator ([`sim`]) or a core of a [`card`], which is reached by a [`transport`]; [`open`] leads from what a
//! user types to one, and [`doctor`] says why there is none.
//!
//! Invariant: no file, image or manifest makes this crate panic, read or write outside a device's memories, or wait
//! without a limit. The library never prints; progress is a callback.
//!
//! ```
//! use fenn_host::device::{Device, Limit};
//! use fenn_host::sim::Simulator;
//! use fenn_isa::image::{Image, Segment};
//! use fenn_isa::memory::Space;
//!
//! // `sw zero, 0(zero)` and `ecall`.
//! let code = [0x0000_2023_u32, 0x0000_0073];
//! let bytes = code.iter().flat_map(|word| word.to_le_bytes()).collect();
//! let image = Image { segments: vec![Segment::new(Space::Instruction, 0, bytes)], ..Image::default() };
//! let mut device = Simulator::new(image.config)?;
//! device.load(&image)?;
//! device.write(Space::Scalar, 0, &[7])?;
//! device.start(image.entry)?;
//! assert_eq!(device.wait(Limit::default())?.instructions, 1);
//! let mut byte = [1];
//! device.read(Space::Scalar, 0, &mut byte)?;
//! assert_eq!(byte, [0]);
//! # Ok::<(), fenn_host::error::DeviceError>(())
//! ```
//!
//! Not here: networks and how they become programs (the compiler's), and what instructions do (the simulator's).

#![deny(unsafe_code)]

pub mod bench;
pub mod card;
pub mod dataset;
pub mod device;
pub mod doctor;
pub mod error;
pub mod evaluate;
pub mod export;
pub mod file;
pub mod open;
pub mod profile;
pub mod report;
pub mod session;
pub mod sim;
pub mod summary;
pub mod system;
pub mod transport;
