"""Benson's maps on a participant's surface; the peer is neuropythy's command, run elsewhere.

neuropythy (AGPL) is no dependency and is never imported: it is run as a program of its own, by
the Python of another environment (``--peer``), on a copy of a made-up participant.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull

from benchmarks import Row
from bids_dnn import imaging
from bids_dnn.containers.mesh import Mesh
from bids_dnn.containers.space import HEMISPHERES, Hemisphere
from bids_dnn.errors import BidsDnnError, MissingInputError, UnreadableError
from bids_dnn.rois.benson_files import SIDES, BensonFiles
from bids_dnn.rois.maps import Retinotopy
from bids_dnn.rois.retinotopy import participant_maps

Array = NDArray[np.float64]
_FREESURFER: Any = nib.freesurfer  # nibabel has no types for these
_MGH: Any = nib.MGHImage
N_VERTICES: dict[Hemisphere, int] = {"L": 150_000, "R": 148_000}
SPHERE = "fsaverage.{h}.sphere.164k_fs_{h}.surf.gii"
RADIUS = 100.0
MOST_S = 5.0
LEAST_AREAS, MOST_DEG = 0.99, 0.1
REPEATS = 3
WHERE = (
    "import importlib.util as u; s = u.find_spec('neuropythy'); "
    "print(s.submodule_search_locations[0] if s else '')"
)


def make_sphere(n_vertices: int, rng: np.random.Generator) -> Mesh:
    """Make a sphere of vertices in no order, evenly but not regularly spread."""
    steps = np.arange(n_vertices) + 0.5
    polar, around = np.arccos(1 - 2 * steps / n_vertices), np.pi * (1 + 5**0.5) * steps
    x, y = np.cos(around) * np.sin(polar), np.sin(around) * np.sin(polar)
    points = np.column_stack([x, y, np.cos(polar)]) + 8e-4 * rng.normal(size=(n_vertices, 3))
    points = _on_sphere(points[rng.permutation(n_vertices)])
    faces = ConvexHull(points).simplices.astype(np.int64)
    a, b, c = (points[faces[:, k]] for k in range(3))
    inward = np.einsum("ij,ij->i", np.cross(b - a, c - a), a) < 0
    faces[inward] = faces[inward][:, [0, 2, 1]]
    return Mesh(points, faces)


def make_participant(
    folder: Path, average: Mapping[Hemisphere, Mesh], n_vertices: Mapping[Hemisphere, int]
) -> Path:
    """Write ``sub-01`` with bent registered spheres, and ``fsaverage``, as FreeSurfer does."""
    rng = np.random.default_rng(0)
    for h in HEMISPHERES:
        native = make_sphere(n_vertices[h], rng)
        bent = Mesh(_bend(native.vertices), native.faces)
        for subject, mesh, registered in (
            ("fsaverage", average[h], average[h]),
            ("sub-01", native, bent),
        ):
            surf = folder / subject / "surf"
            for name, sphere in (("sphere", mesh), ("sphere.reg", registered)):
                imaging.write_mesh(surf / f"{SIDES[h]}.{name}", sphere, h, is_sphere=True)
            for name, thicker in (("white", 0.0), ("pial", 3.0), ("inflated", 1.0)):
                size = np.array([30.0, 60.0, 40.0]) + thicker
                shape = Mesh(mesh.vertices / RADIUS * size, mesh.faces)
                imaging.write_mesh(surf / f"{SIDES[h]}.{name}", shape, h)
            flat = np.zeros(len(mesh.vertices), dtype=np.float32)
            for name in ("curv", "sulc", "thickness", "area"):
                _write_morph(surf / f"{SIDES[h]}.{name}", flat)
    for subject in ("fsaverage", "sub-01"):
        (folder / subject / "label").mkdir()
        (folder / subject / "mri").mkdir()
        image = _MGH(np.ones((32, 32, 32), np.uint8), np.eye(4))
        for name in ("brain", "orig", "ribbon"):
            image.to_filename(folder / subject / "mri" / f"{name}.mgz")
    return folder / "sub-01"


def run_peer(python: Path, subjects: Path) -> float:
    """Run neuropythy's ``benson14_retinotopy`` on ``sub-01``; returns seconds.

    Raises
    ------
    UnreadableError
        If it fails.
    """
    command = [str(python), "-m", "neuropythy", "benson14_retinotopy", "--no-volume-export"]
    start = time.perf_counter()
    done = subprocess.run(  # noqa: S603 the command is made here
        [*command, f"--subjects-dir={subjects}", "sub-01"],
        env=os.environ | {"SUBJECTS_DIR": str(subjects), "HOME": str(subjects)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())[-300:]
        raise UnreadableError(
            f"neuropythy's benson14_retinotopy failed: {said}.",
            mend=f"Try it by hand: {' '.join(command)} sub-01",
        )
    return time.perf_counter() - start


def find_peer_template(python: Path) -> Path:
    """Return the folder of the template in another environment's neuropythy.

    Raises
    ------
    MissingInputError
        If there is no such Python, or no neuropythy in it.
    """
    try:
        done = subprocess.run(  # noqa: S603 the command is made here
            [str(python), "-c", WHERE], capture_output=True, text=True, check=False
        )
        place = done.stdout.strip()
    except OSError:
        place = ""
    if not place:
        raise MissingInputError(
            f"neuropythy is absent: {python} has none, so there is nothing to compare with.",
            mend="Type: python -m venv PEER && PEER/bin/pip install neuropythy, then --peer "
            "PEER/bin/python",
        )
    return Path(place, "lib", "data", "fsaverage", "surf")


def agreement(ours: Retinotopy, theirs: Retinotopy) -> dict[str, float]:
    """Return the share of vertices with the same area, and median differences in degrees."""
    areas, angles, eccentricities = [], [], []
    for h, one in ours.hemispheres.items():
        other = theirs.hemispheres[h]
        areas.append(one.area == other.area)
        both = (one.area > 0) & (other.area > 0)
        turned = (one.angle_deg - other.angle_deg + 180) % 360 - 180
        angles.append(np.abs(turned)[both])
        eccentricities.append(np.abs(one.eccentricity_deg - other.eccentricity_deg)[both])
    labeled = [
        (a.area > 0) | (theirs.hemispheres[h].area > 0) for h, a in ours.hemispheres.items()
    ]
    same, some = np.concatenate(areas), np.concatenate(labeled)
    return {
        "areas": float(same.mean()),
        "areas_in_either": float(same[some].mean()),
        "angle_deg": float(np.median(np.concatenate(angles))),
        "eccentricity_deg": float(np.median(np.concatenate(eccentricities))),
    }


def check(found: Mapping[str, float]) -> None:
    """Compare the maps of both.

    Raises
    ------
    ArithmeticError
        If fewer than 99 % of vertices have the same area, or angle or eccentricity differ by
        0.1 degree or more in the median.
    """
    far = max(found["angle_deg"], found["eccentricity_deg"])
    if min(found["areas"], found["areas_in_either"]) < LEAST_AREAS or far >= MOST_DEG:
        raise ArithmeticError(f"retinotopy: maps differ from neuropythy's: {dict(found)}.")


def measure(
    peer: Path, sphere_folder: Path, n_vertices: Mapping[Hemisphere, int], *, folder: Path
) -> tuple[Row, dict[str, float]]:
    """Compare maps, then times, in an empty `folder`; the row's target is 5 s for ours.

    Raises
    ------
    MissingInputError
        If neuropythy or the spheres are not there.
    ArithmeticError
        If the maps differ.
    """
    template = find_peer_template(peer)
    paths = {h: sphere_folder / SPHERE.format(h=h) for h in HEMISPHERES}
    average = {h: imaging.read_mesh(path, is_sphere=True) for h, path in paths.items()}
    subject = make_participant(folder, average, n_vertices)
    files = BensonFiles(template=template, freesurfer=subject, template_sphere=paths)
    ours_s = float("inf")
    for _ in range(REPEATS):
        start = time.perf_counter()
        ours = participant_maps(files)
        ours_s = min(ours_s, time.perf_counter() - start)
    peer_s = run_peer(peer, folder)
    found = agreement(ours, participant_maps(files))  # now those that the peer left
    check(found)
    counts = "+".join(str(n_vertices[h]) for h in HEMISPHERES)
    return Row(f"retinotopy[{counts}]", ours_s, peer_s, peer_s / MOST_S), found


@click.command()
@click.option("--peer", type=click.Path(path_type=Path), required=True, help="Python that has it.")
@click.option(
    "--sphere",
    type=click.Path(path_type=Path, exists=True),
    required=True,
    help=f"Folder with {SPHERE.format(h='L')} and the right one.",
)
def main(peer: Path, sphere: Path) -> None:
    """Compare maps, then times, with neuropythy's benson14_retinotopy; takes a few minutes."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            row, found = measure(peer, sphere, N_VERTICES, folder=Path(folder))
    except BidsDnnError as err:
        raise click.UsageError(str(err)) from err
    click.echo(row.line())
    click.echo(" ".join(f"{name}={value:.5f}" for name, value in found.items()))


def _on_sphere(points: Array) -> Array:
    return np.asarray(RADIUS * points / np.linalg.norm(points, axis=1, keepdims=True))


def _bend(points: Array) -> Array:
    """Move vertices smoothly, by up to about 5 degrees."""
    x, y, z = points.T / RADIUS
    by = np.column_stack([6 * np.sin(3 * y), 5 * np.cos(4 * z), 4 * np.sin(3 * x + 1)])
    return _on_sphere(points + by)


def _write_morph(path: Path, values: NDArray[np.float32]) -> None:
    _FREESURFER.write_morph_data(str(path), values)


if __name__ == "__main__":
    main()
