// What AXI4 asks of both sides of a port, seen from the wires.
//
// Contract: bound to any port whose slave answers in the order of the addresses, reads and writes apart; a port without
// identifiers has them tied to 0. Checked are: what is offered is kept until it is taken; bursts have a known kind, beats
// no wider than the port, and do not cross 4 KiB; WLAST and RLAST are at the last beat and nowhere else; there is no R
// without an address and no B before the last beat of its burst has been taken; answers carry their identifiers; nothing is
// valid in reset; handshakes are known. DataAfterAddress says that no data are offered before their address has been taken,
// which AXI4 does not ask for.
module fenn_axi_sva #(
  parameter int unsigned DataWidth        = 128,
  parameter int unsigned AddrWidth        = 64,
  parameter int unsigned IdWidth          = 4,
  parameter int unsigned Owed             = 64,     // a power of two; more bursts of a direction are never under way
  parameter bit          DataAfterAddress = 1'b0
) (
  input logic                   clk_i,
  input logic                   rst_ni,
  input logic                   arvalid_i,
  input logic                   arready_i,
  input logic [IdWidth-1:0]     arid_i,
  input logic [AddrWidth-1:0]   araddr_i,
  input logic [7:0]             arlen_i,
  input logic [2:0]             arsize_i,
  input logic [1:0]             arburst_i,
  input logic                   rvalid_i,
  input logic                   rready_i,
  input logic [IdWidth-1:0]     rid_i,
  input logic [DataWidth-1:0]   rdata_i,
  input logic [1:0]             rresp_i,
  input logic                   rlast_i,
  input logic                   awvalid_i,
  input logic                   awready_i,
  input logic [IdWidth-1:0]     awid_i,
  input logic [AddrWidth-1:0]   awaddr_i,
  input logic [7:0]             awlen_i,
  input logic [2:0]             awsize_i,
  input logic [1:0]             awburst_i,
  input logic                   wvalid_i,
  input logic                   wready_i,
  input logic [DataWidth-1:0]   wdata_i,
  input logic [DataWidth/8-1:0] wstrb_i,
  input logic                   wlast_i,
  input logic                   bvalid_i,
  input logic                   bready_i,
  input logic [IdWidth-1:0]     bid_i,
  input logic [1:0]             bresp_i
);

  localparam int unsigned IndexBits = $clog2(Owed);
  localparam int unsigned WidestBeat = $clog2(DataWidth / 8);

  // What was offered in the cycle before and not taken.
  localparam int unsigned AddressBits = IdWidth + AddrWidth + 13;
  localparam int unsigned ReadBits    = IdWidth + DataWidth + 3;
  localparam int unsigned WriteBits   = DataWidth + DataWidth / 8 + 1;
  logic [AddressBits-1:0] ar;
  logic [AddressBits-1:0] aw;
  logic [ReadBits-1:0]    r;
  logic [WriteBits-1:0]   w;
  logic [IdWidth+1:0]     b;
  assign ar = {arid_i, araddr_i, arlen_i, arsize_i, arburst_i};
  assign aw = {awid_i, awaddr_i, awlen_i, awsize_i, awburst_i};
  assign r  = {rid_i, rdata_i, rresp_i, rlast_i};
  assign w  = {wdata_i, wstrb_i, wlast_i};
  assign b  = {bid_i, bresp_i};
  logic                   reset_q;
  logic                   ar_waits_q;
  logic                   aw_waits_q;
  logic                   r_waits_q;
  logic                   w_waits_q;
  logic                   b_waits_q;
  logic [AddressBits-1:0] ar_q;
  logic [AddressBits-1:0] aw_q;
  logic [ReadBits-1:0]    r_q;
  logic [WriteBits-1:0]   w_q;
  logic [IdWidth+1:0]     b_q;
  always_ff @(posedge clk_i) begin
    reset_q    <= !rst_ni;
    ar_waits_q <= rst_ni && arvalid_i && !arready_i;
    aw_waits_q <= rst_ni && awvalid_i && !awready_i;
    r_waits_q  <= rst_ni && rvalid_i && !rready_i;
    w_waits_q  <= rst_ni && wvalid_i && !wready_i;
    b_waits_q  <= rst_ni && bvalid_i && !bready_i;
    if (arvalid_i) ar_q <= ar;
    if (awvalid_i) aw_q <= aw;
    if (rvalid_i) r_q <= r;
    if (wvalid_i) w_q <= w;
    if (bvalid_i) b_q <= b;
  end

  // Bursts by number, from 0 after reset: those whose address has been taken, whose last beat has, which have been answered.
  logic [7:0]         ar_lens_q [Owed];
  logic [7:0]         aw_lens_q [Owed];
  logic [7:0]         w_lens_q [Owed];
  logic [IdWidth-1:0] ar_ids_q [Owed];
  logic [IdWidth-1:0] aw_ids_q [Owed];
  logic [31:0]        ars_q;
  logic [31:0]        rs_q;
  logic [7:0]         r_beats_q;
  logic [31:0]        aws_q;
  logic [31:0]        ws_q;
  logic [7:0]         w_beats_q;
  logic [31:0]        bs_q;
  logic               ar_taken;
  logic               aw_taken;
  logic               r_taken;
  logic               w_taken;
  logic               b_taken;
  assign ar_taken = arvalid_i && arready_i;
  assign aw_taken = awvalid_i && awready_i;
  assign r_taken  = rvalid_i && rready_i;
  assign w_taken  = wvalid_i && wready_i;
  assign b_taken  = bvalid_i && bready_i;
  always_ff @(posedge clk_i) begin
    if (ar_taken) begin
      ar_lens_q[ars_q[IndexBits-1:0]] <= arlen_i;
      ar_ids_q[ars_q[IndexBits-1:0]]  <= arid_i;
      ars_q <= ars_q + 32'd1;
    end
    if (r_taken) begin
      r_beats_q <= rlast_i ? '0 : r_beats_q + 8'd1;
      if (rlast_i) rs_q <= rs_q + 32'd1;
    end
    if (aw_taken) begin
      aw_lens_q[aws_q[IndexBits-1:0]] <= awlen_i;
      aw_ids_q[aws_q[IndexBits-1:0]]  <= awid_i;
      aws_q <= aws_q + 32'd1;
    end
    if (w_taken) begin
      w_beats_q <= wlast_i ? '0 : w_beats_q + 8'd1;
      if (wlast_i) begin
        w_lens_q[ws_q[IndexBits-1:0]] <= w_beats_q;
        ws_q <= ws_q + 32'd1;
      end
    end
    if (b_taken) bs_q <= bs_q + 32'd1;
    if (!rst_ni) begin
      {ars_q, rs_q, r_beats_q} <= '0;
      {aws_q, ws_q, w_beats_q, bs_q} <= '0;
    end
  end
  logic [7:0] ar_len;    // of the burst that R answers
  logic [7:0] aw_len;    // of the burst that W is in, where its address is known
  logic       aw_known;
  assign ar_len   = ar_lens_q[rs_q[IndexBits-1:0]];
  assign aw_known = aws_q - ws_q - 32'd1 < 32'(Owed);    // it is behind the addresses, not ahead of them
  assign aw_len   = aw_lens_q[ws_q[IndexBits-1:0]];

  function automatic logic good(input logic [AddrWidth-1:0] address, input logic [7:0] len, input logic [2:0] size,
                                input logic [1:0] burst);
    logic [15:0] offset;
    offset = {4'b0, address[11:0]} & ~((16'd1 << size) - 16'd1);
    return 32'(size) <= WidestBeat && burst != 2'b11
        && (burst != 2'b01 || offset + ((16'(len) + 16'd1) << size) <= 16'd4096);
  endfunction

  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      known:           assert (!$isunknown({arvalid_i, arready_i, awvalid_i, awready_i, wvalid_i, wready_i, rvalid_i, rready_i,
                                            bvalid_i, bready_i}));
      ar_is_known:     assert (!arvalid_i || !$isunknown(ar));
      aw_is_known:     assert (!awvalid_i || !$isunknown(aw));
      ar_is_kept:      assert (!ar_waits_q || (arvalid_i && ar == ar_q));
      aw_is_kept:      assert (!aw_waits_q || (awvalid_i && aw == aw_q));
      r_is_kept:       assert (!r_waits_q || (rvalid_i && r == r_q));
      w_is_kept:       assert (!w_waits_q || (wvalid_i && w == w_q));
      b_is_kept:       assert (!b_waits_q || (bvalid_i && b == b_q));
      ar_is_a_burst:   assert (!arvalid_i || good(araddr_i, arlen_i, arsize_i, arburst_i));
      aw_is_a_burst:   assert (!awvalid_i || good(awaddr_i, awlen_i, awsize_i, awburst_i));
      r_was_asked_for: assert (!rvalid_i || rs_q != ars_q);
      r_last:          assert (!rvalid_i || rlast_i == (r_beats_q == ar_len));
      r_id:            assert (!rvalid_i || rid_i == ar_ids_q[rs_q[IndexBits-1:0]]);
      w_last:          assert (!(wvalid_i && aw_known) || wlast_i == (w_beats_q == aw_len));
      w_last_at_aw:    assert (!(aw_taken && wvalid_i && aws_q == ws_q) || wlast_i == (w_beats_q == awlen_i)
                               || (!wlast_i && w_beats_q < awlen_i));
      w_was_as_long:   assert (!(aw_taken && ws_q - aws_q - 32'd1 < 32'(Owed))
                               || w_lens_q[aws_q[IndexBits-1:0]] == awlen_i);
      w_after_address: assert (!DataAfterAddress || !wvalid_i || aw_known);
      b_after_data:    assert (!bvalid_i || (bs_q != ws_q && bs_q != aws_q));
      b_id:            assert (!bvalid_i || bid_i == aw_ids_q[bs_q[IndexBits-1:0]]);
      not_too_many:    assert (ars_q - rs_q < 32'(Owed) && aws_q - bs_q < 32'(Owed));
    end
    if (!rst_ni && reset_q) begin
      quiet_in_reset:  assert (!arvalid_i && !awvalid_i && !wvalid_i && !rvalid_i && !bvalid_i);
    end
  end

endmodule
