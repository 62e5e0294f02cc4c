//! Wrong files and networks: each gets one clear message and a documented exit code, and leaves nothing behind.

use std::path::{Path, PathBuf};

use crate::nir_reference::graph::Kind;
use crate::nir_reference::{self, Graph, Neurons, Node, Tensor};
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

type Failure = Box<dyn std::error::Error + Send + Sync>;

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
    std::fs::write(&without, graph_file("Linear", false)?)?;
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

/// Mistakes in networks, and what the compiler says to each; their files are written to `folder`.
///
/// # Errors
/// A file cannot be written.
pub fn compiler_cases(folder: &Path) -> Result<Vec<Case>, Failure> {
    let folder = folder.join("bad-networks");
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("weights.bin"), [1, 0].repeat(12))?;
    let outside = folder.join("..").join("outside.bin");
    std::fs::write(&outside, [1, 0].repeat(12))?;
    let mut cases = Vec::new();

    let good = small_graph(&[]);
    let mut graph_case = |name: &'static str, graph: &Graph, options: &[&str], words| -> Result<(), Failure> {
        let path = folder.join(format!("{}.nir", name.replace(' ', "-")));
        nir_reference::write(graph, &path)?;
        let options = options.iter().map(|option| (*option).to_owned());
        let arguments = [path.to_string_lossy().into_owned()].into_iter().chain(options).collect();
        cases.push(compile_case(name, &folder, arguments, 1, words));
        Ok(())
    };
    let given = ["--dt", "0.001", "--steps", "20"];
    let mut cycle = good.clone();
    cycle.add("more", Node::Linear(Tensor::new(&[2, 2], vec![0.5; 4])), &["weights"]);
    cycle.add("back", Node::Linear(Tensor::new(&[3, 2], vec![0.5; 6])), &["more"]);
    cycle.connect("back", "weights");
    graph_case("cycle without neurons or delay", &cycle, &given, vec!["cycle", "more", "weights"])?;
    graph_case("time step missing", &good, &["--steps", "20"], vec!["--dt"])?;
    let nan = small_graph(&[("weights", Node::Linear(Tensor::new(&[2, 3], vec![f64::NAN; 6])))]);
    graph_case("weights that are no numbers", &nan, &given, vec!["weights", "NaN"])?;
    let forced = [&given[..], &["--format", "lif.I=s15.0", "--format", "lif.V=s0.15"]].concat();
    graph_case("formats too far apart", &good, &forced, vec!["lif", "s15.0", "s0.15"])?;
    let sizes = small_graph(&[("weights", Node::Linear(Tensor::new(&[4, 3], vec![0.5; 12])))]);
    graph_case("sizes that do not fit", &sizes, &given, vec!["weights", "lif", "4", "2"])?;
    let mut delayed = good.clone();
    delayed.nodes.insert("weights".to_owned(), Node::Delay(Tensor::new(&[], vec![1e6])));
    delayed.add("matrix", Node::Linear(Tensor::new(&[2, 3], vec![0.5; 6])), &["weights"]);
    delayed.edges.retain(|edge| *edge != ("weights".to_owned(), "lif".to_owned()));
    delayed.connect("matrix", "lif");
    graph_case("delay beyond any ring", &delayed, &given, vec!["weights", "delay"])?;

    let unsupported = folder.join("unsupported.nir");
    std::fs::write(&unsupported, graph_file("Transformer", true)?)?;
    let arguments = |path: &Path| {
        let given = given.iter().map(|word| (*word).to_owned());
        [path.to_string_lossy().into_owned()].into_iter().chain(given).collect::<Vec<_>>()
    };
    cases.push(compile_case("unsupported node", &folder, arguments(&unsupported), 1, vec!["layer", "Transformer"]));
    let corrupt = folder.join("corrupt.nir");
    let whole = std::fs::read(&unsupported)?;
    std::fs::write(&corrupt, &whole[..whole.len() / 2])?;
    cases.push(compile_case("corrupt HDF5", &folder, arguments(&corrupt), 1, vec!["corrupt.nir"]));

    let text = |name: &'static str, from: &str, to: &str, options: &[&str], code, words| -> Result<Case, Failure> {
        assert!(NETWORK.contains(from), "{name} breaks something");
        let file = write(&folder, &format!("{}.toml", name.replace(' ', "-")), &NETWORK.replace(from, to))?;
        let options = options.iter().map(|option| (*option).to_owned());
        Ok(compile_case(name, &folder, [file].into_iter().chain(options).collect(), code, words))
    };
    cases.push(text(
        "path outside the description's folder",
        "weights.bin",
        "../outside.bin",
        &[],
        1,
        vec!["outside.bin", "--allow-outside"],
    )?);
    cases.push(text("number beyond its format", "value = 0.9", "value = 1.5", &[], 1, vec!["1.5", "s0"])?);
    let exceeds = |name, from, to, options: &[&str], words| text(name, from, to, options, 3, words);
    cases.push(exceeds(
        "more code than fits",
        "steps = 10",
        "steps = 11",
        &["--instructions", "8"],
        vec!["instruction"],
    )?);
    cases.push(exceeds(
        "more spikes than fit",
        "steps = 10",
        "steps = 1000000",
        &[],
        vec!["scalar memory", "in spikes"],
    )?);
    let large = "size = 4\nencoding = { kind = \"spikes\" }";
    let weights = "weights = { file = \"weights.bin\", dtype = \"int16\", columns = 3 }";
    let many = NETWORK.replace(large, "size = 40000").replace(weights, "weights = 0.5");
    let file = write(&folder, "many.toml", &many)?;
    let case = |name, options: &[&str], words| {
        let options = options.iter().map(|option| (*option).to_owned());
        compile_case(name, &folder, [file.clone()].into_iter().chain(options).collect(), 3, words)
    };
    cases.push(case("more weights than vector memory", &["--weights", "vector"], vec!["vector memory", "in_out"]));
    cases.push(case("more weights than DRAM", &["--weights", "dram", "--dram-mib", "1"], vec!["DRAM", "in_out"]));
    Ok(cases)
}

/// A graph that is right: an Input of three, a matrix, two LIF neurons, an Output; with other nodes in place of those of their
/// names.
fn small_graph(instead: &[(&str, Node)]) -> Graph {
    let parameters = [("tau", 0.01), ("r", 1.0), ("v_leak", 0.0), ("v_threshold", 1.0), ("v_reset", 0.0)];
    let parameters = parameters.map(|(name, value)| (name, Tensor::new(&[2], vec![value; 2])));
    let mut graph = Graph::default();
    graph.add("input", Node::Input(vec![3]), &[]);
    graph.add("weights", Node::Linear(Tensor::new(&[2, 3], vec![0.5; 6])), &["input"]);
    graph.add("lif", Node::Neurons(Neurons { kind: Kind::Lif, parameters: parameters.into() }), &["weights"]);
    graph.add("output", Node::Output(vec![2]), &["lif"]);
    for (name, node) in instead {
        graph.nodes.insert((*name).to_owned(), node.clone());
    }
    graph
}

fn write(folder: &Path, name: &str, text: &str) -> Result<String, Failure> {
    let path = folder.join(name);
    std::fs::write(&path, text)?;
    Ok(path.to_string_lossy().into_owned())
}

/// A NIR file with an input and a layer of some type, with an Output behind them or nothing. The compiler's own writer refuses
/// to write such files.
fn graph_file(kind: &str, output: bool) -> Result<Vec<u8>, Failure> {
    let mut file = hdf5_pure::FileBuilder::new();
    file.create_dataset("version").with_vlen_strings(&["1.0"]).with_shape(&[]);
    let mut root = file.create_group("node");
    root.create_dataset("type").with_vlen_strings(&["NIRGraph"]).with_shape(&[]);
    let edges = ["input", "layer", "layer", "output"];
    let edges = if output { &edges[..] } else { &edges[..2] };
    root.create_dataset("edges").with_vlen_strings(edges).with_shape(&[edges.len() as u64 / 2, 2]);
    let mut nodes = root.create_group("nodes");
    for (name, size) in [("input", 2), ("output", 1)].into_iter().take(if output { 2 } else { 1 }) {
        let mut end = nodes.create_group(name);
        end.create_dataset("type").with_vlen_strings(&[if size == 2 { "Input" } else { "Output" }]).with_shape(&[]);
        end.create_dataset("shape").with_i64_data(&[size]);
        nodes.add_group(end.finish());
    }
    let mut layer = nodes.create_group("layer");
    layer.create_dataset("type").with_vlen_strings(&[kind]).with_shape(&[]);
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
    /// Makes the mistake; what the tool says, without the path of the folder, and its exit code.
    ///
    /// # Errors
    /// The tool is not there.
    pub fn said(&self) -> Result<(String, i32), Failure> {
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        let output = attempt(self.tool, &arguments)?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let place = self.unwritten.as_deref().and_then(Path::parent);
        let said = place.map_or(said.clone(), |place| said.replace(&format!("{}/", place.display()), ""));
        Ok((said, output.status.code().unwrap_or(-1)))
    }

    /// Makes the mistake.
    ///
    /// # Errors
    /// What the tool did instead of what it should.
    pub fn check(&self) -> Result<(), String> {
        if let Some(path) = self.unwritten.as_deref().filter(|path| path.exists()) {
            std::fs::remove_file(path).map_err(|error| format!("{}: {error}", path.display()))?;
        }
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
