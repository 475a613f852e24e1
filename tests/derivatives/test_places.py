"""derivatives.places: every kind of space comes back with its units, maps and regions."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bids_dnn.containers.layout import Layout
from bids_dnn.containers.result import StatMap
from bids_dnn.containers.roi import Roi
from bids_dnn.containers.space import Channels, Surface
from bids_dnn.derivatives import places, provenance, read, write
from bids_dnn.derivatives.retinotopy import AREAS, write_retinotopy
from bids_dnn.errors import (
    ConfigError,
    MissingInputError,
    ShapeError,
    SpaceError,
    UnreadableError,
)
from tests.factories.results import make_encode, make_spaces

KINDS = sorted(make_spaces())
FIRST = {
    "grid": "sub-01/anat/sub-01_space-T1w_label-V1_mask.nii.gz",
    "surface": "sub-01/anat/sub-01_hemi-L_space-fsnative_label-V1_mask.label.gii",
    "left": "sub-01/anat/sub-01_hemi-L_space-fsaverage5_label-V1_mask.label.gii",
    "grayordinates": "sub-01/anat/sub-01_space-fsLR_den-62_label-V1_mask.dlabel.nii",
    "channels": "sub-01/anat/sub-01_space-electrodes_label-V1_units.tsv",
}


def entities_of(space):
    return {"participant": "01", "task": "objects", "space": space.name}


def shuffled(space, rng):
    return space.select(rng.permutation(len(space)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_result_comes_back_on_its_space(kind, tmp_path, rng):
    space = make_spaces()[kind]
    result = make_encode(rng, space=space)
    result.maps[0].values[2] = np.nan
    paths = write.write_result(result, tmp_path, entities=entities_of(space), sidecar={})
    back = read.read_result(paths[0])
    assert back.space.has_places_of(space)
    np.testing.assert_array_equal(back.space.index, space.index)
    for made, again in zip(result.maps, back.maps, strict=True):
        assert (made.stat, made.model, made.description) == (
            again.stat, again.model, again.description,
        )  # fmt: skip
        np.testing.assert_array_equal(made.values, again.values)


@pytest.mark.parametrize("kind", KINDS)
def test_values_stay_with_their_place_in_any_order(kind, tmp_path, rng):
    space = shuffled(make_spaces()[kind], rng)
    result = make_encode(rng, space=space)
    paths = write.write_result(result, tmp_path, entities=entities_of(space), sidecar={})
    back = read.read_result(paths[0])
    order = np.argsort(space.index)
    np.testing.assert_array_equal(back.space.index, space.index[order])
    np.testing.assert_array_equal(back.maps[1].values, result.maps[1].values[order])


@pytest.mark.parametrize("kind", KINDS)
def test_a_result_is_listed_whole_and_repeats(kind, tmp_path):
    space = make_spaces()[kind]
    made = {}
    for name in ("a", "b"):
        result = make_encode(np.random.default_rng(0), space=space)
        paths = write.write_result(
            result, tmp_path / name, entities=entities_of(space), sidecar={"Fingerprint": "f"}
        )
        made[name] = {p.relative_to(tmp_path / name): p.read_bytes() for p in paths}
        on_disk = {p for p in (tmp_path / name).rglob("*") if p.is_file()}
        assert on_disk == set(paths)
        said = json.loads(paths[-1].read_text())
        assert set(said["Outputs"]) == {p.name for p in paths[:-1]}
    assert made["a"] == made["b"]
    assert provenance.is_done(paths[-1], "f")
    paths[1].unlink()
    assert not provenance.is_done(paths[-1], "f")


@pytest.mark.parametrize("kind", KINDS)
def test_a_region_comes_back(kind, tmp_path):
    space = make_spaces()[kind]
    roi = Roi("V1", space, "benson:V1", 99)
    told = {"participant": "01", "space": space.name, "region": "V1"}
    assert read.region_files(tmp_path, **told) == ()
    paths = write.write_region(roi, tmp_path, entities=entities_of(space), sidecar={})
    assert paths[0] == tmp_path / FIRST[kind]
    files = read.region_files(tmp_path, **told)
    assert set(files) == {p for p in paths if p.suffix != ".json"}

    back = read.read_region(tmp_path, **told)
    assert (back.name, back.source, back.n_before) == ("V1", "benson:V1", 99)
    assert back.space.has_places_of(space)
    np.testing.assert_array_equal(back.space.index, space.index)

    files[-1].unlink()
    assert read.region_files(tmp_path, **told) == ()
    with pytest.raises(MissingInputError, match=r"region 'V1' of sub-01 in space"):
        read.read_region(tmp_path, **told)


def test_regions_of_other_names_and_spaces_are_not_taken(tmp_path):
    spaces = make_spaces()
    for name, kind in (("V1v", "surface"), ("V1", "grid")):
        roi = Roi(name, spaces[kind], "", 1)
        write.write_region(roi, tmp_path, entities={"participant": "01"}, sidecar={})
    assert read.region_files(tmp_path, participant="01", space="fsnative", region="V1") == ()
    assert len(read.region_files(tmp_path, participant="01", space="fsnative", region="V1v")) == 2


def test_a_single_hemisphere_has_a_single_file():
    spaces = make_spaces()
    assert places.hemispheres_of(spaces["left"]) == ("L",)
    made = places.paths_of(
        Path(), "statmap", spaces["surface"], **entities_of(spaces["surface"]),
        analysis="encode", stat="pearson", model="m",
    )  # fmt: skip
    assert [p.name for p in made] == [
        f"sub-01_task-objects_hemi-{h}_space-fsnative_model-m_stat-pearson_desc-encode_"
        "statmap.shape.gii"
        for h in "LR"
    ]


def test_densities_have_their_usual_names():
    space = make_spaces()["grayordinates"]
    assert places.density_of(space) == "62"
    assert places.DENSITIES[91282] == "91k"


def test_channels_have_a_column_for_each_map():
    space = make_spaces()["channels"]
    values = np.arange(len(space), dtype=np.float32)
    maps = [StatMap("pearson", values, "net", ""), StatMap("ceiling", values, "", "")]
    table = places.channel_table(space, maps)
    assert list(table.columns) == ["unit", "inside", "pearson_net", "ceiling"]
    assert len(table) == space.n_places
    assert table["inside"].sum() == len(space)
    np.testing.assert_array_equal(table.loc[table["inside"], "ceiling"], values)
    assert table.loc[~table["inside"], "ceiling"].isna().all()


def test_refusals(tmp_path):
    spaces = make_spaces()
    with pytest.raises(ShapeError, match="electrodes"):
        places.write_values((tmp_path / "a",), np.zeros(7), spaces["channels"], name="r")
    with pytest.raises(ConfigError, match="statmap_channels"):
        places.paths_of(tmp_path, "statmap", spaces["channels"], **entities_of(spaces["channels"]))
    wrong = tmp_path / "units.tsv"
    pd.DataFrame({"name": ["a"]}).to_csv(wrong, sep="\t", index=False)
    with pytest.raises(
        UnreadableError, match=r"units\.tsv lacks the columns \['inside', 'unit'\]"
    ):
        places.read_places([wrong], name="electrodes")
    two = [tmp_path / f"sub-01_hemi-L_label-{n}_mask.label.gii" for n in "ab"]
    for path in two:
        places.write_places([path], spaces["left"])
    with pytest.raises(UnreadableError, match="stands for hemisphere 'L'"):
        places.read_places(two, name="fsaverage5")
    two[0].write_bytes(two[0].read_bytes()[:200])
    with pytest.raises(UnreadableError, match="label-a_mask"):
        places.read_places(two[:1], name="fsaverage5")


def retinotopy(n=70):
    sizes = {"L": n, "R": n - 6}
    return {
        stat: {h: np.linspace(0, 12, size) for h, size in sizes.items()}
        for stat in ("angle", "eccentricity", "sigma")
    }, {h: np.arange(size) % 13 for h, size in sizes.items()}


def test_retinotopy_is_written_for_each_hemisphere(tmp_path):
    maps, areas = retinotopy()
    paths = write_retinotopy(
        maps, areas, tmp_path, entities={"participant": "01", "space": "fsnative"}, sidecar={}
    )
    made = sorted(p.name for p in paths if p.suffix != ".json")
    assert tmp_path / "atlas-Benson14_description.json" in paths
    stem = "space-fsnative_atlas-Benson14"
    assert made[0] == f"sub-01_hemi-L_{stem}_dseg.label.gii"
    assert f"sub-01_hemi-R_{stem}_stat-eccentricity_statmap.shape.gii" in made
    assert made[-1] == f"sub-01_{stem}_dseg.tsv"
    table = pd.read_csv(tmp_path / "sub-01/anat" / made[-1], sep="\t")
    assert dict(zip(table["index"], table["name"], strict=True)) == AREAS
    assert AREAS[1] == "V1"


def test_retinotopy_refuses_another_mesh(tmp_path):
    maps, areas = retinotopy()
    areas["R"] = areas["R"][:-1]
    with pytest.raises(ShapeError, match=r"R hemisphere.*\[63, 64\]"):
        write_retinotopy(
            maps, areas, tmp_path, entities={"participant": "01", "space": "fsnative"}, sidecar={}
        )
    assert not list(tmp_path.iterdir())


@pytest.mark.validator
def test_the_validator_finds_nothing_in_any_kind_of_space(tmp_path, rng):
    beside = Path(sys.executable).with_name("bids-validator-deno")
    validator = str(beside) if beside.exists() else shutil.which("bids-validator-deno")
    if validator is None:
        pytest.skip("no bids-validator-deno (pip install bids_dnn[test])")
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "dataset_description.json").write_text('{"Authors": ["A. One", "B. Two"]}')
    out = tmp_path / "out"
    write.write_dataset(out, version="0.1", sources={"raw": raw}, environ={})
    write.write_participants(out, bids_dir=raw, participants=["01"])
    for space in make_spaces().values():
        given = entities_of(space)
        result = make_encode(rng, space=space)
        said = {"Sources": ["bids:raw:a.nii"]}
        write.write_result(result, out, entities=given, sidecar=said)
        write.write_region(Roi("V1", space, "", 50), out, entities=given, sidecar=said)
    maps, areas = retinotopy()
    write_retinotopy(
        maps, areas, out, entities={"participant": "01", "space": "fsnative"}, sidecar=said
    )
    ran = subprocess.run(
        [validator, "--format", "json", str(out)], capture_output=True, check=False
    )
    found = json.loads(ran.stdout)["issues"]["issues"]
    assert found == [], json.dumps(found, indent=1)


def test_channels_keep_names_of_any_kind(tmp_path, rng):
    called = ("001", "1", "a\tb", 'x"y', "n/a", "nan", "ü-é", "two\nlines", "true")
    space = Channels("electrodes", called, np.array([0, 2, 4, 8]))
    result = make_encode(rng, space=space)
    paths = write.write_result(result, tmp_path, entities=entities_of(space), sidecar={})
    back = read.read_result(paths[0])
    assert back.space.names == called
    np.testing.assert_array_equal(back.maps[0].values, result.maps[0].values)


def test_channels_keep_where_they_stand(tmp_path, rng):
    place = [[0, 0.5], [np.nan, np.nan], [400, -800]]
    layout = Layout(("a", "", "001"), ("V1", "", "V4"), np.array([2, 0, 64]), np.array(place))
    space = Channels("electrodes", ("x", "y", "z"), np.array([0, 2]), layout)
    paths = write.write_result(
        make_encode(rng, space=space), tmp_path, entities=entities_of(space), sidecar={}
    )
    back = read.read_result(paths[0]).space
    assert (back.layout.array, back.layout.area) == (layout.array, layout.area)
    np.testing.assert_array_equal(back.layout.channel, layout.channel)
    np.testing.assert_array_equal(back.layout.place, layout.place)
    assert back.index.tolist() == [0, 2]
    (sidecar,) = [p for p in paths if p.name.endswith("_units.json")]
    told = json.loads(sidecar.read_text())
    assert told["array"]["Description"].startswith("Electrode array")
    assert told["x"]["Format"] == "number"


@pytest.mark.parametrize("kind", KINDS)
def test_a_result_with_a_part_gone_or_broken_is_refused(kind, tmp_path, rng):
    space = make_spaces()[kind]
    result = make_encode(rng, space=space)
    paths = write.write_result(result, tmp_path, entities=entities_of(space), sidecar={})
    images = [p for p in paths if p.suffix != ".json" and "scores" not in p.name]
    whole = images[-1].read_bytes()
    images[-1].write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnreadableError, match=f"{images[-1].name} is not what was written"):
        read.read_result(paths[0])
    images[-1].unlink()
    with pytest.raises(UnreadableError, match=f"{images[-1].name} was written, but is not there"):
        read.read_result(paths[0])


def test_values_of_another_mesh_are_refused(tmp_path):
    spaces = make_spaces()
    paths = [tmp_path / f"sub-01_hemi-{h}_statmap.shape.gii" for h in "LR"]
    places.write_values(paths, np.zeros(len(spaces["surface"])), spaces["surface"], name="r")
    other = Surface("fsnative", (71, 64), np.arange(3))
    with pytest.raises(SpaceError, match="70 vertices, the L hemisphere of fsnative has 71"):
        places.read_values(paths, other)
