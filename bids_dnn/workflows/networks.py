"""What each network is to do, decided before it is loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bids_dnn.config.schema import Config, NetworkConfig
from bids_dnn.containers.network import READY
from bids_dnn.containers.readout import READOUTS
from bids_dnn.derivatives import provenance
from bids_dnn.errors import ConfigError, MissingInputError, NotEnoughDataError
from bids_dnn.features.reduce import check_widths, parse_reduction
from bids_dnn.files import fingerprint_of
from bids_dnn.stimuli.captions import coco_names, find_captions, of_table
from bids_dnn.stimuli.transform import check_composed
from bids_dnn.stimuli.transform_parse import parse_transforms
from bids_dnn.workflows.asked import estimators
from bids_dnn.workflows.built import built_of
from bids_dnn.workflows.scene import STEPS, Manifest, Scene

if TYPE_CHECKING:
    from bids_dnn.features.probe import Probed

CAPTIONER = "transformers:"
READERS = ("open_clip:", "transformers:")  # families with networks that read


def network_manifests(scene: Scene) -> dict[str, Manifest]:
    """Describe the feature extraction of each network of [encode].

    Parameters
    ----------
    scene
        Settings, what was found, and where things go.

    Returns
    -------
    manifests
        By the network's name: all that its features depend on, ``key`` = the fingerprint of
        that, then where things lie.

    Raises
    ------
    ConfigError
        If a transform does not exist, features that were made elsewhere are to be made anew, or
        principal components are to be scaled.
    MissingInputError
        If a stimulus, a file of weights or of captions is not there.
    NotEnoughDataError
        If features are to be scaled by training stimuli, and there are none.
    """
    config = scene.config
    chosen = config.encode.networks or tuple(config.networks)
    digests = scene.sha256()
    return {name: _manifest(scene, name, config.networks[name], digests) for name in chosen}


def _manifest(
    scene: Scene, name: str, told: NetworkConfig, digests: Mapping[str, str]
) -> Manifest:
    run = scene.config.run
    captions, notes = _captions(scene, told)
    _check_ready(name, told)
    reduction = parse_reduction(told.reduce)  # refused before anything runs
    asked = estimators(scene.config)
    needs_columns = scene.config.encode.pls_scale and "pls" in asked
    if needs_columns and reduction.kind == "pca":
        raise ConfigError(
            f"encode.pls_scale is true, but [networks.{name}] has reduce = {told.reduce!r}; "
            "principal components would all weigh the same once they are divided by their SD.",
            mend="Leave pls_scale or reduce out, or type reduce = 'srp(n=1000)'.",
        )
    manifest: Manifest = {
        "name": name,
        "network": told.network,
        "layers": list(told.layers),
        "weights": told.weights,
        "seed": run.random_seed,
        "device": run.device,
        "precision": told.precision,
        "batch_size": told.batch_size or 0,
        "transform": [str(one) for one in parse_transforms(told.transform)],
        "captions": {key: list(texts) for key, texts in captions.items()},
        "captioner": told.captions if _is_captioner(told.captions) else None,
        "reduce": told.reduce,
        "scaled_on": _scaled_on(scene, told),
        "keep_features": told.keep_features,
        "stimulus_sha256": dict(digests),
        "code": provenance.code_fingerprint(f"{STEPS}.features"),
    } | _files_identity(scene, told)
    return manifest | {
        "key": fingerprint_of(manifest | _without_places(told)),
        "stimuli": {key: list(map(str, paths)) for key, paths in scene.stimuli.files.items()},
        "caption_notes": notes,
        "aliases": {key: list(ids) for key, ids in scene.stimuli.aliases.items()},
        "categories": {key: str(one) for key, one in scene.stimuli.table["category"].items()},
        "cache": str(scene.cache_dir()),
        "max_pixels": run.max_pixels,
        "keep_maps": any(one in READOUTS for one in asked),
        "keep_columns": needs_columns,
        "readout_features": scene.config.encode.readout_features,
        "gram": told.gram,
        "offline": run.offline,
        "output_dir": str(scene.output_dir),
        "progress": str(scene.work_dir / "progress" / f"{name}.json"),
    }


def check_layers(told: Manifest, probed: Sequence[Probed]) -> None:
    """Refuse, before anything runs, what the layers of a network do not allow.

    Parameters
    ----------
    told
        Manifest of its feature extraction.
    probed
        Its layers.

    Raises
    ------
    ConfigError
        If more projections are asked for than a layer has features, or a network that sees has
        no transform that puts composed pictures together.
    NotEnoughDataError
        If a layer reads captions, and there are none.
    """
    check_widths(parse_reduction(told["reduce"]), {p.layer.name: p.n_features for p in probed})
    modalities = {one.modality for one in probed}
    if "image" in modalities:
        transforms = parse_transforms(told["transform"])
        for name, paths in told["stimuli"].items():
            check_composed(name, len(paths), transforms)
    if "text" in modalities and not (told["captions"] or told["captioner"]):
        raise NotEnoughDataError(
            f"{told['network']} is to read captions, but no stimulus has one.",
            mend="Name a table with captions = 'captions.tsv' under "
            f"[networks.{told['name']}], or give stimuli.tsv a column caption.",
        )


def check_estimators(
    config: Config,
    networks: Mapping[str, Manifest],
    probed: Mapping[str, Sequence[Probed]],
) -> None:
    """Refuse, before anything runs, estimators that the layers of all networks do not allow.

    Parameters
    ----------
    config
        Settings.
    networks
        Manifests of feature extraction, by name.
    probed
        Layers of each network; none of features that were made elsewhere.

    Raises
    ------
    ConfigError
        If readouts are asked for, and no layer puts out maps of features; or banded ridge
        cannot join the feature spaces.
    """
    from bids_dnn.analyses.encode.estimate_banded import check_spaces
    from bids_dnn.workflows.steps.kept import with_maps

    reductions = {name: parse_reduction(networks[name]["reduce"]) for name in probed}
    encode = config.encode
    asked = [one for one in estimators(config) if one in READOUTS]
    if asked and not any(with_maps(own, reductions[name]) for name, own in probed.items()):
        raise ConfigError(
            f"encode.estimator asks for readouts in space and features ({', '.join(asked)}), but "
            f"no layer of {', '.join(networks)} puts out maps of features.",
            mend="Name convolutions or stages, such as --network alexnet@conv3, without :mean, "
            "reduce = 'srp(...)' or features that were made elsewhere.",
        )
    if "banded" in estimators(config) and probed.keys() == networks.keys():
        n_kept = {n: one.n_components * (one.kind == "pca") for n, one in reductions.items()}
        layers = [(name, one.layer.name, n_kept[name]) for name in probed for one in probed[name]]
        check_spaces(
            layers,
            spaces=encode.spaces,
            select=encode.select,
            is_partitioned=encode.partition,
        )


def caption_notes(told: Manifest, probed: Sequence[Probed]) -> list[str]:
    """Say which stimuli a network cannot read, and which captions are of none; [] where all fit.

    Parameters
    ----------
    told
        Manifest of its feature extraction.
    probed
        Its layers.
    """
    reads = any(one.modality == "text" for one in probed)
    if not reads or told["captioner"]:
        return []
    without = [name for name in told["stimuli"] if name not in told["captions"]]
    if not without:
        return list(told["caption_notes"])
    return [
        f"{len(without)} of {len(told['stimuli'])} stimuli have no caption for {told['name']}, "
        f"such as {without[0]!r}; they are left out.",
        *told["caption_notes"],
    ]


def _check_ready(name: str, told: NetworkConfig) -> None:
    """Refuse to change pictures or features of which only the features are there."""
    asked = {
        "transform": bool(told.transform),
        "scale": told.scale != "none",
        "reduce": parse_reduction(told.reduce).kind == "srp",
    }
    if told.network.startswith(READY) and any(asked.values()):
        keys = [key for key, is_asked in asked.items() if is_asked]
        raise ConfigError(
            f"[networks.{name}] has {' and '.join(keys)}, but {told.network} were made elsewhere; "
            "they are taken as they are, or with principal components.",
            mend=f"Leave {' and '.join(keys)} out, or type reduce = 'pca(n=100)'.",
        )


def _without_places(told: NetworkConfig) -> Manifest:
    """Return what names files or folders, of which the content counts and not the place."""
    path, weights = told.network, told.weights
    family, _, rest = path.partition(":")
    source, _, factory = path.rpartition(":")
    if source.endswith(".py"):
        path = f"{Path(source).name}:{factory}"
    elif path.startswith(READY) or (rest and Path(rest).is_dir()):
        path = f"{family}:{Path(rest).name}"
    if weights not in (None, "random"):
        weights = Path(weights).name
    return {"network": path, "weights": weights}


def _captions(
    scene: Scene, told: NetworkConfig
) -> tuple[Mapping[str, tuple[str, ...]], list[str]]:
    """Return captions, and what is told of those that are left out."""
    if told.captions is None:
        return of_table(scene.stimuli.table) if told.network.startswith(READERS) else {}, []
    if _is_captioner(told.captions):
        return {}, []
    aliases = {**scene.stimuli.aliases, **coco_names(scene.stimuli.table)}
    found = find_captions(Path(told.captions), list(scene.stimuli.files), aliases)
    return found.texts, list(found.notes[1:] if found.without else found.notes)


def _is_captioner(captions: str | None) -> bool:
    return captions is not None and captions.startswith(CAPTIONER)


def _scaled_on(scene: Scene, told: NetworkConfig) -> list[str]:
    if told.scale == "none":
        return []
    table = scene.stimuli.table
    train = [str(name) for name in table.index[table["split"] == "train"]]
    if len(train) < 2:
        raise NotEnoughDataError(
            f"{told.network} has scale = 'train', but {len(train)} stimuli have the split 'train' "
            "in stimuli.tsv; products of features can be scaled by a fixed training set only.",
            mend="Give stimuli.tsv a column split with train and test, or leave scale out.",
        )
    same = scene.same()  # a picture that is another under a second name is that one
    return list(dict.fromkeys(same.get(name, name) for name in train))


def _files_identity(scene: Scene, told: NetworkConfig) -> Manifest:
    made: Manifest = {}
    source, sign, _ = told.network.rpartition(":")
    if sign and source.endswith(".py"):
        made["source_sha256"] = scene.inputs.sha256(Path(source))
    if told.network.startswith(READY):
        files = ready_files(Path(told.network.removeprefix(READY)))
        made["ready_sha256"] = {one.name: scene.inputs.sha256(one) for one in files}
    if told.weights not in (None, "random"):
        made["weights_sha256"] = scene.inputs.sha256(Path(told.weights))
    if not told.network.startswith(READY):
        made |= built_of(
            told.network,
            weights=told.weights,
            seed=scene.config.run.random_seed,
            sha256=scene.inputs.sha256,
        )
    if told.captions is not None and _is_captioner(told.captions):
        made["captioner_built"] = built_of(
            told.captions, weights=None, seed=0, sha256=scene.inputs.sha256
        )
    return made


def ready_files(path: Path) -> list[Path]:
    """Return the files of features that were made elsewhere: one and those beside it, or a folder.

    Raises
    ------
    MissingInputError
        If there is neither.
    """
    if path.is_dir():
        return sorted(one for one in path.rglob("*") if one.is_file())
    if path.is_file():
        files = sorted(path.parent.glob(f"{path.stem}.*"))
        return files + [one for one in (path.parent / "file_names.txt",) if one.is_file()]
    raise MissingInputError(
        f"There are no features at {path}, which --network {READY}{path} names.",
        mend="Correct the path after the colon.",
    )
