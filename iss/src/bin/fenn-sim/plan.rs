//! What the options that name places and files mean for one program.
//!
//! Contract: everything is checked before the run, so that a long run does not end in a complaint about a typing error.

use std::path::{Path, PathBuf};

use fenn_isa::image::Image;
use fenn_iss::Machine;
use fenn_iss::view::{self, Place, View, ViewError};

use crate::arguments::Arguments;
use crate::failure::Failure;

/// What the options that name memory mean for this program; all of them are checked before the run.
pub(crate) struct Plan {
    pub(crate) writes: Vec<(Place, String, PathBuf)>,
    pub(crate) dumps: Vec<(View, String)>,
    pub(crate) files: Vec<(View, PathBuf)>,
    /// Addresses of `--until`.
    pub(crate) breakpoints: Vec<u32>,
    pub(crate) hot: Vec<(Form, PathBuf)>,
    pub(crate) heatmaps: Vec<(Form, PathBuf)>,
}

/// What a file is to hold, as the end of its name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Text,
    Json,
    Html,
    Folded,
}

impl Form {
    fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()? {
            "txt" => Some(Self::Text),
            "json" => Some(Self::Json),
            "html" => Some(Self::Html),
            "folded" => Some(Self::Folded),
            _ => None,
        }
    }
}

/// Standard output, as an option names it.
pub(crate) fn is_stdout(path: &Path) -> bool {
    path == Path::new("-")
}

impl Plan {
    pub(crate) fn new(arguments: &Arguments, image: &Image, machine: &Machine) -> Result<Self, Failure> {
        let mut plan = Self {
            writes: Vec::new(),
            dumps: Vec::new(),
            files: Vec::new(),
            breakpoints: Vec::new(),
            hot: Vec::new(),
            heatmaps: Vec::new(),
        };
        for text in &arguments.until {
            let Place { address, .. } = Place::parse("instruction", text, image).map_err(wrong("--until", text))?;
            if !address.is_multiple_of(4) || address >= machine.config().instruction_bytes {
                return Err(Failure::Until { text: text.clone(), address });
            }
            plan.breakpoints.push(address);
        }
        for path in &arguments.hot {
            let endings = ".txt, .json, .html or .folded";
            let form =
                Form::of(path).ok_or_else(|| Failure::Ending { option: "--hot", path: path.clone(), endings })?;
            plan.hot.push((form, path.clone()));
        }
        for path in &arguments.heatmap {
            let form = if is_stdout(path) { Some(Form::Text) } else { Form::of(path) };
            let form = form.filter(|form| matches!(form, Form::Text | Form::Html));
            let endings = ".txt or .html, or be `-`";
            let form = form.ok_or_else(|| Failure::Ending { option: "--heatmap", path: path.clone(), endings })?;
            plan.heatmaps.push((form, path.clone()));
        }
        for text in &arguments.write {
            let (place, path) = parse_write(text, image).map_err(wrong("--write", text))?;
            plan.writes.push((place, text.clone(), path));
        }
        for text in &arguments.dump {
            let view = View::parse(text, image).map_err(wrong("--dump", text))?;
            check(machine, &view).map_err(outside("--dump", text))?;
            plan.dumps.push((view, text.clone()));
        }
        for text in &arguments.dump_file {
            let (view, path) = parse_dump_file(text, image).map_err(wrong("--dump-file", text))?;
            check(machine, &view).map_err(outside("--dump-file", text))?;
            plan.files.push((view, path));
        }
        Ok(plan)
    }
}

fn wrong(option: &'static str, text: &str) -> impl FnOnce(ViewError) -> Failure {
    move |source| Failure::View { option, text: text.to_owned(), source }
}

pub(crate) fn outside(option: &'static str, text: &str) -> impl FnOnce(fenn_iss::Error) -> Failure {
    move |source| Failure::Outside { option, text: text.to_owned(), source }
}

fn check(machine: &Machine, view: &View) -> Result<(), fenn_iss::Error> {
    machine.read_bytes(view.place.space, view.place.address, view.bytes).map(drop)
}

/// A file's name may have colons in it: it is all that follows the other parts.
fn parse_write(text: &str, image: &Image) -> Result<(Place, PathBuf), ViewError> {
    let parts: Vec<&str> = text.splitn(3, ':').collect();
    let [space, address, path] = parts[..] else { return Err(ViewError::Form(text.to_owned())) };
    Ok((Place::parse(space, address, image)?, PathBuf::from(path)))
}

fn parse_dump_file(text: &str, image: &Image) -> Result<(View, PathBuf), ViewError> {
    let parts: Vec<&str> = text.splitn(4, ':').collect();
    let [space, address, length, path] = parts[..] else { return Err(ViewError::Form(text.to_owned())) };
    let (place, bytes) = view::range(space, address, length, image)?;
    Ok((View { place, bytes, element: view::Element::Hex }, PathBuf::from(path)))
}
