//! `exp`, `log`, `sqrt`, `reciprocal`, `sigmoid` and `tanh` of every code in every format, against double precision and
//! against the published table.

use fenn_compiler::diagnostic::Source;
use fenn_compiler::equation::{Declarations, Options, compile};
use fenn_compiler::interpret::{Interpreter, SpikeTrain};
use fenn_compiler::kernel::Type;
use fenn_compiler::network::{Network, Output, Phase, Population, Quantity, Readout, StatePolicy, Values, Variable};
use fenn_isa::fixed::Format;

/// A network that computes `y = function(x)` for all codes x.
fn network(function: &str, from: Format, to: Format) -> Network {
    let ty = |format| Type { format, saturating: false };
    let declarations = Declarations {
        variables: vec![("x".to_owned(), ty(from)), ("y".to_owned(), ty(to))],
        ..Declarations::default()
    };
    let text = format!("y = {function}_{}(x);", to.fraction_bits());
    let source = Source { name: "test", text: &text };
    let (kernel, _) = compile(&source, &declarations, &Options::default()).unwrap();
    let codes = Values::PerNeuron((i16::MIN..=i16::MAX).collect());
    let variable = |initial| Variable { initial, reset: true };
    Network {
        name: "function".to_owned(),
        time_step_ms: None,
        steps: 1,
        state: StatePolicy::Reset,
        seed: 1,
        inputs: Vec::new(),
        populations: vec![Population {
            name: "all".to_owned(),
            size: 1 << 16,
            kernel,
            variables: vec![variable(codes), variable(Values::Uniform(0))],
            parameters: Vec::new(),
        }],
        projections: Vec::new(),
        schedule: vec![Phase::Update(0)],
        outputs: vec![Output { population: 0, quantity: Quantity::Variable(1), readout: Readout::Last }],
        recordings: Vec::new(),
    }
}

/// The function of every code, from -32768 upwards.
fn all(function: &str, from: Format, to: Format) -> Vec<i16> {
    let network = network(function, from, to);
    let run = Interpreter::new(&network).unwrap().run(&[] as &[SpikeTrain]).unwrap();
    run.finals[0][1].clone()
}

fn exact(function: &str, x: f64) -> f64 {
    match function {
        "exp" => x.exp(),
        "log" if x <= 0.0 => f64::NEG_INFINITY,
        "log" => x.ln(),
        "sqrt" => x.max(0.0).sqrt(),
        "reciprocal" if x == 0.0 => f64::INFINITY,
        "reciprocal" => x.recip(),
        "sigmoid" => 1.0 / (1.0 + (-x).exp()),
        "tanh" => x.tanh(),
        _ => panic!("{function}"),
    }
}

/// The greatest distance from the exact number, which saturates too, in units of the result's format; where; and the mean.
fn distance(function: &str, from: Format, to: Format) -> (f64, i16, f64) {
    let unit = f64::from(1u32 << to.fraction_bits());
    let mut worst = (0.0, 0);
    let mut sum = 0.0;
    for (x, y) in (i16::MIN..=i16::MAX).zip(all(function, from, to)) {
        let expected = (exact(function, from.to_f64(x)) * unit).clamp(-32768.0, 32767.0);
        let error = (f64::from(y) - expected).abs();
        sum += error;
        if error > worst.0 {
            worst = (error, x);
        }
    }
    (worst.0, worst.1, sum / 65536.0)
}

/// The stated bound for `function` of any format in a format of `bits` fraction bits, in units of that format, as the
/// documentation of the language has it.
fn bound(function: &str, bits: u8) -> f64 {
    // Up to 8 fraction bits, then 9 to 15.
    let bounds = match function {
        "exp" => [3.8, 3.4, 3.5, 2.4, 2.8, 3.8, 3.3, 2.4],
        "log" => [1.0, 1.0, 1.0, 1.1, 1.2, 1.3, 1.6, 1.7],
        "sqrt" => [3.0; 8],
        "reciprocal" => [2.5; 8],
        "sigmoid" => [0.6, 0.6, 0.7, 0.8, 1.1, 1.6, 2.7, 4.3],
        "tanh" => [0.6, 0.6, 0.8, 0.9, 1.3, 2.2, 3.5, 6.6],
        _ => panic!("{function}"),
    };
    bounds[usize::from(bits.max(8) - 8)]
}

/// Every format to every format: within the bound, which is stated no larger than it has to be.
fn check_bounds(function: &str) {
    let mut largest = [0f64; 8];
    let mut beyond = Vec::new();
    for to in Format::all() {
        for from in Format::all() {
            let (worst, x, _) = distance(function, from, to);
            if worst > bound(function, to.fraction_bits()) {
                beyond.push(format!("{function}_{} of {from} code {x}: {worst}", to.fraction_bits()));
            }
            let largest = &mut largest[usize::from(to.fraction_bits().max(8) - 8)];
            *largest = largest.max(worst);
        }
    }
    let tight = (8..).zip(largest).all(|(bits, largest)| largest > bound(function, bits) - 0.1);
    assert!(beyond.is_empty() && tight, "{function} is {largest:.4?} off, for 8 to 15 bits\n{}", beyond.join("\n"));
}

#[test]
fn exp_is_within_its_bounds() {
    check_bounds("exp");
}

#[test]
fn log_is_within_its_bounds() {
    check_bounds("log");
}

#[test]
fn sqrt_is_within_its_bounds() {
    check_bounds("sqrt");
}

#[test]
fn reciprocal_is_within_its_bounds() {
    check_bounds("reciprocal");
}

#[test]
fn sigmoid_is_within_its_bounds() {
    check_bounds("sigmoid");
}

#[test]
fn tanh_is_within_its_bounds() {
    check_bounds("tanh");
}

/// What is exact in real numbers and in the formats comes out exactly.
#[test]
fn simple_arguments_have_simple_results() {
    let s5_10 = Format::new(10).unwrap();
    let of = |function, number: f64| {
        let code = s5_10.quantize(number).unwrap().code;
        s5_10.to_f64(all(function, s5_10, s5_10)[(i32::from(code) + 32768) as usize])
    };
    assert_eq!([0.25, 0.5, 1.0, 2.0, -4.0].map(|x| of("reciprocal", x)), [4.0, 2.0, 1.0, 0.5, -0.25]);
    assert_eq!([0.0, 0.25, 1.0, 4.0, 16.0, -3.0].map(|x| of("sqrt", x)), [0.0, 0.5, 1.0, 2.0, 4.0, 0.0]);
    assert_eq!([1.0, 0.0, -1.0].map(|x| of("log", x)), [0.0, -32.0, -32.0]);
    assert_eq!([0.0, 20.0, -20.0].map(|x| of("tanh", x)), [0.0, 1.0, -1.0]);
    assert_eq!([0.0, 20.0, -20.0].map(|x| of("sigmoid", x)), [0.5, 1.0, 0.0]);
    assert_eq!([0.0, 10.0, -20.0].map(|x| of("exp", x)), [1.0, 32767.0 / 1024.0, 0.0]);
    assert_eq!(of("reciprocal", 0.0), 32767.0 / 1024.0);
}

/// The published algorithm's figures: 95.892 % of s2.13 to s6.9 are less than one unit off, and none falls.
#[test]
fn exp_is_as_good_as_the_published_one() {
    let (from, to) = (Format::new(13).unwrap(), Format::new(9).unwrap());
    let codes = all("exp", from, to);
    let near = (i16::MIN..=i16::MAX).zip(&codes);
    let near = near.filter(|(x, y)| (f64::from(**y) - 512.0 * from.to_f64(*x).exp()).abs() < 1.0).count();
    assert_eq!(format!("{:.3}", 100.0 * near as f64 / 65536.0), "95.892");
    assert!(codes.is_sorted());
    let (worst, _, mean) = distance("exp", from, to);
    assert_eq!(format!("{worst:.2} {mean:.3}"), "3.31 0.511");
}

/// And it is the published one, bit for bit.
#[test]
fn exp_is_the_published_one() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/numerics/exp_fenn.npz");
    if !path.exists() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{} is missing", path.display());
        eprintln!("skipped: {} is missing", path.display());
        return;
    }
    let mut archive = zip::ZipArchive::new(std::fs::File::open(path).unwrap()).unwrap();
    let mut numbers = |name: &str| -> Vec<f64> {
        let mut bytes = Vec::new();
        std::io::copy(&mut archive.by_name(name).unwrap(), &mut bytes).unwrap();
        npyz::NpyFile::new(&bytes[..]).unwrap().into_vec().unwrap()
    };
    let (x, published) = (numbers("x.npy"), numbers("exp_x.npy"));
    let (from, to) = (Format::new(13).unwrap(), Format::new(9).unwrap());
    let codes = all("exp", from, to);
    for (x, published) in x.into_iter().zip(published) {
        let code = from.quantize(x).unwrap();
        assert!(!code.saturated && from.to_f64(code.code) == x);
        assert_eq!(to.to_f64(codes[(i32::from(code.code) + 32768) as usize]), published, "exp({x})");
    }
}
