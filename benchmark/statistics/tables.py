"""Scored variants as tables: the long table of the export, intervals by method, strata, and what
was left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from benchmark.metrics.base import METRICS
from benchmark.metrics.stages import MODEL_STAGE
from benchmark.metrics.values import ALL
from benchmark.statistics.bootstrap import interval, mean_of_picks
from benchmark.statistics.scores import Key, Replicated
from benchmark.statistics.variants import QUANTITIES, VariantScores, seed_picks

Place = tuple[str, str, str]  # track, task, variant
Row = dict[str, object]

# The columns of the long table, in order.
COLUMNS = (
    *("track", "task", "variant", "method", "seed", "axis", "metric", "stratum"),
    *("value", "target", "oracle", "recovery", "n"),
)


def metric_name(key: Key) -> str:
    """How a key's metric is written in tables: `[attack.][split.]metric`, the forget split
    unnamed.
    """
    stage, split, metric, _ = key
    prefix = "" if stage == MODEL_STAGE else f"{stage}."
    return prefix + ("" if split == "forget" else f"{split}.") + metric


def axis_name(key: Key) -> str:
    """The axis that a key feeds, robustness for forgetting after an attack; empty for values
    beside the score.
    """
    axis = METRICS[key[2]].axis_of(key[1])
    return "robustness" if axis == "forgetting" and key[0] != MODEL_STAGE else axis


def _where(place: Place) -> Row:
    return dict(zip(("track", "task", "variant"), place, strict=True))


def _spread(name: str, replicated: np.ndarray) -> Row:
    """A quantity with the ends of its interval."""
    low, high = interval(replicated)
    return {name: float(replicated[0]), f"{name}_low": low, f"{name}_high": high}


def long_rows(place: Place, scores: VariantScores) -> Iterator[Row]:
    """Every value of every run, then its axes and its score; `recovery` of a utility metric is
    method / target.
    """
    entities = scores.sizes.get((MODEL_STAGE, "forget", "probability", ALL), 0)
    for method, runs in sorted(scores.runs.items()):
        for seed, run in sorted(runs.items()):
            who = _where(place) | {"method": method, "seed": seed}
            for key in sorted(run.values.keys() & scores.target.keys()):
                part = run.scored.parts.get(key)
                yield who | {
                    "axis": axis_name(key),
                    "metric": metric_name(key),
                    "stratum": key[3],
                    "value": float(run.values[key][0]),
                    "target": float(scores.target[key][0]),
                    "oracle": float(scores.oracle[key][0]),
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
    """A row per method: axes and score averaged over seeds, with intervals and the worst attack."""
    for method, runs in sorted(scores.runs.items()):
        row = _where(place) | {"method": method, "seeds": len(runs)}
        for name in QUANTITIES:
            row |= _spread(name, scores.quantity(method, name))
        yield row | {"worst_attack": scores.worst_attack(method)}


def stratum_rows(place: Place, scores: VariantScores) -> Iterator[Row]:
    """Values of the model stage by stratum, averaged over seeds, for methods, target and
    oracles, with intervals.
    """
    named: dict[str, list[Replicated]] = {"target": [scores.target], "oracle": [scores.oracle]}
    named |= {
        method: [run.values for run in runs.values()]
        for method, runs in sorted(scores.runs.items())
    }
    for method, own in named.items():
        drawn = seed_picks(len(own), scores.replicates)
        for key in (k for k in sorted(own[0]) if k[0] == MODEL_STAGE):
            spread = _spread(
                "value", mean_of_picks(np.vstack([values[key] for values in own]), drawn)
            )
            who = {
                "method": method,
                "metric": metric_name(key),
                "stratum": key[3],
                "seeds": len(own),
            }
            ends = {
                "value": spread["value"],
                "low": spread["value_low"],
                "high": spread["value_high"],
            }
            yield _where(place) | who | ends | {"n": scores.sizes.get(key, 0)}


def uninformative_rows(place: Place, scores: VariantScores) -> Iterator[Row]:
    """Metrics of the score that this variant leaves out, because target and oracles do not
    differ enough.
    """
    for key in sorted(scores.target.keys() - scores.usable):
        if key[3] == ALL and axis_name(key) and key in scores.oracle:
            numbers = {
                "target": float(scores.target[key][0]),
                "oracle": float(scores.oracle[key][0]),
            }
            yield _where(place) | {"axis": axis_name(key), "metric": metric_name(key)} | numbers


def overall_row(method: str, scores: Mapping[Place, VariantScores]) -> tuple[Row, np.ndarray]:
    """A method's averages over the variants that it has, with intervals, and the replicates of
    its score.
    """
    present = [own for own in scores.values() if method in own.runs]
    row: Row = {"variants": len(present), "runs": sum(len(own.runs[method]) for own in present)}
    means = {name: _mean(method, name, present) for name in QUANTITIES}
    for name, values in means.items():
        row |= _spread(name, values)
    return row, means["score"]


def _mean(method: str, name: str, present: Sequence[VariantScores]) -> np.ndarray:
    """The average over the variants on which the quantity says something; NaN where it does on
    none.
    """
    own = [scores.quantity(method, name) for scores in present if scores.informs(name)]
    return np.mean(own, axis=0) if own else np.full(present[0].replicates + 1, np.nan)
