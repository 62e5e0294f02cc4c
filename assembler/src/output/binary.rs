//! Bytes and nothing else.

use super::Contents;

/// The memory's bytes from its address 0 to the end of its contents, so that a byte's place in the file is its address.
/// Gaps are zeros.
pub fn binary(contents: &Contents) -> Vec<u8> {
    contents.bytes()
}
