"""From what an output was made, and whether it is still good."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import bids_dnn
from bids_dnn.derivatives.names import uri
from bids_dnn.errors import MissingInputError
from bids_dnn.files import fingerprint

PACKAGE = "bids_dnn"
FINGERPRINT = "Fingerprint"
OUTPUTS = "Outputs"


def root() -> Path:
    """Return the folder of the package's sources."""
    return Path(bids_dnn.__file__).parent


def sources(paths: Iterable[Path], datasets: dict[str, Path]) -> list[str]:
    """Return the BIDS URI of each file, sorted and each once.

    Parameters
    ----------
    paths
        The files that an output was made from.
    datasets
        Root of each data set by its name in ``DatasetLinks``.
    """
    return sorted({uri(path, datasets) for path in paths})


@cache
def code_fingerprint(module: str) -> str:
    """Return one SHA-256 over every source file that a module rests on.

    Imports inside the package are followed in the text, those within functions too, so that a
    changed function body is noticed wherever it stands. Nothing is imported for it.

    Parameters
    ----------
    module
        Dotted name inside the package, such as ``bids_dnn.analyses.decode.decoding``.

    Returns
    -------
    fingerprint
        In hexadecimal; remembered within the process.

    Raises
    ------
    MissingInputError
        If the package has no such module.
    """
    digest = hashlib.sha256()
    for path in code_files(module, root()):
        digest.update(
            f"{path.relative_to(root().parent).as_posix()} {fingerprint(path)}\n".encode()
        )
    return digest.hexdigest()


def code_files(module: str, package: Path) -> tuple[Path, ...]:
    """Return the source files that a module rests on, sorted.

    Parameters
    ----------
    module
        Dotted name; its first part is the name of the folder `package`.
    package
        The folder of the package's sources.

    Returns
    -------
    files
        The module, the ``__init__`` of each package above it, whatever these import from the
        package, and what lies in their ``templates`` folders.

    Raises
    ------
    MissingInputError
        If the package has no such module.
    """
    if _file_of(module, package) is None:
        raise MissingInputError(
            f"There is no module {module!r} in {package}.",
            mend="Name a module with dots, as in an import statement.",
        )
    waiting, seen, files = [module], set[str](), set[Path]()
    while waiting:
        name = waiting.pop()
        path = _file_of(name, package)
        if name in seen or path is None:
            continue
        seen.add(name)
        files.add(path)
        files.update(p for p in (path.parent / "templates").glob("*") if p.is_file())
        waiting += _parents(name)
        waiting += _imports(path, name if path.name == "__init__.py" else name.rpartition(".")[0])
    return tuple(sorted(files))


def _file_of(name: str, package: Path) -> Path | None:
    head, *rest = name.split(".")
    if head != package.name:
        return None
    base = package.joinpath(*rest)
    for path in (base / "__init__.py", base.parent / f"{base.name}.py"):
        if path.is_file():
            return path
    return None


def _parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:n]) for n in range(1, len(parts))]


def _imports(path: Path, home: str) -> list[str]:
    """Return each module, or name within a module, that the text of `path` imports."""
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = home.split(".")
            kept = above[: len(above) + 1 - node.level] if node.level else []
            base = ".".join([*kept, node.module] if node.module else kept)
            names += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    return names


def is_done(sidecar: Path, fingerprint: str) -> bool:
    """Tell whether an output is complete and was made from just this.

    Parameters
    ----------
    sidecar
        JSON of the table; it is written last.
    fingerprint
        Of inputs, settings, package version and code, as it would be written today.

    Returns
    -------
    done
        True where the sidecar holds this fingerprint and each file that it lists still has
        its size.
    """
    try:
        facts: Any = json.loads(sidecar.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    if not isinstance(facts, dict) or facts.get(FINGERPRINT) != fingerprint:
        return False
    outputs = facts.get(OUTPUTS, {})
    return bool(outputs) and all(
        _has_size(sidecar.parent / name, made) for name, made in outputs.items()
    )


def _has_size(path: Path, made: dict[str, Any]) -> bool:
    return path.is_file() and path.stat().st_size == made.get("Size")
