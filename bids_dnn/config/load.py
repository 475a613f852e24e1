"""Defaults < analysis.toml < command line, as one frozen value."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import ValidationError

from bids_dnn.config.covariates import feature_spaces
from bids_dnn.config.explain import explain
from bids_dnn.config.regions import absolute_rule
from bids_dnn.config.schema import DEFAULT_NETWORK, READY, VOLUMES, Config
from bids_dnn.errors import ConfigError, MissingInputError, nearest

PATHS = (
    ("run", "bids_filter_file"),
    ("run", "bids_database_dir"),
    ("run", "work_dir"),
    ("run", "cache_dir"),
    ("run", "use_plugin"),
    ("run", "stimuli_dir"),
    ("run", "fs_subjects_dir"),
    ("run", "retinotopy_template"),
    ("responses", "conditions"),
    ("responses", "path"),
    ("group", "atlas"),
)
LIBRARIES = ("torchvision:", "timm:", "open_clip:")  # whose names say enough
TABLES = ("networks", "regions")
UNITS = {"K": 1e-6, "M": 1e-3, "G": 1.0, "T": 1e3}


def load(
    toml: Path | None,
    overrides: Mapping[str, Any],
    *,
    weights: Mapping[str, str] | None = None,
) -> Config:
    """Read the settings of a run.

    Parameters
    ----------
    toml
        ``analysis.toml``, or None. Paths in it count from its folder.
    overrides
        Nested like the file; what the command line says. Paths in it count from here.
        ``networks`` and ``regions`` take the place of the file's.
    weights
        Of a network, by its name in [networks.*] or by what it is.

    Raises
    ------
    MissingInputError
        If `toml` does not exist.
    ConfigError
        If a name or a value does not exist; the nearest right name is offered.
    """
    told = {} if toml is None else _absolute(_read(toml), toml.resolve().parent)
    replaced = {k: v for k, v in told.items() if k not in overrides or k not in TABLES}
    merged = _merge(replaced, _absolute(dict(overrides), Path.cwd()))
    if weights:
        merged["networks"] = _weighted(merged.get("networks"), weights)
    try:
        config = Config.model_validate(merged)
    except ValidationError as err:
        raise explain(err, merged) from None
    _check(config)
    return config


def dump(config: Config) -> str:
    """Return the settings as TOML with every default filled in; `load` gives them back."""
    return tomli_w.dumps(config.model_dump(mode="json", exclude_none=True))


def gigabytes(text: str, option: str = "--mem") -> float:
    """Return gigabytes from a number with its suffix (K, M, G, T; a B or iB may follow).

    Raises
    ------
    ConfigError
        If the suffix is missing or unknown, or the number is not above zero.

    Examples
    --------
    >>> gigabytes("512M")
    0.512
    """
    found = re.fullmatch(r"\s*([0-9]*\.?[0-9]+)\s*([KMGT])(i?B)?\s*", text, flags=re.IGNORECASE)
    if not found or float(found[1]) <= 0:
        raise ConfigError(
            f"{option} {text!r} is not an amount of memory with its unit.",
            mend=f"Type a number and a suffix, such as {option} 16G or {option} 8000M.",
        )
    return float(found[1]) * UNITS[found[2].upper()]


def named(texts: Sequence[str], option: str) -> dict[str, str]:
    """Split repeated ``NAME=VALUE`` of an option into a dict.

    Raises
    ------
    ConfigError
        If the equals sign is missing, or a name comes twice.
    """
    split: dict[str, str] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not (name and sign and value):
            raise ConfigError(
                f"{option} {text!r} has no name and value around an equals sign.",
                mend=f"Type {option} NAME={text or 'PATH'}.",
            )
        if name in split:
            raise ConfigError(f"{option} names {name!r} twice.", mend="Give each name once.")
        split[name] = value
    return split


def networks_of(texts: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Turn ``--network [NAME=]NETWORK[@LAYER,...]`` into [networks.*].

    A network goes by the name before the equals sign. Without one, a network of a library goes
    by its own name, one that is a file by that of the file, and by its factory where that says
    more. Layers of a network that is named twice are put together.

    Raises
    ------
    ConfigError
        If a network is missing, a file comes without its factory, or two networks would go by
        one name.

    Examples
    --------
    >>> networks_of(["timm:resnet18@layer1,layer2:at(3,3;4,4)"])
    {'resnet18': {'network': 'timm:resnet18', 'layers': ['layer1', 'layer2:at(3,3;4,4)']}}
    >>> networks_of(["mine=net.py:factory"])
    {'mine': {'network': 'net.py:factory'}}
    """
    networks: dict[str, dict[str, Any]] = {}
    for text in texts:
        named_as, sign, rest = text.partition("=")
        has_name = bool(sign) and not re.search(r"[:/@(.]", named_as)
        network, _, layers = (rest if has_name else text).partition("@")
        if not network:
            raise ConfigError(
                f"--network {text!r} names no network.",
                mend=f"Type --network {(named_as if has_name else '') or 'NAME'}=alexnet, or "
                "another network.",
            )
        if network.endswith(".py"):
            raise ConfigError(
                f"--network {text!r} names a file, but not the function that makes the network.",
                mend=f"Type --network {network}:FACTORY.",
            )
        label = _plain(named_as) if has_name else _label(network)
        told = networks.setdefault(label, {"network": network})
        if told["network"] != network:
            raise ConfigError(
                f"--network names {told['network']!r} and {network!r}, which would both go by "
                f"{label!r}.",
                mend=f"Give each a name of its own: --network NAME={text}.",
            )
        if layers:
            more = [one.strip() for one in re.split(r",(?![^()]*\))", layers)]
            told["layers"] = [*told.get("layers", ()), *more]
    return networks


def _label(network: str) -> str:
    path, sign, rest = network.rpartition(":")
    if sign and path.endswith(".py"):
        stem = Path(path).stem
        network = stem if rest in ("factory", "build", "main", stem) else f"{stem}+{rest}"
    elif network.startswith("features:"):
        network = Path(rest).stem
    elif network.startswith("transformers:"):
        network = rest.rstrip("/").rpartition("/")[2]
    elif network.startswith(LIBRARIES):
        network = rest.replace("/", "+")
    return _plain(network.replace(":", "-"))


def _plain(name: str) -> str:
    """Return a name as files carry it: letters, digits, + and -."""
    return re.sub(r"[^A-Za-z0-9+-]", "", name)


def _weighted(networks: Any, weights: Mapping[str, str]) -> dict[str, Any]:
    made = {k: dict(v) for k, v in (networks or {DEFAULT_NETWORK: {}}).items()}
    if not networks:
        made[DEFAULT_NETWORK]["network"] = DEFAULT_NETWORK
    for name, path in weights.items():
        meant = [k for k, v in made.items() if name in (k, v.get("network"))]
        meant = meant or [k for k in made if k == _label(name)]  # my_net is called mynet
        if not meant:
            raise ConfigError(
                f"--weights names {name!r}, which is no network of this run.",
                mend=nearest(name, made),
            )
        for key in meant:
            made[key]["weights"] = path if path == "random" else str(_from(Path.cwd(), path))
    return made


def _read(toml: Path) -> dict[str, Any]:
    if not toml.is_file():
        raise MissingInputError(
            f"There is no file {toml}.", mend="Give --config an analysis.toml."
        )
    try:
        return tomllib.loads(toml.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as err:
        raise ConfigError(f"{toml} is not TOML: {err}.", mend="Mend that line.") from err


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        both = isinstance(value, Mapping) and isinstance(old, Mapping)
        merged[key] = _merge(old, value) if both else value  # type: ignore[arg-type]
    return merged


def _absolute(told: dict[str, Any], folder: Path) -> dict[str, Any]:
    made = {k: dict(v) if isinstance(v, dict) else v for k, v in told.items()}
    for section, key in PATHS:
        if isinstance(made.get(section), dict) and isinstance(made[section].get(key), str | Path):
            made[section][key] = str(_from(folder, made[section][key]))
    run = made.get("run")
    if isinstance(run, dict) and isinstance(run.get("derivatives"), dict):
        run["derivatives"] = {
            k: str(_from(folder, v)) if isinstance(v, str | Path) else v
            for k, v in run["derivatives"].items()
        }
    if isinstance(made.get("regions"), dict):
        made["regions"] = {
            k: absolute_rule(folder, v) if isinstance(v, str) else v
            for k, v in made["regions"].items()
        }
    if isinstance(made.get("networks"), dict):
        made["networks"] = {k: _network(folder, v) for k, v in made["networks"].items()}
    return made


def _from(folder: Path, path: str | Path) -> Path:
    return Path(folder, Path(path).expanduser())


def _network(folder: Path, told: Any) -> Any:
    if not isinstance(told, dict):
        return told
    made = dict(told)
    if isinstance(name := made.get("network"), str):
        made["network"] = str(_from(folder, name)) if ".py:" in name else _placed(folder, name)
    if isinstance(captions := made.get("captions"), str):
        is_file = ":" not in captions
        made["captions"] = str(_from(folder, captions)) if is_file else _placed(folder, captions)
    if isinstance(weights := made.get("weights"), str) and weights != "random":
        made["weights"] = str(_from(folder, weights))
    return made


def _placed(folder: Path, name: str) -> str:
    """Return ``FAMILY:PATH`` with its path counted from `folder`; other names as they are."""
    family, sign, path = name.partition(":")
    is_folder = family == "transformers" and path and _from(folder, path).is_dir()
    if family == "features" or is_folder or (sign and path.startswith((".", "~"))):
        return f"{family}:{_from(folder, path)}"
    return name


def _check_extracted(config: Config) -> None:
    extracted = config.encode.networks or tuple(config.networks)
    named = [("twin.networks", name) for name in config.twin.networks]
    named += [("searchlight.models", name) for name in config.searchlight.models]
    for where, name in named:
        if name not in extracted:
            raise ConfigError(
                f"{where} names {name!r}, which is not among the networks of [encode].",
                mend=nearest(name, extracted),
            )


def _check(config: Config) -> None:
    for option, text in (("--mem", config.run.mem), ("--cache-size", config.run.cache_size)):
        if text is not None:
            gigabytes(text, option)
    for name in config.encode.networks:
        if name not in config.networks:
            raise ConfigError(
                f"encode.networks names {name!r}, which no [networks.{name}] describes.",
                mend=nearest(name, config.networks),
            )
    _check_extracted(config)
    feature_spaces(config)
    alphas = config.encode.alphas
    if alphas != "auto" and (not alphas or min(alphas) <= 0):
        raise ConfigError(
            f"encode.alphas is {list(alphas)}; there must be one, and all above zero.",
            mend="Give some, such as [0.01, 1.0, 100.0], or leave alphas out.",
        )
    source, path = config.responses.source, config.responses.path
    if (source in READY) != (path is not None) and source != "auto":
        found = "no responses.path" if path is None else f"the responses.path {path}"
        raise ConfigError(
            f"responses.source is {source!r}, with {found}.",
            mend=f"Name both: --responses {source if source in READY else 'table'}=PATH",
        )
    if config.responses.model not in VOLUMES and config.responses.standardize == "rest":
        raise ConfigError(
            "responses.standardize = 'rest' needs rest volumes, but responses.model is "
            f"{config.responses.model!r}.",
            mend="Take standardize = 'run', or model = 'block' or 'volumes'.",
        )
