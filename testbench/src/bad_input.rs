//! Wrong files and networks: each gets one clear message and a documented exit code, and leaves nothing behind.

use std::path::{Path, PathBuf};

use crate::tools::attempt;

/// A mistake, and what a tool has to say to it.
#[derive(Debug)]
pub struct Case {
    /// What is wrong.
    pub name: &'static str,
    /// The tool.
    tool: &'static str,
    /// Its arguments.
    arguments: Vec<String>,
    /// The exit code that its `--help` documents for this.
    exit_code: i32,
    /// Words the message has to have: what, where.
    words: Vec<&'static str>,
    /// A file that must not be there afterwards.
    unwritten: Option<PathBuf>,
}

type Failure = Box<dyn std::error::Error>;

/// A small network that is right, as text; each case breaks one thing of it.
const NETWORK: &str = r#"
name = "small"
steps = 10
state = "reset"

[[input]]
name = "in"
size = 4
encoding = { kind = "spikes" }

[[population]]
name = "out"
size = 3
events = ["Spike"]
variables.V = { type = "s7_8_sat_t", initial = 0.0 }
variables.I = { type = "s7_8_sat_t", initial = 0.0 }
parameters.Alpha = { type = "s0_15_t", value = 0.9 }
equations = '''
V = (Alpha * V) + I;
I = 0.0h8;
if (V >= 1.0h8) { Spike(); V = 0.0h8; }
'''

[[projection]]
name = "in_out"
source = "in"
target = "out.I"
weights = { file = "weights.bin", dtype = "int16", columns = 3 }

[[output]]
population = "out"
variable = "V"
readout = "last"
"#;

/// Every case; their files are written to `folder`.
///
/// # Errors
/// A file cannot be written, or the shipped network cannot be read.
pub fn cases(folder: &Path) -> Result<Vec<Case>, Failure> {
    let folder = folder.join("bad");
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("weights.bin"), [1, 0].repeat(12))?;
    std::fs::write(folder.join("short.bin"), [1, 0].repeat(11))?;
    let good = write(&folder, "good.toml", NETWORK)?;
    let program = folder.join("good.elf");
    let made = attempt("fenn-cc", &[&good, "-o", &program.to_string_lossy()])?;
    if !made.status.success() {
        return Err(format!("the network that is right is refused: {}", String::from_utf8_lossy(&made.stderr)).into());
    }
    let bytes = std::fs::read(&program)?;

    let mut cases = Vec::new();
    cases.push(run_case("truncated ELF", &folder, "truncated.elf", &bytes[..bytes.len() / 2], vec!["truncated.elf"])?);
    let mut other = bytes.clone();
    other[18] = 62; // e_machine: x86-64
    cases.push(run_case("ELF for another machine", &folder, "other.elf", &other, vec!["other.elf", "x86-64"])?);
    cases.push(run_case("not an ELF file", &folder, "text.elf", b"hello", vec!["text.elf"])?);

    let without = folder.join("without-output.nir");
    std::fs::write(&without, graph_without_output()?)?;
    let nir_arguments =
        vec![without.to_string_lossy().into_owned(), "--dt".into(), "0.0005".into(), "--steps".into(), "80".into()];
    cases.push(compile_case("NIR without an Output", &folder, nir_arguments, 1, vec!["without-output.nir", "Output"]));

    let text = |name: &'static str, from: &str, to: &str, exit_code, words| -> Result<Case, Failure> {
        assert!(NETWORK.contains(from), "{name} breaks something");
        let file = write(&folder, &format!("{}.toml", name.replace(' ', "-")), &NETWORK.replace(from, to))?;
        Ok(compile_case(name, &folder, vec![file], exit_code, words))
    };
    cases.push(text("weight file of the wrong size", "weights.bin", "short.bin", 1, vec!["short.bin", "24", "22"])?);
    cases.push(text("unknown identifier in an equation", "+ I;", "+ J;", 1, vec!["J", "out"])?);
    cases.push(text("format mismatch", "V = 0.0h8", "V = 0.0h9", 1, vec!["s6_9", "s7_8"])?);
    cases.push(text("unknown key", "readout =", "readuot =", 1, vec!["readuot", "readout"])?);
    cases.push(text(
        "network too large for memory",
        "steps = 10",
        "steps = 1000000",
        3,
        vec!["scalar memory", "in spikes"],
    )?);
    Ok(cases)
}

fn write(folder: &Path, name: &str, text: &str) -> Result<String, Failure> {
    let path = folder.join(name);
    std::fs::write(&path, text)?;
    Ok(path.to_string_lossy().into_owned())
}

/// A NIR file with an input and a layer, and nothing behind them. The compiler's own writer refuses to write it.
fn graph_without_output() -> Result<Vec<u8>, Failure> {
    let mut file = hdf5_pure::FileBuilder::new();
    file.create_dataset("version").with_vlen_strings(&["1.0"]).with_shape(&[]);
    let mut root = file.create_group("node");
    root.create_dataset("type").with_vlen_strings(&["NIRGraph"]).with_shape(&[]);
    root.create_dataset("edges").with_vlen_strings(&["input", "layer"]).with_shape(&[1, 2]);
    let mut nodes = root.create_group("nodes");
    let mut input = nodes.create_group("input");
    input.create_dataset("type").with_vlen_strings(&["Input"]).with_shape(&[]);
    input.create_dataset("shape").with_i64_data(&[2]);
    nodes.add_group(input.finish());
    let mut layer = nodes.create_group("layer");
    layer.create_dataset("type").with_vlen_strings(&["Linear"]).with_shape(&[]);
    layer.create_dataset("weight").with_f64_data(&[1.0, 2.0]).with_shape(&[1, 2]);
    nodes.add_group(layer.finish());
    root.add_group(nodes.finish());
    file.add_group(root.finish());
    Ok(file.finish()?)
}

fn run_case(
    name: &'static str,
    folder: &Path,
    file: &str,
    bytes: &[u8],
    words: Vec<&'static str>,
) -> Result<Case, Failure> {
    let path = folder.join(file);
    std::fs::write(&path, bytes)?;
    let arguments = vec![path.to_string_lossy().into_owned()];
    Ok(Case { name, tool: "fenn-sim", arguments, exit_code: 1, words, unwritten: None })
}

fn compile_case(
    name: &'static str,
    folder: &Path,
    mut arguments: Vec<String>,
    exit_code: i32,
    words: Vec<&'static str>,
) -> Case {
    let output = folder.join("unwritten.elf");
    arguments.extend(["-o".to_owned(), output.to_string_lossy().into_owned()]);
    Case { name, tool: "fenn-cc", arguments, exit_code, words, unwritten: Some(output) }
}

impl Case {
    /// Makes the mistake.
    ///
    /// # Errors
    /// What the tool did instead of what it should.
    pub fn check(&self) -> Result<(), String> {
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        let output = attempt(self.tool, &arguments).map_err(|error| error.to_string())?;
        let said = String::from_utf8_lossy(&output.stderr);
        let wrong = |what: String| Err(format!("{}: {what}: {said}", self.name));
        if output.status.code() != Some(self.exit_code) {
            return wrong(format!("exit code {:?}, not {}", output.status.code(), self.exit_code));
        }
        if said.contains("panicked") {
            return wrong("it panicked".to_owned());
        }
        if let Some(missing) = self.words.iter().find(|word| !said.contains(*word)) {
            return wrong(format!("the message does not say `{missing}`"));
        }
        let errors = said.to_lowercase().matches("error").count();
        if errors > 2 {
            return wrong(format!("{errors} errors for one mistake"));
        }
        match &self.unwritten {
            Some(path) if path.exists() => wrong("a program was written".to_owned()),
            _ => Ok(()),
        }
    }
}
