//! The control and status registers: one row each.
//!
//! Contract: the rows are all the CSRs there are; an access to any other address is an illegal instruction, and so is
//! a write to a read-only one. A row becomes a variant of [`Register`] (for an exhaustive `match`) and an entry of
//! [`CSRS`].
//!
//! Sources: the RISC-V privileged manual; for the DMA engine the published FeNN host code and simulator.
//!
//! Not here: what reading and writing them does to a machine.

/// Whether programs may write a CSR.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// Readable and writable.
    ReadWrite,
    /// A write is an illegal instruction.
    ReadOnly,
}

/// One row, as data.
#[derive(Debug)]
pub struct CsrSpec {
    /// Which row.
    pub register: Register,
    /// As programs write it.
    pub name: &'static str,
    /// 12 bits.
    pub address: u16,
    /// Whether programs may write it.
    pub access: Access,
    /// Its value after reset.
    pub reset: u32,
    /// The doc comment.
    pub doc: &'static str,
}

macro_rules! csrs {
    ($($(#[doc = $doc:literal])* $variant:ident $name:literal = $address:literal, $access:ident, $reset:literal;)*) => {
        /// Which CSR; its number indexes [`CSRS`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Register { $($(#[doc = $doc])* $variant,)* }

        /// The table.
        pub static CSRS: &[CsrSpec] = &[$(CsrSpec {
            register: Register::$variant,
            name: $name,
            address: $address,
            access: Access::$access,
            reset: $reset,
            doc: concat!($($doc, "\n"),*),
        }),*];

        const _: () = {
            let addresses = [$($address),*];
            let mut i = 0;
            while i < addresses.len() {
                let mut j = 0;
                while j < i {
                    assert!(addresses[i] != addresses[j], "two CSRs share an address");
                    j += 1;
                }
                let read_only = matches!(CSRS[i].access, Access::ReadOnly);
                assert!(read_only == (addresses[i] >> 10 == 3), "bits 11:10 of an address say whether it is read-only");
                i += 1;
            }
        };
    };
}

impl Register {
    /// The row.
    pub fn spec(self) -> &'static CsrSpec {
        &CSRS[self as usize]
    }
}

/// The CSR at `address`.
pub fn by_address(address: u16) -> Option<&'static CsrSpec> {
    CSRS.iter().find(|row| row.address == address)
}

/// The CSR called `name`, in lower case.
pub fn by_name(name: &str) -> Option<&'static CsrSpec> {
    CSRS.iter().find(|row| row.name == name)
}

/// Bits of a DMA engine's status register. Published host code and simulator agree on this order; the published
/// document lists bits 4 to 6 in another.
pub mod dma_status {
    /// No transfer is in progress.
    pub const IDLE: u32 = 1 << 1;
    /// A transfer has been started and has not begun to move data.
    pub const START: u32 = 1 << 2;
    /// Data are moving.
    pub const TRANSFERRING: u32 = 1 << 3;
    /// The engine was programmed with something it cannot do: an address or a length that is no multiple of 64, or a
    /// length beyond [`super::DMA_MAX_BYTES`].
    pub const INTERNAL_ERROR: u32 = 1 << 4;
    /// An address belongs to no memory.
    pub const DECODE_ERROR: u32 = 1 << 5;
    /// A memory refused an access.
    pub const SLAVE_ERROR: u32 = 1 << 6;
    /// The last transfer ended without an error.
    pub const OK: u32 = 1 << 7;
}

/// The longest DMA transfer in bytes: the greatest multiple of 64 below the published limit of 2^19 − 1.
pub const DMA_MAX_BYTES: u32 = (1 << 19) - 64;

csrs! {
    /// Machine status: MIE (bit 3) and MPIE (bit 7) can be written, MPP (bits 12:11) reads 3.
    Mstatus "mstatus" = 0x300, ReadWrite, 0x1800;
    /// The extensions: RV32 with I and M. Writes are ignored.
    Misa "misa" = 0x301, ReadWrite, 0x4000_1100;
    /// Where traps go: a multiple of 4; 0 means that a trap ends the run.
    Mtvec "mtvec" = 0x305, ReadWrite, 0;
    /// Bit 0 stops `mcycle`, bit 2 stops `minstret`; both are stopped after reset.
    Mcountinhibit "mcountinhibit" = 0x320, ReadWrite, 0b101;
    /// A word for the trap handler's own use.
    Mscratch "mscratch" = 0x340, ReadWrite, 0;
    /// The address of the instruction that trapped; its low two bits read 0.
    Mepc "mepc" = 0x341, ReadWrite, 0;
    /// Why it trapped.
    Mcause "mcause" = 0x342, ReadWrite, 0;
    /// The address or the word that made it trap.
    Mtval "mtval" = 0x343, ReadWrite, 0;
    /// Cycles, the lower word.
    Mcycle "mcycle" = 0xb00, ReadWrite, 0;
    /// Instructions retired, the lower word.
    Minstret "minstret" = 0xb02, ReadWrite, 0;
    /// Cycles, the upper word.
    Mcycleh "mcycleh" = 0xb80, ReadWrite, 0;
    /// Instructions retired, the upper word.
    Minstreth "minstreth" = 0xb82, ReadWrite, 0;
    /// Source in DRAM of a transfer into vector memory, a multiple of 64.
    Mm2sSrcAddr "mm2s_src_addr" = 0xbc0, ReadWrite, 0;
    /// Destination in vector memory, a multiple of 64.
    Mm2sDstAddr "mm2s_dst_addr" = 0xbc1, ReadWrite, 0;
    /// Its length in bytes, a multiple of 64.
    Mm2sCount "mm2s_count" = 0xbc2, ReadWrite, 0;
    /// Writing 1 to bit 0 starts the transfer; reads 0.
    Mm2sControl "mm2s_control" = 0xbc3, ReadWrite, 0;
    /// Source in vector memory of a transfer into DRAM, a multiple of 64.
    S2mmSrcAddr "s2mm_src_addr" = 0xbd0, ReadWrite, 0;
    /// Destination in DRAM, a multiple of 64.
    S2mmDstAddr "s2mm_dst_addr" = 0xbd1, ReadWrite, 0;
    /// Its length in bytes, a multiple of 64.
    S2mmCount "s2mm_count" = 0xbd2, ReadWrite, 0;
    /// Writing 1 to bit 0 starts the transfer; reads 0.
    S2mmControl "s2mm_control" = 0xbd3, ReadWrite, 0;
    /// The number of this core.
    Mhartid "mhartid" = 0xf14, ReadOnly, 0;
    /// State of the transfer into vector memory: bit 1 idle, 2 start, 3 transferring, 4 internal error, 5 decode error,
    /// 6 slave error, 7 last transfer ended well.
    Mm2sStatus "mm2s_status" = 0xfc0, ReadOnly, 0b10;
    /// State of the transfer into DRAM, bits as in `mm2s_status`.
    S2mmStatus "s2mm_status" = 0xfd0, ReadOnly, 0b10;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_by_name_and_address() {
        for (index, row) in CSRS.iter().enumerate() {
            assert_eq!(row.register as usize, index);
            assert_eq!(by_name(row.name).unwrap().address, row.address);
            assert_eq!(by_address(row.address).unwrap().name, row.name);
        }
        assert!(by_address(0x7c0).is_none());
    }
}
