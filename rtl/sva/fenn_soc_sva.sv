// The parameters that a card can have.
module fenn_soc_sva
  import fenn_soc_pkg::*;
#(
  parameter int unsigned     Cores        = 1,
  parameter int unsigned     Lanes        = 32,
  parameter int unsigned     ImemBytes    = 16384,
  parameter int unsigned     SmemBytes    = 131072,
  parameter int unsigned     VmemBytes    = 524288,
  parameter int unsigned     LlmHalfwords = 1024,
  parameter int unsigned     DataWidth    = 128,
  parameter longint unsigned DramBytes    = 64'd1 << 32
);

  initial begin
    cores:    assert (Cores >= 1 && Cores <= SOC_MOST_CORES);
    windows:  assert (ImemBytes <= SOC_CORE_STRIDE && SmemBytes <= SOC_CORE_STRIDE && VmemBytes <= SOC_CORE_STRIDE
                      && 2 * Lanes * LlmHalfwords <= SOC_CORE_STRIDE);
    width:    assert (DataWidth == 64 || DataWidth == 128 || DataWidth == 256 || DataWidth == 512);
    dram:     assert (DramBytes != '0 && DramBytes % 64 == '0);
  end

endmodule

bind fenn_soc fenn_soc_sva #(
  .Cores(Cores), .Lanes(Lanes), .ImemBytes(ImemBytes), .SmemBytes(SmemBytes), .VmemBytes(VmemBytes),
  .LlmHalfwords(LlmHalfwords), .DataWidth(DataWidth), .DramBytes(DramBytes)
) i_sva ();

// The rules of AXI on every port: the card's three, and each core's on both sides of its region.
bind fenn_soc fenn_axil_sva #(.AddrWidth(13)) i_axil_sva (
  .clk_i, .rst_ni,
  .awvalid_i(axil_awvalid_i), .awready_i(axil_awready_o), .awaddr_i(axil_awaddr_i),
  .wvalid_i(axil_wvalid_i), .wready_i(axil_wready_o), .wdata_i(axil_wdata_i), .wstrb_i(axil_wstrb_i),
  .bvalid_i(axil_bvalid_o), .bready_i(axil_bready_i), .bresp_i(axil_bresp_o),
  .arvalid_i(axil_arvalid_i), .arready_i(axil_arready_o), .araddr_i(axil_araddr_i),
  .rvalid_i(axil_rvalid_o), .rready_i(axil_rready_i), .rdata_i(axil_rdata_o), .rresp_i(axil_rresp_o)
);
bind fenn_soc fenn_axi_sva #(.DataWidth(DataWidth), .IdWidth(IdWidth)) i_host_sva (
  .clk_i, .rst_ni,
  .arvalid_i(host_arvalid_i), .arready_i(host_arready_o), .arid_i(host_arid_i), .araddr_i(host_araddr_i),
  .arlen_i(host_arlen_i), .arsize_i(host_arsize_i), .arburst_i(host_arburst_i),
  .rvalid_i(host_rvalid_o), .rready_i(host_rready_i), .rid_i(host_rid_o), .rdata_i(host_rdata_o),
  .rresp_i(host_rresp_o), .rlast_i(host_rlast_o),
  .awvalid_i(host_awvalid_i), .awready_i(host_awready_o), .awid_i(host_awid_i), .awaddr_i(host_awaddr_i),
  .awlen_i(host_awlen_i), .awsize_i(host_awsize_i), .awburst_i(host_awburst_i),
  .wvalid_i(host_wvalid_i), .wready_i(host_wready_o), .wdata_i(host_wdata_i), .wstrb_i(host_wstrb_i),
  .wlast_i(host_wlast_i),
  .bvalid_i(host_bvalid_o), .bready_i(host_bready_i), .bid_i(host_bid_o), .bresp_i(host_bresp_o)
);
bind fenn_soc fenn_axi_sva #(.DataWidth(DataWidth), .IdWidth(1), .DataAfterAddress(1'b1)) i_dram_sva (
  .clk_i, .rst_ni,
  .arvalid_i(dram_arvalid_o), .arready_i(dram_arready_i), .arid_i(1'b0), .araddr_i(dram_araddr_o),
  .arlen_i(dram_arlen_o), .arsize_i(dram_arsize_o), .arburst_i(dram_arburst_o),
  .rvalid_i(dram_rvalid_i), .rready_i(dram_rready_o), .rid_i(1'b0), .rdata_i(dram_rdata_i), .rresp_i(dram_rresp_i),
  .rlast_i(dram_rlast_i),
  .awvalid_i(dram_awvalid_o), .awready_i(dram_awready_i), .awid_i(1'b0), .awaddr_i(dram_awaddr_o),
  .awlen_i(dram_awlen_o), .awsize_i(dram_awsize_o), .awburst_i(dram_awburst_o),
  .wvalid_i(dram_wvalid_o), .wready_i(dram_wready_i), .wdata_i(dram_wdata_o), .wstrb_i(dram_wstrb_o),
  .wlast_i(dram_wlast_o),
  .bvalid_i(dram_bvalid_i), .bready_i(dram_bready_o), .bid_i(1'b0), .bresp_i(dram_bresp_i)
);
bind fenn_soc_region fenn_axi_sva #(.DataWidth(DataWidth), .IdWidth(1), .DataAfterAddress(1'b0)) i_dram_sva (
  .clk_i, .rst_ni,
  .arvalid_i(m_arvalid_o), .arready_i(m_arready_i), .arid_i(1'b0), .araddr_i(m_araddr_o), .arlen_i(m_arlen_o),
  .arsize_i(3'($clog2(DataWidth / 8))), .arburst_i(2'b01),
  .rvalid_i(m_rvalid_i), .rready_i(m_rready_o), .rid_i(1'b0), .rdata_i(m_rdata_i), .rresp_i(m_rresp_i),
  .rlast_i(m_rlast_i),
  .awvalid_i(m_awvalid_o), .awready_i(m_awready_i), .awid_i(1'b0), .awaddr_i(m_awaddr_o), .awlen_i(m_awlen_o),
  .awsize_i(3'($clog2(DataWidth / 8))), .awburst_i(2'b01),
  .wvalid_i(m_wvalid_o), .wready_i(m_wready_i), .wdata_i(m_wdata_o), .wstrb_i(m_wstrb_o), .wlast_i(m_wlast_o),
  .bvalid_i(m_bvalid_i), .bready_i(m_bready_o), .bid_i(1'b0), .bresp_i(m_bresp_i)
);
bind fenn_top fenn_axi_sva #(.DataWidth(AxiWidth), .AddrWidth(32), .IdWidth(1), .DataAfterAddress(1'b1)) i_axi_sva (
  .clk_i, .rst_ni,
  .arvalid_i(axi_arvalid_o), .arready_i(axi_arready_i), .arid_i(1'b0), .araddr_i(axi_araddr_o), .arlen_i(axi_arlen_o),
  .arsize_i(axi_arsize_o), .arburst_i(axi_arburst_o),
  .rvalid_i(axi_rvalid_i), .rready_i(axi_rready_o), .rid_i(1'b0), .rdata_i(axi_rdata_i), .rresp_i(axi_rresp_i),
  .rlast_i(axi_rlast_i),
  .awvalid_i(axi_awvalid_o), .awready_i(axi_awready_i), .awid_i(1'b0), .awaddr_i(axi_awaddr_o), .awlen_i(axi_awlen_o),
  .awsize_i(axi_awsize_o), .awburst_i(axi_awburst_o),
  .wvalid_i(axi_wvalid_o), .wready_i(axi_wready_i), .wdata_i(axi_wdata_o), .wstrb_i(axi_wstrb_o),
  .wlast_i(axi_wlast_o),
  .bvalid_i(axi_bvalid_i), .bready_i(axi_bready_o), .bid_i(1'b0), .bresp_i(axi_bresp_i)
);
