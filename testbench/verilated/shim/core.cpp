#include "fenn-verilated/shim/core.h"

#include <string>

#if FENN_MODEL_board
#include "Vfenn_board.h"
#endif
#if FENN_MODEL_compact
#include "Vfenn_compact.h"
#endif
#if FENN_MODEL_eight
#include "Vfenn_eight.h"
#endif
#if FENN_MODEL_four
#include "Vfenn_four.h"
#endif
#if FENN_MODEL_mutants
#include "Vfenn_mutants.h"
#endif
#if FENN_MODEL_sixteen
#include "Vfenn_sixteen.h"
#endif
#if FENN_MODEL_wide
#include "Vfenn_wide.h"
#endif
#include "fenn-verilated/shim/words.h"
#include "fenn-verilated/src/ports.rs.h"
#include "verilated.h"
#include "verilated_fst_c.h"
#if VM_COVERAGE
#include "verilated_cov.h"
#endif

namespace fenn {
namespace {

template <class Top>
class ModelOf final : public Model {
public:
    explicit ModelOf(std::uint32_t mutant) {
        const std::string plus = "+mutant=" + std::to_string(mutant);
        const char* arguments[] = {"fenn", plus.c_str()};
        context_.commandArgs(2, arguments);
        context_.traceEverOn(true);
        top_.clk_i = 0;
        top_.rst_ni = 0;
        top_.eval();
    }

    ~ModelOf() override {
        close_wave();
        top_.final();
    }

    void cycle(const Inputs& in, Outputs& out) override {
        drive(in);
        if (wave_) {
            top_.eval();
            wave_->dump(time_ + 4);
        }
        top_.clk_i = 1;
        top_.eval();
        time_ += 10;
        if (wave_) wave_->dump(time_);
        top_.clk_i = 0;
        top_.eval();
        if (wave_) wave_->dump(time_ + 2);
        show(out);
    }

    bool host_ready(const Inputs& in) override {
        drive(in);
        top_.eval();
        return top_.host_ready_o;
    }

    void open_wave(rust::Str path) override {
        close_wave();
        wave_ = std::make_unique<VerilatedFstC>();
        top_.trace(wave_.get(), 99);
        wave_->open(std::string(path).c_str());
    }

    void close_wave() override {
        if (wave_) wave_->close();
        wave_.reset();
    }

    void write_coverage(rust::Str path) override {
#if VM_COVERAGE
        context_.coveragep()->write(std::string(path).c_str());
#else
        (void)path;
#endif
    }

private:
    void drive(const Inputs& in) {
        top_.rst_ni = !in.reset;
        top_.entry_i = in.entry;
        top_.jump_i = 0;
        top_.dram_limit_i = 0;  // the parameter DramBytes counts
        top_.run_i = in.run;
        top_.step_i = in.step;
        top_.halt_i = in.halt;
        top_.host_valid_i = in.host_valid;
        top_.host_write_i = in.host_write;
        top_.host_space_i = in.host_space;
        top_.host_addr_i = in.host_addr;
        top_.host_wdata_i = in.host_wdata;
        top_.axi_arready_i = in.axi_arready;
        top_.axi_rvalid_i = in.axi_rvalid;
        if (in.axi_rvalid) set(top_.axi_rdata_i, in.axi_rdata);
        top_.axi_rresp_i = in.axi_rresp;
        top_.axi_rlast_i = in.axi_rlast;
        top_.axi_awready_i = in.axi_awready;
        top_.axi_wready_i = in.axi_wready;
        top_.axi_bvalid_i = in.axi_bvalid;
        top_.axi_bresp_i = in.axi_bresp;
    }

    void show(Outputs& out) {
        out.halted = top_.halted_o;
        out.halt_cause = top_.halt_cause_o;
        out.trap_cause = top_.trap_cause_o;
        out.trap_value = top_.trap_value_o;
        out.pc = top_.pc_o;
        out.host_ready = top_.host_ready_o;
        out.host_rvalid = top_.host_rvalid_o;
        out.host_rdata = top_.host_rdata_o;
        out.axi_arvalid = top_.axi_arvalid_o;
        out.axi_araddr = top_.axi_araddr_o;
        out.axi_arlen = top_.axi_arlen_o;
        out.axi_arsize = top_.axi_arsize_o;
        out.axi_arburst = top_.axi_arburst_o;
        out.axi_rready = top_.axi_rready_o;
        out.axi_awvalid = top_.axi_awvalid_o;
        out.axi_awaddr = top_.axi_awaddr_o;
        out.axi_awlen = top_.axi_awlen_o;
        out.axi_awsize = top_.axi_awsize_o;
        out.axi_awburst = top_.axi_awburst_o;
        out.axi_wvalid = top_.axi_wvalid_o;
        if (out.axi_wvalid) get(out.axi_wdata, top_.axi_wdata_o);
        out.axi_wstrb = top_.axi_wstrb_o;
        out.axi_wlast = top_.axi_wlast_o;
        out.axi_bready = top_.axi_bready_o;
        out.issue = top_.issue_o;
        out.cycle = top_.cycle_o;
        out.ret_valid = top_.ret_valid_o;
        if (out.ret_valid) retirement(out);
    }

    void retirement(Outputs& out) {
        out.ret_cycle = top_.ret_cycle_o;
        out.ret_pc = top_.ret_pc_o;
        out.ret_word = top_.ret_word_o;
        out.ret_trap = top_.ret_trap_o;
        out.ret_cause = top_.ret_cause_o;
        out.ret_tval = top_.ret_tval_o;
        out.ret_x_we = top_.ret_x_we_o;
        out.ret_x_rd = top_.ret_x_rd_o;
        out.ret_x_value = top_.ret_x_value_o;
        out.ret_v_we = top_.ret_v_we_o;
        out.ret_v_vd = top_.ret_v_vd_o;
        out.ret_v_lanes = top_.ret_v_lanes_o;
        get(out.ret_v_value, top_.ret_v_value_o);
        out.ret_m_we = top_.ret_m_we_o;
        out.ret_m_space = top_.ret_m_space_o;
        out.ret_m_addr = top_.ret_m_addr_o;
        out.ret_m_bytes = top_.ret_m_bytes_o;
        out.ret_m_lanes = top_.ret_m_lanes_o;
        get(out.ret_m_rows, top_.ret_m_rows_o);
        get(out.ret_m_data, top_.ret_m_data_o);
        get(out.ret_rng_s0, top_.ret_rng_s0_o);
        get(out.ret_rng_s1, top_.ret_rng_s1_o);
    }

    // Before the model, which leans on it.
    VerilatedContext context_;
    Top top_{&context_};
    std::unique_ptr<VerilatedFstC> wave_;
    std::uint64_t time_ = 0;
};

}  // namespace

std::unique_ptr<Model> make(rust::Str name, std::uint32_t mutant) {
    const std::string wanted(name);
#if FENN_MODEL_board
    if (wanted == "board") return std::make_unique<ModelOf<Vfenn_board>>(mutant);
#endif
#if FENN_MODEL_wide
    if (wanted == "wide") return std::make_unique<ModelOf<Vfenn_wide>>(mutant);
#endif
#if FENN_MODEL_compact
    if (wanted == "compact") return std::make_unique<ModelOf<Vfenn_compact>>(mutant);
#endif
#if FENN_MODEL_four
    if (wanted == "four") return std::make_unique<ModelOf<Vfenn_four>>(mutant);
#endif
#if FENN_MODEL_eight
    if (wanted == "eight") return std::make_unique<ModelOf<Vfenn_eight>>(mutant);
#endif
#if FENN_MODEL_sixteen
    if (wanted == "sixteen") return std::make_unique<ModelOf<Vfenn_sixteen>>(mutant);
#endif
#if FENN_MODEL_mutants
    if (wanted == "mutants") return std::make_unique<ModelOf<Vfenn_mutants>>(mutant);
#endif
    return nullptr;
}

}  // namespace fenn
