"""bids_dnn_tools power: how many participants and runs a design needs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bids_dnn.cli.options import DoubleSpelling, guarded

if TYPE_CHECKING:
    import pandas as pd

    from bids_dnn.stats.power import Effect, Power

TARGETS = (0.8, 0.9)
BESIDE = (".json", ".png")  # what lies beside the table
LEAST = 3  # participants of the smallest design
COLUMNS = {
    "test": "Test over participants, one-sided: sign-flip permutations, or t.",
    "n_runs": "Runs of each participant; 0 where runs are not told apart.",
    "n_participants": "Participants of the design.",
    "power": "Share of simulated experiments with p of at most alpha.",
    "power_low": "Lower end of its 95 % interval, for so many simulations.",
    "power_high": "Upper end of that interval.",
    "n_simulations": "Simulated experiments.",
}


@click.command(cls=DoubleSpelling)
@click.argument("pilot", required=False, type=click.Path(path_type=Path), metavar="[PILOT]")
@click.option(
    "--where",
    multiple=True,
    metavar="COLUMN=VALUE",
    help="The row of each participant in PILOT, such as region=FFA. Repeatable.",
)
@click.option("--effect", type=float, help="Mean score above chance, in place of a pilot's.")
@click.option(
    "--sd", type=click.FloatRange(min=0), help="SD over participants, in place of a pilot's."
)
@click.option(
    "--run-sd",
    type=click.FloatRange(min=0),
    help="SD of the score of one run within a participant; --sd is then without it.",
)
@click.option("--runs", multiple=True, type=click.IntRange(1), metavar="N...", help="Of designs.")
@click.option("--max-participants", type=click.IntRange(LEAST), default=40, show_default=True)
@click.option(
    "--alpha", type=click.FloatRange(0, 1, min_open=True), default=0.05, show_default=True
)
@click.option("--n-simulations", type=click.IntRange(100), default=1000, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="Table of the curves, such as power.tsv; its description (power.json) and the figure "
    "(power.png) lie beside it.",
)
def power(
    pilot: Path | None,
    where: tuple[str, ...],
    *,
    runs: tuple[int, ...],
    max_participants: int,
    out: Path,
    **told: Any,
) -> None:
    """Say how many participants and runs find an effect, from a pilot.

    PILOT is a table with a row a participant: participant, score, chance (where there is one),
    and n_runs and run_sd, as the group's table desc-decodeParticipants has them. Experiments are
    simulated and tested one-sided, as the group level does, by flipping signs and by t tests.
    """
    with guarded(0):
        from bids_dnn.derivatives.tables import table_text
        from bids_dnn.files import json_text, write_text, writing
        from bids_dnn.report.power_figures import power_curves
        from bids_dnn.stats.power import simulate_power

        _check_out(out)
        effect = _effect(pilot, where, told)
        has_runs = effect.within_sd > 0
        lines = _lines(runs, has_runs=has_runs)
        made = simulate_power(
            effect,
            n_participants=range(LEAST, max_participants + 1),
            n_runs=lines,
            alpha=told["alpha"],
            n_simulations=told["n_simulations"],
            seed=told["seed"],
        )
        table = _table(made, told["n_simulations"], has_runs=has_runs)
        path = write_text(out.absolute(), table_text(table))
        asked = told | {"where": list(where), "runs": lines, "max_participants": max_participants}
        write_text(path.with_suffix(".json"), json_text(_sidecar(asked, effect, pilot)))
        with writing(path.with_suffix(".png")) as aside:
            aside.write_bytes(power_curves(table, alpha=told["alpha"]))
        for line in _said(made, max_participants, has_runs=has_runs):
            click.echo(line)
        beside = [path.with_suffix(suffix).name for suffix in BESIDE]
        click.echo(f"Wrote {path}, {' and '.join(beside)}")


def _check_out(out: Path) -> None:
    """Refuse a table in whose place its description or figure would be written."""
    from bids_dnn.errors import ConfigError

    if out.suffix.lower() in BESIDE:
        raise ConfigError(
            f"--out names the table, and {out.name} is where its description or figure goes.",
            mend=f"Type --out {out.with_suffix('.tsv')}; {' and '.join(BESIDE)} lie beside it.",
        )


def _effect(pilot: Path | None, where: tuple[str, ...], told: dict[str, Any]) -> Effect:
    """Return what is looked for, from a pilot or from numbers."""
    from bids_dnn.errors import ConfigError
    from bids_dnn.stats.power import Effect, effect_of

    numbers = {key: told[key] for key in ("effect", "sd", "run_sd")}
    if pilot is None:
        if numbers["effect"] is None or numbers["sd"] is None:
            raise ConfigError(
                "There is neither a pilot, nor an effect with its SD.",
                mend="Type the table of a pilot, or --effect 0.1 --sd 0.15.",
            )
        made = Effect(numbers["effect"], numbers["sd"], numbers["run_sd"] or 0.0)
        click.echo(_effect_text(made))
        return made
    if any(value is not None for key, value in numbers.items() if key != "effect"):
        raise ConfigError(
            "The variances come from the pilot, and --sd or --run-sd is given as well.",
            mend="Leave out one of the two; --effect may take the place of the pilot's mean.",
        )
    rows = _rows(pilot, where)
    above = rows["score"] - rows.get("chance", 0.0)
    values = {
        key: rows[key].to_numpy(dtype=float) if {"run_sd", "n_runs"} <= set(rows) else None
        for key in ("run_sd", "n_runs")
    }
    made = effect_of(above.to_numpy(dtype=float), **values)
    click.echo(f"Pilot of {int(above.notna().sum())} participants: {_effect_text(made)}")
    if numbers["effect"] is not None:
        made = Effect(numbers["effect"], made.between_sd, made.within_sd)
        click.echo(f"Asked for: {_effect_text(made)}")
    else:
        click.echo(_interval_text(above.to_numpy(dtype=float)))
    return made


def _effect_text(effect: Effect) -> str:
    within = f", over runs {effect.within_sd:.3g}" if effect.within_sd else ""
    return f"{effect.mean:.3g} above chance, SD over participants {effect.between_sd:.3g}{within}."


def _interval_text(above: Any) -> str:
    from bids_dnn.stats.inference import t_interval

    low, high = t_interval(above)
    return (
        f"The pilot leaves open an effect from {low:.3g} to {high:.3g} (95 % t interval); try "
        "others with --effect."
    )


def _rows(pilot: Path, where: tuple[str, ...]) -> pd.DataFrame:
    """Return one row of the pilot for each participant."""
    import pandas as pd

    from bids_dnn.config.load import named
    from bids_dnn.errors import ConfigError, MissingInputError, ShapeError, nearest

    if not pilot.is_file():
        raise MissingInputError(
            f"There is no file {pilot}.",
            mend="Give a table such as group/space-T1w_desc-decodeParticipants_scores.tsv.",
        )
    table = pd.read_csv(pilot, sep="\t", na_values="n/a", dtype={"participant": str})
    if missing := sorted({"participant", "score"} - set(table.columns)):
        raise ShapeError(
            f"{pilot} lacks the column(s) {missing}; it has {list(table.columns)}.",
            mend="Give a table with a row a participant, with columns participant and score.",
        )
    for column, value in named(where, "--where").items():
        if column not in table:
            raise ConfigError(
                f"--where names the column {column!r}, which {pilot.name} has not.",
                mend=nearest(column, map(str, table.columns)),
            )
        texts = table[column].astype(str)
        if value not in set(texts):
            raise ConfigError(
                f"--where {column}={value} is in no row of {pilot.name}.",
                mend=nearest(value, set(texts)),
            )
        table = table[texts == value]
    if table["participant"].duplicated().any():
        differ = [
            str(name)
            for name in table.columns
            if name not in ("participant", "score", "chance", "ceiling", "normalized", "run_sd")
            and table[name].nunique() > 1
        ]
        raise ConfigError(
            f"{pilot.name} has several rows a participant, which differ in {differ}.",
            mend=f"Say which with --where {differ[0] if differ else 'COLUMN'}=VALUE.",
        )
    return table


def _lines(runs: tuple[int, ...], *, has_runs: bool) -> tuple[int, ...]:
    from bids_dnn.errors import ConfigError

    if runs and not has_runs:
        raise ConfigError(
            f"--runs is {list(runs)}, but how much a participant's runs vary is not known.",
            mend="Give --run-sd, or a pilot with the columns n_runs and run_sd.",
        )
    if has_runs and not runs:
        return (4, 8, 12)
    return tuple(sorted(set(runs))) or (1,)


def _table(made: Power, n_simulations: int, *, has_runs: bool) -> pd.DataFrame:
    import pandas as pd

    from bids_dnn.stats.power import TESTS

    rows = [
        {
            "test": test,
            "n_runs": int(n_runs) if has_runs else 0,
            "n_participants": int(n),
            "power": made.power[i, j, k],
            "power_low": made.low[i, j, k],
            "power_high": made.high[i, j, k],
            "n_simulations": n_simulations,
        }
        for i, test in enumerate(TESTS)
        for j, n_runs in enumerate(made.n_runs)
        for k, n in enumerate(made.n_participants)
    ]
    return pd.DataFrame(rows)


def _sidecar(asked: dict[str, Any], effect: Effect, pilot: Path | None) -> dict[str, Any]:
    """Return what the table is, and from what it was made."""
    from dataclasses import asdict

    from bids_dnn import __version__
    from bids_dnn.files import fingerprint

    made: dict[str, Any] = {"Description": "Power of designs by simulated experiments."}
    made |= {name: {"Description": words} for name, words in COLUMNS.items()}
    made |= {
        "GeneratedBy": {"Name": "bids_dnn", "Version": __version__},
        "Effect": asdict(effect),  # less chance, as it was simulated
        "Settings": {key: value for key, value in asked.items() if key != "seed"},
        "RandomSeed": asked["seed"],
    }
    if pilot is not None:
        made["Pilot"] = {"Name": pilot.name, "SHA256": fingerprint(pilot)}
    return made


def _said(made: Power, most: int, *, has_runs: bool) -> list[str]:
    """Say the smallest design of each power."""
    from bids_dnn.stats.power import TESTS

    lines = []
    for test in TESTS:
        by_target = [made.smallest(test, target) for target in TARGETS]
        for j, n_runs in enumerate(made.n_runs):
            parts = [
                f"{target:.0%} power: "
                + (f"{found[j]} participants" if found[j] else f"more than {most} participants")
                for target, found in zip(TARGETS, by_target, strict=True)
            ]
            with_runs = f", {n_runs} runs" if has_runs else ""
            lines.append(f"{test}{with_runs}: {'; '.join(parts)}.")
    return lines
