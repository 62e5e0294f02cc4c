//! The golden model of the FeNN machine: an instruction-set simulator.
