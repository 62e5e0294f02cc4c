// The DMA engine: two channels between DRAM and vector memory.
//
// Contract: mm2s_start_i and s2mm_start_i start a transfer with the registers' values of that cycle, S. What cannot be done
// is refused at once, as is what would leave the dram_bytes_i bytes of DRAM; a start of a busy channel is dropped and
// noted. AR and AW are valid from S + 2, W from S + 3 at the earliest. The status is TRANSFERRING from the second cycle
// after the first data beat was accepted, and IDLE from the third after the last beat of R, or the second after the last B;
// a row is in vector memory two cycles after its last beat. Read and write bursts are independent, do not cross 4 KiB, and
// are asked for as fast as they are accepted. A beat of W is offered once the address of its burst has been accepted.
// Errors of the slave end in the status, not in the transfer.
//
// Vector memory is used for a cycle for each row and channel. Where a row has two beats or more, that both want it never
// delays a transfer; where it has one, what comes from DRAM goes first, every cycle if it comes so fast.
//
// Not here: the registers (fenn_csr).
module fenn_dma
  import fenn_isa_pkg::*;
#(
  parameter int unsigned RowBytes  = 64,
  parameter int unsigned VmemBytes = 524288,
  parameter int unsigned AxiWidth  = 128,
  parameter int unsigned AxiBurst  = 256
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,
  input  logic [31:0]           dram_bytes_i,

  input  logic [2:0][31:0]      mm2s_i,        // source, destination, count
  input  logic                  mm2s_start_i,
  output logic [7:0]            mm2s_status_o,
  input  logic [2:0][31:0]      s2mm_i,
  input  logic                  s2mm_start_i,
  output logic [7:0]            s2mm_status_o,

  output logic                                 vmem_en_o,
  output logic                                 vmem_we_o,
  output logic [$clog2(VmemBytes/RowBytes)-1:0] vmem_row_o,
  output logic [8*RowBytes-1:0]                vmem_wdata_o,
  output logic [((8*RowBytes > AxiWidth) ? $clog2(8*RowBytes/AxiWidth) : 1)-1:0] vmem_part_o,
  input  logic [AxiWidth-1:0]                  vmem_rdata_i,    // a part of the row that was read

  output logic                  axi_arvalid_o,
  input  logic                  axi_arready_i,
  output logic [31:0]           axi_araddr_o,
  output logic [7:0]            axi_arlen_o,
  input  logic                  axi_rvalid_i,
  output logic                  axi_rready_o,
  input  logic [AxiWidth-1:0]   axi_rdata_i,
  input  logic [1:0]            axi_rresp_i,
  output logic                  axi_awvalid_o,
  input  logic                  axi_awready_i,
  output logic [31:0]           axi_awaddr_o,
  output logic [7:0]            axi_awlen_o,
  output logic                  axi_wvalid_o,
  input  logic                  axi_wready_i,
  output logic [AxiWidth-1:0]   axi_wdata_o,
  output logic                  axi_wlast_o,
  input  logic                  axi_bvalid_i,
  output logic                  axi_bready_o,
  input  logic [1:0]            axi_bresp_i
);

  localparam int unsigned BeatBytes = AxiWidth / 8;
  localparam int unsigned BeatShift = $clog2(BeatBytes);
  localparam int unsigned RowShift  = $clog2(RowBytes);
  localparam int unsigned Beats     = RowBytes / BeatBytes;   // of a row
  localparam int unsigned RowBits   = $clog2(VmemBytes / RowBytes);
  localparam int unsigned CountBits = 20 - BeatShift;         // a transfer has fewer than 2^20 bytes

  // ------------------------------------------------------------------------------------------------------------- checks
  function automatic logic internal_error(input logic [2:0][31:0] r);
    return ((r[0] | r[1] | r[2]) & 32'(RowBytes - 1)) != '0 || r[2] == '0 || r[2] > DMA_MAX_BYTES;
  endfunction

  function automatic logic outside(input logic [31:0] address, input logic [31:0] bytes, input logic [31:0] size);
    return {1'b0, address} + {1'b0, bytes} > {1'b0, size};
  endfunction

  logic mm2s_internal;
  logic mm2s_decode;
  logic s2mm_internal;
  logic s2mm_decode;
  assign mm2s_internal = internal_error(mm2s_i);
  assign mm2s_decode   = outside(mm2s_i[0], mm2s_i[2], dram_bytes_i) || outside(mm2s_i[1], mm2s_i[2], VmemBytes);
  assign s2mm_internal = internal_error(s2mm_i);
  assign s2mm_decode   = outside(s2mm_i[0], s2mm_i[2], VmemBytes) || outside(s2mm_i[1], s2mm_i[2], dram_bytes_i);

  logic mm2s_go;
  logic mm2s_first;
  logic mm2s_done;
  logic mm2s_busy;
  logic [1:0] mm2s_error;
  fenn_dma_status i_mm2s_status (
    .clk_i, .rst_ni, .start_i(mm2s_start_i), .internal_i(mm2s_internal), .decode_i(mm2s_decode), .go_o(mm2s_go),
    .first_i(mm2s_first), .done_i(mm2s_done), .error_i(mm2s_error), .busy_o(mm2s_busy), .status_o(mm2s_status_o)
  );

  logic s2mm_go;
  logic s2mm_first;
  logic s2mm_done;
  logic s2mm_busy;
  logic [1:0] s2mm_error;
  fenn_dma_status i_s2mm_status (
    .clk_i, .rst_ni, .start_i(s2mm_start_i), .internal_i(s2mm_internal), .decode_i(s2mm_decode), .go_o(s2mm_go),
    .first_i(s2mm_first), .done_i(s2mm_done), .error_i(s2mm_error), .busy_o(s2mm_busy), .status_o(s2mm_status_o)
  );

  // ------------------------------------------------------------------------------------------------------ port of memory
  // Both channels ask. A read comes first, for its row is due in the next cycle, while a row that is to be written can wait for
  // one, if it has more than one beat; the cycle behind a read is the write's.
  logic               write_request;
  logic               read_request;
  logic               write_grant;
  logic               read_grant;
  logic               was_read_q;
  logic [RowBits-1:0] write_row_q;
  logic [RowBits-1:0] read_row_q;
  assign read_grant  = read_request && !(write_request && (was_read_q || Beats == 1));
  assign write_grant = write_request && !read_grant;
  assign vmem_en_o   = write_grant || read_grant;
  assign vmem_we_o   = write_grant;
  assign vmem_row_o  = write_grant ? write_row_q : read_row_q;
  always_ff @(posedge clk_i) begin
    was_read_q <= read_grant;
    if (write_grant) write_row_q <= write_row_q + RowBits'(1);
    if (read_grant) read_row_q <= read_row_q + RowBits'(1);
    if (mm2s_go) write_row_q <= mm2s_i[1][RowShift +: RowBits];
    if (s2mm_go) read_row_q <= s2mm_i[0][RowShift +: RowBits];
    if (!rst_ni) was_read_q <= 1'b0;
  end

  // ---------------------------------------------------------------------------------------------------------------- MM2S
  fenn_dma_bursts #(.BeatShift(BeatShift), .CountBits(CountBits), .AxiBurst(AxiBurst)) i_ar (
    .clk_i, .rst_ni, .start_i(mm2s_go), .addr_i(mm2s_i[0]), .beats_i(mm2s_i[2][BeatShift +: CountBits]),
    .valid_o(axi_arvalid_o), .ready_i(axi_arready_i), .addr_o(axi_araddr_o), .len_o(axi_arlen_o)
  );

  // Beats go to their places in a row; a whole row is written in the next cycle, or the one after, by when the first beat of
  // the next row may have come: the whole row's own first beat is kept apart. The status goes by the beats.
  logic                 r_accept;
  logic                 r_first;     // the next beat is the first of a row
  logic                 r_row;       // it completes one
  logic                 row_full_q;
  logic [CountBits-1:0] r_left_q;    // beats that have not been accepted
  logic                 r_started_q;
  logic                 r_first_q;
  logic                 r_last_q;
  logic                 r_done_q;
  logic                 r_slave_q;
  logic                 r_decode_q;
  assign axi_rready_o  = mm2s_busy && (!row_full_q || r_first || was_read_q);
  assign r_accept      = axi_rvalid_i && axi_rready_o;
  assign write_request = row_full_q;
  assign mm2s_first    = r_first_q;
  assign mm2s_done     = r_done_q;
  assign mm2s_error    = {r_slave_q, r_decode_q};
  always_ff @(posedge clk_i) begin
    if (write_grant) row_full_q <= 1'b0;
    r_first_q <= r_accept && !r_started_q;
    r_last_q  <= r_accept && r_left_q == CountBits'(1);
    r_done_q  <= r_last_q;
    if (r_accept) begin
      if (r_row) row_full_q <= 1'b1;
      r_left_q    <= r_left_q - CountBits'(1);
      r_started_q <= 1'b1;
      r_slave_q   <= r_slave_q || axi_rresp_i == 2'b10;
      r_decode_q  <= r_decode_q || axi_rresp_i == 2'b11;
    end
    if (mm2s_go) begin
      r_left_q    <= mm2s_i[2][BeatShift +: CountBits];
      r_started_q <= 1'b0;
      r_slave_q   <= 1'b0;
      r_decode_q  <= 1'b0;
    end
    if (!rst_ni) begin
      row_full_q <= 1'b0;
      r_first_q  <= 1'b0;
      r_last_q   <= 1'b0;
      r_done_q   <= 1'b0;
    end
  end

  // ---------------------------------------------------------------------------------------------------------------- S2MM
  logic aw_accept;
  fenn_dma_bursts #(.BeatShift(BeatShift), .CountBits(CountBits), .AxiBurst(AxiBurst)) i_aw (
    .clk_i, .rst_ni, .start_i(s2mm_go), .addr_i(s2mm_i[1]), .beats_i(s2mm_i[2][BeatShift +: CountBits]),
    .valid_o(axi_awvalid_o), .ready_i(axi_awready_i), .addr_o(axi_awaddr_o), .len_o(axi_awlen_o)
  );
  assign aw_accept = axi_awvalid_o && axi_awready_i;

  // The memory's output is the row that is being sent; the next one is read while its last beat is accepted.
  logic                  row_q;        // there is one
  logic [CountBits-1:0]  fetch_q;      // beats of rows that have not been read
  logic [CountBits-1:0]  w_left_q;     // beats that have not been accepted
  logic [CountBits-1:0]  w_allowed_q;  // beats whose burst has been accepted, but not they
  logic                  w_row_last;
  logic                  w_accept;
  logic                  w_started_q;
  logic [CountBits-1:0]  b_left_q;     // bursts without an answer
  logic                  s2mm_done_q;
  logic                  s2mm_first_q;
  logic                  b_slave_q;
  logic                  b_decode_q;
  logic [11:BeatShift]   w_addr_q;     // within 4 KiB
  logic [7:0]            w_beat_q;     // within a burst
  assign axi_wvalid_o = row_q && w_allowed_q != '0;
  assign axi_wdata_o  = vmem_rdata_i;
  assign axi_wlast_o  = w_left_q == CountBits'(1) || w_beat_q == 8'(AxiBurst - 1) || (&w_addr_q);
  assign axi_bready_o = 1'b1;
  assign w_accept     = axi_wvalid_o && axi_wready_i;
  assign read_request = fetch_q != '0 && (!row_q || (w_accept && w_row_last));
  assign s2mm_first   = s2mm_first_q;
  assign s2mm_done    = s2mm_done_q;
  assign s2mm_error   = {b_slave_q, b_decode_q};

  logic [CountBits-1:0] awlen;
  assign awlen = CountBits'(axi_awlen_o) + CountBits'(1);
  always_ff @(posedge clk_i) begin
    if (w_accept) begin
      row_q         <= !w_row_last;
      w_left_q      <= w_left_q - CountBits'(1);
      w_addr_q      <= w_addr_q + 1'b1;
      w_beat_q      <= axi_wlast_o ? '0 : w_beat_q + 8'd1;
      w_started_q   <= 1'b1;
    end
    if (read_grant) begin
      row_q   <= 1'b1;
      fetch_q <= fetch_q - CountBits'(Beats);
    end
    s2mm_first_q <= w_accept && !w_started_q;
    w_allowed_q  <= w_allowed_q + (aw_accept ? awlen : '0) - CountBits'(w_accept);
    b_left_q     <= b_left_q + CountBits'(aw_accept) - CountBits'(axi_bvalid_i);
    s2mm_done_q  <= axi_bvalid_i && b_left_q == CountBits'(1) && w_left_q == '0;
    if (axi_bvalid_i) begin
      b_slave_q  <= b_slave_q || axi_bresp_i == 2'b10;
      b_decode_q <= b_decode_q || axi_bresp_i == 2'b11;
    end
    if (s2mm_go) begin
      fetch_q     <= s2mm_i[2][BeatShift +: CountBits];
      w_left_q    <= s2mm_i[2][BeatShift +: CountBits];
      w_addr_q    <= s2mm_i[1][11:BeatShift];
      w_beat_q    <= '0;
      w_started_q <= 1'b0;
      b_slave_q   <= 1'b0;
      b_decode_q  <= 1'b0;
    end
    if (!rst_ni) begin
      row_q         <= 1'b0;
      fetch_q       <= '0;
      w_allowed_q   <= '0;
      b_left_q      <= '0;
      s2mm_done_q   <= 1'b0;
      s2mm_first_q  <= 1'b0;
    end
  end

  // Which beat of a row comes next, and which one W offers.
  if (Beats > 1) begin : gen_beats
    localparam int unsigned IndexBits = $clog2(Beats);
    logic [IndexBits-1:0]           r_index_q;
    logic [IndexBits-1:0]           w_index_q;
    logic [Beats-1:0][AxiWidth-1:0] beats_q;
    logic [AxiWidth-1:0]            first_q;   // of the whole row
    always_ff @(posedge clk_i) begin
      if (r_accept) begin
        r_index_q <= r_index_q + 1'b1;
        if (r_row) first_q <= beats_q[0];
      end
      for (int unsigned i = 0; i < Beats; i++) begin
        if (r_accept && r_index_q == IndexBits'(i)) beats_q[i] <= axi_rdata_i;
      end
      if (w_accept) w_index_q <= w_index_q + 1'b1;
      if (!rst_ni || mm2s_go) r_index_q <= '0;
      if (!rst_ni || s2mm_go) w_index_q <= '0;
    end
    assign r_first      = r_index_q == '0;
    assign r_row        = &r_index_q;
    assign w_row_last   = &w_index_q;
    assign vmem_wdata_o = {beats_q[Beats-1:1], first_q};
    assign vmem_part_o  = w_index_q;
  end else begin : gen_beat
    logic [AxiWidth-1:0] beat_q;
    always_ff @(posedge clk_i) if (r_accept) beat_q <= axi_rdata_i;
    assign r_first      = 1'b1;
    assign r_row        = 1'b1;
    assign w_row_last   = 1'b1;
    assign vmem_wdata_o = beat_q;
    assign vmem_part_o  = '0;
  end

  logic unused;
  assign unused = s2mm_busy;

endmodule
