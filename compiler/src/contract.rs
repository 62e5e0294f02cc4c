//! What a program and its host agree on: in which form inputs are handed over, what is kept for the host, and the manifest
//! that says so.
//!
//! Not here: where things are ([`crate::place`]) and the code that does it ([`crate::lower`]).

use std::fmt;
use std::str::FromStr;

use fenn_isa::image::Image;
use fenn_isa::image::manifest::{
    self, Batch, CodeArray, Counters, Data, Encoding, EntryPoint, Input, InputSpikes, LONGEST_NAME, Manifest, Output,
    Phase, PhaseKind, Population, Readout, Recording, SpikeArray, VERSION, ValueArray, Variable, Window,
};
use fenn_isa::memory::VECTOR_BYTES;

use crate::backend::Options;
use crate::lower::{INIT, RUN};
use crate::network::{Delays, Network, Quantity, Source, StatePolicy};
use crate::place::{Action, Home, InputPlace, Placement, SpikeList, row_bytes};

mod work;

/// In which form a host writes the spikes of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InputForm {
    /// A list where one that is long enough for every sample is no longer than bits, or takes no more than a quarter of scalar
    /// memory; otherwise bits. A list costs the program fewer instructions, whatever the spikes are.
    #[default]
    Auto,
    /// One bit per neuron and step.
    Bits,
    /// A list with room for so many spikes in a run; if not stated, for as many as there can be. An input whose spikes of
    /// earlier steps are needed, because they act later, is in bits all the same.
    List(Option<u32>),
}

/// Whether a projection looks at the input's spikes of earlier steps.
fn looked_back_on(network: &Network, input: usize) -> bool {
    let readers = network.projections.iter().filter(|projection| projection.source == Source::Input(input));
    readers.map(|reader| &reader.delays).any(|delays| match delays {
        Delays::None | Delays::Ring(_) => false,
        Delays::Uniform(_) | Delays::Sorted(_) => delays.longest() > 0,
    })
}

impl Options {
    /// Room for how many spikes the list of input `index` has; `None` for bits.
    pub(crate) fn listed_spikes(&self, network: &Network, index: usize) -> Option<u64> {
        let input = &network.inputs[index];
        let most = match input.encoding {
            Encoding::Spikes => u64::from(input.size) * u64::from(network.steps),
            // Every neuron spikes once or not at all.
            Encoding::Latency { .. } => input.size.into(),
        };
        match self.input {
            InputForm::Bits => None,
            _ if looked_back_on(network, index) => None,
            InputForm::List(spikes) => Some(spikes.map_or(most, |spikes| most.min(spikes.into()))),
            InputForm::Auto => {
                let samples = u64::from(self.batch.get());
                let list = 4 * (u64::from(network.steps) + most);
                let bits = 4 * u64::from(input.size.div_ceil(32)) * u64::from(network.steps);
                let all = list.saturating_mul(samples).saturating_mul(network.inputs.len() as u64);
                (list <= bits || all <= u64::from(self.config.scalar_bytes / 4)).then_some(most)
            }
        }
    }
}

/// Which steps a user wants kept, whatever the length of a run: `FROM`, `FROM:EVERY` or `last:N`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// From a step on, every so many steps.
    Window(Window),
    /// The last so many steps, at least 1.
    Last(u32),
}

impl Kept {
    /// The window in a run of `steps` steps; `None` where it has no step.
    pub fn window(self, steps: u32) -> Option<Window> {
        let window = match self {
            Self::Window(window) => window,
            Self::Last(last) => Window::last(last, steps),
        };
        (window.count(steps) > 0).then_some(window)
    }
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Window(Window { from, every: 1 }) => write!(f, "{from}"),
            Self::Window(Window { from, every }) => write!(f, "{from}:{every}"),
            Self::Last(last) => write!(f, "last:{last}"),
        }
    }
}

impl FromStr for Kept {
    type Err = NoWindow;

    fn from_str(text: &str) -> Result<Self, NoWindow> {
        let number = |text: &str| text.parse::<u32>().map_err(|_| NoWindow);
        match text.split_once(':') {
            None => Ok(Self::Window(Window { from: number(text)?, every: 1 })),
            Some((_, "0")) => Err(NoWindow),
            Some(("last", last)) => number(last).map(Self::Last),
            Some((from, every)) => Ok(Self::Window(Window { from: number(from)?, every: number(every)? })),
        }
    }
}

/// A text that is no [`Kept`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write FROM, FROM:EVERY or last:N, with steps counted from 0, EVERY and N at least 1: 100, 0:10, last:50")]
pub struct NoWindow;

/// The manifest of a program.
pub(crate) fn describe(network: &Network, placement: &Placement, image: &Image) -> Manifest {
    let entry =
        |name: &str| image.symbol(name).map(|symbol| EntryPoint { name: name.to_owned(), address: symbol.address });
    let inputs = network.inputs.iter().zip(&placement.inputs).map(|(input, spikes)| Input {
        name: input.name.clone(),
        neurons: input.size,
        encoding: input.encoding.clone(),
        spikes: match *spikes {
            InputPlace::Bits(spikes) => {
                let sample_stride = spikes.slot_bytes().saturating_mul(spikes.count());
                let array = SpikeArray::dense(spikes.first_step(), spikes.words, network.steps);
                InputSpikes::Bits(SpikeArray { sample_stride, ..array })
            }
            InputPlace::List(SpikeList { address, sample_bytes, base, scale, .. }) => {
                InputSpikes::List(manifest::SpikeList { address, sample_bytes, base, scale })
            }
        },
    });
    let outputs = network.outputs.iter().zip(&placement.codes).map(|(output, codes)| {
        let population = &network.populations[output.population];
        let last = output.readout == Readout::Last;
        Output {
            name: population.name.clone(),
            neurons: population.size,
            data: match (codes, output.quantity) {
                (Some(codes), Quantity::Variable(variable)) => Data::Codes(CodeArray {
                    address: codes.address,
                    steps: codes.steps,
                    step_stride: codes.step_bytes(),
                    sample_stride: codes.sample_bytes(),
                    format: population.kernel.variables[variable].ty.format,
                }),
                _ => data(network, placement, output.population, output.quantity, (!last).then_some(Window::WHOLE)),
            },
            readout: output.readout,
        }
    });
    let recordings = network.recordings.iter().map(|recording| {
        let population = &network.populations[recording.population];
        let kernel = &population.kernel;
        Recording {
            population: population.name.clone(),
            name: match recording.quantity {
                Quantity::Variable(index) => kernel.variables[index].name.clone(),
                Quantity::Event(index) => kernel.events[index].clone(),
            },
            neurons: population.size,
            window: recording.window,
            data: data(network, placement, recording.population, recording.quantity, Some(recording.window)),
        }
    });
    let reset_all = network.state == StatePolicy::Reset;
    let populations = network.populations.iter().enumerate().map(|(index, population)| {
        let slots = population.kernel.variables.iter().zip(&population.variables);
        let variables = slots.map(|(slot, variable)| Variable {
            name: slot.name.clone(),
            format: slot.ty.format,
            reset: reset_all || variable.reset,
        });
        Population {
            name: population.name.clone(),
            neurons: population.size,
            reset: network.forgets_spikes(index),
            variables: variables.collect(),
        }
    });
    Manifest {
        version: VERSION,
        name: network.name.clone(),
        generator: concat!("fenn-cc ", env!("CARGO_PKG_VERSION")).to_owned(),
        time_step_ms: network.time_step_ms,
        steps: network.steps,
        state: network.state,
        seed: placement.seeds.map(|_| network.seed),
        entry_points: [INIT, RUN].into_iter().filter_map(entry).collect(),
        batch: Batch {
            samples: placement.samples,
            count: placement.count,
            marks: placement.marks,
            stream: placement.stream,
        },
        inputs: inputs.collect(),
        outputs: outputs.collect(),
        recordings: recordings.collect(),
        counters: placement.counters.map(|(address, _)| Counters { address, phases: phases(network, placement) }),
        populations: populations.collect(),
        work: Some(work::describe(network, placement, image)),
    }
}

/// What is counted, in the order of the table's rows.
fn phases(network: &Network, placement: &Placement) -> Vec<Phase> {
    let phase = |name: &str, kind| Phase { name: name.to_owned(), kind };
    let actions = placement.actions.iter().map(|action| match action {
        Action::Propagate(bundle) => {
            let projections = &placement.bundles[*bundle].projections;
            let names: Vec<&str> = projections.iter().map(|index| network.projections[*index].name.as_str()).collect();
            let all = names.join(" + ");
            let name = match (all.len() <= LONGEST_NAME, names.first()) {
                (false, Some(first)) => *first,
                _ => all.as_str(),
            };
            phase(name, PhaseKind::Propagate)
        }
        Action::Update(population) => phase(&network.populations[*population].name, PhaseKind::Update),
    });
    let before = [phase("counting", PhaseKind::Nothing), phase("state", PhaseKind::Reset)];
    let behind = [phase("steps", PhaseKind::Record), phase("samples", PhaseKind::Finish)];
    before.into_iter().chain(actions).chain(behind).collect()
}

/// Where a quantity is: in the steps of a window, or its state at the end.
fn data(
    network: &Network,
    placement: &Placement,
    population: usize,
    quantity: Quantity,
    window: Option<Window>,
) -> Data {
    let place = &placement.populations[population];
    let whole = row_bytes(network.populations[population].size) as u32;
    // What is there of a sample, and which of it is meant: an output may need all steps, of which a recording has some.
    let kept = network.kept(population, quantity).unwrap_or(Window::WHOLE);
    let stored = kept.count(network.steps);
    let (skipped, every) = match window {
        Some(window) if kept == Window::WHOLE => (window.from, window.every),
        _ => (0, 1),
    };
    let steps = window.map_or(1, |window| window.count(network.steps));
    match quantity {
        Quantity::Event(event) => {
            let spikes = place.events[event];
            let slot = spikes.slot_bytes();
            let (address, slots) = match place.kept[event] {
                Some(address) => (address, stored),
                None => (spikes.first_step(), spikes.count()),
            };
            let address = address.saturating_add(skipped * slot);
            let sample_stride = slots.saturating_mul(slot);
            Data::Spikes(SpikeArray { address, words: spikes.words, steps, step_stride: every * slot, sample_stride })
        }
        Quantity::Variable(variable) => {
            let format = network.populations[population].kernel.variables[variable].ty.format;
            Data::Values(match (place.records[variable], window) {
                (Some(address), Some(_)) => ValueArray {
                    address: address.saturating_add(skipped * whole),
                    stride: VECTOR_BYTES,
                    steps,
                    step_stride: every * whole,
                    sample_stride: stored.saturating_mul(whole),
                    format,
                },
                _ => {
                    let vectors = match (place.variables[variable], place.copies[variable]) {
                        (_, Some(vectors)) | (Home::Vector(vectors), None) => vectors,
                        (Home::Lane { .. }, None) => unreachable!("outputs in lane-local memory have copies"),
                    };
                    let (address, stride) = (vectors.address, vectors.stride);
                    ValueArray { address, stride, steps: 1, step_stride: 0, sample_stride: whole, format }
                }
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_have_a_text() {
        for (text, steps, kept) in [
            ("0", 4, vec![0, 1, 2, 3]),
            ("2", 4, vec![2, 3]),
            ("1:2", 6, vec![1, 3, 5]),
            ("last:2", 9, vec![7, 8]),
            ("last:20", 3, vec![0, 1, 2]),
        ] {
            let window: Kept = text.parse().unwrap();
            assert_eq!(window.to_string(), text);
            assert_eq!(window.window(steps).unwrap().steps(steps).collect::<Vec<_>>(), kept, "{text}");
        }
        assert_eq!("4".parse::<Kept>().unwrap().window(4), None);
        for text in ["", "x", "-1", "1:", "1:0", ":3", "last", "last:0", "last:x", "1:2:3", "1..4"] {
            assert_eq!(text.parse::<Kept>(), Err(NoWindow), "{text}");
        }
    }
}
