//! What tests of a card share: programs, starting and stopping.

use std::cell::Cell;
use std::time::Duration;

use fenn_assembler::assemble_text;
use fenn_host::transport::{Deadline, Transport};
use fenn_isa::image::Image;
use fenn_isa::soc::{CardRegister, CoreRegister, control, core_offset, window};
use fenn_verilated::axi::Pace;
use fenn_verilated::soc::VerilatedCard;
use rand::SeedableRng;
use rand_pcg::Pcg64Mcg;

thread_local! {
    /// How long anything may take, and the mutant that stands for the card of two cores in this thread, if one does.
    static SETTINGS: Cell<(Duration, Option<u32>)> = const { Cell::new((Duration::from_secs(600), None)) };
}

/// In this thread, `soc_two` is a mutant from now on, or itself again, and deadlines are so long.
pub(crate) fn stand_in(mutant: Option<u32>, limit: Duration) {
    SETTINGS.set((limit, mutant));
}

/// No test of the card as it is should come near it.
pub(crate) fn deadline() -> Deadline {
    Deadline::after(SETTINGS.get().0)
}

/// The card with this name, with a host and DRAM that never hesitate.
pub(crate) fn card(name: &str) -> VerilatedCard {
    let card = match SETTINGS.get().1.filter(|_| name == "soc_two") {
        Some(mutant) => VerilatedCard::mutant("soc_mutants", mutant),
        None => VerilatedCard::new(name),
    };
    card.unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A pace that hesitates.
pub(crate) fn random(seed: u64, ready: u32) -> Pace {
    Pace::Random { source: Pcg64Mcg::seed_from_u64(seed), ready, errors: 0 }
}

/// The program of a source.
pub(crate) fn program(source: &str) -> Image {
    assemble_text("program.s", source).unwrap_or_else(|error| panic!("{error}"))
}

/// Writes a program into a core's memories.
pub(crate) fn load(card: &mut impl Transport, core: u32, image: &Image) {
    for segment in &image.segments {
        let mut bytes = segment.bytes.clone();
        bytes.resize(segment.size as usize, 0);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        let address = window(segment.space, core) + u64::from(segment.address);
        card.write(address, &bytes, deadline()).unwrap_or_else(|error| panic!("{error}"));
    }
    set(card, core, CoreRegister::Entry, image.entry);
}

pub(crate) fn get(card: &mut impl Transport, core: u32, register: CoreRegister) -> u32 {
    card.read_register(core_offset(core, register)).unwrap_or_else(|error| panic!("{register:?}: {error}"))
}

pub(crate) fn set(card: &mut impl Transport, core: u32, register: CoreRegister, value: u32) {
    card.write_register(core_offset(core, register), value).unwrap_or_else(|error| panic!("{register:?}: {error}"));
}

pub(crate) fn get_card(card: &mut impl Transport, register: CardRegister) -> u32 {
    card.read_register(register.spec().offset).unwrap_or_else(|error| panic!("{register:?}: {error}"))
}

pub(crate) fn set_card(card: &mut impl Transport, register: CardRegister, value: u32) {
    card.write_register(register.spec().offset, value).unwrap_or_else(|error| panic!("{register:?}: {error}"));
}

/// Starts a core and waits for its interrupt, which it acknowledges; its status.
pub(crate) fn run(card: &mut impl Transport, core: u32) -> u32 {
    let enabled = get_card(card, CardRegister::IrqEnable);
    set_card(card, CardRegister::IrqEnable, enabled | 1 << core);
    set(card, core, CoreRegister::Control, control::RUN);
    finish(card, core)
}

/// Waits for a core's interrupt, which it acknowledges; its status.
pub(crate) fn finish(card: &mut impl Transport, core: u32) -> u32 {
    card.wait_event(core, deadline()).unwrap_or_else(|error| panic!("core {core}: {error}"));
    set_card(card, CardRegister::IrqAck, 1 << core);
    get(card, core, CoreRegister::Status)
}

pub(crate) fn read(card: &mut impl Transport, address: u64, bytes: usize) -> Vec<u8> {
    let mut out = vec![0; bytes];
    card.read(address, &mut out, deadline()).unwrap_or_else(|error| panic!("{error}"));
    out
}

pub(crate) fn write(card: &mut impl Transport, address: u64, bytes: &[u8]) {
    card.write(address, bytes, deadline()).unwrap_or_else(|error| panic!("{error}"));
}

pub(crate) fn word(card: &mut impl Transport, address: u64) -> u32 {
    u32::from_le_bytes(read(card, address, 4).try_into().expect("four bytes"))
}
