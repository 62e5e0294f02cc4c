// A card: cores with their memories, the host's two ports, and the way to DRAM.
//
// Contract: what isa/MANUAL.md says of a card under "A card, as a host sees it". axil_ is the AXI4-Lite slave of the
// registers, host_ the AXI4 slave of the memory space, dram_ the AXI4 master to DRAM, whose addresses are bytes of the
// card's DRAM, from 0. One clock; rst_ni is synchronous and active low, and leaves memories alone. All outputs are
// registers' or follow from registers alone.
//
// dram_ has one identifier, and its slave answers in the order of the addresses, reads and writes apart. Bursts are
// incrementing, do not cross 4 KiB if those of the host do not, and have at most 256 beats; the cores' are of full width.
//
// Latency: rtl/README.md.
//
// Not here: PCIe, the DRAM controller, crossing of clocks; AXI4's locks, caches, protection, QoS and regions.
module fenn_soc
  import fenn_pkg::*;
#(
  parameter int unsigned     Cores        = 1,                             // 1 to 16
  parameter int unsigned     Config       = CONFIG_BOARD,
  parameter int unsigned     Lanes        = CONFIG_LANES[Config],
  parameter int unsigned     ImemBytes    = CONFIG_IMEM_BYTES[Config],
  parameter int unsigned     SmemBytes    = CONFIG_SMEM_BYTES[Config],
  parameter int unsigned     VmemBytes    = CONFIG_VMEM_BYTES[Config],
  parameter int unsigned     LlmHalfwords = CONFIG_LLM_HALFWORDS[Config],
  parameter int unsigned     DataWidth    = 128,                           // 64 to 512, at most a row of vector memory
  parameter longint unsigned DramBytes    = 64'd1 << 32,                   // of the card
  parameter int unsigned     IdWidth      = 4,                             // of the host's identifiers
  parameter int unsigned     ClockKhz     = 0
) (
  input  logic                   clk_i,
  input  logic                   rst_ni,
  output logic [Cores-1:0]       irq_o,

  input  logic                   axil_awvalid_i,
  output logic                   axil_awready_o,
  input  logic [12:0]            axil_awaddr_i,
  input  logic                   axil_wvalid_i,
  output logic                   axil_wready_o,
  input  logic [31:0]            axil_wdata_i,
  input  logic [3:0]             axil_wstrb_i,
  output logic                   axil_bvalid_o,
  input  logic                   axil_bready_i,
  output logic [1:0]             axil_bresp_o,
  input  logic                   axil_arvalid_i,
  output logic                   axil_arready_o,
  input  logic [12:0]            axil_araddr_i,
  output logic                   axil_rvalid_o,
  input  logic                   axil_rready_i,
  output logic [31:0]            axil_rdata_o,
  output logic [1:0]             axil_rresp_o,

  input  logic                   host_arvalid_i,
  output logic                   host_arready_o,
  input  logic [IdWidth-1:0]     host_arid_i,
  input  logic [63:0]            host_araddr_i,
  input  logic [7:0]             host_arlen_i,
  input  logic [2:0]             host_arsize_i,
  input  logic [1:0]             host_arburst_i,
  output logic                   host_rvalid_o,
  input  logic                   host_rready_i,
  output logic [IdWidth-1:0]     host_rid_o,
  output logic [DataWidth-1:0]   host_rdata_o,
  output logic [1:0]             host_rresp_o,
  output logic                   host_rlast_o,
  input  logic                   host_awvalid_i,
  output logic                   host_awready_o,
  input  logic [IdWidth-1:0]     host_awid_i,
  input  logic [63:0]            host_awaddr_i,
  input  logic [7:0]             host_awlen_i,
  input  logic [2:0]             host_awsize_i,
  input  logic [1:0]             host_awburst_i,
  input  logic                   host_wvalid_i,
  output logic                   host_wready_o,
  input  logic [DataWidth-1:0]   host_wdata_i,
  input  logic [DataWidth/8-1:0] host_wstrb_i,
  input  logic                   host_wlast_i,
  output logic                   host_bvalid_o,
  input  logic                   host_bready_i,
  output logic [IdWidth-1:0]     host_bid_o,
  output logic [1:0]             host_bresp_o,

  output logic                   dram_arvalid_o,
  input  logic                   dram_arready_i,
  output logic [63:0]            dram_araddr_o,
  output logic [7:0]             dram_arlen_o,
  output logic [2:0]             dram_arsize_o,
  output logic [1:0]             dram_arburst_o,
  input  logic                   dram_rvalid_i,
  output logic                   dram_rready_o,
  input  logic [DataWidth-1:0]   dram_rdata_i,
  input  logic [1:0]             dram_rresp_i,
  input  logic                   dram_rlast_i,
  output logic                   dram_awvalid_o,
  input  logic                   dram_awready_i,
  output logic [63:0]            dram_awaddr_o,
  output logic [7:0]             dram_awlen_o,
  output logic [2:0]             dram_awsize_o,
  output logic [1:0]             dram_awburst_o,
  output logic                   dram_wvalid_o,
  input  logic                   dram_wready_i,
  output logic [DataWidth-1:0]   dram_wdata_o,
  output logic [DataWidth/8-1:0] dram_wstrb_o,
  output logic                   dram_wlast_o,
  input  logic                   dram_bvalid_i,
  output logic                   dram_bready_o,
  input  logic [1:0]             dram_bresp_i
);

  localparam int unsigned Masters   = Cores + 1;      // the host is the last
  localparam int unsigned HostIndex = Cores;
  localparam logic [2:0]  FullBeat  = 3'($clog2(DataWidth / 8));
  localparam logic [1:0]  INCR      = 2'b01;

  // ----------------------------------------------------------------------------------------------------------- registers
  logic [Cores-1:0]       control_valid;
  logic [31:0]            control;
  logic [Cores-1:0][31:0] status;
  logic [Cores-1:0][31:0] pc;
  logic [Cores-1:0][31:0] trap_cause;
  logic [Cores-1:0][31:0] trap_value;
  logic [Cores-1:0][63:0] cycles;
  logic [Cores-1:0][63:0] instructions;
  logic [Cores-1:0]       stopped;
  logic [Cores-1:0][31:0] entry;
  logic [Cores-1:0][63:0] base;
  logic [Cores-1:0][31:0] limit;
  logic [3:0]             bus_error;
  logic [63:0]            bus_error_addr;
  fenn_soc_regs #(
    .Cores(Cores), .Lanes(Lanes), .ImemBytes(ImemBytes), .SmemBytes(SmemBytes), .VmemBytes(VmemBytes),
    .LlmHalfwords(LlmHalfwords), .DataWidth(DataWidth), .DramBytes(DramBytes), .ClockKhz(ClockKhz)
  ) i_regs (
    .clk_i, .rst_ni,
    .axil_awvalid_i, .axil_awready_o, .axil_awaddr_i, .axil_wvalid_i, .axil_wready_o, .axil_wdata_i, .axil_wstrb_i,
    .axil_bvalid_o, .axil_bready_i, .axil_bresp_o, .axil_arvalid_i, .axil_arready_o, .axil_araddr_i, .axil_rvalid_o,
    .axil_rready_i, .axil_rdata_o, .axil_rresp_o,
    .control_valid_o(control_valid), .control_o(control), .status_i(status), .pc_i(pc), .trap_cause_i(trap_cause),
    .trap_value_i(trap_value), .cycles_i(cycles), .instructions_i(instructions), .stopped_i(stopped), .entry_o(entry),
    .base_o(base), .limit_o(limit), .bus_error_i(bus_error), .bus_error_addr_i(bus_error_addr), .irq_o
  );

  // ---------------------------------------------------------------------------------------------------------------- host
  logic [Cores-1:0]       standing;
  logic [Cores-1:0]       alive;
  logic [Cores-1:0]       locked;
  logic [Cores-1:0]       word_valid;
  logic [Cores-1:0]       word_ready;
  logic                   word_write;
  logic [1:0]             word_space;
  logic [31:0]            word_addr;
  logic [31:0]            word_wdata;
  logic [Cores-1:0]       word_rvalid;
  logic [Cores-1:0][31:0] word_rdata;

  logic [Masters-1:0]                  m_arvalid;
  logic [Masters-1:0]                  m_arready;
  logic [Masters-1:0][63:0]            m_araddr;
  logic [Masters-1:0][7:0]             m_arlen;
  logic [Masters-1:0][2:0]             m_arsize;
  logic [Masters-1:0]                  m_rvalid;
  logic [Masters-1:0]                  m_rready;
  logic [DataWidth-1:0]                m_rdata;
  logic [1:0]                          m_rresp;
  logic                                m_rlast;
  logic [Masters-1:0]                  m_awvalid;
  logic [Masters-1:0]                  m_awready;
  logic [Masters-1:0][63:0]            m_awaddr;
  logic [Masters-1:0][7:0]             m_awlen;
  logic [Masters-1:0][2:0]             m_awsize;
  logic [Masters-1:0]                  m_wvalid;
  logic [Masters-1:0]                  m_wready;
  logic [Masters-1:0][DataWidth-1:0]   m_wdata;
  logic [Masters-1:0][DataWidth/8-1:0] m_wstrb;
  logic [Masters-1:0]                  m_wlast;
  logic [Masters-1:0]                  m_bvalid;
  logic [Masters-1:0]                  m_bready;
  logic [1:0]                          m_bresp;
  fenn_soc_host #(
    .Cores(Cores), .ImemBytes(ImemBytes), .SmemBytes(SmemBytes), .VmemBytes(VmemBytes),
    .LaneBytes(2 * Lanes * LlmHalfwords), .DramBytes(DramBytes), .DataWidth(DataWidth), .IdWidth(IdWidth)
  ) i_host (
    .clk_i, .rst_ni,
    .arvalid_i(host_arvalid_i), .arready_o(host_arready_o), .arid_i(host_arid_i), .araddr_i(host_araddr_i),
    .arlen_i(host_arlen_i), .arsize_i(host_arsize_i), .arburst_i(host_arburst_i), .rvalid_o(host_rvalid_o),
    .rready_i(host_rready_i), .rid_o(host_rid_o), .rdata_o(host_rdata_o), .rresp_o(host_rresp_o), .rlast_o(host_rlast_o),
    .awvalid_i(host_awvalid_i), .awready_o(host_awready_o), .awid_i(host_awid_i), .awaddr_i(host_awaddr_i),
    .awlen_i(host_awlen_i), .awsize_i(host_awsize_i), .awburst_i(host_awburst_i), .wvalid_i(host_wvalid_i),
    .wready_o(host_wready_o), .wdata_i(host_wdata_i), .wstrb_i(host_wstrb_i), .bvalid_o(host_bvalid_o),
    .bready_i(host_bready_i), .bid_o(host_bid_o), .bresp_o(host_bresp_o),
    .standing_i(standing), .alive_i(alive), .locked_o(locked), .core_valid_o(word_valid), .core_ready_i(word_ready),
    .core_write_o(word_write), .core_space_o(word_space), .core_addr_o(word_addr), .core_wdata_o(word_wdata),
    .core_rvalid_i(word_rvalid), .core_rdata_i(word_rdata),
    .m_arvalid_o(m_arvalid[HostIndex]), .m_arready_i(m_arready[HostIndex]), .m_araddr_o(m_araddr[HostIndex]),
    .m_arlen_o(m_arlen[HostIndex]), .m_arsize_o(m_arsize[HostIndex]), .m_rvalid_i(m_rvalid[HostIndex]),
    .m_rready_o(m_rready[HostIndex]), .m_rdata_i(m_rdata), .m_rresp_i(m_rresp),
    .m_awvalid_o(m_awvalid[HostIndex]), .m_awready_i(m_awready[HostIndex]), .m_awaddr_o(m_awaddr[HostIndex]),
    .m_awlen_o(m_awlen[HostIndex]), .m_awsize_o(m_awsize[HostIndex]), .m_wvalid_o(m_wvalid[HostIndex]),
    .m_wready_i(m_wready[HostIndex]), .m_wdata_o(m_wdata[HostIndex]), .m_wstrb_o(m_wstrb[HostIndex]),
    .m_wlast_o(m_wlast[HostIndex]), .m_bvalid_i(m_bvalid[HostIndex]), .m_bready_o(m_bready[HostIndex]),
    .m_bresp_i(m_bresp),
    .error_o(bus_error), .error_addr_o(bus_error_addr)
  );

  // --------------------------------------------------------------------------------------------------------------- cores
  for (genvar i = 0; i < Cores; i++) begin : gen_core
    logic        jump;
    logic        run;
    logic        step;
    logic        halt;
    logic        halted;
    logic [2:0]  halt_cause;
    logic [2:0]  core_trap_cause;
    logic [31:0] core_trap_value;
    logic        count_cycle;
    logic        count_inst;
    logic        uncount_inst;
    fenn_soc_control i_control (
      .clk_i, .rst_ni, .control_valid_i(control_valid[i]), .control_i(control), .status_o(status[i]),
      .trap_cause_o(trap_cause[i]), .trap_value_o(trap_value[i]), .cycles_o(cycles[i]), .instructions_o(instructions[i]),
      .stopped_o(stopped[i]), .locked_i(locked[i]), .standing_o(standing[i]),
      .core_rst_no(alive[i]), .core_jump_o(jump), .core_run_o(run), .core_step_o(step), .core_halt_o(halt),
      .core_halted_i(halted), .core_halt_cause_i(halt_cause), .core_trap_cause_i(core_trap_cause),
      .core_trap_value_i(core_trap_value), .core_count_cycle_i(count_cycle), .core_count_inst_i(count_inst),
      .core_uncount_inst_i(uncount_inst)
    );

    logic [31:0]          room;
    logic                 arvalid;
    logic                 arready;
    logic [31:0]          araddr;
    logic [7:0]           arlen;
    logic                 rvalid;
    logic                 rready;
    logic [DataWidth-1:0] rdata;
    logic [1:0]           rresp;
    logic                 rlast;
    logic                 awvalid;
    logic                 awready;
    logic [31:0]          awaddr;
    logic [7:0]           awlen;
    logic                 wvalid;
    logic                 wready;
    logic [DataWidth-1:0] wdata;
    logic                 bvalid;
    logic                 bready;
    logic [1:0]           bresp;
    fenn_top #(
      .Config(Config), .Lanes(Lanes), .ImemBytes(ImemBytes), .SmemBytes(SmemBytes), .VmemBytes(VmemBytes),
      .LlmHalfwords(LlmHalfwords), .DramBytes(0), .AxiWidth(DataWidth), .AxiBurst(256), .Trace(1'b0)
    ) i_core (
      .clk_i, .rst_ni(alive[i]),
      .entry_i(entry[i]), .jump_i(jump), .run_i(run), .step_i(step), .halt_i(halt), .halted_o(halted),
      .halt_cause_o(halt_cause), .trap_cause_o(core_trap_cause), .trap_value_o(core_trap_value), .pc_o(pc[i]),
      .count_cycle_o(count_cycle), .count_inst_o(count_inst), .uncount_inst_o(uncount_inst),
      .host_valid_i(word_valid[i]), .host_ready_o(word_ready[i]), .host_write_i(word_write), .host_space_i(word_space),
      .host_addr_i(word_addr), .host_wdata_i(word_wdata), .host_rvalid_o(word_rvalid[i]), .host_rdata_o(word_rdata[i]),
      .dram_limit_i(room),
      .axi_arvalid_o(arvalid), .axi_arready_i(arready), .axi_araddr_o(araddr), .axi_arlen_o(arlen), .axi_arsize_o(),
      .axi_arburst_o(), .axi_rvalid_i(rvalid), .axi_rready_o(rready), .axi_rdata_i(rdata), .axi_rresp_i(rresp),
      .axi_rlast_i(rlast), .axi_awvalid_o(awvalid), .axi_awready_i(awready), .axi_awaddr_o(awaddr), .axi_awlen_o(awlen),
      .axi_awsize_o(), .axi_awburst_o(), .axi_wvalid_o(wvalid), .axi_wready_i(wready), .axi_wdata_o(wdata),
      .axi_wstrb_o(), .axi_wlast_o(), .axi_bvalid_i(bvalid), .axi_bready_o(bready), .axi_bresp_i(bresp),
      .issue_o(), .cycle_o(), .ret_valid_o(), .ret_cycle_o(), .ret_pc_o(), .ret_word_o(), .ret_trap_o(), .ret_cause_o(),
      .ret_tval_o(), .ret_x_we_o(), .ret_x_rd_o(), .ret_x_value_o(), .ret_v_we_o(), .ret_v_vd_o(), .ret_v_lanes_o(),
      .ret_v_value_o(), .ret_m_we_o(), .ret_m_space_o(), .ret_m_addr_o(), .ret_m_bytes_o(), .ret_m_lanes_o(),
      .ret_m_rows_o(), .ret_m_data_o(), .ret_rng_s0_o(), .ret_rng_s1_o()
    );

    fenn_soc_region #(.DataWidth(DataWidth), .DramBytes(DramBytes)) i_region (
      .clk_i, .rst_ni, .core_rst_ni(alive[i]), .base_i(base[i]), .limit_i(limit[i]), .room_o(room),
      .s_arvalid_i(arvalid), .s_arready_o(arready), .s_araddr_i(araddr), .s_arlen_i(arlen), .s_rvalid_o(rvalid),
      .s_rready_i(rready), .s_rdata_o(rdata), .s_rresp_o(rresp), .s_rlast_o(rlast), .s_awvalid_i(awvalid),
      .s_awready_o(awready), .s_awaddr_i(awaddr), .s_awlen_i(awlen), .s_wvalid_i(wvalid), .s_wready_o(wready),
      .s_wdata_i(wdata), .s_bvalid_o(bvalid), .s_bready_i(bready), .s_bresp_o(bresp),
      .m_arvalid_o(m_arvalid[i]), .m_arready_i(m_arready[i]), .m_araddr_o(m_araddr[i]), .m_arlen_o(m_arlen[i]),
      .m_rvalid_i(m_rvalid[i]), .m_rready_o(m_rready[i]), .m_rdata_i(m_rdata), .m_rresp_i(m_rresp), .m_rlast_i(m_rlast),
      .m_awvalid_o(m_awvalid[i]), .m_awready_i(m_awready[i]), .m_awaddr_o(m_awaddr[i]), .m_awlen_o(m_awlen[i]),
      .m_wvalid_o(m_wvalid[i]), .m_wready_i(m_wready[i]), .m_wdata_o(m_wdata[i]), .m_wstrb_o(m_wstrb[i]),
      .m_wlast_o(m_wlast[i]), .m_bvalid_i(m_bvalid[i]), .m_bready_o(m_bready[i]), .m_bresp_i(m_bresp)
    );
    assign m_arsize[i] = FullBeat;
    assign m_awsize[i] = FullBeat;
  end

  // ---------------------------------------------------------------------------------------------------------------- DRAM
  fenn_soc_dram #(.Masters(Masters), .DataWidth(DataWidth)) i_dram (
    .clk_i, .rst_ni,
    .m_arvalid_i(m_arvalid), .m_arready_o(m_arready), .m_araddr_i(m_araddr), .m_arlen_i(m_arlen), .m_arsize_i(m_arsize),
    .m_rvalid_o(m_rvalid), .m_rready_i(m_rready), .m_rdata_o(m_rdata), .m_rresp_o(m_rresp), .m_rlast_o(m_rlast),
    .m_awvalid_i(m_awvalid), .m_awready_o(m_awready), .m_awaddr_i(m_awaddr), .m_awlen_i(m_awlen), .m_awsize_i(m_awsize),
    .m_wvalid_i(m_wvalid), .m_wready_o(m_wready), .m_wdata_i(m_wdata), .m_wstrb_i(m_wstrb), .m_wlast_i(m_wlast),
    .m_bvalid_o(m_bvalid), .m_bready_i(m_bready), .m_bresp_o(m_bresp),
    .axi_arvalid_o(dram_arvalid_o), .axi_arready_i(dram_arready_i), .axi_araddr_o(dram_araddr_o),
    .axi_arlen_o(dram_arlen_o), .axi_arsize_o(dram_arsize_o), .axi_rvalid_i(dram_rvalid_i),
    .axi_rready_o(dram_rready_o), .axi_rdata_i(dram_rdata_i), .axi_rresp_i(dram_rresp_i), .axi_rlast_i(dram_rlast_i),
    .axi_awvalid_o(dram_awvalid_o), .axi_awready_i(dram_awready_i), .axi_awaddr_o(dram_awaddr_o),
    .axi_awlen_o(dram_awlen_o), .axi_awsize_o(dram_awsize_o), .axi_wvalid_o(dram_wvalid_o),
    .axi_wready_i(dram_wready_i), .axi_wdata_o(dram_wdata_o), .axi_wstrb_o(dram_wstrb_o), .axi_wlast_o(dram_wlast_o),
    .axi_bvalid_i(dram_bvalid_i), .axi_bready_o(dram_bready_o), .axi_bresp_i(dram_bresp_i)
  );
  assign dram_arburst_o = INCR;
  assign dram_awburst_o = INCR;

  // Beats are counted.
  logic unused;
  assign unused = host_wlast_i;

endmodule
