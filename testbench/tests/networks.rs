//! The references for published networks reproduce what was published.

use fenn_testbench::shared::data;
use fenn_testbench::shd;
use fenn_testbench::vogels_abbott_network::{Connectivity, recorded_spikes};

#[test]
fn vogels_abbott_spikes_as_recorded() {
    let Some(archive) = data("golden/va_256.npz") else { return };
    let found = Connectivity::recorded(&archive).unwrap().spikes();
    let recorded = recorded_spikes(&archive).unwrap();
    assert_eq!(recorded.each_ref().map(|steps| steps.concat().len()), [2334, 576]);
    assert_eq!(found, recorded);
}

/// Counts of an evaluation that was written independently, and the class of the published sample.
#[test]
fn spoken_digits_as_published() {
    let Some(folder) = data("shd") else { return };
    let inputs = shd::sample(&folder.join("shd_input_spikes_1.csv")).unwrap();
    assert_eq!(inputs.concat().len(), 9386);
    let run = shd::Network::without_delays(&folder.join("lif")).unwrap().run(&inputs);
    assert_eq!((run.count(), run.class()), (4214, 18));
    let run = shd::Network::with_delays(&folder.join("delays")).unwrap().run(&inputs);
    // Two classes are nearly equal, far before the others.
    let mut classes: Vec<usize> = (0..shd::OUTPUTS).collect();
    classes.sort_by(|a, b| run.scores[*b].total_cmp(&run.scores[*a]));
    assert_eq!((run.count(), &classes[..2]), (5629, &[11, 5][..]));
}
