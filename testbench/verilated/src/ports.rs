//! The pins of the core, as plain data.
//!
//! Contract: what is sampled and what changes with one rising edge of the clock; `rtl/fenn_top.sv` says what each means.
//! A wide port is an array of 32-bit words, the lowest first; words beyond its width are 0. Of a retirement, only
//! `ret_valid` means something while that is false.

#![allow(
    missing_docs,
    clippy::missing_docs_in_private_items,
    reason = "pins have the names of the ports of fenn_top, where they are described"
)]

pub use bridge::{Inputs, Outputs};

#[cxx::bridge(namespace = "fenn")]
mod bridge {
    /// What the core samples.
    #[derive(Debug, Clone, Copy, Default)]
    struct Inputs {
        /// Not `rst_ni`.
        reset: bool,
        entry: u32,
        run: bool,
        step: bool,
        halt: bool,
        host_valid: bool,
        host_write: bool,
        host_space: u8,
        host_addr: u32,
        host_wdata: u32,
        axi_arready: bool,
        axi_rvalid: bool,
        axi_rdata: [u32; 16],
        axi_rresp: u8,
        axi_rlast: bool,
        axi_awready: bool,
        axi_wready: bool,
        axi_bvalid: bool,
        axi_bresp: u8,
    }

    /// What the core shows.
    #[derive(Debug, Clone, Copy, Default)]
    struct Outputs {
        halted: bool,
        halt_cause: u8,
        trap_cause: u8,
        trap_value: u32,
        pc: u32,
        host_ready: bool,
        host_rvalid: bool,
        host_rdata: u32,
        axi_arvalid: bool,
        axi_araddr: u32,
        axi_arlen: u8,
        axi_arsize: u8,
        axi_arburst: u8,
        axi_rready: bool,
        axi_awvalid: bool,
        axi_awaddr: u32,
        axi_awlen: u8,
        axi_awsize: u8,
        axi_awburst: u8,
        axi_wvalid: bool,
        axi_wdata: [u32; 16],
        axi_wstrb: u64,
        axi_wlast: bool,
        axi_bready: bool,
        issue: bool,
        cycle: u64,
        ret_valid: bool,
        ret_cycle: u64,
        ret_pc: u32,
        ret_word: u32,
        ret_trap: bool,
        ret_cause: u8,
        ret_tval: u32,
        ret_x_we: bool,
        ret_x_rd: u8,
        ret_x_value: u32,
        ret_v_we: bool,
        ret_v_vd: u8,
        ret_v_lanes: u32,
        ret_v_value: [u32; 16],
        ret_m_we: bool,
        ret_m_space: u8,
        ret_m_addr: u32,
        ret_m_bytes: u8,
        ret_m_lanes: u32,
        ret_m_rows: [u32; 16],
        ret_m_data: [u32; 16],
        ret_rng_s0: [u32; 16],
        ret_rng_s1: [u32; 16],
    }
}
