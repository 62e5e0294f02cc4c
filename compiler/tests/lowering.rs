//! The code of neuron updates, as text: `tests/lowering/NAME.txt` is a population's equations and constants, a line `----`,
//! and what one step of it becomes.
//!
//! `BLESS=1 cargo test -p fenn-compiler --test lowering` rewrites the expectations; read the difference before keeping it.

use std::path::Path;

use fenn_compiler::backend::{Options, compile};
use fenn_compiler::description;

/// The listing's part from the update of the population on.
fn update(population: &str) -> String {
    let text = format!(
        "name = \"test\"\nsteps = 10\ntime_step_ms = 1.0\ndialect = \"published\"\nschedule = [\"N\"]\n\n\
         [[population]]\nname = \"N\"\n{population}\n[[output]]\npopulation = \"N\"\nvariable = \"V\"\n"
    );
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let described = description::parse(&text, "network.toml", folder, &description::Options::default());
    let described = described.unwrap_or_else(|remarks| panic!("{}", remarks.render(false)));
    let compiled = compile(&described.network, &Options::default()).unwrap();
    let start =
        compiled.listing.find("# update_N").map(|at| compiled.listing[at..].find('\n').unwrap() + at + 1).unwrap();
    let end = compiled.listing[start..]
        .find("# next_step")
        .map(|at| compiled.listing[start..start + at].rfind('\n').unwrap());
    compiled.listing[start..start + end.unwrap() + 1].to_owned()
}

#[test]
fn updates_become_what_their_files_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lowering");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 5);
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        let (input, wanted) = text.split_once("----\n").unwrap();
        let found = update(input);
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&path, format!("{input}----\n{found}")).unwrap();
        } else {
            assert!(wanted == found, "{} differs; BLESS=1 rewrites it. Found:\n{found}", path.display());
        }
    }
}
