#include "fenn-verilated/shim/soc.h"

#include <string>

#if FENN_MODEL_soc_board
#include "Vfenn_soc_board.h"
#endif
#if FENN_MODEL_soc_mutants
#include "Vfenn_soc_mutants.h"
#endif
#if FENN_MODEL_soc_two
#include "Vfenn_soc_two.h"
#endif
#if FENN_MODEL_soc_four
#include "Vfenn_soc_four.h"
#endif
#include "fenn-verilated/shim/words.h"
#include "fenn-verilated/src/soc/ports.rs.h"
#include "verilated.h"

namespace fenn {
namespace {

template <class Top>
class SocModelOf final : public SocModel {
public:
    explicit SocModelOf(std::uint32_t mutant) {
        const std::string plus = "+mutant=" + std::to_string(mutant);
        const char* arguments[] = {"fenn", plus.c_str()};
        context_.commandArgs(2, arguments);
        // An assertion that fails is an error of whoever drives the pins, not the end of the process.
        context_.fatalOnError(false);
        top_.clk_i = 0;
        top_.rst_ni = 0;
        top_.eval();
    }

    ~SocModelOf() override {
        // The model leaves the thread's context, which may be that of another card, and gone with it.
        Verilated::threadContextp(&context_);
        top_.final();
    }

    bool cycle(const SocInputs& in, SocOutputs& out) override {
        // Where a failing assertion reports to.
        Verilated::threadContextp(&context_);
        drive(in);
        top_.clk_i = 1;
        top_.eval();
        top_.clk_i = 0;
        top_.eval();
        show(out);
        return !context_.gotError();
    }

private:
    void drive(const SocInputs& in) {
        top_.rst_ni = !in.reset;
        top_.axil_awvalid_i = in.axil_awvalid;
        top_.axil_awaddr_i = in.axil_awaddr;
        top_.axil_wvalid_i = in.axil_wvalid;
        top_.axil_wdata_i = in.axil_wdata;
        top_.axil_wstrb_i = in.axil_wstrb;
        top_.axil_bready_i = in.axil_bready;
        top_.axil_arvalid_i = in.axil_arvalid;
        top_.axil_araddr_i = in.axil_araddr;
        top_.axil_rready_i = in.axil_rready;
        top_.host_arvalid_i = in.host_arvalid;
        top_.host_arid_i = in.host_arid;
        top_.host_araddr_i = in.host_araddr;
        top_.host_arlen_i = in.host_arlen;
        top_.host_arsize_i = in.host_arsize;
        top_.host_arburst_i = in.host_arburst;
        top_.host_rready_i = in.host_rready;
        top_.host_awvalid_i = in.host_awvalid;
        top_.host_awid_i = in.host_awid;
        top_.host_awaddr_i = in.host_awaddr;
        top_.host_awlen_i = in.host_awlen;
        top_.host_awsize_i = in.host_awsize;
        top_.host_awburst_i = in.host_awburst;
        top_.host_wvalid_i = in.host_wvalid;
        if (in.host_wvalid) set(top_.host_wdata_i, in.host_wdata);
        top_.host_wstrb_i = in.host_wstrb;
        top_.host_wlast_i = in.host_wlast;
        top_.host_bready_i = in.host_bready;
        top_.dram_arready_i = in.dram_arready;
        top_.dram_rvalid_i = in.dram_rvalid;
        if (in.dram_rvalid) set(top_.dram_rdata_i, in.dram_rdata);
        top_.dram_rresp_i = in.dram_rresp;
        top_.dram_rlast_i = in.dram_rlast;
        top_.dram_awready_i = in.dram_awready;
        top_.dram_wready_i = in.dram_wready;
        top_.dram_bvalid_i = in.dram_bvalid;
        top_.dram_bresp_i = in.dram_bresp;
    }

    void show(SocOutputs& out) {
        out.irq = top_.irq_o;
        out.axil_awready = top_.axil_awready_o;
        out.axil_wready = top_.axil_wready_o;
        out.axil_bvalid = top_.axil_bvalid_o;
        out.axil_bresp = top_.axil_bresp_o;
        out.axil_arready = top_.axil_arready_o;
        out.axil_rvalid = top_.axil_rvalid_o;
        out.axil_rdata = top_.axil_rdata_o;
        out.axil_rresp = top_.axil_rresp_o;
        out.host_arready = top_.host_arready_o;
        out.host_rvalid = top_.host_rvalid_o;
        out.host_rid = top_.host_rid_o;
        if (out.host_rvalid) get(out.host_rdata, top_.host_rdata_o);
        out.host_rresp = top_.host_rresp_o;
        out.host_rlast = top_.host_rlast_o;
        out.host_awready = top_.host_awready_o;
        out.host_wready = top_.host_wready_o;
        out.host_bvalid = top_.host_bvalid_o;
        out.host_bid = top_.host_bid_o;
        out.host_bresp = top_.host_bresp_o;
        out.dram_arvalid = top_.dram_arvalid_o;
        out.dram_araddr = top_.dram_araddr_o;
        out.dram_arlen = top_.dram_arlen_o;
        out.dram_arsize = top_.dram_arsize_o;
        out.dram_arburst = top_.dram_arburst_o;
        out.dram_rready = top_.dram_rready_o;
        out.dram_awvalid = top_.dram_awvalid_o;
        out.dram_awaddr = top_.dram_awaddr_o;
        out.dram_awlen = top_.dram_awlen_o;
        out.dram_awsize = top_.dram_awsize_o;
        out.dram_awburst = top_.dram_awburst_o;
        out.dram_wvalid = top_.dram_wvalid_o;
        if (out.dram_wvalid) get(out.dram_wdata, top_.dram_wdata_o);
        out.dram_wstrb = top_.dram_wstrb_o;
        out.dram_wlast = top_.dram_wlast_o;
        out.dram_bready = top_.dram_bready_o;
    }

    // Before the model, which leans on it.
    VerilatedContext context_;
    Top top_{&context_};
};

}  // namespace

std::unique_ptr<SocModel> make_soc(rust::Str name, std::uint32_t mutant) {
    const std::string wanted(name);
#if FENN_MODEL_soc_board
    if (wanted == "soc_board") return std::make_unique<SocModelOf<Vfenn_soc_board>>(mutant);
#endif
#if FENN_MODEL_soc_two
    if (wanted == "soc_two") return std::make_unique<SocModelOf<Vfenn_soc_two>>(mutant);
#endif
#if FENN_MODEL_soc_four
    if (wanted == "soc_four") return std::make_unique<SocModelOf<Vfenn_soc_four>>(mutant);
#endif
#if FENN_MODEL_soc_mutants
    if (wanted == "soc_mutants") return std::make_unique<SocModelOf<Vfenn_soc_mutants>>(mutant);
#endif
    return nullptr;
}

}  // namespace fenn
