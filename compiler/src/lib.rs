//! Trained spiking network to FeNN program image.
