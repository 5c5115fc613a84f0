"""What a metric is, and the weighted aggregates that make every metric resamplable.

A metric has a per-example part (`example`) and an aggregate. Aggregates take weights of shape (B, n), one row per
bootstrap replicate (a row of ones is the plain value), and return (B,); an example drawn twice weighs two.
Per-example values that are NaN have failed: they weigh nothing and are counted as `n_failed`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from benchmark.metrics.sample import Sample

Axis = Literal["forgetting", "utility", "privacy", ""]
MEMBERSHIP_HOLDOUT = "holdout"


def weighted_mean(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean of (n,) values under (B, n) weights, NaN values left out; (B,), NaN where no weight is left."""
    scored = ~np.isnan(values)
    kept = weights[:, scored]
    with np.errstate(invalid="ignore"):
        return kept @ values[scored] / kept.sum(1)


def weighted_auc(positive: np.ndarray, negative: np.ndarray, wp: np.ndarray, wn: np.ndarray) -> np.ndarray:
    """Probability that a positive scores above a negative, ties counting half; weights (B, n+), (B, n-); (B,)."""
    keep_p, keep_n = ~np.isnan(positive), ~np.isnan(negative)
    positive, negative, wp, wn = positive[keep_p], negative[keep_n], wp[:, keep_p], wn[:, keep_n]
    order = np.argsort(negative, kind="stable")
    below = np.concatenate([np.zeros((len(wn), 1)), np.cumsum(wn[:, order], axis=1)], axis=1)
    lower = below[:, np.searchsorted(negative[order], positive, side="left")]
    upper = below[:, np.searchsorted(negative[order], positive, side="right")]
    with np.errstate(invalid="ignore"):
        return (wp * (lower + upper) / 2).sum(1) / (wp.sum(1) * wn.sum(1))


@dataclass(frozen=True)
class Metric:
    """One metric: `example` scores a sample; `splits` are where it is reported, each on its own.

    `contrast` metrics are the AUC of telling the split from the membership holdout by the per-example value.
    `better` says which direction is better on the forget split: for an unlearned model it is to be close to the
    oracle, so "oracle" is common. `axis_of` maps a split to the axis of the score that it feeds.
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
    contrast: bool = False
    attacked: bool = False  # also recomputed after each attack

    def axis_of(self, split: str) -> Axis:
        return self.axes.get(split, "")


METRICS: dict[str, Metric] = {}


def register(metric: Metric) -> Metric:
    """Adds a metric to the registry; two metrics of one name are a programming error."""
    if metric.id in METRICS:
        raise ValueError(f"metric {metric.id} is registered twice")
    METRICS[metric.id] = metric
    return metric


def metric_named(name: str) -> Metric:
    return METRICS[name]
