# NOT RUN HERE. Constraints beside those of the board file, which has the pins, and of the IP, which has its own clocks.

# PCI Express' reference clock, 100 MHz, at its buffer.
create_clock -name pcie_refclk -period 10.000 [get_pins -hierarchical -filter {NAME =~ *pcie_clock*IBUF_OUT*}]

# The card's reset by the machine comes when it likes.
set_false_path -from [get_ports -filter {NAME =~ *perst*}]

# Interrupts are levels that change seldom; two registers in fenn_soc_board.v take them into the XDMA's clock.
set_false_path -to [get_pins -hierarchical -filter {NAME =~ *cores*irq_meta_q_reg*/D}]

# A bitstream that is read from flash in time for the machine's look at its slots.
set_property BITSTREAM.GENERAL.COMPRESS TRUE [current_design]
set_property BITSTREAM.CONFIG.SPI_BUSWIDTH 4 [current_design]
set_property BITSTREAM.CONFIG.UNUSEDPIN PULLDOWN [current_design]
