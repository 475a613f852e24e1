"""Which covariates of [decode] are features of networks, and not columns of the events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from bids_dnn.errors import ConfigError, nearest

if TYPE_CHECKING:
    from bids_dnn.config.schema import Config, NetworkConfig

NUISANCE = ("nuisance",)
OPTIONS = (*NUISANCE, "baseline")


def feature_spaces(config: Config, options: Sequence[str] = OPTIONS) -> dict[str, tuple[str, str]]:
    """Return the feature spaces that decode.nuisance and decode.baseline name.

    Parameters
    ----------
    config
        Settings.
    options
        Of [decode], those that are looked at; the twin of decoding has no baseline.

    Returns
    -------
    spaces
        By what the settings say, such as ``pixels``, ``lowlevel:pixels`` or ``pixels@luminance``:
        the name of a network in [networks.*], and its layer, "" = all. Other names are columns.

    Raises
    ------
    ConfigError
        If a name is that of a network which is not there, whose features are not made, or are
        scaled by stimuli that an analysis tests.
    """
    extracted = config.encode.networks or tuple(config.networks)
    made: dict[str, tuple[str, str]] = {}
    for option in options:
        names: Sequence[str] = getattr(config.decode, option)
        for text in names:
            name, layer = _parsed(text, config.networks)
            if name is None and not {":", "@"} & set(text):
                continue
            if name is None or name not in extracted:
                raise ConfigError(
                    f"decode.{option} names {text!r}, which is not among the networks of "
                    "[encode].",
                    mend=f"Add it with --network or [networks.*]. {nearest(text, extracted)}",
                )
            if config.networks[name].scale != "none":
                raise ConfigError(
                    f"decode.{option} names {text!r}, but [networks.{name}] has scale = 'train', "
                    "by stimuli that are tested here.",
                    mend="Leave scale out, or describe the network once more without it.",
                )
            made[text] = (name, layer)
    return made


def _parsed(text: str, networks: Mapping[str, NetworkConfig]) -> tuple[str | None, str]:
    """Return the network that is meant, by its name or by what it is, and a layer."""
    told, _, layer = text.partition("@")
    if told in networks:
        return told, layer
    return next((name for name, one in networks.items() if one.network == told), None), layer
