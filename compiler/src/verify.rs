//! What makes a network well-formed.
