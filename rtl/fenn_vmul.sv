// The multiplier of one lane: round, shift, saturate.
//
// Contract: two stages. In X the operands and what rounding adds. In W result_o = (product + addend) >> shift_i, its low 16
// bits, or saturated if one of the sum's bits 30 to 15 that check_i names differs from its sign.
// It is 0 unless valid_i.
// The sum cannot overflow: |product| is at most 2^30 and the addend less than 2^15.
//
// A plain right shift with rounding is a multiplication by 1.
module fenn_vmul (
  input  logic        clk_i,
  input  logic [15:0] a_i,
  input  logic [15:0] b_i,
  input  logic [14:0] addend_i,
  input  logic        valid_i,
  input  logic [3:0]  shift_i,
  input  logic [15:0] check_i,
  output logic [15:0] result_o
);

  logic [31:0] sum;
  fenn_mac i_mac (.clk_i, .a_i, .b_i, .c_i(addend_i), .sum_o(sum));

  logic        fits;
  logic [27:0] nearly;
  logic [15:0] shifted;
  assign fits = ((sum[30:15] ^ {16{sum[31]}}) & check_i) == '0;
  // Two steps with four ways each.
  always_comb begin
    unique case (shift_i[1:0])
      2'd0: nearly = sum[27:0];
      2'd1: nearly = sum[28:1];
      2'd2: nearly = sum[29:2];
      2'd3: nearly = sum[30:3];
    endcase
    unique case (shift_i[3:2])
      2'd0: shifted = nearly[15:0];
      2'd1: shifted = nearly[19:4];
      2'd2: shifted = nearly[23:8];
      2'd3: shifted = nearly[27:12];
    endcase
  end
  assign result_o = !valid_i ? '0 : fits ? shifted : {sum[31], {15{!sum[31]}}};

endmodule
