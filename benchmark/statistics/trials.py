"""Trials on development tracks: their scores, and the learning rate that they choose.

A score is computed when the trial runs, since a trial keeps no outputs for computing it later.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from benchmark.records.identity import ORACLE, TARGET, TUNED
from benchmark.records.schema import Record, TrialScore
from benchmark.statistics.axes import AXES
from benchmark.statistics.bootstrap import REPLICATES, interval
from benchmark.statistics.variants import score_variant

_TRIAL = "trial"
UTILITY = "utility"
STOP = 0.1  # of the target's utility: a trial that keeps less destroyed the model


def trial_score(
    trial: pd.DataFrame, target: pd.DataFrame, oracles: Sequence[pd.DataFrame], budget_steps: int
) -> TrialScore:
    """Axes and score of a trial, from example frames; `oracles` are in the order of their seeds.

    All trials with the same references share their draws, so that two can be compared draw by draw.
    """
    frames = {TARGET: target, _TRIAL: trial}
    frames |= {f"{ORACLE} {seed}": frame for seed, frame in enumerate(oracles, 1)}
    roles = {TARGET: TARGET, _TRIAL: "method"}
    index = pd.DataFrame(
        [
            {
                "id": name,
                "role": roles.get(name, ORACLE),
                "method": roles.get(name, ORACLE),
                "seed": int(name.removeprefix(ORACLE)) if name not in roles else 0,
                "target": TARGET,
                "budget_steps": budget_steps,
            }
            for name in frames
        ]
    )
    scored = score_variant(index, frames, REPLICATES)
    return TrialScore.of(
        {axis: float(scored.quantity("method", axis)[0]) for axis in AXES},
        scored.quantity("method", "score"),
    )


@dataclass(frozen=True)
class Trial:
    """One learning rate of a method in a task family; `behind` is the interval (low, high) of the
    best trial's score minus this one's, on paired draws.
    """

    rate: float
    axes: Mapping[str, float]
    score: float
    low: float
    high: float
    behind: tuple[float, float]


def compared(records: Sequence[Record]) -> list[Trial]:
    """The trials of one method on one variant by rate; trials without a score are left out."""
    scored = {rate_of(r): r.trial for r in records if r.trial and has_score(r)}
    drawn = {rate: trial.replicates for rate, trial in sorted(scored.items())}
    if not drawn:
        return []
    best = max(drawn.values(), key=lambda score: score[0])
    return [
        Trial(
            rate,
            scored[rate].axes,
            float(score[0]),
            *interval(score),
            behind=interval(best - score),
        )
        for rate, score in drawn.items()
    ]


def rate_of(record: Record) -> float:
    """The learning rate that a trial tried."""
    return float(record.method.parameters[TUNED])


def has_score(record: Record) -> bool:
    """Whether a trial can be compared: it succeeded, and its score is defined."""
    return record.trial is not None and not math.isnan(record.trial.score)


def has_destroyed(record: Record) -> bool:
    """Whether a trial failed or kept less than STOP of the target's utility. Larger rates are then
    not tried; the rule is the same for every method.
    """
    return record.trial is None or not record.trial.axes[UTILITY] >= STOP


def best_of(trials: Sequence[Trial]) -> Trial:
    """The trial with the best score; of equals the smallest rate, which changes the model least."""
    return max(sorted(trials, key=lambda trial: trial.rate), key=lambda trial: trial.score)


def edge_of(trials: Sequence[Trial], rates: Sequence[float]) -> str:
    """The end of the grid `rates` at which the best trial lies, `smallest` or `largest`, else
    empty. It is never `largest` if the search stopped before the largest rate.
    """
    return {min(rates): "smallest", max(rates): "largest"}.get(best_of(trials).rate, "")
