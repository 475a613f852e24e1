"""Each kind of ready-made responses, from its own layout to a table, through the App."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.factories.ready_algonauts import write_algonauts
from tests.factories.ready_bold5000 import write_bold5000
from tests.factories.ready_glmsingle import write_glmsingle
from tests.factories.ready_nsd import write_design, write_responses, write_volumes
from tests.factories.ready_nwb import nwb_file
from tests.factories.ready_statmap import volume_maps
from tests.factories.ready_table import table_folder
from tests.factories.ready_tvsd import norm_mua
from tests.factories.ready_vim1 import vim1_folder
from tests.factories.sources import write_raw
from tests.factories.trees import describe

pytestmark = pytest.mark.whole


def test_glmsingle_is_decoded(app, tmp_path, rng):
    made = write_glmsingle(tmp_path / "betas" / "sub-01", rng)
    raw = write_raw(tmp_path / "raw", rng)
    given = ("--responses", f"glmsingle={tmp_path / 'betas'}")
    assert "sub-01" in app(raw, *given, analysis="decode", dry=True)
    table = app(raw, *given, analysis="decode")["01"]
    assert (table["n_samples"] == len(made["order"])).all()
    assert (table["n_runs"] == 2).all()


def test_bold5000_is_decoded_in_its_regions(app, tmp_path, rng):
    write_bold5000(tmp_path / "bold", rng, volumes=False)
    raw = write_raw(tmp_path / "raw", rng)
    given = ("--responses", f"bold5000={tmp_path / 'bold'}")
    assert "CSI1" in app(raw, *given, analysis="decode", dry=True)
    table = app(raw, *given, "--roi", "LHPPA", analysis="decode")["CSI1"]  # one of ten
    assert table["region"].unique().tolist() == ["LHPPA"]
    assert (table["n_classes"] == 3).all()  # COCO, ImageNet, scenes


def test_table_is_decoded_with_nuisance_and_areas(app, tmp_path, rng):
    table_folder(tmp_path / "mine", rng, n_samples=40)
    raw = write_raw(tmp_path / "raw", rng)
    given = ("--responses", f"table={tmp_path / 'mine'}", "--roi", "Early=area:V1 | area:V4")
    tables = app(raw, *given, analysis="decode", nuisance=("reaction_time",))
    (table,) = tables.values()
    assert table["region"].unique().tolist() == ["Early"]
    assert (table["n_units"] == 4).all()
    (sidecar,) = (tmp_path / "out").rglob("*_desc-decode_scores.json")
    facts = json.loads(sidecar.read_text())
    assert facts["Facts"]["nuisance"] == ["reaction_time"]
    assert any("have no reaction_time" in text for text in facts["Warnings"])


def test_a_column_that_is_not_there_is_refused_by_the_dry_run(app, tmp_path, rng):
    table_folder(tmp_path / "mine", rng, n_samples=40)
    raw = write_raw(tmp_path / "raw", rng)
    given = ("--responses", f"table={tmp_path / 'mine'}")
    refused = "nuisance column 'luminance' is not in the sample table"
    said = app(raw, *given, analysis="decode", nuisance=("luminance",), dry=True, expect=2)
    assert refused in " ".join(said.split())
    said = app(raw, *given, analysis=None, nuisance=("luminance",), dry=True)
    assert "problem: The decode.nuisance column 'luminance'" in said


def test_vim1_is_encoded_from_its_own_pictures(app, tmp_path, rng):
    vim1_folder(tmp_path / "vim1", rng)
    raw = write_raw(tmp_path / "raw", rng)
    given = ("--responses", f"vim1={tmp_path / 'vim1'}", "--participant-label", "S1")
    assert "26 pictures" in app(raw, *given, analysis="encode", dry=True)
    table = app(raw, *given, analysis="encode")["S1"]
    assert "V4" in set(table["region"])
    assert (table["n_stimuli"] == 26).all()


def test_algonauts_are_encoded_from_a_folder_of_pictures(app, tmp_path, rng):
    made = write_algonauts(tmp_path / "algonauts", rng)
    pictures = tmp_path / "algonauts/subj01/training_split/training_images"
    for name in made["train"]:
        shade = rng.integers(0, 255, size=(8, 8, 3), dtype=np.uint8)
        Image.fromarray(shade).save(pictures / name)
    raw = write_raw(tmp_path / "raw", rng)
    given = ("--responses", f"algonauts={tmp_path / 'algonauts'}", "--stimuli-dir", pictures)
    table = app(raw, *given, analysis="encode")["subj01"]
    assert {"V1v", "V1"} <= set(table["region"])
    maps = sorted((tmp_path / "out/sub-subj01/func").glob("*stat-pearson*statmap*.gii"))
    assert [("hemi-L" in p.name, "hemi-R" in p.name) for p in maps] == [
        (True, False),
        (False, True),
    ]


def test_nsd_is_encoded(app, tmp_path, rng):
    folder = tmp_path / "nsd"
    shown = write_design(folder, rng)[0]
    write_responses(folder, "subj01", shown, (1,))
    write_volumes(folder, rng, sessions=(1,))
    names = [f"nsd-{number - 1:05d}.png" for number in sorted(set(shown[:750].tolist()))[:60]]
    raw = write_raw(tmp_path / "raw", rng, pictures=names)
    given = ("--responses", f"nsd={folder}", "--roi", "V1=area:V1v | area:V1d")
    table = app(raw, *given, analysis="encode")["subj01"]
    assert table["region"].unique().tolist() == ["V1"]
    assert (table["n_stimuli"] == 60).all()


def test_tvsd_is_encoded(app, tmp_path, rng):
    made = norm_mua(tmp_path / "tvsd" / "monkeyF", rng)
    names = [name for part in made["names"] for name in part]
    raw = write_raw(tmp_path / "raw", rng, pictures=names)
    given = ("--responses", f"tvsd={tmp_path / 'tvsd'}")
    table = app(raw, *given, analysis="encode")["monkeyF"]
    assert set(table["region"]) == {"V1", "V4", "IT"}
    (path,) = (tmp_path / "out/sub-monkeyF/func").glob("*desc-encode_units.tsv")
    units = pd.read_csv(path, sep="\t")
    row = units[units["unit"] == "array09channel02"].iloc[0]
    assert (row["array"], row["area"], row["channel"]) == ("array09", "IT", 2)
    assert np.isfinite(row["pearson_tiny+0"])
    page = (tmp_path / "out" / "sub-monkeyF.html").read_text()
    assert "16 grids of channels with maps of tiny 0" in page
    asked = [part for name in ("V4", "array09") for part in ("--roi", f"{name}=area:{name}")]
    table = app(raw, *given, *asked, analysis="encode")["monkeyF"]
    assert set(table["region"]) == {"V4", "array09"}
    assert "Electrodes are in the order of channels" in page
    assert list((tmp_path / "out/sub-monkeyF/figures").glob("*encode_maps*.png"))


def test_nwb_is_encoded_and_one_run_is_not_decoded(app, tmp_path, rng):
    names = [f"faces/{i}.png" for i in range(12)]
    start = np.arange(24) * 1.0
    shown = {"start_time": start, "stop_time": start + 0.5, "stim_file": names * 2}
    nwb_file(tmp_path / "nwb/sub-m1/sub-m1_ecephys.nwb", rng, n_shown=24, tables={"trials": shown})
    raw = write_raw(tmp_path / "raw", rng, pictures=names)
    given = ("--responses", f"nwb={tmp_path / 'nwb'}")
    said = app(raw, *given, analysis="decode", expect=1)
    assert "There is one run" in said
    table = app(raw, *given, analysis="encode")["m1"]
    assert (table["n_stimuli"] == 12).all()


def test_statmaps_are_decoded(app, tmp_path, rng):
    home = tmp_path / "glm"
    volume_maps(home, rng)
    describe(home, "Maps", made_by="nilearn")
    raw = write_raw(tmp_path / "raw", rng)
    table = app(raw, "--responses", f"statmap={home}", analysis="decode")["01"]
    assert (table["n_runs"] == 2).all()


def test_a_data_set_that_says_what_it_is_is_found(app, tmp_path, rng):
    raw = write_raw(tmp_path / "raw", rng)
    home = raw / "derivatives" / "betas"
    write_glmsingle(home / "sub-01", rng)
    describe(home, "Betas", made_by="GLMsingle")
    said = app(raw, analysis="decode", dry=True)
    assert "glmsingle" in said
    assert "sub-01" in said


def test_what_nobody_asked_for_is_left_out_with_the_reason(app, tmp_path, rng):
    vim1_folder(tmp_path / "vim1", rng)
    raw = write_raw(tmp_path / "raw", rng)
    given = ("--responses", f"vim1={tmp_path / 'vim1'}", "--participant-label", "S1")
    said = " ".join(app(raw, *given, analysis=None).split())
    assert "Left out: sub-S1: decode: Without run" in said
    assert "encode of sub-S1" in said
    page = (tmp_path / "out" / "sub-S1.html").read_text()
    assert "decode: Without run" in page
    again = " ".join(app(raw, *given, analysis=None).split())
    assert "nothing new; all was there already" in again


def test_tables_hold_what_the_reader_told(app, tmp_path, rng):
    made = table_folder(tmp_path / "mine", rng, n_samples=40)
    raw = write_raw(tmp_path / "raw", rng)
    app(raw, "--responses", f"table={tmp_path / 'mine'}", analysis="ceiling")
    (path,) = (tmp_path / "out").rglob("*_desc-ceiling_scores.tsv")
    table = pd.read_csv(path, sep="\t")
    counts = made["samples"]["stimulus"].replace("n/a", np.nan).value_counts()
    assert (table["n_repeated_items"] == (counts > 1).sum()).all()


@pytest.mark.parametrize("kind", ["glmsingle", "nsd", "vim1", "tvsd", "table"])
def test_an_empty_folder_is_refused_with_the_layout(app, tmp_path, rng, kind):
    (tmp_path / "empty").mkdir()
    raw = write_raw(tmp_path / "raw", rng)
    said = app(raw, "--responses", f"{kind}={tmp_path / 'empty'}", analysis="decode", expect=2)
    assert "Traceback" not in said
    assert str(tmp_path / "empty") in said
