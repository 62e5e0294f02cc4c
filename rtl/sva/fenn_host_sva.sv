// The host port's handshake.
module fenn_host_sva (
  input logic        clk_i,
  input logic        rst_ni,
  input logic        valid_i,
  input logic        ready_o,
  input logic        write_i,
  input logic [1:0]  space_i,
  input logic [31:0] addr_i,
  input logic        halted_i,
  input logic        core_o,
  input logic        rvalid_o
);

  logic        waits_q;
  logic [34:0] request_q;
  logic        read_q;
  always_ff @(posedge clk_i) begin
    waits_q   <= valid_i && !ready_o && rst_ni;
    request_q <= {write_i, space_i, addr_i};
    read_q    <= valid_i && ready_o && !write_i && rst_ni;
    if (rst_ni) begin
      request_is_kept:  assert (!waits_q || (valid_i && {write_i, space_i, addr_i} == request_q));
      reads_answered:   assert (rvalid_o == read_q);
      core_is_halted:   assert (!core_o || halted_i);
    end
  end

endmodule

bind fenn_host fenn_host_sva i_sva (.*);
