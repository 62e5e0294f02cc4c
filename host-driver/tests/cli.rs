//! `fenn-run` as a user meets it: what it prints, what it writes, and its exit codes.

mod support;

use std::path::{Path, PathBuf};

use assert_cmd::Command;
use fenn_isa::image::manifest::{InputSpikes, Readout, SpikeList, StatePolicy};
use fenn_isa::image::{Image, Segment};
use fenn_isa::memory::Space;
use support::{LOOP, ONCE, RUN, STEPS, image, image_of_batch, image_of_pixels};
use tempfile::TempDir;

/// A directory with files of these names.
struct Place(TempDir);

impl Place {
    fn new(image: &Image) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        image.write(place.path("net.elf")).unwrap();
        place.file("data.csv", b"sample,step,unit\n0,0,1\n0,1,1\n1,3,4\n2,0,0\n");
        place.file("labels.csv", b"1\n4\n2\n");
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn file(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    /// Runs with these arguments in the directory: exit code, standard output, standard error.
    fn run(&self, args: &str) -> (i32, String, String) {
        let mut command = Command::cargo_bin("fenn-run").unwrap();
        let output = command.current_dir(self.0.path()).args(args.split_whitespace()).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    /// Runs with these arguments, which are not to succeed.
    fn fail(&self, args: &str) -> (i32, String) {
        let (code, out, err) = self.run(args);
        assert_eq!(out, "", "{args}");
        assert_eq!(err.trim_end().lines().count(), 1, "{args}: {err}");
        (code, err.trim_end().to_owned())
    }
}

fn place() -> Place {
    Place::new(&image(StatePolicy::Reset, Readout::Count))
}

#[test]
fn a_data_set_is_evaluated() {
    let place = place();
    let (code, out, err) = place.run("net.elf --data data.csv --labels labels.csv --jobs 2");
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.contains("accuracy      66.67 % (2 of 3)\n"), "{out}");
    assert!(out.contains("instructions  62 per sample, 186 in all\n"), "{out}");
    assert!(out.contains("2               1  0  0  0  0   0.00 %\n"), "{out}");
    let (code, out, _) = place.run("net.elf --data data.csv");
    assert_eq!(code, 0);
    assert!(out.ends_with("sample        class\n0             1\n1             4\n2             0\n"), "{out}");
}

#[test]
fn results_are_written() {
    let place = place();
    let args = "net.elf --data data.csv --labels labels.csv --outputs out.csv --report out.html --sample 1 --json";
    let (code, out, err) = place.run(args);
    assert_eq!((code, err.as_str()), (0, ""));
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(json["correct"], 2);
    assert_eq!(json["classes"], serde_json::json!([1, 4, 0]));
    assert_eq!(json["confusion"][2], serde_json::json!([1, 0, 0, 0, 0]));
    assert_eq!(std::fs::read_to_string(place.path("out.csv")).unwrap(), "0,2,0,0,0\n0,0,0,0,1\n1,0,0,0,0\n");
    let page = std::fs::read_to_string(place.path("out.html")).unwrap();
    assert!(page.contains("Sample 1</h2>") && page.contains("<svg"));
}

#[test]
fn samples_share_launches_and_recordings_are_exported() {
    let place = Place::new(&image_of_batch(Readout::Count));
    let (code, out, err) = place.run("net.elf --data data.csv --labels labels.csv --recordings out.npz");
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.contains("launches      3 samples each, "), "{out}");
    let (code, json, _) = place.run("net.elf --data data.csv --batch 2 --json");
    assert_eq!(code, 0);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["batch"], &json["classes"]), (&2.into(), &serde_json::json!([1, 4, 0])));
    // The second sample of a launch pays for the loop, too.
    assert_eq!(json["sample_instructions"], serde_json::json!([RUN, RUN + LOOP, RUN]));
    assert_eq!(json["launches"]["instructions"], 3 * RUN + LOOP + 2 * ONCE);
    let archive = std::fs::File::open(place.path("out.npz")).unwrap();
    let mut archive = zip::ZipArchive::new(archive).unwrap();
    let spikes = archive.by_name("sum.Spike.npy").unwrap();
    let spikes = npyz::NpyFile::new(spikes).unwrap().into_vec::<i32>().unwrap();
    assert_eq!(spikes, [0, 0, 1, 0, 1, 1, 1, 3, 4, 2, 0, 0]);
}

#[test]
fn a_limit_takes_the_first_samples() {
    let (code, out, _) = place().run("net.elf --data data.csv --labels labels.csv --limit 2");
    assert_eq!(code, 0);
    assert!(out.contains("accuracy      100.00 % (2 of 2)\n"), "{out}");
}

#[test]
fn images_are_encoded() {
    let place = Place::new(&image_of_pixels());
    let mut images = vec![0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 4];
    images.extend([0, 255, 0, 0, 0, 0, 200, 0]);
    place.file("images", &images);
    place.file("labels", &[0, 0, 8, 1, 0, 0, 0, 2, 1, 2]);
    let (code, out, err) = place.run("net.elf --data images --labels labels");
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.contains("(2 of 2)"), "{out}");
}

#[test]
fn archives_bring_labels_and_late_spikes_are_told() {
    let place = place();
    let archive = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hdf5/late.h5");
    place.file("late.h5", &std::fs::read(archive).unwrap());
    let (code, out, err) = place.run("net.elf --data late.h5");
    assert_eq!(code, 0);
    assert!(out.contains("accuracy      100.00 % (2 of 2)\n"), "{out}");
    let note = "1 spikes of 1 of the 2 samples from late.h5 were left out: they come after the run's 4 steps";
    assert_eq!(err, format!("fenn-run: note: {note}\n"));
    let (code, out, err) = place.run("net.elf --data late.h5 --skip 1");
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.contains("(1 of 1)"), "{out}");
    let (code, err) = place.fail("net.elf --data late.h5 --skip 2");
    assert_eq!((code, err.as_str()), (1, "fenn-run: late.h5: holds 2 samples, and none is left when 2 are skipped"));
}

#[test]
fn dropped_spikes_are_told() {
    let place = place();
    place.file("twice.csv", b"0,1\n0,1\n");
    let (code, _, err) = place.run("net.elf --data twice.csv");
    assert_eq!(code, 0);
    assert_eq!(
        err,
        "fenn-run: note: 1 spikes of twice.csv were dropped: the same unit has another one in the same step\n"
    );
}

#[test]
fn wrong_files_end_with_1() {
    let place = place();
    let whole = std::fs::read(place.path("net.elf")).unwrap();
    place.file("cut.elf", &whole[..whole.len() / 2]);
    place.file("bad.csv", b"0,0,9\n");
    place.file("few.csv", b"1\n");
    Image { manifest: None, ..image(StatePolicy::Reset, Readout::Count) }.write(place.path("bare.elf")).unwrap();
    let mut silent = image(StatePolicy::Reset, Readout::Count);
    silent.manifest.as_mut().unwrap().recordings.clear();
    silent.write(place.path("silent.elf")).unwrap();
    let mut listed = image(StatePolicy::Reset, Readout::Count);
    let list = SpikeList { address: 0x400, sample_bytes: 4 * (STEPS + 1), base: 0, scale: 1 };
    listed.manifest.as_mut().unwrap().inputs[0].spikes = InputSpikes::List(list);
    listed.write(place.path("listed.elf")).unwrap();
    let version = |bytes: &[u8]| bytes.windows(12).position(|window| window == b"\"version\":3,").unwrap();
    let mut old = whole.clone();
    old[version(&whole) + 10] = b'1';
    place.file("old.elf", &old);
    let cases = [
        ("none.elf --data data.csv", "fenn-run: cannot read none.elf: "),
        ("data.csv --data data.csv", "fenn-run: data.csv: this is not an ELF file"),
        ("cut.elf --data data.csv", "fenn-run: cut.elf: "),
        ("bare.elf --data data.csv", "fenn-run: bare.elf: the program has no manifest, so "),
        ("net.elf --data none.csv", "fenn-run: none.csv: cannot be read: "),
        ("net.elf --data bad.csv", "fenn-run: bad.csv: line 1: unit 9 is not an input: "),
        ("net.elf --data data.csv --labels few.csv", "fenn-run: few.csv: holds 1 labels for 3 samples"),
        ("net.elf --data data.csv --labels net.elf", "fenn-run: net.elf: is no data file that can be read: "),
        (
            "net.elf --data data.csv --report out.html --sample 3",
            "fenn-run: net.elf: there is no sample 3 to look at: ",
        ),
        ("net.elf --data data.csv --outputs none/out.csv", "fenn-run: cannot write none/out.csv: "),
        ("net.elf --data data.csv --recordings none/out.npz", "fenn-run: cannot write none/out.npz: "),
        ("silent.elf --data data.csv --recordings out.npz", "fenn-run: silent.elf: the program records nothing; "),
        (
            "net.elf --data data.csv --batch 2",
            "fenn-run: net.elf: a launch of this program has at least one sample and at most 1, not 2; ",
        ),
        (
            "old.elf --data data.csv",
            "fenn-run: old.elf: the manifest note cannot be read: the manifest has version 1, ",
        ),
        (
            "listed.elf --data data.csv",
            "fenn-run: listed.elf: sample 0: the sample has 2 spikes for input `left`, and ",
        ),
    ];
    for (args, message) in cases {
        let (code, err) = place.fail(args);
        assert!(err.starts_with(message), "{args}: {err}");
        assert_eq!(code, 1, "{args}");
    }
    assert!(!place.path("out.html").exists());
}

#[test]
fn a_wrong_command_line_ends_with_2() {
    let place = place();
    let cases = [
        "",
        "net.elf",
        "net.elf --data data.csv --limit 0",
        "net.elf --data data.csv --jobs 0",
        "net.elf --data data.csv --batch 0",
        "net.elf --data data.csv --sample 1",
        "net.elf --data data.csv --completions bash",
        "--nothing",
    ];
    for args in cases {
        let (code, out, err) = place.run(args);
        assert_eq!((code, out.as_str()), (2, ""), "{args}");
        assert!(err.contains("Usage") || err.contains("error:"), "{args}: {err}");
    }
}

/// The usual manifest over this code.
fn program(lines: &[&str]) -> Place {
    let code = lines.iter().flat_map(|line| fenn_isa::text::parse(line).expect(line).encode().to_le_bytes());
    let segments = vec![Segment::new(Space::Instruction, 0, code.collect())];
    Place::new(&Image { segments, ..image(StatePolicy::Reset, Readout::Count) })
}

#[test]
fn a_fault_ends_with_3() {
    let place = program(&["lui t0, 0x12345", "sw t0, 4(t0)"]);
    let (code, err) = place.fail("net.elf --data data.csv --report out.html --outputs out.csv");
    assert_eq!(code, 3);
    assert!(
        err.starts_with("fenn-run: net.elf: sample 0: the program stopped with a fault: trap at pc 0x4 ("),
        "{err}"
    );
    assert!(err.contains("0x12345004"), "{err}");
    assert!(!place.path("out.html").exists() && !place.path("out.csv").exists());
    assert_eq!(program(&["ebreak"]).fail("net.elf --data data.csv").0, 3);
}

#[test]
fn strict_makes_faults_of_what_the_board_lets_pass() {
    let place = program(&["sw zero, 2(zero)", "ecall"]);
    assert_eq!(place.run("net.elf --data data.csv").0, 0);
    assert_eq!(place.fail("net.elf --data data.csv --strict").0, 3);
}

#[test]
fn a_limit_ends_with_4() {
    let place = program(&["jal zero, .+0"]);
    let (code, err) = place.fail("net.elf --data data.csv --max-instructions 1000");
    assert_eq!(code, 4);
    let expected = "fenn-run: net.elf: sample 0: the program did not end within 1000 instructions, it was at pc 0x0 then; \
                    it may need longer, or loop for ever (see --max-instructions and --timeout)";
    assert_eq!(err, expected);
    assert_eq!(place.fail("net.elf --data data.csv --timeout 0").0, 4);
}

#[test]
fn help_documents_the_exit_codes_and_completions_are_made() {
    let place = place();
    let (code, help, _) = place.run("--help");
    assert_eq!(code, 0);
    for text in ["Exit status:", "  7  ", "Examples:", "doctor"] {
        assert!(help.contains(text), "{text}");
    }
    for command in ["run", "list", "info", "bench", "doctor", "mem"] {
        let (code, help, _) = place.run(&format!("{command} --help"));
        assert_eq!(code, 0, "{command}");
        for text in ["Exit status:", "  6  ", "Examples:", "vfio:0000:03:00.0", "--"] {
            assert!(help.contains(text), "{command}: {text}");
        }
    }
    let (code, script, _) = place.run("--completions bash");
    assert_eq!(code, 0);
    assert!(script.contains("--max-instructions"));
}

#[test]
fn nothing_but_results_is_left_behind() {
    let place = place();
    place.run("net.elf --data data.csv --report out.html --outputs out.csv");
    let names = std::fs::read_dir::<&Path>(place.0.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = names.collect();
    names.sort();
    assert_eq!(names, ["data.csv", "labels.csv", "net.elf", "out.csv", "out.html"]);
}
