//! Second witnesses: independent references, and the figures the project promises.
