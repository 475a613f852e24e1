"""One page a participant and one for the group: standing alone, readable offline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from bids_dnn import __version__
from bids_dnn.containers.portrait import Portrait
from bids_dnn.containers.result import Result
from bids_dnn.containers.roi import Roi
from bids_dnn.containers.space import Grid, Space
from bids_dnn.containers.timeseries import TimeSeries
from bids_dnn.files import writing
from bids_dnn.report import cards, ceilings, denoising, found, methods, regions, scores
from bids_dnn.report.group_ceilings import bounds_of
from bids_dnn.report.networks import network_sections
from bids_dnn.report.palette import region_colors
from bids_dnn.report.parts import Number, Section, counted
from bids_dnn.report.raster import Brain, Surfaces, make_brain
from bids_dnn.report.searchlight import searchlight_section
from bids_dnn.report.shown import Shown
from bids_dnn.report.slices import Backdrop, Background, make_backdrop
from bids_dnn.report.sources import independence_warnings, settled
from bids_dnn.report.surfaces import Retinotopy
from bids_dnn.report.twin import twin_section

if TYPE_CHECKING:
    from jinja2 import Template

TEMPLATES = Path(__file__).parent / "templates"
MOST_BYTES = 15_000_000  # of a page; above it the figures for dark are left out
Facts = Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class ParticipantReport:
    """What a participant's page shows.

    Parameters
    ----------
    participant
        Label without ``sub-``.
    results
        By a name that the page uses, such as ``decode``.
    ran
        What ran, for the methods text (see `methods.sentences`).
    task, space
        "" where there is none.
    facts
        Those of `Ingested`; unknown ones are ignored.
    rois
        All on one space, of any kind.
    background
        Volume (x, y, z) and affine (4, 4) behind regions and maps of voxels.
    surfaces
        Mesh (inflated ones show most) and curvature (n_vertices,) of each hemisphere, on which
        regions, maps and retinotopy are drawn.
    retinotopy : (n_vertices,) of each hemisphere
        ``angle``, ``eccentricity`` (degrees) and ``area`` (0 = outside) on these surfaces; None
        where it is not known.
    timeseries
        Of one run, by region and denoising strategy.
    stimuli
        Id and file of each.
    networks
        ``name``, ``weights``, ``weights_sha256``, ``layers``, ``reference`` of each.
    tables
        Where the table of each result lies, from the page.
    command, config_toml, versions, seed
        What a reader needs to run it again.
    warnings, left_out
        Sentences.
    ceiling, twin, searchlight
        Results of these analyses; None where they were not done, or nothing repeats.
    portraits
        Of the networks; `tables` may say where their labels lie, as ``network:NAME``.
    """

    participant: str
    results: Mapping[str, Result]
    ran: Facts
    task: str = ""
    space: str = ""
    facts: Facts = field(default_factory=dict)
    rois: tuple[Roi, ...] = ()
    background: Background | None = None
    surfaces: Surfaces = field(default_factory=dict)
    retinotopy: Retinotopy | None = None
    timeseries: TimeSeries | None = None
    ceiling: Result | None = None
    twin: Result | None = None
    searchlight: Result | None = None
    portraits: tuple[Portrait, ...] = ()
    stimuli: tuple[tuple[str, Path], ...] = ()
    networks: tuple[Facts, ...] = ()
    tables: Mapping[str, str] = field(default_factory=dict)
    command: str = ""
    config_toml: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0
    warnings: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class GroupReport:
    """What the group's page shows.

    Parameters
    ----------
    results
        Of the group, by a name that the page uses, such as ``decode``.
    ran
        What ran, for the methods text (see `methods.sentences`).
    participants, missing
        Labels of those who are in, and of those who should have been.
    partly
        Of those who are in, who lacks an analysis, and which.
    task, space
        "" where there is none.
    networks
        ``name``, ``weights``, ``weights_sha256``, ``layers``, ``reference`` of each.
    tables
        Where the table of each result lies, from the page.
    command, config_toml, versions, seed
        What a reader needs to run it again.
    warnings, left_out
        Sentences.
    portraits
        Of the networks, for the methods text.
    surfaces
        Mesh and curvature (n_vertices,) of each hemisphere, on which maps are drawn.
    background, anatomy
        Volume (x, y, z) and affine (4, 4) behind maps of voxels, and what it is.
    """

    results: Mapping[str, Result]
    ran: Facts
    participants: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    partly: tuple[str, ...] = ()
    task: str = ""
    space: str = ""
    networks: tuple[Facts, ...] = ()
    tables: Mapping[str, str] = field(default_factory=dict)
    command: str = ""
    config_toml: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0
    warnings: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    portraits: tuple[Portrait, ...] = ()
    surfaces: Surfaces = field(default_factory=dict)
    background: Background | None = None
    anatomy: str = ""


def render_participant(data: ParticipantReport, figures_dir: Path) -> str:
    """Return a participant's page, and write its figures.

    Parameters
    ----------
    data
        What the page shows.
    figures_dir
        Where each figure is written as a PNG (as on the light page).

    Returns
    -------
    text
        HTML that needs no other file; under 15 MB.

    Raises
    ------
    OutputError
        If a figure cannot be written.
    """
    named = [roi.name for roi in data.rois]
    spaces = [roi.space for roi in data.rois]
    spaces += [
        one.space for one in (*data.results.values(), data.searchlight) if one and one.space
    ]
    backdrop = _backdrop(data.background, spaces)
    brain = make_brain(data.surfaces) if data.surfaces else None
    shown = _shown(data.results, data.tables, named, behind=(backdrop, brain), ran=data.ran)
    networks = found.networks_of(data.networks, data.results, data.portraits)
    facts = dict(data.facts)
    for made in data.results.values():
        facts = made.meta.get("left_out", {}) | facts
    unit = _unit(data, facts)
    data = replace(
        data,
        ran=_told(data, unit) | settled(data.ran, facts),
        warnings=(*data.warnings, *independence_warnings(facts, data.warnings)),
    )
    body = [found.input_section(facts, data.left_out, unit=unit)]
    if data.rois:
        colors = region_colors([*named, *_regions(data.results)])
        body.append(
            regions.region_section(
                data.rois, colors, backdrop, brain=brain, retinotopy=data.retinotopy
            )
        )
    if data.timeseries is not None:
        body.append(denoising.denoising_section(data.timeseries))
    if data.ceiling is not None:
        body.append(ceilings.ceiling_section(data.ceiling, link=data.tables.get("ceiling", "")))
    if data.stimuli or networks:
        body.append(found.stimuli_section(data.stimuli, networks, _n_stimuli(data)))
    body += network_sections(data.portraits, data.stimuli, links=data.tables)
    body += [scores.sections(one) for one in shown]
    if data.twin is not None:
        colors = region_colors([*named, *_regions(data.results), *data.twin.table["region"]])
        body.append(twin_section(data.twin, colors, link=data.tables.get("twin", "")))
    if data.searchlight is not None:
        body.append(searchlight_section(data.searchlight, (backdrop, brain), data.tables))
    also = ("a searchlight", "noise ceilings", "denoising", "networks")
    others = (data.searchlight, data.ceiling, data.timeseries, data.twin)
    extra = [name for name, made in zip(also, others, strict=True) if made is not None]
    n_regions = len(set(_regions(data.results))) or len(data.rois)
    what = f"{_titles(data.results, extra)} in {counted(n_regions, 'region')}"
    return _render(
        data,
        title=f"sub-{data.participant}",
        answer=f"{what}: {found.input_answer(data.facts, unit)}",
        shown=shown,
        body=body,
        figures_dir=figures_dir,
    )


def render_group(data: GroupReport, figures_dir: Path) -> str:
    """Return the group's page, and write its figures.

    Parameters
    ----------
    data
        What the page shows.
    figures_dir
        Where each figure is written as a PNG (as on the light page).

    Returns
    -------
    text
        HTML that needs no other file; under 15 MB.

    Raises
    ------
    OutputError
        If a figure cannot be written.
    """
    brain = make_brain(data.surfaces) if data.surfaces else None
    spaces = [made.space for made in data.results.values()]
    backdrop = _backdrop(data.background, spaces, data.anatomy)
    shown = _shown(data.results, data.tables, (), behind=(backdrop, brain), ran=data.ran)
    people = found.people_section(data.participants, data.missing, data.left_out, data.partly)
    body = [people]
    if networks := found.networks_of(data.networks, data.results, data.portraits):
        body.append(found.stimuli_section((), networks, 0))
    body += [scores.sections(one) for one in shown]
    n_regions = len(set(_regions(data.results)))
    where = f" in {counted(n_regions, 'region')}" if n_regions else ""
    return _render(
        data,
        title="Group",
        answer=f"{_titles(data.results)}{where} of {people.answer}",
        shown=shown,
        body=body,
        figures_dir=figures_dir,
    )


def _told(data: ParticipantReport, unit: str) -> dict[str, Any]:
    """Return what the page itself knows for the methods text."""
    regions = [{"name": roi.name, "rule": roi.source} for roi in data.rois]
    return {"unit": unit, "regions": regions}


def _unit(data: ParticipantReport, facts: Facts) -> str:
    spaces = [roi.space for roi in data.rois]
    spaces += [made.space for made in data.results.values() if made.space is not None]
    return spaces[0].unit if spaces else str(facts.get("unit", "voxel"))


def _backdrop(
    background: Background | None, spaces: Iterable[Space | None], words: str = ""
) -> Backdrop | None:
    grids = [space for space in spaces if isinstance(space, Grid)]
    if background is None or not grids:
        return None
    return make_backdrop(background, grids[0], words)


def _shown(
    results: Mapping[str, Result],
    tables: Mapping[str, str],
    first: Iterable[str],
    *,
    behind: tuple[Backdrop | None, Brain | None],
    ran: Facts,
) -> list[Shown]:
    colors = region_colors([*first, *_regions(results)])
    bounds = next((bounds_of(one) for one in results.values() if one.analysis == "ceiling"), None)
    return [
        Shown(
            name, made, colors, tables.get(name, ""), *behind, ran.get(made.analysis) or {}, bounds
        )
        for name, made in results.items()
    ]


def _regions(results: Mapping[str, Result]) -> list[str]:
    tables = [made.table for made in results.values()]
    return [name for table in tables if "region" in table for name in table["region"]]


def _n_stimuli(data: ParticipantReport) -> int:
    """Return how many stimuli were shown, or an analysis used, 0 where none says."""
    tables = [made.table for made in data.results.values() if "n_stimuli" in made.table]
    shown = int(data.facts.get("n_stimuli") or 0)
    return max([shown, *(int(table["n_stimuli"].max()) for table in tables)])


def _titles(results: Mapping[str, Result], extra: Sequence[str] = ()) -> str:
    words = {"decode": "decoding", "encode": "encoding", "ceiling": "noise ceilings"}
    words |= {"twin": "networks"}
    words |= {kind: f"decoding across {kind}" for kind in ("participants", "tasks")}
    told = [made.meta.get("across", made.analysis) for made in results.values()]
    names = dict.fromkeys(words.get(kind, kind) for kind in told)
    *most, last = [*names, *extra] or ["no analysis"]
    return (f"{', '.join(most)} and {last}" if most else last).capitalize()


def _render(
    data: ParticipantReport | GroupReport,
    *,
    title: str,
    answer: str,
    shown: Sequence[Shown],
    body: Sequence[Section],
    figures_dir: Path,
) -> str:
    prefix = "".join(
        f"{key}-{value}_" for key, value in (("task", data.task), ("space", data.space)) if value
    )
    for section in body:
        for picture in section.pictures:
            with writing(figures_dir / f"{prefix}{picture.name}.png") as aside:
                aside.write_bytes(picture.light)
    networks = found.networks_of(data.networks, data.results, data.portraits)
    paragraphs = methods.sentences({**data.ran, "networks": networks})
    works = methods.references(methods.cited(paragraphs), cards.works_of(networks))
    numbers = {work.key: n for n, work in enumerate(works, start=1)}
    fields: dict[str, Any] = {
        "title": title,
        "labels": [x for x in (_label("task", data.task), _label("space", data.space)) if x],
        "version": __version__,
        "answer": answer,
        "numbers": _numbers(shown),
        "random": [one["name"] for one in networks if cards.is_random(one)],
        "warnings": data.warnings,
        "sections": body,
        "paragraphs": [Markup(methods.linked(text, numbers)) for text in paragraphs],  # noqa: S704
        "works": works,
        "bibtex": "\n\n".join(work.bibtex() for work in works),
        "data": data,
    }
    page = template().render(fields, has_dark=True)
    if len(page.encode()) > MOST_BYTES:
        page = template().render(fields, has_dark=False)
    return page


def _label(key: str, value: str) -> str:
    return f"{key} {value}" if value else ""


def _numbers(shown: Sequence[Shown]) -> list[Number]:
    return [number for one in shown for number in scores.numbers(one)][: scores.MOST_NUMBERS]


@cache
def template() -> Template:
    """Return the template of a page; `page.html` names its fields."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    env = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return env.get_template("page.html")
