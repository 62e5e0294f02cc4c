// The scalar arithmetic unit: one-cycle RV32I and Zbb operations, and the comparison of branches.
//
// Contract: combinational; result_o is op_i of a_i and b_i. b_inv_i inverts b_i for XOR, OR and AND, and makes the extension
// of a halfword one with zeros. lt_o and eq_o compare the operands, signed or unsigned as unsigned_i says, for every
// operation but ALU_ADD.
// Latency: none; the result is forwarded at the end of X.
//
// Not here: multiplies, divisions, and the population count, which is late.
module fenn_alu
  import fenn_pkg::*;
(
  input  alu_e        op_i,
  input  logic        subtract_i,  // op_i is not ALU_ADD
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

  // One adder for sums, differences and comparisons, with one bit more below, which carries the borrow in.
  logic [33:0] wide;
  logic [31:0] sum;
  assign wide     = {1'b0, a_i, 1'b1} + {1'b0, b_i ^ {32{subtract_i}}, subtract_i};
  assign sum      = wide[32:1];
  // Operands of different sign decide by their signs, the others by the borrow.
  assign lt_o = (a_i[31] ^ b_i[31]) ? (unsigned_i ? b_i[31] : a_i[31]) : !wide[33];
  assign eq_o = a_i == b_i;

  // Bit by bit.
  logic        take_b;
  logic [1:0]  operation;
  logic [31:0] bits;
  assign take_b    = lt_o == op_i[1];  // of MIN and MAX
  assign operation = op_i[1:0];
  always_comb begin
    if (op_i[2]) begin
      bits = take_b ? b_i : a_i;
    end else begin
      unique case (operation)
        2'd0: bits = a_i ^ b_i ^ {32{b_inv_i}};
        2'd1: bits = a_i | (b_i ^ {32{b_inv_i}});
        2'd2: bits = a_i & (b_i ^ {32{b_inv_i}});
        2'd3: bits = b_i;
      endcase
    end
  end

  // One rotator to the right; left shifts rotate by the complement; what came round in a shift is masked.
  logic        left;
  logic [4:0]  amount;
  logic [31:0] rotated;
  logic [31:0] ones;     // as many ones at the top as a right shift brings in
  logic [31:0] keep;
  logic        fill;
  logic [31:0] shifted;
  assign left   = op_i == ALU_SLL || op_i == ALU_ROL;
  assign amount = left ? -b_i[4:0] : b_i[4:0];
  always_comb begin
    rotated = a_i;
    for (int unsigned i = 0; i < 5; i++) begin
      if (amount[i]) rotated = (rotated >> (1 << i)) | (rotated << (32 - (1 << i)));
    end
  end
  assign ones = ~(32'hffff_ffff >> amount);
  // A left shift by s has rotated by 32 - s to the right: the low s bits came round. By 0, none has.
  always_comb begin
    if (op_i == ALU_ROL || op_i == ALU_ROR || amount == '0) keep = '1;
    else if (left)                                          keep = ones;
    else                                                    keep = ~ones;
  end
  assign fill    = op_i == ALU_SRA && a_i[31];
  assign shifted = (rotated & keep) | ({32{fill}} & ~keep);

  logic [31:0] counted;
  logic [5:0]  zeros;
  assign counted = op_i == ALU_CTZ ? reverse(a_i) : a_i;
  fenn_clz i_clz (.word_i(counted), .zeros_o(zeros));

  logic [31:0] other;
  logic        sign;
  assign sign = a_i[15] && !b_inv_i;
  always_comb begin
    unique case (op_i[2:0])
      3'd0, 3'd1: other = 32'(lt_o);
      3'd2, 3'd3: other = 32'(zeros);
      3'd4:       other = {{24{a_i[7]}}, a_i[7:0]};
      3'd5:       other = {{16{sign}}, a_i[15:0]};
      3'd6:       other = {{8{|a_i[31:24]}}, {8{|a_i[23:16]}}, {8{|a_i[15:8]}}, {8{|a_i[7:0]}}};
      3'd7:       other = {a_i[7:0], a_i[15:8], a_i[23:16], a_i[31:24]};
    endcase
  end

  always_comb begin
    unique case (op_i[4:3])
      2'd0: result_o = sum;
      2'd1: result_o = bits;
      2'd2: result_o = shifted;
      2'd3: result_o = other;
    endcase
  end

  logic unused;
  assign unused = wide[0];

endmodule
