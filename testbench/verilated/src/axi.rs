//! DRAM behind the core's AXI port.
//!
//! Contract: a [`Slave`] answers one master with one identifier, reads and writes independently of each other, each in the
//! order in which they were asked for. As [`Pace::Steady`] it takes the cycles of the core's profile: the first beat so
//! many cycles after the address, then one a cycle, and the answer to a write in the cycle behind its last beat. As
//! [`Pace::Random`] it hesitates wherever AXI lets it. It checks what the master owes it (AXI4, and what `rtl/README.md`
//! promises): a violation is an [`AxiError`].
//!
//! [`Slave::drive`] is called once a cycle with what the pins show and sets the slave's inputs for the coming edge; outputs
//! change with the edge only, so it knows then which beats that edge will move.

use std::collections::{HashMap, VecDeque};

use fenn_isa::csr::dma_status;
use fenn_iss::dma::Direction;
use rand::RngExt;
use rand_pcg::Pcg64Mcg;

use crate::configuration::Configuration;
use crate::ports::{Inputs, Outputs};

/// Cycles from the address to the first beat with which a transfer takes the cycles of the profile (`rtl/README.md`).
const STEADY_DELAY: u64 = 6;
/// Bytes of a row of DRAM here.
const ROW: u32 = 64;

/// How fast DRAM is.
#[derive(Debug, Clone)]
pub enum Pace {
    /// As the simulator's profile says.
    Steady,
    /// Any cycle may be lost anywhere.
    Random {
        /// Where the choices come from.
        source: Pcg64Mcg,
        /// How likely it is that something that could happen in a cycle does, in percent.
        ready: u32,
        /// How likely a beat, or an answer to a write, is an error, in a million.
        errors: u32,
    },
}

/// What the master does that AXI, or the core's documentation, forbids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AxiError {
    /// The address of a burst that had been offered and not accepted changed, or went away.
    #[error("an address was taken back before it was accepted")]
    AddressChanged,
    /// Data of a write that had been offered and not accepted changed, or went away.
    #[error("a beat was taken back before it was accepted")]
    DataChanged,
    /// Not an incrementing burst of full-width beats.
    #[error("a burst of type {kind} and beat size 2^{size}")]
    Form {
        /// AxBURST.
        kind: u8,
        /// AxSIZE.
        size: u8,
    },
    /// A burst that begins within a beat, crosses 4 KiB, is longer than the configuration's bursts, or leaves DRAM.
    #[error("a burst of {beats} beats at {address:#x}")]
    Place {
        /// Of its first byte.
        address: u32,
        /// How many.
        beats: u32,
    },
    /// WLAST in a beat that is not a burst's last, or missing in the last.
    #[error("WLAST is {last} with {left} beats to come after this one")]
    Last {
        /// What it was.
        last: bool,
        /// How many were to come.
        left: u32,
    },
    /// A beat of a write without its address.
    #[error("data before their address")]
    NoAddress,
    /// A beat that leaves out bytes.
    #[error("byte strobes {0:#x}")]
    Strobes(u64),
}

/// What moved with an edge, for whoever has to know when a transfer begins and ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Moved {
    /// A beat of R.
    pub read: bool,
    /// A beat of W.
    pub written: bool,
    /// B.
    pub answered: bool,
}

#[derive(Debug, Clone, Copy)]
struct Burst {
    address: u32,
    left: u32,
    /// The first cycle in which it may move data.
    from: u64,
}

/// DRAM and its controller.
#[derive(Debug, Clone)]
pub struct Slave {
    rows: HashMap<u32, [u8; ROW as usize]>,
    bytes: u32,
    beat: u32,
    burst: u32,
    pace: Pace,
    now: u64,
    reads: VecDeque<Burst>,
    writes: VecDeque<Burst>,
    /// Answers that are owed, with the cycle from which they may be given.
    answers: VecDeque<(u64, u8)>,
    /// Offers of the slave that AXI forbids to take back.
    read_offered: Option<u8>,
    answer_offered: bool,
    /// Offers of the master that it must not take back.
    ar: Option<(u32, u8)>,
    aw: Option<(u32, u8)>,
    w: Option<([u32; 16], bool)>,
    moved: Moved,
    /// Bits of the status that the errors since the last question amount to, by channel.
    errors: [u32; 2],
    /// Cycles with nothing to do.
    idle: u64,
}

const OKAY: u8 = 0;
const SLVERR: u8 = 2;
const DECERR: u8 = 3;

impl Slave {
    /// DRAM of zeros for a core of this configuration.
    pub fn new(configuration: &Configuration, pace: Pace) -> Self {
        let Configuration { memory, port_bytes: beat, burst, .. } = *configuration;
        Self::with_rows(HashMap::new(), memory.dram_bytes, beat, burst, pace)
    }

    fn with_rows(rows: HashMap<u32, [u8; ROW as usize]>, bytes: u32, beat: u32, burst: u32, pace: Pace) -> Self {
        Self {
            rows,
            bytes,
            beat,
            burst,
            pace,
            now: 0,
            reads: VecDeque::new(),
            writes: VecDeque::new(),
            answers: VecDeque::new(),
            read_offered: None,
            answer_offered: false,
            ar: None,
            aw: None,
            w: None,
            moved: Moved::default(),
            errors: [0; 2],
            idle: 0,
        }
    }

    /// Forgets what was going on, as with a reset of the core; DRAM keeps its contents.
    pub fn reset(&mut self, pace: Pace) {
        let rows = std::mem::take(&mut self.rows);
        *self = Self::with_rows(rows, self.bytes, self.beat, self.burst, pace);
    }

    /// Whether transfers take the cycles of the profile.
    pub fn is_steady(&self) -> bool {
        matches!(self.pace, Pace::Steady)
    }

    /// What moved with the last edge.
    pub fn moved(&self) -> Moved {
        self.moved
    }

    /// The errors of a channel that were answered since this was asked last, as bits of the status register.
    pub fn take_errors(&mut self, direction: Direction) -> u32 {
        std::mem::take(&mut self.errors[direction as usize])
    }

    /// For how many cycles nothing has been asked for, and nothing is owed.
    pub fn idle(&self) -> u64 {
        self.idle
    }

    /// Copies bytes into DRAM.
    pub fn write(&mut self, address: u32, bytes: &[u8]) {
        for (index, byte) in bytes.iter().enumerate() {
            let at = address + index as u32;
            self.rows.entry(at / ROW).or_insert([0; ROW as usize])[(at % ROW) as usize] = *byte;
        }
    }

    /// Copies bytes out of DRAM.
    pub fn read(&self, address: u32, out: &mut [u8]) {
        for (index, byte) in out.iter_mut().enumerate() {
            let at = address + index as u32;
            *byte = self.rows.get(&(at / ROW)).map_or(0, |row| row[(at % ROW) as usize]);
        }
    }

    /// Empties DRAM.
    pub fn clear(&mut self) {
        self.rows.clear();
    }

    /// Sets the slave's inputs for the coming edge, knowing what the pins show before it.
    ///
    /// # Errors
    /// What the master does wrong.
    #[inline]
    pub fn drive(&mut self, out: &Outputs, inputs: &mut Inputs) -> Result<(), AxiError> {
        self.now += 1;
        self.moved = Moved::default();
        let asked = out.axi_arvalid | out.axi_awvalid | out.axi_wvalid;
        if !asked && self.is_quiet() {
            self.idle += 1;
            (self.ar, self.aw, self.w) = match (self.ar, self.aw, self.w) {
                (None, None, None) => (None, None, None),
                (_, _, None) => return Err(AxiError::AddressChanged),
                _ => return Err(AxiError::DataChanged),
            };
            return Ok(());
        }
        self.idle = 0;
        self.read_data(out, inputs);
        self.write_data(out, inputs)?;
        self.answer(out, inputs);
        self.addresses(out, inputs)
    }

    fn is_quiet(&self) -> bool {
        self.reads.is_empty() && self.writes.is_empty() && self.answers.is_empty()
    }

    /// Whether something that could happen now does.
    fn willing(&mut self) -> bool {
        match &mut self.pace {
            Pace::Steady => true,
            Pace::Random { source, ready, .. } => source.random_range(0..100) < *ready,
        }
    }

    fn response(&mut self) -> u8 {
        match &mut self.pace {
            Pace::Random { source, errors, .. } => {
                if source.random_range(0..1_000_000) >= *errors {
                    OKAY
                } else if source.random() {
                    SLVERR
                } else {
                    DECERR
                }
            }
            Pace::Steady => OKAY,
        }
    }

    fn delay(&mut self) -> u64 {
        match &mut self.pace {
            Pace::Steady => STEADY_DELAY,
            Pace::Random { source, .. } => {
                if source.random_range(0..4) == 0 {
                    source.random_range(0..40)
                } else {
                    source.random_range(0..8)
                }
            }
        }
    }

    fn addresses(&mut self, out: &Outputs, inputs: &mut Inputs) -> Result<(), AxiError> {
        let offer = out.axi_arvalid.then_some((out.axi_araddr, out.axi_arlen));
        if self.ar.is_some_and(|before| offer != Some(before)) {
            return Err(AxiError::AddressChanged);
        }
        inputs.axi_arready = self.willing();
        self.ar = offer.filter(|_| !inputs.axi_arready);
        if let Some((address, length)) = offer.filter(|_| inputs.axi_arready) {
            let burst = self.burst_at(address, length, out.axi_arburst, out.axi_arsize)?;
            self.reads.push_back(burst);
        }
        let offer = out.axi_awvalid.then_some((out.axi_awaddr, out.axi_awlen));
        if self.aw.is_some_and(|before| offer != Some(before)) {
            return Err(AxiError::AddressChanged);
        }
        inputs.axi_awready = self.willing();
        self.aw = offer.filter(|_| !inputs.axi_awready);
        if let Some((address, length)) = offer.filter(|_| inputs.axi_awready) {
            let burst = self.burst_at(address, length, out.axi_awburst, out.axi_awsize)?;
            self.writes.push_back(burst);
        }
        Ok(())
    }

    fn burst_at(&mut self, address: u32, length: u8, kind: u8, size: u8) -> Result<Burst, AxiError> {
        if kind != 1 || 1 << size != self.beat {
            return Err(AxiError::Form { kind, size });
        }
        let beats = u32::from(length) + 1;
        let end = u64::from(address) + u64::from(beats * self.beat);
        let within_page = (end - 1) / 4096 == u64::from(address) / 4096;
        if !address.is_multiple_of(self.beat) || !within_page || beats > self.burst || end > u64::from(self.bytes) {
            return Err(AxiError::Place { address, beats });
        }
        Ok(Burst { address, left: beats, from: self.now + self.delay() })
    }

    fn read_data(&mut self, out: &Outputs, inputs: &mut Inputs) {
        let Some(burst) = self.reads.front().copied() else { return };
        let response = match self.read_offered {
            Some(response) => response,
            None => {
                if self.now < burst.from || !self.willing() {
                    return;
                }
                self.response()
            }
        };
        inputs.axi_rvalid = true;
        inputs.axi_rresp = response;
        inputs.axi_rlast = burst.left == 1;
        let mut bytes = [0; 64];
        self.read(burst.address, &mut bytes[..self.beat as usize]);
        for (word, bytes) in inputs.axi_rdata.iter_mut().zip(bytes.chunks_exact(4)) {
            *word = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        }
        if !out.axi_rready {
            self.read_offered = Some(response);
            return;
        }
        self.read_offered = None;
        self.moved.read = true;
        self.errors[0] |= status(response);
        self.advance_read();
    }

    fn advance_read(&mut self) {
        if let Some(burst) = self.reads.front_mut() {
            burst.address += self.beat;
            burst.left -= 1;
            if burst.left == 0 {
                self.reads.pop_front();
            }
        }
    }

    fn write_data(&mut self, out: &Outputs, inputs: &mut Inputs) -> Result<(), AxiError> {
        let offer = out.axi_wvalid.then_some((out.axi_wdata, out.axi_wlast));
        if self.w.is_some_and(|before| offer != Some(before)) {
            return Err(AxiError::DataChanged);
        }
        self.w = offer;
        // Ready may be shown whether or not there is something to take.
        let Some(burst) = self.writes.front().copied() else {
            return if out.axi_wvalid { Err(AxiError::NoAddress) } else { Ok(()) };
        };
        inputs.axi_wready = self.now >= burst.from && self.willing();
        if !(inputs.axi_wready && out.axi_wvalid) {
            return Ok(());
        }
        self.w = None;
        self.moved.written = true;
        let full = if self.beat == 64 { u64::MAX } else { (1 << self.beat) - 1 };
        if out.axi_wstrb != full {
            return Err(AxiError::Strobes(out.axi_wstrb));
        }
        if out.axi_wlast != (burst.left == 1) {
            return Err(AxiError::Last { last: out.axi_wlast, left: burst.left - 1 });
        }
        let bytes: Vec<u8> = out.axi_wdata.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.write(burst.address, &bytes[..self.beat as usize]);
        if burst.left == 1 {
            let response = self.response();
            self.writes.pop_front();
            let from = if self.is_steady() { self.now + 1 } else { self.now + 1 + self.delay() };
            self.answers.push_back((from, response));
        } else if let Some(burst) = self.writes.front_mut() {
            burst.address += self.beat;
            burst.left -= 1;
        }
        Ok(())
    }

    fn answer(&mut self, out: &Outputs, inputs: &mut Inputs) {
        let Some((from, response)) = self.answers.front().copied() else { return };
        if self.now < from || !(self.answer_offered || self.willing()) {
            return;
        }
        inputs.axi_bvalid = true;
        inputs.axi_bresp = response;
        self.answer_offered = !out.axi_bready;
        if out.axi_bready {
            self.answers.pop_front();
            self.moved.answered = true;
            self.errors[1] |= status(response);
        }
    }

    /// Whether every write that was asked for has been answered.
    pub fn all_answered(&self) -> bool {
        self.writes.is_empty() && self.answers.is_empty()
    }
}

fn status(response: u8) -> u32 {
    match response {
        SLVERR => dma_status::SLAVE_ERROR,
        DECERR => dma_status::DECODE_ERROR,
        _ => 0,
    }
}
