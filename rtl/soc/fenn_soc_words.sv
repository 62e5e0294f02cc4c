// Words of the cores' memories, for the host's reads and for its writes.
//
// Contract: r_ and w_ ask for a word each, in turn where both do; what is asked is kept until r_ready_o or w_ready_o.
// Instruction and scalar memory answer whatever the core does. A word of vector or lane-local memory of a core that does
// not stand (standing_i) is refused at once, with ready; while one is under way, locked_o keeps its core from being
// started. A write has been done when w_busy_o is 0, a read is answered by r_valid_o, with the low bits of its address. A
// core that is being reset (alive_i low) is waited for.
//
// Latency: a word reaches the core in the cycle behind, its answer comes as fenn_host says. One word a cycle.
module fenn_soc_words #(
  parameter int unsigned Cores = 1
) (
  input  logic                   clk_i,
  input  logic                   rst_ni,

  input  logic                   r_ask_i,
  output logic                   r_ready_o,
  output logic                   r_refused_o,
  input  logic [3:0]             r_core_i,
  input  logic [1:0]             r_space_i,
  input  logic [31:0]            r_addr_i,
  output logic                   r_valid_o,
  output logic [5:0]             r_addr_o,
  output logic [31:0]            r_data_o,

  input  logic                   w_ask_i,
  output logic                   w_ready_o,
  output logic                   w_refused_o,
  input  logic [3:0]             w_core_i,
  input  logic [1:0]             w_space_i,
  input  logic [31:0]            w_addr_i,
  input  logic [31:0]            w_data_i,
  output logic                   w_busy_o,

  input  logic [Cores-1:0]       standing_i,
  input  logic [Cores-1:0]       alive_i,
  output logic [Cores-1:0]       locked_o,
  output logic [Cores-1:0]       core_valid_o,
  input  logic [Cores-1:0]       core_ready_i,
  output logic                   core_write_o,
  output logic [1:0]             core_space_o,
  output logic [31:0]            core_addr_o,
  output logic [31:0]            core_wdata_o,
  input  logic [Cores-1:0]       core_rvalid_i,
  input  logic [Cores-1:0][31:0] core_rdata_i
);

  localparam int unsigned CoreBits = Cores > 1 ? $clog2(Cores) : 1;

  logic                valid_q;
  logic                write_q;
  logic [CoreBits-1:0] core_q;
  logic [1:0]          space_q;
  logic [31:0]         addr_q;
  logic [31:0]         data_q;
  logic                taken;
  logic                free;
  assign taken = valid_q && core_ready_i[core_q] && alive_i[core_q];
  assign free  = !valid_q || taken;

  // Whose turn it is: the other's than the last one's, if both ask.
  logic                turn;      // a write's
  logic                ask;
  logic [CoreBits-1:0] core;
  logic                through;    // its memory is reached through the core
  logic                waits;     // for the end of a reset
  logic                refused;
  assign ask     = r_ask_i || w_ask_i;
  assign turn    = w_ask_i && (!r_ask_i || !write_q);
  assign core    = turn ? w_core_i[CoreBits-1:0] : r_core_i[CoreBits-1:0];
  assign through  = turn ? w_space_i[1] : r_space_i[1];
  assign waits   = through && !alive_i[core];
  assign refused = through && !standing_i[core];

  assign r_ready_o   = r_ask_i && !turn && free && !waits;
  assign w_ready_o   = w_ask_i && turn && free && !waits;
  assign r_refused_o = refused;
  assign w_refused_o = refused;
  assign w_busy_o    = valid_q && write_q;

  always_comb begin
    core_valid_o         = '0;
    core_valid_o[core_q] = valid_q && alive_i[core_q];
    locked_o             = '0;
    locked_o[core_q]     = valid_q && space_q[1];
  end
  assign core_write_o = write_q;
  assign core_space_o = space_q;
  assign core_addr_o  = addr_q;
  assign core_wdata_o = data_q;

  logic [CoreBits-1:0] from_q;    // whose answer comes
  logic [5:0]          low_q;
  assign r_valid_o = core_rvalid_i[from_q];
  assign r_addr_o  = low_q;
  assign r_data_o  = core_rdata_i[from_q];
  always_ff @(posedge clk_i) begin
    if (taken) valid_q <= 1'b0;
    if (taken) from_q <= core_q;
    if (taken) low_q <= addr_q[5:0];
    if (ask && free && !waits) begin
      valid_q <= !refused;
      write_q <= turn;
      core_q  <= core;
      space_q <= turn ? w_space_i : r_space_i;
      addr_q  <= turn ? w_addr_i : r_addr_i;
      data_q  <= w_data_i;
    end
    if (!rst_ni) begin
      valid_q <= 1'b0;
      write_q <= 1'b0;
      core_q  <= '0;
      from_q  <= '0;
    end
  end

  logic unused;
  assign unused = ^{r_core_i, w_core_i};

endmodule
