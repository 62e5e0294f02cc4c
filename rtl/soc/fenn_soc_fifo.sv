// A queue of a few entries between two sides that may both wait.
//
// Contract: what is taken with valid_i and ready_o is offered by valid_o, in order, from the next cycle on, and kept until
// ready_i. One entry a cycle on either side. No output depends on an input of the same cycle.
//
// Latency: one cycle. Not here: memory blocks; the entries are registers.
module fenn_soc_fifo #(
  parameter int unsigned Width = 8,
  parameter int unsigned Depth = 2   // a power of two, at least 2
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic             valid_i,
  output logic             ready_o,
  input  logic [Width-1:0] data_i,
  output logic             valid_o,
  input  logic             ready_i,
  output logic [Width-1:0] data_o
);

  localparam int unsigned Bits = $clog2(Depth);

  logic [Width-1:0] entries_q [Depth];
  logic [Bits:0]    in_q;
  logic [Bits:0]    out_q;
  assign ready_o = in_q != {~out_q[Bits], out_q[Bits-1:0]};
  assign valid_o = in_q != out_q;
  assign data_o  = entries_q[out_q[Bits-1:0]];

  always_ff @(posedge clk_i) begin
    if (valid_i && ready_o) begin
      entries_q[in_q[Bits-1:0]] <= data_i;
      in_q <= in_q + 1'b1;
    end
    if (valid_o && ready_i) out_q <= out_q + 1'b1;
    if (!rst_ni) begin
      in_q  <= '0;
      out_q <= '0;
    end
  end

endmodule
