// The scalar core: pipeline, registers, traps and debug, and control of the vector unit.
//
// Contract: one instruction leaves D a cycle, in order, unless hazard, X or a redirection keeps it. Stages:
//   F  instruction memory's answer, and the branch target buffer
//   D  decode, registers, forwarding, hazards; jumps leave from here
//   X  arithmetic, comparison of branches, addresses of memories, CSRs; exceptions and wrong opinions of F leave from here
//   W  answers of memories and multipliers; registers are written at its end
// A late result is known in W, every other in X; a reader is in D then. Divisions and accesses that cross a word stay in X.
//
// Invariant: what is behind X in program order has changed nothing, so an exception only has to drop it.
// Not here: vector registers and lanes (fenn_vector), memories, the DMA engine.
module fenn_core
  import fenn_pkg::*;
#(
  parameter int unsigned ImemBytes = 16384,
  parameter int unsigned SmemBytes = 131072,
  parameter int unsigned RowBytes  = 64
) (
  input  logic        clk_i,
  input  logic        rst_ni,

  input  logic [31:0] entry_i,
  input  logic        jump_i,
  input  logic        run_i,
  input  logic        step_i,
  input  logic        halt_i,
  output logic        halted_o,
  output halt_e       halt_cause_o,
  output logic [2:0]  trap_cause_o,
  output logic [31:0] trap_value_o,
  output logic [31:0] pc_o,

  // What counters of the outside count, a cycle behind X at most: see fenn_csr for the meaning of each.
  output logic        count_cycle_o,
  output logic        count_inst_o,
  output logic        uncount_inst_o,

  // Accesses of the host while halted: control that X executes on their address, without being an instruction.
  input  logic        host_i,
  input  ctl_t        host_ctl_i,
  input  logic [31:0] host_addr_i,

  output logic        imem_read_o,
  output logic [31:0] imem_addr_o,
  input  logic [31:0] imem_rdata_i,
  input  logic        imem_written_i,

  output logic        smem_en_o,
  output logic [3:0]  smem_we_o,
  output logic [31:0] smem_addr_o,
  output logic [31:0] smem_wdata_o,
  input  logic [31:0] smem_rdata_i,

  // Vector memory, in X: a byte address.
  output logic        vmem_en_o,
  output logic        vmem_we_o,
  output logic [31:0] vmem_addr_o,

  output logic        d_send_o,
  output logic        d_go_o,
  output ctl_t        d_ctl_o,
  output logic [31:0] d_word_o,
  input  logic        v_hazard_i,
  output logic        x_commit_o,
  output logic [31:0] x_a_o,
  output logic [31:0] x_b_o,
  input  logic [31:0] x_mask_i,
  input  logic [31:0] x_lane_i,
  input  logic        x_host_i,

  output logic [2:0][31:0] mm2s_o,
  output logic             mm2s_start_o,
  input  logic [7:0]       mm2s_status_i,
  output logic [2:0][31:0] s2mm_o,
  output logic             s2mm_start_o,
  input  logic [7:0]       s2mm_status_i,

  output trace_t      trace_o
);

  // ---------------------------------------------------------------------------------------------------------------- run
  logic running_q;
  logic step_q;       // one instruction is to be executed
  logic stepped_q;    // and has been
  logic start;
  logic x_stop;
  halt_e       halt_cause_q;
  logic        trap_q;
  logic [2:0]  trap_cause_q;
  logic [31:0] trap_value_q;
  assign start = run_i && !running_q;

  // --------------------------------------------------------------------------------------------------------------- F, D
  logic        x_redirect;
  logic [31:0] x_target;
  logic        d_hold;
  logic        d_redirect;
  logic [31:0] d_target;
  logic        learn;
  logic [31:0] learn_pc;
  logic [31:0] learn_target;
  logic        f_valid;
  logic [31:0] f_pc;
  logic        f_predicted;

  fenn_fetch #(.ImemBytes(ImemBytes)) i_fetch (
    .clk_i, .rst_ni,
    .hold_i(d_hold), .stop_i(x_stop),
    .x_redirect_i(x_redirect), .x_target_i(x_target),
    .d_redirect_i(d_redirect), .d_target_i(d_target),
    .learn_i(learn), .learn_pc_i(learn_pc), .learn_target_i(learn_target), .clear_i(imem_written_i),
    .read_o(imem_read_o), .addr_o(imem_addr_o),
    .valid_o(f_valid), .pc_o(f_pc), .predicted_o(f_predicted)
  );

  logic        d_valid_q;
  logic [31:0] d_pc_q;
  logic [31:0] d_word_q;
  logic        d_predicted_q;
  logic        d_fault_q;
  logic        d_send;     // the instruction in D enters X
  logic        d_go;       // and is not dropped there: known late, so only valid bits depend on it
  logic        x_flush;    // what is in D and F is dropped
  assign x_flush = x_redirect || x_stop;
  always_ff @(posedge clk_i) begin
    if (!d_hold) begin
      d_valid_q     <= f_valid && !d_redirect;
      d_pc_q        <= f_pc;
      d_word_q      <= imem_rdata_i;
      d_predicted_q <= f_predicted;
      d_fault_q     <= f_pc >= ImemBytes;
    end
    if (!rst_ni || x_flush) d_valid_q <= 1'b0;
  end

  logic [31:0] d_word;
  ctl_t        ctl;
  ctl_t        d_ctl;
  assign d_word = d_word_q;
  fenn_decoder i_decoder (.word_i(d_word), .ctl_o(ctl));

  logic d_debug;           // the core is to stop before this instruction
  assign d_debug = halt_i || stepped_q;
  always_comb begin
    d_ctl = ctl;
    // What could not be fetched, or is not to be executed, waits for nothing and does nothing.
    if (d_fault_q || d_debug) d_ctl = '0;
    if (host_i) d_ctl = host_ctl_i;
  end

  // Registers.
  logic [4:0]  rs1;
  logic [4:0]  rs2;
  logic [31:0] rf_a;
  logic [31:0] rf_b;
  logic        w_we_q;
  logic [4:0]  w_rd_q;
  logic [31:0] w_result;
  logic [31:0] w_early_q;  // what X handed over
  assign rs1 = d_word[19:15];
  assign rs2 = d_word[24:20];
  fenn_rf_ram #(.Width(32)) i_registers (
    .clk_i, .rst_ni, .we_i(w_we_q), .waddr_i(w_rd_q), .wdata_i(w_result),
    .raddr_a_i(rs1), .rdata_a_o(rf_a), .raddr_b_i(rs2), .rdata_b_o(rf_b)
  );

  // What X and W are about to write. x0 never is.
  logic       x_we_q;
  logic [4:0] x_rd_q;
  logic       x_late_q;
  logic       w_late_q;
  logic       x_csr_q;
  logic       x_valid_q;
  logic       x_busy;
  logic       hit_x1;
  logic       hit_x2;
  logic       hit_w1;
  logic       hit_w2;
  assign hit_x1 = x_we_q && x_rd_q == rs1;
  assign hit_x2 = x_we_q && x_rd_q == rs2;
  assign hit_w1 = w_we_q && w_rd_q == rs1;
  assign hit_w2 = w_we_q && w_rd_q == rs2;

  logic d_hazard;
  assign d_hazard = (x_late_q && ((hit_x1 && d_ctl.rs1) || (hit_x2 && d_ctl.rs2)))
                 || (d_ctl.jalr && (hit_x1 || (hit_w1 && w_late_q)))
                 || (d_ctl.mret && x_valid_q && x_csr_q)
                 || v_hazard_i;
  assign d_hold = d_valid_q && (d_hazard || x_busy);
  assign d_send = d_valid_q && !d_hazard && !x_busy;
  assign d_go   = d_send && !x_flush;

  // Targets: of jal and branches, of jalr, whose register is taken from W or the file only, and of mret. A branch that F
  // went along with only has to go elsewhere if it is not taken.
  logic [31:0] mepc;
  logic [31:0] base;
  logic [31:0] distance;
  always_comb begin
    base     = d_pc_q;
    distance = {{20{d_word_q[31]}}, d_word_q[7], d_word_q[30:25], d_word_q[11:8], 1'b0};
    if (d_predicted_q) distance = 32'd4;
    if (d_ctl.jal) distance = {{12{d_word_q[31]}}, d_word_q[19:12], d_word_q[20], d_word_q[30:21], 1'b0};
    if (d_ctl.jalr) begin
      base     = hit_w1 ? w_early_q : rf_a;
      distance = {{20{d_word_q[31]}}, d_word_q[31:20]};
    end
    if (d_ctl.mret) begin
      base     = mepc;
      distance = '0;
    end
  end
  logic [31:0] d_sum;
  assign d_sum      = base + distance;
  assign d_target   = {d_sum[31:1], 1'b0};
  assign d_redirect = d_valid_q && ((d_ctl.jal && !d_predicted_q) || d_ctl.jalr || d_ctl.mret);

  // Operands.
  logic [31:0] x_result;
  logic [31:0] alt_a;
  logic [31:0] alt_b;
  operand_e    from_a;
  operand_e    from_b;
  assign alt_a = host_i ? host_addr_i : d_pc_q;
  always_comb begin
    unique case (d_ctl.imm)
      IMM_U:    alt_b = {d_word[31:12], 12'b0};
      IMM_FOUR: alt_b = 32'd4;
      IMM_V16:  alt_b = 32'(d_word[27:12]);
      default:  alt_b = {{20{d_word[31]}}, d_word[31:20]};
    endcase
    // The only immediate of a vector store to lane-local memory that is not where those of loads are.
    if (d_ctl.l_store) alt_b[4:0] = d_word[11:7];
    if (host_i) alt_b = host_addr_i;
    if (d_ctl.a_pc || host_i) from_a = OP_ALT;
    else if (hit_x1)          from_a = OP_X;
    else if (hit_w1)          from_a = OP_W;
    else                      from_a = OP_RF;
    if (d_ctl.b_imm || host_i) from_b = OP_ALT;
    else if (hit_x2)           from_b = OP_X;
    else if (hit_w2)           from_b = OP_W;
    else                       from_b = OP_RF;
  end

  // ------------------------------------------------------------------------------------------------------------------ X
  logic        x_debug_q;
  logic        x_fault_q;
  logic        x_predicted_q;
  logic        x_second_q;
  logic        x_subtract_q;
  ctl_t        x_ctl_q;
  logic [31:0] x_pc_q;
  logic [31:0] x_word_q;
  logic [31:0] x_target_q;
  logic [12:0] x_offset_q;
  logic [31:0] x_a_q;
  logic [31:0] x_b_q;
  logic        x_div_done;
  logic        x_crosses;
  logic        x_again;     // an access crosses a word and this is the first half

  always_ff @(posedge clk_i) begin
    if (d_send || host_i) begin
      x_ctl_q       <= d_ctl;
      x_word_q      <= d_word;
      x_offset_q    <= d_ctl.store || d_ctl.v_store ? {d_word[31], d_word[31:25], d_word[11:7]}
                                                    : {d_word[31], d_word[31:20]};
      if (host_i) x_offset_q <= '0;
      unique case (from_a)
        OP_RF:  x_a_q <= rf_a;
        OP_X:   x_a_q <= x_result;
        OP_W:   x_a_q <= w_result;
        OP_ALT: x_a_q <= alt_a;
      endcase
      unique case (from_b)
        OP_RF:  x_b_q <= rf_b;
        OP_X:   x_b_q <= x_result;
        OP_W:   x_b_q <= w_result;
        OP_ALT: x_b_q <= alt_b;
      endcase
    end
    // What X stops at keeps its address.
    if (d_go) x_pc_q <= d_pc_q;
    if (d_send) begin
      x_target_q    <= d_target;
      x_predicted_q <= d_predicted_q;
      x_fault_q     <= d_fault_q;
      x_debug_q     <= d_debug;
      x_csr_q       <= d_ctl.csr;
      x_subtract_q  <= d_ctl.alu != ALU_ADD;
    end
    if (!x_busy) begin
      x_valid_q <= d_go;
      x_we_q    <= d_go && d_ctl.x_we && d_word[11:7] != '0;
      x_rd_q    <= d_word[11:7];
      x_late_q  <= d_ctl.late;
    end
    x_second_q <= 1'b0;
    if (x_again) begin
      x_second_q <= 1'b1;
      x_offset_q <= x_offset_q + 13'd4;
    end
    if (x_flush || !rst_ni) begin
      x_valid_q  <= 1'b0;
      x_we_q     <= 1'b0;
      x_second_q <= 1'b0;
    end
    if (!rst_ni || jump_i) x_pc_q <= {entry_i[31:2], 2'b0};
  end

  logic [31:0] alu;
  logic        lt;
  logic        eq;
  // Branches say in bit 13 that they are unsigned, the others by their operation.
  logic x_unsigned;
  assign x_unsigned = x_ctl_q.branch ? x_word_q[13]
                                     : x_ctl_q.alu == ALU_SLTU || x_ctl_q.alu == ALU_MINU || x_ctl_q.alu == ALU_MAXU;
  fenn_alu i_alu (
    .op_i(x_ctl_q.alu), .subtract_i(x_subtract_q), .b_inv_i(x_ctl_q.b_inv), .unsigned_i(x_unsigned), .a_i(x_a_q), .b_i(x_b_q),
    .result_o(alu), .lt_o(lt), .eq_o(eq)
  );
  assign x_result = alu;

  // beq 000, bne 001, blt 100, bge 101, bltu 110, bgeu 111.
  logic x_taken;
  assign x_taken = (x_word_q[14] ? lt : eq) ^ x_word_q[12];

  logic [31:0] x_addr;
  assign x_addr = x_a_q + {{19{x_offset_q[12]}}, x_offset_q};

  logic       smem_fault;
  logic [3:0] smem_enables;
  logic [31:0] load;
  fenn_lsu #(.SmemBytes(SmemBytes)) i_lsu (
    .clk_i, .funct3_i(x_word_q[14:12]), .addr_i(x_addr), .second_i(x_second_q), .data_i(x_b_q),
    .crosses_o(x_crosses), .fault_o(smem_fault), .enables_o(smem_enables), .wdata_o(smem_wdata_o),
    .rdata_i(smem_rdata_i), .load_o(load)
  );

  logic [31:0] product;
  fenn_mul i_mul (.clk_i, .funct3_i(x_word_q[13:12]), .a_i(x_a_q), .b_i(x_b_q), .result_o(product));

  logic [31:0] div_magnitude;
  logic        div_negate;
  fenn_div i_div (
    .clk_i, .rst_ni, .active_i(x_valid_q && x_ctl_q.div), .funct3_i(x_word_q[13:12]), .a_i(x_a_q), .b_i(x_b_q),
    .done_o(x_div_done), .magnitude_o(div_magnitude), .negate_o(div_negate)
  );

  logic [5:0] ones;
  always_comb begin
    ones = '0;
    for (int unsigned i = 0; i < 32; i++) ones += 6'(x_a_q[i]);
  end

  assign x_again = x_valid_q && (x_ctl_q.load || x_ctl_q.store) && x_crosses && !x_second_q;
  assign x_busy  = x_valid_q && (x_again || (x_ctl_q.div && !x_div_done));

  // Exceptions.
  logic        csr_illegal;
  logic        x_jumps;
  logic        x_trap;
  exception_e  x_cause;
  logic [31:0] x_value;
  logic        x_unaligned;
  assign x_jumps     = x_ctl_q.jal || x_ctl_q.jalr || (x_ctl_q.branch && x_taken && !x_predicted_q);
  assign x_unaligned = x_addr[$clog2(RowBytes)-1:0] != '0;
  // Which exception it would be is plain from the instruction; whether it is one is known late, from an address.
  logic x_early_trap;
  assign x_early_trap = x_fault_q || !x_ctl_q.legal || (x_ctl_q.csr && csr_illegal);
  assign x_trap = x_valid_q && !x_debug_q
               && (x_early_trap || (x_jumps && x_target_q[1])
                   || ((x_ctl_q.load || x_ctl_q.store) && !x_second_q && smem_fault)
                   || ((x_ctl_q.v_load || x_ctl_q.v_store) && x_unaligned));
  always_comb begin
    if (x_fault_q) begin
      x_cause = EXC_FETCH_FAULT;
      x_value = x_pc_q;
    end else if (!x_ctl_q.legal || x_ctl_q.csr) begin
      x_cause = EXC_ILLEGAL;
      x_value = x_word_q;
    end else if (x_ctl_q.load || x_ctl_q.store) begin
      x_cause = x_ctl_q.load ? EXC_LOAD_FAULT : EXC_STORE_FAULT;
      x_value = x_addr;
    end else if (x_ctl_q.v_load || x_ctl_q.v_store) begin
      x_cause = x_ctl_q.v_load ? EXC_LOAD_MISALIGNED : EXC_STORE_MISALIGNED;
      x_value = x_addr;
    end else begin
      x_cause = EXC_FETCH_MISALIGNED;
      x_value = x_target_q;
    end
  end

  logic [31:0] mtvec;
  logic        x_fatal;     // no handler, or its own first instruction
  logic        x_mispredicted;
  logic        x_commit;
  logic        x_ends;      // the instruction itself stops the core, or the debugger does
  assign x_fatal = mtvec == '0 || mtvec == x_pc_q;
  assign x_ends  = x_valid_q && (x_debug_q || x_ctl_q.ecall || x_ctl_q.ebreak);
  assign x_stop  = x_ends || (x_trap && x_fatal);
  assign x_mispredicted = x_valid_q && x_ctl_q.branch && x_taken != x_predicted_q;
  assign x_commit = x_valid_q && !x_busy && !x_trap && !x_stop;

  assign x_redirect = start || (x_trap && !x_fatal) || (x_mispredicted && !x_trap);
  always_comb begin
    if (!running_q)         x_target = x_pc_q;
    else if (x_trap)        x_target = mtvec;
    else                    x_target = x_target_q;
  end

  // The buffer learns a jump when it leaves D, and a branch when X finds it taken backwards. The latter has dropped D.
  logic x_learn;
  assign x_learn      = x_mispredicted && !x_trap && x_taken && x_target_q <= x_pc_q;
  assign learn        = x_learn || (d_go && d_ctl.jal && !d_predicted_q && !d_target[1]);
  assign learn_pc     = x_learn ? x_pc_q : d_pc_q;
  assign learn_target = x_learn ? x_target_q : d_target;

  // Memories. A store that faults is not made.
  logic smem_access;
  assign smem_access  = x_valid_q && (x_ctl_q.load || x_ctl_q.store);
  assign smem_en_o    = smem_access;
  assign smem_we_o    = smem_enables & {4{x_ctl_q.store && !(smem_fault && !x_second_q)}};
  assign smem_addr_o  = x_addr;
  assign vmem_en_o    = (x_valid_q || x_host_i) && (x_ctl_q.v_load || x_ctl_q.v_store) && !x_unaligned;
  assign vmem_we_o    = x_ctl_q.v_store;
  assign vmem_addr_o  = x_addr;

  // CSRs.
  logic [31:0] csr_read;
  logic        x_counting_q;
  fenn_csr i_csr (
    .clk_i, .rst_ni,
    .addr_i(x_word_q[31:20]), .funct3_i(x_word_q[13:12]), .no_write_i(x_word_q[19:15] == '0),
    .operand_i(x_word_q[14] ? 32'(x_word_q[19:15]) : x_a_q), .commit_i(x_valid_q && x_ctl_q.csr && !csr_illegal),
    .read_o(csr_read), .illegal_o(csr_illegal),
    .trap_i(trap_q), .trap_pc_i(x_pc_q), .trap_cause_i(trap_cause_q), .trap_value_i(trap_value_q),
    .mret_i(x_valid_q && x_ctl_q.mret), .mtvec_o(mtvec), .mepc_o(mepc),
    .count_cycle_i(count_cycle_o), .count_inst_i(count_inst_o), .uncount_inst_i(uncount_inst_o),
    .mm2s_o, .mm2s_start_o, .mm2s_status_i, .s2mm_o, .s2mm_start_o, .s2mm_status_i
  );

  assign count_cycle_o  = x_counting_q && !x_ends;
  assign count_inst_o   = x_valid_q && !x_busy;
  assign uncount_inst_o = x_trap || x_stop;

  // The clock of programs: it stands while the core is halted and until the first instruction is in D.
  logic counting_q;
  logic counting;
  assign counting = d_valid_q || counting_q;
  always_ff @(posedge clk_i) begin
    counting_q   <= counting && !x_stop && rst_ni;
    x_counting_q <= counting && !x_stop && rst_ni;
  end

  // ------------------------------------------------------------------------------------------------------------------ W
  wsrc_e       w_src_q;
  always_ff @(posedge clk_i) begin
    unique case (x_ctl_q.result)
      RES_CPOP: w_early_q <= 32'(ones);
      RES_CSR:  w_early_q <= csr_read;
      RES_MASK: w_early_q <= x_mask_i;
      RES_LANE: w_early_q <= x_lane_i;
      RES_DIV:  w_early_q <= div_magnitude;
      default:  w_early_q <= alu;
    endcase
    w_src_q  <= x_ctl_q.div && div_negate ? WS_NEG : x_ctl_q.wsrc;
    w_we_q   <= x_we_q && x_commit;
    w_rd_q   <= x_rd_q;
    w_late_q <= x_late_q;
    if (!rst_ni) w_we_q <= 1'b0;
  end
  always_comb begin
    unique case (w_src_q)
      WS_X:    w_result = w_early_q;
      WS_LOAD: w_result = load;
      WS_MUL:  w_result = product;
      WS_NEG:  w_result = -w_early_q;
    endcase
  end

  // ---------------------------------------------------------------------------------------------------------- run, again
  always_ff @(posedge clk_i) begin
    if (start) begin
      running_q <= 1'b1;
      step_q    <= step_i;
      stepped_q <= 1'b0;
    end
    if (step_q && (d_go || x_trap)) stepped_q <= 1'b1;
    if (x_stop) begin
      running_q <= 1'b0;
      step_q    <= 1'b0;
      stepped_q <= 1'b0;
      if (x_debug_q)           halt_cause_q <= step_q ? HALT_STEP : HALT_REQUEST;
      else if (x_trap)         halt_cause_q <= HALT_TRAP;
      else if (x_ctl_q.ebreak) halt_cause_q <= HALT_EBREAK;
      else                     halt_cause_q <= HALT_ECALL;
    end
    // CSRs take these one cycle later, when nothing is in X; the host may look at them while the core is halted.
    trap_q <= x_trap && !x_fatal;
    if (x_valid_q) begin
      trap_cause_q <= x_cause;
      trap_value_q <= x_value;
    end
    if (!rst_ni) begin
      running_q    <= 1'b0;
      step_q       <= 1'b0;
      stepped_q    <= 1'b0;
      trap_q       <= 1'b0;
      halt_cause_q <= HALT_RESET;
    end
  end
  assign halted_o     = !running_q;
  assign halt_cause_o = halt_cause_q;
  assign trap_cause_o = trap_cause_q;
  assign trap_value_o = trap_value_q;
  assign pc_o         = x_pc_q;

  assign d_send_o   = d_send || host_i;
  assign d_go_o     = d_go || host_i;
  assign d_ctl_o    = d_ctl;
  assign d_word_o   = d_word;
  assign x_commit_o = x_commit;
  assign x_a_o      = x_a_q;
  assign x_b_o      = x_b_q;

  // -------------------------------------------------------------------------------------------------------------- trace
  always_comb begin
    trace_o.counting = counting && !x_stop;
    trace_o.stop     = x_stop;
    trace_o.d_go     = d_go;
    trace_o.d_pc     = d_pc_q;
    trace_o.d_word   = d_fault_q ? '0 : d_word_q;
    trace_o.x_commit = x_commit;
    trace_o.x_trap   = x_trap;
    trace_o.x_cause  = x_cause;
    trace_o.x_tval   = x_value;
    trace_o.x_second = x_second_q;
    trace_o.x_addr   = x_addr;
    trace_o.x_store  = x_ctl_q.store;
    trace_o.x_vstore = x_ctl_q.v_store;
    trace_o.x_lstore = x_ctl_q.l_store;
    trace_o.x_bytes  = 3'd1 << x_word_q[13:12];
    trace_o.x_data   = x_b_q;
    trace_o.w_we     = w_we_q;
    trace_o.w_rd     = w_rd_q;
    trace_o.w_value  = w_result;
  end

  logic unused;
  assign unused = ^{entry_i[1:0], d_sum[0]};

endmodule
