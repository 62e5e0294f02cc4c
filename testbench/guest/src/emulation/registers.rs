//! `xdma0_user`: the card's registers; and `xdma0_faults`, which no driver has: what is to go wrong.

use std::io;

use fenn_host::transport::Transport;
use fenn_isa::soc::REGISTER_BYTES;
use rustix::io::Errno;

use super::Shared;
use super::caller::Call;
use super::fault::Fault;
use super::fuse::{Node, What};

/// What a card that is not there reads as.
const NOTHING: u32 = u32::MAX;

pub(super) fn serve(node: Node, shared: &Shared) -> io::Result<()> {
    loop {
        let Some(request) = node.next(None)? else { continue };
        let (wanted, word) = match &request.what {
            What::Read { bytes, .. } => (*bytes as usize, None),
            What::Write { bytes, .. } => {
                // It takes four bytes of whatever there is.
                let mut word = [0; 4];
                let count = bytes.len().min(4);
                word[..count].copy_from_slice(&bytes[..count]);
                (4, Some(u32::from_le_bytes(word)))
            }
            _ => {
                node.usual(&request)?;
                continue;
            }
        };
        let offset = match Call::of(request.thread) {
            Ok(call) => call.offset,
            Err(error) => {
                eprintln!("BUG: registers by {error}");
                node.fail(request.unique, Errno::IO)?;
                continue;
            }
        };
        let place = u32::try_from(offset).ok().filter(|offset| *offset < REGISTER_BYTES);
        let Some(place) = place.filter(|_| offset % 4 == 0) else {
            if offset % 4 != 0 {
                node.fail(request.unique, Errno::PROTO)?;
            } else {
                // The driver does not look, and the kernel falls.
                eprintln!("BUG: an access of user at {offset:#x}, where it has {REGISTER_BYTES:#x} bytes");
                node.fail(request.unique, Errno::IO)?;
            }
            continue;
        };
        let done = shared.with_world(|world| match (world.linked, word) {
            (false, _) => Ok(NOTHING),
            (true, None) => world.card.read_register(place),
            (true, Some(word)) => world.card.write_register(place, word).map(|()| 0),
        });
        match (done, word) {
            (Err(_), _) => node.fail(request.unique, Errno::IO)?,
            // It never says more than four, however many are asked for; fewer cannot be overrun here.
            (Ok(value), None) => node.give(request.unique, &value.to_le_bytes()[..wanted.min(4)])?,
            (Ok(_), Some(_)) => node.took(request.unique, 4)?,
        }
    }
}

pub(super) fn serve_faults(node: Node, shared: &Shared) -> io::Result<()> {
    let mut said = "ok\n".to_owned();
    loop {
        let Some(request) = node.next(None)? else { continue };
        match &request.what {
            What::Read { .. } => node.give(request.unique, said.as_bytes())?,
            What::Write { bytes, .. } => {
                let text = String::from_utf8_lossy(bytes);
                said = match text.trim().parse::<Fault>() {
                    Ok(fault) => {
                        shared.with_world(|world| world.faults.push(fault));
                        "ok\n".to_owned()
                    }
                    Err(_) if matches!(text.trim(), "clear" | "reset") => {
                        shared.with_world(|world| {
                            world.faults.clear();
                            world.linked |= text.trim() == "reset";
                        });
                        "ok\n".to_owned()
                    }
                    Err(error) => format!("{error}\n"),
                };
                node.took(request.unique, bytes.len() as u32)?;
            }
            _ => node.usual(&request)?,
        }
    }
}
