"""Sphinx settings; the pages are built without a network."""

import sys
from importlib.util import find_spec
from pathlib import Path

from bids_dnn import __version__

sys.path.insert(0, str(Path(__file__).parent / "extensions"))

project = "bids_dnn"
author = "The bids_dnn developers"
project_copyright = "The bids_dnn developers, Apache-2.0"
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "sphinx_click",
    "config_tables",
    "reference_lists",
]
exclude_patterns = ["_build", "extensions"]
templates_path = ["templates"]
# Short names of classes in signatures, which stand in several rooms: a link to either is right.
suppress_warnings = ["ref.python"]
myst_heading_anchors = 3

autosummary_generate = True
autodoc_default_options = {
    "members": True,
    "member-order": "bysource",
    "show-inheritance": True,
    "exclude-members": "cKDTree",  # SciPy's; its signature cannot be formatted
}
autodoc_typehints = "signature"
numpydoc_show_class_members = False

html_theme = "alabaster"
html_theme_options = {"description": "Deep networks and brain data, as a BIDS App"}
html_show_sphinx = False


def forget_renamed(*_):
    """Delete the API pages of modules that are no more: autosummary keeps them otherwise."""
    for page in (Path(__file__).parent / "api").glob("*.rst"):
        parent, _, _ = page.stem.rpartition(".")
        if find_spec(parent) is None or find_spec(page.stem) is None:
            page.unlink()


def setup(app):
    """Tell Sphinx what to do before it looks for pages."""
    app.connect("config-inited", forget_renamed)
