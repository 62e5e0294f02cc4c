//! `fenn-card`: a card with an XDMA that other programs see as a PCI device.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "printing is what this binary does")]

use std::io::BufRead;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use fenn_card::bandwidth::{self, Sweep};
use fenn_card::fault::{Armed, Plan};
use fenn_card::model::{Build, Card};
use fenn_card::server::Server;
use fenn_card::side::{self, Kind, Side};
use fenn_isa::memory::Space;
use fenn_isa::soc::window;
use serde_json::json;

/// A model of an XDMA card with FeNN cores, as a vfio-user PCI device, for tests of the host's drivers.
///
/// The socket can be used by fenn-run (`vfio-user:PATH`) and by QEMU (`-device vfio-user-pci`, with the guest's memory in a
/// shared memory-backend-memfd). Region 0 are the card's registers, region 1 the XDMA's.
///
/// Lines on the standard input change what goes wrong while it runs: a fault as with --fault, `random N` as with
/// --fault-one-in, `cut` (the link, now), `lose` (the next interrupt), `clear`, `transfers` (how many there were), `quit`.
#[derive(Parser)]
#[command(
    version,
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  \
        fenn-card --socket /tmp/card --side memory --bytes 67108864\n  \
        fenn-card --socket /tmp/card --side rtl --until-eof\n  \
        fenn-card --socket /tmp/card --fault hang@3 --fault decerr@10 --seed 7\n  \
        fenn-card bandwidth --bytes 33554432\n\n\
        Exit codes: 0 it was told to end, 1 a measurement failed, 2 wrong usage, or the card or its socket cannot be made."
)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Serve,
    /// Print a completion script for this shell.
    #[arg(long, value_name = "SHELL", exclusive = true)]
    completions: Option<Shell>,
}

#[derive(Subcommand)]
enum Command {
    /// Measure bytes per second through the vfio-user backend, by the size of a chunk, and print them as JSON.
    Bandwidth(Bandwidth),
}

#[derive(clap::Args)]
struct Serve {
    /// Where to make the socket; nothing may be there.
    #[arg(long, value_name = "PATH", required = true)]
    socket: Option<PathBuf>,
    #[command(flatten)]
    side: SideArguments,
    /// What goes wrong, and at which transfer, counted from 0: KIND or KIND@TRANSFER, with KIND one of hang, decerr, slverr, short,
    /// lost-interrupt, link-loss.
    #[arg(long, value_name = "FAULT")]
    fault: Vec<Armed>,
    /// One transfer in N goes wrong, on average, in a way that is drawn.
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    fault_one_in: u32,
    /// Seed of all that is drawn.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Channels each way.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=4))]
    channels: u8,
    /// End when the standard input does, as for a program that started this one.
    #[arg(long)]
    until_eof: bool,
}

#[derive(clap::Args)]
struct SideArguments {
    /// What the card's AXI ports lead to.
    #[arg(long, value_enum, default_value_t = Kind::Memory)]
    side: Kind,
    /// Bytes of memory, or of DRAM of the simulated cores, a multiple of 4096.
    #[arg(long, value_name = "N")]
    bytes: Option<u64>,
    /// Simulated cores.
    #[arg(long, value_name = "N", default_value_t = 1)]
    cores: u32,
    /// Which Verilated card: soc_board, soc_two, soc_four.
    #[arg(long, value_name = "NAME", default_value = "soc_board")]
    model: String,
}

impl SideArguments {
    fn side(&self) -> Side {
        let Self { side, bytes, cores, model } = self;
        Side { kind: *side, bytes: *bytes, cores: *cores, model: model.clone() }
    }
}

#[derive(clap::Args)]
struct Bandwidth {
    /// Measure through this socket, to DRAM; without it, through a card with plain memory of this program's own.
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// Bytes of each transfer.
    #[arg(long, default_value_t = 32 << 20)]
    bytes: usize,
    /// Transfers of each size; the median counts.
    #[arg(long, default_value_t = 5)]
    repeats: usize,
    /// Sizes of chunks, multiples of 4096.
    #[arg(long, value_delimiter = ',', default_values_t = [4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20])]
    chunks: Vec<u32>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(shell) = arguments.completions {
        clap_complete::generate(shell, &mut Arguments::command(), "fenn-card", &mut std::io::stdout());
        return ExitCode::SUCCESS;
    }
    let ended = match arguments.command {
        Some(Command::Bandwidth(bandwidth)) => measure(&bandwidth),
        None => serve(&arguments.serve),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err((code, message)) => {
            eprintln!("fenn-card: {message}");
            ExitCode::from(code)
        }
    }
}

fn unusable(error: impl std::fmt::Display) -> (u8, String) {
    (2, error.to_string())
}

fn serve(arguments: &Serve) -> Result<(), (u8, String)> {
    let Some(socket) = &arguments.socket else { return Err(unusable("--socket is needed")) };
    let side = side::open(&arguments.side.side()).map_err(unusable)?;
    let name = side.name();
    let build = Build { channels: arguments.channels.into(), seed: arguments.seed, ..Build::default() };
    let mut card = Card::new(side, build);
    arguments.fault.iter().for_each(|armed| card.faults.arm(*armed));
    card.faults.random(arguments.fault_one_in);
    let server = Server::start(socket, card, |error| eprintln!("fenn-card: a client: {error}")).map_err(unusable)?;
    println!("{}", json!({ "socket": socket, "side": name }));
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(unusable)?;
        match line.trim() {
            "" => {}
            "quit" => return Ok(()),
            "transfers" => println!("{}", json!({ "transfers": server.with_card(|card| card.faults.transfers()) })),
            command => {
                if let Err(error) = server.with_card(|card| obey(card, command)) {
                    eprintln!("fenn-card: {error}");
                }
            }
        }
    }
    if !arguments.until_eof {
        // Somebody closed the input, and the card is still wanted: until the process is ended from outside.
        loop {
            std::thread::park();
        }
    }
    Ok(())
}

/// Does what a line of the standard input says.
fn obey(card: &mut Card, command: &str) -> Result<(), String> {
    let plan: &mut Plan = &mut card.faults;
    match command.split_once(' ') {
        Some(("random", number)) => plan.random(number.trim().parse().map_err(|_| format!("`{number}` is no number"))?),
        None if command == "cut" => card.cut_link(),
        None if command == "lose" => card.lose_message(),
        None if command == "clear" => plan.clear(),
        _ => plan.arm(command.parse().map_err(|error: fenn_card::fault::NoFault| error.to_string())?),
    }
    Ok(())
}

fn measure(arguments: &Bandwidth) -> Result<(), (u8, String)> {
    let sweep = Sweep {
        address: window(Space::Dram, 0),
        bytes: arguments.bytes,
        repeats: arguments.repeats,
        chunks: arguments.chunks.clone(),
        seed: 1,
    };
    let figures = match &arguments.socket {
        Some(socket) => bandwidth::sweep(socket, &sweep),
        None => {
            let folder = tempfile::TempDir::new().map_err(unusable)?;
            let socket = folder.path().join("card");
            let side = Side { bytes: Some(arguments.bytes as u64), ..Side::new(Kind::Memory) };
            let card = Card::new(side::open(&side).map_err(unusable)?, Build::default());
            let _server =
                Server::start(&socket, card, |error| eprintln!("fenn-card: a client: {error}")).map_err(unusable)?;
            bandwidth::sweep(&socket, &sweep)
        }
    };
    println!("{:#}", figures.map_err(|error| (1, error.to_string()))?);
    Ok(())
}
