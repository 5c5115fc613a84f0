"""Standings: every variant scored, averaged over variants, ranked with ties."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmark.statistics.bootstrap import REPLICATES, interval
from benchmark.statistics.continual import request_rows
from benchmark.statistics.misalignment import misalignment_rows
from benchmark.statistics.summaries import summary_rows
from benchmark.statistics.tables import (
    COLUMNS,
    Place,
    Row,
    long_rows,
    overall_row,
    stratum_rows,
    uninformative_rows,
    variant_rows,
)
from benchmark.statistics.trajectories import contrast_rows, level_rows, rival_rows, trajectory_rows
from benchmark.statistics.variants import VariantScores, score_variant

PLACE, SPREAD = ("track", "task", "variant"), ("value", "low", "high")


@dataclass(frozen=True)
class Standings:
    """`table`: one row per value (COLUMNS). `variants`: a row per method and variant with
    intervals.

    `overall`: a row per method, averaged over variants, with rank and completeness; `tasks` the
    same for each task alone, where a method that a suite runs on one task only is ranked too.
    `uninformative`: what was left out by rule. `strata`: values by stratum with intervals over
    seeds and entities. `trajectories`: values at shares of the budget, `levels` what they come to
    where a level of forgetting is reached, `rivals` the differences of that to the baseline method,
    `contrasts` between variants. `requests`: values after each of several requests. `misalignment`:
    what probabilities and generations say of the same forgotten examples. `summaries`: TOFU's own
    measures, with their range over seeds.
    """

    table: pd.DataFrame
    variants: pd.DataFrame
    overall: pd.DataFrame
    tasks: pd.DataFrame
    uninformative: pd.DataFrame
    strata: pd.DataFrame
    trajectories: pd.DataFrame
    levels: pd.DataFrame
    rivals: pd.DataFrame
    contrasts: pd.DataFrame
    requests: pd.DataFrame
    misalignment: pd.DataFrame
    summaries: pd.DataFrame


def _rank(method: str, competitors: Mapping[str, np.ndarray]) -> int:
    """1 + the number of methods that are better for certain: the interval of their paired
    difference lies above 0.
    """
    own = competitors[method]
    return 1 + sum(
        interval(scores - own)[0] > 0 for other, scores in competitors.items() if other != method
    )


def _rows(
    scores: Mapping[Place, VariantScores], expected: Mapping[str, int], anchors: set[str]
) -> list[Row]:
    """A row per method of these variants; only complete rows of methods that are no anchors are
    ranked.
    """
    rows: dict[str, Row] = {}
    competitors: dict[str, np.ndarray] = {}
    for method in sorted({method for own in scores.values() for method in own.runs}):
        row, replicated = overall_row(method, scores)
        complete = all(
            len(own.runs.get(method, ())) >= max(1, expected.get(method, 0))
            for own in scores.values()
        )
        rows[method] = {"method": method, "anchor": method in anchors, "complete": complete} | row
        if complete and method not in anchors and not np.isnan(replicated[0]):
            competitors[method] = replicated
    return [
        row | {"rank": _rank(m, competitors) if m in competitors else None}
        for m, row in rows.items()
    ]


def _ranked(
    scores: Mapping[Place, VariantScores],
    expected: Mapping[str, int],
    anchors: set[str],
    by: tuple[str, ...],
) -> pd.DataFrame:
    """Ranked rows of each track, or of each track and task."""
    rows: list[Row] = []
    for group in sorted({place[: len(by)] for place in scores}):
        own = {place: variant for place, variant in scores.items() if place[: len(by)] == group}
        rows += [dict(zip(by, group, strict=True)) | row for row in _rows(own, expected, anchors)]
    table = pd.DataFrame(rows)
    if table.empty:
        return table
    ascending = [True] * len(by) + [False, True]
    return table.sort_values([*by, "score", "method"], ascending=ascending).reset_index(drop=True)


def standings(
    index: pd.DataFrame,
    examples: Mapping[str, pd.DataFrame],
    expected: Mapping[str, int] | None = None,
    replicates: int = REPLICATES,
) -> Standings:
    """Scores everything: `index` has a row per successful record, `examples` its example frame by
    id.

    `index` columns: id, role ("target", "oracle", "method"), track, task, variant, method, seed,
    anchor, budget_steps. `expected`: how many seeds a method needs on each variant to be ranked.
    Variants without target or oracles are left out.
    """
    scores: dict[Place, VariantScores] = {}
    apart: list[Row] = []
    summed: list[Row] = []
    for (track, task, variant), group in index.groupby(["track", "task", "variant"], sort=True):
        if {"target", "oracle"} <= set(group["role"]):
            place = (str(track), str(task), str(variant))
            scores[place] = score_variant(group, examples, replicates)
            apart += misalignment_rows(place, group, examples, replicates)
            summed += summary_rows(place, group, examples)

    def frame(rows: Callable, columns: tuple[str, ...] | None = None) -> pd.DataFrame:
        return pd.DataFrame(
            [row for place, own in scores.items() for row in rows(place, own)], columns=columns
        )

    anchors = set(index.loc[index["anchor"].astype(bool), "method"])
    return Standings(
        table=frame(long_rows, COLUMNS),
        variants=frame(variant_rows),
        overall=_ranked(scores, expected or {}, anchors, ("track",)),
        tasks=_ranked(scores, expected or {}, anchors, ("track", "task")),
        uninformative=frame(
            uninformative_rows, ("track", "task", "variant", "axis", "metric", "target", "oracle")
        ),
        strata=frame(stratum_rows),
        trajectories=frame(trajectory_rows, (*PLACE, "method", "quantity", "share", *SPREAD)),
        levels=frame(level_rows, (*PLACE, "method", "level", "quantity", *SPREAD)),
        rivals=frame(rival_rows, (*PLACE, "method", "level", "quantity", *SPREAD)),
        contrasts=pd.DataFrame(
            contrast_rows(scores), columns=(*PLACE, "minus", "method", "level", "quantity", *SPREAD)
        ),
        misalignment=pd.DataFrame(
            apart, columns=(*PLACE, "method", "stratum", "quantity", *SPREAD, "n")
        ),
        summaries=pd.DataFrame(summed, columns=(*PLACE, "method", "quantity", *SPREAD)),
        requests=frame(request_rows, (*PLACE, "method", "request", "quantity", *SPREAD)),
    )
