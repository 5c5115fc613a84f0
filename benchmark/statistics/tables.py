"""Scored variants as tables: the long table of the export, intervals by method, strata, and the
metrics left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from statistics import fmean
from typing import Any

import numpy as np
import pandas as pd

from benchmark.metrics.base import MEMBERSHIP_HOLDOUT
from benchmark.metrics.frames import ALL
from benchmark.metrics.stages import ATTACK, MODEL_STAGE, sort_of
from benchmark.records.identity import TARGET
from benchmark.statistics.axes import TIE, axis_of
from benchmark.statistics.bootstrap import interval, mean_of_picks
from benchmark.statistics.scores import Key
from benchmark.statistics.variants import QUANTITIES, VariantScores, seed_picks

Place = tuple[str, str, str]  # track, task, variant
Row = dict[str, object]

# The columns of the long table, in order.
COLUMNS = (
    *("track", "task", "variant", "method", "seed", "axis", "metric", "stratum"),
    *("value", "target", "oracle", "recovery", "n"),
)

# Metrics of how well the single texts of a split are known. Accuracy itself is not computed on the
# holdout; `outliers`, which counts by it, has its values there.
TEXT_ACCURACY = {"forget": "memorization_accuracy", MEMBERSHIP_HOLDOUT: "outliers"}


def metric_name(key: Key) -> str:
    """A key's metric as written in tables: `[attack.][split.]metric`, without the forget split."""
    stage, split, metric, _ = key
    prefix = "" if stage == MODEL_STAGE else f"{stage}."
    return prefix + ("" if split == "forget" else f"{split}.") + metric


def axis_name(key: Key) -> str:
    """The axis that a key feeds, robustness for forgetting after an attack; empty for values
    outside the score.
    """
    axis = axis_of(key[2], key[1])
    if key[0] == MODEL_STAGE:
        return axis
    return "robustness" if axis == "forgetting" and sort_of(key[0]) == ATTACK else ""


def where_of(place: Place) -> dict[str, Any]:
    """The columns that name a variant."""
    return dict(zip(("track", "task", "variant"), place, strict=True))


def spread_columns(name: str) -> tuple[str, str, str]:
    """The column names of a quantity and the ends of its interval."""
    return name, f"{name}_low", f"{name}_high"


def spread(name: str, replicated: np.ndarray) -> Row:
    """A quantity and the ends of its interval."""
    numbers = (float(replicated[0]), *interval(replicated))
    return dict(zip(spread_columns(name), numbers, strict=True))


def long_rows(place: Place, scores: VariantScores) -> Iterator[Row]:
    """Yields every value of every run, then its axes and score; `recovery` of a utility metric is
    its retention.
    """
    entities = scores.sizes.get((MODEL_STAGE, "forget", "probability", ALL), 0)
    for method, runs in sorted(scores.runs.items()):
        for seed, run in sorted(runs.items()):
            who = where_of(place) | {"method": method, "seed": seed}
            for key in sorted(run.values.keys() & run.target.keys()):
                part = run.scored.parts.get(key)
                yield who | {
                    "axis": axis_name(key),
                    "metric": metric_name(key),
                    "stratum": key[3],
                    "value": float(run.values[key][0]),
                    "target": float(run.target[key][0]),
                    "oracle": float(run.oracle[key][0]),
                    "recovery": float("nan") if part is None else float(part[0]),
                    "n": run.sizes.get(key, 0),
                }
            for name in QUANTITIES:
                value = run.scored.score if name == "score" else run.scored.axes[name]
                yield who | {
                    "axis": name,
                    "metric": name,
                    "stratum": ALL,
                    "value": float(value[0]),
                    "n": entities,
                }


def variant_rows(place: Place, scores: VariantScores) -> Iterator[Row]:
    """A row per method: axes and score averaged over seeds, with intervals; the worst attack, which
    leaves the least forgetting on average over seeds (empty if several tie or a value is missing);
    and the mean over attacks.
    """
    for method, runs in sorted(scores.runs.items()):
        row = where_of(place) | {"method": method, "seeds": len(runs)}
        for name in QUANTITIES:
            row |= spread(name, scores.quantity(method, name))
        left = scores.left_after(method)
        mean = fmean(left.values()) if left else float("nan")
        tied = [name for name, value in left.items() if value - min(left.values()) < TIE]
        worst = tied[0] if len(tied) == 1 and not math.isnan(mean) else ""
        yield row | {"worst_attack": worst, "mean_over_attacks": mean}


def stratum_rows(place: Place, scores: VariantScores, names: Iterable[str]) -> Iterator[Row]:
    """Values of the final model by stratum, averaged over seeds, with intervals, for these methods
    and references.
    """
    for method in names:
        runs = scores.values_of(method)
        drawn = seed_picks(len(runs), scores.replicates)
        for key in (k for k in sorted(runs[0]) if k[0] == MODEL_STAGE):
            replicated = mean_of_picks(np.vstack([values[key] for values in runs]), drawn)
            mean = spread("value", replicated)
            who = {
                "method": method,
                "metric": metric_name(key),
                "stratum": key[3],
                "seeds": len(runs),
            }
            ends = {
                "value": mean["value"],
                "low": mean["value_low"],
                "high": mean["value_high"],
            }
            yield where_of(place) | who | ends | {"n": scores.sizes.get(key, 0)}


def uninformative_rows(place: Place, scores: VariantScores) -> Iterator[Row]:
    """Metrics of the score that this variant leaves out, with the reason and the values of the
    target and the oracles that it concerns; `spread` is how much the oracles differ among
    themselves.
    """
    for key in sorted(scores.target.keys() - scores.usable):
        if key[3] == ALL and axis_name(key) and key in scores.oracle:
            about = {"axis": axis_name(key), "metric": metric_name(key)}
            reason, of = scores.reasons[key]
            beside = scores.beside[of]
            numbers = {
                "reason": reason,
                "target": float(scores.targets[of][key][0]),
                "oracle": float(beside[key][0]) if key in beside else math.nan,
                "spread": scores.spread[key],
            }
            yield where_of(place) | about | numbers


def text_rows(
    place: Place, index: pd.DataFrame, examples: Mapping[str, pd.DataFrame]
) -> Iterator[Row]:
    """The memorisation accuracy of each forgotten text under these models, and under targets also
    of each text that they never saw.
    """
    for row in index.sort_values(["method", "seed"]).to_dict("records"):
        frame = examples[row["id"]]
        texts = frame[(frame["stage"] == MODEL_STAGE) & (frame["form"] == "text")]
        for split, metric in TEXT_ACCURACY.items():
            if split != MEMBERSHIP_HOLDOUT or row["role"] == TARGET:
                who = {"method": row["method"], "split": split}
                for value in texts.loc[texts["split"] == split, metric].dropna().astype(float):
                    yield where_of(place) | who | {"value": round(value, 3)}
