//! Places in a machine's memories as people write them, and their contents as people read them.
//!
//! Contract: a place is `SPACE:ADDRESS`, a view `SPACE:ADDRESS:LENGTH[:FORMAT]`. `SPACE` is one of [`SPACE_NAMES`];
//! `ADDRESS` is a number (`64`, `0x40`) in that space or the name of a symbol in it; `LENGTH` counts bytes and may be
//! left out where the symbol has a size; `FORMAT` is one of `hex`, `i16`, `u16`, `i32`, `u32` or a fixed-point format such
//! as `s5.10`. Lane-local memory is seen as a host sees it: one row of 32 lanes after the other.
//!
//! In programs, a [`Region`] is a copy of a part of a memory, read as numbers:
//!
//! ```
//! use fenn_isa::{fixed::Format, image::{Image, Segment, Symbol, SymbolKind}, memory::Space};
//! use fenn_iss::Machine;
//!
//! let potential = Symbol {
//!     name: "potential".to_owned(), space: Space::Vector, address: 64, size: 4, kind: SymbolKind::Object, global: true,
//! };
//! let image = Image {
//!     segments: vec![Segment::new(Space::Vector, 64, vec![0x00, 0x04, 0x00, 0xfe])],
//!     symbols: vec![potential],
//!     ..Image::default()
//! };
//! let machine = Machine::builder().image(&image).build()?;
//! let potential = machine.symbol(&image, "potential")?;
//! assert_eq!(potential.i16(), [1024, -512]);
//! let format: Format = "s5.10".parse()?;
//! assert_eq!(potential.fixed(format), [1.0, -0.5]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use core::fmt::Write as _;

use fenn_isa::fixed::Format;
use fenn_isa::image::{Image, Symbol};
use fenn_isa::memory::Space;
use serde_json::{Value, json};

use crate::error::Error;
use crate::machine::Machine;

/// The memories, as a view names them.
pub const SPACE_NAMES: [(&str, Space); 5] = [
    ("instruction", Space::Instruction),
    ("scalar", Space::Scalar),
    ("vector", Space::Vector),
    ("lane", Space::LaneLocal),
    ("dram", Space::Dram),
];

/// Bytes in one line of text.
const LINE: usize = 16;

/// Why a text is no place or view.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ViewError {
    /// Parts are missing.
    #[error("`{0}` is not of the form SPACE:ADDRESS:LENGTH[:FORMAT]")]
    Form(String),
    /// No such memory.
    #[error("there is no memory `{0}`; the memories are instruction, scalar, vector, lane and dram")]
    Space(String),
    /// Neither a number nor a symbol.
    #[error("`{0}` is neither a number nor a symbol of the program")]
    Address(String),
    /// A symbol of another memory.
    #[error("the symbol `{symbol}` is in {space}")]
    OtherSpace {
        /// Its name.
        symbol: String,
        /// Where it is.
        space: Space,
    },
    /// No length is given, and the address has none.
    #[error("`{0}` needs a length in bytes: it is not a symbol with a size")]
    NoLength(String),
    /// Not a number.
    #[error("the length `{0}` is not a number of bytes")]
    Length(String),
    /// No such format.
    #[error("there is no format `{0}`; formats are hex, i16, u16, i32, u32 and fixed point from s0.15 to s15.0")]
    Format(String),
    /// Not a whole number of values.
    #[error("{bytes} bytes are not a whole number of {format} values")]
    Remainder {
        /// The length.
        bytes: u32,
        /// The format.
        format: String,
    },
}

/// Why a symbol's memory cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SymbolError {
    /// No symbol that has a size has this name.
    #[error("the program has no symbol `{0}` that has a size")]
    Unknown(String),
    /// The machine has less memory than the program says.
    #[error(transparent)]
    Machine(#[from] Error),
}

/// How bytes are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    /// Bytes, in hexadecimal.
    Hex,
    /// Signed 16-bit numbers.
    I16,
    /// Unsigned 16-bit numbers.
    U16,
    /// Signed 32-bit numbers.
    I32,
    /// Unsigned 32-bit numbers.
    U32,
    /// Fixed-point numbers of 16 bits.
    Fixed(Format),
}

impl Element {
    /// The format of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "hex" => Some(Self::Hex),
            "i16" => Some(Self::I16),
            "u16" => Some(Self::U16),
            "i32" => Some(Self::I32),
            "u32" => Some(Self::U32),
            _ => name.parse().ok().map(Self::Fixed),
        }
    }

    const fn size(self) -> usize {
        match self {
            Self::Hex => 1,
            Self::I16 | Self::U16 | Self::Fixed(_) => 2,
            Self::I32 | Self::U32 => 4,
        }
    }

    /// One value from its bytes, as many as [`Self::size`] says.
    fn value(self, bytes: &[u8]) -> Value {
        let word = bytes.iter().rev().fold(0u32, |word, byte| word << 8 | u32::from(*byte));
        match self {
            Self::Hex => json!(format!("{word:02x}")),
            Self::I16 => json!(word as i16),
            Self::U16 | Self::U32 => json!(word),
            Self::I32 => json!(word as i32),
            Self::Fixed(format) => json!(format.to_f64(word as i16)),
        }
    }
}

/// A place in a memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Which memory.
    pub space: Space,
    /// Byte address in it.
    pub address: u32,
}

impl Place {
    /// The place that `space` and `address` name in the program.
    ///
    /// # Errors
    /// [`ViewError::Space`], [`ViewError::Address`], [`ViewError::OtherSpace`].
    pub fn parse(space: &str, address: &str, image: &Image) -> Result<Self, ViewError> {
        find(space, address, image).map(|(place, _)| place)
    }
}

/// A part of a memory and how to read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View {
    /// Where it begins.
    pub place: Place,
    /// How many bytes.
    pub bytes: u32,
    /// How they are read.
    pub element: Element,
}

impl View {
    /// The view that `text` names in the program.
    ///
    /// # Errors
    /// What is wrong with the text; whether the bytes lie inside the memory is only known when they are read.
    pub fn parse(text: &str, image: &Image) -> Result<Self, ViewError> {
        let parts: Vec<&str> = text.split(':').collect();
        let (space, address, length, format) = match parts[..] {
            [space, address] => (space, address, "", "hex"),
            [space, address, length] => (space, address, length, "hex"),
            [space, address, length, format] => (space, address, length, format),
            _ => return Err(ViewError::Form(text.to_owned())),
        };
        let element = Element::from_name(format).ok_or_else(|| ViewError::Format(format.to_owned()))?;
        let (place, bytes) = range(space, address, length, image)?;
        if !(bytes as usize).is_multiple_of(element.size()) {
            return Err(ViewError::Remainder { bytes, format: format.to_owned() });
        }
        Ok(Self { place, bytes, element })
    }

    /// The values, as JSON.
    pub fn values(&self, bytes: &[u8]) -> Vec<Value> {
        bytes.chunks_exact(self.element.size()).map(|value| self.element.value(value)).collect()
    }

    /// The values, as lines that begin with their address.
    pub fn text(&self, bytes: &[u8]) -> String {
        let mut text = String::new();
        for (index, line) in bytes.chunks(LINE).enumerate() {
            let address = self.place.address as usize + index * LINE;
            // Writing to a string cannot fail.
            let _ = write!(text, "{address:08x}:");
            for value in self.values(line) {
                let _ = match value {
                    Value::String(byte) => write!(text, " {byte}"),
                    number => write!(text, " {number}"),
                };
            }
            text.push('\n');
        }
        text
    }
}

/// The place and the number of bytes that the parts of a view name; an empty `length` means the symbol's size.
///
/// # Errors
/// As [`View::parse`].
pub fn range(space: &str, address: &str, length: &str, image: &Image) -> Result<(Place, u32), ViewError> {
    let (place, symbol) = find(space, address, image)?;
    if length.is_empty() {
        let size = symbol.map(|symbol| symbol.size).filter(|size| *size > 0);
        return Ok((place, size.ok_or_else(|| ViewError::NoLength(address.to_owned()))?));
    }
    Ok((place, number(length).ok_or_else(|| ViewError::Length(length.to_owned()))?))
}

fn find<'a>(space: &str, address: &str, image: &'a Image) -> Result<(Place, Option<&'a Symbol>), ViewError> {
    let (_, space) =
        SPACE_NAMES.into_iter().find(|(name, _)| *name == space).ok_or_else(|| ViewError::Space(space.to_owned()))?;
    if let Some(address) = number(address) {
        return Ok((Place { space, address }, None));
    }
    let symbol = image.symbol(address).ok_or_else(|| ViewError::Address(address.to_owned()))?;
    if symbol.space != space {
        return Err(ViewError::OtherSpace { symbol: symbol.name.clone(), space: symbol.space });
    }
    Ok((Place { space, address: symbol.address }, Some(symbol)))
}

fn number(text: &str) -> Option<u32> {
    let (digits, radix) = text.strip_prefix("0x").map_or((text, 10), |hex| (hex, 16));
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_alphanumeric());
    u32::from_str_radix(digits, radix).ok().filter(|_| plain)
}

/// A copy of a part of a memory, to be read as numbers. Bytes that do not fill one at the end are in none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Region {
    /// Where it begins.
    pub place: Place,
    /// In the order that [`fenn_isa::memory`] states.
    pub bytes: Vec<u8>,
}

impl Region {
    fn numbers<const N: usize, T>(&self, number: impl Fn([u8; N]) -> T) -> Vec<T> {
        self.bytes.as_chunks().0.iter().map(|bytes| number(*bytes)).collect()
    }

    /// Signed numbers of 16 bits.
    pub fn i16(&self) -> Vec<i16> {
        self.numbers(i16::from_le_bytes)
    }

    /// Unsigned numbers of 16 bits.
    pub fn u16(&self) -> Vec<u16> {
        self.numbers(u16::from_le_bytes)
    }

    /// Signed numbers of 32 bits.
    pub fn i32(&self) -> Vec<i32> {
        self.numbers(i32::from_le_bytes)
    }

    /// Unsigned numbers of 32 bits.
    pub fn u32(&self) -> Vec<u32> {
        self.numbers(u32::from_le_bytes)
    }

    /// Fixed-point numbers of 16 bits, exactly.
    pub fn fixed(&self, format: Format) -> Vec<f64> {
        self.numbers(|bytes| format.to_f64(i16::from_le_bytes(bytes)))
    }
}

impl Machine {
    /// A copy of `bytes` bytes of a memory.
    ///
    /// # Errors
    /// [`Error::Outside`] when they do not all lie in it.
    pub fn region(&self, space: Space, address: u32, bytes: u32) -> Result<Region, Error> {
        let place = Place { space, address };
        self.read_bytes(space, address, bytes).map(|bytes| Region { place, bytes })
    }

    /// A copy of what the symbol of this name in `image` names, as long as the symbol's size.
    ///
    /// # Errors
    /// [`SymbolError::Unknown`] where there is no such symbol or it has no size, [`SymbolError::Machine`] for an image of
    /// another machine.
    pub fn symbol(&self, image: &Image, name: &str) -> Result<Region, SymbolError> {
        let symbol = image.symbol(name).filter(|symbol| symbol.size > 0);
        let Symbol { space, address, size, .. } = symbol.ok_or_else(|| SymbolError::Unknown(name.to_owned()))?;
        Ok(self.region(*space, *address, *size)?)
    }
}

#[cfg(test)]
mod tests {
    use fenn_isa::image::SymbolKind;

    use super::*;

    fn image() -> Image {
        let symbol = |name: &str, space, address, size| Symbol {
            name: name.to_owned(),
            space,
            address,
            size,
            kind: SymbolKind::Object,
            global: true,
        };
        let symbols = vec![symbol("weights", Space::Vector, 128, 4), symbol("loop", Space::Instruction, 8, 0)];
        Image { symbols, ..Image::default() }
    }

    #[test]
    fn views_are_read() {
        let view = |text| View::parse(text, &image());
        let place = Place { space: Space::Vector, address: 128 };
        assert_eq!(view("vector:weights"), Ok(View { place, bytes: 4, element: Element::Hex }));
        assert_eq!(view("vector:0x80:8:i16"), Ok(View { place, bytes: 8, element: Element::I16 }));
        let fixed = view("vector:weights:4:s5.10").unwrap();
        assert_eq!(fixed.text(&[0, 4, 0, 254]), "00000080: 1.0 -0.5\n");
        assert_eq!(view("lane:0:20").unwrap().text(&[7; 20]).lines().count(), 2);
        assert_eq!(fixed.values(&[0, 128]), [json!(-32.0)]);
    }

    #[test]
    fn wrong_views_say_what_is_wrong() {
        let wrong = |text| View::parse(text, &image()).unwrap_err();
        assert_eq!(wrong("vector"), ViewError::Form("vector".to_owned()));
        assert_eq!(wrong("ram:0:4"), ViewError::Space("ram".to_owned()));
        assert_eq!(wrong("vector:nothing:4"), ViewError::Address("nothing".to_owned()));
        assert_eq!(
            wrong("scalar:weights"),
            ViewError::OtherSpace { symbol: "weights".to_owned(), space: Space::Vector }
        );
        assert_eq!(wrong("instruction:loop"), ViewError::NoLength("loop".to_owned()));
        assert_eq!(wrong("scalar:0:+4"), ViewError::Length("+4".to_owned()));
        assert_eq!(wrong("scalar:0:4:f32"), ViewError::Format("f32".to_owned()));
        assert_eq!(wrong("scalar:0:6:i32"), ViewError::Remainder { bytes: 6, format: "i32".to_owned() });
    }
}
