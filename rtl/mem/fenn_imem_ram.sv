// Instruction memory: read by fetch; read and written by the host.
//
// Contract: both ports synchronous, the data of a read a cycle later; an output keeps its value until the next read. Inferred
// as true dual-port block RAM. A read while the other port writes the same word gives anything.
module fenn_imem_ram #(
  parameter int unsigned Words = 4096
) (
  input  logic                     clk_i,
  input  logic                     re_a_i,
  input  logic [$clog2(Words)-1:0] addr_a_i,
  output logic [31:0]              rdata_a_o,
  input  logic                     en_b_i,
  input  logic                     we_b_i,
  input  logic [$clog2(Words)-1:0] addr_b_i,
  input  logic [31:0]              wdata_b_i,
  output logic [31:0]              rdata_b_o
);

  (* ram_style = "block", no_rw_check *) logic [31:0] words_q [Words];
`ifndef SYNTHESIS
  initial for (int unsigned i = 0; i < Words; i++) words_q[i] = '0;
`endif

  always_ff @(posedge clk_i) if (re_a_i) rdata_a_o <= words_q[addr_a_i];

  always_ff @(posedge clk_i) begin
    if (en_b_i) begin
      if (we_b_i) words_q[addr_b_i] <= wdata_b_i;
      else rdata_b_o <= words_q[addr_b_i];
    end
  end

endmodule
