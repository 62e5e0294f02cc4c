// What must hold in the vector unit, seen from outside.
module fenn_vector_sva
  import fenn_pkg::*;
#(
  parameter int unsigned Lanes = 32
) (
  input logic                clk_i,
  input logic                rst_ni,
  input vx_t                 vx_q,
  input vw_t                 vw_q,
  input logic                d_go_i,
  input logic                hazard_o,
  input logic                host_i,
  input logic                x_we_q,
  input logic                x_rng0_q,
  input logic                x_rng1_q,
  input logic [16*Lanes-1:0] vmem_i
);

  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      waits_for_hazards:  assert (!(d_go_i && hazard_o) || host_i);
      one_access:         assert (!(vx_q.l_load && vx_q.l_store));
      one_generator_load: assert (!(x_rng0_q && x_rng1_q));
      // Draws and loads of the generators never meet.
      draw_meets_no_load: assert (!(vx_q.draw && (x_rng0_q || x_rng1_q || vw_q.rng0 || vw_q.rng1)));
      load_writes_no_reg: assert (!(x_we_q && (x_rng0_q || x_rng1_q)));
      // Results are merged by OR: only the instruction's own source may be there.
      quiet_memory:       assert (!(vw_q.mul && vw_q.we) || vmem_i == '0);
    end
  end

endmodule

bind fenn_vector fenn_vector_sva #(.Lanes(Lanes)) i_sva (.*);
