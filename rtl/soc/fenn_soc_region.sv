// A core's region of DRAM: what its DMA engine asks for, at the region's place, and nothing beyond it.
//
// Contract: a burst that ends within room_o bytes goes on with base_i, its low 12 bits left out, added to its address. Any
// other is answered here with decode errors, beat by beat, and reaches nothing; the answers keep the order of the
// addresses. room_o is limit_i, or less where the card's DRAM ends before, as of the cycle before. The engine refuses whole
// transfers by the same number; this is the boundary that holds whatever the core does.
//
// core_rst_ni low says that the core has forgotten what it asked for. Bursts that are under way are then ended here: data
// that are still owed to DRAM are sent without strobes, answers are dropped, and the core's next address is accepted when
// all that is done.
//
// Latency: an address is offered a cycle after it was accepted, W likewise; R and B pass in the same cycle. The address of
// a write is accepted when the data of the one before have been.
//
// Not here: who else wants DRAM (fenn_soc_dram). The strobes of the core are all ones, and its beats are counted here.
module fenn_soc_region #(
  parameter int unsigned     DataWidth = 128,
  parameter longint unsigned DramBytes = 64'd1 << 32
) (
  input  logic                   clk_i,
  input  logic                   rst_ni,
  input  logic                   core_rst_ni,
  input  logic [63:0]            base_i,
  input  logic [31:0]            limit_i,
  output logic [31:0]            room_o,

  input  logic                   s_arvalid_i,
  output logic                   s_arready_o,
  input  logic [31:0]            s_araddr_i,
  input  logic [7:0]             s_arlen_i,
  output logic                   s_rvalid_o,
  input  logic                   s_rready_i,
  output logic [DataWidth-1:0]   s_rdata_o,
  output logic [1:0]             s_rresp_o,
  output logic                   s_rlast_o,
  input  logic                   s_awvalid_i,
  output logic                   s_awready_o,
  input  logic [31:0]            s_awaddr_i,
  input  logic [7:0]             s_awlen_i,
  input  logic                   s_wvalid_i,
  output logic                   s_wready_o,
  input  logic [DataWidth-1:0]   s_wdata_i,
  output logic                   s_bvalid_o,
  input  logic                   s_bready_i,
  output logic [1:0]             s_bresp_o,

  output logic                   m_arvalid_o,
  input  logic                   m_arready_i,
  output logic [63:0]            m_araddr_o,
  output logic [7:0]             m_arlen_o,
  input  logic                   m_rvalid_i,
  output logic                   m_rready_o,
  input  logic [DataWidth-1:0]   m_rdata_i,
  input  logic [1:0]             m_rresp_i,
  input  logic                   m_rlast_i,
  output logic                   m_awvalid_o,
  input  logic                   m_awready_i,
  output logic [63:0]            m_awaddr_o,
  output logic [7:0]             m_awlen_o,
  output logic                   m_wvalid_o,
  input  logic                   m_wready_i,
  output logic [DataWidth-1:0]   m_wdata_o,
  output logic [DataWidth/8-1:0] m_wstrb_o,
  output logic                   m_wlast_o,
  input  logic                   m_bvalid_i,
  output logic                   m_bready_o,
  input  logic [1:0]             m_bresp_i
);

  localparam logic [1:0]  DECERR    = 2'b11;
  localparam int unsigned BeatShift = $clog2(DataWidth / 8);
  // Bursts under way: more than fenn_soc_dram and the offers in front of it can hold.
  localparam int unsigned OwedBits  = 5;

  // How much of the region there is: 0 where it begins behind the end of DRAM.
  logic [63:0] base;
  logic [63:0] behind;
  logic [31:0] room_q;
  assign base   = {base_i[63:12], 12'b0};
  assign behind = 64'(DramBytes) - base;
  assign room_o = room_q;
  always_ff @(posedge clk_i) begin
    room_q <= limit_i;
    if (behind < 64'(limit_i)) room_q <= behind[31:0];
    if (base >= 64'(DramBytes) || !rst_ni) room_q <= '0;
  end

  function automatic logic outside(input logic [31:0] address, input logic [7:0] len, input logic [31:0] room);
    return {1'b0, address} + ((33'(len) + 33'd1) << BeatShift) > {1'b0, room};
  endfunction

  // --------------------------------------------------------------------------------------------------------------- reads
  logic                r_outside;
  logic                r_go;        // a burst to DRAM is accepted
  logic                r_refuse;    // one that leads nowhere is
  logic                r_refused_q; // its answer is under way
  logic [7:0]          r_left_q;    // beats behind the next one
  logic                r_drain_q;   // what was asked for by a core that has been reset since
  logic                r_drain;
  logic [OwedBits-1:0] r_owed_q;    // bursts to DRAM that have not been answered
  logic                r_done;
  assign r_outside   = outside(s_araddr_i, s_arlen_i, room_q);
  assign r_drain     = r_drain_q || !core_rst_ni;
  assign r_go        = s_arvalid_i && !r_outside && !r_drain && !r_refused_q && (!m_arvalid_o || m_arready_i)
                    && !(&r_owed_q);
  assign r_refuse    = s_arvalid_i && r_outside && !r_drain && !r_refused_q && r_owed_q == '0;
  assign s_arready_o = r_go || r_refuse;
  assign s_rvalid_o  = !r_drain && (r_refused_q || m_rvalid_i);
  assign s_rdata_o   = r_refused_q ? '0 : m_rdata_i;
  assign s_rresp_o   = r_refused_q ? DECERR : m_rresp_i;
  assign s_rlast_o   = r_refused_q ? r_left_q == '0 : m_rlast_i;
  assign m_rready_o  = r_drain || (s_rready_i && !r_refused_q);
  assign r_done      = m_rvalid_i && m_rready_o && m_rlast_i;
  always_ff @(posedge clk_i) begin
    r_owed_q <= r_owed_q + OwedBits'(r_go) - OwedBits'(r_done);
    if (m_arready_i) m_arvalid_o <= 1'b0;
    if (r_go) begin
      m_arvalid_o <= 1'b1;
      m_araddr_o  <= base + 64'(s_araddr_i);
      m_arlen_o   <= s_arlen_i;
    end
    if (r_refuse) begin
      r_refused_q <= 1'b1;
      r_left_q    <= s_arlen_i;
    end
    if (r_refused_q && s_rready_i) begin
      r_left_q <= r_left_q - 8'd1;
      if (r_left_q == '0) r_refused_q <= 1'b0;
    end
    if (r_owed_q == '0) r_drain_q <= 1'b0;
    if (!core_rst_ni) begin
      r_drain_q   <= 1'b1;
      r_refused_q <= 1'b0;
    end
    if (!rst_ni) begin
      m_arvalid_o <= 1'b0;
      r_refused_q <= 1'b0;
      r_drain_q   <= 1'b0;
      r_owed_q    <= '0;
    end
  end

  // -------------------------------------------------------------------------------------------------------------- writes
  typedef enum logic [1:0] {
    W_IDLE,
    W_DATA,    // beats go to DRAM
    W_SINK,    // beats go nowhere
    W_ANSWER   // and are answered
  } state_e;
  state_e              w_state_q;
  logic                w_outside;
  logic                w_go;
  logic                w_refuse;
  logic [7:0]          w_left_q;    // beats behind the next one
  logic                w_dead_q;    // the core that was to bring them has been reset
  logic                w_live;
  logic                w_push;
  logic                w_room;
  logic                w_drain_q;
  logic                w_drain;
  logic [OwedBits-1:0] b_owed_q;    // bursts to DRAM that have not been answered
  assign w_outside   = outside(s_awaddr_i, s_awlen_i, room_q);
  assign w_drain     = w_drain_q || !core_rst_ni;
  assign w_go        = s_awvalid_i && !w_outside && !w_drain && w_state_q == W_IDLE && (!m_awvalid_o || m_awready_i)
                    && !(&b_owed_q);
  assign w_refuse    = s_awvalid_i && w_outside && !w_drain && w_state_q == W_IDLE && b_owed_q == '0;
  assign s_awready_o = w_go || w_refuse;
  assign w_live      = !w_dead_q && core_rst_ni;
  assign w_push      = w_state_q == W_DATA && w_room && (!w_live || s_wvalid_i);
  assign s_wready_o  = w_live && ((w_state_q == W_DATA && w_room) || w_state_q == W_SINK);
  assign s_bvalid_o  = !w_drain && (w_state_q == W_ANSWER || m_bvalid_i);
  assign s_bresp_o   = w_state_q == W_ANSWER ? DECERR : m_bresp_i;
  assign m_bready_o  = w_drain || (s_bready_i && w_state_q != W_ANSWER);
  fenn_soc_fifo #(.Width(DataWidth + DataWidth / 8 + 1)) i_w (
    .clk_i, .rst_ni, .valid_i(w_push), .ready_o(w_room), .data_i({s_wdata_i, {(DataWidth / 8){w_live}}, w_left_q == '0}),
    .valid_o(m_wvalid_o), .ready_i(m_wready_i), .data_o({m_wdata_o, m_wstrb_o, m_wlast_o})
  );
  always_ff @(posedge clk_i) begin
    b_owed_q <= b_owed_q + OwedBits'(w_go) - OwedBits'(m_bvalid_i && m_bready_o);
    if (m_awready_i) m_awvalid_o <= 1'b0;
    unique case (w_state_q)
      W_DATA: if (w_push) begin
        w_left_q <= w_left_q - 8'd1;
        if (w_left_q == '0) w_state_q <= W_IDLE;
      end
      W_SINK: if (s_wvalid_i) begin
        w_left_q <= w_left_q - 8'd1;
        if (w_left_q == '0) w_state_q <= W_ANSWER;
      end
      W_ANSWER: if (s_bready_i) w_state_q <= W_IDLE;
      default: begin
        w_left_q <= s_awlen_i;
        w_dead_q <= 1'b0;
        if (w_go) begin
          w_state_q   <= W_DATA;
          m_awvalid_o <= 1'b1;
          m_awaddr_o  <= base + 64'(s_awaddr_i);
          m_awlen_o   <= s_awlen_i;
        end
        if (w_refuse) w_state_q <= W_SINK;
      end
    endcase
    if (b_owed_q == '0 && w_state_q == W_IDLE) w_drain_q <= 1'b0;
    if (!core_rst_ni) begin
      w_drain_q <= 1'b1;
      if (w_state_q == W_DATA) w_dead_q <= 1'b1;
      if (w_state_q == W_SINK || w_state_q == W_ANSWER) w_state_q <= W_IDLE;
    end
    if (!rst_ni) begin
      m_awvalid_o <= 1'b0;
      w_state_q   <= W_IDLE;
      w_drain_q   <= 1'b0;
      b_owed_q    <= '0;
    end
  end

  logic unused;
  assign unused = ^base_i[11:0];

endmodule
