// One lane of the vector unit: registers, forwarding, arithmetic, generator and lane-local memory.
//
// Contract: in D, operands are read and captured if d_go_i; the register named by d_vs1_i or d_vs2_i is the one that X or W
// is about to write if the hit inputs say so, unless that instruction leaves this lane alone. In X, vx_i says what is
// done. In W, the result is final, forwarded, and written at the end of the cycle if vw_i.we and w_enable_o.
// Latency: VW_X results are forwarded from X, all others from W.
//
// Not here: hazards (fenn_vector); vector memory, whose word comes in W as vmem_i.
module fenn_lane
  import fenn_pkg::*;
#(
  parameter int unsigned LlmHalfwords = 1024
) (
  input  logic        clk_i,
  input  logic        rst_ni,

  input  logic        d_go_i,
  input  logic [4:0]  d_vs1_i,
  input  logic [4:0]  d_vs2_i,
  input  logic        hit_x1_i,
  input  logic        hit_w1_i,
  input  logic        hit_x2_i,
  input  logic        hit_w2_i,
  input  logic        zero_i,    // vs1 is 0 in place of a register
  input  logic        w_only_i,  // vs1 is what W has in place of a register
  input  logic        alt_i,     // vs2 is constant_i in place of a register
  input  logic [15:0] constant_i,

  input  vx_t         vx_i,
  input  logic [15:0] scalar_i,
  input  logic        select_i,  // this lane's bit of the mask of vsel
  input  logic        serve_i,   // 0 keeps this lane from storing
  output logic [15:0] x_a_o,
  output logic [15:0] x_b_o,
  output logic [15:0] x_addr_o,
  output logic        x_takes_o, // it takes part in an access to lane-local memory
  output logic        x_lt_o,
  output logic        x_eq_o,

  input  vw_t         vw_i,
  input  logic [15:0] vmem_i,
  output logic        w_enable_o,
  output logic [15:0] w_result_o,
  output logic [15:0] s0_o,
  output logic [15:0] s1_o
);

  logic [15:0] rf_a;
  logic [15:0] rf_b;
  logic [15:0] a_q;
  logic [15:0] b_q;
  logic [15:0] x_result;
  logic        x_enable;
  logic [15:0] w_result;
  logic [15:0] w_early_q;
  logic        w_enable_q;

  // D: registers and forwarding.
  fenn_rf_ram #(.Width(16)) i_registers (
    .clk_i, .rst_ni,
    .we_i(vw_i.we && w_enable_q), .waddr_i(vw_i.vd), .wdata_i(w_result),
    .raddr_a_i(d_vs1_i), .rdata_a_o(rf_a), .raddr_b_i(d_vs2_i), .rdata_b_o(rf_b)
  );

  operand_e from_a;
  operand_e from_b;
  always_comb begin
    if (zero_i)                          from_a = OP_ALT;
    else if (w_only_i)                   from_a = OP_W;
    else if (hit_x1_i && x_enable)       from_a = OP_X;
    else if (hit_w1_i && w_enable_q)     from_a = OP_W;
    else                                 from_a = OP_RF;
    if (alt_i)                           from_b = OP_ALT;
    else if (hit_x2_i && x_enable)       from_b = OP_X;
    else if (hit_w2_i && w_enable_q)     from_b = OP_W;
    else                                 from_b = OP_RF;
  end

  always_ff @(posedge clk_i) begin
    if (d_go_i) begin
      unique case (from_a)
        OP_RF: a_q <= rf_a;
        OP_X:  a_q <= x_result;
        OP_W:  a_q <= w_result;
        OP_ALT: a_q <= '0;
      endcase
      unique case (from_b)
        OP_RF: b_q <= rf_b;
        OP_X:  b_q <= x_result;
        OP_W:  b_q <= w_result;
        OP_ALT: b_q <= constant_i;
      endcase
    end
  end

  // X: one adder for sums, differences, comparisons, moves and lane-local addresses.
  logic [15:0] left;
  logic [15:0] right;
  logic [17:0] wide;     // one bit more below, which carries the borrow in
  logic [16:0] sum;
  logic        overflow;
  logic [15:0] added;
  assign left     = a_q & vx_i.mask;
  assign right    = vx_i.scalar ? scalar_i : b_q ^ {16{vx_i.sub}};
  assign wide     = {left[15], left, 1'b1} + {right[15], right, vx_i.sub};
  assign sum      = wide[17:1];
  assign overflow = sum[16] != sum[15];
  assign added    = vx_i.sat && overflow ? {sum[16], {15{!sum[16]}}} : sum[15:0];
  assign x_lt_o   = sum[16];
  assign x_eq_o   = sum[15:0] == '0;

  // A left shift is a right shift of the reversed lane.
  function automatic logic [15:0] reverse(input logic [15:0] word);
    for (int unsigned i = 0; i < 16; i++) reverse[i] = word[15 - i];
  endfunction
  logic [3:0]  amount;
  logic        fill;
  logic [15:0] unshifted;
  logic [15:0] nearly;
  logic [15:0] right_shifted;
  logic [15:0] shifted;
  assign amount    = vx_i.amount ? b_q[3:0] : vx_i.shift;
  assign fill      = !vx_i.left && a_q[15];
  assign unshifted = vx_i.left ? reverse(a_q) : a_q;
  // Two steps with four ways each.
  always_comb begin
    unique case (amount[1:0])
      2'd0: nearly = unshifted;
      2'd1: nearly = {fill, unshifted[15:1]};
      2'd2: nearly = {{2{fill}}, unshifted[15:2]};
      2'd3: nearly = {{3{fill}}, unshifted[15:3]};
    endcase
    unique case (amount[3:2])
      2'd0: right_shifted = nearly;
      2'd1: right_shifted = {{4{fill}}, nearly[15:4]};
      2'd2: right_shifted = {{8{fill}}, nearly[15:8]};
      2'd3: right_shifted = {{12{fill}}, nearly[15:12]};
    endcase
  end
  assign shifted = vx_i.left ? reverse(right_shifted) : right_shifted;

  // Xoroshiro32++.
  logic [15:0] s0_q;
  logic [15:0] s1_q;
  logic [15:0] total;
  logic [15:0] random;
  logic [15:0] mixed;
  assign total  = s0_q + s1_q;
  assign random = {total[6:0], total[15:7]} + s0_q;
  assign mixed  = s1_q ^ s0_q;
  always_ff @(posedge clk_i) begin
    if (vx_i.draw) begin
      s0_q <= {s0_q[2:0], s0_q[15:3]} ^ mixed ^ {mixed[10:0], 5'b0};
      s1_q <= {mixed[5:0], mixed[15:6]};
    end
    if (vw_i.rng0) s0_q <= vmem_i;
    if (vw_i.rng1) s1_q <= vmem_i;
    if (!rst_ni) begin
      s0_q <= '0;
      s1_q <= '0;
    end
  end
  assign s0_o = vw_i.rng0 ? vmem_i : s0_q;
  assign s1_o = vw_i.rng1 ? vmem_i : s1_q;

  always_comb begin
    unique case (vx_i.result)
      VR_ADD:   x_result = added;
      VR_AND:   x_result = a_q & b_q;
      VR_SHIFT: x_result = shifted;
      VR_RNG:   x_result = {1'b0, random[15:1]};
    endcase
  end
  assign x_enable = !vx_i.sel || select_i;

  logic [15:0] multiplied;
  fenn_vmul i_vmul (
    .clk_i, .a_i(a_q), .b_i(b_q), .addend_i((random[14:0] & vx_i.mask[14:0]) | vx_i.nearest),
    .valid_i(vw_i.mul), .shift_i(vw_i.shift), .check_i(vw_i.check), .result_o(multiplied)
  );

  localparam int unsigned LlmBits = $clog2(LlmHalfwords);
  logic [15:0] llm;
  logic        takes;
  assign takes = !a_q[15] && serve_i;
  fenn_llm_ram #(.Halfwords(LlmHalfwords)) i_llm (
    .clk_i, .re_i(vx_i.l_load), .we_i(vx_i.l_store && takes),
    .addr_i(sum[1 +: LlmBits]), .wdata_i(b_q), .rdata_o(llm)
  );

  assign x_a_o     = a_q;
  assign x_b_o     = b_q;
  assign x_addr_o  = sum[15:0];
  assign x_takes_o = takes;

  logic unused;
  assign unused = wide[0];

  // W. Every source is 0 where it is not the instruction's, so that nothing has to be selected.
  always_ff @(posedge clk_i) begin
    w_early_q  <= vx_i.early ? x_result : '0;
    w_enable_q <= vx_i.l_load ? takes : x_enable;
  end
  assign w_result = w_early_q | multiplied | vmem_i | llm;
  assign w_result_o = w_result;
  assign w_enable_o = w_enable_q;

endmodule
