//! Files that include each other.

#![no_main]

use fenn_testbench::fuzz::{Subject, target_mutation};
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};

fuzz_target!(|input: &[u8]| {
    if let Err(what) = Subject::Includes.check(input) {
        panic!("{what}");
    }
});

// Half of the inputs are changed as libFuzzer does, half by their structure.
fuzz_mutator!(|data: &mut [u8], size: usize, most: usize, seed: u32| {
    if seed % 2 == 0 { fuzzer_mutate(data, size, most) } else { target_mutation(Subject::Includes, data, size, most, seed) }
});
