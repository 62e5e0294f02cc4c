// Vector memory: rows of one vector, a port for the core and one for the DMA engine.
//
// Contract: both ports synchronous, one read or write a cycle each, the data of a read a cycle later; an output keeps its
// value while its port writes or rests. Port A writes the lanes in we_a_i, port B whole rows. Inferred as true dual-port
// UltraRAM. A row must not be touched by both ports in a cycle in which one writes it (asserted in sva/).
module fenn_vmem_ram #(
  parameter int unsigned Lanes = 32,
  parameter int unsigned Rows  = 8192
) (
  input  logic                    clk_i,
  input  logic                    en_a_i,
  input  logic [Lanes-1:0]        we_a_i,
  input  logic [$clog2(Rows)-1:0] addr_a_i,
  input  logic [16*Lanes-1:0]     wdata_a_i,
  output logic [16*Lanes-1:0]     rdata_a_o,
  input  logic                    en_b_i,
  input  logic                    we_b_i,
  input  logic [$clog2(Rows)-1:0] addr_b_i,
  input  logic [16*Lanes-1:0]     wdata_b_i,
  output logic [16*Lanes-1:0]     rdata_b_o
);

  (* ram_style = "ultra", no_rw_check *) logic [16*Lanes-1:0] rows_q [Rows];
`ifndef SYNTHESIS
  initial for (int unsigned i = 0; i < Rows; i++) rows_q[i] = '0;
`endif

  always_ff @(posedge clk_i) begin
    if (en_a_i) begin
      if (we_a_i == '0) rdata_a_o <= rows_q[addr_a_i];
      for (int unsigned i = 0; i < Lanes; i++) begin
        if (we_a_i[i]) rows_q[addr_a_i][16*i +: 16] <= wdata_a_i[16*i +: 16];
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (en_b_i) begin
      if (we_b_i) rows_q[addr_b_i] <= wdata_b_i;
      else rdata_b_o <= rows_q[addr_b_i];
    end
  end

endmodule
