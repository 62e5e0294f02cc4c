// Contract: what the modules of the core share: named configurations, the types of what passes between pipeline stages,
// and codes that the outside reads. Types, constants and pure functions only.
//
// Not here: encodings, CSR addresses and the memory map (fenn_isa_pkg, generated from the instruction table).
package fenn_pkg;

  // Named configurations. A design picks one with the top level's parameter Config and may override single sizes.
  typedef enum int unsigned {
    CONFIG_BOARD = 0,  // the published board: 32 lanes, 512 KiB of vector memory, 1024 halfwords a lane, a 128-bit port
    CONFIG_SMALL = 1,  // 8 lanes and small memories, for little devices and quick simulation
    CONFIG_WIDE  = 2   // as the board, with a 512-bit port: a row of DRAM every cycle
  } config_e;
  localparam int unsigned CONFIGS = 3;

  // One row a size, one column a configuration.
  typedef int unsigned sizes_t [CONFIGS];
  localparam sizes_t CONFIG_LANES         = '{32, 8, 32};                // 4, 8, 16 or 32
  localparam sizes_t CONFIG_IMEM_BYTES    = '{16384, 4096, 16384};       // instruction memory, a multiple of 4
  localparam sizes_t CONFIG_SMEM_BYTES    = '{131072, 4096, 131072};     // scalar memory, a multiple of 4
  localparam sizes_t CONFIG_VMEM_BYTES    = '{524288, 16384, 524288};    // vector memory, a power of two
  localparam sizes_t CONFIG_LLM_HALFWORDS = '{1024, 256, 1024};          // of one lane, a power of two up to 16384
  localparam sizes_t CONFIG_DRAM_BYTES    = '{1 << 28, 1 << 20, 1 << 28};// what the DMA engine may reach, up to 2^31
  localparam sizes_t CONFIG_AXI_WIDTH     = '{128, 32, 512};             // bits of its port, 32 to 512, at most a row
  localparam sizes_t CONFIG_AXI_BURST     = '{256, 16, 16};              // most beats of a burst, 16 or 256

  // Entries of the branch target buffer, a power of two.
  localparam int unsigned BTB_ENTRIES = 16;

  // Why the core stands still.
  typedef enum logic [2:0] {
    HALT_RESET   = 3'd0,  // it has not run since the reset
    HALT_REQUEST = 3'd1,  // halt_i
    HALT_STEP    = 3'd2,  // one instruction was asked for
    HALT_ECALL   = 3'd3,
    HALT_EBREAK  = 3'd4,
    HALT_TRAP    = 3'd5   // an exception without a handler, or of the handler's first instruction
  } halt_e;

  // The memories, numbered as in the memory map.
  typedef enum logic [1:0] {
    SPACE_INSTRUCTION = 2'd0,
    SPACE_SCALAR      = 2'd1,
    SPACE_VECTOR      = 2'd2,
    SPACE_LANE        = 2'd3
  } space_e;

  // mcause.
  typedef enum logic [2:0] {
    EXC_FETCH_MISALIGNED = 3'd0,
    EXC_FETCH_FAULT      = 3'd1,
    EXC_ILLEGAL          = 3'd2,
    EXC_LOAD_MISALIGNED  = 3'd4,
    EXC_LOAD_FAULT       = 3'd5,
    EXC_STORE_MISALIGNED = 3'd6,
    EXC_STORE_FAULT      = 3'd7
  } exception_e;

  // What the scalar arithmetic unit does: the upper two bits are a group, the lower three an operation in it.
  typedef enum logic [4:0] {
    ALU_ADD   = 5'b00_000, ALU_SUB   = 5'b00_001,
    // Bit by bit; operand b can be inverted first. MIN and MAX end as A or B.
    ALU_XOR   = 5'b01_000, ALU_OR    = 5'b01_001, ALU_AND   = 5'b01_010, ALU_B     = 5'b01_011,
    ALU_MIN   = 5'b01_100, ALU_MINU  = 5'b01_101, ALU_MAX   = 5'b01_110, ALU_MAXU  = 5'b01_111,
    ALU_SLL   = 5'b10_000, ALU_ROL   = 5'b10_001, ALU_SRL   = 5'b10_010, ALU_ROR   = 5'b10_011, ALU_SRA = 5'b10_100,
    ALU_SLT   = 5'b11_000, ALU_SLTU  = 5'b11_001, ALU_CLZ   = 5'b11_010, ALU_CTZ   = 5'b11_011,
    ALU_SEXTB = 5'b11_100, ALU_XEXTH = 5'b11_101, ALU_ORCB  = 5'b11_110, ALU_REV8  = 5'b11_111
  } alu_e;

  // Which bits of the word are operand b, where it is no register.
  typedef enum logic [2:0] {
    IMM_I, IMM_U, IMM_FOUR, IMM_V16  // IMM_V16: the 16 bits of vlui
  } imm_e;

  // What a scalar instruction hands from X to W.
  typedef enum logic [2:0] {
    RES_ALU, RES_CPOP, RES_CSR, RES_MASK, RES_LANE, RES_DIV
  } result_e;

  // Where a scalar result comes from in W.
  typedef enum logic [1:0] {
    WS_X,     // what X handed over
    WS_LOAD,  // scalar memory
    WS_MUL,   // the multiplier's second stage
    WS_NEG    // what X handed over, negated: a division
  } wsrc_e;

  // Which lane result X forms.
  typedef enum logic [1:0] {
    VR_ADD, VR_AND, VR_SHIFT, VR_RNG
  } vresult_e;

  // Where a lane result comes from in W.
  typedef enum logic [1:0] {
    VW_X, VW_MUL, VW_MEM
  } vwsrc_e;

  // Which bits of vs1 the lane adder takes.
  typedef enum logic [1:0] {
    VM_ONES, VM_ZERO, VM_LOW  // VM_LOW: as many as the shift says
  } vmask_e;

  // A decoded instruction: what D needs to know of it, and what X and W do.
  typedef struct packed {
    logic     legal;
    // What it reads.
    logic     rs1;
    logic     rs2;
    logic     vs1;
    logic     vs2;
    logic     draws;     // the generators advance
    // What it writes, and whether that is known in W only.
    logic     x_we;
    logic     v_we;
    logic     late;
    // Scalar unit.
    alu_e     alu;
    logic     b_inv;
    logic     a_pc;
    logic     b_imm;
    imm_e     imm;
    result_e  result;
    wsrc_e    wsrc;
    logic     branch;
    logic     jal;
    logic     jalr;
    logic     mret;
    logic     load;      // from scalar memory
    logic     store;
    logic     div;
    logic     csr;
    logic     ecall;
    logic     ebreak;
    // Vector unit.
    logic     v_sub;
    logic     v_sat;
    logic     v_scalar;  // the adder's second operand is the scalar one
    logic     v_fill;
    vmask_e   v_mask;
    vresult_e v_result;
    logic     v_left;
    logic     v_amount;  // the shift amount is vs2's, not the word's
    logic     v_imm;     // the word has it where immediates are, not above
    logic     v_alt;     // vs2 is the constant 1
    logic     v_nearest; // rounding
    logic     v_sel;
    vwsrc_e   v_wsrc;
    logic     v_load;    // from vector memory
    logic     v_store;
    logic     l_load;    // from lane-local memory
    logic     l_store;
    logic     rng0;      // loads half of the generators' states
    logic     rng1;
  } ctl_t;

  // Control of the vector unit in X. Flags of memory accesses and draws are qualified: they are 0 where there is no
  // instruction.
  typedef struct packed {
    logic        sub;
    logic        sat;
    logic        scalar;
    logic [15:0] mask;     // of vs1 at the adder; of the random word where it rounds
    logic [14:0] nearest;  // what rounding to nearest adds
    vresult_e    result;
    logic        early;    // the result is known in X
    logic        left;
    logic        amount;
    logic [3:0]  shift;
    logic        draw;
    logic        sel;
    logic        l_load;
    logic        l_store;
    logic        saturate; // the product
  } vx_t;

  // Control of the vector unit in W.
  typedef struct packed {
    logic        we;
    logic [4:0]  vd;
    logic        mul;
    logic [3:0]  shift;
    logic [15:0] check;    // bits 30 to 15 of the shifted sum that must equal its sign, or it saturates
    logic        rng0;
    logic        rng1;
  } vw_t;

  // What the retirement port is told by the scalar core.
  typedef struct packed {
    logic        counting;  // this cycle of D counts
    logic        stop;      // X halts the core
    logic        d_go;
    logic [31:0] d_pc;
    logic [31:0] d_word;
    logic        x_commit;  // an instruction leaves X, executed
    logic        x_trap;    // or not
    logic [2:0]  x_cause;
    logic [31:0] x_tval;
    logic        x_second;  // the second access of two
    logic [31:0] x_addr;
    logic        x_store;
    logic        x_vstore;
    logic        x_lstore;
    logic [2:0]  x_bytes;
    logic [31:0] x_data;
    logic        w_we;
    logic [4:0]  w_rd;
    logic [31:0] w_value;
  } trace_t;

  // How an operand in D is formed.
  typedef enum logic [1:0] {
    OP_RF, OP_X, OP_W, OP_ALT
  } operand_e;

endpackage
