// The registers of a card: an AXI4-Lite slave.
//
// Contract: registers and their offsets are those of isa/MANUAL.md, "A card, as a host sees it". A place without a register
// reads 0 and ignores writes, and the answer is OKAY. Writes take whole words; other strobes are ignored and answered by a
// slave error, no strobe at all does nothing. Bits of RW registers that mean nothing are kept. A write has taken effect
// when it is answered.
//
// irq_o[n] is a level: core n's status has `done` or `error`, that has not been acknowledged, and the host enabled it. A
// start or a reset takes it back. What `bus_error_addr_i` said with the first error is kept until `bus_error` has been
// cleared.
//
// Latency: a read is answered in the cycle behind its address, a write two cycles behind the later of address and data.
//
// Not here: what the bits of `control` do (fenn_soc_control).
module fenn_soc_regs
  import fenn_soc_pkg::*;
#(
  parameter int unsigned     Cores        = 1,
  parameter int unsigned     Lanes        = 32,
  parameter int unsigned     ImemBytes    = 16384,
  parameter int unsigned     SmemBytes    = 131072,
  parameter int unsigned     VmemBytes    = 524288,
  parameter int unsigned     LlmHalfwords = 1024,
  parameter int unsigned     DataWidth    = 128,
  parameter longint unsigned DramBytes    = 64'd1 << 32,
  parameter int unsigned     ClockKhz     = 0
) (
  input  logic                   clk_i,
  input  logic                   rst_ni,

  input  logic                   axil_awvalid_i,
  output logic                   axil_awready_o,
  input  logic [12:0]            axil_awaddr_i,
  input  logic                   axil_wvalid_i,
  output logic                   axil_wready_o,
  input  logic [31:0]            axil_wdata_i,
  input  logic [3:0]             axil_wstrb_i,
  output logic                   axil_bvalid_o,
  input  logic                   axil_bready_i,
  output logic [1:0]             axil_bresp_o,
  input  logic                   axil_arvalid_i,
  output logic                   axil_arready_o,
  input  logic [12:0]            axil_araddr_i,
  output logic                   axil_rvalid_o,
  input  logic                   axil_rready_i,
  output logic [31:0]            axil_rdata_o,
  output logic [1:0]             axil_rresp_o,

  output logic [Cores-1:0]       control_valid_o,
  output logic [31:0]            control_o,
  input  logic [Cores-1:0][31:0] status_i,
  input  logic [Cores-1:0][31:0] pc_i,
  input  logic [Cores-1:0][31:0] trap_cause_i,
  input  logic [Cores-1:0][31:0] trap_value_i,
  input  logic [Cores-1:0][63:0] cycles_i,
  input  logic [Cores-1:0][63:0] instructions_i,
  input  logic [Cores-1:0]       stopped_i,
  output logic [Cores-1:0][31:0] entry_o,
  output logic [Cores-1:0][63:0] base_o,
  output logic [Cores-1:0][31:0] limit_o,

  input  logic [3:0]             bus_error_i,       // bits of the register, in the cycle of the error
  input  logic [63:0]            bus_error_addr_i,
  output logic [Cores-1:0]       irq_o
);

  localparam logic [1:0]  OKAY      = 2'b00;
  localparam logic [1:0]  SLVERR    = 2'b10;
  localparam int unsigned BlockBits = $clog2(SOC_CORE_BLOCK_BYTES);
  localparam int unsigned CoreBits  = Cores > 1 ? $clog2(Cores) : 1;

  // Which block, and where in it: the cores' blocks are the upper half of the space.
  typedef struct packed {
    logic                is_core;
    logic                exists;    // the core does
    logic [CoreBits-1:0] core;
    logic [11:0]         offset;
  } place_t;

  function automatic place_t place(input logic [12:2] address);
    place_t p;
    p.is_core = address[12];
    p.exists  = 32'(address[11:BlockBits]) < Cores;
    p.core    = address[BlockBits +: CoreBits];
    p.offset  = p.is_core ? 12'({address[BlockBits-1:2], 2'b0}) : {address[11:2], 2'b0};
    return p;
  endfunction

  // --------------------------------------------------------------------------------------------------------- write port
  logic        aw_full_q;
  logic [12:2] aw_q;
  logic        w_full_q;
  logic [31:0] w_q;
  logic [3:0]  strobes_q;
  logic        answers_q;
  logic [1:0]  answer_q;
  logic        both;      // address and data are here: it is done in this cycle
  logic        write;     // and it is a whole word
  place_t      at;
  assign axil_awready_o = !aw_full_q;
  assign axil_wready_o  = !w_full_q;
  assign axil_bvalid_o  = answers_q;
  assign axil_bresp_o   = answer_q;
  assign both           = aw_full_q && w_full_q && !answers_q;
  assign write          = both && (&strobes_q);
  assign at             = place(aw_q);
  always_ff @(posedge clk_i) begin
    if (axil_awvalid_i && axil_awready_o) begin
      aw_full_q <= 1'b1;
      aw_q      <= axil_awaddr_i[12:2];
    end
    if (axil_wvalid_i && axil_wready_o) begin
      w_full_q  <= 1'b1;
      w_q       <= axil_wdata_i;
      strobes_q <= axil_wstrb_i;
    end
    if (axil_bready_i) answers_q <= 1'b0;
    if (both) begin
      aw_full_q <= 1'b0;
      w_full_q  <= 1'b0;
      answers_q <= 1'b1;
      answer_q  <= strobes_q == '0 || (&strobes_q) ? OKAY : SLVERR;
    end
    if (!rst_ni) {aw_full_q, w_full_q, answers_q} <= '0;
  end

  // ---------------------------------------------------------------------------------------------------------- registers
  logic [31:0]            scratch_q;
  logic [31:0]            irq_enable_q;
  logic [Cores-1:0]       acknowledged_q;
  logic [3:0]             bus_error_q;
  logic [63:0]            bus_error_addr_q;
  logic [Cores-1:0][31:0] entry_q;
  logic [Cores-1:0][63:0] base_q;
  logic [Cores-1:0][31:0] limit_q;
  logic [Cores-1:0]       pending;
  logic                   write_card;
  logic                   write_core;
  assign write_card = write && !at.is_core;
  assign write_core = write && at.is_core && at.exists;
  assign control_o  = w_q;
  always_comb begin
    control_valid_o = '0;
    control_valid_o[at.core] = write_core && at.offset == CORE_CONTROL;
  end
  assign pending = stopped_i & ~acknowledged_q;
  assign irq_o   = pending & irq_enable_q[Cores-1:0];
  assign entry_o = entry_q;
  assign base_o  = base_q;
  assign limit_o = limit_q;

  logic [3:0] bus_errors;   // behind this cycle's clearing
  assign bus_errors = bus_error_q & ~(write_card && at.offset == CARD_BUS_ERROR ? w_q[3:0] : 4'b0);
  always_ff @(posedge clk_i) begin
    if (write_card && at.offset == CARD_SCRATCH)    scratch_q <= w_q;
    if (write_card && at.offset == CARD_IRQ_ENABLE) irq_enable_q <= w_q;
    if (write_core) begin
      unique case (at.offset)
        CORE_ENTRY:        entry_q[at.core] <= w_q;
        CORE_DRAM_BASE_LO: base_q[at.core][31:0] <= w_q;
        CORE_DRAM_BASE_HI: base_q[at.core][63:32] <= w_q;
        CORE_DRAM_LIMIT:   limit_q[at.core] <= w_q;
        default: ;
      endcase
    end
    acknowledged_q <= (acknowledged_q | (write_card && at.offset == CARD_IRQ_ACK ? w_q[Cores-1:0] : '0)) & stopped_i;
    bus_error_q    <= bus_errors | bus_error_i;
    if (bus_errors == '0 && bus_error_i != '0) bus_error_addr_q <= bus_error_addr_i;
    if (!rst_ni) begin
      scratch_q        <= '0;
      irq_enable_q     <= '0;
      acknowledged_q   <= '0;
      bus_error_q      <= '0;
      bus_error_addr_q <= '0;
      entry_q          <= '0;
      base_q           <= '0;
      limit_q          <= '0;
    end
  end

  // ---------------------------------------------------------------------------------------------------------- read port
  logic        read;
  place_t      from;
  logic        read_valid_q;
  logic [31:0] read_q;
  logic [31:0] value;
  logic [Cores-1:0][31:0] cycles_hi_q;         // as of the latest read of the lower word
  logic [Cores-1:0][31:0] instructions_hi_q;
  assign from           = place(axil_araddr_i[12:2]);
  assign axil_arready_o = !read_valid_q;
  assign axil_rvalid_o  = read_valid_q;
  assign axil_rdata_o   = read_q;
  assign axil_rresp_o   = OKAY;
  assign read           = axil_arvalid_i && axil_arready_o;
  always_comb begin
    value = '0;
    if (!from.is_core) begin
      unique case (from.offset)
        CARD_IDENT:        value = SOC_IDENT;
        CARD_VERSION:      value = SOC_VERSION;
        CARD_FINGERPRINT:  value = SOC_FINGERPRINT;
        CARD_CORES:        value = Cores;
        CARD_LANES:        value = Lanes;
        CARD_IMEM_BYTES:   value = ImemBytes;
        CARD_SMEM_BYTES:   value = SmemBytes;
        CARD_VMEM_BYTES:   value = VmemBytes;
        CARD_LANE_BYTES:   value = 2 * LlmHalfwords;
        CARD_DRAM_LO:      value = 32'(DramBytes);
        CARD_DRAM_HI:      value = 32'(DramBytes >> 32);
        CARD_DATA_WIDTH:   value = DataWidth;
        CARD_CLOCK_KHZ:    value = ClockKhz;
        CARD_SCRATCH:      value = scratch_q;
        CARD_IRQ_PENDING:  value = 32'(pending);
        CARD_IRQ_ENABLE:   value = irq_enable_q;
        CARD_BUS_ERROR:    value = 32'(bus_error_q);
        CARD_BUS_ERROR_LO: value = bus_error_addr_q[31:0];
        CARD_BUS_ERROR_HI: value = bus_error_addr_q[63:32];
        default: ;   // irq_ack among them
      endcase
    end else if (from.exists) begin
      unique case (from.offset)
        CORE_STATUS:          value = status_i[from.core];
        CORE_ENTRY:           value = entry_q[from.core];
        CORE_PC:              value = pc_i[from.core];
        CORE_TRAP_CAUSE:      value = trap_cause_i[from.core];
        CORE_TRAP_VALUE:      value = trap_value_i[from.core];
        CORE_CYCLES_LO:       value = cycles_i[from.core][31:0];
        CORE_CYCLES_HI:       value = cycles_hi_q[from.core];
        CORE_INSTRUCTIONS_LO: value = instructions_i[from.core][31:0];
        CORE_INSTRUCTIONS_HI: value = instructions_hi_q[from.core];
        CORE_DRAM_BASE_LO:    value = base_q[from.core][31:0];
        CORE_DRAM_BASE_HI:    value = base_q[from.core][63:32];
        CORE_DRAM_LIMIT:      value = limit_q[from.core];
        default: ;   // control among them
      endcase
    end
  end
  always_ff @(posedge clk_i) begin
    if (axil_rready_i) read_valid_q <= 1'b0;
    if (read) begin
      read_valid_q <= 1'b1;
      read_q       <= value;
      if (from.is_core && from.exists) begin
        if (from.offset == CORE_CYCLES_LO) cycles_hi_q[from.core] <= cycles_i[from.core][63:32];
        if (from.offset == CORE_INSTRUCTIONS_LO) instructions_hi_q[from.core] <= instructions_i[from.core][63:32];
      end
    end
    if (!rst_ni) begin
      read_valid_q      <= 1'b0;
      cycles_hi_q       <= '0;
      instructions_hi_q <= '0;
    end
  end

  logic unused;
  assign unused = ^{axil_awaddr_i[1:0], axil_araddr_i[1:0]};

endmodule
