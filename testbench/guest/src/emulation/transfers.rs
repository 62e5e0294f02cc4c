//! `xdma0_h2c_0` and `xdma0_c2h_0`: bytes to the card and back.
//!
//! A caller's call arrives as requests of at most 128 KiB, and the kernel makes one count of the answers: those before the first
//! that fails. So a failure behind the first 128 KiB is a short count, and one in them is an error, as with the driver.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::caller::{Call, CallError, is_writable};
use super::fault::Fault;
use super::fuse::{Node, Request, What};
use super::{Shared, World};

/// Behind so many bytes of a call the driver has the engine's interrupt for an error, and does not wait.
const NOTICED_AT_ONCE: u64 = 512 << 10;

/// What to do with a request.
enum Verdict {
    /// Fail, now.
    Fail(Errno),
    /// Do it, and then have done so many bytes of it.
    Move(usize),
    /// Fail as something that never ends.
    Never,
}

pub(super) fn serve(node: Node, shared: &Shared, to_card: bool) -> io::Result<()> {
    let mut engine = Engine { node, shared, to_card, waiting: VecDeque::new() };
    loop {
        let request = match engine.waiting.pop_front() {
            Some(request) => request,
            None => match engine.node.next(None)? {
                Some(request) => request,
                None => continue,
            },
        };
        engine.handle(request)?;
    }
}

/// One engine: its calls come one after the other.
struct Engine<'a> {
    node: Node,
    shared: &'a Shared,
    to_card: bool,
    /// Requests that came while another one was under way.
    waiting: VecDeque<Request>,
}

impl Engine<'_> {
    fn handle(&mut self, request: Request) -> io::Result<()> {
        let (offset, length) = match &request.what {
            What::Read { offset, bytes } if !self.to_card => (*offset, *bytes as usize),
            What::Write { offset, bytes } if self.to_card => (*offset, bytes.len()),
            _ => return self.node.usual(&request),
        };
        let call = match Call::of(request.thread) {
            Ok(call) => call,
            // It has gone meanwhile.
            Err(CallError::Io(_)) => return self.node.fail(request.unique, Errno::INTR),
            Err(error) => {
                eprintln!("BUG: {error}");
                return self.node.fail(request.unique, Errno::IO);
            }
        };
        let address = call.offset.wrapping_add(offset);
        match self.judge(&request, call, offset, length)? {
            Verdict::Fail(error) => self.node.fail(request.unique, error),
            Verdict::Never => self.never(request.unique),
            Verdict::Move(part) => {
                if self.interrupted(request.unique, self.shared.options.pace)? {
                    return self.node.fail(request.unique, Errno::TIMEDOUT);
                }
                let mut out = vec![0; if self.to_card { 0 } else { part }];
                let moved = self.shared.with_world(|world: &mut World| match &request.what {
                    What::Write { bytes, .. } => world.write(address, &bytes[..part]),
                    _ => world.read(address, &mut out),
                });
                match moved {
                    Ok(()) if self.to_card => self.node.took(request.unique, part as u32),
                    Ok(()) => self.node.give(request.unique, &out),
                    Err(_) => self.refused(request.unique, offset),
                }
            }
        }
    }

    fn judge(&self, request: &Request, call: Call, offset: u64, length: usize) -> io::Result<Verdict> {
        if offset == 0 {
            let unit = u64::from(self.shared.options.alignment);
            if !(call.buffer ^ call.offset).is_multiple_of(unit) {
                return Ok(Verdict::Fail(Errno::INVAL));
            }
            // It pins the source's pages as if it would write there.
            if self.to_card && !is_writable(request.thread, call.buffer)? {
                return Ok(Verdict::Fail(Errno::FAULT));
            }
        }
        let fault = self.shared.with_world(|world| match (world.linked, offset) {
            (false, _) => Some(Fault::LinkLoss),
            (true, 0) => world.strike(),
            (true, _) => None,
        });
        Ok(match fault {
            None => Verdict::Move(length),
            Some(Fault::Short) => Verdict::Move((length / 2) & !3),
            Some(Fault::LinkLoss) => Verdict::Fail(Errno::BUSY),
            // The driver learns of none of these.
            Some(Fault::Hang | Fault::LostInterrupt | Fault::Decerr) => Verdict::Never,
        })
    }

    /// Waits, and looks whether the caller catches a signal meanwhile.
    fn interrupted(&mut self, unique: u64, limit: Duration) -> io::Result<bool> {
        let end = Instant::now() + limit;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.node.next(Some(left))? {
                Some(Request { what: What::Interrupt(whose), .. }) if whose == unique => return Ok(true),
                Some(Request { what: What::Interrupt(_), .. }) => {}
                Some(request) => self.waiting.push_back(request),
                None if left.is_zero() => return Ok(false),
                None => {}
            }
        }
    }

    /// A transfer whose end the driver does not hear of: it gives up when its time is over, or a signal comes.
    fn never(&mut self, unique: u64) -> io::Result<()> {
        self.interrupted(unique, self.shared.options.timeout)?;
        self.node.fail(unique, Errno::TIMEDOUT)
    }

    /// The card has refused it.
    fn refused(&mut self, unique: u64, offset: u64) -> io::Result<()> {
        if !self.to_card && offset >= NOTICED_AT_ONCE {
            return self.node.fail(unique, Errno::IO);
        }
        self.never(unique)
    }
}
