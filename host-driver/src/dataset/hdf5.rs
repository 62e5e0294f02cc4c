//! HDF5: archives of spikes, as the Spiking Heidelberg Digits and the Spiking Speech Commands come in.
//!
//! Contract: a file with
//!
//! | dataset | holds |
//! | --- | --- |
//! | `spikes/times` | for each sample a sequence of times in seconds: floats of 16, 32 or 64 bits |
//! | `spikes/units` | for each sample a sequence, as long, of input units: whole numbers |
//! | `labels` | for each sample a class; the dataset may be missing |
//!
//! is read sample by sample, and of a file on disk only the samples that are wanted. A spike falls into the step that [`super`]
//! says. One that comes after the run is left out and counted ([`Dataset::late`]): recordings differ in length, and
//! programs do not. Everything else that does not fit is an error with the sample in it.
//!
//! A sequence is a length, the address of a *collection* of objects and a number in it. The HDF5 reader gives
//! these as they are stored; collections are read here (HDF5 File Format Specification 3.0, section III.E, "Disk Format: Level
//! 1E - Global Heap").
//!
//! Invariant: the sequences that are read are together no longer than the file, and its collections are walked through once, so
//! that memory and time are bounded by its length, whatever it says.
//!
//! Not here: sequences that are fixed in length, and anything else a file may hold.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use hdf5_pure::{Datatype, DatatypeByteOrder, FormatError, Source};

use super::{Dataset, MOST_SAMPLES, Selection, Shape, Spike, labels, step_of};
use crate::error::DataProblem;

const SIGNATURE: [u8; 8] = *b"\x89HDF\r\n\x1a\n";
/// A filter expands a byte to at most so many: a dataset that claims to be larger than that times its file lies.
const MAX_EXPANSION: u64 = 1032;
/// Samples whose sequences are looked up at once.
const WINDOW: u64 = 4096;
const TIMES: &str = "spikes/times";
const UNITS: &str = "spikes/units";
const LABELS: &str = "labels";

/// Whether a file begins as HDF5 files do.
pub(super) fn is(bytes: &[u8]) -> bool {
    bytes.starts_with(&SIGNATURE)
}

/// The bytes of a file, in memory or on disk.
#[derive(Clone)]
pub(super) struct Store(Arc<Inner>);

enum Inner {
    Bytes(Vec<u8>),
    File(Mutex<File>, u64),
}

impl Store {
    /// Bytes in memory.
    pub(super) fn of_bytes(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Inner::Bytes(bytes)))
    }

    /// A file, read where it is needed.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn of_file(file: File) -> std::io::Result<Self> {
        let length = file.metadata()?.len();
        Ok(Self(Arc::new(Inner::File(Mutex::new(file), length))))
    }
}

impl Source for Store {
    fn len(&self) -> u64 {
        match &*self.0 {
            Inner::Bytes(bytes) => bytes.len() as u64,
            Inner::File(_, length) => *length,
        }
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<(), FormatError> {
        let end = offset.checked_add(out.len() as u64).filter(|end| *end <= self.len());
        let beyond = || {
            let cut = |length| usize::try_from(length).unwrap_or(usize::MAX);
            let expected = cut(offset.saturating_add(out.len() as u64));
            FormatError::UnexpectedEof { expected, available: cut(self.len()) }
        };
        let end = end.ok_or_else(beyond)?;
        match &*self.0 {
            // Both are within the bytes, whose length is a `usize`.
            Inner::Bytes(bytes) => out.copy_from_slice(&bytes[offset as usize..end as usize]),
            Inner::File(file, _) => {
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                let read = file.seek(SeekFrom::Start(offset)).and_then(|_| file.read_exact(out));
                read.map_err(|error| FormatError::Source(error.to_string()))?;
            }
        }
        Ok(())
    }
}

/// The samples that are wanted, with their labels where the file has any; and how many samples the file has.
///
/// # Errors
/// What is wrong with the file, with its place in it.
pub(super) fn read(store: Store, shape: &Shape, selection: Selection) -> Result<(Dataset, usize), DataProblem> {
    let time_step_ms = shape.time_step_ms.ok_or_else(|| {
        let what =
            format!("their times cannot become steps, because the program `{}` says no time step", shape.program);
        problem("spikes", what)
    })?;
    let archive = Archive::open(store)?;
    let times = Sequences::open(&archive, TIMES)?;
    let units = Sequences::open(&archive, UNITS)?;
    if !matches!(times.kind, Kind::Float { .. }) {
        return Err(problem(TIMES, "holds whole numbers, where times in seconds should be floats".to_owned()));
    }
    if !matches!(units.kind, Kind::Whole { .. }) {
        return Err(problem(UNITS, "holds floats, where input units should be whole numbers".to_owned()));
    }
    if times.count != units.count {
        let what = format!("holds {} samples, and `{TIMES}` {}", units.count, times.count);
        return Err(problem(UNITS, what));
    }
    let total = usize::try_from(times.count).ok().filter(|count| *count <= MOST_SAMPLES).ok_or_else(|| {
        DataProblem::Count { what: format!("{} samples are more than the {MOST_SAMPLES} possible", times.count) }
    })?;
    if let Some(given) = selection.samples.filter(|given| *given != total) {
        return Err(DataProblem::Count { what: format!("holds {total} samples, not {given}") });
    }
    let range = selection.range(total)?;
    let mut set = Dataset::default();
    let mut heaps = Heaps::new(&archive);
    let mut from = range.start as u64;
    while from < range.end as u64 {
        let count = WINDOW.min(range.end as u64 - from);
        let (times_of, units_of) = (times.window(from, count)?, units.window(from, count)?);
        for ((time, unit), sample) in times_of.iter().zip(&units_of).zip(from..) {
            let (time, unit) = (heaps.numbers(&times, time, sample)?, heaps.numbers(&units, unit, sample)?);
            let (spikes, late) = spikes(&time, &unit, shape, time_step_ms)
                .map_err(|what| problem("spikes", format!("sample {sample}: {what}")))?;
            set.push(spikes);
            set.late.spikes += late;
            set.late.samples += usize::from(late > 0);
        }
        from += count;
    }
    if let Some(numbers) = archive.labels(times.count)? {
        let of_range = numbers.into_iter().enumerate().skip(range.start).take(range.len());
        let classes = of_range.map(|(sample, label)| {
            labels::class(Some(label), shape).map_err(|what| problem(LABELS, format!("sample {sample}: {what}")))
        });
        set.labels = Some(classes.collect::<Result<_, _>>()?);
    }
    Ok((set, total))
}

fn problem(place: &str, what: String) -> DataProblem {
    DataProblem::Hdf5 { place: place.to_owned(), what }
}

/// A sample's spikes, and how many come after the run.
fn spikes(times: &[f64], units: &[f64], shape: &Shape, time_step_ms: f64) -> Result<(Vec<Spike>, usize), String> {
    if times.len() != units.len() {
        return Err(format!("it has {} times and {} units", times.len(), units.len()));
    }
    let mut spikes = Vec::with_capacity(times.len());
    let mut late = 0;
    for (seconds, unit) in times.iter().zip(units) {
        let step = step_of(seconds * 1000.0, time_step_ms)
            .filter(|step| *step >= 0)
            .ok_or_else(|| format!("a spike at {seconds} s cannot be in a run"))?;
        if !(0.0..shape.units as f64).contains(unit) {
            let Shape { program, units, .. } = shape;
            return Err(format!(
                "unit {unit} is not an input: the program `{program}` has {units} input units, counted from 0"
            ));
        }
        match u32::try_from(step).ok().filter(|step| *step < shape.steps) {
            // A whole number below that of units.
            Some(step) => spikes.push(Spike { step, unit: *unit as u32 }),
            None => late += 1,
        }
    }
    Ok((spikes, late))
}

/// What the HDF5 reader makes of a file.
///
/// It gives errors for all damage we know of, but it is a large parser of hostile input that we did not write. Should it have a
/// panic left, that is the file's fault to the user, so here it is contained.
fn guarded<T>(place: &str, read: impl FnOnce() -> Result<T, hdf5_pure::Error>) -> Result<T, DataProblem> {
    // Nothing outlives the closure but what is dropped with the error.
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(read) => read.map_err(|error| problem(place, error.to_string())),
        Err(_) => Err(problem(place, "cannot be followed by the HDF5 reader".to_owned())),
    }
}

struct Archive {
    file: hdf5_pure::File,
    store: Store,
    base: u64,
    offset_bytes: usize,
    length_bytes: usize,
}

impl Archive {
    fn open(store: Store) -> Result<Self, DataProblem> {
        let file = guarded("its beginning", || hdf5_pure::File::from_source(store.clone()))?;
        let superblock = file.superblock();
        let (offset_bytes, length_bytes) = (superblock.offset_size.into(), superblock.length_size.into());
        let base = superblock.base_address.get();
        if [offset_bytes, length_bytes].iter().any(|bytes: &usize| !(1..=8).contains(bytes)) {
            return Err(problem("its beginning", "addresses and lengths have at most 8 bytes".to_owned()));
        }
        Ok(Self { file, store, base, offset_bytes, length_bytes })
    }

    /// A dataset of one dimension, with its length and type.
    fn column(&self, place: &str) -> Result<(hdf5_pure::Dataset, u64, Datatype), DataProblem> {
        guarded(place, || {
            let dataset = self.file.dataset(place)?;
            let (shape, datatype) = (dataset.shape()?, dataset.datatype()?);
            Ok((dataset, shape, datatype))
        })
        .and_then(|(dataset, shape, datatype)| match shape[..] {
            [count] => {
                let most = self.store.len().saturating_mul(MAX_EXPANSION) / u64::from(datatype.type_size()).max(1);
                if count > most {
                    return Err(problem(
                        place,
                        format!("claims to have {count} entries, more than a file of this size can hold"),
                    ));
                }
                Ok((dataset, count, datatype))
            }
            _ => Err(problem(place, format!("has the shape {shape:?}, where there should be one entry per sample"))),
        })
    }

    /// The labels of all `samples`, where there are any.
    fn labels(&self, samples: u64) -> Result<Option<Vec<i64>>, DataProblem> {
        let has = guarded(LABELS, || Ok(self.file.root().datasets()?.iter().any(|name| name == LABELS)))?;
        if !has {
            return Ok(None);
        }
        let (dataset, count, datatype) = self.column(LABELS)?;
        if count != samples {
            return Err(problem(LABELS, format!("holds {count} labels for {samples} samples")));
        }
        let Some(kind @ Kind::Whole { .. }) = Kind::of(&datatype) else {
            return Err(problem(LABELS, "holds something else than whole numbers".to_owned()));
        };
        let bytes = guarded(LABELS, || dataset.read_raw())?;
        // Beyond 2⁵³ it is no class of any program, rounded or not.
        let numbers = bytes.chunks_exact(kind.bytes()).map(|bytes| kind.number(bytes) as i64);
        let numbers: Vec<i64> = numbers.collect();
        if numbers.len() as u64 == count {
            Ok(Some(numbers))
        } else {
            Err(problem(LABELS, "its length and the amount of its data disagree".to_owned()))
        }
    }
}

/// What numbers are stored as.
#[derive(Clone, Copy)]
enum Kind {
    Float { bytes: usize, order: DatatypeByteOrder },
    Whole { bytes: usize, order: DatatypeByteOrder, signed: bool },
}

impl Kind {
    /// The usual floats and whole numbers; `None` for any other type.
    fn of(datatype: &Datatype) -> Option<Self> {
        match datatype {
            Datatype::FloatingPoint { size, byte_order, layout } => {
                let found = (*size, layout.exponent_size, layout.mantissa_size, layout.exponent_bias);
                let usual = [(2, 5, 10, 15), (4, 8, 23, 127), (8, 11, 52, 1023)].contains(&found)
                    && layout.bit_offset == 0
                    && layout.mantissa_location == 0
                    && layout.exponent_location == layout.mantissa_size;
                (usual && *byte_order != DatatypeByteOrder::Vax)
                    .then_some(Self::Float { bytes: *size as usize, order: *byte_order })
            }
            Datatype::FixedPoint { size, byte_order, layout } => {
                let usual = [1, 2, 4, 8].contains(size)
                    && layout.bit_offset == 0
                    && u32::from(layout.bit_precision) == 8 * size
                    && *byte_order != DatatypeByteOrder::Vax;
                usual.then_some(Self::Whole { bytes: *size as usize, order: *byte_order, signed: layout.signed })
            }
            _ => None,
        }
    }

    fn bytes(self) -> usize {
        match self {
            Self::Float { bytes, .. } | Self::Whole { bytes, .. } => bytes,
        }
    }

    /// The number in as many bytes as one has; whole numbers beyond 2⁵³ are rounded.
    fn number(self, bytes: &[u8]) -> f64 {
        let code = |order| {
            let add = |code: u64, byte: &u8| code << 8 | u64::from(*byte);
            match order {
                DatatypeByteOrder::BigEndian => bytes.iter().fold(0, add),
                _ => bytes.iter().rev().fold(0, add),
            }
        };
        match self {
            Self::Float { bytes: 2, order } => half(code(order) as u16),
            Self::Float { bytes: 4, order } => f32::from_bits(code(order) as u32).into(),
            Self::Float { order, .. } => f64::from_bits(code(order)),
            Self::Whole { order, signed: false, .. } => code(order) as f64,
            Self::Whole { bytes, order, signed: true } => {
                let unused = 64 - 8 * bytes as u32;
                ((code(order) << unused).cast_signed() >> unused) as f64
            }
        }
    }
}

/// A number of half precision (IEEE 754 binary16).
fn half(code: u16) -> f64 {
    let sign = if code >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(code >> 10 & 31), f64::from(code & 0x3ff));
    sign * match exponent {
        0 => fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1024.0 + fraction) * 2f64.powi(exponent - 25),
    }
}

/// A dataset of sequences.
struct Sequences<'a> {
    archive: &'a Archive,
    dataset: hdf5_pure::Dataset,
    place: &'static str,
    count: u64,
    kind: Kind,
}

/// Where a sequence is.
struct Reference {
    /// In numbers.
    length: u32,
    /// Of its collection, from the file's base.
    address: u64,
    /// Of its object.
    index: u32,
}

impl<'a> Sequences<'a> {
    fn open(archive: &'a Archive, place: &'static str) -> Result<Self, DataProblem> {
        let (dataset, count, datatype) = archive.column(place)?;
        let wrong = || {
            let what = "holds something else than a sequence of numbers for each sample";
            problem(place, what.to_owned())
        };
        let Datatype::VariableLength { is_string: false, base_type, .. } = &datatype else { return Err(wrong()) };
        let kind = Kind::of(base_type).ok_or_else(wrong)?;
        Ok(Self { archive, dataset, place, count, kind })
    }

    /// Where the sequences of `count` samples are.
    fn window(&self, from: u64, count: u64) -> Result<Vec<Reference>, DataProblem> {
        let bytes = guarded(self.place, || self.dataset.read_raw_rows(from, count))?;
        let width = self.archive.offset_bytes;
        let references = bytes.chunks_exact(width + 8).map(|bytes| Reference {
            length: little(&bytes[..4]) as u32,
            address: little(&bytes[4..4 + width]),
            index: little(&bytes[4 + width..]) as u32,
        });
        let references: Vec<Reference> = references.collect();
        if references.len() as u64 == count {
            Ok(references)
        } else {
            Err(problem(self.place, "its length and the amount of its data disagree".to_owned()))
        }
    }
}

/// A little-endian number of at most 8 bytes.
fn little(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// The collections of a file, each walked through when something in it is wanted first.
struct Heaps<'a> {
    archive: &'a Archive,
    /// By address: the objects' numbers, with the place and size of each.
    collections: HashMap<u64, HashMap<u32, (u64, u64)>>,
    /// How many more objects and bytes of sequences there can be in a file of this length.
    objects: u64,
    bytes: u64,
}

impl<'a> Heaps<'a> {
    fn new(archive: &'a Archive) -> Self {
        let length = archive.store.len();
        Self { archive, collections: HashMap::new(), objects: length / 8, bytes: length }
    }

    /// The numbers of a sample's sequence.
    fn numbers(&mut self, of: &Sequences<'_>, reference: &Reference, sample: u64) -> Result<Vec<f64>, DataProblem> {
        if reference.length == 0 {
            return Ok(Vec::new());
        }
        let wrong = |what: String| problem(of.place, format!("sample {sample}: {what}"));
        let bytes = u64::from(reference.length) * of.kind.bytes() as u64;
        self.bytes = self.bytes.checked_sub(bytes).ok_or_else(|| {
            wrong("the sequences up to this one are longer than the file, which therefore is damaged".to_owned())
        })?;
        let Reference { address, index, .. } = reference;
        let collection = match self.collections.entry(*address) {
            Entry::Occupied(found) => found.into_mut(),
            Entry::Vacant(new) => new.insert(walk(self.archive, *address, &mut self.objects).map_err(wrong)?),
        };
        let object = collection.get(index).filter(|(_, size)| *size >= bytes);
        let (place, _) = object.ok_or_else(|| {
            wrong(format!("there is no object {index} of {bytes} bytes in the collection at {address:#x}"))
        })?;
        // Not longer than the file.
        let mut numbers = vec![0; bytes as usize];
        self.archive.store.read_at(*place, &mut numbers).map_err(|error| wrong(error.to_string()))?;
        Ok(numbers.chunks_exact(of.kind.bytes()).map(|bytes| of.kind.number(bytes)).collect())
    }
}

/// The objects of a collection; `left` is how many there may be.
///
/// A collection is `GCOL`, its version 1, three bytes, and its length with this heading; then objects one behind the other, each a
/// number of 2 bytes, 6 others, its size and its bytes; headings and bytes are filled up to multiples of 8. Number 0 is what is free, the rest.
fn walk(archive: &Archive, address: u64, left: &mut u64) -> Result<HashMap<u32, (u64, u64)>, String> {
    let overrun = || format!("the collection at {address:#x} does not fit into the file");
    let head = (8 + archive.length_bytes).next_multiple_of(8);
    let begin = archive.base.checked_add(address).ok_or_else(overrun)?;
    let mut heading = vec![0; head];
    let read = |place, heading: &mut [u8]| archive.store.read_at(place, heading).map_err(|_| overrun());
    read(begin, &mut heading)?;
    if !heading.starts_with(b"GCOL\x01") {
        return Err(format!("there is no collection at {address:#x}"));
    }
    let number = |bytes: &[u8]| little(&bytes[8..8 + archive.length_bytes]);
    let end = begin.checked_add(number(&heading)).filter(|end| *end <= archive.store.len());
    let end = end.ok_or_else(overrun)?;
    let mut objects = HashMap::new();
    let mut next = begin + head as u64;
    while next.checked_add(head as u64).is_some_and(|behind| behind <= end) {
        read(next, &mut heading)?;
        let (index, size) = (little(&heading[..2]) as u32, number(&heading));
        if index == 0 {
            break;
        }
        *left = left.checked_sub(1).ok_or("the file's collections overlap, so that it is damaged")?;
        let place = next + head as u64;
        // So the size is no more than the file's, and can be filled up.
        place.checked_add(size).filter(|behind| *behind <= end).ok_or_else(overrun)?;
        objects.insert(index, (place, size));
        next = place.checked_add(size.next_multiple_of(8)).ok_or_else(overrun)?;
    }
    Ok(objects)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The corners of the format, and a third, of its definition.
    #[test]
    fn half_precision() {
        let cases = [
            (0x0000, 0.0),
            (0x0001, 2f64.powi(-24)),
            (0x03ff, 1023.0 * 2f64.powi(-24)),
            (0x0400, 2f64.powi(-14)),
            (0x3555, 0.333_251_953_125),
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
            (0x7c00, f64::INFINITY),
            (0xfc00, f64::NEG_INFINITY),
        ];
        for (code, expected) in cases {
            assert_eq!(half(code), expected, "{code:#06x}");
        }
        assert!(half(0x7e00).is_nan() && half(0x8000).is_sign_negative());
    }

    #[test]
    fn whole_numbers_of_every_size_and_order() {
        use DatatypeByteOrder::{BigEndian, LittleEndian};
        let number = |bytes: &[u8], order, signed| Kind::Whole { bytes: bytes.len(), order, signed }.number(bytes);
        assert_eq!(number(&[0xfe], LittleEndian, true), -2.0);
        assert_eq!(number(&[0xfe], LittleEndian, false), 254.0);
        assert_eq!(number(&[1, 2], LittleEndian, false), 513.0);
        assert_eq!(number(&[1, 2], BigEndian, true), 258.0);
        assert_eq!(number(&[0xff; 8], BigEndian, true), -1.0);
    }
}
