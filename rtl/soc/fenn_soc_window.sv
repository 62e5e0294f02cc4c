// Where a burst of the host leads.
//
// Contract: combinational. A burst whose bytes, from that of its address to the end of its last beat, all lie in one memory
// leads there, to byte offset_o of it, if it is an incrementing one or of one beat. All others lead nowhere.
module fenn_soc_window
  import fenn_isa_pkg::*;
  import fenn_soc_pkg::*;
#(
  parameter int unsigned     Cores      = 1,
  parameter int unsigned     ImemBytes  = 16384,
  parameter int unsigned     SmemBytes  = 131072,
  parameter int unsigned     VmemBytes  = 524288,
  parameter int unsigned     LaneBytes  = 65536,      // of all lanes together
  parameter longint unsigned DramBytes  = 64'd1 << 32
) (
  input  logic [63:0] address_i,
  input  logic [7:0]  len_i,
  input  logic [2:0]  size_i,
  input  logic [1:0]  burst_i,
  output logic        words_o,    // to a core's memory
  output logic        dram_o,
  output logic        other_o,    // a burst of a kind that is not known here: neither of both, and no decode error
  output logic [3:0]  core_o,
  output logic [1:0]  space_o,
  output logic [63:0] offset_o
);

  localparam int unsigned StrideBits = $clog2(SOC_CORE_STRIDE);
  localparam int unsigned SpaceBits  = StrideBits + $clog2(SOC_MOST_CORES);

  // Bytes from that of the address on.
  logic [15:0] mask;
  logic [15:0] bytes;
  assign mask  = (16'd1 << size_i) - 16'd1;
  assign bytes = ((16'(len_i) + 16'd1) << size_i) - (address_i[15:0] & mask);

  logic [3:0]  spaces;
  logic [31:0] size;
  assign spaces = {address_i[63:SpaceBits] == (64-SpaceBits)'(BASE_LANELOCAL[31:SpaceBits]),
                   address_i[63:SpaceBits] == (64-SpaceBits)'(BASE_VECTOR[31:SpaceBits]),
                   address_i[63:SpaceBits] == (64-SpaceBits)'(BASE_SCALAR[31:SpaceBits]),
                   address_i[63:SpaceBits] == (64-SpaceBits)'(BASE_INSTRUCTION[31:SpaceBits])};
  always_comb begin
    space_o = 2'd0;
    size    = ImemBytes;
    unique case (spaces)
      4'b1000: begin space_o = 2'd3; size = LaneBytes; end
      4'b0100: begin space_o = 2'd2; size = VmemBytes; end
      4'b0010: begin space_o = 2'd1; size = SmemBytes; end
      default: ;
    endcase
  end

  logic        known;
  logic        in_core;
  logic        in_dram;
  logic [63:0] from_dram;
  assign known     = burst_i == 2'b01 || len_i == '0;
  assign core_o    = address_i[StrideBits +: 4];
  assign from_dram = address_i - 64'(BASE_DRAM);
  assign in_core   = spaces != '0 && 32'(core_o) < Cores && 32'(address_i[StrideBits-1:0]) + 32'(bytes) <= size;
  assign in_dram   = address_i >= 64'(BASE_DRAM) && {1'b0, from_dram} + 65'(bytes) <= 65'(DramBytes);
  assign words_o   = in_core && known;
  assign dram_o    = in_dram && known;
  assign other_o   = (in_core || in_dram) && !known;
  assign offset_o  = in_dram ? from_dram : 64'(address_i[StrideBits-1:0]);

endmodule
