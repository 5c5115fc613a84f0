"""Findings about one task as tables of formatted numbers, for the command line, the cards and the
README.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from benchmark.metrics.frames import ALL
from benchmark.statistics.ranking import Standings
from benchmark.statistics.summaries import TOFU
from benchmark.statistics.trajectories import AREA, BASELINE, KNOWLEDGE, LOST, STEPS

REFERENCES = ("target", "oracle")
AT_LEVEL = (STEPS, LOST, "outliers", "mia_unlearned")
SAID = ("exact_answer", "leak_at_16")
ORDERED = ("low", "mid", "high")


def spoken(value: float, low: float, high: float, digits: int = 3) -> str:
    """`0.812 [0.771, 0.850]`, or words for a level that is reached never or not in all draws."""
    if math.isinf(value):  # of a difference: one of the two levels is never reached
        return "not within the budget" if value > 0 else "the baseline does not reach it"
    if math.isnan(value):
        return "–"
    if math.isnan(low):  # too few estimates for an interval
        return f"{value:z.{digits}f}"
    if math.isinf(low) and math.isinf(high):
        return f"{value:z.{digits}f} (not reached in all draws)"
    ends = [
        f"{'-' * (end < 0)}∞" if math.isinf(end) else f"{end:z.{digits}f}" for end in (low, high)
    ]
    return f"{value:z.{digits}f} [{ends[0]}, {ends[1]}]"


def steps(point: str) -> str:
    """The heading for a point of an attack; whole numbers are training steps."""
    return f"{int(point)} steps" if point.isdigit() else point


def findings(
    standings: Standings, task: str, methods: Sequence[str] | None = None
) -> dict[str, pd.DataFrame]:
    """Tables by title, each with a row per method or variant; `methods` selects and orders the rows
    of methods.
    """
    summaries = _of(standings.summaries, task)
    tofu = summaries[summaries["quantity"].isin(TOFU)]
    sentences = not tofu.empty  # whose paraphrases are improbable even under models that know them
    tables = {
        "Residual knowledge of the forget set": _left(
            standings, task, (*KNOWLEDGE, "probability") if sentences else KNOWLEDGE
        ),
        "Generations on the forget set": _left(
            standings, task, (*SAID, "sentence_recall") if sentences else SAID
        ),
        "TOFU's own measures, with their range over seeds": _by_quantity(tofu),
        "Divergence from the oracles, with its range over seeds": _by_quantity(
            summaries.drop(tofu.index)
        ),
        "Known by any probe that the target passes": _by_quantity(_of(standings.probes, task)),
        "Cost of reaching a level of forgetting": _levels(_of(standings.levels, task)),
        f"Differences from {BASELINE} at these levels": _levels(_of(standings.rivals, task)),
        "Differences between variants": _contrasts(standings, task),
        "Continual unlearning": _requests(standings, task),
        "Probability against generation": _misalignment(_of(standings.misalignment, task)),
        **_curves(_of(standings.curves, task)),
    }
    return {title: _narrowed(table, methods) for title, table in tables.items() if not table.empty}


def _narrowed(table: pd.DataFrame, methods: Sequence[str] | None) -> pd.DataFrame:
    if methods is None:
        return table
    order = {name: i for i, name in enumerate((*REFERENCES, *methods))}
    wanted = table[table["method"].isin(order)]
    return wanted.sort_values(
        "method", key=lambda names: names.map(order), kind="stable"
    ).reset_index(drop=True)


def _said(rows: pd.DataFrame, index: list[str], columns: str) -> pd.DataFrame:
    """A table of formatted values, one column per value of `columns`, in order of appearance."""
    if rows.empty:
        return pd.DataFrame()
    digits = rows[columns].map(lambda name: 1 if name in (STEPS, "outliers") else 3)
    numbers = zip(rows["value"], rows["low"], rows["high"], digits, strict=True)
    shown = rows.assign(shown=[spoken(*number) for number in numbers])
    order, names = (
        list(dict.fromkeys(shown[columns])),
        list(dict.fromkeys(map(tuple, shown[index].to_numpy()))),
    )
    table = shown.pivot(index=index, columns=columns, values="shown").reindex(columns=order)
    wanted = names if len(index) > 1 else [name[0] for name in names]
    return table.reindex(wanted).fillna("–").rename_axis(columns=None).reset_index()


def _places(names: pd.Series) -> pd.Series:
    """Sort keys for names: low, mid and high in this order, after all other names."""
    return names.map({name: f"~{i}" for i, name in enumerate(ORDERED)}).fillna(names)


def _of(frame: pd.DataFrame, task: str) -> pd.DataFrame:
    return frame[frame["task"] == task] if len(frame) else frame


def _left(standings: Standings, task: str, metrics: Sequence[str]) -> pd.DataFrame:
    """Final metrics of the forget set, a column per metric and variant, references first."""
    rows = _of(standings.strata, task)
    if rows.empty:
        return rows
    rows = rows[rows["metric"].isin(metrics) & (rows["stratum"] == ALL)]
    rows = rows.sort_values(["metric", "variant"], key=_places, kind="stable")
    rows = rows.assign(
        column=rows["metric"] + rows["variant"].map(lambda name: "" if name == ALL else f", {name}")
    )
    first = rows["method"].isin(REFERENCES)
    return _said(pd.concat([rows[first], rows[~first]]), ["method"], "column")


def _by_quantity(rows: pd.DataFrame) -> pd.DataFrame:
    first = rows["method"].isin(REFERENCES)
    return _said(pd.concat([rows[first], rows[~first]]), ["variant", "method"], "quantity")


def _levels(rows: pd.DataFrame) -> pd.DataFrame:
    return _said(rows[rows["quantity"].isin(AT_LEVEL)], ["variant", "level", "method"], "quantity")


def _contrasts(standings: Standings, task: str) -> pd.DataFrame:
    rows = _of(standings.contrasts, task)
    rows = rows[rows["quantity"].isin((STEPS, LOST, AREA))]
    rows = rows.assign(difference=rows["variant"] + " - " + rows["minus"])
    return _said(rows, ["difference", "level", "method"], "quantity")


def _curves(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Knowledge of the forget set along each attack, a column per point; interpolation also has the
    point at which half of the forgotten knowledge is back.
    """
    if rows.empty:
        return {}
    rows = rows.assign(point=rows["point"].map(steps))
    by_attack = {attack: rows[rows["attack"] == attack] for attack in rows["attack"].unique()}
    return {
        f"Knowledge along the attack {attack}": _said(own, ["variant", "method"], "point")
        for attack, own in by_attack.items()
    }


def _misalignment(rows: pd.DataFrame) -> pd.DataFrame:
    """Knowledge by generation minus that by probability, their correlation, and how often the two
    contradict each other.
    """
    rows = rows.sort_values("variant", key=_places, kind="stable")
    return (
        _said(rows[rows["stratum"] == ALL], ["variant", "method"], "quantity")
        if len(rows)
        else rows
    )


def _requests(standings: Standings, task: str) -> pd.DataFrame:
    """Utility after the first, middle and last request, knowledge of the forgotten people after the
    last request, and knowledge of people in later requests after the middle one.
    """
    rows = _of(standings.requests, task)
    if rows.empty:
        return rows
    rows = rows.assign(last=rows.groupby("variant")["request"].transform("max"))
    middle = (rows["last"] + 1) // 2
    named = (rows["request"] == 1) | (rows["request"] == middle) | (rows["request"] == rows["last"])
    points = rows[named & (rows["quantity"] == "utility")]
    points = points.assign(column="utility after " + points["request"].astype(str))
    left = rows[(rows["request"] == rows["last"]) & rows["quantity"].isin(("current", "earlier"))]
    left = left.assign(column="knowledge of " + left["quantity"] + " requests at the end")
    later = rows[(rows["request"] == middle) & (rows["quantity"] == "later")]
    later = later.assign(column="knowledge of later requests after " + later["request"].astype(str))
    return _said(pd.concat([points, left, later]), ["variant", "method"], "column")
