//! Writes the files that are read off the table.
fn main() {}
