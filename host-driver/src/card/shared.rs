//! What the cores of a card share: the way to it.
//!
//! Contract: one call at a time has the transport, and those that wait get it in turn, so that a core whose program is
//! waited for does not keep the others from starting theirs.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{AtomicU32, AtomicU64, Capabilities, Identity, Ordering, Region, Settings, Transport};

/// The transport, and what is known of the card.
pub(super) struct Shared<T> {
    pub(super) capabilities: Capabilities,
    pub(super) settings: Settings,
    pub(super) identity: Identity,
    pub(super) regions: Vec<Region>,
    /// Whoever is next holds this until it has the transport.
    next: Mutex<()>,
    transport: Mutex<T>,
    /// Bit n: core n is in use.
    taken: AtomicU32,
    /// Grows with every recovery.
    epoch: AtomicU64,
}

impl<T> Shared<T> {
    pub(super) fn new(
        transport: T,
        capabilities: Capabilities,
        settings: Settings,
        identity: Identity,
        regions: Vec<Region>,
    ) -> Self {
        Self {
            capabilities,
            settings,
            identity,
            regions,
            next: Mutex::new(()),
            transport: Mutex::new(transport),
            taken: AtomicU32::new(0),
            epoch: AtomicU64::new(0),
        }
    }

    /// Does something with the transport, when it is free.
    pub(super) fn with<R>(&self, use_it: impl FnOnce(&mut T) -> R) -> R
    where
        T: Transport,
    {
        // A panic elsewhere leaves no state here that another call could not begin from.
        let next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let mut transport: MutexGuard<'_, T> = self.transport.lock().unwrap_or_else(PoisonError::into_inner);
        drop(next);
        use_it(&mut transport)
    }

    /// Takes a core; whether it was free.
    pub(super) fn take(&self, core: u32) -> bool {
        self.taken.fetch_or(1 << core, Ordering::AcqRel) & 1 << core == 0
    }

    pub(super) fn give_back(&self, core: u32) {
        self.taken.fetch_and(!(1 << core), Ordering::AcqRel);
    }

    /// How many cores are in use.
    pub(super) fn in_use(&self) -> u32 {
        self.taken.load(Ordering::Acquire).count_ones()
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    pub(super) fn forget_programs(&self) {
        self.epoch.fetch_add(1, Ordering::AcqRel);
    }
}
