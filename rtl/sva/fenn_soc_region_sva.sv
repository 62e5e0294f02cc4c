// What a core's region lets through.
module fenn_soc_region_sva #(
  parameter int unsigned     DataWidth = 128,
  parameter longint unsigned DramBytes = 64'd1 << 32
) (
  input logic        clk_i,
  input logic        rst_ni,
  input logic [63:0] base_i,
  input logic        r_go,
  input logic        w_go,
  input logic        m_arvalid_o,
  input logic [63:0] m_araddr_o,
  input logic [7:0]  m_arlen_o,
  input logic        m_awvalid_o,
  input logic [63:0] m_awaddr_o,
  input logic [7:0]  m_awlen_o,
  input logic [31:0] room_o
);

  logic        r_new_q;     // an address has just been let through, by these numbers
  logic        w_new_q;
  logic [63:0] from_q;
  logic [63:0] to_q;
  always_ff @(posedge clk_i) begin
    r_new_q <= rst_ni && r_go;
    w_new_q <= rst_ni && w_go;
    from_q  <= {base_i[63:12], 12'b0};
    to_q    <= {base_i[63:12], 12'b0} + 64'(room_o);
  end

  function automatic logic lies(input logic [63:0] address, input logic [7:0] len);
    return address >= from_q && address + ((64'(len) + 64'd1) << $clog2(DataWidth / 8)) <= to_q;
  endfunction

  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      read_in_region:   assert (!r_new_q || (m_arvalid_o && lies(m_araddr_o, m_arlen_o)));
      write_in_region:  assert (!w_new_q || (m_awvalid_o && lies(m_awaddr_o, m_awlen_o)));
      region_in_dram:   assert (room_o == '0 || !(r_new_q || w_new_q) || to_q <= 64'(DramBytes));
    end
  end

endmodule

bind fenn_soc_region fenn_soc_region_sva #(.DataWidth(DataWidth), .DramBytes(DramBytes)) i_sva (.*);
