"""Tables that `compare` prints."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmark.core.registry import lookup
from benchmark.errors import BadInput
from benchmark.records.derived import Derived
from benchmark.records.frames import (
    ExampleFrames,
    heads,
    index_frame,
    split_current,
)
from benchmark.records.identity import shown_variant
from benchmark.records.store import ResultStore
from benchmark.statistics.comparison import ALL_VARIANTS, Comparison, compare


def comparison_of(
    folder: Path, one: str, other: str, tasks: list[str], derived: Derived
) -> Comparison:
    """The comparison of two rows from the records of a folder, on the given tasks or variants or on
    all.
    """
    results = ResultStore(folder)
    current, _ = split_current(list(heads(results)))
    index = index_frame(current)
    if index.empty:
        raise BadInput(f"{folder}: no records")
    rows = {name: name for name in index.loc[index["role"] == "method", "method"]}
    for name in (one, other):
        lookup("row", name, rows)
    if tasks:
        names = [
            (task, shown_variant(task, variant))
            for task, variant in zip(index["task"], index["variant"], strict=True)
        ]
        chosen = [any(name in tasks for name in both) for both in names]
        index = index[chosen]
    return compare(index, ExampleFrames(results, current, derived), one, other, derived=derived)


def print_comparison(
    comparison: Comparison, one: str, other: str, console: Console, examples: int
) -> None:
    """Prints the differences, then up to `examples` examples on which the two rows differ most."""
    for track, rows in comparison.axes.groupby("track", sort=True):
        console.print(_axes_table(str(track), rows, one, other))
    console.print(
        f"difference: {one} minus {other}, with a 95 % bootstrap interval over the entities, seeds "
        "and oracles of both; * means that the interval excludes 0",
        soft_wrap=True,
    )
    if examples and len(comparison.examples):
        console.print(_examples_table(comparison.examples.head(examples), one, other))
    console.print(f"{len(comparison.examples)} examples have different outcomes")


def _axes_table(track: str, rows: pd.DataFrame, one: str, other: str) -> Table:
    columns = ("variant", "axis", one, other, "difference", "95 % interval", "")
    table = Table(*columns, title=track, title_justify="left", box=SIMPLE_HEAD)
    for row in rows.to_dict("records"):
        place = ALL_VARIANTS
        if row["task"]:
            place = shown_variant(row["task"], row["variant"])
        certain = "*" if row["low"] > 0 or row["high"] < 0 else ""
        values = [f"{row[name]:.3f}" for name in ("one", "other")]
        ends = f"{row['low']:+.3f} to {row['high']:+.3f}"
        table.add_row(place, row["quantity"], *values, f"{row['difference']:+.3f}", ends, certain)
    return table


def _examples_table(rows: pd.DataFrame, one: str, other: str) -> Table:
    columns = ("variant", "split", "example", "metric", one, other)
    table = Table(*columns, title="outcomes differ most on", title_justify="left", box=SIMPLE_HEAD)
    for row in rows.to_dict("records"):
        place = shown_variant(row["task"], row["variant"])
        values = [f"{row[name]:.2f}" for name in ("one", "other")]
        table.add_row(place, row["split"], row["example"], row["metric"], *values)
    return table
