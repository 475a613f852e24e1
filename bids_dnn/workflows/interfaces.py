"""The one bridge from typed steps to nipype interfaces, and every interface by its name."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_type_hints

from nipype.interfaces.base import (
    File,
    InputMultiObject,
    SimpleInterface,
    TraitedSpec,
    isdefined,
    traits,
)

from bids_dnn.backend import threads
from bids_dnn.errors import BidsDnnError
from bids_dnn.files import write_json
from bids_dnn.workflows.settings import apply_settings
from bids_dnn.workflows.steps.across import across_step
from bids_dnn.workflows.steps.ceiling import ceiling_step
from bids_dnn.workflows.steps.decode import decode_step
from bids_dnn.workflows.steps.denoise import denoise_step
from bids_dnn.workflows.steps.encode import encode_step
from bids_dnn.workflows.steps.features import features_step
from bids_dnn.workflows.steps.group import group_step
from bids_dnn.workflows.steps.regions import regions_step
from bids_dnn.workflows.steps.report import group_report_step, report_step
from bids_dnn.workflows.steps.responses import responses_step
from bids_dnn.workflows.steps.searchlight import searchlight_step
from bids_dnn.workflows.steps.twin import twin_step

TRAITS: dict[Any, Callable[..., Any]] = {
    Path: File,
    str: traits.Str,
    int: traits.Int,
    float: traits.Float,
    bool: traits.Bool,
    list[Path]: lambda **options: InputMultiObject(File(exists=True), **options),
    list[Path] | None: lambda _, **options: InputMultiObject(File(exists=True), **options),
}
LISTS = (list[Path], list[Path] | None)
ERROR_FILE = "error.json"


def wrap(step: Callable[..., Path], name: str, *, module: str) -> type[SimpleInterface]:
    """Make a nipype interface called `name` from a step that writes one file.

    An error that the user can mend is left in the node's folder as ``error.json``, so that the
    run can say it in its own words.

    Parameters
    ----------
    step
        Takes paths and plain values, and a keyword `out_dir` where it leaves something for the
        next step; returns the path it wrote. Every parameter is annotated.
    name
        Of the class.
    module
        ``__name__`` of the module that keeps the interface, where a worker looks for it.

    Raises
    ------
    TypeError
        If a parameter of `step` has an annotation that no trait stands for.
    """
    hints = get_type_hints(step)
    fields: dict[str, Any] = {
        "n_threads": traits.Int(1, usedefault=True, nohash=True),
        "code": traits.Str("", usedefault=True, desc="fingerprint of the sources"),
    }
    given_names: list[str] = []
    parameters = inspect.signature(step).parameters
    wants_folder = "out_dir" in parameters
    for arg, spec in parameters.items():
        if arg == "out_dir":
            continue
        if hints.get(arg) not in TRAITS:
            raise TypeError(f"{step.__name__}({arg}): no trait for {hints.get(arg)}.")
        options: dict[str, Any] = {"exists": True} if hints[arg] is Path else {}
        required = spec.default is spec.empty
        options |= {"mandatory": True} if required else {"usedefault": True}
        default = () if required else (spec.default,)
        fields[arg] = TRAITS[hints[arg]](*default, **options)
        given_names.append(arg)

    def run(self: SimpleInterface, runtime: Any) -> Any:
        told = self.inputs.get()
        given = {k: told[k] for k in given_names if isdefined(told[k])}
        given |= {k: Path(v) for k, v in given.items() if hints[k] is Path}
        given |= {k: [Path(p) for p in v] for k, v in given.items() if hints[k] in LISTS}
        folder = Path(runtime.cwd)
        try:
            with threads(told["n_threads"]):
                if wants_folder:
                    given["out_dir"] = folder
                self._results["out_file"] = str(step(**given))
        except BidsDnnError as err:
            write_json(folder / ERROR_FILE, {"what": err.what, "mend": err.mend})
            raise
        return runtime

    def part(field: str, members: dict[str, Any]) -> Any:
        # Pickle finds a class by module and dotted name; a worker process needs that.
        home = {"__module__": module, "__qualname__": f"{name}.{field}"}
        return type(TraitedSpec)(f"{name}.{field}", (TraitedSpec,), home | members)

    made: type[SimpleInterface] = type(SimpleInterface)(
        name,
        (SimpleInterface,),
        {
            "__doc__": step.__doc__,
            "__module__": module,
            "input_spec": part("input_spec", fields),
            "output_spec": part("output_spec", {"out_file": File()}),
            "_run_interface": run,
        },
    )
    return made


apply_settings()  # also in each worker, which imports this module

ReadResponses = wrap(responses_step, "ReadResponses", module=__name__)
DefineRegions = wrap(regions_step, "DefineRegions", module=__name__)
ExtractFeatures = wrap(features_step, "ExtractFeatures", module=__name__)
Decode = wrap(decode_step, "Decode", module=__name__)
Encode = wrap(encode_step, "Encode", module=__name__)
EstimateCeilings = wrap(ceiling_step, "EstimateCeilings", module=__name__)
Denoise = wrap(denoise_step, "Denoise", module=__name__)
Twin = wrap(twin_step, "Twin", module=__name__)
Searchlight = wrap(searchlight_step, "Searchlight", module=__name__)
Report = wrap(report_step, "Report", module=__name__)
TestGroup = wrap(group_step, "TestGroup", module=__name__)
TestAcross = wrap(across_step, "TestAcross", module=__name__)
ReportGroup = wrap(group_report_step, "ReportGroup", module=__name__)
