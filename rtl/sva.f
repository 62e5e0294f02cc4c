rtl/sva/fenn_core_sva.sv
rtl/sva/fenn_dma_sva.sv
rtl/sva/fenn_host_sva.sv
rtl/sva/fenn_top_sva.sv
rtl/sva/fenn_vector_sva.sv
rtl/sva/fenn_vmem_ram_sva.sv
