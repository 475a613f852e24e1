"""The App on what cannot be paired: refused in the plan, with and without --dry-run."""

import numpy as np
import pytest

from tests.factories.hub import save_clip
from tests.factories.pictures import PICTURES, add_training_pictures
from tests.factories.sources import check

pytestmark = pytest.mark.whole


@pytest.mark.parametrize("dry", [True, False])
@pytest.mark.parametrize(
    ("line", "key"),
    [
        ('transform = ["grey"]', "transform"),
        ('scale = "train"', "scale"),
        ('reduce = "srp(n=2)"', "reduce"),
    ],
)
def test_features_that_were_made_elsewhere_are_not_made_anew(app, tree, rng, line, key, dry):
    raw, given = tree
    add_training_pictures(raw)
    mine = raw.parent / "mine.npy"
    np.save(mine, rng.normal(size=(len(PICTURES), 7)).astype(np.float32))
    mine.with_suffix(".txt").write_text("\n".join(PICTURES))
    more = f'[networks.own]\nnetwork = "features:{mine}"\n{line}\n'
    said = app(raw, *given, analysis="encode", more=more, expect=2, dry=dry)
    check(" ".join(said.split()), f"[networks.own] has {key}, but", f"Leave {key} out")


@pytest.mark.parametrize("dry", [True, False])
def test_principal_components_are_not_scaled(app, tree, dry):
    raw, given = tree
    options = (*given, "--estimator", "ridge", "--estimator", "pls")
    more = '[networks.few]\nnetwork = "tiny.py:build"\nreduce = "pca(n=3)"\n'
    settings = raw.parent / "scaled.toml"
    app(raw, *options, analysis="encode", more=more, dry=True)
    tiny = raw.parent / "settings" / "tiny.py"
    settings.write_text(f"[encode]\npls_scale = true\n{more.replace('tiny.py', str(tiny))}")
    options += ("--config", settings)
    said = app(raw, *options, analysis="encode", expect=2, dry=dry)
    words = ("pls_scale is true, but [networks.few] has reduce = 'pca(n=3)'", "Leave pls_scale")
    check(" ".join(said.split()), *words)


@pytest.mark.parametrize("dry", [True, False])
@pytest.mark.parametrize(
    ("files", "line", "words"),
    [
        (2, "", "is made of 2 pictures, but nothing puts them together"),
        (3, 'transform = ["pair"]', "is made of 3 pictures, but pair takes two"),
        (2, 'transform = ["pair"]', ""),
    ],
)
def test_composed_pictures_need_a_pair_before_anything_runs(app, tree, files, line, words, dry):
    raw, given = tree
    names = ";".join(PICTURES[:files])
    (raw / "stimuli" / "stimuli.tsv").write_text(f"stimulus_id\tstim_file\nboth\t{names}\n")
    if not words and not dry:  # `line` belongs to [networks.tiny]
        (found,) = app(raw, *given, analysis="encode", more=line).values()
        assert np.isfinite(found["score"]).all()
        return
    said = app(raw, *given, analysis="encode", more=line, expect=2 if words else 0, dry=dry)
    assert words in " ".join(said.split())


@pytest.mark.parametrize("dry", [True, False])
def test_a_captioner_that_is_not_there_is_refused_before_anything_runs(
    app, tree, tmp_path, monkeypatch, dry
):
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    raw, given = tree
    save_clip(tmp_path)
    more = (
        f'[networks.text]\nnetwork = "transformers:{tmp_path}"\nlayers = ["text_embeds"]\n'
        'captions = "transformers:nope/nope"\n'
    )
    said = app(raw, *given, "--offline", analysis="encode", more=more, expect=2, dry=dry)
    said = " ".join(said.split())
    check(said, "of nope/nope", "this run is offline")
    assert "--weights" not in said
