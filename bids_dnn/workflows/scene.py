"""What every manifest needs to know of the run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bids_dnn.config.schema import Config
from bids_dnn.files import json_text
from bids_dnn.ingest.inventory import Inventory
from bids_dnn.workflows.inputs import Inputs

STEPS = "bids_dnn.workflows.steps"
Manifest = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Scene:
    """What every manifest needs to know of the run.

    Parameters
    ----------
    config
        The resolved settings.
    inventory
        What was found.
    output_dir, work_dir
        Where results and intermediate results go.
    catalog
        Stimulus id to file.
    inputs
        Content hashes.
    """

    config: Config
    inventory: Inventory
    output_dir: Path
    work_dir: Path
    catalog: Mapping[str, Path]
    inputs: Inputs

    def roots(self) -> dict[str, Path]:
        """Return the root of each data set by the name that BIDS URIs use."""
        given = {
            "freesurfer": self.config.run.fs_subjects_dir,
            "retinotopy": self.config.run.retinotopy_template,
            "stimuli": self.config.run.stimuli_dir,
        }
        named = {name: path.absolute() for name, path in given.items() if path is not None}
        return {"raw": self.inventory.bids_dir} | named | dict(self.inventory.datasets)


def portable(value: Manifest, roots: Mapping[str, Path]) -> str:
    """Return a value as text in which the roots of data sets stand by name.

    The same data in another place, or under another mount, have the same text.

    Examples
    --------
    >>> print(portable({"a": "/d/x/sub-01"}, {"raw": Path("/d/x")}).strip())
    {
      "a": "bids:raw:/sub-01"
    }
    """
    text = json_text(value)
    for name, root in sorted(roots.items(), key=lambda item: -len(str(item[1]))):
        for end in ("/", '"'):
            text = text.replace(f"{root}{end}", f"bids:{name}:{end}")
    return text
