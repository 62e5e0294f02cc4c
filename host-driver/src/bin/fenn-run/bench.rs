//! `fenn-run bench`: how fast the way to a card is.

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueHint;
use fenn_host::bench::{Options, json, measure, svg, text};

use crate::cards::CardArgs;
use crate::{Failure, not_usable, print, write};

pub(crate) const HELP: &str = "\
Transfers go to a core's DRAM, or to its vector memory if it has none, and leave it as it was. No program may run.

Examples:
  fenn-run bench --device xdma0
  fenn-run bench --device uio:0 --core 1 --json --svg bandwidth.svg";

/// Measure bytes per second and latency by the size of a transfer.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    card: CardArgs,

    /// Of which core
    #[arg(long, value_name = "N", default_value_t = 0)]
    core: u32,

    /// Bytes of a transfer, several with commas between them [default: 64 to 4 MiB]
    #[arg(long, value_name = "BYTES", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=64 << 20))]
    sizes: Vec<u32>,

    /// For each size and direction, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 200)]
    time: u64,

    /// Print JSON
    #[arg(long)]
    json: bool,

    /// Draw a figure
    #[arg(long, value_name = "OUT.svg", value_hint = ValueHint::FilePath)]
    svg: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let card = args.card.open()?;
    let mut core = card.core(args.core).map_err(|error| not_usable(&args.card.device, &error))?;
    let mut options = Options { time: Duration::from_millis(args.time), ..Options::default() };
    if !args.sizes.is_empty() {
        options.sizes.clone_from(&args.sizes);
    }
    let bench = measure(&card, &mut core, &options, |_, _| ()).map_err(|error| args.card.failed(error))?;
    if let Some(path) = &args.svg {
        write(path, svg(&bench).as_bytes())?;
    }
    print(&if args.json { format!("{:#}\n", json(&bench)) } else { text(&bench) })
}
