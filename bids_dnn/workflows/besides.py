"""What the result of an analysis depends on, beside its data and its own settings."""

from __future__ import annotations

import hashlib

from bids_dnn.config.covariates import NUISANCE, OPTIONS, feature_spaces
from bids_dnn.config.schema import Analysis
from bids_dnn.errors import LeakageError
from bids_dnn.ingest.records import Subject
from bids_dnn.workflows.decode_choices import NOT_OF_SPHERES
from bids_dnn.workflows.meshes import mesh_files, path_of_mesh
from bids_dnn.workflows.scene import Manifest, Scene


def seed_of(seed: int, participant: str, analysis: str) -> int:
    """Spawn the seed of one participant's analysis from the seed of the run.

    Examples
    --------
    >>> seed_of(0, "01", "decode") == seed_of(0, "01", "decode") != seed_of(0, "02", "decode")
    True
    """
    digest = hashlib.sha256(f"{seed}/{participant}/{analysis}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


def split_of(scene: Scene) -> dict[str, str]:
    """Return which stimuli train and which test, where the split of the table is asked for.

    "" = the table leaves it open.

    Raises
    ------
    LeakageError
        If one picture has two names, of which one trains and the other tests.
    """
    if not scene.config.encode.folds.split:
        return {}
    same, told = scene.same(), scene.stimuli.table["split"]
    made: dict[str, tuple[str, str]] = {}  # by the first name of a picture: who says it, and what
    for name, part in ((str(name), str(part)) for name, part in told.items() if part):
        other, before = made.setdefault(same.get(name, name), (name, part))
        if before != part:
            raise LeakageError(
                f"{name} is in {part}, but it is the same picture as {other}, which is in "
                f"{before}; a picture that trains cannot test.",
                mend="Give both the same split in stimuli.tsv, or leave one of them out.",
            )
    known = {first: part for first, (_, part) in made.items()}
    return {same.get(name, name): "" for name in map(str, told.index)} | known


def own_of(scene: Scene, analysis: Analysis, subject: Subject, split: dict[str, str]) -> Manifest:
    """Return what the result depends on besides, JSON-ready.

    Parameters
    ----------
    scene
    analysis
    subject
        From the inventory.
    split
        From `split_of`.

    Returns
    -------
    own
        Of encoding, the split; where units are chosen to decode from, how they are scored; which
        networks are covariates of decoding; of the twin, how regions are decoded, and with which
        seed, so that their scores are those of decoding; of the searchlight, how a sphere is
        decoded, and what meshes of surfaces hold.
    """
    config = scene.config
    if analysis == "encode":
        return {"split": split}
    own: Manifest = {}
    if config.decode.units is not None and analysis in ("decode", "twin"):
        told = config.encode.model_dump(mode="json")
        scored = {key: told[key] for key in ("select", "alphas")}
        own["scored"] = scored | {"inner": told["folds"]["inner"]}
    covariates = {"decode": OPTIONS, "twin": NUISANCE}.get(analysis, ())
    if spaces := feature_spaces(config, covariates):
        own["feature_spaces"] = {text: list(told) for text, told in spaces.items()}
    if analysis == "twin":
        own["decode"] = config.decode.model_dump(mode="json")
        own["decode_seed"] = seed_of(config.run.random_seed, subject.participant, "decode")
    if analysis == "searchlight":
        told = config.decode.model_dump(mode="json")
        own["decode"] = {key: told[key] for key in told if key not in NOT_OF_SPHERES}
        own["run_seed"] = config.run.random_seed
        meshes = mesh_files(subject)
        own["meshes"] = {side: scene.inputs.sha256(path_of_mesh(meshes[side])) for side in meshes}
    return own
