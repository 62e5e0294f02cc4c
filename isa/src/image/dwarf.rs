//! Lines of source in an ELF file: DWARF line tables, written and read with `gimli`.
//!
//! Contract: [`write`] makes one compilation unit (DWARF 4) with one sequence for each segment of code that has lines,
//! so that `addr2line`, `objdump -dl` and debuggers find them; addresses are load addresses. File names stand as they
//! are in the image, relative ones relative to wherever the tools are called. [`lines`] reads every line table of a
//! file, also those of other tools (DWARF 2 to 5), and keeps what is about words of the image's code; where several
//! rows are about one word, the last. Rows of no line (number 0) say nothing and are left out.
//!
//! Invariant: reading takes time and memory in proportion to the file. Line tables are therefore taken one after the
//! other, not through the units that refer to them, whose references a hostile file can point at one large table.
//!
//! Not here: variables, types and frames; names of functions, which are the symbols' task.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use gimli::write::{Address, AttributeValue, DwarfUnit, EndianVec, FileId, LineProgram, LineString, Sections};
use gimli::{DebugLine, DebugLineOffset, EndianSlice, FileEntry, LineEncoding, LineProgramHeader, LittleEndian};

use super::elf::{ElfError, LONGEST_NAME};
use super::{Image, Line};
use crate::memory::Space;

/// The names of the sections written, in the order of their making.
const SECTIONS: [&str; 4] = [".debug_info", ".debug_abbrev", ".debug_line", ".debug_str"];
/// Names of files may come to so many times the file's length together: directories are shared by their files.
const NAMES_PER_BYTE: usize = 16;
/// What the units say who made them.
const PRODUCER: &str = concat!("fenn ", env!("CARGO_PKG_VERSION"));

/// A section's name and contents.
pub(super) type Section = (&'static str, Vec<u8>);

fn unreadable(error: impl std::fmt::Display) -> ElfError {
    ElfError::Debug(error.to_string())
}

/// The sections that say what `image.lines` does; none where there are no lines.
pub(super) fn write(image: &Image) -> Result<Vec<Section>, ElfError> {
    let (Some(first), Some(last)) = (image.lines.first(), image.lines.last()) else { return Ok(Vec::new()) };
    let encoding = gimli::Encoding { format: gimli::Format::Dwarf32, version: 4, address_size: 4 };
    let line_encoding = LineEncoding { minimum_instruction_length: 4, ..LineEncoding::default() };
    let string = |text: &str| LineString::String(text.as_bytes().to_vec());
    let mut dwarf = DwarfUnit::new(encoding);
    let mut program = LineProgram::new(encoding, line_encoding, string(""), None, string(nameable(&first.file)?), None);
    let directory = program.default_directory();
    let load = |address: u32| Space::Instruction.load_address(address).map(u64::from).ok_or(ElfError::Entry(address));
    let mut lines = image.lines.as_slice();
    let mut end = last.address;
    // Lines of one file share its name, and mostly follow each other.
    let mut last_file: Option<(&Arc<str>, FileId)> = None;
    for segment in image.segments.iter().filter(|segment| segment.space == Space::Instruction) {
        let behind = lines.partition_point(|line| u64::from(line.address) < segment.end());
        let (here, rest) = lines.split_at(behind);
        lines = rest;
        let Some(first) = here.first() else { continue };
        program.begin_sequence(Some(Address::Constant(load(first.address)?)));
        for Line { address, file, line, column } in here {
            let id = match last_file {
                Some((before, id)) if Arc::ptr_eq(before, file) => id,
                _ => program.add_file(string(nameable(file)?), directory, None),
            };
            last_file = Some((file, id));
            let row = program.row();
            row.address_offset = u64::from(address - first.address);
            row.file = id;
            row.line = u64::from(*line);
            row.column = u64::from(*column);
            program.generate_row();
        }
        // The last word may be cut short by the segment's end; rows are a whole number of words apart.
        end = (segment.address + segment.size).next_multiple_of(4);
        program.end_sequence(u64::from(end - first.address));
    }
    dwarf.unit.line_program = program;
    let root = dwarf.unit.root();
    let names = [(gimli::DW_AT_name, &*first.file), (gimli::DW_AT_producer, PRODUCER)];
    for (attribute, text) in names {
        let id = dwarf.strings.add(text);
        dwarf.unit.get_mut(root).set(attribute, AttributeValue::StringRef(id));
    }
    let root = dwarf.unit.get_mut(root);
    root.set(gimli::DW_AT_language, AttributeValue::Language(gimli::DW_LANG_Mips_Assembler));
    root.set(gimli::DW_AT_low_pc, AttributeValue::Address(Address::Constant(load(first.address)?)));
    root.set(gimli::DW_AT_high_pc, AttributeValue::Udata(u64::from(end - first.address)));
    let mut sections = Sections::new(EndianVec::new(LittleEndian));
    dwarf.write(&mut sections).map_err(unreadable)?;
    let Sections { debug_info, debug_abbrev, debug_line, debug_str, .. } = sections;
    let contents = [debug_info.0, debug_abbrev.0, debug_line.0, debug_str.0].map(EndianVec::into_vec);
    Ok(SECTIONS.into_iter().zip(contents).collect())
}

/// The name, if a line table can hold it.
fn nameable(file: &str) -> Result<&str, ElfError> {
    let good = !file.is_empty() && file.len() <= LONGEST_NAME && !file.contains('\0');
    if good { Ok(file) } else { Err(ElfError::FileName(file.to_owned())) }
}

/// The debug sections of a file that line tables need.
#[derive(Debug, Default)]
pub(super) struct Tables<'a> {
    pub(super) line: &'a [u8],
    pub(super) line_strings: &'a [u8],
    pub(super) strings: &'a [u8],
    /// Bytes of the file.
    pub(super) file: usize,
}

type Slice<'a> = EndianSlice<'a, LittleEndian>;
type Header<'a> = LineProgramHeader<Slice<'a>>;

/// The lines of the words in `image`'s code, in the order of their addresses.
pub(super) fn lines(tables: &Tables<'_>, image: &Image) -> Result<Vec<Line>, ElfError> {
    let section = DebugLine::new(tables.line, LittleEndian);
    let mut names = Names { tables, bytes: 0 };
    let mut found = BTreeMap::new();
    let mut offset = 0;
    while offset < tables.line.len() {
        let program = section.program(DebugLineOffset(offset), 4, None, None).map_err(unreadable)?;
        let header = program.header();
        let next = offset + usize::from(header.format().initial_length_size()) + header.unit_length();
        let mut files = HashMap::new();
        let mut rows = program.rows();
        while let Some((header, row)) = rows.next_row().map_err(unreadable)? {
            let word = u32::try_from(row.address()).ok().and_then(Space::at_load_address);
            let (Some((Space::Instruction, address)), Some(line), false) = (word, row.line(), row.end_sequence())
            else {
                continue;
            };
            if !address.is_multiple_of(4) || !image.has_code(address) {
                continue;
            }
            let file = match files.get(&row.file_index()) {
                Some(file) => Arc::clone(file),
                None => {
                    let file = names.file(header, row.file(header))?;
                    files.insert(row.file_index(), Arc::clone(&file));
                    file
                }
            };
            let clip = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
            let column = match row.column() {
                gimli::ColumnType::LeftEdge => 0,
                gimli::ColumnType::Column(column) => clip(column.get()),
            };
            found.insert(address, Line { address, file, line: clip(line.get()), column });
        }
        offset = next;
    }
    Ok(found.into_values().collect())
}

/// Reads names, and counts how long they are together.
struct Names<'t, 'a> {
    tables: &'t Tables<'a>,
    bytes: usize,
}

impl<'a> Names<'_, 'a> {
    fn text(&self, value: gimli::AttributeValue<Slice<'a>>) -> Result<String, ElfError> {
        let bytes = match value {
            gimli::AttributeValue::String(slice) => slice.slice(),
            gimli::AttributeValue::DebugStrRef(offset) => self.tables.strings.get(offset.0..).unwrap_or_default(),
            gimli::AttributeValue::DebugLineStrRef(offset) => {
                self.tables.line_strings.get(offset.0..).unwrap_or_default()
            }
            _ => return Err(ElfError::Debug("a file's name has an unknown form".to_owned())),
        };
        let bytes = &bytes[..bytes.len().min(LONGEST_NAME + 1)];
        let name = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
        if name.len() > LONGEST_NAME {
            return Err(ElfError::Debug(format!("a file's name is longer than {LONGEST_NAME} bytes")));
        }
        Ok(String::from_utf8_lossy(name).into_owned())
    }

    /// A file's name behind its directory's.
    fn file(&mut self, header: &Header<'a>, entry: Option<&FileEntry<Slice<'a>>>) -> Result<Arc<str>, ElfError> {
        let entry = entry.ok_or_else(|| ElfError::Debug("a line is in a file that is not named".to_owned()))?;
        let mut name = self.text(entry.path_name())?;
        // Directory 0 is that of the compilation; version 5 has it in the table, and others name it.
        let mut directories = vec![entry.directory_index()];
        if header.version() >= 5 && entry.directory_index() != 0 {
            directories.push(0);
        }
        for index in directories {
            let Some(directory) = header.directory(index).filter(|_| !name.starts_with('/')) else { continue };
            let directory = self.text(directory)?;
            if !directory.is_empty() && directory != "." {
                name = format!("{}/{name}", directory.trim_end_matches('/'));
            }
        }
        self.bytes += name.len();
        if name.is_empty() || self.bytes > NAMES_PER_BYTE.saturating_mul(self.tables.file) {
            return Err(ElfError::Debug("its files have no names, or too long ones".to_owned()));
        }
        Ok(name.into())
    }
}
