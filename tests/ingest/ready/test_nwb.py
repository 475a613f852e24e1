"""ingest.ready.nwb: spikes are counted as by hand, in files of ours and of pynwb."""

import datetime

import h5py
import numpy as np
import pytest

from bids_dnn.errors import MissingInputError, ShapeError, UnreadableError
from bids_dnn.ingest.ready import door, nwb
from tests.factories.ready_nwb import nwb_file, rates_of

NAME = "sub-01/sub-01_ses-a_ecephys.nwb"


@pytest.fixture
def made(tmp_path, rng):
    return tmp_path, nwb_file(tmp_path / NAME, rng)


def read(folder, **kwargs):
    (subject,), _ = nwb.find(folder, participants=[], space=None)
    return nwb.read_responses(subject, **{"standardize": "none", **kwargs})


def test_rates_stimuli_and_areas_are_those_of_the_file(made):
    folder, truth = made
    ingested = read(folder)
    responses = ingested.responses
    np.testing.assert_allclose(responses.values, rates_of(truth), rtol=1e-6)
    samples = responses.samples
    assert samples["stimulus"][:4].tolist() == ["faces/1.png", "faces/2.png", "", "houses/1.png"]
    assert samples["condition"][:4].tolist() == ["face", "face", "", "house"]
    assert samples["repeat"][[0, 4, 8]].tolist() == [0, 1, 2]
    assert set(samples["session"]) == {"a"}
    assert responses.space.names == ("unit7", "unit8", "unit9", "unit10", "unit11")
    assert {roi.name: roi.space.index.tolist() for roi in ingested.rois} == {
        "IT": [4],
        "V1": [0, 1],
        "V4": [2],
    }
    assert (responses.scale, ingested.facts["tables"]) == ("rate", ["trials"])


def test_unsorted_spikes_count_the_same(made):
    folder, truth = made
    with h5py.File(folder / NAME, "r+") as file:
        n = len(truth["spikes"][0])
        file["units/spike_times"][:n] = truth["spikes"][0][::-1]
    np.testing.assert_allclose(read(folder).responses.values, rates_of(truth), rtol=1e-6)


def test_numbered_stimuli_are_named_by_their_table(tmp_path, rng):
    start = np.arange(6.0)
    shown = {"start_time": start, "stop_time": start + 0.25}
    scenes = {**shown, "frame": [-1.0, 0, 1, 2, 0, 1], "stimulus_name": ["natural_scenes"] * 6}
    movie = {**shown, "frame": np.arange(6.0), "stimulus_name": ["movie"] * 6}
    flashes = {**shown, "stimulus_name": ["flashes"] * 6}
    nwb_file(
        tmp_path / "a.nwb",
        rng,
        tables={
            "natural_scenes_presentations": scenes,
            "natural_movie_presentations": movie,
            "flashes_presentations": flashes,
        },
    )
    ingested = read(tmp_path)
    samples = ingested.responses.samples
    assert samples["stimulus"][:2].tolist() == ["natural_movie-0", "natural_movie-1"]
    assert samples["stimulus"][6:8].tolist() == ["", "natural_scenes-0"]
    assert samples["condition"][6] == "natural_scenes blank"
    assert samples["run"].unique().tolist() == ["naturalmovie", "naturalscenes"]
    assert ingested.facts["tables_left_out"] == ["flashes_presentations"]


def test_presentations_without_length_get_a_window(tmp_path, rng):
    start = np.arange(4.0)
    shown = {"start_time": start, "stop_time": start, "image_name": ["a", "b", "a", "b"]}
    truth = nwb_file(tmp_path / "a.nwb", rng, tables={"trials": shown})
    ingested = read(tmp_path)
    expected = rates_of({**truth, "start": start, "stop": start + 0.2})
    np.testing.assert_allclose(ingested.responses.values[:, :1], expected[:, :1], rtol=1e-5)
    assert "4 of 4 presentations have no length" in ingested.facts["warnings"][0]


def test_each_recording_has_units_of_its_own(made, rng):
    nwb_file(made[0] / "sub-01" / "sub-01_ses-b_ecephys.nwb", rng)
    nwb_file(made[0] / "sub-02" / "rec.nwb", rng)
    subjects, _ = door("nwb").find(made[0], participants=[], space=None)
    assert [(s.participant, s.space) for s in subjects] == [
        ("01", "unitssesaecephys"),
        ("01", "unitssesbecephys"),
        ("02", "units"),
    ]
    (one,), _ = nwb.find(made[0], participants=["01"], space="unitssesbecephys")
    assert one.options == {"session": "b"}


def test_areas_come_from_peak_channels_and_from_columns(made):
    with h5py.File(made[0] / NAME, "r+") as file:
        del file["units/electrodes"], file["units/electrodes_index"]
        file["units/peak_channel_id"] = [104, 103, 102, 101, 100]
    regions = {roi.name: roi.space.index.tolist() for roi in read(made[0]).rois}
    assert regions == {"IT": [0], "V1": [3, 4], "V4": [2]}
    with h5py.File(made[0] / NAME, "r+") as file:
        file["units"].create_dataset("brain_area", data=["PFC"] * 5, dtype=h5py.string_dtype())
    assert {roi.name: len(roi.space) for roi in read(made[0]).rois} == {"PFC": 5}


def place_electrodes(path, **columns):
    """Add columns to the table of electrodes."""
    with h5py.File(path, "r+") as file:
        table = file["general/extracellular_ephys/electrodes"]
        for name, values in columns.items():
            is_text = isinstance(values[0], str)
            kind = {"dtype": h5py.string_dtype()} if is_text else {}
            table.create_dataset(name, data=values, **kind)


def test_groups_of_electrodes_are_arrays_with_their_places(made):
    x, y = [0.0, 400, 0, 400, 0], [0.0, 0, 400, 400, 800]
    nan = [np.nan] * 5
    group = ["utah 1", "utah 1", "utah 2", "utah 2", "utah 2"]
    place_electrodes(made[0] / NAME, group_name=group, rel_x=x, rel_y=y, x=nan, y=nan)
    ingested = read(made[0])
    layout = ingested.responses.space.layout
    assert layout.array == ("utah1", "utah1", "utah2", "utah2", "utah2")
    assert layout.area == ("V1", "V1", "V4", "", "IT")
    np.testing.assert_array_equal(layout.place, np.column_stack([x, y]))
    regions = {roi.name: roi.space.index.tolist() for roi in ingested.rois}
    assert regions == {"IT": [4], "V1": [0, 1], "V4": [2], "utah2": [2, 3, 4]}  # utah1 = V1


def test_places_that_are_not_told_are_missing(made):
    nan = [np.nan] * 5
    place_electrodes(made[0] / NAME, rel_x=nan, rel_y=nan, row=[1, 2, 3, 4, 5], column=[1] * 5)
    place = read(made[0]).responses.space.layout.place
    assert place.tolist() == [[1, -1], [1, -2], [1, -3], [1, -4], [1, -5]]
    with h5py.File(made[0] / NAME, "r+") as file:
        table = file["general/extracellular_ephys/electrodes"]
        del table["row"], table["id"]
    assert np.isnan(read(made[0]).responses.space.layout.place).all()


def test_what_pynwb_writes_is_read(tmp_path, rng):
    pynwb = pytest.importorskip("pynwb")
    began = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    held = pynwb.NWBFile(session_description="x", identifier="x", session_start_time=began)
    group = held.create_electrode_group("g", "d", "V1", held.create_device("probe"))
    for area in ("V1", "V4"):
        held.add_electrode(location=area, group=group)
    spikes = [np.sort(rng.uniform(0, 8, 50)) for _ in range(2)]
    for i, times in enumerate(spikes):
        held.add_unit(spike_times=times, electrodes=[i])
    held.add_trial_column("stim_file", "picture")
    start = np.arange(8.0)
    for i, t in enumerate(start):
        held.add_trial(start_time=t, stop_time=t + 0.5, stim_file=f"faces\\{i % 4}.png")
    with pynwb.NWBHDF5IO(tmp_path / "sub-x.nwb", "w") as io:
        io.write(held)
    ingested = read(tmp_path)
    truth = rates_of({"spikes": spikes, "start": start, "stop": start + 0.5})
    np.testing.assert_allclose(ingested.responses.values, truth, rtol=1e-6)
    assert ingested.responses.samples["stimulus"][5] == "faces/1.png"
    assert [roi.name for roi in ingested.rois] == ["V1", "V4", "g"]


# --- bad input


def test_an_empty_folder_is_told_the_layout(tmp_path):
    with pytest.raises(MissingInputError, match=r"any participant[\s\S]*spike_times"):
        nwb.find(tmp_path, participants=[], space=None)


def test_another_space_is_refused(made):
    with pytest.raises(MissingInputError, match=r"no responses in the space 'T1w'.*units"):
        nwb.find(made[0], participants=[], space="T1w")


def test_a_file_cut_short_is_named(made):
    path = made[0] / NAME
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(UnreadableError, match=r"ecephys\.nwb is no whole HDF5 file"):
        read(made[0])


@pytest.mark.parametrize(("version", "found"), [("1.0.6", "of NWB 1.0.6"), (None, "no NWB file")])
def test_another_version_is_named(made, version, found):
    with h5py.File(made[0] / NAME, "r+") as file:
        del file.attrs["nwb_version"]
        if version:
            file.attrs["nwb_version"] = version
    with pytest.raises(UnreadableError, match=f"is {found}; NWB 2 was expected"):
        read(made[0])


@pytest.mark.parametrize("is_empty", [False, True])
def test_missing_units_are_named(made, is_empty):
    with h5py.File(made[0] / NAME, "r+") as file:
        del file["units"]
        if is_empty:
            file["units/spike_times"] = np.zeros(0)
            file["units/spike_times_index"] = np.zeros(0, int)
    with pytest.raises(MissingInputError, match="no units with spike_times"):
        read(made[0])


def test_tables_without_stimuli_are_listed(made):
    with h5py.File(made[0] / NAME, "r+") as file:
        del file["intervals/trials/stim_file"]
    with pytest.raises(MissingInputError, match=r"there are: trials: .*start_time.*stim_file"):
        read(made[0])


def test_columns_of_other_lengths_are_named(made):
    with h5py.File(made[0] / NAME, "r+") as file:
        del file["intervals/trials/stop_time"]
        file["intervals/trials/stop_time"] = np.arange(11.0)
    with pytest.raises(ShapeError, match=r"trials/stop_time of shape \(11,\), \(12,\) was"):
        read(made[0])


def test_an_index_beyond_the_spikes_is_named(made):
    with h5py.File(made[0] / NAME, "r+") as file:
        file["units/spike_times_index"][-1] = 10_000
    with pytest.raises(ShapeError, match="400 spikes, its units end at 10000"):
        read(made[0])


def test_a_unit_twice_is_refused(made):
    with h5py.File(made[0] / NAME, "r+") as file:
        file["units/id"][1] = 7
    with pytest.raises(ShapeError, match="1 of 5 unit names stand twice"):
        read(made[0])


def test_another_file_is_not_opened_through_a_link(made, rng):
    nwb_file(made[0] / "other.h5", rng)
    with h5py.File(made[0] / NAME, "r+") as file:
        del file["units"]
        file["units"] = h5py.ExternalLink(str(made[0] / "other.h5"), "units")
    with pytest.raises(UnreadableError, match="keeps 'units' in another file"):
        read(made[0])


def test_a_start_that_is_nan_is_named(made):
    with h5py.File(made[0] / NAME, "r+") as file:
        file["intervals/trials/start_time"][3] = np.nan
    with pytest.raises(UnreadableError, match="presentations without a start"):
        read(made[0])


@pytest.mark.parametrize("name", ["../../x.png", "/etc/x.png"])
def test_pictures_outside_the_data_set_are_refused(made, name):
    with h5py.File(made[0] / NAME, "r+") as file:
        file["intervals/trials/stim_file"][0] = name
    with pytest.raises(UnreadableError, match="lies outside the data set"):
        read(made[0])
