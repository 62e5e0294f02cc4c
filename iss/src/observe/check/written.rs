//! Which bytes of a memory were ever written.

/// Bytes in a page.
const PAGE: u32 = 1 << 16;
const WORDS: usize = PAGE as usize / 64;

/// A bit for each byte; pages exist once something in them is written.
#[derive(Debug, Clone)]
pub(super) struct Written {
    size: u32,
    pages: Vec<Option<Box<[u64; WORDS]>>>,
}

impl Written {
    /// Nothing is written of a memory of so many bytes.
    pub(super) fn new(size: u32) -> Self {
        Self { size, pages: vec![None; size.div_ceil(PAGE) as usize] }
    }

    /// The parts of a range that lie in one word of bits: page, word and the bits. The range is cut at the memory's end.
    fn parts(&self, address: u32, bytes: u32) -> impl Iterator<Item = (usize, usize, u64)> + use<> {
        let end = (u64::from(address) + u64::from(bytes)).min(u64::from(self.size));
        let mut at = u64::from(address);
        core::iter::from_fn(move || {
            if at >= end {
                return None;
            }
            let (first, next) = (at % 64, (at / 64 + 1) * 64);
            let count = next.min(end) - at;
            let bits = if count == 64 { u64::MAX } else { ((1 << count) - 1) << first };
            let part = ((at / u64::from(PAGE)) as usize, (at / 64) as usize % WORDS, bits);
            at = next;
            Some(part)
        })
    }

    /// These bytes are written.
    pub(super) fn mark(&mut self, address: u32, bytes: u32) {
        for (page, word, bits) in self.parts(address, bytes) {
            self.pages[page].get_or_insert_with(|| Box::new([0; WORDS]))[word] |= bits;
        }
    }

    /// How many of these bytes were never written.
    pub(super) fn missing(&self, address: u32, bytes: u32) -> u32 {
        let missing = |(page, word, bits): (usize, usize, u64)| {
            let written = self.pages[page].as_ref().map_or(0, |page| page[word]);
            (bits & !written).count_ones()
        };
        self.parts(address, bytes).map(missing).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against a set of the bytes, around the edges of words and pages.
    #[test]
    fn bits_are_those_of_the_bytes() {
        let size = 2 * PAGE + 100;
        let mut written = Written::new(size);
        let mut bytes = std::collections::BTreeSet::new();
        for (address, length) in [(3, 1), (60, 10), (PAGE - 5, 70), (2 * PAGE, 200), (size - 1, 5), (500, 0)] {
            written.mark(address, length);
            bytes.extend((address..address + length).filter(|byte| *byte < size));
        }
        for address in (0..200).chain(PAGE - 100..PAGE + 200).chain(2 * PAGE - 100..size) {
            for length in [1, 2, 4, 64, 130] {
                let missing = (address..(address + length).min(size)).filter(|byte| !bytes.contains(byte)).count();
                assert_eq!(written.missing(address, length), missing as u32, "{length} bytes at {address}");
            }
        }
    }
}
