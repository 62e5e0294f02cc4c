// The multiplier of one lane: round, shift, saturate.
//
// Contract: two stages. In X the operands and what rounding adds; the product and the addend are registered, the product in a
// DSP block. In W, shift_i and saturate_i give result_o = (product + addend) >> shift, its low 16 bits or saturated.
// The sum cannot overflow: |product| is at most 2^30 and the addend less than 2^15.
//
// A plain right shift with rounding is a multiplication by 1.
module fenn_vmul (
  input  logic        clk_i,
  input  logic [15:0] a_i,
  input  logic [15:0] b_i,
  input  logic [14:0] addend_i,
  input  logic [3:0]  shift_i,
  input  logic        saturate_i,
  output logic [15:0] result_o
);

  (* use_dsp = "yes" *) logic signed [31:0] product_q;
  logic [14:0] addend_q;
  always_ff @(posedge clk_i) begin
    product_q <= signed'(a_i) * signed'(b_i);
    addend_q  <= addend_i;
  end

  logic signed [31:0] sum;
  logic signed [31:0] shifted;
  logic               fits;
  assign sum     = product_q + signed'({17'b0, addend_q});
  assign shifted = sum >>> shift_i;
  assign fits    = shifted[31:15] == '0 || shifted[31:15] == '1;
  assign result_o = saturate_i && !fits ? {shifted[31], {15{!shifted[31]}}} : shifted[15:0];

endmodule
