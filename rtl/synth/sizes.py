#!/usr/bin/env python3
"""The core's sizes and clocks against their gates and against the record, rtl/synth/report/figures.json.

Contract: run at the top of the checkout. `check` judges what synth.py measured; `record` makes it the record and writes the tables
of rtl/README.md, unless a gate is missed; `fresh` says whether record and tables belong to the sources that are here, without
synthesis. Each prints a line for everything that is wrong and then exits with 1.

A size has grown if a module has a multiplier or a memory block more than in the record, or LUTs or registers more by both
TOLERANCE (what the optimiser's luck amounts to) and SLACK. A growth that is meant is recorded, and reviewed as a change of the
record.
"""

import argparse
import json
import pathlib
import sys

import synth

RECORD = pathlib.Path("rtl/synth/report/figures.json")
README = pathlib.Path("rtl/README.md")
BEGIN, END = "<!-- begin of what make synth-record writes -->", "<!-- end of what make synth-record writes -->"
SOFT, HARD = ("lut", "lutram", "ff"), ("dsp", "bram", "bram_blocks", "uram")
TOLERANCE, SLACK = 0.02, 8

# CV32E40X (with the XIF port and Zbb) takes 5,133 logic LUT by the same command: design/microarchitecture.md of the reference
# material, "Synthesis with yosys". With our lanes in both, the smaller scalar core makes the smaller processor.
CV32E40X_LUT = 5133
GATES = {
    "lut": ("<=", 18000), "dsp": ("<=", 36), "uram": ("<=", 16), "lane_bram": ("<=", 1), "core_lut": ("<", CV32E40X_LUT),
    "lane_mhz": (">=", 106.0), "core_mhz": (">=", 85.0),
}


def gated(figures):
    """The figures that have a gate: name, value, relation, gate, and whether it is met."""
    modules, clocks = figures["ultrascale"], figures["ecp5_mhz"]
    top, lane = modules["fenn_top"], modules["fenn_lane"]
    values = {
        "lut": top["lut"], "dsp": top["dsp"], "uram": top["uram"], "lane_bram": lane["bram_blocks"],
        "core_lut": modules["fenn_core"]["lut"], "lane_mhz": clocks["fenn_lane"], "core_mhz": clocks["fenn_core"],
    }
    for name, (relation, gate) in GATES.items():
        value = values[name]
        yield name, value, relation, gate, {"<=": value <= gate, "<": value < gate, ">=": value >= gate}[relation]


def missed(figures):
    """A line for each gate that is missed."""
    return [f"{name} is {value:,g}, not {relation} {gate:,g}" for name, value, relation, gate, met in gated(figures) if not met]


def grown(figures, record):
    """A line for each size that has grown, and for each module that only one of the two has."""
    wrong = [f"{name} is not in the record" for name in figures["ultrascale"] if name not in record["ultrascale"]]
    for name, before in record["ultrascale"].items():
        now = figures["ultrascale"].get(name)
        if now is None:
            wrong.append(f"{name} was not measured")
            continue
        for resource in (*SOFT, *HARD):
            allowed = max(before[resource] * TOLERANCE, SLACK) if resource in SOFT else 0
            if now[resource] > before[resource] + allowed:
                wrong.append(f"{name} has grown from {before[resource]:,g} to {now[resource]:,g} {resource}")
    return wrong


def table(figures):
    """The generated part of the README."""
    lines = [
        "| module, with what is in it | logic LUT | LUTRAM | FF | DSP | BRAM | URAM | levels |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, row in figures["ultrascale"].items():
        levels = figures["levels"].get(name, "")
        lines.append(f"| `{name}` | {row['lut']:,} | {row['lutram']:,} | {row['ff']:,} | {row['dsp']} | {row['bram']:g} | "
                     f"{row['uram']} | {levels} |")
    lines += ["", "| figure | measured | gate |", "|---|---|---|"]
    lines += [f"| {name.replace('_', ' ')} | {value:,g} | {relation} {gate:,g} |" for name, value, relation, gate, _ in gated(figures)]
    return "\n".join(lines)


def with_tables(text, figures):
    """The README's text with the tables of these figures."""
    head, rest = text.split(BEGIN)
    return f"{head}{BEGIN}\n{table(figures)}\n{END}{rest.split(END)[1]}"


def replace(path, text):
    """Writes a file beside and renames it."""
    beside = path.with_name(path.name + ".new")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)


def measured():
    """What synth.py wrote, if it is of the sources that are here."""
    if not synth.FIGURES.exists():
        sys.exit(f"there is no {synth.FIGURES}: run make synth")
    figures = json.loads(synth.FIGURES.read_text(encoding="utf-8"))
    if figures["sources"] != synth.digest():
        sys.exit(f"{synth.FIGURES} is of other sources than those that are here: run make synth")
    return figures


def check():
    """What is wrong with the measured figures."""
    figures = measured()
    return missed(figures) + grown(figures, json.loads(RECORD.read_text(encoding="utf-8")))


def record():
    """Makes the measured figures the record; what keeps them from it."""
    figures = measured()
    wrong = missed(figures)
    if not wrong:
        replace(RECORD, json.dumps(figures, indent=1) + "\n")
        replace(README, with_tables(README.read_text(encoding="utf-8"), figures))
    return wrong


def fresh():
    """What is wrong with the record and the tables."""
    figures, text = json.loads(RECORD.read_text(encoding="utf-8")), README.read_text(encoding="utf-8")
    wrong = missed(figures)
    if figures["sources"] != synth.digest():
        wrong.append(f"{RECORD} is of other sources than those that are here: run make synth, then make synth-record")
    if with_tables(text, figures) != text:
        wrong.append(f"the tables of {README} are not those of {RECORD}: run make synth, then make synth-record")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    verbs = {verb.__name__: verb for verb in (check, record, fresh)}
    parser.add_argument("verb", choices=verbs, help="; ".join(f"{name}: {verb.__doc__}" for name, verb in verbs.items()))
    wrong = verbs[parser.parse_args().verb]()
    for line in wrong:
        print(line)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
