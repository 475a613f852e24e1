"""workflows.dry_searchlight: how many centers there are, before anything is read."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from bids_dnn import imaging
from bids_dnn.containers.space import HEMISPHERES, Grid
from bids_dnn.ingest.records import Run, Subject
from bids_dnn.workflows.dry_searchlight import count_centers

RUN = Run("", "01", Path("bold.nii.gz"), None, None, None, 2.0, 0.0, 9)


def test_masks_of_runs_tell(tmp_path):
    masks = []
    for name, n in (("a", 5), ("b", 9)):
        space = Grid("T1w", (4, 3, 2), np.eye(4), np.arange(n))
        masks.append(imaging.write_mask(tmp_path / f"{name}.nii.gz", space))
    runs = tuple(replace(RUN, mask=path) for path in masks)
    assert count_centers(Subject("01", "fmriprep", "t", "T1w", runs), {}) == 9


def test_a_surface_has_no_more_than_its_vertices():
    told = {side: f"nilearn:{side}:white" for side in HEMISPHERES}
    assert count_centers(Subject("01", "fmriprep", "t", "fsaverage5", (RUN,)), told) == 20484
    assert count_centers(Subject("01", "fmriprep", "t", "fsLR", (RUN,)), told) is None


def test_without_a_mask_only_the_responses_tell():
    assert count_centers(Subject("01", "fmriprep", "t", "fsaverage", (RUN,)), {}) is None
    assert count_centers(Subject("01", "spm", "t", "T1w"), {}) is None
