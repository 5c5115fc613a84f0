"""The tables of a task page: the cost of forgetting along trajectories, differences between
variants, misalignment, probes, and every metric of the final model.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import pandas as pd

from benchmark.metrics import METRICS
from benchmark.metrics.base import TEXT
from benchmark.metrics.frames import ALL
from benchmark.records.identity import shown_variant
from benchmark.statistics import AXES, Standings
from benchmark.statistics.axes import axis_of
from benchmark.statistics.probes import UNION
from benchmark.statistics.trajectories import (
    AREA,
    BASELINE,
    EQUAL_LEVEL,
    LOST,
    ORACLE_LEVEL,
    SHARE_LEVEL,
    STEPS,
)
from leaderboard.board import REFERENCES
from leaderboard.plots import quantities_of
from leaderboard.tables import Quantity

NEVER = "not within the budget"
BESIDE = "reported only"
MISALIGNED = {
    "gap": "mean of knowledge by generation minus knowledge by probability",
    "correlation": "rank correlation of the two over examples",
    "disagreement": (
        "share of examples that one calls forgotten (below 0.2) and the other known (above 0.8)"
    ),
}
LEVELS = {
    ORACLE_LEVEL: "at the oracles' interval",
    SHARE_LEVEL: "at 90 % of the target-oracle gap",
    EQUAL_LEVEL: "at equal forgetting",
}


@dataclass(frozen=True)
class Cell:
    """A formatted value with its interval below; `title` explains it."""

    value: str
    interval: str = ""
    title: str = ""


EMPTY = Cell("–")


@dataclass(frozen=True)
class Heading:
    """A heading over some columns: its name, the names of the columns, and explanations of them."""

    name: str
    columns: list[str]
    titles: list[str]


@dataclass(frozen=True)
class Grid:
    """A table with a row per model and two rows of headings."""

    label: str
    headings: list[Heading]
    rows: list[tuple[str, list[Cell]]]


def printed(quantity: Quantity, digits: int = 3) -> Cell:
    """Formats a value with its interval; a level that is never reached has no interval, and an
    interval can be open at either end.
    """
    if math.isinf(quantity.value):
        return Cell(NEVER)
    if not quantity.known:
        return EMPTY
    if math.isinf(quantity.low) and math.isinf(quantity.high):
        return Cell(f"{quantity.value:.{digits}f}".replace("-", "−"), "not reached in all draws")
    low, high = (
        ("∞" if math.isinf(end) else f"{end:.{digits}f}")
        for end in (abs(quantity.low), quantity.high)
    )
    low = f"−{low}" if quantity.low < 0 else low
    value = f"{quantity.value:.{digits}f}".replace("-", "−")
    return Cell(value, f"{low} to {high}".replace("-", "−") if quantity.has_interval else "")


def digits_of(quantity: str) -> int:
    return (
        1 if quantity == STEPS or (quantity in METRICS and METRICS[quantity].unit == "texts") else 3
    )


def _columns_of_texts(quantities: set[str]) -> list[str]:
    """The text metrics that compare with never-seen texts: further columns at each level."""
    return [
        name for name, m in METRICS.items() if name in quantities and m.contrast and m.forms == TEXT
    ]


def level_grids(standings: Standings, task: str, order: Sequence[str]) -> list[Grid]:
    """A table per variant of each method's trajectory at each level of forgetting; empty without
    trajectories.
    """
    rows = standings.levels[standings.levels["task"] == task]
    columns = [STEPS, LOST, *_columns_of_texts(set(rows["quantity"]))]
    grids = [
        _level_grid(variant_rows, shown_variant(task, str(variant)), columns, order, printed)
        for variant, variant_rows in rows.groupby("variant", sort=True)
    ]
    return [grid for grid in grids if grid.rows]


def contrast_grids(standings: Standings, task: str, order: Sequence[str]) -> list[Grid]:
    """A table per pair of variants of the differences between each method's trajectories; empty
    without two variants that have trajectories.
    """
    rows = standings.contrasts[standings.contrasts["task"] == task]
    grids = []
    for (variant, minus), pair_rows in rows.groupby(["variant", "minus"], sort=True):
        there, other = (shown_variant(task, str(name)) for name in (variant, minus))
        cell = _difference_cell(there, other)
        grids.append(_level_grid(pair_rows, f"{there} minus {other}", [STEPS, LOST], order, cell))
    return [grid for grid in grids if grid.rows]


def rival_grids(standings: Standings, task: str, order: Sequence[str]) -> list[Grid]:
    """A table per variant of the differences between each method's trajectory and the baseline's;
    empty without trajectories.
    """
    rows = standings.rivals[standings.rivals["task"] == task]
    columns = [STEPS, LOST, *_columns_of_texts(set(rows["quantity"]))]
    grids = []
    for variant, variant_rows in rows.groupby("variant", sort=True):
        label = f"{shown_variant(task, str(variant))}: minus {BASELINE}"
        cell = _difference_cell("the method", BASELINE)
        grids.append(_level_grid(variant_rows, label, columns, order, cell))
    return [grid for grid in grids if grid.rows]


def _difference_cell(first: str, minus: str) -> Callable[[Quantity, int], Cell]:
    def cell(quantity: Quantity, digits: int) -> Cell:
        if math.isinf(quantity.value):
            return Cell(f"not reached by {first if quantity.value > 0 else minus}")
        return printed(quantity, digits)

    return cell


def _level_grid(
    rows: pd.DataFrame,
    label: str,
    columns: Sequence[str],
    order: Sequence[str],
    cell: Callable[[Quantity, int], Cell],
) -> Grid:
    levels = [level for level in dict.fromkeys(rows["level"]) if level]
    keys = [(level, name) for level in levels for name in columns] + [("", AREA)]
    quantities = {
        (row.method, row.level, row.quantity): quantity
        for row, quantity in zip(rows.itertuples(index=False), quantities_of(rows), strict=True)
    }
    methods = sorted(
        set(rows["method"]),
        key=lambda name: (order.index(name) if name in order else len(order), name),
    )
    lines = []
    for method in methods:
        cells = [(quantities.get((method, *key)), digits_of(key[1])) for key in keys]
        lines.append((method, [cell(q, digits) if q else EMPTY for q, digits in cells]))
    titles = ["steps until the level is reached", "utility lost by then"]
    titles += [METRICS[name].description for name in columns[2:]]
    headings = [
        Heading(LEVELS.get(level, level), [name.replace("_", " ") for name in columns], titles)
        for level in levels
    ]
    area = Heading(
        "", [AREA], ["area under utility over forgetting: 1 = full forgetting at no utility loss"]
    )
    return Grid(label, [*headings, area], lines)


def misalignment_grids(standings: Standings, task: str, order: Sequence[str]) -> list[Grid]:
    """A table per variant and stratum that compares knowledge by probability and by generation on
    the same forget-set examples.
    """
    rows = standings.misalignment[standings.misalignment["task"] == task]
    part = rows["n"] < rows.groupby("variant")["n"].transform(
        "max"
    )  # a stratum of the same size would repeat the whole
    rows = rows[(rows["stratum"] == ALL) | part]
    grids = []
    for (variant, stratum), stratum_rows in rows.groupby(["variant", "stratum"], sort=True):
        label = shown_variant(task, str(variant)) + ("" if stratum == ALL else f", {stratum}")
        quantities = _by_method_and(stratum_rows, "quantity")
        present = set(stratum_rows["method"])
        lines = []
        for method in (name for name in order if name in present):
            cells = [quantities.get((method, name)) for name in MISALIGNED]
            lines.append((method, [printed(q) if q else EMPTY for q in cells]))
        grids.append(Grid(label, [Heading("", list(MISALIGNED), list(MISALIGNED.values()))], lines))
    return grids


def probe_grids(standings: Standings, task: str, order: Sequence[str]) -> list[Grid]:
    """A table per variant of the share of the forget set still known by any probe, and by each."""
    rows = standings.probes[standings.probes["task"] == task]
    grids = []
    for variant, variant_rows in rows.groupby("variant", sort=True):
        names = list(dict.fromkeys(variant_rows["quantity"]))
        counts = variant_rows.groupby("quantity")["n"].max()
        titles = [f"of {counts[name]} examples" for name in names]
        quantities = _by_method_and(variant_rows, "quantity")
        lines = []
        for method in (name for name in (*REFERENCES, *order) if (name, UNION) in quantities):
            cells = [quantities.get((method, name)) for name in names]
            lines.append((method, [printed(q) if q else EMPTY for q in cells]))
        grids.append(Grid(shown_variant(task, str(variant)), [Heading("", names, titles)], lines))
    return grids


def _by_method_and(rows: pd.DataFrame, column: str) -> dict[tuple[str, str], Quantity]:
    """The quantities of the rows, keyed by method and the value of the column."""
    keys = zip(rows["method"], rows[column], strict=True)
    return dict(zip(keys, quantities_of(rows), strict=True))


def metric_grids(standings: Standings, task: str, order: Sequence[str]) -> list[Grid]:
    """A table per variant of every metric on the forget set after unlearning, references first."""
    strata = standings.strata
    if strata.empty:
        return []
    rows = strata[
        (strata["task"] == task) & (strata["stratum"] == ALL) & strata["metric"].isin(METRICS)
    ]
    left_out = standings.uninformative
    left_out = left_out[left_out["task"] == task]
    return [
        _metric_grid(
            variant_rows,
            shown_variant(task, str(v)),
            order,
            set(left_out.loc[left_out["variant"] == v, "metric"]),
        )
        for v, variant_rows in rows.groupby("variant", sort=True)
    ]


def _metric_grid(
    rows: pd.DataFrame, label: str, order: Sequence[str], left_out: Collection[str]
) -> Grid:
    """A table of all metrics, with columns grouped by the axis that they feed on the variant."""
    by_axis: dict[str, list[str]] = {axis: [] for axis in (*AXES, BESIDE)}
    for name in (name for name in METRICS if name in set(rows["metric"])):
        axis = axis_of(name, "forget") if name not in left_out else ""
        by_axis[axis or BESIDE].append(name)
    metrics = [name for names in by_axis.values() for name in names]
    quantities = _by_method_and(rows, "metric")
    present = set(rows["method"])
    lines = []
    for method in (name for name in (*REFERENCES, *order) if name in present):
        cells = [(quantities.get((method, name)), digits_of(name)) for name in metrics]
        lines.append((method, [printed(q, digits) if q else EMPTY for q, digits in cells]))
    headings = [
        Heading(
            axis, names, [f"{METRICS[name].description} ({METRICS[name].unit})" for name in names]
        )
        for axis, names in by_axis.items()
        if names
    ]
    return Grid(label, headings, lines)
