"""Recoveries, axes and the score: the formulas of the design's section on scores, on arrays of
replicates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmark.metrics.frames import ALL
from benchmark.metrics.stages import ATTACK, MODEL_STAGE, sort_of
from benchmark.statistics.axes import FLOOR, LEAST_GAP, LEAST_KEPT, LEAST_SHARE, TIE, axis_of
from benchmark.statistics.bootstrap import interval

Key = tuple[str, str, str, str]  # stage, split, metric, stratum
Replicated = Mapping[Key, np.ndarray]  # each (B,)


def recovery(method: np.ndarray, target: np.ndarray, oracle: np.ndarray) -> np.ndarray:
    """clip(1 - |method - oracle| / |target - oracle|, 0, 1): 0 as if nothing had been done, 1 as if
    never learned.

    NaN where target and oracle are equal: there is nothing to recover.
    """
    gap = np.abs(target - oracle)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = 1 - np.abs(method - oracle) / gap
    return np.where(gap > TIE, np.clip(value, 0, 1), np.nan)


def retention(method: np.ndarray, target: np.ndarray) -> np.ndarray:
    """min(1, method / target); NaN where the target has nothing to keep."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(target > TIE, np.clip(method / target, 0, 1), np.nan)


UNMEASURED = "without a value for the target or an oracle"


def informative(target: float, oracles: np.ndarray) -> bool:
    """Whether target and oracles differ by at least LEAST_GAP, and by no less than the oracles
    differ among themselves.
    """
    gap = abs(target - float(np.mean(oracles)))
    return bool(gap >= LEAST_GAP - TIE and gap >= float(np.ptp(oracles)))


def floored_harmonic_mean(values: list[np.ndarray], replicates: int) -> np.ndarray:
    """Harmonic mean over the list for each replicate, with values below FLOOR raised to it; NaN
    without values.

    A replicate in which one value is undefined averages the others.
    """
    if not values:
        return np.full(replicates, np.nan)
    stacked = np.maximum(np.vstack(values), FLOOR)
    defined = ~np.isnan(stacked)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(defined.any(0), defined.sum(0) / np.nansum(1 / stacked, axis=0), np.nan)


@dataclass(frozen=True)
class Scored:
    """One run of a method on a variant: the recovery or retention of each key, the axes, the score.
    Arrays are (B,); strata have only the plain value, (1,).
    """

    parts: dict[Key, np.ndarray]
    axes: dict[str, np.ndarray]
    attacks: dict[str, np.ndarray]
    score: np.ndarray


def axis_keys(keys: list[Key], axis: str, stage: str) -> list[Key]:
    """Keys of a stage that feed an axis; the axis recomputed after attacks is forgetting."""
    return [k for k in keys if k[0] == stage and k[3] == ALL and axis_of(k[2], k[1]) == axis]


def score_run(
    method: Replicated, target: Replicated, oracle: Replicated, usable: set[Key]
) -> Scored:
    """Scores one run; `oracle` is the mean of the drawn oracles, `usable` the informative keys."""
    replicates = len(next(iter(method.values())))
    missing = np.full(replicates, np.nan)
    keys = sorted(usable)

    def part_of(key: Key) -> np.ndarray:
        drawn = slice(None if key[3] == ALL else 1)  # strata feed no axis
        value, target_value = method.get(key, missing)[drawn], target[key][drawn]
        if axis_of(key[2], key[1]) == "utility":
            return retention(value, target_value)
        return recovery(value, target_value, oracle[key][drawn])

    parts = {key: part_of(key) for key in keys}

    def mean_of(axis: str, stage: str) -> np.ndarray:
        return _mean_of_all([parts[k] for k in axis_keys(keys, axis, stage)], replicates)

    axes = {axis: mean_of(axis, MODEL_STAGE) for axis in ("forgetting", "utility", "privacy")}
    attacked = sorted(
        {k[0] for k in keys if sort_of(k[0]) == ATTACK and axis_keys([k], "forgetting", k[0])}
    )
    attacks = {stage: mean_of("forgetting", stage) for stage in attacked}
    axes["robustness"] = np.min(list(attacks.values()), axis=0) if attacks else missing
    informative_axes = [
        a for a in axes if (attacks if a == "robustness" else axis_keys(keys, a, MODEL_STAGE))
    ]
    score = _score([axes[a] for a in informative_axes], replicates)
    return Scored(parts, axes, attacks, score)


def _score(axes: list[np.ndarray], replicates: int) -> np.ndarray:
    """Harmonic mean of the axes; NaN without axes, and in draws in which one is undefined: the
    others must not stand in for it.
    """
    undefined = np.isnan(axes).any(axis=0) if axes else True
    return np.where(undefined, np.nan, _mean_of_all(axes, replicates))


def forgetting_before(scored: Scored, stage: str) -> np.ndarray:
    """(B,) forgetting without an attack, by the metrics that are informative after it; NaN if one
    of them is uninformative without it.
    """
    keys = axis_keys(sorted(scored.parts), "forgetting", stage)
    missing = np.full_like(scored.score, np.nan)
    same = [scored.parts.get((MODEL_STAGE, *key[1:]), missing) for key in keys]
    return _mean_of_all(same, len(scored.score))


def _mean_of_all(values: list[np.ndarray], replicates: int) -> np.ndarray:
    """Floored harmonic mean; NaN if the run lacks a value: failures are not averaged away."""
    if any(np.isnan(v[0]) for v in values):
        return np.full(replicates, np.nan)
    return floored_harmonic_mean(values, replicates)


def told_apart(target: np.ndarray, oracles: Sequence[np.ndarray]) -> bool:
    """Whether the interval of the target minus the mean of all oracles, both (B,) over drawn
    entities, excludes 0.

    Proxy references are one model asked three times and hardly differ among themselves, so
    variation over entities must count too. True without draws: the other rule decides by the plain
    estimates.
    """
    low, high = interval(target - np.mean(oracles, axis=0))
    return not low <= 0 <= high


def asks_enough(key: Key, sizes: Mapping[Key, int]) -> bool:
    """Whether a key belongs to no attack, or to one that covers at least LEAST_SHARE of the forget
    set; `sizes` is the number of examples behind each key.
    """
    stage, split, metric, _ = key
    if sort_of(stage) != ATTACK or split != "forget":
        return True
    asked, whole = (sizes.get((s, split, metric, ALL), 0) for s in (stage, MODEL_STAGE))
    return asked >= LEAST_SHARE * whole - TIE


def reason_against(key: Key, target: Replicated, oracles: Sequence[Replicated]) -> str:
    """Why one of the target's keys is uninformative by either rule, "" if it is informative.
    Utility depends on the target alone, and is informative if the target has at least LEAST_KEPT.
    """
    if any(key not in oracle for oracle in oracles):
        return UNMEASURED  # proxies of mixed answer forms may be scored differently
    value, at_oracles = float(target[key][0]), np.array([oracle[key][0] for oracle in oracles])
    if axis_of(key[2], key[1]) == "utility":
        return "" if value >= LEAST_KEPT - TIE else f"the target scores below {LEAST_KEPT:g}"
    if np.isnan(value) or np.isnan(at_oracles).any():
        return UNMEASURED
    if abs(value - float(np.mean(at_oracles))) < LEAST_GAP - TIE:
        return f"target and oracles differ by less than {LEAST_GAP:g}"
    if not informative(value, at_oracles):
        return "target and oracles differ by less than the spread among the oracles"
    if not told_apart(target[key], [oracle[key] for oracle in oracles]):
        return "the interval of the difference over entities contains 0"
    return ""
