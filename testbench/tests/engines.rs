//! The fast engine is the reference on every program in `programs/`: all state, memories, clock, stall table and the way it
//! ends, under every profile.
//!
//! Kernels are called with random arguments, so that some of the calls go wrong; networks get random spikes. Random programs
//! are in the simulator's own tests.

use std::path::PathBuf;

use fenn_assembler::{Source, assemble};
use fenn_isa::image::Image;
use fenn_isa::image::manifest::InputSpikes;
use fenn_isa::memory::Space;
use fenn_isa::operand::XReg;
use fenn_isa::timing::{PROFILES, Profile};
use fenn_iss::{Engine, Limits, Machine, Options, Outcome};
use fenn_testbench::shared::root;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

/// Calls of each function under each profile.
const CALLS: usize = 6;

/// One program on both engines.
struct Pair {
    fast: Machine,
    reference: Machine,
}

impl Pair {
    fn new(image: &Image, profile: &Profile) -> Self {
        let machine = |engine| {
            let options = Options { strict: false, profile: *profile, engine };
            Machine::from_image(image, options).expect("the image is well-formed")
        };
        Self { fast: machine(Engine::Fast), reference: machine(Engine::Reference) }
    }

    fn change(&mut self, change: impl Fn(&mut Machine)) {
        change(&mut self.fast);
        change(&mut self.reference);
    }

    fn run(&mut self, steps: u64, what: &str) -> Outcome {
        let limits = Limits { instructions: Some(steps), ..Limits::default() };
        let (fast, reference) = (self.fast.run(limits, &mut ()), self.reference.run(limits, &mut ()));
        assert_eq!(fast, reference, "{what}");
        assert!(self.fast.state() == self.reference.state(), "{what}: the states differ");
        assert!(self.fast.memory() == self.reference.memory(), "{what}: the memories differ");
        assert_eq!(self.fast.stalls(), self.reference.stalls(), "{what}");
        let pending = |machine: &Machine| machine.timing().pending(machine.state().cycles).collect::<Vec<_>>();
        assert_eq!(pending(&self.fast), pending(&self.reference), "{what}");
        fast
    }
}

fn sources() -> Vec<PathBuf> {
    let folder = std::fs::read_dir(root().join("programs/kernels")).unwrap();
    let mut paths: Vec<PathBuf> = folder.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "s"));
    paths.sort();
    paths
}

fn image(sources: &[Source]) -> Image {
    let (image, diagnostics) = assemble(sources, &fenn_assembler::Options::default());
    image.unwrap_or_else(|| panic!("{diagnostics:?}"))
}

#[test]
fn kernels() {
    let mut rng = Pcg64::seed_from_u64(1);
    let (mut functions, mut ended, mut instructions) = (0, 0, 0);
    for path in sources() {
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let whole = text.contains("_start:");
        let names: Vec<&str> = text.lines().filter_map(|line| line.trim().strip_prefix(".globl")).collect();
        let starts: Vec<&str> = if whole { vec!["_start"] } else { names.iter().map(|name| name.trim()).collect() };
        let mut program = vec![Source::new(path.to_string_lossy(), text.clone())];
        if !whole {
            program.insert(0, Source::new("return.s", "_start: ecall\n"));
        }
        let image = image(&program);
        for profile in PROFILES {
            let mut pair = Pair::new(&image, profile);
            // Weights, spikes and states of all sizes.
            let noise: Vec<u8> = (0..1 << 16).map(|_| rng.random()).collect();
            if !whole {
                let write = |machine: &mut Machine| {
                    for space in [Space::Scalar, Space::Vector, Space::LaneLocal] {
                        machine.write(space, 0, &noise).unwrap();
                    }
                };
                pair.change(write);
            }
            for start in &starts {
                let entry = image.symbol(start).expect("the source names it").address;
                let home = image.symbol("_start").expect("every program has one").address;
                for _ in 0..CALLS {
                    let small = rng.random_range(0..100);
                    let arguments: Vec<u32> = (0..8)
                        .map(|_| {
                            if rng.random_range(0..100) < small {
                                rng.random_range(1..9)
                            } else {
                                64 * rng.random_range(0..64)
                            }
                        })
                        .collect();
                    let call = |machine: &mut Machine| {
                        let state = machine.state_mut();
                        state.pc = entry;
                        for (index, value) in arguments.iter().enumerate() {
                            state.set_x(XReg::new(10 + index as i64).unwrap(), *value);
                        }
                        state.set_x(XReg::new(1).unwrap(), home);
                    };
                    pair.change(call);
                    let what = format!("{name}: {start}{arguments:?} under {}", profile.name);
                    for steps in [rng.random_range(1..300), 30_000] {
                        let outcome = pair.run(steps, &what);
                        ended += usize::from(outcome.stop.is_end());
                        instructions += outcome.instructions;
                    }
                }
                functions += 1;
            }
        }
    }
    assert!(functions >= 15 * PROFILES.len(), "{functions}");
    assert!(ended > functions, "{ended} of {functions}");
    assert!(instructions > 1000 * functions as u64, "{instructions}");
    eprintln!("{} functions of programs/kernels came out the same", functions / PROFILES.len());
}

/// The networks, compiled as their users compile them, with random spikes, sample after sample.
#[test]
fn networks() {
    let mut rng = Pcg64::seed_from_u64(2);
    let folder = tempfile::tempdir().unwrap();
    let mut instructions = 0;
    let networks: [(&str, &[&str], &str); 2] = [
        ("programs/yin-yang/yin-yang.nir", &["--dt", "0.0005", "--steps", "80", "--input", "bits"], ""),
        ("programs/mnist/network.toml", &["--allow-outside", "--input", "bits"], "mnist/t10k-images-idx3-ubyte.gz"),
    ];
    for (network, more, data) in networks {
        if !data.is_empty() && fenn_testbench::shared::data(data).is_none() {
            continue;
        }
        let elf = folder.path().join("network.elf");
        let elf_text = elf.to_string_lossy().into_owned();
        fenn_testbench::tools::run("fenn-cc", &[&[network, "-o", &elf_text], more].concat()).unwrap();
        let image = Image::read(&elf).unwrap();
        let manifest = image.manifest.clone().unwrap();
        let run = manifest.entry_points.iter().find(|entry| entry.name == "run").unwrap().address;
        for profile in PROFILES {
            let mut pair = Pair::new(&image, profile);
            for sample in 0..3 {
                for input in &manifest.inputs {
                    let InputSpikes::Bits(array) = &input.spikes else { panic!("--input bits") };
                    let bytes = 4 * array.words * array.steps;
                    let one_in = rng.random_range(2..40);
                    let byte = |rng: &mut Pcg64| {
                        (0..8).fold(0, |bits, bit| bits | u8::from(rng.random_range(0..one_in) == 0) << bit)
                    };
                    let spikes: Vec<u8> = (0..bytes).map(|_| byte(&mut rng)).collect();
                    pair.change(|machine| machine.write(Space::Scalar, array.address, &spikes).unwrap());
                }
                pair.change(|machine| machine.state_mut().pc = run);
                let outcome = pair.run(2_000_000, &format!("{network}, sample {sample} under {}", profile.name));
                assert!(outcome.stop.is_end(), "{network}: {}", outcome.stop);
                instructions += outcome.instructions;
            }
        }
    }
    assert!(instructions > 9 * 1000, "{instructions}");
}
