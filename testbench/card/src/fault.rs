//! What goes wrong with a card, on purpose: which fault, and at which transfer.
//!
//! Contract: transfers are counted from 0, all engines of a card together, by their starts. A fault strikes at the start of
//! a transfer or inside it, at a descriptor and byte drawn from the plan's seed, once for each time that it was armed. Faults
//! drawn at random come with the same seed at the same transfers, whoever runs them.

use std::fmt;
use std::str::FromStr;

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The engine never ends: it stays busy, whatever is written, until the function is reset.
    Hang,
    /// The AXI port answers with a decode error.
    Decerr,
    /// The AXI port answers with a slave error.
    Slverr,
    /// The engine stops early, and says nothing of an error.
    Short,
    /// The message of the transfer's end is lost.
    LostInterrupt,
    /// The link is lost: everything reads as all ones until the function is reset.
    LinkLoss,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Hang, Self::Decerr, Self::Slverr, Self::Short, Self::LostInterrupt, Self::LinkLoss];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hang => "hang",
            Self::Decerr => "decerr",
            Self::Slverr => "slverr",
            Self::Short => "short",
            Self::LostInterrupt => "lost-interrupt",
            Self::LinkLoss => "link-loss",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text that is no fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no fault: write KIND or KIND@TRANSFER, with KIND one of hang, decerr, slverr, short, lost-interrupt, link-loss"
)]
pub struct NoFault(String);

impl FromStr for Fault {
    type Err = NoFault;

    fn from_str(text: &str) -> Result<Self, NoFault> {
        Self::ALL.into_iter().find(|fault| fault.name() == text).ok_or_else(|| NoFault(text.to_owned()))
    }
}

/// A fault and the transfer that it strikes; without one, the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Armed {
    /// What.
    pub fault: Fault,
    /// When.
    pub transfer: Option<u64>,
}

impl FromStr for Armed {
    type Err = NoFault;

    fn from_str(text: &str) -> Result<Self, NoFault> {
        let (fault, transfer) = match text.split_once('@') {
            Some((fault, transfer)) => (fault, Some(transfer.parse().map_err(|_| NoFault(text.to_owned()))?)),
            None => (text, None),
        };
        Ok(Self { fault: fault.parse().map_err(|_| NoFault(text.to_owned()))?, transfer })
    }
}

/// A fault that strikes a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Strike {
    /// What.
    pub fault: Fault,
    /// At which descriptor of the transfer; at its last where there are fewer.
    pub descriptor: u32,
    /// After which part of the descriptor's bytes, in 256ths.
    pub part: u8,
}

/// The faults to come.
#[derive(Debug, Clone)]
pub struct Plan {
    armed: Vec<Armed>,
    random: Option<u32>,
    generator: Pcg64Mcg,
    transfers: u64,
}

impl Plan {
    /// None, with the seed of all that is drawn.
    pub fn new(seed: u64) -> Self {
        Self { armed: Vec::new(), random: None, generator: Pcg64Mcg::seed_from_u64(seed), transfers: 0 }
    }

    /// Arms a fault.
    pub fn arm(&mut self, armed: Armed) {
        self.armed.push(armed);
    }

    /// Arms a fault for the next transfer.
    pub fn arm_next(&mut self, fault: Fault) {
        self.arm(Armed { fault, transfer: None });
    }

    /// From now on, one transfer in `one_in` goes wrong, on average; 0: none.
    pub fn random(&mut self, one_in: u32) {
        self.random = (one_in > 0).then_some(one_in);
    }

    /// Forgets all faults to come.
    pub fn clear(&mut self) {
        self.armed.clear();
        self.random = None;
    }

    /// How many transfers have started.
    pub fn transfers(&self) -> u64 {
        self.transfers
    }

    /// A transfer starts: what strikes it.
    pub fn start(&mut self) -> Option<Strike> {
        let number = self.transfers;
        self.transfers += 1;
        let armed = self.armed.iter().position(|armed| armed.transfer.is_none_or(|transfer| transfer == number));
        let fault = match (armed, self.random) {
            (Some(index), _) => Some(self.armed.remove(index).fault),
            (None, Some(one_in)) if self.generator.random_range(0..one_in) == 0 => {
                Some(Fault::ALL[self.generator.random_range(0..Fault::ALL.len())])
            }
            (None, _) => None,
        }?;
        Some(Strike { fault, descriptor: self.generator.random_range(0..8), part: self.generator.random() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        for fault in Fault::ALL {
            assert_eq!(fault.name().parse(), Ok(fault));
            assert_eq!(format!("{fault}@7").parse(), Ok(Armed { fault, transfer: Some(7) }));
        }
        for text in ["", "hang@", "hang@x", "hung", "@3", "hang@-1"] {
            let error = text.parse::<Armed>().unwrap_err().to_string();
            assert!(error.contains("link-loss"), "{error}");
        }
    }

    #[test]
    fn a_fault_strikes_once_and_at_its_transfer() {
        let mut plan = Plan::new(1);
        plan.arm(Armed { fault: Fault::Short, transfer: Some(2) });
        plan.arm_next(Fault::Hang);
        let struck: Vec<_> = (0..5).map(|_| plan.start().map(|strike| strike.fault)).collect();
        assert_eq!(struck, [Some(Fault::Hang), None, Some(Fault::Short), None, None]);
        assert_eq!(plan.transfers(), 5);
    }

    #[test]
    fn random_faults_repeat_with_their_seed() {
        let draw = |seed| {
            let mut plan = Plan::new(seed);
            plan.random(4);
            (0..400).map(|_| plan.start()).collect::<Vec<_>>()
        };
        assert_eq!(draw(3), draw(3));
        assert_ne!(draw(3), draw(4));
        let struck = draw(3).iter().flatten().count();
        assert!((60..140).contains(&struck), "{struck} of 400");
    }
}
