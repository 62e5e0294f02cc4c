//! Golden files: `data/ok/NAME.s` with its listing `NAME.lst`, `data/err/NAME.s` with its messages `NAME.err`.
//!
//! `BLESS=1 cargo test -p fenn-assembler --test golden` rewrites the expectations; read the difference before keeping it.

use std::fs;
use std::path::{Path, PathBuf};

use fenn_assembler::listing::listing;
use fenn_assembler::{Options, Source, assemble, assemble_with_lines, diagnostic, disassemble};

fn sources(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(folder);
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "s"));
    paths.sort();
    assert!(!paths.is_empty());
    paths
}

fn read(path: &Path) -> Source {
    let name = path.file_name().unwrap().to_str().unwrap();
    Source::new(name, fs::read_to_string(path).unwrap())
}

fn compare(path: &Path, extension: &str, found: &str) {
    let path = path.with_extension(extension);
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, found).unwrap();
    }
    let wanted = fs::read_to_string(&path).unwrap_or_default();
    assert!(wanted == found, "{} differs; BLESS=1 rewrites it. Found:\n{found}", path.display());
}

#[test]
fn good_sources_become_their_listings() {
    for path in sources("ok") {
        let sources = [read(&path)];
        let assembly = assemble_with_lines(&sources, &Options::default());
        let messages = diagnostic::render(&assembly.diagnostics, &sources, false);
        let image = assembly.image.unwrap_or_else(|| panic!("{messages}"));
        compare(&path, "lst", &listing(&sources, &assembly.lines, &image));
        // What comes out of the disassembler is the same program.
        let again = [Source::new("disassembly", disassemble(&image))];
        let (copy, diagnostics) = assemble(&again, &Options::default());
        let copy = copy.unwrap_or_else(|| panic!("{}", diagnostic::render(&diagnostics, &again, false)));
        assert_eq!(copy.symbols, image.symbols, "{}", path.display());
        assert_eq!(copy.to_elf().map(|elf| elf.len()).is_ok(), image.to_elf().is_ok());
        assert_eq!(memory(&copy), memory(&image), "{}", path.display());
    }
}

/// The bytes of each memory from address 0 on.
fn memory(image: &fenn_isa::image::Image) -> Vec<Vec<u8>> {
    let mut memories = vec![Vec::new(); 5];
    for segment in &image.segments {
        let memory = &mut memories[segment.space as usize];
        memory.resize(segment.address as usize, 0);
        memory.extend(&segment.bytes);
        memory.resize((segment.address + segment.size) as usize, 0);
    }
    memories
}

#[test]
fn wrong_sources_are_reported_in_full() {
    for path in sources("err") {
        let sources = [read(&path)];
        let (image, diagnostics) = assemble(&sources, &Options::default());
        assert!(image.is_none(), "{}", path.display());
        compare(&path, "err", &diagnostic::render(&diagnostics, &sources, false));
    }
}

#[test]
fn the_kernels_assemble() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../programs/kernels");
    for name in ["hello.s", "lif.s"] {
        let sources = [read(&folder.join(name))];
        let options = Options { ready_flag: Some("ready".to_owned()), ..Options::default() };
        let (image, diagnostics) = assemble(&sources, &options);
        let image = image.unwrap_or_else(|| panic!("{}", diagnostic::render(&diagnostics, &sources, false)));
        assert_eq!(image.ready_flag, image.symbol("ready").map(|symbol| symbol.address));
    }
}
