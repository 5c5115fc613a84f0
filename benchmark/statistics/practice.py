"""What practitioners ask of the records: which method to pick for which task, which attack undoes
what, and how much relearning brings back.

Values are means over variants, and over the methods of a family. So are the ends of their
intervals, as if all erred together: such an interval is rather too wide than too narrow.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from benchmark.records.schema import WEIGHTS
from benchmark.statistics.attack_agreement import WITHOUT
from benchmark.statistics.attack_curves import HALF
from benchmark.statistics.ranking import Standings
from benchmark.statistics.tables import spread_columns

RELEARNING = "relearn"  # what the names of these attacks begin with
FORGOT = 0.5  # the least forgetting of a method on a variant for attacks to have something to undo
QUANTITIES = ("score", "forgetting", "utility", "robustness")


def picks(standings: Standings) -> pd.DataFrame:
    """On each task the methods that no other is certainly better than: rank 1 by paired
    differences. Guardrails, which leave what the weights know, are no picks.
    """
    columns = ["track", "task", "method", *(c for q in QUANTITIES for c in spread_columns(q))]
    tasks = standings.tasks
    if tasks.empty:
        return pd.DataFrame(columns=columns)
    best = tasks[(tasks["rank"] == 1) & (tasks["division"] == WEIGHTS)]
    return best[columns].reset_index(drop=True)


def undone_by(standings: Standings, families: Mapping[str, str], task: str = "") -> pd.DataFrame:
    """The share of forgetting that each attack undoes in each family of methods, of all tasks or of
    one: track, family, attack, `undone` with its interval, and the methods and runs on variants
    behind it.

    `families` are those of the methods that count. Where a method has not forgotten, nothing can be
    undone.
    """
    rows = standings.attacks
    if task:
        rows = rows[rows["task"] == task]
    before = rows[(rows["attack"] == WITHOUT) & (rows["value"] >= FORGOT)]
    forgot = before[["track", "task", "variant", "method"]]
    attacked = rows[rows["attack"] != WITHOUT].merge(forgot)
    attacked = attacked.assign(family=attacked["method"].map(families)).dropna(
        subset=["family", "undone"]
    )
    return _means(attacked, ["track", "family", "attack"], "undone")


def relearned(standings: Standings, families: Mapping[str, str]) -> pd.DataFrame:
    """The share of forgotten knowledge that is back at each point of the relearning attacks: track,
    method, attack, point, `back` with its interval, and the methods and variants behind it.
    """
    rows = standings.curves
    wanted = rows["attack"].astype(str).str.startswith(RELEARNING) & (rows["point"] != HALF)
    of_methods = rows[wanted & rows["method"].isin(families)].dropna(subset=["back"])
    return _means(of_methods, ["track", "method", "attack", "point"], "back")


def _means(rows: pd.DataFrame, by: list[str], quantity: str) -> pd.DataFrame:
    columns = list(spread_columns(quantity))
    if rows.empty:
        return pd.DataFrame(columns=[*by, *columns, "methods", "points"])
    groups = rows.groupby(by, sort=False)
    counts = groups.agg(methods=("method", "nunique"), points=("method", "size"))
    return groups[columns].mean().join(counts).reset_index()
