# Makes a Vivado project with a card for one board: an XDMA, the cores of fenn_soc, and DDR4.
#
#     vivado -mode batch -source host-driver/board/vivado/project.tcl -tclargs FOLDER [CORES]
#
# NOT RUN HERE: written from the documents of the IP (PG195 XDMA, PG150 DDR4, PG247 SmartConnect, PG065 clocks), for Vivado 2023.2
# and the VCU128. No bitstream has been made from it. What another board needs is all in the first block.
#
#   PCI Express x8 -- xdma -- M_AXI      (256 bits, 250 MHz) -- smartconnect -- s_axi_host -- fenn_soc -- m_axi_dram -- smartconnect -- ddr4
#                          \_ M_AXI_LITE (32 bits)           -- smartconnect -- s_axil    _/
#                          <- usr_irq_req ------------------------------------- irq

# ------------------------------------------------------------------------------------------------------------------ board
set part       xcvu37p-fsvh2892-2L-e
set board_part xilinx.com:vcu128:part0:1.0
# Names of the board's interfaces, as its board file has them.
array set interface {
    pcie      pci_express_x8
    perst     pcie_perstn
    refclk    pcie_refclk
    ddr4      ddr4_sdram
    ddr4_clk  default_100mhz_clk
}
set dram_bytes 4294967296
set data_width 256
set core_mhz   150

set folder [lindex $argv 0]
set cores  [expr {[llength $argv] > 1 ? [lindex $argv 1] : 1}]
if {$folder eq "" || ![string is integer -strict $cores] || $cores < 1 || $cores > 16} {
    error "usage: -tclargs FOLDER \[CORES, 1 to 16\]"
}
set here [file dirname [file normalize [info script]]]
set top  [file normalize $here/../../..]

# ---------------------------------------------------------------------------------------------------------------- sources
create_project fenn_card $folder -part $part
set_property board_part $board_part [current_project]
foreach {role name} [array get interface] {
    if {[lsearch -exact [get_board_component_interfaces] $name] < 0} {
        error "$board_part has no interface $name for $role; it has: [lsort [get_board_component_interfaces]]"
    }
}
foreach list {rtl/fenn.f rtl/soc.f} {
    set file [open $top/$list]
    foreach line [split [read $file] "\n"] {
        set line [string trim $line]
        if {[string match *.sv $line]} { add_files -norecurse $top/$line }
    }
    close $file
}
add_files -norecurse $here/fenn_soc_board.v
add_files -fileset constrs_1 -norecurse $here/board.xdc

# ----------------------------------------------------------------------------------------------------------- block design
create_bd_design card

proc ip {vlnv name properties} {
    set cell [create_bd_cell -type ip -vlnv $vlnv $name]
    if {[llength $properties]} { set_property -dict $properties $cell }
    return $cell
}
# A port of the board at an IP's interface.
proc board {name pin} {
    set object [get_bd_intf_pins -quiet $pin]
    if {$object eq ""} { set object [get_bd_pins $pin] }
    apply_bd_automation -rule xilinx.com:bd_rule:board -config [list Board_Interface $name] $object
}

# The reference clock of PCI Express comes through its own buffer.
ip xilinx.com:ip:util_ds_buf pcie_clock [list CONFIG.C_BUF_TYPE IBUFDSGTE CONFIG.DIFF_CLK_IN_BOARD_INTERFACE $interface(refclk)]
board $interface(refclk) pcie_clock/CLK_IN_D

# Gen3 x8: 256 bits at 250 MHz. One channel each way. BARs: 0 the registers (AXI-Lite), 1 the XDMA's own.
# An interrupt of the user's for each core; MSI-X has a vector for each and for both channels.
ip xilinx.com:ip:xdma xdma [list \
    CONFIG.functional_mode            DMA \
    CONFIG.mode_selection             Advanced \
    CONFIG.pl_link_cap_max_link_width X8 \
    CONFIG.pl_link_cap_max_link_speed 8.0_GT/s \
    CONFIG.axi_data_width             ${data_width}_bit \
    CONFIG.axisten_freq               250 \
    CONFIG.axi_id_width               4 \
    CONFIG.xdma_rnum_chnl             1 \
    CONFIG.xdma_wnum_chnl             1 \
    CONFIG.xdma_axi_intf_mm           AXI_Memory_Mapped \
    CONFIG.axilite_master_en          true \
    CONFIG.axilite_master_scale       Kilobytes \
    CONFIG.axilite_master_size        64 \
    CONFIG.xdma_num_usr_irq           $cores \
    CONFIG.pf0_msix_enabled           true \
    CONFIG.PCIE_BOARD_INTERFACE       $interface(pcie) \
    CONFIG.SYS_RST_N_BOARD_INTERFACE  $interface(perst) \
]
board $interface(pcie) xdma/pcie_mgt
board $interface(perst) xdma/sys_rst_n
connect_bd_net [get_bd_pins pcie_clock/IBUF_OUT] [get_bd_pins xdma/sys_clk_gt]
connect_bd_net [get_bd_pins pcie_clock/IBUF_DS_ODIV2] [get_bd_pins xdma/sys_clk]

# DRAM, with its own clock and reset.
ip xilinx.com:ip:ddr4 ddr4 [list \
    CONFIG.C0_DDR4_BOARD_INTERFACE        $interface(ddr4) \
    CONFIG.C0_CLOCK_BOARD_INTERFACE       $interface(ddr4_clk) \
    CONFIG.C0.DDR4_AxiDataWidth           512 \
]
board $interface(ddr4) ddr4/C0_DDR4
board $interface(ddr4_clk) ddr4/C0_SYS_CLK

# The cores' clock is made from that of the XDMA, so there is none without a link, and no host that could tell.
ip xilinx.com:ip:clk_wiz core_clock [list \
    CONFIG.PRIM_IN_FREQ 250 CONFIG.PRIM_SOURCE No_buffer CONFIG.CLKOUT1_REQUESTED_OUT_FREQ $core_mhz \
    CONFIG.RESET_TYPE ACTIVE_LOW \
]
ip xilinx.com:ip:proc_sys_reset core_reset {}
ip xilinx.com:ip:proc_sys_reset ddr4_reset {}
connect_bd_net [get_bd_pins xdma/axi_aclk] [get_bd_pins core_clock/clk_in1]
connect_bd_net [get_bd_pins xdma/axi_aresetn] [get_bd_pins core_clock/resetn] [get_bd_pins core_reset/ext_reset_in]
connect_bd_net [get_bd_pins core_clock/locked] [get_bd_pins core_reset/dcm_locked]
connect_bd_net [get_bd_pins core_clock/clk_out1] [get_bd_pins core_reset/slowest_sync_clk]
connect_bd_net [get_bd_pins ddr4/c0_ddr4_ui_clk] [get_bd_pins ddr4_reset/slowest_sync_clk]
connect_bd_net [get_bd_pins ddr4/c0_ddr4_ui_clk_sync_rst] [get_bd_pins ddr4_reset/ext_reset_in]
connect_bd_net [get_bd_pins ddr4_reset/peripheral_aresetn] [get_bd_pins ddr4/c0_ddr4_aresetn]
# The DDR4 controller starts once the machine lets go of the card.
ip xilinx.com:ip:util_vector_logic ddr4_start [list CONFIG.C_OPERATION not CONFIG.C_SIZE 1]
connect_bd_net [get_bd_pins xdma/axi_aresetn] [get_bd_pins ddr4_start/Op1]
connect_bd_net [get_bd_pins ddr4_start/Res] [get_bd_pins ddr4/sys_rst]

create_bd_cell -type module -reference fenn_soc_board cores
set_property -dict [list CONFIG.Cores $cores CONFIG.DataWidth $data_width CONFIG.DramBytes $dram_bytes \
    CONFIG.ClockKhz [expr {$core_mhz * 1000}]] [get_bd_cells cores]
connect_bd_net [get_bd_pins core_clock/clk_out1] [get_bd_pins cores/clk]
connect_bd_net [get_bd_pins core_reset/peripheral_aresetn] [get_bd_pins cores/rst_n]
connect_bd_net [get_bd_pins xdma/axi_aclk] [get_bd_pins cores/xdma_clk]
connect_bd_net [get_bd_pins cores/irq] [get_bd_pins xdma/usr_irq_req]

# Each crossing of clocks and widths is a SmartConnect with two clocks.
proc crossing {name from from_clock from_reset to to_clock} {
    ip xilinx.com:ip:smartconnect $name [list CONFIG.NUM_SI 1 CONFIG.NUM_MI 1 CONFIG.NUM_CLKS 2]
    connect_bd_intf_net [get_bd_intf_pins $from] [get_bd_intf_pins $name/S00_AXI]
    connect_bd_intf_net [get_bd_intf_pins $name/M00_AXI] [get_bd_intf_pins $to]
    connect_bd_net [get_bd_pins $from_clock] [get_bd_pins $name/aclk]
    connect_bd_net [get_bd_pins $to_clock] [get_bd_pins $name/aclk1]
    connect_bd_net [get_bd_pins $from_reset] [get_bd_pins $name/aresetn]
}
crossing to_memories xdma/M_AXI      xdma/axi_aclk       xdma/axi_aresetn              cores/s_axi_host    core_clock/clk_out1
crossing to_registers xdma/M_AXI_LITE xdma/axi_aclk      xdma/axi_aresetn              cores/s_axil        core_clock/clk_out1
crossing to_dram     cores/m_axi_dram core_clock/clk_out1 core_reset/peripheral_aresetn ddr4/C0_DDR4_S_AXI ddr4/c0_ddr4_ui_clk

# What isa/MANUAL.md says under "A card, as a host sees it": the memory space from 0, the registers at 0 of their BAR, DRAM from 0 behind the cores.
assign_bd_address -offset 0x0 -range 8G -target_address_space [get_bd_addr_spaces xdma/M_AXI] \
    [get_bd_addr_segs cores/s_axi_host/reg0] -force
assign_bd_address -offset 0x0 -range 8K -target_address_space [get_bd_addr_spaces xdma/M_AXI_LITE] \
    [get_bd_addr_segs cores/s_axil/reg0] -force
assign_bd_address -offset 0x0 -range $dram_bytes -target_address_space [get_bd_addr_spaces cores/m_axi_dram] \
    [get_bd_addr_segs ddr4/C0_DDR4_MEMORY_MAP/C0_DDR4_ADDRESS_BLOCK] -force

validate_bd_design
save_bd_design
make_wrapper -files [get_files card.bd] -top -import
set_property top card_wrapper [current_fileset]
puts "made $folder/fenn_card.xpr: launch_runs impl_1 -to_step write_bitstream"
