//! Golden files of the equation language, and its numbers against exact arithmetic.
//!
//! `equation/ok/NAME.eq` compiles to the kernel printed in `NAME.kernel` (warnings below it); `equation/err/NAME.eq` is
//! refused with the text in `NAME.err`. Comment lines at the head of an `.eq` file declare what a network would:
//! `//! variable V s5_10_sat_t`, `//! parameter …`, `//! event Spike`, `//! rounding stochastic`, `//! published`.
//! To rewrite the expectations: `FENN_BLESS=1 cargo test -p fenn-compiler --test equation`, then read the diff.

use std::fs;
use std::path::{Path, PathBuf};

use fenn_compiler::diagnostic::{Source, render};
use fenn_compiler::equation::{Declarations, Options, compile, parse_type};
use fenn_compiler::kernel::{Kernel, Rounding};
use fenn_compiler::network::{Network, Output, Phase, Population, Quantity, Readout, StatePolicy, Values, Variable};
use fenn_compiler::verify::verify;

#[path = "equation/numbers.rs"]
mod numbers;

/// The settings in the head of a golden file.
fn settings(text: &str) -> (Declarations, Options) {
    let mut declarations = Declarations::default();
    let mut options = Options::default();
    for line in text.lines().map_while(|line| line.strip_prefix("//! ")) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["variable", name, ty] => declarations.variables.push((name.into(), parse_type(ty).unwrap())),
            ["parameter", name, ty] => declarations.parameters.push((name.into(), parse_type(ty).unwrap())),
            ["event", name] => declarations.events.push(name.into()),
            ["rounding", "stochastic"] => options.rounding = Rounding::Stochastic,
            ["rounding", "zero"] => options.rounding = Rounding::Zero,
            ["published"] => options.published = true,
            _ => panic!("not a setting: {line}"),
        }
    }
    (declarations, options)
}

/// Asserts that a population with this kernel, which has a variable, makes a well-formed network.
fn assert_well_formed(kernel: &Kernel) {
    let variable = Variable { initial: Values::Uniform(0), reset: true };
    let population = Population {
        name: "population".into(),
        size: 1,
        kernel: kernel.clone(),
        variables: vec![variable; kernel.variables.len()],
        parameters: vec![Values::Uniform(0); kernel.parameters.len()],
    };
    let network = Network {
        name: "network".into(),
        time_step_ms: None,
        steps: 1,
        state: StatePolicy::Reset,
        seed: 1,
        inputs: Vec::new(),
        populations: vec![population],
        projections: Vec::new(),
        schedule: vec![Phase::Update(0)],
        outputs: vec![Output { population: 0, quantity: Quantity::Variable(0), readout: Readout::Last }],
        recordings: Vec::new(),
    };
    assert_eq!(verify(&network), Ok(()), "{kernel}");
}

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/equation").join(folder);
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "eq"));
    files.sort();
    assert!(!files.is_empty());
    files
}

fn compare(actual: &str, path: &Path) {
    if std::env::var_os("FENN_BLESS").is_some() {
        fs::write(path, actual).unwrap();
        return;
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    assert_eq!(actual, expected, "{} differs; FENN_BLESS=1 rewrites it", path.display());
}

#[test]
fn programs_compile_to_their_kernels() {
    for path in files("ok") {
        let text = fs::read_to_string(&path).unwrap();
        let (declarations, options) = settings(&text);
        let name = path.file_name().unwrap().to_string_lossy();
        let source = Source { name: &name, text: &text };
        match compile(&source, &declarations, &options) {
            Ok((kernel, warnings)) => {
                assert_well_formed(&kernel);
                compare(&format!("{kernel}{}", render(&warnings, &source, false)), &path.with_extension("kernel"));
            }
            Err(errors) => panic!("{}", render(&errors, &source, false)),
        }
    }
}

#[test]
fn wrong_programs_say_what_is_wrong() {
    for path in files("err") {
        let text = fs::read_to_string(&path).unwrap();
        let (declarations, options) = settings(&text);
        let name = path.file_name().unwrap().to_string_lossy();
        let source = Source { name: &name, text: &text };
        let errors = compile(&source, &declarations, &options).expect_err(&name);
        compare(&render(&errors, &source, false), &path.with_extension("err"));
    }
}

/// Compiles `text` with the variables of the published Vogels–Abbott neuron.
fn with_names(text: &str) -> Result<Kernel, Vec<String>> {
    let ty = |text| parse_type(text).unwrap();
    let declarations = Declarations {
        variables: vec![
            ("V".into(), ty("s5_10_sat_t")),
            ("IExc".into(), ty("s2_13_sat_t")),
            ("U".into(), ty("s0_15_t")),
            ("RefracTime".into(), ty("int16_t")),
        ],
        parameters: vec![("Alpha".into(), ty("s0_15_t"))],
        events: vec!["Spike".into()],
    };
    compile(&Source { name: "x", text }, &declarations, &Options::default())
        .map(|(kernel, _)| kernel)
        .map_err(|errors| errors.into_iter().map(|error| error.help.unwrap_or_default()).collect())
}

/// The advice on converting between formats is itself a program that compiles.
#[test]
fn advice_can_be_followed() {
    let names = ["V", "IExc", "U", "RefracTime"];
    let mut followed = 0;
    for target in names {
        for value in names.into_iter().filter(|name| *name != target) {
            let help = with_names(&format!("{target} = {value};")).expect_err("formats differ").remove(0);
            let Some(advice) = help.strip_prefix('`').and_then(|rest| rest.split('`').next()) else {
                assert_eq!(target, "U", "only a format without a 1 has no conversion: {help}");
                continue;
            };
            with_names(&format!("{target} = {advice};")).unwrap_or_else(|errors| panic!("{advice}: {errors:?}"));
            followed += 1;
        }
    }
    assert_eq!(followed, 9);
    for (wrong, right) in [("V = 0;", "V = 0.0h10;"), ("V = -0.5;", "V = -0.5h10;"), ("V = 1.5h12;", "V = 1.5h10;")] {
        let help = with_names(wrong).unwrap_err().remove(0);
        let literal = right.trim_start_matches("V = ").trim_start_matches('-').trim_end_matches(';');
        assert!(help.contains(literal), "{help}");
        with_names(right).unwrap();
    }
}

/// Nothing that nests is too deep for the stack of a test thread (2 MiB), nor slow.
#[test]
fn depth_is_bounded() {
    let deep = [
        "V = ".to_owned() + &"(".repeat(100_000),
        "V = ".to_owned() + &"-".repeat(100_000) + "V;",
        "V = V".to_owned() + &"+ V".repeat(100_000) + ";",
        "V = ".to_owned() + &"V ? V : ".repeat(50_000) + "V;",
        "V = ".to_owned() + &"min(V, ".repeat(50_000) + "V;",
        "if (!".repeat(50_000) + &"!".repeat(50_000) + "V) ;",
        "{".repeat(100_000),
        "}".repeat(100_000),
        "if (V > V) {} else ".repeat(30_000) + ";",
        "do ".repeat(100_000),
        "V = V * ( V + V < (".repeat(20_000),
    ];
    for text in deep {
        let errors = with_names(&text).unwrap_err();
        assert!(errors.len() <= 101, "{} errors", errors.len());
    }
    let fits = "V = ".to_owned() + &"(".repeat(90) + "V" + &")".repeat(90) + &" + V".repeat(100) + ";";
    with_names(&fits).unwrap();
    let chain = "if (V > V) { V = V; } else ".repeat(90) + "V = V;";
    with_names(&chain).unwrap();
}
