//! `xdma0_events_N`: a flag for each core's interrupt, read as a word, with no limit to how long that takes.

use std::io;
use std::time::Duration;

use rustix::event::PollFlags;
use rustix::io::Errno;

use super::fuse::{Node, What};
use super::{Shared, lock};

/// How often a waiting read or poll is looked after.
const LOOK: Duration = Duration::from_millis(1);

pub(super) fn serve(node: Node, shared: &Shared, core: u32) -> io::Result<()> {
    let bit = 1 << core;
    let mut reads: Vec<u64> = Vec::new();
    let mut polls: Vec<u64> = Vec::new();
    loop {
        let idle = reads.is_empty() && polls.is_empty();
        let request = node.next(if idle { None } else { Some(LOOK) })?;
        if let Some(request) = request {
            match &request.what {
                What::Read { bytes: 4, .. } => reads.push(request.unique),
                What::Read { .. } => node.fail(request.unique, Errno::PROTO)?,
                What::Poll { notify } => {
                    polls.extend(notify);
                    let raised = *lock(&shared.flags) & bit != 0;
                    node.ready(request.unique, if raised { PollFlags::IN } else { PollFlags::empty() })?;
                }
                What::Interrupt(whose) => {
                    if let Some(index) = reads.iter().position(|read| read == whose) {
                        node.fail(reads.remove(index), Errno::INTR)?;
                    }
                }
                _ => node.usual(&request)?,
            }
        }
        let raised = *lock(&shared.flags) & bit != 0;
        if raised {
            for handle in polls.drain(..) {
                node.wake(handle)?;
            }
        }
        if raised && !reads.is_empty() {
            // It is a flag: the first read takes it.
            *lock(&shared.flags) &= !bit;
            node.give(reads.remove(0), &1_u32.to_ne_bytes())?;
        }
    }
}
