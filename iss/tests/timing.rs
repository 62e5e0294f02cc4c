//! How long things take, against tables typed here from the manual's chapter on timing and from what is published of
//! CV32E40X: never against what a profile holds.
//!
//! Every row of the instruction table is a producer, with an arithmetic reader behind it; and every operand of every row
//! is a reader, behind a producer of every class; at distances 1 to 4, with independent instructions between. Then what
//! else takes time, as programs beside the cycles in which their instructions are to be issued.

mod support;

use fenn_isa::memory::Space;
use fenn_isa::operand::OperandKind;
use fenn_isa::spec::{OperandSpec, Role, Spec};
use fenn_isa::timing::{CV32E40X, ClassTiming, DramTiming, FENN, FUNCTIONAL, Profile, StallCause};
use fenn_isa::{Class, Op, SPECS};
use fenn_iss::timing::{Retired, Stall};
use fenn_iss::{Access, Limits, Machine, Observer, Options, State, Trap};
use support::x;

/// What has been retired, and what it left in `x10`.
#[derive(Default)]
struct Recorder {
    retired: Vec<(Retired, u32)>,
    traps: usize,
}

impl Observer for Recorder {
    fn retire(&mut self, retired: &Retired, state: &State) {
        self.retired.push((*retired, state.x(x(10))));
    }
    fn access(&mut self, _access: &Access) {}
    fn transfer(&mut self, _transfer: &fenn_iss::dma::Transfer) {}
    fn trap(&mut self, _trap: &Trap) {
        self.traps += 1;
    }
}

impl Recorder {
    fn cycles(&self) -> Vec<u64> {
        self.retired.iter().map(|(retired, _)| retired.cycle).collect()
    }
}

fn machine(profile: Profile, lines: &[&str]) -> Machine {
    support::machine(lines, Options { strict: false, profile, ..Options::default() })
}

/// Runs to the end of the program or for 200 steps; checks that no cycle is unaccounted for.
fn record(machine: &mut Machine) -> Recorder {
    let mut recorder = Recorder::default();
    let _ = machine.run(Limits { instructions: Some(200), ..Limits::NONE }, &mut recorder);
    let state = machine.state();
    let entered = if state.csrs.mtvec == 0 { 0 } else { recorder.traps as u64 };
    assert_eq!(state.cycles, state.retired + entered + machine.stalls().total(), "every lost cycle has one cause");
    recorder
}

/// The cycles in which the program's instructions are issued.
fn issued(profile: Profile, lines: &[&str]) -> Vec<u64> {
    record(&mut machine(profile, lines)).cycles()
}

/// A core whose vector results all take three cycles, and whose DMA engine shares the port of the vector memory.
fn deep() -> Profile {
    let mut profile = FENN;
    for class in Class::ALL.into_iter().filter(|class| class.is_vector()) {
        profile.classes[class as usize] = ClassTiming { occupancy: 1, latency: 3 };
    }
    profile.shared_vector_port = true;
    profile
}

/// The cores, as the tables below name them.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Core {
    Fenn,
    Published,
    Deep,
}

const CORES: [Core; 3] = [Core::Fenn, Core::Published, Core::Deep];

impl Core {
    fn profile(self) -> Profile {
        match self {
            Self::Fenn => FENN,
            Self::Published => CV32E40X,
            Self::Deep => deep(),
        }
    }
}

/// What a result is in.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    /// `x5`.
    X,
    /// `v5`.
    V,
    /// The generators' states.
    G,
    /// There is none.
    None,
}

/// From the producer's issue to the next instruction's, and to that of a reader of its result.
type Gaps = (u64, u64);

/// One row of the table: a producer, what its result is in, and the gaps on the three cores.
struct Producer {
    text: &'static str,
    kind: Kind,
    fenn: Gaps,
    published: Gaps,
    deep: Gaps,
    cause: StallCause,
}

impl Producer {
    fn gaps(&self, core: Core) -> Gaps {
        match core {
            Core::Fenn => self.fenn,
            Core::Published => self.published,
            Core::Deep => self.deep,
        }
    }
}

const fn row(text: &'static str, kind: Kind, [fenn, published, deep]: [Gaps; 3], cause: StallCause) -> Producer {
    Producer { text, kind, fenn, published, deep, cause }
}

/// A representative of every class; all stand at address 60, and results are 0 or 64, so that they do as addresses.
/// Registers before: `x1` 64, `x2` 2^31, `x3` 62, `x4` 64, the others 0; lanes of `v1` 1, the others 0; `mepc` 64.
#[rustfmt::skip]
const PRODUCERS: &[Producer] = {
    use Kind::{G, None, V, X};
    use StallCause::{LoadUse, ScalarResult, VectorResult, VectorToScalar};
    &[
        row("add x5, x1, x0",           X,    [(1, 1), (1, 1), (1, 1)], ScalarResult),
        row("cpop x5, x0",              X,    [(1, 2), (1, 1), (1, 2)], ScalarResult),
        row("mul x5, x0, x1",           X,    [(1, 2), (1, 1), (1, 2)], ScalarResult),
        row("mulhu x5, x1, x1",         X,    [(1, 2), (4, 4), (1, 2)], ScalarResult),
        // A divisor without leading zeros: three cycles.
        row("divu x5, x1, x2",          X,    [(3, 4), (3, 3), (3, 4)], ScalarResult),
        row("lw x5, 0(x1)",             X,    [(1, 2), (1, 2), (1, 2)], LoadUse),
        // Across a word boundary.
        row("lw x5, 0(x3)",             X,    [(2, 3), (2, 3), (2, 3)], LoadUse),
        row("jal x5, .+4",                X,    [(2, 1), (2, 1), (2, 1)], ScalarResult),
        row("jalr x5, 0(x4)",           X,    [(2, 1), (2, 1), (2, 1)], ScalarResult),
        row("csrrw x5, mscratch, x0",   X,    [(1, 2), (1, 1), (1, 2)], ScalarResult),
        row("vteq x5, v1, v2",          X,    [(1, 2), (1, 2), (1, 3)], VectorToScalar),
        row("vextract x5, v2, 3",       X,    [(1, 2), (1, 2), (1, 3)], VectorToScalar),
        row("sw x0, 0(x1)",             None, [(1, 0), (1, 0), (1, 0)], ScalarResult),
        row("sw x0, 0(x3)",             None, [(2, 0), (2, 0), (2, 0)], ScalarResult),
        row("beq x0, x0, .+4",            None, [(3, 0), (3, 0), (3, 0)], ScalarResult),
        row("bne x0, x0, .+4",            None, [(1, 0), (1, 0), (1, 0)], ScalarResult),
        row("fence 15, 15",             None, [(1, 0), (5, 0), (1, 0)], ScalarResult),
        row("fence.i",                  None, [(1, 0), (5, 0), (1, 0)], ScalarResult),
        row("wfi",                      None, [(1, 0), (1, 0), (1, 0)], ScalarResult),
        row("mret",                     None, [(2, 0), (2, 0), (2, 0)], ScalarResult),
        row("vadd v5, v1, v2",          V,    [(1, 1), (1, 1), (1, 3)], VectorResult),
        row("vmul v5, v1, v2, 4",       V,    [(1, 2), (1, 1), (1, 3)], VectorResult),
        row("vsrai_rn v5, v1, 4",       V,    [(1, 2), (1, 1), (1, 3)], VectorResult),
        row("vrng v5",                  V,    [(1, 1), (1, 1), (1, 3)], VectorResult),
        row("vfill v5, x1",             V,    [(1, 1), (1, 1), (1, 3)], VectorResult),
        row("vsel v5, x1, v1",          V,    [(1, 1), (1, 1), (1, 3)], VectorResult),
        row("vloadv v5, 0(x1)",         V,    [(1, 2), (1, 2), (1, 3)], VectorResult),
        row("vloadl v5, 0(v1)",         V,    [(1, 2), (1, 2), (1, 3)], VectorResult),
        row("vloadr0 0(x1)",            G,    [(1, 2), (1, 2), (1, 3)], VectorResult),
        row("vloadr1 0(x1)",            G,    [(1, 2), (1, 2), (1, 3)], VectorResult),
        row("vstore v1, 0(x1)",         None, [(1, 0), (1, 0), (1, 0)], VectorResult),
        row("vstorel v1, 0(v1)",        None, [(1, 0), (1, 0), (1, 0)], VectorResult),
    ]
};

const FILLER: &str = "addi x31, x0, 0";
/// Instructions before the producer, so that it is at address 60.
const LEAD: usize = 15;

/// `LEAD` fillers, the producer, fillers, the consumer at this distance from the producer.
fn pair(profile: Profile, producer: &str, distance: usize, consumer: &str) -> (Vec<Retired>, Machine) {
    let mut lines = vec![FILLER; LEAD];
    lines.push(producer);
    lines.extend(vec![FILLER; distance - 1]);
    lines.push(consumer);
    let mut machine = machine(profile, &lines);
    let state = machine.state_mut();
    state.csrs.mepc = 64;
    for (register, value) in [(1, 64), (2, 1 << 31), (3, 62), (4, 64)] {
        state.set_x(x(register), value);
    }
    state.v[1].0 = [1; 32];
    let recorder = record(&mut machine);
    let retired = recorder.retired[LEAD..].iter().map(|(retired, _)| *retired).collect::<Vec<_>>();
    assert!(retired.len() > distance, "`{producer}`, then `{consumer}`: both are executed");
    (retired, machine)
}

/// How an instruction reads what the producer wrote.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Way {
    Source,
    /// It keeps some lanes of the old value.
    Merged,
    /// It does not.
    Not,
}

/// Every row, with register 5 as one of its operands after the other; and as none of them.
fn consumers() -> Vec<(String, &'static Spec, Kind, Way)> {
    let mut all = Vec::new();
    for spec in SPECS.iter().filter(|spec| !matches!(spec.mnemonic(), "ecall" | "ebreak")) {
        all.push((instance(spec, None), spec, Kind::None, Way::Not));
        for operand in spec.operands() {
            // Destinations are those whose names end in d; the others are read.
            let way = match (operand.name, spec.mnemonic()) {
                ("rd" | "vd", "vsel" | "vloadl") => Way::Merged,
                ("rs1" | "rs2" | "vs1" | "vs2", _) => Way::Source,
                _ => continue,
            };
            let kind = if operand.name.starts_with('v') { Kind::V } else { Kind::X };
            all.push((instance(spec, Some(operand)), spec, kind, way));
        }
    }
    all
}

/// The row with register 5 as `chosen`, and otherwise with what needs nothing: `x4`, which holds 64; lanes of 1.
fn instance(spec: &Spec, chosen: Option<&OperandSpec>) -> String {
    let values: Vec<i64> = spec
        .operands()
        .map(|operand| match (operand.kind, operand.role) {
            _ if chosen.is_some_and(|chosen| chosen.name == operand.name) => 5,
            (OperandKind::XReg | OperandKind::VReg, Role::Destination | Role::Merged) => 6,
            (OperandKind::XReg, _) => 4,
            (OperandKind::VReg, _) => 1,
            _ if operand.name == "csr" => 0x340,
            _ if operand.name == "offset" => 8,
            _ => 0,
        })
        .collect();
    fenn_isa::Inst::decode(spec.assemble(&values).unwrap()).unwrap().to_string()
}

/// What the pair's issues are to be apart; and what the consumer waits for, if it waits.
fn expected(
    core: Core,
    producer: &Producer,
    distance: usize,
    consumer: &Spec,
    kind: Kind,
    way: Way,
) -> (u64, Option<Stall>) {
    let (next, ready) = producer.gaps(core);
    let free = next + distance as u64 - 1;
    let mnemonic = consumer.mnemonic();
    let draws = matches!(mnemonic, "vrng" | "vmul_rs" | "vmul_s_rs" | "vsrai_rs");
    let reads = match producer.kind {
        Kind::None => false,
        Kind::G => draws,
        // Only the published core waits for a value of which it keeps lanes.
        produced => kind == produced && (way == Way::Source || way == Way::Merged && core == Core::Published),
    };
    let early = reads && mnemonic == "jalr";
    let mut at = if reads { free.max(ready + u64::from(early)) } else { free };
    let mut cause = if early { StallCause::JumpOperand } else { producer.cause };
    let from_memory_or_lanes = ["lw x5", "vteq x5", "vextract x5"].iter().any(|start| producer.text.starts_with(start));
    match core {
        // Two cycles from a CSR instruction to a return.
        Core::Fenn | Core::Deep if producer.text.starts_with("csrrw") && mnemonic == "mret" && at < 2 => {
            (at, cause) = (2, StallCause::ReturnAfterCsr);
        }
        // A vector register with the number of the scalar register that is on its way.
        Core::Published
            if from_memory_or_lanes && mnemonic.starts_with('v') && way == Way::Source && !reads && distance == 1 =>
        {
            (at, cause) = (at + 1, StallCause::FalseDependency);
        }
        _ => {}
    }
    (at, (at > free).then_some(Stall { cause, cycles: (at - free) as u32 }))
}

#[test]
fn every_operand_of_every_row_behind_every_class() {
    let consumers = consumers();
    let mut cases = 0;
    for core in CORES {
        for producer in PRODUCERS {
            for (text, spec, kind, way) in &consumers {
                for distance in 1..=4 {
                    // Where a `jalr` reads the result as its target, that is to be a multiple of 4 and it is: 0 or 64.
                    let (retired, _) = pair(core.profile(), producer.text, distance, text);
                    let found = retired[distance].cycle - retired[0].cycle;
                    let (at, before) = expected(core, producer, distance, spec, *kind, *way);
                    let what = format!("{core:?}: `{}`, then `{text}` at distance {distance}", producer.text);
                    assert_eq!(found, at, "{what}");
                    assert_eq!(retired[distance].stalls.before, before, "{what}");
                    cases += 1;
                }
            }
        }
    }
    eprintln!("{cases} pairs of instructions");
    assert!(cases > 50_000);
}

/// Gaps of a row as a producer, by its mnemonic alone; divisors are 2^31, addresses multiples of 64, branches not taken.
fn gaps(core: Core, mnemonic: &str) -> Gaps {
    let fenn: Gaps = match mnemonic {
        "cpop" | "mul" | "mulh" | "mulhsu" | "mulhu" => (1, 2),
        "lb" | "lh" | "lw" | "lbu" | "lhu" => (1, 2),
        "csrrw" | "csrrs" | "csrrc" | "csrrwi" | "csrrsi" | "csrrci" => (1, 2),
        "vmul" | "vmul_rn" | "vmul_rs" | "vmul_s" | "vmul_s_rn" | "vmul_s_rs" | "vsrai_rn" | "vsrai_rs" => (1, 2),
        "vteq" | "vtne" | "vtlt" | "vtge" | "vextract" => (1, 2),
        "vloadv" | "vloadl" | "vloadr0" | "vloadr1" => (1, 2),
        "div" | "divu" | "rem" | "remu" => (3, 4),
        "jal" | "jalr" | "mret" => (2, 1),
        _ => (1, 1),
    };
    let vector = mnemonic.starts_with('v');
    match core {
        Core::Fenn => fenn,
        Core::Deep if vector => (1, 3),
        Core::Deep => fenn,
        Core::Published => match mnemonic {
            "mulh" | "mulhsu" | "mulhu" => (4, 4),
            "fence" | "fence.i" => (5, 5),
            "div" | "divu" | "rem" | "remu" => (3, 3),
            "cpop" | "mul" => (1, 1),
            _ if mnemonic.starts_with("csr") || mnemonic.starts_with("vmul") || mnemonic.starts_with("vsrai") => (1, 1),
            _ => fenn,
        },
    }
}

#[test]
fn every_row_as_a_producer() {
    for core in CORES {
        for spec in SPECS.iter().filter(|spec| !matches!(spec.mnemonic(), "ecall" | "ebreak")) {
            let values: Vec<i64> = spec
                .operands()
                .map(|operand| match operand.name {
                    "rd" | "vd" => 5,
                    // Where no branch goes: 2^31 is below 62 as a signed number, and above it as an unsigned one.
                    "rs1" if matches!(spec.mnemonic(), "bge" | "bltu" | "bne" | "blt") => 2,
                    "rs2" if matches!(spec.mnemonic(), "bge" | "bltu") => 3,
                    "rs1" if matches!(spec.mnemonic(), "beq" | "bgeu") => 3,
                    // Divisor, and data otherwise.
                    "rs2" => 2,
                    "rs1" => 4,
                    "csr" => 0x340,
                    "offset" => 4,
                    "imm" => 0,
                    _ => 1,
                })
                .collect();
            let text = fenn_isa::Inst::decode(spec.assemble(&values).unwrap()).unwrap().to_string();
            let (next, ready) = gaps(core, spec.mnemonic());
            let reader = match spec.operands().find(|operand| matches!(operand.name, "rd" | "vd")).map(|d| d.name) {
                Some("rd") => "add x6, x1, x5",
                Some(_) => "vadd v6, v1, v5",
                None if spec.mnemonic().starts_with("vloadr") => "vrng v6",
                None => FILLER,
            };
            for distance in 1..=4 {
                let (retired, _) = pair(core.profile(), &text, distance, reader);
                let apart = retired[distance].cycle - retired[0].cycle;
                let free = next + distance as u64 - 1;
                let at = if reader == FILLER { free } else { free.max(ready) };
                assert_eq!(apart, at, "{core:?}: `{text}`, then `{reader}` at distance {distance}");
            }
        }
    }
}

/// A program and the cycles in which it is issued on this project's core and on the published one; instructions that are
/// executed several times appear several times.
struct Case {
    name: &'static str,
    lines: &'static [&'static str],
    fenn: &'static [u64],
    published: &'static [u64],
}

#[rustfmt::skip]
const CASES: &[Case] = &[
    Case {
        name: "a loop of three turns: learned, found, left",
        lines: &["addi x1, x0, 3", "addi x1, x1, -1", "bne x1, x0, .-4", FILLER],
        fenn:      &[0, 1, 2, 5, 6, 7, 8, 11],
        published: &[0, 1, 2, 5, 6, 9, 10, 11],
    },
    Case {
        name: "a branch to itself is learned",
        lines: &["bne x1, x0, .+0", FILLER],
        fenn:      &[0, 1],
        published: &[0, 1],
    },
    Case {
        name: "forward branches are never learned: round a loop, the taken one costs its two cycles each time",
        lines: &["addi x1, x0, 3", "addi x1, x1, -1", "beq x0, x0, .+8", "wfi", "bne x1, x0, .-12", FILLER],
        //         addi addi beq  bne  addi beq  bne addi beq bne  addi
        fenn:      &[0, 1, 2, 5,  8, 9, 12,  13, 14, 17,  20],
        published: &[0, 1, 2, 5,  8, 9, 12,  15, 16, 19,  20],
    },
    Case {
        name: "a jump costs a cycle the first time, a jump forward too",
        lines: &["addi x1, x0, 3", "addi x1, x1, -1", "beq x1, x0, .+16", "jal x0, .+8", "wfi", "jal x0, .-16", FILLER],
        //         addi addi beq jal jal  addi beq jal jal  addi beq addi
        fenn:      &[0, 1, 2, 3, 5,  7, 8, 9, 10,  11, 12, 15],
        published: &[0, 1, 2, 3, 5,  7, 8, 9, 11,  13, 14, 17],
    },
    Case {
        name: "calls and returns: the jump is learned, the return through a register never",
        lines: &["jal x1, .+16", "jal x1, .+12", "jal x1, .+8", "ecall", "jalr x0, 0(x1)"],
        //         call ret  call ret  call ret
        fenn:      &[0, 2,  4, 6,  8, 10],
        published: &[0, 2,  4, 6,  8, 10],
    },
    Case {
        name: "a return right behind the link is written waits for its operand",
        lines: &["addi x1, x0, 12", "jalr x0, 0(x1)", "wfi", "lw x2, 0(x0)", "jalr x0, 24(x2)", "wfi", FILLER],
        fenn:      &[0, 2, 4, 7, 9],
        published: &[0, 2, 4, 7, 9],
    },
    Case {
        name: "a return two behind waits no more, behind a load one cycle",
        lines: &["addi x1, x0, 16", FILLER, "jalr x0, 0(x1)", "wfi", "lw x2, 0(x0)", FILLER, "jalr x0, 32(x2)", "wfi", FILLER],
        fenn:      &[0, 1, 2, 4, 5, 7, 9],
        published: &[0, 1, 2, 4, 5, 7, 9],
    },
    Case {
        name: "`mret` behind a CSR instruction, at distances 1 and 2",
        lines: &["addi x1, x0, 12", "csrrw x0, mepc, x1", "mret", "addi x1, x0, 28", "csrrw x0, mepc, x1", FILLER, "mret", FILLER],
        //         addi csrrw mret addi csrrw filler mret filler
        fenn:      &[0, 1, 3, 5, 6, 7, 8, 10],
        published: &[0, 1, 2, 4, 5, 6, 7, 9],
    },
    Case {
        name: "reads of the counters' low words drain the published core; of their upper words they do not",
        lines: &[FILLER, "csrrs x1, mcycle, x0", "csrrs x1, minstret, x0", "csrrs x1, mcycleh, x0", "csrrs x1, minstreth, x0", FILLER, FILLER, "csrrs x1, mcycle, x0"],
        fenn:      &[0, 1, 2, 3, 4, 5, 6, 7],
        published: &[0, 2, 4, 5, 6, 7, 8, 10],
    },
    Case {
        name: "a result is waited for where it is overwritten by nobody, and only once",
        lines: &["lw x1, 0(x0)", "add x2, x1, x1", "add x3, x1, x1", "lw x1, 0(x0)", "addi x1, x0, 4", "add x2, x1, x1"],
        fenn:      &[0, 2, 3, 4, 5, 6],
        published: &[0, 2, 3, 4, 5, 6],
    },
    Case {
        name: "x0 is never waited for",
        lines: &["lw x0, 0(x0)", "add x1, x0, x0", "mul x0, x1, x1", "jalr x0, 16(x0)", FILLER],
        fenn:      &[0, 1, 2, 3, 5],
        published: &[0, 1, 2, 3, 5],
    },
    Case {
        name: "two loads at once: the later one is what is waited for",
        lines: &["lw x1, 0(x0)", "lw x2, 0(x0)", "add x3, x1, x2", "mul x1, x2, x2", "lw x2, 0(x0)", "add x3, x1, x2"],
        fenn:      &[0, 1, 3, 4, 5, 7],
        published: &[0, 1, 3, 4, 5, 7],
    },
    Case {
        name: "a division's result may be waited for behind its own cycles",
        lines: &["addi x2, x0, -1", "div x1, x2, x2", FILLER, "div x1, x2, x2", "add x3, x1, x0"],
        // |−1|: 31 zeros; as the published core sees it (~(−1) << 1 | 1) = 1, 31 zeros as well.
        fenn:      &[0, 1, 35, 36, 71],
        published: &[0, 1, 35, 36, 70],
    },
];

#[test]
fn programs_take_their_cycles() {
    for case in CASES {
        assert_eq!(issued(FENN, case.lines), case.fenn, "fenn: {}", case.name);
        assert_eq!(issued(CV32E40X, case.lines), case.published, "cv32e40x: {}", case.name);
        let one_each: Vec<u64> = (0..case.fenn.len() as u64).collect();
        assert_eq!(issued(FUNCTIONAL, case.lines), one_each, "functional: {}", case.name);
    }
}

/// Two jumps 64 bytes apart share the only place that either can have in a buffer of 16; 60 bytes apart they do not.
#[test]
fn entries_of_the_branch_target_buffer_are_shared() {
    let turns = |distance: usize| {
        // A loop whose jumps are at `distance` words from one another.
        let there = format!("jal x0, .+{}", 4 * distance);
        let back = format!("jal x0, .-{}", 4 * distance);
        let mut lines = vec!["jal x0, .+4"; distance + 1];
        (lines[0], lines[distance]) = (&there, &back);
        let issued = issued(FENN, &lines);
        issued.windows(2).map(|pair| pair[1] - pair[0]).collect::<Vec<_>>()
    };
    assert!(turns(16).iter().all(|gap| *gap == 2), "they push each other out");
    let apart = turns(15);
    assert_eq!(apart[..2], [2, 2], "the first turn");
    assert!(apart[2..].iter().all(|gap| *gap == 1), "every other turn");
}

/// Trap entry: from the cycle in which the trapping instruction is issued to that of the handler's first.
#[test]
fn handlers_are_entered_after_their_cycles() {
    // What traps, and how long after the instruction before it that is issued.
    let traps = [
        ("illegal", FILLER, "", 1),
        ("outside scalar memory", FILLER, "lw x2, -4(x0)", 1),
        ("misaligned vector", FILLER, "vloadv v1, 4(x0)", 1),
        ("misaligned target", FILLER, "jal x0, .+6", 1),
        ("misaligned target of a taken branch", FILLER, "beq x0, x0, .+6", 1),
        ("a CSR that is not there", FILLER, "csrrs x2, 0x7c0, x0", 1),
        ("after a wait for its operand", "lw x2, 0(x0)", "lw x2, -4(x2)", 2),
        ("after a wait for a jump's operand", "lw x2, 0(x0)", "jalr x0, 2(x2)", 3),
        ("an illegal word waits for nothing", "lw x2, 0(x0)", "", 1),
    ];
    for (profile, entry) in [(FENN, 3), (CV32E40X, 4)] {
        for (name, before, trapping, wait) in traps {
            let illegal = trapping.is_empty();
            let lines = [
                "addi x1, x0, 24",
                "csrrw x0, mtvec, x1",
                before,
                if illegal { FILLER } else { trapping },
                "wfi",
                "wfi",
                FILLER,
                "ecall",
            ];
            let mut machine = machine(profile, &lines);
            if illegal {
                machine.write(Space::Instruction, 12, &0xffff_ffff_u32.to_le_bytes()).unwrap();
            }
            let recorder = record(&mut machine);
            let [.., last, first] = [recorder.retired[2].0, recorder.retired[3].0];
            assert_eq!((last.pc, first.pc), (8, 24), "{name}");
            assert_eq!(first.cycle - last.cycle, wait + entry, "{}: {name}", profile.name);
            assert_eq!(machine.stalls().get(StallCause::Trap), entry - 1, "{}: {name}", profile.name);
        }
    }
}

/// Divisors and the leading zeros that each core skips.
#[test]
fn divisions_take_the_cycles_of_the_divisors_zeros() {
    // Divisor; zeros for unsigned division; for signed division on this project's core, and on the published one.
    let table: [(i64, u64, u64, u64); 12] = [
        (0, 32, 32, 32),
        (1, 31, 31, 31),
        (2, 30, 30, 30),
        (3, 30, 30, 30),
        (255, 24, 24, 24),
        (0x7fff_ffff, 1, 1, 1),
        (-1, 0, 31, 31),
        (-2, 0, 30, 30),
        (-3, 0, 30, 29),
        (-4, 0, 29, 29),
        (-256, 0, 23, 23),
        (-(1 << 31), 0, 0, 0),
    ];
    for (divisor, unsigned, ours, published) in table {
        for (mnemonic, signed) in [("div", true), ("rem", true), ("divu", false), ("remu", false)] {
            for (profile, signed_zeros) in [(FENN, ours), (CV32E40X, published)] {
                let line = format!("{mnemonic} x3, x1, x2");
                let mut machine = machine(profile, &[&line, FILLER]);
                machine.state_mut().set_x(x(1), 1_000_003);
                machine.state_mut().set_x(x(2), divisor as u32);
                let cycles = record(&mut machine).cycles();
                let zeros = if signed { signed_zeros } else { unsigned };
                assert_eq!(cycles, [0, 3 + zeros], "{}: {mnemonic} by {divisor}", profile.name);
                assert_eq!(machine.stalls().get(StallCause::Divide), 2 + zeros);
            }
        }
    }
}

/// An access costs a cycle more where it crosses a word boundary, and only there.
#[test]
fn misaligned_accesses_take_a_cycle_more() {
    let table = [("b", [1, 1, 1, 1]), ("h", [1, 1, 1, 2]), ("w", [1, 2, 2, 2])];
    for profile in [FENN, CV32E40X, FUNCTIONAL] {
        for (width, cycles) in table {
            for (address, cycles) in (16..).zip(cycles) {
                for line in [format!("l{width} x1, {address}(x0)"), format!("s{width} x1, {address}(x0)")] {
                    let cycles = if profile == FUNCTIONAL { 1 } else { cycles };
                    let mut machine = machine(profile, &[&line, FILLER]);
                    assert_eq!(record(&mut machine).cycles(), [0, cycles], "{}: {line}", profile.name);
                    assert_eq!(machine.stalls().get(StallCause::Misaligned), cycles - 1);
                }
            }
        }
    }
}

/// On the published core a vector instruction right behind a load or a vector instruction with a scalar result waits a
/// cycle where the number of that register is in one of its fields, whatever the field is.
#[test]
fn false_dependencies_are_the_published_cores_alone() {
    // The second instruction and whether a field of it holds 5.
    let behind = [
        ("vadd v6, v5, v1", true),
        ("vadd v6, v1, v5", true),
        ("vadd v5, v1, v1", false),
        ("vsrai v6, v1, 5", true),
        ("vsrai v6, v1, 4", false),
        ("vextract x6, v1, 5", true),
        // The immediate's bits 4:0 are 5; then bits 9:5, which are where no operand is.
        ("vloadv v6, 320(x0)", false),
        ("vloadl v6, 5(v1)", true),
        ("vloadl v6, 160(v1)", false),
        ("vstorel v5, 0(v1)", true),
        // Bits 7:3 of the number are where `rs1` would be, and the lower three in the field above.
        ("vlui v6, 40", true),
        ("vlui v6, 5", false),
        ("addi x6, x0, 5", false),
    ];
    let producers = [
        ("lw x5, 0(x0)", true),
        ("vtlt x5, v1, v1", true),
        ("vextract x5, v1, 0", true),
        ("add x5, x0, x0", false),
        ("mul x5, x0, x0", false),
        ("vadd v5, v1, v1", false),
    ];
    for (producer, shadows) in producers {
        for (line, holds) in behind {
            // `vadd v5` is read for true by some of these, a cycle later, which is no wait.
            let waits = u64::from(shadows && holds);
            let mut published = machine(CV32E40X, &[producer, line]);
            assert_eq!(record(&mut published).cycles(), [0, 1 + waits], "`{producer}`, then `{line}`");
            assert_eq!(published.stalls().get(StallCause::FalseDependency), waits, "`{producer}`, then `{line}`");
            assert_eq!(issued(CV32E40X, &[producer, FILLER, line]), [0, 1, 2], "`{producer}`, then `{line}`, at 2");
            assert_eq!(issued(FENN, &[producer, line]), [0, 1], "`{producer}`, then `{line}`");
        }
    }
}

/// What the status register says, read in every cycle from the one behind the start on, for transfers of several lengths
/// on memories of several speeds.
#[test]
fn transfers_take_their_cycles() {
    const START: u32 = 0b100;
    const MOVING: u32 = 0b1000;
    const DONE: u32 = 0b1000_0010;
    // Latency; bytes a cycle; bytes; the cycles, from the start, in which data begin to move and have moved.
    let table = [
        (10, 16, 64, 10, 14),
        (10, 16, 128, 10, 18),
        (10, 16, 640, 10, 50),
        (10, 64, 128, 10, 12),
        (10, 128, 256, 10, 12),
        (10, 8, 64, 10, 18),
        (37, 16, 64, 37, 41),
        (1, 32, 192, 1, 7),
    ];
    for (latency, bytes_per_cycle, bytes, begins, ends) in table {
        for (channel, profile) in [("mm2s", FENN), ("s2mm", FENN), ("mm2s", CV32E40X)] {
            let profile = Profile { dram: DramTiming { latency, bytes_per_cycle }, ..profile };
            let count = format!("csrrw x0, {channel}_count, x1");
            let control = format!("csrrwi x0, {channel}_control, 1");
            let status = format!("csrrs x10, {channel}_status, x0");
            let mut lines = vec!["wfi", count.as_str(), control.as_str()];
            lines.extend(vec![status.as_str(); 60]);
            let mut machine = machine(profile, &lines);
            machine.state_mut().set_x(x(1), bytes);
            let recorder = record(&mut machine);
            let started = recorder.retired[2].0.cycle;
            for (retired, found) in &recorder.retired[3..] {
                let at = retired.cycle - started;
                let expected = match at {
                    at if at < begins => START,
                    at if at < ends => MOVING,
                    _ => DONE,
                };
                assert_eq!(
                    *found, expected,
                    "{channel}, {bytes} bytes at {bytes_per_cycle} after {latency}: cycle {at}"
                );
            }
            let last = recorder.retired.last().unwrap().0.cycle - started;
            assert!(last > ends, "the end has been seen");
        }
    }
}

/// Both channels on a DRAM that moves a row every cycle, at every distance: what the status says is what a walk through the
/// cycles of the engine's parts says, as `rtl/README.md` describes them.
#[test]
fn a_transfer_out_waits_for_rows_that_come_in() {
    const IDLE: u32 = 2;
    let profile = Profile { dram: DramTiming { latency: 10, bytes_per_cycle: 64 }, ..FENN };
    let mut waited = 0;
    for (rows_in, rows_out) in [(1, 1), (1, 12), (12, 1), (12, 12), (3, 40), (40, 3), (30, 20)] {
        for distance in -60..60_i64 {
            // In cycle 0 the channel out of vector memory is started, in cycle `distance` the one into it, if not in it.
            if distance == 0 {
                continue;
            }
            // Rows come in behind their beats, which are accepted from the eighth cycle on.
            let comes_in = |cycle: i64| (distance + 9..distance + 9 + rows_in).contains(&cycle);
            // A row is fetched while there is none, or while the one that there is leaves, which it may from cycle 8 on.
            let (mut fetched, mut sent, mut held, mut first, mut cycle) = (0, 0, false, None, 1);
            while sent < rows_out {
                let leaves = held && cycle >= 8;
                if leaves {
                    sent += 1;
                    first.get_or_insert(cycle);
                }
                let fetches = fetched < rows_out && (!held || leaves) && !comes_in(cycle);
                fetched += i64::from(fetches);
                held = fetches || held && !leaves;
                cycle += 1;
            }
            // The last row left in the cycle before this one, in which it is answered.
            let (begins, ends) = (first.unwrap() + 2, cycle + 2);
            waited += i64::from(ends - begins > rows_out || begins > 10);

            let mut lines = vec!["csrrw x0, mm2s_count, x1", "csrrw x0, s2mm_count, x2"];
            let starts = ["csrrwi x0, s2mm_control, 1", "csrrwi x0, mm2s_control, 1"];
            lines.push(starts[usize::from(distance < 0)]);
            let between = (distance.abs() - 1) as usize;
            let read = "csrrs x10, s2mm_status, x0";
            lines.extend(vec![if distance < 0 { "wfi" } else { read }; between]);
            lines.push(starts[usize::from(distance > 0)]);
            lines.extend(vec![read; 120]);
            let mut machine = machine(profile, &lines);
            machine.state_mut().set_x(x(1), 64 * rows_in as u32);
            machine.state_mut().set_x(x(2), 64 * rows_out as u32);
            let recorder = record(&mut machine);
            let start = if distance < 0 { 3 + between } else { 2 };
            let started = recorder.retired[start].0.cycle as i64;
            for (retired, found) in &recorder.retired[start + 1..] {
                if retired.inst.op() != Op::Csrrs {
                    continue;
                }
                let at = retired.cycle as i64 - started;
                let case = format!("{rows_in} rows in, {rows_out} out, {distance} cycles apart, cycle {at}");
                assert_eq!(found & IDLE != 0, at >= ends, "{case}: idle from {ends}");
                assert_eq!(found & 8 != 0, (begins..ends).contains(&at), "{case}: moving from {begins} to {ends}");
            }
        }
    }
    assert!(waited > 100, "{waited} transfers waited");
}

/// Data move in the last cycle: a load that is issued in it sees what was there before, the one behind it what came.
#[test]
fn data_arrive_when_the_status_says_so() {
    let mut lines = vec!["csrrw x0, mm2s_count, x1", "csrrwi x0, mm2s_control, 1"];
    lines.extend(["vloadv v1, 0(x0)", "vextract x10, v1, 0"].repeat(20));
    let mut machine = machine(FENN, &lines);
    machine.state_mut().set_x(x(1), 64);
    machine.write(Space::Dram, 0, &[1; 64]).unwrap();
    let recorder = record(&mut machine);
    let started = recorder.retired[1].0.cycle;
    for pair in recorder.retired[2..].chunks_exact(2) {
        let (loaded, found) = (pair[0].0.cycle - started, pair[1].1);
        assert_eq!(found != 0, loaded >= 14, "a load in cycle {loaded}");
    }
}

/// A core that shares the port of its vector memory with the DMA engine: an access waits where a row is moved, which is
/// in the last of its four cycles.
#[test]
fn a_shared_port_is_waited_for() {
    let access = ["vloadv v1, 0(x1)", "vstore v2, 0(x1)", "vloadr0 0(x1)"];
    for line in access {
        let mut lines = vec!["csrrw x0, mm2s_count, x1", "csrrwi x0, mm2s_control, 1"];
        lines.extend(vec![line; 24]);
        let run = |profile| {
            let mut machine = machine(profile, &lines);
            machine.state_mut().set_x(x(1), 128);
            let recorder = record(&mut machine);
            let started = recorder.retired[1].0.cycle;
            let apart: Vec<u64> = recorder.retired[2..].iter().map(|(retired, _)| retired.cycle - started).collect();
            (apart, machine.stalls().get(StallCause::PortConflict))
        };
        let (own, none) = run(FENN);
        assert_eq!((own, none), ((1..=24).collect(), 0), "{line}: ports apart");
        let (shared, lost) = run(deep());
        // Rows are moved in cycles 13 and 17.
        let free: Vec<u64> = (1..).filter(|cycle| ![13, 17].contains(cycle)).take(24).collect();
        assert_eq!((shared, lost), (free, 2), "{line}: one port");
    }
    // What does not touch vector memory does not wait.
    let mut lines = vec!["csrrw x0, mm2s_count, x1", "csrrwi x0, mm2s_control, 1"];
    lines.extend(["vadd v1, v2, v3", "lw x2, 0(x0)", "vloadl v4, 0(v3)"].repeat(8));
    let mut machine = machine(deep(), &lines);
    machine.state_mut().set_x(x(1), 128);
    let cycles = record(&mut machine).cycles();
    assert_eq!(cycles, (0..26).collect::<Vec<u64>>());
}

/// A case for every cause, and the cycles that are put down to it.
#[test]
fn every_lost_cycle_has_its_cause() {
    use StallCause as S;
    type Lost = &'static [(StallCause, u64)];
    let cases: [(Profile, &[&str], Lost); 17] = [
        (FENN, &["lw x1, 0(x0)", "add x2, x1, x1"], &[(S::LoadUse, 1)]),
        (FENN, &["mul x1, x0, x0", "add x2, x1, x1"], &[(S::ScalarResult, 1)]),
        (FENN, &["csrrs x1, mscratch, x0", "add x2, x1, x1"], &[(S::ScalarResult, 1)]),
        (FENN, &["vloadv v1, 0(x0)", "vadd v2, v1, v1"], &[(S::VectorResult, 1)]),
        (FENN, &["vloadr0 0(x0)", "vrng v2"], &[(S::VectorResult, 1)]),
        (FENN, &["vteq x1, v1, v1", "add x2, x1, x1"], &[(S::VectorToScalar, 1)]),
        (FENN, &["addi x1, x0, 8", "jalr x0, 0(x1)", FILLER], &[(S::JumpOperand, 1), (S::Jump, 1)]),
        (FENN, &["csrrw x0, mepc, x1", "mret"], &[(S::ReturnAfterCsr, 1), (S::Trap, 1)]),
        (CV32E40X, &["lw x5, 0(x0)", "vadd v1, v5, v5"], &[(S::FalseDependency, 1)]),
        (CV32E40X, &[FILLER, "csrrs x1, mcycle, x0"], &[(S::CounterDrain, 1)]),
        (FENN, &["beq x0, x0, .+4", FILLER], &[(S::Branch, 2)]),
        (FENN, &["jal x0, .+4", FILLER], &[(S::Jump, 1)]),
        (FENN, &["div x1, x0, x0", FILLER], &[(S::Divide, 34)]),
        (CV32E40X, &["mulh x1, x0, x0", FILLER], &[(S::Multiply, 3)]),
        (FENN, &["sw x0, 1(x0)", FILLER], &[(S::Misaligned, 1)]),
        (CV32E40X, &["fence 15, 15", FILLER], &[(S::Fence, 4)]),
        (CV32E40X, &["vloadl v1, 0(v2)", "vsel v1, x0, v2"], &[(S::VectorResult, 1)]),
    ];
    for (profile, lines, expected) in cases {
        let mut machine = machine(profile, lines);
        if lines.last() == Some(&"mret") {
            // Round and round would say more than once what is said here once.
            let _ = machine.run(Limits { instructions: Some(2), ..Limits::NONE }, &mut ());
        } else {
            let _ = record(&mut machine);
        }
        for (cause, cycles) in machine.stalls().iter() {
            let wanted = expected.iter().find(|(other, _)| *other == cause).map_or(0, |(_, cycles)| *cycles);
            assert_eq!(cycles, wanted, "{}: {lines:?}: {}", profile.name, cause.name());
        }
    }
}

/// A choice of lanes that is done early does not make the lanes it keeps ready.
#[test]
fn kept_lanes_are_waited_for() {
    let mut profile = FENN;
    profile.classes[Class::VectorMultiply as usize].latency = 3;
    let lines = ["vmul v5, v1, v2, 3", "vsel v5, t0, v3", "vadd v6, v5, v5", "ecall"];
    assert_eq!(issued(profile, &lines), [0, 1, 3]);
    // Without the choice the multiply is waited for just as long; without the multiply, not at all.
    assert_eq!(issued(profile, &[lines[0], "addi t1, t1, 1", lines[2], lines[3]]), [0, 1, 3]);
    assert_eq!(issued(profile, &["vadd v5, v1, v2", lines[1], lines[2], lines[3]]), [0, 1, 2]);
}
