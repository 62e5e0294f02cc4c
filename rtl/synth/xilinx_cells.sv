// Device blocks that the core instantiates by name when it is synthesised for UltraScale: ports and parameters only.
(* blackbox *)
module DSP48E2 #(
  parameter int ACASCREG = 1, parameter int ADREG = 1, parameter int ALUMODEREG = 1, parameter int AREG = 1,
  parameter int BCASCREG = 1, parameter int BREG = 1, parameter int CARRYINREG = 1, parameter int CARRYINSELREG = 1,
  parameter int CREG = 1, parameter int DREG = 1, parameter int INMODEREG = 1, parameter int MREG = 1,
  parameter int OPMODEREG = 1, parameter int PREG = 1, parameter USE_MULT = "MULTIPLY", parameter USE_SIMD = "ONE48"
) (
  input  logic        CLK,
  input  logic [29:0] A,
  input  logic [17:0] B,
  input  logic [47:0] C,
  input  logic [26:0] D,
  output logic [47:0] P,
  input  logic [3:0]  ALUMODE,
  input  logic [4:0]  INMODE,
  input  logic [8:0]  OPMODE,
  input  logic        CARRYIN,
  input  logic [2:0]  CARRYINSEL,
  input  logic        CEA1, CEA2, CEAD, CEALUMODE, CEB1, CEB2, CEC, CECARRYIN, CECTRL, CED, CEINMODE, CEM, CEP,
  input  logic        RSTA, RSTALLCARRYIN, RSTALUMODE, RSTB, RSTC, RSTCTRL, RSTD, RSTINMODE, RSTM, RSTP
);
endmodule
