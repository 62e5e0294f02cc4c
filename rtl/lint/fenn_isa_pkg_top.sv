// Contract: combinational; gives the package a module to be linted and simulated in. Not a decoder.
module fenn_isa_pkg_top
  import fenn_isa_pkg::*;
(
  input  logic [31:0] word_i,
  output logic        legal_o
);

  assign legal_o = insn_is_legal(word_i);

endmodule
