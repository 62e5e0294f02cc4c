// Vector memory: rows of one vector, a port for the core and one for the DMA engine.
//
// Contract: both ports synchronous, one read or write a cycle each, the data of a read a cycle later. Port A writes the lanes
// in we_a_i, port B whole rows. The output of port A is 0 in a cycle that follows no read of it; that of port B keeps its row
// while the port writes or rests, and part_b_i selects a part of it. Inferred as true dual-port UltraRAM in two banks. A row
// must not be touched by both ports in a cycle in which one writes it (asserted in sva/).
module fenn_vmem_ram #(
  parameter int unsigned Lanes    = 32,
  parameter int unsigned Rows     = 8192,
  parameter int unsigned PartBits = 128,                           // of a row, which has a power of two of them
  parameter int unsigned Parts    = 16 * Lanes / PartBits,
  parameter int unsigned IndexBits = Parts > 1 ? $clog2(Parts) : 1
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
  input  logic [IndexBits-1:0]    part_b_i,
  output logic [PartBits-1:0]     rdata_b_o
);

  // The banks are the halves of the memory: as deep as the device's blocks in the configuration of the board.
  localparam int unsigned BankBits = $clog2(Rows) - 1;
  logic [1:0][16*Lanes-1:0]             rdata_a;
  logic [1:0][Parts-1:0][PartBits-1:0]  rdata_b;
  logic [1:0]                           read_q;   // by port A
  logic                                 bank_q;
  for (genvar i = 0; i < 2; i++) begin : gen_bank
    (* ram_style = "ultra", no_rw_check *) logic [16*Lanes-1:0] rows_q [Rows / 2];
`ifndef SYNTHESIS
    initial for (int unsigned j = 0; j < Rows / 2; j++) rows_q[j] = '0;
`endif
    logic here_a;
    logic here_b;
    assign here_a = en_a_i && addr_a_i[BankBits] == 1'(i);
    assign here_b = en_b_i && addr_b_i[BankBits] == 1'(i);

    always_ff @(posedge clk_i) begin
      if (here_a) begin
        if (we_a_i == '0) rdata_a[i] <= rows_q[addr_a_i[BankBits-1:0]];
        for (int unsigned j = 0; j < Lanes; j++) begin
          if (we_a_i[j]) rows_q[addr_a_i[BankBits-1:0]][16*j +: 16] <= wdata_a_i[16*j +: 16];
        end
      end
      read_q[i] <= here_a && we_a_i == '0;
    end

    always_ff @(posedge clk_i) begin
      if (here_b) begin
        if (we_b_i) rows_q[addr_b_i[BankBits-1:0]] <= wdata_b_i;
        else rdata_b[i] <= rows_q[addr_b_i[BankBits-1:0]];
      end
    end
  end
  assign rdata_a_o = (rdata_a[0] & {16*Lanes{read_q[0]}}) | (rdata_a[1] & {16*Lanes{read_q[1]}});

  always_ff @(posedge clk_i) if (en_b_i && !we_b_i) bank_q <= addr_b_i[BankBits];
  if (Parts > 1) begin : gen_parts
    assign rdata_b_o = rdata_b[bank_q][part_b_i];
  end else begin : gen_whole
    assign rdata_b_o = rdata_b[bank_q];
    logic unused;
    assign unused = part_b_i;
  end

endmodule
