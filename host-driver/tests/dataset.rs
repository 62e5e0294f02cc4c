//! Data-set files: what they mean, and what is said of wrong ones.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use fenn_host::dataset::npy::Npy;
use fenn_host::dataset::{Dataset, Selection, Shape, Spike, latency};
use fenn_host::error::DataProblem;
use npyz::WriterBuilder as _;
use proptest::prelude::*;

fn shape() -> Shape {
    Shape {
        program: "net".to_owned(),
        units: 4,
        steps: 3,
        time_step_ms: Some(0.1),
        latency: Some((1.0, 51.0)),
        classes: 5,
    }
}

fn read(bytes: &[u8]) -> Result<Dataset, DataProblem> {
    Dataset::from_bytes(bytes, &shape(), Selection::default())
}

/// Each sample's spikes as (step, unit).
fn spikes(set: &Dataset) -> Vec<Vec<(u32, u32)>> {
    (0..set.len()).map(|sample| set.spikes(sample).iter().map(|spike| (spike.step, spike.unit)).collect()).collect()
}

fn npy<T: npyz::Serialize + npyz::AutoSerialize + Copy>(shape: &[u64], order: npyz::Order, data: &[T]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let options = npyz::WriteOptions::new().default_dtype().shape(shape).order(order);
    let mut writer = options.writer(&mut bytes).begin_nd().unwrap();
    writer.extend(data.iter().copied()).unwrap();
    writer.finish().unwrap();
    bytes
}

fn c_npy<T: npyz::Serialize + npyz::AutoSerialize + Copy>(shape: &[u64], data: &[T]) -> Vec<u8> {
    npy(shape, npyz::Order::C, data)
}

fn idx(kind: u8, shape: &[u32], data: &[u8]) -> Vec<u8> {
    let dimensions = shape.iter().flat_map(|n| n.to_be_bytes());
    [0, 0, kind, shape.len() as u8].into_iter().chain(dimensions).chain(data.iter().copied()).collect()
}

/// A published file, or `None` with a note where the data is not there (never so in CI).
fn published(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data").join(name);
    if path.exists() {
        return Some(path);
    }
    assert!(std::env::var("CI").is_err(), "{} is missing", path.display());
    eprintln!("skipped: {} is missing", path.display());
    None
}

#[test]
fn the_latency_code_is_the_published_one() {
    let (Some(images), Some(sevens)) = (published("mnist/t10k-images-idx3-ubyte.gz"), published("mnist/mnist_7.bin"))
    else {
        return;
    };
    // The published steps go up to 79; the published network makes 79 steps, so 79 itself is too late there.
    let published = Shape { units: 784, steps: 80, latency: Some((20.0, 51.0)), ..shape() };
    let set = Dataset::read(&images, None, &published, Selection { limit: Some(100), ..Selection::default() }).unwrap();
    assert_eq!(set.len(), 100);
    let bytes = std::fs::read(sevens).unwrap();
    let steps = bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]]));
    let mut expected: Vec<Spike> = steps
        .zip(0..)
        .filter(|(step, _)| *step != i16::MAX)
        .map(|(step, unit)| Spike { step: step as u32, unit })
        .collect();
    expected.sort_unstable();
    assert!(expected.len() > 50);
    // The published steps are of the first image of the test set, a seven.
    assert_eq!(set.spikes(0), expected);
}

#[test]
fn latency_steps() {
    let step = |p: u8| latency::step(p.into(), 20.0, 51.0, 79);
    // 20 · ln(255 / 204) = 4.46, 20 · ln(52 / 1) = 79.02, 20 · ln(53 / 2) = 65.54.
    assert_eq!([step(255), step(53), step(52), step(51), step(0)], [Some(4), Some(66), None, None, None]);
    assert_eq!(latency::step(52.0, 20.0, 51.0, 80), Some(79));
    // Halves to even: ln(e^x) · tau with p / (p − threshold) = 2 and tau = 0.5 / ln 2.
    assert_eq!(latency::step(2.0, 0.5 / 2f64.ln(), 1.0, 9), Some(0));
    assert_eq!(latency::step(2.0, 1.5 / 2f64.ln(), 1.0, 9), Some(2));
    assert_eq!(latency::step(f64::NAN, 20.0, 51.0, 79), None);
}

#[test]
fn images_become_spikes() {
    // tau = 1: 255 → ln 1.25 = 0.2, 80 → ln(80/29) = 1.01, 60 → ln(60/9) = 1.9, 52 → 3.95, beyond the run.
    let images = idx(8, &[2, 2, 2], &[255, 80, 60, 52, 0, 51, 0, 255]);
    assert_eq!(spikes(&read(&images).unwrap()), [vec![(0, 0), (1, 1), (2, 2)], vec![(0, 3)]]);
}

#[test]
fn lists_and_tables_mean_the_same() {
    let expected = [vec![(0, 1), (2, 3)], vec![], vec![(0, 0), (1, 0), (1, 2)]];
    let list = [[2, 1, 2], [0, 2, 3], [0, 0, 1], [2, 0, 0], [2, 1, 0]];
    let flat: Vec<i32> = list.concat();
    let columns: Vec<i32> = (0..3).flat_map(|column| list.map(|row| row[column])).collect();
    let mut dense = [[[0u8; 4]; 3]; 3];
    list.iter().for_each(|[sample, step, unit]| dense[*sample as usize][*step as usize][*unit as usize] = 1);
    let dense: Vec<u8> = dense.as_flattened().as_flattened().to_vec();
    let at = |i: usize| dense[i % 3 * 12 + i / 3 % 3 * 4 + i / 9];
    let fortran: Vec<u8> = (0..36).map(at).collect();
    let text = |rows: &[String]| rows.join("\n").into_bytes();
    let by_row = |order: [usize; 3]| list.map(|row| format!("{}, {},{}", row[order[0]], row[order[1]], row[order[2]]));
    let lines: Vec<String> =
        dense.chunks(4).map(|row| format!("{},{},{},{}", row[0], row[1], row[2], row[3])).collect();
    let times = list.map(|[sample, step, unit]| format!("{unit},{:.1},{sample}", f64::from(step) * 0.1));
    let files = [
        ("list", c_npy(&[5, 3], &flat)),
        ("list of i64", c_npy(&[5, 3], &flat.iter().map(|n| i64::from(*n)).collect::<Vec<_>>())),
        ("list in Fortran order", npy(&[5, 3], npyz::Order::Fortran, &columns)),
        ("dense", c_npy(&[3, 3, 4], &dense)),
        ("dense of floats", c_npy(&[3, 3, 4], &dense.iter().map(|n| f32::from(*n)).collect::<Vec<_>>())),
        ("dense of booleans", c_npy(&[3, 3, 4], &dense.iter().map(|n| *n == 1).collect::<Vec<_>>())),
        ("dense in Fortran order", npy(&[3, 3, 4], npyz::Order::Fortran, &fortran)),
        ("text list", text(&by_row([0, 1, 2]))),
        ("text list with a header", text(&[&["unit,sample,step".to_owned()], &by_row([2, 0, 1])[..]].concat())),
        ("text list of times", text(&[&["Unit, time_ms, sample".to_owned()], &times[..]].concat())),
        ("text table", text(&lines)),
    ];
    for (name, bytes) in files {
        let set = read(&bytes).unwrap_or_else(|problem| panic!("{name}: {problem}"));
        assert_eq!(spikes(&set), expected, "{name}");
        assert_eq!(set.coinciding(), 0);
    }
}

#[test]
fn a_single_sample() {
    let expected = [vec![(0, 1), (2, 3)]];
    let table = [0u8, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    assert_eq!(spikes(&read(&c_npy(&[3, 4], &table)).unwrap()), expected);
    assert_eq!(spikes(&read(b"0,1\r\n\r\n2,3\r\n0, 1").unwrap()), expected);
    assert_eq!(read(b"0,1\n2,3\n0,1").unwrap().coinciding(), 1);
    assert_eq!(spikes(&read(b"\xef\xbb\xbfstep,unit\n0,1\n2,3").unwrap()), expected);
}

#[test]
fn times_fall_into_their_step() {
    let steps = |times: &[&str]| {
        let text = ["time_ms,unit"].into_iter().map(str::to_owned).chain(times.iter().map(|time| format!("{time},0")));
        let set = read(text.collect::<Vec<_>>().join("\n").as_bytes()).unwrap();
        spikes(&set)[0].iter().map(|(step, _)| *step).collect::<Vec<_>>()
    };
    // 0.2 / 0.1 is 2 exactly, 0.1 · 3 / 0.1 would be 3.0000000000000004, 0.29 is not 0.3.
    assert_eq!(steps(&["0", "0.1", "0.2"]), [0, 1, 2]);
    assert_eq!(steps(&["0.05", "0.199", "0.29"]), [0, 1, 2]);
    assert_eq!(steps(&["0.099999999"]), [1]);
}

#[test]
fn silent_samples_are_counted_where_the_file_says_or_the_user_does() {
    assert_eq!(read(&c_npy(&[2, 3, 4], &[0u8; 24])).unwrap().len(), 2);
    assert_eq!(read(&b"0,0,0,0\n".repeat(6)).unwrap().len(), 2);
    let given = |samples, bytes: &[u8]| {
        Dataset::from_bytes(bytes, &shape(), Selection { samples: Some(samples), ..Selection::default() })
            .map(|set| set.len())
    };
    assert_eq!(given(7, b"0,0,0").unwrap(), 7);
    assert_eq!(given(3, b"").unwrap(), 3);
    assert!(given(1, b"1,0,0").is_err());
    assert!(given(usize::MAX, b"1,0,0").is_err());
    assert!(given(3, &c_npy(&[2, 3, 4], &[0u8; 24])).is_err());
}

/// What is said of a pair of files, the directory left out.
fn said(data: &[u8], labels: Option<&[u8]>) -> String {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = directory.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let data = write("data", data);
    let labels = labels.map(|bytes| write("labels", bytes));
    match Dataset::read(&data, labels.as_deref(), &shape(), Selection::default()) {
        Ok(set) => format!("{} samples, labels {:?}", set.len(), set.labels()),
        Err(error) => error.to_string().replace(&format!("{}/", directory.path().display()), ""),
    }
}

#[test]
fn labels_of_every_kind() {
    let data = b"0,0,0\n1,0,0\n2,0,0";
    let expected = "3 samples, labels Some([4, 0, 2])";
    let all: [Vec<u8>; 8] = [
        b"4\n0\n2\n".to_vec(),
        b"label\n4\n0\n2".to_vec(),
        b" 4.0 \n\n0\n2".to_vec(),
        c_npy(&[3], &[4i32, 0, 2]),
        c_npy(&[3, 1], &[4i64, 0, 2]),
        c_npy(&[3], &[4f64, 0.0, 2.0]),
        idx(8, &[3], &[4, 0, 2]),
        idx(0x0b, &[3], &[0, 4, 0, 0, 0, 2]),
    ];
    for labels in &all {
        assert_eq!(said(data, Some(labels)), expected);
    }
}

#[test]
fn packed_files_are_unpacked() {
    let pack = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let packed = pack(&idx(8, &[1, 4], &[255, 0, 0, 0]));
    assert_eq!(said(&packed, Some(&pack(b"3"))), "1 samples, labels Some([3])");
    let cut = said(&packed[..packed.len() - 6], None);
    assert!(cut.starts_with("data: is packed with gzip and damaged: "), "{cut}");
}

#[test]
fn wrong_samples_are_told_with_their_place() {
    let list = |rows: &[[i32; 3]]| c_npy(&[rows.len() as u64, 3], &rows.concat());
    let cases: [(&[u8], &str); 27] = [
        (b"", "data: holds no samples; a spike list without spikes needs the number of samples to be given"),
        (b"0,0\n0,4\n", "data: line 2: unit 4 is not an input: the program `net` has 4 input units, counted from 0"),
        (b"0,0\n\n3,0\n", "data: line 3: step 3 is not in the run: the program `net` makes 3 steps, counted from 0"),
        (b"0,-1\n", "data: line 1: unit -1 is not an input: the program `net` has 4 input units, counted from 0"),
        (
            b"0,x\n",
            "data: line 1: the header must name the columns `step` or `time_ms`, `unit` and, for several samples, `sample`",
        ),
        (b"0,0\n0,x\n", "data: line 2: `x` is not a whole number"),
        (b"0,0\n0,1.5\n", "data: line 2: `1.5` is not a whole number"),
        (b"0,NaN\n", "data: line 1: `NaN` is not a whole number"),
        (b"0,0\n0\n", "data: line 2: 1 columns where there should be 2"),
        (b"0,0,0\n99999999999,0,0\n", "data: line 2: sample numbers go from 0 to 16777215"),
        (b"-1,0,0\n", "data: line 1: sample numbers go from 0 to 16777215"),
        (
            b"0,0,0,0,0\n",
            "data: line 1: 5 columns are neither a table for the 4 input units of `net` nor a list (step,unit or sample,step,unit)",
        ),
        (b"0,0,0,0\n0,0,2,0\n0,0,0,0\n", "data: line 2: `2`: unit 2 is neither 0 nor 1, and spikes are"),
        (b"0,0,0,0\n0,0,nan,0\n", "data: line 2: `nan`: unit 2 is neither 0 nor 1, and spikes are"),
        (b"0,0,0,0\n0,0,0\n", "data: line 2: 3 columns, but the program `net` has 4 input units"),
        (b"0,0,0,0\n", "data: holds 1 lines, which is no multiple of the 3 steps of `net`"),
        (b"time_ms,unit\ninf,0\n", "data: line 2: `inf` is not a time"),
        (
            b"time_ms,unit\n-0.1,0\n",
            "data: line 2: step -1 is not in the run: the program `net` makes 3 steps, counted from 0",
        ),
        (
            b"time,unit\n0,0\n",
            "data: line 1: the header must name the columns `step` or `time_ms`, `unit` and, for several samples, `sample`",
        ),
        (
            b"\x89PNG\r\n\x1a\n",
            "data: is no data file that can be read: it is neither IDX nor NPY nor HDF5 nor text; byte 0 is not UTF-8",
        ),
        (
            &idx(8, &[2, 2, 2], &[0; 7]),
            "data: is truncated: its header announces 24 bytes in all and there are 23; copy it again",
        ),
        (
            &idx(8, &[2, 2, 2], &[0; 9]),
            "data: is too long: its header announces 24 bytes in all and there are 25; copy it again",
        ),
        (
            &idx(8, &[2, 3], &[0; 6]),
            "data: holds an array of shape [2, 3], and the program `net` takes samples of 4 pixels",
        ),
        (
            &idx(8, &[3], &[0; 3]),
            "data: holds an array of shape [3], and samples are images: a dimension for the samples, and at least one for the pixels (are these the labels?)",
        ),
        (
            &list(&[[0, 0, 0], [0, 3, 1]]),
            "data: row 1: step 3 is not in the run: the program `net` makes 3 steps, counted from 0",
        ),
        (
            &c_npy(&[1, 3, 4], &[0.0, f32::NAN, 0., 0., 0., 0., 0., 0., 0., 0., 0., 0.]),
            "data: row 0: sample 0, step 0: unit 1 is neither 0 nor 1, and spikes are",
        ),
        (
            &c_npy(&[2, 4, 3], &[0u8; 24]),
            "data: holds an array of shape [2, 4, 3], and the program `net` takes [spikes, 3] (sample, step, unit) or [samples, 3, 4] (0 or 1)",
        ),
    ];
    for (bytes, expected) in cases {
        assert_eq!(said(bytes, None), expected);
    }
}

#[test]
fn wrong_headers_are_told_with_their_place() {
    let header = |text: &str| {
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((text.len() as u16).to_le_bytes());
        bytes.extend(text.as_bytes());
        bytes
    };
    let cases: [(&[u8], &str); 13] = [
        (b"\x93NUMPY", "data: its header is wrong at byte 6: the file ends within its header"),
        (b"\x93NUMPY\x09\x00", "data: its header is wrong at byte 6: format version 9 is not 1, 2 or 3"),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\xff", "data: its header is wrong at byte 12: the file ends within its header"),
        (
            &header("{"),
            "data: its header is wrong at byte 11: a quoted name is expected (structured arrays cannot be read)",
        ),
        (
            &header("{'descr': [('a', '<i4')]}"),
            "data: its header is wrong at byte 20: a quoted name is expected (structured arrays cannot be read)",
        ),
        (&header("{'descr': '<i4', 'fortran_order': 0}"), "data: its header is wrong at byte 44: `False` is expected"),
        (
            &header("{'descr': '<i4', 'fortran_order': False}"),
            "data: its header is wrong at byte 50: `shape` is missing",
        ),
        (
            &header("{'descr': '<c8', 'fortran_order': False, 'shape': (3,)}"),
            "data: its header is wrong at byte 10: elements of type `<c8` are neither whole numbers nor 4- or 8-byte floats",
        ),
        (
            &header("{'descr': '<i4', 'fortran_order': False, 'shape': (9999999999, 9999999999, 9999999999)}"),
            "data: is truncated: its header announces 3999999998800000000120000000093 bytes in all and there are 97; copy it again",
        ),
        (
            &header(&format!("{{'shape': {}", "(".repeat(60000))),
            "data: its header is wrong at byte 21: a dimension is expected",
        ),
        (
            &header("{'shape': (1,1,1,1,1,1,1,1,1)}"),
            "data: its header is wrong at byte 38: there are more than 8 dimensions",
        ),
        (
            &[0, 0, 13, 1, 0, 0, 0, 0],
            "data: its header is wrong at byte 2: element type 0x0d is not one of 0x08, 0x09, 0x0b, 0x0c (whole numbers)",
        ),
        (&[0, 0, 8, 3, 0, 0], "data: its header is wrong at byte 4: the file ends within its 3 dimensions"),
    ];
    for (bytes, expected) in cases {
        assert_eq!(said(bytes, None), expected);
    }
}

#[test]
fn wrong_labels_are_told_with_their_place() {
    let data = b"0,0,0\n1,0,0";
    let cases: [(&[u8], &str); 9] = [
        (b"0\n5\n", "labels: line 2: label 5 is not a class: the program `net` has 5 classes, counted from 0"),
        (b"0\n-1\n", "labels: line 2: label -1 is not a class: the program `net` has 5 classes, counted from 0"),
        (b"0\ncat\n", "labels: line 2: a label is a whole number, and this is none"),
        (b"0,1\n", "labels: line 1: 2 columns, but labels are a single column"),
        (b"0\n", "labels: holds 1 labels for 2 samples"),
        (
            b"0\n1\n2\n",
            "labels: holds 3 labels for 2 samples; if the last samples have no spikes, give the number of samples",
        ),
        (&c_npy(&[2], &[0.5f32, 1.0]), "labels: row 0: a label is a whole number, and this is none"),
        (&c_npy(&[1, 2], &[0i8, 1]), "labels: holds an array of shape [1, 2], and labels are a single column"),
        (
            &idx(8, &[2], &[0, 9]),
            "labels: row 1: label 9 is not a class: the program `net` has 5 classes, counted from 0",
        ),
    ];
    for (bytes, expected) in cases {
        assert_eq!(said(data, Some(bytes)), expected);
    }
}

#[test]
fn files_that_do_not_fit_the_program_are_refused() {
    let plain = Shape { latency: None, ..shape() };
    let problem = Dataset::from_bytes(&idx(8, &[1, 4], &[0; 4]), &plain, Selection::default()).unwrap_err();
    assert!(matches!(problem, DataProblem::NoEncoding(_)), "{problem}");
    let timeless = Shape { time_step_ms: None, ..shape() };
    let problem = Dataset::from_bytes(b"time_ms,unit\n0,0", &timeless, Selection::default()).unwrap_err();
    assert!(problem.to_string().contains("says no time step"), "{problem}");
    let missing = Dataset::read(Path::new("no/such/file"), None, &shape(), Selection::default()).unwrap_err();
    assert!(missing.to_string().starts_with("no/such/file: cannot be read: "), "{missing}");
}

#[test]
fn arrays_that_numpy_writers_make_are_read() {
    for order in [npyz::Order::C, npyz::Order::Fortran] {
        let bytes = npy(&[2, 3], order, &[-1i16, 2, 3, 4, 5, i16::MIN]);
        let array = Npy::parse(&bytes).unwrap();
        let file = npyz::NpyFile::new(&bytes[..]).unwrap();
        let strides = file.strides().to_vec();
        let data: Vec<i16> = file.into_vec().unwrap();
        for (i, j) in (0..2).flat_map(|i| (0..3).map(move |j| (i, j))) {
            let at = i as u64 * strides[0] + j as u64 * strides[1];
            assert_eq!(array.whole(&[i, j]), Some(data[at as usize].into()));
        }
        assert_eq!(array.whole(&[2, 0]), None);
        assert_eq!(array.whole(&[0]), None);
    }
    assert_eq!(Npy::parse(&c_npy(&[1], &[u64::MAX])).unwrap().whole(&[0]), None);
    assert_eq!(Npy::parse(&c_npy(&[1], &[i64::MIN])).unwrap().whole(&[0]), Some(i64::MIN));
    assert_eq!(Npy::parse(&c_npy(&[1], &[f64::INFINITY])).unwrap().whole(&[0]), None);
}

/// Bytes that begin like one of the files, so that more than the first check is met.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let good = prop::sample::select(vec![
        idx(8, &[2, 2, 2], &[255; 8]),
        c_npy(&[2, 3], &[0i32, 1, 2, 1, 2, 3]),
        c_npy(&[2, 3, 4], &[0u8; 24]),
        b"sample,step,unit\n0,1,2\n1,2,3\n".to_vec(),
        b"0,1,0,0\n0,1,1,0\n1,1,1,1\n".to_vec(),
    ]);
    let damage = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6);
    let damaged =
        (good, damage, any::<prop::sample::Index>(), any::<bool>()).prop_map(|(mut bytes, damage, end, cut)| {
            damage.into_iter().for_each(|(at, byte)| {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            });
            bytes.truncate(if cut { end.index(bytes.len() + 1) } else { bytes.len() });
            bytes
        });
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        "[0-9,.a-z\n -]{0,80}".prop_map(String::into_bytes),
        damaged
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_read_fits_the_program(bytes in bytes()) {
        let Ok(set) = read(&bytes) else { return Ok(()) };
        for sample in 0..set.len().min(100) {
            prop_assert!(set.spikes(sample).iter().all(|spike| spike.unit < 4 && spike.step < 3));
            prop_assert!(set.spikes(sample).is_sorted());
        }
        prop_assert!(set.spikes(set.len()).is_empty());
    }

    #[test]
    fn whatever_labels_are_read_are_classes(bytes in bytes()) {
        let directory = tempfile::tempdir().unwrap();
        let (data, labels) = (directory.path().join("data"), directory.path().join("labels"));
        std::fs::write(&data, b"0,0,0\n1,0,0").unwrap();
        std::fs::write(&labels, &bytes).unwrap();
        if let Ok(set) = Dataset::read(&data, Some(&labels), &shape(), Selection::default()) {
            prop_assert!(set.labels().unwrap().iter().all(|label| *label < 5));
            prop_assert_eq!(set.labels().unwrap().len(), 2);
        }
    }
}
