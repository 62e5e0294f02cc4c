// Scalar memory: a port for the core with byte enables, a port for the host with whole words.
//
// Contract: both ports synchronous, the data of a read a cycle later; an output keeps its value while its port writes or
// rests. Inferred as true dual-port block RAM, one memory for each byte of a word. When both ports touch the same word in
// one cycle and one writes, what is read is anything; when both write it, so is what is stored.
//
// Not here: accesses that cross a word (fenn_lsu).
module fenn_smem_ram #(
  parameter int unsigned Words = 32768
) (
  input  logic                     clk_i,
  input  logic                     en_a_i,
  input  logic [3:0]               we_a_i,
  input  logic [$clog2(Words)-1:0] addr_a_i,
  input  logic [31:0]              wdata_a_i,
  output logic [31:0]              rdata_a_o,
  input  logic                     en_b_i,
  input  logic                     we_b_i,
  input  logic [$clog2(Words)-1:0] addr_b_i,
  input  logic [31:0]              wdata_b_i,
  output logic [31:0]              rdata_b_o
);

  for (genvar i = 0; i < 4; i++) begin : gen_byte
    (* ram_style = "block", no_rw_check *) logic [7:0] bytes_q [Words];
`ifndef SYNTHESIS
    initial for (int unsigned j = 0; j < Words; j++) bytes_q[j] = '0;
`endif

    always_ff @(posedge clk_i) begin
      if (en_a_i) begin
        if (we_a_i[i]) bytes_q[addr_a_i] <= wdata_a_i[8*i +: 8];
        else rdata_a_o[8*i +: 8] <= bytes_q[addr_a_i];
      end
    end

    always_ff @(posedge clk_i) begin
      if (en_b_i) begin
        if (we_b_i) bytes_q[addr_b_i] <= wdata_b_i[8*i +: 8];
        else rdata_b_o[8*i +: 8] <= bytes_q[addr_b_i];
      end
    end
  end

endmodule
