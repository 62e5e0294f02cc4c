// The host's reads: the AR and R channels.
//
// Contract: one burst at a time, in the order of the addresses. Words of a core's memory are asked for one by one (ask_)
// and put where they belong in a beat; a beat narrower than a word brings the whole word, the bytes that were not asked for
// read 0 or what is there. A refused word makes its beat a slave error and reads 0. What leads nowhere is answered by
// decode errors, a burst of another kind than incrementing by slave errors. A burst into DRAM goes on as it is, with its
// answers.
//
// error_o is in the cycle of the error, {busy, decode}; error_addr_o the address of the burst.
//
// Latency: from address to first beat 3 cycles, and those of each word in it, or of DRAM; between bursts one cycle.
module fenn_soc_host_read #(
  parameter int unsigned     Cores     = 1,
  parameter int unsigned     ImemBytes = 16384,
  parameter int unsigned     SmemBytes = 131072,
  parameter int unsigned     VmemBytes = 524288,
  parameter int unsigned     LaneBytes = 65536,
  parameter longint unsigned DramBytes = 64'd1 << 32,
  parameter int unsigned     DataWidth = 128,
  parameter int unsigned     IdWidth   = 4
) (
  input  logic                 clk_i,
  input  logic                 rst_ni,

  input  logic                 arvalid_i,
  output logic                 arready_o,
  input  logic [IdWidth-1:0]   arid_i,
  input  logic [63:0]          araddr_i,
  input  logic [7:0]           arlen_i,
  input  logic [2:0]           arsize_i,
  input  logic [1:0]           arburst_i,
  output logic                 rvalid_o,
  input  logic                 rready_i,
  output logic [IdWidth-1:0]   rid_o,
  output logic [DataWidth-1:0] rdata_o,
  output logic [1:0]           rresp_o,
  output logic                 rlast_o,

  output logic                 ask_o,
  input  logic                 ask_ready_i,
  input  logic                 ask_refused_i,
  output logic [3:0]           ask_core_o,
  output logic [1:0]           ask_space_o,
  output logic [31:0]          ask_addr_o,
  input  logic                 word_valid_i,
  input  logic [5:0]           word_addr_i,
  input  logic [31:0]          word_data_i,

  output logic                 m_arvalid_o,
  input  logic                 m_arready_i,
  output logic [63:0]          m_araddr_o,
  output logic [7:0]           m_arlen_o,
  output logic [2:0]           m_arsize_o,
  input  logic                 m_rvalid_i,
  output logic                 m_rready_o,
  input  logic [DataWidth-1:0] m_rdata_i,
  input  logic [1:0]           m_rresp_i,

  output logic [1:0]           error_o,
  output logic [63:0]          error_addr_o
);

  localparam logic [1:0]  OKAY      = 2'b00;
  localparam logic [1:0]  SLVERR    = 2'b10;
  localparam logic [1:0]  DECERR    = 2'b11;
  localparam int unsigned Words     = DataWidth / 32;
  localparam int unsigned LaneBits  = $clog2(Words);

  typedef enum logic [2:0] {
    IDLE,
    WHERE,      // the address is here: where does it lead?
    ASK,        // for the words of a beat
    BEAT,       // until they are here, and the beat is given
    DRAM_ADDR,
    DRAM_DATA,
    ERROR
  } state_e;
  state_e             state_q;
  logic [IdWidth-1:0] id_q;
  logic [63:0]        address_q;
  logic [7:0]         len_q;
  logic [7:0]         left_q;     // beats behind this one
  logic [2:0]         size_q;
  logic [1:0]         burst_q;

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

  // The word that is asked for next; the last one of a beat is where the beat's bytes end.
  logic [31:2]          word_q;
  logic                 word_last;
  logic [2:0]           waits_q;    // words that have been asked for and have not come
  logic [DataWidth-1:0] beat_q;
  logic [1:0]           response_q;
  logic [31:2]          mask;
  assign mask      = 30'((32'd1 << size_q) - 32'd1) >> 2;
  assign word_last = (word_q & mask) == mask;
  // The word of the next beat, where beats are narrower than words: counted in bytes from the first one's.
  logic [31:0] bytes_q;
  logic [31:2] narrow;
  logic [31:0] bytes;
  assign bytes  = (bytes_q & ~((32'd1 << size_q) - 32'd1)) + (32'd1 << size_q);
  assign narrow = bytes[31:2];

  logic asked;
  assign asked       = state_q == ASK && ask_ready_i;
  assign ask_o       = state_q == ASK && waits_q != '1;
  assign ask_core_o  = core;
  assign ask_space_o = space;
  assign ask_addr_o  = {word_q, 2'b0};

  // Answers leave through a queue, so that a beat can be gathered while the host takes the one before.
  logic                 give;
  logic                 given;
  logic                 room;
  logic [DataWidth-1:0] data;
  logic [1:0]           response;
  fenn_soc_fifo #(.Width(IdWidth + DataWidth + 3)) i_r (
    .clk_i, .rst_ni, .valid_i(give), .ready_o(room), .data_i({id_q, data, response, left_q == '0}),
    .valid_o(rvalid_o), .ready_i(rready_i), .data_o({rid_o, rdata_o, rresp_o, rlast_o})
  );
  assign given = give && room;
  always_comb begin
    give     = 1'b0;
    data     = beat_q;
    response = response_q;
    unique case (state_q)
      BEAT:      give = waits_q == '0;
      DRAM_DATA: begin
        give     = m_rvalid_i;
        data     = m_rdata_i;
        response = m_rresp_i;
      end
      ERROR:     give = 1'b1;
      default: ;
    endcase
  end

  assign arready_o    = state_q == IDLE;
  assign m_arvalid_o  = state_q == DRAM_ADDR;
  assign m_araddr_o   = offset;
  assign m_arlen_o    = len_q;
  assign m_arsize_o   = size_q;
  assign m_rready_o   = state_q == DRAM_DATA && room;
  assign error_o      = {asked && ask_refused_i, state_q == WHERE && !words && !dram && !other};
  assign error_addr_o = address_q;

  always_ff @(posedge clk_i) begin
    waits_q <= waits_q + 3'(asked && !ask_refused_i) - 3'(word_valid_i);
    for (int unsigned i = 0; i < Words; i++) begin
      if (word_valid_i && word_addr_i[2 +: LaneBits] == LaneBits'(i)) beat_q[32*i +: 32] <= word_data_i;
    end
    unique case (state_q)
      IDLE: begin
        id_q      <= arid_i;
        address_q <= araddr_i;
        len_q     <= arlen_i;
        size_q    <= arsize_i;
        burst_q   <= arburst_i;
        if (arvalid_i) state_q <= WHERE;
      end
      WHERE: begin
        beat_q     <= '0;
        left_q     <= len_q;
        word_q     <= offset[31:2];
        response_q <= OKAY;
        if (words) state_q <= ASK;
        else if (dram) state_q <= DRAM_ADDR;
        else begin
          state_q    <= ERROR;
          response_q <= other ? SLVERR : DECERR;
        end
      end
      ASK: if (asked) begin
        word_q <= word_q + 30'd1;
        if (ask_refused_i) response_q <= SLVERR;
        if (word_last || size_q <= 3'd2) state_q <= BEAT;
        // A beat narrower than a word: the next one may be of the same word.
        if (size_q < 3'd2) word_q <= word_q;
      end
      BEAT: if (given) begin
        beat_q     <= '0;
        response_q <= OKAY;
        left_q     <= left_q - 8'd1;
        state_q    <= left_q == '0 ? IDLE : ASK;
        if (size_q < 3'd2) word_q <= narrow;
      end
      DRAM_ADDR: if (m_arready_i) state_q <= DRAM_DATA;
      default: if (given) begin
        left_q <= left_q - 8'd1;
        if (left_q == '0) state_q <= IDLE;
      end
    endcase
    if (!rst_ni) begin
      state_q <= IDLE;
      waits_q <= '0;
    end
  end

  always_ff @(posedge clk_i) begin
    if (state_q == WHERE) bytes_q <= offset[31:0];
    if (state_q == BEAT && given) bytes_q <= bytes;
  end

  logic unused;
  assign unused = ^{offset[1:0], bytes[1:0], word_addr_i};

endmodule
