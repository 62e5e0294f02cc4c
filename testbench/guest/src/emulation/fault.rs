//! What goes wrong with a transfer. The names are those that the card's model has for the same faults.

use std::str::FromStr;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The engine never ends.
    Hang,
    /// The card answers with an error.
    Decerr,
    /// Fewer bytes are moved, without a word.
    Short,
    /// The message of its end is lost.
    LostInterrupt,
    /// The card is gone.
    LinkLoss,
}

/// A text that is no fault.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no fault: there are hang, decerr, short, lost-interrupt and link-loss")]
pub(super) struct NoFault(String);

impl FromStr for Fault {
    type Err = NoFault;

    fn from_str(text: &str) -> Result<Self, NoFault> {
        Ok(match text {
            "hang" => Self::Hang,
            "decerr" => Self::Decerr,
            "short" => Self::Short,
            "lost-interrupt" => Self::LostInterrupt,
            "link-loss" => Self::LinkLoss,
            _ => return Err(NoFault(text.to_owned())),
        })
    }
}
