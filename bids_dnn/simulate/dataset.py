"""The one entry: a whole data set, or none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bids_dnn import files
from bids_dnn.errors import ConfigError, OutputError
from bids_dnn.simulate import fmriprep, raw, spm, visual
from bids_dnn.simulate.bold import measure
from bids_dnn.simulate.pictures import draw_pictures
from bids_dnn.simulate.trees import TOOL, describe, write_rows, write_table
from bids_dnn.simulate.truth import score_components, truth_table, write_picture

N_RUNS = 5
MIN_RUNS = 4  # fewer leave fewer stimuli than components


def simulate(
    out_dir: Path,
    *,
    n_participants: int = 3,
    seed: int = 0,
    n_runs: int = N_RUNS,
    retinotopy: bool = False,
) -> Path:
    """Write a BIDS data set whose truth is known.

    Parameters
    ----------
    out_dir
        Becomes the BIDS directory, with ``derivatives/{fmriprep,spm,rois,truth}``; must not
        exist yet, or be empty.
    n_participants : int
    seed : int
        The same seed gives the same bytes.
    n_runs : int
        Each of the four categories has ``n_runs * (n_runs - 1)`` exemplars, each shown twice.
    retinotopy : bool
        Add surfaces with known receptive fields, the tasks ``positions`` and ``loc`` on them
        (in T1w, fsnative, fsaverage5 and fsLR), FreeSurfer folders, an atlas, and
        ``derivatives/retinotopy_template``.

    Returns
    -------
    out_dir

    Raises
    ------
    OutputError
        If `out_dir` holds something, the disk is full, or the folder cannot be written.
    ConfigError
        If there is no participant or too few runs.
    """
    if n_participants < 1 or n_runs < MIN_RUNS:
        raise ConfigError(
            f"n_participants is {n_participants} and n_runs is {n_runs}, but a simulation has at "
            f"least 1 participant and {MIN_RUNS} runs.",
            mend="Give larger numbers.",
        )
    if out_dir.exists() and (not out_dir.is_dir() or any(out_dir.iterdir())):
        raise OutputError(
            f"{out_dir} exists already and is not an empty folder.",
            mend="Name a new folder, or remove this one first.",
        )
    of_pictures, *of_participants = np.random.default_rng(seed).spawn(1 + n_participants)
    with files.writing_folder(out_dir) as root:
        drawn = draw_pictures(of_pictures, n_exemplars=n_runs * (n_runs - 1))
        paths = {name: root / "stimuli" / name for name in drawn}
        for name, (_, picture) in drawn.items():
            write_picture(paths[name], picture)
        scores = score_components(paths, root)
        stimuli = {name: category for name, (category, _) in drawn.items()}
        labels = [f"{i:02}" for i in range(1, n_participants + 1)]
        made = root / "derivatives"
        raw.write_dataset(root, labels, stimuli)
        fmriprep.write_datasets(made / "fmriprep", made / "rois")
        spm.write_dataset(made / "spm")
        _write_truth(made / "truth", labels, scores, list(stimuli))
        for label, rng in zip(labels, of_participants, strict=True):
            participant = measure(label, list(stimuli.values()), scores, rng, n_runs=n_runs)
            raw.write_participant(root, participant, stimuli, rng)
            fmriprep.write_anatomy(made / "fmriprep", participant, rng)
            fmriprep.write_function(made / "fmriprep", participant)
            fmriprep.write_regions(made / "rois", participant)
            spm.write_participant(made / "spm", participant, [Path(s).stem for s in stimuli])
        if retinotopy:
            visual.add_retinotopy(root, labels, seed=seed)
    return out_dir


def _write_truth(
    root: Path, labels: list[str], scores: dict[str, NDArray[np.float64]], stimuli: list[str]
) -> None:
    describe(root, "Truth of the simulation", tool=TOOL, extra={}, ignore="*.tsv\n")
    write_rows(root / "truth.tsv", truth_table(labels))
    for region, values in scores.items():
        columns = {f"component_{i}": [f"{v:.4f}" for v in x] for i, x in enumerate(values.T, 1)}
        write_table(root / f"components_{region}.tsv", {"stimulus": stimuli, **columns})
