"""What every manifest needs to know of the run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bids_dnn.config.schema import Config
from bids_dnn.files import fingerprint_of, json_text
from bids_dnn.ingest.inventory import Inventory
from bids_dnn.stimuli.table import Stimuli, same_pictures, same_warning
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
    stimuli
        Files of each stimulus, and what is known of it.
    inputs
        Content hashes.
    may_fetch
        Whether atlases may be fetched over the network.
    """

    config: Config
    inventory: Inventory
    output_dir: Path
    work_dir: Path
    stimuli: Stimuli
    inputs: Inputs
    may_fetch: bool = False

    @property
    def catalog(self) -> dict[str, Path]:
        """Return the file of each stimulus, the first one of a composed picture."""
        return {name: paths[0] for name, paths in self.stimuli.files.items()}

    def sha256(self) -> dict[str, str]:
        """Return the SHA-256 of each stimulus: of its file, or of those of its items in turn.

        Raises
        ------
        MissingInputError
            If a file is not there.
        """
        return {name: self._sha256(paths) for name, paths in self.stimuli.files.items()}

    def _sha256(self, paths: Sequence[Path]) -> str:
        found = [self.inputs.sha256(path) for path in paths]
        return found[0] if len(found) == 1 else fingerprint_of(found)

    def same(self) -> dict[str, str]:
        """Return the pictures that are others under another name: their id, and the other's.

        Raises
        ------
        MissingInputError
            If a file is not there.
        """
        return {name: names[0] for names in self._alike() for name in names[1:]}

    def same_notes(self) -> list[str]:
        """Say which pictures have several names, where there are such.

        Raises
        ------
        MissingInputError
            If a file is not there.
        """
        groups = self._alike()
        return [same_warning(groups)] if groups else []

    def all_names(self) -> list[str]:
        """Say of each picture with several names which these are, as a report keeps it.

        Raises
        ------
        MissingInputError
            If a file is not there.
        """
        return [
            f"{' = '.join(map(repr, names))}: one picture under several names, which counts as "
            "one stimulus."
            for names in self._alike()
        ]

    def _alike(self) -> Sequence[Sequence[str]]:
        """Group the ids of one content; pictures within one array are not told apart here.

        Only files of equal size are read: others cannot be the same.
        """
        times = Counter(self.stimuli.files.values())
        single = {n: paths for n, paths in self.stimuli.files.items() if times[paths] == 1}
        sizes = {n: tuple(map(self._size, paths)) for n, paths in single.items()}
        often = Counter(sizes.values())
        return same_pictures(
            {n: self._sha256(paths) for n, paths in single.items() if often[sizes[n]] > 1}
        )

    def _size(self, path: Path) -> int:
        try:
            return path.stat().st_size
        except OSError:
            self.inputs.sha256(path)  # says what is wrong with it
            raise

    def cache_dir(self) -> Path:
        """Return where features are kept between runs."""
        return (self.config.run.cache_dir or self.work_dir / "features").absolute()

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
