//! The simulator against words and states at random.

use fenn_isa::SPECS;
use fenn_testbench::random_words::survey;

#[test]
fn every_stop_is_documented() {
    const SEED: u64 = 7;
    let survey = survey(300_000, SEED);
    assert_eq!(survey.faulty, 0, "seed {SEED}: {:#?}", survey.faults);
    assert!(survey.words >= 300_000);
    // All but those two end a run without being retired; every exception there is has been raised.
    assert_eq!(survey.rows, SPECS.len() - 2, "{survey:?}");
    for code in [0, 1, 2, 4, 5, 6, 7] {
        assert!(survey.traps[code] > 100, "exception {code}: {survey:?}");
    }
    assert!(survey.handled > 1000 && survey.transfers > 100, "{survey:?}");
}
