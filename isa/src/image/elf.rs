//! An image as an ELF file.
