//! The neuron-equation language.
