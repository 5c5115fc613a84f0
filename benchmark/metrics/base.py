"""What a metric is, and the weighted aggregates that make every metric resamplable.

A metric has a per-example part (`example`) and an aggregate. Aggregates take the values (n,) of a split with weights
of shape (B, n), one row per bootstrap replicate (a row of ones is the plain value), and the values and weights of the
membership holdout, which few of them use; they return (B,). An example drawn twice weighs two. Per-example values that
are NaN have failed: they weigh nothing and are counted as `n_failed`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from benchmark.metrics.sample import Sample
from benchmark.metrics.stages import ATTACK, ON_THE_WAY, sort_of

Axis = Literal["forgetting", "utility", "privacy", ""]
MEMBERSHIP_HOLDOUT = "holdout"
QUESTION, TEXT = frozenset({"question"}), frozenset({"text"})
BOTH = QUESTION | TEXT

Aggregate = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def weighted_mean(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean of (n,) values under (B, n) weights, NaN values left out; (B,), NaN where no weight is left."""
    scored = ~np.isnan(values)
    kept = weights[:, scored]
    with np.errstate(invalid="ignore"):
        return kept @ values[scored] / kept.sum(1)


def holdout_weight_below(
    values: np.ndarray, holdout: np.ndarray, weights: np.ndarray, side: Literal["left", "right"]
) -> np.ndarray:
    """Weight (B, n) of the (m,) holdout values below each of (n,) values; those equal to it count for "right"."""
    order = np.argsort(holdout, kind="stable")
    below = np.concatenate([np.zeros((len(weights), 1)), np.cumsum(weights[:, order], axis=1)], axis=1)
    return below[:, np.searchsorted(holdout[order], values, side=side)]


def weighted_auc(positive: np.ndarray, negative: np.ndarray, wp: np.ndarray, wn: np.ndarray) -> np.ndarray:
    """Probability that a positive scores above a negative, ties counting half; weights (B, n+), (B, n-); (B,)."""
    keep_p, keep_n = ~np.isnan(positive), ~np.isnan(negative)
    positive, negative, wp, wn = positive[keep_p], negative[keep_n], wp[:, keep_p], wn[:, keep_n]
    lower = holdout_weight_below(positive, negative, wn, "left")
    upper = holdout_weight_below(positive, negative, wn, "right")
    with np.errstate(invalid="ignore"):
        return (wp * (lower + upper) / 2).sum(1) / (wp.sum(1) * wn.sum(1))


def mean(values: np.ndarray, weights: np.ndarray, holdout: np.ndarray, holdout_weights: np.ndarray) -> np.ndarray:
    """The aggregate of most metrics: the weighted mean, whatever the holdout."""
    return weighted_mean(values, weights)


def auc(values: np.ndarray, weights: np.ndarray, holdout: np.ndarray, holdout_weights: np.ndarray) -> np.ndarray:
    """The AUC of telling the split from the holdout by the values."""
    return weighted_auc(values, holdout, weights, holdout_weights)


@dataclass(frozen=True)
class Metric:
    """One metric: `example` scores a sample; `splits` are where it is reported, each on its own.

    `kinds` are the kinds of examples that it can score. `contrast` metrics compare the split with the membership
    holdout: their `aggregate` reads it, and `fit`, if any, turns the values of the forget split and of the holdout into
    others first. `better` says which direction is better on the forget split: for an unlearned model it is to be close
    to the oracle, so "oracle" is common. `axes` maps a split to the axis of the score that it feeds.
    """

    id: str
    version: int
    example: Callable[[Sample], float]
    splits: tuple[str, ...]
    axes: dict[str, Axis]
    better: Literal["higher", "lower", "oracle"]
    unit: str
    source: str
    description: str
    kinds: frozenset[str] = QUESTION
    aggregate: Aggregate = mean
    contrast: bool = False
    fit: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]] | None = None
    attacked: bool = False  # also recomputed after each attack
    on_the_way: frozenset[str] = frozenset()  # also scored at these sorts of stages: "budget", "request"

    def axis_of(self, split: str) -> Axis:
        return self.axes.get(split, "")

    def applies(self, stage: str, split: str, kind: str) -> bool:
        """Whether samples of this stage, split and kind are scored; of the holdout, for comparison only."""
        sort = sort_of(stage)
        if kind not in self.kinds or (sort == ATTACK and not self.attacked):
            return False
        if sort in ON_THE_WAY and sort not in self.on_the_way:
            return False
        return split in self.splits or (self.contrast and split == MEMBERSHIP_HOLDOUT)


METRICS: dict[str, Metric] = {}


def register(metric: Metric) -> Metric:
    """Adds a metric to the registry; two metrics of one name are a programming error."""
    if metric.id in METRICS:
        raise ValueError(f"metric {metric.id} is registered twice")
    METRICS[metric.id] = metric
    return metric


def metric_named(name: str) -> Metric:
    return METRICS[name]
