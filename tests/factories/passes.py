"""Passes over features that are made up, in batches of any size."""

import numpy as np


class FakePasses:
    """Gives rows of arrays as a network would; counts the rows and passes it gave."""

    def __init__(self, values, batch_size=7):
        self.values, self.batch_size = values, batch_size
        self.starts, self.n_rows = [], 0

    @property
    def n(self):
        return len(next(iter(self.values.values())))

    @property
    def widths(self):
        return {layer: value.shape[1] for layer, value in self.values.items()}

    def __call__(self, start=0):
        self.starts.append(start)
        for first in range(start, self.n, self.batch_size):
            rows = slice(first, first + self.batch_size)
            batch = {layer: value[rows].copy() for layer, value in self.values.items()}
            self.n_rows += len(next(iter(batch.values())))
            yield batch


def features(rng, n, widths):
    return {
        layer: (rng.normal(size=(n, p)) + rng.normal(size=p)).astype(np.float32)
        for layer, p in widths.items()
    }
