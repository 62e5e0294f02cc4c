//! `fenn-run` and cards: list, info, bench, doctor, mem, and programs on a card.

mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;

use assert_cmd::Command;
use fenn_isa::image::manifest::{Readout, StatePolicy};
use fenn_isa::image::{Image, Segment};
use fenn_isa::memory::Space;
use fenn_isa::soc::{CardRegister, FINGERPRINT, IDENT, VERSION};
use fenn_isa::text;
use support::{image, image_of_batch, image_of_stream};
use tempfile::TempDir;

/// A folder that is somebody's machine, and where things are written.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        fs::create_dir_all(place.path("root/dev")).unwrap();
        // Somebody who is not root, and in one group.
        place.file(
            "root/proc/self/status",
            "Name:\tfenn-run\nUid:\t1000\t1000\t1000\t1000\nGid:\t1000\t1000\t1000\t1000\nGroups:\t27\n",
        );
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn file(&self, name: &str, text: &str) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), text).unwrap();
    }

    /// A device node, which is a file that anybody may open or nobody.
    fn node(&self, name: &str, mode: u32) {
        self.file(&format!("root/dev/{name}"), "");
        fs::set_permissions(self.path(&format!("root/dev/{name}")), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn link(&self, name: &str, target: &str) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        symlink(target, self.path(name)).unwrap();
    }

    /// A card on PCI with this driver.
    fn pci(&self, address: &str, driver: Option<&str>) {
        let folder = format!("root/sys/bus/pci/devices/{address}");
        self.file(&format!("{folder}/vendor"), "0x10ee\n");
        self.file(&format!("{folder}/device"), "0x903f\n");
        if let Some(driver) = driver {
            self.link(&format!("{folder}/driver"), &format!("../../../../bus/pci/drivers/{driver}"));
            fs::create_dir_all(self.path(&format!("root/sys/bus/pci/drivers/{driver}"))).unwrap();
            self.link(&format!("root/sys/bus/pci/drivers/{driver}/{address}"), &format!("../../devices/{address}"));
        }
    }

    /// A board on this chip whose registers say this.
    fn board(&self, fingerprint: u32) {
        self.file("root/sys/class/uio/uio0/name", "fenn\n");
        for (name, index) in ["registers", "smem"].into_iter().zip(0..) {
            self.file(&format!("root/sys/class/uio/uio0/maps/map{index}/name"), &format!("{name}\n"));
            self.file(&format!("root/sys/class/uio/uio0/maps/map{index}/size"), "0x2000\n");
        }
        let mut bytes = vec![0; 0x4000];
        let words = [
            (CardRegister::Ident, IDENT),
            (CardRegister::Version, VERSION),
            (CardRegister::Fingerprint, fingerprint),
            (CardRegister::Cores, 1),
            (CardRegister::Lanes, 32),
            (CardRegister::InstructionBytes, 4096),
            (CardRegister::ScalarBytes, 4096),
            (CardRegister::VectorBytes, 4096),
            (CardRegister::LaneBytes, 64),
            (CardRegister::ClockKhz, 175_000),
        ];
        for (register, value) in words {
            let offset = register.spec().offset as usize;
            bytes[offset..offset + 4].copy_from_slice(&value.to_le_bytes());
        }
        fs::write(self.path("root/dev/uio0"), bytes).unwrap();
        fs::set_permissions(self.path("root/dev/uio0"), fs::Permissions::from_mode(0o666)).unwrap();
    }

    /// `fenn-run` with no other program beside it: whether the card program has been built is of no account.
    fn command(&self) -> Command {
        let built = assert_cmd::cargo::cargo_bin("fenn-run");
        let alone = self.path("alone/fenn-run");
        if !alone.exists() {
            fs::create_dir_all(self.path("alone")).unwrap();
            fs::hard_link(&built, &alone).or_else(|_| fs::copy(&built, &alone).map(|_| ())).unwrap();
        }
        Command::new(alone)
    }

    /// Runs with these arguments in the directory: exit code, standard output, standard error.
    fn run(&self, args: &str) -> (i32, String, String) {
        let mut command = self.command();
        let output = command.current_dir(self.0.path()).env("PATH", "").args(args.split_whitespace()).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    fn good(&self, args: &str) -> String {
        let (code, out, err) = self.run(args);
        assert_eq!((code, err.as_str()), (0, ""), "{args}");
        out
    }

    /// Runs with these arguments, which are not to succeed: the exit code and the one line of the message.
    fn fail(&self, args: &str) -> (i32, String) {
        let (code, out, err) = self.run(args);
        assert_eq!(out, "", "{args}");
        assert_eq!(err.trim_end().lines().count(), 1, "{args}: {err}");
        (code, err.trim_end().to_owned())
    }

    /// What the doctor says: the line that begins with a check's name, and those of its fix.
    fn check(&self, name: &str) -> (String, String, Vec<String>) {
        let (code, out, _) = self.run("doctor --root root --json");
        let value: serde_json::Value = serde_json::from_str(&out).unwrap();
        let checks = value["checks"].as_array().unwrap();
        let problems = checks.iter().filter(|check| check["state"] == "problem").count();
        assert_eq!(value["problems"], problems);
        assert_eq!(code, if problems > 0 { 7 } else { 0 }, "{out}");
        let check = checks.iter().find(|check| check["check"] == name).unwrap_or_else(|| panic!("{name}: {out}"));
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let fix = check["fix"].as_array().map_or(Vec::new(), |lines| lines.iter().map(text).collect());
        (text(&check["state"]), text(&check["found"]), fix)
    }
}

fn network(place: &Place, image: &Image) {
    image.write(place.path("net.elf")).unwrap();
    place.file("data.csv", "sample,step,unit\n0,0,1\n0,1,1\n1,3,4\n2,0,0\n3,2,2\n3,3,2\n");
}

#[test]
fn a_program_gives_the_same_on_a_card() {
    let place = Place::new();
    for image in [
        image(StatePolicy::Reset, Readout::Count),
        image(StatePolicy::Carried, Readout::Last),
        image_of_batch(Readout::Max),
    ] {
        network(&place, &image);
        place.good("net.elf --data data.csv --outputs expected.csv");
        for device in ["sim", "sim:2", "sim:3 --jobs 2"] {
            let out = place.good(&format!("run net.elf --data data.csv --outputs out.csv --device {device}"));
            assert!(out.contains("simulated card"), "{out}");
            assert_eq!(fs::read(place.path("out.csv")).unwrap(), fs::read(place.path("expected.csv")).unwrap());
        }
    }
    // Without the command it is the same.
    let with = place.good("run net.elf --data data.csv --json --profile functional");
    let without = place.good("net.elf --data data.csv --json --profile functional");
    let classes = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap()["classes"].clone();
    assert_eq!(classes(&with), classes(&without));
}

#[test]
fn a_program_is_given_samples_while_it_runs() {
    let place = Place::new();
    network(&place, &image_of_stream(&[], &[]));
    let streamed = place.good("run net.elf --data data.csv --samples 9 --device sim:2");
    assert!(streamed.contains("streamed      through 4 places, "), "{streamed}");
    let launched = place.good("run net.elf --data data.csv --samples 9 --device sim:2 --batch 3");
    assert!(launched.contains("cycles in all; not streamed: by --batch"), "{launched}");
    let simulated = place.good("run net.elf --data data.csv --samples 9");
    assert!(simulated.contains("; not streamed: on this device nothing would overlap"), "{simulated}");
    let classes = |text: &str| text.split_once("class\n").map(|(_, classes)| classes.to_owned()).unwrap();
    assert_eq!(classes(&streamed), classes(&launched));
    assert_eq!(classes(&streamed), classes(&simulated));
    let json = place.good("run net.elf --data data.csv --samples 9 --device sim --json");
    assert!(json.contains("\"streamed\": true"), "{json}");
}

#[test]
fn programs_that_fail_on_a_card_end_as_on_the_simulator() {
    let place = Place::new();
    let mut image = image(StatePolicy::Reset, Readout::Count);
    let mut set = |lines: &[&str]| {
        let code = lines.iter().flat_map(|line| text::parse(line).expect(line).encode().to_le_bytes()).collect();
        image.segments = vec![Segment::new(Space::Instruction, 0, code)];
        network(&place, &image);
    };
    for (lines, expected) in [(&["lw a0, -4(zero)"][..], 3), (&["ebreak"], 3)] {
        set(lines);
        let (code, here) = place.fail("net.elf --data data.csv --device sim");
        assert_eq!((code, here), place.fail("net.elf --data data.csv --jobs 1"));
        assert_eq!(code, expected);
    }
    set(&["jal zero, .+0"]);
    let (code, text) = place.fail("net.elf --data data.csv --device sim --max-instructions 1000");
    assert_eq!(code, 4);
    assert!(
        text.contains("sample 0: the program did not end within 1000 instructions, it was at pc 0x0 then"),
        "{text}"
    );
    assert_eq!(place.fail("net.elf --data data.csv --device sim --timeout 0").0, 4);
}

#[test]
fn selectors_that_lead_nowhere_are_refused() {
    let place = Place::new();
    network(&place, &image(StatePolicy::Reset, Readout::Count));
    for (device, code, text) in [
        ("rtl", 5, "the program `fenn-card` is neither beside fenn-run nor on the PATH"),
        ("uio:7", 5, "is the device in the device tree"),
        ("xdma9", 5, "root/dev/xdma9_"),
        ("vfio:0000:ff:1f.7", 5, "vfio:0000:ff:1f.7: "),
        ("vfio-user:nothing", 5, "connecting to vfio-user:nothing"),
    ] {
        for command in ["info", "bench", "mem peek scalar:0:4"] {
            let (exit, message) = place.fail(&format!("{command} --device {device} --root root"));
            assert_eq!(exit, code, "{command} {device}");
            assert!(message.contains(text), "{message}");
        }
    }
    let (code, _, err) = place.run("info --device nothing");
    assert_eq!(code, 2);
    assert!(err.contains("names no card") && err.contains("fenn-run list"), "{err}");
    let (code, text) = place.fail("net.elf --data data.csv --device rtl --strict");
    assert_eq!((code, text.contains("--strict and --profile are for simulated machines")), (2, true), "{text}");
    assert_eq!(place.fail("info --device uio:7 --root root").0, 5);
}

#[test]
fn a_card_program_that_does_not_start_is_told_of() {
    let place = Place::new();
    place.file("bin/fenn-card", "#!/bin/sh\necho \"there is no model $6\" >&2\nexit 2\n");
    fs::set_permissions(place.path("bin/fenn-card"), fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = place.command();
    let command = command.env("PATH", place.path("bin")).args(["info", "--device", "rtl:soc_two"]);
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(5), "{text}");
    // --socket, its path, --until-eof, --side, rtl, --model.
    assert!(text.contains("rtl:soc_two: starting ") && text.ends_with("there is no model --model\n"), "{text}");
    let mut command = place.command();
    let list = command.env("PATH", place.path("bin")).args(["list"]).output().unwrap();
    assert!(String::from_utf8(list.stdout).unwrap().contains("rtl                    simulated hardware\n"));
}

#[test]
fn cards_are_listed() {
    let place = Place::new();
    let devices = |place: &Place| -> Vec<(String, bool)> {
        let value: serde_json::Value = serde_json::from_str(&place.good("list --json --root root")).unwrap();
        let rows = value.as_array().unwrap().iter();
        rows.map(|row| (row["device"].as_str().unwrap().to_owned(), row["usable"].as_bool().unwrap())).collect()
    };
    let row = |name: &str, usable| (name.to_owned(), usable);
    assert_eq!(devices(&place), [row("sim", true), row("rtl", false)]);
    for (node, mode) in [
        ("xdma0_user", 0o666),
        ("xdma0_h2c_0", 0o666),
        ("xdma0_c2h_0", 0o666),
        ("xdma11_user", 0o666),
        ("xdma0_control", 0o600),
    ] {
        place.node(node, mode);
    }
    place.pci("0000:03:00.0", Some("vfio-pci"));
    place.link("root/sys/bus/pci/devices/0000:03:00.0/iommu_group", "../../../../kernel/iommu_groups/14");
    place.node("vfio/14", 0o666);
    place.pci("0000:04:00.0", Some("vfio-pci"));
    place.board(FINGERPRINT);
    assert_eq!(
        devices(&place),
        [
            row("sim", true),
            row("rtl", false),
            row("xdma0", true),
            row("xdma11", false),
            row("vfio:0000:03:00.0", true),
            row("vfio:0000:04:00.0", false),
            row("uio:0", true),
        ]
    );
    let text = place.good("list --root root");
    assert!(
        text.contains("xdma11                 card behind the XDMA driver; but /dev/xdma11_h2c_0 is not there\n"),
        "{text}"
    );
}

#[test]
fn a_card_says_who_it_is() {
    let place = Place::new();
    let text = place.good("info --device sim:2");
    assert!(text.contains("cores         2\n") && text.contains("failed        no access\n"), "{text}");
    assert!(text.contains(&format!("fingerprint {FINGERPRINT:#010x}")), "{text}");
    place.board(FINGERPRINT);
    let value: serde_json::Value = serde_json::from_str(&place.good("info --device uio:0 --root root --json")).unwrap();
    assert_eq!((&value["clock_khz"], &value["scalar_bytes"]), (&175_000.into(), &4096.into()));
    assert_eq!((&value["state"][0]["state"], &value["bus_error"]), (&"reset".into(), &serde_json::Value::Null));
    // A failed access is shown until a reset forgets it, and what a core does.
    let set = |offset: usize, value: u32| {
        let mut bytes = fs::read(place.path("root/dev/uio0")).unwrap();
        bytes[offset..offset + 4].copy_from_slice(&value.to_le_bytes());
        fs::write(place.path("root/dev/uio0"), bytes).unwrap();
    };
    set(0x4c, 1);
    set(0x50, 0x7000_0000);
    set(0x1004, 0x54);
    let text = place.good("info --device uio:0 --root root");
    assert!(text.contains("failed        a read outside of every memory, the first at 0x70000000\n"), "{text}");
    assert!(text.contains("core 0        stopped by a fault"), "{text}");
    // The files do not clear anything by themselves, but what was written is there.
    place.good("info --device uio:0 --root root --reset");
    let bytes = fs::read(place.path("root/dev/uio0")).unwrap();
    assert_eq!((bytes[0x1000], bytes[0x4c..0x50].to_vec()), (4, vec![0xff; 4]));
    place.board(0x1234_5678);
    let (code, message) = place.fail("info --device uio:0 --root root");
    assert_eq!(code, 5);
    assert!(message.contains("(fingerprint 0x12345678)") && message.contains("build bitstream and tool"), "{message}");
}

#[test]
fn memories_are_looked_into_and_changed() {
    let place = Place::new();
    place.board(FINGERPRINT);
    let card = "--device uio:0 --root root";
    place.good(&format!("mem poke {card} scalar:0x10 1 0xfffe"));
    assert_eq!(fs::read(place.path("root/dev/uio0")).unwrap()[0x1010..0x1018], [1, 0, 0, 0, 0xfe, 0xff, 0, 0]);
    assert_eq!(place.good(&format!("mem peek {card} scalar:0x10:8")), "00000010: 01 00 00 00 fe ff 00 00\n");
    assert_eq!(place.good(&format!("mem peek {card} scalar:0x14:4:i16")), "00000014: -2 0\n");
    let value: serde_json::Value =
        serde_json::from_str(&place.good(&format!("mem peek {card} scalar:0x10:8:u32 --json"))).unwrap();
    assert_eq!(value["values"], serde_json::json!([1, 65534]));
    fs::write(place.path("weights"), [7; 1001]).unwrap();
    for verify in ["no", "chunks", "checksum"] {
        let out = place.good(&format!("mem load {card} scalar:0x101 weights --verify {verify} --chunk 64"));
        assert!(out.starts_with("1001 bytes in "), "{out}");
    }
    place.good(&format!("mem save {card} scalar:0x100:1003 out"));
    let out = fs::read(place.path("out")).unwrap();
    assert_eq!((out[0], &out[1..1002] == [7; 1001].as_slice(), out[1002]), (0, true, 0));
    // Nothing outside, in whatever way it is said.
    for (args, code) in [
        ("peek scalar:4096:1", 2),
        ("peek scalar:0:4294967295", 2),
        ("peek scalar:0xffffffff:4", 2),
        ("poke scalar:4094 1", 2),
        ("peek flash:0:4", 2),
        ("peek scalar:0", 2),
        ("poke scalar 1", 2),
        ("poke dram:0 1", 2),
        ("load scalar:4000 weights", 2),
        ("load scalar:0 missing", 1),
        ("load scalar:0 root", 1),
        ("save scalar:0:4 root", 1),
        ("peek --core 1 scalar:0:4", 5),
        // There is such a memory, and no way to it.
        ("peek vector:0:4", 6),
    ] {
        let (verb, rest) = args.split_once(' ').unwrap();
        assert_eq!(place.fail(&format!("mem {verb} {card} {rest}")).0, code, "{args}");
    }
    let (code, _, err) = place.run(&format!("mem poke {card} scalar:0 0x100000000"));
    assert_eq!((code, err.contains("is no word of 32 bits")), (2, true), "{err}");
}

#[test]
fn the_way_to_a_card_is_measured() {
    let place = Place::new();
    let value: serde_json::Value =
        serde_json::from_str(&place.good("bench --time 2 --sizes 64,4096 --json --svg out.svg")).unwrap();
    assert_eq!(value["memory"], "DRAM");
    let sizes = value["sizes"].as_array().unwrap();
    assert_eq!(sizes.iter().map(|row| row["bytes"].as_u64().unwrap()).collect::<Vec<_>>(), [64, 4096]);
    for row in sizes {
        for way in ["write", "read"] {
            let rate = |name: &str| row[way][name].as_f64().unwrap();
            assert!(rate("bytes_per_second") > 0.0 && rate("transfers") >= 1.0);
            assert!(rate("fastest_us") <= rate("median_us"));
        }
    }
    let svg = fs::read_to_string(place.path("out.svg")).unwrap();
    assert!(svg.starts_with("<svg xmlns=") && svg.trim_end().ends_with("</svg>"));
    assert_eq!(svg.matches("<polyline").count(), 2);
    // A card without DRAM that leads here has its memory measured, and left as it was.
    let text = place.good("bench --time 1 --device sim:2 --core 1 --sizes 256");
    assert!(text.contains("core 1, DRAM") && text.lines().last().unwrap().trim_start().starts_with("256 "), "{text}");
    // One transfer is made, however short the time; a size beyond the memory is left out.
    let text = place.good("bench --time 0 --sizes 64,4194304");
    assert_eq!(text.lines().count(), 6, "{text}");
}

#[test]
fn the_doctor_finds_nothing_where_nothing_is() {
    let place = Place::new();
    let (code, out, err) = place.run("doctor --root root");
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(out.lines().all(|line| line.starts_with('-')), "{out}");
}

#[test]
fn the_doctor_knows_what_is_wrong_with_an_xdma_card() {
    let place = Place::new();
    place.pci("0000:03:00.0", None);
    let (state, found, fix) = place.check("driver of 0000:03:00.0");
    assert_eq!((state.as_str(), found.as_str()), ("problem", "none"));
    assert!(fix[0].contains("sudo modprobe xdma") && fix[1].contains("driver_override"), "{fix:?}");
    assert_eq!(place.check("card on PCI Express").0, "ok");

    let place = Place::new();
    place.pci("0000:03:00.0", Some("nvme"));
    let (state, found, fix) = place.check("driver of 0000:03:00.0");
    assert_eq!(state, "problem");
    assert!(found.contains("`nvme`") && fix[0].contains("0000:03:00.0/driver/unbind"), "{found} {fix:?}");

    let place = Place::new();
    place.pci("0000:03:00.0", Some("xdma"));
    let devices = "root/sys/bus/pci/devices/0000:03:00.0";
    for (name, text) in [
        ("current_link_width", "4"),
        ("max_link_width", "16"),
        ("current_link_speed", "8.0 GT/s PCIe"),
        ("max_link_speed", "8.0 GT/s PCIe"),
    ] {
        place.file(&format!("{devices}/{name}"), text);
    }
    let (state, found, _) = place.check("link of 0000:03:00.0");
    assert_eq!(state, "problem");
    assert!(found.starts_with("x4 at 8.0 GT/s PCIe, and the card can x16"), "{found}");
    place.file(&format!("{devices}/current_link_width"), "16");
    assert_eq!(place.check("link of 0000:03:00.0").0, "ok");
    assert_eq!(place.check("module xdma").2, ["sudo modprobe xdma"]);
    place.file("root/sys/module/xdma/version", "2020.2.2\n");
    assert_eq!(place.check("module xdma"), ("ok".to_owned(), "version 2020.2.2".to_owned(), vec![]));
    assert!(place.check("nodes of the XDMA driver").2[0].contains("dmesg"));
    place.node("xdma0_user", 0o600);
    place.node("xdma0_h2c_0", 0o660);
    let (state, found, _) = place.check("nodes of xdma0");
    assert_eq!((state.as_str(), found.contains("/dev/xdma0_c2h_0 is not there")), ("problem", true), "{found}");
    place.node("xdma0_c2h_0", 0o666);
    let (state, found, fix) = place.check("nodes of xdma0");
    assert_eq!((state.as_str(), found.contains("/dev/xdma0_user has mode 0600")), ("problem", true), "{found}");
    assert!(fix[0].contains("60-fenn.rules"), "{fix:?}");
    place.node("xdma0_user", 0o666);
    place.node("xdma0_h2c_0", 0o666);
    assert_eq!(place.check("nodes of xdma0").0, "ok");
    place.node("xdma0_control", 0o600);
    assert_eq!(place.check("XDMA control nodes").0, "ok");
    place.node("xdma0_control", 0o660);
    let (state, _, fix) = place.check("XDMA control nodes");
    assert_eq!((state.as_str(), fix[0].as_str()), ("problem", "sudo chmod 0600 /dev/xdma0_control"));
    // The rules, and who they are for.
    assert_eq!(place.check("udev rules").0, "problem");
    place.file("root/etc/udev/rules.d/60-fenn.rules", "");
    assert_eq!(place.check("udev rules").0, "ok");
    assert!(place.check("group").2[0].contains("groupadd"));
    place.file("root/etc/group", "root:x:0:\nfenn:x:999:\n");
    assert!(place.check("group").2[0].contains("usermod -aG fenn"));
    place.file("root/etc/group", "root:x:0:\nfenn:x:27:\n");
    assert_eq!(place.check("group").0, "ok");
}

#[test]
fn the_doctor_knows_what_is_wrong_with_vfio() {
    let place = Place::new();
    place.pci("0000:03:00.0", Some("vfio-pci"));
    place.file("root/proc/cmdline", "quiet\n");
    let (state, _, fix) = place.check("IOMMU");
    assert_eq!((state.as_str(), fix[0].contains("intel_iommu=on iommu=pt")), ("problem", true), "{fix:?}");
    place.file("root/proc/cpuinfo", "vendor_id : AuthenticAMD\n");
    assert!(place.check("IOMMU").2[0].contains("amd_iommu=on"));
    assert!(place.check("VFIO group of 0000:03:00.0").1.contains("it has none"));
    place.link("root/sys/bus/pci/devices/0000:03:00.0/iommu_group", "../../../../kernel/iommu_groups/14");
    place.file("root/sys/kernel/iommu_groups/14/devices/0000:03:00.0", "");
    assert_eq!(place.check("IOMMU").0, "ok");
    // Another device of the group, in use.
    place.file("root/sys/kernel/iommu_groups/14/devices/0000:03:00.1", "");
    place.link("root/sys/bus/pci/devices/0000:03:00.1/driver", "../../../../bus/pci/drivers/snd_hda_intel");
    let (state, found, _) = place.check("VFIO group of 0000:03:00.0");
    assert_eq!((state.as_str(), found.contains("group 14 has 0000:03:00.1 too")), ("problem", true), "{found}");
    fs::remove_file(place.path("root/sys/kernel/iommu_groups/14/devices/0000:03:00.1")).unwrap();
    assert_eq!(place.check("VFIO group of 0000:03:00.0").2, ["sudo modprobe vfio-pci"]);
    place.node("vfio/vfio", 0o666);
    place.node("vfio/14", 0o600);
    assert!(place.check("VFIO group of 0000:03:00.0").2[0].contains("sudo chgrp fenn /dev/vfio/14"));
    place.node("vfio/14", 0o666);
    assert_eq!(place.check("VFIO group of 0000:03:00.0").0, "ok");
    place.file("root/proc/self/limits", "Limit  Soft Limit  Hard Limit  Units\nMax locked memory         8388608              8388608              bytes\n");
    let (state, found, fix) = place.check("memory that can be locked");
    assert_eq!((state.as_str(), found.starts_with("8192 KiB")), ("problem", true), "{found}");
    assert!(fix[0].contains("memlock"));
    place.file("root/proc/self/limits", "Max locked memory         unlimited            unlimited            bytes\n");
    assert_eq!(place.check("memory that can be locked").0, "ok");
}

#[test]
fn the_doctor_knows_boards_and_bitstreams() {
    let place = Place::new();
    place.board(FINGERPRINT);
    assert_eq!(place.check("uio0").0, "ok");
    assert_eq!(place.check("bitstream of uio:0").0, "ok");
    assert!(place.check("buffer for DMA").2[0].contains("modprobe u-dma-buf"));
    place.node("udmabuf0", 0o600);
    assert!(place.check("buffer for DMA").1.contains("mode 0600"));
    place.node("udmabuf0", 0o666);
    assert_eq!(place.check("buffer for DMA").0, "ok");
    place.board(99);
    let (state, found, _) = place.check("bitstream of uio:0");
    assert_eq!((state.as_str(), found.contains("fingerprint 0x00000063")), ("problem", true), "{found}");
    fs::set_permissions(place.path("root/dev/uio0"), fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(place.check("uio0").0, "problem");
    let (code, out, err) = place.run("doctor --root root");
    assert_eq!(code, 7);
    assert!(out.contains("PROBLEM  uio0: ") && out.contains("         fix: sudo cp "), "{out}");
    assert!(err.starts_with("fenn-run: ") && err.contains("problem"), "{err}");
}

#[test]
fn the_shipped_rules_give_away_what_is_needed_and_no_more() {
    let rules = include_str!("../udev/60-fenn.rules");
    let lines = || rules.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    for line in lines() {
        let mode = if line.contains("_control") || line.contains("_bypass") {
            "GROUP=\"root\", MODE=\"0600\""
        } else if line.contains("vfio-pci") {
            "chmod 0660"
        } else {
            "GROUP=\"fenn\", MODE=\"0660\""
        };
        assert!(line.contains(mode), "{line}");
        assert!(!line.contains("666"), "{line}");
    }
    for part in ["_user", "_h2c_", "_c2h_", "_events_", "_control", "vfio-pci", "udmabuf", "axi_gpio", "dm_cmd_and_fsm"]
    {
        assert!(lines().any(|line| line.contains(part)), "{part}");
    }
}
