//! Which memories a card has, for transports that lead to any address.
//!
//! Contract: [`windows`] asks the card's registers, as [`fenn_isa::soc`] has them, and believes no size that its map has no room
//! for. What is no card, or one of another map, has no windows, so that nothing of it can be read or written.

use fenn_isa::memory::Space;
use fenn_isa::soc::{CORE_STRIDE, CardRegister, IDENT, MOST_CORES, VERSION, window};

use super::{Transport, TransportError, Window};

/// The windows of the card behind `transport`.
///
/// # Errors
/// As [`Transport::read_register`].
pub fn windows(transport: &mut (impl Transport + ?Sized)) -> Result<Vec<Window>, TransportError> {
    let mut read = |register: CardRegister| transport.read_register(register.spec().offset);
    if read(CardRegister::Ident)? != IDENT || read(CardRegister::Version)? >> 16 != VERSION >> 16 {
        return Ok(Vec::new());
    }
    let cores = read(CardRegister::Cores)?.min(MOST_CORES);
    let lanes = read(CardRegister::Lanes)?;
    let sizes = [
        (Space::Instruction, read(CardRegister::InstructionBytes)?),
        (Space::Scalar, read(CardRegister::ScalarBytes)?),
        (Space::Vector, read(CardRegister::VectorBytes)?),
        (Space::LaneLocal, lanes.saturating_mul(read(CardRegister::LaneBytes)?)),
    ];
    let dram = u64::from(read(CardRegister::DramHigh)?) << 32 | u64::from(read(CardRegister::DramLow)?);
    let mut windows: Vec<Window> = sizes
        .iter()
        .flat_map(|&(space, bytes)| {
            let bytes = bytes.min(CORE_STRIDE).into();
            (0..cores).map(move |core| Window { address: window(space, core), bytes })
        })
        .collect();
    let start = window(Space::Dram, 0);
    windows.push(Window { address: start, bytes: dram.min(u64::MAX - start) });
    windows.sort_by_key(|window| window.address);
    Ok(windows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::sim::{Options, SimulatedCard};
    use crate::transport::{Capabilities, Deadline};

    #[test]
    fn a_simulated_card_has_what_it_says() {
        let options = Options { cores: 3, dram_bytes: 1 << 20, ..Options::default() };
        let mut card = SimulatedCard::new(options).unwrap();
        let mut said = card.capabilities().windows;
        said.sort_by_key(|window| window.address);
        assert_eq!(windows(&mut card), Ok(said));
    }

    /// Registers that are all the same word.
    struct Same(u32, u32);

    impl Transport for Same {
        fn name(&self) -> String {
            String::new()
        }
        fn capabilities(&self) -> Capabilities {
            Capabilities { registers: 4096, windows: Vec::new(), alignment: 4, chunk: 4096, interrupts: false }
        }
        fn read_register(&mut self, offset: u32) -> Result<u32, TransportError> {
            Ok(match offset {
                0 => self.0,
                4 => VERSION,
                _ => self.1,
            })
        }
        fn write_register(&mut self, _: u32, _: u32) -> Result<(), TransportError> {
            Ok(())
        }
        fn read(&mut self, _: u64, _: &mut [u8], _: Deadline) -> Result<(), TransportError> {
            Ok(())
        }
        fn write(&mut self, _: u64, _: &[u8], _: Deadline) -> Result<(), TransportError> {
            Ok(())
        }
        fn wait_event(&mut self, _: u32, _: Deadline) -> Result<(), TransportError> {
            Ok(())
        }
        fn recover(&mut self) -> Result<(), TransportError> {
            Ok(())
        }
    }

    #[test]
    fn what_is_no_card_has_nothing() {
        assert_eq!(windows(&mut Same(0x1234, 8)), Ok(Vec::new()));
    }

    #[test]
    fn sizes_that_cannot_be_overlap_nothing() {
        for word in [u32::MAX, 1 << 31, 17] {
            let found = windows(&mut Same(IDENT, word)).unwrap();
            for (one, next) in found.iter().zip(&found[1..]) {
                assert!(one.address + one.bytes <= next.address, "{word:#x}: {one:?} {next:?}");
            }
        }
    }
}
