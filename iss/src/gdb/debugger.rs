//! A machine with breakpoints and watchpoints beside it.
//!
//! Contract: [`Debugger::step`] and [`Debugger::go`] are [`Machine::step`] with stops; nothing in the machine knows of
//! them. A breakpoint stops before its instruction, also when execution is begun there; whoever wants to get past it
//! steps, or takes it away. What a step found out besides a watchpoint is remembered and reported by the next, unless
//! `pc` has been changed in between.

use std::collections::BTreeSet;

use fenn_isa::memory::{LANES, Space};

use crate::dma::{Direction, Transfer};
use crate::machine::Machine;
use crate::observe::Observer;
use crate::state::State;
use crate::timing::Retired;
use crate::trap::{Access, AccessKind, Stop, Trap};

/// What a watchpoint waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Watched {
    /// Loads.
    Loads,
    /// Stores.
    Stores,
    /// Either.
    Both,
}

impl Watched {
    fn is_hit_by(self, kind: AccessKind) -> bool {
        match self {
            Self::Loads => kind == AccessKind::Load,
            Self::Stores => kind == AccessKind::Store,
            Self::Both => true,
        }
    }
}

/// A watched part of a memory, as load addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Watchpoint {
    begin: u32,
    /// Its last byte.
    last: u32,
    watched: Watched,
}

/// Why the debugger has to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Halted {
    /// The step is done.
    Stepped,
    /// A breakpoint is at `pc`.
    Breakpoint {
        /// Whether it was set as a hardware breakpoint.
        hardware: bool,
    },
    /// A watched byte was accessed.
    Watchpoint { watched: Watched, address: u32 },
    /// The program stopped.
    Stopped(Stop),
}

/// Sees which watchpoint an instruction hits first.
#[derive(Debug, Default)]
struct Watch {
    points: Vec<Watchpoint>,
    lane_local_bytes: u32,
    vector_bytes: u32,
    hit: Option<(Watched, u32)>,
}

impl Watch {
    #[inline]
    fn see(&mut self, kind: AccessKind, space: Space, address: u32, bytes: u32) {
        if self.hit.is_some() || bytes == 0 {
            return;
        }
        let Some(mut begin) = space.load_address(address) else { return };
        let mut last = begin + (bytes - 1);
        // The address is what tells GDB which watchpoints are meant: one that lies in as many as possible.
        for point in &self.points {
            if point.watched.is_hit_by(kind) && point.begin <= last && begin <= point.last {
                (begin, last) = (begin.max(point.begin), last.min(point.last));
                self.hit = Some((self.hit.map_or(point.watched, |(watched, _)| watched), begin));
            }
        }
    }
}

impl Observer for Watch {
    #[inline(always)]
    fn retire(&mut self, _retired: &Retired, _state: &State) {}

    #[inline(always)]
    fn access(&mut self, access: &Access) {
        if self.points.is_empty() {
            return;
        }
        let Access { kind, space, address, bytes, lane } = *access;
        // Where the machine goes round at a memory's end, so do watchpoints.
        let address = match (space, lane) {
            (Space::LaneLocal, Some(lane)) => {
                (address & !1) % self.lane_local_bytes * LANES as u32 + 2 * u32::from(lane)
            }
            (Space::Vector, _) => address % self.vector_bytes,
            _ => address,
        };
        self.see(kind, space, address, bytes);
    }

    fn transfer(&mut self, transfer: &Transfer) {
        let Transfer { direction, source, destination, bytes } = *transfer;
        let (from, to) = match direction {
            Direction::IntoVector => (Space::Dram, Space::Vector),
            Direction::OutOfVector => (Space::Vector, Space::Dram),
        };
        self.see(AccessKind::Load, from, source, bytes);
        self.see(AccessKind::Store, to, destination, bytes);
    }

    fn trap(&mut self, _trap: &Trap) {}
}

/// A machine that is debugged.
#[derive(Debug)]
pub(super) struct Debugger<'a> {
    pub(super) machine: &'a mut Machine,
    software: BTreeSet<u32>,
    hardware: BTreeSet<u32>,
    watch: Watch,
    /// A stop that has happened and was not told, and `pc` at that time.
    untold: Option<(Stop, u32)>,
    /// The watched byte that was told of last, and `pc` at that time.
    told: Option<(u32, u32)>,
    /// How the program ended.
    ended: Option<Stop>,
    /// Whether the next run is a single step.
    pub(super) single: bool,
}

impl<'a> Debugger<'a> {
    pub(super) fn new(machine: &'a mut Machine) -> Self {
        let config = *machine.config();
        let watch =
            Watch { lane_local_bytes: config.lane_local_bytes, vector_bytes: config.vector_bytes, ..Watch::default() };
        Self {
            machine,
            software: BTreeSet::new(),
            hardware: BTreeSet::new(),
            watch,
            untold: None,
            told: None,
            ended: None,
            single: false,
        }
    }

    /// How the program ended, if it did.
    pub(super) fn ended(&self) -> Option<Stop> {
        self.ended
    }

    /// Forgets what was about to be told: the machine is another one, or began anew.
    pub(super) fn forget(&mut self) {
        self.untold = None;
        self.told = None;
        self.ended = None;
    }

    fn breakpoints(&mut self, hardware: bool) -> &mut BTreeSet<u32> {
        if hardware { &mut self.hardware } else { &mut self.software }
    }

    /// Sets a breakpoint; whether there is an instruction it could stop at. To set one twice is to set it once.
    pub(super) fn add_breakpoint(&mut self, address: u32, hardware: bool) -> bool {
        let good = address.is_multiple_of(4) && address < self.machine.config().instruction_bytes;
        if good {
            self.breakpoints(hardware).insert(address);
        }
        good
    }

    /// Takes a breakpoint away; whether there was one.
    pub(super) fn remove_breakpoint(&mut self, address: u32, hardware: bool) -> bool {
        self.breakpoints(hardware).remove(&address)
    }

    /// The breakpoint that execution would run into now.
    fn breakpoint(&self) -> Option<Halted> {
        let pc = self.machine.state().pc;
        let software = self.software.contains(&pc);
        // What a watchpoint has kept from being told comes before it.
        let hit = (software || self.hardware.contains(&pc)) && self.untold.is_none();
        hit.then_some(Halted::Breakpoint { hardware: !software })
    }

    /// The load addresses, if all of them are in a data memory of this machine.
    fn data_range(&self, address: u32, bytes: u32) -> Option<(u32, u32)> {
        let (space, offset) = Space::at_load_address(address)?;
        let end = u64::from(offset) + u64::from(bytes);
        let inside = space != Space::Instruction && bytes > 0 && end <= u64::from(self.machine.config().bytes(space));
        inside.then(|| (address, address + (bytes - 1)))
    }

    /// Sets a watchpoint; whether the bytes are in a data memory.
    pub(super) fn add_watchpoint(&mut self, address: u32, bytes: u32, watched: Watched) -> bool {
        let Some((begin, last)) = self.data_range(address, bytes) else { return false };
        let point = Watchpoint { begin, last, watched };
        if !self.watch.points.contains(&point) {
            self.watch.points.push(point);
        }
        true
    }

    /// Takes a watchpoint away; whether there was one.
    pub(super) fn remove_watchpoint(&mut self, address: u32, bytes: u32, watched: Watched) -> bool {
        let Some((begin, last)) = self.data_range(address, bytes) else { return false };
        let gone = Watchpoint { begin, last, watched };
        let Some(index) = self.watch.points.iter().position(|point| *point == gone) else { return false };
        self.watch.points.swap_remove(index);
        true
    }

    /// One step, whatever breakpoint is at `pc`.
    ///
    /// Debuggers expect RISC-V machines to stop *before* the access: told of it, they take the watchpoint away, step, put
    /// it back, and look what has changed. Here the access has been made, so that step has been too.
    pub(super) fn step(&mut self) -> Halted {
        if let Some((address, pc)) = self.told.take() {
            let away = !self.watch.points.iter().any(|point| (point.begin..=point.last).contains(&address));
            if away && pc == self.machine.state().pc {
                return Halted::Stepped;
            }
        }
        self.advance().unwrap_or(Halted::Stepped)
    }

    /// Up to `steps` steps, or until something has to be told.
    pub(super) fn go(&mut self, steps: u32) -> Option<Halted> {
        self.told = None;
        (0..steps).find_map(|_| self.breakpoint().or_else(|| self.advance()))
    }

    #[inline]
    fn advance(&mut self) -> Option<Halted> {
        let untold = self.untold.take().filter(|(_, pc)| *pc == self.machine.state().pc);
        let stop = match untold {
            Some((stop, _)) => Some(stop),
            None => self.machine.step(&mut self.watch).err(),
        };
        if let Some((watched, address)) = self.watch.hit.take() {
            let pc = self.machine.state().pc;
            self.untold = stop.map(|stop| (stop, pc));
            self.told = Some((address, pc));
            return Some(Halted::Watchpoint { watched, address });
        }
        if let Some(stop) = stop {
            self.ended = Some(stop).filter(Stop::is_end);
        }
        stop.map(Halted::Stopped)
    }
}
