//! What the program's parts do, as the manifest has it for profilers.
//!
//! Contract: sections are read off the image's symbols, lanes off the placement, synapses off the network. A lane is spent
//! wherever an addition of weights is executed; that a spike's row has been found costs none.

use fenn_isa::image::manifest::{Counts, Event, Footprint, Lanes, Origin, PhaseKind, Projection, Rows, Section, Work};
use fenn_isa::image::{Image, Symbol, SymbolKind};
use fenn_isa::memory::{LANES, Space};

use super::phases;
use crate::lower::{INIT, RUN};
use crate::network::{Delays, Network, Source, Values, Weights};
use crate::place::{Action, Bundle, Part, Placement, Slots, SparseRows, When};

/// The most rows sorted by delay that are described one by one; those of large networks would be as long as the network.
const MOST_SORTED: usize = 1 << 18;

/// What the parts of `image`, the program of `network`, do.
pub(super) fn describe(network: &Network, placement: &Placement, image: &Image) -> Work {
    let (sections, first_action) = sections(network, placement, image);
    let section = |action: Action| {
        let at = placement.actions.iter().position(|other| *other == action);
        // The placement's actions are those of its bundles and the network's populations.
        (first_action + at.unwrap_or(0)) as u32
    };
    let mut events = Vec::new();
    let mut of_population = Vec::new();
    for (index, population) in network.populations.iter().enumerate() {
        of_population.push(events.len());
        for (event, spikes) in placement.populations[index].events.iter().enumerate() {
            let samples = if matches!(spikes.slots, Slots::Steps { .. }) { placement.samples } else { 1 };
            events.push(Event {
                population: population.name.clone(),
                name: population.kernel.events[event].clone(),
                neurons: population.size,
                section: section(Action::Update(index)),
                address: spikes.address,
                bytes: spikes.slot_bytes().saturating_mul(spikes.count()).saturating_mul(samples),
            });
        }
    }
    let origin = |source: Source| match source {
        Source::Input(input) => Origin::Input(network.inputs[input].name.clone()),
        Source::Events { population, event } => Origin::Event((of_population[population] + event) as u32),
    };
    let mut rows = Vec::new();
    let mut left_for_sorted = MOST_SORTED;
    for (index, bundle) in placement.bundles.iter().enumerate() {
        let mut left = &bundle.projections[..];
        for part in &bundle.parts {
            let (members, rest) = left.split_at(members(part).min(left.len()));
            left = rest;
            let neurons = network.source_size(bundle.source);
            let whole = Rows {
                section: section(Action::Propagate(index)),
                source: origin(bundle.source),
                neurons,
                delay: bundle.ago + u32::from(bundle.when == When::Before),
                merged: false,
                lanes: lanes(network, bundle, part),
                projections: members.iter().map(|member| projection(network, *member)).collect(),
            };
            match (part, members) {
                (Part::Sparse(sparse), [member]) if !sparse.sorted.is_empty() => {
                    if sparse.lengths.len() <= left_for_sorted {
                        left_for_sorted -= sparse.lengths.len();
                        rows.extend(by_delay(network, *member, sparse, &whole));
                    } else {
                        let least = sparse.sorted.last().copied().unwrap_or(0);
                        rows.push(Rows { delay: whole.delay + u32::from(least), merged: true, ..whole });
                    }
                }
                _ => rows.push(whole),
            }
        }
    }
    Work { sections, events, rows, footprint: footprint(network), vanished: None }
}

/// The sections, and which of them is that of the first action of a step.
fn sections(network: &Network, placement: &Placement, image: &Image) -> (Vec<Section>, usize) {
    // Symbols of code are in the order in which lowering wrote it: what comes before the steps, `step`, the actions, then
    // `next_step` and `done`.
    let is_code = |symbol: &&Symbol| (symbol.space, symbol.kind) == (Space::Instruction, SymbolKind::Function);
    let code: Vec<&Symbol> = image.symbols.iter().filter(is_code).collect();
    let step = code.iter().position(|symbol| symbol.name == "step").unwrap_or(0);
    let behind = step + 1 + placement.actions.len();
    let named = phases(network, placement);
    // In those, two rows come before the actions.
    let actions = &named[2..2 + placement.actions.len()];
    let mut sections = Vec::new();
    for (at, symbol) in code.iter().enumerate() {
        let (name, kind) = match at {
            _ if at <= step => match symbol.name.as_str() {
                INIT => ("once", PhaseKind::Reset),
                RUN => ("launch", PhaseKind::Reset),
                _ => ("state", PhaseKind::Reset),
            },
            _ if at < behind => (actions[at - step - 1].name.as_str(), actions[at - step - 1].kind),
            _ if at == behind => ("steps", PhaseKind::Record),
            _ => ("samples", PhaseKind::Finish),
        };
        sections.push(Section { name: name.to_owned(), kind, address: symbol.address, bytes: symbol.size });
    }
    (sections, step + 1)
}

/// How many projections share the rows of a part.
fn members(part: &Part) -> usize {
    match part {
        Part::Dense(rows) => rows.targets.len(),
        Part::Sparse(rows) => rows.members,
        Part::Delayed(_) | Part::Shared(_) | Part::OneToOne(_) => 1,
    }
}

fn lanes(network: &Network, bundle: &Bundle, part: &Part) -> Lanes {
    let sources = network.source_size(bundle.source);
    let vectors = |vectors: u32| Lanes::PerSpike(Counts::Same(vectors * LANES as u32));
    match part {
        Part::Dense(rows) => vectors(rows.targets.iter().map(|target| target.blocks).sum()),
        Part::Delayed(rows) => vectors(rows.blocks),
        Part::Shared(rows) => vectors(rows.distances.len() as u32),
        // Where rows are sorted by delay, a spike has one for each.
        Part::Sparse(rows) => Lanes::PerSpike(Counts::of(
            (0..sources as usize)
                .map(|source| rows.lengths.iter().skip(source).step_by(sources as usize).sum::<u32>() * LANES as u32)
                .collect(),
        )),
        Part::OneToOne(_) => Lanes::PerStep(u64::from(sources.div_ceil(LANES as u32)) * LANES as u64),
    }
}

/// Rows that are sorted by delay, delay by delay, the shortest first; `whole` is all of them together.
fn by_delay(network: &Network, member: usize, sparse: &SparseRows, whole: &Rows) -> Vec<Rows> {
    let projection = &network.projections[member];
    let Delays::Sorted(delays) = &projection.delays else { return vec![whole.clone()] };
    let target = network.populations[projection.target].size;
    let sources = whole.neurons as usize;
    // Longest first, as the rows are.
    let mut fan_out = vec![vec![0; sources]; sparse.sorted.len()];
    for source in 0..whole.neurons {
        projection.weights.row(source, target, |synapse| {
            let number = sparse.sorted.partition_point(|delay| *delay > delays[synapse.index]);
            fan_out[number][source as usize] += u32::from(synapse.weight != 0);
        });
    }
    let lengths = sparse.lengths.chunks_exact(sources);
    let rows =
        sparse.sorted.iter().zip(lengths).zip(fan_out).rev().enumerate().map(|(at, ((delay, lengths), fan_out))| {
            let mut projections = whole.projections.clone();
            for projection in &mut projections {
                projection.fan_out = Counts::of(fan_out.clone());
                if at > 0 {
                    (projection.weights, projection.nonzero, projection.dense) = (0, 0, 0);
                }
            }
            let lanes = lengths.iter().map(|vectors| vectors * LANES as u32).collect();
            Rows {
                delay: whole.delay + u32::from(*delay),
                lanes: Lanes::PerSpike(Counts::of(lanes)),
                projections,
                ..whole.clone()
            }
        });
    rows.collect()
}

fn projection(network: &Network, index: usize) -> Projection {
    let projection = &network.projections[index];
    let target = &network.populations[projection.target];
    let sources = network.source_size(projection.source);
    let matrix = u64::from(sources) * u64::from(target.size);
    let fan_out = |source| {
        let mut count = 0;
        projection.weights.row(source, target.size, |synapse| count += u32::from(synapse.weight != 0));
        count
    };
    let codes = projection.weights.codes();
    let (weights, dense) = match &projection.weights {
        // What a list leaves out is 0 in the matrix.
        Weights::Dense(_) => (matrix, matrix),
        // Two synapses of one pair are two weights.
        Weights::Sparse(_) => (matrix.max(codes.len() as u64), matrix.max(codes.len() as u64)),
        Weights::OneToOne(_) | Weights::Convolution(_) => {
            (codes.len() as u64, projection.weights.count(sources, target.size))
        }
    };
    Projection {
        name: projection.name.clone(),
        target: target.name.clone(),
        weights,
        nonzero: codes.iter().filter(|code| **code != 0).count() as u64,
        dense,
        fan_out: Counts::of((0..sources).map(fan_out).collect()),
    }
}

fn footprint(network: &Network) -> Footprint {
    let mut footprint = Footprint::default();
    for projection in &network.projections {
        footprint.weights += 2 * projection.weights.codes().len() as u64;
        if let Weights::Sparse(sparse) = &projection.weights {
            footprint.connections += 2 * sparse.targets.len() as u64;
        }
        if let Delays::Ring(delays) | Delays::Sorted(delays) = &projection.delays {
            footprint.connections += 2 * delays.len() as u64;
        }
    }
    for (index, population) in network.populations.iter().enumerate() {
        let size = u64::from(population.size);
        for values in &population.parameters {
            footprint.parameters += match values {
                Values::Uniform(_) => 2,
                Values::PerNeuron(codes) => 2 * codes.len() as u64,
            };
        }
        footprint.state += 2 * size * population.variables.len() as u64;
        for variable in 0..population.variables.len() {
            let into = network.projections.iter().filter(|p| (p.target, p.variable) == (index, variable));
            let rings = into.filter(|p| matches!(p.delays, Delays::Ring(_))).map(|p| p.delays.longest());
            footprint.state += rings.max().map_or(0, |longest| 2 * size * (u64::from(longest) + 1));
        }
        footprint.spikes += 4 * size.div_ceil(32) * population.kernel.events.len() as u64;
    }
    footprint.spikes += network.inputs.iter().map(|input| 4 * u64::from(input.size).div_ceil(32)).sum::<u64>();
    footprint
}
