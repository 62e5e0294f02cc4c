// The memory of one lane.
//
// Contract: one read or write a cycle, the data of a read a cycle later; the output is 0 in a cycle that follows no read.
// Inferred as block RAM, whose output is reset.
module fenn_llm_ram #(
  parameter int unsigned Halfwords = 1024
) (
  input  logic                         clk_i,
  input  logic                         re_i,
  input  logic                         we_i,
  input  logic [$clog2(Halfwords)-1:0] addr_i,
  input  logic [15:0]                  wdata_i,
  output logic [15:0]                  rdata_o
);

  (* ram_style = "block", no_rw_check *) logic [15:0] words_q [Halfwords];
`ifndef SYNTHESIS
  initial for (int unsigned i = 0; i < Halfwords; i++) words_q[i] = '0;
`endif

  always_ff @(posedge clk_i) begin
    if (we_i) words_q[addr_i] <= wdata_i;
    rdata_o <= words_q[addr_i];
    if (!re_i) rdata_o <= '0;
  end

endmodule
