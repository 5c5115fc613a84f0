"""Answers to practitioners' questions: which method to pick for which task, which attack undoes
what, and how much relearning brings back.

Values are means over variants and over the methods of a family. The ends of their intervals are
averaged likewise, as if all erred together, which is conservative; they do not include the
variation between the methods of a family.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from benchmark.records.identity import ORACLE
from benchmark.records.schema import WEIGHTS
from benchmark.statistics.attack_agreement import WITHOUT
from benchmark.statistics.attack_curves import HALF
from benchmark.statistics.ranking import Standings
from benchmark.statistics.tables import spread_columns

ATTACKS_STUDY = "study-attacks-1m"  # the track whose records have every attack
RELEARNING = "relearn"  # prefix of the names of these attacks
FORGOT = 0.5  # the least forgetting on a variant for attacks to have something to undo
SHOWN = ("score", "utility")


def picks(standings: Standings) -> pd.DataFrame:
    """The methods on each task that no other method significantly beats: rank 1 by paired
    differences. Guardrails are left out because they do not remove knowledge from the weights.
    """
    columns = ["track", "task", "method", *(c for q in SHOWN for c in spread_columns(q))]
    tasks = standings.tasks
    if tasks.empty:
        return pd.DataFrame(columns=columns)
    best = tasks[(tasks["rank"] == 1) & (tasks["division"] == WEIGHTS)]
    return best[columns].reset_index(drop=True)


def undone_by(standings: Standings, families: Mapping[str, str], task: str = "") -> pd.DataFrame:
    """The share of forgetting that each attack undoes in each family of methods, over all tasks or
    on one: track, family, attack, `undone` with its interval, and the number of `methods`.

    `families` maps each method that counts to its family. A method counts only on variants where it
    forgot at least FORGOT.
    """
    rows = standings.attacks[standings.attacks["attack"] != WITHOUT]
    if task:
        rows = rows[rows["task"] == task]
    rows = rows.merge(_forgot(standings)).dropna(subset=["undone"])
    of_families = rows.assign(family=rows["method"].map(families)).dropna(subset=["family"])
    return _means(of_families, ["track", "family", "attack"], "undone")


def relearned(
    standings: Standings, families: Mapping[str, str], of: str = "method"
) -> pd.DataFrame:
    """The share of forgotten knowledge that is back at each point of the relearning attacks: track,
    method (or family if `of` is "family"), attack, point, `back` with its interval, and the number
    of `methods`. For the oracles it is what they learn anew.
    """
    rows = standings.curves
    wanted = rows["attack"].astype(str).str.startswith(RELEARNING) & (rows["point"] != HALF)
    rows = rows[wanted].dropna(subset=["back"])
    forgot = rows[rows["method"].isin(families)].merge(_forgot(standings))
    both = pd.concat([forgot, rows[rows["method"] == ORACLE]])
    both = both.assign(family=both["method"].map({**families, ORACLE: ORACLE}))
    return _means(both, ["track", of, "attack", "point"], "back")


def _forgot(standings: Standings) -> pd.DataFrame:
    """The methods and the variants on which they forgot at least FORGOT."""
    rows = standings.attacks
    enough = rows[(rows["attack"] == WITHOUT) & (rows["value"] >= FORGOT)]
    return enough[["track", "task", "variant", "method"]]


def _means(rows: pd.DataFrame, by: list[str], quantity: str) -> pd.DataFrame:
    """Means over the variants of each method and then over methods, with the number of methods."""
    columns = list(spread_columns(quantity))
    if rows.empty:
        return pd.DataFrame(columns=[*by, *columns, "methods"])
    each = list(dict.fromkeys([*by, "method"]))
    of_methods = rows.groupby(each, sort=False)[columns].mean().reset_index()
    groups = of_methods.groupby(by, sort=False)
    return groups[columns].mean().assign(methods=groups.size()).reset_index()
