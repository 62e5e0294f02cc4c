//! A card as a driver uses it: a compiled network, and what goes wrong on the way.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fenn_compiler::{backend, description};
use fenn_host::dataset::{Dataset, Selection, Shape};
use fenn_host::device::{Device, Finished, Limit};
use fenn_host::error::DeviceError;
use fenn_host::session::Session;
use fenn_host::sim::Simulator;
use fenn_host::transport::{Deadline, Transport, TransportError};
use fenn_isa::image::Image;
use fenn_isa::memory::{MachineConfig, Space};
use fenn_isa::soc::{CardRegister, CoreRegister, control, status, window};
use fenn_verilated::soc::VerilatedCard;
use fenn_verilated::soc::master::{Batch, Burst, Read};

use super::BOARD;
use super::common::*;

/// Core 0 of a card as a device.
struct OnCard {
    card: VerilatedCard,
    entry: Option<u32>,
}

impl OnCard {
    /// The words around these bytes: their address and length.
    fn around(space: Space, address: u32, bytes: usize) -> (u64, usize, usize) {
        let skip = address as usize % 4;
        (window(space, 0) + u64::from(address) - skip as u64, (skip + bytes).next_multiple_of(4), skip)
    }
}

impl Device for OnCard {
    fn name(&self) -> String {
        self.card.name()
    }

    fn config(&self) -> MachineConfig {
        BOARD
    }

    fn load(&mut self, image: &Image) -> Result<(), DeviceError> {
        set(&mut self.card, 0, CoreRegister::Control, control::RESET);
        load(&mut self.card, 0, image);
        set(&mut self.card, 0, CoreRegister::DramLimit, BOARD.dram_bytes);
        set_card(&mut self.card, CardRegister::IrqEnable, 1);
        Ok(())
    }

    fn read(&mut self, space: Space, address: u32, out: &mut [u8]) -> Result<(), DeviceError> {
        let (start, length, skip) = Self::around(space, address, out.len());
        let words = read(&mut self.card, start, length);
        out.copy_from_slice(&words[skip..skip + out.len()]);
        Ok(())
    }

    fn write(&mut self, space: Space, address: u32, bytes: &[u8]) -> Result<(), DeviceError> {
        let (start, length, skip) = Self::around(space, address, bytes.len());
        let mut words = if length == bytes.len() { vec![0; length] } else { read(&mut self.card, start, length) };
        words[skip..skip + bytes.len()].copy_from_slice(bytes);
        write(&mut self.card, start, &words);
        Ok(())
    }

    fn start(&mut self, entry: u32) -> Result<(), DeviceError> {
        self.entry = Some(entry);
        set(&mut self.card, 0, CoreRegister::Entry, entry);
        set(&mut self.card, 0, CoreRegister::Control, control::RUN);
        Ok(())
    }

    fn wait(&mut self, _limit: Limit) -> Result<Finished, DeviceError> {
        self.entry.take().ok_or(DeviceError::NotRunning)?;
        assert_eq!(finish(&mut self.card, 0), status::DONE | 3 << status::CAUSE_SHIFT);
        let instructions = get(&mut self.card, 0, CoreRegister::InstructionsLow).into();
        Ok(Finished { instructions, cycles: get(&mut self.card, 0, CoreRegister::CyclesLow).into() })
    }

    fn halt(&mut self) -> Result<(), DeviceError> {
        set(&mut self.card, 0, CoreRegister::Control, control::HALT);
        Ok(())
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The published network by way of the card's ports: the first images give what the simulator gives.
#[test]
fn mnist() {
    const IMAGES: usize = 3;
    let data = root().join("../shared/data/mnist");
    if !data.exists() {
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{} is needed", data.display());
        eprintln!("skipped: no reference data at {}", data.display());
        return;
    }
    let options = description::Options { allow_outside: true, ..description::Options::default() };
    let described = description::read(root().join("programs/mnist/network.toml"), &options).expect("it is a network");
    let image = backend::compile(&described.network, &backend::Options::default()).expect("it compiles").image;
    let manifest = image.manifest.as_ref().expect("a compiled network has a manifest");
    let selection = Selection { limit: Some(IMAGES), ..Selection::default() };
    let set = Dataset::read(&data.join("t10k-images-idx3-ubyte.gz"), None, &Shape::from(manifest), selection);
    let set = set.expect("the images can be read");

    let begun = Instant::now();
    let device = OnCard { card: card("soc_board"), entry: None };
    let mut card = Session::open(device, &image).expect("it loads");
    let loaded = (begun.elapsed().as_secs_f64(), card.device().card.clock());
    let mut alone = Session::open(Simulator::new(BOARD).expect("the machine exists"), &image).expect("it loads");
    for sample in 0..IMAGES {
        let run = card.run(set.spikes(sample), Limit::default()).expect("the card runs it");
        let expected = alone.run(set.spikes(sample), Limit::default()).expect("the simulator runs it");
        assert_eq!(run.outputs, expected.outputs, "image {sample}");
        assert_eq!(run.finished, expected.finished, "image {sample}: instructions and cycles");
    }
    let (seconds, cycles) = (begun.elapsed().as_secs_f64(), card.device().card.clock());
    eprintln!(
        "loaded in {} cycles, {:.1} s; {IMAGES} images in {} cycles, {:.1} s; {:.0} cycles/s",
        loaded.1,
        loaded.0,
        cycles - loaded.1,
        seconds - loaded.0,
        cycles as f64 / seconds
    );
}

/// DRAM that answers nothing: a transfer ends by its deadline, and everything works again when DRAM does.
#[test]
pub(crate) fn dram_that_hangs() {
    let mut card = card("soc_two");
    let dram = window(Space::Dram, 0);
    write(&mut card, dram, &[1; 256]);
    card.dram().set_hanging(true);
    let soon = || Deadline::after(Duration::from_millis(50));
    let hangs = card.read(dram, &mut [0; 64], soon());
    assert!(matches!(hangs, Err(TransportError::Deadline { .. })), "{hangs:?}");
    assert!(matches!(card.write(dram, &[0; 64], soon()), Err(TransportError::Deadline { .. })));
    assert!(matches!(card.recover(), Err(TransportError::System { .. })), "it still hangs");
    card.dram().set_hanging(false);
    card.recover().expect("what was under way ends");
    // The write had not begun: the read was first.
    assert_eq!(read(&mut card, dram, 256), [1; 256]);
    write(&mut card, dram, &[2; 256]);
    assert_eq!(read(&mut card, dram, 256), [2; 256]);
}

/// The assertions on the ports are on: a host that breaks AXI's rules is told so, and from then on there is no card.
#[test]
fn assertions_are_on() {
    for name in fenn_verilated::soc::CARDS {
        let mut card = card(name);
        let address = window(Space::Dram, 0) + 4096 - 4;
        let read = Read { address, size: 2, burst: Burst::Incrementing, beats: 2 };
        let crossed = card.perform(Batch { reads: vec![read], ..Batch::default() }, deadline());
        assert!(matches!(crossed, Err(TransportError::Gone { .. })), "{name}: {crossed:?}");
        let offset = CardRegister::Ident.spec().offset;
        assert!(matches!(card.read_register(offset), Err(TransportError::Gone { .. })), "{name}");
    }
}
