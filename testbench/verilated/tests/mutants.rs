//! Every mutant of the core is caught.

use fenn_verilated::mutants;

#[test]
fn every_mutant_is_caught() {
    let verdicts = mutants::check(1, |_| {}).unwrap_or_else(|failure| panic!("without a mutant: {failure}"));
    assert!(verdicts.len() >= 30, "{} mutants", verdicts.len());
    let survivors: Vec<String> = verdicts
        .iter()
        .filter(|verdict| verdict.programs.is_none())
        .map(|verdict| format!("{}: {} ({})", verdict.number, verdict.mutant.breaks, verdict.mutant.file))
        .collect();
    assert!(survivors.is_empty(), "not caught: {survivors:#?}");
    eprintln!("{} of {} mutants caught", verdicts.len(), verdicts.len());
}
