//! What the neuron update of the Vogels–Abbott benchmark costs on the simulator's model of this project's core.
//!
//! The published board's figures are from `va_benchmark_device.csv`: 362,000 cycles for 1,000 steps of 256 excitatory and
//! 64 inhibitory neurons, and 1,320,000 for 1,024 and 256. They contain what a step costs besides.

use fenn_compiler::backend::{InputForm, Options, compile};
use fenn_compiler::description;
use fenn_isa::image::Image;
use fenn_isa::timing::FENN;
use fenn_iss::dma::Transfer;
use fenn_iss::timing::Retired;
use fenn_iss::{Access, Limits, Machine, Observer, Options as MachineOptions, State, Stop, Trap};

fn network(excitatory: usize, inhibitory: usize) -> String {
    let population = |name: &str, size: usize| {
        format!(
            r#"
[[population]]
name = "{name}"
size = {size}
events = ["Spike"]
equations = '''
s5_10_sat_t inSyn = IExc * ExcScale;
IExc *= BetaExc;
inSyn += IInh * InhScale;
IInh *= BetaInh;
if (RefracTime > 0) {{
    RefracTime -= 1;
}}
else {{
    s5_10_sat_t VAlpha = RMembrane * (inSyn + IOffset);
    V = VAlpha - (Alpha * (VAlpha - V));
}}
if (V >= VThresh) {{
    Spike();
    V = 0.0h10;
    RefracTime = TauRefrac;
}}
'''
[population.variables]
V = {{ type = "s5_10_sat_t" }}
IExc = {{ type = "s2_13_sat_t" }}
IInh = {{ type = "s2_13_sat_t" }}
RefracTime = {{ type = "int16_t" }}
[population.parameters]
ExcScale = {{ type = "s5_10_sat_t", value = "5*(1-exp(-dt/5))" }}
InhScale = {{ type = "s5_10_sat_t", value = "10*(1-exp(-dt/10))" }}
BetaExc = {{ type = "s0_15_t", value = "exp(-dt/5)" }}
BetaInh = {{ type = "s0_15_t", value = "exp(-dt/10)" }}
Alpha = {{ type = "s0_15_t", value = "exp(-dt/20)" }}
RMembrane = {{ type = "s5_10_sat_t", value = 20 }}
IOffset = {{ type = "s5_10_sat_t", value = 0.55 }}
VThresh = {{ type = "s5_10_sat_t", value = 10 }}
TauRefrac = {{ type = "int16_t", value = 5 }}
"#
        )
    };
    let projection = |name: &str, target: &str, size: usize| {
        let zeros = vec!["0"; size].join(", ");
        format!(
            "\n[[projection]]\nname = \"{name}\"\nsource = \"none\"\ntarget = \"{target}\"\nweights = {{ code = [{zeros}] }}\n"
        )
    };
    [
        r#"name = "va"
time_step_ms = 1.0
steps = 50
dialect = "published"
schedule = ["ee", "ei", "ie", "ii", "E", "I"]

[[input]]
name = "none"
size = 1
"#
        .to_owned(),
        population("E", excitatory),
        population("I", inhibitory),
        projection("ee", "E.IExc", excitatory),
        projection("ei", "I.IExc", inhibitory),
        projection("ie", "E.IInh", excitatory),
        projection("ii", "I.IInh", inhibitory),
        "\n[[output]]\npopulation = \"E\"\nevent = \"Spike\"\nreadout = \"count\"\n".to_owned(),
    ]
    .concat()
}

/// Instructions and cycles from the first instruction of the excitatory update to the next part behind the inhibitory one.
struct Update {
    range: std::ops::Range<u32>,
    entered: Option<u64>,
    instructions: u64,
    cycles: u64,
}

impl Observer for Update {
    fn retire(&mut self, retired: &Retired, _state: &State) {
        if let Some(entered) = self.entered.take() {
            self.cycles += retired.cycle - entered;
        }
        if self.range.contains(&retired.pc) {
            self.entered = Some(retired.cycle);
            self.instructions += 1;
        }
    }
    fn access(&mut self, _access: &Access) {}
    fn transfer(&mut self, _transfer: &Transfer) {}
    fn trap(&mut self, _trap: &Trap) {}
}

/// Instructions and cycles of all updates, a step.
fn cost(image: &Image) -> (f64, f64) {
    let symbols = ["update_E", "update_I"].map(|name| image.symbol(name).unwrap());
    let range = symbols[0].address..symbols[1].address + symbols[1].size;
    let mut update = Update { range, entered: None, instructions: 0, cycles: 0 };
    let options = MachineOptions { strict: true, profile: FENN, ..MachineOptions::default() };
    let mut machine = Machine::from_image(image, options).unwrap();
    let outcome = machine.run(Limits { instructions: Some(10_000_000), ..Limits::NONE }, &mut update);
    assert!(matches!(outcome.stop, Stop::Ecall { .. }), "{:?}", outcome.stop);
    (update.instructions as f64 / 50.0, update.cycles as f64 / 50.0)
}

/// At most 28 cycles for 32 neurons, all that the update costs included; the gate is 0.92 of the published cycles.
#[test]
fn the_update_is_faster_than_published() {
    for (excitatory, inhibitory, published) in [(256, 64, 362.0), (1024, 256, 1320.0)] {
        let text = network(excitatory, inhibitory);
        let described =
            description::parse(&text, "va.toml", std::path::Path::new("."), &description::Options::default()).unwrap();
        let compiled = compile(&described.network, &Options { input: InputForm::Bits, ..Options::default() }).unwrap();
        let (instructions, cycles) = cost(&compiled.image);
        let blocks = (excitatory + inhibitory) as f64 / 32.0;
        let found = format!("{excitatory} + {inhibitory}: {instructions} instructions and {cycles} cycles a step");
        assert!(cycles <= 0.92 * published, "{found}");
        assert!(cycles / blocks <= 28.0, "{found}");
    }
}
