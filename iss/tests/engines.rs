//! The fast engine is the reference, bit for bit: registers, memories, generators, CSRs, DMA, clock, stall table, branch
//! target buffer and the way a run ends.
//!
//! A difference names its seed; `FENN_SEED=n cargo test -p fenn-iss --test engines` shows that program.

mod support;

use fenn_isa::memory::Space;
use fenn_iss::{Engine, Host, Limits, Machine, Outcome, Stop};
use support::program::Program;

/// How many programs.
const PROGRAMS: u64 = 10_000;

/// The first thing in which two machines differ.
fn difference(a: &Machine, b: &Machine) -> Option<String> {
    let (left, right) = (a.state(), b.state());
    if left != right {
        let mut parts = Vec::new();
        if left.pc != right.pc {
            parts.push(format!("pc {:#x} {:#x}", left.pc, right.pc));
        }
        for index in 0..32 {
            if left.all_x()[index] != right.all_x()[index] {
                parts.push(format!("x{index} {:#x} {:#x}", left.all_x()[index], right.all_x()[index]));
            }
            if left.v[index] != right.v[index] {
                parts.push(format!("v{index} {:?} {:?}", left.v[index].0, right.v[index].0));
            }
        }
        if left.generators != right.generators {
            parts.push("generators".to_owned());
        }
        if left.csrs != right.csrs {
            parts.push(format!("CSRs {:?} {:?}", left.csrs, right.csrs));
        }
        if left.dma != right.dma {
            parts.push(format!("DMA {:?} {:?}", left.dma, right.dma));
        }
        parts.push(format!("cycles {} {}", left.cycles, right.cycles));
        parts.push(format!("retired {} {}", left.retired, right.retired));
        return Some(parts.join("; "));
    }
    if a.memory() != b.memory() {
        let bytes = |machine: &Machine, space| machine.read_bytes(space, 0, machine.config().bytes(space)).unwrap();
        let spaces: Vec<_> = Space::ALL.into_iter().filter(|space| bytes(a, *space) != bytes(b, *space)).collect();
        return Some(format!("{spaces:?}"));
    }
    if a.stalls() != b.stalls() {
        let tables = a.stalls().iter().zip(b.stalls().iter()).filter(|(left, right)| left != right);
        return Some(format!("stalls {:?}", tables.collect::<Vec<_>>()));
    }
    let clock = left.cycles;
    let (left, right): (Vec<_>, Vec<_>) = (a.timing().pending(clock).collect(), b.timing().pending(clock).collect());
    if left != right {
        return Some(format!("pending {left:?} {right:?}"));
    }
    let buffer = |machine: &Machine| -> Vec<u32> {
        (0..machine.config().instruction_bytes).step_by(4).filter(|pc| machine.timing().foresees(*pc)).collect()
    };
    (buffer(a) != buffer(b)).then(|| format!("branch target buffer {:x?} {:x?}", buffer(a), buffer(b)))
}

/// What is different about this program, if anything; and how it ended.
fn compare(seed: u64, host: Host) -> Result<Vec<Outcome>, String> {
    let program = Program::new(seed);
    let (mut fast, mut reference) = (program.machine(Engine::Fast), program.machine(Engine::Reference));
    assert!(fast.set_host(host), "this host has {}", host.name());
    let mut outcomes = Vec::new();
    for limit in &program.limits {
        let limits = Limits { instructions: Some(*limit), ..Limits::default() };
        let (ours, theirs) = (fast.run(limits, &mut ()), reference.run(limits, &mut ()));
        let differ = if ours == theirs { difference(&fast, &reference) } else { Some(format!("{ours:?} {theirs:?}")) };
        if let Some(differ) = differ {
            return Err(format!("run {}: {differ}", outcomes.len()));
        }
        outcomes.push(ours);
        if ours.stop.is_end() && outcomes.len() > 1 {
            // Once more from the begin, with what memories and the buffer hold now.
            [&mut fast, &mut reference].into_iter().for_each(|machine| machine.state_mut().pc = 0);
        }
    }
    Ok(outcomes)
}

#[test]
fn random_programs_come_out_the_same() {
    let hosts: Vec<Host> = Host::ALL.into_iter().filter(|host| host.is_here()).collect();
    if let Some(seed) = std::env::var("FENN_SEED").ok().and_then(|text| text.parse().ok()) {
        let program = Program::new(seed);
        let results: Vec<_> = hosts.iter().map(|host| (host, compare(seed, *host))).collect();
        panic!("{}\n{:?}\nlimits {:?}\n{results:?}", program.listing(), program.profile, program.limits);
    }
    let (mut ends, mut limits, mut traps, mut instructions) = (0, 0, 0, 0);
    for seed in 0..PROGRAMS {
        // The best most often.
        let host = if seed % 2 == 0 { Host::best() } else { hosts[seed as usize / 2 % hosts.len()] };
        let outcomes =
            compare(seed, host).unwrap_or_else(|differ| panic!("FENN_SEED={seed}, {}: {differ}", host.name()));
        for outcome in outcomes {
            instructions += outcome.instructions;
            match outcome.stop {
                Stop::InstructionLimit { .. } => limits += 1,
                Stop::Trap(_) => traps += 1,
                _ => ends += 1,
            }
        }
    }
    // Programs that all end at once would compare nothing.
    assert!(ends > PROGRAMS / 5 && limits > PROGRAMS / 5 && traps > PROGRAMS / 20, "{ends} {limits} {traps}");
    assert!(instructions > 200 * PROGRAMS, "{instructions}");
    eprintln!("{PROGRAMS} random programs came out the same");
}
