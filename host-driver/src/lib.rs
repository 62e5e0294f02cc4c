//! Talk to a FeNN machine: load programs, stream data in, read results out.
