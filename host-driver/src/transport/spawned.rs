//! A card that is a program of its own, started for this use and ended after it.
//!
//! Contract: `fenn-card` gets a socket in a folder that nobody else can look into, says on its standard output when it is ready, and
//! ends when its standard input does: when this transport is dropped, or this process ends in whatever way. How it is reached is
//! [`super::vfio_user`]'s.
//!
//! Not here: what kind of card the program has.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::direct::{Direct, Options};
use super::vfio_user::VfioUser;
use super::{Capabilities, Deadline, Transport, TransportError};

/// How long it may take to be ready.
const START: Duration = Duration::from_secs(60);
/// How long it may take to end.
const END: Duration = Duration::from_secs(5);

/// The running program, which ends with this.
#[derive(Debug)]
struct Program {
    child: Child,
    /// While this is open the program runs.
    input: Option<ChildStdin>,
}

impl Drop for Program {
    /// Nobody could do anything about a program that cannot be ended.
    fn drop(&mut self) {
        drop(self.input.take());
        let begin = Instant::now();
        while begin.elapsed() < END {
            match self.child.try_wait() {
                Ok(None) => std::thread::sleep(Duration::from_millis(2)),
                Ok(Some(_)) | Err(_) => return,
            }
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A card in a program of its own.
#[derive(Debug)]
pub struct Spawned {
    card: Direct<VfioUser>,
    _program: Program,
    _folder: TempDir,
    name: String,
}

impl Spawned {
    /// Starts `program` with these arguments besides its socket, and waits until its card is there. `name` is what it is called.
    ///
    /// # Errors
    /// [`TransportError::System`] where it cannot be started, and with what it said where it ended;
    /// [`TransportError::Deadline`] where it is not ready after a minute; what [`VfioUser`] and [`Direct`] say.
    pub fn start(program: &Path, arguments: &[&str], name: String) -> Result<Self, TransportError> {
        let system = |what: &str, message: String| TransportError::System {
            what: format!("{what} {}", program.display()),
            message,
        };
        // The folder is its owner's alone.
        let folder = tempfile::tempdir().map_err(|error| system("making a folder for", error.to_string()))?;
        let socket = folder.path().join("card");
        let mut command = Command::new(program);
        command.arg("--socket").arg(&socket).arg("--until-eof").args(arguments);
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.map_err(|error| system("starting", error.to_string()))?;
        let (output, errors) = (child.stdout.take(), child.stderr.take());
        let program = Program { input: child.stdin.take(), child };
        let (ready, is_ready) = sync_channel(1);
        // Read to their ends, or the program would stop where its pipe is full.
        std::thread::spawn(move || {
            let mut lines = output.into_iter().flat_map(|output| BufReader::new(output).lines());
            let _ = ready.send(lines.next().is_some());
            lines.for_each(drop);
        });
        let (said, what_it_said) = sync_channel(1);
        std::thread::spawn(move || {
            let lines = errors.into_iter().flat_map(|errors| BufReader::new(errors).lines().map_while(Result::ok));
            let first: Vec<String> = lines.collect();
            let _ = said.send(first.into_iter().take(4).collect::<Vec<_>>().join("; "));
        });
        match is_ready.recv_timeout(START) {
            Ok(true) => {}
            Ok(false) => {
                let said = what_it_said.recv_timeout(END).unwrap_or_default();
                return Err(system("starting", if said.is_empty() { "it ended".to_owned() } else { said }));
            }
            Err(_) => return Err(TransportError::Deadline { what: format!("the start of {name}"), limit: START }),
        }
        let options = Options::default();
        let function = VfioUser::connect(&socket, options.memory_bytes())?;
        Ok(Self { card: Direct::open_card(function, options)?, _program: program, _folder: folder, name })
    }
}

impl Transport for Spawned {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn capabilities(&self) -> Capabilities {
        self.card.capabilities()
    }

    fn read_register(&mut self, offset: u32) -> Result<u32, TransportError> {
        self.card.read_register(offset)
    }

    fn write_register(&mut self, offset: u32, value: u32) -> Result<(), TransportError> {
        self.card.write_register(offset, value)
    }

    fn read(&mut self, address: u64, out: &mut [u8], deadline: Deadline) -> Result<(), TransportError> {
        self.card.read(address, out, deadline)
    }

    fn write(&mut self, address: u64, bytes: &[u8], deadline: Deadline) -> Result<(), TransportError> {
        self.card.write(address, bytes, deadline)
    }

    fn wait_event(&mut self, core: u32, deadline: Deadline) -> Result<(), TransportError> {
        self.card.wait_event(core, deadline)
    }

    fn recover(&mut self) -> Result<(), TransportError> {
        self.card.recover()
    }
}
