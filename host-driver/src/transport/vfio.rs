//! A PCI function of this machine, through VFIO: no kernel module of the card's, and no access of the card to other memory
//! than ours, which the IOMMU sees to.
//!
//! Contract: [`Vfio`] is a [`Pci`]. The function has to be bound to `vfio-pci` beforehand, and its group readable and writable
//! for the user; what is missing is said with the command that mends it. Accesses to registers are loads and stores by the
//! kernel on our behalf: one that fails reads as all ones, as the bus does.
//!
//! **Not run**: this file has been compiled, and tested only as far as its refusals, on machines without an IOMMU. The
//! driver above it ([`super::direct`]) is tested over vfio-user, whose messages are this interface's calls.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use vfio_bindings::bindings::vfio::{VFIO_PCI_CONFIG_REGION_INDEX, VFIO_PCI_MSIX_IRQ_INDEX};
use vfio_ioctls::{VfioContainer, VfioDevice, VfioOps};

use super::events::Events;
use super::mmio::{self, Mapping};
use super::pci::{BARS, Pci, check_word, outside};
use super::{Deadline, TransportError};

/// Where the function sees the DMA memory: no machine has reserved it for something else.
const MEMORY_ADDRESS: u64 = 0x1_0000_0000;
/// The most interrupt vectors that are used.
const MOST_VECTORS: u32 = 32;
/// The command register in the configuration space.
const COMMAND: u64 = 4;
/// Its bits: memory accesses, and bus mastering.
const MEMORY_AND_MASTER: u8 = 0b110;

/// A PCI function, by VFIO.
///
/// The fields are dropped in this order: the device first, then what lets it reach the memory, then the memory.
pub struct Vfio {
    name: String,
    events: Events,
    device: VfioDevice,
    _container: Arc<VfioContainer>,
    memory: Mapping,
}

impl Vfio {
    /// Opens the function at `address`, such as `0000:03:00.0`, with `bytes` bytes of DMA memory.
    ///
    /// # Errors
    /// [`TransportError::System`] where VFIO does not have it, with what to do.
    pub fn open(address: &str, bytes: usize) -> Result<Self, TransportError> {
        let name = format!("vfio:{address}");
        let sysfs = Self::sysfs(address)?;
        let system = |what: String, message: String| TransportError::System { what, message };
        if !sysfs.join("iommu_group").exists() {
            let message = "it belongs to no IOMMU group: switch the IOMMU on in the firmware and with `intel_iommu=on` or \
                           `amd_iommu=on` on the kernel's command line";
            return Err(system(format!("opening {name}"), message.to_owned()));
        }
        let container = VfioContainer::new(None).map_err(|error| {
            system("opening /dev/vfio/vfio".to_owned(), format!("{error}; `modprobe vfio-pci` loads VFIO"))
        })?;
        let container = Arc::new(container);
        let operations: Arc<dyn VfioOps> = Arc::clone(&container) as Arc<dyn VfioOps>;
        let device = VfioDevice::new(&sysfs, operations, false).map_err(|error| {
            let message = format!(
                "{error}; bind it to VFIO with `driverctl set-override {address} vfio-pci`, and see that its group in /dev/vfio \
                 is yours"
            );
            system(format!("opening {name}"), message)
        })?;
        let bytes = bytes.next_multiple_of(4096);
        let memory = Mapping::anonymous(bytes)
            .map_err(|error| system(format!("mapping {bytes} bytes for {name}"), error.to_string()))?;
        mmio::give_to_device(&container, &memory, MEMORY_ADDRESS).map_err(|error| {
            let message = format!("{error}; `ulimit -l` may allow less locked memory than that");
            system(format!("letting {name} reach {bytes} bytes"), message)
        })?;
        let vectors = device.get_irq_info(VFIO_PCI_MSIX_IRQ_INDEX).map_or(0, |irq| irq.count.min(MOST_VECTORS));
        let function = Self { name, events: Events::new(vectors)?, device, _container: container, memory };
        function.make_master();
        function.enable_interrupts()?;
        Ok(function)
    }

    /// The function's directory. Nothing but an address can lead there.
    fn sysfs(address: &str) -> Result<PathBuf, TransportError> {
        let path = Path::new("/sys/bus/pci/devices").join(address);
        let is_address =
            address.len() == 12 && address.bytes().all(|byte| byte.is_ascii_hexdigit() || b":.".contains(&byte));
        if is_address && path.exists() {
            return Ok(path);
        }
        let message = "no PCI function has this address; write it as `lspci -D` does, such as 0000:03:00.0";
        Err(TransportError::System { what: format!("opening vfio:{address}"), message: message.to_owned() })
    }

    fn make_master(&self) {
        let mut command = [0; 2];
        self.device.region_read(VFIO_PCI_CONFIG_REGION_INDEX, &mut command, COMMAND);
        command[0] |= MEMORY_AND_MASTER;
        self.device.region_write(VFIO_PCI_CONFIG_REGION_INDEX, &command, COMMAND);
    }

    fn enable_interrupts(&self) -> Result<(), TransportError> {
        if self.events.len() == 0 {
            return Ok(());
        }
        self.device.enable_msix(self.events.iter().collect()).map_err(|error| TransportError::System {
            what: format!("switching on the interrupts of {}", self.name),
            message: error.to_string(),
        })
    }
}

impl std::fmt::Debug for Vfio {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vfio").field("name", &self.name).field("memory", &self.memory).finish_non_exhaustive()
    }
}

impl Pci for Vfio {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn bar_bytes(&self, bar: u8) -> u64 {
        if bar < BARS { self.device.get_region_size(bar.into()) } else { 0 }
    }

    fn read_bar(&mut self, bar: u8, offset: u32, _: Deadline) -> Result<u32, TransportError> {
        check_word(self.bar_bytes(bar), offset)?;
        // A read that the kernel refuses leaves these.
        let mut bytes = [0xff; 4];
        self.device.region_read(bar.into(), &mut bytes, offset.into());
        Ok(u32::from_le_bytes(bytes))
    }

    fn write_bar(&mut self, bar: u8, offset: u32, value: u32, _: Deadline) -> Result<(), TransportError> {
        check_word(self.bar_bytes(bar), offset)?;
        self.device.region_write(bar.into(), &value.to_le_bytes(), offset.into());
        Ok(())
    }

    fn memory_bytes(&self) -> usize {
        self.memory.bytes()
    }

    fn memory_address(&self) -> u64 {
        MEMORY_ADDRESS
    }

    fn read_memory(&mut self, offset: usize, out: &mut [u8]) -> Result<(), TransportError> {
        self.memory.read_bytes(offset, out).ok_or_else(|| outside(&self.name, offset))
    }

    fn write_memory(&mut self, offset: usize, bytes: &[u8]) -> Result<(), TransportError> {
        self.memory.write_bytes(offset, bytes).ok_or_else(|| outside(&self.name, offset))
    }

    fn vectors(&self) -> u32 {
        self.events.len()
    }

    fn wait_interrupt(&mut self, vector: u32, limit: Duration) -> Result<bool, TransportError> {
        self.events.wait(vector, limit)
    }

    fn reset(&mut self, _: Deadline) -> Result<(), TransportError> {
        self.device.reset();
        self.events.clear()?;
        // The reset may have taken the function's MSI-X state and mastering with it.
        self.make_master();
        self.enable_interrupts()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lead_nowhere_else() {
        for address in ["", "../../../../etc", "0000:03:00.0/..", "ffff:ff:1f.7", "/etc/passwd.."] {
            let error = Vfio::open(address, 4096).unwrap_err().to_string();
            assert!(error.contains("lspci -D"), "{error}");
        }
    }
}
