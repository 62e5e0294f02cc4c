// The use of vector memory that its ports allow: no row is touched by both in a cycle in which one writes it.
//
// A program that touches a row while the DMA engine moves it does that, and what it reads is then undefined on a device. The
// assertion therefore only covers what the engine itself can do wrong unless STRICT_VMEM is defined.
module fenn_vmem_ram_sva #(
  parameter int unsigned Lanes = 32,
  parameter int unsigned Rows  = 8192
) (
  input logic                    clk_i,
  input logic                    en_a_i,
  input logic [Lanes-1:0]        we_a_i,
  input logic [$clog2(Rows)-1:0] addr_a_i,
  input logic                    en_b_i,
  input logic                    we_b_i,
  input logic [$clog2(Rows)-1:0] addr_b_i
);

  logic collision;
  assign collision = en_a_i && en_b_i && addr_a_i == addr_b_i && (we_b_i || we_a_i != '0);
  always_ff @(posedge clk_i) begin
`ifdef STRICT_VMEM
    no_collision:       assert (!collision);
`endif
    no_double_write:    assert (!(collision && we_b_i && we_a_i != '0));
  end

endmodule

bind fenn_vmem_ram fenn_vmem_ram_sva #(.Lanes(Lanes), .Rows(Rows)) i_sva (.*);
