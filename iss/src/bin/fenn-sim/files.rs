//! The files about where the cycles went.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use fenn_isa::image::Image;
use fenn_iss::observe::heatmap::Heatmap;

use crate::failure::{Failure, write_whole};
use crate::plan::{Form, Plan, is_stdout};
use crate::simulate::Watch;

/// A longer file is no source.
const LONGEST_SOURCE: u64 = 16 << 20;

/// Writes what `--hot` and `--heatmap` ask for.
pub(crate) fn write(program: &Path, plan: &Plan, watch: &Watch, image: &Image) -> Result<(), Failure> {
    let title = program.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    for (form, path) in &plan.hot {
        let report = watch.profiler.as_ref().map(|profiler| profiler.report(image));
        let text = match (form, report, &watch.stacks) {
            (Form::Folded, _, Some(stacks)) => stacks.folded(image),
            (Form::Text, Some(report), _) => report.text(),
            (Form::Json, Some(report), _) => format!("{:#}\n", report.json()),
            (Form::Html, Some(report), _) => report.html(&title),
            _ => unreachable!("what is to be written has been watched"),
        };
        write_whole(path, |file| file.write_all(text.as_bytes()))?;
    }
    for (form, path) in plan.heatmaps.iter().filter(|(_, path)| !is_stdout(path)) {
        let Some(map) = heatmap(program, watch, image) else { continue };
        let text = if *form == Form::Html { map.html(&title) } else { map.text() };
        write_whole(path, |file| file.write_all(text.as_bytes()))?;
    }
    Ok(())
}

/// Prints what `--heatmap -` asks for.
pub(crate) fn print(
    program: &Path,
    plan: &Plan,
    watch: &Watch,
    image: &Image,
    out: &mut impl Write,
) -> Result<(), Failure> {
    for _ in plan.heatmaps.iter().filter(|(_, path)| is_stdout(path)) {
        if let Some(map) = heatmap(program, watch, image) {
            write!(out, "\n{}", map.text())?;
        }
    }
    Ok(())
}

fn heatmap(program: &Path, watch: &Watch, image: &Image) -> Option<Heatmap> {
    let folder = program.parent().unwrap_or(Path::new(""));
    let source = |name: &str| read(Path::new(name)).or_else(|_| read(&folder.join(name))).ok();
    watch.profiler.as_ref().map(|profiler| Heatmap::new(profiler, image, source))
}

/// The text of an ordinary file of a source's length.
fn read(path: &Path) -> io::Result<String> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() || metadata.len() > LONGEST_SOURCE {
        return Err(io::Error::other("this is no source"));
    }
    fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}
