// What must hold in the scalar core, seen from outside.
module fenn_core_sva
  import fenn_pkg::*;
(
  input logic       clk_i,
  input logic       rst_ni,
  input logic       d_go,
  input logic       d_valid_q,
  input logic       d_hazard,
  input logic       d_predicted_q,
  input logic       host_i,
  input logic       running_q,
  input ctl_t       ctl,
  input logic       d_fault_q,
  input logic       x_valid_q,
  input logic       x_busy,
  input logic       x_commit,
  input logic       x_trap,
  input logic       x_stop,
  input logic       x_redirect,
  input logic       x_again,
  input logic       x_second_q,
  input logic       w_we_q,
  input logic [4:0] w_rd_q,
  input logic       smem_en_o,
  input logic       vmem_en_o
);

  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      no_write_of_x0:     assert (!(w_we_q && w_rd_q == '0));
      // What leaves X does so in one way.
      one_way_out:        assert ($onehot0({x_commit, x_trap, x_stop && !x_trap, x_busy && !x_trap}));
      out_of_something:   assert (x_valid_q || !(x_commit || x_trap || x_stop || x_busy));
      go_is_free:         assert (!d_go || (d_valid_q && !d_hazard && !x_busy && !x_redirect));
      two_halves:         assert (!(x_again && x_second_q));
      one_memory:         assert (!(smem_en_o && vmem_en_o));
      // The host uses the pipeline of a halted core only.
      host_when_halted:   assert (!host_i || (!running_q && !x_valid_q && !d_valid_q));
      // The buffer has an opinion of jumps and branches only, or of what faults.
      opinion_of_jumps:   assert (!(d_valid_q && d_predicted_q) || ctl.jal || ctl.branch || d_fault_q);
      // Work of one kind at a time.
      one_kind:           assert ($onehot0({ctl.branch, ctl.jal, ctl.jalr, ctl.mret, ctl.load, ctl.store, ctl.div, ctl.csr,
                                            ctl.ecall, ctl.ebreak, ctl.v_load, ctl.v_store, ctl.l_load, ctl.l_store}));
    end
  end

endmodule

bind fenn_core fenn_core_sva i_sva (.*);
