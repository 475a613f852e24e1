"""Small NWB 2 files, in HDF5 as pynwb writes them: units, electrodes and tables of intervals."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

AREAS = ("V1", "V1", "V4", "unknown", "IT")
PICTURES = ("faces/1.png", "faces/2.png", "n/a", "houses/1.png")


def write_table(group, name: str, columns: dict) -> None:
    """Write a DynamicTable: one dataset a column; text is UTF-8 of varying length."""
    table = group.create_group(name)
    table.attrs["neurodata_type"] = "TimeIntervals"
    table.attrs["colnames"] = list(columns)
    for column, values in columns.items():
        values = np.asarray(values)
        if values.dtype.kind == "U":
            table.create_dataset(column, data=values.astype(object), dtype=h5py.string_dtype())
        else:
            table[column] = values
    table["id"] = np.arange(len(values))


def nwb_file(path: Path, rng, *, n_units: int = 5, n_shown: int = 12, tables=None) -> dict:
    """Write a file; return spike times by unit, and start and stop of the presentations."""
    path.parent.mkdir(parents=True, exist_ok=True)
    start = np.arange(n_shown) * 1.0
    stop = start + 0.5
    spikes = [np.sort(rng.uniform(0, n_shown, 60 + 10 * i)) for i in range(n_units)]
    if tables is None:
        tables = {
            "trials": {
                "start_time": start,
                "stop_time": stop,
                "stim_file": [PICTURES[i % 4] for i in range(n_shown)],
                "trial_type": [("face", "face", "n/a", "house")[i % 4] for i in range(n_shown)],
            }
        }
    with h5py.File(path, "w") as file:
        file.attrs["nwb_version"] = "2.8.0"
        file.attrs["neurodata_type"] = "NWBFile"
        electrodes = file.create_group("general/extracellular_ephys/electrodes")
        electrodes["id"] = np.arange(100, 100 + n_units)
        places = np.array(AREAS[:n_units], dtype=object)
        electrodes.create_dataset("location", data=places, dtype=h5py.string_dtype())
        units = file.create_group("units")
        units["spike_times"] = np.concatenate(spikes)
        units["spike_times_index"] = np.cumsum([len(s) for s in spikes])
        units["id"] = np.arange(n_units) + 7
        units["electrodes"] = np.arange(n_units)
        units["electrodes_index"] = np.arange(1, n_units + 1)
        intervals = file.create_group("intervals")
        for name, columns in tables.items():
            write_table(intervals, name, columns)
    return {"spikes": spikes, "start": start, "stop": stop}


def rates_of(truth: dict) -> np.ndarray:
    """Count spikes the long way; spikes per second, (presentations, units)."""
    windows = list(zip(truth["start"], truth["stop"], strict=True))
    return np.array(
        [[((s >= a) & (s < b)).sum() / (b - a) for s in truth["spikes"]] for a, b in windows]
    )
