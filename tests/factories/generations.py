"""Trees with the file names that fMRIPrep wrote over the years, filled with noise."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bids_dnn import imaging
from bids_dnn.containers.space import Grayordinates, Grid
from tests.factories.trees import (
    SHAPE,
    T_R_S,
    affine_of,
    confounds_table,
    describe,
    events_table,
    tiny_mask,
    write_image,
    write_json,
)

N_VERTICES = {
    "fsnative": (12, 10),
    "fsaverage": (9, 9),
    "fsaverage5": (6, 6),
    "fsaverage6": (8, 8),
}
N_VOLUMES = 5
MNI = "MNI152NLin2009cAsym"


@dataclass(frozen=True)
class Generation:
    """How one version names its files."""

    layout: str
    surface: str
    confounds: str
    white: str
    sphere: str | None
    described_by: str
    has_cortex: bool = False


GENERATIONS = {
    "1.4.1": Generation(
        "legacy",
        "space-{space}_hemi-{hemi}.func.gii",
        "regressors",
        "smoothwm",
        None,
        "PipelineDescription",
    ),
    "20.2.7": Generation(
        "legacy",
        "space-{space}_hemi-{hemi}_bold.func.gii",
        "timeseries",
        "smoothwm",
        None,
        "GeneratedBy",
    ),
    "21.0.2": Generation(
        "bids",
        "hemi-{hemi}_space-{space}_bold.func.gii",
        "timeseries",
        "smoothwm",
        None,
        "GeneratedBy",
    ),
    "23.2.1": Generation(
        "bids",
        "hemi-{hemi}_space-{space}_bold.func.gii",
        "timeseries",
        "white",
        "hemi-{hemi}_desc-reg_sphere.surf.gii",
        "GeneratedBy",
    ),
    "25.2.0": Generation(
        "bids",
        "hemi-{hemi}_space-{space}_bold.func.gii",
        "timeseries",
        "white",
        "hemi-{hemi}_space-fsaverage_desc-reg_sphere.surf.gii",
        "GeneratedBy",
        has_cortex=True,
    ),
}


def generation_tree(
    out: Path,
    rng,
    *,
    version: str = "25.2.0",
    spaces=("T1w", "fsnative", "fsaverage5", "fsLR"),
    sessions=("",),
    n_runs: int = 2,
    tasks=("objects",),
    freesurfer: str = "sub-01",
) -> Path:
    """Write one participant's raw tree to `out`, and fMRIPrep's output below it; return `out`."""
    names = GENERATIONS[version]
    describe(out, "tiny")
    (out / "participants.tsv").write_text("participant_id\nsub-01\n")
    outer = out / "derivatives"
    home = outer / "fmriprep"
    subjects_dir = (
        outer / "freesurfer" if names.layout == "legacy" else home / "sourcedata/freesurfer"
    )
    maker = {"Name": "fMRIPrep", "Version": version}
    write_json(
        home / "dataset_description.json",
        {
            "Name": "fMRIPrep - fMRI PREProcessing workflow",
            "BIDSVersion": "1.4.0",
            names.described_by: [maker] if names.described_by == "GeneratedBy" else maker,
        },
    )
    _write_anat(home, names)
    _write_freesurfer(subjects_dir, freesurfer)
    for task in tasks:
        for session in sessions:
            for run in range(1, n_runs + 1):
                folder = Path("sub-01", f"ses-{session}" if session else "", "func")
                middle = f"_ses-{session}" if session else ""
                stem = f"sub-01{middle}_task-{task}_run-{run}"
                (out / folder).mkdir(parents=True, exist_ok=True)
                write_json(out / folder / f"{stem}_bold.json", {"RepetitionTime": T_R_S})
                _write_run(home / folder / stem, names, rng, spaces=spaces)
        events_table(N_VOLUMES + 4).to_csv(
            out / f"task-{task}_events.tsv", sep="\t", index=False, na_rep="n/a"
        )
    return out


def grayordinates(*, flip: bool = False) -> Grayordinates:
    """Three and two vertices of a cortex, and two voxels."""
    return Grayordinates(
        "fsLR",
        (
            "CIFTI_STRUCTURE_CORTEX_LEFT",
            "CIFTI_STRUCTURE_CORTEX_RIGHT",
            "CIFTI_STRUCTURE_THALAMUS_LEFT",
        ),
        (4, 4, 0),
        np.array([0, 0, 0, 1, 1, 2, 2]),
        np.array([1, 0, 3, 0, 2, -1, -1] if flip else [0, 1, 3, 0, 2, -1, -1]),
        np.array([[-1] * 3] * 5 + [[0, 1, 2], [1, 1, 1]]),
        (3, 3, 3),
        np.diag([2.0, 2.0, 2.0, 1.0]),
        np.arange(7),
    )


def freesurfer_label(path: Path, vertices) -> Path:
    """Write FreeSurfer's text form of a set of vertices."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [f"{v} 1.0 2.0 3.0 0.0" for v in vertices]
    path.write_text("\n".join(["#!ascii label, from subject x", str(len(rows)), *rows]) + "\n")
    return path


def _write_run(stem: Path, names: Generation, rng, *, spaces) -> None:
    stem.parent.mkdir(parents=True, exist_ok=True)
    sidecar = {"RepetitionTime": T_R_S, "StartTime": 0.9, "SliceTimingCorrected": True}
    bare = {"RepetitionTime": T_R_S}
    for space in spaces:
        label = "" if space == "native" else f"_space-{space}"
        if space in N_VERTICES:
            for hemi, n in zip("LR", N_VERTICES[space], strict=True):
                path = Path(f"{stem}_{names.surface.format(space=space, hemi=hemi)}")
                values = rng.normal(size=(N_VOLUMES, n)) + 100
                imaging.write_vertex_series(path, values, hemi, t_r_s=T_R_S)
                write_json(Path(str(path).replace(".func.gii", ".json")), bare)
        elif space == "fsLR":
            path = Path(f"{stem}_space-fsLR_den-91k_bold.dtseries.nii")
            values = rng.normal(size=(N_VOLUMES, 7)) + 100
            imaging.write_cifti_series(path, values, grayordinates(), t_r_s=T_R_S)
            write_json(Path(f"{stem}_space-fsLR_den-91k_bold.json"), sidecar)
            write_json(path.with_suffix(".json"), {"grayordinates": "91k"})
        else:
            grid = Grid(space, SHAPE, affine_of(), np.flatnonzero(tiny_mask()))
            values = rng.normal(size=(N_VOLUMES, len(grid))) + 100
            path = Path(f"{stem}{label}_desc-preproc_bold.nii.gz")
            imaging.write_series(path, values, grid, t_r_s=T_R_S)
            imaging.write_mask(Path(f"{stem}{label}_desc-brain_mask.nii.gz"), grid)
            write_json(Path(f"{stem}{label}_desc-preproc_bold.json"), sidecar)
    confounds_table(N_VOLUMES, rng).to_csv(
        f"{stem}_desc-confounds_{names.confounds}.tsv", sep="\t", index=False, na_rep="n/a"
    )
    write_json(Path(f"{stem}_desc-confounds_{names.confounds}.json"), {})


def _write_anat(home: Path, names: Generation) -> None:
    stem = home / "sub-01" / "anat" / "sub-01"
    write_image(Path(f"{stem}_desc-preproc_T1w.nii.gz"), np.ones(SHAPE, np.float32), affine_of())
    empty = [f"hemi-{{hemi}}_{kind}.surf.gii" for kind in (names.white, "pial", "midthickness")]
    empty += ["hemi-{hemi}_inflated.surf.gii", "hemi-{hemi}_sulc.shape.gii"]
    if names.sphere is not None:
        empty += [names.sphere, "hemi-{hemi}_sphere.surf.gii"]
        empty += ["hemi-{hemi}_space-fsLR_desc-reg_sphere.surf.gii"]
        empty += ["hemi-{hemi}_space-fsLR_den-32k_white.surf.gii"]
    for pattern in empty:
        for hemi in "LR":
            Path(f"{stem}_{pattern.format(hemi=hemi)}").touch()
    if names.has_cortex:
        for hemi, n in zip("LR", N_VERTICES["fsnative"], strict=True):
            labels = np.ones(n, dtype=np.int64)
            labels[0] = 0
            path = Path(f"{stem}_hemi-{hemi}_desc-cortex_mask.label.gii")
            imaging.write_labels(path, labels, {0: "???", 1: "cortex"}, hemi)
    for source, target, extension in (
        ("T1w", MNI, "h5"),
        (MNI, "T1w", "h5"),
        ("T1w", "fsnative", "txt"),
        ("fsnative", "T1w", "txt"),
    ):
        Path(f"{stem}_from-{source}_to-{target}_mode-image_xfm.{extension}").touch()


def _write_freesurfer(subjects_dir: Path, name: str) -> None:
    for side, n in zip(("lh", "rh"), N_VERTICES["fsnative"], strict=True):
        for kind in ("white", "pial", "inflated", "sphere", "sphere.reg"):
            path = subjects_dir / name / "surf" / f"{side}.{kind}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        freesurfer_label(subjects_dir / name / "label" / f"{side}.cortex.label", range(1, n))
        n = N_VERTICES["fsaverage"][0]
        freesurfer_label(subjects_dir / "fsaverage/label" / f"{side}.cortex.label", range(1, n))
