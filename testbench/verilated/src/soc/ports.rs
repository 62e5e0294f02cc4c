//! The pins of a card, as plain data.
//!
//! Contract: what is sampled and what changes with one rising edge of the clock; `rtl/soc/fenn_soc.sv` says what each means.
//! A wide port is an array of 32-bit words, the lowest first; words beyond its width are 0. Data of an output mean something
//! only while their `valid` does.

#![allow(
    missing_docs,
    clippy::missing_docs_in_private_items,
    reason = "pins have the names of the ports of fenn_soc, where they are described"
)]

pub use bridge::{SocInputs, SocOutputs};

#[cxx::bridge(namespace = "fenn")]
mod bridge {
    /// What a card samples.
    #[derive(Debug, Clone, Copy, Default)]
    struct SocInputs {
        /// Not `rst_ni`.
        reset: bool,
        axil_awvalid: bool,
        axil_awaddr: u16,
        axil_wvalid: bool,
        axil_wdata: u32,
        axil_wstrb: u8,
        axil_bready: bool,
        axil_arvalid: bool,
        axil_araddr: u16,
        axil_rready: bool,
        host_arvalid: bool,
        host_arid: u8,
        host_araddr: u64,
        host_arlen: u8,
        host_arsize: u8,
        host_arburst: u8,
        host_rready: bool,
        host_awvalid: bool,
        host_awid: u8,
        host_awaddr: u64,
        host_awlen: u8,
        host_awsize: u8,
        host_awburst: u8,
        host_wvalid: bool,
        host_wdata: [u32; 16],
        host_wstrb: u64,
        host_wlast: bool,
        host_bready: bool,
        dram_arready: bool,
        dram_rvalid: bool,
        dram_rdata: [u32; 16],
        dram_rresp: u8,
        dram_rlast: bool,
        dram_awready: bool,
        dram_wready: bool,
        dram_bvalid: bool,
        dram_bresp: u8,
    }

    /// What a card shows.
    #[derive(Debug, Clone, Copy, Default)]
    struct SocOutputs {
        irq: u32,
        axil_awready: bool,
        axil_wready: bool,
        axil_bvalid: bool,
        axil_bresp: u8,
        axil_arready: bool,
        axil_rvalid: bool,
        axil_rdata: u32,
        axil_rresp: u8,
        host_arready: bool,
        host_rvalid: bool,
        host_rid: u8,
        host_rdata: [u32; 16],
        host_rresp: u8,
        host_rlast: bool,
        host_awready: bool,
        host_wready: bool,
        host_bvalid: bool,
        host_bid: u8,
        host_bresp: u8,
        dram_arvalid: bool,
        dram_araddr: u64,
        dram_arlen: u8,
        dram_arsize: u8,
        dram_arburst: u8,
        dram_rready: bool,
        dram_awvalid: bool,
        dram_awaddr: u64,
        dram_awlen: u8,
        dram_awsize: u8,
        dram_awburst: u8,
        dram_wvalid: bool,
        dram_wdata: [u32; 16],
        dram_wstrb: u64,
        dram_wlast: bool,
        dram_bready: bool,
    }
}
