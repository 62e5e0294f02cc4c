//! The way to the debugger: a local TCP port, a Unix socket, or standard input and output.
//!
//! Contract: one debugger, on this machine. A thread reads what comes, so that a running program can be interrupted by
//! whatever kind of connection it is; it ends when the connection does.

use std::io::{self, BufWriter, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use gdbstub::conn::{Connection, ConnectionExt};

/// Chunks read ahead; a debugger waits for answers, so there are never many.
const AHEAD: usize = 16;
const CHUNK: usize = 4096;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The port cannot be had.
    #[error("cannot wait for a debugger on port {port} of this machine: {source}")]
    Port {
        /// Which.
        port: u16,
        /// The system's reason.
        source: io::Error,
    },
    /// The socket cannot be made.
    #[error("cannot wait for a debugger at {}: {source}", path.display())]
    Socket {
        /// Where.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The connection broke.
    #[error("the connection to the debugger broke: {0}")]
    Broken(#[from] io::Error),
    /// The debugger closed it without having detached.
    #[error("the debugger is gone")]
    Gone,
}

/// A connection to a debugger.
pub struct Link {
    incoming: Receiver<io::Result<Vec<u8>>>,
    chunk: Vec<u8>,
    at: usize,
    out: Arc<Mutex<Outgoing>>,
}

/// The way out, which the session's end may need once more.
pub(super) struct Outgoing {
    writer: Box<dyn Write + Send>,
    /// Ends the connection, and with it the reading thread.
    close: Option<Box<dyn FnOnce() + Send>>,
}

impl Outgoing {
    /// Says that the program has been killed, which the protocol's own machinery leaves out; whoever has closed the
    /// connection meanwhile need not hear it.
    pub(super) fn confirm_kill(&mut self) {
        let _ = self.writer.write_all(b"$OK#9a").and_then(|()| self.writer.flush());
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        if let Some(close) = self.close.take() {
            close();
        }
    }
}

impl core::fmt::Debug for Link {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Link").finish_non_exhaustive()
    }
}

impl Link {
    /// A connection made of its two directions.
    pub fn new(mut read: impl Read + Send + 'static, write: impl Write + Send + 'static) -> Self {
        let (sender, incoming) = sync_channel(AHEAD);
        thread::spawn(move || {
            let mut buffer = vec![0; CHUNK];
            loop {
                let chunk = match read.read(&mut buffer) {
                    Ok(0) => return,
                    Ok(count) => Ok(buffer[..count].to_vec()),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => Err(error),
                };
                let last = chunk.is_err();
                if sender.send(chunk).is_err() || last {
                    return;
                }
            }
        });
        let outgoing = Outgoing { writer: Box::new(BufWriter::new(write)), close: None };
        Self { incoming, chunk: Vec::new(), at: 0, out: Arc::new(Mutex::new(outgoing)) }
    }

    fn closed_by(self, close: impl FnOnce() + Send + 'static) -> Self {
        self.lock().close = Some(Box::new(close));
        self
    }

    /// The way out, to be used when the session has ended.
    pub(super) fn outgoing(&self) -> Arc<Mutex<Outgoing>> {
        Arc::clone(&self.out)
    }

    fn lock(&self) -> MutexGuard<'_, Outgoing> {
        // Nothing that holds it can panic halfway.
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Standard input and output: GDB's `target remote | fenn-sim --gdb - program.elf`.
    pub fn standard() -> Self {
        Self::new(io::stdin(), io::stdout())
    }

    /// Waits for one debugger on a TCP port of the loopback interface, 0 for any that is free; `ready` is told which.
    ///
    /// # Errors
    /// [`LinkError::Port`], [`LinkError::Broken`].
    pub fn listen(port: u16, ready: impl FnOnce(u16)) -> Result<Self, LinkError> {
        let refused = |source| LinkError::Port { port, source };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(refused)?;
        ready(listener.local_addr().map_err(refused)?.port());
        let (stream, _) = listener.accept()?;
        // Answers are short, and the debugger waits for each.
        stream.set_nodelay(true)?;
        let end = stream.try_clone()?;
        // A connection that the other side has ended already needs no end.
        Ok(Self::new(stream.try_clone()?, stream).closed_by(move || drop(end.shutdown(Shutdown::Both))))
    }

    /// Waits for one debugger at a Unix socket, which is made for it and removed when it has come; `ready` is called
    /// when it can come.
    ///
    /// # Errors
    /// [`LinkError::Socket`] also where there is a file of that name, [`LinkError::Broken`].
    #[cfg(unix)]
    pub fn listen_at(path: &std::path::Path, ready: impl FnOnce()) -> Result<Self, LinkError> {
        let refused = |source| LinkError::Socket { path: path.to_owned(), source };
        let listener = std::os::unix::net::UnixListener::bind(path).map_err(refused)?;
        ready();
        let accepted = listener.accept();
        std::fs::remove_file(path).map_err(refused)?;
        let (stream, _) = accepted?;
        let end = stream.try_clone()?;
        Ok(Self::new(stream.try_clone()?, stream).closed_by(move || drop(end.shutdown(Shutdown::Both))))
    }

    /// Takes the next chunk; the debugger is gone when there will be none.
    fn take(&mut self, chunk: io::Result<Vec<u8>>) -> Result<u8, LinkError> {
        self.chunk = chunk?;
        self.at = 1;
        self.chunk.first().copied().ok_or(LinkError::Gone)
    }

    fn buffered(&self) -> Option<u8> {
        self.chunk.get(self.at).copied()
    }
}

impl Connection for Link {
    type Error = LinkError;

    fn write(&mut self, byte: u8) -> Result<(), LinkError> {
        Ok(self.lock().writer.write_all(&[byte])?)
    }

    fn write_all(&mut self, bytes: &[u8]) -> Result<(), LinkError> {
        Ok(self.lock().writer.write_all(bytes)?)
    }

    fn flush(&mut self) -> Result<(), LinkError> {
        Ok(self.lock().writer.flush()?)
    }
}

impl ConnectionExt for Link {
    fn read(&mut self) -> Result<u8, LinkError> {
        if let Some(byte) = self.buffered() {
            self.at += 1;
            return Ok(byte);
        }
        let chunk = self.incoming.recv().map_err(|_| LinkError::Gone)?;
        self.take(chunk)
    }

    fn peek(&mut self) -> Result<Option<u8>, LinkError> {
        if let Some(byte) = self.buffered() {
            return Ok(Some(byte));
        }
        match self.incoming.try_recv() {
            Ok(chunk) => {
                let byte = self.take(chunk)?;
                self.at = 0;
                Ok(Some(byte))
            }
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(LinkError::Gone),
        }
    }
}
