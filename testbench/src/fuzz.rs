//! What the assembler does with inputs that nobody meant: three subjects, each a check that any bytes must pass.
//!
//! Contract: [`Subject::check`] says whether the input was accepted or refused, both of which are right, or what must
//! never happen; a panic, a hang and memory without bound are the other things that must not, and whoever calls sees them.
//! [`run`] tries inputs made from the repository's own files by [`mutate`]; from one seed it tries the same ones on every
//! machine. `fuzz/` has the same checks under libFuzzer, which chooses inputs by the code that they reach.
//!
//! Not here: the kernels and networks as such; they are only what the inputs are made from.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use fenn_assembler::diagnostic::{self, Message};
use fenn_assembler::lint::lint;
use fenn_assembler::listing::listing;
use fenn_assembler::output::{Contents, binary, coe, intel_hex, map, readmemh};
use fenn_assembler::{
    Assembly, Files, NoFiles, Options, Source, Span, assemble, assemble_with_files, disassemble,
    disassemble_with_source, disassembly_json,
};
use fenn_isa::image::Image;
use fenn_isa::image::manifest::{Batch, EntryPoint, Manifest, StatePolicy, VERSION};
use fenn_isa::memory::{LANES, MachineConfig, Space};
use rand::RngExt;
use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::SeedableRng;

use crate::shared::root;

mod mutate;

pub use mutate::mutate;

/// The longest input that is made.
pub const LONGEST: usize = 16 << 10;

/// Messages that are drawn of one input.
const DRAWN: usize = 200;

/// Before the name of a file, or of a further source, in an input that is several texts. It is a comment, too.
const MARK: &str = "#--- ";

/// What is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    /// Source text, through all that comes of it: image, diagnostics, lints, listing, map, every output, disassembly.
    Source,
    /// A file that may be ELF, through reading, every form of disassembly, and back.
    Elf,
    /// Files that include each other.
    Includes,
}

/// What is left for the machine's memories: all its outputs are written, so DRAM is small.
fn machine() -> MachineConfig {
    MachineConfig { dram_bytes: 1 << 20, ..MachineConfig::default() }
}

fn options() -> Options {
    Options { config: machine(), ..Options::default() }
}

impl Subject {
    /// All subjects.
    pub const ALL: [Self; 3] = [Self::Source, Self::Elf, Self::Includes];

    /// Its name, also that of the target in `fuzz/`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Elf => "elf",
            Self::Includes => "includes",
        }
    }

    /// Whether `input` is accepted: it assembles, or is a program.
    ///
    /// # Errors
    /// What happened that never may: an image beside errors, a place outside its source, or bytes that are others after
    /// a way there and back.
    pub fn check(self, input: &[u8]) -> Result<bool, String> {
        match self {
            Self::Source => {
                let sources: Vec<Source> = parts(input)
                    .into_iter()
                    .map(|(name, bytes)| Source::new(name, String::from_utf8_lossy(bytes)))
                    .collect();
                check_assembly(&sources, &NoFiles)
            }
            Self::Includes => {
                let parts = parts(input);
                let files: BTreeMap<String, Vec<u8>> =
                    parts.iter().map(|(name, bytes)| (name.clone(), bytes.to_vec())).collect();
                let first = parts.first().map(|(name, bytes)| Source::new(name, String::from_utf8_lossy(bytes)));
                check_assembly(&Vec::from_iter(first), &files)
            }
            Self::Elf => match Image::from_elf(input) {
                Ok(image) => check_image(&image, &[]).map(|()| true),
                Err(error) => said(&error.to_string()).map(|()| false),
            },
        }
    }

    /// Inputs to begin with: the repository's sources, programs assembled from them, and graphs of files.
    ///
    /// # Errors
    /// A source cannot be read.
    pub fn seeds(self) -> std::io::Result<Vec<Vec<u8>>> {
        let sources = sources()?;
        Ok(match self {
            Self::Source => {
                let mut seeds: Vec<Vec<u8>> = sources.into_iter().map(|(_, text)| text.into_bytes()).collect();
                seeds.extend(TEXTS.iter().map(|text| text.as_bytes().to_vec()));
                seeds
            }
            Self::Elf => {
                let texts = sources.iter().map(|(name, text)| (name.as_str(), text.as_str()));
                let all = texts.chain(TEXTS.iter().map(|text| ("text.s", *text)));
                all.flat_map(|(name, text)| programs(name, text)).filter(|file| file.len() <= LONGEST).collect()
            }
            Self::Includes => GRAPHS.iter().map(|graph| graph.as_bytes().to_vec()).collect(),
        })
    }
}

/// Texts that use what the repository's sources do not.
const TEXTS: [&str; 4] = [
    ".macro m a, b=2, c:req, r:vararg\n.word \\a, \\b, \\c\nl\\@: .word l\\@ - .\n.ifnb \\r\nm \\r, c=1\n.endif\n.endm\n\
     m 1, , 3\nm c=5, a=6\n.irp r, a0, a1\n.irpc d, 12\naddi \\r, \\r, \\d\n.endr\n.endr\n.rept 3\n1: j 1b\n.endr\n\
     .if x == 4\nnop\n.elseif x > 5\necall\n.else\nret\n.endif\n.set x, 4\n.purgem m\n",
    ".vector\n.fixed s5.10, 0.9512, -3.25, .5\n.half fx(-0.5, 15), fx(3, 1 + 1)\n.balign 64\n.vec s0.15, 0.5\n.vec -7\n\
     .seed 9\n.lane\n.table s5.10, 1, -1\nt: .columns 2, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, \
     18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, \
     46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63\n.size t, 4\n.dram\n.zero 0x1000\n.ascii \
     \"\\x41\\n\\\"\", \"é\"\n.pushsection .data\nd: .quad 1\n.popsection\n.text\nvlui v1, fx(0.951229, 15)\n",
    ".globl _start\n_start: la a0, d\nlw a1, d\n1: auipc a2, %pcrel_hi(d)\naddi a2, a2, %pcrel_lo(1b)\nlui a3, %hi(d)\n\
     addi a3, a3, %lo(d)\ncall f\nbeqz a0, far\n.option push\n.option norelax\ntail f\n.option pop\nli a0, 0x12345678\n\
     f: ret\n.type f, @function\n.size f, . - f\n.space 5000\nfar: ecall\n.data\n.balign 4\nd: .word f, 1 ? 2 : 3, ~-1\n",
    ".local x\nx: .word x\n1: nop\n#--- second.s\n.local x\n.equ x, 5\n.word x, y\n.Lend: j .Lend\n1: j 1b\n#--- third.s\n\
     y: .byte 'a', 1 << 3 | 4 & 5 ^ 6, 7 % 2\n.balign 4\n.org . + 8\n.error \"no\"\n",
];

/// Graphs of files: a chain with bytes, a cycle, macros across files, doubling, and errors in each.
const GRAPHS: [&str; 5] = [
    "#--- k/main.s\n.include \"a.s\"\n.word 4\n#--- k/a.s\n.include \"b/c.s\"\n.word 1\n.incbin \"raw\", 1, 2\n.balign 4\n\
     #--- k/b/c.s\n.word 2\n.include \"../d.s\"\n#--- k/d.s\n.word 3\n#--- k/raw\nwxyz",
    "#--- main.s\n.include \"a.s\"\n#--- a.s\n.include \"b.s\"\n#--- b.s\n.if x\n.include \"a.s\"\n.endif\n.include \"./a.s\"\n",
    "#--- main.s\n.include \"m.s\"\nm \"m.s\"\nn 3\n#--- m.s\n.macro m f\n.ifndef once\n.set once, 1\n.include \"\\f\"\n\
     .endif\n.endm\n.purgem m\n.macro n d\n.if \\d\n.include \"leaf.s\"\nn \\d - 1\n.endif\n.endm\n#--- leaf.s\nl\\@: nop\n",
    "#--- main.s\n.include \"1\"\n.include \"1\"\n#--- 1\n.include \"2\"\n.include \"2\"\n#--- 2\n.include \"3\"\n\
     .include \"3\"\n#--- 3\n.rept 4\n.incbin \"4\"\n.endr\n#--- 4\n0123456789abcdef",
    "#--- main.s\nstart: .include \"a.s\"; j missing\n#--- a.s\n.macro open\naddi a0, a0, 5000\n.if 1\n#--- b.s\n.endif\n\
     .endm\nstart: nop\n.include \"gone.s\"\n.incbin \"a.s\", 100\n.incbin \"a.s\", -1, 5\n",
];

/// The texts of an input, each with its name: what is before the first mark (where that is not empty), and behind each.
fn parts(input: &[u8]) -> Vec<(String, &[u8])> {
    let mark = MARK.as_bytes();
    let mut parts = Vec::new();
    let (mut name, mut rest) = ("main.s".to_owned(), input);
    loop {
        let mut starts = (0..rest.len()).filter(|at| *at == 0 || rest[at - 1] == b'\n');
        let next = starts.find(|at| rest[*at..].starts_with(mark));
        let (text, behind) = rest.split_at(next.unwrap_or(rest.len()));
        if next != Some(0) || !parts.is_empty() || name != "main.s" {
            parts.push((name, text));
        }
        let Some(behind) = behind.strip_prefix(mark) else { break };
        let end = behind.iter().position(|byte| *byte == b'\n').unwrap_or(behind.len());
        name = String::from_utf8_lossy(&behind[..end]).trim().to_owned();
        rest = behind.get(end + 1..).unwrap_or_default();
    }
    parts
}

/// The repository's sources, each with its path in it, in the order of those.
fn sources() -> std::io::Result<Vec<(String, String)>> {
    fn collect(folder: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                collect(&path, found)?;
            } else if path.extension().is_some_and(|extension| extension == "s") {
                found.push(path);
            }
        }
        Ok(())
    }
    let mut paths = Vec::new();
    for folder in ["assembler/tests/data", "programs"] {
        collect(&root().join(folder), &mut paths)?;
    }
    paths.sort();
    let name = |path: &Path| path.strip_prefix(root()).unwrap_or(path).display().to_string();
    paths.iter().map(|path| Ok((name(path), std::fs::read_to_string(path)?))).collect()
}

/// The programs of a source: with its lines, without, and with a manifest. None where it is wrong.
fn programs(name: &str, text: &str) -> Vec<Vec<u8>> {
    let (image, _) = assemble(&[Source::new(name, text)], &options());
    let Some(image) = image else { return Vec::new() };
    let bare = Image { lines: Vec::new(), ..image.clone() };
    let manifest = Manifest {
        version: VERSION,
        name: "network".to_owned(),
        generator: "fuzz".to_owned(),
        time_step_ms: Some(0.5),
        steps: 10,
        state: StatePolicy::Reset,
        seed: Some(1),
        entry_points: vec![EntryPoint { name: "run".to_owned(), address: 0 }],
        batch: Batch::ONE,
        inputs: Vec::new(),
        outputs: Vec::new(),
        recordings: Vec::new(),
        counters: None,
        populations: Vec::new(),
        work: None,
    };
    let described = Image { manifest: Some(manifest), ready_flag: Some(0), ..bare.clone() };
    [image, bare, described].iter().filter_map(|image| image.to_elf().ok()).collect()
}

/// A message is there.
fn said(message: &str) -> Result<(), String> {
    if message.trim().is_empty() { Err("an error without a message".to_owned()) } else { Ok(()) }
}

fn check_assembly(sources: &[Source], files: &dyn Files) -> Result<bool, String> {
    let assembly = assemble_with_files(sources, &options(), files);
    let Assembly { image, diagnostics, lines, labels: _, sources: all } = &assembly;
    if image.is_some() != diagnostics.is_empty() {
        return Err(format!("an image beside errors, or neither: {:?}", diagnostics.first()));
    }
    let elsewhere = diagnostics.iter().filter_map(|diagnostic| diagnostic.problem.elsewhere().map(|(span, _)| span));
    let places = diagnostics.iter().filter_map(|diagnostic| diagnostic.span).chain(elsewhere);
    if let Some(wrong) = places.chain(lines.iter().map(|line| line.span)).find(|span| !inside(*span, all)) {
        return Err(format!("a place that is none: {wrong:?}"));
    }
    let warnings = lint(&assembly);
    let messages: Vec<Message> =
        diagnostics.iter().map(Message::from).chain(warnings.iter().map(Message::from)).collect();
    for message in &messages {
        said(&message.text)?;
    }
    // Each is drawn on its own, and drawing ten thousand of them takes longer than all the rest.
    diagnostic::render_messages(&messages[..messages.len().min(DRAWN)], all, true);
    diagnostic::summary(diagnostics, all);
    if diagnostic::json(&messages, all).len() != messages.len() {
        return Err("messages are lost in JSON".to_owned());
    }
    let Some(image) = image else { return Ok(false) };
    listing(all, lines, image);
    map(image);
    check_outputs(image)?;
    check_image(image, all)?;
    let file = image.to_elf().map_err(|error| format!("no ELF file: {error}"))?;
    let copy = Image::from_elf(&file).map_err(|error| format!("its ELF file cannot be read: {error}"))?;
    if nonzero(&copy) != nonzero(image) || copy.lines != image.lines || copy.entry != image.entry {
        return Err("the ELF file is another program".to_owned());
    }
    Ok(true)
}

fn inside(span: Span, sources: &[Source]) -> bool {
    let source = sources.get(span.source as usize);
    source.is_some_and(|source| source.text.get(span.start as usize..span.end as usize).is_some())
}

/// Every form of output holds what the image does, as far as a form's length tells.
fn check_outputs(image: &Image) -> Result<(), String> {
    let all: Vec<Contents> = Space::ALL.into_iter().map(|space| Contents::new(image, space)).collect();
    intel_hex(image, &all);
    for (contents, space) in all.into_iter().zip(Space::ALL) {
        let end = image.segments.iter().filter(|segment| segment.space == space).map(|s| s.address + s.size).max();
        let bytes = binary(&contents);
        if bytes.len() != end.unwrap_or(0) as usize {
            return Err(format!("binary output of {space} has {} bytes", bytes.len()));
        }
        if space == Space::LaneLocal {
            for lane in [0, LANES - 1] {
                let part = contents.clone().of_lane(lane).map_err(|error| error.to_string())?;
                if binary(&part).len() != bytes.len().div_ceil(2 * LANES) * 2 {
                    return Err(format!("lane {lane} has {} bytes", binary(&part).len()));
                }
            }
        }
        for bits in [8, 32, 512] {
            let contents = contents.clone().with_width(bits).map_err(|error| error.to_string())?;
            coe(&contents);
            readmemh(&contents);
        }
    }
    Ok(())
}

/// A well-formed image is disassembled to text that assembles to the same bytes.
fn check_image(image: &Image, sources: &[Source]) -> Result<(), String> {
    image.check().map_err(|error| format!("an image that is none: {error}"))?;
    disassembly_json(image, sources);
    let plain = disassemble(image);
    for text in [disassemble_with_source(image, sources), plain] {
        let source = [Source::new("disassembly", text)];
        let options = Options { config: image.config, ..Options::default() };
        let (copy, diagnostics) = assemble(&source, &options);
        let Some(copy) = copy else {
            let first: Vec<_> = diagnostics.into_iter().take(1).collect();
            return Err(format!("the disassembly is wrong: {}", diagnostic::render(&first, &source, false)));
        };
        if nonzero(&copy) != nonzero(image) {
            return Err("the disassembly is another program".to_owned());
        }
    }
    Ok(())
}

/// What the memories hold: every byte that is not zero.
fn nonzero(image: &Image) -> Vec<(Space, u32, u8)> {
    let bytes = |segment: &fenn_isa::image::Segment| {
        let (space, address) = (segment.space, segment.address);
        segment.bytes.iter().zip(address..).map(|(byte, at)| (space, at, *byte)).collect::<Vec<_>>()
    };
    image.segments.iter().flat_map(bytes).filter(|(_, _, byte)| *byte != 0).collect()
}

/// What came of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Inputs tried.
    pub executions: usize,
    /// Those that were accepted.
    pub accepted: usize,
    /// What must not happen, with the input it happened to; a panic's words are on the standard error.
    pub findings: Vec<(String, Vec<u8>)>,
}

/// Tries `executions` inputs: the seeds as they are, and then what [`mutate`] makes of them and of those that came out
/// of that before and were accepted. The same `seed` gives the same inputs.
///
/// # Errors
/// A source cannot be read.
pub fn run(subject: Subject, executions: usize, seed: u64) -> std::io::Result<Outcome> {
    /// Inputs that are kept for further changes.
    const KEPT: usize = 256;
    let mut random = Pcg64Mcg::seed_from_u64(seed);
    let mut pool = subject.seeds()?;
    let seeds = pool.len();
    let mut outcome = Outcome::default();
    for execution in 0..executions {
        let input = match pool.get(execution) {
            Some(input) if execution < seeds => input.clone(),
            _ => {
                let base = pool[random.random_range(..pool.len())].clone();
                mutate(subject, &base, &pool, LONGEST, &mut random)
            }
        };
        outcome.executions += 1;
        let checked = catch_unwind(AssertUnwindSafe(|| subject.check(&input)));
        match checked.unwrap_or_else(|_| Err("panic".to_owned())) {
            Ok(false) => {}
            Ok(true) => {
                outcome.accepted += 1;
                if pool.len() < seeds + KEPT {
                    pool.push(input);
                } else {
                    let place = seeds + random.random_range(..KEPT);
                    pool[place] = input;
                }
            }
            Err(what) => outcome.findings.push((what, input)),
        }
    }
    Ok(outcome)
}

/// [`mutate`] as libFuzzer calls it: changes the first `size` bytes of `data` in place, to at most `most`, and gives their
/// new number. There are no other inputs at hand but the seeds of its kind.
pub fn target_mutation(subject: Subject, data: &mut [u8], size: usize, most: usize, seed: u32) -> usize {
    static SEEDS: std::sync::LazyLock<[Vec<Vec<u8>>; 3]> =
        std::sync::LazyLock::new(|| Subject::ALL.map(|subject| subject.seeds().unwrap_or_default()));
    let mut random = Pcg64Mcg::seed_from_u64(u64::from(seed));
    let longest = most.min(data.len());
    let seeds = SEEDS.get(subject as usize).map_or(&[][..], Vec::as_slice);
    let changed = mutate(subject, &data[..size.min(data.len())], seeds, longest, &mut random);
    data[..changed.len()].copy_from_slice(&changed);
    changed.len()
}

/// Writes the seeds of all subjects below `folder`, `SUBJECT/NUMBER`, where libFuzzer takes them from.
///
/// # Errors
/// A source cannot be read, or a file cannot be written.
pub fn write_seeds(folder: &Path) -> std::io::Result<()> {
    for subject in Subject::ALL {
        let folder = folder.join(subject.name());
        std::fs::create_dir_all(&folder)?;
        for (number, seed) in subject.seeds()?.iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{number:03}")), seed)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_taken_apart_at_their_marks() {
        let names = |text: &'static str| -> Vec<(String, &str)> {
            parts(text.as_bytes())
                .into_iter()
                .map(|(name, bytes)| (name, std::str::from_utf8(bytes).unwrap()))
                .collect()
        };
        let part = |name: &str, text: &'static str| (name.to_owned(), text);
        assert_eq!(names("nop"), [part("main.s", "nop")]);
        assert_eq!(names("a\n#--- b.s \nb\n #--- c"), [part("main.s", "a\n"), part("b.s", "b\n #--- c")]);
        assert_eq!(names("#--- b\n#--- c\nx"), [part("b", ""), part("c", "x")]);
    }

    #[test]
    fn a_check_tells_accepted_from_refused() {
        assert_eq!(Subject::Source.check(b"nop\n#--- b.s\nnop"), Ok(true));
        assert_eq!(Subject::Source.check(b"x: nop\n#--- b.s\nx: nop"), Ok(false));
        assert_eq!(Subject::Includes.check(b"#--- m\n.include \"b\"\n#--- b\nnop"), Ok(true));
        assert_eq!(Subject::Includes.check(b"#--- m\n.include \"b\"\n#--- b\n.include \"m\""), Ok(false));
        assert_eq!(Subject::Elf.check(&programs("a.s", "nop")[0]), Ok(true));
        assert_eq!(Subject::Elf.check(b"\x7fELF"), Ok(false));
    }

    #[test]
    fn seeds_are_good_beginnings() {
        for subject in Subject::ALL {
            let seeds = subject.seeds().unwrap();
            assert!(seeds.iter().any(|seed| subject.check(seed) == Ok(true)), "{subject:?}");
        }
    }
}
