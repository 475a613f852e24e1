"""One work that the methods text may cite."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reference:
    """One work, as it is printed and as BibTeX.

    Parameters
    ----------
    key
        As it stands in the methods text: ``[@haxby2001]``.
    authors
        As BibTeX wants them, joined by `` and ``; ``others`` for the rest; "" where not known.
    title, year
        Of the work; 0 = the year is not known.
    place
        Journal with volume and pages, or publisher; "" where not known.
    doi, url
        Where it is found; one of both.
    kind
        BibTeX entry type.
    """

    key: str
    authors: str
    title: str
    year: int
    place: str
    doi: str = ""
    url: str = ""
    kind: str = "article"

    @property
    def link(self) -> str:
        """Where a reader finds it."""
        return f"https://doi.org/{self.doi}" if self.doi else self.url

    def text(self) -> str:
        """Return the reference in one line, without its link."""
        people = self.authors.replace(" and others", " et al.").replace(" and ", "; ")
        when = f"{people} ({self.year})" if self.year else people
        return " ".join(f"{part}." for part in (when, self.title, self.place) if part)

    def bibtex(self) -> str:
        """Return the reference as a BibTeX entry."""
        where = {"article": "journal", "book": "publisher"}.get(self.kind, "howpublished")
        fields = {
            "author": self.authors,
            "title": f"{{{self.title}}}",
            "year": str(self.year or ""),
            where: self.place,
            "doi": self.doi,
            "url": self.url,
        }
        lines = [f"  {name} = {{{text}}}," for name, text in fields.items() if text]
        return "\n".join([f"@{self.kind}{{{self.key},", *lines, "}"])
