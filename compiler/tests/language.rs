//! Programs of the equation language, compiled and run on the instruction-set simulator, against the interpreter: loops within
//! loops, functions within loops, several vectors with the last one not full, and everything with random numbers.

use fenn_compiler::backend::{self, compile};
use fenn_compiler::description::{Options, parse};
use fenn_compiler::interpret::{Interpreter, SpikeTrain};
use fenn_compiler::network::Network;
use fenn_isa::image::manifest::Data;
use fenn_isa::memory::Space;
use fenn_iss::{Limits, Machine, Options as MachineOptions, Stop};

/// A network of `size` neurons with the variables `V W X Y Z` (s4.11 saturating, s4.11, s2.13, s5.10 saturating, integer), a
/// random parameter `P` (s5.10) for each neuron and an event.
fn network(size: u32, equations: &str, settings: &str) -> Network {
    let random = r#"initial = { distribution = "normal", mean = 0, sd = 1 }"#;
    let variables: String =
        [("V", "s4_11_sat_t"), ("W", "s4_11_t"), ("X", "s2_13_t"), ("Y", "s5_10_sat_t"), ("Z", "int16_t")]
            .iter()
            .map(|(name, ty)| {
                let scale = if *ty == "int16_t" { random.replace("sd = 1", "sd = 10") } else { random.to_owned() };
                format!("{name} = {{ type = \"{ty}\", {scale} }}\n")
            })
            .collect();
    let outputs: String = ["V", "W", "X", "Y", "Z"]
        .iter()
        .map(|name| format!("[[output]]\npopulation = \"cells\"\nvariable = \"{name}\"\n"))
        .collect();
    let text = format!(
        "name = \"test\"\nsteps = 6\nseed = 3\n{settings}\n[[population]]\nname = \"cells\"\nsize = {size}\nevents = [\"Spike\"]\n\
         equations = '''{equations}'''\n[population.variables]\n{variables}[population.parameters]\n\
         P = {{ type = \"s5_10_t\", value = {{ distribution = \"uniform\", min = -4, max = 4 }} }}\n{outputs}\
         [[record]]\npopulation = \"cells\"\nevent = \"Spike\"\n"
    );
    let described = parse(&text, "test.toml", ".".as_ref(), &Options::default());
    described.unwrap_or_else(|remarks| panic!("{}", remarks.render(false))).network
}

/// Runs the network twice; `true` if it loops.
#[track_caller]
fn check(size: u32, equations: &str, settings: &str) {
    let network = network(size, equations, settings);
    let compiled = compile(&network, &backend::Options::default()).unwrap_or_else(|error| panic!("{error}"));
    let manifest = compiled.image.manifest.as_ref().unwrap();
    let options = MachineOptions { strict: true, ..MachineOptions::default() };
    let mut machine = Machine::from_image(&compiled.image, options).unwrap();
    let mut interpreter = Interpreter::new(&network).unwrap();
    for run in 0..2 {
        let entries = &manifest.entry_points;
        let entry = if run == 0 { entries.first() } else { entries.last() };
        machine.state_mut().pc = entry.unwrap().address;
        let outcome = machine.run(Limits { instructions: Some(10_000_000), ..Limits::default() }, &mut ());
        assert!(matches!(outcome.stop, Stop::Ecall { .. }), "{:?}", outcome.stop);
        let expected = interpreter.run(&[] as &[SpikeTrain]).unwrap();
        for (variable, output) in manifest.outputs.iter().enumerate() {
            let Data::Values(array) = &output.data else { panic!("variables are numbers") };
            let code = |neuron: u32| {
                let mut bytes = [0; 2];
                let address = array.address + neuron / 32 * array.stride + 2 * (neuron % 32);
                machine.read(Space::Vector, address, &mut bytes).unwrap();
                i16::from_le_bytes(bytes)
            };
            let found: Vec<i16> = (0..size).map(code).collect();
            assert_eq!(found, expected.finals[0][variable], "{size} neurons, run {run}, variable {variable}");
        }
        let Data::Spikes(array) = &manifest.recordings[0].data else { panic!("events are spikes") };
        let mut bytes = vec![0; 4 * (array.words * array.steps) as usize];
        machine.read(Space::Scalar, array.address, &mut bytes).unwrap();
        let words: Vec<u32> = bytes.chunks_exact(4).map(|word| u32::from_le_bytes(word.try_into().unwrap())).collect();
        let spikes: Vec<Vec<u32>> = words
            .chunks_exact(array.words as usize)
            .map(|words| (0..32 * array.words).filter(|n| words[*n as usize / 32] >> (n % 32) & 1 == 1).collect())
            .collect();
        assert_eq!(spikes, expected.events[0][0].steps(), "{size} neurons, run {run}");
    }
}

/// Fewer than a vector, one, two with the last not full, many.
const SIZES: [u32; 5] = [5, 32, 45, 96, 200];

#[track_caller]
fn check_all(equations: &str) {
    for size in SIZES {
        check(size, equations, "state = \"reset\"");
    }
    check(70, equations, "state = \"carried\"\nrounding = \"stochastic\"");
}

#[test]
fn the_published_poisson_source() {
    check_all(
        "s1_14_t p = 1.0h14; Z = 0;
         do { ++Z; p *= fennrand(); } while (p > 0.2h14);
         --Z; if (Z == 2) { Spike(); }",
    );
}

#[test]
fn loops_within_loops() {
    check_all(
        "for (int16_t i = 0; i < Z; i++) {
             if (V > 2.0h11) { V -= 1.0h11; continue; }
             for (int16_t j = i; j > 0 && W < 3.0h11; --j) {
                 W += 0.25h11;
                 if (W > V) { Spike(); break; }
                 Y += P;
             }
             V += 0.3h11;
             if (Y < P) break;
         }
         while (X > 0.5h13) { X = X >> 1; }
         Z = Z > 20 ? 0 : Z + 1;",
    );
}

#[test]
fn what_is_computed_before_and_after_loops_and_shares_registers() {
    check_all(
        "s4_11_t a = W, b = W, c;
         if (V > 0.0h11) { a += 1.0h11; } else { b -= 0.5h11; }
         int16_t n = 0;
         do {
             c = a; n++;
             if (n > Z) { a = b; } else { b = c; }
             s4_11_t t = a;
             a += 0.25h11;
             while (t > 1.0h11) { t -= 1.0h11; a -= t; if (a < -1.0h11) { Spike(); } }
             W = t;
         } while (n < 4);
         V = a; W += b; X = c @ 1.0h13;
         Spike();
         for (; n > 0; n--) Y += 0.1h10;",
    );
}

#[test]
fn functions_in_straight_code() {
    check_all(
        "V = exp(V) * tanh_15(X); W = log_11(Y) + sqrt(abs(W)); X = sigmoid_13(P) - 0.5h13;
         Y = clamp(reciprocal_10(Z), -2.0h10, P); if (exp_9(X) > 1.5h9) { Spike(); Y = sqrt(P); } Z += exp_0(X);",
    );
}

#[test]
fn functions_in_loops() {
    check_all(
        "for (int16_t i = 0; i < 3; i++) {
             V += 0.1h11 * (exp_11(X) - V);
             if (V > 1.0h11) { Spike(); V = -0.5h11; break; }
             X = tanh(X + 0.125h13);
             if (Y > 0.0h10) { Y = log(Y); continue; }
             W = sigmoid(W) > 0.3h11 ? sqrt_11(P) : reciprocal(W);
         }
         Z--;",
    );
}

/// Adaptive exponential neurons with a step of fourth order, as they are published for FeNN.
#[test]
fn adaptive_exponential_neurons() {
    check_all(
        "s4_11_sat_t v = V, k = 0.0h11, sum = 0.0h11;
         for (int16_t stage = 0; stage < 4; stage++) {
             v = V + (0.5h11 * k);
             k = (0.02h11 * (exp_11(v + 0.5h11) - v)) - (0.01h11 * W) + 0.05h11;
             sum += stage == 0 ? k : stage == 3 ? k : k + k;
         }
         V += sum * 0.1666h11;
         W += 0.01h11 * V;
         if (V > 1.0h11) { Spike(); V = -0.6h11; W += 0.05h11; }",
    );
}

/// What stands behind a `break` or a `continue` in the same branch is for no lane, while other lanes go on with the loop. The
/// expectation is worked out by hand, for neuron `n` with `Z = n`; the interpreter has no part in it.
#[test]
fn what_stands_behind_a_break_or_a_continue_is_for_no_lane() {
    let text = "name = \"test\"\nsteps = 1\nstate = \"reset\"\n[[population]]\nname = \"cells\"\nsize = 6\n\
        events = [\"Spike\"]\nequations = '''
            for (int16_t i = 0; i < 4; i++) {
                N++;
                if (i == Z) { L = i; break; L = 100; Spike(); }
                if (i == 1) { S++; continue; S += 50; Spike(); }
                D++;
            }
            while (B < 3) { B++; break; B += 20; Spike(); }
            if (L == 2) { Spike(); }'''
        [population.variables]
        Z = { type = \"int16_t\", initial = [0, 1, 2, 3, 4, 5] }
        N = { type = \"int16_t\", initial = 0 }
        L = { type = \"int16_t\", initial = -1 }
        S = { type = \"int16_t\", initial = 0 }
        D = { type = \"int16_t\", initial = 0 }
        B = { type = \"int16_t\", initial = 0 }\n";
    let names = ["N", "L", "S", "D", "B"];
    let outputs: String =
        names.iter().map(|name| format!("[[output]]\npopulation = \"cells\"\nvariable = \"{name}\"\n")).collect();
    let text = format!("{text}{outputs}[[record]]\npopulation = \"cells\"\nevent = \"Spike\"\n");
    let described = parse(&text, "test.toml", ".".as_ref(), &Options::default());
    let network = described.unwrap_or_else(|remarks| panic!("{}", remarks.render(false))).network;
    let compiled = compile(&network, &backend::Options::default()).unwrap_or_else(|error| panic!("{error}"));
    let manifest = compiled.image.manifest.as_ref().unwrap();
    let options = MachineOptions { strict: true, ..MachineOptions::default() };
    let mut machine = Machine::from_image(&compiled.image, options).unwrap();
    let outcome = machine.run(Limits { instructions: Some(100_000), ..Limits::default() }, &mut ());
    assert!(matches!(outcome.stop, Stop::Ecall { .. }), "{:?}", outcome.stop);
    // Iterations begun; where the loop was left; iterations cut short; whole iterations; turns of the second loop.
    let expected =
        [[1, 2, 3, 4, 4, 4], [0, 1, 2, 3, -1, -1], [0, 0, 1, 1, 1, 1], [0, 1, 1, 2, 3, 3], [1, 1, 1, 1, 1, 1]];
    for ((name, expected), output) in names.iter().zip(expected).zip(&manifest.outputs) {
        let Data::Values(array) = &output.data else { panic!("variables are numbers") };
        let mut bytes = [0; 12];
        machine.read(Space::Vector, array.address, &mut bytes).unwrap();
        let found: Vec<i16> = bytes.chunks_exact(2).map(|code| i16::from_le_bytes([code[0], code[1]])).collect();
        assert_eq!(found, expected, "{name}");
    }
    let Data::Spikes(array) = &manifest.recordings[0].data else { panic!("events are spikes") };
    let mut word = [0; 4];
    machine.read(Space::Scalar, array.address, &mut word).unwrap();
    assert_eq!(u32::from_le_bytes(word), 1 << 2, "only the neuron that left the loop in its third iteration spikes");
}
