//! GDB's `monitor` commands: what its own cannot ask for.

use std::fmt::Write as _;

use fenn_isa::memory::{LANES, Space};

use super::debugger::Debugger;
use crate::dma::Direction;
use crate::machine::Machine;

const HELP: &str = "\
cycles               the clock, and instructions retired
stalls               cycles lost since the reset, by cause
state                everything at a glance: pc, clocks, DMA engine, results on their way
lane L ADDRESS [N]   N halfwords (1) of lane L's own memory, from byte address ADDRESS on
reset                the core as after a reset, memories as they are
snapshot FILE        the whole machine into a file
restore FILE         the whole machine out of a file
After reset and restore, `maintenance flush register-cache` makes GDB look again.
";

impl Debugger<'_> {
    /// What to print for `monitor COMMAND`.
    pub(super) fn monitor(&mut self, command: &str) -> String {
        let (name, rest) = command.trim().split_once(char::is_whitespace).unwrap_or((command.trim(), ""));
        let rest = rest.trim();
        match (name, rest) {
            ("help" | "", "") => HELP.to_owned(),
            ("cycles", "") => clocks(self.machine),
            ("stalls", "") => stalls(self.machine),
            ("state", "") => state(self.machine),
            ("lane", place) if !place.is_empty() => {
                lane(self.machine, place).unwrap_or_else(|wrong| format!("{wrong}\n"))
            }
            ("reset", "") => {
                self.machine.reset();
                self.forget();
                "reset; `maintenance flush register-cache` makes GDB look again\n".to_owned()
            }
            ("snapshot", path) if !path.is_empty() => match self.machine.write_snapshot(path) {
                Ok(()) => format!("written to {path}\n"),
                Err(error) => format!("{error}\n"),
            },
            ("restore", path) if !path.is_empty() => match Machine::read_snapshot(path) {
                Ok(restored) if restored.config() == self.machine.config() => {
                    *self.machine = restored;
                    self.forget();
                    "restored; `maintenance flush register-cache` makes GDB look again\n".to_owned()
                }
                Ok(_) => format!("{path} is a snapshot of a machine with other memories\n"),
                Err(error) => format!("{error}\n"),
            },
            _ => format!("there is no command `{}`; `monitor help` lists them\n", command.trim()),
        }
    }
}

fn clocks(machine: &Machine) -> String {
    let state = machine.state();
    format!("{} cycles ({}), {} instructions\n", state.cycles, machine.timing().profile().name, state.retired)
}

fn stalls(machine: &Machine) -> String {
    let mut text = format!("{:<18} {:>12}\n", "cause", "cycles");
    for (cause, cycles) in machine.stalls().iter().filter(|(_, cycles)| *cycles > 0) {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{:<18} {cycles:>12}", cause.name());
    }
    let _ = writeln!(text, "{:<18} {:>12}", "all", machine.stalls().total());
    text
}

fn state(machine: &Machine) -> String {
    let state = machine.state();
    let mut text = format!("pc {:#x}\n{}", state.pc, clocks(machine));
    for (name, direction) in [("mm2s", Direction::IntoVector), ("s2mm", Direction::OutOfVector)] {
        let channel = state.dma.channel(direction);
        // Writing to a string cannot fail.
        let _ = match channel.running() {
            None => writeln!(text, "{name}: idle, status {:#x}", channel.status()),
            Some(transfer) => writeln!(
                text,
                "{name}: {} bytes from {:#x} to {:#x}, status {:#x}",
                transfer.bytes,
                transfer.source,
                transfer.destination,
                channel.status()
            ),
        };
    }
    for pending in machine.timing().pending(state.cycles) {
        let _ = writeln!(text, "{} in {} cycles ({})", pending.resource, pending.cycles, pending.cause.name());
    }
    text
}

fn lane(machine: &Machine, place: &str) -> Result<String, String> {
    let number = |text: &str| {
        let (digits, radix) = text.strip_prefix("0x").map_or((text, 10), |hex| (hex, 16));
        u32::from_str_radix(digits, radix).map_err(|_| format!("`{text}` is not a number"))
    };
    let numbers = place.split_whitespace().map(number).collect::<Result<Vec<_>, _>>()?;
    let (lane, address, count) = match numbers[..] {
        [lane, address] => (lane, address, 1),
        [lane, address, count] => (lane, address, count),
        _ => return Err("lane L ADDRESS [N]".to_owned()),
    };
    let bytes = machine.config().lane_local_bytes;
    if lane >= LANES as u32 || !address.is_multiple_of(2) || u64::from(address) + 2 * u64::from(count) > bytes.into() {
        return Err(format!("there are {LANES} lanes with {bytes} bytes each, and addresses are even"));
    }
    let mut text = format!("lane {lane}, {address:#x}:");
    for index in 0..count {
        let mut value = [0; 2];
        let row = (address + 2 * index) * LANES as u32;
        machine.read(Space::LaneLocal, row + 2 * lane, &mut value).map_err(|error| error.to_string())?;
        // Writing to a string cannot fail.
        let _ = write!(text, " {}", i16::from_le_bytes(value));
    }
    text.push('\n');
    Ok(text)
}
