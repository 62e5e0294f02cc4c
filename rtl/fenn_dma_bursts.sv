// Cuts a transfer into bursts and offers their addresses.
//
// Contract: start_i takes address and length in beats; from the next cycle but one on, bursts are offered, as long as beats
// are left, the next as soon as one is accepted. A burst has at most AxiBurst beats and does not cross 4 KiB. An offer is
// kept until it is accepted.
module fenn_dma_bursts #(
  parameter int unsigned BeatShift = 4,
  parameter int unsigned CountBits = 16,
  parameter int unsigned AxiBurst  = 256
) (
  input  logic                 clk_i,
  input  logic                 rst_ni,
  input  logic                 start_i,
  input  logic [31:0]          addr_i,
  input  logic [CountBits-1:0] beats_i,
  output logic                 valid_o,
  input  logic                 ready_i,
  output logic [31:0]          addr_o,
  output logic [7:0]           len_o
);

  logic [31:0]          addr_q;   // of the next burst
  logic [CountBits-1:0] left_q;   // from there on
  logic                 valid_q;
  logic [31:0]          offer_q;
  logic [7:0]           len_q;

  // Beats to the end of the 4 KiB; the most of a burst from here on; those of the next one.
  localparam int unsigned PageBits = 12 - BeatShift;
  logic [PageBits:0]    page;
  logic [15:0]          most;
  logic [15:0]          beats;
  assign page = (PageBits + 1)'(1 << PageBits) - {1'b0, addr_q[11:BeatShift]};
  always_comb begin
    // No condition reads what it decides: Verilator counts executions by asking it again behind the assignment.
    most  = 16'(AxiBurst);
    if (16'(page) < 16'(AxiBurst)) most = 16'(page);
    beats = most;
    if (32'(left_q) < 32'(most)) beats = 16'(left_q);
  end

  logic take;
  assign take    = left_q != '0 && (!valid_q || ready_i);
  assign valid_o = valid_q;
  assign addr_o  = offer_q;
  assign len_o   = len_q;
  always_ff @(posedge clk_i) begin
    if (ready_i) valid_q <= 1'b0;
    if (take) begin
      valid_q <= 1'b1;
      offer_q <= addr_q;
      len_q   <= 8'(beats - 16'd1);
      addr_q  <= addr_q + (32'(beats) << BeatShift);
      left_q  <= left_q - CountBits'(beats);
    end
    if (start_i) begin
      addr_q <= addr_i;
      left_q <= beats_i;
    end
    if (!rst_ni) begin
      valid_q <= 1'b0;
      left_q  <= '0;
    end
  end

endmodule
