// The scalar divider: restoring, one bit a cycle, leading zeros of the divisor skipped.
//
// Contract: with active_i held from the first cycle in X on, done_o is set in cycle 3 + clz(|b|) (clz(0) = 32) of it, for
// that cycle only, and magnitude_o is then the quotient or remainder of the magnitudes, to be negated if negate_o.
// funct3_i: its low bits, 0 div, 1 divu, 2 rem, 3 remu. Division by zero gives all ones and a; -2^31 / -1 gives -2^31, 0.
//
// How: the divisor is aligned to the top, so that k leading zeros leave k + 1 bits of quotient to be found.
// Not here: the negation, which W does.
module fenn_div (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        active_i,
  input  logic [1:0]  funct3_i,
  input  logic [31:0] a_i,
  input  logic [31:0] b_i,
  output logic        done_o,
  output logic [31:0] magnitude_o,
  output logic        negate_o
);

  typedef enum logic [1:0] {MAGNITUDE, ALIGN, DIVIDE} state_e;
  state_e      state_q;
  logic [31:0] remainder_q;
  logic [31:0] divisor_q;
  logic [30:0] quotient_q;
  logic [5:0]  count_q;    // in ALIGN the divisor's leading zeros; in DIVIDE further bits to be found

  logic        is_signed;
  logic [31:0] b_magnitude;
  logic [5:0]  zeros;
  assign is_signed   = !funct3_i[0];
  assign b_magnitude = is_signed && b_i[31] ? -b_i : b_i;
  fenn_clz i_clz (.word_i(b_magnitude), .zeros_o(zeros));

  logic [32:0] difference;
  logic        fits;
  logic [31:0] remainder;
  logic [31:0] quotient;
  assign difference = {1'b0, remainder_q} - {1'b0, divisor_q};
  assign fits       = !difference[32];
  assign remainder  = fits ? difference[31:0] : remainder_q;
  assign quotient   = {quotient_q, fits};

  assign done_o      = state_q == DIVIDE && count_q == '0;
  assign magnitude_o = funct3_i[1] ? remainder : quotient;
  assign negate_o    = is_signed && (funct3_i[1] ? a_i[31] : (a_i[31] ^ b_i[31]) && b_i != '0);

  always_ff @(posedge clk_i) begin
    unique case (state_q)
      MAGNITUDE: begin
        remainder_q <= is_signed && a_i[31] ? -a_i : a_i;
        divisor_q   <= b_magnitude;
        count_q     <= zeros;
        quotient_q  <= '0;
        if (active_i) state_q <= ALIGN;
      end
      ALIGN: begin
        // Shifting zero by 32 is as good as shifting it by 0.
        divisor_q <= divisor_q << count_q[4:0];
        state_q   <= DIVIDE;
      end
      default: begin
        remainder_q <= remainder;
        quotient_q  <= quotient[30:0];
        divisor_q   <= divisor_q >> 1;
        count_q     <= count_q - 6'd1;
        if (done_o) state_q <= MAGNITUDE;
      end
    endcase
    if (!rst_ni) state_q <= MAGNITUDE;
  end

endmodule
