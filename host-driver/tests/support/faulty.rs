//! A way to a card on which things go wrong.

use std::sync::{Arc, Mutex};

use fenn_host::transport::sim::SimulatedCard;
use fenn_host::transport::{Capabilities, Deadline, Transport, TransportError};

/// What is wrong all the time.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// Nothing.
    Nothing,
    /// This register reads so.
    Register { offset: u32, value: u32 },
    /// Interrupts do not arrive.
    NoInterrupts,
    /// Bit 0 of this byte of the memory space arrives the other way round.
    Flips { address: u64 },
}

/// A call after so many others fails, and all after it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Switch(Arc<Mutex<Option<(usize, TransportError)>>>);

impl Switch {
    pub(crate) fn fail_after(&self, calls: usize, error: TransportError) {
        *self.0.lock().unwrap() = Some((calls, error));
    }

    pub(crate) fn mend(&self) {
        *self.0.lock().unwrap() = None;
    }

    fn call(&self) -> Result<(), TransportError> {
        match &mut *self.0.lock().unwrap() {
            Some((0, error)) => Err(error.clone()),
            Some((left, _)) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

/// A simulated card behind it.
#[derive(Debug)]
pub(crate) struct Faulty {
    card: SimulatedCard,
    fault: Fault,
    switch: Switch,
}

impl Faulty {
    pub(crate) fn new(card: SimulatedCard, fault: Fault) -> Self {
        Self { card, fault, switch: Switch::default() }
    }

    pub(crate) fn switch(&self) -> Switch {
        self.switch.clone()
    }
}

impl Transport for Faulty {
    fn name(&self) -> String {
        "faulty card".to_owned()
    }

    fn capabilities(&self) -> Capabilities {
        self.card.capabilities()
    }

    fn read_register(&mut self, offset: u32) -> Result<u32, TransportError> {
        self.switch.call()?;
        let value = self.card.read_register(offset)?;
        match self.fault {
            Fault::Register { offset: other, value } if other == offset => Ok(value),
            _ => Ok(value),
        }
    }

    fn write_register(&mut self, offset: u32, value: u32) -> Result<(), TransportError> {
        self.switch.call()?;
        self.card.write_register(offset, value)
    }

    fn read(&mut self, address: u64, out: &mut [u8], deadline: Deadline) -> Result<(), TransportError> {
        self.switch.call()?;
        self.card.read(address, out, deadline)
    }

    fn write(&mut self, address: u64, bytes: &[u8], deadline: Deadline) -> Result<(), TransportError> {
        self.switch.call()?;
        let mut bytes = bytes.to_vec();
        if let Fault::Flips { address: flipped } = self.fault
            && let Some(byte) = flipped.checked_sub(address).and_then(|index| bytes.get_mut(index as usize))
        {
            *byte ^= 1;
        }
        self.card.write(address, &bytes, deadline)
    }

    fn wait_event(&mut self, core: u32, deadline: Deadline) -> Result<(), TransportError> {
        self.switch.call()?;
        match self.fault {
            Fault::NoInterrupts => {
                std::thread::sleep(deadline.left());
                Err(TransportError::Deadline { what: format!("waiting for core {core}"), limit: deadline.limit() })
            }
            _ => self.card.wait_event(core, deadline),
        }
    }

    fn recover(&mut self) -> Result<(), TransportError> {
        self.switch.call()?;
        self.card.recover()
    }
}
