"""What a run needs from the network, fetched before it: weights, captioners, atlases."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from bids_dnn.config.schema import Config
from bids_dnn.containers.network import READY
from bids_dnn.errors import MissingInputError
from bids_dnn.rois.atlas_files import templateflow_atlas
from bids_dnn.rois.rule import Term
from bids_dnn.workflows.networks import caption_notes, check_estimators, check_layers
from bids_dnn.workflows.scene import Manifest
from bids_dnn.workflows.screen import Screen


def fetch_atlas(term: Term, space: str) -> None:
    """Fetch an atlas from TemplateFlow, where it has one of this name; else leave it.

    Parameters
    ----------
    term
        Of a region's rule.
    space
        Of the responses, which is a template.
    """
    if term.kind != "atlas":
        return
    name = term.argument.partition(":")[0]
    with suppress(MissingInputError):  # it may lie in one of the data sets
        templateflow_atlas(space, name, desc=term.options.get("desc", ""), is_online=True)


def fetch_networks(networks: Mapping[str, Manifest], config: Config, screen: Screen) -> None:
    """Load each network once, which fetches its weights, look at its layers, and tell of them.

    Parameters
    ----------
    networks
        Manifests of feature extraction, by name.
    config
        Settings.
    screen
        Where it is said.

    Raises
    ------
    ConfigError
        If a network or a layer does not exist, an option does not fit its layer, or an estimator
        cannot do with these layers.
    MissingInputError
        If weights are not there and cannot be downloaded.
    NotEnoughDataError
        If a layer reads captions, and there are none.
    """
    from bids_dnn.features.probe import probe
    from bids_dnn.features.text import captioner
    from bids_dnn.workflows.steps.pictures import network_of

    looked_at = {}
    for name, told in networks.items():
        if told["network"].startswith(READY):
            continue
        found = network_of(told)
        probed = looked_at[name] = probe(found, found.card.layers)  # refuses wrong options
        check_layers(told, probed)
        screen.say(f"{name}: weights {found.weights}, SHA-256 {found.weights_sha256[:16]}")
        for note in caption_notes(told, probed):
            screen.warn(note)
        if told["captioner"]:
            captioner(told["captioner"], offline=told["offline"])
            screen.say(f"{name}: captioner {told['captioner']} is there")
    check_estimators(config, networks, looked_at)
