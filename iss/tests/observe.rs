//! Observers against sums made by hand, and against each other on random programs.

mod support;

use fenn_isa::image::{Image, Line, Segment, Symbol, SymbolKind};
use fenn_isa::memory::{LANES, Space};
use fenn_isa::timing::{CV32E40X, FENN, FUNCTIONAL, StallCause};
use fenn_isa::{Class, SPECS};
use fenn_iss::observe::check::{Checker, Kind, Severity};
use fenn_iss::observe::heatmap::Heatmap;
use fenn_iss::observe::{Cost, Phases, Profiler, Stacks};
use fenn_iss::{Error, Limits, Machine, Options, Outcome, Statistics, Stop, Vector};
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64Mcg;
use support::{image, small, v, x};

fn label(name: &str, address: u32, kind: SymbolKind) -> Symbol {
    Symbol { name: name.to_owned(), space: Space::Instruction, address, size: 0, kind, global: true }
}

/// Three times: load, and call a function that doubles and stores.
///
/// By the timing table: `jal` costs a cycle more until the fetch unit knows it, `jalr` always; `bne` costs two the first
/// time, when it is not foreseen, and the last, when it is; the product is stored a cycle late.
const CALLS: [&str; 10] = [
    "addi a0, zero, 3",
    "vlui v2, 1024",
    "vloadv v1, 0(zero)",
    "jal ra, .+16",
    "addi a0, a0, -1",
    "bne a0, zero, .-12",
    "ecall",
    "vmul_s v1, v1, v2, 10",
    "vstore v1, 64(zero)",
    "jalr zero, 0(ra)",
];

fn calls() -> Image {
    let file: std::sync::Arc<str> = "calls.s".into();
    let line = |(index, line): (u32, u32)| Line { address: 4 * index, file: file.clone(), line, column: 1 };
    let mut image = image(small(), &CALLS);
    image.segments.push(Segment::zeros(Space::Vector, 0, 64));
    image.sort();
    image.symbols = vec![
        label("start", 0, SymbolKind::Label),
        label("phase.load", 8, SymbolKind::Label),
        label("phase.compute", 12, SymbolKind::Label),
        label("again", 8, SymbolKind::Label),
        label("scale", 28, SymbolKind::Function),
    ];
    // The first two instructions are of one line.
    image.lines = (0..).zip([2, 2, 3, 4, 5, 6, 7, 9, 10, 11]).map(line).collect();
    image
}

fn watch<O: fenn_iss::Observer>(image: &Image, observer: &mut O) -> (Machine, Outcome) {
    let mut machine = Machine::builder().image(image).build().unwrap();
    let outcome = machine.run(Limits { instructions: Some(100_000), ..Limits::NONE }, observer);
    (machine, outcome)
}

/// Instructions, cycles, and the causes that cost anything.
fn sums(cost: &Cost) -> (u64, u64, Vec<(&'static str, u64)>) {
    let stalls = cost.stalls.iter().filter(|(_, cycles)| *cycles > 0).map(|(cause, cycles)| (cause.name(), cycles));
    (cost.instructions, cost.cycles, stalls.collect())
}

#[test]
fn a_profile_by_symbol_and_line() {
    let image = calls();
    let mut profiler = Profiler::new();
    let (_, outcome) = watch(&image, &mut profiler);
    assert_eq!((outcome.stop, outcome.instructions, outcome.cycles), (Stop::Ecall { pc: 24 }, 23, 34));
    let report = profiler.report(&image);
    assert_eq!(sums(&report.total), (23, 34, vec![("vector-result", 3), ("branch", 4), ("jump", 4)]));
    let symbols: Vec<_> =
        report.symbols.iter().map(|row| (row.name.as_deref().unwrap(), row.calls, sums(&row.cost))).collect();
    assert_eq!(
        symbols,
        [
            ("scale", 3, (9, 15, vec![("vector-result", 3), ("jump", 3)])),
            ("phase.compute", 0, (9, 14, vec![("branch", 4), ("jump", 1)])),
            // The mark of a phase is no name where there is another.
            ("again", 0, (3, 3, vec![])),
            ("start", 0, (2, 2, vec![])),
        ]
    );
    let lines: Vec<_> = report.lines.iter().map(|row| (row.line, row.executions, row.cost.cycles)).collect();
    assert_eq!(lines, [(6, 3, 7), (10, 3, 6), (11, 3, 6), (4, 3, 4), (3, 3, 3), (5, 3, 3), (9, 3, 3), (2, 1, 2)]);
    assert_eq!(report.total.worst(), Some((StallCause::Branch, 4)), "the first of equals");
    assert!((report.total.cpi() - 34.0 / 23.0).abs() < 1e-12);
    let text = report.text();
    assert!(
        text.contains(
            "          15  44.1 %            9  1.667          3  scale                    vector-result 3, jump 3\n"
        ),
        "{text}"
    );
    let json = report.json();
    assert_eq!(json["symbols"][0]["stalls"]["jump"], 3);
    assert_eq!((&json["lines"][0]["line"], &json["total"]["cycles"]), (&6.into(), &34.into()));
}

#[test]
fn stacks_of_calls() {
    let image = calls();
    let mut stacks = Stacks::new();
    watch(&image, &mut stacks);
    assert_eq!(stacks.folded(&image), "start 19\nstart;scale 15\n");
    assert_eq!(stacks.folded(&Image::default()), "0x0 19\n0x0;0x1c 15\n", "without names there are addresses");
}

/// A function that calls itself without end, and one that returns over its caller's head.
#[test]
fn stacks_have_a_depth() {
    let mut machine = support::machine(&["jal ra, .+0"], support::PLAIN);
    let mut stacks = Stacks::new();
    machine.run(Limits { instructions: Some(10_000), ..Limits::NONE }, &mut stacks);
    let folded = stacks.folded(&Image::default());
    assert_eq!(folded.lines().count(), 257);
    let cycles: u64 = folded.lines().map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum();
    assert_eq!(cycles, 10_000);
    // main calls f, f calls g, g returns to main.
    let lines = ["jal ra, .+8", "ecall", "jal t0, .+4", "jalr zero, 0(ra)"];
    let mut stacks = Stacks::new();
    support::machine(&lines, support::PLAIN).run(Limits::NONE, &mut stacks);
    assert_eq!(stacks.folded(&Image::default()), "0x0 1\n0x0;0x8 1\n0x0;0x8;0xc 1\n");
}

#[test]
fn phases_add_up() {
    let image = calls();
    let mut phases = Phases::of(&image);
    watch(&image, &mut phases);
    let rows: Vec<_> =
        phases.phases().iter().map(|phase| (phase.name.as_str(), phase.entered, sums(&phase.cost))).collect();
    let compute = (18, 29, vec![("vector-result", 3), ("branch", 4), ("jump", 4)]);
    assert_eq!(rows, [("", 0, (2, 2, vec![])), ("load", 3, (3, 3, vec![])), ("compute", 3, compute)]);
    assert_eq!(phases.json()[2]["entered"], 3);
    // The same by addresses; two marks with one name are one phase.
    let mut phases = Phases::new([(28, "scale"), (16, "main"), (0, "main")]);
    watch(&image, &mut phases);
    let rows: Vec<_> =
        phases.phases().iter().map(|phase| (phase.name.as_str(), phase.entered, phase.cost.cycles)).collect();
    assert_eq!(rows, [("", 0, 0), ("scale", 3, 15), ("main", 4, 19)]);
    assert!(!phases.text().contains("(before)"), "a phase that did not run is not listed");
    assert!(Phases::of(&Image::default()).is_empty());
}

/// What a trap costs belongs to the instruction that trapped.
#[test]
fn traps_have_their_place() {
    let lines = [
        "addi t0, zero, 20",
        "csrrw zero, mtvec, t0",
        "lw t1, 0(zero)",
        "lw t2, -8(t1)",
        "ecall",
        "csrrs t3, mepc, zero",
        "addi t3, t3, 4",
        "csrrw zero, mepc, t3",
        "mret",
    ];
    let mut machine = support::machine(&lines, Options::default());
    let mut observers = (Profiler::new(), (Phases::new([(8, "load"), (20, "handler")]), Statistics::default()));
    let outcome = machine.run(Limits::NONE, &mut observers);
    let (profiler, (phases, statistics)) = observers;
    assert_eq!(outcome.stop, Stop::Ecall { pc: 16 });
    let trapped = profiler.at(12);
    // It waits a cycle for its address; the trap takes its own place and two cycles more.
    assert_eq!((trapped.instructions, trapped.traps, trapped.cycles), (0, 1, 4));
    assert_eq!(trapped.stalls.get(StallCause::Trap), 3);
    let total = profiler.report(&Image::default()).total;
    assert_eq!(total.cycles, outcome.cycles);
    assert_eq!(total.cycles, total.instructions + total.traps + total.stalls.total());
    assert_eq!(phases.phases().iter().map(|phase| phase.cost.cycles).sum::<u64>(), outcome.cycles);
    assert_eq!(phases.phases()[1].cost.traps, 1, "the load's phase");
    assert_eq!(statistics.traps, 1);
    assert_eq!(outcome.cycles, outcome.instructions + 1 + machine.stalls().total());
    assert_eq!(machine.stalls().get(StallCause::LoadUse), 1);
    assert_eq!(statistics.stalls().get(StallCause::LoadUse), 0, "around retired instructions only");
}

#[test]
fn statistics_know_who_waited() {
    let image = calls();
    let mut statistics = Statistics::default();
    let (machine, outcome) = watch(&image, &mut statistics);
    assert_eq!(statistics.class_stalls(Class::VectorStore).get(StallCause::VectorResult), 3);
    assert_eq!(statistics.class_stalls(Class::Branch).get(StallCause::Branch), 4);
    assert_eq!(statistics.class_stalls(Class::Jump).get(StallCause::Jump), 1);
    assert_eq!(statistics.class_stalls(Class::JumpRegister).get(StallCause::Jump), 3);
    assert_eq!(statistics.stalls(), *machine.stalls());
    assert_eq!(outcome.cycles, statistics.total() + statistics.stalls().total());
}

/// On programs of random instructions, three observers that reckon separately agree with the machine, on three cores.
#[test]
fn sums_agree_on_random_programs() {
    let (mut traps, mut stalls) = (0, 0);
    for seed in 0..200u64 {
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        let profile = [FENN, CV32E40X, FUNCTIONAL][seed as usize % 3];
        let mut machine = Machine::builder().memories(small()).profile(profile).build().unwrap();
        let word = |rng: &mut Pcg64Mcg| {
            let spec = &SPECS[rng.random_range(0..SPECS.len())];
            rng.next_u32() & !spec.layout.mask | spec.layout.value
        };
        let code: Vec<u8> = (0..256).flat_map(|_| word(&mut rng).to_le_bytes()).collect();
        machine.write(Space::Instruction, 0, &code).unwrap();
        let mut observers = (Statistics::default(), (Profiler::new(), (Phases::new([(400, "half")]), Stacks::new())));
        let mut fatal = 0;
        for _ in 0..40 {
            let state = machine.state_mut();
            for index in 0..32 {
                state.set_x(x(index), 64 * rng.random_range(0..16));
                state.v[index] = Vector(std::array::from_fn(|_| rng.next_u32() as i16));
            }
            state.csrs.mtvec = 4 * rng.random_range(0..200);
            state.pc = 4 * rng.random_range(0..256);
            let outcome = machine.run(Limits { instructions: Some(30), ..Limits::NONE }, &mut observers);
            if let Stop::Trap(_) = outcome.stop {
                // Its waiting is seen by nobody: the observers begin anew.
                fatal += 1;
                break;
            }
        }
        let (statistics, (profiler, (phases, _))) = observers;
        let table = *machine.stalls();
        let entered = statistics.traps - fatal;
        traps += entered;
        stalls += table.total();
        assert_eq!(machine.state().cycles, statistics.total() + entered + table.total(), "seed {seed}");
        let total = profiler.report(&Image::default()).total;
        let by_phase = Cost::sum(phases.phases().iter().map(|phase| &phase.cost));
        assert_eq!(total, by_phase, "seed {seed}");
        assert_eq!(total.cycles, total.instructions + total.traps + total.stalls.total(), "seed {seed}");
        assert_eq!(total.instructions, statistics.total(), "seed {seed}");
        // A run that ends with a trap, or in a handler's entry, has cycles after the last retirement.
        assert!(total.cycles <= machine.state().cycles && machine.state().cycles - total.cycles < 64, "seed {seed}");
    }
    assert!(traps > 500 && stalls > 5_000, "{traps} {stalls}");
}

#[test]
fn a_heat_map_has_every_line_once() {
    let image = calls();
    let mut profiler = Profiler::new();
    watch(&image, &mut profiler);
    let source = (1..=10).map(|line| format!("line {line} <b>&\n")).collect::<String>();
    let mut asked = Vec::new();
    let map = Heatmap::new(&profiler, &image, |name| {
        asked.push(name.to_owned());
        Some(source.clone())
    });
    assert_eq!(asked, ["calls.s"]);
    // The source has ten lines; the code of line 11 is shown as code.
    let names: Vec<_> = map.listings.iter().map(|listing| (listing.name.as_str(), listing.rows.len())).collect();
    assert_eq!(names, [("calls.s", 10), ("disassembly of the rest", 1)]);
    let rows = &map.listings[0].rows;
    let seen: Vec<_> = rows.iter().map(|row| (row.executions, row.cost.cycles, row.has_code)).collect();
    assert_eq!(
        seen,
        [
            (0, 0, false),
            (1, 2, true),
            (3, 3, true),
            (3, 4, true),
            (3, 3, true),
            (3, 7, true),
            (0, 0, true),
            (0, 0, false),
            (3, 3, true),
            (3, 6, true),
        ]
    );
    let all = Cost::sum(map.listings.iter().flat_map(|listing| &listing.rows).map(|row| &row.cost));
    assert_eq!(all, profiler.report(&image).total);
    assert_eq!(map.listings[1].rows[0].text, "jalr zero, 0(ra)");
    let text = map.text();
    assert!(text.contains("          3            7          4  20.59 ##########        6 | line 6 <b>&\n"), "{text}");
    let page = map.html("calls <script>");
    assert!(page.contains("line 6 &lt;b&gt;&amp;") && page.contains("calls &lt;script&gt;"));
    assert!(["<script", "://", "src=", "href="].iter().all(|one| !page.contains(one)), "the page loads nothing");
    assert!(page.contains("class=\"h10\" title=\"branch 4\"") && page.contains("class=\"never\""));
    // Without the source all is disassembly, with its labels.
    let map = Heatmap::new(&profiler, &image, |_| None);
    assert_eq!(map.listings.len(), 1);
    assert_eq!(map.listings[0].name, "disassembly");
    let texts: Vec<_> = map.listings[0].rows.iter().map(|row| row.text.as_str()).collect();
    assert_eq!(texts[..3], ["start:", "addi a0, zero, 3", "vlui v2, 1024"]);
    assert_eq!(texts.len(), 10 + 4);
}

#[test]
fn runs_stop_where_they_are_told() {
    let image = calls();
    let mut whole = Machine::builder().image(&image).build().unwrap();
    whole.run(Limits::NONE, &mut ());
    // Before every call of the function; continuing makes progress.
    let mut machine = Machine::builder().image(&image).build().unwrap();
    let limits = Limits { breakpoints: &[400, 28], ..Limits::NONE };
    let mut stops: Vec<(Stop, u64)> = Vec::new();
    while stops.last().is_none_or(|(stop, _)| *stop == Stop::Breakpoint { pc: 28 }) {
        let outcome = machine.run(limits, &mut ());
        stops.push((outcome.stop, outcome.instructions));
    }
    let at = Stop::Breakpoint { pc: 28 };
    assert_eq!(stops, [(at, 4), (at, 7), (at, 7), (Stop::Ecall { pc: 24 }, 5)]);
    assert_eq!(machine.state(), whole.state());
    assert!(stops[0].0.to_string() == "stopped before pc 0x1c, as asked");
    // Cycles: the fourth instruction comes with its jump to 5 cycles; see the timing above.
    for (cycles, instructions) in [(0, 0), (1, 1), (3, 3), (4, 4), (5, 4), (6, 5), (8, 6)] {
        let mut machine = Machine::builder().image(&image).build().unwrap();
        let outcome = machine.run(Limits { cycles: Some(cycles), ..Limits::NONE }, &mut ());
        assert_eq!(outcome.stop, Stop::CycleLimit { pc: machine.state().pc }, "{cycles}");
        assert_eq!(outcome.instructions, instructions, "{cycles}");
        assert!(outcome.cycles >= cycles);
    }
    // In pieces of any kind it is the same run.
    for piece in 1..12 {
        let mut machine = Machine::builder().image(&image).build().unwrap();
        let limits = Limits { cycles: Some(piece), instructions: Some(7), breakpoints: &[12, 32] };
        while !machine.run(limits, &mut ()).stop.is_end() {}
        assert_eq!(machine.state(), whole.state(), "{piece}");
        assert_eq!(machine.stalls(), whole.stalls(), "{piece}");
    }
    // The number of instructions is exact beside another limit, and named first.
    let mut machine = Machine::builder().image(&image).build().unwrap();
    let limits = Limits { instructions: Some(4), cycles: Some(5), breakpoints: &[28] };
    assert_eq!(machine.run(limits, &mut ()).stop, Stop::InstructionLimit { pc: 28 });
}

#[test]
fn a_builder_builds_what_it_is_told() {
    let image = calls();
    let machine = Machine::builder().image(&image).build().unwrap();
    assert_eq!((machine.config(), machine.timing().profile().name), (&small(), "fenn"));
    let larger = fenn_isa::memory::MachineConfig { vector_bytes: 8192, ..small() };
    let mut machine = Machine::builder().image(&image).memories(larger).strict(true).profile(CV32E40X).build().unwrap();
    assert_eq!((machine.config(), machine.timing().profile().name), (&larger, "cv32e40x"));
    machine.write(Space::Instruction, 0, &support::words(&["lw t0, 1(zero)"])).unwrap();
    assert!(matches!(machine.run(Limits::NONE, &mut ()).stop, Stop::Trap(_)), "it is strict");
    let smaller = fenn_isa::memory::MachineConfig { vector_bytes: 2048, ..small() };
    assert!(matches!(Machine::builder().image(&image).memories(smaller).build(), Err(Error::TooSmall { .. })));
    assert_eq!(Machine::builder().build().unwrap().config(), &fenn_isa::memory::MachineConfig::default());
    let error = machine.symbol(&image, "scale").unwrap_err();
    assert_eq!(error.to_string(), "the program has no symbol `scale` that has a size");
    assert!(machine.region(Space::Scalar, 1022, 4).is_err());
    machine.write(Space::Scalar, 0, &[0xfe, 0xff, 0xff, 0xff, 1, 0]).unwrap();
    let region = machine.region(Space::Scalar, 0, 6).unwrap();
    assert_eq!((region.i16(), region.u16()), (vec![-2, -1, 1], vec![0xfffe, 0xffff, 1]));
    assert_eq!((region.i32(), region.u32()), (vec![-2], vec![0xffff_fffe]));
}

/// The kinds found, each with its address in the program and how often.
fn found(lines: &[&str], data: &[Segment], prepare: impl Fn(&mut Machine)) -> Vec<(Kind, u32, u64)> {
    let mut image = image(small(), lines);
    image.segments.extend(data.iter().cloned());
    image.sort();
    let mut machine = Machine::builder().image(&image).build().unwrap();
    prepare(&mut machine);
    let mut checker = Checker::new(&image);
    machine.run(Limits { instructions: Some(10_000), ..Limits::NONE }, &mut checker);
    checker.findings().map(|finding| (finding.kind, finding.pc, finding.count)).collect()
}

fn zeros(space: Space, address: u32, size: u32) -> Segment {
    Segment::zeros(space, address, size)
}

#[test]
fn reads_of_what_nobody_wrote_are_found() {
    let nothing = |_: &mut Machine| {};
    // Written by the program, by the image, and by neither; halves of words.
    let lines = ["sh zero, 4(zero)", "lh t0, 4(zero)", "lw t0, 4(zero)", "lw t0, 0(zero)", "lbu t0, 7(zero)", "ecall"];
    let scalar = [zeros(Space::Scalar, 0, 4)];
    assert_eq!(found(&lines, &scalar, nothing), [(Kind::PartlyUninitialised, 8, 1), (Kind::Uninitialised, 16, 1)]);
    // A row of which the image has six bytes, and one of which it has none; both of the generators' halves.
    let lines = ["vloadv v1, 64(zero)", "vloadr0 128(zero)", "vstore v1, 128(zero)", "vloadr1 128(zero)", "ecall"];
    let vector = [zeros(Space::Vector, 64, 6)];
    assert_eq!(found(&lines, &vector, nothing), [(Kind::PartlyUninitialised, 0, 1), (Kind::Uninitialised, 4, 1)]);
    // Lane by lane: lanes 0 and 3 store at 8, all but lane 1 load there, twice.
    let lines = ["vstorel v1, 4(v2)", "vloadl v1, 4(v3)", "vloadl v4, 5(v3)", "ecall"];
    let prepare = |machine: &mut Machine| {
        machine.state_mut().v_mut(v(2)).0 = std::array::from_fn(|lane| if lane == 0 || lane == 3 { 4 } else { -1 });
        machine.state_mut().v_mut(v(3)).0 = std::array::from_fn(|lane| if lane == 1 { -1 } else { 4 });
    };
    assert_eq!(found(&lines, &[], prepare), [(Kind::Uninitialised, 4, 29), (Kind::Uninitialised, 8, 29)]);
    // As the host sees lane-local memory, that is row 4.
    let row = [zeros(Space::LaneLocal, 4 * 64, 64)];
    assert_eq!(found(&lines, &row, prepare), []);
}

#[test]
fn what_the_host_writes_is_written() {
    let image = image(small(), &["vloadv v1, 64(zero)", "lw t0, 4(zero)", "ecall"]);
    let run = |writes: &[(Space, u32, u32)]| {
        let mut machine = Machine::builder().image(&image).build().unwrap();
        let mut checker = Checker::new(&image);
        writes.iter().for_each(|(space, address, bytes)| checker.host_wrote(*space, *address, *bytes));
        machine.run(Limits::NONE, &mut checker);
        (checker.findings().count(), checker.has_errors())
    };
    assert_eq!(run(&[]), (2, true));
    assert_eq!(run(&[(Space::Vector, 60, 30), (Space::Scalar, 0, 8)]), (1, false), "part of a vector is a note");
    assert_eq!(run(&[(Space::Vector, 0, u32::MAX), (Space::Scalar, 4, 4)]), (0, false));
}

#[test]
fn addresses_that_wrap_are_found() {
    // Vector memory has 4,096 bytes: row 4,096 is row 0, which the first store writes.
    let lines = ["lui t0, 1", "vstore v1, 0(zero)", "vloadv v2, 0(t0)", "vloadv v2, -64(t0)", "ecall"];
    let last = [zeros(Space::Vector, 4032, 64)];
    assert_eq!(found(&lines, &last, |_| {}), [(Kind::Wraps, 8, 1)]);
    // A lane's memory has 256 bytes; lane 0 is beyond its end, lane 1 before its beginning.
    let prepare = |machine: &mut Machine| {
        machine.state_mut().v_mut(v(2)).0 = std::array::from_fn(|lane| match lane {
            0 => 264,
            1 => 4,
            _ => -1,
        });
    };
    let lines = ["vstorel v1, -8(v2)", "ecall"];
    assert_eq!(found(&lines, &[], prepare), [(Kind::Wraps, 0, 2)]);
}

/// Starts transfers of two rows from 0 to row 2, or from row 2 to 0.
fn transfer(channel: &str) -> Vec<String> {
    let (source, destination) = if channel == "mm2s" { ("zero", "t1") } else { ("t1", "zero") };
    vec![
        "addi t1, zero, 128".to_owned(),
        format!("csrrw zero, {channel}_src_addr, {source}"),
        format!("csrrw zero, {channel}_dst_addr, {destination}"),
        format!("csrrw zero, {channel}_count, t1"),
        format!("csrrwi zero, {channel}_control, 1"),
    ]
}

#[test]
fn transfers_in_the_way_are_found() {
    let all = [zeros(Space::Vector, 0, 4096), zeros(Space::Dram, 0, 4096)];
    let with = |start: &[String], more: &[&str], data: &[Segment]| {
        let lines: Vec<&str> = start.iter().map(String::as_str).chain(more.iter().copied()).collect();
        found(&lines, data, |_| {})
    };
    let (into, out_of) = (transfer("mm2s"), transfer("s2mm"));
    // Into rows 2 and 3: neither may be touched; rows 1 and 4 may.
    let touch =
        ["vloadv v1, 64(zero)", "vloadv v1, 128(zero)", "vstore v2, 192(zero)", "vstore v2, 256(zero)", "ecall"];
    assert_eq!(with(&into, &touch, &all), [(Kind::Overlap, 24, 1), (Kind::Overlap, 28, 1)]);
    // Out of them: they may be read.
    assert_eq!(with(&out_of, &touch, &all), [(Kind::Overlap, 28, 1)]);
    // When the transfer has ended they are anybody's: 10 cycles and 2 times 4 after the start.
    let wait = ["csrrs t3, mm2s_status, zero"; 18];
    assert_eq!(with(&into, &[&wait[..], &touch].concat(), &all), []);
    // One behind the other, in the same rows of both memories.
    let lines: Vec<String> = [&into[..], &out_of].concat();
    assert_eq!(with(&lines, &["ecall"], &all), [(Kind::Transfers, 36, 1)]);
    // Elsewhere: `t1` is 256 for the second.
    let apart: Vec<String> = lines
        .iter()
        .enumerate()
        .map(|(i, line)| if i == 5 { "addi t1, zero, 256".to_owned() } else { line.clone() })
        .collect();
    let apart: Vec<String> =
        apart.iter().map(|line| line.replace("s2mm_dst_addr, zero", "s2mm_dst_addr, t1")).collect();
    assert_eq!(with(&apart, &["ecall"], &all), []);
    // DRAM that nobody wrote, and half of it; what has arrived is not reported again.
    let read = [&wait[..], &["vloadv v1, 128(zero)", "ecall"]].concat();
    assert_eq!(with(&into, &read, &[]), [(Kind::Uninitialised, 16, 1)]);
    assert_eq!(with(&into, &read, &[zeros(Space::Dram, 64, 64)]), [(Kind::PartlyUninitialised, 16, 1)]);
    // Vector memory that nobody wrote, on its way out.
    assert_eq!(with(&out_of, &["ecall"], &[]), [(Kind::Uninitialised, 16, 1)]);
    // A second start while the channel is busy, and one with a length that is no multiple of 64.
    assert_eq!(with(&into, &["csrrwi zero, mm2s_control, 1", "ecall"], &all), [(Kind::Refused, 20, 1)]);
    let wrong: Vec<String> = into.iter().map(|line| line.replace("128", "100")).collect();
    assert_eq!(with(&wrong, &["ecall"], &all), [(Kind::Refused, 16, 1)]);
}

#[test]
fn vectors_read_too_early_are_notes() {
    let data = [zeros(Space::Vector, 0, 128), zeros(Space::LaneLocal, 0, 64)];
    let early = |lines: &[&str]| found(lines, &data, |_| {});
    assert_eq!(early(&["vloadv v1, 0(zero)", "vadd v2, v3, v1", "ecall"]), [(Kind::TooEarly, 4, 1)]);
    assert_eq!(early(&["vloadv v1, 0(zero)", "addi t0, t0, 1", "vadd v2, v3, v1", "ecall"]), []);
    assert_eq!(early(&["vloadv v1, 0(zero)", "vadd v1, v3, v2", "ecall"]), [], "it is written, not read");
    assert_eq!(early(&["vloadv v1, 0(zero)", "vsel v1, t0, v2", "ecall"]), [(Kind::TooEarly, 4, 1)], "lanes are kept");
    assert_eq!(early(&["vloadl v1, 0(v0)", "vstore v1, 0(zero)", "ecall"]), [(Kind::TooEarly, 4, 1)]);
    assert_eq!(early(&["vloadr0 0(zero)", "vrng v1", "ecall"]), [(Kind::TooEarly, 4, 1)]);
    // A register of the other kind with the same number.
    assert_eq!(early(&["vloadv v5, 0(zero)", "addi t0, t0, 1", "ecall"]), []);
    assert_eq!((Kind::TooEarly.severity(), Kind::Wraps.severity()), (Severity::Note, Severity::Error));
}

#[test]
fn findings_are_sentences_with_places() {
    let mut image = image(small(), &["vloadl v1, 0(v2)", "beq zero, zero, .-4"]);
    image.lines = vec![Line { address: 0, file: "a.s".into(), line: 3, column: 1 }];
    let mut machine = Machine::builder().image(&image).build().unwrap();
    machine.state_mut().v_mut(v(2)).0 = std::array::from_fn(|lane| if lane == LANES - 1 { 6 } else { -1 });
    let mut checker = Checker::new(&image);
    machine.run(Limits { instructions: Some(6), ..Limits::NONE }, &mut checker);
    let sentence = "lane-local memory of lane 31 at 0x6 is read, and 2 of the 2 bytes were never written";
    assert_eq!(checker.text(&image), format!("a.s:3: error at pc 0x0: {sentence} (3 times)\n"));
    let json = checker.json(&image);
    assert_eq!((&json[0]["line"], &json[0]["count"], &json[0]["lane"]), (&3.into(), &3.into(), &31.into()));
    assert_eq!((json[0]["kind"].as_str(), json[0]["text"].as_str()), (Some("uninitialised-read"), Some(sentence)));
}
