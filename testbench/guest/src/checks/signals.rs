//! A caught signal in the middle of a transfer.

use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use fenn_host::transport::{Deadline, Transport};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::Pid;

use super::{Aligned, LONG, PATIENCE, Setting, dram, ensure, random, said, text};

/// From one signal to the next.
const PERIOD: Duration = Duration::from_millis(3);
/// How often a plain call is tried: a signal may come between two.
const TRIES: usize = 5;

/// Sends signals to this process, all to threads that have not blocked them, until it is dropped.
struct Storm {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Storm {
    fn begin() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            if SigSet::all().thread_block().is_err() {
                return;
            }
            while !ends.load(Ordering::Relaxed) {
                std::thread::sleep(PERIOD);
                // It cannot fail for a process of one's own.
                let (Ok(()) | Err(_)) = kill(Pid::this(), Signal::SIGUSR1);
            }
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Storm {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It does nothing that could panic.
            let (Ok(()) | Err(_)) = thread.join();
        }
    }
}

pub(super) fn aborts_transfers(setting: &Setting) -> Result<String, String> {
    let caught = Arc::new(AtomicUsize::new(0));
    // A handler, with SA_RESTART: calls of other drivers would go on.
    let registered = signal_hook::flag::register_usize(signal_hook::consts::SIGUSR1, Arc::clone(&caught), 1);
    registered.map_err(|error| format!("a handler: {error}"))?;
    let data = random(61, LONG);
    let file = setting.channel(true)?;
    let mut buffer = Aligned::holding(&data, 0);
    let storm = Storm::begin();
    let mut plain = file.write_at(buffer.part(), dram());
    for _ in 1..TRIES {
        if plain.as_ref().is_ok_and(|count| *count == LONG) {
            plain = file.write_at(buffer.part(), dram());
        }
    }
    drop(storm);
    ensure(!plain.as_ref().is_ok_and(|count| *count == LONG), || format!("pwrite under signals: {}", said(&plain)))?;
    ensure(caught.swap(0, Ordering::Relaxed) == 1, || "no signal was caught".to_owned())?;

    let mut xdma = setting.open()?;
    let storm = Storm::begin();
    let written = xdma.write(dram(), &data, Deadline::after(PATIENCE));
    let mut back = vec![0; LONG];
    let read = xdma.read(dram(), &mut back, Deadline::after(PATIENCE));
    drop(storm);
    written.map_err(text)?;
    read.map_err(text)?;
    ensure(back == data, || "other bytes".to_owned())?;
    ensure(caught.load(Ordering::Relaxed) == 1, || "no signal was caught meanwhile".to_owned())?;
    Ok(format!("plain pwrite of {LONG} bytes: {}; the library moves as many both ways", said(&plain)))
}
