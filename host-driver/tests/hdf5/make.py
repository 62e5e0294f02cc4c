"""Writes the HDF5 files of this folder, as Python programs write spiking data sets.

Needs h5py (3.16 wrote what is here) and PyTables (3.11); no test runs it. The files are of six samples for 20 units, the spike k
of sample s at ((7k + s) mod 40) / 1024 s, which every kind of float holds exactly, of unit (5k + 3s) mod 20. What is wrong with
the others, their names say.
"""

import sys
from pathlib import Path

import h5py
import numpy as np
import tables

FOLDER = Path(__file__).parent
COUNTS = [3, 0, 1, 700, 5, 2]
LABELS = [4, 0, 2, 1, 3, 3]


def times(sample):
    return (7 * np.arange(COUNTS[sample]) + sample) % 40 / 1024


def units(sample):
    return (5 * np.arange(COUNTS[sample]) + 3 * sample) % 20


def published():
    """As the Spiking Heidelberg Digits are: arrays that grow, half-precision times, and a group of other things."""
    with tables.open_file(FOLDER / "pytables.h5", "w") as file:
        group = file.create_group("/", "spikes")
        arrays = [
            file.create_vlarray(group, "times", tables.Float16Atom(), chunkshape=4),
            file.create_vlarray(group, "units", tables.UInt16Atom(), chunkshape=4),
        ]
        for sample in range(len(COUNTS)):
            arrays[0].append(times(sample).astype(np.float16))
            arrays[1].append(units(sample).astype(np.uint16))
        file.create_array("/", "labels", np.array(LABELS, dtype=np.uint16))
        extra = file.create_group("/", "extra")
        file.create_array(extra, "keys", np.array([b"zero", b"eins"]))


def with_h5py(name, time, unit, label=None, all_times=None, all_units=None, libver=("v110", "v110"), **options):
    all_times = [times(s) for s in range(len(COUNTS))] if all_times is None else all_times
    all_units = [units(s) for s in range(len(COUNTS))] if all_units is None else all_units
    with h5py.File(FOLDER / name, "w", libver=libver) as file:
        group = file.create_group("spikes")
        for kind, rows, dtype in [("times", all_times, time), ("units", all_units, unit)]:
            array = group.create_dataset(kind, (len(rows),), dtype=h5py.vlen_dtype(np.dtype(dtype)), **options)
            for index, row in enumerate(rows):
                array[index] = np.asarray(row).astype(dtype)
        if label is not None:
            file.create_dataset("labels", data=np.array(label[1], dtype=label[0]))


published()
with_h5py("plain.h5", ">f8", ">u4", libver="earliest")
with_h5py(
    "chunked.h5", "<f4", "<i8", ("<i4", LABELS), maxshape=(None,), chunks=(2,), compression="gzip", shuffle=True
)
with_h5py("not-a-number.h5", "<f2", "u1", all_times=[[0.0], [0.0, np.nan]], all_units=[[0], [1, 1]])
with_h5py("negative.h5", "<f4", "u1", all_times=[[-0.5]], all_units=[[0]])
with_h5py("beyond.h5", "<f4", "i2", all_times=[[0.0], [0.0]], all_units=[[0], [-1]])
with_h5py("lengths.h5", "<f4", "u1", all_times=[[0.0], [0.0, 0.0]], all_units=[[0], [1]])
with_h5py("counts.h5", "<f4", "u1", all_times=[[0.0], [0.0]], all_units=[[0]])
with_h5py("labels.h5", "<f4", "u1", ("u1", [0]), all_times=[[0.0], [0.0]], all_units=[[0], [0]])
with_h5py("class.h5", "<f4", "u1", ("i1", [0, -3]), all_times=[[0.0], [0.0]], all_units=[[0], [0]])
with_h5py("whole-times.h5", "<i4", "u1", all_times=[[0]], all_units=[[0]])
with_h5py("late.h5", "<f4", "u1", ("u1", [1, 0]), all_times=[[1e-4, 2e-4, 0.9], [0.0]], all_units=[[1, 4, 2], [0]])
with h5py.File(FOLDER / "fixed.h5", "w", libver=("v110", "v110")) as file:
    file["spikes/times"], file["spikes/units"] = np.zeros((2, 3)), np.zeros((2, 3), dtype=np.uint8)
with h5py.File(FOLDER / "no-units.h5", "w", libver=("v110", "v110")) as file:
    file["spikes/times"] = np.zeros(2)
print(f"h5py {h5py.__version__}, PyTables {tables.__version__}, Python {sys.version.split()[0]}")
