// The control and status registers.
//
// Contract: one access a cycle, in X. read_o is the old value; illegal_o says that the access is none: no such register, or a
// write to one that can only be read. An access is done if commit_i; trap_i, one cycle after X, and mret_i change the trap
// registers instead.
// Counters: count_cycle_i is a cycle that passes, count_inst_i an instruction retired, unless uncount_inst_i, which comes late
// and is made good one cycle later, long before anybody can read it; none counts into a counter that is
// written in the same cycle, and mcountinhibit takes effect in the cycle after its write.
//
// Not here: the DMA engine's state, which it keeps itself; the registers that command it are here.
module fenn_csr
  import fenn_isa_pkg::*;
  import fenn_pkg::*;
(
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic [11:0] addr_i,
  input  logic [1:0]  funct3_i,     // its low bits: 1 write, 2 set, 3 clear
  input  logic        no_write_i,   // the source field of set or clear is 0
  input  logic [31:0] operand_i,
  input  logic        commit_i,
  output logic [31:0] read_o,
  output logic        illegal_o,

  input  logic        trap_i,
  input  logic [31:0] trap_pc_i,
  input  logic [2:0]  trap_cause_i,
  input  logic [31:0] trap_value_i,
  input  logic        mret_i,
  output logic [31:0] mtvec_o,
  output logic [31:0] mepc_o,

  input  logic        count_cycle_i,
  input  logic        count_inst_i,
  input  logic        uncount_inst_i,

  output logic [2:0][31:0] mm2s_o,       // source, destination, count
  output logic             mm2s_start_o,
  input  logic [7:0]       mm2s_status_i,
  output logic [2:0][31:0] s2mm_o,
  output logic             s2mm_start_o,
  input  logic [7:0]       s2mm_status_i
);

  logic        mie_q;
  logic        mpie_q;
  logic [31:2] mtvec_q;
  logic [31:2] mepc_q;
  logic [31:0] mscratch_q;
  logic [31:0] mcause_q;
  logic [31:0] mtval_q;
  logic        inhibit_cycle_q;
  logic        inhibit_inst_q;
  logic [63:0] mcycle_q;
  logic [63:0] minstret_q;
  logic [2:0][31:0] mm2s_q;
  logic [2:0][31:0] s2mm_q;

  assign mtvec_o = {mtvec_q, 2'b0};
  assign mepc_o  = {mepc_q, 2'b0};
  assign mm2s_o  = mm2s_q;
  assign s2mm_o  = s2mm_q;

  logic exists;
  always_comb begin
    exists = 1'b1;
    read_o = '0;
    unique case (addr_i)
      CSR_MSTATUS:       read_o = RESET_MSTATUS | {24'b0, mpie_q, 3'b0, mie_q, 3'b0};
      CSR_MISA:          read_o = RESET_MISA;
      CSR_MTVEC:         read_o = {mtvec_q, 2'b0};
      CSR_MCOUNTINHIBIT: read_o = {29'b0, inhibit_inst_q, 1'b0, inhibit_cycle_q};
      CSR_MSCRATCH:      read_o = mscratch_q;
      CSR_MEPC:          read_o = {mepc_q, 2'b0};
      CSR_MCAUSE:        read_o = mcause_q;
      CSR_MTVAL:         read_o = mtval_q;
      CSR_MCYCLE:        read_o = mcycle_q[31:0];
      CSR_MINSTRET:      read_o = minstret_q[31:0];
      CSR_MCYCLEH:       read_o = mcycle_q[63:32];
      CSR_MINSTRETH:     read_o = minstret_q[63:32];
      CSR_MM2S_SRC_ADDR: read_o = mm2s_q[0];
      CSR_MM2S_DST_ADDR: read_o = mm2s_q[1];
      CSR_MM2S_COUNT:    read_o = mm2s_q[2];
      CSR_MM2S_CONTROL:  read_o = RESET_MM2S_CONTROL;
      CSR_S2MM_SRC_ADDR: read_o = s2mm_q[0];
      CSR_S2MM_DST_ADDR: read_o = s2mm_q[1];
      CSR_S2MM_COUNT:    read_o = s2mm_q[2];
      CSR_S2MM_CONTROL:  read_o = RESET_S2MM_CONTROL;
      CSR_MHARTID:       read_o = RESET_MHARTID;
      CSR_MM2S_STATUS:   read_o = {24'b0, mm2s_status_i};
      CSR_S2MM_STATUS:   read_o = {24'b0, s2mm_status_i};
      default:           exists = 1'b0;
    endcase
  end

  // Bits 11:10 of an address say whether its register can only be read.
  logic        writes;
  logic        write;
  logic [31:0] value;
  assign writes    = !(funct3_i[1] && no_write_i);
  assign illegal_o = !exists || (writes && addr_i[11:10] == 2'b11);
  assign write     = commit_i && writes;
  always_comb begin
    unique case (funct3_i)
      2'd2:    value = read_o | operand_i;
      2'd3:    value = read_o & ~operand_i;
      default: value = operand_i;
    endcase
  end

  assign mm2s_start_o = write && addr_i == CSR_MM2S_CONTROL && value[0];
  assign s2mm_start_o = write && addr_i == CSR_S2MM_CONTROL && value[0];

  // What is written is not incremented, so one adder does for both.
  logic [3:0]  writes_count;   // mcycle, mcycleh, minstret, minstreth
  logic [63:0] mcycle;
  logic [63:0] minstret;
  assign writes_count = {addr_i == CSR_MINSTRETH, addr_i == CSR_MINSTRET, addr_i == CSR_MCYCLEH, addr_i == CSR_MCYCLE}
                      & {4{write}};
  assign mcycle   = {writes_count[1] ? value : mcycle_q[63:32], writes_count[0] ? value : mcycle_q[31:0]};
  assign minstret = {writes_count[3] ? value : minstret_q[63:32], writes_count[2] ? value : minstret_q[31:0]};

  logic counts_inst;
  logic uncount_q;
  assign counts_inst = count_inst_i && !inhibit_inst_q && writes_count[3:2] == '0;

  always_ff @(posedge clk_i) begin
    mcycle_q   <= mcycle + 64'(count_cycle_i && !inhibit_cycle_q && writes_count[1:0] == '0);
    minstret_q <= minstret + {{63{uncount_q}}, uncount_q || counts_inst};
    uncount_q  <= counts_inst && uncount_inst_i;
    if (write) begin
      // Constants, read-only registers and the controls hold nothing.
      unique case (addr_i)
        CSR_MSTATUS:       {mpie_q, mie_q} <= {value[7], value[3]};
        CSR_MTVEC:         mtvec_q <= value[31:2];
        CSR_MCOUNTINHIBIT: {inhibit_inst_q, inhibit_cycle_q} <= {value[2], value[0]};
        CSR_MSCRATCH:      mscratch_q <= value;
        CSR_MEPC:          mepc_q <= value[31:2];
        CSR_MCAUSE:        mcause_q <= value;
        CSR_MTVAL:         mtval_q <= value;
        CSR_MM2S_SRC_ADDR: mm2s_q[0] <= value;
        CSR_MM2S_DST_ADDR: mm2s_q[1] <= value;
        CSR_MM2S_COUNT:    mm2s_q[2] <= value;
        CSR_S2MM_SRC_ADDR: s2mm_q[0] <= value;
        CSR_S2MM_DST_ADDR: s2mm_q[1] <= value;
        CSR_S2MM_COUNT:    s2mm_q[2] <= value;
        default: ;
      endcase
    end
    if (trap_i) begin
      mepc_q   <= trap_pc_i[31:2];
      mcause_q <= 32'(trap_cause_i);
      mtval_q  <= trap_value_i;
      {mpie_q, mie_q} <= {mie_q, 1'b0};
    end
    if (mret_i) {mpie_q, mie_q} <= {1'b1, mpie_q};
    if (!rst_ni) begin
      {mpie_q, mie_q} <= {RESET_MSTATUS[7], RESET_MSTATUS[3]};
      mtvec_q    <= RESET_MTVEC[31:2];
      mepc_q     <= RESET_MEPC[31:2];
      mscratch_q <= RESET_MSCRATCH;
      mcause_q   <= RESET_MCAUSE;
      mtval_q    <= RESET_MTVAL;
      {inhibit_inst_q, inhibit_cycle_q} <= {RESET_MCOUNTINHIBIT[2], RESET_MCOUNTINHIBIT[0]};
      uncount_q  <= 1'b0;
      mcycle_q   <= {RESET_MCYCLEH, RESET_MCYCLE};
      minstret_q <= {RESET_MINSTRETH, RESET_MINSTRET};
      mm2s_q     <= {RESET_MM2S_COUNT, RESET_MM2S_DST_ADDR, RESET_MM2S_SRC_ADDR};
      s2mm_q     <= {RESET_S2MM_COUNT, RESET_S2MM_DST_ADDR, RESET_S2MM_SRC_ADDR};
    end
  end

  logic unused;
  assign unused = ^trap_pc_i[1:0];

endmodule
