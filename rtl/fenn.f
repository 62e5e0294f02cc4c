rtl/pkg/fenn_isa_pkg.sv
rtl/pkg/fenn_pkg.sv
rtl/fenn_top.sv
