//! The models: Verilator makes C++ of the core, once for each configuration, and this compiles it with the shim.
//!
//! Contract: `VERILATOR` names the Verilator to use, else the one on the path; it must be 5.006 or newer. Without one the
//! crate is built without models, with a warning, and asking for a model is an error that says so: whoever builds the whole
//! workspace for the tools needs no Verilator. Anything that goes wrong while there is one fails the build.
//!
//! `FENN_VERILATED_MODELS` may list, with commas, those to be built, for whoever changes the core and wants to wait for
//! one only; all others are then missing. `FENN_VERILATED_COVERAGE=1` adds counters of executed lines, `FENN_VERILATED_THREADS=N` makes models of N threads; both
//! are for builds of their own, in a target folder of their own.
//!
//! Models lie in `verilated/` of the target folder, not in a profile's: their C++ is optimised in every profile alike, so what
//! the tests have built serves a release build too.

use std::collections::{BTreeSet, hash_map::DefaultHasher};
use std::env;
use std::error::Error;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

#[allow(unreachable_pub, reason = "the library's half of the file")]
#[path = "src/mutation.rs"]
mod mutation;

/// Name, and parameters other than the top's defaults. As in `src/configuration.rs`, which says what they are.
const MODELS: [(&str, &[&str], &[&str]); 6] = [
    ("board", &["Config=0"], &[]),
    ("wide", &["Config=2"], &[]),
    ("compact", &["Config=1", "Lanes=32", "AxiWidth=32"], SMALL),
    ("four", &["Config=1", "Lanes=4", "AxiWidth=32"], SMALL),
    ("eight", &["Config=1", "Lanes=8", "AxiWidth=64"], SMALL),
    ("sixteen", &["Config=1", "Lanes=16", "AxiWidth=128"], SMALL),
];
const SMALL: &[&str] = &["ImemBytes=8192", "SmemBytes=4096", "VmemBytes=32768", "LlmHalfwords=64", "DramBytes=1048576"];
/// The model with all mutants: small memories, and a port as the board's.
const MUTANTS: (&str, &[&str], &[&str]) = ("mutants", &["Config=0"], SMALL);

/// A card: its name, its parameters and those of its memories, and the lists of its properties.
type Card = (&'static str, &'static [&'static str], &'static [&'static str], &'static [&'static str]);
/// The cards, as in `src/soc.rs`. The one of the board's sizes has the assertions of its own ports only, for speed.
const CARDS: [Card; 3] = [
    ("soc_board", &["Cores=1", "Config=0", "DataWidth=128", "DramBytes=1073741824"], &[], &["sva_soc.f"]),
    ("soc_two", &["Cores=2", "DataWidth=64", "DramBytes=1048576"], CARD, &["sva_soc.f", "sva.f"]),
    ("soc_four", &["Cores=4", "DataWidth=512", "DramBytes=1048576"], CARD, &["sva_soc.f", "sva.f"]),
];
/// The card with all mutants: as the one of two cores.
const CARD_MUTANTS: Card = ("soc_mutants", CARDS[1].1, CARD, CARDS[1].3);
const CARD: &[&str] = &["ImemBytes=8192", "SmemBytes=4096", "VmemBytes=32768", "LlmHalfwords=64"];

/// The first version whose scheduling these models were tried with.
const OLDEST: (u32, u32) = (5, 6);

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rustc-check-cfg=cfg(verilated)");
    for name in ["VERILATOR", "FENN_VERILATED_COVERAGE", "FENN_VERILATED_THREADS", "FENN_VERILATED_MODELS"] {
        println!("cargo::rerun-if-env-changed={name}");
    }
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=shim");
    println!("cargo::rerun-if-changed=mutants.toml");
    println!("cargo::rerun-if-changed=mutants_soc.toml");
    println!("cargo::rerun-if-changed=src/ports.rs");
    println!("cargo::rerun-if-changed=src/soc/ports.rs");
    println!("cargo::rerun-if-changed=src/ffi.rs");
    println!("cargo::rerun-if-changed=src/mutation.rs");

    let Some(verilator) = verilator()? else {
        println!(
            "cargo::warning=Verilator is not installed: built without models of the core (make setup-rtl installs it)"
        );
        return Ok(());
    };
    println!("cargo::rustc-cfg=verilated");

    let rtl = Path::new("../../rtl").canonicalize()?;
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    let files = file_list(&rtl, "fenn.f")?;

    let wanted = env::var("FENN_VERILATED_MODELS").ok();
    let wants = |name: &str| wanted.as_ref().is_none_or(|list| list.split(',').any(|one| one == name));
    let shared = shared_folder(&out)?;
    // Two profiles may be built at the same time; the lock ends with this process.
    let lock = fs::File::create(shared.join("lock"))?;
    lock.lock()?;
    let mut models = Vec::new();
    for (name, chosen, memories) in MODELS.into_iter().filter(|(name, ..)| wants(name)) {
        let parameters = [chosen, memories].concat();
        let kind = Kind::Core;
        models.push(Model { name, kind, parameters, files: files.clone(), folder: shared.join(name) });
    }
    let (name, chosen, memories) = MUTANTS;
    if wants(name) {
        let files = mutation::apply(Path::new("mutants.toml"), &rtl, &files, &shared.join("mutated"))?;
        let parameters = [chosen, memories].concat();
        models.push(Model { name, kind: Kind::Core, parameters, files, folder: shared.join(name) });
    }
    let of_cards = [files, file_list(&rtl, "soc.f")?].concat();
    for (name, chosen, memories, properties) in CARDS.into_iter().filter(|(name, ..)| wants(name)) {
        let mut files = of_cards.clone();
        for list in properties {
            files.extend(file_list(&rtl, list)?);
        }
        let parameters = [chosen, memories].concat();
        models.push(Model { name, kind: Kind::Card, parameters, files, folder: shared.join(name) });
    }
    let (name, chosen, memories, properties) = CARD_MUTANTS;
    if wants(name) {
        let mut files = of_cards;
        for list in properties {
            files.extend(file_list(&rtl, list)?);
        }
        let files = mutation::apply(Path::new("mutants_soc.toml"), &rtl, &files, &shared.join("mutated-soc"))?;
        let parameters = [chosen, memories].concat();
        models.push(Model { name, kind: Kind::Card, parameters, files, folder: shared.join(name) });
    }
    for model in &models {
        model.make(&verilator)?;
    }
    // Whoever needs something comes before what has it: the shim, the models, Verilator's own library.
    shim(&verilator, &models)?;
    for model in &models {
        println!("cargo::rustc-link-search=native={}", model.folder.display());
        println!("cargo::rustc-link-lib=static=fenn_model_{}", model.name);
    }
    library(&verilator)
}

/// `verilated/` in the target folder, which is four levels above what cargo names: target/PROFILE/build/PACKAGE/out.
fn shared_folder(out: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let target = out.ancestors().nth(4).ok_or("cargo's OUT_DIR is below the target folder")?;
    let folder = target.join("verilated");
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// The files that a list of `rtl/` has, in its order. The build depends on them.
fn file_list(rtl: &Path, name: &str) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let path = rtl.join(name);
    let list = fs::read_to_string(&path)?;
    let top = rtl.parent().ok_or("rtl/ is in the checkout")?;
    let files: Vec<PathBuf> =
        list.lines().map(str::trim).filter(|line| line.ends_with(".sv")).map(|line| top.join(line)).collect();
    for file in files.iter().chain([&path]) {
        println!("cargo::rerun-if-changed={}", file.display());
    }
    Ok(files)
}

struct Verilator {
    command: String,
    version: String,
    /// Where its C++ headers are.
    include: PathBuf,
    coverage: bool,
    threads: u32,
}

fn verilator() -> Result<Option<Verilator>, Box<dyn Error>> {
    let named = env::var("VERILATOR").ok();
    let command = named.clone().unwrap_or_else(|| "verilator".to_owned());
    let version = match Command::new(&command).arg("--version").output() {
        Ok(output) => String::from_utf8(output.stdout)?,
        Err(error) => match named {
            Some(named) => return Err(format!("VERILATOR={named} cannot be run: {error}").into()),
            None => return Ok(None),
        },
    };
    let number = version.split_whitespace().nth(1).unwrap_or_default();
    let parts: Vec<u32> = number.split('.').filter_map(|part| part.parse().ok()).collect();
    let good = matches!(parts.as_slice(), [major, minor, ..] if (*major, *minor) >= OLDEST);
    if !good {
        let (major, minor) = OLDEST;
        return Err(format!("{command} is version `{number}`; {major}.{minor:03} or newer is needed").into());
    }
    let root = Command::new(&command).args(["--getenv", "VERILATOR_ROOT"]).output()?;
    let include = Path::new(String::from_utf8(root.stdout)?.trim()).join("include");
    let threads = env::var("FENN_VERILATED_THREADS").ok().map_or(Ok(1), |text| text.parse())?;
    let coverage = env::var("FENN_VERILATED_COVERAGE").is_ok_and(|value| value == "1");
    Ok(Some(Verilator { command, version: number.to_owned(), include, coverage, threads }))
}

/// What is built.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The core, which the lockstep checks from outside.
    Core,
    /// A card, with assertions on its ports.
    Card,
}

/// A configuration to be built.
struct Model {
    name: &'static str,
    kind: Kind,
    parameters: Vec<&'static str>,
    files: Vec<PathBuf>,
    folder: PathBuf,
}

impl Model {
    fn prefix(&self) -> String {
        format!("Vfenn_{}", self.name)
    }

    fn arguments(&self, verilator: &Verilator) -> Vec<String> {
        let mut arguments = vec!["--cc", "-O3", "--x-assign", "fast", "--x-initial", "0"];
        // Style is `make lint`'s business; what Verilator may misunderstand still ends the build.
        arguments.extend(["-Wno-lint", "-Wno-style", "--no-timing"]);
        arguments.extend(match self.kind {
            Kind::Core => ["--top-module", "fenn_top", "--noassert", "--trace-fst"].as_slice(),
            Kind::Card => &["--top-module", "fenn_soc", "--assert"],
        });
        if verilator.coverage {
            arguments.push("--coverage-line");
        }
        let threads = verilator.threads.to_string();
        let prefix = self.prefix();
        arguments.extend(["--threads", &threads, "--prefix", &prefix]);
        let parameters = self.parameters.iter().map(|parameter| format!("-G{parameter}"));
        arguments.iter().map(|argument| (*argument).to_owned()).chain(parameters).collect()
    }

    /// Makes the model's library, unless it is there and was made of the same.
    fn make(&self, verilator: &Verilator) -> Result<(), Box<dyn Error>> {
        let arguments = self.arguments(verilator);
        let mut hasher = DefaultHasher::new();
        (&verilator.version, &verilator.command, &arguments).hash(&mut hasher);
        for file in &self.files {
            fs::read(file)?.hash(&mut hasher);
        }
        let key = format!("{:016x}", hasher.finish());
        let stamp = self.folder.join("made-of");
        if fs::read_to_string(&stamp).is_ok_and(|made| made == key) {
            return Ok(());
        }
        if self.folder.exists() {
            fs::remove_dir_all(&self.folder)?;
        }
        let mut command = Command::new(&verilator.command);
        command.args(&arguments).arg("--Mdir").arg(&self.folder).args(&self.files);
        let output = command.output()?;
        if !output.status.success() {
            return Err(format!("verilator, model {}:\n{}", self.name, String::from_utf8_lossy(&output.stderr)).into());
        }
        self.compile(verilator)?;
        Ok(fs::write(stamp, key)?)
    }

    fn compile(&self, verilator: &Verilator) -> Result<(), Box<dyn Error>> {
        let (mut fast, mut slow) = (verilator.compiler(2), verilator.compiler(0));
        let mut files = BTreeSet::new();
        for entry in fs::read_dir(&self.folder)? {
            files.insert(entry?.path());
        }
        for path in files.iter().filter(|path| path.extension().is_some_and(|extension| extension == "cpp")) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            // Executed once, or while a waveform is written.
            let seldom = ["__Slow", "__Syms", "__ConstPool", "__Trace"].iter().any(|part| name.contains(part));
            if seldom {
                slow.file(path)
            } else {
                fast.file(path)
            };
        }
        for build in [&mut fast, &mut slow] {
            build.include(&self.folder).out_dir(&self.folder).cargo_metadata(false);
        }
        fast.objects(slow.try_compile_intermediates()?);
        Ok(fast.try_compile(&format!("fenn_model_{}", self.name))?)
    }
}

impl Verilator {
    /// The C++ compiler as all of this needs it.
    fn compiler(&self, optimise: u32) -> cc::Build {
        let mut build = cc::Build::new();
        self.set(&mut build, optimise);
        build
    }

    fn set(&self, build: &mut cc::Build, optimise: u32) {
        build.cpp(true).std("c++17").warnings(false).opt_level(optimise).debug(false);
        build.include(&self.include).include(self.include.join("vltstd"));
        build.flag_if_supported("-faligned-new").flag("-pthread");
        for (name, value) in [("VM_SC", "0"), ("VM_TRACE", "1"), ("VM_TRACE_FST", "1"), ("VM_TRACE_VCD", "0")] {
            build.define(name, value);
        }
        build.define("VM_COVERAGE", if self.coverage { "1" } else { "0" });
    }
}

/// The shim, which knows which models there are.
fn shim(verilator: &Verilator, models: &[Model]) -> Result<(), Box<dyn Error>> {
    let mut build = cxx_build::bridges(["src/ports.rs", "src/soc/ports.rs", "src/ffi.rs"]);
    verilator.set(&mut build, 2);
    for model in models {
        build.include(&model.folder).define(&format!("FENN_MODEL_{}", model.name), "1");
    }
    Ok(build.files(["shim/core.cpp", "shim/soc.cpp"]).try_compile("fenn_verilated_shim")?)
}

/// What Verilator's models share.
fn library(verilator: &Verilator) -> Result<(), Box<dyn Error>> {
    let mut files = vec!["verilated.cpp", "verilated_threads.cpp", "verilated_fst_c.cpp"];
    if verilator.coverage {
        files.push("verilated_cov.cpp");
    }
    let mut build = verilator.compiler(2);
    build.files(files.iter().map(|file| verilator.include.join(file)));
    build.try_compile("fenn_verilated_library")?;
    println!("cargo::rustc-link-lib=z");
    println!("cargo::rustc-link-lib=pthread");
    Ok(())
}
