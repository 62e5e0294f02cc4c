//! Programs of the RISC-V architecture test suite, run on the simulator.
//!
//! Contract: a test is a statically linked RV32 ELF file, whose executable segments belong into instruction memory and whose
//! others into scalar memory, at their own addresses; it ends with `ecall` or `ebreak`, and has the symbols `begin_signature` and
//! `end_signature`. Its signature, the words between them, is compared with a text file of one word a line in hexadecimal.
//!
//! Not here: the suite, which everybody has to bring and to build.

use std::path::{Path, PathBuf};

use fenn_isa::image::{Image, Segment};
use fenn_isa::memory::{MachineConfig, Space};
use fenn_iss::{Limits, Machine, Options, Stop};
use goblin::elf::Elf;
use goblin::elf::program_header::{PF_X, PT_LOAD};

/// Steps after which a test has gone astray.
const MOST: u64 = 10_000_000;

/// A test cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum ArchitectureTestError {
    /// A file cannot be read.
    #[error("{path}: {error}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// It is no ELF file.
    #[error("not an ELF file: {0}")]
    Elf(#[from] goblin::error::Error),
    /// It does not say where its signature is.
    #[error("there is no symbol {0}")]
    Symbol(&'static str),
    /// A segment does not fit.
    #[error(transparent)]
    Machine(#[from] fenn_iss::Error),
    /// It did not end by itself.
    #[error("it ended otherwise than with ecall or ebreak: {0}")]
    Stopped(Stop),
}

/// The signature that the program in `file` leaves.
///
/// # Errors
/// As [`ArchitectureTestError`] says.
pub fn signature(file: &[u8]) -> Result<Vec<u32>, ArchitectureTestError> {
    let elf = Elf::parse(file)?;
    let address = |name| {
        let symbol = elf.syms.iter().find(|symbol| elf.strtab.get_at(symbol.st_name) == Some(name));
        symbol.map(|symbol| symbol.st_value as u32).ok_or(ArchitectureTestError::Symbol(name))
    };
    let (begin, end) = (address("begin_signature")?, address("end_signature")?);
    // Accesses wrap nowhere: the windows are as large as can be.
    let config = MachineConfig {
        instruction_bytes: Space::Instruction.spec().window,
        scalar_bytes: Space::Scalar.spec().window,
        vector_bytes: 64,
        lane_local_bytes: 2,
        dram_bytes: 64,
    };
    let loaded = elf.program_headers.iter().filter(|header| header.p_type == PT_LOAD && header.p_filesz > 0);
    let segment = |header: &goblin::elf::ProgramHeader| {
        let space = if header.p_flags & PF_X != 0 { Space::Instruction } else { Space::Scalar };
        let mut bytes = file.get(header.file_range()).unwrap_or_default().to_vec();
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        Segment::new(space, header.p_vaddr as u32, bytes)
    };
    let image = Image { config, segments: loaded.map(segment).collect(), entry: elf.entry as u32, ..Image::default() };
    let mut machine = Machine::from_image(&image, Options::default())?;
    let outcome = machine.run(Limits { instructions: Some(MOST), ..Limits::NONE }, &mut ());
    if !matches!(outcome.stop, Stop::Ecall { .. } | Stop::Ebreak { .. }) {
        return Err(ArchitectureTestError::Stopped(outcome.stop));
    }
    let bytes = machine.read_bytes(Space::Scalar, begin, end.saturating_sub(begin))?;
    Ok(bytes.chunks_exact(4).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]])).collect())
}

/// What became of a folder of tests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdicts {
    /// Tests run.
    pub tests: usize,
    /// Words compared.
    pub words: usize,
    /// Those that failed, and how.
    pub failures: Vec<String>,
}

/// Runs every `NAME.elf` of a folder and compares its signature with `NAME.signature`.
///
/// # Errors
/// A file cannot be read.
pub fn run_folder(folder: &Path) -> Result<Verdicts, ArchitectureTestError> {
    let failed = |path: &Path| {
        let path = path.to_path_buf();
        move |error| ArchitectureTestError::File { path, error }
    };
    let mut verdicts = Verdicts::default();
    let entries = std::fs::read_dir(folder).map_err(failed(folder))?;
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "elf"));
    paths.sort();
    for path in paths {
        let reference = path.with_extension("signature");
        let file = std::fs::read(&path).map_err(failed(&path))?;
        let expected = std::fs::read_to_string(&reference).map_err(failed(&reference))?;
        let expected: Vec<u32> =
            expected.split_whitespace().map_while(|word| u32::from_str_radix(word, 16).ok()).collect();
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        verdicts.tests += 1;
        match signature(&file) {
            Err(error) => verdicts.failures.push(format!("{name}: {error}")),
            Ok(found) => {
                verdicts.words += expected.len();
                let differs = found.iter().zip(&expected).position(|(found, expected)| found != expected);
                if found.len() != expected.len() || expected.is_empty() {
                    verdicts.failures.push(format!("{name}: {} words, not {}", found.len(), expected.len()));
                } else if let Some(at) = differs {
                    verdicts.failures.push(format!("{name}: word {at} is {:08x}, not {:08x}", found[at], expected[at]));
                }
            }
        }
    }
    Ok(verdicts)
}
