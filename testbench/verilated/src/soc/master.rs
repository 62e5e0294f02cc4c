//! A host: bursts and register accesses on a card's ports, as one who keeps to AXI's rules.
//!
//! Contract: a [`Batch`] is done when everything in it has been answered. Its writes are made in their order, its reads in theirs and
//! its register accesses in theirs, all three at the same time. As [`Pace::Random`] valid and ready come when they like,
//! data before their address among them.

use rand::RngExt;

use super::ports::{SocInputs, SocOutputs};
use super::{Answer, bytes_of, words_of};
use crate::axi::Pace;

/// How the address of a burst goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Burst {
    /// It stays.
    Fixed = 0,
    /// It grows.
    Incrementing = 1,
    /// It grows and wraps.
    Wrapping = 2,
}

/// A write.
#[derive(Debug, Clone)]
pub struct Write {
    /// Of the first byte.
    pub address: u64,
    /// Binary logarithm of the bytes of a beat.
    pub size: u8,
    /// Of the whole.
    pub burst: Burst,
    /// The port's bytes in each beat, and which of them are written.
    pub beats: Vec<([u8; 64], u64)>,
}

/// A read.
#[derive(Debug, Clone, Copy)]
pub struct Read {
    /// Of the first byte.
    pub address: u64,
    /// Binary logarithm of the bytes of a beat.
    pub size: u8,
    /// Of the whole.
    pub burst: Burst,
    /// How many, 1 to 256.
    pub beats: u32,
}

/// An access to a register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Register {
    /// A read of a word.
    Read(u32),
    /// A write of the bytes with a strobe: offset, value, strobes.
    Write(u32, u32, u8),
    /// Nothing, for so many cycles.
    Pause(u32),
}

/// A beat that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beat {
    /// The port's bytes.
    pub bytes: [u8; 64],
    /// What was said of it.
    pub answer: Answer,
}

/// What is to be done at the same time.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// On the AXI4 slave.
    pub writes: Vec<Write>,
    /// On the AXI4 slave.
    pub reads: Vec<Read>,
    /// On the AXI4-Lite slave.
    pub registers: Vec<Register>,
}

/// What came of it, in the order of the batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The answer to each write.
    pub writes: Vec<Answer>,
    /// The beats of each read.
    pub reads: Vec<Vec<Beat>>,
    /// The value (0 for a write) and the answer of each register access.
    pub registers: Vec<(u32, Answer)>,
}

/// A batch that is being done.
#[derive(Debug)]
pub(super) struct Master {
    batch: Batch,
    outcome: Outcome,
    /// Bursts whose address has been taken; the one whose data are being sent, and how far.
    aws: usize,
    ws: usize,
    w_beat: usize,
    ars: usize,
    r_beats: Vec<Beat>,
    /// What of the register access that is being made has been taken.
    lite_address: bool,
    lite_data: bool,
    paused: u32,
    up: Up,
}

/// What is offered, and so must stay until it is taken.
#[derive(Debug, Default)]
struct Up {
    aw: bool,
    w: bool,
    ar: bool,
    lite_aw: bool,
    lite_w: bool,
    lite_ar: bool,
}

fn willing(pace: &mut Pace) -> bool {
    match pace {
        Pace::Steady => true,
        Pace::Random { source, ready, .. } => source.random_range(0..100) < *ready,
    }
}

/// The identifier of a burst: every one in turn, so that a wrong one shows.
fn identifier(index: usize) -> u8 {
    (index % 16) as u8
}

impl Master {
    pub(super) fn new(batch: Batch) -> Self {
        Self {
            batch,
            outcome: Outcome::default(),
            aws: 0,
            ws: 0,
            w_beat: 0,
            ars: 0,
            r_beats: Vec::new(),
            lite_address: false,
            lite_data: false,
            paused: 0,
            up: Up::default(),
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.outcome.writes.len() == self.batch.writes.len()
            && self.outcome.reads.len() == self.batch.reads.len()
            && self.outcome.registers.len() == self.batch.registers.len()
    }

    pub(super) fn into_outcome(self) -> Outcome {
        self.outcome
    }

    /// Sets the host's inputs for the coming edge, knowing what the pins show before it, and takes what that edge moves.
    #[inline]
    pub(super) fn drive(&mut self, out: &SocOutputs, inputs: &mut SocInputs, pace: &mut Pace) {
        self.drive_writes(out, inputs, pace);
        self.drive_reads(out, inputs, pace);
        self.drive_registers(out, inputs, pace);
    }

    fn drive_writes(&mut self, out: &SocOutputs, inputs: &mut SocInputs, pace: &mut Pace) {
        let writes = &self.batch.writes;
        let ahead = matches!(pace, Pace::Random { .. });
        let may_send = self.ws < self.aws || (ahead && self.ws == self.aws);
        inputs.host_awvalid = false;
        if let Some(write) = writes.get(self.aws) {
            self.up.aw = self.up.aw || willing(pace);
            inputs.host_awvalid = self.up.aw;
            inputs.host_awid = identifier(self.aws);
            inputs.host_awaddr = write.address;
            inputs.host_awlen = (write.beats.len() - 1) as u8;
            inputs.host_awsize = write.size;
            inputs.host_awburst = write.burst as u8;
            if self.up.aw && out.host_awready {
                self.up.aw = false;
                self.aws += 1;
            }
        }
        inputs.host_wvalid = false;
        if let Some(write) = writes.get(self.ws).filter(|_| may_send) {
            self.up.w = self.up.w || willing(pace);
            inputs.host_wvalid = self.up.w;
            let (bytes, strobes) = &write.beats[self.w_beat];
            inputs.host_wdata = words_of(bytes);
            inputs.host_wstrb = *strobes;
            inputs.host_wlast = self.w_beat + 1 == write.beats.len();
            if self.up.w && out.host_wready {
                self.up.w = false;
                self.w_beat += 1;
                if inputs.host_wlast {
                    self.w_beat = 0;
                    self.ws += 1;
                }
            }
        }
        inputs.host_bready = self.outcome.writes.len() < writes.len() && willing(pace);
        if out.host_bvalid && inputs.host_bready {
            self.outcome.writes.push(Answer::of(out.host_bresp));
        }
    }

    fn drive_reads(&mut self, out: &SocOutputs, inputs: &mut SocInputs, pace: &mut Pace) {
        let reads = &self.batch.reads;
        inputs.host_arvalid = false;
        if let Some(read) = reads.get(self.ars) {
            self.up.ar = self.up.ar || willing(pace);
            inputs.host_arvalid = self.up.ar;
            inputs.host_arid = identifier(self.ars);
            inputs.host_araddr = read.address;
            inputs.host_arlen = (read.beats - 1) as u8;
            inputs.host_arsize = read.size;
            inputs.host_arburst = read.burst as u8;
            if self.up.ar && out.host_arready {
                self.up.ar = false;
                self.ars += 1;
            }
        }
        inputs.host_rready = self.outcome.reads.len() < reads.len() && willing(pace);
        if out.host_rvalid && inputs.host_rready {
            self.r_beats.push(Beat { bytes: bytes_of(&out.host_rdata), answer: Answer::of(out.host_rresp) });
            if out.host_rlast {
                self.outcome.reads.push(std::mem::take(&mut self.r_beats));
            }
        }
    }

    fn drive_registers(&mut self, out: &SocOutputs, inputs: &mut SocInputs, pace: &mut Pace) {
        inputs.axil_awvalid = false;
        inputs.axil_wvalid = false;
        inputs.axil_arvalid = false;
        inputs.axil_bready = false;
        inputs.axil_rready = false;
        let done = match self.batch.registers.get(self.outcome.registers.len()).copied() {
            None => None,
            Some(Register::Pause(cycles)) => {
                self.paused += 1;
                (self.paused >= cycles).then_some((0, Answer::Okay))
            }
            Some(Register::Read(offset)) => {
                self.up.lite_ar = self.up.lite_ar || (!self.lite_address && willing(pace));
                inputs.axil_arvalid = self.up.lite_ar;
                inputs.axil_araddr = offset as u16;
                if self.up.lite_ar && out.axil_arready {
                    self.up.lite_ar = false;
                    self.lite_address = true;
                }
                inputs.axil_rready = willing(pace);
                (out.axil_rvalid && inputs.axil_rready).then_some((out.axil_rdata, Answer::of(out.axil_rresp)))
            }
            Some(Register::Write(offset, value, strobes)) => {
                self.up.lite_aw = self.up.lite_aw || (!self.lite_address && willing(pace));
                inputs.axil_awvalid = self.up.lite_aw;
                inputs.axil_awaddr = offset as u16;
                if self.up.lite_aw && out.axil_awready {
                    self.up.lite_aw = false;
                    self.lite_address = true;
                }
                self.up.lite_w = self.up.lite_w || (!self.lite_data && willing(pace));
                inputs.axil_wvalid = self.up.lite_w;
                inputs.axil_wdata = value;
                inputs.axil_wstrb = strobes;
                if self.up.lite_w && out.axil_wready {
                    self.up.lite_w = false;
                    self.lite_data = true;
                }
                inputs.axil_bready = willing(pace);
                (out.axil_bvalid && inputs.axil_bready).then_some((0, Answer::of(out.axil_bresp)))
            }
        };
        if let Some(result) = done {
            self.outcome.registers.push(result);
            (self.lite_address, self.lite_data, self.paused) = (false, false, 0);
        }
    }
}
