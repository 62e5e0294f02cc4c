//! `fenn-run profile`: what is counted of programs written by hand, whose counts can be told by reading them, and the
//! command as a user meets it.

mod support;

use std::path::PathBuf;

use assert_cmd::Command;
use fenn_host::dataset::{Dataset, Spike};
use fenn_host::profile::{self, Options, Profile, Verdict};
use fenn_isa::image::manifest::{
    Batch, Counts, Data, Encoding, EntryPoint, Event, Footprint, Input, InputSpikes, Lanes, Manifest, Origin, Output,
    PhaseKind, Population, Projection, Readout, Rows, Section, SpikeArray, StatePolicy, VERSION, Work,
};
use fenn_isa::image::{Image, Segment, Symbol, SymbolKind};
use fenn_isa::memory::{MachineConfig, Space};
use fenn_isa::{text, timing};
use serde_json::Value;
use support::{check_page, image};

const STEPS: u32 = 3;

fn code(lines: &[&str]) -> Segment {
    let bytes = lines.iter().flat_map(|line| text::parse(line).expect(line).encode().to_le_bytes()).collect();
    Segment::new(Space::Instruction, 0, bytes)
}

/// Three cells that spike where their input does, two of which are joined to themselves a step later. `keep` is the line that
/// stores the spikes of a step.
fn relay(state: StatePolicy, keep: &str) -> Image {
    let lines = [
        "addi t0, zero, 0",
        "addi t1, zero, 3",
        "lw t2, 0(t0)",
        "addi t3, t2, 0",
        keep,
        "addi t0, t0, 4",
        "addi t1, t1, -1",
        "bne t1, zero, .-20",
        "ecall",
    ];
    let section = |name: &str, kind, from: u32, words: u32| Section {
        name: name.to_owned(),
        kind,
        address: 4 * from,
        bytes: 4 * words,
    };
    let rows = |source, delay, lanes, name: &str, nonzero, fan_out| Rows {
        section: 1,
        source,
        neurons: 3,
        delay,
        merged: false,
        lanes,
        projections: vec![Projection {
            name: name.to_owned(),
            target: "cells".to_owned(),
            weights: 9,
            nonzero,
            dense: 9,
            fan_out,
        }],
    };
    let work = Work {
        sections: vec![
            section("state", PhaseKind::Reset, 0, 2),
            section("in + back", PhaseKind::Propagate, 2, 2),
            section("cells", PhaseKind::Update, 4, 1),
            section("steps", PhaseKind::Record, 5, 3),
            section("samples", PhaseKind::Finish, 8, 1),
        ],
        events: vec![Event {
            population: "cells".to_owned(),
            name: "Spike".to_owned(),
            neurons: 3,
            section: 2,
            address: 0x100,
            bytes: 4,
        }],
        rows: vec![
            rows(
                Origin::Input("in".to_owned()),
                0,
                Lanes::PerSpike(Counts::Same(32)),
                "in",
                4,
                Counts::Each(vec![3, 1, 0]),
            ),
            rows(Origin::Event(0), 1, Lanes::PerStep(64), "back", 2, Counts::Each(vec![1, 0, 1])),
        ],
        footprint: Footprint { weights: 36, connections: 0, parameters: 0, state: 0, spikes: 8 },
        vanished: None,
    };
    let manifest = Manifest {
        version: VERSION,
        name: "relay <&>".to_owned(),
        generator: "by hand".to_owned(),
        time_step_ms: Some(0.5),
        steps: STEPS,
        state,
        seed: None,
        entry_points: vec![EntryPoint { name: "run".to_owned(), address: 0 }],
        batch: Batch::ONE,
        inputs: vec![Input {
            name: "in".to_owned(),
            neurons: 3,
            encoding: Encoding::Spikes,
            spikes: InputSpikes::Bits(SpikeArray::dense(0, 1, STEPS)),
        }],
        outputs: vec![Output {
            name: "cells".to_owned(),
            neurons: 3,
            data: Data::Spikes(SpikeArray::dense(0x100, 1, 1)),
            readout: Readout::Count,
        }],
        recordings: Vec::new(),
        counters: None,
        populations: vec![Population {
            name: "cells".to_owned(),
            neurons: 3,
            reset: state == StatePolicy::Reset,
            variables: Vec::new(),
        }],
        work: Some(work),
    };
    Image { segments: vec![code(&lines)], manifest: Some(manifest), ..Image::default() }
}

const STORE: &str = "sw t2, 0x100(zero)";

fn spikes(steps: &[&[u32]]) -> Vec<Spike> {
    steps.iter().zip(0..).flat_map(|(units, step)| units.iter().map(move |unit| Spike { step, unit: *unit })).collect()
}

/// Two samples: neurons 0, 1, 2 spike 2, 1 and 3 times; of those in the last step of each, neurons 2 and 0 once.
fn two() -> Dataset {
    Dataset::new([spikes(&[&[0, 1], &[2], &[2]]), spikes(&[&[], &[2], &[0]])], Some(vec![2, 1]))
}

fn of(image: &Image, dataset: &Dataset) -> Profile {
    let options = Options { jobs: 2, ..Options::default() };
    profile::profile(image, dataset, &options, |_| None, |_| ()).unwrap()
}

#[test]
fn spikes_and_operations_are_counted() {
    let profile = of(&relay(StatePolicy::Reset, STORE), &two());
    let counts: Vec<Option<u64>> = profile.populations.iter().map(|one| one.spikes).collect();
    assert_eq!(counts, [Some(6), Some(6)]);
    let [input, back] = &profile.rows[..] else { panic!("two kinds of rows") };
    // 2·3 + 1·1 + 3·0; 32 lanes for each of six spikes.
    assert_eq!((input.spikes, input.effective, input.lanes), (Some(6), Some(7), Some(192)));
    // Those of the last steps arrive no more: 1·1 + 2·1. 64 lanes in each of 2·3 steps.
    assert_eq!((back.spikes, back.effective, back.lanes), (Some(4), Some(3), Some(384)));
    let metrics = profile.neurobench.as_ref().unwrap();
    assert_eq!((metrics.effective_acs, metrics.lanes, metrics.dense), (Some(10), Some(576), 2 * 3 * 18));
    assert_eq!((metrics.weights, metrics.zero_weights), (18, 12));
    assert_eq!((metrics.outputs, metrics.zero_outputs), (18, Some(12)));
    assert_eq!(metrics.footprint, 36 + 8 + 36);
    // The second sample's only spike in its last step is neuron 0's, its label is 1.
    assert_eq!(profile.accuracy.map(|accuracy| (accuracy.correct, accuracy.samples)), Some((1, 2)));
    assert_eq!(profile.cost.instructions, 2 * (2 + 3 * 6));
    let phases: Vec<(&str, u64, u64, Option<u64>)> = profile
        .phases
        .iter()
        .map(|phase| (phase.kind.as_str(), phase.entered, phase.cost.instructions, phase.spikes))
        .collect();
    let expected = [
        ("reset", 2, 4, None),
        ("propagate", 6, 12, Some(6)),
        ("update", 6, 6, Some(6)),
        ("record", 6, 18, None),
        ("finish", 0, 0, None),
    ];
    assert_eq!(phases, expected);
}

/// Where state is carried, the spikes of the last step of a run arrive in the first one of the next; only the last run's do
/// not.
#[test]
fn spikes_are_carried_from_run_to_run() {
    let profile = of(&relay(StatePolicy::Carried, STORE), &two());
    let back = &profile.rows[1];
    assert_eq!((back.spikes, back.effective), (Some(5), Some(4)));
}

#[test]
fn spikes_that_are_not_stored_are_not_counted() {
    let profile = of(&relay(StatePolicy::Reset, "addi t4, t2, 0"), &two());
    assert_eq!(profile.populations[1].spikes, None);
    assert_eq!((profile.rows[0].effective, profile.rows[1].effective), (Some(7), None));
    let metrics = profile.neurobench.as_ref().unwrap();
    assert_eq!((metrics.effective_acs, metrics.activation_sparsity), (None, None));
    assert!(profile.notes[0].contains("--record spikes"), "{:?}", profile.notes);
    check_page(&profile::page(&profile));
}

#[test]
fn profiles_come_back_from_json() {
    let profile = of(&relay(StatePolicy::Reset, STORE), &two());
    let json = profile.to_json().unwrap();
    assert_eq!(Profile::from_json(json.as_bytes()).unwrap(), profile);
    let other = json.replacen("\"version\": 1", "\"version\": 9", 1);
    let error = Profile::from_json(other.as_bytes()).unwrap_err().to_string();
    assert!(error.contains("version 9, this tool reads version 1"), "{error}");
    assert!(Profile::from_json(b"{}").unwrap_err().to_string().starts_with("this is no profile"));
    // One device or two, it is the same profile.
    let options = Options { jobs: 1, ..Options::default() };
    let alone = profile::profile(&relay(StatePolicy::Reset, STORE), &two(), &options, |_| None, |_| ()).unwrap();
    assert_eq!(alone, profile);
}

/// A transfer of 1,024 bytes takes 10 + 4·16 cycles from the one in which it is started. At a cycle for each instruction, the
/// status is read in cycles 1, 4, … after that, the first time after its end in cycle 76.
#[test]
fn waiting_for_the_dma_engine_is_measured() {
    let lines = [
        "addi t0, zero, 1024",
        "csrrw zero, mm2s_count, t0",
        "csrrwi zero, mm2s_control, 1",
        "csrrs t1, mm2s_status, zero",
        "andi t1, t1, 2",
        "beq t1, zero, .-8",
        "ecall",
    ];
    let config = MachineConfig { dram_bytes: 1 << 12, ..MachineConfig::default() };
    let symbol = |name: &str, address| Symbol {
        name: name.to_owned(),
        space: Space::Instruction,
        address,
        size: 0,
        kind: SymbolKind::Label,
        global: true,
    };
    let symbols = vec![symbol("phase.start", 0), symbol("phase.wait", 12)];
    let image = Image { config, segments: vec![code(&lines)], symbols, ..Image::default() };
    let machine = fenn_iss::Options { profile: timing::FUNCTIONAL, ..fenn_iss::Options::default() };
    let profile = profile::profile_once(&image, &Options { machine, ..Options::default() }, |_| None).unwrap();
    assert_eq!((profile.dma.transfers, profile.dma.bytes), (1, 1024));
    assert_eq!(profile.dma.wait_cycles, 75);
    let phases: Vec<(&str, u64, u64)> =
        profile.phases.iter().map(|phase| (phase.name.as_str(), phase.entered, phase.cost.instructions)).collect();
    assert_eq!(phases, [("start", 1, 3), ("wait", 26, 78)]);
    check_page(&profile::page(&profile));
}

#[test]
fn pages_are_whole_and_safe() {
    let mut profile = of(&relay(StatePolicy::Reset, STORE), &two());
    let count = check_page(&profile::page(&profile));
    // Phases, spikes, synaptic operations.
    assert_eq!((count["svg"], count["figure"]), (3, 3));
    let bad = "</title></svg><script>alert(1)</script>\"'&";
    profile.program = bad.to_owned();
    profile.notes.push(bad.to_owned());
    profile.phases.iter_mut().for_each(|phase| phase.name = bad.to_owned());
    profile.populations.iter_mut().for_each(|one| one.population = bad.to_owned());
    profile.rows.iter_mut().flat_map(|rows| &mut rows.projections).for_each(|one| one.projection = bad.to_owned());
    profile.listings[0].lines.iter_mut().for_each(|line| line.text = bad.to_owned());
    profile.cost.stalls.insert(bad.to_owned(), u64::MAX);
    check_page(&profile::page(&profile));
    check_page(&profile::comparison_page(&profile::compare(&profile, &profile)));
}

#[test]
fn what_became_better_and_worse_is_sorted() {
    let before = of(&relay(StatePolicy::Reset, STORE), &two());
    let mut after = before.clone();
    after.cost.cycles = before.cost.cycles * 2;
    after.cost.instructions -= before.cost.instructions / 4;
    after.phases[1].cost.cycles = before.phases[1].cost.cycles / 2;
    after.populations[0].spikes = Some(3);
    after.phases.retain(|phase| phase.kind != "finish");
    let comparison = profile::compare(&before, &after);
    let of = |verdict| comparison.of(verdict).map(|change| change.name.as_str()).collect::<Vec<_>>();
    assert_eq!(of(Verdict::Worse), ["cycles per instruction", "cycles per sample"]);
    assert_eq!(of(Verdict::Better), ["propagate in + back: cycles per sample", "instructions per sample"]);
    assert_eq!(of(Verdict::Different), ["finish samples: cycles per sample", "in: input spikes per sample"]);
    let change = |name: &str| comparison.changes.iter().find(|change| change.name == name).unwrap().percent;
    assert_eq!(change("cycles per sample"), Some(100.0));
    assert_eq!(change("instructions per sample"), Some(-25.0));
    assert_eq!(change("in: input spikes per sample"), Some(-50.0));
    assert_eq!(change("finish samples: cycles per sample"), None);
    let text = profile::comparison_text(&comparison);
    assert!(text.starts_with("worse\n  cycles per instruction"), "{text}");
    check_page(&profile::comparison_page(&comparison));
    let same = profile::compare(&before, &before);
    assert!(same.changes.iter().all(|change| change.verdict == Verdict::Same && change.percent == Some(0.0)));
}

/// A folder with a program, data, and what the command leaves.
struct Place(tempfile::TempDir);

impl Place {
    fn new(image: &Image) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        image.write(place.path("net.elf")).unwrap();
        std::fs::write(place.path("data.csv"), "sample,step,unit\n0,0,0\n0,0,1\n0,1,2\n0,2,2\n1,1,2\n1,2,0\n").unwrap();
        std::fs::write(place.path("labels.csv"), "2\n1\n").unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, args: &str) -> (i32, String, String) {
        let mut command = Command::cargo_bin("fenn-run").unwrap();
        let output = command.current_dir(self.0.path()).args(args.split_whitespace()).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }
}

#[test]
fn the_command_writes_json_and_a_page() {
    let place = Place::new(&relay(StatePolicy::Reset, STORE));
    let args =
        "profile net.elf --data data.csv --labels labels.csv --execution-rate 20 --out p.json --report p.html --json";
    let (code, out, err) = place.run(args);
    assert_eq!((code, err.as_str()), (0, ""));
    let json: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(json["neurobench"]["effective_acs"], 10);
    assert_eq!(json["neurobench"]["execution_rate_hz"], 20.0);
    assert_eq!(std::fs::read_to_string(place.path("p.json")).unwrap(), out);
    check_page(&std::fs::read_to_string(place.path("p.html")).unwrap());
    let (code, out, _) = place.run("profile net.elf --data data.csv --limit 1");
    assert_eq!(code, 0);
    assert!(out.contains("effective ACs per sample          6.00\n"), "{out}");

    let (code, out, err) = place.run("profile --compare p.json p.json --report d.html");
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.starts_with("the same: "), "{out}");
    check_page(&std::fs::read_to_string(place.path("d.html")).unwrap());
    let (code, out, _) = place.run("profile --compare p.json p.json --json --out d.json");
    assert_eq!(code, 0);
    let json: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(json["changes"][0]["verdict"], "same");
    assert_eq!(std::fs::read_to_string(place.path("d.json")).unwrap(), out);
}

#[test]
fn the_command_says_what_is_wrong() {
    let place = Place::new(&relay(StatePolicy::Reset, STORE));
    Image { segments: vec![code(&["addi t0, zero, 1", "ecall"])], ..Image::default() }
        .write(place.path("bare.elf"))
        .unwrap();
    image(StatePolicy::Reset, Readout::Count).write(place.path("silent.elf")).unwrap();
    std::fs::write(place.path("bad.json"), "{}").unwrap();
    let cases = [
        ("profile", 2, "PROGRAM"),
        ("profile net.elf", 2, "a compiled network needs samples: --data FILE"),
        ("profile bare.elf --data data.csv", 2, "this is no compiled network"),
        ("profile net.elf --data data.csv --execution-rate 0", 2, "a rate is a positive number"),
        ("profile --compare bad.json", 2, "2 values required"),
        ("profile net.elf --compare bad.json bad.json", 2, "cannot be used with"),
        ("profile --compare bad.json bad.json", 1, "bad.json: this is no profile of fenn-run"),
        ("profile --compare none.json bad.json", 1, "none.json"),
        ("profile none.elf --data data.csv", 1, "none.elf"),
        ("profile net.elf --data none.csv", 1, "none.csv"),
        ("profile net.elf --data data.csv --report /none/p.html", 1, "cannot write /none/p.html"),
        ("profile net.elf --data data.csv --max-instructions 5", 4, "see --max-instructions"),
    ];
    for (args, expected, said) in cases {
        let (code, out, err) = place.run(args);
        assert_eq!((code, out.as_str()), (expected, ""), "{args}: {err}");
        assert!(err.contains(said), "{args}: {err}");
    }
    let (code, out, _) = place.run("profile bare.elf");
    assert_eq!(code, 0);
    assert!(out.contains("instructions          1.0\n"), "{out}");
    let (code, out, _) = place.run("profile silent.elf --data data.csv");
    assert_eq!(code, 0);
    assert!(out.contains("note: The program does not say what its parts do"), "{out}");
}
