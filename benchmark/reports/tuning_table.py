"""The trials of one method in a task family, as `palimpsest tune` prints them."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmark.records.identity import TUNED
from benchmark.records.schema import Record
from benchmark.statistics.axes import AXES
from benchmark.statistics.trials import Trial, best_of, compared, edge_of, has_score, rate_of


def print_trials(
    records: Sequence[Record], family: str, grid: Sequence[float], console: Console
) -> float | None:
    """Prints the score of each learning rate that was tried, and returns the chosen one; None if
    none has a score. `grid` are the declared rates.
    """
    if not records:
        return None
    trials, failures = compared(records), {rate_of(r): why for r in records if (why := _failure(r))}
    best = best_of(trials) if trials else None
    name, track = records[0].method.name, records[0].track
    table = Table(
        *("rate", "score", "gap to best", *AXES),
        title=f"{name}, {family}: trials of its {TUNED.replace('_', ' ')} on {track}",
        title_justify="left",
        box=SIMPLE_HEAD,
    )
    rows = {trial.rate: _cells(trial, trial is best) for trial in trials}
    rows |= {rate: ["failed"] for rate in failures}
    for rate, cells in sorted(rows.items()):
        table.add_row(f"{rate:g}", *cells)
    console.print(table)
    for rate, why in sorted(failures.items()):
        console.print(f"{rate:g} failed: {why}", markup=False, soft_wrap=True)
    if best and (end := edge_of(trials, grid)):
        console.print(f"The best rate is the {end} in the grid; a better one may lie outside.")
    return best.rate if best else None


def _failure(record: Record) -> str:
    """The reason that a record cannot be compared as a trial; empty if it can."""
    if record.trial is None:
        return record.error.message if record.error else "no trial"
    return "" if has_score(record) else "no score"


def _cells(trial: Trial, is_best: bool) -> list[str]:
    low, high = trial.behind
    behind = "chosen" if is_best else f"{low:.3f} to {high:.3f}"
    score = f"{trial.score:.3f} [{trial.low:.2f}, {trial.high:.2f}]"
    axes = [f"{trial.axes[axis]:.3f}" for axis in AXES]
    return [score, behind, *axes]
