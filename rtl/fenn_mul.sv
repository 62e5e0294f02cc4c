// The scalar multiplier.
//
// Contract: two stages; operands and funct3 in X, result_o in the next cycle. Four products of halves are registered, one
// DSP block each; the second stage adds them up.
//
// Not here: the lanes' multiplier (fenn_vmul).
module fenn_mul (
  input  logic        clk_i,
  input  logic [1:0]  funct3_i,  // its low bits: 0 low word, 1 signed, 2 signed by unsigned, 3 unsigned high word
  input  logic [31:0] a_i,
  input  logic [31:0] b_i,
  output logic [31:0] result_o
);

  logic               a_signed;
  logic               b_signed;
  logic signed [16:0] a_high;
  logic signed [16:0] b_high;
  logic signed [16:0] a_low;
  logic signed [16:0] b_low;
  assign a_signed = funct3_i != 2'd3;
  assign b_signed = !funct3_i[1];
  assign a_high = {a_signed & a_i[31], a_i[31:16]};
  assign b_high = {b_signed & b_i[31], b_i[31:16]};
  assign a_low  = {1'b0, a_i[15:0]};
  assign b_low  = {1'b0, b_i[15:0]};

  logic signed [33:0] hh_q;
  logic signed [33:0] hl_q;
  logic signed [33:0] lh_q;
  logic signed [33:0] ll_q;
  logic               high_q;
  always_ff @(posedge clk_i) begin
    hh_q   <= a_high * b_high;
    hl_q   <= a_high * b_low;
    lh_q   <= a_low * b_high;
    ll_q   <= a_low * b_low;
    high_q <= funct3_i != 2'd0;
  end

  // The low 16 bits are those of the low product; the rest is one sum of three.
  logic [47:0] upper;
  assign upper = {hh_q[31:0], ll_q[31:16]} + {{14{hl_q[33]}}, hl_q} + {{14{lh_q[33]}}, lh_q};
  assign result_o = high_q ? upper[47:16] : {upper[15:0], ll_q[15:0]};

  logic unused;
  assign unused = ^{hh_q[33:32], ll_q[33:32]};

endmodule
