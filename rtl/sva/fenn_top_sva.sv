// The parameters that a core can have.
module fenn_top_sva #(
  parameter int unsigned Lanes        = 32,
  parameter int unsigned ImemBytes    = 16384,
  parameter int unsigned SmemBytes    = 131072,
  parameter int unsigned VmemBytes    = 524288,
  parameter int unsigned LlmHalfwords = 1024,
  parameter int unsigned AxiWidth     = 128,
  parameter int unsigned AxiBurst     = 256
);

  function automatic logic is_power(input int unsigned value);
    return value != 0 && (value & (value - 1)) == 0;
  endfunction

  initial begin
    lanes:          assert (is_power(Lanes) && Lanes >= 4 && Lanes <= 32);
    words:          assert (ImemBytes % 4 == 0 && ImemBytes >= 256 && SmemBytes % 4 == 0 && SmemBytes >= 8);
    vector_memory:  assert (is_power(VmemBytes) && VmemBytes >= 8 * Lanes);
    lane_local:     assert (is_power(LlmHalfwords) && LlmHalfwords >= 2 && LlmHalfwords <= 16384);
    port:           assert (is_power(AxiWidth) && AxiWidth >= 32 && AxiWidth <= 16 * Lanes);
    bursts:         assert (AxiBurst == 16 || AxiBurst == 256);
  end

endmodule

bind fenn_top fenn_top_sva #(
  .Lanes(Lanes), .ImemBytes(ImemBytes), .SmemBytes(SmemBytes), .VmemBytes(VmemBytes), .LlmHalfwords(LlmHalfwords),
  .AxiWidth(AxiWidth), .AxiBurst(AxiBurst)
) i_sva ();
