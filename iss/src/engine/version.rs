//! How long blocks take, worked out once for each state of the pipeline that a block is entered in.
//!
//! Contract: a version is a block together with a [`Flight`]. Its cycles, its table of stalls and the flights it may end
//! with are found by letting a [`Pipeline`] follow the block's instructions once, so they are the reference's by construction.
//! What is decided only when it runs is whether its last instruction is taken and was foreseen; the two costs that may have
//! make two flights at the end, and four successors with where it goes.
//!
//! Everything that a version takes for granted is checked before it runs (no DMA event and no limit within it) or makes it
//! stop (see [`super::handlers`]).

use std::collections::HashMap;

use fenn_isa::timing::{Profile, Redirect};

use super::block::{Block, End, decode};
use super::handlers::{Handlers, Ops};
use crate::dma::Dma;
use crate::memory::Memory;
use crate::timing::{Detail, Flight, Pipeline, StallTable};

/// No version: it has not been made yet.
pub(super) const UNKNOWN: u32 = u32::MAX;
/// More versions than a program of some size needs; a program that makes more has them made anew.
const MOST: usize = 1 << 16;

/// A block as it runs when it is entered with one flight.
#[derive(Debug, Clone)]
pub(super) struct Version {
    /// Its first operation, in [`Cache::ops`].
    pub(super) ops: u32,
    /// How many operations it has.
    pub(super) op_count: u32,
    /// Instructions.
    pub(super) len: u32,
    /// Cycles from its begin to that of the next one, if its last instruction costs nothing more.
    pub(super) cycles: u32,
    /// Cycles from its begin to the issue of its last instruction.
    pub(super) last_issue: u32,
    /// How it ends.
    pub(super) end: End,
    /// Its first instruction's address.
    pub(super) pc: u32,
    /// Its last instruction's address.
    pub(super) last: u32,
    /// Where its last instruction goes, if that is a branch or `jal`.
    pub(super) target: u32,
    /// What follows, indexed by [`successor`]; the second half is for those that are taken, the odd ones cost a redirection.
    pub(super) successors: [u32; 4],
    /// The flight it is entered with, in [`Cache::flights`].
    pub(super) entry: u32,
    /// The flights it ends with: without and with a redirection.
    exits: [u32; 2],
}

/// The index of a successor.
#[inline(always)]
pub(super) const fn successor(taken: bool, redirected: bool) -> usize {
    2 * taken as usize + redirected as usize
}

/// When a block begins, to the follower: times are relative to it, and results may have been ready before.
const BEGIN: u64 = 1 << 20;

/// What following a block came to.
struct Followed {
    /// When the next instruction can be issued, if something else does not keep it.
    clock: u64,
    /// As `clock` and `stalls`, without what the last instruction keeps the next one from.
    decided: (u64, StallTable),
    last_issue: u64,
    stalls: StallTable,
}

impl Default for Followed {
    fn default() -> Self {
        let stalls = StallTable::default();
        Self { clock: BEGIN, decided: (BEGIN, stalls), last_issue: BEGIN, stalls }
    }
}

/// All blocks and versions that a program has needed so far.
#[derive(Debug, Clone)]
pub(super) struct Cache {
    /// Operations of all blocks.
    pub(super) ops: Ops,
    /// See [`Block::origins`].
    pub(super) origins: Vec<(u8, u8)>,
    pub(super) versions: Vec<Version>,
    /// Cycles lost in each version, without redirections.
    pub(super) stalls: Vec<StallTable>,
    pub(super) flights: Vec<Flight>,
    blocks: HashMap<u32, (u32, Block)>,
    flight_ids: HashMap<Flight, u32>,
    version_ids: HashMap<(u32, u32), u32>,
    behind_divisions: HashMap<(u32, u32), u32>,
    /// Follows blocks; it has no branch target buffer.
    follower: Pipeline,
}

impl Cache {
    pub(super) fn new(profile: &Profile) -> Self {
        let redirect = Redirect { buffer: 0, ..profile.redirect };
        Self {
            ops: Ops::default(),
            origins: Vec::new(),
            versions: Vec::new(),
            stalls: Vec::new(),
            flights: Vec::new(),
            blocks: HashMap::new(),
            flight_ids: HashMap::new(),
            version_ids: HashMap::new(),
            behind_divisions: HashMap::new(),
            follower: Pipeline::new(Profile { redirect, ..*profile }),
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.versions.len() >= MOST
    }

    /// The version of the block at `pc` that is entered with this flight, if it has been made.
    pub(super) fn find(&self, pc: u32, flight: &Flight) -> Option<u32> {
        let flight = self.flight_ids.get(flight)?;
        self.version_ids.get(&(pc, *flight)).copied()
    }

    /// As [`Self::find`], behind a version.
    pub(super) fn find_behind(&self, version: u32, redirected: bool, pc: u32) -> Option<u32> {
        let flight = self.versions[version as usize].exits[usize::from(redirected)];
        self.version_ids.get(&(pc, flight)).copied()
    }

    /// As [`Self::find_behind`], a version that ends with a division that occupied the core for so many cycles more than one.
    pub(super) fn find_behind_division(&self, version: u32, cycles: u32) -> Option<u32> {
        self.behind_divisions.get(&(version, cycles)).copied()
    }

    /// The version that follows one that ends with a division.
    pub(super) fn make_behind_division(
        &mut self,
        memory: &Memory,
        handlers: &Handlers,
        version: u32,
        cycles: u32,
        divisor: u32,
    ) -> u32 {
        let Version { pc, len, last, entry, .. } = self.versions[version as usize];
        let clock = self.follow(memory, pc, len, entry, Detail::Divisor(divisor)).clock;
        let flight = self.follower.flight(clock);
        let next = self.make(memory, handlers, last.wrapping_add(4), flight);
        self.behind_divisions.insert((version, cycles), next);
        next
    }

    /// The version of the block at `pc` that is entered with this flight.
    pub(super) fn make(&mut self, memory: &Memory, handlers: &Handlers, pc: u32, flight: Flight) -> u32 {
        let flight = self.intern(flight);
        self.version(memory, handlers, pc, flight)
    }

    /// The version of the block at `pc` that is entered behind a version.
    pub(super) fn make_behind(
        &mut self,
        memory: &Memory,
        handlers: &Handlers,
        pc: u32,
        version: u32,
        redirected: bool,
    ) -> u32 {
        let flight = self.versions[version as usize].exits[usize::from(redirected)];
        self.version(memory, handlers, pc, flight)
    }

    fn intern(&mut self, flight: Flight) -> u32 {
        if let Some(id) = self.flight_ids.get(&flight) {
            return *id;
        }
        let id = self.flights.len() as u32;
        self.flights.push(flight.clone());
        self.flight_ids.insert(flight, id);
        id
    }

    fn version(&mut self, memory: &Memory, handlers: &Handlers, pc: u32, flight: u32) -> u32 {
        if let Some(id) = self.version_ids.get(&(pc, flight)) {
            return *id;
        }
        let (ops, op_count, len, end, target) = self.block(memory, handlers, pc);
        let last = pc.wrapping_add(4 * (len - 1));
        let Followed { clock, decided, last_issue, stalls } = match end {
            // Its time is not known before it is executed.
            End::Reference => Followed::default(),
            _ => self.follow(memory, pc, len, flight, Detail::Nothing),
        };
        // Whether a branch or jump costs a redirection, and what a division costs, is decided when it runs.
        let later = matches!(end, End::Branch | End::Jump | End::Divide);
        let (clock, stalls) = if later { decided } else { (clock, stalls) };
        let redirect = self.follower.profile().redirect;
        let cost = match end {
            End::Branch => redirect.branch,
            End::Jump => redirect.jump,
            End::Straight | End::JumpRegister | End::Divide | End::Csr | End::Reference => 0,
        };
        let exits = [0, cost].map(|cost| self.follower.flight(clock + u64::from(cost)));
        let exits = exits.map(|flight| self.intern(flight));
        let id = self.versions.len() as u32;
        self.versions.push(Version {
            ops,
            op_count,
            len,
            cycles: (clock - BEGIN) as u32,
            last_issue: (last_issue - BEGIN) as u32,
            end,
            pc,
            last,
            target,
            successors: [UNKNOWN; 4],
            entry: flight,
            exits,
        });
        self.stalls.push(stalls);
        self.version_ids.insert((pc, flight), id);
        id
    }

    /// Lets the follower follow instructions from `pc` straight on, entered with this flight; the last one's time depends on
    /// `detail`.
    fn follow(&mut self, memory: &Memory, pc: u32, len: u32, flight: u32, detail: Detail) -> Followed {
        self.follower.reset();
        self.follower.set_flight(BEGIN, &self.flights[flight as usize]);
        let idle = Dma::default();
        let mut followed = Followed::default();
        for index in 0..len {
            let here = pc.wrapping_add(4 * index);
            let usage = memory.usage(here);
            let at = self.follower.issue(followed.clock, &usage, &idle).at;
            followed.decided = (at + 1, *self.follower.stalls());
            let detail = if index + 1 == len { detail } else { Detail::Nothing };
            let after = self.follower.retire(at, &usage, here, here.wrapping_add(4), detail);
            followed.last_issue = at;
            followed.clock = at + 1 + after.map_or(0, |stall| u64::from(stall.cycles));
            followed.stalls = *self.follower.stalls();
        }
        followed
    }

    fn block(&mut self, memory: &Memory, handlers: &Handlers, pc: u32) -> (u32, u32, u32, End, u32) {
        let (ops, origins) = (&mut self.ops, &mut self.origins);
        let (first, block) = self.blocks.entry(pc).or_insert_with(|| {
            let block = decode(memory, handlers, pc);
            let first = ops.append(&block.ops);
            origins.extend_from_slice(&block.origins);
            (first, block)
        });
        (*first, block.ops.len() as u32, block.len, block.end, block.target)
    }
}
