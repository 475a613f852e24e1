"""A directive that writes references from the table that the reports use."""

from __future__ import annotations

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx

from bids_dnn.errors import nearest
from bids_dnn.report.references import REFERENCES


class ReferenceList(Directive):
    """``{references} KEY ...``: the works of these keys, each with its link."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """Return a list of works, in the order of the keys."""
        works = nodes.bullet_list()
        for key in self.arguments[0].split():
            if key not in REFERENCES:
                raise self.error(f"No reference {key!r}. {nearest(key, REFERENCES)}")
            work = REFERENCES[key]
            line = nodes.paragraph(text=f"{work.text()} ")
            line += nodes.reference(text=work.link, refuri=work.link)
            works += nodes.list_item("", line)
        return [works]


def setup(app: Sphinx) -> dict[str, bool]:
    """Make the directive known to Sphinx."""
    app.add_directive("references", ReferenceList)
    return {"parallel_read_safe": True}
