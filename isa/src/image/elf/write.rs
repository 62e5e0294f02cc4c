//! Image to ELF, with `object`.

use object::Endianness;
use object::elf;
use object::write::elf::{FileHeader, ProgramHeader, SectionHeader, Sym, Writer};

use super::{ElfError, LONGEST_NAME, NOTE_MACHINE, NOTE_MANIFEST, NOTE_OWNER, NOTE_VERSION};
use crate::image::{Image, Segment, Symbol, SymbolKind, dwarf};
use crate::memory::Space;

/// The most segments: the number of program headers is a 16-bit field with reserved values at its end.
const MOST_SEGMENTS: usize = 0xff00 - 8;

/// A segment with its place in the file.
struct Placed<'a> {
    segment: &'a Segment,
    name: String,
    /// What is stored; nothing for a segment of zeros.
    stored: &'a [u8],
    load: u64,
    align: u64,
    offset: u64,
}

impl<'a> Placed<'a> {
    fn all(image: &'a Image) -> Result<Vec<Self>, ElfError> {
        let mut placed: Vec<Self> = Vec::new();
        for segment in image.segments.iter().filter(|segment| segment.size > 0) {
            let row = segment.space.spec();
            let earlier = placed.iter().filter(|other| other.segment.space == segment.space).count();
            let name = if earlier == 0 { row.section.to_owned() } else { format!("{}.{earlier}", row.section) };
            let stored = if segment.bytes.iter().all(|byte| *byte == 0) { &[] } else { segment.bytes.as_slice() };
            let load = segment.space.load_address(segment.address).ok_or(ElfError::NoMemory(segment.address))?;
            let align = u64::from(row.alignment);
            placed.push(Self { segment, name, stored, load: u64::from(load), align, offset: 0 });
        }
        Ok(placed)
    }

    fn program_header(&self) -> ProgramHeader {
        let access = if self.segment.space == Space::Instruction { elf::PF_X } else { elf::PF_W };
        ProgramHeader {
            p_type: elf::PT_LOAD,
            p_flags: elf::PF_R | access,
            p_offset: self.offset,
            p_vaddr: self.load,
            p_paddr: self.load,
            p_filesz: self.stored.len() as u64,
            p_memsz: u64::from(self.segment.size),
            p_align: self.align,
        }
    }

    fn section_header(&self, sh_name: u32) -> SectionHeader {
        let access = if self.segment.space == Space::Instruction { elf::SHF_EXECINSTR } else { elf::SHF_WRITE };
        let zeros = self.stored.is_empty();
        SectionHeader {
            sh_name,
            sh_type: if zeros { elf::SHT_NOBITS } else { elf::SHT_PROGBITS },
            sh_flags: elf::SHF_ALLOC | access,
            sh_addr: self.load,
            sh_offset: self.offset,
            sh_size: if zeros { u64::from(self.segment.size) } else { self.stored.len() as u64 },
            sh_link: 0,
            sh_info: 0,
            sh_addralign: self.align,
            sh_entsize: 0,
        }
    }

    /// Whether a symbol belongs to it; the place just behind the last byte does too.
    fn holds(&self, symbol: &Symbol) -> bool {
        let first = self.segment.address;
        self.segment.space == symbol.space
            && symbol.address >= first
            && u64::from(symbol.address - first) <= u64::from(self.segment.size)
    }
}

pub(super) fn write(image: &Image) -> Result<Vec<u8>, ElfError> {
    let mut segments = Placed::all(image)?;
    if segments.len() > MOST_SEGMENTS {
        return Err(ElfError::TooLarge("it has too many segments"));
    }
    let notes = notes(image)?;
    let attributes = attributes();
    let debug = dwarf::write(image)?;
    let symbols = symbols(image)?;

    let mut file = Vec::new();
    let mut writer = Writer::new(Endianness::Little, false, &mut file);
    // Names borrow from here, so the segments' offsets are filled in on copies of the rest.
    let names: Vec<String> = segments.iter().map(|placed| placed.name.clone()).collect();

    writer.reserve_file_header();
    writer.reserve_program_headers(segments.len() as u32 + 1);
    let note_offset = writer.reserve(notes.len() as u64, 4);
    for placed in &mut segments {
        placed.offset = writer.reserve(placed.stored.len() as u64, placed.align);
    }
    let attributes_offset = writer.reserve(attributes.len() as u64, 1);
    let debug_offsets: Vec<u64> = debug.iter().map(|(_, contents)| writer.reserve(contents.len() as u64, 1)).collect();

    writer.reserve_null_section_index();
    let mut section_names = Vec::new();
    let mut section_indices = Vec::new();
    for name in &names {
        section_names.push(writer.add_section_name(name.as_bytes()));
        section_indices.push(writer.reserve_section_index());
    }
    let note_name = writer.add_section_name(b".note.fenn");
    writer.reserve_section_index();
    let attributes_name = writer.add_section_name(b".riscv.attributes");
    writer.reserve_section_index();
    let mut debug_names = Vec::new();
    for (name, _) in &debug {
        debug_names.push(writer.add_section_name(name.as_bytes()));
        writer.reserve_section_index();
    }

    writer.reserve_null_symbol_index();
    let mut strings = Vec::new();
    let mut homes = Vec::new();
    for (symbol, _) in &symbols {
        strings.push(writer.add_string(symbol.name.as_bytes()));
        let home = segments.iter().position(|placed| placed.holds(symbol)).map(|index| section_indices[index]);
        writer.reserve_symbol_index(home);
        homes.push(home);
    }
    writer.reserve_symtab_section_index();
    writer.reserve_symtab();
    writer.reserve_strtab_section_index();
    let reserved = "its names are too long";
    writer.reserve_strtab().map_err(|_| ElfError::TooLarge(reserved))?;
    writer.reserve_shstrtab_section_index();
    writer.reserve_shstrtab().map_err(|_| ElfError::TooLarge(reserved))?;
    writer.reserve_section_headers();
    if writer.reserved_len() > u64::from(u32::MAX) {
        return Err(ElfError::TooLarge("its contents are longer than 4 GiB"));
    }

    let entry = Space::Instruction.load_address(image.entry).ok_or(ElfError::Entry(image.entry))?;
    writer
        .write_file_header(&FileHeader {
            os_abi: elf::ELFOSABI_NONE,
            abi_version: 0,
            e_type: elf::ET_EXEC,
            e_machine: elf::EM_RISCV,
            e_entry: u64::from(entry),
            e_flags: elf::FileFlags(0),
        })
        .map_err(|_| ElfError::TooLarge("its tables have too many entries"))?;
    writer.write_align_program_headers();
    for placed in &segments {
        writer.write_program_header(&placed.program_header());
    }
    writer.write_program_header(&ProgramHeader {
        p_type: elf::PT_NOTE,
        p_flags: elf::PF_R,
        p_offset: note_offset,
        p_vaddr: 0,
        p_paddr: 0,
        p_filesz: notes.len() as u64,
        p_memsz: 0,
        p_align: 4,
    });
    writer.pad_until(note_offset);
    writer.write(&notes);
    for placed in &segments {
        writer.pad_until(placed.offset);
        writer.write(placed.stored);
    }
    writer.pad_until(attributes_offset);
    writer.write(&attributes);
    for (_, contents) in &debug {
        writer.write(contents);
    }

    writer.write_null_symbol();
    for (((symbol, value), string), home) in symbols.iter().zip(strings).zip(homes) {
        writer.write_symbol(&Sym {
            section: home.map(|index| index.0),
            st_name: writer.string_offset(Some(string)),
            st_info: symbol_info(symbol),
            st_other: elf::SymbolOther(0),
            st_shndx: if home.is_some() { elf::SHN_UNDEF } else { elf::SHN_ABS },
            st_value: u64::from(*value),
            st_size: u64::from(symbol.size),
        });
    }
    writer.write_strtab();
    writer.write_shstrtab();

    writer.write_null_section_header();
    for (placed, name) in segments.iter().zip(section_names) {
        let sh_name = writer.section_name_offset(Some(name));
        writer.write_section_header(&placed.section_header(sh_name));
    }
    let plain = |sh_name, sh_type, sh_offset, sh_size, sh_addralign| SectionHeader {
        sh_name,
        sh_type,
        sh_flags: elf::SectionFlags(0),
        sh_addr: 0,
        sh_offset,
        sh_size,
        sh_link: 0,
        sh_info: 0,
        sh_addralign,
        sh_entsize: 0,
    };
    let name = writer.section_name_offset(Some(note_name));
    writer.write_section_header(&plain(name, elf::SHT_NOTE, note_offset, notes.len() as u64, 4));
    let name = writer.section_name_offset(Some(attributes_name));
    let length = attributes.len() as u64;
    writer.write_section_header(&plain(name, elf::SHT_RISCV_ATTRIBUTES, attributes_offset, length, 1));
    for (((_, contents), offset), name) in debug.iter().zip(debug_offsets).zip(debug_names) {
        let name = writer.section_name_offset(Some(name));
        writer.write_section_header(&plain(name, elf::SHT_PROGBITS, offset, contents.len() as u64, 1));
    }
    let locals = symbols.iter().filter(|(symbol, _)| !symbol.global).count() as u32;
    writer.write_symtab_section_header(locals + 1);
    writer.write_strtab_section_header();
    writer.write_shstrtab_section_header();
    Ok(file)
}

/// The symbols with their load addresses, local ones first, as ELF wants it.
fn symbols(image: &Image) -> Result<Vec<(&Symbol, u32)>, ElfError> {
    let mut symbols = Vec::new();
    for symbol in &image.symbols {
        if symbol.name.is_empty() || symbol.name.len() > LONGEST_NAME || symbol.name.contains('\0') {
            return Err(ElfError::SymbolName(symbol.name.clone()));
        }
        let load = symbol.space.load_address(symbol.address);
        symbols.push((symbol, load.ok_or_else(|| ElfError::SymbolAddress(symbol.name.clone()))?));
    }
    symbols.sort_by_key(|(symbol, _)| symbol.global);
    Ok(symbols)
}

fn symbol_info(symbol: &Symbol) -> elf::SymbolInfo {
    let bind = if symbol.global { elf::STB_GLOBAL } else { elf::STB_LOCAL };
    let kind = match symbol.kind {
        SymbolKind::Function => elf::STT_FUNC,
        SymbolKind::Object => elf::STT_OBJECT,
        SymbolKind::Label => elf::STT_NOTYPE,
    };
    elf::SymbolInfo::new(bind, kind)
}

fn notes(image: &Image) -> Result<Vec<u8>, ElfError> {
    let mut notes = Vec::new();
    let config = &image.config;
    let machine = [
        NOTE_VERSION,
        config.instruction_bytes,
        config.scalar_bytes,
        config.vector_bytes,
        config.lane_local_bytes,
        config.dram_bytes,
        u32::from(image.ready_flag.is_some()),
        image.ready_flag.unwrap_or(0),
    ];
    note(&mut notes, NOTE_MACHINE, &machine.map(u32::to_le_bytes).concat());
    if let Some(manifest) = &image.manifest {
        let json = serde_json::to_vec(manifest)
            .map_err(|error| ElfError::Note { note: "manifest", what: error.to_string() })?;
        note(&mut notes, NOTE_MANIFEST, &json);
    }
    Ok(notes)
}

/// Appends one note: lengths of owner (with its zero byte) and contents, type, then both, each padded to words.
fn note(notes: &mut Vec<u8>, kind: u32, contents: &[u8]) {
    let owner = format!("{NOTE_OWNER}\0");
    for word in [owner.len() as u32, contents.len() as u32, kind] {
        notes.extend(word.to_le_bytes());
    }
    for part in [owner.as_bytes(), contents] {
        notes.extend(part);
        notes.resize(notes.len().next_multiple_of(4), 0);
    }
}

/// The contents of `.riscv.attributes`: one subsection of the vendor `riscv` with the file's stack alignment (tag 4)
/// and architecture (tag 5), as the ELF supplement of the RISC-V ABI lays it out.
fn attributes() -> Vec<u8> {
    let mut tags = vec![4, 16, 5];
    tags.extend(b"rv32i2p1_m2p0_zicsr2p0_zifencei2p0_zbb1p0\0");
    let vendor = b"riscv\0";
    let file = 1 + 4 + tags.len();
    let mut bytes = vec![b'A'];
    bytes.extend((4 + vendor.len() as u32 + file as u32).to_le_bytes());
    bytes.extend(vendor);
    bytes.push(1);
    bytes.extend((file as u32).to_le_bytes());
    bytes.extend(tags);
    bytes
}
