//! Seeds of the lanes' random number generators: the same function for the compiler and the assembler.

pub use fenn_isa::seed::generator_seeds;
