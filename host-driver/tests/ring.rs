//! Samples handed over while a program runs, to a program written by hand after the manifest's documentation: results, costs, who
//! waits for whom, and what goes wrong on the way.

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use fenn_host::card::Card;
use fenn_host::dataset::{Dataset, Spike};
use fenn_host::device::{Device, Limit, Meanwhile};
use fenn_host::error::{DeviceError, EvaluateError, SampleError, SessionError};
use fenn_host::evaluate::{Delivery, Evaluation, Options as Evaluate, Sample, WhyNot, evaluate};
use fenn_host::session::{Run, Session, Streamed};
use fenn_host::sim::Simulator;
use fenn_host::transport::sim::{Options, SimulatedCard};
use fenn_host::transport::{Capabilities, Deadline, Transport, TransportError};
use fenn_isa::image::Image;
use fenn_isa::memory::Space;
use fenn_isa::soc::window;
use proptest::prelude::*;
use support::faulty::{Fault, Faulty, Switch};
use support::{PLACES, STREAMED_RUN, UNITS, counts, image_of_batch, image_of_stream, samples};

const LIMIT: Limit = Limit { instructions: 100_000, time: Duration::from_secs(60) };

fn options(cores: u32) -> Options {
    Options { cores, dram_bytes: u64::from(cores) << 16, slice: 10, ..Options::default() }
}

fn card(options: Options) -> Card<SimulatedCard> {
    Card::open(SimulatedCard::new(options).unwrap()).unwrap()
}

/// Streams the samples, and expects that each is told of once and in order.
fn stream<D: Device>(session: &mut Session<D>, samples: &[Vec<Spike>]) -> (Result<Streamed, SampleError>, Vec<Run>) {
    let mut runs = Vec::new();
    let result = session.stream(samples.iter().map(Vec::as_slice), LIMIT, |sample, run| {
        assert_eq!(sample, runs.len(), "in order");
        runs.push(run);
    });
    (result, runs)
}

/// Whether these are the results of the samples.
fn check(runs: &[Run], samples: &[Vec<Spike>]) {
    assert_eq!(runs.len(), samples.len());
    for (index, (run, sample)) in runs.iter().zip(samples).enumerate() {
        assert_eq!(run.outputs[0].codes, counts(sample), "sample {index}");
        assert_eq!(run.finished.instructions, STREAMED_RUN, "sample {index}");
    }
}

#[test]
fn any_number_of_samples_goes_through_the_ring() {
    let all = samples(23);
    for (slice, interrupts, alignment) in [(1, true, 4), (10, false, 4), (10_000, true, 64), (50, true, 1)] {
        let card = card(Options { slice, interrupts, alignment, ..options(1) });
        let mut session = Session::open(card.core(0).unwrap(), &image_of_stream(&[], &[])).unwrap();
        assert_eq!(session.streams(), Some(Meanwhile::Overlapped));
        for count in [0, 1, 2, PLACES as usize, 5, 8, 23] {
            let (result, runs) = stream(&mut session, &all[..count]);
            let streamed = result.unwrap();
            assert_eq!(streamed.samples, count);
            assert!(streamed.finished.instructions >= count as u64 * STREAMED_RUN);
            check(&runs, &all[..count]);
        }
        // Launches are as ever, before and after.
        let some: Vec<&[Spike]> = all[..3].iter().map(Vec::as_slice).collect();
        let launch = session.launch(&some, LIMIT).unwrap();
        check(&launch.runs, &all[..3]);
        assert_eq!(stream(&mut session, &all[..6]).0.unwrap().samples, 6);
    }
}

#[test]
fn the_simulator_takes_turns() {
    let all = samples(11);
    let image = image_of_stream(&[], &[]);
    let mut session = Session::open(Simulator::new(image.config).unwrap(), &image).unwrap();
    assert_eq!(session.streams(), Some(Meanwhile::Stepwise));
    let (result, runs) = stream(&mut session, &all);
    assert_eq!(result.unwrap().samples, 11);
    check(&runs, &all);
}

/// A card that goes on by some instructions before each access, and notes whether the host keeps to its side.
struct Watchful {
    card: SimulatedCard,
    state: u32,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    ready: u32,
    /// Samples whose outputs have been read.
    read: u32,
    wrong: Vec<String>,
}

impl Watchful {
    fn word(&mut self, address: u64) -> u32 {
        let mut word = [0; 4];
        self.card.read(window(Space::Scalar, 0) + address, &mut word, Deadline::after(LIMIT.time)).unwrap();
        u32::from_le_bytes(word)
    }

    fn go_on(&mut self) {
        self.state = self.state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        self.card.advance(u64::from(self.state >> 25));
    }
}

impl Transport for Watchful {
    fn name(&self) -> String {
        "watchful".to_owned()
    }

    fn capabilities(&self) -> Capabilities {
        self.card.capabilities()
    }

    fn read_register(&mut self, offset: u32) -> Result<u32, TransportError> {
        self.card.read_register(offset)
    }

    fn write_register(&mut self, offset: u32, value: u32) -> Result<(), TransportError> {
        self.card.write_register(offset, value)
    }

    fn read(&mut self, address: u64, out: &mut [u8], deadline: Deadline) -> Result<(), TransportError> {
        self.go_on();
        // Outputs are 16 bytes at 0x100 for each place.
        if let Some(place @ 0x100..0x140) = address.checked_sub(window(Space::Scalar, 0)) {
            let done = self.word(0x280);
            let mut seen = self.seen.lock().unwrap();
            let sample = seen.read;
            if (place - 0x100) / 16 != u64::from(sample % PLACES) || sample >= done {
                seen.wrong.push(format!("read {place:#x} with {done} done and {sample} read"));
            }
            seen.read += 1;
        }
        self.card.read(address, out, deadline)
    }

    fn write(&mut self, address: u64, bytes: &[u8], deadline: Deadline) -> Result<(), TransportError> {
        self.go_on();
        match address.checked_sub(window(Space::Scalar, 0)) {
            Some(0x204) => {
                let ready = u32::from_le_bytes(bytes.try_into().unwrap());
                let mut seen = self.seen.lock().unwrap();
                let before = seen.ready;
                if ready != 0 && ready != before + 1 {
                    seen.wrong.push(format!("{ready} provided after {before}"));
                }
                seen.ready = ready;
            }
            // Inputs are 16 bytes for each place, at 0 and 0x40, once the program has been loaded.
            Some(place @ 0..0x80) if bytes.len() == 16 => {
                let mut seen = self.seen.lock().unwrap();
                let (sample, read) = (seen.ready, seen.read);
                if place % 64 / 16 != u64::from(sample % PLACES) || sample - read >= PLACES {
                    seen.wrong.push(format!("wrote {place:#x} with {sample} provided and {read} read"));
                }
            }
            _ => {}
        }
        self.card.write(address, bytes, deadline)
    }

    fn wait_event(&mut self, core: u32, deadline: Deadline) -> Result<(), TransportError> {
        self.card.wait_event(core, deadline)
    }

    fn recover(&mut self) -> Result<(), TransportError> {
        self.card.recover()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// However fast the program is beside the host: nothing is written that is not free, nor read that is not there.
    #[test]
    fn neither_runs_ahead_of_the_other(state: u32, slice in 1u64..400, count in 0usize..40) {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let card = SimulatedCard::new(Options { slice, ..options(1) }).unwrap();
        let card = Card::open(Watchful { card, state, seen: seen.clone() }).unwrap();
        let mut session = Session::open(card.core(0).unwrap(), &image_of_stream(&[], &[])).unwrap();
        let all = samples(count);
        let (result, runs) = stream(&mut session, &all);
        prop_assert_eq!(result.unwrap().samples, count);
        check(&runs, &all);
        let seen = seen.lock().unwrap();
        prop_assert!(seen.wrong.is_empty(), "{:?}", seen.wrong);
        prop_assert_eq!((seen.ready, seen.read), (count as u32, count as u32));
    }
}

/// Behind waiting for sample 5: these lines.
fn at_sample_5(lines: &[&str]) -> Image {
    let skip = format!("bne s2, t6, .+{}", 4 * (lines.len() + 1));
    let before: Vec<&str> = [&["addi t6, zero, 5", &skip][..], lines].concat();
    image_of_stream(&before, &[])
}

/// What goes wrong in the middle is that sample's, with the right reason; those before it have their results, and the card works
/// again when its program has been loaded again.
#[test]
fn what_goes_wrong_in_the_middle_is_told_with_its_sample() {
    type Expected = fn(&SessionError) -> bool;
    let cases: [(&str, Image, Expected); 5] = [
        ("a breakpoint", at_sample_5(&["ebreak"]), |error| {
            matches!(error, SessionError::Device(DeviceError::Breakpoint { .. }))
        }),
        ("a fault", at_sample_5(&["lui t6, 0x80000", "lw t6, 0(t6)"]), |error| {
            matches!(error, SessionError::Device(DeviceError::Fault { .. }))
        }),
        ("a hang", at_sample_5(&["jal zero, .+0"]), |error| {
            matches!(error, SessionError::Device(DeviceError::Limit { .. }))
        }),
        ("an early end", at_sample_5(&["ecall"]), |error| {
            matches!(error, SessionError::EndedEarly { done: 5, provided: 5.. })
        }),
        // Sample 5 is done, says the program, and 100 more.
        ("nonsense", image_of_stream(&[], &["addi t6, zero, 6", "bne s2, t6, .+8", "addi s2, s2, 100"]), |error| {
            matches!(error, SessionError::Handshake { found: 106, .. })
        }),
    ];
    let all = samples(13);
    for (what, image, expected) in cases {
        let card = card(options(1));
        let mut session = Session::open(card.core(0).unwrap(), &image).unwrap();
        let (result, runs) = stream(&mut session, &all);
        let error = result.unwrap_err();
        assert_eq!(error.sample, 5, "{what}: {error}");
        assert!(expected(&error.source), "{what}: {error}");
        check(&runs, &all[..5]);
        assert!(!session.device().state().unwrap().running, "{what}");
        card.recover().unwrap();
        drop(session);
        let mut session = Session::open(card.core(0).unwrap(), &image_of_stream(&[], &[])).unwrap();
        let (result, runs) = stream(&mut session, &all);
        assert_eq!(result.unwrap().samples, 13, "{what}");
        check(&runs, &all);
        // And as a part of an evaluation.
        drop(session);
        let dataset = Dataset::new(all.clone(), None);
        let evaluated = evaluate(&image, &dataset, || Ok(card.core(0)?), limited(Evaluate::default()), |_| ());
        assert!(matches!(evaluated, Err(EvaluateError::Sample { sample: 5, .. })), "{what}");
    }
}

fn limited(options: Evaluate) -> Evaluate {
    Evaluate { limit: LIMIT, ..options }
}

#[test]
fn a_sample_that_does_not_fit_is_told_when_those_before_it_are_done() {
    let mut all = samples(9);
    all[6] = vec![Spike { step: 0, unit: UNITS }];
    let card = card(options(1));
    let mut session = Session::open(card.core(0).unwrap(), &image_of_stream(&[], &[])).unwrap();
    let (result, runs) = stream(&mut session, &all);
    let error = result.unwrap_err();
    assert!(matches!(error, SampleError { sample: 6, source: SessionError::Spike { .. } }), "{error}");
    check(&runs, &all[..6]);
    assert!(!session.device().state().unwrap().running);
    // Nothing is wrong with the program.
    assert_eq!(stream(&mut session, &all[..6]).0.unwrap().samples, 6);
}

/// The way to the card fails at any of the calls: the error is the way's, and what has been told of is right.
#[test]
fn a_way_that_fails_ends_the_stream() {
    let all = samples(13);
    let image = image_of_stream(&[], &[]);
    let open = || -> (Card<Faulty>, Switch) {
        let faulty = Faulty::new(SimulatedCard::new(options(1)).unwrap(), Fault::Nothing);
        let switch = faulty.switch();
        (Card::open(faulty).unwrap(), switch)
    };
    let gone = TransportError::Gone { name: "card".to_owned(), what: "nothing answers".to_owned() };
    let mut failed = 0;
    for calls in (0..400).step_by(7) {
        let (card, switch) = open();
        let mut session = Session::open(card.core(0).unwrap(), &image).unwrap();
        switch.fail_after(calls, gone.clone());
        let (result, runs) = stream(&mut session, &all);
        switch.mend();
        if let Err(error) = result {
            assert_eq!(error.source, SessionError::Device(DeviceError::Transport(gone.clone())), "{error}");
            assert!(error.sample >= runs.len() && error.sample < all.len(), "{error} after {}", runs.len());
            failed += 1;
        }
        let told = runs.len();
        check(&runs, &all[..told]);
        drop(session);
        card.recover().unwrap();
        let mut session = Session::open(card.core(0).unwrap(), &image).unwrap();
        check(&stream(&mut session, &all).1, &all);
    }
    assert!(failed > 10, "{failed} of them failed");
}

/// A program whose host is gone waits for it, and can be halted; or is when its core is given back.
#[test]
fn a_program_that_waits_for_nobody_can_be_halted() {
    let card = card(options(1));
    let image = image_of_stream(&[], &[]);
    let mut core = card.core(0).unwrap();
    for dropped in [false, true] {
        core.load(&image).unwrap();
        core.write(Space::Scalar, 0x200, &u32::MAX.to_le_bytes()).unwrap();
        core.start(0).unwrap();
        let few = Limit { instructions: 1000, ..LIMIT };
        assert!(matches!(core.wait(few), Err(DeviceError::Limit { .. })));
        assert!(matches!(core.watch(0x280, 0, few), Err(DeviceError::Limit { .. })));
        assert!(core.state().unwrap().running);
        if dropped {
            drop(core);
            assert!(!card.state(0).unwrap().running);
            break;
        }
        core.halt().unwrap();
        assert!(!core.state().unwrap().running);
        assert!(matches!(core.watch(0x280, 0, few), Err(DeviceError::NotRunning)));
    }
}

#[test]
fn who_cannot_stream_says_so() {
    let all = samples(3);
    let without = card(options(1));
    let mut session =
        Session::open(without.core(0).unwrap(), &image_of_batch(fenn_isa::image::manifest::Readout::Last));
    let session = session.as_mut().unwrap();
    assert_eq!(session.streams(), None);
    assert_eq!(stream(session, &all).0.unwrap_err().source, SessionError::NoStream);
    // Where a write takes more with it than the program keeps free.
    let coarse = card(Options { alignment: 128, ..options(1) });
    let mut session = Session::open(coarse.core(0).unwrap(), &image_of_stream(&[], &[])).unwrap();
    assert_eq!(session.streams(), Some(Meanwhile::Nothing));
    assert!(matches!(stream(&mut session, &all).0.unwrap_err().source, SessionError::CannotStream { .. }));
}

#[test]
fn evaluations_are_the_same_streamed_or_not() {
    let all = samples(29);
    let labels: Vec<u32> = (0..29).map(|index| index % UNITS).collect();
    let dataset = Dataset::new(all, Some(labels));
    let image = image_of_stream(&[], &[]);
    let launched = evaluate(&image, &dataset, || Simulator::new(image.config), Evaluate::default(), |_| ()).unwrap();
    assert_eq!((launched.delivery, launched.batch), (Delivery::NotStreamed(WhyNot::Device), PLACES as usize));
    for (cores, jobs) in [(1, 1), (3, 2), (3, 3)] {
        let with = |options: Evaluate| {
            let card = card(self::options(cores));
            let next = std::sync::atomic::AtomicU32::new(0);
            let open = || Ok(card.core(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed))?);
            evaluate(&image, &dataset, open, Evaluate { jobs, ..options }, |_| ()).unwrap()
        };
        let streamed = with(Evaluate::default());
        assert_eq!((streamed.delivery, streamed.jobs), (Delivery::Streamed, jobs));
        // A core's first runs take some cycles more, and which they are is chance.
        let same = |of: &Evaluation| -> Vec<_> {
            let one = |sample: &Sample| (sample.class, sample.codes.clone(), sample.finished.instructions);
            of.samples.iter().map(one).collect()
        };
        assert_eq!((same(&streamed), &streamed.score), (same(&launched), &launched.score));
        assert!(streamed.launches.instructions >= 29 * STREAMED_RUN);
        for (options, why) in [
            (Evaluate { batch: Some(2), ..Evaluate::default() }, WhyNot::Batch),
            (Evaluate { record: true, ..Evaluate::default() }, WhyNot::Recordings),
            (Evaluate { capture: Some(4), ..Evaluate::default() }, WhyNot::Recordings),
        ] {
            let other = with(options);
            assert_eq!(other.delivery, Delivery::NotStreamed(why));
            assert_eq!(other.score, launched.score);
        }
    }
}
