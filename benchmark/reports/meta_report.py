"""Tables of `meta`: how far each metric can be trusted."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmark.records.store import ResultStore
from benchmark.reports.attack_report import agreement_matrix
from benchmark.statistics.findings import spoken
from benchmark.statistics.meta_evaluation import BOARD
from benchmark.statistics.meta_tables import meta_tables

RULE = ["form", "metric", "axis", "auc", "neutral", "passed", "symmetric", "overall", "meets"]
HEADERS = {
    "group": "models",
    "form": "answers",
    "auc": "AUC",
    "passed": "share of oracles passed",
    "symmetric": "robustness",
    "one_sided": "one-sided robustness",
    "rows": "runs",
    "caught": "share caught",
    "meets": "meets the rule",
}


def print_meta(folder: Path, console: Console) -> None:
    """Prints faithfulness, negative controls, robustness, audits, the detection of gaming anchors,
    the agreement of metrics and the rule of the axes, from the current records below a folder;
    BadInput if there are no pools.
    """
    tables = meta_tables(ResultStore(folder))
    console.print(_aucs("Faithfulness: AUC, knowing against ignorant models", tables.bars))
    for control, rows in tables.controls.groupby("control", sort=False):
        console.print(_aucs(f"Negative control: {control}", rows))
    console.print(_table("Robustness", tables.robust))
    console.print(_table("Oracles that pass", tables.audits))
    console.print(_table("Gaming anchors that are caught", tables.caught))
    fed = tables.judged.loc[tables.judged["axis"] != "", "metric"]
    among = tables.agreement[["one", "other"]].isin(list(fed)).all(axis=1)
    console.print(agreement_matrix("Kendall's tau-b", "metric", tables.agreement[among]))
    console.print(_table("Which metrics may enter the score", _judged(tables.judged)))
    console.print(
        "AUC with 95 % bootstrap confidence intervals over models that know and that do not: "
        f"{_counted(tables.bars)}. Agreement is computed on the records of {BOARD}."
    )


def _judged(rows: pd.DataFrame) -> pd.DataFrame:
    """The rule of the axes by metric; uninformative metrics are neither accepted nor rejected."""
    meets = rows["meets"].astype(object).where(rows["informative"], float("nan"))
    return rows.assign(meets=meets)[RULE]


def _counted(bars: pd.DataFrame) -> str:
    """The number of knowing and ignorant models behind each group."""
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


def _table(title: str, rows: pd.DataFrame) -> Table:
    headers = [HEADERS.get(name, name) for name in rows.columns]
    table = Table(*headers, title=title, title_justify="left", box=SIMPLE_HEAD)
    for row in rows.to_dict("records"):
        table.add_row(*map(_shown, row.values()))
    return table


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return "–" if pd.isna(value) else f"{value:.2f}"
    return str(value)
