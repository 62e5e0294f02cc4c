// Words of the cores' memories.
module fenn_soc_words_sva #(
  parameter int unsigned Cores = 1
) (
  input logic             clk_i,
  input logic             rst_ni,
  input logic [Cores-1:0] core_valid_o,
  input logic [Cores-1:0] core_rvalid_i,
  input logic             r_ready_o,
  input logic             w_ready_o,
  input logic             r_ask_i,
  input logic             w_ask_i
);

  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      one_core:   assert ($onehot0(core_valid_o));
      one_answer: assert ($onehot0(core_rvalid_i));
      one_turn:   assert (!(r_ready_o && w_ready_o));
      was_asked:  assert ((!r_ready_o || r_ask_i) && (!w_ready_o || w_ask_i));
    end
  end

endmodule

bind fenn_soc_words fenn_soc_words_sva #(.Cores(Cores)) i_sva (.*);
