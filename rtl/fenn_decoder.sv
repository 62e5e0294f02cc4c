// Decodes one instruction word.
//
// Contract: combinational; ctl_o says what the word reads and writes and what the units do for it. A word that matches no
// row of the instruction table reads and writes nothing and has legal = 0.
//
// Not here: whether a CSR exists (fenn_csr), registers' values, and hazards (fenn_core).
module fenn_decoder
  import fenn_isa_pkg::*;
  import fenn_pkg::*;
(
  input  logic [31:0] word_i,
  output ctl_t        ctl_o
);

  localparam ctl_t NOTHING = '{
    legal: 1'b1, alu: ALU_ADD, imm: IMM_I, result: RES_ALU, wsrc: WS_X,
    v_mask: VM_ONES, v_result: VR_ADD, v_wsrc: VW_X, default: 1'b0};

  // Arithmetic of two registers, and of a register and an immediate.
  function automatic ctl_t rr(input alu_e op, input logic b_inv);
    ctl_t c = NOTHING;
    c.rs1 = 1'b1; c.rs2 = 1'b1; c.x_we = 1'b1; c.alu = op; c.b_inv = b_inv;
    return c;
  endfunction

  function automatic ctl_t ri(input alu_e op);
    ctl_t c = NOTHING;
    c.rs1 = 1'b1; c.b_imm = 1'b1; c.x_we = 1'b1; c.alu = op;
    return c;
  endfunction

  function automatic ctl_t multiply;
    ctl_t c = NOTHING;
    c.rs1 = 1'b1; c.rs2 = 1'b1; c.x_we = 1'b1; c.late = 1'b1; c.wsrc = WS_MUL;
    return c;
  endfunction

  function automatic ctl_t divide;
    ctl_t c = NOTHING;
    c.rs1 = 1'b1; c.rs2 = 1'b1; c.x_we = 1'b1; c.late = 1'b1; c.div = 1'b1; c.result = RES_DIV;
    return c;
  endfunction

  function automatic ctl_t csr(input logic rs1);
    ctl_t c = NOTHING;
    c.rs1 = rs1; c.x_we = 1'b1; c.late = 1'b1; c.csr = 1'b1; c.result = RES_CSR;
    return c;
  endfunction

  // Lane arithmetic of two vectors by the adder.
  function automatic ctl_t vv(input logic sub, input logic sat, input vresult_e result);
    ctl_t c = NOTHING;
    c.vs1 = 1'b1; c.vs2 = 1'b1; c.v_we = 1'b1; c.v_sub = sub; c.v_sat = sat; c.v_result = result;
    return c;
  endfunction

  // A multiply, or a shift by way of the multiplier.
  function automatic ctl_t vmul(input logic nearest, input logic stochastic, input logic sat, input logic one);
    ctl_t c = NOTHING;
    c.vs1 = 1'b1; c.vs2 = !one; c.v_alt = one; c.v_imm = one; c.v_we = 1'b1; c.late = 1'b1; c.v_wsrc = VW_MUL;
    c.v_nearest = nearest; c.draws = stochastic; c.v_mask = stochastic ? VM_LOW : VM_ZERO; c.v_sat = sat;
    return c;
  endfunction

  // A comparison: the adder subtracts.
  function automatic ctl_t vtest;
    ctl_t c = NOTHING;
    c.vs1 = 1'b1; c.vs2 = 1'b1; c.v_sub = 1'b1; c.x_we = 1'b1; c.late = 1'b1; c.result = RES_MASK;
    return c;
  endfunction

  // Access to vector memory at rs1 + offset.
  function automatic ctl_t vmem(input logic load);
    ctl_t c = NOTHING;
    c.rs1 = 1'b1; c.vs2 = !load; c.v_load = load; c.v_store = !load; c.late = load; c.v_wsrc = VW_MEM;
    return c;
  endfunction

  always_comb begin
    ctl_o = NOTHING;
    unique casez (word_i)
      INSN_LUI:    begin ctl_o.x_we = 1'b1; ctl_o.b_imm = 1'b1; ctl_o.imm = IMM_U; ctl_o.alu = ALU_B; end
      INSN_AUIPC:  begin ctl_o.x_we = 1'b1; ctl_o.b_imm = 1'b1; ctl_o.imm = IMM_U; ctl_o.a_pc = 1'b1; end
      INSN_JAL: begin
        ctl_o.x_we = 1'b1; ctl_o.jal = 1'b1; ctl_o.a_pc = 1'b1; ctl_o.b_imm = 1'b1; ctl_o.imm = IMM_FOUR;
      end
      INSN_JALR: begin
        ctl_o.x_we = 1'b1; ctl_o.jalr = 1'b1; ctl_o.a_pc = 1'b1; ctl_o.b_imm = 1'b1; ctl_o.imm = IMM_FOUR;
        ctl_o.rs1 = 1'b1;
      end
      INSN_BEQ, INSN_BNE, INSN_BLT, INSN_BGE, INSN_BLTU, INSN_BGEU: begin
        ctl_o.rs1 = 1'b1; ctl_o.rs2 = 1'b1; ctl_o.branch = 1'b1; ctl_o.alu = ALU_SUB;
      end
      INSN_LB, INSN_LH, INSN_LW, INSN_LBU, INSN_LHU: begin
        ctl_o.rs1 = 1'b1; ctl_o.load = 1'b1; ctl_o.x_we = 1'b1; ctl_o.late = 1'b1; ctl_o.wsrc = WS_LOAD;
      end
      INSN_SB, INSN_SH, INSN_SW: begin ctl_o.rs1 = 1'b1; ctl_o.rs2 = 1'b1; ctl_o.store = 1'b1; end
      INSN_ADDI:   ctl_o = ri(ALU_ADD);
      INSN_SLTI:   ctl_o = ri(ALU_SLT);
      INSN_SLTIU:  ctl_o = ri(ALU_SLTU);
      INSN_XORI:   ctl_o = ri(ALU_XOR);
      INSN_ORI:    ctl_o = ri(ALU_OR);
      INSN_ANDI:   ctl_o = ri(ALU_AND);
      INSN_SLLI:   ctl_o = ri(ALU_SLL);
      INSN_SRLI:   ctl_o = ri(ALU_SRL);
      INSN_SRAI:   ctl_o = ri(ALU_SRA);
      INSN_ADD:    ctl_o = rr(ALU_ADD, 1'b0);
      INSN_SUB:    ctl_o = rr(ALU_SUB, 1'b0);
      INSN_SLL:    ctl_o = rr(ALU_SLL, 1'b0);
      INSN_SLT:    ctl_o = rr(ALU_SLT, 1'b0);
      INSN_SLTU:   ctl_o = rr(ALU_SLTU, 1'b0);
      INSN_XOR:    ctl_o = rr(ALU_XOR, 1'b0);
      INSN_SRL:    ctl_o = rr(ALU_SRL, 1'b0);
      INSN_SRA:    ctl_o = rr(ALU_SRA, 1'b0);
      INSN_OR:     ctl_o = rr(ALU_OR, 1'b0);
      INSN_AND:    ctl_o = rr(ALU_AND, 1'b0);
      // One hart, memories in order: nothing to wait for.
      INSN_FENCE, INSN_FENCE_I, INSN_WFI: ;
      INSN_ECALL:  ctl_o.ecall = 1'b1;
      INSN_EBREAK: ctl_o.ebreak = 1'b1;
      INSN_MRET:   ctl_o.mret = 1'b1;

      INSN_MUL, INSN_MULH, INSN_MULHSU, INSN_MULHU: ctl_o = multiply();
      INSN_DIV, INSN_DIVU, INSN_REM, INSN_REMU:     ctl_o = divide();
      INSN_CSRRW, INSN_CSRRS, INSN_CSRRC:           ctl_o = csr(1'b1);
      INSN_CSRRWI, INSN_CSRRSI, INSN_CSRRCI:        ctl_o = csr(1'b0);

      INSN_ANDN:   ctl_o = rr(ALU_AND, 1'b1);
      INSN_ORN:    ctl_o = rr(ALU_OR, 1'b1);
      INSN_XNOR:   ctl_o = rr(ALU_XOR, 1'b1);
      INSN_CLZ:    ctl_o = ri(ALU_CLZ);
      INSN_CTZ:    ctl_o = ri(ALU_CTZ);
      INSN_CPOP:   begin ctl_o = ri(ALU_B); ctl_o.result = RES_CPOP; ctl_o.late = 1'b1; end
      INSN_SEXT_B: ctl_o = ri(ALU_SEXTB);
      INSN_SEXT_H: ctl_o = ri(ALU_XEXTH);
      INSN_ZEXT_H: begin ctl_o = ri(ALU_XEXTH); ctl_o.b_inv = 1'b1; end
      INSN_MIN:    ctl_o = rr(ALU_MIN, 1'b0);
      INSN_MINU:   ctl_o = rr(ALU_MINU, 1'b0);
      INSN_MAX:    ctl_o = rr(ALU_MAX, 1'b0);
      INSN_MAXU:   ctl_o = rr(ALU_MAXU, 1'b0);
      INSN_ROL:    ctl_o = rr(ALU_ROL, 1'b0);
      INSN_ROR:    ctl_o = rr(ALU_ROR, 1'b0);
      INSN_RORI:   ctl_o = ri(ALU_ROR);
      INSN_ORC_B:  ctl_o = ri(ALU_ORCB);
      INSN_REV8:   ctl_o = ri(ALU_REV8);

      INSN_VADD:   ctl_o = vv(1'b0, 1'b0, VR_ADD);
      INSN_VADD_S: ctl_o = vv(1'b0, 1'b1, VR_ADD);
      INSN_VSUB:   ctl_o = vv(1'b1, 1'b0, VR_ADD);
      INSN_VSUB_S: ctl_o = vv(1'b1, 1'b1, VR_ADD);
      INSN_VAND:   ctl_o = vv(1'b0, 1'b0, VR_AND);
      INSN_VSLL:   begin ctl_o = vv(1'b0, 1'b0, VR_SHIFT); ctl_o.v_amount = 1'b1; ctl_o.v_left = 1'b1; end
      INSN_VSRA:   begin ctl_o = vv(1'b0, 1'b0, VR_SHIFT); ctl_o.v_amount = 1'b1; end
      INSN_VSLLI:  begin ctl_o = vv(1'b0, 1'b0, VR_SHIFT); ctl_o.vs2 = 1'b0; ctl_o.v_imm = 1'b1; ctl_o.v_left = 1'b1; end
      INSN_VSRAI:  begin ctl_o = vv(1'b0, 1'b0, VR_SHIFT); ctl_o.vs2 = 1'b0; ctl_o.v_imm = 1'b1; end
      INSN_VMUL:      ctl_o = vmul(1'b0, 1'b0, 1'b0, 1'b0);
      INSN_VMUL_RN:   ctl_o = vmul(1'b1, 1'b0, 1'b0, 1'b0);
      INSN_VMUL_RS:   ctl_o = vmul(1'b0, 1'b1, 1'b0, 1'b0);
      INSN_VMUL_S:    ctl_o = vmul(1'b0, 1'b0, 1'b1, 1'b0);
      INSN_VMUL_S_RN: ctl_o = vmul(1'b1, 1'b0, 1'b1, 1'b0);
      INSN_VMUL_S_RS: ctl_o = vmul(1'b0, 1'b1, 1'b1, 1'b0);
      INSN_VSRAI_RN:  ctl_o = vmul(1'b1, 1'b0, 1'b0, 1'b1);
      INSN_VSRAI_RS:  ctl_o = vmul(1'b0, 1'b1, 1'b0, 1'b1);
      INSN_VTEQ, INSN_VTNE, INSN_VTLT, INSN_VTGE: ctl_o = vtest();
      INSN_VSEL: begin
        ctl_o.rs1 = 1'b1; ctl_o.vs2 = 1'b1; ctl_o.v_we = 1'b1; ctl_o.v_sel = 1'b1; ctl_o.v_mask = VM_ZERO;
      end
      INSN_VLUI: begin
        ctl_o.v_we = 1'b1; ctl_o.b_imm = 1'b1; ctl_o.imm = IMM_V16; ctl_o.v_scalar = 1'b1; ctl_o.v_mask = VM_ZERO;
      end
      INSN_VFILL: begin
        ctl_o.v_we = 1'b1; ctl_o.rs1 = 1'b1; ctl_o.v_fill = 1'b1; ctl_o.v_scalar = 1'b1; ctl_o.v_mask = VM_ZERO;
      end
      INSN_VEXTRACT: begin ctl_o.vs1 = 1'b1; ctl_o.x_we = 1'b1; ctl_o.late = 1'b1; ctl_o.result = RES_LANE; end
      INSN_VRNG:   begin ctl_o.v_we = 1'b1; ctl_o.draws = 1'b1; ctl_o.v_result = VR_RNG; end
      INSN_VANDADD: begin
        ctl_o.v_we = 1'b1; ctl_o.vs1 = 1'b1; ctl_o.rs2 = 1'b1; ctl_o.v_scalar = 1'b1; ctl_o.v_mask = VM_LOW;
      end
      INSN_VLOADV:  begin ctl_o = vmem(1'b1); ctl_o.v_we = 1'b1; end
      INSN_VLOADR0: begin ctl_o = vmem(1'b1); ctl_o.rng0 = 1'b1; end
      INSN_VLOADR1: begin ctl_o = vmem(1'b1); ctl_o.rng1 = 1'b1; end
      INSN_VSTORE:  ctl_o = vmem(1'b0);
      // The lane adder forms the address, vs1 plus the offset as the scalar operand.
      INSN_VLOADL: begin
        ctl_o.vs1 = 1'b1; ctl_o.v_we = 1'b1; ctl_o.late = 1'b1; ctl_o.l_load = 1'b1; ctl_o.v_wsrc = VW_MEM;
        ctl_o.b_imm = 1'b1; ctl_o.v_scalar = 1'b1;
      end
      INSN_VSTOREL: begin
        ctl_o.vs1 = 1'b1; ctl_o.vs2 = 1'b1; ctl_o.l_store = 1'b1;
        ctl_o.b_imm = 1'b1; ctl_o.v_scalar = 1'b1;
      end
      default: ctl_o.legal = 1'b0;
    endcase
  end

endmodule
