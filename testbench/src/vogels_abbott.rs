//! What the neurons of the Vogels–Abbott benchmark cost on the published core, against the published board.
//!
//! The board's figures are instructions and cycles of the neuron update over all steps, for many sizes of the network. From
//! one size to the next they grow by 122 instructions and 5 lost cycles for every four vectors of 32 neurons: a loop over
//! four vectors, of 29 instructions each and six to go on. That is what [`kernel`] is: the published compiler's
//! arrangement, all loads first, then the equations in their order, then all stores; five pointers and a branch. What is
//! measured is that loop on the simulator under the published core's timing. The project's own compiler makes fewer
//! instructions of the same equations, 26 a vector, and arranges them otherwise; [`compiled`] measures its code.
//!
//! Contract: the kernel computes the published equations bit for bit, which [`kernel_is_right`] checks against arithmetic
//! written here; nothing in the timing was made to fit.

use std::fmt::Write as _;

use fenn_assembler::assemble_text;
use fenn_isa::image::Image;
use fenn_isa::memory::{LANES, Space};
use fenn_isa::timing::Profile;
use fenn_iss::dma::Transfer;
use fenn_iss::timing::Retired;
use fenn_iss::{Access, Limits, Machine, Observer, Options, State, Stop, Trap};
use rand_pcg::Pcg32;
use rand_pcg::rand_core::SeedableRng;

use crate::part::Failure;
use crate::random::below;

/// Vectors in one turn of the published loop.
const UNROLLED: usize = 4;

/// Instructions and cycles.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// Retired.
    pub instructions: u64,
    /// From the first one's issue to the next one's behind the last.
    pub cycles: u64,
}

impl Cost {
    /// Cycles per instruction.
    pub fn ratio(self) -> f64 {
        self.cycles as f64 / self.instructions as f64
    }

    fn minus(self, other: Self) -> Self {
        Self { instructions: self.instructions - other.instructions, cycles: self.cycles - other.cycles }
    }
}

/// Cycles per instruction of the board's neuron updates: least and greatest over all rows of the published table, and
/// that of the growth from one network to a greater one, which is free of what a step costs besides.
///
/// # Errors
/// The table is not what it was.
pub fn board(table: &str) -> Result<[f64; 3], Failure> {
    let mut lines = table.lines();
    let header: Vec<&str> = lines.next().ok_or("the table is empty")?.split(',').collect();
    let column = |name: &str| header.iter().position(|column| *column == name).ok_or(format!("no column `{name}`"));
    let (neurons, dense) = (column("Num excitatory neurons")?, column("Dense connectivity")?);
    let (instructions, cycles) = (column("Num neuron update instructions")?, column("Num neuron update cycles")?);
    let (mut least, mut greatest) = (f64::INFINITY, 0.0f64);
    let mut sizes = Vec::new();
    for line in lines.filter(|line| !line.is_empty()) {
        let fields: Vec<&str> = line.split(',').collect();
        let number = |at: usize| fields.get(at).ok_or("a row is too short")?.parse::<f64>().map_err(Failure::from);
        let (instructions, cycles) = (number(instructions)?, number(cycles)?);
        least = least.min(cycles / instructions);
        greatest = greatest.max(cycles / instructions);
        // Two whose counters were not scaled.
        if fields.get(dense) == Some(&"True") && [512.0, 5120.0].contains(&number(neurons)?) {
            sizes.push((instructions, cycles));
        }
    }
    let [small, great] = sizes[..] else { return Err("the table has other sizes".into()) };
    Ok([least, greatest, (great.1 - small.1) / (great.0 - small.0)])
}

/// Raw codes of the constants: formats s5.10 but for the decays, which are s0.15.
const EXC_SCALE: i16 = 928;
const INH_SCALE: i16 = 974;
const BETA_EXC: i16 = 26_828;
const BETA_INH: i16 = 29_650;
const ALPHA: i16 = 31_170;
const R_MEMBRANE: i16 = 20 << 10;
const I_OFFSET: i16 = 563;
const V_THRESH: i16 = 10 << 10;
const TAU_REFRAC: i16 = 5;

/// The neuron update in the published arrangement, over `turns` times four vectors.
///
/// V, IExc, IInh and RefracTime are arrays in vector memory, 2,048 bytes apart; spikes are words of scalar memory.
pub fn kernel(turns: usize) -> String {
    let mut text = String::from("        .text\n        .globl _start\n_start:\n");
    let constants = [0, 1, TAU_REFRAC, I_OFFSET, EXC_SCALE, INH_SCALE, V_THRESH, R_MEMBRANE, BETA_EXC, BETA_INH, ALPHA];
    for (register, value) in constants.iter().enumerate() {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "        vlui v{register}, {value}");
    }
    for (register, address) in [("a0", 0), ("a1", 2048), ("a2", 4096), ("a3", 6144), ("a4", 0)] {
        let _ = writeln!(text, "        li {register}, {address}");
    }
    let _ = writeln!(text, "        li a5, {}", 64 * UNROLLED * turns);
    text.push_str("loop:\n");
    for vector in 0..UNROLLED {
        let (at, spikes) = (64 * vector, 4 * vector);
        let _ = write!(
            text,
            "\
        vloadv  v11, {at}(a0)
        vloadv  v12, {at}(a1)
        vloadv  v13, {at}(a2)
        vloadv  v14, {at}(a3)
        vmul_rn v15, v12, v4, 13
        vmul    v12, v12, v8, 15
        vmul_rn v16, v13, v5, 13
        vadd_s  v15, v15, v16
        vmul    v13, v13, v9, 15
        vtlt    t0, v0, v14
        vsub    v16, v14, v1
        vsel    v14, t0, v16
        not     t0, t0
        vadd_s  v15, v15, v3
        vmul_rn v15, v7, v15, 10
        vlui    v17, 0
        vsel    v17, t0, v15
        vsub_s  v16, v17, v11
        vmul_rn v16, v10, v16, 15
        vsub_s  v17, v17, v16
        vsel    v11, t0, v17
        vtge    t0, v11, v6
        sw      t0, {spikes}(a4)
        vsel    v11, t0, v0
        vsel    v14, t0, v2
        vstore  v11, {at}(a0)
        vstore  v12, {at}(a1)
        vstore  v13, {at}(a2)
        vstore  v14, {at}(a3)
"
        );
    }
    for (register, bytes) in [("a0", 64), ("a1", 64), ("a2", 64), ("a3", 64), ("a4", 4)] {
        let _ = writeln!(text, "        addi {register}, {register}, {}", bytes * UNROLLED);
    }
    text.push_str("        bne a0, a5, loop\n        ecall\n");
    text
}

fn machine(turns: usize, profile: Profile) -> Result<Machine, Failure> {
    let image = assemble_text("kernel.s", &kernel(turns))?;
    Ok(Machine::from_image(&image, Options { strict: true, profile, ..Options::default() })?)
}

fn run(machine: &mut Machine) -> Result<Cost, Failure> {
    let outcome = machine.run(Limits { instructions: Some(1_000_000), ..Limits::NONE }, &mut ());
    match outcome.stop {
        Stop::Ecall { .. } => Ok(Cost { instructions: outcome.instructions, cycles: outcome.cycles }),
        stop => Err(format!("the kernel did not end: {stop}").into()),
    }
}

/// What one turn of the published loop costs: the difference between eight turns and two, for six.
///
/// # Errors
/// The kernel does not run.
pub fn published_loop(profile: Profile) -> Result<Cost, Failure> {
    let [two, eight] = [2, 8].map(|turns| run(&mut machine(turns, profile)?));
    let six = eight?.minus(two?);
    Ok(Cost { instructions: six.instructions / 6, cycles: six.cycles / 6 })
}

/// What one neuron has, as codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Neuron {
    pub(crate) v: i16,
    pub(crate) exc: i16,
    pub(crate) inh: i16,
    pub(crate) refractory: i16,
}

pub(crate) fn saturated(value: i32) -> i16 {
    value.clamp(-32_768, 32_767) as i16
}

/// Rounded to nearest, halves up; the low 16 bits.
fn rounded(a: i16, b: i16, shift: u32) -> i16 {
    ((i32::from(a) * i32::from(b) + (1 << (shift - 1))) >> shift) as i16
}

fn floored(a: i16, b: i16, shift: u32) -> i16 {
    ((i32::from(a) * i32::from(b)) >> shift) as i16
}

impl Neuron {
    /// One step; whether it fires.
    pub(crate) fn update(&mut self) -> bool {
        let add = |a: i16, b: i16| saturated(i32::from(a) + i32::from(b));
        let sub = |a: i16, b: i16| saturated(i32::from(a) - i32::from(b));
        let input = add(rounded(self.exc, EXC_SCALE, 13), rounded(self.inh, INH_SCALE, 13));
        self.exc = floored(self.exc, BETA_EXC, 15);
        self.inh = floored(self.inh, BETA_INH, 15);
        if self.refractory > 0 {
            self.refractory -= 1;
        } else {
            let target = rounded(R_MEMBRANE, add(input, I_OFFSET), 10);
            self.v = sub(target, rounded(ALPHA, sub(target, self.v), 15));
        }
        let fires = self.v >= V_THRESH;
        if fires {
            (self.v, self.refractory) = (0, TAU_REFRAC);
        }
        fires
    }
}

/// Neurons for which the kernel computes something else than the equations, of `8 · 4 · 32`, in any state.
///
/// # Errors
/// The kernel does not run.
pub fn kernel_is_right(seed: u64) -> Result<usize, Failure> {
    const TURNS: usize = 8;
    let mut source = Pcg32::seed_from_u64(seed);
    let mut number = |end: u32, offset: i32| (below(&mut source, end) as i32 - offset) as i16;
    let mut neurons: Vec<Neuron> = (0..TURNS * UNROLLED * LANES)
        .map(|_| Neuron {
            v: number(1 << 14, 1 << 12),
            exc: number(1 << 14, 1 << 12),
            inh: number(1 << 14, 1 << 13),
            refractory: number(12, 6).max(0),
        })
        .collect();
    let mut machine = machine(TURNS, fenn_isa::timing::FENN)?;
    let arrays = |neurons: &[Neuron]| {
        let one = |of: fn(&Neuron) -> i16| neurons.iter().flat_map(|n| of(n).to_le_bytes()).collect::<Vec<u8>>();
        [one(|n| n.v), one(|n| n.exc), one(|n| n.inh), one(|n| n.refractory)]
    };
    for (address, bytes) in (0..).step_by(2048).zip(arrays(&neurons)) {
        machine.write(Space::Vector, address, &bytes)?;
    }
    run(&mut machine)?;
    let fired: Vec<bool> = neurons.iter_mut().map(Neuron::update).collect();
    let spikes = machine.read_bytes(Space::Scalar, 0, (neurons.len() / 8) as u32)?;
    let mut wrong = vec![false; neurons.len()];
    for (address, bytes) in (0..).step_by(2048).zip(arrays(&neurons)) {
        let found = machine.read_bytes(Space::Vector, address, bytes.len() as u32)?;
        let pairs = found.chunks_exact(2).zip(bytes.chunks_exact(2)).enumerate();
        pairs.filter(|(_, (found, expected))| found != expected).for_each(|(index, _)| wrong[index] = true);
    }
    for (index, fires) in fired.iter().enumerate() {
        wrong[index] |= (spikes[index / 8] >> (index % 8) & 1 == 1) != *fires;
    }
    Ok(wrong.into_iter().filter(|wrong| *wrong).count())
}

/// Counts what is spent between two addresses.
struct Between {
    range: std::ops::Range<u32>,
    entered: Option<u64>,
    cost: Cost,
}

impl Observer for Between {
    fn retire(&mut self, retired: &Retired, _state: &State) {
        if let Some(entered) = self.entered.take() {
            self.cost.cycles += retired.cycle - entered;
        }
        if self.range.contains(&retired.pc) {
            self.entered = Some(retired.cycle);
            self.cost.instructions += 1;
        }
    }
    fn access(&mut self, _access: &Access) {}
    fn transfer(&mut self, _transfer: &Transfer) {}
    fn trap(&mut self, _trap: &Trap) {}
}

/// The same network's description for the project's own compiler: `neurons` of one population, and nothing that reaches
/// them but their own drive.
pub fn description(neurons: usize) -> String {
    let zeros = vec!["0"; neurons].join(", ");
    format!(
        r#"name = "va"
time_step_ms = 1.0
steps = 100
dialect = "published"
schedule = ["nothing", "E"]

[[input]]
name = "none"
size = 1

[[population]]
name = "E"
size = {neurons}
{neuron}
[[projection]]
name = "nothing"
source = "none"
target = "E.IExc"
weights = {{ code = [{zeros}] }}

[[output]]
population = "E"
event = "Spike"
readout = "count"
"#,
        neuron = neuron("")
    )
}

/// The published equations, variables and parameters of a population in a description; `initial` is what `V` has more than
/// a type.
pub(crate) fn neuron(initial: &str) -> String {
    format!(
        r#"events = ["Spike"]
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
V = {{ type = "s5_10_sat_t"{initial} }}
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
}

/// What the neuron update costs in the program that the project's compiler made of [`description`].
///
/// # Errors
/// The program is another, or does not end.
pub fn compiled(image: &Image, profile: Profile) -> Result<Cost, Failure> {
    let symbol = image.symbol("update_E").ok_or("the program has no symbol update_E")?;
    let mut observer =
        Between { range: symbol.address..symbol.address + symbol.size, entered: None, cost: Cost::default() };
    let mut machine = Machine::from_image(image, Options { strict: false, profile, ..Options::default() })?;
    let outcome = machine.run(Limits { instructions: Some(10_000_000), ..Limits::NONE }, &mut observer);
    if !outcome.stop.is_end() {
        return Err(format!("the program did not end: {}", outcome.stop).into());
    }
    Ok(observer.cost)
}

#[cfg(test)]
mod tests {
    use super::*;
    use fenn_isa::timing::{CV32E40X, FENN, FUNCTIONAL};

    #[test]
    fn the_kernel_computes_the_equations() {
        assert_eq!(kernel_is_right(3).unwrap(), 0);
    }

    /// Counted by hand in the text above: a lost cycle a vector, between the comparison with the threshold and the store
    /// of the spikes, and two for the branch.
    #[test]
    fn a_turn_costs_what_it_was_reckoned_to() {
        let cost = |instructions, cycles| Cost { instructions, cycles };
        assert_eq!(published_loop(FUNCTIONAL).unwrap(), cost(122, 122));
        assert_eq!(published_loop(CV32E40X).unwrap(), cost(122, 122 + 4 + 2));
        // Five products, of which two are read right behind them; the comparison; and a branch that costs nothing.
        assert_eq!(published_loop(FENN).unwrap(), cost(122, 122 + 4 * 3));
    }
}
