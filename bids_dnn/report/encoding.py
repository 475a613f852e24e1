"""The section on encoding, for a participant and for the group alike."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from bids_dnn.containers.readout import READOUTS
from bids_dnn.containers.result import CHOSEN, EVERY, Result, StatMap, model_label
from bids_dnn.containers.space import Channels
from bids_dnn.report import figures
from bids_dnn.report.chosen import chosen_pictures, chosen_tables, unit_pictures
from bids_dnn.report.chosen_figures import percent
from bids_dnn.report.encoding_figures import field_circles, layer_shares, part_bars
from bids_dnn.report.estimators import NAMES, fitted_text, uncited
from bids_dnn.report.group_ceilings import bounded_pictures
from bids_dnn.report.group_figures import contrast_pictures, prevalence_pictures
from bids_dnn.report.identification import identification_pictures, identification_tables
from bids_dnn.report.maps import map_pictures
from bids_dnn.report.over_participants import (
    contrast_tables,
    group_how,
    overlap_pictures,
    significant_pictures,
)
from bids_dnn.report.parts import (
    Picture,
    Section,
    counted,
    decimals,
    listed,
    many,
    picture,
    table_of,
)
from bids_dnn.report.pattern_figures import pattern_panels
from bids_dnn.report.shown import (
    Shown,
    by_estimator,
    floor_text,
    is_significant,
    main_rows,
    nothing_can_be,
    ordered,
)
from bids_dnn.report.triggered_figures import triggered_maps

MOST_NAMED = 6  # regions in the title of a map


def best_layers(table: pd.DataFrame) -> pd.DataFrame:
    """Return the row of the best layer of each region, in the order of regions."""
    rows = main_rows(table).dropna(subset="score")
    places = rows.groupby("region", sort=False)["score"].idxmax()
    best: pd.DataFrame = rows.loc[places]
    return best


def encoding(shown: Shown) -> Section:
    """Return the section on encoding: heat map, profiles, maps, table."""
    drawn = by_estimator(shown.result.table)
    rows = next(iter(drawn.values()))
    pictures = [_heat_picture(shown, rows), _profile_picture(shown, rows)]
    pictures += [_heat_picture(shown, drawn[name], name) for name in list(drawn)[1:]]
    pictures += [*bounded_pictures(shown), *_map_picture(shown)]
    best = best_maps(shown.result)
    pictures += [*significant_pictures(shown, best), *overlap_pictures(shown, best)]
    pictures += [*prevalence_pictures(shown), *contrast_pictures(shown)]
    pictures += _assignment_pictures(shown)
    pictures += [*chosen_pictures(shown), *unit_pictures(shown)]
    pictures += identification_pictures(shown, rows)
    pictures += _space_pictures(shown)
    pictures += _field_pictures(shown, drawn)
    pictures += _triggered_pictures(shown)
    pictures += _pattern_pictures(shown)
    return Section(
        shown.name,
        "Encoding",
        "Which layer of which network predicts each region best, and how near its ceiling?",
        encoding_answer(shown.result.table),
        tuple(pictures),
        (table_of(ordered(shown.result.table), shown.result.columns,
                  caption="One row a region and layer.", link=shown.link),
         *contrast_tables(shown), *identification_tables(shown, rows), *chosen_tables(shown)),
        how_encoded(shown) + floor_text(shown.result.table),
    )  # fmt: skip


def encoding_answer(table: pd.DataFrame) -> str:
    """Return the answer of the encoding section in a sentence."""
    best = best_layers(table)
    if best.empty:
        return "No score could be computed."
    parts = []
    weak = nothing_can_be(table)
    for _, row in best.iterrows():
        share = row.get("normalized", np.nan)
        r = decimals(row["score"], 2)
        if not (weak or is_significant(row)):
            parts.append(f"{row['region']}: {row['layer']} (r = {r}, not significant)")
            continue
        ceiling = f", {share:.2f} of its ceiling" if np.isfinite(share) else ""
        parts.append(f"{row['region']}: {row['layer']} (r = {r}{ceiling})")
    return f"{weak}Best layers: {'; '.join(parts)}."


def how_encoded(shown: Shown) -> str:
    """Say how responses were predicted and scored, in a few sentences."""
    if shown.is_group:
        return (
            f"Scores are means over participants, dots are these participants. {group_how(shown)}"
        )
    told, table = shown.result.meta, shown.result.table
    has_choice = "assignment" in shown.result.extras
    fitted = fitted_text(
        dict.fromkeys(table["estimator"]) if "estimator" in table else ("ridge",),
        unit=shown.unit,
        select=str(told.get("select")),
        n_inner=int(told.get("n_inner", 5)),
        has_choice=has_choice,
        is_scaled=bool(told.get("pls_scale")),
        loss=str(told.get("readout_loss", "gaussian")),
    )
    where = (
        "of the test images of the split that was given"
        if shown.has_split
        else "of stimuli that were in no training fold. Predictions and responses are centered, "
        "and predictions scaled to unit variance, within each test fold before they are pooled, "
        "which is close to the mean of the folds' r"
    )
    chosen = (
        "; rows of network * with the chosen layer have the score where the choice was made on "
        "training stimuli"
    )
    boxed = f" Boxed layers are the highest of several after the fact{chosen * has_choice}."
    has_several = main_rows(table)["layer"].nunique() > 1
    return (
        f"{uncited(fitted)} Scores are {where}. Regions average over "
        f"{many(shown.unit)} through Fisher's z. The noise ceiling is the correlation that a "
        f"perfect prediction could reach, estimated from repeats.{boxed * has_several}"
    )


def _heat_picture(shown: Shown, rows: pd.DataFrame, estimator: str = "") -> Picture:
    by = f" by {NAMES.get(estimator, estimator)}" if estimator else ""
    return picture(
        f"{shown.name}_layers{estimator}",
        lambda theme: figures.layer_heat_map(rows, label="Pearson's r", theme=theme),
        alt=f"Heat map of {counted(rows['region'].nunique(), 'region')} by "
        f"{counted(rows['layer'].nunique(), 'layer')}. {encoding_answer(rows)}",
        caption=f"Correlation of prediction and response{by}, mean over {many(shown.unit)}. "
        "Boxed: the best layer of each region. Right: noise ceiling. Hatched: not measured. "
        "Values below zero have the color of zero.",
    )


def _profile_picture(shown: Shown, rows: pd.DataFrame) -> Picture:
    return picture(
        f"{shown.name}_profile",
        lambda theme: figures.layer_profiles(
            rows, shown.colors, label="Pearson's r", points=shown.points, theme=theme
        ),
        alt="Lines of the score from the first to the last layer, one panel for each region.",
        caption=f"Gray: above the noise ceiling. Lines: {shown.bars}. Full marker: the best "
        "layer.",
    )


def _map_picture(shown: Shown) -> list[Picture]:
    chosen = best_maps(shown.result)
    if shown.result.space is None or not chosen:
        return []
    found = [(title, made.values.astype(float)) for title, made in chosen]
    behind = (shown.backdrop, shown.brain)
    return map_pictures(f"{shown.name}_maps", found, shown.result.space, behind)


def _assignment_pictures(shown: Shown) -> list[Picture]:
    """Draw which layers units chose on training images, by region and on the brain."""
    table = shown.result.extras.get("assignment")
    if table is None:
        return []
    rows = main_rows(table)
    layers = figures.layers_of(rows)
    pictures = [
        picture(
            f"{shown.name}_assignment",
            lambda theme: layer_shares(rows, theme=theme),
            alt=f"Stacked bars of which of {len(layers)} layers {many(shown.unit)} of "
            f"{counted(rows['region'].nunique(), 'region')} chose. {chosen_answer(shown.result)}",
            caption=f"Which layer each {shown.unit} takes where it is chosen on training images "
            "alone: share of units and folds. " + chosen_answer(shown.result),
        )
    ]
    space = shown.result.space
    made = [one for one in shown.result.maps if one.stat == "layer"]
    if space is None or not made:
        return pictures
    found = [("chosen layer", made[0].values.astype(float))]
    return pictures + map_pictures(
        f"{shown.name}_chosen",
        found,
        space,
        (shown.backdrop, shown.brain),
        label="number of the layer",
        what=f"The layer that each {shown.unit} chose in most folds (colors as in the bars)",
        names=figures.layer_labels(layers),
    )


def _space_pictures(shown: Shown) -> list[Picture]:
    """Draw what the feature spaces of banded ridge bring, and what they share."""
    made = []
    for name, part, what in (
        ("spaces", "space", "The part of the variance that each feature space brings in banded "
         "ridge (product measure; the parts add up to the whole)"),
        ("partition", "part", "What feature spaces explain alone, and what they share: a & b is "
         "told by a and by b alike, but by no other. Below zero: noise, or spaces that help each "
         "other"),
    ):  # fmt: skip
        table = shown.result.extras.get(name)
        if table is not None:
            what += _banded_ends(shown) * (name == "spaces")
            made.append(_parts_picture(shown, table, name=name, part=part, what=what))
    return made


def _banded_ends(shown: Shown) -> str:
    """Say how many penalties of banded ridge are at an end of what was offered."""
    share = shown.result.meta.get("banded", {}).get("share_at_edge")
    if share is None:
        return ""
    return (
        f". The smallest or largest penalty that was offered was chosen for "
        f"{percent(share) or '0%'} of {many(shown.unit)} and folds"
    )


def _parts_picture(
    shown: Shown, table: pd.DataFrame, *, name: str, part: str, what: str
) -> Picture:
    rows = main_rows(table)
    return picture(
        f"{shown.name}_{name}",
        lambda theme: part_bars(rows, part=part, theme=theme),
        alt=f"Bars of {counted(rows[part].nunique(), 'part')} of the variance explained in "
        f"{counted(rows['region'].nunique(), 'region')}.",
        caption=f"{what}. Mean over {many(shown.unit)}.",
    )


def _field_pictures(shown: Shown, drawn: Mapping[str, pd.DataFrame]) -> list[Picture]:
    """Draw the receptive fields that readouts found, in the layer that predicts best."""
    made = []
    for name in READOUTS:
        table = shown.result.extras.get(f"fields{name}")
        rows = drawn.get(name)
        if table is None or rows is None or rows["score"].isna().all():
            continue
        means = rows.groupby(["network", "layer"])["score"].transform("mean").to_numpy(float)
        best = rows.iloc[int(np.nanargmax(means))]
        own = table[(table["network"] == best["network"]) & (table["layer"] == best["layer"])]
        made.append(_fields_picture(shown, own, name))
        made += _sizes_picture(shown, (best["network"], best["layer"]), name)
    return made


def _sizes_picture(shown: Shown, best: tuple[str, str], name: str) -> list[Picture]:
    """Map the sizes of receptive fields over electrodes; elsewhere there is no such map."""
    model = model_label(*best, name)
    own = [m for m in shown.result.maps if (m.stat, m.model) == ("fieldsize", model)]
    space = shown.result.space
    if not own or not isinstance(space, Channels):
        return []
    in_deg = shown.result.meta.get("stimulus_deg")
    return map_pictures(
        f"{shown.name}_sizes{name}",
        [(f"field size, {' '.join(best)}", own[0].values.astype(float))],
        space,
        (None, None),
        label="2 SD (degrees)" if in_deg else "2 SD (share of the picture)",
        what=f"Size of the receptive fields, as {NAMES[name]} finds them",
    )


def _fields_picture(shown: Shown, rows: pd.DataFrame, name: str) -> Picture:
    side = float(shown.result.meta.get("stimulus_deg") or 1.0)
    where = f"{rows['layer'].iloc[0]} of {rows['network'].iloc[0]}"
    return picture(
        f"{shown.name}_fields{name}",
        lambda theme: field_circles(rows, shown.colors, side=side, theme=theme),
        alt=f"Circles of the receptive fields of {many(shown.unit)} in "
        f"{counted(rows['region'].nunique(), 'region')}.",
        caption=f"Receptive fields as {NAMES[name]} finds them in {where}: a circle has a "
        "diameter of 2 SD of a Gaussian fitted to the weight of each position. Frame: the "
        f"picture that the network sees; cross: its center. Number: {many(shown.unit)} with a "
        "field.",
    )


def _triggered_pictures(shown: Shown) -> list[Picture]:
    """Draw what pictures have in common to which single units respond strongly."""
    table, kept = shown.result.extras.get("triggered"), shown.result.arrays.get("triggered")
    if table is None or kept is None or table.empty:
        return []
    z = kept.values["z"]
    rows, columns = z.shape[1:]
    n = int(table["n_images"].max())
    return [
        picture(
            f"{shown.name}_triggered",
            lambda theme: triggered_maps(table, z, theme=theme),
            alt=f"Small maps of the response-triggered averages of {len(table)} "
            f"{many(shown.unit)} in {counted(table['region'].nunique(), 'region')}.",
            caption=f"Response-triggered averages: {n} training pictures, weighted by the "
            f"response to each. Red: lighter, blue: darker where the {shown.unit} responds more "
            "strongly; z is over exchanges of responses among pictures (mean 0, SD 1), one pixel "
            f"at a time. Frame: the picture as {table['network'].iloc[0]} sees it, in gray, "
            f"{columns} x {rows} pixels; below it: number of the {shown.unit}. Nearby pixels of "
            "natural pictures are alike, and objects have usual places: such averages are "
            "confounded with these correlations, and are no receptive fields by themselves.",
        )
    ]


def _pattern_pictures(shown: Shown) -> list[Picture]:
    """Draw what units do for some pictures beside what models predict."""
    table = shown.result.extras.get("patterns")
    if table is None or table.empty:
        return []
    n_images = table["stimulus"].nunique()
    return [
        picture(
            f"{shown.name}_patterns",
            lambda theme: pattern_panels(table, theme=theme),
            alt=f"Panels of the responses of {many(shown.unit)} to {n_images} pictures, measured "
            "and predicted.",
            caption=f"Responses to {n_images} of the pictures that were not trained on, measured "
            f"and as the best layer of each estimator predicts them. Columns: {many(shown.unit)}, "
            "those that respond alike beside each other. Predictions are scaled to their own SD; "
            "r: over units, mean over these pictures. Hatched: not measured.",
        )
    ]


def chosen_answer(result: Result) -> str:
    """Return the scores of the layers chosen on training images in a sentence, "" without."""
    table = result.table
    if "target" not in table:
        return ""
    rows = table[
        (table["network"] == EVERY) & (table["layer"] == CHOSEN) & (table["target"] == "units")
    ]
    told = [
        f"{row['region']} r = {decimals(row['score'], 2)}"
        for _, row in rows.iterrows()
        if np.isfinite(row["score"])
    ]
    return f"Scores of the layers so chosen: {', '.join(told)}." if told else ""


def best_maps(result: Result, most: int = 4) -> list[tuple[str, StatMap]]:
    """Return the correlation maps of the best layers, each once, with a title."""
    by_model = {made.model: made for made in result.maps if made.stat == "pearson"}
    wanted: dict[tuple[str, str, str], list[str]] = {}
    for _, row in best_layers(result.table).iterrows():
        key = (row["network"], row["layer"], row.get("estimator", "ridge"))
        wanted.setdefault(key, []).append(row["region"])
    found = []
    for key, regions in wanted.items():
        made = by_model.get(model_label(*key))
        if made is not None:
            network, layer, _ = key
            found.append((f"{network} {layer}, best in {listed(regions, MOST_NAMED)}", made))
    return found[:most]
