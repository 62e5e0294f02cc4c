//! The kernels of `programs/kernels` do what their comments say.
//!
//! Each is assembled, run on the simulator (strict: an address out of range is a trap), and its results are compared with
//! a reference that was written separately, or with published results.

use fenn_assembler::assemble_text;
use fenn_isa::memory::{LANES, Space};
use fenn_iss::{Limits, Machine, Options, Stop};
use fenn_testbench::kernels::experiment::{self, exponential_of_all};
use fenn_testbench::kernels::network::{Synapse, pack, propagate};
use fenn_testbench::kernels::neuron::{Alif, Arithmetic, Decay, Lif};
use fenn_testbench::kernels::{Bench, KernelError, vectors};
use fenn_testbench::shared::data;
use rand_pcg::Pcg32;
use rand_pcg::rand_core::{Rng, SeedableRng};

/// Numbers from 0 up to, and without, `end`.
fn below(source: &mut Pcg32, end: u32) -> u32 {
    source.next_u32() % end
}

fn half(source: &mut Pcg32) -> i16 {
    source.next_u32() as i16
}

fn halves(source: &mut Pcg32, count: usize) -> Vec<i16> {
    (0..count).map(|_| half(source)).collect()
}

#[test]
fn memory_scalar() {
    let mut bench = Bench::new(&["memory_scalar"]).unwrap();
    let mut source = Pcg32::seed_from_u64(1);
    // Every combination of alignments, and lengths around whole words.
    for (to, from) in (0..4).flat_map(|to| (0..4).map(move |from| (1000 + to, 2000 + from))) {
        for length in (0..10).chain([63, 64, 65]) {
            let before: Vec<u8> = (0..3000).map(|_| source.next_u32() as u8).collect();
            bench.set_bytes(Space::Scalar, 0, &before).unwrap();
            bench.call("memcpy_scalar", &[to, from, length]).unwrap();
            let (to, from, length) = (to as usize, from as usize, length as usize);
            let mut after = before.clone();
            after[to..to + length].copy_from_slice(&before[from..from + length]);
            assert_eq!(bench.bytes(Space::Scalar, 0, 3000).unwrap(), after, "copy {length} from {from} to {to}");

            bench.call("memset_scalar", &[to as u32, 0x1a5, length as u32]).unwrap();
            after[to..to + length].fill(0xa5);
            assert_eq!(bench.bytes(Space::Scalar, 0, 3000).unwrap(), after, "fill {length} at {to}");
        }
    }
}

#[test]
fn memory_vector() {
    const COUNT: usize = 100 * LANES;
    let mut bench = Bench::new(&["memory_vector"]).unwrap();
    let mut source = Pcg32::seed_from_u64(2);
    for length in (0..10).chain([30]) {
        let mut after = halves(&mut source, COUNT);
        bench.set_halves(Space::Vector, 0, &after).unwrap();
        let outcome = bench.call("memcpy_vector", &[vectors(5), vectors(50), vectors(length)]).unwrap();
        let lanes = length as usize * LANES;
        after.copy_within(50 * LANES..50 * LANES + lanes, 5 * LANES);
        assert_eq!(bench.halves(Space::Vector, 0, COUNT).unwrap(), after, "copy {length}");
        let loops = u64::from(length / 4 * 11 + length % 4 * 5);
        assert!(outcome.instructions <= loops + 7, "{} instructions for {length} vectors", outcome.instructions);

        bench.call("memset_vector", &[vectors(60), 0xffff_8001, vectors(length)]).unwrap();
        after[60 * LANES..60 * LANES + lanes].fill(-32_767);
        assert_eq!(bench.halves(Space::Vector, 0, COUNT).unwrap(), after, "fill {length}");
    }
    // The low 16 bits count, whatever is above them.
    bench.call("memset_vector", &[0, 0x1234_9000, 64]).unwrap();
    assert_eq!(bench.halves(Space::Vector, 0, 1).unwrap(), [0x9000_u16 as i16]);
}

#[test]
fn memory_lane() {
    const ROWS: usize = 100;
    let mut bench = Bench::new(&["memory_lane"]).unwrap();
    let mut source = Pcg32::seed_from_u64(3);
    // The host sees row after row of 32 lanes; a row is 2 bytes of each lane.
    for rows in [0, 1, 2, 17] {
        let mut after = halves(&mut source, ROWS * LANES);
        bench.set_halves(Space::LaneLocal, 0, &after).unwrap();
        bench.call("memcpy_lane", &[2 * 10, 2 * 50, 2 * rows]).unwrap();
        let lanes = rows as usize * LANES;
        after.copy_within(50 * LANES..50 * LANES + lanes, 10 * LANES);
        assert_eq!(bench.halves(Space::LaneLocal, 0, ROWS * LANES).unwrap(), after, "copy {rows}");

        bench.call("memset_lane", &[2 * 70, 0x8765, 2 * rows]).unwrap();
        after[70 * LANES..70 * LANES + lanes].fill(0x8765_u16 as i16);
        assert_eq!(bench.halves(Space::LaneLocal, 0, ROWS * LANES).unwrap(), after, "fill {rows}");

        let incoming = halves(&mut source, lanes);
        bench.set_halves(Space::Vector, vectors(7), &incoming).unwrap();
        bench.call("lane_from_vector", &[2 * 30, vectors(7), 2 * rows]).unwrap();
        after[30 * LANES..30 * LANES + lanes].copy_from_slice(&incoming);
        assert_eq!(bench.halves(Space::LaneLocal, 0, ROWS * LANES).unwrap(), after, "from vectors {rows}");

        bench.set_halves(Space::Vector, 0, &vec![0; 200 * LANES]).unwrap();
        bench.call("lane_to_vector", &[vectors(100), 2 * 29, 2 * rows]).unwrap();
        let outgoing = bench.halves(Space::Vector, vectors(100), lanes + LANES).unwrap();
        assert_eq!(outgoing[..lanes], after[29 * LANES..29 * LANES + lanes], "to vectors {rows}");
        assert_eq!(outgoing[lanes..], [0; LANES], "to vectors {rows}, and not beyond");
    }
}

#[test]
fn memory_dram() {
    const COUNT: usize = 100 * LANES;
    let mut bench = Bench::new(&["memory_dram"]).unwrap();
    let mut source = Pcg32::seed_from_u64(4);
    for (length, buffer) in [(0, 4), (1, 4), (4, 4), (30, 4), (31, 7), (3, 30)] {
        let mut after = halves(&mut source, COUNT);
        bench.set_halves(Space::Dram, 0, &after).unwrap();
        let arguments = [vectors(2), vectors(40), vectors(length), vectors(3), vectors(buffer)];
        bench.call("memcpy_dram", &arguments).unwrap();
        assert_eq!(bench.result(), 0);
        let lanes = length as usize * LANES;
        after.copy_within(40 * LANES..40 * LANES + lanes, 2 * LANES);
        assert_eq!(bench.halves(Space::Dram, 0, COUNT).unwrap(), after, "copy {length} by {buffer}");

        bench.call("memset_dram", &[vectors(60), 0xfffe, vectors(length), 0, vectors(buffer)]).unwrap();
        assert_eq!(bench.result(), 0);
        after[60 * LANES..60 * LANES + lanes].fill(-2);
        assert_eq!(bench.halves(Space::Dram, 0, COUNT).unwrap(), after, "fill {length} by {buffer}");
    }
    // An address that is no multiple of 64 is an internal error, bit 4; one outside DRAM a decode error, bit 5.
    bench.call("memcpy_dram", &[0, 32, 64, 0, 64]).unwrap();
    assert_eq!(bench.result(), 1 << 4);
    bench.call("memset_dram", &[0x7fff_ffc0, 0, 64, 0, 64]).unwrap();
    assert_eq!(bench.result(), 1 << 5);
}

/// Spike words of `sources` sources, about one in `rarity` firing.
fn spikes(source: &mut Pcg32, sources: usize, rarity: u32) -> Vec<u32> {
    let mut words = vec![0; sources.div_ceil(32)];
    (0..sources).filter(|_| below(source, rarity) == 0).for_each(|index| words[index / 32] |= 1 << (index % 32));
    words
}

#[test]
fn propagate_dense() {
    const SOURCES: usize = 70;
    let mut bench = Bench::new(&["propagate_dense"]).unwrap();
    let mut source = Pcg32::seed_from_u64(5);
    for row in [1, 3, 4, 9] {
        let targets = row * LANES;
        let fired = spikes(&mut source, SOURCES, 3);
        let weights = halves(&mut source, SOURCES * targets);
        let mut inputs = halves(&mut source, targets);
        let addresses = [vectors(10), vectors(1000)];
        bench.set_words(64, &fired).unwrap();
        bench.set_halves(Space::Vector, addresses[0], &inputs).unwrap();
        bench.set_halves(Space::Vector, addresses[1], &weights).unwrap();
        let bytes = vectors(row as u32);
        bench.call("propagate_dense", &[64, fired.len() as u32, addresses[1], bytes, addresses[0]]).unwrap();
        let synapse = |(target, weight): (usize, &i16)| Synapse { target, weight: *weight, delay: 0 };
        let rows: Vec<Vec<Synapse>> =
            weights.chunks(targets).map(|row| row.iter().enumerate().map(synapse).collect()).collect();
        propagate(&mut inputs, &fired, &rows);
        assert_eq!(bench.halves(Space::Vector, addresses[0], targets).unwrap(), inputs, "{row} vectors per row");
        assert!(inputs.contains(&i16::MAX) && inputs.contains(&i16::MIN), "some sums saturate");
    }
    // No words, and no spikes.
    for words in [0, 3] {
        bench.set_words(64, &[0; 3]).unwrap();
        let before = bench.halves(Space::Vector, 0, 2000).unwrap();
        bench.call("propagate_dense", &[64, words, vectors(1000), 64, vectors(10)]).unwrap();
        assert_eq!(bench.halves(Space::Vector, 0, 2000).unwrap(), before);
    }
}

/// Random synapses: up to 20 per source, several of them onto the same target.
fn synapses(source: &mut Pcg32, sources: usize, targets: u32, weight: u32, delays: u32) -> Vec<Vec<Synapse>> {
    let mut one = |_| Synapse {
        target: below(source, targets) as usize,
        weight: (below(source, 2 * weight) as i32 - weight as i32) as i16,
        delay: below(source, delays) as usize,
    };
    (0..sources).map(|index| (0..(index * 7) % 21).map(&mut one).collect()).collect()
}

#[test]
fn propagate_sparse() {
    const SOURCES: usize = 96;
    const PER_LANE: usize = 5;
    let mut bench = Bench::new(&["propagate_sparse"]).unwrap();
    let mut source = Pcg32::seed_from_u64(6);
    for base in [0, 200] {
        let rows = synapses(&mut source, SOURCES, (PER_LANE * LANES) as u32, 32, 1);
        let (packed, length) = pack(&rows, 10, 0);
        assert!(length > 1, "a lane with two synapses of one source");
        let fired = spikes(&mut source, SOURCES, 2);
        // Near the end of the range, so that sums saturate.
        let mut inputs: Vec<i16> = (0..PER_LANE * LANES).map(|i| if i % 2 == 0 { 32_760 } else { -32_760 }).collect();
        bench.set_words(0, &fired).unwrap();
        bench.set_halves(Space::LaneLocal, base * LANES as u32, &inputs).unwrap();
        bench.set_halves(Space::Vector, 64, &packed).unwrap();
        let bytes = vectors(length as u32);
        bench.call("propagate_sparse", &[0, fired.len() as u32, 64, bytes, base]).unwrap();
        propagate(&mut inputs, &fired, &rows);
        assert_eq!(bench.halves(Space::LaneLocal, base * LANES as u32, inputs.len()).unwrap(), inputs);
        assert!(inputs.contains(&i16::MAX) && inputs.contains(&i16::MIN), "some sums saturate");
    }
}

#[test]
fn propagate_delayed() {
    const SOURCES: usize = 64;
    const PER_LANE: usize = 4;
    const SLOTS: usize = 64;
    const TARGETS: usize = PER_LANE * LANES;
    const RING: u32 = 512;
    let mut bench = Bench::new(&["propagate_delayed"]).unwrap();
    let mut source = Pcg32::seed_from_u64(7);
    let rows = synapses(&mut source, SOURCES, TARGETS as u32, 64, SLOTS as u32);
    let (packed, length) = pack(&rows, 9, PER_LANE);
    bench.set_halves(Space::Vector, vectors(100), &packed).unwrap();
    // What arrives in each step, kept for all steps there are rather than in a ring.
    const STEPS: usize = 150;
    let mut arriving = vec![vec![0i16; TARGETS]; STEPS + SLOTS];
    for now in 0..STEPS {
        let fired = spikes(&mut source, SOURCES, 4);
        bench.set_words(0, &fired).unwrap();
        let slot = 2 * PER_LANE as u32 * (now % SLOTS) as u32;
        bench.call("propagate_delayed", &[0, 2, vectors(100), vectors(length as u32), RING, slot]).unwrap();
        for (delay, inputs) in arriving[now..now + SLOTS].iter_mut().enumerate() {
            let of_delay = |row: &Vec<Synapse>| row.iter().copied().filter(|synapse| synapse.delay == delay).collect();
            propagate(inputs, &fired, &rows.iter().map(of_delay).collect::<Vec<_>>());
        }
        bench.call("collect_delayed", &[0, RING + slot, PER_LANE as u32]).unwrap();
        assert_eq!(bench.halves(Space::Vector, 0, TARGETS).unwrap(), arriving[now], "step {now}");
    }
    assert!(arriving[STEPS - 1].iter().any(|input| *input != 0), "something arrives");
}

#[test]
fn dma_rows() {
    const ROW: u32 = 16;
    let mut bench = Bench::new(&["dma_rows"]).unwrap();
    let mut source = Pcg32::seed_from_u64(8);
    let lanes = ROW as usize * LANES;
    let weights = halves(&mut source, 40 * lanes);
    bench.set_halves(Space::Dram, 0x10_0000, &weights).unwrap();
    let mut cycles = Vec::new();
    for count in [0, 1, 2, 3, 20] {
        let list: Vec<u32> = (0..count).map(|_| below(&mut source, 40)).collect();
        let mut inputs = halves(&mut source, lanes);
        bench.set_words(0, &list).unwrap();
        bench.set_halves(Space::Vector, 0, &inputs).unwrap();
        let arguments = [0, count, 0x10_0000, vectors(ROW), 0, vectors(ROW)];
        cycles.push(bench.call("dma_rows", &arguments).unwrap().cycles);
        assert_eq!(bench.result(), 0);
        let synapse = |(target, weight): (usize, &i16)| Synapse { target, weight: *weight, delay: 0 };
        let rows: Vec<Vec<Synapse>> =
            weights.chunks(lanes).map(|row| row.iter().enumerate().map(synapse).collect()).collect();
        // One row after the other, in the list's order.
        for row in &list {
            propagate(&mut inputs, &[1], std::slice::from_ref(&rows[*row as usize]));
        }
        assert_eq!(bench.halves(Space::Vector, 0, lanes).unwrap(), inputs, "{count} rows");
    }
    // A transfer takes 74 cycles and an addition about 130: one row more costs about an addition, not both.
    let per_row = (cycles[4] - cycles[3]) / 17;
    assert!((7 * 16..7 * 16 + 30).contains(&per_row), "{per_row} cycles for each row more");
    bench.set_words(0, &[0]).unwrap();
    bench.call("dma_rows", &[0, 1, 32, vectors(ROW), 0, vectors(ROW)]).unwrap();
    assert_eq!(bench.result(), 1 << 4);
}

#[test]
fn neuron_lif() {
    const NEURONS: usize = 3 * LANES;
    const ALPHA: i16 = 31_170;
    const THETA: i16 = 20 << 5;
    const TAU: i16 = 5;
    let mut bench = Bench::new(&["neuron_lif"]).unwrap();
    let mut source = Pcg32::seed_from_u64(9);
    let mut neurons = [Lif::default(); NEURONS];
    let [v, i, r] = [0, 3, 6].map(vectors);
    let mut spikes = 0;
    for step in 0..200 {
        // Mostly moderate, sometimes anything: sums saturate.
        let mut input = |_| if below(&mut source, 20) == 0 { half(&mut source) } else { half(&mut source) / 64 + 60 };
        let inputs: Vec<i16> = (0..NEURONS).map(&mut input).collect();
        bench.set_halves(Space::Vector, i, &inputs).unwrap();
        let parameters = [ALPHA, THETA, TAU].map(|value| value as u32);
        bench.call("neuron_lif", &[v, i, r, 0, 3, parameters[0], parameters[1], parameters[2]]).unwrap();
        let fires: Vec<bool> =
            neurons.iter_mut().zip(&inputs).map(|(neuron, input)| neuron.step(*input, ALPHA, THETA, TAU)).collect();
        let word = |fires: &[bool]| fires.iter().rev().fold(0u32, |word, fires| 2 * word + u32::from(*fires));
        assert_eq!(bench.words(0, 3).unwrap(), fires.chunks(LANES).map(word).collect::<Vec<_>>(), "step {step}");
        assert_eq!(bench.halves(Space::Vector, v, NEURONS).unwrap(), neurons.map(|neuron| neuron.v), "step {step}");
        assert_eq!(bench.halves(Space::Vector, r, NEURONS).unwrap(), neurons.map(|neuron| neuron.refractory));
        assert_eq!(bench.halves(Space::Vector, i, NEURONS).unwrap(), [0; NEURONS]);
        spikes += fires.iter().filter(|fires| **fires).count();
    }
    assert!((500..5000).contains(&spikes), "{spikes} spikes");
}

#[test]
fn neuron_alif_of_several_vectors() {
    const NEURONS: usize = 2 * LANES;
    let mut bench = Bench::new(&["multiply", "neuron_alif"]).unwrap();
    let mut source = Pcg32::seed_from_u64(10);
    let mut lanes = bench.seed(11, vectors(20)).unwrap();
    let parameters = experiment::adaptive_parameters();
    bench.set_halves(Space::Scalar, 256, &parameters.halves()).unwrap();
    let mut neurons = [Alif::default(); NEURONS];
    let [v, i, r, a] = [0, 2, 4, 6].map(vectors);
    let mut spikes = 0;
    for step in 0..300 {
        let mut input = |_| if below(&mut source, 20) == 0 { half(&mut source) } else { half(&mut source) / 16 + 500 };
        let inputs: Vec<i16> = (0..NEURONS).map(&mut input).collect();
        bench.set_halves(Space::Vector, i, &inputs).unwrap();
        bench.call("neuron_alif", &[v, i, r, a, 0, 2, 256]).unwrap();
        let mut fired = [0u32; 2];
        for (index, neuron) in neurons.iter_mut().enumerate() {
            let fires = neuron.step(inputs[index], &parameters, Arithmetic::KERNEL, &mut lanes[index % LANES]);
            fired[index / LANES] += u32::from(fires) << (index % LANES);
        }
        assert_eq!(bench.words(0, 2).unwrap(), fired, "step {step}");
        assert_eq!(bench.halves(Space::Vector, v, NEURONS).unwrap(), neurons.map(|neuron| neuron.v), "step {step}");
        assert_eq!(bench.halves(Space::Vector, a, NEURONS).unwrap(), neurons.map(|neuron| neuron.a), "step {step}");
        assert_eq!(bench.halves(Space::Vector, r, NEURONS).unwrap(), neurons.map(|neuron| neuron.refractory));
        assert_eq!(bench.halves(Space::Vector, i, NEURONS).unwrap(), [0; NEURONS]);
        spikes += fired.iter().map(|word| word.count_ones()).sum::<u32>();
    }
    assert!((500..10_000).contains(&spikes), "{spikes} spikes");
}

#[test]
fn neuron_alif_published() {
    let Some(numerics) = data("numerics") else { return };
    let inputs = numerics.join("poisson_data.bin");
    let published = experiment::published_trace(&numerics.join("out_alif_14_9.txt.gz")).unwrap();
    let down = experiment::adaptive(&inputs, Arithmetic { decay: Decay::Down, ..Arithmetic::KERNEL }, 1).unwrap();
    assert_eq!(published.len(), 160_000);
    assert!(down.trace == published, "rounded down, every V and A is the published one");
    assert_eq!((down.unlike_reference, down.float_spikes), (0, 91));
    let stochastic = experiment::adaptive(&inputs, Arithmetic::KERNEL, 1).unwrap();
    assert_eq!(stochastic.unlike_reference, 0);
    assert!(stochastic.error[1] <= 0.010, "{:?}", stochastic.error);
}

/// Inputs that drive V beyond what s1.14 holds: sums that saturate stay near the floating-point neuron, those that wrap do not.
#[test]
fn neuron_alif_overdriven() {
    let Some(numerics) = data("numerics") else { return };
    let inputs = numerics.join("poisson_data_bad.bin");
    for decay in [Decay::Nearest, Decay::Stochastic] {
        let [saturating, wrapping] =
            [true, false].map(|saturating| experiment::adaptive(&inputs, Arithmetic { decay, saturating }, 1).unwrap());
        assert_eq!((saturating.unlike_reference, wrapping.unlike_reference), (0, 0), "{decay:?}");
        assert_eq!(saturating.float_spikes, 175);
        assert!(saturating.error[0] < 0.5 * wrapping.error[0], "{:?}, {:?}", saturating.error, wrapping.error);
    }
}

#[test]
fn products() {
    let [operands, expected] = experiment::generated_products(1562, 7);
    let generated = experiment::products(&operands, &expected, 3).unwrap();
    assert_eq!((generated.count, generated.wrong), (1562 * 32, 0));
    assert_eq!((generated.outside, generated.unlike_reference), (0, 0));
    assert!(generated.mean_error.abs() < 0.01, "{}", generated.mean_error);
    let Some(numerics) = data("numerics") else { return };
    let [operands, expected] = experiment::published_products(&numerics).unwrap();
    let published = experiment::products(&operands, &expected, 3).unwrap();
    assert_eq!((published.count, published.wrong), (680 * 32, 0));
    assert_eq!((published.outside, published.unlike_reference), (0, 0));
    assert!(published.mean_error.abs() < 0.01, "{}", published.mean_error);
}

#[test]
fn poisson() {
    let poisson = experiment::poisson(5.0, 1000, 1).unwrap();
    assert_eq!(poisson.unlike_reference, 0);
    assert!(poisson.fit.p > 0.01, "{:?}", poisson.fit);
}

#[test]
fn exp_published() {
    let Some(path) = data("numerics/exp_fenn.npz") else { return };
    let published = experiment::published_exponential(&path).unwrap();
    assert_eq!(published.len(), 65_536);
    let ours = exponential_of_all(13, 9).unwrap();
    assert_eq!(ours.wrong, 0);
    for (code, value) in (i16::MIN..=i16::MAX).zip(&ours.values) {
        assert_eq!(i64::from(*value), published[&code], "exp of code {code}");
    }
}

/// In every format: never negative, never falling, and the greatest number where the function is beyond it.
#[test]
fn exp_saturates() {
    for (from, to) in [(12, 9), (11, 9), (10, 9), (14, 9), (5, 0), (5, 14), (8, 6), (13, 14)] {
        let ours = exponential_of_all(from, to).unwrap();
        assert_eq!(ours.wrong, 0, "s{}.{from} to s{}.{to}", 15 - from, 15 - to);
        assert!(ours.values[0] >= 0 && ours.values.is_sorted(), "s{}.{from} to s{}.{to}", 15 - from, 15 - to);
        let exact = |code: i16| (f64::from(code) / 2f64.powi(from as i32)).exp() * 2f64.powi(to as i32);
        for (code, value) in (i16::MIN..=i16::MAX).zip(&ours.values) {
            let exact = exact(code);
            let good = if exact > 33_000.0 { *value == i16::MAX } else { true };
            assert!(good, "exp of code {code} in s{}.{from}", 15 - from);
        }
    }
}

#[test]
fn mistakes_are_told() {
    assert!(matches!(Bench::new(&["nothing"]), Err(KernelError::Read { .. })));
    assert!(matches!(Bench::changed(&["exp"], &[("no such text", "")]), Err(KernelError::NoText(_))));
    let mut bench = Bench::new(&["exp"]).unwrap();
    assert!(matches!(bench.call("log", &[]), Err(KernelError::NoSymbol(_))));
    // Strict: the second vector lies beyond the end of vector memory.
    let end = 512 * 1024 - 64;
    assert!(matches!(bench.call("exp", &[0, end, 2]), Err(KernelError::Stopped { .. })));
}

/// The program in the kernels' README is assembled with `exp.s` and leaves what its comment says.
#[test]
fn readme() {
    let folder = fenn_testbench::shared::root().join("programs/kernels");
    let text = std::fs::read_to_string(folder.join("README.md")).unwrap();
    let program = text.split("```asm").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let kernel = std::fs::read_to_string(folder.join("exp.s")).unwrap();
    let image = assemble_text("README.md", &format!("{program}\n{kernel}")).unwrap();
    let mut machine = Machine::from_image(&image, Options { strict: true, ..Options::default() }).unwrap();
    let outcome = machine.run(Limits { instructions: Some(10_000), ..Limits::default() }, &mut ());
    assert!(matches!(outcome.stop, Stop::Ecall { .. }), "{outcome:?}");
    let bytes = machine.read_bytes(Space::Vector, image.symbol("y").unwrap().address, 64).unwrap();
    let values: Vec<i16> = bytes.chunks(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
    let comment = program.lines().find_map(|line| line.split_once("# ").filter(|_| line.starts_with("y:"))).unwrap().1;
    let stated: Vec<i16> =
        comment.split(" in ").next().unwrap().split(", ").map(|code| code.parse().unwrap()).collect();
    assert_eq!(values[..4], stated);
    assert_eq!(values[4..], [512; 28]);
}

/// Every function of the kernels is called by a test of this file or an experiment; programs of their own have no functions.
#[test]
fn every_kernel_is_here() {
    let callers = concat!(include_str!("kernels.rs"), include_str!("../src/kernels/experiment.rs"));
    let seed = include_str!("../src/kernels.rs");
    let mut count = 0;
    for entry in std::fs::read_dir(fenn_testbench::shared::root().join("programs/kernels")).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        if path.extension().is_none_or(|extension| extension != "s") || text.contains("_start:") {
            continue;
        }
        for function in text.lines().filter_map(|line| line.trim().strip_prefix(".globl")) {
            let call = format!("call(\"{}\"", function.trim());
            assert!(callers.contains(&call) || seed.contains(&call), "{}: no test calls {function}", path.display());
            count += 1;
        }
    }
    eprintln!("{count} kernels equal to their references");
    assert!(count >= 22, "{count}");
}
