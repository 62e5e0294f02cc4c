//! DRAM behind a card's AXI4 master.
//!
//! Contract: [`Dram`] answers in the order of the addresses, reads and writes independently of each other. As
//! [`Pace::Steady`] the first beat moves six cycles after its address and then one a cycle; as [`Pace::Random`] it hesitates
//! wherever AXI lets it. A range of bytes can be made to answer with an error, and all of it to answer nothing any more.
//! It checks nothing: the model has assertions on its port.
//!
//! `Dram::drive` is called once a cycle with what the pins show and sets the slave's inputs for the coming edge.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;

use rand::RngExt;

use super::ports::{SocInputs, SocOutputs};
use super::{Answer, bytes_of, words_of};
use crate::axi::Pace;

const PAGE: u64 = 4096;
/// Cycles from an address to the first of its beats.
const STEADY_DELAY: u64 = 6;

#[derive(Debug, Clone, Copy)]
struct Burst {
    address: u64,
    /// Bytes of a beat.
    size: u64,
    left: u32,
    /// The first cycle in which it may move data.
    from: u64,
    /// What a write will be answered.
    answer: Answer,
}

/// DRAM and its controller.
#[derive(Debug)]
pub struct Dram {
    pages: HashMap<u64, Box<[u8; PAGE as usize]>>,
    /// Bytes of the port.
    width: u64,
    pace: Pace,
    now: u64,
    reads: VecDeque<Burst>,
    writes: VecDeque<Burst>,
    answers: VecDeque<(u64, Answer)>,
    read_offered: bool,
    answer_offered: bool,
    faults: Vec<(Range<u64>, Answer)>,
    hangs: bool,
    beats: u64,
}

impl Dram {
    pub(super) fn new(width: u64, pace: Pace) -> Self {
        Self {
            pages: HashMap::new(),
            width,
            pace,
            now: 0,
            reads: VecDeque::new(),
            writes: VecDeque::new(),
            answers: VecDeque::new(),
            read_offered: false,
            answer_offered: false,
            faults: Vec::new(),
            hangs: false,
            beats: 0,
        }
    }

    /// Copies bytes out of it, past the card.
    pub fn read(&self, address: u64, out: &mut [u8]) {
        for (index, byte) in out.iter_mut().enumerate() {
            let at = address + index as u64;
            *byte = self.pages.get(&(at / PAGE)).map_or(0, |page| page[(at % PAGE) as usize]);
        }
    }

    /// Copies bytes into it, past the card.
    pub fn write(&mut self, address: u64, bytes: &[u8]) {
        for (index, byte) in bytes.iter().enumerate() {
            let at = address + index as u64;
            self.pages.entry(at / PAGE).or_insert_with(|| Box::new([0; PAGE as usize]))[(at % PAGE) as usize] = *byte;
        }
    }

    /// From now on every beat that begins in `range` is answered like this, and not written. [`Answer::Okay`] ends that for all ranges
    /// that touch it.
    pub fn answer_in(&mut self, range: Range<u64>, answer: Answer) {
        self.faults.retain(|(other, _)| answer != Answer::Okay || other.start >= range.end || other.end <= range.start);
        if answer != Answer::Okay {
            self.faults.push((range, answer));
        }
    }

    /// Whether it does not take or answer anything any more.
    pub fn set_hanging(&mut self, hangs: bool) {
        self.hangs = hangs;
    }

    /// Beats that have been moved, of reads and writes together.
    pub fn beats(&self) -> u64 {
        self.beats
    }

    pub(super) fn set_pace(&mut self, pace: Pace) {
        self.pace = pace;
    }

    fn fault(&self, address: u64) -> Answer {
        self.faults.iter().find(|(range, _)| range.contains(&address)).map_or(Answer::Okay, |(_, answer)| *answer)
    }

    fn willing(&mut self) -> bool {
        match &mut self.pace {
            Pace::Steady => true,
            Pace::Random { source, ready, .. } => source.random_range(0..100) < *ready,
        }
    }

    fn delay(&mut self) -> u64 {
        match &mut self.pace {
            Pace::Steady => STEADY_DELAY,
            Pace::Random { source, .. } => {
                let most = if source.random_range(0..4) == 0 { 40 } else { 8 };
                source.random_range(0..most)
            }
        }
    }

    #[inline]
    pub(super) fn drive(&mut self, out: &SocOutputs, inputs: &mut SocInputs) {
        self.now += 1;
        inputs.dram_arready = false;
        inputs.dram_awready = false;
        inputs.dram_wready = false;
        let asked = out.dram_arvalid | out.dram_awvalid | out.dram_wvalid;
        let quiet = self.reads.is_empty() && self.writes.is_empty() && self.answers.is_empty();
        // An offer that was made must be kept, hanging or not.
        inputs.dram_rvalid &= self.read_offered;
        inputs.dram_bvalid &= self.answer_offered;
        if !asked && quiet {
            return;
        }
        self.read_data(out, inputs);
        self.write_data(out, inputs);
        self.answer(out, inputs);
        if self.hangs {
            return;
        }
        inputs.dram_arready = self.willing();
        if out.dram_arvalid && inputs.dram_arready {
            let burst = self.burst(out.dram_araddr, out.dram_arlen, out.dram_arsize);
            self.reads.push_back(burst);
        }
        inputs.dram_awready = self.willing();
        if out.dram_awvalid && inputs.dram_awready {
            let burst = self.burst(out.dram_awaddr, out.dram_awlen, out.dram_awsize);
            self.writes.push_back(burst);
        }
    }

    fn burst(&mut self, address: u64, len: u8, size: u8) -> Burst {
        let from = self.now + self.delay();
        Burst { address, size: 1 << size, left: u32::from(len) + 1, from, answer: Answer::Okay }
    }

    fn read_data(&mut self, out: &SocOutputs, inputs: &mut SocInputs) {
        let Some(mut burst) = self.reads.front().copied() else { return };
        if !self.read_offered {
            if self.hangs || self.now < burst.from || !self.willing() {
                inputs.dram_rvalid = false;
                return;
            }
            let mut bytes = [0; 64];
            let container = burst.address - burst.address % self.width;
            self.read(container, &mut bytes[..self.width as usize]);
            inputs.dram_rvalid = true;
            inputs.dram_rdata = words_of(&bytes);
            inputs.dram_rresp = self.fault(burst.address) as u8;
            inputs.dram_rlast = burst.left == 1;
        }
        self.read_offered = !out.dram_rready;
        if out.dram_rready {
            self.beats += 1;
            burst.address = burst.address - burst.address % burst.size + burst.size;
            burst.left -= 1;
            if burst.left == 0 {
                self.reads.pop_front();
            } else {
                self.reads[0] = burst;
            }
        }
    }

    fn write_data(&mut self, out: &SocOutputs, inputs: &mut SocInputs) {
        let Some(mut burst) = self.writes.front().copied() else { return };
        inputs.dram_wready = !self.hangs && self.now >= burst.from && self.willing();
        if !(inputs.dram_wready && out.dram_wvalid) {
            return;
        }
        self.beats += 1;
        let fault = self.fault(burst.address);
        burst.answer = burst.answer.max(fault);
        if fault == Answer::Okay {
            let bytes = bytes_of(&out.dram_wdata);
            let container = burst.address - burst.address % self.width;
            for index in (0..self.width).filter(|index| out.dram_wstrb >> index & 1 == 1) {
                self.write(container + index, &bytes[index as usize..=index as usize]);
            }
        }
        burst.address = burst.address - burst.address % burst.size + burst.size;
        burst.left -= 1;
        if burst.left == 0 {
            self.writes.pop_front();
            let delay = if matches!(self.pace, Pace::Steady) { 0 } else { self.delay() };
            self.answers.push_back((self.now + 1 + delay, burst.answer));
        } else {
            self.writes[0] = burst;
        }
    }

    fn answer(&mut self, out: &SocOutputs, inputs: &mut SocInputs) {
        let Some((from, answer)) = self.answers.front().copied() else { return };
        if !self.answer_offered && (self.hangs || self.now < from || !self.willing()) {
            inputs.dram_bvalid = false;
            return;
        }
        inputs.dram_bvalid = true;
        inputs.dram_bresp = answer as u8;
        self.answer_offered = !out.dram_bready;
        if out.dram_bready {
            self.answers.pop_front();
        }
    }
}
