"""Where meshes of surfaces lie: which vertices touch, how far apart they are, what is drawn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from bids_dnn import imaging
from bids_dnn.containers.mesh import Mesh
from bids_dnn.containers.space import HEMISPHERES, Hemisphere
from bids_dnn.derivatives.names import uri
from bids_dnn.ingest.records import Subject
from bids_dnn.rois.atlas_files import templateflow_home

SPELLED: dict[Hemisphere, tuple[str, str]] = {"L": ("lh", "left"), "R": ("rh", "right")}
GIFTI = ".surf.gii"
BUNDLED = "fsaverage5"  # comes with nilearn, so that it needs no network
WHEREVER = "nilearn:"  # then side and kind: a file that comes with it, wherever it is installed
OWN = {"fsnative": ("midthickness", "white"), "fsLR": ("midthickness-fsLR",)}
# Of TemplateFlow: template and density of a space.
DENSITIES = {
    "fsaverage5": ("fsaverage", "10k"),
    "fsaverage6": ("fsaverage", "41k"),
    "fsaverage": ("fsaverage", "164k"),
    "fsLR": ("fsLR", "32k"),
}
TEMPLATE_NAMES = {"white": "white", "inflated": "inflated"}
LIKE = {"fsLR": {"white": "midthickness", "inflated": "veryinflated"}}
NILEARN_NAMES = {"white": "white", "inflated": "infl", "sulc": "sulc"}


def meshes_of(
    space: str, subjects_dir: Path | None, *, kind: str = "white"
) -> dict[Hemisphere, Path]:
    """Return the meshes of a standard surface, where they are at hand without a network.

    Parameters
    ----------
    space
        BIDS label; other spaces than those of standard surfaces have none.
    subjects_dir
        Of FreeSurfer, with its averages (``fsaverage``, ``fsaverage6`` ...); None = not known.
    kind
        ``white``, on whose edges vertices touch, or ``inflated``.

    Returns
    -------
    meshes
        Both hemispheres, of the first place that has them: `subjects_dir`, TemplateFlow's cache,
        nilearn (fsaverage5). Empty where no place does.
    """
    if space not in DENSITIES:
        return {}
    for pair in _pairs(space, subjects_dir, kind):
        if all(path.is_file() and path.stat().st_size for path in pair.values()):
            return pair
    return {}


def _pairs(space: str, subjects_dir: Path | None, kind: str) -> Iterator[dict[Hemisphere, Path]]:
    if subjects_dir is not None:
        folder = subjects_dir / space / "surf"
        yield {side: folder / f"{words[0]}.{kind}" for side, words in SPELLED.items()}
    template, density = DENSITIES[space]
    name = LIKE.get(space, TEMPLATE_NAMES).get(kind, kind)
    home = templateflow_home() / f"tpl-{template}"
    for form in ("hemi-{hemi}_den-{den}", "den-{den}_hemi-{hemi}"):
        middle = {side: form.format(hemi=side, den=density) for side in HEMISPHERES}
        yield {s: home / f"tpl-{template}_{m}_{name}{GIFTI}" for s, m in middle.items()}
    if space == BUNDLED:
        yield bundled(kind)


def bundled(kind: str) -> dict[Hemisphere, Path]:
    """Return files of fsaverage5 that come with nilearn.

    Parameters
    ----------
    kind
        ``white``, ``inflated`` or ``sulc``.
    """
    from nilearn.datasets import fetch_surf_fsaverage

    found = fetch_surf_fsaverage(BUNDLED)  # these come with the package: no network
    name = NILEARN_NAMES[kind]
    return {side: Path(found[f"{name}_{words[1]}"]) for side, words in SPELLED.items()}


def drawn_on(space: str, subjects_dir: Path | None) -> dict[str, dict[str, str | None]]:
    """Return the inflated meshes of a standard surface, and its folding where it is there.

    Parameters
    ----------
    space, subjects_dir
        As in `meshes_of`.

    Returns
    -------
    files
        ``mesh`` and ``folding`` of each hemisphere; empty where there is no mesh.
    """
    found = meshes_of(space, subjects_dir, kind="inflated")
    made: dict[str, dict[str, str | None]] = {}
    for side, path in found.items():
        beside = [path.with_suffix(".curv")]
        if path.name.endswith(GIFTI):
            stem = path.name.removesuffix(GIFTI).rpartition("_")[0]
            beside = [path.with_name(f"{stem}_sulc.shape.gii")]
        if space == BUNDLED and found == bundled("inflated"):
            beside = [bundled("sulc")[side]]
        folding = next((str(one) for one in beside if one.is_file()), None)
        made[side] = {"mesh": str(path), "folding": folding}
    return made


def surfaces_of(subject: Subject) -> dict[str, dict[str, str | None]]:
    """Return the inflated meshes and foldings on which a participant's maps are drawn.

    Parameters
    ----------
    subject
        Volumes and ``fsnative`` are drawn on the participant's own surfaces, ``fsaverage*`` on
        those of `drawn_on`; ``fsLR`` is not drawn.

    Returns
    -------
    files
        As `drawn_on`; empty unless both hemispheres are there.
    """
    anatomy, space = subject.anatomy, subject.space
    folder = anatomy.freesurfer
    if space.startswith("fsaverage"):
        return drawn_on(space, None if folder is None else folder.parent)
    made: dict[str, dict[str, str | None]] = {}
    for side, (spelled, _) in SPELLED.items():
        mesh = None if space == "fsLR" else anatomy.surfaces.get(f"{side}_inflated")
        folding = None if folder is None else folder / "surf" / f"{spelled}.curv"
        if mesh is not None and mesh.is_file():
            is_there = folding is not None and folding.is_file()
            made[side] = {"mesh": str(mesh), "folding": str(folding) if is_there else None}
    return made if len(made) == len(SPELLED) else {}


def mesh_files(subject: Subject) -> dict[Hemisphere, str]:
    """Return the mesh of each hemisphere on whose vertices a participant's responses lie.

    Parameters
    ----------
    subject
        ``fsnative`` lies on the participant's own middle (or white) surface, ``fsLR`` on the one
        that fMRIPrep has brought there, other surfaces (and ``fsLR`` without) on a standard one.

    Returns
    -------
    files
        By hemisphere, for `path_of_mesh`; none of volumes, and none that is not there.
    """
    space, anatomy = subject.space, subject.anatomy
    made: dict[Hemisphere, str] = {}
    for side in HEMISPHERES:
        paths = (anatomy.surfaces.get(f"{side}_{kind}") for kind in OWN.get(space, ()))
        if (path := next(filter(None, paths), None)) is not None:
            made[side] = str(path)
    if made:
        return made
    folder = None if anatomy.freesurfer is None else anatomy.freesurfer.parent
    found = meshes_of(space, folder)
    if space == BUNDLED and found == bundled("white"):
        return {side: f"{WHEREVER}{side}:white" for side in found}
    return {side: str(path) for side, path in found.items()}


def read_meshes(told: Mapping[Hemisphere, str]) -> dict[Hemisphere, Mesh]:
    """Return the meshes that `mesh_files` has named, for distances along them.

    Parameters
    ----------
    told

    Raises
    ------
    UnreadableError
        If a file is damaged.
    """
    # distances are the same wherever a mesh lies
    return {s: imaging.read_mesh(path_of_mesh(one), is_sphere=True) for s, one in told.items()}


def uris_of_meshes(told: Mapping[Hemisphere, str], roots: Mapping[str, Path]) -> dict[str, str]:
    """Return where the meshes come from that `mesh_files` has named, for sidecars.

    Parameters
    ----------
    told
    roots
        Of data sets, by their names in ``DatasetLinks``.

    Returns
    -------
    uris
        By hemisphere; of those that come with nilearn, what `mesh_files` says.
    """
    return {
        side: one if one.startswith(WHEREVER) else uri(Path(one), dict(roots))
        for side, one in told.items()
    }


def path_of_mesh(told: str) -> Path:
    """Return where a mesh lies that `mesh_files` has named.

    Parameters
    ----------
    told
    """
    if not told.startswith(WHEREVER):
        return Path(told)
    side, kind = told.removeprefix(WHEREVER).split(":")
    return next(path for name, path in bundled(kind).items() if name == side)
