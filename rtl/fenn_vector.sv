// The vector unit: lanes in step, behind the scalar core's decoder.
//
// Contract: d_ctl_i and d_word_i are the instruction in D, which enters X if d_send_i; hazard_o says that it has to wait for a
// vector register or for the generators' states. In X, scalar operands come from the core, and mask_o and lane_o are the
// results for a scalar register; x_commit_i says that the instruction leaves X and is executed. Vector memory answers in W.
// Latency: results are forwarded from X or, where late, from W: readers in D wait one cycle for the latter. An instruction
// that keeps lanes of its destination does not read it.
//
// Not here: scalar registers, and the addresses of vector memory, which the core forms.
module fenn_vector
  import fenn_pkg::*;
#(
  parameter int unsigned Lanes        = 32,
  parameter int unsigned LlmHalfwords = 1024
) (
  input  logic                clk_i,
  input  logic                rst_ni,

  input  logic                d_send_i,      // it enters X
  input  logic                d_go_i,        // and is not dropped there, which is known late
  input  ctl_t                d_ctl_i,
  input  logic [31:0]         d_word_i,
  output logic                hazard_o,

  // Accesses of the host: vs1 is 0 or what is in W, vs2 the host's word in every pair of lanes, of which one is served.
  input  logic                host_i,
  input  logic                host_w_i,
  input  logic [31:0]         host_data_i,
  input  logic [Lanes-1:0]    host_lanes_i,
  input  logic                host_index_valid_i,
  input  logic [4:0]          host_index_i,

  input  logic                x_commit_i,
  input  logic [31:0]         x_a_i,
  input  logic [15:0]         x_b_i,
  output logic [31:0]         x_mask_o,
  output logic [31:0]         x_lane_o,
  output logic [16*Lanes-1:0] x_b_o,
  output logic                x_live_o,      // accesses memory in X for the host
  output logic [Lanes-1:0]    x_lanes_o,     // which lanes a store to vector memory writes
  output logic [16*Lanes-1:0] x_rows_o,
  output logic [Lanes-1:0]    x_takes_o,

  input  logic [16*Lanes-1:0] vmem_i,
  output logic                w_we_o,
  output logic [4:0]          w_vd_o,
  output logic [Lanes-1:0]    w_lanes_o,
  output logic [16*Lanes-1:0] w_result_o,
  output logic [16*Lanes-1:0] s0_o,
  output logic [16*Lanes-1:0] s1_o
);

  // D.
  logic [4:0]  vs1;
  logic [4:0]  vs2;
  logic [3:0]  shift;
  logic [15:0] low;       // as many ones as the shift says
  assign vs1   = d_word_i[19:15];
  assign vs2   = d_word_i[24:20];
  assign shift = d_ctl_i.v_imm ? d_word_i[23:20] : d_word_i[28:25];
  assign low   = ~(16'hffff << shift);

  vx_t  vx_d;
  vx_t  vx_q;
  logic x_we_q;
  logic x_late_q;
  logic [4:0] x_vd_q;
  vwsrc_e x_wsrc_q;
  logic x_rng0_q;
  logic x_rng1_q;
  logic x_fill_q;
  logic x_less_q;    // the mask is of a < b, not of a == b
  logic x_invert_q;  // the mask is of the opposite
  logic x_host_q;
  logic [Lanes-1:0] x_lanes_q;
  logic [4:0] x_index_q;
  vw_t  vw_q;

  always_comb begin
    vx_d.sub      = d_ctl_i.v_sub;
    vx_d.sat      = d_ctl_i.v_sat;
    vx_d.scalar   = d_ctl_i.v_scalar;
    unique case (d_ctl_i.v_mask)
      VM_ZERO: vx_d.mask = '0;
      VM_LOW:  vx_d.mask = low;
      default: vx_d.mask = '1;
    endcase
    vx_d.nearest  = d_ctl_i.v_nearest ? low[14:0] & ~{1'b0, low[14:1]} : '0;
    vx_d.result   = d_ctl_i.v_result;
    vx_d.early    = d_ctl_i.v_wsrc == VW_X;
    vx_d.left     = d_ctl_i.v_left;
    vx_d.amount   = d_ctl_i.v_amount;
    vx_d.shift    = shift;
    vx_d.sel      = d_ctl_i.v_sel;
    vx_d.draw     = d_ctl_i.draws && d_go_i;
    vx_d.l_load   = d_ctl_i.l_load && d_go_i;
    vx_d.l_store  = d_ctl_i.l_store && d_go_i;
    vx_d.saturate = d_ctl_i.v_sat;
  end

  // What X will write, and whether a reader has to wait for it.
  logic hit_x1;
  logic hit_x2;
  logic hit_w1;
  logic hit_w2;
  assign hit_x1 = x_we_q && x_vd_q == vs1;
  assign hit_x2 = x_we_q && x_vd_q == vs2;
  assign hit_w1 = vw_q.we && vw_q.vd == vs1;
  assign hit_w2 = vw_q.we && vw_q.vd == vs2;
  assign hazard_o = (x_late_q && ((hit_x1 && d_ctl_i.vs1) || (hit_x2 && d_ctl_i.vs2)))
                 || ((x_rng0_q || x_rng1_q) && d_ctl_i.draws);

  // Accesses of vectors never stay in X, so that everything that does something there is 0 unless D has just sent it.
  always_ff @(posedge clk_i) begin
    vx_q       <= vx_d;
    x_vd_q     <= d_word_i[11:7];
    x_late_q   <= d_ctl_i.late;
    x_wsrc_q   <= d_ctl_i.v_wsrc;
    x_fill_q   <= d_ctl_i.v_fill;
    x_less_q   <= d_word_i[14];
    x_invert_q <= d_word_i[13];
    x_lanes_q  <= host_i ? host_lanes_i : '1;
    x_index_q  <= host_index_valid_i ? host_index_i : d_word_i[24:20];
    x_we_q     <= d_go_i && d_ctl_i.v_we && !host_i;
    x_rng0_q   <= d_go_i && d_ctl_i.rng0;
    x_rng1_q   <= d_go_i && d_ctl_i.rng1;
    x_host_q   <= d_go_i && host_i;
    if (!rst_ni) begin
      x_we_q       <= 1'b0;
      x_rng0_q     <= 1'b0;
      x_rng1_q     <= 1'b0;
      x_host_q     <= 1'b0;
      vx_q.draw    <= 1'b0;
      vx_q.l_load  <= 1'b0;
      vx_q.l_store <= 1'b0;
    end
  end
  assign x_live_o  = x_host_q;
  assign x_lanes_o = x_lanes_q;

  // X to W.
  always_ff @(posedge clk_i) begin
    vw_q.we       <= x_we_q && x_commit_i;
    vw_q.vd       <= x_vd_q;
    vw_q.mul      <= x_wsrc_q == VW_MUL;
    vw_q.shift    <= vx_q.shift;
    // Shifted by s, the sum fits 16 bits if its bits from 15 + s on are alike.
    vw_q.check    <= vx_q.saturate ? 16'hffff << vx_q.shift : '0;
    vw_q.rng0     <= x_rng0_q && x_commit_i;
    vw_q.rng1     <= x_rng1_q && x_commit_i;
    if (!rst_ni) begin
      vw_q.we   <= 1'b0;
      vw_q.rng0 <= 1'b0;
      vw_q.rng1 <= 1'b0;
    end
  end
  assign w_we_o = vw_q.we;
  assign w_vd_o = vw_q.vd;

  // The scalar operand of all lanes.
  logic [15:0] scalar;
  assign scalar = x_fill_q ? {x_a_i[31], x_a_i[14:0]} : x_b_i;

  logic [Lanes-1:0]       lt;
  logic [Lanes-1:0]       eq;
  logic [31:0][15:0]      a;
  for (genvar i = 0; i < 32; i++) begin : gen_lane
    if (i < Lanes) begin : gen_present
      fenn_lane #(.LlmHalfwords(LlmHalfwords)) i_lane (
        .clk_i, .rst_ni,
        .d_go_i(d_send_i), .d_vs1_i(vs1), .d_vs2_i(vs2),
        .hit_x1_i(hit_x1), .hit_w1_i(hit_w1), .hit_x2_i(hit_x2), .hit_w2_i(hit_w2),
        .zero_i(host_i && !host_w_i), .w_only_i(host_w_i), .alt_i(d_ctl_i.v_alt || host_i),
        .constant_i(host_i ? host_data_i[16*(i % 2) +: 16] : 16'd1),
        .vx_i(vx_q), .scalar_i(scalar), .select_i(x_a_i[i]), .serve_i(x_lanes_q[i]),
        .x_a_o(a[i]), .x_b_o(x_b_o[16*i +: 16]), .x_addr_o(x_rows_o[16*i +: 16]), .x_takes_o(x_takes_o[i]),
        .x_lt_o(lt[i]), .x_eq_o(eq[i]),
        .vw_i(vw_q), .vmem_i(vmem_i[16*i +: 16]), .w_enable_o(w_lanes_o[i]),
        .w_result_o(w_result_o[16*i +: 16]), .s0_o(s0_o[16*i +: 16]), .s1_o(s1_o[16*i +: 16])
      );
    end else begin : gen_absent
      assign a[i] = '0;
    end
  end

  // Scalar results. vteq 000, vtne 010, vtlt 100, vtge 110.
  logic [Lanes-1:0] mask;
  assign mask     = (x_less_q ? lt : eq) ^ {Lanes{x_invert_q}};
  assign x_mask_o = 32'(mask);
  assign x_lane_o = {{16{a[x_index_q][15]}}, a[x_index_q]};

endmodule
