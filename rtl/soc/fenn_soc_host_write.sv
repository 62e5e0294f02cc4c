// The host's writes: the AW, W and B channels.
//
// Contract: one burst at a time, answered in the order of the addresses, when everything has been written. A beat into a
// core's memory is taken apart into words: those with all four strobes are written, those with none left out, and any other
// is not written and makes the answer a slave error; so does a refused word. What leads nowhere is taken and answered by a
// decode error, a burst of another kind than incrementing by a slave error. A burst into DRAM goes on as it is, once its
// first beat is here, so that a slow host keeps nobody waiting before it has begun.
//
// error_o is in the cycle of the error, {busy, decode}; error_addr_o the address of the burst.
//
// Latency: a beat is looked at 2 cycles behind its address and a cycle behind itself, a word of it every cycle; the answer
// comes 2 cycles behind the last.
module fenn_soc_host_write #(
  parameter int unsigned     Cores     = 1,
  parameter int unsigned     ImemBytes = 16384,
  parameter int unsigned     SmemBytes = 131072,
  parameter int unsigned     VmemBytes = 524288,
  parameter int unsigned     LaneBytes = 65536,
  parameter longint unsigned DramBytes = 64'd1 << 32,
  parameter int unsigned     DataWidth = 128,
  parameter int unsigned     IdWidth   = 4
) (
  input  logic                   clk_i,
  input  logic                   rst_ni,

  input  logic                   awvalid_i,
  output logic                   awready_o,
  input  logic [IdWidth-1:0]     awid_i,
  input  logic [63:0]            awaddr_i,
  input  logic [7:0]             awlen_i,
  input  logic [2:0]             awsize_i,
  input  logic [1:0]             awburst_i,
  input  logic                   wvalid_i,
  output logic                   wready_o,
  input  logic [DataWidth-1:0]   wdata_i,
  input  logic [DataWidth/8-1:0] wstrb_i,
  output logic                   bvalid_o,
  input  logic                   bready_i,
  output logic [IdWidth-1:0]     bid_o,
  output logic [1:0]             bresp_o,

  output logic                   ask_o,
  input  logic                   ask_ready_i,
  input  logic                   ask_refused_i,
  output logic [3:0]             ask_core_o,
  output logic [1:0]             ask_space_o,
  output logic [31:0]            ask_addr_o,
  output logic [31:0]            ask_data_o,
  input  logic                   ask_busy_i,

  output logic                   m_awvalid_o,
  input  logic                   m_awready_i,
  output logic [63:0]            m_awaddr_o,
  output logic [7:0]             m_awlen_o,
  output logic [2:0]             m_awsize_o,
  output logic                   m_wvalid_o,
  input  logic                   m_wready_i,
  output logic [DataWidth-1:0]   m_wdata_o,
  output logic [DataWidth/8-1:0] m_wstrb_o,
  output logic                   m_wlast_o,
  input  logic                   m_bvalid_i,
  output logic                   m_bready_o,
  input  logic [1:0]             m_bresp_i,

  output logic [1:0]             error_o,
  output logic [63:0]            error_addr_o
);

  localparam logic [1:0]  OKAY     = 2'b00;
  localparam logic [1:0]  SLVERR   = 2'b10;
  localparam logic [1:0]  DECERR   = 2'b11;
  localparam int unsigned LaneBits = $clog2(DataWidth / 32);

  typedef enum logic [2:0] {
    IDLE,
    WHERE,      // the address is here: where does it lead?
    WORDS,
    DRAM_ADDR,
    DRAM_DATA,
    DRAM_ANSWER,
    ERROR,      // beats go nowhere
    ANSWER      // once the last word has been written
  } state_e;
  state_e             state_q;
  logic [IdWidth-1:0] id_q;
  logic [63:0]        address_q;
  logic [7:0]         len_q;
  logic [7:0]         left_q;     // beats behind this one
  logic [2:0]         size_q;
  logic [1:0]         burst_q;
  logic [1:0]         response_q;
  logic               answers_q;

  logic        words;
  logic        dram;
  logic        other;
  logic [3:0]  core;
  logic [1:0]  space;
  logic [63:0] offset;
  fenn_soc_window #(
    .Cores(Cores), .ImemBytes(ImemBytes), .SmemBytes(SmemBytes), .VmemBytes(VmemBytes), .LaneBytes(LaneBytes),
    .DramBytes(DramBytes)
  ) i_window (
    .address_i(address_q), .len_i(len_q), .size_i(size_q), .burst_i(burst_q),
    .words_o(words), .dram_o(dram), .other_o(other), .core_o(core), .space_o(space), .offset_o(offset)
  );

  // The beat that is being written.
  logic                   valid;
  logic                   next;       // it has been
  logic [DataWidth-1:0]   data;
  logic [DataWidth/8-1:0] strobes;
  fenn_soc_fifo #(.Width(DataWidth + DataWidth / 8)) i_w (
    .clk_i, .rst_ni, .valid_i(wvalid_i), .ready_o(wready_o), .data_i({wdata_i, wstrb_i}),
    .valid_o(valid), .ready_i(next), .data_o({data, strobes})
  );

  // The place in a core's memory, and the word there. A beat's last word is where its bytes end.
  logic [31:0]         at_q;
  logic [31:0]         mask;
  logic [31:0]         beyond;    // the beat
  logic [31:0]         behind;    // the word
  logic                word_last;
  logic [LaneBits-1:0] lane;
  logic [3:0]          word_strobes;
  logic                writes;
  logic                word_done;
  assign mask         = (32'd1 << size_q) - 32'd1;
  assign beyond       = (at_q | mask) + 32'd1;
  assign behind       = (at_q | 32'd3) + 32'd1;
  assign word_last    = beyond <= behind;
  assign lane         = at_q[2 +: LaneBits];
  assign word_strobes = strobes[4*lane +: 4];
  assign writes       = state_q == WORDS && valid && (&word_strobes);
  assign word_done    = state_q == WORDS && valid && (!writes || ask_ready_i);
  assign ask_o        = writes;
  assign ask_core_o   = core;
  assign ask_space_o  = space;
  assign ask_addr_o   = {at_q[31:2], 2'b0};
  assign ask_data_o   = data[32*lane +: 32];

  assign m_awvalid_o  = state_q == DRAM_ADDR;
  assign m_awaddr_o   = offset;
  assign m_awlen_o    = len_q;
  assign m_awsize_o   = size_q;
  assign m_wvalid_o   = state_q == DRAM_DATA && valid;
  assign m_wdata_o    = data;
  assign m_wstrb_o    = strobes;
  assign m_wlast_o    = left_q == '0;
  assign m_bready_o   = state_q == DRAM_ANSWER;
  always_comb begin
    unique case (state_q)
      WORDS:     next = word_done && word_last;
      DRAM_DATA: next = m_wready_i;
      ERROR:     next = 1'b1;
      default:   next = 1'b0;
    endcase
  end

  assign awready_o    = state_q == IDLE;
  assign bvalid_o     = answers_q;
  assign bid_o        = id_q;
  assign bresp_o      = response_q;
  assign error_o      = {writes && ask_ready_i && ask_refused_i, state_q == WHERE && !words && !dram && !other};
  assign error_addr_o = address_q;

  logic beat;
  assign beat = valid && next;
  always_ff @(posedge clk_i) begin
    if (beat) left_q <= left_q - 8'd1;
    unique case (state_q)
      IDLE: begin
        id_q      <= awid_i;
        address_q <= awaddr_i;
        len_q     <= awlen_i;
        size_q    <= awsize_i;
        burst_q   <= awburst_i;
        if (awvalid_i) state_q <= WHERE;
      end
      WHERE: begin
        left_q     <= len_q;
        at_q       <= offset[31:0];
        response_q <= OKAY;
        if (words) state_q <= WORDS;
        else if (dram) begin
          if (valid) state_q <= DRAM_ADDR;
        end else begin
          state_q    <= ERROR;
          response_q <= other ? SLVERR : DECERR;
        end
      end
      WORDS: if (word_done) begin
        at_q <= word_last ? beyond : behind;
        if (writes ? ask_refused_i : word_strobes != '0) response_q <= SLVERR;
        if (beat && left_q == '0) state_q <= ANSWER;
      end
      DRAM_ADDR:   if (m_awready_i) state_q <= DRAM_DATA;
      DRAM_DATA:   if (beat && left_q == '0) state_q <= DRAM_ANSWER;
      DRAM_ANSWER: if (m_bvalid_i) begin
        response_q <= m_bresp_i;
        state_q    <= ANSWER;
      end
      ERROR:       if (beat && left_q == '0) state_q <= ANSWER;
      ANSWER: begin
        if (!ask_busy_i) answers_q <= 1'b1;
        if (answers_q && bready_i) begin
          answers_q <= 1'b0;
          state_q   <= IDLE;
        end
      end
    endcase
    if (!rst_ni) begin
      state_q   <= IDLE;
      answers_q <= 1'b0;
    end
  end

  logic unused;
  assign unused = ^offset[63:32];

endmodule
