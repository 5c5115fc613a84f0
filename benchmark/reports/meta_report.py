"""The tables of `meta`: how far each metric can be trusted."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmark.errors import BadInput
from benchmark.records.frames import split_current
from benchmark.records.store import ResultStore
from benchmark.statistics.findings import spoken
from benchmark.statistics.meta_evaluation import (
    BOARD,
    audit_rows,
    control_rows,
    faithfulness_rows,
    pools_of,
    robustness_rows,
    useful_rows,
    values_of,
)


def print_meta(folder: Path, console: Console) -> None:
    """Prints faithfulness, negative controls, robustness and audits of the current records below a
    folder; BadInput where there are no pools.
    """
    records, _ = split_current([r for r in ResultStore(folder).read_all() if r.status == "ok"])
    values = values_of(records)
    pools = pools_of(values)
    if pools.empty:
        raise BadInput(f"{folder}: no pools; `palimpsest run --suite meta` trains them")
    bars = faithfulness_rows(pools)
    board = values[values["track"] == BOARD]
    console.print(_aucs("Faithfulness: AUC between models that know and that do not", bars))
    for control, rows in control_rows(pools).groupby("control", sort=False):
        console.print(_aucs(f"Negative control: {control}", rows))
    useful = useful_rows({record.id: record for record in records})
    console.print(_shares("Robustness", robustness_rows(board, useful, bars), "rows"))
    console.print(_shares("Oracles that pass", audit_rows(board, bars), "oracles"))
    console.print(
        "AUC with 95 % bootstrap confidence intervals over models that know and that do not: "
        f"{_counted(bars)}. Robustness and audits are those of the records of {BOARD}."
    )


def _counted(bars: pd.DataFrame) -> str:
    """How many models of each kind stand behind each group."""
    sizes = bars.groupby("group", sort=False)[["knowing", "ignorant"]].max()
    return "; ".join(f"{group} {row.knowing} + {row.ignorant}" for group, row in sizes.iterrows())


def _aucs(title: str, rows: pd.DataFrame) -> Table:
    """A row per metric, a column per group of models, best metrics first."""
    groups = list(dict.fromkeys(rows["group"]))
    table = Table("metric", *groups, title=title, title_justify="left", box=SIMPLE_HEAD)
    texts = {
        (row["metric"], row["group"]): spoken(row["auc"], row["low"], row["high"], digits=2)
        for row in rows.to_dict("records")
    }
    means = rows.groupby("metric")["auc"].mean().sort_values(ascending=False, kind="stable")
    for metric in means.index:
        table.add_row(metric, *(texts.get((metric, group), "–") for group in groups))
    return table


def _shares(title: str, rows: pd.DataFrame, count: str) -> Table:
    """A row per group and metric with its shares, and the number of what stands behind them."""
    shares = [name for name in rows.columns if name not in ("group", "metric", count)]
    table = Table("group", "metric", *shares, count, title=title, box=SIMPLE_HEAD)
    for row in rows.to_dict("records"):
        written = ["–" if pd.isna(row[name]) else f"{row[name]:.2f}" for name in shares]
        table.add_row(row["group"], row["metric"], *written, str(row[count]))
    return table
