"""One table of file names: every output of bids_dnn is named here."""

from __future__ import annotations

import re
from pathlib import Path

from bids_dnn.errors import ConfigError, nearest

_OF = "sub-{participant}/func/sub-{participant}"
_IN = "[_task-{task}]_space-{space}"
_HEMI = "[_task-{task}]_hemi-{hemi}_space-{space}"
_DEN = "[_task-{task}]_space-{space}_den-{den}"
_STAT = "[_model-{model}]_stat-{stat}_desc-{analysis}_statmap"
_ANAT = "sub-{participant}/anat/sub-{participant}"
_GROUP = "group/[task-{task}_]space-{space}"
_GROUP_HEMI = "group/[task-{task}_]hemi-{hemi}_space-{space}"
_GROUP_DEN = "group/[task-{task}_]space-{space}_den-{den}"
_BENSON = f"{_ANAT}_hemi-{{hemi}}_space-{{space}}_atlas-Benson14"

# Parts in brackets are left out where one of their entities is not given. Maps, units and regions
# have one name for each kind of space (see places.py): voxels, `_surface` with one file a
# hemisphere, `_grayordinates` with the density of the file, `_channels` as one table.
TEMPLATES: dict[str, str] = {
    "scores": f"{_OF}{_IN}_desc-{{analysis}}{{extra}}_scores.tsv",
    "arrays": f"{_OF}{_IN}_desc-{{analysis}}{{extra}}_arrays.npz",
    "null": f"{_OF}{_IN}_desc-{{analysis}}_null.npz",
    "patterns": f"{_OF}{_IN}_desc-{{analysis}}_patterns.npz",
    "statmap": f"{_OF}{_IN}{_STAT}.nii.gz",
    "statmap_surface": f"{_OF}{_HEMI}{_STAT}.shape.gii",
    "statmap_grayordinates": f"{_OF}{_DEN}{_STAT}.dscalar.nii",
    "units": f"{_OF}{_IN}_desc-{{analysis}}_mask.nii.gz",
    "units_surface": f"{_OF}{_HEMI}_desc-{{analysis}}_mask.label.gii",
    "units_grayordinates": f"{_OF}{_DEN}_desc-{{analysis}}_mask.dlabel.nii",
    "units_channels": f"{_OF}{_IN}_desc-{{analysis}}_units.tsv",
    "region": f"{_ANAT}_space-{{space}}_label-{{region}}_mask.nii.gz",
    "region_surface": f"{_ANAT}_hemi-{{hemi}}_space-{{space}}_label-{{region}}_mask.label.gii",
    "region_grayordinates": f"{_ANAT}{_DEN}_label-{{region}}_mask.dlabel.nii",
    "region_channels": f"{_ANAT}_space-{{space}}_label-{{region}}_units.tsv",
    "retinotopy": f"{_BENSON}_stat-{{stat}}_statmap.shape.gii",
    "areas": f"{_BENSON}_dseg.label.gii",
    "areas_table": f"{_ANAT}_space-{{space}}_atlas-Benson14_dseg.tsv",
    "study_scores": "desc-{analysis}{extra}_scores.tsv",  # of an analysis without participants
    "study_report": "{analysis}.html",
    "study_figures": "figures",
    "group_scores": f"{_GROUP}_desc-{{analysis}}{{extra}}_scores.tsv",
    "group_statmap": f"{_GROUP}{_STAT}.nii.gz",
    "group_statmap_surface": f"{_GROUP_HEMI}{_STAT}.shape.gii",
    "group_statmap_grayordinates": f"{_GROUP_DEN}{_STAT}.dscalar.nii",
    "group_units": f"{_GROUP}_desc-{{analysis}}_mask.nii.gz",
    "group_units_surface": f"{_GROUP_HEMI}_desc-{{analysis}}_mask.label.gii",
    "group_units_grayordinates": f"{_GROUP_DEN}_desc-{{analysis}}_mask.dlabel.nii",
    "report": "sub-{participant}.html",
    "group_report": "group.html",
    "figures": "sub-{participant}/figures",
    "group_figures": "group/figures",
    "log": "logs/{run}/{file}",
    "portrait": "stimuli/network-{network}_portrait.npz",
    "features": "stimuli/network-{network}_layer-{layer}_features.npy",
    "predictions": "stimuli/network-{network}_predictions.tsv",
    "atlas": "atlas-Benson14_description.json",
    "description": "dataset_description.json",
    "readme": "README",
    "participants": "participants.tsv",
}
SPACES = (  # standard templates, which need no SpatialReference
    "MNI152Lin",
    "MNI152NLin2009cAsym",
    "MNI152NLin2009cSym",
    "MNI152NLin6ASym",
    "MNI152NLin6Asym",
    "fsaverage",
    "fsaverage5",
    "fsaverage6",
    "fsLR",
)
# JSON sidecars are matched as well: data ignored without its JSON is an error of its own.
# BIDS has masks of voxels only; those of vertices and grayordinates are named alike, as fMRIPrep
# names its cortex mask.
BIDSIGNORE = (
    "*.html",
    "*_scores.*",
    "*_arrays.*",
    "*_null.*",
    "*_patterns.*",
    "*_statmap.*",
    "*_units.*",
    "*hemi-*_mask.*",
    "*den-*_mask.*",
    "group",
    "group/**",
    "logs",
    "logs/**",
    "stimuli/network-*",
    "**/figures",
    "**/figures/**",
)
_LABEL = re.compile(r"[0-9A-Za-z+]+")


def path_of(out_dir: Path, kind: str, **entities: str) -> Path:
    """Return where an output of this kind lies.

    Parameters
    ----------
    out_dir
        Root of the output data set.
    kind
        A key of `TEMPLATES`.
    entities
        Labels without their keys: ``participant="01"``; an empty one counts as not given.
        ``extra`` names a further table of the analysis and is written with a capital.

    Returns
    -------
    path

    Raises
    ------
    ConfigError
        If the kind does not exist, an entity is missing, or a label holds a character that
        BIDS does not allow.

    Examples
    --------
    >>> path_of(Path("out"), "scores", participant="01", space="T1w", analysis="decode").name
    'sub-01_space-T1w_desc-decode_scores.tsv'
    """
    if kind not in TEMPLATES:
        raise ConfigError(f"There is no output of kind {kind!r}.", mend=nearest(kind, TEMPLATES))
    given = {key: value for key, value in entities.items() if value != ""}
    _check(given)
    template = TEMPLATES[kind]
    fields = {"extra": ""} | given
    if extra := given.get("extra"):
        fields["extra"] = extra[0].upper() + extra[1:]

    def optional(part: re.Match[str]) -> str:
        inner: str = part.group(1)
        return inner if all(k in fields for k in re.findall(r"{(\w+)}", inner)) else ""

    template = re.sub(r"\[([^\]]*)\]", optional, template)
    if missing := sorted(set(re.findall(r"{(\w+)}", template)) - set(fields)):
        raise ConfigError(
            f"The name of a {kind} file needs {missing}, got {sorted(given)}.",
            mend=f"Give {', '.join(missing)} among the entities.",
        )
    return out_dir / template.format(**fields)


def _check(entities: dict[str, str]) -> None:
    for key, value in entities.items():
        if key in ("file", "run") and "/" not in value:  # names below logs/
            continue
        if not _LABEL.fullmatch(value):
            raise ConfigError(
                f"{key} is {value!r}; a BIDS label holds letters, digits and '+' only.",
                mend=f"Use {label_of(value)!r}.",
            )


def label_of(*words: str) -> str:
    """Return words as one BIDS label: letters and digits, each further word with a capital.

    Examples
    --------
    >>> label_of("alexnet", "features.10")
    'alexnetFeatures10'
    """
    parts: list[str] = [part for word in words for part in re.findall(r"[0-9A-Za-z]+", word)]
    if not parts:
        return "unnamed"
    return parts[0] + "".join(part[0].upper() + part[1:] for part in parts[1:])


def sidecar_of(path: Path) -> Path:
    """Return the JSON sidecar of a table or image.

    Examples
    --------
    >>> sidecar_of(Path("sub-01_mask.nii.gz")).name
    'sub-01_mask.json'
    """
    return path.with_name(path.name.split(".")[0] + ".json")


def null_of(path: Path) -> Path:
    """Return where the scores under exchanged labels lie, beside a participant's table.

    Examples
    --------
    >>> null_of(Path("sub-01_space-T1w_desc-decode_scores.tsv")).name
    'sub-01_space-T1w_desc-decode_null.npz'
    """
    return path.with_name(path.name.removesuffix("_scores.tsv") + "_null.npz")


def patterns_of(path: Path) -> Path:
    """Return where the mean patterns lie, beside a participant's table.

    Examples
    --------
    >>> patterns_of(Path("sub-01_space-T1w_desc-decode_scores.tsv")).name
    'sub-01_space-T1w_desc-decode_patterns.npz'
    """
    return path.with_name(path.name.removesuffix("_scores.tsv") + "_patterns.npz")


def entities_of(path: Path) -> dict[str, str]:
    """Return the entities in a file's name, with ``suffix``; ``sub`` is called participant.

    Examples
    --------
    >>> entities_of(Path("sub-01_space-T1w_desc-decode_scores.tsv"))
    {'participant': '01', 'space': 'T1w', 'desc': 'decode', 'suffix': 'scores'}
    """
    *pairs, suffix = path.name.split(".")[0].split("_")
    found = dict(pair.split("-", 1) for pair in pairs if "-" in pair)
    named = {"participant" if key == "sub" else key: value for key, value in found.items()}
    return named | {"suffix": suffix}


def uri(path: Path, datasets: dict[str, Path]) -> str:
    """Return the BIDS URI of a file: ``bids:fmriprep:sub-01/...``.

    Parameters
    ----------
    path
        The file.
    datasets
        Root of each data set by its name in ``DatasetLinks``; the innermost root that holds
        `path` wins. The name "" is the output data set itself.

    Returns
    -------
    uri
        A ``file:`` URI where no data set holds the file.

    Examples
    --------
    >>> uri(Path("/d/der/sub-01/a.nii"), {"raw": Path("/d"), "fmriprep": Path("/d/der")})
    'bids:fmriprep:sub-01/a.nii'
    """
    full = path.absolute()
    holding = [
        (len(root.absolute().parts), name, root.absolute())
        for name, root in datasets.items()
        if full.is_relative_to(root.absolute())
    ]
    if not holding:
        return full.as_uri()
    _, name, root = max(holding, key=lambda found: found[0])
    return f"bids:{name}:{full.relative_to(root).as_posix()}"


def needs_reference(space: str) -> bool:
    """Tell whether BIDS wants a ``SpatialReference`` beside a file in this space."""
    return space not in SPACES
