"""The `Metric` class and the weighted aggregates that make every metric resamplable.

A metric combines a per-example score (`example`) with an aggregate. Aggregates take the values (n,)
of a split, the draws of B bootstrap replicates, and the values and draws of the membership holdout,
which few of them use; they return (B,). The plain value is a single replicate in which every
example counts once; an example drawn twice has weight two. NaN marks per-example values that
failed: they have no weight and are counted as `n_failed`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from benchmark.metrics.sample import Sample
from benchmark.metrics.stages import (
    ATTACK,
    BUDGET,
    MEASURING,
    ON_THE_WAY,
    POINT,
    recorded_stage,
    sort_of,
)

MEMBERSHIP_HOLDOUT = "holdout"
QUESTION, TEXT = frozenset({"name", "sentence", "choice"}), frozenset({"text"})  # forms of answers
BOTH = QUESTION | TEXT
# Roles of the splits on which a model's knowledge is measured: all but the holdout.
KNOWLEDGE = ("forget", "retain", "retain_eval", "neighbors", "general")
KEPT = KNOWLEDGE[1:]


@dataclass(frozen=True)
class Draws:
    """Bootstrap draws: how often each of B replicates draws each of n examples, by whole clusters.

    `weights` has shape (B, clusters); `cluster` (n,) is the column of each example in it.
    """

    weights: np.ndarray
    cluster: np.ndarray

    @staticmethod
    def plain(count: int) -> Draws:
        """One replicate in which each of `count` examples counts once."""
        return Draws(np.ones((1, 1)), np.zeros(count, dtype=int))

    def only(self, examples: np.ndarray) -> Draws:
        """The draws of a subset of the examples, given as an (n,) boolean mask."""
        return Draws(self.weights, self.cluster[examples])

    def each(self) -> np.ndarray:
        """The weight of each example: (B, n)."""
        return self.weights[:, self.cluster]

    def sums(self, rows: np.ndarray) -> np.ndarray:
        """(B, S) weighted sums of the (S, n) values in `rows`; sums within clusters first, since
        there are fewer clusters than examples.
        """
        member = np.equal.outer(self.cluster, np.arange(self.weights.shape[1])).astype(float)
        return self.weights @ (rows @ member).T


def holdout_weight_below(
    values: np.ndarray, holdout: np.ndarray, weights: np.ndarray, side: Literal["left", "right"]
) -> np.ndarray:
    """(B, n) total weight of the (m,) holdout values below each of the (n,) values; with side
    "right", equal values count as below.
    """
    order = np.argsort(holdout, kind="stable")
    below = np.concatenate(
        [np.zeros((len(weights), 1)), np.cumsum(weights[:, order], axis=1)], axis=1
    )
    return below[:, np.searchsorted(holdout[order], values, side=side)]


def own_values(values: np.ndarray, holdout: np.ndarray, drawn: Draws) -> np.ndarray:
    """The contribution of an example in most metrics: its value, independent of the holdout."""
    return values[None]


def shares_below(values: np.ndarray, holdout: np.ndarray, drawn: Draws) -> np.ndarray:
    """Share of the holdout below each value, ties counting half; the mean is the AUC. NaN without
    a holdout.
    """
    weights = drawn.each()
    lower = holdout_weight_below(values, holdout, weights, "left")
    upper = holdout_weight_below(values, holdout, weights, "right")
    with np.errstate(invalid="ignore"):
        return (lower + upper) / 2 / weights.sum(1, keepdims=True)


def beyond_holdout(values: np.ndarray, holdout: np.ndarray, drawn: Draws) -> np.ndarray:
    """Difference between each value and the mean of the holdout; NaN without a holdout."""
    weights = drawn.each()
    with np.errstate(invalid="ignore"):
        return values - (weights @ holdout / weights.sum(1))[:, None]


def above(quantile: float) -> Callable[[np.ndarray, np.ndarray, Draws], np.ndarray]:
    """Returns contributions that are 1 for values above a quantile of the holdout, else 0."""

    def contributions(values: np.ndarray, holdout: np.ndarray, drawn: Draws) -> np.ndarray:
        if not len(holdout):
            return np.full((1, len(values)), np.nan)
        order = np.argsort(holdout, kind="stable")
        reached = np.cumsum(drawn.each()[:, order], axis=1)
        first = (reached < quantile * reached[:, -1:] - 1e-9).sum(1)
        bounds = holdout[order][np.minimum(first, len(order) - 1)]
        return (values > bounds[:, None]).astype(float)

    percent = f"{100 * quantile:.0f}"
    contributions.__doc__ = (
        f"1 for values above the {percent}th percentile of the holdout (the smallest value that "
        f"{percent} % of it do not exceed), else 0; NaN without a holdout."
    )
    return contributions


@dataclass(frozen=True)
class Aggregate:
    """Weighted mean (sum if `summed`) of the examples' contributions, passed through `finish`.

    `contributions` takes values (n,), the holdout's values (m,) and the holdout's draws, all
    without NaN, and returns (B, n), or (1, n) if it does not depend on the holdout.
    """

    contributions: Callable[[np.ndarray, np.ndarray, Draws], np.ndarray] = own_values
    summed: bool = False
    finish: Callable[[np.ndarray], np.ndarray] | None = None

    def __call__(
        self, values: np.ndarray, drawn: Draws, holdout: np.ndarray, holdout_drawn: Draws
    ) -> np.ndarray:
        """(B,) aggregated values; a mean is NaN where the total weight is zero, a sum where no
        example was scored.
        """
        return self.by_stratum(values, drawn, np.ones((1, len(values))), holdout, holdout_drawn)[0]

    def by_stratum(
        self,
        values: np.ndarray,
        drawn: Draws,
        masks: np.ndarray,
        holdout: np.ndarray,
        holdout_drawn: Draws,
    ) -> np.ndarray:
        """(S, B) aggregated values of the strata given as rows of `masks`, (S, n)."""
        scored, known = ~np.isnan(values), ~np.isnan(holdout)
        draws, strata = drawn.only(scored), np.asarray(masks, dtype=float)[:, scored]
        parts = self.contributions(values[scored], holdout[known], holdout_drawn.only(known))
        sums = (draws.each() * parts) @ strata.T if len(parts) > 1 else draws.sums(parts * strata)
        with np.errstate(invalid="ignore", divide="ignore"):
            combined = (
                np.where(strata.any(1), sums, np.nan) if self.summed else sums / draws.sums(strata)
            )
        return (self.finish(combined) if self.finish else combined).T


mean = Aggregate()
auc = Aggregate(shares_below)


@dataclass(frozen=True)
class Metric:
    """A metric: `example` scores a sample; `splits` are the roles of the splits on which it is
    reported, each separately.

    `forms` are the answer forms that it can score. `contrast` metrics compare the split with the
    membership holdout: their `aggregate` reads the holdout, and `fit`, if any, first transforms the
    values of the forget split and the holdout. `relative` maps a model's values (n,) and the
    oracles' values on the same examples (oracles, n) to the values that are aggregated; an oracle
    is compared with the other oracles, and without oracles the metric is not reported. `better` is
    the better direction on the forget split, for most metrics "oracle": closer to the oracle is
    better.
    """

    id: str
    version: int
    example: Callable[[Sample], float]
    splits: tuple[str, ...]
    better: Literal["higher", "lower", "oracle"]
    unit: str
    source: str
    description: str
    forms: frozenset[str] = QUESTION
    needs: frozenset[str] = frozenset()  # features that a sample must have to be scored
    aggregate: Aggregate = mean
    contrast: bool = False
    fit: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]] | None = None
    relative: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None
    united: bool = False  # computed from all stages and the target's frame (see `metrics.union`)
    attacked: bool = False  # also recomputed after each attack
    on_the_way: frozenset[str] = (
        frozenset()
    )  # kinds of intermediate stages at which it is also scored: "budget", "request"
    only: str = ""  # if set, it is scored only after this attack, one of MEASURING

    def applies(
        self, stage: str, split: str, form: str, features: frozenset[str] = frozenset()
    ) -> bool:
        """Whether samples with this stage, split, form and features are scored; contrast metrics
        also score the holdout.
        """
        sort = sort_of(stage)
        recorded = recorded_stage(stage, split)
        if self.only != (recorded if recorded in MEASURING else ""):
            return False
        if (
            form not in self.forms
            or not self.needs <= features
            or (sort in (ATTACK, POINT) and not self.attacked)
            or (sort == POINT and BUDGET not in self.on_the_way)
        ):
            return False
        if sort in ON_THE_WAY and sort not in self.on_the_way:
            return False
        return split in self.splits or (self.contrast and split == MEMBERSHIP_HOLDOUT)


def plain_value(metric: Metric, values: np.ndarray, holdout: np.ndarray) -> float:
    """The metric's value on a split in which each example counts once."""
    return float(
        metric.aggregate(values, Draws.plain(len(values)), holdout, Draws.plain(len(holdout)))[0]
    )


@dataclass(frozen=True)
class Value:
    """One aggregated value with the number of examples behind it."""

    stage: str
    split: str
    metric: str
    stratum: str
    value: float
    n_scored: int
    n_failed: int


METRICS: dict[str, Metric] = {}


def register(metric: Metric) -> Metric:
    """Adds a metric to the registry; ValueError if its id is already registered."""
    if metric.id in METRICS:
        raise ValueError(f"metric {metric.id} is registered twice")
    METRICS[metric.id] = metric
    return metric
