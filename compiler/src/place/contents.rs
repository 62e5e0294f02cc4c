//! What memories hold when a machine is loaded.
//!
//! Contract: every array that does not begin as zeros is written; lane-local memory is not among them, since a board's host cannot
//! reach it: the program fills it.

use fenn_isa::image::Segment;
use fenn_isa::memory::{Space, VECTOR_BYTES};

use super::assign::Writer;
use super::draft::Draft;
use super::memory::{Allocator, Bytes};
use super::{Home, InputPlace, Placement};
use crate::network::Network;
use crate::seed::generator_seeds;

pub(super) fn contents(
    network: &Network,
    placement: &Placement,
    drafts: &[Draft],
    allocator: &Allocator,
) -> Vec<Segment> {
    let bytes = |space| Bytes::new(space, allocator.used(space));
    let (mut scalar, mut vector, mut dram) = (bytes(Space::Scalar), bytes(Space::Vector), bytes(Space::Dram));
    for (population, place) in network.populations.iter().zip(&placement.populations) {
        let states = || population.variables.iter().map(|variable| &variable.initial);
        for (values, home) in states().zip(&place.variables) {
            if let Home::Vector(vectors) = home {
                vector.put(values, *vectors, population.size);
            }
        }
        for (values, vectors) in states().zip(&place.initial).chain(population.parameters.iter().zip(&place.parameters))
        {
            if let Some(vectors) = vectors {
                vector.put(values, *vectors, population.size);
            }
        }
    }
    for table in &placement.tables {
        scalar.put_codes(table.source as usize, &table.codes);
    }
    Writer { network, placement }.write(drafts, &mut vector, &mut dram, &mut scalar);
    if let Some(address) = placement.seeds {
        for (lane, generator) in generator_seeds(network.seed).iter().enumerate() {
            let at = address as usize + 2 * lane;
            vector.put_codes(at, &[generator.s0 as i16]);
            vector.put_codes(at + VECTOR_BYTES as usize, &[generator.s1 as i16]);
        }
    }
    // Whoever starts the program without a host has one sample without spikes.
    let ready = placement.stream.map(|stream| stream.ready);
    for count in placement.count.into_iter().chain(ready) {
        scalar.put_words(count as usize, [1]);
    }
    for input in &placement.inputs {
        if let InputPlace::List(list) = input {
            let parts = (1..=network.steps).map(|step| list.address + 4 * step);
            scalar.put_words(list.address as usize, parts);
        }
    }
    [scalar, vector, dram].into_iter().filter_map(Bytes::into_segment).collect()
}
