// A register file: 32 words, one written and two read a cycle.
//
// Contract: reads are asynchronous and see what was written in earlier cycles. Inferred as distributed RAM. It begins with
// zeros, and in simulation a reset clears it; on a device it keeps its contents.
//
// Not here: that register 0 of the scalar file reads 0: nobody writes it.
module fenn_rf_ram #(
  parameter int unsigned Width = 32
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic             we_i,
  input  logic [4:0]       waddr_i,
  input  logic [Width-1:0] wdata_i,
  input  logic [4:0]       raddr_a_i,
  output logic [Width-1:0] rdata_a_o,
  input  logic [4:0]       raddr_b_i,
  output logic [Width-1:0] rdata_b_o
);

  (* ram_style = "distributed" *) logic [Width-1:0] words_q [32];
  initial for (int i = 0; i < 32; i++) words_q[i] = '0;

  assign rdata_a_o = words_q[raddr_a_i];
  assign rdata_b_o = words_q[raddr_b_i];

`ifdef SYNTHESIS
  always_ff @(posedge clk_i) if (we_i) words_q[waddr_i] <= wdata_i;
  logic unused;
  assign unused = rst_ni;
`else
  always_ff @(posedge clk_i) begin
    if (!rst_ni) for (int i = 0; i < 32; i++) words_q[i] <= '0;
    else if (we_i) words_q[waddr_i] <= wdata_i;
  end
`endif

endmodule
