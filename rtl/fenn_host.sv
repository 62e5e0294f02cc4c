// The host's way to the memories.
//
// Contract: a request is kept until it is taken, in the cycle with valid_i and ready_o; reads are answered in order, in the
// cycle behind, by rvalid_o. Instruction and scalar memory have ports of their own and take a request every cycle. Vector
// and lane-local memory are reached through the halted core, which executes core_ctl_o for it: a word is two lanes of a row;
// a write takes one cycle, a read five. Such requests wait until the core is halted.
//
// Not here: bursts, and DRAM, which has its own port outside.
module fenn_host
  import fenn_pkg::*;
#(
  parameter int unsigned Lanes = 32
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic             valid_i,
  output logic             ready_o,
  input  logic             write_i,
  input  logic [1:0]       space_i,
  input  logic [31:0]      addr_i,
  output logic             rvalid_o,
  output logic [31:0]      rdata_o,

  output logic             imem_en_o,
  input  logic [31:0]      imem_rdata_i,
  output logic             smem_en_o,
  input  logic [31:0]      smem_rdata_i,

  input  logic             halted_i,
  output logic             core_o,       // the core takes core_ctl_o in place of an instruction in D
  output logic             core_w_o,     // and what the vector unit has in W for vs1
  output ctl_t             core_ctl_o,
  output logic [31:0]      core_addr_o,
  output logic [Lanes-1:0] core_lanes_o,
  output logic [4:0]       core_index_o, // which lane X hands over in the next cycle
  input  logic [15:0]      core_lane_i
);

  localparam int unsigned RowShift = $clog2(2 * Lanes);
  localparam int unsigned PairBits = $clog2(Lanes) - 1;

  logic inside_core;
  logic is_lane;
  assign inside_core = space_i[1];
  assign is_lane     = space_i[0];

  // Reads: a load enters D in step 0 and is in W in step 2, when D takes the whole row; X hands over one lane in step 3 and
  // the other in step 4.
  logic [2:0]  step_q;
  logic        asks;
  logic        last;
  logic [PairBits-1:0] pair;
  logic [15:0] low_q;
  logic [15:0] high_q;
  logic        answer_q;
  space_e      space_q;
  assign asks = valid_i && inside_core && halted_i;
  assign last = step_q == 3'd4;
  assign pair = addr_i[2 +: PairBits];

  assign ready_o      = inside_core ? halted_i && (write_i || last) : 1'b1;
  assign imem_en_o    = valid_i && space_i == SPACE_INSTRUCTION;
  assign smem_en_o    = valid_i && space_i == SPACE_SCALAR;
  assign core_o       = asks && (write_i || step_q == 3'd0 || step_q == 3'd2);
  assign core_w_o     = asks && !write_i && step_q == 3'd2;
  assign core_index_o = {{(4 - PairBits){1'b0}}, pair, step_q == 3'd3};
  assign core_addr_o  = is_lane ? {addr_i[31:RowShift], {(RowShift){1'b0}}} >> (RowShift - 1)
                                : {addr_i[31:RowShift], {(RowShift){1'b0}}};
  for (genvar i = 0; i < Lanes; i++) begin : gen_lane
    assign core_lanes_o[i] = pair == PairBits'(i / 2);
  end
  always_comb begin
    core_ctl_o          = '0;
    core_ctl_o.legal    = 1'b1;
    core_ctl_o.v_scalar = 1'b1;
    core_ctl_o.v_mask   = VM_ZERO;
    core_ctl_o.v_wsrc   = VW_MEM;
    core_ctl_o.v_load   = !write_i && !is_lane && step_q == 3'd0;
    core_ctl_o.v_store  = write_i && !is_lane;
    core_ctl_o.l_load   = !write_i && is_lane && step_q == 3'd0;
    core_ctl_o.l_store  = write_i && is_lane;
  end

  always_ff @(posedge clk_i) begin
    step_q <= asks && !write_i && !last ? step_q + 3'd1 : '0;
    if (step_q == 3'd3) low_q <= core_lane_i;
    high_q   <= core_lane_i;
    answer_q <= valid_i && ready_o && !write_i;
    space_q  <= space_e'(space_i);
    if (!rst_ni) begin
      step_q   <= '0;
      answer_q <= 1'b0;
    end
  end
  assign rvalid_o = answer_q;
  always_comb begin
    unique case (space_q)
      SPACE_INSTRUCTION: rdata_o = imem_rdata_i;
      SPACE_SCALAR:      rdata_o = smem_rdata_i;
      default:           rdata_o = {high_q, low_q};
    endcase
  end

  logic unused;
  assign unused = ^addr_i[1:0];

endmodule
