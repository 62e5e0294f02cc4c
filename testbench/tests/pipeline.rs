//! The simulator's timing against the core stage by stage.

use fenn_isa::Class;
use fenn_testbench::pipeline_reference::compare;

#[test]
fn random_programs_are_issued_in_the_same_cycles() {
    const SEED: u64 = 20;
    let comparison = compare(1000, 400, SEED).unwrap();
    let few: Vec<_> = comparison.differences.iter().take(5).collect();
    assert!(few.is_empty(), "seed {SEED}: {} programs differ: {few:#?}", comparison.differences.len());
    assert!(comparison.instructions > 300_000, "{comparison:?}");
    assert!(comparison.traps > 1000, "{comparison:?}");
    for class in Class::ALL {
        assert!(comparison.classes[class as usize] > 500, "{class:?}: {comparison:?}");
    }
}
