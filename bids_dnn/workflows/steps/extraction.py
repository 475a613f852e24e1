"""A network and its stimuli -> Gram matrices in the cache: who makes which, in which passes."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn.backend import cores
from bids_dnn.containers.features import FeatureGram
from bids_dnn.containers.network import Network
from bids_dnn.containers.portrait import Portrait
from bids_dnn.errors import MissingInputError, NotEnoughDataError, UnreadableError
from bids_dnn.features import store
from bids_dnn.features.claims import claimed
from bids_dnn.features.extract import Options, Read, Shown, extract_features, passes_of
from bids_dnn.features.gram import Passes, grams_of, plan_grams
from bids_dnn.features.identity import identities_of, recorded
from bids_dnn.features.index import Place, where_open
from bids_dnn.features.portrait import head_layers, labels_of, portray
from bids_dnn.features.probe import Probed, probe
from bids_dnn.features.reduce import Reduction, parse_reduction, projected
from bids_dnn.features.text import captioner, length_warnings
from bids_dnn.stimuli.captions import sha256_of
from bids_dnn.stimuli.load import read_rgb
from bids_dnn.stimuli.transform import examples, makes_square
from bids_dnn.stimuli.transform_parse import parse_transforms
from bids_dnn.workflows.progress import Ticker
from bids_dnn.workflows.resources import MEMORY_SHARE
from bids_dnn.workflows.steps.anew import bytes_of_maps, is_made_anew
from bids_dnn.workflows.steps.captions import caption_stimuli
from bids_dnn.workflows.steps.heads import WithHead
from bids_dnn.workflows.steps.kept import where_features_lie, with_maps
from bids_dnn.workflows.steps.pictures import files_of, loader_of, network_of

log = logging.getLogger(__name__)
Told = Mapping[str, Any]
Labels = dict[str, tuple[str, float]]


@dataclass(frozen=True, slots=True)
class Extracted:
    """What a network made of the stimuli.

    Parameters
    ----------
    layers, keys
        Names, and keys of the cache.
    portraits
        One for each tower that was used, by what it takes.
    warnings
        Sentences.
    features
        By layer, the key of the features themselves, where they are to be written.
    kept
        By layer, where the features themselves lie, where estimators need them; None where maps
        are made anew from the pictures.
    """

    layers: tuple[str, ...]
    keys: tuple[str, ...]
    portraits: Mapping[str, Portrait]
    warnings: tuple[str, ...] = ()
    features: Mapping[str, str] = field(default_factory=dict)
    kept: Mapping[str, Place] | None = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Tower:
    """One way into a network: its layers, and what is shown to them."""

    told: Told
    network: Network
    probed: tuple[Probed, ...]
    inputs: Shown | Read
    options: Options
    reduction: Reduction
    out_dir: Path

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(self.inputs.sha256)


def extract(told: Told, device: str, out_dir: Path) -> Extracted:
    """Show the stimuli to a network, to each tower what it takes; what is cached is not made.

    Parameters
    ----------
    told
        Manifest of the network.
    device
        ``cpu`` or ``cuda``.
    out_dir
        Where scratch files go.

    Raises
    ------
    BidsDnnError
        If the network, its weights, a stimulus or a caption cannot be used, or the disk is full.
    """
    network = network_of(told)
    probed = probe(network, network.card.layers)
    options = Options(
        device=device,
        precision=told["precision"],
        batch_size=told["batch_size"],
        n_workers=max(1, cores() - 1),
    )
    reduction = parse_reduction(told["reduce"])
    if reduction.kind == "pca":  # learnt within folds, from the same products
        reduction = Reduction()
    keys: dict[str, str] = {}
    portraits: dict[str, Portrait] = {}
    warnings: list[str] = []
    features: dict[str, str] = {}
    places: dict[str, Place] = {}
    is_anew = False
    for modality in dict.fromkeys(one.modality for one in probed):
        mine = tuple(one for one in probed if one.modality == modality)
        inputs = _shown(told, network) if modality == "image" else _read(told, device)
        if isinstance(inputs, Read):
            warnings += length_warnings(network, inputs.captions)
        tower = _Tower(told, network, mine, inputs, options, reduction, out_dir)
        made, portraits[modality] = _extract_tower(tower)
        keys |= made
        needed = with_maps(mine, reduction) if told["keep_maps"] else ()
        if told["keep_columns"]:
            needed = mine
        elif needed and is_made_anew(told, bytes_of_maps(needed, len(tower.ids))):
            needed, is_anew = (), True
        kept = _keep_features(tower, mine if told["keep_features"] else needed)
        features |= kept if told["keep_features"] else {}
        places |= where_features_lie(needed, kept, reduction, n_stimuli=len(tower.ids))
    layers = tuple(one.layer.name for one in probed)
    in_order = tuple(keys[one] for one in layers)
    lie = None if is_anew else places
    return Extracted(layers, in_order, portraits, tuple(warnings), features, lie)


def _shown(told: Told, network: Network) -> Shown:
    loader = loader_of(told, network.card)
    return Shown(told["stimulus_sha256"], loader, tuple(map(str, loader.transforms)))


def _read(told: Told, device: str) -> Read:
    captions = {name: tuple(texts) for name, texts in told["captions"].items()}
    if told["captioner"]:
        captions = _captioned(told, device)
    if not captions:
        raise NotEnoughDataError(
            f"{told['network']} is to read captions, but no stimulus has one.",
            mend="Name a table with captions = 'captions.tsv' under "
            f"[networks.{told['name']}], or give stimuli.tsv a column caption.",
        )
    return Read(sha256_of(captions), captions)


def _captioned(told: Told, device: str) -> dict[str, tuple[str, ...]]:
    """Let another network describe each stimulus in words."""
    ticker = Ticker(Path(told["progress"]), "captions")
    try:
        said = caption_stimuli(
            captioner(told["captioner"], offline=told["offline"]),
            files_of(told),
            max_pixels=told["max_pixels"],
            device=device,
            progress=ticker,
        )
    finally:
        ticker.close()
    return {name: (text,) for name, text in said.items()}


def _extract_tower(tower: _Tower) -> tuple[dict[str, str], Portrait]:
    """Make what the cache lacks, and draw the portrait; returns the key of each layer."""
    cache = Path(tower.told["cache"])
    identities = identities_of(
        tower.network,
        tower.probed,
        tower.inputs,
        options=tower.options,
        reduction=tower.reduction,
        scale=tower.told["scaled_on"],
    )
    grams = store.obtain(cache, identities, partial(_make, tower, identities), say=log.warning)
    keys = {name: store.key(identity) for name, identity in identities.items()}
    return keys, _portray(tower, grams.values(), _labels(tower))


def _make(
    tower: _Tower, identities: Mapping[str, Mapping[str, str]], todo: Sequence[str]
) -> Iterator[FeatureGram]:
    """Extract some layers, and on the way what the head says of pictures."""
    heads = _heads(tower)
    asked = [one for one in tower.probed if one.layer.name in set(todo)]
    known = {one.layer.name for one in asked}
    ticker = _ticker(tower)
    try:
        passes = WithHead(
            passes_of(
                tower.network,
                tower.inputs,
                [*asked, *(one for one in heads if one.layer.name not in known)],
                options=tower.options,
                progress=ticker,
            ),
            list(todo),
            [one.layer.name for one in heads],
        )
        reduced = projected(passes, tower.reduction)
        yield from _products(tower, reduced, identities)
        _keep_logits(tower, passes.logits())
    finally:
        ticker.close()


def _keep_features(tower: _Tower, probed: Sequence[Probed]) -> dict[str, str]:
    """Keep what the cache lacks of the features themselves, which are not scaled; their keys."""
    cache = Path(tower.told["cache"])
    identities = identities_of(
        tower.network, probed, tower.inputs, options=tower.options, reduction=tower.reduction
    )
    keys = {layer: store.key(identity) for layer, identity in identities.items()}
    with claimed(cache, tuple(keys.values()), kind="features", say=log.warning) as ours:
        todo = [one for one in probed if keys[one.layer.name] in ours]
        for some in _fitting(todo, n=len(tower.ids), room=_memory(tower.told)):
            for layer, values in _features(tower, some).items():
                store.write_features(cache, keys[layer], tower.ids, values, identities[layer])
    return keys


def _features(tower: _Tower, probed: Sequence[Probed]) -> dict[str, NDArray[np.float32]]:
    ticker = _ticker(tower)
    try:
        passes = passes_of(
            tower.network, tower.inputs, probed, options=tower.options, progress=ticker
        )
        return extract_features(projected(passes, tower.reduction))
    finally:
        ticker.close()


def _fitting(probed: Sequence[Probed], *, n: int, room: int) -> Iterator[list[Probed]]:
    """Give layers in groups whose features of `n` stimuli fit into `room` bytes together."""
    some: list[Probed] = []
    for one in probed:
        if some and 4 * n * sum(each.n_features for each in (*some, one)) > room:
            yield some
            some = []
        some.append(one)
    if some:
        yield some


def _heads(tower: _Tower) -> tuple[Probed, ...]:
    """Return the layer that names classes, where a trained network is shown pictures."""
    is_trained = tower.told["weights"] != "random"
    can_name = is_trained and isinstance(tower.inputs, Shown)
    names = head_layers(tower.network.card) if can_name else ()
    return probe(tower.network, names) if names else ()


def _logits_key(tower: _Tower, head: Probed) -> tuple[str, dict[str, str]]:
    made = identities_of(tower.network, (head,), tower.inputs, options=tower.options)
    return store.key(made[head.layer.name]), made[head.layer.name]


def _keep_logits(tower: _Tower, logits: NDArray[np.float32] | None) -> None:
    if logits is not None:
        key, identity = _logits_key(tower, _heads(tower)[0])
        with where_open():
            store.write_features(Path(tower.told["cache"]), key, tower.ids, logits, identity)


def _labels(tower: _Tower) -> Labels:
    """Return what the head says of each picture, from the cache or by showing them once more."""
    heads = _heads(tower)
    if not heads:
        return {}
    cache, (key, _) = Path(tower.told["cache"]), _logits_key(tower, heads[0])
    try:
        logits = store.read_features(cache, key).values
    except (MissingInputError, UnreadableError):
        plain = replace(tower, reduction=Reduction())
        logits = _features(plain, heads)[heads[0].layer.name]
        _keep_logits(tower, logits)
    return labels_of(logits, card=tower.network.card, stimuli=tower.ids)


def _ticker(tower: _Tower) -> Ticker:
    noun = "texts" if isinstance(tower.inputs, Read) else "images"
    return Ticker(Path(tower.told["progress"]), noun)


def _products(
    tower: _Tower, passes: Passes, identities: Mapping[str, Mapping[str, str]]
) -> Iterator[FeatureGram]:
    """Multiply the features of each layer with themselves."""
    told = tower.told
    scaled = set(told["scaled_on"])
    train = np.array([name in scaled for name in tower.ids]) if scaled else None
    tower.out_dir.mkdir(parents=True, exist_ok=True)
    plan = plan_grams(
        passes.n,
        passes.widths,
        free_disk=shutil.disk_usage(tower.out_dir).free,
        memory=_memory(told),
        mode=told["gram"],
    )
    found = grams_of(passes, plan=plan, scratch=tower.out_dir / "scratch", train=train)
    for layer, product in found.items():
        identity = recorded(
            identities[layer],
            batch_size=passes.batch_size,
            device_name=device_name(tower.options.device),
        )
        yield FeatureGram(
            tower.ids,
            told["name"],
            layer,
            product.gram,
            product.n_features,
            identity,
            sums=product.sums,
        )


def _memory(told: Told) -> int:
    """Return the bytes that blocks of features may take, of what the run may use."""
    return int(MEMORY_SHARE * told["memory_gb"] * 1e9)


def device_name(device: str) -> str:
    """Return what the device is called: the model of the GPU, or ``cpu``."""
    import torch

    return torch.cuda.get_device_name() if device == "cuda" else device


def _portray(tower: _Tower, grams: Iterable[FeatureGram], labels: Labels) -> Portrait:
    told, inputs = tower.told, tower.inputs
    example = tower.ids[0]
    seen = {}
    transforms = parse_transforms(told["transform"])
    if isinstance(inputs, Shown):
        card = tower.network.card
        seen = examples(
            [_picture(Path(path), told["max_pixels"]) for path in told["stimuli"][example]],
            transforms,
            size_px=card.size_px,
            resize=card.resize,
            interpolation=card.interpolation,
            stimulus=example,
        )
    made = portray(
        tower.network,
        tower.probed,
        inputs,
        grams,
        labels=labels,
        categories=told["categories"],
        example=example,
        examples=seen,
    )
    if not makes_square(transforms):
        return made
    return replace(made, facts=replace(made.facts, resize=""))


def _picture(path: Path, max_pixels: int) -> NDArray[np.float32]:
    return np.asarray(read_rgb(path, max_pixels=max_pixels), dtype=np.float32) / np.float32(255)
