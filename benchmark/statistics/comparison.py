"""Comparison of two methods on the variants that both have run: paired differences, and the
examples on which the methods differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmark.errors import BadInput
from benchmark.metrics.stages import MODEL_STAGE
from benchmark.records.derived import Derived
from benchmark.statistics.bootstrap import REPLICATES, interval
from benchmark.statistics.parts import Variant, variants_of
from benchmark.statistics.tables import Place, Row, where_of
from benchmark.statistics.variants import QUANTITIES

# Metrics that tell whether an example is known: of these, the first one that scores its split.
OUTCOMES = (
    *("exact_answer", "sentence_recall", "choice_accuracy"),
    *("memorization_accuracy", "rouge_l_recall"),
)
ALL_VARIANTS = "mean"


@dataclass(frozen=True)
class Comparison:
    """`axes`: track, task, variant (or ALL_VARIANTS), quantity, one, other, difference, low, high.

    `examples`: track, task, variant, split, metric, example, one, other (means over seeds), largest
    differences first.
    """

    axes: pd.DataFrame
    examples: pd.DataFrame


def compare(
    index: pd.DataFrame,
    frames: Mapping[str, pd.DataFrame],
    one: str,
    other: str,
    replicates: int = REPLICATES,
    derived: Derived | None = None,
) -> Comparison:
    """Compares two rows, named as in the standings, on the variants that both have; `index` and
    `frames` are as for `standings`. BadInput if there is no such variant.

    Both methods share the draws of entities and oracles, so their differences are paired.
    """
    axes: list[Row] = []
    examples: list[pd.DataFrame] = []
    drawn: dict[str, dict[str, list[np.ndarray]]] = {}
    for variant in variants_of(index, frames, replicates, derived or Derived()):
        if not {one, other} <= set(variant.methods):
            continue
        informs = variant.references()["informs"].column("quantity").to_pylist()
        quantities = [variant.part(method).quantities for method in (one, other)]
        for name in (name for name in QUANTITIES if name in informs):
            pair = [values[name] for values in quantities]
            axes.append(_difference(variant.place, name, *pair))
            drawn.setdefault(variant.place[0], {}).setdefault(name, []).append(np.stack(pair))
        examples.append(_paired_outcomes(variant, frames, one, other))
    if not axes:
        raise BadInput(f"no variant has both {one} and {other}")
    for track, by_name in drawn.items():
        place = (track, "", ALL_VARIANTS)
        axes += [_difference(place, name, *np.mean(p, axis=0)) for name, p in by_name.items()]
    return Comparison(pd.DataFrame(axes), _differing(pd.concat(examples, ignore_index=True)))


def _difference(place: Place, name: str, one: np.ndarray, other: np.ndarray) -> Row:
    low, high = interval(one - other)
    where: Row = where_of(place)
    ends: Row = {"low": low, "high": high}
    difference: Row = {"difference": float(one[0] - other[0])}
    return (
        where
        | {"quantity": name, "one": float(one[0]), "other": float(other[0])}
        | difference
        | ends
    )


def _paired_outcomes(
    variant: Variant, frames: Mapping[str, pd.DataFrame], one: str, other: str
) -> pd.DataFrame:
    """The outcome of both methods on each example of a variant."""
    outcomes = [_outcomes(variant, frames, method) for method in (one, other)]
    table = pd.concat(outcomes, axis=1, keys=["one", "other"], join="inner").reset_index()
    where = where_of(variant.place)
    return table.assign(**where)


def _differing(outcomes: pd.DataFrame) -> pd.DataFrame:
    """The rows whose outcomes differ, the largest differences first."""
    gap = (outcomes["one"] - outcomes["other"]).abs()
    order = gap[gap > 0].sort_values(ascending=False, kind="stable").index
    return outcomes.loc[order].reset_index(drop=True)


def _outcomes(variant: Variant, frames: Mapping[str, pd.DataFrame], method: str) -> pd.Series:
    """The outcome by (split, metric, example), averaged over a method's seeds."""
    rows = variant.index[variant.index["method"] == method]
    scored = pd.concat([pd.DataFrame(_scored(frames[record_id])) for record_id in rows["id"]])
    return scored.groupby(["split", "metric", "example"])["value"].mean()


def _scored(frame: pd.DataFrame) -> Iterator[Row]:
    """Yields the final model's outcome on each example, by the first metric scoring its split."""
    final = frame[frame["stage"] == MODEL_STAGE]
    for split, part in final.groupby("split"):
        metric = next((name for name in OUTCOMES if part[name].notna().any()), None)
        if metric:
            for example, value in zip(part["example"], part[metric], strict=True):
                row = {"split": split, "metric": metric, "example": example}
                yield row | {"value": float(value)}
