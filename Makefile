# The front door. Every target is a command that CI or a person runs; `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo test check gen lint synth synth-figures synth-record bench cosim cosim-long coverage-rtl fuzz-assembler doc \
    clean setup setup-rtl setup-synth show-keystone show-assembler show-compiler show-simulator \
    show-rtl show-host show-programs test-xdma

CARGO ?= cargo
OUT   := out
BIN   := target/release
# As the tests build it: the core's C++ is optimised in every profile.
COSIM := $(CARGO) run --quiet -p fenn-verilated --bin fenn-cosim
# What only the documentation needs; another version is another folder, so a change of it installs anew.
MDBOOK_VERSION := 0.5.4
TOOLS          := target/tools/mdbook-$(MDBOOK_VERSION)
MDBOOK         := $(TOOLS)/bin/mdbook
# And what only fuzzing does.
FUZZ_VERSION := 0.13.2
FUZZ_TOOLS   := target/tools/cargo-fuzz-$(FUZZ_VERSION)
CARGO_FUZZ   := $(FUZZ_TOOLS)/bin/cargo-fuzz
# The synthesis tools, whose versions rtl/synth/requirements.txt has.
EDA            := target/eda

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## compile the shipped Yin-Yang network, run its 1,000 test samples on the simulator, write a report
	$(CARGO) build --release --quiet -p fenn-compiler -p fenn-host -p fenn-yin-yang
	mkdir -p $(OUT)/demo
	$(BIN)/yin-yang data --split test --out-spikes $(OUT)/demo/spikes.npy --labels $(OUT)/demo/labels.npy
	$(BIN)/yin-yang evaluate programs/yin-yang/yin-yang.nir --split test
	$(BIN)/fenn-cc programs/yin-yang/yin-yang.nir --dt 0.0005 --steps 80 --readout max --record all -o $(OUT)/demo/yin-yang.elf
	$(BIN)/fenn-run $(OUT)/demo/yin-yang.elf --data $(OUT)/demo/spikes.npy --labels $(OUT)/demo/labels.npy \
	    --report $(OUT)/demo/report.html
	@echo "report: $(OUT)/demo/report.html"

test: setup setup-rtl check lint ## install what the tests need, then every check and every test
	$(CARGO) test --workspace --all-features --no-fail-fast

# With XDMA_KO=path/to/xdma.ko the guest has that kernel module, the user's own, and the card is a model of one.
test-xdma: ## opt-in: the XDMA driver's devices in a QEMU guest (XDMA_KO=xdma.ko, else an emulation of them); minutes
	FENN_VERILATED_MODELS=soc_board nice $(CARGO) build --release --quiet --bins -p fenn-host -p fenn-compiler -p fenn-yin-yang \
	    -p fenn-guest-test $(if $(XDMA_KO),-p fenn-card)
	mkdir -p $(OUT)/test-xdma
	$(BIN)/yin-yang data --split test --out-spikes $(OUT)/test-xdma/spikes.npy --labels $(OUT)/test-xdma/labels.npy
	$(BIN)/fenn-cc programs/yin-yang/yin-yang.nir --dt 0.0005 --steps 80 --readout max -o $(OUT)/test-xdma/network.elf
	python3 testbench/guest/run.py

check: ## formatting, clippy, documentation, layering
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --all-features --quiet -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --quiet
	ci/layering.sh

gen: ## write the files that are read off the tables and the tools; read the diff
	$(CARGO) run --quiet -p fenn-isa --bin isa-gen
	$(CARGO) build --quiet --workspace --bins
	target/debug/book-gen

lint: ## the SystemVerilog, by Verilator
	verilator --lint-only -Wall rtl/lint/waivers.vlt rtl/pkg/fenn_isa_pkg.sv rtl/lint/fenn_isa_pkg_top.sv
	verilator --lint-only -Wall rtl/lint/waivers.vlt -f rtl/fenn.f -f rtl/sva.f --assert --top-module fenn_top
	for size in '' '-GCores=2 -GDataWidth=64' '-GCores=3 -GDataWidth=512' '-GCores=16 -GConfig=1 -GLanes=8'; do \
	    verilator --lint-only -Wall rtl/lint/waivers.vlt -f rtl/fenn.f -f rtl/soc.f -f rtl/sva_soc.f \
	        --assert --top-module fenn_soc $$size; \
	done
	verilator --lint-only -Wall rtl/lint/waivers.vlt -f rtl/fenn.f -f rtl/soc.f host-driver/board/vivado/fenn_soc_board.v \
	    --top-module fenn_soc_board

synth: synth-figures ## the core's size, logic depth and clock, by yosys and nextpnr; fails if a size has grown or a gate is missed
	python3 rtl/synth/sizes.py check

synth-record: ## make what `make synth` measured the record, and write the tables of rtl/README.md; read the diff
	python3 rtl/synth/sizes.py record

# Measures without judging, for those who print each figure beside its gate.
synth-figures: $(EDA)/done
	python3 rtl/synth/synth.py

# The first call of yosys compiles for minutes.
$(EDA)/done: rtl/synth/requirements.txt | setup-synth
	python3 -m venv $(EDA)
	$(EDA)/bin/pip install --quiet --requirement rtl/synth/requirements.txt
	touch $@

bench: setup-rtl ## simulated instructions, assembled lines, and cycles of the Verilated core per second
	$(CARGO) bench --quiet -p fenn-iss
	$(CARGO) bench --quiet -p fenn-assembler --bench lines
	$(COSIM) -- --speed
	FENN_VERILATED_MODELS=board FENN_VERILATED_THREADS=2 $(COSIM) --target-dir target/threads -- --speed

cosim: setup-rtl ## the SystemVerilog core against the simulator, random programs with a fresh seed
	$(COSIM) -- --config all

cosim-long: setup-rtl ## the same for 10^8 cycles
	$(COSIM) -- --config all --cycles 34000000

# Models with counters are models of their own, so they have a target folder of their own.
coverage-rtl: setup-rtl ## which lines of the core random programs execute
	rm -rf $(OUT)/coverage-rtl
	mkdir -p $(OUT)/coverage-rtl
	FENN_VERILATED_COVERAGE=1 FENN_VERILATED_MODELS=board,wide,compact $(COSIM) --target-dir target/coverage-rtl -- \
	    --config board,wide,compact --seed 1 --lines $(OUT)/coverage-rtl/lines.dat
	verilator_coverage --annotate-min 1 --annotate $(OUT)/coverage-rtl/annotated $(OUT)/coverage-rtl/lines-*.dat | tee $(OUT)/coverage-rtl/total.txt
	@echo "annotated sources: $(OUT)/coverage-rtl/annotated"

# Seconds for each of the three targets.
FUZZ_SECONDS ?= 600
FUZZ_TARGETS := source elf includes

# libFuzzer without a sanitizer: the stable compiler has all it needs, and the checked code has no `unsafe`.
fuzz-assembler: $(CARGO_FUZZ) ## fuzz source text, ELF input and include graphs, FUZZ_SECONDS=600 each; stops at a finding
	$(CARGO) run --quiet -p fenn-testbench --bin fuzz-seeds -- fuzz/corpus
	for target in $(FUZZ_TARGETS); do \
	    $(CARGO_FUZZ) run --fuzz-dir fuzz --sanitizer none $$target -- -max_total_time=$(FUZZ_SECONDS) \
	        -rss_limit_mb=2048 -timeout=60 -max_len=4096 -print_final_stats=1; \
	done

$(CARGO_FUZZ):
	$(CARGO) install cargo-fuzz --version $(FUZZ_VERSION) --locked --quiet --root $(FUZZ_TOOLS)

doc: $(MDBOOK) ## the manual as a book, out/book, and the Rust documentation, with private items
	$(MDBOOK) build docs
	$(CARGO) doc --workspace --no-deps --document-private-items --quiet
	@echo "book: $(OUT)/book/index.html"

# Not optimised, which installs sooner: the book is small.
$(MDBOOK):
	$(CARGO) install mdbook --version $(MDBOOK_VERSION) --locked --quiet --debug --no-default-features --features search \
	    --root $(TOOLS)

clean: ## remove what was built
	$(CARGO) clean
	rm -rf $(OUT)

show-keystone: setup ## the keystone's figures, each against its gate
	$(CARGO) build --release --quiet --workspace
	$(BIN)/fenn-show keystone

show-assembler: setup ## the assembler's figures, each against its gate
	$(CARGO) build --release --quiet --workspace
	$(BIN)/fenn-show assembler

# One benchmark: `make bench-vogels-abbott`; `make bench-all` is all of them.
bench-%:
	$(CARGO) run --release --quiet -p fenn-bench -- $*

show-programs: setup ## the benchmarks' figures, each against its gate and beside the published one; pages in out/bench
	$(CARGO) build --release --quiet --workspace
	$(BIN)/fenn-bench all

show-compiler: setup ## the compiler's figures, each against its gate
	$(CARGO) build --release --quiet --workspace
	$(BIN)/fenn-show compiler

show-simulator: setup ## the simulator's figures, each against its gate
	$(CARGO) build --release --quiet --workspace
	$(BIN)/fenn-show simulator

show-rtl: setup setup-rtl coverage-rtl synth-figures ## the SystemVerilog core's figures, each against its gate
	$(CARGO) build --release --quiet --workspace
	$(BIN)/fenn-show rtl

show-host: setup setup-rtl ## the host driver's figures, each against its gate
	$(CARGO) build --release --quiet --workspace
	$(BIN)/fenn-show host

# Debian packages, only where they are missing.
setup:
	@ci/install.sh riscv64-unknown-elf-as:binutils-riscv64-unknown-elf qemu-riscv32:qemu-user \
	    gdb-multiarch:gdb-multiarch

setup-rtl:
	@ci/install.sh verilator:verilator g++:g++ python3:python3
	@[ -e /usr/include/zlib.h ] || ci/install.sh zlib.h:zlib1g-dev

setup-synth:
	@ci/install.sh python3:python3
	@python3 -c 'import ensurepip' 2>/dev/null || ci/install.sh ensurepip:python3-venv
