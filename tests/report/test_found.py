"""report.found: what went in is said with its source, units and independence."""

from __future__ import annotations

import dataclasses

import pytest

from bids_dnn.report import found, page, sources
from tests.factories.reports import make_channel_rois
from tests.factories.results import make_encode


@pytest.mark.parametrize(
    ("unit", "words"),
    [
        ("voxel", "12 voxels. 3 voxels left out (3 without variance)."),
        ("vertex", "12 vertices. 3 vertices left out (3 without variance)."),
        ("channel", "12 channels. 3 channels left out (3 without variance)."),
    ],
)
def test_units_have_their_name(unit, words):
    facts = {"n_units": 12, "left_out_units": 3, "left_out_because": {"constant": 3, "nan": 0}}
    assert found.input_answer(facts, unit).startswith(words)


@pytest.mark.parametrize("name", sorted(sources.SOURCES))
def test_every_source_is_named(name):
    facts = {"source": name, "space": "fsnative", "n_runs": 2}
    answer = found.input_section(facts, (), unit="vertex").answer
    assert answer.startswith(f"Source: {sources.SOURCES[name].what}, as both hemispheres")
    assert "space fsnative. 2 runs." in answer


def test_what_lies_outside_is_counted():
    facts = {"left_out_of_space": {"in the medial wall": 888}, "left_out_units": 2,
             "left_out_because": {"nan": 2}}  # fmt: skip
    assert "Not read: 888 vertices in the medial wall." in found.input_answer(facts, "vertex")


def test_noise_shared_within_runs_is_said_in_the_small_print():
    assert sources.WITHIN_RUNS in found.input_section({"independence": "run"}, ()).how
    assert sources.WITHIN_RUNS not in found.input_section({"independence": "sample"}, ()).how


def test_repeats_that_are_not_independent_come_first_and_once(tmp_path, rng):
    rois = make_channel_rois()
    data = page.ParticipantReport(
        "01", {"encode": make_encode(rng, space=rois[0].space)}, {"source": "nsd"},
        rois=rois, facts={"independence": "none", "source": "nsd"},
    )  # fmt: skip
    text = page.render_participant(data, tmp_path)
    place = text.index("Repeats are not independent")
    assert place < text.index('class="numbers"') < text.index('id="input"')
    said = dataclasses.replace(data, warnings=("Noise is not independent here.",))
    assert "Repeats are not independent" not in page.render_participant(said, tmp_path)


def test_who_lacks_an_analysis_only_is_not_called_missing():
    assert found.missing_text(()) == "; none is missing"
    assert found.missing_text(("99",)) == "; missing: 99"
    assert found.missing_text((), ("06 (searchlight)",)) == "; missing in part: 06 (searchlight)"
    section = found.people_section(("05", "06"), ("99",), (), ("06 (searchlight)",))
    assert section.answer == "2 participants; missing: 99; missing in part: 06 (searchlight)."
    assert dict(section.notes)["Missing in part"] == ("06 (searchlight)",)


def test_settings_are_told_as_they_were_settled():
    ran = {"source": "fmriprep", "responses": {"standardize": "auto", "model": "lsa"}}
    made = sources.settled(ran, {"standardize": "session", "scale": "zscore"})
    assert made["responses"] == {"standardize": "session", "model": "lsa"}
    assert made["scale"] == "zscore"
    assert ran["responses"]["standardize"] == "auto"
