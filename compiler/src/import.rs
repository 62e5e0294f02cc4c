//! NIR graphs to networks.
