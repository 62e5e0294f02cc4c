// The FeNN processor: scalar core, vector unit, their memories and the DMA engine.
//
// Contract: executes the instruction set of isa/MANUAL.md in the cycles of its `fenn` profile. One clock, rising edge; one
// synchronous reset, active low, after which the core is halted at entry_i. Memories keep their contents over a reset.
// Every instruction leaves a record on the ret_ port in program order, one a cycle at most (rtl/README.md).
//
// Latency: an instruction leaves stage D in its issue cycle, is executed in X one cycle later, and its record appears in W,
// two cycles later; divisions and accesses across a word stay in X for longer.
//
// Not here: DRAM, the bus to the host, and the ready flag, which whoever polls scalar memory through the host port sees.
module fenn_top
  import fenn_pkg::*;
#(
  parameter int unsigned Config       = CONFIG_BOARD,
  parameter int unsigned Lanes        = CONFIG_LANES[Config],
  parameter int unsigned ImemBytes    = CONFIG_IMEM_BYTES[Config],
  parameter int unsigned SmemBytes    = CONFIG_SMEM_BYTES[Config],
  parameter int unsigned VmemBytes    = CONFIG_VMEM_BYTES[Config],
  parameter int unsigned LlmHalfwords = CONFIG_LLM_HALFWORDS[Config],
  parameter int unsigned DramBytes    = CONFIG_DRAM_BYTES[Config],
  parameter int unsigned AxiWidth     = CONFIG_AXI_WIDTH[Config],
  parameter int unsigned AxiBurst     = CONFIG_AXI_BURST[Config],
  parameter bit          Trace        = 1'b1
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,

  // Debug: run_i leaves the halted state at pc_o, for one instruction if step_i; halt_i (a level) stops before the next
  // instruction. pc_o, halt_cause_o, trap_cause_o and trap_value_o hold while halted_o.
  input  logic [31:0]           entry_i,
  input  logic                  run_i,
  input  logic                  step_i,
  input  logic                  halt_i,
  output logic                  halted_o,
  output logic [2:0]            halt_cause_o,
  output logic [2:0]            trap_cause_o,
  output logic [31:0]           trap_value_o,
  output logic [31:0]           pc_o,

  // Host: words of every memory. A request is taken when host_valid_i and host_ready_o; host_rvalid_o answers each read, in
  // order. Instruction and scalar memory at any time, vector and lane-local memory while halted only.
  input  logic                  host_valid_i,
  output logic                  host_ready_o,
  input  logic                  host_write_i,
  input  logic [1:0]            host_space_i,
  input  logic [31:0]           host_addr_i,
  input  logic [31:0]           host_wdata_i,
  output logic                  host_rvalid_o,
  output logic [31:0]           host_rdata_o,

  // DMA engine: AXI4 master, incrementing bursts, one identifier; addresses are those of DRAM, from 0.
  output logic                  axi_arvalid_o,
  input  logic                  axi_arready_i,
  output logic [31:0]           axi_araddr_o,
  output logic [7:0]            axi_arlen_o,
  output logic [2:0]            axi_arsize_o,
  output logic [1:0]            axi_arburst_o,
  input  logic                  axi_rvalid_i,
  output logic                  axi_rready_o,
  input  logic [AxiWidth-1:0]   axi_rdata_i,
  input  logic [1:0]            axi_rresp_i,
  input  logic                  axi_rlast_i,
  output logic                  axi_awvalid_o,
  input  logic                  axi_awready_i,
  output logic [31:0]           axi_awaddr_o,
  output logic [7:0]            axi_awlen_o,
  output logic [2:0]            axi_awsize_o,
  output logic [1:0]            axi_awburst_o,
  output logic                  axi_wvalid_o,
  input  logic                  axi_wready_i,
  output logic [AxiWidth-1:0]   axi_wdata_o,
  output logic [AxiWidth/8-1:0] axi_wstrb_o,
  output logic                  axi_wlast_o,
  input  logic                  axi_bvalid_i,
  output logic                  axi_bready_o,
  input  logic [1:0]            axi_bresp_i,

  // An instruction leaves D in this cycle; cycle_o counts from 0, the cycle in which the first instruction after a reset
  // could leave D, while the core is not halted.
  output logic                  issue_o,
  output logic [63:0]           cycle_o,

  // Retirement: the record of the instruction in W. All zero without Trace.
  output logic                  ret_valid_o,
  output logic [63:0]           ret_cycle_o,      // in which it left D
  output logic [31:0]           ret_pc_o,
  output logic [31:0]           ret_word_o,       // 0 if it could not be fetched
  output logic                  ret_trap_o,       // it was not executed; nothing below but cause and value counts then
  output logic [2:0]            ret_cause_o,      // as mcause
  output logic [31:0]           ret_tval_o,       // as mtval
  output logic                  ret_x_we_o,       // it writes a scalar register other than x0
  output logic [4:0]            ret_x_rd_o,
  output logic [31:0]           ret_x_value_o,
  output logic                  ret_v_we_o,       // it writes a vector register
  output logic [4:0]            ret_v_vd_o,
  output logic [Lanes-1:0]      ret_v_lanes_o,    // in these lanes
  output logic [16*Lanes-1:0]   ret_v_value_o,
  output logic                  ret_m_we_o,       // it writes a memory
  output logic [1:0]            ret_m_space_o,    // 1 scalar, 2 vector, 3 lane-local
  output logic [31:0]           ret_m_addr_o,     // scalar and vector: the byte address, not wrapped
  output logic [2:0]            ret_m_bytes_o,    // scalar: 1, 2 or 4
  output logic [Lanes-1:0]      ret_m_lanes_o,    // lane-local: which lanes take part
  output logic [16*Lanes-1:0]   ret_m_rows_o,     // lane-local: each lane's byte address modulo 2^16
  output logic [16*Lanes-1:0]   ret_m_data_o,     // scalar: in the low bits
  output logic [16*Lanes-1:0]   ret_rng_s0_o,     // the generators after it
  output logic [16*Lanes-1:0]   ret_rng_s1_o
);

  // The ports only: the core behind them follows.
  assign halted_o = '0;
  assign halt_cause_o = '0;
  assign trap_cause_o = '0;
  assign trap_value_o = '0;
  assign pc_o = '0;
  assign host_ready_o = '0;
  assign host_rvalid_o = '0;
  assign host_rdata_o = '0;
  assign axi_arvalid_o = '0;
  assign axi_araddr_o = '0;
  assign axi_arlen_o = '0;
  assign axi_arsize_o = '0;
  assign axi_arburst_o = '0;
  assign axi_rready_o = '0;
  assign axi_awvalid_o = '0;
  assign axi_awaddr_o = '0;
  assign axi_awlen_o = '0;
  assign axi_awsize_o = '0;
  assign axi_awburst_o = '0;
  assign axi_wvalid_o = '0;
  assign axi_wdata_o = '0;
  assign axi_wstrb_o = '0;
  assign axi_wlast_o = '0;
  assign axi_bready_o = '0;
  assign issue_o = '0;
  assign cycle_o = '0;
  assign ret_valid_o = '0;
  assign ret_cycle_o = '0;
  assign ret_pc_o = '0;
  assign ret_word_o = '0;
  assign ret_trap_o = '0;
  assign ret_cause_o = '0;
  assign ret_tval_o = '0;
  assign ret_x_we_o = '0;
  assign ret_x_rd_o = '0;
  assign ret_x_value_o = '0;
  assign ret_v_we_o = '0;
  assign ret_v_vd_o = '0;
  assign ret_v_lanes_o = '0;
  assign ret_v_value_o = '0;
  assign ret_m_we_o = '0;
  assign ret_m_space_o = '0;
  assign ret_m_addr_o = '0;
  assign ret_m_bytes_o = '0;
  assign ret_m_lanes_o = '0;
  assign ret_m_rows_o = '0;
  assign ret_m_data_o = '0;
  assign ret_rng_s0_o = '0;
  assign ret_rng_s1_o = '0;

  logic unused;
  assign unused = ^{clk_i, rst_ni, entry_i, run_i, step_i, halt_i, host_valid_i, host_write_i, host_space_i, host_addr_i, host_wdata_i, axi_arready_i, axi_rvalid_i, axi_rdata_i, axi_rresp_i, axi_rlast_i, axi_awready_i, axi_wready_i, axi_bvalid_i, axi_bresp_i};

endmodule
