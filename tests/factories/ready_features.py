"""Features as other programs write them; each maker returns what is to be read, and its layer."""

import csv
from itertools import pairwise

import h5py
import numpy as np
import torch
from scipy.io import savemat

from tests.factories.mat73 import write_mat73


def write_ids(path, ids, column="stimulus"):
    """Write a table with a column of ids, or a plain list where `column` is None."""
    lines = [
        *([f"{column}\tcategory"] if column else []),
        *(f"{x}\tx" if column else x for x in ids),
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def npy(folder, values, ids):
    np.save(folder / "conv1.npy", values)
    write_ids(folder / "conv1.tsv", ids)
    return folder / "conv1.npy", "conv1"


def npy_in_fortran_order(folder, values, ids):
    np.save(folder / "conv1.npy", np.asfortranarray(values))
    write_ids(folder / "conv1.tsv", ids, "stim_file")
    return folder / "conv1.npy", "conv1"


def npy_with_list(folder, values, ids):
    np.save(folder / "conv1.npy", values)
    write_ids(folder / "conv1.txt", ids, None)
    return folder / "conv1.npy", "conv1"


def npy_with_file_names(folder, values, ids):
    np.save(folder / "conv1.npy", values)
    write_ids(folder / "file_names.txt", ids, None)
    return folder / "conv1.npy", "conv1"


def npz(folder, values, ids):
    np.savez(folder / "all.npz", fc6=values, ids=np.array(ids), labels=np.arange(len(ids)))
    return folder / "all.npz", "fc6"


def hdf5(folder, values, ids):
    with h5py.File(folder / "all.h5", "w") as file:
        file["alexnet/fc6"] = values
        file["stimuli"] = list(ids)
        file["created"] = "yesterday"
    return folder / "all.h5", "alexnet/fc6"


def hdf5_with_bytes(folder, values, ids):
    with h5py.File(folder / "all.hdf5", "w") as file:
        file["alexnet/fc6"] = values
        file["alexnet/stim_file"] = np.array([x.encode() for x in ids])
        file["ids"] = [b"of", b"another"]  # the ids of the group count
    return folder / "all.hdf5", "alexnet/fc6"


def mat(folder, values, ids):
    cells = np.empty((len(ids), 1), dtype=object)
    cells[:, 0] = ids
    savemat(folder / "all.mat", {"fc6": values, "stimulus": cells})
    return folder / "all.mat", "fc6"


def mat_with_characters(folder, values, ids):
    savemat(folder / "all.mat", {"fc6": values, "file_names": np.array(ids)})
    return folder / "all.mat", "fc6"


def mat_with_structure(folder, values, ids):
    cells = np.empty((len(ids), 1), dtype=object)
    cells[:, 0] = ids
    savemat(folder / "all.mat", {"net": {"fc6": values, "stimuli": cells}})
    return folder / "all.mat", "net/fc6"


def mat_with_characters_in_structure(folder, values, ids):
    savemat(folder / "all.mat", {"net": {"fc6": values, "ids": np.array(ids)}})
    return folder / "all.mat", "net/fc6"


def mat73(folder, values, ids):
    write_mat73(folder / "all.mat", {"fc6": values, "stimuli": list(ids)})
    return folder / "all.mat", "fc6"


def tsv(folder, values, ids):
    return _table(
        folder / "conv1.tsv", values, ["stimulus", *map(str, range(values.shape[1]))], ids
    )


def csv_of_pandas(folder, values, ids):
    return _table(folder / "conv1.csv", values, ["", *map(str, range(values.shape[1]))], ids)


def tsv_without_heading(folder, values, ids):
    return _table(folder / "conv1.tsv", values, None, ids)


def tsv_with_words(folder, values, ids):
    return _table(
        folder / "conv1.tsv", values, ["name", *(f"f{i}" for i in range(values.shape[1]))], ids
    )


def _table(path, values, head, ids):
    with path.open("w", newline="") as stream:
        rows = csv.writer(stream, delimiter="\t" if path.suffix == ".tsv" else ",")
        rows.writerows([head] if head else [])
        rows.writerows(
            [name, *map(repr, row)] for name, row in zip(ids, values.tolist(), strict=True)
        )
    return path, path.stem


def tensor(folder, values, ids):
    torch.save(torch.from_numpy(values), folder / "conv1.pt")
    write_ids(folder / "conv1.tsv", ids)
    return folder / "conv1.pt", "conv1"


# --- THINGSvision


def things_npy(folder, values, ids):
    """Write one layer as its command line does; maps are not flattened."""
    folder = _things(folder / "clip", ids)
    np.save(folder / "features.npy", values)
    np.savetxt(folder / "features.txt", values)
    return folder, "clip"


def things_hdf5(folder, values, ids):
    folder = _things(folder / "clip", ids)
    with h5py.File(folder / "features.hdf5", "w") as file:
        file["features"] = values
    return folder, "clip"


def things_txt(folder, values, ids):
    folder = _things(folder / "clip", ids)
    np.savetxt(folder / "features.txt", values)
    return folder, "clip"


def things_pt(folder, values, ids):
    folder = _things(folder / "clip", ids)
    torch.save(torch.from_numpy(values), folder / "features.pt")
    return folder, "clip"


def things_mat(folder, values, ids):
    """Write a variable for each stimulus, called after its file without the suffix."""
    folder = _things(folder / "clip", ids)
    rows = {name.rpartition(".")[0]: row for name, row in zip(ids, values, strict=True)}
    savemat(folder / "features.mat", rows)
    return folder, "clip"


def things_pieces(folder, values, ids):
    folder = _things(folder / "clip", ids)
    for i, rows in enumerate(np.array_split(values, 11), start=1):
        np.save(folder / f"features_{i:02}.npy", rows)
    return folder, "clip"


def things_pieces_in_hdf5(folder, values, ids):
    folder = _things(folder / "clip", ids)
    with h5py.File(folder / "features.hdf5", "w") as file:
        for i, rows in enumerate(np.array_split(values, 3), start=1):
            file[f"features_{i:02}"] = rows
    return folder, "clip"


def things_layers(folder, values, ids):
    """Write several layers in steps, the list of files above them."""
    folder = _things(folder / "vgg16", ids)
    for layer, sign in (("features.23", -1), ("classifier.3", 1)):
        (folder / layer).mkdir()
        ends = [0, 2, len(ids) - 1, len(ids)]
        for a, b in pairwise(ends):
            np.save(folder / layer / f"features_{a}-{b}.npy", sign * values[a:b])
    return folder, "classifier.3"


def things_layers_whole(folder, values, ids):
    folder = _things(folder / "vgg16", ids)
    for layer, sign in (("features.23", -1), ("classifier.3", 1)):
        (folder / layer).mkdir()
        torch.save(torch.from_numpy(sign * values), folder / layer / "features.pt")
    return folder, "classifier.3"


def file_a_layer(folder, values, ids):
    folder = _things(folder / "vgg16", ids)
    np.save(folder / "conv1.npy", -values)
    np.save(folder / "fc6.npy", values)
    return folder, "fc6"


def _things(folder, ids):
    folder.mkdir()
    write_ids(folder / "file_names.txt", ids, None)
    return folder


SINGLE = (npy, npy_in_fortran_order, npy_with_list, npy_with_file_names, npz, hdf5)
SINGLE += (hdf5_with_bytes, mat, mat_with_characters, mat_with_structure, mat73, tsv)
SINGLE += (mat_with_characters_in_structure,)
SINGLE += (csv_of_pandas, tsv_without_heading, tsv_with_words, tensor, things_npy, things_hdf5)
SINGLE += (things_txt, things_pt, things_mat, things_pieces, things_pieces_in_hdf5)
SEVERAL = (things_layers, things_layers_whole, file_a_layer)
