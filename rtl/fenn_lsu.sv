// Accesses to scalar memory.
//
// Contract: in X, addr_i, size and data of an access give the memory's request. One that crosses a word is two requests,
// crosses_o; for the second, addr_i is 4 more and second_i is set. fault_o, of the first, says that bytes lie outside the
// memory: the core then sends nothing. In W, load_o is the loaded value, extended.
//
// Not here: the address, and how long an access stays in X (fenn_core).
module fenn_lsu #(
  parameter int unsigned SmemBytes = 131072
) (
  input  logic        clk_i,
  input  logic [2:0]  funct3_i,
  input  logic [31:0] addr_i,
  input  logic        second_i,
  input  logic [31:0] data_i,
  output logic        crosses_o,
  output logic        fault_o,
  output logic [3:0]  enables_o,
  output logic [31:0] wdata_o,
  input  logic [31:0] rdata_i,
  output logic [31:0] load_o
);

  logic [1:0] offset;
  logic [3:0] bytes;     // one bit each, as if the address were aligned
  logic [7:0] spread;    // over two words
  assign offset = addr_i[1:0];
  always_comb begin
    unique case (funct3_i[1:0])
      2'd0:    bytes = 4'b0001;
      2'd1:    bytes = 4'b0011;
      default: bytes = 4'b1111;
    endcase
  end
  assign spread    = {4'b0, bytes} << offset;
  assign crosses_o = spread[7:4] != '0;
  assign enables_o = second_i ? spread[7:4] : spread[3:0];
  if ((SmemBytes & (SmemBytes - 1)) == 0) begin : gen_power_of_two
    localparam int unsigned Bits = $clog2(SmemBytes);
    assign fault_o = addr_i[31:Bits] != '0 || (crosses_o && (&addr_i[Bits-1:2]));
  end else begin : gen_any_size
    localparam logic [29:0] Words = 30'(SmemBytes / 4);
    assign fault_o = addr_i[31:2] >= Words || (crosses_o && addr_i[31:2] == Words - 30'd1);
  end

  // Bytes rotate to their places; for both words alike.
  always_comb begin
    unique case (offset)
      2'd0: wdata_o = data_i;
      2'd1: wdata_o = {data_i[23:0], data_i[31:24]};
      2'd2: wdata_o = {data_i[15:0], data_i[31:16]};
      2'd3: wdata_o = {data_i[7:0], data_i[31:8]};
    endcase
  end

  // W: the first of two words waits in first_q.
  logic [2:0]  funct3_q;
  logic [1:0]  offset_q;
  logic        crosses_q;
  logic [31:0] first_q;
  always_ff @(posedge clk_i) begin
    funct3_q  <= funct3_i;
    offset_q  <= offset;
    crosses_q <= second_i;
    first_q   <= rdata_i;
  end

  logic [31:0] merged;
  logic [31:0] word;
  always_comb begin
    for (int unsigned i = 0; i < 4; i++) begin
      merged[8*i +: 8] = crosses_q && 2'(i) >= offset_q ? first_q[8*i +: 8] : rdata_i[8*i +: 8];
    end
    unique case (offset_q)
      2'd0: word = merged;
      2'd1: word = {merged[7:0], merged[31:8]};
      2'd2: word = {merged[15:0], merged[31:16]};
      2'd3: word = {merged[23:0], merged[31:24]};
    endcase
    unique case (funct3_q[1:0])
      2'd0:    load_o = {{24{word[7] & !funct3_q[2]}}, word[7:0]};
      2'd1:    load_o = {{16{word[15] & !funct3_q[2]}}, word[15:0]};
      default: load_o = word;
    endcase
  end

endmodule
