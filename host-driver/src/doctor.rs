//! What is wrong with a machine's set-up for cards, and how it is put right.
//!
//! Contract: [`examine`] looks and changes nothing; each [`Check`] says what was found, and where something keeps a card from being
//! used, the commands that would change that. What is not needed for the ways to a card that this machine has is no problem.
//! Everything is read below a [`Root`], so it can be tried on a copy of another machine's folders.
//!
//! Permissions are asked of the system where they are this machine's; of a copy they are what the files' modes say.

use std::os::unix::fs::MetadataExt as _;

use serde_json::{Value, json};

use crate::card::Card;
use crate::open::{CARD_PROGRAM, Found, Selector, found, open_at, program};
use crate::system::Root;

/// The group that the shipped udev rules give devices to.
const GROUP: &str = "fenn";
/// The name of the file with the rules.
const RULES: &str = "60-fenn.rules";
/// Where rules lie.
const RULE_FOLDERS: [&str; 3] = ["etc/udev/rules.d", "usr/lib/udev/rules.d", "lib/udev/rules.d"];
/// The maker of XDMA cards, as PCI has it.
const XILINX: &str = "0x10ee";
/// What a process should be able to lock, for its buffers to be mapped for a card.
const LOCKED: u64 = 64 << 20;

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What.
    pub name: String,
    /// What was found.
    pub finding: Finding,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// As it should be.
    Good(String),
    /// Of no account here, and why.
    NotNeeded(String),
    /// Something keeps a card from being used.
    Problem {
        /// What.
        what: String,
        /// Commands, or what else is to be done, in order.
        fix: Vec<String>,
    },
}

impl Check {
    fn good(name: impl Into<String>, what: impl Into<String>) -> Self {
        Self { name: name.into(), finding: Finding::Good(what.into()) }
    }

    fn not_needed(name: impl Into<String>, why: impl Into<String>) -> Self {
        Self { name: name.into(), finding: Finding::NotNeeded(why.into()) }
    }

    fn problem(name: impl Into<String>, what: impl Into<String>, fix: &[&str]) -> Self {
        let fix = fix.iter().map(|line| (*line).to_owned()).collect();
        Self { name: name.into(), finding: Finding::Problem { what: what.into(), fix } }
    }

    /// Whether it is one.
    pub fn is_problem(&self) -> bool {
        matches!(self.finding, Finding::Problem { .. })
    }

    /// For machines.
    pub fn json(&self) -> Value {
        let name = &self.name;
        match &self.finding {
            Finding::Good(what) => json!({ "check": name, "state": "ok", "found": what }),
            Finding::NotNeeded(why) => json!({ "check": name, "state": "not needed", "found": why }),
            Finding::Problem { what, fix } => json!({ "check": name, "state": "problem", "found": what, "fix": fix }),
        }
    }

    /// For people.
    pub fn text(&self) -> String {
        let name = &self.name;
        match &self.finding {
            Finding::Good(what) => format!("OK       {name}: {what}\n"),
            Finding::NotNeeded(why) => format!("-        {name}: {why}\n"),
            Finding::Problem { what, fix } => {
                let fix: String = fix.iter().map(|line| format!("         fix: {line}\n")).collect();
                format!("PROBLEM  {name}: {what}\n{fix}")
            }
        }
    }
}

/// Everything there is to look at.
pub fn examine(root: &Root) -> Vec<Check> {
    let user = User::of(root);
    let cards = pci_cards(root);
    let uio = root.names("sys/class/uio");
    let mut checks = vec![pci(&cards)];
    checks.extend(cards.iter().flat_map(|card| [driver(root, card), link(root, card)]));
    let by_xdma = cards.iter().any(|card| card.driver.as_deref() == Some("xdma"));
    let by_vfio: Vec<&PciCard> = cards.iter().filter(|card| card.driver.as_deref() == Some("vfio-pci")).collect();
    checks.push(module(root, by_xdma));
    checks.extend(xdma_nodes(root, &user, by_xdma));
    checks.push(control_nodes(root));
    checks.push(iommu(root, by_vfio.is_empty()));
    checks.extend(by_vfio.iter().map(|card| group(root, &user, card)));
    checks.push(locked(root, by_vfio.is_empty()));
    let boards: Vec<Found> = found(root).into_iter().filter(|one| matches!(one.selector, Selector::Uio(_))).collect();
    checks.extend(uio_devices(root, &user, &uio, &boards));
    checks.push(rules(root, cards.is_empty() && boards.is_empty()));
    checks.push(membership(root, &user, cards.is_empty() && boards.is_empty()));
    checks.push(match program(CARD_PROGRAM) {
        Some(path) => Check::good("simulated hardware", format!("`{}`", path.display())),
        None => Check::not_needed("simulated hardware", format!("`{CARD_PROGRAM}` is not built, so there is no `rtl`")),
    });
    checks.extend(identities(root));
    checks
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
struct User {
    uid: u32,
    groups: Vec<u32>,
}

impl User {
    fn of(root: &Root) -> Self {
        let status = root.text("proc/self/status").unwrap_or_default();
        let numbers = |name: &str| -> Vec<u32> {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or("").split_whitespace().filter_map(|number| number.parse().ok()).collect()
        };
        // Real, effective, saved, file system.
        let effective = |name| numbers(name).get(1).copied();
        let mut groups = numbers("Groups:");
        groups.extend(effective("Gid:"));
        Self { uid: effective("Uid:").unwrap_or(u32::MAX), groups }
    }

    /// Whether they may read and write a file; its mode, where they may not.
    fn may_open(&self, root: &Root, node: &str) -> Result<(), String> {
        let path = root.path(node);
        let metadata = path.metadata().map_err(|error| format!("/{node}: {error}"))?;
        let mode = metadata.mode();
        let may = if root.is_here() {
            use rustix::fs::{Access, access};
            access(&path, Access::READ_OK | Access::WRITE_OK).is_ok()
        } else {
            let shift = match () {
                () if metadata.uid() == self.uid => 6,
                () if self.groups.contains(&metadata.gid()) => 3,
                () => 0,
            };
            self.uid == 0 || mode >> shift & 0o6 == 0o6
        };
        if may {
            Ok(())
        } else {
            Err(format!("/{node} has mode {:04o}, and you may not read and write it", mode & 0o7777))
        }
    }
}

/// A card on PCI.
#[derive(Debug, Clone, PartialEq, Eq)]
struct PciCard {
    address: String,
    id: String,
    driver: Option<String>,
}

fn pci_cards(root: &Root) -> Vec<PciCard> {
    let folder = "sys/bus/pci/devices";
    let card = |address: String| {
        let id = |name| root.text(format!("{folder}/{address}/{name}"));
        let vendor = id("vendor").ok().filter(|vendor| vendor == XILINX)?;
        let device = id("device").unwrap_or_else(|_| "?".to_owned());
        let driver = root.link(format!("{folder}/{address}/driver"));
        Some(PciCard { id: format!("{vendor}:{device}"), driver, address })
    };
    root.names(folder).into_iter().filter_map(card).collect()
}

fn pci(cards: &[PciCard]) -> Check {
    match cards {
        [] => Check::not_needed(
            "card on PCI Express",
            "no Xilinx device is there; if there should be one, its bitstream was loaded after this machine's start: \
             `echo 1 | sudo tee /sys/bus/pci/rescan`, or start again",
        ),
        cards => {
            let list: Vec<String> = cards.iter().map(|card| format!("{} ({})", card.address, card.id)).collect();
            Check::good("card on PCI Express", list.join(", "))
        }
    }
}

fn driver(root: &Root, card: &PciCard) -> Check {
    let PciCard { address, driver, .. } = card;
    let name = format!("driver of {address}");
    match driver.as_deref() {
        Some(driver @ ("xdma" | "vfio-pci")) => Check::good(name, driver),
        Some(other) => Check::problem(
            name,
            format!("`{other}`, which does not know FeNN cards"),
            &[
                &format!("echo {address} | sudo tee /sys/bus/pci/devices/{address}/driver/unbind"),
                &format!("echo vfio-pci | sudo tee /sys/bus/pci/devices/{address}/driver_override"),
                &format!("sudo modprobe vfio-pci && echo {address} | sudo tee /sys/bus/pci/drivers_probe"),
            ],
        ),
        None if root.has("sys/module/xdma") => Check::problem(
            name,
            format!("none, although the module xdma is loaded; it does not know the device's number {}", card.id),
            &[
                &format!("echo xdma | sudo tee /sys/bus/pci/devices/{address}/driver_override"),
                &format!("echo {address} | sudo tee /sys/bus/pci/drivers_probe"),
            ],
        ),
        None => Check::problem(
            name,
            "none",
            &[
                "with Xilinx' driver, built for this kernel: sudo modprobe xdma",
                &format!(
                    "or without a module of its own: echo vfio-pci | sudo tee /sys/bus/pci/devices/{address}/driver_override && \
                     sudo modprobe vfio-pci && echo {address} | sudo tee /sys/bus/pci/drivers_probe"
                ),
            ],
        ),
    }
}

fn link(root: &Root, card: &PciCard) -> Check {
    let address = &card.address;
    let name = format!("link of {address}");
    let read = |file| root.text(format!("sys/bus/pci/devices/{address}/{file}"));
    let all = (read("current_link_width"), read("max_link_width"), read("current_link_speed"), read("max_link_speed"));
    let (Ok(width), Ok(widest), Ok(speed), Ok(fastest)) = all else {
        return Check::not_needed(name, "the system does not say how wide it is");
    };
    match (width.as_str(), width == widest && speed == fastest) {
        ("0", _) => Check::problem(name, "down", &["load the bitstream and start this machine again"]),
        (_, true) => Check::good(name, format!("x{width}, {speed}")),
        (_, false) => Check::problem(
            name,
            format!("x{width} at {speed}, and the card can x{widest} at {fastest}: it is slower than it could be"),
            &[
                "put the card into a slot of its width, or seat it anew; see the mainboard's manual on lanes that slots share",
            ],
        ),
    }
}

fn module(root: &Root, needed: bool) -> Check {
    match (root.has("sys/module/xdma"), needed) {
        (true, _) => match root.text("sys/module/xdma/version") {
            Ok(version) => Check::good("module xdma", format!("version {version}")),
            Err(_) => Check::good("module xdma", "loaded"),
        },
        (false, true) => {
            Check::problem("module xdma", "not loaded, though a card is bound to it", &["sudo modprobe xdma"])
        }
        (false, false) => Check::not_needed("module xdma", "no card is bound to it; VFIO needs no module of its own"),
    }
}

/// The numbers of the cards that the driver has made nodes for.
fn xdma_numbers(root: &Root) -> Vec<u32> {
    let number = |node: &String| node.strip_prefix("xdma")?.split_once('_')?.0.parse().ok();
    let mut numbers: Vec<u32> = root.names("dev").iter().filter_map(number).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

const USE_RULES: [&str; 2] = [
    "sudo cp host-driver/udev/60-fenn.rules /etc/udev/rules.d/ && sudo udevadm control --reload && sudo udevadm trigger",
    "without udev: sudo chgrp fenn NODE && sudo chmod 0660 NODE, after each start",
];

fn xdma_nodes(root: &Root, user: &User, needed: bool) -> Vec<Check> {
    let numbers = xdma_numbers(root);
    if numbers.is_empty() {
        let name = "nodes of the XDMA driver";
        return vec![match needed {
            true => Check::problem(
                name,
                "none in /dev, though a card is bound to the driver; it gave up on the card, or found no config BAR",
                &["sudo dmesg | grep xdma", "load a bitstream with the XDMA core and start this machine again"],
            ),
            false => Check::not_needed(name, "no card is bound to it"),
        }];
    }
    let check = |number| {
        let name = format!("nodes of xdma{number}");
        let nodes = ["user", "h2c_0", "c2h_0"].map(|part| format!("dev/xdma{number}_{part}"));
        if let Some(missing) = nodes.iter().find(|node| !root.has(node)) {
            return Check::problem(
                name,
                format!("/{missing} is not there: the bitstream's XDMA core has no such port"),
                &["build the bitstream with a user BAR (AXI4-Lite) and one memory-mapped channel each way"],
            );
        }
        match nodes.iter().find_map(|node| user.may_open(root, node).err()) {
            Some(what) => Check::problem(name, what, &USE_RULES),
            None => Check::good(name, "can be opened"),
        }
    };
    numbers.into_iter().map(check).collect()
}

/// Nobody but root should reach the engine's own registers.
fn control_nodes(root: &Root) -> Check {
    let name = "XDMA control nodes";
    let nodes = root.names("dev").into_iter().filter(|node| node.starts_with("xdma") && node.ends_with("_control"));
    let nodes: Vec<String> = nodes.collect();
    let open = nodes
        .iter()
        .find(|node| root.path(format!("dev/{node}")).metadata().is_ok_and(|metadata| metadata.mode() & 0o066 != 0));
    match open {
        Some(node) => Check::problem(
            name,
            format!(
                "/dev/{node} can be opened by others than root, who can then read and write all of this machine's memory"
            ),
            &[&format!("sudo chmod 0600 /dev/{node}"), USE_RULES[0]],
        ),
        None if nodes.is_empty() => Check::not_needed(name, "there are none"),
        None => Check::good(name, "are root's alone"),
    }
}

fn iommu(root: &Root, unused: bool) -> Check {
    let name = "IOMMU";
    let groups = root.names("sys/kernel/iommu_groups").len();
    let command_line = root.text("proc/cmdline").unwrap_or_default();
    match (groups, unused) {
        (1.., _) => Check::good(name, format!("{groups} groups")),
        (0, true) => Check::not_needed(name, "it is off; only VFIO needs it, and it keeps cards from other memory"),
        (0, false) => {
            let amd = root.text("proc/cpuinfo").unwrap_or_default().contains("AuthenticAMD");
            let option = if amd { "amd_iommu=on" } else { "intel_iommu=on" };
            let what = match command_line.contains("iommu=on") {
                true => "it is asked for on the kernel's command line and yet off: the firmware has it off",
                false => "it is off",
            };
            Check::problem(
                name,
                what,
                &[
                    &format!(
                        "add `{option} iommu=pt` to the kernel's command line (GRUB_CMDLINE_LINUX in /etc/default/grub, then sudo update-grub) and start again"
                    ),
                    "in the firmware's set-up, turn on VT-d or AMD-Vi",
                ],
            )
        }
    }
}

fn group(root: &Root, user: &User, card: &PciCard) -> Check {
    let address = &card.address;
    let name = format!("VFIO group of {address}");
    let Some(group) = root.link(format!("sys/bus/pci/devices/{address}/iommu_group")) else {
        return Check::problem(name, "it has none: the IOMMU is off", &["see the check `IOMMU`"]);
    };
    let others: Vec<String> = root
        .names(format!("sys/kernel/iommu_groups/{group}/devices"))
        .into_iter()
        .filter(|other| other != address)
        .filter(|other| {
            let driver = root.link(format!("sys/bus/pci/devices/{other}/driver"));
            !matches!(driver.as_deref(), None | Some("vfio-pci" | "pcieport"))
        })
        .collect();
    if let Some(other) = others.first() {
        return Check::problem(
            name,
            format!(
                "group {group} has {} too, whose driver uses it; all devices of a group go to one user",
                others.join(", ")
            ),
            &[
                "put the card into a slot behind another root port",
                &format!(
                    "or give the other device away too: echo {other} | sudo tee /sys/bus/pci/devices/{other}/driver/unbind"
                ),
            ],
        );
    }
    if !root.has("dev/vfio/vfio") {
        return Check::problem(name, "/dev/vfio/vfio is not there", &["sudo modprobe vfio-pci"]);
    }
    match user.may_open(root, &format!("dev/vfio/{group}")) {
        Ok(()) => Check::good(name, format!("group {group}, yours")),
        Err(what) => Check::problem(
            name,
            what,
            &[&format!("sudo chgrp {GROUP} /dev/vfio/{group} && sudo chmod 0660 /dev/vfio/{group}"), USE_RULES[0]],
        ),
    }
}

fn locked(root: &Root, unused: bool) -> Check {
    let name = "memory that can be locked";
    let limits = root.text("proc/self/limits").unwrap_or_default();
    let soft = limits.lines().find_map(|line| line.strip_prefix("Max locked memory")?.split_whitespace().next());
    match soft {
        _ if unused => Check::not_needed(name, "only VFIO needs it"),
        Some("unlimited") => Check::good(name, "as much as there is"),
        Some(bytes) => match bytes.parse::<u64>() {
            Ok(bytes) if bytes >= LOCKED => Check::good(name, format!("{} MiB", bytes >> 20)),
            Ok(bytes) => Check::problem(
                name,
                format!("{} KiB, and buffers for a card take up to {} MiB", bytes >> 10, LOCKED >> 20),
                &[&format!(
                    "echo '@{GROUP} - memlock 1048576' | sudo tee /etc/security/limits.d/60-fenn.conf, and log in again"
                )],
            ),
            Err(_) => Check::not_needed(name, "the system does not say"),
        },
        None => Check::not_needed(name, "the system does not say"),
    }
}

fn uio_devices(root: &Root, user: &User, devices: &[String], boards: &[Found]) -> Vec<Check> {
    let name = "UIO devices";
    if boards.is_empty() {
        let why = match devices {
            [] => "there are none; only Zynq and Kria boards have any".to_owned(),
            devices => format!("{} are not FeNN's", devices.join(", ")),
        };
        return vec![Check::not_needed(name, why)];
    }
    let mut checks = Vec::new();
    for board in boards {
        let Selector::Uio(number) = board.selector else { continue };
        let name = format!("uio{number}");
        checks.push(match user.may_open(root, &format!("dev/uio{number}")) {
            Ok(()) => Check::good(name, board.what.clone()),
            Err(what) => Check::problem(name, what, &USE_RULES),
        });
    }
    let buffers: Vec<String> = root.names("dev").into_iter().filter(|node| node.starts_with("udmabuf")).collect();
    checks.push(match buffers.first() {
        None => Check::problem(
            "buffer for DMA",
            "no u-dma-buf is there, so DRAM (and on the published board vector memory) cannot be reached",
            &["sudo modprobe u-dma-buf udmabuf0=67108864"],
        ),
        Some(buffer) => match user.may_open(root, &format!("dev/{buffer}")) {
            Ok(()) => Check::good("buffer for DMA", buffers.join(", ")),
            Err(what) => Check::problem("buffer for DMA", what, &USE_RULES),
        },
    });
    checks
}

fn rules(root: &Root, unused: bool) -> Check {
    let name = "udev rules";
    match RULE_FOLDERS.iter().find(|folder| root.has(format!("{folder}/{RULES}"))) {
        Some(folder) => Check::good(name, format!("/{folder}/{RULES}")),
        None if unused => Check::not_needed(name, "no card is there for them"),
        None => {
            Check::problem(name, format!("{RULES} is not installed, so nodes are root's after each start"), &USE_RULES)
        }
    }
}

fn membership(root: &Root, user: &User, unused: bool) -> Check {
    let name = "group";
    let groups = root.text("etc/group").unwrap_or_default();
    let id = groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let named = fields.next() == Some(GROUP);
        named.then(|| fields.nth(1)?.parse::<u32>().ok()).flatten()
    });
    let join = format!("sudo usermod -aG {GROUP} \"$USER\", and log in again");
    match id {
        _ if unused => Check::not_needed(name, "no card is there for it"),
        Some(id) if user.uid == 0 || user.groups.contains(&id) => {
            Check::good(name, format!("you are in `{GROUP}`, or root"))
        }
        Some(_) => Check::problem(name, format!("you are not in `{GROUP}`, to which cards belong"), &[&join]),
        None if user.uid == 0 => Check::good(name, "you are root"),
        None => {
            let add = format!("sudo groupadd --system {GROUP}");
            Check::problem(name, format!("there is no group `{GROUP}` for cards to belong to"), &[&add, &join])
        }
    }
}

/// Who the cards say they are that can be opened.
fn identities(root: &Root) -> Vec<Check> {
    let real = found(root).into_iter().filter(|one| !matches!(one.selector, Selector::Sim(_) | Selector::Rtl(_)));
    let check = |one: Found| {
        let name = format!("bitstream of {}", one.selector);
        if let Some(but) = one.but {
            return Check::not_needed(name, format!("not looked at: {but}"));
        }
        let opened = open_at(&one.selector, root, fenn_iss::Options::default()).map_err(|error| error.to_string());
        let card = opened.and_then(|transport| Card::open(transport).map_err(|error| error.to_string()));
        match card {
            Ok(card) => {
                let identity = card.identity();
                let cores = if identity.cores == 1 { "1 core".to_owned() } else { format!("{} cores", identity.cores) };
                Check::good(name, format!("{cores}, fingerprint {:#010x}", identity.fingerprint))
            }
            Err(what) => Check::problem(
                name,
                what,
                &["fenn-run info says more of it", "load the bitstream that this version came with"],
            ),
        }
    };
    real.map(check).collect()
}
