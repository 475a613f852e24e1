"""NIfTI, GIFTI, CIFTI and FreeSurfer files <-> (array, Space): the one place that reads them."""

from bids_dnn.imaging.cifti import (
    read_cifti_labels,
    read_cifti_shape,
    read_cifti_step,
    read_cifti_units,
    space_of_cifti,
    write_cifti_labels,
    write_cifti_map,
    write_cifti_series,
)
from bids_dnn.imaging.guard import load, require_file, whole
from bids_dnn.imaging.mesh import read_mesh, write_mesh
from bids_dnn.imaging.surface import (
    read_cortex,
    read_curvature,
    read_labels,
    read_surface_header,
    read_surface_units,
    read_vertex_series,
    space_of_surfaces,
    write_labels,
    write_shape,
    write_vertex_series,
)
from bids_dnn.imaging.template import TEMPLATE, read_template
from bids_dnn.imaging.transform import Transform, read_transform
from bids_dnn.imaging.volume import (
    form_code,
    read_header,
    read_units,
    read_volume,
    resample_mask,
    space_of_mask,
    write_map,
    write_mask,
    write_series,
)

__all__ = [
    "TEMPLATE",
    "Transform",
    "form_code",
    "load",
    "read_cifti_labels",
    "read_cifti_shape",
    "read_cifti_step",
    "read_cifti_units",
    "read_cortex",
    "read_curvature",
    "read_header",
    "read_labels",
    "read_mesh",
    "read_surface_header",
    "read_surface_units",
    "read_template",
    "read_transform",
    "read_units",
    "read_vertex_series",
    "read_volume",
    "require_file",
    "resample_mask",
    "space_of_cifti",
    "space_of_mask",
    "space_of_surfaces",
    "whole",
    "write_cifti_labels",
    "write_cifti_map",
    "write_cifti_series",
    "write_labels",
    "write_map",
    "write_mask",
    "write_mesh",
    "write_series",
    "write_shape",
    "write_vertex_series",
]
