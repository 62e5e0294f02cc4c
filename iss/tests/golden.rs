//! The 862 executions of single vector instructions recorded on the published simulator (`vector_ops.jsonl`, see the
//! data's README) come out the same here: registers, memories, generators and traps.
//!
//! A record gives what the instruction read and wrote. Everything it does not mention is filled with other numbers
//! first, and must not change. Records of a trap are compared in strict mode; without it, the same instruction wraps.

mod support;

use std::collections::BTreeMap;
use std::path::PathBuf;

use fenn_isa::Inst;
use fenn_isa::memory::{LANES, MachineConfig, Space};
use fenn_iss::state::Vector;
use fenn_iss::{Machine, Options, Stop};
use serde::Deserialize;
use support::{bytes, lanes, v, x};

const RECORDS: usize = 862;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    inst: String,
    op: String,
    /// For people. A record "chained from previous record" has its whole state in `pre` like any other; the file is not
    /// in the order of recording.
    #[serde(rename = "note")]
    _note: Option<String>,
    #[serde(default, rename = "oddity")]
    _oddity: bool,
    pre: Part,
    post: Part,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    #[serde(default)]
    v: BTreeMap<String, [i16; LANES]>,
    #[serde(default)]
    x: BTreeMap<String, u32>,
    s0: Option<[i16; LANES]>,
    s1: Option<[i16; LANES]>,
    vmem: Option<VectorAt>,
    /// For each lane that takes part, byte address and value.
    llm: Option<[Option<(u32, i16)>; LANES]>,
    exception: Option<String>,
    context: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct VectorAt {
    addr: u32,
    /// Empty where there is no memory.
    data: Vec<i16>,
}

/// The file's text, or `None` where the data are not there and need not be.
fn records() -> Option<Vec<Record>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/golden/vector_ops.jsonl");
    match std::fs::read_to_string(&path) {
        Ok(text) => Some(
            text.lines()
                .enumerate()
                .map(|(i, line)| serde_json::from_str(line).unwrap_or_else(|error| panic!("line {}: {error}", i + 1)))
                .collect(),
        ),
        Err(error) => {
            assert!(std::env::var("CI").is_err(), "{} is needed: {error}", path.display());
            eprintln!("skipped: {} is not there ({error})", path.display());
            None
        }
    }
}

/// A machine in which every register, generator and touched memory holds something of its own.
fn filled(strict: bool) -> Machine {
    let mut machine = Machine::new(MachineConfig::default(), Options { strict, ..support::PLAIN }).unwrap();
    let state = machine.state_mut();
    for index in 0..32 {
        state.set_x(x(index), 0x1234_0000 + index as u32);
        *state.v_mut(v(index)) = Vector(std::array::from_fn(|lane| (1000 + 32 * index + lane) as i16));
    }
    state.generators.s0 = std::array::from_fn(|lane| lane as u16 + 1);
    state.generators.s1 = std::array::from_fn(|lane| lane as u16 + 101);
    machine
}

/// Puts what a part of a record says into the machine.
fn apply(machine: &mut Machine, part: &Part) {
    let Part { v: vectors, x: scalars, s0, s1, vmem, llm, exception: _, context: _ } = part;
    for (index, value) in vectors {
        *machine.state_mut().v_mut(v(index.parse().unwrap())) = Vector(*value);
    }
    for (index, value) in scalars {
        machine.state_mut().set_x(x(index.parse().unwrap()), *value);
    }
    if let Some(s0) = s0 {
        machine.state_mut().generators.s0 = s0.map(|lane| lane as u16);
    }
    if let Some(s1) = s1 {
        machine.state_mut().generators.s1 = s1.map(|lane| lane as u16);
    }
    if let Some(VectorAt { addr, data }) = vmem {
        machine.write(Space::Vector, if data.is_empty() { 0 } else { *addr }, &bytes(data)).unwrap();
    }
    for (lane, place) in llm.iter().flatten().enumerate() {
        if let Some((address, value)) = place {
            let at = 32 * (address & !1) + 2 * lane as u32;
            machine.write(Space::LaneLocal, at, &value.to_le_bytes()).unwrap();
        }
    }
}

#[test]
fn every_record_is_reproduced() {
    let Some(records) = records() else { return };
    let mut exceptions = 0;
    for (index, record) in records.iter().enumerate() {
        let name = format!("line {} ({} {})", index + 1, record.op, record.inst);
        let word = u32::from_str_radix(record.inst.strip_prefix("0x").unwrap(), 16).unwrap();
        let inst = Inst::decode(word).unwrap_or_else(|| panic!("{name}: illegal"));
        assert_eq!(inst.op().spec().mnemonic(), record.op, "{name}");

        let mut machine = filled(true);
        apply(&mut machine, &record.pre);
        machine.write(Space::Instruction, 0, &word.to_le_bytes()).unwrap();

        let mut expected = machine.clone();
        apply(&mut expected, &record.post);
        let result = machine.step(&mut ());
        if let Some(exception) = &record.post.exception {
            exceptions += 1;
            check_exception(&name, exception, record.post.context.unwrap(), result);
        } else {
            assert_eq!(result, Ok(()), "{name}");
            let state = expected.state_mut();
            (state.pc, state.cycles, state.retired) = (4, 1, 1);
        }
        assert_eq!(machine.state(), expected.state(), "{name}");
        assert!(machine.memory() == expected.memory(), "{name}: memories differ");
    }
    assert_eq!(records.len(), RECORDS, "the file has all its records");
    assert_eq!(exceptions, 6, "the file is the one this test was written for");
    eprintln!("{} records reproduced", records.len());
}

fn check_exception(name: &str, exception: &str, context: u32, result: Result<(), Stop>) {
    let code = match exception {
        "MISALIGNED_LOAD" => 4,
        "FAULT_LOAD" => 5,
        "MISALIGNED_STORE" => 6,
        "FAULT_STORE" => 7,
        other => panic!("{name}: exception {other}?"),
    };
    let Err(Stop::Trap(trap)) = result else { panic!("{name}: {result:?} is no trap") };
    assert_eq!((trap.pc, trap.cause.code(), trap.value()), (0, code, context), "{name}: {trap}");
}

/// The three records that fault only because the published simulator does not wrap do what the board does by default.
#[test]
fn records_beyond_the_end_wrap_by_default() {
    let Some(records) = records() else { return };
    let mut seen = Vec::new();
    for record in &records {
        if !matches!(record.post.exception.as_deref(), Some("FAULT_LOAD" | "FAULT_STORE")) {
            continue;
        }
        let word = u32::from_str_radix(record.inst.strip_prefix("0x").unwrap(), 16).unwrap();
        let mut machine = filled(false);
        apply(&mut machine, &record.pre);
        machine.write(Space::Instruction, 0, &word.to_le_bytes()).unwrap();
        let first: [i16; LANES] = std::array::from_fn(|lane| -(lane as i16) - 7);
        machine.write(Space::Vector, 0, &bytes(&first)).unwrap();
        let last_row = 32 * 2046;
        machine.write(Space::LaneLocal, last_row, &bytes(&first)).unwrap();
        assert_eq!(machine.step(&mut ()), Ok(()), "{record:?}");
        match Inst::decode(word).unwrap() {
            Inst::VLoadV { vd, .. } | Inst::VLoadL { vd, .. } => assert_eq!(machine.state().v(vd).0, first),
            Inst::VStore { vs2, .. } => {
                let mut there = [0; 64];
                machine.read(Space::Vector, 0, &mut there).unwrap();
                assert_eq!(lanes(&there), machine.state().v(vs2).0);
            }
            other => panic!("{other}"),
        }
        seen.push(record.op.as_str());
    }
    assert_eq!(seen, ["vloadv", "vstore", "vloadl"]);
}
