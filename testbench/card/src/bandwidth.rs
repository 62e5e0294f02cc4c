//! Bytes per second through the vfio-user backend, by the size of a chunk.
//!
//! Contract: each row is a transfer of the same bytes in chunks of one size, one way, repeated; its figure is the median. What
//! was written is read back and compared, so a figure is of bytes that arrived.

use std::path::Path;
use std::time::{Duration, Instant};

use fenn_host::transport::direct::{Completion, Direct, Options};
use fenn_host::transport::vfio_user::VfioUser;
use fenn_host::transport::{Deadline, Transport, TransportError};
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use serde_json::{Value, json};

/// How long a transfer may take.
const LIMIT: Duration = Duration::from_secs(600);

/// What is measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sweep {
    /// Address of the memory that is written and read.
    pub address: u64,
    /// Bytes of each transfer.
    pub bytes: usize,
    /// Transfers of each row.
    pub repeats: usize,
    /// Sizes of chunks.
    pub chunks: Vec<u32>,
    /// Seed of the bytes.
    pub seed: u64,
}

/// Why there is no figure.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// The card could not be reached.
    #[error("chunks of {chunk} bytes: {error}")]
    Transport {
        /// Bytes of a chunk.
        chunk: u32,
        /// Why.
        error: TransportError,
    },
    /// Other bytes came back.
    #[error("chunks of {chunk} bytes: other bytes came back than were written")]
    Different {
        /// Bytes of a chunk.
        chunk: u32,
    },
}

/// Measures through the card behind `socket`.
///
/// # Errors
/// [`SweepError`], with the size at which it ended.
pub fn sweep(socket: &Path, sweep: &Sweep) -> Result<Value, SweepError> {
    let mut bytes = vec![0; sweep.bytes];
    Pcg64Mcg::seed_from_u64(sweep.seed).fill_bytes(&mut bytes);
    let mut rows = Vec::new();
    for &chunk in &sweep.chunks {
        for completion in [Completion::Interrupt, Completion::Poll] {
            let figures = row(socket, sweep, &bytes, chunk, completion)?;
            for (direction, mut seconds) in ["to card", "from card"].into_iter().zip(figures) {
                seconds.sort_by(f64::total_cmp);
                let median = seconds[seconds.len() / 2];
                rows.push(json!({
                    "chunk": chunk,
                    "direction": direction,
                    "completion": match completion { Completion::Interrupt => "interrupt", Completion::Poll => "poll" },
                    "seconds": median,
                    "bytes_per_second": sweep.bytes as f64 / median,
                }));
            }
        }
    }
    Ok(json!({ "backend": "vfio-user", "bytes": sweep.bytes, "repeats": sweep.repeats, "rows": rows }))
}

/// Seconds of each transfer, both ways.
fn row(
    socket: &Path,
    sweep: &Sweep,
    bytes: &[u8],
    chunk: u32,
    completion: Completion,
) -> Result<[Vec<f64>; 2], SweepError> {
    let failed = |error| SweepError::Transport { chunk, error };
    let options = Options { chunk, descriptor: chunk.min(64 << 10), completion, ..Options::default() };
    let pci = VfioUser::connect(socket, options.memory_bytes()).map_err(failed)?;
    let mut card = Direct::open(pci, options).map_err(failed)?;
    let mut out = vec![0; bytes.len()];
    let mut seconds = [Vec::new(), Vec::new()];
    for _ in 0..sweep.repeats.max(1) {
        let before = Instant::now();
        card.write(sweep.address, bytes, Deadline::after(LIMIT)).map_err(failed)?;
        seconds[0].push(before.elapsed().as_secs_f64());
        let before = Instant::now();
        card.read(sweep.address, &mut out, Deadline::after(LIMIT)).map_err(failed)?;
        seconds[1].push(before.elapsed().as_secs_f64());
        if out != bytes {
            return Err(SweepError::Different { chunk });
        }
        out.fill(0);
    }
    Ok(seconds)
}
