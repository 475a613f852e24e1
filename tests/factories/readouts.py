"""What a readout is trained on, without the fit around it."""

from __future__ import annotations

import numpy as np

from bids_dnn.analyses.encode.readouts.forms import Options, form_of
from bids_dnn.analyses.encode.readouts.problem import (
    Problem,
    channel_moments,
    divide,
    scaling_of,
    standardized,
)
from bids_dnn.analyses.encode.readouts.sources import ArraySource


def problem_of(maps, responses, kind, **options):
    """Make a problem of all stimuli."""
    settled = Options(**options)
    source = ArraySource(maps)
    learn, held = divide(np.arange(source.n), settled.validation, settled.seed)
    scaling = scaling_of(responses, learn, held, settled.loss)
    mean, sd = channel_moments(source, learn, held, "cpu")
    truth, known = standardized(responses, scaling, learn, held, "cpu")
    return Problem(source, form_of(kind), settled, learn, held, mean, sd, truth, known)
