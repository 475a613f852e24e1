"""Stimuli and a network -> Gram matrices of its layers, in the cache, and its portrait."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from bids_dnn.backend import choose_device
from bids_dnn.containers.features import FeatureGram
from bids_dnn.containers.network import READY
from bids_dnn.containers.portrait import NetworkFacts, Portrait
from bids_dnn.derivatives import names, provenance
from bids_dnn.derivatives.features import write_features
from bids_dnn.derivatives.portrait import portrait_path, write_portrait
from bids_dnn.errors import LeakageError
from bids_dnn.features import store
from bids_dnn.features.claims import is_whole
from bids_dnn.features.index import Index, Place, index_path, read_index, write_index
from bids_dnn.features.portrait import portray_grams
from bids_dnn.features.ready import grams, read_ready, rows_of
from bids_dnn.features.reduce import parse_reduction
from bids_dnn.files import read_json, write_json
from bids_dnn.stimuli.catalog import resolve
from bids_dnn.workflows.steps.extraction import Extracted, extract


def features_step(manifest: Path, *, out_dir: Path) -> Path:
    """Extract every layer in one pass, or take what the cache has; write where it lies.

    Beside the Gram matrices, a portrait of the network is written into the output.
    """
    told = read_json(manifest)
    cache, output = Path(told["cache"]), Path(told["output_dir"])
    device = choose_device(told["device"])
    index = index_path(cache, told["key"], device)
    needs_all = told["keep_columns"]
    needs_maps = told["keep_maps"] and told["readout_features"] != "images"
    found = _known(cache, index, needs_all=needs_all, needs_maps=needs_maps)
    drawn = names.sidecar_of(portrait_path(output, told["name"]))
    if found is None or not provenance.is_done(drawn, told["key"]):
        is_ready = told["network"].startswith(READY)
        made = _keep_ready(told, cache) if is_ready else extract(told, device, out_dir)
        for name, portrait in _named(made.portraits, told["name"]).items():
            facts = replace(
                portrait.facts,
                name=name,
                network=told["network"],
                captions=told["captioner"] or "",
                reduction="" if told["reduce"] == "none" else told["reduce"],
            )
            sidecar = {provenance.FINGERPRINT: told["key"]}
            write_portrait(replace(portrait, facts=facts), output, sidecar=sidecar)
        for layer, key in made.features.items():
            kept = store.read_features(cache, key)
            write_features(
                kept.values,
                kept.stimuli,
                output,
                network=told["name"],
                layer=layer,
                sidecar={"Identity": dict(kept.identity)},
            )
        is_kept = told["keep_maps"] or told["keep_columns"]
        found = Index(made.layers, made.keys, made.warnings, made.kept if is_kept else None)
        write_index(index, found)
    where = {"cache": str(cache), "name": told["name"], "scaled_on": told["scaled_on"]}
    is_anew = told["keep_maps"] and (not needs_maps or found.kept is None)
    where["is_anew"] = is_anew and not needs_all
    reduction = parse_reduction(told["reduce"])
    where["n_components"] = reduction.n_components if reduction.kind == "pca" else 0
    return write_json(out_dir / "features.json", found.to_json() | where)


def load_grams(index: Path) -> list[FeatureGram]:
    """Return the Gram matrices that a `features_step` wrote or found, named as it was told.

    Raises
    ------
    MissingInputError
        If an entry of the cache was removed.
    UnreadableError
        If an entry of the cache is damaged.
    """
    told = read_json(index)
    found, n_components, made = Index.from_json(told), told["n_components"], []
    for layer, key in zip(found.layers, found.keys, strict=True):
        gram = store.read_gram(Path(told["cache"]), key)
        identity = gram.identity
        if n_components:
            identity = identity | {"reduction": f"pca(n={n_components}) within folds"}
        named = replace(gram, network=told["name"], layer=layer, identity=identity)
        made.append(replace(named, n_components=n_components))
    return made


def refuse_scaling(
    scaled_on: Collection[str], tested: Collection[str], *, how: str, mend: str
) -> None:
    """Refuse features that were scaled by stimuli which are tested.

    Parameters
    ----------
    scaled_on
        Stimuli by whose features the columns were divided; none = they were not.
    tested
    how
        What makes them be tested, for the message.
    mend

    Raises
    ------
    LeakageError
        If one of them is tested.
    """
    if shared := sorted({*tested} & {*scaled_on}):
        raise LeakageError(
            f"Features are scaled by the variance over {len(scaled_on)} training stimuli, and "
            f"{len(shared)} of them {how}, such as {shared[0]!r}.",
            mend=mend,
        )


def known_maps(told: Mapping[str, Any], device: str) -> bool:
    """Tell whether the cache has all maps of a network, whole.

    Parameters
    ----------
    told
        Manifest of the network.
    device
        ``cpu`` or ``cuda``.
    """
    cache = Path(told["cache"])
    found = _known(cache, index_path(cache, told["key"], device), needs_all=False, needs_maps=True)
    return found is not None and bool(found.kept)


def _known(cache: Path, path: Path, *, needs_all: bool, needs_maps: bool) -> Index | None:
    """Return the index of a network where all that is needed of it lies in the cache, whole."""
    found, needs_some = read_index(path), needs_all or needs_maps
    if found is None or (needs_some and found.kept is None):
        return None
    if needs_all and not set(found.layers) <= set(found.kept or ()):
        return None
    needed = [(key, kind) for key, kind in found.entries() if kind == "gram" or needs_some]
    return found if all(is_whole(cache, key, kind) for key, kind in needed) else None


def _named(portraits: Mapping[str, Portrait], name: str) -> dict[str, Portrait]:
    """Call the first tower's portrait by the network, and a second one's after its modality."""
    return {
        name if number == 0 else f"{name}+{modality}": one
        for number, (modality, one) in enumerate(portraits.items())
    }


def _keep_ready(told: Mapping[str, Any], cache: Path) -> Extracted:
    """Join features that were made elsewhere with the stimuli, and keep their products."""
    path = Path(told["network"].removeprefix(READY))
    found = read_ready(path, layers=told["layers"])
    ids = {name for one in found.values() for name in one.ids}
    resolved = resolve(ids, told["stimuli"], told["aliases"])
    made = grams(found, resolved, network=told["name"])
    keys = [store.key(gram.identity) for gram in made]
    kept: dict[str, Place] = {}
    for key, gram in zip(keys, made, strict=True):
        store.write_gram(cache, key, gram)
        if told["keep_columns"]:
            values = rows_of(found[gram.layer], resolved)
            store.write_features(cache, key, gram.stimuli, values, gram.identity)
            kept[gram.layer] = Place(key, (gram.n_features,))
    facts = NetworkFacts(told["name"], network=told["network"], modality="")
    drawn = portray_grams(facts, made, categories=told["categories"])
    return Extracted(tuple(found), tuple(keys), {"": drawn}, kept=kept)
