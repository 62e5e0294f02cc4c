//! The architecture tests that whoever runs this has built, if any: see `fenn_testbench::architecture_tests`.

use std::path::Path;

use fenn_testbench::architecture_tests::run_folder;

#[test]
fn signatures_are_those_of_the_suite() {
    // Nobody has to bring it: the scalar core has other witnesses.
    let Some(folder) = std::env::var_os("ARCH_TEST_DIR") else { return };
    let verdicts = run_folder(Path::new(&folder)).unwrap();
    eprintln!("{} architecture tests, {} words", verdicts.tests, verdicts.words);
    assert!(verdicts.tests > 0, "there is no .elf file in {}", folder.display());
    assert!(verdicts.failures.is_empty(), "{:#?}", verdicts.failures);
}
