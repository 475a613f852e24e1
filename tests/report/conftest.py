"""What tests of figures may ask for."""

from __future__ import annotations

import pytest


@pytest.fixture
def drawn(monkeypatch):
    """Figures in the order in which they are drawn, to look at what is on them."""
    from matplotlib.figure import Figure

    kept, save = [], Figure.savefig

    def saved(figure, *args, **kwargs):
        kept.append(figure)
        save(figure, *args, **kwargs)

    monkeypatch.setattr(Figure, "savefig", saved)
    return kept
