"""The user's own nipype plugin, from its file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bids_dnn.errors import ConfigError


def read_plugin(path: Path | None) -> tuple[str, dict[str, Any]]:
    """Return name and arguments of a nipype plugin from its file; MultiProc where none is given.

    Raises
    ------
    ConfigError
        If the file is not there, is no YAML, or names no plugin.
    """
    if path is None:
        return "MultiProc", {}
    if not path.is_file():
        raise ConfigError(f"There is no file {path}.", mend="Give --use-plugin a YAML file.")
    import yaml

    try:
        told = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as err:
        first = str(err).splitlines()[0]
        raise ConfigError(f"{path} is neither YAML nor JSON: {first}.", mend="Mend it.") from err
    if not isinstance(told, dict) or "plugin" not in told:
        raise ConfigError(
            f"{path} names no plugin.", mend="Write plugin: MultiProc, and plugin_args: below it."
        )
    return str(told["plugin"]), dict(told.get("plugin_args") or {})
