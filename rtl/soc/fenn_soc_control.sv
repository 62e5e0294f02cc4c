// What a host's register block does to one core: reset, start, halt, step, and what it tells of it.
//
// Contract: control_valid_i brings the bits written into `control`; their meaning and that of status_o are in
// isa/MANUAL.md. In one write `reset` comes before all others, `run` before `resume`; `step` goes with either; `halt`
// beside a start stops the core in front of its first instruction. A start waits for the host's word in vector or
// lane-local memory (locked_i) and for a reset to end. standing_o says that no start is under way either: the host may
// begin such a word then, locked_i with it in the next cycle.
//
// `done`, `error` and what trap registers read come from the core as it stands, and are 0 while it runs. Cycles and
// instructions are counted from `run` on and go on after `resume`; a reset clears them.
//
// Latency: a start is with the core two cycles after the write, without `run` one. A reset takes three cycles.
module fenn_soc_control
  import fenn_pkg::*;
  import fenn_soc_pkg::*;
(
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        control_valid_i,
  input  logic [31:0] control_i,
  output logic [31:0] status_o,
  output logic [31:0] trap_cause_o,
  output logic [31:0] trap_value_o,
  output logic [63:0] cycles_o,
  output logic [63:0] instructions_o,
  output logic        stopped_o,       // status has done or error

  input  logic        locked_i,
  output logic        standing_o,

  output logic        core_rst_no,
  output logic        core_jump_o,
  output logic        core_run_o,
  output logic        core_step_o,
  output logic        core_halt_o,
  input  logic        core_halted_i,
  input  logic [2:0]  core_halt_cause_i,
  input  logic [2:0]  core_trap_cause_i,
  input  logic [31:0] core_trap_value_i,
  input  logic        core_count_cycle_i,
  input  logic        core_count_inst_i,
  input  logic        core_uncount_inst_i
);

  localparam logic [1:0] RESET_CYCLES = 2'd3;

  logic       core_rst_q;
  logic [1:0] reset_q;      // cycles of the reset to come
  logic       start_q;      // a start is under way
  logic       jump_q;       // at the entry, where the core has not been sent yet
  logic       step_q;
  logic       halt_q;
  logic       running;
  logic       reset;
  logic       run;
  logic       resume;
  logic       go;
  assign running = start_q || (!core_halted_i && core_rst_q);
  assign reset   = control_valid_i && control_i[CONTROL_RESET];
  assign run     = control_valid_i && control_i[CONTROL_RUN] && !running;
  assign resume  = control_valid_i && control_i[CONTROL_RESUME] && !running;
  assign go      = start_q && core_halted_i && core_rst_q && !locked_i;

  assign standing_o  = core_rst_q && core_halted_i && !start_q;
  assign core_rst_no = core_rst_q;
  assign core_jump_o = go && jump_q;
  assign core_run_o  = go && !jump_q;
  assign core_step_o = step_q;
  assign core_halt_o = halt_q;

  always_ff @(posedge clk_i) begin
    if (go) begin
      jump_q  <= 1'b0;
      start_q <= jump_q;
    end
    if (run || resume) begin
      start_q <= 1'b1;
      jump_q  <= run;
      step_q  <= control_i[CONTROL_STEP];
    end
    if (!running) halt_q <= 1'b0;
    if (control_valid_i && control_i[CONTROL_HALT] && (running || run || resume)) halt_q <= 1'b1;
    core_rst_q <= reset_q == '0;
    if (reset_q != '0) reset_q <= reset_q - 2'd1;
    if (reset || !rst_ni) begin
      core_rst_q <= 1'b0;
      reset_q    <= RESET_CYCLES - 2'd1;
      start_q    <= 1'b0;
      halt_q     <= 1'b0;
    end
  end

  // Why the core stands; nothing while it does not, or is being reset.
  logic [2:0] cause;
  logic       trapped;
  assign cause        = standing_o ? core_halt_cause_i : HALT_RESET;
  assign trapped      = cause == HALT_TRAP;
  assign stopped_o    = status_o[STATUS_DONE] || status_o[STATUS_ERROR];
  assign trap_cause_o = trapped ? 32'(core_trap_cause_i) : '0;
  assign trap_value_o = trapped ? core_trap_value_i : '0;
  always_comb begin
    status_o                     = '0;
    status_o[STATUS_RUNNING]     = running;
    status_o[STATUS_DONE]        = cause == HALT_ECALL;
    status_o[STATUS_ERROR]       = cause == HALT_EBREAK || trapped;
    status_o[STATUS_CAUSE +: 3]  = cause;
  end

  // What the core says of a cycle is counted in the next one.
  logic        cycle_q;
  logic        inst_q;
  logic [63:0] cycles_q;
  logic [63:0] instructions_q;
  assign cycles_o       = cycles_q;
  assign instructions_o = instructions_q;
  always_ff @(posedge clk_i) begin
    cycle_q        <= core_count_cycle_i;
    inst_q         <= core_count_inst_i && !core_uncount_inst_i;
    cycles_q       <= cycles_q + 64'(cycle_q);
    instructions_q <= instructions_q + 64'(inst_q);
    if (run || reset || !rst_ni) begin
      cycle_q        <= 1'b0;
      inst_q         <= 1'b0;
      cycles_q       <= '0;
      instructions_q <= '0;
    end
  end

  logic unused;
  assign unused = ^control_i;

endmodule
