// Counts the leading zeros of a word.
//
// Contract: combinational; 32 for zero.
module fenn_clz (
  input  logic [31:0] word_i,
  output logic [5:0]  zeros_o
);

  // Halve what is looked at: the bits of the count are those of the halvings that went to the lower half.
  logic [15:0] w16;
  logic [7:0]  w8;
  logic [3:0]  w4;
  logic [1:0]  w2;
  logic        none;
  logic [4:0]  count;
  always_comb begin
    count[4] = word_i[31:16] == '0;
    w16      = count[4] ? word_i[15:0] : word_i[31:16];
    count[3] = w16[15:8] == '0;
    w8       = count[3] ? w16[7:0] : w16[15:8];
    count[2] = w8[7:4] == '0;
    w4       = count[2] ? w8[3:0] : w8[7:4];
    count[1] = w4[3:2] == '0;
    w2       = count[1] ? w4[1:0] : w4[3:2];
    count[0] = !w2[1];
    none     = w2 == '0;
  end
  assign zeros_o = none ? 6'd32 : {1'b0, count};

endmodule
