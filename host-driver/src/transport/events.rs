//! Interrupt vectors as event file descriptors, all in one `epoll`.

use std::time::{Duration, Instant};

use vmm_sys_util::epoll::{ControlOperation, Epoll, EpollEvent, EventSet};
use vmm_sys_util::eventfd::{EFD_NONBLOCK, EventFd};

use super::TransportError;

/// One event file descriptor for each vector.
#[derive(Debug)]
pub(crate) struct Events {
    epoll: Epoll,
    events: Vec<EventFd>,
    /// Those that came and that nobody has waited for.
    came: Vec<bool>,
}

impl Events {
    /// `count` of them.
    pub(crate) fn new(count: u32) -> Result<Self, TransportError> {
        let make = || -> std::io::Result<Self> {
            let epoll = Epoll::new()?;
            let events = (0..count).map(|_| EventFd::new(EFD_NONBLOCK)).collect::<Result<Vec<EventFd>, _>>()?;
            for (vector, event) in events.iter().enumerate() {
                let interest = EpollEvent::new(EventSet::IN, vector as u64);
                epoll.ctl(ControlOperation::Add, std::os::fd::AsRawFd::as_raw_fd(event), interest)?;
            }
            Ok(Self { epoll, events, came: vec![false; count as usize] })
        };
        make().map_err(|error| system(&format!("making {count} event file descriptors"), &error.to_string()))
    }

    /// How many.
    pub(crate) fn len(&self) -> u32 {
        self.events.len() as u32
    }

    /// In the order of their vectors.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &EventFd> {
        self.events.iter()
    }

    /// Forgets what came.
    pub(crate) fn clear(&mut self) -> Result<(), TransportError> {
        self.look(Duration::ZERO)?;
        self.came.fill(false);
        Ok(())
    }

    /// Waits for `vector`, at most `limit`: whether it came since the last wait for it.
    pub(crate) fn wait(&mut self, vector: u32, limit: Duration) -> Result<bool, TransportError> {
        let index = vector as usize;
        if index >= self.came.len() {
            let message = format!("there are {} interrupt vectors", self.events.len());
            return Err(system(&format!("waiting for interrupt {vector}"), &message));
        }
        let end = Instant::now() + limit;
        loop {
            if std::mem::take(&mut self.came[index]) {
                return Ok(true);
            }
            let left = end.saturating_duration_since(Instant::now());
            self.look(left)?;
            if left.is_zero() {
                return Ok(std::mem::take(&mut self.came[index]));
            }
        }
    }

    /// Waits for any, at most `limit`, and notes which came. A signal ends it early.
    fn look(&mut self, limit: Duration) -> Result<(), TransportError> {
        // Rounded up, or the last millisecond would be spent in turning round.
        let milliseconds = i32::try_from(limit.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX);
        let mut ready = [EpollEvent::default(); 32];
        let count = match self.epoll.wait(milliseconds, &mut ready) {
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => 0,
            Err(error) => return Err(system("waiting for interrupts", &error.to_string())),
        };
        for event in ready.iter().take(count) {
            let vector = event.data() as usize;
            // Reading takes it back; it can only fail because somebody else has.
            if self.events.get(vector).is_some_and(|event| event.read().is_ok()) {
                self.came[vector] = true;
            }
        }
        Ok(())
    }
}

fn system(what: &str, message: &str) -> TransportError {
    TransportError::System { what: what.to_owned(), message: message.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_vector_by_itself() {
        let mut events = Events::new(4).unwrap();
        assert!(!events.wait(2, Duration::ZERO).unwrap());
        let raise = |events: &Events, vector: usize| events.iter().nth(vector).unwrap().write(1).unwrap();
        raise(&events, 2);
        raise(&events, 2);
        raise(&events, 3);
        assert!(!events.wait(1, Duration::from_millis(1)).unwrap());
        assert!(events.wait(2, Duration::from_secs(10)).unwrap());
        assert!(!events.wait(2, Duration::ZERO).unwrap(), "twice is once");
        assert!(events.wait(3, Duration::ZERO).unwrap(), "it came while another was waited for");
        raise(&events, 0);
        events.clear().unwrap();
        assert!(!events.wait(0, Duration::ZERO).unwrap());
        assert!(events.wait(4, Duration::ZERO).is_err());
    }
}
