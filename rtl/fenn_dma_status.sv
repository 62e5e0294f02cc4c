// The status of one channel of the DMA engine.
//
// Contract: start_i is answered at once by go_o, or refused: with internal_i or decode_i as IDLE and that error, while busy
// as the internal error beside the state of what runs, and instead of OK when that has ended. first_i says that data have
// begun to move, done_i that they have ended, error_i then what the slave said (slave error, decode error). The bits are
// those of the status CSRs.
module fenn_dma_status (
  input  logic       clk_i,
  input  logic       rst_ni,
  input  logic       start_i,
  input  logic       internal_i,
  input  logic       decode_i,
  output logic       go_o,
  input  logic       first_i,
  input  logic       done_i,
  input  logic [1:0] error_i,
  output logic       busy_o,
  output logic [7:0] status_o
);

  logic busy_q;
  logic moving_q;
  logic internal_q;
  logic decode_q;
  logic slave_q;
  logic ok_q;
  assign go_o     = start_i && !busy_q && !internal_i && !decode_i;
  assign busy_o   = busy_q;
  assign status_o = {ok_q, slave_q, decode_q, internal_q, moving_q, busy_q && !moving_q, !busy_q, 1'b0};

  always_ff @(posedge clk_i) begin
    if (first_i) moving_q <= 1'b1;
    if (start_i && !busy_q) begin
      busy_q     <= go_o;
      internal_q <= internal_i;
      decode_q   <= !internal_i && decode_i;
      slave_q    <= 1'b0;
      ok_q       <= 1'b0;
    end
    if (start_i && busy_q) internal_q <= 1'b1;
    if (done_i) begin
      busy_q              <= 1'b0;
      moving_q            <= 1'b0;
      {slave_q, decode_q} <= error_i;
      ok_q                <= !internal_q && !start_i && error_i == '0;
    end
    if (!rst_ni) {busy_q, moving_q, internal_q, decode_q, slave_q, ok_q} <= '0;
  end

endmodule
