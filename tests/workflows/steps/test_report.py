"""workflows.steps.report: the page shows the pictures that were shown."""

from pathlib import Path

from bids_dnn.workflows.steps import report


def test_pictures_that_no_sample_showed_are_not_on_the_sheet():
    stimuli = {f"{name}.png": f"/stimuli/{name}.png" for name in ("a", "b", "c")}
    shown = report._shown(stimuli, {"unused_stimuli": ["a.png"]})
    assert shown == {f"{name}.png": Path(f"/stimuli/{name}.png") for name in ("b", "c")}
    assert list(report._shown(stimuli, {})) == list(stimuli)
