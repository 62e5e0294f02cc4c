// The AXI rules that the DMA engine has to keep, and what it may assume of itself.
module fenn_dma_sva #(
  parameter int unsigned AxiWidth = 128,
  parameter int unsigned AxiBurst = 256
) (
  input logic                clk_i,
  input logic                rst_ni,
  input logic                axi_arvalid_o,
  input logic                axi_arready_i,
  input logic [31:0]         axi_araddr_o,
  input logic [7:0]          axi_arlen_o,
  input logic                axi_awvalid_o,
  input logic                axi_awready_i,
  input logic [31:0]         axi_awaddr_o,
  input logic [7:0]          axi_awlen_o,
  input logic                axi_wvalid_o,
  input logic                axi_wready_i,
  input logic [AxiWidth-1:0] axi_wdata_o,
  input logic                axi_wlast_o,
  input logic                axi_rvalid_i,
  input logic                axi_rready_o,
  input logic                axi_bvalid_i,
  input logic                write_grant,
  input logic                read_grant,
  input logic [7:0]          mm2s_status_o,
  input logic [7:0]          s2mm_status_o
);

  localparam int unsigned BeatBytes = AxiWidth / 8;

  // Values of the cycle before, and whether there was one.
  logic                past_q;
  logic                ar_waits_q;
  logic [39:0]         ar_q;
  logic                aw_waits_q;
  logic [39:0]         aw_q;
  logic                w_waits_q;
  logic [AxiWidth:0]   w_q;
  logic [31:0]         bursts_q;  // write bursts whose address or data are ahead of their answer
  always_ff @(posedge clk_i) begin
    past_q     <= rst_ni;
    ar_waits_q <= axi_arvalid_o && !axi_arready_i;
    ar_q       <= {axi_araddr_o, axi_arlen_o};
    aw_waits_q <= axi_awvalid_o && !axi_awready_i;
    aw_q       <= {axi_awaddr_o, axi_awlen_o};
    w_waits_q  <= axi_wvalid_o && !axi_wready_i;
    w_q        <= {axi_wdata_o, axi_wlast_o};
    bursts_q   <= bursts_q + 32'(axi_awvalid_o && axi_awready_i) - 32'(axi_bvalid_i);
    if (!rst_ni) bursts_q <= '0;
  end

  function automatic logic within_page(input logic [31:0] address, input logic [7:0] len);
    return 32'(address[11:0]) + (32'(len) + 32'd1) * BeatBytes <= 32'd4096;
  endfunction

  always_ff @(posedge clk_i) begin
    if (rst_ni && past_q) begin
      ar_is_stable:     assert (!ar_waits_q || (axi_arvalid_o && {axi_araddr_o, axi_arlen_o} == ar_q));
      aw_is_stable:     assert (!aw_waits_q || (axi_awvalid_o && {axi_awaddr_o, axi_awlen_o} == aw_q));
      w_is_stable:      assert (!w_waits_q || (axi_wvalid_o && {axi_wdata_o, axi_wlast_o} == w_q));
    end
    if (rst_ni) begin
      ar_within_page:   assert (!axi_arvalid_o || within_page(axi_araddr_o, axi_arlen_o));
      aw_within_page:   assert (!axi_awvalid_o || within_page(axi_awaddr_o, axi_awlen_o));
      ar_not_too_long:  assert (!axi_arvalid_o || 32'(axi_arlen_o) < AxiBurst);
      aw_not_too_long:  assert (!axi_awvalid_o || 32'(axi_awlen_o) < AxiBurst);
      w_after_aw:       assert (!axi_wvalid_o || bursts_q != '0);
      one_of_both:      assert (!(write_grant && read_grant));
      mm2s_state:       assert ($onehot(mm2s_status_o[3:1]));
      s2mm_state:       assert ($onehot(s2mm_status_o[3:1]));
      mm2s_ok_is_clean: assert (!mm2s_status_o[7] || mm2s_status_o[6:2] == '0);
      s2mm_ok_is_clean: assert (!s2mm_status_o[7] || s2mm_status_o[6:2] == '0);
      // Assumptions about the slave.
      r_was_asked_for:  assert (!axi_rvalid_i || axi_rready_o || !mm2s_status_o[1]);
      b_was_asked_for:  assert (!axi_bvalid_i || bursts_q != '0);
    end
  end

endmodule

bind fenn_dma fenn_dma_sva #(.AxiWidth(AxiWidth), .AxiBurst(AxiBurst)) i_sva (.*);
