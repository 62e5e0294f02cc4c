// The retirement port: what the core does, told in program order.
//
// Contract: follows D, X and W by their strobes and holds what a record needs until its instruction is in W. Reads the core
// and drives nothing in it. See rtl/README.md for the meaning of the ret_ signals.
//
// Not here: any check.
module fenn_trace
  import fenn_pkg::*;
#(
  parameter int unsigned Lanes = 32
) (
  input  logic                clk_i,
  input  logic                rst_ni,
  input  trace_t              trace_i,
  input  logic [16*Lanes-1:0] x_data_i,
  input  logic [16*Lanes-1:0] x_rows_i,
  input  logic [Lanes-1:0]    x_takes_i,

  output logic                issue_o,
  output logic [63:0]         cycle_o,
  output logic                valid_o,
  output logic [63:0]         w_cycle_o,
  output logic [31:0]         pc_o,
  output logic [31:0]         word_o,
  output logic                trap_o,
  output logic [2:0]          cause_o,
  output logic [31:0]         tval_o,
  output logic                x_we_o,
  output logic [4:0]          x_rd_o,
  output logic [31:0]         x_value_o,
  output logic                m_we_o,
  output logic [1:0]          m_space_o,
  output logic [31:0]         m_addr_o,
  output logic [2:0]          m_bytes_o,
  output logic [Lanes-1:0]    m_lanes_o,
  output logic [16*Lanes-1:0] m_rows_o,
  output logic [16*Lanes-1:0] m_data_o
);

  logic [63:0] cycle_q;
  logic [63:0] x_cycle_q;
  logic [31:0] x_pc_q;
  logic [31:0] x_word_q;
  logic [31:0] x_first_q;    // the address of an access, while X makes the second of two
  assign issue_o = trace_i.d_go;
  assign cycle_o = cycle_q;
  always_ff @(posedge clk_i) begin
    if (trace_i.counting) cycle_q <= cycle_q + 64'd1;
    // What stops the core has not been executed: its cycle is the next one's.
    if (trace_i.stop) cycle_q <= x_cycle_q;
    if (trace_i.d_go) begin
      x_cycle_q <= cycle_q;
      x_pc_q    <= trace_i.d_pc;
      x_word_q  <= trace_i.d_word;
    end
    if (!trace_i.x_second) x_first_q <= trace_i.x_addr;
    if (!rst_ni) cycle_q <= '0;
  end

  always_ff @(posedge clk_i) begin
    valid_o   <= (trace_i.x_commit || trace_i.x_trap) && rst_ni;
    w_cycle_o <= x_cycle_q;
    pc_o      <= x_pc_q;
    word_o    <= x_word_q;
    trap_o    <= trace_i.x_trap;
    cause_o   <= trace_i.x_trap ? trace_i.x_cause : '0;
    tval_o    <= trace_i.x_trap ? trace_i.x_tval : '0;
    m_we_o    <= trace_i.x_commit && (trace_i.x_store || trace_i.x_vstore || trace_i.x_lstore);
    m_space_o <= trace_i.x_store ? SPACE_SCALAR : trace_i.x_vstore ? SPACE_VECTOR : SPACE_LANE;
    m_addr_o  <= trace_i.x_second ? x_first_q : trace_i.x_addr;
    m_bytes_o <= trace_i.x_bytes;
    m_lanes_o <= x_takes_i;
    m_rows_o  <= x_rows_i;
    m_data_o  <= trace_i.x_store ? (16*Lanes)'(trace_i.x_data) : x_data_i;
  end

  // Results are those of W itself.
  assign x_we_o    = trace_i.w_we;
  assign x_rd_o    = trace_i.w_rd;
  assign x_value_o = trace_i.w_value;

endmodule
