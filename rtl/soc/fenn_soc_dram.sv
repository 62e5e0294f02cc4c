// DRAM's port, shared by the cores and the host.
//
// Contract: each of Masters AXI4 masters, with one identifier of its own kind, reaches the one AXI4 slave behind axi_.
// Bursts are asked for one after the other, in turn (fenn_soc_pick); answers go back in the order of the addresses, for
// which the slave has to keep to one identifier's order, and so does nobody else have to. A beat of W is passed on once the
// address of its burst has been accepted, so data never come before their address. Reads and writes do not wait for each
// other.
//
// Latency: an address is offered a cycle after it was accepted here; R, W and B pass in the same cycle.
//
// Not here: bounds (fenn_soc_region, fenn_soc_host), and buffers: a master that does not take its data, or does not bring
// what it has announced, keeps the others waiting. Cores always do, and so does the host's port of a master that always
// ends its bursts.
module fenn_soc_dram #(
  parameter int unsigned Masters   = 2,
  parameter int unsigned DataWidth = 128,
  parameter int unsigned Owed      = 8     // bursts of either direction that may be under way, a power of two
) (
  input  logic                              clk_i,
  input  logic                              rst_ni,

  input  logic [Masters-1:0]                m_arvalid_i,
  output logic [Masters-1:0]                m_arready_o,
  input  logic [Masters-1:0][63:0]          m_araddr_i,
  input  logic [Masters-1:0][7:0]           m_arlen_i,
  input  logic [Masters-1:0][2:0]           m_arsize_i,
  output logic [Masters-1:0]                m_rvalid_o,
  input  logic [Masters-1:0]                m_rready_i,
  output logic [DataWidth-1:0]              m_rdata_o,     // of whoever has m_rvalid_o
  output logic [1:0]                        m_rresp_o,
  output logic                              m_rlast_o,
  input  logic [Masters-1:0]                m_awvalid_i,
  output logic [Masters-1:0]                m_awready_o,
  input  logic [Masters-1:0][63:0]          m_awaddr_i,
  input  logic [Masters-1:0][7:0]           m_awlen_i,
  input  logic [Masters-1:0][2:0]           m_awsize_i,
  input  logic [Masters-1:0]                m_wvalid_i,
  output logic [Masters-1:0]                m_wready_o,
  input  logic [Masters-1:0][DataWidth-1:0] m_wdata_i,
  input  logic [Masters-1:0][DataWidth/8-1:0] m_wstrb_i,
  input  logic [Masters-1:0]                m_wlast_i,
  output logic [Masters-1:0]                m_bvalid_o,
  input  logic [Masters-1:0]                m_bready_i,
  output logic [1:0]                        m_bresp_o,

  output logic                              axi_arvalid_o,
  input  logic                              axi_arready_i,
  output logic [63:0]                       axi_araddr_o,
  output logic [7:0]                        axi_arlen_o,
  output logic [2:0]                        axi_arsize_o,
  input  logic                              axi_rvalid_i,
  output logic                              axi_rready_o,
  input  logic [DataWidth-1:0]              axi_rdata_i,
  input  logic [1:0]                        axi_rresp_i,
  input  logic                              axi_rlast_i,
  output logic                              axi_awvalid_o,
  input  logic                              axi_awready_i,
  output logic [63:0]                       axi_awaddr_o,
  output logic [7:0]                        axi_awlen_o,
  output logic [2:0]                        axi_awsize_o,
  output logic                              axi_wvalid_o,
  input  logic                              axi_wready_i,
  output logic [DataWidth-1:0]              axi_wdata_o,
  output logic [DataWidth/8-1:0]            axi_wstrb_o,
  output logic                              axi_wlast_o,
  input  logic                              axi_bvalid_i,
  output logic                              axi_bready_o,
  input  logic [1:0]                        axi_bresp_i
);

  localparam int unsigned IndexBits = Masters > 1 ? $clog2(Masters) : 1;
  typedef logic [IndexBits-1:0] index_t;

  // --------------------------------------------------------------------------------------------------------------- reads
  logic   ar_any;
  index_t ar_pick;
  index_t ar_last_q;
  logic   ar_take;
  logic   ar_valid_q;
  logic   r_room;
  logic   r_owed;
  index_t r_owner;
  logic   r_done;
  fenn_soc_pick #(.Count(Masters)) i_ar (
    .ask_i(m_arvalid_i), .last_i(ar_last_q), .any_o(ar_any), .pick_o(ar_pick)
  );
  assign ar_take = ar_any && r_room && (!ar_valid_q || axi_arready_i);
  fenn_soc_fifo #(.Width(IndexBits), .Depth(Owed)) i_r_owners (
    .clk_i, .rst_ni, .valid_i(ar_take), .ready_o(r_room), .data_i(ar_pick),
    .valid_o(r_owed), .ready_i(r_done), .data_o(r_owner)
  );
  always_comb begin
    m_arready_o          = '0;
    m_arready_o[ar_pick] = ar_take;
    m_rvalid_o           = '0;
    m_rvalid_o[r_owner]  = axi_rvalid_i && r_owed;
  end
  assign axi_arvalid_o = ar_valid_q;
  assign axi_rready_o  = r_owed && m_rready_i[r_owner];
  assign r_done        = axi_rvalid_i && axi_rready_o && axi_rlast_i;
  assign m_rdata_o     = axi_rdata_i;
  assign m_rresp_o     = axi_rresp_i;
  assign m_rlast_o     = axi_rlast_i;

  always_ff @(posedge clk_i) begin
    if (axi_arready_i) ar_valid_q <= 1'b0;
    if (ar_take) begin
      ar_valid_q   <= 1'b1;
      ar_last_q    <= ar_pick;
      axi_araddr_o <= m_araddr_i[ar_pick];
      axi_arlen_o  <= m_arlen_i[ar_pick];
      axi_arsize_o <= m_arsize_i[ar_pick];
    end
    if (!rst_ni) begin
      ar_valid_q <= 1'b0;
      ar_last_q  <= '0;
    end
  end

  // -------------------------------------------------------------------------------------------------------------- writes
  localparam int unsigned CountBits = $clog2(Owed) + 1;
  logic   aw_any;
  index_t aw_pick;
  index_t aw_last_q;
  logic   aw_take;
  logic   aw_valid_q;
  logic   w_room;
  logic   w_owed;
  index_t w_owner;
  logic   w_done;
  logic   b_room;
  logic   b_owed;
  index_t b_owner;
  logic   b_done;
  logic [CountBits-1:0] w_allowed_q;   // bursts whose address has been accepted, but not all of their data
  fenn_soc_pick #(.Count(Masters)) i_aw (
    .ask_i(m_awvalid_i), .last_i(aw_last_q), .any_o(aw_any), .pick_o(aw_pick)
  );
  assign aw_take = aw_any && w_room && b_room && (!aw_valid_q || axi_awready_i);
  fenn_soc_fifo #(.Width(IndexBits), .Depth(Owed)) i_w_owners (
    .clk_i, .rst_ni, .valid_i(aw_take), .ready_o(w_room), .data_i(aw_pick),
    .valid_o(w_owed), .ready_i(w_done), .data_o(w_owner)
  );
  fenn_soc_fifo #(.Width(IndexBits), .Depth(Owed)) i_b_owners (
    .clk_i, .rst_ni, .valid_i(aw_take), .ready_o(b_room), .data_i(aw_pick),
    .valid_o(b_owed), .ready_i(b_done), .data_o(b_owner)
  );
  logic w_open;
  assign w_open = w_owed && w_allowed_q != '0;
  always_comb begin
    m_awready_o          = '0;
    m_awready_o[aw_pick] = aw_take;
    m_wready_o           = '0;
    m_wready_o[w_owner]  = w_open && axi_wready_i;
    m_bvalid_o           = '0;
    m_bvalid_o[b_owner]  = axi_bvalid_i && b_owed;
  end
  assign axi_awvalid_o = aw_valid_q;
  assign axi_wvalid_o  = w_open && m_wvalid_i[w_owner];
  assign axi_wdata_o   = m_wdata_i[w_owner];
  assign axi_wstrb_o   = m_wstrb_i[w_owner];
  assign axi_wlast_o   = m_wlast_i[w_owner];
  assign w_done        = axi_wvalid_o && axi_wready_i && axi_wlast_o;
  assign axi_bready_o  = b_owed && m_bready_i[b_owner];
  assign b_done        = axi_bvalid_i && axi_bready_o;
  assign m_bresp_o     = axi_bresp_i;

  always_ff @(posedge clk_i) begin
    if (axi_awready_i) aw_valid_q <= 1'b0;
    w_allowed_q <= w_allowed_q + CountBits'(axi_awvalid_o && axi_awready_i) - CountBits'(w_done);
    if (aw_take) begin
      aw_valid_q   <= 1'b1;
      aw_last_q    <= aw_pick;
      axi_awaddr_o <= m_awaddr_i[aw_pick];
      axi_awlen_o  <= m_awlen_i[aw_pick];
      axi_awsize_o <= m_awsize_i[aw_pick];
    end
    if (!rst_ni) begin
      aw_valid_q  <= 1'b0;
      aw_last_q   <= '0;
      w_allowed_q <= '0;
    end
  end

endmodule
