//! Reading HDF5 files that nobody vouches for.
//!
//! Contract: sizes are bounded before anything is allocated, and no file makes the reader panic. A group is read by the names that
//! are asked for, so links that form a cycle lead nowhere.
//!
//! Not here: what the groups and datasets mean.

use std::panic::{AssertUnwindSafe, catch_unwind};

use hdf5_pure::{DType, Dataset, File, Group, VlenStringReadOptions};

/// Deflate, the strongest filter HDF5 files commonly use, expands one byte to at most 1032, so a dataset that claims more
/// than that times the size of its file lies.
const MAX_EXPANSION: u64 = 1032;

/// No name or type is longer than this, in bytes.
const MAX_STRING_BYTES: u64 = 4096;

/// A part of a file that cannot be followed: cut short, altered, or of an unsupported kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Damaged {
    /// Path inside the file.
    pub(crate) object: String,
    /// What the HDF5 reader says.
    pub(crate) reason: String,
}

pub(crate) fn damaged(object: &str, reason: impl ToString) -> Damaged {
    Damaged { object: object.into(), reason: reason.to_string() }
}

/// An array as stored: shape, then row-major numbers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Stored {
    pub(crate) shape: Vec<usize>,
    pub(crate) data: Vec<f64>,
}

/// What a dataset holds.
pub(crate) enum Content {
    Numbers(Stored),
    /// Of this type.
    Other(String),
}

/// An open file.
pub(crate) struct Archive {
    file: File,
    max_bytes: u64,
}

/// `read`, which reads a file.
///
/// The HDF5 reader returns errors for all damage we know of, but it is a large parser of hostile input that we did not
/// write. Should it have a panic left, that is the file's fault to the user, so this is the one place that contains it.
pub(crate) fn guarded<T>(read: impl FnOnce() -> T) -> Result<T, Damaged> {
    // Nothing outlives the closure, so no broken state can be seen afterwards.
    catch_unwind(AssertUnwindSafe(read)).map_err(|panic| {
        let reason = panic.downcast_ref::<&str>().map_or("internal error of the HDF5 reader", |text| text);
        damaged("/", reason)
    })
}

impl Archive {
    pub(crate) fn open(bytes: Vec<u8>) -> Result<Self, Damaged> {
        let max_bytes = (bytes.len() as u64).saturating_mul(MAX_EXPANSION);
        let file = File::from_bytes(bytes).map_err(|error| damaged("/", error))?;
        Ok(Self { file, max_bytes })
    }

    /// No dataset may claim more bytes than this.
    pub(crate) fn max_bytes(&self) -> u64 {
        self.max_bytes
    }

    pub(crate) fn root(&self) -> Group {
        self.file.root()
    }

    pub(crate) fn group(&self, path: &str) -> Result<Group, Damaged> {
        self.file.group(path).map_err(|error| damaged(path, error))
    }

    /// The dataset `name` of `group`, or `None` if there is no such dataset.
    pub(crate) fn dataset(&self, group: &Group, place: &str, name: &str) -> Result<Option<Dataset>, Damaged> {
        let place = format!("{place}/{name}");
        if !group.datasets().map_err(|error| damaged(&place, error))?.iter().any(|found| found == name) {
            return Ok(None);
        }
        let dataset = group.dataset(name).map_err(|error| damaged(&place, error))?;
        let bytes = dataset.shape().and_then(|shape| {
            let width = dataset.element_size()?.max(size_of::<f64>() as u64);
            Ok(shape.iter().try_fold(width, |n, &extent| n.checked_mul(extent)))
        });
        match bytes.map_err(|error| damaged(&place, error))? {
            Some(bytes) if bytes <= self.max_bytes => Ok(Some(dataset)),
            _ => Err(damaged(&place, "its shape says more data than a file of this size can hold")),
        }
    }

    /// The one string in dataset `name` of `group`, or `None` if there is no such dataset.
    pub(crate) fn string(&self, group: &Group, place: &str, name: &str) -> Result<Option<String>, Damaged> {
        let Some(dataset) = self.dataset(group, place, name)? else { return Ok(None) };
        let place = format!("{place}/{name}");
        let mut strings = self.strings(&dataset, &place)?;
        match (strings.pop(), strings.is_empty()) {
            (Some(text), true) => Ok(Some(text)),
            _ => Err(damaged(&place, "it does not hold exactly one string")),
        }
    }

    pub(crate) fn strings(&self, dataset: &Dataset, place: &str) -> Result<Vec<String>, Damaged> {
        let element = dataset.element_size().map_err(|error| damaged(place, error))?;
        let strings = match dataset.dtype().map_err(|error| damaged(place, error))? {
            DType::VariableLengthString => {
                let limit = usize::try_from(self.max_bytes).unwrap_or(usize::MAX);
                dataset.read_vlen_strings(VlenStringReadOptions::new().with_max_payload_bytes(limit))
            }
            DType::String if element <= MAX_STRING_BYTES => dataset.read_string(),
            other => return Err(damaged(place, format!("it holds {other}, not strings"))),
        };
        strings.map_err(|error| damaged(place, error))
    }

    /// The numbers of dataset `name` of `group`, or `None` if there is no such dataset. Truth values are 0 and 1.
    pub(crate) fn numbers(&self, group: &Group, place: &str, name: &str) -> Result<Option<Content>, Damaged> {
        let Some(dataset) = self.dataset(group, place, name)? else { return Ok(None) };
        let place = format!("{place}/{name}");
        let dtype = dataset.dtype().map_err(|error| damaged(&place, error))?;
        let numeric = match &dtype {
            DType::F32
            | DType::F64
            | DType::I8
            | DType::I16
            | DType::I32
            | DType::I64
            | DType::U8
            | DType::U16
            | DType::U32
            | DType::U64 => true,
            DType::Enum(names) => names.len() == 2,
            _ => false,
        };
        if !numeric {
            return Ok(Some(Content::Other(dtype.to_string())));
        }
        let shape = extents_of(&dataset, &place)?;
        let data = dataset.read_f64().map_err(|error| damaged(&place, error))?;
        if shape.iter().try_fold(1_usize, |n, &extent| n.checked_mul(extent)) != Some(data.len()) {
            return Err(damaged(&place, "its shape and the amount of its data disagree"));
        }
        Ok(Some(Content::Numbers(Stored { shape, data })))
    }
}

/// The shape of a dataset, as `usize`.
pub(crate) fn extents_of(dataset: &Dataset, place: &str) -> Result<Vec<usize>, Damaged> {
    let shape = dataset.shape().map_err(|error| damaged(place, error))?;
    shape.into_iter().map(|extent| usize::try_from(extent).map_err(|error| damaged(place, error))).collect()
}
