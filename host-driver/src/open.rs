//! Which card: selectors, and the way to what they name.
//!
//! Contract: a [`Selector`] is what a user types, [`open`] leads to it, and [`found`] lists those that lead to something on this
//! machine. Opening claims what it must (a device file, a program of its own) and changes nothing on the card.
//!
//! Not here: whether it is a card, and which (see [`crate::card`]).

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use fenn_isa::soc::MOST_CORES;

use crate::error::DeviceError;
use crate::system::Root;
use crate::transport::direct::{self, Direct};
use crate::transport::sim::{self, SimulatedCard};
use crate::transport::spawned::Spawned;
use crate::transport::vfio::Vfio;
use crate::transport::vfio_user::VfioUser;
use crate::transport::xdma::{self, Xdma};
use crate::transport::{Transport, TransportError, reach, uio};

/// DRAM of each core of a simulated card.
const SIMULATED_DRAM: u64 = 256 << 20;
/// The program that is a card of simulated hardware.
pub const CARD_PROGRAM: &str = "fenn-card";
/// The maker of XDMA cards, as PCI has it.
const XILINX: &str = "0x10ee";

/// Which card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// A simulated card with so many cores.
    Sim(u32),
    /// A card of simulated hardware, in a program of its own; its model, if not the usual one.
    Rtl(Option<String>),
    /// The card that the XDMA driver has this number for.
    Xdma(u32),
    /// The PCI device at this address, bound to vfio-pci.
    Vfio(PciAddress),
    /// The PCI device behind a vfio-user socket.
    VfioUser(PathBuf),
    /// The card or board that `/dev/uioN` belongs to.
    Uio(u32),
}

/// The address of a PCI device: domain, bus, device and function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PciAddress {
    /// 16 bits.
    pub domain: u16,
    /// 8 bits.
    pub bus: u8,
    /// 5 bits.
    pub device: u8,
    /// 3 bits.
    pub function: u8,
}

impl fmt::Display for PciAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}:{:02x}:{:02x}.{}", self.domain, self.bus, self.device, self.function)
    }
}

impl FromStr for PciAddress {
    type Err = ();

    /// `0000:03:00.0`, or without the domain.
    fn from_str(text: &str) -> Result<Self, ()> {
        let (rest, function) = text.rsplit_once('.').ok_or(())?;
        let parts: Vec<&str> = rest.split(':').collect();
        let (domain, bus, device) = match parts[..] {
            [domain, bus, device] => (domain, bus, device),
            [bus, device] => ("0", bus, device),
            _ => return Err(()),
        };
        let hex = |text: &str, most: u32| {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
            let number = u32::from_str_radix(text, 16).ok().filter(|number| digits && *number <= most);
            number.ok_or(())
        };
        Ok(Self {
            domain: hex(domain, 0xffff)? as u16,
            bus: hex(bus, 0xff)? as u8,
            device: hex(device, 0x1f)? as u8,
            function: hex(function, 7)? as u8,
        })
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sim(1) => f.write_str("sim"),
            Self::Sim(cores) => write!(f, "sim:{cores}"),
            Self::Rtl(None) => f.write_str("rtl"),
            Self::Rtl(Some(model)) => write!(f, "rtl:{model}"),
            Self::Xdma(number) => write!(f, "xdma{number}"),
            Self::Vfio(address) => write!(f, "vfio:{address}"),
            Self::VfioUser(path) => write!(f, "vfio-user:{}", path.display()),
            Self::Uio(number) => write!(f, "uio:{number}"),
        }
    }
}

impl FromStr for Selector {
    type Err = OpenError;

    fn from_str(text: &str) -> Result<Self, OpenError> {
        let wrong = || OpenError::Selector { text: text.to_owned() };
        let number = |digits: &str| digits.parse().map_err(|_| wrong());
        let (kind, rest) = text.split_once(':').map_or((text, None), |(kind, rest)| (kind, Some(rest)));
        match (kind, rest) {
            ("sim", None) => Ok(Self::Sim(1)),
            ("sim", Some(cores)) => number(cores)
                .and_then(|cores| if (1..=MOST_CORES).contains(&cores) { Ok(Self::Sim(cores)) } else { Err(wrong()) }),
            ("rtl", None) => Ok(Self::Rtl(None)),
            ("rtl", Some(model)) if is_model(model) => Ok(Self::Rtl(Some(model.to_owned()))),
            ("vfio", Some(address)) => address.parse().map(Self::Vfio).map_err(|()| wrong()),
            ("vfio-user", Some(path)) if !path.is_empty() => Ok(Self::VfioUser(path.into())),
            ("uio", Some(digits)) => number(digits).map(Self::Uio),
            (kind, None) => kind.strip_prefix("xdma").ok_or_else(wrong).and_then(number).map(Self::Xdma),
            _ => Err(wrong()),
        }
    }
}

/// Whether a word can be a model's name: a word of its own on a command line, and no option.
fn is_model(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// Why there is no way to a card.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Nothing is called so.
    #[error(
        "{text:?} names no card: cards are sim, sim:CORES, rtl, rtl:MODEL, xdmaN, vfio:DOMAIN:BUS:DEVICE.FUNCTION, vfio-user:SOCKET and uio:N; \
         `fenn-run list` shows those of this machine"
    )]
    Selector {
        /// What was typed.
        text: String,
    },
    /// A program that is needed is not there.
    #[error(
        "{selector}: the program `{program}` is neither beside fenn-run nor on the PATH; build it, or choose another card"
    )]
    NoProgram {
        /// Which card.
        selector: String,
        /// Its name.
        program: &'static str,
    },
    /// It cannot be made.
    #[error("{selector}: {error}")]
    Device {
        /// Which card.
        selector: String,
        /// Why.
        error: DeviceError,
    },
    /// It cannot be reached.
    #[error("{selector}: {error}")]
    Transport {
        /// Which card.
        selector: String,
        /// Why.
        error: TransportError,
    },
}

/// The way to a card.
///
/// # Errors
/// [`OpenError`], with the selector and what to do.
pub fn open(selector: &Selector) -> Result<Box<dyn Transport>, OpenError> {
    open_at(selector, &Root::default(), fenn_iss::Options::default())
}

/// The way to a card that is found below `root`; where it is simulated, with cores of this kind.
///
/// # Errors
/// As [`open`].
pub fn open_at(selector: &Selector, root: &Root, machine: fenn_iss::Options) -> Result<Box<dyn Transport>, OpenError> {
    let transport = |error| OpenError::Transport { selector: selector.to_string(), error };
    match selector {
        Selector::Sim(cores) => {
            let dram_bytes = u64::from(*cores) * SIMULATED_DRAM;
            let options = sim::Options { cores: *cores, dram_bytes, machine, ..sim::Options::default() };
            let card = SimulatedCard::new(options);
            Ok(Box::new(card.map_err(|error| OpenError::Device { selector: selector.to_string(), error })?))
        }
        Selector::Rtl(model) => {
            let missing = || OpenError::NoProgram { selector: selector.to_string(), program: CARD_PROGRAM };
            let program = program(CARD_PROGRAM).ok_or_else(missing)?;
            let mut arguments = vec!["--side", "rtl"];
            arguments.extend(model.iter().flat_map(|model| ["--model", model]));
            Ok(Box::new(Spawned::start(&program, &arguments, selector.to_string()).map_err(transport)?))
        }
        Selector::Xdma(number) => {
            let options = xdma::Options { folder: root.path("dev"), ..xdma::Options::card(*number) };
            let mut card = Xdma::open(options).map_err(transport)?;
            let windows = reach::windows(&mut card).map_err(transport)?;
            card.limit(windows);
            Ok(Box::new(card))
        }
        Selector::Vfio(address) => {
            let options = direct::Options::default();
            let function = Vfio::open(&address.to_string(), options.memory_bytes()).map_err(transport)?;
            Ok(Box::new(Direct::open_card(function, options).map_err(transport)?))
        }
        Selector::VfioUser(path) => {
            let options = direct::Options::default();
            let function = VfioUser::connect(path, options.memory_bytes()).map_err(transport)?;
            Ok(Box::new(Direct::open_card(function, options).map_err(transport)?))
        }
        Selector::Uio(number) => uio::open(root, *number).map_err(transport),
    }
}

/// A program beside this one or on the PATH.
pub fn program(name: &str) -> Option<PathBuf> {
    let beside = std::env::current_exe().ok().and_then(|here| Some(here.parent()?.join(name)));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).filter(|folder| folder.is_absolute()).map(|folder| folder.join(name));
    beside.into_iter().chain(on_path).find(|file| is_program(file))
}

fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    file.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// Something that a selector leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// How it is selected.
    pub selector: Selector,
    /// What it is, as far as can be told without opening it.
    pub what: String,
    /// Why it cannot be used now, if so.
    pub but: Option<String>,
}

/// What can be selected on the machine below `root`.
pub fn found(root: &Root) -> Vec<Found> {
    let mut found = vec![Found { selector: Selector::Sim(1), what: "simulated card".to_owned(), but: None }];
    let but = program(CARD_PROGRAM).is_none().then(|| format!("the program `{CARD_PROGRAM}` is not there"));
    found.push(Found { selector: Selector::Rtl(None), what: "simulated hardware".to_owned(), but });
    for node in root.names("dev") {
        let number = node.strip_prefix("xdma").and_then(|rest| rest.strip_suffix("_user")?.parse().ok());
        let Some(number) = number else { continue };
        let missing = ["h2c_0", "c2h_0"].map(|part| format!("xdma{number}_{part}"));
        let missing = missing.iter().find(|node| !root.has(format!("dev/{node}")));
        let but = match missing {
            Some(node) => Some(format!("/dev/{node} is not there")),
            None => closed(root, &format!("dev/{node}")),
        };
        found.push(Found { selector: Selector::Xdma(number), what: "card behind the XDMA driver".to_owned(), but });
    }
    for address in root.names("sys/bus/pci/drivers/vfio-pci") {
        let Ok(pci) = address.parse() else { continue };
        let folder = format!("sys/bus/pci/devices/{address}");
        let id = |name| root.text(format!("{folder}/{name}")).unwrap_or_else(|_| "?".to_owned());
        let (vendor, device) = (id("vendor"), id("device"));
        let group = root.link(format!("{folder}/iommu_group"));
        let but = match &group {
            _ if vendor != XILINX => Some("its maker is not Xilinx, so it is no XDMA card".to_owned()),
            Some(group) => closed(root, &format!("dev/vfio/{group}")),
            None => Some("it has no IOMMU group; see `fenn-run doctor`".to_owned()),
        };
        let what = format!("PCI device {vendor}:{device} bound to vfio-pci");
        found.push(Found { selector: Selector::Vfio(pci), what, but });
    }
    let mut board = false;
    for device in root.names("sys/class/uio") {
        let Some(number) = device.strip_prefix("uio").and_then(|number| number.parse().ok()) else { continue };
        let Ok(name) = uio::name_of(root, number) else { continue };
        let but = closed(root, &format!("dev/{device}"));
        let maps = format!("sys/class/uio/{device}/maps");
        let is_soc = root
            .names(&maps)
            .iter()
            .any(|map| root.text(format!("{maps}/{map}/name")).is_ok_and(|name| name == "registers"));
        let what = if is_soc {
            format!("cores on this chip ({name})")
        } else if uio::published::is_part(&name) && !std::mem::replace(&mut board, true) {
            format!("published board ({name} and its other parts)")
        } else {
            continue;
        };
        found.push(Found { selector: Selector::Uio(number), what, but });
    }
    found
}

/// Why a device node cannot be opened, if so.
fn closed(root: &Root, node: &str) -> Option<String> {
    use rustix::fs::{Access, access};
    let path = root.path(node);
    let error = access(&path, Access::READ_OK | Access::WRITE_OK).err()?;
    Some(format!("/{node}: {}; see `fenn-run doctor`", std::io::Error::from(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_come_back() {
        let pci = PciAddress { domain: 0, bus: 3, device: 0x1f, function: 7 };
        let selectors = [
            ("sim", Selector::Sim(1)),
            ("sim:4", Selector::Sim(4)),
            ("rtl", Selector::Rtl(None)),
            ("rtl:soc_two", Selector::Rtl(Some("soc_two".to_owned()))),
            ("xdma0", Selector::Xdma(0)),
            ("xdma12", Selector::Xdma(12)),
            ("vfio:0000:03:1f.7", Selector::Vfio(pci)),
            ("vfio-user:/run/a:b", Selector::VfioUser("/run/a:b".into())),
            ("uio:3", Selector::Uio(3)),
        ];
        for (text, selector) in selectors {
            assert_eq!(text.parse(), Ok(selector.clone()), "{text}");
            assert_eq!(selector.to_string(), text);
        }
        assert_eq!("vfio:03:1f.7".parse(), Ok(Selector::Vfio(pci)), "the domain is mostly 0");
    }

    #[test]
    fn what_is_no_selector_is_said_to_be_none() {
        let wrong = [
            "",
            "card",
            "sim:",
            "sim:0",
            "sim:17",
            "sim:-1",
            "rtl:1",
            "xdma",
            "xdma-1",
            "xdma:0",
            "xdma0_user",
            "uio",
            "uio:",
            "uio:x",
            "uio:99999999999",
            "vfio",
            "vfio:",
            "vfio:0000:03:20.0",
            "vfio:0000:03:00.8",
            "vfio:03",
            "vfio:+3:00.0",
            "vfio:0:0:0:0.0",
            "vfio-user",
            "vfio-user:",
            "SIM",
        ];
        for text in wrong {
            assert_eq!(text.parse::<Selector>(), Err(OpenError::Selector { text: text.to_owned() }), "{text}");
        }
    }
}
