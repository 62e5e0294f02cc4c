//! `fenn-run mem`: bytes of a card's memories.

use std::fs::File;
use std::io::IsTerminal as _;
use std::path::PathBuf;

use clap::{Subcommand, ValueEnum, ValueHint};
use fenn_host::card::stream::{Plan, StreamError, Verify};
use fenn_host::card::{Card, Core};
use fenn_host::device::Device as _;
use fenn_host::error::DeviceError;
use fenn_host::transport::Transport;
use fenn_isa::image::Image;
use fenn_iss::view::{Place, View, range};
use serde_json::json;

use crate::cards::CardArgs;
use crate::{CARD_FAILED, Failure, WRONG_FILE, WRONG_USE, not_usable, print, write};

pub(crate) const HELP: &str = "\
A place is SPACE:ADDRESS, a part SPACE:ADDRESS:LENGTH; SPACE is instruction, scalar, vector, lane or dram, and DRAM begins where the
core's region does. A peek may say how to read it: hex (the default), i16, u16, i32, u32, or a format such as s5.10. What does
not lie in the memory is refused, and nothing is changed.

Examples:
  fenn-run mem peek --device xdma0 scalar:0x100:64:u32
  fenn-run mem poke --device xdma0 scalar:0x100 1 0xffffffff
  fenn-run mem load --device xdma0 dram:0 weights.bin --verify chunks
  fenn-run mem save --device xdma0 --core 1 vector:0:4096 vector.bin";

/// Look into a card's memories, and change them.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print a part of a memory
    Peek {
        #[command(flatten)]
        core: CoreArgs,
        /// What to print
        #[arg(value_name = "SPACE:ADDRESS:LENGTH[:FORMAT]")]
        part: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Write words of 32 bits
    Poke {
        #[command(flatten)]
        core: CoreArgs,
        /// Where to
        #[arg(value_name = "SPACE:ADDRESS")]
        place: String,
        /// Decimal, or hexadecimal after 0x
        #[arg(required = true, value_parser = word)]
        words: Vec<u32>,
    },
    /// Write a file's bytes
    Load {
        #[command(flatten)]
        core: CoreArgs,
        /// Where to
        #[arg(value_name = "SPACE:ADDRESS")]
        place: String,
        /// The bytes
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// How to find out whether they have arrived
        #[arg(long, value_enum, default_value_t = How::Checksum)]
        verify: How,
        /// Bytes of a transfer
        #[arg(long, value_name = "BYTES", default_value_t = 1 << 20, value_parser = clap::value_parser!(u32).range(64..=4 << 20))]
        chunk: u32,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Write a part of a memory to a file
    Save {
        #[command(flatten)]
        core: CoreArgs,
        /// Which part
        #[arg(value_name = "SPACE:ADDRESS:LENGTH")]
        part: String,
        /// The file
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
}

/// Which core.
#[derive(Debug, clap::Args)]
struct CoreArgs {
    #[command(flatten)]
    card: CardArgs,

    /// Of which core
    #[arg(long, value_name = "N", default_value_t = 0)]
    core: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum How {
    /// Not at all
    No,
    /// Read each chunk back and compare it
    Chunks,
    /// Read everything back at the end and compare CRC-32
    Checksum,
}

/// A card and the core of it that is meant; the card is kept for as long as the core.
type Opened = (Card<Box<dyn Transport>>, Core<Box<dyn Transport>>);

impl CoreArgs {
    fn open(&self) -> Result<Opened, Failure> {
        let card = self.card.open()?;
        let core = card.core(self.core).map_err(|error| not_usable(&self.card.device, &error))?;
        Ok((card, core))
    }

    /// What to say of an access that was not made.
    fn failed(&self, error: &DeviceError) -> Failure {
        let code = match error {
            DeviceError::Outside { .. } => WRONG_USE,
            _ => CARD_FAILED,
        };
        Failure(code, format!("{}, core {}: {error}", self.card.device, self.core))
    }
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    match &args.command {
        Command::Peek { core, part, json } => peek(core, part, *json),
        Command::Poke { core, place, words } => {
            let Place { space, address } = parse_place(place)?;
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            let (_card, mut device) = core.open()?;
            device.write(space, address, &bytes).map_err(|error| core.failed(&error))
        }
        Command::Load { core, place, file, verify, chunk, json } => load(core, place, file, *verify, *chunk, *json),
        Command::Save { core, part, file } => {
            let (place, bytes) = parse_part(part)?;
            let (_card, mut device) = core.open()?;
            let found = read(&mut device, place, bytes).map_err(|error| core.failed(&error))?;
            write(file, &found)
        }
    }
}

fn peek(core: &CoreArgs, part: &str, as_json: bool) -> Result<(), Failure> {
    let view = View::parse(part, &Image::default()).map_err(|error| Failure(WRONG_USE, format!("{part}: {error}")))?;
    let (_card, mut device) = core.open()?;
    let bytes = read(&mut device, view.place, view.bytes).map_err(|error| core.failed(&error))?;
    match as_json {
        true => print(&format!("{:#}\n", json!({ "address": view.place.address, "values": view.values(&bytes) }))),
        false => print(&view.text(&bytes)),
    }
}

/// Reads a part of a memory, if it is there: before room is made for it.
fn read(device: &mut Core<Box<dyn Transport>>, place: Place, bytes: u32) -> Result<Vec<u8>, DeviceError> {
    let Place { space, address } = place;
    let size = device.config().bytes(space);
    let end = u64::from(address) + u64::from(bytes);
    if end > u64::from(size) {
        return Err(DeviceError::Outside { space, address, end, bytes: size });
    }
    let mut out = vec![0; bytes as usize];
    device.read(space, address, &mut out)?;
    Ok(out)
}

fn load(core: &CoreArgs, place: &str, path: &PathBuf, verify: How, chunk: u32, as_json: bool) -> Result<(), Failure> {
    let Place { space, address } = parse_place(place)?;
    let wrong = |what: String| Failure(WRONG_FILE, format!("{}: {what}", path.display()));
    let file = File::open(path).map_err(|error| wrong(error.to_string()))?;
    let metadata = file.metadata().map_err(|error| wrong(error.to_string()))?;
    if !metadata.is_file() {
        return Err(wrong("is no regular file, so its length is not known".to_owned()));
    }
    let bytes = u32::try_from(metadata.len())
        .map_err(|_| wrong("has more than 4 GiB; no core has so much memory".to_owned()))?;
    let verify = match verify {
        How::No => Verify::No,
        How::Chunks => Verify::Chunks,
        How::Checksum => Verify::Checksum,
    };
    let (_card, mut device) = core.open()?;
    let bar = if std::io::stderr().is_terminal() {
        indicatif::ProgressBar::new(bytes.into())
    } else {
        indicatif::ProgressBar::hidden()
    };
    let plan = Plan { chunk, verify, ..Plan::default() };
    let streamed = device.stream(space, address, bytes, file, &plan, |now| bar.set_position(now.written));
    bar.finish_and_clear();
    let streamed = streamed.map_err(|error| match error {
        StreamError::Device(error) => core.failed(&error),
        StreamError::Source { .. } => wrong(error.to_string()),
        other => Failure(CARD_FAILED, format!("{}, core {}: {other}", core.card.device, core.core)),
    })?;
    let seconds = streamed.writing.as_secs_f64();
    let rate = streamed.bytes as f64 / seconds.max(1e-9);
    if as_json {
        let value = json!({
            "bytes": streamed.bytes, "crc32": streamed.crc, "write_seconds": seconds,
            "verify_seconds": streamed.verifying.as_secs_f64(), "bytes_per_second": rate,
        });
        return print(&format!("{value:#}\n"));
    }
    print(&format!(
        "{} bytes in {seconds:.3} s, {:.1} MB/s; CRC-32 {:#010x}\n",
        streamed.bytes,
        rate / 1e6,
        streamed.crc
    ))
}

fn parse_place(text: &str) -> Result<Place, Failure> {
    let wrong = |what: String| Failure(WRONG_USE, format!("{text}: {what}"));
    let (space, address) = text.split_once(':').ok_or_else(|| wrong("a place is SPACE:ADDRESS".to_owned()))?;
    Place::parse(space, address, &Image::default()).map_err(|error| wrong(error.to_string()))
}

fn parse_part(text: &str) -> Result<(Place, u32), Failure> {
    let wrong = |what: String| Failure(WRONG_USE, format!("{text}: {what}"));
    match text.split(':').collect::<Vec<_>>()[..] {
        [space, address, length] => {
            range(space, address, length, &Image::default()).map_err(|error| wrong(error.to_string()))
        }
        _ => Err(wrong("a part is SPACE:ADDRESS:LENGTH".to_owned())),
    }
}

fn word(text: &str) -> Result<u32, String> {
    let number = match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => text.parse(),
    };
    number.map_err(|_| format!("{text:?} is no word of 32 bits"))
}
