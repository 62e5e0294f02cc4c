// The host's way to every memory of the card: an AXI4 slave.
//
// Contract: the memory space of isa/MANUAL.md, "A card, as a host sees it". Incrementing bursts of up to 256 beats of any
// size, with strobes; reads and writes are independent of each other, each one burst at a time, and answers carry the
// identifier of their address. A memory ends where it does in this card, not with its window: what is not within one memory
// is a decode error. Vector and lane-local memory of a core that does not stand give slave errors, and so do words written
// in part; the rest of such a burst is done.
//
// error_o has the bits of `bus_error`, in the cycle of the error; where a read and a write fail in one cycle, error_addr_o
// is the read's.
//
// Not here: DRAM's port, which is shared (fenn_soc_dram).
module fenn_soc_host
  import fenn_soc_pkg::*;
#(
  parameter int unsigned     Cores     = 1,
  parameter int unsigned     ImemBytes = 16384,
  parameter int unsigned     SmemBytes = 131072,
  parameter int unsigned     VmemBytes = 524288,
  parameter int unsigned     LaneBytes = 65536,         // of all lanes of a core
  parameter longint unsigned DramBytes = 64'd1 << 32,
  parameter int unsigned     DataWidth = 128,
  parameter int unsigned     IdWidth   = 4
) (
  input  logic                   clk_i,
  input  logic                   rst_ni,

  input  logic                   arvalid_i,
  output logic                   arready_o,
  input  logic [IdWidth-1:0]     arid_i,
  input  logic [63:0]            araddr_i,
  input  logic [7:0]             arlen_i,
  input  logic [2:0]             arsize_i,
  input  logic [1:0]             arburst_i,
  output logic                   rvalid_o,
  input  logic                   rready_i,
  output logic [IdWidth-1:0]     rid_o,
  output logic [DataWidth-1:0]   rdata_o,
  output logic [1:0]             rresp_o,
  output logic                   rlast_o,
  input  logic                   awvalid_i,
  output logic                   awready_o,
  input  logic [IdWidth-1:0]     awid_i,
  input  logic [63:0]            awaddr_i,
  input  logic [7:0]             awlen_i,
  input  logic [2:0]             awsize_i,
  input  logic [1:0]             awburst_i,
  input  logic                   wvalid_i,
  output logic                   wready_o,
  input  logic [DataWidth-1:0]   wdata_i,
  input  logic [DataWidth/8-1:0] wstrb_i,
  output logic                   bvalid_o,
  input  logic                   bready_i,
  output logic [IdWidth-1:0]     bid_o,
  output logic [1:0]             bresp_o,

  // Words of the cores' memories: fenn_top's host ports, and what says whether a core may be asked.
  input  logic [Cores-1:0]       standing_i,
  input  logic [Cores-1:0]       alive_i,
  output logic [Cores-1:0]       locked_o,
  output logic [Cores-1:0]       core_valid_o,
  input  logic [Cores-1:0]       core_ready_i,
  output logic                   core_write_o,
  output logic [1:0]             core_space_o,
  output logic [31:0]            core_addr_o,
  output logic [31:0]            core_wdata_o,
  input  logic [Cores-1:0]       core_rvalid_i,
  input  logic [Cores-1:0][31:0] core_rdata_i,

  output logic                   m_arvalid_o,
  input  logic                   m_arready_i,
  output logic [63:0]            m_araddr_o,
  output logic [7:0]             m_arlen_o,
  output logic [2:0]             m_arsize_o,
  input  logic                   m_rvalid_i,
  output logic                   m_rready_o,
  input  logic [DataWidth-1:0]   m_rdata_i,
  input  logic [1:0]             m_rresp_i,
  output logic                   m_awvalid_o,
  input  logic                   m_awready_i,
  output logic [63:0]            m_awaddr_o,
  output logic [7:0]             m_awlen_o,
  output logic [2:0]             m_awsize_o,
  output logic                   m_wvalid_o,
  input  logic                   m_wready_i,
  output logic [DataWidth-1:0]   m_wdata_o,
  output logic [DataWidth/8-1:0] m_wstrb_o,
  output logic                   m_wlast_o,
  input  logic                   m_bvalid_i,
  output logic                   m_bready_o,
  input  logic [1:0]             m_bresp_i,

  output logic [3:0]             error_o,
  output logic [63:0]            error_addr_o
);

  logic        r_ask;
  logic        r_ready;
  logic        r_refused;
  logic [3:0]  r_core;
  logic [1:0]  r_space;
  logic [31:0] r_addr;
  logic        r_word_valid;
  logic [5:0]  r_word_addr;
  logic [31:0] r_word_data;
  logic [1:0]  r_error;
  logic [63:0] r_error_addr;
  fenn_soc_host_read #(
    .Cores(Cores), .ImemBytes(ImemBytes), .SmemBytes(SmemBytes), .VmemBytes(VmemBytes), .LaneBytes(LaneBytes),
    .DramBytes(DramBytes), .DataWidth(DataWidth), .IdWidth(IdWidth)
  ) i_read (
    .clk_i, .rst_ni,
    .arvalid_i, .arready_o, .arid_i, .araddr_i, .arlen_i, .arsize_i, .arburst_i,
    .rvalid_o, .rready_i, .rid_o, .rdata_o, .rresp_o, .rlast_o,
    .ask_o(r_ask), .ask_ready_i(r_ready), .ask_refused_i(r_refused), .ask_core_o(r_core), .ask_space_o(r_space),
    .ask_addr_o(r_addr), .word_valid_i(r_word_valid), .word_addr_i(r_word_addr), .word_data_i(r_word_data),
    .m_arvalid_o, .m_arready_i, .m_araddr_o, .m_arlen_o, .m_arsize_o, .m_rvalid_i, .m_rready_o, .m_rdata_i, .m_rresp_i,
    .error_o(r_error), .error_addr_o(r_error_addr)
  );

  logic        w_ask;
  logic        w_ready;
  logic        w_refused;
  logic [3:0]  w_core;
  logic [1:0]  w_space;
  logic [31:0] w_addr;
  logic [31:0] w_data;
  logic        w_busy;
  logic [1:0]  w_error;
  logic [63:0] w_error_addr;
  fenn_soc_host_write #(
    .Cores(Cores), .ImemBytes(ImemBytes), .SmemBytes(SmemBytes), .VmemBytes(VmemBytes), .LaneBytes(LaneBytes),
    .DramBytes(DramBytes), .DataWidth(DataWidth), .IdWidth(IdWidth)
  ) i_write (
    .clk_i, .rst_ni,
    .awvalid_i, .awready_o, .awid_i, .awaddr_i, .awlen_i, .awsize_i, .awburst_i,
    .wvalid_i, .wready_o, .wdata_i, .wstrb_i, .bvalid_o, .bready_i, .bid_o, .bresp_o,
    .ask_o(w_ask), .ask_ready_i(w_ready), .ask_refused_i(w_refused), .ask_core_o(w_core), .ask_space_o(w_space),
    .ask_addr_o(w_addr), .ask_data_o(w_data), .ask_busy_i(w_busy),
    .m_awvalid_o, .m_awready_i, .m_awaddr_o, .m_awlen_o, .m_awsize_o, .m_wvalid_o, .m_wready_i, .m_wdata_o, .m_wstrb_o,
    .m_wlast_o, .m_bvalid_i, .m_bready_o, .m_bresp_i,
    .error_o(w_error), .error_addr_o(w_error_addr)
  );

  fenn_soc_words #(.Cores(Cores)) i_words (
    .clk_i, .rst_ni,
    .r_ask_i(r_ask), .r_ready_o(r_ready), .r_refused_o(r_refused), .r_core_i(r_core), .r_space_i(r_space),
    .r_addr_i(r_addr), .r_valid_o(r_word_valid), .r_addr_o(r_word_addr), .r_data_o(r_word_data),
    .w_ask_i(w_ask), .w_ready_o(w_ready), .w_refused_o(w_refused), .w_core_i(w_core), .w_space_i(w_space),
    .w_addr_i(w_addr), .w_data_i(w_data), .w_busy_o(w_busy),
    .standing_i, .alive_i, .locked_o, .core_valid_o, .core_ready_i, .core_write_o, .core_space_o, .core_addr_o,
    .core_wdata_o, .core_rvalid_i, .core_rdata_i
  );

  always_comb begin
    error_o                         = '0;
    error_o[BUS_ERROR_READ_DECODE]  = r_error[0];
    error_o[BUS_ERROR_WRITE_DECODE] = w_error[0];
    error_o[BUS_ERROR_READ_BUSY]    = r_error[1];
    error_o[BUS_ERROR_WRITE_BUSY]   = w_error[1];
  end
  assign error_addr_o = r_error != '0 ? r_error_addr : w_error_addr;

endmodule
