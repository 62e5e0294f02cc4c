//! Samples handed over, and results taken away, while the program runs.
//!
//! Contract: the host's side of [`fenn_isa::image::manifest::Stream`]. The places of the manifest's batch are a ring: a
//! sample is written into its place as soon as the result of the sample that was there before has been read, and results are read in order, so
//! that on a device whose program goes on meanwhile the shorter of the two, moving bytes and running, takes no time.
//! Inputs are written before they are counted as provided, and calls of a [`Device`] return when what they do is done.
//!
//! Whatever the words say, no place outside the manifest's is touched, and every wait has a limit.
//!
//! Not here: what happens to several devices at once ([`crate::evaluate`]).

use fenn_isa::image::manifest::Stream;
use fenn_isa::memory::Space;

use super::{Count, Run, Session, counters};
use crate::dataset::Spike;
use crate::device::{Device, Finished, Limit, Meanwhile, Watched};
use crate::error::{SampleError, SessionError};

/// What a host writes while it does not know how many samples there will be.
const UNKNOWN: u32 = u32::MAX;

/// What a stream of samples came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Streamed {
    /// How many samples.
    pub samples: usize,
    /// The cost of all of it, waiting for the host included.
    pub finished: Finished,
    /// What the program counted, one for each phase of the manifest's counters.
    pub counts: Vec<Count>,
}

/// How far a stream is.
#[derive(Debug, Default)]
struct Going {
    /// Samples that the program may run.
    provided: u32,
    /// Those that it has said are done.
    done: u32,
    /// Those whose results have been read.
    read: u32,
    /// The program has ended.
    ended: Option<Finished>,
}

impl Going {
    /// An error at a sample.
    fn at(sample: u32, source: impl Into<SessionError>) -> SampleError {
        SampleError { sample: sample as usize, source: source.into() }
    }
}

impl<D: Device> Session<D> {
    /// Whether samples can be handed over while others are run: what the program offers, and what the device can.
    pub fn streams(&self) -> Option<Meanwhile> {
        self.manifest.batch.stream?;
        Some(self.device.meanwhile())
    }

    /// Runs the program on samples, one after the other, in one launch; `each` is told of each run, in order, with the sample's
    /// number. `limit` is for each sample, from when there is nothing else to do than to wait for it.
    ///
    /// The next sample is asked for when there is a place for it; while `samples` lets it wait, no results are read.
    ///
    /// # Errors
    /// [`SessionError::NoStream`] and [`SessionError::CannotStream`] before anything is done. Otherwise the first sample that could not be
    /// run, with the reason: what [`Session::check`] says against it, the program's fault, the device's error. `each` has been
    /// told of those before it, as far as the device can still be read, and the program has been halted.
    pub fn stream<'a>(
        &mut self,
        samples: impl IntoIterator<Item = &'a [Spike]>,
        limit: Limit,
        mut each: impl FnMut(usize, Run),
    ) -> Result<Streamed, SampleError> {
        let stream = self.manifest.batch.stream.ok_or_else(|| Going::at(0, SessionError::NoStream))?;
        if self.device.meanwhile() == Meanwhile::Nothing {
            return Err(Going::at(0, SessionError::CannotStream { device: self.device.name() }));
        }
        let mut going = Going::default();
        let result = self.stream_all(stream, samples.into_iter(), limit, &mut going, &mut each);
        match result {
            Ok(finished) => {
                let counts = self.read_counts().map_err(|error| Going::at(going.read, error))?;
                Ok(Streamed { samples: going.read as usize, finished, counts })
            }
            Err(error) => {
                // The first error is the one to be told of, also where the device cannot be reached any more.
                let _ = self.device.halt();
                let _ = self.rescue(stream, &mut going, &error, &mut each);
                Err(error)
            }
        }
    }

    fn stream_all<'a>(
        &mut self,
        stream: Stream,
        mut samples: impl Iterator<Item = &'a [Spike]>,
        limit: Limit,
        going: &mut Going,
        each: &mut impl FnMut(usize, Run),
    ) -> Result<Finished, SampleError> {
        let places = self.manifest.batch.samples;
        // A manifest with a stream has been checked to have it.
        let count = self.manifest.batch.count.ok_or_else(|| Going::at(0, SessionError::NoStream))?;
        for (address, word) in [(count, UNKNOWN), (stream.ready, 0), (stream.done, 0)] {
            self.write_word(address, word).map_err(|error| Going::at(0, error))?;
        }
        self.start().map_err(|error| Going::at(0, error))?;
        let mut more = true;
        // What is wrong with a sample is told when those before it are done.
        let mut refused = None;
        loop {
            if more && going.provided - going.read < places {
                match samples.next() {
                    Some(spikes) => match self.provide(stream, spikes, going) {
                        Ok(()) => {}
                        Err(error) => refused = Some(Going::at(going.provided, error)),
                    },
                    None => more = false,
                }
                more &= refused.is_none();
                if !more && going.ended.is_none() {
                    self.write_word(count, going.provided).map_err(|error| Going::at(going.done, error))?;
                }
            }
            if going.read < going.done {
                let run = self.read_place(going.read).map_err(|error| Going::at(going.read, error))?;
                each(going.read as usize, run);
                going.read += 1;
                continue;
            }
            if more && going.provided - going.read < places {
                continue;
            }
            if going.read == going.provided && !more {
                break;
            }
            self.await_sample(stream, limit, going)?;
        }
        if let Some(error) = refused {
            return Err(error);
        }
        match going.ended {
            Some(finished) => Ok(finished),
            None => self.device.wait(limit).map_err(|error| Going::at(going.done.saturating_sub(1), error)),
        }
    }

    /// Writes a sample into its place, and then says that it is there.
    fn provide(&mut self, stream: Stream, spikes: &[Spike], going: &mut Going) -> Result<(), SessionError> {
        self.check(spikes)?;
        let most = UNKNOWN - 1;
        if going.provided == most {
            return Err(SessionError::Samples { samples: most as usize + 1, most });
        }
        self.write_places(&[spikes], going.provided % self.manifest.batch.samples)?;
        self.write_word(stream.ready, going.provided + 1)?;
        going.provided += 1;
        Ok(())
    }

    /// Waits until another sample is done.
    fn await_sample(&mut self, stream: Stream, limit: Limit, going: &mut Going) -> Result<(), SampleError> {
        if going.ended.is_some() {
            let source = SessionError::EndedEarly { done: going.done, provided: going.provided };
            return Err(Going::at(going.done, source));
        }
        match self.device.watch(stream.done, going.done, limit) {
            Ok(Watched::Changed(word)) => Self::believe(word, going),
            Ok(Watched::Ended(finished)) => {
                going.ended = Some(finished);
                self.look(stream, going)
            }
            // Which one it was is found out by what has been done before.
            Err(error) => {
                let _ = self.look(stream, going);
                Err(Going::at(going.done, error))
            }
        }
    }

    /// Reads how many samples are done.
    fn look(&mut self, stream: Stream, going: &mut Going) -> Result<(), SampleError> {
        let mut word = [0; 4];
        let read = self.device.read(Space::Scalar, stream.done, &mut word);
        read.map_err(|error| Going::at(going.done, error))?;
        Self::believe(u32::from_le_bytes(word), going)
    }

    /// So many samples are done, if that can be.
    fn believe(found: u32, going: &mut Going) -> Result<(), SampleError> {
        if !(going.done..=going.provided).contains(&found) {
            let source = SessionError::Handshake { found, done: going.done, provided: going.provided };
            return Err(Going::at(going.done, source));
        }
        going.done = found;
        Ok(())
    }

    /// The run whose results are in the place of `sample`.
    fn read_place(&mut self, sample: u32) -> Result<Run, SessionError> {
        let place = sample % self.manifest.batch.samples;
        let finished = match self.manifest.batch.marks {
            Some(marks) => counters::of_place(&mut self.device, marks, place)?,
            None => Finished::default(),
        };
        self.read_run(finished, place)
    }

    /// Reads the results of what was done before the sample that failed.
    fn rescue(
        &mut self,
        stream: Stream,
        going: &mut Going,
        error: &SampleError,
        each: &mut impl FnMut(usize, Run),
    ) -> Result<(), SampleError> {
        self.look(stream, going)?;
        while going.read < going.done && (going.read as usize) < error.sample {
            let run = self.read_place(going.read).map_err(|error| Going::at(going.read, error))?;
            each(going.read as usize, run);
            going.read += 1;
        }
        Ok(())
    }
}
