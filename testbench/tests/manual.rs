//! The manual's examples are programs: each is assembled and run, and leaves what it says; every instruction has one, and
//! raises the exceptions that the manual says.
//!
//! The blocks marked `asm` are examples. Their lines `# place = number, ...` are what must hold when the program has
//! ended; places are those of `fenn_isa::example`. An `ecall` is put behind each, in `.text`. Files that an example
//! includes stand below it, each under a line `# file NAME`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use fenn_assembler::{Assembly, Source, assemble_with_files, diagnostic};
use fenn_isa::example::example;
use fenn_isa::exception::{Exception, Raised};
use fenn_isa::image::Image;
use fenn_isa::memory::{MachineConfig, Space};
use fenn_isa::operand::{OperandKind, VReg, XReg};
use fenn_isa::{Inst, Op, SPECS};
use fenn_iss::{Limits, Machine, Options, Statistics, Stop};
use fenn_testbench::book::pages;
use fenn_testbench::shared::root;
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use rand_pcg::Pcg32;

/// Examples are short.
const MOST: Limits = Limits { instructions: Some(100_000), ..Limits::NONE };

/// One block of a page.
struct Block {
    place: String,
    text: String,
}

/// The blocks of `page` whose fence is exactly `asm`.
fn blocks(page: &Path) -> Vec<Block> {
    let text = std::fs::read_to_string(page).unwrap_or_else(|error| panic!("{}: {error}", page.display()));
    let mut found = Vec::new();
    let mut open: Option<Block> = None;
    for (number, line) in (1..).zip(text.lines()) {
        match (line.trim_end(), &mut open) {
            ("```asm", None) => {
                open = Some(Block { place: format!("{}:{number}", page.display()), text: String::new() });
            }
            ("```", Some(_)) => found.extend(open.take()),
            (line, Some(block)) => block.text += &format!("{line}\n"),
            _ => {}
        }
    }
    assert!(open.is_none(), "{}: a block is not closed", page.display());
    found
}

/// The `place = number` of a block's comments.
fn expectations(text: &str) -> Vec<(&str, &str)> {
    let comments = text.lines().filter_map(|line| line.strip_prefix("# "));
    let equations = comments.filter(|comment| comment.split(',').all(|one| one.contains(" = ")));
    equations.flat_map(|line| line.split(',')).filter_map(|one| one.trim().split_once(" = ")).collect()
}

fn number(text: &str) -> i64 {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let parsed = match digits.get(..2) {
        Some("0x") => i64::from_str_radix(&digits[2..], 16),
        Some("0b") => i64::from_str_radix(&digits[2..], 2),
        _ => digits.parse(),
    };
    sign * parsed.unwrap_or_else(|_| panic!("`{text}` is no number"))
}

/// `name[1][2]` as the name and its indices.
fn indices(place: &str) -> (&str, Vec<u32>) {
    let mut parts = place.split(['[', ']']).filter(|part| !part.is_empty());
    let name = parts.next().unwrap_or_default();
    (name, parts.map(|part| u32::try_from(number(part)).expect("an index is not negative")).collect())
}

/// The numbers at `place`: one, or those of all lanes; each of `width` bits.
fn found(machine: &Machine, place: &str) -> (Vec<u32>, u32) {
    let (name, index) = indices(place);
    let memory = |space, address, bytes: u32| {
        let read = machine.read_bytes(space, address, bytes).expect("the manual reads inside memories");
        read.iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte))
    };
    match (name, index.as_slice()) {
        ("mem8", [address]) => (vec![memory(Space::Scalar, *address, 1)], 8),
        ("mem16", [address]) => (vec![memory(Space::Scalar, *address, 2)], 16),
        ("mem32", [address]) => (vec![memory(Space::Scalar, *address, 4)], 32),
        ("vmem", [address, lane]) => (vec![memory(Space::Vector, address + 2 * lane, 2)], 16),
        ("dram", [address, lane]) => (vec![memory(Space::Dram, address + 2 * lane, 2)], 16),
        ("llm", [lane, address]) => (vec![memory(Space::LaneLocal, 32 * address + 2 * lane, 2)], 16),
        (name, lanes) => match (VReg::from_name(name), XReg::from_name(name), lanes) {
            (Some(v), _, []) => (machine.state().v(v).0.iter().map(|lane| u32::from(*lane as u16)).collect(), 16),
            (Some(v), _, [lane]) => (vec![u32::from(machine.state().v(v).0[*lane as usize] as u16)], 16),
            (_, Some(x), []) => (vec![machine.state().x(x)], 32),
            _ => panic!("`{place}` is no place"),
        },
    }
}

/// The program of a block. What stands below a line `# file NAME` is a file that it can include.
fn assembled(block: &Block) -> Result<Image, String> {
    let mut parts = block.text.split("# file ");
    let text = format!("{}\n.text\necall\n", parts.next().unwrap_or_default());
    let files: BTreeMap<String, Vec<u8>> = parts
        .filter_map(|part| part.split_once('\n'))
        .map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec()))
        .collect();
    let source = Source::new("example.s", text);
    let assembly = assemble_with_files(&[source], &fenn_assembler::Options::default(), &files);
    let Assembly { image, diagnostics, sources, .. } = assembly;
    image.ok_or_else(|| format!("{}:\n{}", block.place, diagnostic::render(&diagnostics, &sources, false)))
}

/// Runs the program of a block and says what is not as the block claims; and what was executed.
fn run_image(block: &Block, image: &Image) -> (Vec<String>, BTreeSet<Op>) {
    let mut statistics = Statistics::default();
    let mut machine = Machine::from_image(image, Options { strict: true, ..Options::default() })
        .expect("an assembled image can be loaded");
    let stop = machine.run(MOST, &mut statistics).stop;
    let mut executed: BTreeSet<Op> = statistics.by_op().iter().map(|(op, _)| *op).collect();
    let ended = match stop {
        Stop::Ecall { .. } => {
            executed.insert(Op::Ecall);
            "ecall"
        }
        Stop::Ebreak { .. } => {
            executed.insert(Op::Ebreak);
            "ebreak"
        }
        _ => "otherwise",
    };
    let mut wrong = Vec::new();
    let mut wanted_stop = "ecall";
    for (place, wanted) in expectations(&block.text) {
        if place == "stop" {
            wanted_stop = wanted;
            continue;
        }
        let (numbers, width) = found(&machine, place);
        let wanted = (number(wanted) as u32) << (32 - width) >> (32 - width);
        if numbers.iter().any(|number| *number != wanted) {
            wrong.push(format!("{}: {place} is {numbers:x?}, not {wanted:x}", block.place));
        }
    }
    if ended != wanted_stop {
        wrong.push(format!("{}: {stop}", block.place));
    }
    (wrong, executed)
}

/// As [`run_image`] for the block's own program.
fn run(block: &Block) -> (Vec<String>, BTreeSet<Op>) {
    match assembled(block) {
        Ok(image) => run_image(block, &image),
        Err(message) => (vec![message], BTreeSet::new()),
    }
}

/// `image` with a `nop` in the place of every instruction of row `op`.
fn without(op: Op, mut image: Image) -> Image {
    let nop = Inst::encode(fenn_isa::text::parse("addi zero, zero, 0").expect("an instruction"));
    for segment in image.segments.iter_mut().filter(|segment| segment.space == Space::Instruction) {
        for word in segment.bytes.chunks_exact_mut(4) {
            let found = Inst::decode(u32::from_le_bytes([word[0], word[1], word[2], word[3]]));
            if found.is_some_and(|inst| inst.op() == op) {
                word.copy_from_slice(&nop.to_le_bytes());
            }
        }
    }
    image
}

fn markdown(folder: &Path, pages: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries {
        let path = entry.expect("a folder can be listed").path();
        if path.is_dir() {
            markdown(&path, pages);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            pages.push(path);
        }
    }
}

#[test]
fn every_example_does_what_it_says() {
    let mut pages = vec![root().join("isa/MANUAL.md")];
    markdown(&root().join("docs/src"), &mut pages);
    let blocks: Vec<Block> = pages.iter().flat_map(|page| blocks(page)).collect();
    assert!(blocks.len() > SPECS.len(), "only {} examples", blocks.len());
    let wrong: Vec<String> = blocks.iter().flat_map(|block| run(block).0).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let silent: Vec<&str> =
        blocks.iter().filter(|block| expectations(&block.text).is_empty()).map(|block| block.place.as_str()).collect();
    assert!(silent.is_empty(), "these say nothing of what they leave: {silent:?}");
}

#[test]
fn an_instruction_s_example_executes_it() {
    for op in Op::ALL {
        let name = op.spec().mnemonic();
        let block = Block { place: name.to_owned(), text: example(*op).to_owned() };
        let (wrong, executed) = run(&block);
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        assert!(executed.contains(op), "the example of `{name}` does not execute it");
        assert!(block.text.lines().any(|line| line.contains(name)), "the example of `{name}` does not show it");
    }
}

/// The machine has nothing to reorder and nothing to wait for, so nothing can be seen of these.
const NOTHING_TO_SEE: [Op; 3] = [Op::Fence, Op::FenceI, Op::Wfi];

#[test]
fn an_example_fails_without_its_instruction() {
    for op in Op::ALL.iter().filter(|op| !NOTHING_TO_SEE.contains(op)) {
        let name = op.spec().mnemonic();
        let block = Block { place: name.to_owned(), text: example(*op).to_owned() };
        let image = without(*op, assembled(&block).unwrap_or_else(|error| panic!("{error}")));
        assert!(!run_image(&block, &image).0.is_empty(), "the example of `{name}` would pass if it did nothing");
    }
}

#[test]
fn a_wrong_example_is_found() {
    for (text, part) in [
        ("li a0, 1\n# a0 = 2", "a0 is [1], not 2"),
        ("vlui v1, 3\nvlui v2, 1\nli t0, 1\nvsel v1, t0, v2\n# v1 = 3", "v1 is"),
        ("li a0, 1\nebreak\n# a0 = 1", "ebreak"),
        ("vadd v1, v2\n# v1 = 0", "vadd"),
    ] {
        let (wrong, _) = run(&Block { place: "here".to_owned(), text: text.to_owned() });
        assert!(wrong.len() == 1 && wrong[0].contains(part), "{text}: {wrong:?}");
    }
}

#[test]
fn the_pages_read_off_the_tools_are_fresh() {
    for (path, text) in pages().unwrap_or_else(|error| panic!("{error}")) {
        let found = std::fs::read_to_string(root().join(&path)).unwrap_or_default();
        assert!(found == text, "{path} is out of date: run `make gen` and read the diff");
    }
}

/// What stands between `open` and `close` in `text`, wherever it does.
fn between<'a>(text: &'a str, open: &str, close: char) -> Vec<&'a str> {
    text.split(open).skip(1).filter_map(|rest| rest.split_once(close).map(|(inside, _)| inside)).collect()
}

/// mdBook goes on where a page or a part of one is missing, so this is the test of it.
#[test]
fn the_book_s_links_and_inclusions_lead_somewhere() {
    let mut pages = Vec::new();
    markdown(&root().join("docs/src"), &mut pages);
    for page in pages {
        let text = std::fs::read_to_string(&page).expect("a page that was listed");
        let folder = page.parent().expect("a page is in a folder");
        for include in between(&text, "{{#include ", '}') {
            let (path, anchor) = include
                .split_once(".md:")
                .map_or((include.to_owned(), None), |(path, anchor)| (format!("{path}.md"), Some(anchor)));
            let included = std::fs::read_to_string(folder.join(&path));
            let included = included.unwrap_or_else(|error| panic!("{}: {include}: {error}", page.display()));
            let wanted = anchor.map_or(String::new(), |anchor| format!("<!-- ANCHOR: {anchor} -->"));
            assert!(included.contains(&wanted), "{}: {include}", page.display());
        }
        for link in between(&text, "](", ')').into_iter().filter(|link| !link.starts_with(['#', 'h'])) {
            let path = link.split('#').next().unwrap_or_default();
            assert!(folder.join(path).exists(), "{}: the link to {link} leads nowhere", page.display());
            // mdBook makes index.html of a README.md, but leaves links to it as they are.
            assert!(!path.ends_with("README.md"), "{}: the link to {link} leads nowhere in the book", page.display());
        }
    }
    let summary = std::fs::read_to_string(root().join("docs/src/SUMMARY.md")).expect("there is a summary");
    let kernels = std::fs::read_to_string(root().join("docs/src/kernels.md")).expect("there is a page of kernels");
    for entry in std::fs::read_dir(root().join("programs/kernels")).expect("there are kernels") {
        let name = entry.expect("a folder can be listed").file_name().to_string_lossy().into_owned();
        assert!(!name.ends_with(".s") || kernels.contains(&format!("kernels/{name}}}}}")), "the book lacks {name}");
    }
    let manual = std::fs::read_to_string(root().join("isa/MANUAL.md")).expect("there is a manual");
    let chapters = between(&manual, "<!-- ANCHOR: ", ' ');
    for chapter in chapters {
        let known = chapter == "index" || between(&summary, "](", ')').iter().any(|page| page.contains(chapter));
        assert!(known, "the book lacks the manual's part `{chapter}`");
    }
}

/// A machine with one random instruction of row `op`, and registers that often hold addresses at the edges.
fn random_instruction(op: Op, machine: &mut Machine, random: &mut Pcg32) {
    let config = *machine.config();
    let address = |random: &mut Pcg32| {
        let end = if random.random() { config.scalar_bytes } else { config.vector_bytes };
        match random.random_range(0..4) {
            0 => random.next_u32(),
            1 => random.random_range(0..end),
            2 => random.random_range(0..end) & !63,
            _ => end.wrapping_add(random.random_range(0..128)).wrapping_sub(64),
        }
    };
    for number in 1..32 {
        let value = address(random);
        machine.state_mut().set_x(XReg::new(number).expect("a register"), value);
    }
    for vector in &mut machine.state_mut().v {
        let odd = random.random_range(0..2);
        for lane in &mut vector.0 {
            *lane = (random.random_range(-3000..3000) & !1) | odd;
        }
    }
    let values: Vec<i64> = op.spec().operands().map(|operand| operand_value(operand.kind, random)).collect();
    let word = op.spec().assemble(&values).expect("the numbers are in range");
    assert_eq!(Inst::decode(word).map(|inst| inst.op()), Some(op));
    machine.write(Space::Instruction, 0x1000, &word.to_le_bytes()).expect("instruction memory has this address");
    machine.state_mut().pc = 0x1000;
}

fn operand_value(kind: OperandKind, random: &mut Pcg32) -> i64 {
    let range = kind.range();
    let value = random.random_range(range);
    match kind {
        OperandKind::Imm12 if random.random() => value & !63,
        OperandKind::Branch | OperandKind::Jump => value & !1,
        _ => value,
    }
}

/// The exceptions that random instructions of row `op` raise.
fn observed(op: Op, strict: bool, random: &mut Pcg32) -> BTreeSet<Exception> {
    let mut machine = Machine::new(MachineConfig::default(), Options { strict, ..Options::default() })
        .expect("the default machine exists");
    let mut raised = BTreeSet::new();
    for _ in 0..1500 {
        machine.reset();
        random_instruction(op, &mut machine, random);
        if let Err(Stop::Trap(trap)) = machine.step(&mut ()) {
            raised.insert(trap.cause.exception());
        }
    }
    raised
}

#[test]
fn instructions_raise_the_exceptions_that_the_manual_says() {
    let mut random = Pcg32::seed_from_u64(1);
    for spec in &SPECS {
        let Raised { always, strict } = Raised::by(spec.op);
        let wanted: BTreeSet<Exception> = always.iter().copied().collect();
        assert_eq!(observed(spec.op, false, &mut random), wanted, "{}", spec.mnemonic());
        let wanted: BTreeSet<Exception> = wanted.iter().chain(strict).copied().collect();
        assert_eq!(observed(spec.op, true, &mut random), wanted, "{}, strict", spec.mnemonic());
    }
}
