//! A trace as text.

use std::io;

use super::Observer;
use super::record::{Record, Step};
use crate::dma::Transfer;
use crate::state::State;
use crate::timing::Retired;
use crate::trap::{Access, Trap};

/// Writes a line per instruction, DMA transfer and trap; see [`super::record`] for its columns.
#[derive(Debug)]
pub struct Trace<W> {
    out: W,
    accesses: Vec<Access>,
    failed: Option<io::Error>,
}

impl<W: io::Write> Trace<W> {
    /// A trace into `out`, which should be buffered.
    pub fn new(out: W) -> Self {
        Self { out, accesses: Vec::new(), failed: None }
    }

    /// The writer, flushed.
    ///
    /// # Errors
    /// The first error of any write; nothing was written after it.
    pub fn finish(mut self) -> io::Result<W> {
        match self.failed {
            Some(error) => Err(error),
            None => self.out.flush().map(|()| self.out),
        }
    }

    fn line(&mut self, record: &Record) {
        if self.failed.is_none() {
            self.failed = writeln!(self.out, "{record}").err();
        }
    }
}

impl<W: io::Write> Observer for Trace<W> {
    fn retire(&mut self, retired: &Retired, state: &State) {
        let step = Step::new(retired, &self.accesses, state);
        self.accesses.clear();
        self.line(&Record::Step(step));
    }

    fn access(&mut self, access: &Access) {
        self.accesses.push(*access);
    }

    fn transfer(&mut self, transfer: &Transfer) {
        self.line(&Record::Transfer(*transfer));
    }

    fn trap(&mut self, trap: &Trap) {
        self.accesses.clear();
        self.line(&Record::Trap(*trap));
    }
}
