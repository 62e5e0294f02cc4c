// The scalar arithmetic unit: one-cycle RV32I and Zbb operations, and the comparison of branches.
//
// Contract: combinational; result_o is op_i of a_i and b_i (b_i inverted first if b_inv_i), lt_o and eq_o compare them:
// signed, or unsigned if unsigned_i. Comparisons are right for every operation but those that add.
// Latency: none; the result is forwarded at the end of X.
//
// Not here: multiplies, divisions, and the population count, which is late.
module fenn_alu
  import fenn_pkg::*;
(
  input  alu_e        op_i,
  input  logic        b_inv_i,
  input  logic        unsigned_i,
  input  logic [31:0] a_i,
  input  logic [31:0] b_i,
  output logic [31:0] result_o,
  output logic        lt_o,
  output logic        eq_o
);

  function automatic logic [31:0] reverse(input logic [31:0] word);
    for (int unsigned i = 0; i < 32; i++) reverse[i] = word[31 - i];
  endfunction

  // One adder for sums, differences and comparisons.
  logic        subtract;
  logic [32:0] sum;
  assign subtract = op_i != ALU_ADD;
  assign sum = {1'b0, a_i} + {1'b0, b_i ^ {32{subtract}}} + 33'(subtract);
  // Operands of different sign decide by their signs, the others by the borrow.
  assign lt_o = (a_i[31] ^ b_i[31]) ? (unsigned_i ? b_i[31] : a_i[31]) : !sum[32];
  assign eq_o = a_i == b_i;

  // One rotator to the right; left shifts rotate by the complement; shifts mask what came round.
  logic        left;
  logic [4:0]  amount;
  logic [31:0] rotated;
  logic [31:0] ones;     // as many ones at the top as a right shift brings in
  logic [31:0] shifted;
  assign left    = op_i == ALU_SLL || op_i == ALU_ROL;
  assign amount  = left ? -b_i[4:0] : b_i[4:0];
  always_comb begin
    rotated = a_i;
    for (int unsigned i = 0; i < 5; i++) begin
      if (amount[i]) rotated = (rotated >> (1 << i)) | (rotated << (32 - (1 << i)));
    end
  end
  assign ones    = ~(32'hffff_ffff >> amount);
  always_comb begin
    unique case (op_i)
      ALU_SRL: shifted = rotated & ~ones;
      ALU_SRA: shifted = a_i[31] ? rotated | ones : rotated & ~ones;
      // A left shift by s has rotated by 32 - s to the right: the low s bits came round. By 0, none has.
      ALU_SLL: shifted = amount == '0 ? rotated : rotated & ones;
      default: shifted = rotated;
    endcase
  end

  // Leading zeros, by halves.
  logic [31:0] counted;
  logic [5:0]  zeros;
  assign counted = op_i == ALU_CTZ ? reverse(a_i) : a_i;
  fenn_clz i_clz (.word_i(counted), .zeros_o(zeros));

  logic [31:0] b;
  assign b = b_i ^ {32{b_inv_i}};

  always_comb begin
    unique case (op_i)
      ALU_ADD, ALU_SUB:         result_o = sum[31:0];
      ALU_SLT, ALU_SLTU:        result_o = 32'(lt_o);
      ALU_XOR:                  result_o = a_i ^ b;
      ALU_OR:                   result_o = a_i | b;
      ALU_AND:                  result_o = a_i & b;
      ALU_SLL, ALU_SRL, ALU_SRA, ALU_ROL, ALU_ROR: result_o = shifted;
      ALU_CLZ, ALU_CTZ:         result_o = 32'(zeros);
      ALU_MIN, ALU_MINU:        result_o = lt_o ? a_i : b_i;
      ALU_MAX, ALU_MAXU:        result_o = lt_o ? b_i : a_i;
      ALU_SEXTB:                result_o = {{24{a_i[7]}}, a_i[7:0]};
      ALU_SEXTH:                result_o = {{16{a_i[15]}}, a_i[15:0]};
      ALU_ZEXTH:                result_o = {16'b0, a_i[15:0]};
      ALU_ORCB:                 result_o = {{8{|a_i[31:24]}}, {8{|a_i[23:16]}}, {8{|a_i[15:8]}}, {8{|a_i[7:0]}}};
      ALU_REV8:                 result_o = {a_i[7:0], a_i[15:8], a_i[23:16], a_i[31:24]};
      default:                  result_o = b_i;
    endcase
  end

endmodule
