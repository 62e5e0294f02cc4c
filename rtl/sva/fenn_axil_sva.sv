// What AXI4-Lite asks of both sides of a port, seen from the wires.
//
// Contract: what is offered is kept until it is taken; there is no answer without what it answers; nothing is valid in
// reset; handshakes are known.
module fenn_axil_sva #(
  parameter int unsigned AddrWidth = 13
) (
  input logic                 clk_i,
  input logic                 rst_ni,
  input logic                 awvalid_i,
  input logic                 awready_i,
  input logic [AddrWidth-1:0] awaddr_i,
  input logic                 wvalid_i,
  input logic                 wready_i,
  input logic [31:0]          wdata_i,
  input logic [3:0]           wstrb_i,
  input logic                 bvalid_i,
  input logic                 bready_i,
  input logic [1:0]           bresp_i,
  input logic                 arvalid_i,
  input logic                 arready_i,
  input logic [AddrWidth-1:0] araddr_i,
  input logic                 rvalid_i,
  input logic                 rready_i,
  input logic [31:0]          rdata_i,
  input logic [1:0]           rresp_i
);

  logic                 reset_q;
  logic                 aw_waits_q;
  logic                 w_waits_q;
  logic                 b_waits_q;
  logic                 ar_waits_q;
  logic                 r_waits_q;
  logic [AddrWidth-1:0] aw_q;
  logic [35:0]          w_q;
  logic [1:0]           b_q;
  logic [AddrWidth-1:0] ar_q;
  logic [33:0]          r_q;
  logic [31:0]          aws_q;    // taken since the reset
  logic [31:0]          ws_q;
  logic [31:0]          bs_q;
  logic [31:0]          ars_q;
  logic [31:0]          rs_q;
  always_ff @(posedge clk_i) begin
    reset_q    <= !rst_ni;
    aw_waits_q <= rst_ni && awvalid_i && !awready_i;
    w_waits_q  <= rst_ni && wvalid_i && !wready_i;
    b_waits_q  <= rst_ni && bvalid_i && !bready_i;
    ar_waits_q <= rst_ni && arvalid_i && !arready_i;
    r_waits_q  <= rst_ni && rvalid_i && !rready_i;
    aw_q       <= awaddr_i;
    w_q        <= {wdata_i, wstrb_i};
    b_q        <= bresp_i;
    ar_q       <= araddr_i;
    r_q        <= {rdata_i, rresp_i};
    aws_q      <= aws_q + 32'(awvalid_i && awready_i);
    ws_q       <= ws_q + 32'(wvalid_i && wready_i);
    bs_q       <= bs_q + 32'(bvalid_i && bready_i);
    ars_q      <= ars_q + 32'(arvalid_i && arready_i);
    rs_q       <= rs_q + 32'(rvalid_i && rready_i);
    if (!rst_ni) {aws_q, ws_q, bs_q, ars_q, rs_q} <= '0;
  end

  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      known:           assert (!$isunknown({awvalid_i, awready_i, wvalid_i, wready_i, bvalid_i, bready_i, arvalid_i, arready_i,
                                            rvalid_i, rready_i}));
      aw_is_kept:      assert (!aw_waits_q || (awvalid_i && awaddr_i == aw_q));
      w_is_kept:       assert (!w_waits_q || (wvalid_i && {wdata_i, wstrb_i} == w_q));
      b_is_kept:       assert (!b_waits_q || (bvalid_i && bresp_i == b_q));
      ar_is_kept:      assert (!ar_waits_q || (arvalid_i && araddr_i == ar_q));
      r_is_kept:       assert (!r_waits_q || (rvalid_i && {rdata_i, rresp_i} == r_q));
      b_answers:       assert (!bvalid_i || (bs_q != aws_q && bs_q != ws_q));
      r_answers:       assert (!rvalid_i || rs_q != ars_q);
    end
    if (!rst_ni && reset_q) begin
      quiet_in_reset:  assert (!awvalid_i && !wvalid_i && !bvalid_i && !arvalid_i && !rvalid_i);
    end
  end

endmodule
