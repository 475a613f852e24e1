"""Benson's maps of visual areas on a participant's own surface; nothing is written."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bids_dnn import imaging
from bids_dnn.containers.mesh import Mesh
from bids_dnn.containers.space import HEMISPHERES, Hemisphere
from bids_dnn.errors import SpaceError
from bids_dnn.rois.benson_files import BensonFiles, Paths, find_surface, registered_spheres
from bids_dnn.rois.maps import Maps, Retinotopy, contralateral
from bids_dnn.rois.sphere import interpolate, interpolate_angle, locate
from bids_dnn.rois.template import Template, has_maps, read_maps, read_template, required_maps


def native_maps(template: Template, sphere_reg: Paths) -> Retinotopy:
    """Bring the template to a participant's own mesh.

    Angles are interpolated on the circle, eccentricity and size linearly, among the vertices of
    visual areas alone; areas are those of the nearest vertex.

    Parameters
    ----------
    template
        As `read_template` gives it.
    sphere_reg
        The participant's spheres, registered to fsaverage.

    Raises
    ------
    MissingInputError, UnreadableError
        If a sphere is not there or damaged.
    SpaceError
        If it is no sphere.

    References
    ----------
    Benson et al. (2014), PLoS Comput Biol 10:e1003538, doi:10.1371/journal.pcbi.1003538.
    """
    found = {
        h: resample(template.maps.hemispheres[h], template.spheres[h], path, hemisphere=h)
        for h, path in sphere_reg.items()
    }
    return Retinotopy(found, "fsnative", template.maps.source)


def resample(maps: Maps, source: Mesh, target: Path, *, hemisphere: Hemisphere) -> Maps:
    """Bring maps of one hemisphere from the sphere on which they lie to another one.

    Parameters
    ----------
    maps
        On the vertices of `source`.
    source
        A sphere.
    target
        File of a sphere that is registered to it.
    hemisphere
        Which visual field the maps belong to.

    Raises
    ------
    MissingInputError, UnreadableError
        If the file is not there or damaged.
    SpaceError
        If one of the two is no sphere.
    """
    lookup = locate(source, imaging.read_mesh(target, is_sphere=True).vertices)
    inside = maps.area > 0
    area = maps.area[lookup.nearest]
    table = np.column_stack([maps.eccentricity_deg, maps.sigma_deg])
    eccentricity, sigma = interpolate(lookup, table, inside).T
    angle = contralateral(interpolate_angle(lookup, maps.angle_deg, inside), hemisphere)
    outside = area == 0
    return Maps(area, *(np.where(outside, np.nan, one) for one in (angle, eccentricity, sigma)))


def participant_maps(files: BensonFiles) -> Retinotopy:
    """Return the maps on a participant's own mesh, to be written and drawn.

    Ready-made ``surf/?h.benson14_*`` of the FreeSurfer folder are used as they are, else the
    template is brought there.

    Raises
    ------
    MissingInputError
        If a hemisphere's files, the template or a sphere are not found.
    UnreadableError
        If a file is damaged.
    SpaceError
        If ready-made maps have another number of vertices than the participant's mesh, or the
        template another mesh than its sphere.
    """
    surf = files.freesurfer / "surf" if files.freesurfer is not None else None
    if surf is not None and has_maps(surf):
        return _ready_made(surf, files)
    return native_maps(read_template(files), registered_spheres(files))


def _ready_made(surf: Path, files: BensonFiles) -> Retinotopy:
    found: dict[Hemisphere, Maps] = {}
    for h in HEMISPHERES:
        paths = required_maps(surf, h)
        found[h] = read_maps(paths, h)
        for kind in ("sphere.reg", "white"):
            if (surface := find_surface(files, h, kind)) is not None:
                _check_mesh(paths["varea"], len(found[h]), surface)
                break
    return Retinotopy(found, "fsnative", f"ready-made maps ({surf})")


def _check_mesh(path: Path, n_found: int, surface: Path) -> None:
    n_vertices = len(imaging.read_mesh(surface, is_sphere=True).vertices)
    if n_vertices != n_found:
        raise SpaceError(
            f"{path} has {n_found} vertices, the participant's mesh has {n_vertices} ({surface}).",
            mend="Make the maps anew for this reconstruction, or take them away.",
        )
