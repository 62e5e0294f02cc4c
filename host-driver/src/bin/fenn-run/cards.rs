//! `fenn-run list`, `info` and `doctor`: which cards there are, and how they are.

use std::path::PathBuf;

use clap::ValueHint;
use fenn_host::card::{Card, CoreState, Identity, Region};
use fenn_host::doctor::{Check, examine};
use fenn_host::open::{Found, Selector, found, open_at};
use fenn_host::system::Root;
use fenn_host::transport::{Capabilities, Transport};
use fenn_isa::soc::status::Cause;
use serde_json::{Value, json};

use crate::{CARD_FAILED, Failure, PROBLEMS, not_open, not_usable, print};

pub(crate) const LIST_HELP: &str = "\
Examples:
  fenn-run list
  fenn-run list --json";

pub(crate) const INFO_HELP: &str = "\
Nothing is changed on the card, but with --reset: that brings cores and engines back after an error.

Examples:
  fenn-run info --device xdma0
  fenn-run info --device vfio:0000:03:00.0 --reset";

pub(crate) const DOCTOR_HELP: &str = "\
Each line is OK, a problem with the commands that put it right, or `-` for what is not needed here. Nothing is changed.

Examples:
  fenn-run doctor
  fenn-run doctor --root /mnt/other-machine --json";

/// List the cards of this machine.
#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    root: RootArgs,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Show who a card is, what it has and what its cores do.
#[derive(Debug, clap::Args)]
pub(crate) struct InfoArgs {
    #[command(flatten)]
    card: CardArgs,

    /// Reset the way to the card and all its cores first, and forget failed accesses
    #[arg(long)]
    reset: bool,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Find out what keeps this machine's cards from being used.
#[derive(Debug, clap::Args)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    root: RootArgs,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Where devices are looked for.
#[derive(Debug, clap::Args)]
pub(crate) struct RootArgs {
    /// Look for sys, proc, dev and etc in this folder
    #[arg(long, value_name = "FOLDER", default_value = "/", value_hint = ValueHint::DirPath)]
    root: PathBuf,
}

impl RootArgs {
    pub(crate) fn root(&self) -> Root {
        Root::at(&self.root)
    }
}

/// Which card.
#[derive(Debug, clap::Args)]
pub(crate) struct CardArgs {
    /// Which card; see `fenn-run list`
    #[arg(long, value_name = "CARD", default_value = "sim")]
    pub(crate) device: Selector,

    #[command(flatten)]
    pub(crate) root: RootArgs,
}

impl CardArgs {
    pub(crate) fn open(&self) -> Result<Card<Box<dyn Transport>>, Failure> {
        let transport = open_at(&self.device, &self.root.root(), fenn_iss::Options::default());
        Card::open(transport.map_err(|error| not_open(&error))?).map_err(|error| not_usable(&self.device, &error))
    }

    /// What to say of a card that failed.
    pub(crate) fn failed(&self, error: impl std::fmt::Display) -> Failure {
        Failure(CARD_FAILED, format!("{}: {error}", self.device))
    }
}

pub(crate) fn list(args: &ListArgs) -> Result<(), Failure> {
    let found = found(&args.root.root());
    if args.json {
        let row = |one: &Found| json!({ "device": one.selector.to_string(), "what": one.what, "usable": one.but.is_none(), "but": one.but });
        return print(&format!("{:#}\n", Value::from_iter(found.iter().map(row))));
    }
    let line = |one: &Found| {
        let but = one.but.as_ref().map_or(String::new(), |but| format!("; but {but}"));
        format!("{:<22} {}{but}\n", one.selector.to_string(), one.what)
    };
    print(&found.iter().map(line).collect::<String>())
}

pub(crate) fn info(args: &InfoArgs) -> Result<(), Failure> {
    let card = args.card.open()?;
    if args.reset {
        card.recover().map_err(|error| args.card.failed(error))?;
    }
    let states = (0..card.identity().cores).map(|core| card.state(core)).collect::<Result<Vec<_>, _>>();
    let states = states.map_err(|error| args.card.failed(error))?;
    let bus_error = card.bus_error().map_err(|error| args.card.failed(error))?;
    let bus_error = bus_error.map(|error| error.to_string());
    let text = if args.json { info_json(&card, &states, bus_error) } else { info_text(&card, &states, bus_error) };
    print(&text)
}

fn info_text<T: Transport>(card: &Card<T>, states: &[CoreState], bus_error: Option<String>) -> String {
    let Identity { name, version, fingerprint, cores, config, dram_bytes, data_width, clock_khz } = card.identity();
    let Capabilities { alignment, chunk, interrupts, .. } = card.capabilities();
    let mut out = String::new();
    let mut line = |name: &str, text: String| out.push_str(&format!("{name:<14}{text}\n"));
    line("card", name.clone());
    line("registers", format!("version {}.{}, fingerprint {fingerprint:#010x}", version >> 16, version & 0xffff));
    line("cores", cores.to_string());
    line(
        "memories",
        format!(
            "{} KiB instructions, {} KiB scalar, {} KiB vector, {} B for each lane",
            config.instruction_bytes >> 10,
            config.scalar_bytes >> 10,
            config.vector_bytes >> 10,
            config.lane_local_bytes
        ),
    );
    line("DRAM", format!("{} MiB", dram_bytes >> 20));
    line("ports", format!("{data_width} bits"));
    line("clock", clock_khz.map_or("not known".to_owned(), |khz| format!("{} MHz", f64::from(khz) / 1000.0)));
    let events = if *interrupts { "interrupts" } else { "looks at registers" };
    line("transfers", format!("units of {alignment} B, at most {chunk} B at once; waits by {events}"));
    line("failed", bus_error.unwrap_or_else(|| "no access".to_owned()));
    for (state, core) in states.iter().zip(0..) {
        let Region { base, bytes } = card.regions().get(core).copied().unwrap_or(Region { base: 0, bytes: 0 });
        let CoreState { pc, cycles, instructions, .. } = state;
        line(
            &format!("core {core}"),
            format!(
                "{}, pc {pc:#x}, {cycles} cycles, {instructions} instructions; DRAM from {base:#x}, {bytes:#x} bytes",
                doing(state)
            ),
        );
    }
    out
}

fn info_json<T: Transport>(card: &Card<T>, states: &[CoreState], bus_error: Option<String>) -> String {
    let Identity { name, version, fingerprint, cores, config, dram_bytes, data_width, clock_khz } = card.identity();
    let Capabilities { alignment, chunk, interrupts, .. } = card.capabilities();
    let core = |(state, region): (&CoreState, &Region)| {
        json!({
            "state": doing(state), "running": state.running, "done": state.done, "error": state.error, "pc": state.pc,
            "cycles": state.cycles, "instructions": state.instructions,
            "dram_base": region.base, "dram_bytes": region.bytes,
        })
    };
    let value = json!({
        "card": name, "version": version, "fingerprint": fingerprint, "cores": cores,
        "instruction_bytes": config.instruction_bytes, "scalar_bytes": config.scalar_bytes,
        "vector_bytes": config.vector_bytes, "lane_bytes": config.lane_local_bytes, "dram_bytes": dram_bytes,
        "data_width": data_width, "clock_khz": clock_khz,
        "alignment": alignment, "chunk": chunk, "interrupts": interrupts,
        "bus_error": bus_error, "state": states.iter().zip(card.regions()).map(core).collect::<Vec<_>>(),
    });
    format!("{value:#}\n")
}

/// What a core does, in words.
fn doing(state: &CoreState) -> &'static str {
    match state.cause {
        _ if state.running => "running",
        Cause::Reset => "reset",
        Cause::Request => "halted",
        Cause::Step => "halted after a step",
        Cause::Ecall => "at its program's end",
        Cause::Ebreak => "at a breakpoint",
        Cause::Trap => "stopped by a fault",
    }
}

pub(crate) fn doctor(args: &DoctorArgs) -> Result<(), Failure> {
    let checks = examine(&args.root.root());
    let problems = checks.iter().filter(|check| check.is_problem()).count();
    let text = match args.json {
        true => format!(
            "{:#}\n",
            json!({ "problems": problems, "checks": checks.iter().map(Check::json).collect::<Vec<_>>() })
        ),
        false => checks.iter().map(Check::text).collect(),
    };
    print(&text)?;
    match problems {
        0 => Ok(()),
        1 => Err(Failure(PROBLEMS, "one problem".to_owned())),
        more => Err(Failure(PROBLEMS, format!("{more} problems"))),
    }
}
