"""What makes a network's numbers besides its weights: source files, libraries, plain values."""

from __future__ import annotations

import ast
import inspect
import sys
import sysconfig
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import fields, is_dataclass
from functools import partial
from pathlib import Path
from types import FunctionType, MethodType, ModuleType, SimpleNamespace, UnionType
from typing import Any

import numpy as np
import torch

PACKAGE = "bids_dnn"
PLAIN = (bool, int, float, complex, str, bytes, type(None), torch.dtype, np.generic)
PLACE = "name_or_path"  # where transformers found a network: it may be moved
OF_TORCH = frozenset(vars(torch.nn.Module()))  # what every module has: hooks, parameters, parts
DEEPEST = 16  # containers within containers
Above = tuple[int, ...]  # the containers around a value
HOOKS = ("_forward_pre_hooks", "_forward_hooks")


def library_of(module: str) -> str:
    """Return name and version of the installed library that a module is of, "" where it is none.

    Parameters
    ----------
    module
        Dotted name of an imported Python module.
    """
    top = module.partition(".")[0]
    library = sys.modules.get(top)
    number = getattr(library, "__version__", "")
    home = Path(getattr(library, "__file__", None) or "").parent.parent
    return f"{top} {number}" if number and top != PACKAGE and home in _installed() else ""


def code_of(module: torch.nn.Module) -> tuple[set[Path], set[str]]:
    """Return the source files of a network that are of no versioned library, and the libraries.

    What such a file imports belongs to it, also within functions; of this package only files
    that hold the network's own parts.

    Parameters
    ----------
    module
        Its classes, hooks and the functions that it keeps are looked at.

    Returns
    -------
    sources
        Files.
    libraries
        Each as ``NAME VERSION``.
    """
    sources = set[Path]()
    for kind in {type(part) for part in module.modules()}:
        with suppress(TypeError, OSError):  # made without a file, as in a notebook
            if not library_of(kind.__module__):
                sources.add(Path(inspect.getsourcefile(kind) or ""))
    own, libraries = _reached(module)
    return {path for path in sources | set(own.values()) if path.is_file()}, libraries


def _reached(module: torch.nn.Module) -> tuple[dict[str, Path], set[str]]:
    """Return the Python modules that a network comes from and their files, and the libraries."""
    own, libraries, seen = dict[str, Path](), set[str](), set[str]()
    waiting = [*_homes(module)]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        library, path = library_of(name), _file_of(name)
        if library:
            libraries.add(library)
        elif path is not None and name.partition(".")[0] != PACKAGE:
            own[name] = path
            waiting += _imports(path, sys.modules[name].__package__ or "")
    return own, libraries


def settings_of(module: torch.nn.Module) -> Iterator[str]:
    """Give what the parts of a network are set to, as text; tensors are not among it.

    What stands in the user's own Python modules and classes belongs to it, such as numbers that
    were read from a file when they were imported.

    Parameters
    ----------
    module
        Private attributes count where a part's class is of no library.
    """
    for name, part in module.named_modules():
        is_own = not library_of(type(part).__module__)
        told = {
            key: text
            for key, value in vars(part).items()
            if key not in OF_TORCH and key != PLACE and (is_own or key[:1] != "_")
            if (text := _told(value))
        }
        hooks = [_told(hook) for key in HOOKS for hook in vars(part).get(key, {}).values()]
        code = getattr(part, "code", "")  # of traced and scripted modules, which have no file
        yield f"{name} {sorted(told.items())} {hooks} {code if isinstance(code, str) else ''}"
    for name, value, folder in _surroundings(module):
        if text := _told(value):
            yield f"{name} {text.replace(folder, '')}"  # which may be another one tomorrow


def hidden_tensors(module: torch.nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """Give the tensors of a network that its state dict leaves out, by name.

    Tensors, arrays and modules kept as plain attributes, in lists and dictionaries too; buffers
    that are not saved, where a part's class is of no library (others are made by its version);
    what stands in the user's own Python modules and classes.

    Parameters
    ----------
    module
        Before it was shown anything, which it may keep.
    """
    known = {id(part) for part in module.modules()}
    for name, part in module.named_modules():
        if not library_of(type(part).__module__):
            for key in sorted(part._non_persistent_buffers_set):
                if (buffer := part._buffers[key]) is not None:
                    yield f"{name}.{key}", buffer
        for key, value in sorted(vars(part).items()):
            if key not in OF_TORCH:
                yield from _tensors(f"{name}.{key}", value, known)
    for name, value, _ in _surroundings(module):
        yield from _tensors(name, value, known)


def _surroundings(module: torch.nn.Module) -> Iterator[tuple[str, object, str]]:
    """Give what stands in the user's own modules, and in classes of theirs and of the network.

    Each with a name that depends on no folder, and the folder of its file.
    """
    own = {
        name: path
        for name, path in _reached(module)[0].items()
        if not any(path.is_relative_to(home) for home in _installed())
    }
    kinds = {kind for part in module.modules() for kind in type(part).__mro__}
    for name, path in sorted(own.items(), key=lambda one: (one[1].name, one[0])):
        imported = _imported_names(path)
        for key, value in sorted(vars(sys.modules[name]).items()):
            if isinstance(value, type):
                kinds.add(value)
            elif key[:2] != "__" and key not in imported and not _runs_code(value):
                yield f"{path.name} {key}", value, str(path.parent)
    for kind in sorted(kinds, key=lambda one: (one.__qualname__, one.__module__)):
        if kind.__module__ in own:
            path = own[kind.__module__]
            for key, value in sorted(vars(kind).items()):
                inner = value.fget if isinstance(value, property) else value
                if isinstance(value, staticmethod | classmethod):
                    inner = value.__func__
                if key[:2] != "__" or isinstance(inner, FunctionType):
                    yield f"{path.name} {kind.__qualname__}.{key}", inner, str(path.parent)


def _runs_code(value: object) -> bool:
    """Tell whether to read a value would run code of the user's, such as to load a data set."""
    home = type(value).__module__
    is_own = _file_of(home) is not None and not library_of(home)
    return isinstance(value, ModuleType) or (is_own and isinstance(value, Mapping | list | tuple))


def _tensors(name: str, value: object, known: set[int]) -> Iterator[tuple[str, torch.Tensor]]:
    if isinstance(value, torch.Tensor) and not value.is_meta:
        yield name, value if value.layout == torch.strided else value.to_dense()
    elif isinstance(value, np.ndarray) and value.dtype.char in "gG":  # its padding is of any value
        yield name, torch.from_numpy(value.astype(np.complex128))
    elif isinstance(value, np.ndarray) and value.dtype.kind in "biufcSU":
        raw = np.ascontiguousarray(value).reshape(-1).view(np.uint8)
        yield f"{name} {value.dtype.str} {value.shape}", torch.from_numpy(raw.copy())
    elif isinstance(value, torch.nn.Module) and id(value) not in known:
        known.add(id(value))
        yield from ((f"{name}.{key}", one) for key, one in sorted(value.state_dict().items()))
    for key, one in _parts(value, known):
        yield from _tensors(f"{name}[{key}]", one, known)


def _parts(value: object, known: set[int]) -> Iterator[tuple[object, object]]:
    """Give what a container, or the closure of a function, holds."""
    held = _held(value)
    is_open = isinstance(value, Mapping | list | tuple | FunctionType | partial)
    if (is_open or held) and id(value) in known:
        return
    if held:
        known.add(id(value))
        yield from held.items()
    elif isinstance(value, Mapping):
        known.add(id(value))
        yield from value.items()
    elif isinstance(value, list | tuple):
        known.add(id(value))
        yield from enumerate(value)
    elif isinstance(value, FunctionType):
        known.add(id(value))
        for number, cell in enumerate(value.__closure__ or ()):
            with suppress(ValueError):  # not filled yet
                yield number, cell.cell_contents
        yield "defaults", value.__defaults__
        yield "named", value.__kwdefaults__
    elif isinstance(value, partial):
        known.add(id(value))
        yield from enumerate(value.args)
        yield from value.keywords.items()


def _held(value: object) -> dict[str, Any]:
    """Return what an object of the user's own holds, such as settings; empty for all others."""
    kind = type(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    is_own = _file_of(kind.__module__) is not None and not library_of(kind.__module__)
    if isinstance(value, SimpleNamespace | Namespace) or is_own:
        is_walked = isinstance(value, torch.nn.Module | torch.Tensor | Mapping | list | tuple)
        return {} if is_walked else dict(getattr(value, "__dict__", {}))
    return {}


def _told(value: object, above: Above = ()) -> str:
    """Write a value as text, "" where it has none that is the same in every process."""
    if isinstance(value, PLAIN):
        return repr(value)
    if id(value) in above or len(above) >= DEEPEST:  # it holds itself, or is no setting any more
        return ""
    inside = (*above, id(value))
    for kind, write in WRITERS.items():
        if isinstance(value, kind):
            return write(value, inside)
    held = _held(value)
    return f"{type(value).__qualname__} {_told_mapping(held, inside)}" if held else ""


def _told_function(value: FunctionType, above: Above) -> str:
    return f"{value.__qualname__} {[_told(one, above) for _, one in _parts(value, set())]}"


def _told_partial(value: partial[Any], above: Above) -> str:
    inside = [f"{key}={_told(one, above)}" for key, one in _parts(value, set())]
    return f"{_told(value.func, above)} {inside}"


def _told_mapping(value: Mapping[Any, Any], above: Above) -> str:
    return str(sorted(f"{_told(key, above)}: {_told(one, above)}" for key, one in value.items()))


WRITERS: dict[type | UnionType, Callable[[Any, Above], str]] = {
    FunctionType: _told_function,
    partial: _told_partial,
    Mapping: _told_mapping,
    set | frozenset: lambda value, above: str(sorted(_told(one, above) for one in value)),
    list | tuple: lambda value, above: str([_told(one, above) for one in value]),
}


def _homes(module: torch.nn.Module) -> set[str]:
    """Return the Python modules of a network's classes, and of the functions that it keeps."""
    found = set()
    for part in module.modules():
        found.add(type(part).__module__)
        kept = list(vars(part).values())
        kept += [hook for key in HOOKS for hook in vars(part).get(key, {}).values()]
        for value in kept:
            inner: Callable[..., Any] | object = value
            while isinstance(inner, partial | MethodType):
                inner = inner.func if isinstance(inner, partial) else inner.__func__
            if isinstance(inner, FunctionType):
                found.add(inner.__module__)
    return found


def _file_of(name: str) -> Path | None:
    """Return the file of an imported module; None for what comes with Python."""
    file = getattr(sys.modules.get(name), "__file__", None)
    if not file:
        return None
    path = Path(file)
    with_python = Path(sysconfig.get_path("stdlib"))
    is_installed = any(path.is_relative_to(home) for home in _installed())
    return None if path.is_relative_to(with_python) and not is_installed else path


def _installed() -> set[Path]:
    return {Path(sysconfig.get_path(name)) for name in ("purelib", "platlib")}


def _imports(path: Path, package: str) -> list[str]:
    """Return the modules that the text of a file imports, as far as they are imported now."""
    names: list[str] = []
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")
            kept = above[: len(above) + 1 - node.level] if node.level else []
            base = ".".join([*kept, node.module] if node.module else kept)
            names += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    whole = {
        ".".join(name.split(".")[:n]) for name in names for n in range(1, name.count(".") + 2)
    }
    return sorted(name for name in whole if name in sys.modules)


def _imported_names(path: Path) -> set[str]:
    """Return the names under which a file imports something, which stands elsewhere."""
    found = [
        node for node in ast.walk(_tree(path)) if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    return {alias.asname or alias.name for node in found for alias in node.names}


def _tree(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, OSError):  # compiled, or gone
        return ast.Module([], [])
