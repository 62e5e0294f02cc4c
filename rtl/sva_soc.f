rtl/sva/fenn_axi_sva.sv
rtl/sva/fenn_axil_sva.sv
rtl/sva/fenn_soc_control_sva.sv
rtl/sva/fenn_soc_region_sva.sv
rtl/sva/fenn_soc_words_sva.sv
rtl/sva/fenn_soc_sva.sv
