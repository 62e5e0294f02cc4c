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

endpackage
