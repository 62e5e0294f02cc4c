//! Words at random, executed from states at random: whatever a machine is given, it stops as the manual says.
//!
//! Contract: a machine of random size, with random contents, is given random words, most of them instructions, and executes
//! each one from a random place in its registers' space; then it runs on from wherever it is. Every trap must be one that
//! the manual lists for that instruction on that kind of machine, must have changed no register, and `x0` stays 0. A panic
//! is caught and counted. Everything comes from the seed.

use std::panic::{AssertUnwindSafe, catch_unwind};

use fenn_isa::csr::CSRS;
use fenn_isa::exception::{Exception, Raised};
use fenn_isa::image::{Image, Segment};
use fenn_isa::memory::{MachineConfig, Space};
use fenn_isa::timing::PROFILES;
use fenn_isa::{Inst, SPECS};
use fenn_iss::dma::{Direction, Transfer};
use fenn_iss::timing::Retired;
use fenn_iss::{Access, Limits, Machine, Observer, Options, State, Stop, Trap};
use rand_pcg::Pcg32;
use rand_pcg::rand_core::{Rng, SeedableRng};

use crate::random::{below, one};

/// Words that a machine is given at a time.
const WORDS: usize = 64;
/// Steps that it then runs on.
const FREE_STEPS: u64 = 128;
/// Times that one machine is used.
const USES: u32 = 64;

/// What became of the words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    /// Words generated, each executed from a random state.
    pub words: u64,
    /// Steps besides: running on from there.
    pub steps: u64,
    /// Instructions retired.
    pub retired: u64,
    /// Traps, by their code.
    pub traps: [u64; 8],
    /// Of them those that entered a handler.
    pub handled: u64,
    /// DMA transfers that ended.
    pub transfers: u64,
    /// Rows that have been retired at least once.
    pub rows: usize,
    /// Panics, and what is not as the manual says; the first few.
    pub faults: Vec<String>,
    /// How many there were.
    pub faulty: u64,
    seen: Vec<bool>,
}

impl Survey {
    fn fault(&mut self, text: String) {
        self.faulty += 1;
        if self.faults.len() < 10 {
            self.faults.push(text);
        }
    }
}

/// Checks what happens.
struct Watcher<'a> {
    survey: &'a mut Survey,
    options: Options,
    trapped: bool,
}

impl Observer for Watcher<'_> {
    fn retire(&mut self, retired: &Retired, state: &State) {
        self.survey.retired += 1;
        self.survey.seen[retired.inst.op() as usize] = true;
        if state.all_x()[0] != 0 {
            self.survey.fault(format!("x0 is not 0 after `{}`", retired.inst));
        }
    }

    fn access(&mut self, _access: &Access) {}

    fn transfer(&mut self, _transfer: &Transfer) {
        self.survey.transfers += 1;
    }

    fn trap(&mut self, trap: &Trap) {
        self.trapped = true;
        let exception = trap.cause.exception();
        self.survey.traps[exception.code() as usize & 7] += 1;
        if !is_listed(trap, self.options.strict) {
            self.survey.fault(format!("{exception:?} is not listed where it was raised: {trap}"));
        }
    }
}

/// Whether the manual lists the trap's exception for its instruction.
fn is_listed(trap: &Trap, strict: bool) -> bool {
    let exception = trap.cause.exception();
    let Some(word) = trap.word else {
        return matches!(exception, Exception::FetchFault | Exception::FetchMisaligned);
    };
    let Some(inst) = Inst::decode(word) else { return exception == Exception::Illegal };
    let raised = Raised::by(inst.op());
    raised.always.contains(&exception) || strict && raised.strict.contains(&exception)
}

/// Executes `words` random words on machines of every kind.
pub fn survey(words: u64, seed: u64) -> Survey {
    let mut source = Pcg32::seed_from_u64(seed);
    let mut survey = Survey { seen: vec![false; SPECS.len()], ..Survey::default() };
    while survey.words < words {
        let case = survey.words;
        let copy = source.clone();
        let result = catch_unwind(AssertUnwindSafe(|| one_machine(&mut source, &mut survey, words)));
        if let Err(panic) = result {
            let said = panic.downcast_ref::<String>().map(String::as_str);
            let said = said.or(panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
            survey.fault(format!("panic in the machine from word {case} of seed {seed} on: {said}"));
            // From another place, lest it be the same for ever.
            source = copy;
            source.next_u32();
            survey.words += 1;
        }
    }
    survey.rows = survey.seen.iter().filter(|seen| **seen).count();
    survey
}

/// Makes a machine and uses it up.
fn one_machine(source: &mut Pcg32, survey: &mut Survey, most: u64) {
    let strict = below(source, 2) == 0;
    let options =
        Options { strict, profile: *PROFILES[below(source, PROFILES.len() as u32) as usize], ..Options::default() };
    let config = MachineConfig {
        // A few words are left where nothing was written.
        instruction_bytes: 4 * (WORDS as u32 + below(source, 8)),
        scalar_bytes: 4 * (1 + below(source, 64)),
        vector_bytes: 64 * (1 + below(source, 16)),
        lane_local_bytes: 2 << below(source, 8),
        dram_bytes: 64 * (1 + below(source, 64)),
    };
    let ready_flag = (below(source, 4) == 0).then(|| 4 * below(source, config.scalar_bytes / 4));
    let contents = [Space::Scalar, Space::Vector, Space::LaneLocal, Space::Dram].map(|space| {
        let bytes = (0..config.bytes(space)).map(|_| source.next_u32() as u8).collect();
        Segment::new(space, 0, bytes)
    });
    let image = Image { config, segments: contents.into(), ready_flag, ..Image::default() };
    let mut machine = match Machine::from_image(&image, options) {
        Ok(machine) => machine,
        Err(error) => return survey.fault(format!("no machine: {error}")),
    };
    for _ in 0..USES {
        if survey.words >= most {
            break;
        }
        one_use(source, survey, &mut machine, options);
    }
}

/// New words, each executed once; then a run.
fn one_use(source: &mut Pcg32, survey: &mut Survey, machine: &mut Machine, options: Options) {
    let bytes: Vec<u8> = (0..WORDS).flat_map(|_| word(source).to_le_bytes()).collect();
    if let Err(error) = machine.write(Space::Instruction, 0, &bytes) {
        return survey.fault(format!("words cannot be written: {error}"));
    }
    machine.reset();
    for index in 0..WORDS {
        if index % 8 == 0 {
            scramble(source, machine);
        }
        machine.state_mut().pc = 4 * index as u32;
        survey.words += 1;
        run(survey, machine, options, 1);
    }
    // From anywhere, outside and misaligned included.
    machine.state_mut().pc = below(source, 4 * WORDS as u32 + 16) & if below(source, 8) == 0 { !0 } else { !3 };
    survey.steps += FREE_STEPS;
    run(survey, machine, options, FREE_STEPS);
}

fn run(survey: &mut Survey, machine: &mut Machine, options: Options, steps: u64) {
    let before = (steps == 1).then(|| (*machine.state().all_x(), machine.state().pc));
    let mut watcher = Watcher { survey, options, trapped: false };
    let outcome = machine.run(Limits { instructions: Some(steps), ..Limits::NONE }, &mut watcher);
    let trapped = watcher.trapped;
    let state = machine.state();
    survey.handled += u64::from(trapped && matches!(outcome.stop, Stop::InstructionLimit { .. }));
    if let (true, Some((x, _))) = (trapped, before)
        && x != *state.all_x()
    {
        survey.fault(format!("a trap changed a register: {}", outcome.stop));
    }
    match outcome.stop {
        Stop::InstructionLimit { pc } if pc != state.pc => survey.fault("the limit's pc is another".to_owned()),
        Stop::Trap(trap) if trap.pc != state.pc => survey.fault(format!("pc is {:#x} after {trap}", state.pc)),
        Stop::Trap(trap) if !trapped => survey.fault(format!("nobody was told of {trap}")),
        Stop::Ecall { pc } | Stop::Ebreak { pc } if pc != state.pc => {
            survey.fault(format!("{} elsewhere", outcome.stop))
        }
        _ => {}
    }
}

/// A word: an instruction of any row more often than not, or noise.
fn word(source: &mut Pcg32) -> u32 {
    let bits = source.next_u32();
    if below(source, 8) == 0 {
        return bits;
    }
    let spec = &SPECS[below(source, SPECS.len() as u32) as usize];
    let mut word = bits & !spec.layout.mask | spec.layout.value;
    for operand in spec.operands().filter(|operand| operand.name == "csr" || operand.name == "imm") {
        let value = match operand.name {
            // One that there is; one in four is anything.
            "csr" if below(source, 4) > 0 => u32::from(CSRS[below(source, CSRS.len() as u32) as usize].address),
            // A multiple of 64, so that vectors are found.
            "imm" if spec.mnemonic().starts_with('v') && below(source, 2) == 0 => bits >> 20 & 0xfc0,
            _ => continue,
        };
        word = word & !operand.field.insert(u32::MAX) | operand.field.insert(value);
    }
    word
}

/// A random state: registers, generators, CSRs and the DMA engine's registers.
fn scramble(source: &mut Pcg32, machine: &mut Machine) {
    let config = *machine.config();
    let code = config.instruction_bytes;
    let sizes = [code, config.scalar_bytes, config.vector_bytes, config.dram_bytes];
    let number = |source: &mut Pcg32| match below(source, 5) {
        0 => source.next_u32(),
        1 => one(source, &[0, 1, u32::MAX, 1 << 31, i32::MAX as u32]),
        // Around the ends of the memories.
        2 => one(source, &sizes).wrapping_add(below(source, 9)).wrapping_sub(4),
        3 => 64 * below(source, 20),
        _ => below(source, 2048),
    };
    let state = machine.state_mut();
    for register in 1..32 {
        if let Some(register) = fenn_isa::operand::XReg::new(register) {
            state.set_x(register, number(source));
        }
    }
    for register in &mut state.v {
        // Small numbers, so that lanes address something; negative ones, so that some take no part; or anything.
        let mask = one(source, &[0xffff, 0x7ff, 0x803f]);
        register.0 = core::array::from_fn(|_| (source.next_u32() as u16 & mask) as i16);
    }
    state.generators.s0 = core::array::from_fn(|_| source.next_u32() as u16);
    state.generators.s1 = core::array::from_fn(|_| source.next_u32() as u16);
    let csrs = &mut state.csrs;
    csrs.mtvec = if below(source, 2) == 0 { 0 } else { below(source, code + 16) & !3 };
    csrs.mepc = number(source) & !3;
    csrs.mstatus = 0x1800 | source.next_u32() & 0x88;
    csrs.mcountinhibit = source.next_u32() & 5;
    (csrs.mscratch, csrs.mcause, csrs.mtval) = (number(source), number(source), number(source));
    csrs.mcycle = u64::MAX - u64::from(below(source, 64));
    csrs.minstret = u64::MAX - u64::from(below(source, 64));
    for direction in Direction::ALL {
        let channel = state.dma.channel_mut(direction);
        (channel.source, channel.destination, channel.count) = (number(source), number(source), number(source));
        if below(source, 2) == 0 {
            (channel.source, channel.destination) = (64 * below(source, 4), 64 * below(source, 4));
            channel.count = 64 * (1 + below(source, 4));
        }
    }
}
