//! The checked-in files are what the tables say.

use std::path::Path;

use fenn_isa::generate::{manual, package, soc_package};

fn fresh(path: &str, expected: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "{} is out of date: run `make gen` and read the diff", path.display());
}

#[test]
fn the_manual_is_fresh() {
    fresh("isa/MANUAL.md", &manual());
}

#[test]
fn the_package_is_fresh() {
    fresh("rtl/pkg/fenn_isa_pkg.sv", &package());
}

#[test]
fn the_package_of_a_card_is_fresh() {
    fresh("rtl/pkg/fenn_soc_pkg.sv", &soc_package());
}
