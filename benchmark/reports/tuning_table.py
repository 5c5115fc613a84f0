"""The trials of one method, as `palimpsest tune` prints them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmark.authoring.tuning import PARAMETER
from benchmark.records.schema import Record
from benchmark.reports.tuning_page import Trial, chosen, compared, value_of
from benchmark.statistics.axes import AXES


def print_trials(records: Sequence[Record], console: Console) -> float | None:
    """Prints what each value scored, and returns the chosen one; None if no value has a trial on
    every variant.

    A value whose trial failed on a variant, or has no score there, cannot be chosen.
    """
    variants = sorted({record.variant for record in records})
    failures = {value_of(record): why for record in records if (why := _failure(record))}
    scored = [record for record in records if value_of(record) not in failures]
    trials = compared(scored, variants) if scored else []
    best = max(trials, key=lambda trial: trial.score) if trials else None
    choice = chosen(trials) if trials else None
    name, tried = records[0].method.name, PARAMETER.replace("_", " ")
    title = f"trials of {name} over its {tried} on {records[0].track}: {', '.join(variants)}"
    table = Table(
        *("value", "score", "gap to best", *AXES, ""),
        title=title,
        title_justify="left",
        box=SIMPLE_HEAD,
    )
    rows = {trial.value: _cells(trial, trial is best, trial.value == choice) for trial in trials}
    rows |= {value: ["failed"] for value in failures}
    for value, cells in sorted(rows.items()):
        table.add_row(f"{value:g}", *cells)
    console.print(table)
    for value, why in sorted(failures.items()):
        console.print(f"{value:g} failed: {why}", markup=False, soft_wrap=True)
    if best and best.value in (min(rows), max(rows)):
        end = "smallest" if best.value == min(rows) else "largest"
        console.print(f"The best value is the {end} one tried: at the edge of the grid.")
    return choice


def _failure(record: Record) -> str:
    """Why a record is no trial to compare; empty if it is one."""
    if record.trial is None:
        return record.error.message if record.error else "no trial"
    return "no score" if math.isnan(record.trial.score) else ""


def _cells(trial: Trial, is_best: bool, is_chosen: bool) -> list[str]:
    low, high = trial.behind
    behind = "(best)" if is_best else f"{low:.3f} to {high:.3f}"
    score = f"{trial.score:.3f} [{trial.low:.2f}, {trial.high:.2f}]"
    axes = [f"{trial.axes[axis]:.3f}" for axis in AXES]
    return [score, behind, *axes, "chosen" if is_chosen else ""]
