// The multiplier of one lane: round, shift, saturate.
//
// Contract: two stages. In X the operands and what rounding adds. In W result_o = (product + addend) >> shift_i, its low 16
// bits, or saturated if one of the sum's bits 30 to 15 that check_i names differs from its sign.
// The sum cannot overflow: |product| is at most 2^30 and the addend less than 2^15.
//
// A plain right shift with rounding is a multiplication by 1.
module fenn_vmul (
  input  logic        clk_i,
  input  logic [15:0] a_i,
  input  logic [15:0] b_i,
  input  logic [14:0] addend_i,
  input  logic [3:0]  shift_i,
  input  logic [15:0] check_i,
  output logic [15:0] result_o
);

  logic [31:0] sum;
  fenn_mac i_mac (.clk_i, .a_i, .b_i, .c_i(addend_i), .sum_o(sum));

  logic        fits;
  logic [30:0] shifted;
  assign fits     = ((sum[30:15] ^ {16{sum[31]}}) & check_i) == '0;
  assign shifted  = sum[30:0] >> shift_i;
  assign result_o = fits ? shifted[15:0] : {sum[31], {15{!sum[31]}}};

  logic unused;
  assign unused = ^shifted[30:16];

endmodule
