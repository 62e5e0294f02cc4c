// Instruction fetch with a branch target buffer.
//
// Contract: addr_o goes to instruction memory, whose answer is stage F a cycle later; F is described by valid_o, pc_o and
// predicted_o, the buffer's opinion that the instruction there goes elsewhere. The next address is, in this order: where X
// redirects to, where the instruction leaving D jumps to, where the buffer says, straight on. hold_i keeps F, unless X
// redirects. learn_i enters learn_pc_i with its target; clear_i forgets all entries.
//
// Invariant: an entry belongs to a jal or a backward branch, and has its target. It is looked up under its address within
// instruction memory only: outside it a wrong opinion does no harm, because the fetch faults.
//
// Not here: instruction memory, and what redirects (fenn_core).
module fenn_fetch
  import fenn_pkg::*;
#(
  parameter int unsigned ImemBytes = 16384
) (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        hold_i,
  input  logic        stop_i,        // F is dropped and nothing fetched until X redirects
  input  logic        x_redirect_i,
  input  logic [31:0] x_target_i,
  input  logic        d_redirect_i,
  input  logic [31:0] d_target_i,
  input  logic        learn_i,
  input  logic [31:0] learn_pc_i,
  input  logic [31:0] learn_target_i,
  input  logic        clear_i,
  output logic        read_o,
  output logic [31:0] addr_o,
  output logic        valid_o,
  output logic [31:0] pc_o,
  output logic        predicted_o
);

  localparam int unsigned IndexBits = $clog2(BTB_ENTRIES);
  localparam int unsigned TagBits   = $clog2(ImemBytes) - 2 - IndexBits;

  logic        valid_q;
  logic [31:2] pc_q;

  logic [BTB_ENTRIES-1:0] known_q;
  logic [TagBits-1:0]     tags_q [BTB_ENTRIES];
  logic [31:2]            targets_q [BTB_ENTRIES];

  logic [IndexBits-1:0] index;
  logic [IndexBits-1:0] learn_index;
  logic                 hit;
  assign index       = pc_q[2 +: IndexBits];
  assign learn_index = learn_pc_i[2 +: IndexBits];
  assign hit         = known_q[index] && tags_q[index] == pc_q[2 + IndexBits +: TagBits];

  logic [31:2] next;
  always_comb begin
    if (x_redirect_i)      next = x_target_i[31:2];
    else if (d_redirect_i) next = d_target_i[31:2];
    else if (hit)          next = targets_q[index];
    else                   next = pc_q + 30'd1;
  end

  assign read_o      = x_redirect_i || !hold_i;
  assign addr_o      = {next, 2'b0};
  assign valid_o     = valid_q;
  assign pc_o        = {pc_q, 2'b0};
  assign predicted_o = hit;

  always_ff @(posedge clk_i) begin
    if (read_o) pc_q <= next;
    if (x_redirect_i) valid_q <= 1'b1;
    if (!rst_ni || stop_i) valid_q <= 1'b0;
  end

  always_ff @(posedge clk_i) begin
    if (learn_i) begin
      tags_q[learn_index]    <= learn_pc_i[2 + IndexBits +: TagBits];
      targets_q[learn_index] <= learn_target_i[31:2];
      known_q[learn_index]   <= 1'b1;
    end
    if (!rst_ni || clear_i) known_q <= '0;
  end

  logic unused;
  assign unused = ^{x_target_i[1:0], d_target_i[1:0], learn_pc_i, learn_target_i[1:0]};

endmodule
