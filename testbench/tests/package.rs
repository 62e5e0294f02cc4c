//! The SystemVerilog package calls the same words legal as the Rust decoder, in a Verilated model.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use fenn_isa::{Inst, SPECS};
use fenn_testbench::shared::root;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

const SEED: u64 = 7;

fn build(folder: &Path) -> bool {
    let names = ["--top-module", "fenn_isa_pkg_top", "--prefix", "Vfenn_isa_pkg_top"];
    let arguments = ["--cc", "--exe", "--build", "-Wall", "--Mdir"];
    let files =
        ["rtl/lint/waivers.vlt", "rtl/pkg/fenn_isa_pkg.sv", "rtl/lint/fenn_isa_pkg_top.sv", "testbench/shim/legal.cpp"];
    let files = files.map(|file| root().join(file).canonicalize().expect("the sources are there"));
    match Command::new("verilator").args(names).args(arguments).arg(folder).args(files).output() {
        Ok(output) => {
            assert!(output.status.success(), "verilator: {}", String::from_utf8_lossy(&output.stderr));
            true
        }
        Err(error) => {
            assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "verilator is needed: {error}");
            eprintln!("skipped: verilator is not installed");
            false
        }
    }
}

#[test]
fn the_package_and_the_decoder_agree() {
    let folder = tempfile::tempdir().expect("there is a temporary folder");
    if !build(folder.path()) {
        return;
    }
    let mut rng = Pcg64Mcg::seed_from_u64(SEED);
    // Words of every row, the same with one bit changed, and any words.
    let mut words: Vec<u32> = Vec::new();
    for spec in &SPECS {
        for _ in 0..200 {
            let word = spec.layout.value | (rng.random::<u32>() & !spec.layout.mask);
            words.extend([word, word ^ 1 << rng.random_range(0..32)]);
        }
    }
    words.extend((0..100_000).map(|_| rng.random::<u32>()));
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();

    let mut model = Command::new(folder.path().join("Vfenn_isa_pkg_top"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the model runs");
    let mut input = model.stdin.take().expect("it has an input");
    let writer = std::thread::spawn(move || input.write_all(&bytes));
    let output = model.wait_with_output().expect("the model ends");
    writer.join().expect("the writer ends").expect("the model reads all words");
    assert_eq!(output.stdout.len(), words.len());
    let mut legal = 0;
    for (word, answer) in words.iter().zip(&output.stdout) {
        let decoded = Inst::decode(*word).is_some();
        assert_eq!(*answer == 1, decoded, "{word:#010x} (seed {SEED})");
        legal += usize::from(decoded);
    }
    assert!(legal > 20_000 && legal < words.len() - 20_000, "both answers are asked for: {legal}");
}
