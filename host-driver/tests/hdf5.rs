//! HDF5 archives of spikes, as Python programs write them: what they mean, and what is said of wrong ones.
//!
//! The files are in `tests/hdf5`, beside the script that wrote them with h5py and PyTables, which is where the numbers below
//! come from.

use std::path::{Path, PathBuf};

use fenn_host::dataset::{Dataset, Late, Selection, Shape, Spike};
use proptest::prelude::*;

const COUNTS: [u32; 6] = [3, 0, 1, 700, 5, 2];
const LABELS: [u32; 6] = [4, 0, 2, 1, 3, 3];

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hdf5").join(name)
}

/// A program of 30 steps of 1 ms; the files' spikes go up to 39 / 1024 s.
fn shape() -> Shape {
    Shape { program: "net".to_owned(), units: 20, steps: 30, time_step_ms: Some(1.0), latency: None, classes: 5 }
}

/// What the script says of a sample, binned here, and how many spikes are too late.
fn expected(sample: u32, steps: u32) -> (Vec<Spike>, usize) {
    let spike = |k: u32| Spike { step: (7 * k + sample) % 40 * 1000 / 1024, unit: (5 * k + 3 * sample) % 20 };
    let (mut inside, late): (Vec<Spike>, Vec<Spike>) =
        (0..COUNTS[sample as usize]).map(spike).partition(|spike| spike.step < steps);
    inside.sort_unstable();
    inside.dedup();
    (inside, late.len())
}

fn read(path: &Path, selection: Selection) -> Result<Dataset, String> {
    let said = |error: fenn_host::error::DataError| {
        error.to_string().replace(&format!("{}/", path.parent().unwrap().display()), "")
    };
    Dataset::read(path, None, &shape(), selection).map_err(said)
}

#[test]
fn archives_of_every_writer_are_read() {
    for name in ["pytables.h5", "plain.h5", "chunked.h5"] {
        let set = read(&file(name), Selection::default()).unwrap();
        assert_eq!(set.len(), COUNTS.len(), "{name}");
        let mut late = Late::default();
        for sample in 0..6 {
            let (spikes, beyond) = expected(sample, 30);
            assert_eq!(set.spikes(sample as usize), spikes, "{name}, sample {sample}");
            late.spikes += beyond;
            late.samples += usize::from(beyond > 0);
        }
        assert_eq!(set.late(), late, "{name}");
        // One in four of 40 steps; of the 700 spikes 160 are different ones, four units in each step.
        assert!(late.spikes > 150 && set.coinciding() > 400, "{name}: {late:?}, {}", set.coinciding());
        let labels = (name != "plain.h5").then_some(&LABELS[..]);
        assert_eq!(set.labels(), labels, "{name}");
    }
}

#[test]
fn samples_can_be_chosen() {
    for (skip, limit, range) in [(2, Some(2), 2..4), (0, Some(1), 0..1), (4, None, 4..6), (5, Some(9), 5..6)] {
        let set = read(&file("pytables.h5"), Selection { skip, limit, ..Selection::default() }).unwrap();
        assert_eq!(set.labels(), Some(&LABELS[range.clone()]));
        let samples: Vec<_> = (0..set.len()).map(|sample| set.spikes(sample).to_vec()).collect();
        let expected: Vec<_> = range.clone().map(|sample| expected(sample as u32, 30).0).collect();
        assert_eq!(samples, expected, "{range:?}");
    }
    let none = read(&file("pytables.h5"), Selection { skip: 6, ..Selection::default() });
    assert_eq!(none.unwrap_err(), "pytables.h5: holds 6 samples, and none is left when 6 are skipped");
    let other = read(&file("pytables.h5"), Selection { samples: Some(7), ..Selection::default() });
    assert_eq!(other.unwrap_err(), "pytables.h5: holds 6 samples, not 7");
}

#[test]
fn labels_of_another_file_come_first() {
    let directory = tempfile::tempdir().unwrap();
    let labels = directory.path().join("labels.txt");
    std::fs::write(&labels, "0\n1\n2\n3\n4\n0\n").unwrap();
    let selection = Selection { skip: 3, limit: Some(2), ..Selection::default() };
    let set = Dataset::read(&file("chunked.h5"), Some(&labels), &shape(), selection).unwrap();
    assert_eq!(set.labels(), Some(&[3, 4][..]));
    std::fs::write(&labels, "0\n1\n").unwrap();
    let error = Dataset::read(&file("chunked.h5"), Some(&labels), &shape(), selection).unwrap_err().to_string();
    assert!(error.ends_with("labels.txt: holds 2 labels for 6 samples"), "{error}");
}

#[test]
fn a_packed_archive_is_an_archive() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, &std::fs::read(file("pytables.h5")).unwrap()).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("shd.h5.gz");
    std::fs::write(&path, encoder.finish().unwrap()).unwrap();
    assert_eq!(read(&path, Selection::default()), read(&file("pytables.h5"), Selection::default()));
}

#[test]
fn wrong_archives_are_told_with_their_place() {
    let cases = [
        ("not-a-number.h5", "`spikes` in it: sample 1: a spike at NaN s cannot be in a run"),
        ("negative.h5", "`spikes` in it: sample 0: a spike at -0.5 s cannot be in a run"),
        (
            "beyond.h5",
            "`spikes` in it: sample 1: unit -1 is not an input: the program `net` has 20 input units, counted from 0",
        ),
        ("lengths.h5", "`spikes` in it: sample 1: it has 2 times and 1 units"),
        ("counts.h5", "`spikes/units` in it: holds 1 samples, and `spikes/times` 2"),
        ("labels.h5", "`labels` in it: holds 1 labels for 2 samples"),
        (
            "class.h5",
            "`labels` in it: sample 1: label -3 is not a class: the program `net` has 5 classes, counted from 0",
        ),
        ("whole-times.h5", "`spikes/times` in it: holds whole numbers, where times in seconds should be floats"),
        ("fixed.h5", "`spikes/times` in it: has the shape [2, 3], where there should be one entry per sample"),
        ("no-units.h5", "`spikes/times` in it: holds something else than a sequence of numbers for each sample"),
    ];
    for (name, expected) in cases {
        assert_eq!(read(&file(name), Selection::default()).unwrap_err(), format!("{name}: {expected}"));
    }
    let timeless = Shape { time_step_ms: None, ..shape() };
    let error = Dataset::read(&file("plain.h5"), None, &timeless, Selection::default()).unwrap_err().to_string();
    let said = "`spikes` in it: their times cannot become steps, because the program `net` says no time step";
    assert!(error.ends_with(said), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is damaged: nothing panics, and what is read fits the program.
    #[test]
    fn damaged_archives_are_errors_or_fit(
        name in prop::sample::select(vec!["pytables.h5", "chunked.h5", "plain.h5", "class.h5"]),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        zeros in any::<bool>(),
        end in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = std::fs::read(file(name)).unwrap();
        for (at, byte) in damage {
            // Where the damage is most often of consequence: not among the spikes, most of which are bytes of the longest sample.
            let places: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] != 0 || zeros).collect();
            let at = *at.get(&places);
            bytes[at] = byte;
        }
        if let Some(end) = end {
            bytes.truncate(end.index(bytes.len()));
        }
        if let Ok(set) = Dataset::from_bytes(&bytes, &shape(), Selection::default()) {
            for sample in 0..set.len().min(100) {
                prop_assert!(set.spikes(sample).iter().all(|spike| spike.unit < 20 && spike.step < 30));
                prop_assert!(set.spikes(sample).is_sorted());
            }
            prop_assert!(set.labels().is_none_or(|labels| labels.iter().all(|label| *label < 5)));
        }
    }
}
