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
  // instruction. jump_i, while halted_o and not with run_i, makes pc_o entry_i. pc_o, halt_cause_o, trap_cause_o and
  // trap_value_o hold while halted_o.
  input  logic [31:0]           entry_i,
  input  logic                  jump_i,
  input  logic                  run_i,
  input  logic                  step_i,
  input  logic                  halt_i,
  output logic                  halted_o,
  output logic [2:0]            halt_cause_o,
  output logic [2:0]            trap_cause_o,
  output logic [31:0]           trap_value_o,
  output logic [31:0]           pc_o,

  // For counters: a cycle has passed, an instruction has left X, and it does not count.
  output logic                  count_cycle_o,
  output logic                  count_inst_o,
  output logic                  uncount_inst_o,

  // Host: words of every memory. A request is kept until it is taken, when host_valid_i and host_ready_o; host_rvalid_o
  // answers each read a cycle later. Instruction and scalar memory at any time, the others while halted only.
  input  logic                  host_valid_i,
  output logic                  host_ready_o,
  input  logic                  host_write_i,
  input  logic [1:0]            host_space_i,
  input  logic [31:0]           host_addr_i,
  input  logic [31:0]           host_wdata_i,
  output logic                  host_rvalid_o,
  output logic [31:0]           host_rdata_o,

  // DMA engine: AXI4 master, incrementing bursts, one identifier; addresses are those of DRAM, from 0. Transfers that leave the
  // first DramBytes bytes, or dram_limit_i where DramBytes is 0, are refused.
  input  logic [31:0]           dram_limit_i,
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

  localparam int unsigned RowBytes = 2 * Lanes;
  localparam int unsigned RowBits  = $clog2(VmemBytes / RowBytes);
  localparam int unsigned RowShift = $clog2(RowBytes);

  // Instruction and scalar memory.
  logic        imem_read;
  logic [31:0] imem_addr;
  logic [31:0] imem_rdata;
  logic        imem_host_en;
  logic [31:0] imem_host_rdata;
  fenn_imem_ram #(.Words(ImemBytes / 4)) i_imem (
    .clk_i, .re_a_i(imem_read), .addr_a_i(imem_addr[2 +: $clog2(ImemBytes / 4)]), .rdata_a_o(imem_rdata),
    .en_b_i(imem_host_en), .we_b_i(host_write_i), .addr_b_i(host_addr_i[2 +: $clog2(ImemBytes / 4)]),
    .wdata_b_i(host_wdata_i), .rdata_b_o(imem_host_rdata)
  );

  logic        smem_en;
  logic [3:0]  smem_we;
  logic [31:0] smem_addr;
  logic [31:0] smem_wdata;
  logic [31:0] smem_rdata;
  logic        smem_host_en;
  logic [31:0] smem_host_rdata;
  fenn_smem_ram #(.Words(SmemBytes / 4)) i_smem (
    .clk_i, .en_a_i(smem_en), .we_a_i(smem_we), .addr_a_i(smem_addr[2 +: $clog2(SmemBytes / 4)]),
    .wdata_a_i(smem_wdata), .rdata_a_o(smem_rdata),
    .en_b_i(smem_host_en), .we_b_i(host_write_i), .addr_b_i(host_addr_i[2 +: $clog2(SmemBytes / 4)]),
    .wdata_b_i(host_wdata_i), .rdata_b_o(smem_host_rdata)
  );

  // The host's way through the halted core.
  logic             host_core;
  logic             host_w;
  ctl_t             host_ctl;
  logic [31:0]      host_addr;
  logic [Lanes-1:0] host_lanes;
  logic [4:0]       host_index;
  logic [31:0]      x_lane;
  fenn_host #(.Lanes(Lanes)) i_host (
    .clk_i, .rst_ni, .valid_i(host_valid_i), .ready_o(host_ready_o), .write_i(host_write_i), .space_i(host_space_i),
    .addr_i(host_addr_i), .rvalid_o(host_rvalid_o), .rdata_o(host_rdata_o),
    .imem_en_o(imem_host_en), .imem_rdata_i(imem_host_rdata), .smem_en_o(smem_host_en), .smem_rdata_i(smem_host_rdata),
    .halted_i(halted_o), .core_o(host_core), .core_w_o(host_w), .core_ctl_o(host_ctl), .core_addr_o(host_addr),
    .core_lanes_o(host_lanes), .core_index_o(host_index), .core_lane_i(x_lane[15:0])
  );

  // Scalar core and vector unit.
  logic        vmem_en;
  logic        vmem_we;
  logic [31:0] vmem_addr;
  logic        d_send;
  logic        d_go;
  ctl_t        d_ctl;
  logic [31:0] d_word;
  logic        v_hazard;
  logic        x_commit;
  logic [31:0] x_a;
  logic [31:0] x_b;
  logic [31:0] x_mask;
  logic        x_host;
  halt_e       halt_cause;
  trace_t      trace;
  logic [2:0][31:0] mm2s;
  logic             mm2s_start;
  logic [7:0]       mm2s_status;
  logic [2:0][31:0] s2mm;
  logic             s2mm_start;
  logic [7:0]       s2mm_status;
  assign halt_cause_o = halt_cause;
  fenn_core #(.ImemBytes(ImemBytes), .SmemBytes(SmemBytes), .RowBytes(RowBytes)) i_core (
    .clk_i, .rst_ni, .entry_i, .jump_i, .run_i, .step_i, .halt_i, .halted_o, .halt_cause_o(halt_cause), .trap_cause_o,
    .trap_value_o, .pc_o, .count_cycle_o, .count_inst_o, .uncount_inst_o,
    .host_i(host_core), .host_ctl_i(host_ctl), .host_addr_i(host_addr),
    .imem_read_o(imem_read), .imem_addr_o(imem_addr), .imem_rdata_i(imem_rdata),
    .imem_written_i(imem_host_en && host_write_i),
    .smem_en_o(smem_en), .smem_we_o(smem_we), .smem_addr_o(smem_addr), .smem_wdata_o(smem_wdata),
    .smem_rdata_i(smem_rdata),
    .vmem_en_o(vmem_en), .vmem_we_o(vmem_we), .vmem_addr_o(vmem_addr),
    .d_send_o(d_send), .d_go_o(d_go), .d_ctl_o(d_ctl), .d_word_o(d_word), .v_hazard_i(v_hazard), .x_commit_o(x_commit), .x_a_o(x_a),
    .x_b_o(x_b), .x_mask_i(x_mask), .x_lane_i(x_lane), .x_host_i(x_host),
    .mm2s_o(mm2s), .mm2s_start_o(mm2s_start), .mm2s_status_i(mm2s_status),
    .s2mm_o(s2mm), .s2mm_start_o(s2mm_start), .s2mm_status_i(s2mm_status),
    .trace_o(trace)
  );

  logic [16*Lanes-1:0] vmem_rdata;
  logic [16*Lanes-1:0] x_vector_b;
  logic [Lanes-1:0]    x_lanes;
  logic [16*Lanes-1:0] x_rows;
  logic [Lanes-1:0]    x_takes;
  logic                w_we;
  logic [4:0]          w_vd;
  logic [Lanes-1:0]    w_lanes;
  logic [16*Lanes-1:0] w_result;
  logic [16*Lanes-1:0] s0;
  logic [16*Lanes-1:0] s1;
  fenn_vector #(.Lanes(Lanes), .LlmHalfwords(LlmHalfwords)) i_vector (
    .clk_i, .rst_ni, .d_send_i(d_send), .d_go_i(d_go), .d_ctl_i(d_ctl), .d_word_i(d_word),
    .hazard_o(v_hazard),
    .host_i(host_core), .host_w_i(host_w), .host_data_i(host_wdata_i), .host_lanes_i(host_lanes),
    .host_index_valid_i(halted_o), .host_index_i(host_index),
    .x_commit_i(x_commit), .x_a_i(x_a), .x_b_i(x_b[15:0]), .x_mask_o(x_mask), .x_lane_o(x_lane), .x_b_o(x_vector_b),
    .x_live_o(x_host), .x_lanes_o(x_lanes), .x_rows_o(x_rows), .x_takes_o(x_takes),
    .vmem_i(vmem_rdata), .w_we_o(w_we), .w_vd_o(w_vd), .w_lanes_o(w_lanes), .w_result_o(w_result),
    .s0_o(s0), .s1_o(s1)
  );

  // Vector memory and the DMA engine, which has its second port. Addresses wrap.
  logic                dma_en;
  logic                dma_we;
  logic [RowBits-1:0]  dma_row;
  logic [16*Lanes-1:0] dma_wdata;
  localparam int unsigned Parts = 16 * Lanes / AxiWidth;
  logic [AxiWidth-1:0] dma_rdata;
  logic [(Parts > 1 ? $clog2(Parts) : 1)-1:0] dma_part;
  fenn_vmem_ram #(.Lanes(Lanes), .Rows(VmemBytes / RowBytes), .PartBits(AxiWidth)) i_vmem (
    .clk_i, .en_a_i(vmem_en), .we_a_i(x_lanes & {Lanes{vmem_we}}), .addr_a_i(vmem_addr[RowShift +: RowBits]),
    .wdata_a_i(x_vector_b), .rdata_a_o(vmem_rdata),
    .en_b_i(dma_en), .we_b_i(dma_we), .addr_b_i(dma_row), .wdata_b_i(dma_wdata),
    .part_b_i(dma_part), .rdata_b_o(dma_rdata)
  );

  fenn_dma #(
    .RowBytes(RowBytes), .VmemBytes(VmemBytes), .AxiWidth(AxiWidth), .AxiBurst(AxiBurst)
  ) i_dma (
    .clk_i, .rst_ni, .dram_bytes_i(DramBytes != 0 ? DramBytes : dram_limit_i),
    .mm2s_i(mm2s), .mm2s_start_i(mm2s_start), .mm2s_status_o(mm2s_status),
    .s2mm_i(s2mm), .s2mm_start_i(s2mm_start), .s2mm_status_o(s2mm_status),
    .vmem_en_o(dma_en), .vmem_we_o(dma_we), .vmem_row_o(dma_row), .vmem_wdata_o(dma_wdata), .vmem_part_o(dma_part),
    .vmem_rdata_i(dma_rdata),
    .axi_arvalid_o, .axi_arready_i, .axi_araddr_o, .axi_arlen_o,
    .axi_rvalid_i, .axi_rready_o, .axi_rdata_i, .axi_rresp_i,
    .axi_awvalid_o, .axi_awready_i, .axi_awaddr_o, .axi_awlen_o,
    .axi_wvalid_o, .axi_wready_i, .axi_wdata_o, .axi_wlast_o,
    .axi_bvalid_i, .axi_bready_o, .axi_bresp_i
  );
  // Full-width beats of incrementing bursts; the beats are counted, so that RLAST says nothing new.
  assign axi_arsize_o  = 3'($clog2(AxiWidth / 8));
  assign axi_awsize_o  = 3'($clog2(AxiWidth / 8));
  assign axi_arburst_o = 2'b01;
  assign axi_awburst_o = 2'b01;
  assign axi_wstrb_o   = '1;

  if (Trace) begin : gen_trace
    fenn_trace #(.Lanes(Lanes)) i_trace (
      .clk_i, .rst_ni, .trace_i(trace), .x_data_i(x_vector_b), .x_rows_i(x_rows), .x_takes_i(x_takes),
      .issue_o, .cycle_o, .valid_o(ret_valid_o), .w_cycle_o(ret_cycle_o), .pc_o(ret_pc_o), .word_o(ret_word_o),
      .trap_o(ret_trap_o), .cause_o(ret_cause_o), .tval_o(ret_tval_o), .x_we_o(ret_x_we_o), .x_rd_o(ret_x_rd_o),
      .x_value_o(ret_x_value_o), .m_we_o(ret_m_we_o), .m_space_o(ret_m_space_o), .m_addr_o(ret_m_addr_o),
      .m_bytes_o(ret_m_bytes_o), .m_lanes_o(ret_m_lanes_o), .m_rows_o(ret_m_rows_o), .m_data_o(ret_m_data_o)
    );
    assign ret_v_we_o    = w_we;
    assign ret_v_vd_o    = w_vd;
    assign ret_v_lanes_o = w_lanes;
    assign ret_v_value_o = w_result;
    assign ret_rng_s0_o  = s0;
    assign ret_rng_s1_o  = s1;
  end else begin : gen_no_trace
    assign {issue_o, cycle_o, ret_valid_o, ret_cycle_o, ret_pc_o, ret_word_o, ret_trap_o, ret_cause_o, ret_tval_o} = '0;
    assign {ret_x_we_o, ret_x_rd_o, ret_x_value_o, ret_v_we_o, ret_v_vd_o, ret_v_lanes_o, ret_v_value_o} = '0;
    assign {ret_m_we_o, ret_m_space_o, ret_m_addr_o, ret_m_bytes_o, ret_m_lanes_o, ret_m_rows_o, ret_m_data_o} = '0;
    assign {ret_rng_s0_o, ret_rng_s1_o} = '0;
    logic unused_trace;
    assign unused_trace = ^{trace, w_we, w_vd, w_lanes, w_result, s0, s1, x_rows, x_takes};
  end

  logic unused;
  assign unused = ^{imem_addr, smem_addr, vmem_addr, x_b, x_lane, axi_rlast_i, dram_limit_i};

endmodule
