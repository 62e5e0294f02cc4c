//! Calibration samples: spikes in text or NumPy files, of the kinds that `fenn-run` takes too.
//!
//! Contract: units are counted through all inputs of the graph, in the order of their names. What a file is, its contents
//! say:
//!
//! | file | samples |
//! | --- | --- |
//! | NumPy, whole numbers, [events, 3] | a row (sample, step, unit) per spike |
//! | NumPy, [samples, steps, units] or [steps, units] | 0 or 1 per unit and step |
//! | text, as many columns as units | 0 or 1, a line per step, of one sample |
//! | text with 2 or 3 columns | a line `step,unit` or `sample,step,unit` per spike |
//! | text with a header of these names | the columns as named |
//!
//! Not here: images and times in milliseconds, which need the program's encoding.

use std::path::{Path, PathBuf};

use crate::interpret::SpikeTrain;
use crate::npy::{self, Array, NpyError, Numbers};

/// More samples than any calibration takes.
const MOST_SAMPLES: i64 = 1 << 16;

/// What samples are for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// Neurons of each input.
    pub(crate) sizes: Vec<usize>,
    /// Steps in a run; where the user has not said, a dense file may tell.
    pub(crate) steps: Option<u32>,
}

/// Spikes of each input, of each sample.
pub(crate) type Samples = Vec<Vec<SpikeTrain>>;

/// Why a file holds no samples.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SampleError {
    #[error("cannot read {}: {error}", path.display())]
    Io { path: PathBuf, error: std::io::Error },
    #[error("{} {error}", path.display())]
    Npy { path: PathBuf, error: NpyError },
    #[error("{} has shape {shape:?}; spikes have shape (events, 3), (steps, {units}) or (samples, steps, {units})", path.display())]
    Shape { path: PathBuf, shape: Vec<u64>, units: usize },
    #[error("{}:{line}: `{text}` is not a whole number", path.display())]
    Number { path: PathBuf, line: usize, text: String },
    #[error("{}:{line} has {found} columns instead of {expected}", path.display())]
    Columns { path: PathBuf, line: usize, found: usize, expected: usize },
    #[error("{} has {found} columns; spikes have {units} (0 or 1 for each unit), 2 (step, unit) or 3 (sample, step, unit)", path.display())]
    Kind { path: PathBuf, found: usize, units: usize },
    #[error("{} has a column `{name}`; the columns of spikes are sample, step and unit", path.display())]
    Header { path: PathBuf, name: String },
    #[error("{}: {place} has {what} {number}, but there are {bound}", path.display())]
    Range { path: PathBuf, place: String, what: &'static str, number: i64, bound: i64 },
    #[error("{}: {place} is {number}; a unit has 0 or 1 spikes in a step", path.display())]
    NotBinary { path: PathBuf, place: String, number: f64 },
    #[error("{} has {found} steps, but a run has {expected}; give --steps {found}", path.display())]
    Steps { path: PathBuf, found: usize, expected: u32 },
    #[error("{} does not say how many steps a run has; give --steps", path.display())]
    NoSteps { path: PathBuf },
    #[error("{} has no samples", path.display())]
    Empty { path: PathBuf },
}

/// The samples of the file at `path`, and the steps of a run.
pub(crate) fn load(path: &Path, target: &Target) -> Result<(Samples, u32), SampleError> {
    let bytes = std::fs::read(path).map_err(|error| SampleError::Io { path: path.to_owned(), error })?;
    let file = File { path, target, units: target.sizes.iter().sum() };
    if bytes.starts_with(b"\x93NUMPY") { file.numpy(&bytes) } else { file.text(&String::from_utf8_lossy(&bytes)) }
}

struct File<'a> {
    path: &'a Path,
    target: &'a Target,
    units: usize,
}

impl File<'_> {
    fn path(&self) -> PathBuf {
        self.path.to_owned()
    }

    fn numpy(&self, bytes: &[u8]) -> Result<(Samples, u32), SampleError> {
        let Array { shape, numbers } =
            npy::read(bytes).map_err(|error| SampleError::Npy { path: self.path(), error })?;
        let wrong = || SampleError::Shape { path: self.path(), shape: shape.clone(), units: self.units };
        let steps = match shape[..] {
            [steps, units] | [_, steps, units] if units == self.units as u64 => steps,
            [_, 3] => {
                let Numbers::Codes(codes) = numbers else { return Err(wrong()) };
                let events = codes.as_chunks::<3>().0;
                return self.events(events.iter().enumerate().map(|(row, event)| (format!("row {row}"), *event)));
            }
            _ => return Err(wrong()),
        };
        let numbers = match numbers {
            Numbers::Codes(codes) => codes.into_iter().map(|code| code as f64).collect(),
            Numbers::Reals(reals) => reals,
        };
        self.dense(&numbers, steps as usize)
    }

    /// `0` or `1` for each unit and step of each sample.
    fn dense(&self, numbers: &[f64], steps: usize) -> Result<(Samples, u32), SampleError> {
        let run = self.steps(Some(steps))?;
        let mut samples = Vec::new();
        for (sample, numbers) in numbers.chunks_exact((steps * self.units).max(1)).enumerate() {
            let mut lists = vec![Vec::new(); run as usize];
            for (place, number) in numbers.iter().enumerate() {
                let (step, unit) = (place / self.units, place % self.units);
                if *number == 1.0 {
                    lists[step].push(unit as u32);
                } else if *number != 0.0 {
                    let place = format!("unit {unit} in step {step} of sample {sample}");
                    return Err(SampleError::NotBinary { path: self.path(), place, number: *number });
                }
            }
            samples.push(self.split(&lists));
        }
        if samples.is_empty() {
            return Err(SampleError::Empty { path: self.path() });
        }
        Ok((samples, run))
    }

    /// The steps of a run, which hold those of the file.
    fn steps(&self, found: Option<usize>) -> Result<u32, SampleError> {
        let path = || self.path();
        match (self.target.steps, found) {
            (Some(expected), Some(found)) if found > expected as usize => {
                Err(SampleError::Steps { path: path(), found, expected })
            }
            (Some(expected), _) => Ok(expected),
            (None, Some(0)) => Err(SampleError::Empty { path: path() }),
            (None, found) => {
                found.and_then(|found| u32::try_from(found).ok()).ok_or_else(|| SampleError::NoSteps { path: path() })
            }
        }
    }

    /// One train per input from lists of units.
    fn split(&self, lists: &[Vec<u32>]) -> Vec<SpikeTrain> {
        let mut first = 0;
        let train = |&size: &usize| {
            let units = first..first + size as u32;
            first = units.end;
            let of_step = |list: &Vec<u32>| {
                list.iter().filter(|unit| units.contains(unit)).map(|unit| unit - units.start).collect()
            };
            SpikeTrain::new(lists.iter().map(of_step).collect())
        };
        self.target.sizes.iter().map(train).collect()
    }

    /// (sample, step, unit), each with its place.
    fn events(&self, events: impl Iterator<Item = (String, [i64; 3])>) -> Result<(Samples, u32), SampleError> {
        let run = self.steps(None)?;
        let mut samples: Vec<Vec<Vec<u32>>> = Vec::new();
        for (place, [sample, step, unit]) in events {
            let bounds =
                [("sample", sample, MOST_SAMPLES), ("step", step, run.into()), ("unit", unit, self.units as i64)];
            if let Some((what, number, bound)) =
                bounds.into_iter().find(|(_, number, bound)| !(0..*bound).contains(number))
            {
                return Err(SampleError::Range { path: self.path(), place, what, number, bound });
            }
            while samples.len() <= sample as usize {
                samples.push(Vec::new());
            }
            // A sample without spikes costs nothing until all are complete.
            let lists = &mut samples[sample as usize];
            if lists.is_empty() {
                *lists = vec![Vec::new(); run as usize];
            }
            lists[step as usize].push(unit as u32);
        }
        samples.retain(|lists| !lists.is_empty());
        if samples.is_empty() {
            return Err(SampleError::Empty { path: self.path() });
        }
        Ok((samples.iter().map(|lists| self.split(lists)).collect(), run))
    }

    fn text(&self, text: &str) -> Result<(Samples, u32), SampleError> {
        let mut lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
        let mut lines: Vec<(usize, &str)> =
            lines.by_ref().filter(|(_, line)| !line.is_empty() && !line.starts_with('#')).collect();
        let Some((_, first)) = lines.first() else { return Err(SampleError::Empty { path: self.path() }) };
        let names: Vec<String> = cells(first).map(|cell| cell.to_ascii_lowercase()).collect();
        let header = names.iter().all(|name| name.starts_with(|c: char| c.is_ascii_alphabetic()));
        let columns = match (header, names.len()) {
            (true, _) => {
                lines.remove(0);
                self.columns(&names)?
            }
            (false, count) if count == self.units => return self.dense_text(&lines),
            (false, 2) => [None, Some(0), Some(1)],
            (false, 3) => [Some(0), Some(1), Some(2)],
            (false, found) => return Err(SampleError::Kind { path: self.path(), found, units: self.units }),
        };
        let mut events = Vec::new();
        for (line, text) in lines {
            let row = self.row(line, text, names.len())?;
            // Without a column of samples there is one.
            let event = columns.map(|column| column.map_or(0, |column| row[column]));
            events.push((format!("line {line}"), event));
        }
        self.events(events.into_iter())
    }

    /// Where sample, step and unit are.
    fn columns(&self, names: &[String]) -> Result<[Option<usize>; 3], SampleError> {
        let known = ["sample", "step", "unit"];
        let unknown = names.iter().find(|name| !known.contains(&name.as_str()));
        let columns = known.map(|known| names.iter().position(|name| name == known));
        match (unknown, columns) {
            (None, [_, Some(_), Some(_)]) => Ok(columns),
            (name, _) => {
                let name = name.cloned().unwrap_or_else(|| names.join(","));
                Err(SampleError::Header { path: self.path(), name })
            }
        }
    }

    fn dense_text(&self, lines: &[(usize, &str)]) -> Result<(Samples, u32), SampleError> {
        let mut numbers = Vec::new();
        for (line, text) in lines {
            numbers.extend(self.row(*line, text, self.units)?.into_iter().map(|number| number as f64));
        }
        self.dense(&numbers, lines.len())
    }

    fn row(&self, line: usize, text: &str, expected: usize) -> Result<Vec<i64>, SampleError> {
        let number = |cell: &str| {
            // Other tools write whole numbers as `1.0`.
            let whole = cell
                .split_once('.')
                .map_or(cell, |(whole, zeros)| if zeros.bytes().all(|digit| digit == b'0') { whole } else { cell });
            whole.parse().map_err(|_| SampleError::Number { path: self.path(), line, text: cell.to_owned() })
        };
        let row = cells(text).map(number).collect::<Result<Vec<i64>, _>>()?;
        let found = row.len();
        if found != expected {
            return Err(SampleError::Columns { path: self.path(), line, found, expected });
        }
        Ok(row)
    }
}

/// The cells of a line, separated by commas, semicolons or white space.
fn cells(line: &str) -> impl Iterator<Item = &str> {
    let separator = |c: char| c == ',' || c == ';';
    let by_sign = line.contains(separator);
    line.split(move |c: char| if by_sign { separator(c) } else { c.is_whitespace() })
        .map(str::trim)
        .filter(move |cell| by_sign || !cell.is_empty())
}

#[cfg(test)]
mod tests {
    use npyz::Order;
    use proptest::prelude::*;

    use super::*;
    use crate::npy::tests::written;

    fn loaded(bytes: &[u8], sizes: &[usize], steps: Option<u32>) -> Result<(Samples, u32), String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("spikes");
        std::fs::write(&path, bytes).unwrap();
        let target = Target { sizes: sizes.to_vec(), steps };
        load(&path, &target).map_err(|error| error.to_string().replace(&path.display().to_string(), "FILE"))
    }

    /// Units 0 and 4 in step 0, unit 3 in step 2; inputs of 3 and 2 neurons.
    fn expected(steps: usize) -> (Samples, u32) {
        let train = |spikes: &[(usize, u32)]| {
            let mut lists = vec![Vec::new(); steps];
            spikes.iter().for_each(|(step, unit)| lists[*step].push(*unit));
            SpikeTrain::new(lists)
        };
        (vec![vec![train(&[(0, 0)]), train(&[(0, 1), (2, 0)])]], steps as u32)
    }

    #[test]
    fn every_kind_of_file_gives_the_same_spikes() {
        let dense = [1i8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0];
        let sizes = [3, 2];
        let four = Some(4);
        for text in [
            "0,4\n2,3\n0,0\n",
            "step unit\n2 3\n\n0 4\n0 0",
            "# spikes\nunit;step;sample\n3;2;0\n4;0;0\n0;0;0\n",
            "0,2,3\n0,0,4\n0,0,0",
        ] {
            assert_eq!(loaded(text.as_bytes(), &sizes, four), Ok(expected(4)), "{text}");
        }
        let text = "1,0,0,0,1\n0,0,0,0,0\n0.0,0,0,1.0,0\n";
        assert_eq!(loaded(text.as_bytes(), &sizes, None), Ok(expected(3)));
        assert_eq!(loaded(text.as_bytes(), &sizes, four), Ok(expected(4)), "the rest of the run is silent");
        assert_eq!(loaded(&written(&dense, &[3, 5], Order::C), &sizes, four), Ok(expected(4)));
        assert_eq!(loaded(&written(&dense, &[1, 3, 5], Order::C), &sizes, None), Ok(expected(3)));
        let events = written(&[0i64, 0, 4, 0, 2, 3, 0, 0, 0], &[3, 3], Order::C);
        assert_eq!(loaded(&events, &sizes, four), Ok(expected(4)));
    }

    #[test]
    fn errors_say_where() {
        for (text, steps, expected) in [
            ("", Some(4), "FILE has no samples"),
            ("0,1", None, "FILE does not say how many steps a run has; give --steps"),
            ("0,0\n0,5", Some(4), "FILE: line 2 has unit 5, but there are 5"),
            ("4,0", Some(4), "FILE: line 1 has step 4, but there are 4"),
            ("0,-1", Some(4), "FILE: line 1 has unit -1, but there are 5"),
            ("0,x", Some(4), "FILE:1: `x` is not a whole number"),
            ("0,1.5", Some(4), "FILE:1: `1.5` is not a whole number"),
            ("0,1\n0,1,2", Some(4), "FILE:2 has 3 columns instead of 2"),
            (
                "1,2,3,4",
                Some(4),
                "FILE has 4 columns; spikes have 5 (0 or 1 for each unit), 2 (step, unit) or 3 (sample, step, unit)",
            ),
            (
                "time_ms,unit\n0,1",
                Some(4),
                "FILE has a column `time_ms`; the columns of spikes are sample, step and unit",
            ),
            ("0,0,0,0,2", Some(4), "FILE: unit 4 in step 0 of sample 0 is 2; a unit has 0 or 1 spikes in a step"),
            ("0,0,0,0,1\n0,0,0,0,1", Some(1), "FILE has 2 steps, but a run has 1; give --steps 2"),
        ] {
            assert_eq!(loaded(text.as_bytes(), &[3, 2], steps), Err(expected.to_owned()), "{text}");
        }
        let error = loaded(&written(&[0i8; 8], &[2, 4], Order::C), &[3, 2], Some(4)).unwrap_err();
        assert!(error.starts_with("FILE has shape [2, 4]"), "{error}");
    }

    proptest! {
        #[test]
        fn any_text_has_an_answer(text in "[0-9a-z,;. \n-]{0,60}|.{0,30}", steps in prop::option::of(1u32..9)) {
            let _ = loaded(text.as_bytes(), &[2, 1], steps);
        }
    }
}
