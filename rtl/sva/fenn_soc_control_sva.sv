// How a core is started.
module fenn_soc_control_sva (
  input logic clk_i,
  input logic rst_ni,
  input logic locked_i,
  input logic standing_o,
  input logic core_rst_no,
  input logic core_jump_o,
  input logic core_run_o,
  input logic core_halted_i
);

  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      one_of_both:      assert (!(core_jump_o && core_run_o));
      start_of_halted:  assert (!(core_jump_o || core_run_o) || (core_halted_i && core_rst_no));
      // Nobody is started under the host's word.
      not_while_locked: assert (!locked_i || !(core_jump_o || core_run_o));
      stands:           assert (!standing_o || core_halted_i);
    end
  end

endmodule

bind fenn_soc_control fenn_soc_control_sva i_sva (.*);
