// The arithmetic of one DSP block: a product, registered, and a sum.
//
// Contract: sum_o is a_i * b_i + c_i of the cycle before, a and b signed. With FENN_DSP48E2 defined it is an instance of that
// block of UltraScale devices, whose own adder is used; otherwise the equation, of which synthesis makes a DSP block and an
// adder beside it.
module fenn_mac (
  input  logic        clk_i,
  input  logic [15:0] a_i,
  input  logic [15:0] b_i,
  input  logic [14:0] c_i,
  output logic [31:0] sum_o
);

`ifdef FENN_DSP48E2
  // Registers behind the multiplier and in front of port C; P = M + C, without a register.
  logic [47:0] p;
  DSP48E2 #(
    .ACASCREG(0), .ADREG(0), .ALUMODEREG(0), .AREG(0), .BCASCREG(0), .BREG(0), .CARRYINREG(0), .CARRYINSELREG(0),
    .CREG(1), .DREG(0), .INMODEREG(0), .MREG(1), .OPMODEREG(0), .PREG(0), .USE_MULT("MULTIPLY"), .USE_SIMD("ONE48")
  ) i_dsp (
    .CLK(clk_i), .A({{14{a_i[15]}}, a_i}), .B({{2{b_i[15]}}, b_i}), .C({33'b0, c_i}), .D('0), .P(p),
    .ALUMODE(4'b0000), .INMODE(5'b00000), .OPMODE(9'b00_011_01_01), .CARRYIN(1'b0), .CARRYINSEL(3'b000),
    .CEA1(1'b0), .CEA2(1'b0), .CEAD(1'b0), .CEALUMODE(1'b0), .CEB1(1'b0), .CEB2(1'b0), .CEC(1'b1), .CECARRYIN(1'b0),
    .CECTRL(1'b0), .CED(1'b0), .CEINMODE(1'b0), .CEM(1'b1), .CEP(1'b0),
    .RSTA(1'b0), .RSTALLCARRYIN(1'b0), .RSTALUMODE(1'b0), .RSTB(1'b0), .RSTC(1'b0), .RSTCTRL(1'b0), .RSTD(1'b0),
    .RSTINMODE(1'b0), .RSTM(1'b0), .RSTP(1'b0)
  );
  assign sum_o = p[31:0];
`else
  logic signed [31:0] product_q;
  logic [14:0]        c_q;
  always_ff @(posedge clk_i) begin
    product_q <= signed'(a_i) * signed'(b_i);
    c_q       <= c_i;
  end
  assign sum_o = product_q + {17'b0, c_q};
`endif

endmodule
