//! ELF to image, with `goblin`.

use std::ops::Range;

use goblin::container::{Container, Ctx, Endian};
use goblin::elf::header::{self, Header};
use goblin::elf::note::NoteDataIterator;
use goblin::elf::program_header::{PT_LOAD, PT_NOTE, ProgramHeader};
use goblin::elf::section_header::{SHF_COMPRESSED, SHN_ABS, SHN_UNDEF, SHT_PROGBITS, SHT_SYMTAB, SectionHeader};
use goblin::elf::sym::{STB_LOCAL, STT_FILE, STT_FUNC, STT_OBJECT, STT_SECTION, Sym, Symtab};

use super::{EM_RISCV, ElfError, LONGEST_NAME, NOTE_MACHINE, NOTE_MANIFEST, NOTE_OWNER, NOTE_VERSION, NOTE_WORDS};
use crate::image::dwarf::{self, Tables};
use crate::image::manifest::Manifest;
use crate::image::{Image, Segment, Symbol, SymbolKind};
use crate::memory::{MachineConfig, Space};

/// Bytes of an ELF32 header.
const HEADER_BYTES: usize = 52;

pub(super) fn read(bytes: &[u8]) -> Result<Image, ElfError> {
    let header = file_header(bytes)?;
    let context = Ctx::new(Container::Little, Endian::Little);
    let programs = ProgramHeader::parse(bytes, header.e_phoff as usize, usize::from(header.e_phnum), context)
        .map_err(malformed("program headers"))?;

    let mut image = Image::default();
    let ours = read_notes(bytes, &programs, context, &mut image)?;
    image.entry = match u32::try_from(header.e_entry).ok().and_then(Space::at_load_address) {
        Some((Space::Instruction, address)) => address,
        _ => return Err(ElfError::Entry(header.e_entry as u32)),
    };
    read_segments(bytes, &programs, &mut image)?;
    let sections = SectionHeader::parse(bytes, header.e_shoff as usize, usize::from(header.e_shnum), context)
        .map_err(malformed("section headers"))?;
    image.symbols = read_symbols(bytes, &sections, context, ours)?;
    image.lines = dwarf::lines(&debug_tables(bytes, &header, &sections)?, &image)?;
    image.check()?;
    Ok(image)
}

fn malformed(what: &'static str) -> impl Fn(goblin::error::Error) -> ElfError {
    move |error| ElfError::Malformed(format!("{what}: {error}"))
}

/// The header, once it is clear that the file is for this machine. The fields that say so are looked at by hand, in
/// the order in which a wrong one explains the most.
fn file_header(bytes: &[u8]) -> Result<Header, ElfError> {
    const MAGIC: &[u8] = b"\x7fELF";
    if !bytes.starts_with(MAGIC) {
        return Err(ElfError::NotElf);
    }
    let truncated = ElfError::Truncated { what: "the header", needed: HEADER_BYTES as u64, length: bytes.len() };
    if bytes.len() < HEADER_BYTES {
        return Err(truncated);
    }
    let (class, order) = (bytes[4], bytes[5]);
    let half = |at: usize| {
        let pair = [bytes[at], bytes[at + 1]];
        if order == header::ELFDATA2MSB { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) }
    };
    let machine = half(18);
    if machine != EM_RISCV {
        return Err(ElfError::Machine(machine_name(machine)));
    }
    match class {
        header::ELFCLASS32 => {}
        header::ELFCLASS64 => return Err(ElfError::Class),
        _ => return Err(ElfError::Malformed(format!("the class is {class}"))),
    }
    match order {
        header::ELFDATA2LSB => {}
        header::ELFDATA2MSB => return Err(ElfError::Endianness),
        _ => return Err(ElfError::Malformed(format!("the byte order is {order}"))),
    }
    match half(16) {
        header::ET_EXEC => {}
        header::ET_REL => return Err(ElfError::Type("a relocatable object")),
        header::ET_DYN => return Err(ElfError::Type("a shared object")),
        header::ET_CORE => return Err(ElfError::Type("a core dump")),
        _ => return Err(ElfError::Type("of an unknown type")),
    }
    goblin::elf::Elf::parse_header(bytes).map_err(malformed("the header"))
}

fn machine_name(machine: u16) -> String {
    match machine {
        header::EM_X86_64 => "x86-64".to_owned(),
        header::EM_386 => "x86 (32-bit)".to_owned(),
        header::EM_ARM => "Arm (32-bit)".to_owned(),
        header::EM_AARCH64 => "Arm (64-bit)".to_owned(),
        _ => match header::machine_to_str(machine) {
            "EM_UNKNOWN" => format!("machine number {machine}"),
            name => name.to_owned(),
        },
    }
}

/// The range of the file that a table or segment lies in.
fn file_range(bytes: &[u8], what: &'static str, offset: u64, length: u64) -> Result<Range<usize>, ElfError> {
    let needed = offset.saturating_add(length);
    if needed > bytes.len() as u64 {
        return Err(ElfError::Truncated { what, needed, length: bytes.len() });
    }
    Ok(offset as usize..needed as usize)
}

/// Fills in what our notes say; returns whether there is a machine note.
fn read_notes(bytes: &[u8], programs: &[ProgramHeader], ctx: Ctx, image: &mut Image) -> Result<bool, ElfError> {
    let mut ours = false;
    for program in programs.iter().filter(|program| program.p_type == PT_NOTE) {
        let data = &bytes[file_range(bytes, "a note segment", program.p_offset, program.p_filesz)?];
        let notes = NoteDataIterator { data, size: data.len(), offset: 0, ctx: (4, ctx) };
        for note in notes {
            let note = note.map_err(malformed("a note"))?;
            match (note.name, note.n_type) {
                (NOTE_OWNER, NOTE_MACHINE) => {
                    (image.config, image.ready_flag) = machine_note(note.desc)?;
                    ours = true;
                }
                (NOTE_OWNER, NOTE_MANIFEST) => image.manifest = Some(manifest_note(note.desc)?),
                _ => {}
            }
        }
    }
    Ok(ours)
}

fn machine_note(contents: &[u8]) -> Result<(MachineConfig, Option<u32>), ElfError> {
    let wrong = |what: String| ElfError::Note { note: "machine", what };
    let (chunks, _) = contents.as_chunks::<4>();
    let words: Vec<u32> = chunks.iter().map(|chunk| u32::from_le_bytes(*chunk)).collect();
    let version = *words.first().ok_or_else(|| wrong("it is empty".to_owned()))?;
    if version != NOTE_VERSION {
        return Err(wrong(format!(
            "it has version {version}, this tool reads version {NOTE_VERSION}; build the program again"
        )));
    }
    let words: [u32; NOTE_WORDS] = words
        .try_into()
        .map_err(|_| wrong(format!("it has {} bytes instead of {}", contents.len(), 4 * NOTE_WORDS)))?;
    let [_, instruction_bytes, scalar_bytes, vector_bytes, lane_local_bytes, dram_bytes, has_flag, flag] = words;
    let config = MachineConfig { instruction_bytes, scalar_bytes, vector_bytes, lane_local_bytes, dram_bytes };
    // Sizes are multiplied and added up later; only those of a possible machine may get that far.
    config.check().map_err(super::ImageError::from)?;
    match has_flag {
        0 => Ok((config, None)),
        1 => Ok((config, Some(flag))),
        other => Err(wrong(format!("it has {other} ready flags"))),
    }
}

fn manifest_note(contents: &[u8]) -> Result<Manifest, ElfError> {
    Manifest::from_json(contents).map_err(|error| ElfError::Note { note: "manifest", what: error.to_string() })
}

/// Checks where all contents would lie before copying any.
fn read_segments(bytes: &[u8], programs: &[ProgramHeader], image: &mut Image) -> Result<(), ElfError> {
    let mut sources = Vec::new();
    let mut stored = 0;
    for program in programs.iter().filter(|program| program.p_type == PT_LOAD && program.p_memsz > 0) {
        let load = program.p_paddr as u32;
        let (space, address) = Space::at_load_address(load).ok_or(ElfError::NoMemory(load))?;
        if program.p_filesz > program.p_memsz {
            return Err(ElfError::Malformed(format!("the segment at {load:#x} is longer in the file than in memory")));
        }
        let range = file_range(bytes, "a segment", program.p_offset, program.p_filesz)?;
        stored += range.len();
        sources.push((Segment::zeros(space, address, program.p_memsz as u32), range));
    }
    if stored > bytes.len() {
        return Err(ElfError::Malformed("segments share contents".to_owned()));
    }
    sources.sort_by_key(|(segment, _)| (segment.space, segment.address));
    image.segments = sources.iter().map(|(segment, _)| segment.clone()).collect();
    image.check()?;
    for (segment, (_, range)) in image.segments.iter_mut().zip(sources) {
        segment.bytes = bytes[range].to_vec();
    }
    Ok(())
}

/// The names of places in the memories. In files of other tools, absolute symbols are constants and `$x` and the like
/// mark code and data; neither names a place.
fn read_symbols(bytes: &[u8], sections: &[SectionHeader], context: Ctx, ours: bool) -> Result<Vec<Symbol>, ElfError> {
    let Some(table) = sections.iter().find(|section| section.sh_type == SHT_SYMTAB) else { return Ok(Vec::new()) };
    let strings = sections
        .get(table.sh_link as usize)
        .ok_or_else(|| ElfError::Malformed("the symbol table has no string table".to_owned()))?;
    let strings = &bytes[file_range(bytes, "the string table", strings.sh_offset, strings.sh_size)?];
    let range = file_range(bytes, "the symbol table", table.sh_offset, table.sh_size)?;
    if range.is_empty() {
        return Ok(Vec::new());
    }
    let count = range.len() / goblin::elf::sym::sym32::SIZEOF_SYM;
    let table = Symtab::parse(bytes, range.start, count, context).map_err(malformed("the symbol table"))?;
    let mut symbols = Vec::new();
    for sym in table.iter() {
        let Some(symbol) = symbol(&sym, strings)? else { continue };
        if ours || (sym.st_shndx != SHN_ABS as usize && !symbol.name.starts_with('$')) {
            symbols.push(symbol);
        }
    }
    Ok(symbols)
}

/// The sections that line tables are in, found by their names.
fn debug_tables<'a>(bytes: &'a [u8], header: &Header, sections: &[SectionHeader]) -> Result<Tables<'a>, ElfError> {
    let mut tables = Tables { file: bytes.len(), ..Tables::default() };
    let Some(strings) = sections.get(usize::from(header.e_shstrndx)) else { return Ok(tables) };
    let strings = &bytes[file_range(bytes, "the section names", strings.sh_offset, strings.sh_size)?];
    for section in sections.iter().filter(|section| section.sh_type == SHT_PROGBITS) {
        let rest = strings.get(section.sh_name..).unwrap_or_default();
        let is = |name: &[u8]| rest.strip_prefix(name).is_some_and(|rest| rest.starts_with(&[0]));
        let table = match () {
            () if is(b".debug_line") => &mut tables.line,
            () if is(b".debug_line_str") => &mut tables.line_strings,
            () if is(b".debug_str") => &mut tables.strings,
            () => continue,
        };
        if section.sh_flags & u64::from(SHF_COMPRESSED) != 0 {
            return Err(ElfError::Debug("it is compressed".to_owned()));
        }
        *table = &bytes[file_range(bytes, "the debug information", section.sh_offset, section.sh_size)?];
    }
    Ok(tables)
}

fn symbol(sym: &Sym, strings: &[u8]) -> Result<Option<Symbol>, ElfError> {
    if sym.st_name == 0 || sym.st_shndx == SHN_UNDEF as usize || matches!(sym.st_type(), STT_FILE | STT_SECTION) {
        return Ok(None);
    }
    let Some((space, address)) = Space::at_load_address(sym.st_value as u32) else { return Ok(None) };
    let rest = strings.get(sym.st_name..).unwrap_or_default();
    let rest = &rest[..rest.len().min(LONGEST_NAME + 1)];
    let name = rest.split(|byte| *byte == 0).next().and_then(|name| std::str::from_utf8(name).ok());
    let name = name
        .filter(|name| !name.is_empty() && name.len() < rest.len())
        .ok_or_else(|| ElfError::Malformed(format!("the name of the symbol at {:#x} is no text", sym.st_value)))?;
    let kind = match sym.st_type() {
        STT_FUNC => SymbolKind::Function,
        STT_OBJECT => SymbolKind::Object,
        _ => SymbolKind::Label,
    };
    let global = sym.st_bind() != STB_LOCAL;
    Ok(Some(Symbol { name: name.to_owned(), space, address, size: sym.st_size as u32, kind, global }))
}
