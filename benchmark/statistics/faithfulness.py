"""How reliably a metric separates models that know the forget set from models that do not.

Suite `meta` trains two pools of models for this: some know the facts, in one form or another, and
some do not. Faithfulness is the AUC with which one number, the metric on the whole forget set or on
a stratum, separates the pools (OpenUnlearning 2025, section 5; UDS 2026). Models are resampled
within their pool.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from benchmark.metrics.patching import DEPTHS
from benchmark.statistics.bootstrap import REPLICATES, SEED, interval
from benchmark.statistics.scores import floored_harmonic_mean

# Metrics that are lower where more is known; for all others, higher means more is known.
LOWER_IF_KNOWN = frozenset({"truth_ratio", "forget_quality", "privleak", *DEPTHS})
# How a generation reads, not what it reveals: no value of these means that more is known.
QUALITY = frozenset({"token_entropy", "repetition", "fluency"})
SMALL = 1e-6  # in denominators, as in the published code


@dataclass(frozen=True)
class Faithfulness:
    """AUC with its interval, and the threshold that best separates the two pools with its balanced
    accuracy, all for values oriented so that larger means more is known.
    """

    auc: float
    low: float
    high: float
    threshold: float
    accuracy: float


def oriented(metric: str, values: Iterable[float]) -> np.ndarray:
    """(n,) values oriented so that larger means more is known."""
    sign = -1 if metric in LOWER_IF_KNOWN else 1
    return sign * np.asarray(list(values), dtype=float)


def faithfulness(knows: np.ndarray, ignorant: np.ndarray) -> Faithfulness:
    """Faithfulness from oriented values of models that know, (n,), and models that do not, (m,);
    ValueError if a pool is empty or a value is missing.
    """
    if not (len(knows) and len(ignorant)) or np.isnan([*knows, *ignorant]).any():
        raise ValueError("both pools need models, each with a value")
    rng = np.random.default_rng(SEED)
    wins = np.greater.outer(knows, ignorant) + 0.5 * np.equal.outer(knows, ignorant)
    drawn = [_draws(len(pool), rng) for pool in (knows, ignorant)]
    aucs = np.einsum("bn,nm,bm->b", drawn[0], wins, drawn[1]) / wins.size
    low, high = interval(aucs)
    threshold, accuracy = best_threshold(knows, ignorant)
    return Faithfulness(float(aucs[0]), low, high, threshold, accuracy)


def _draws(count: int, rng: np.random.Generator) -> np.ndarray:
    """How often each replicate draws each model: (REPLICATES + 1, count), once each in row 0."""
    drawn = rng.multinomial(count, np.full(count, 1 / count), size=REPLICATES)
    return np.vstack([np.ones((1, count)), drawn])


def best_threshold(knows: np.ndarray, ignorant: np.ndarray) -> tuple[float, float]:
    """The best threshold and its balanced accuracy. Candidates lie halfway between neighbouring
    values and beyond both ends; values above the threshold count as known.

    Of equally good thresholds the middle one is returned, so that a wide gap is split evenly.
    """
    values = np.unique([*knows, *ignorant])
    cuts = np.array([values[0] - 1, *(values[1:] + values[:-1]) / 2, values[-1] + 1])
    known = (knows[None] > cuts[:, None]).mean(1)
    passed = (ignorant[None] <= cuts[:, None]).mean(1)
    accuracies = (known + passed) / 2
    best = np.flatnonzero(accuracies >= accuracies.max() - 1e-12)
    chosen = best[len(best) // 2]
    return float(cuts[chosen]), float(accuracies[chosen])


@dataclass(frozen=True)
class Attacked:
    """Oriented values of a metric before and after an attack, for unlearned models, (n,), and their
    oracles, (n,).
    """

    before: np.ndarray
    after: np.ndarray
    oracle_before: np.ndarray
    oracle_after: np.ndarray


def relearning_one_sided(values: Attacked) -> np.ndarray:
    """(n,) min((oracle's gain) / (model's gain), 1): 1 where relearning restores no more than it
    teaches the oracle (OpenUnlearning 2025, eq. 2), and for a model that gains nothing.
    """
    gain = values.after - values.before
    expected = np.clip(values.oracle_after - values.oracle_before, 0, None)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(gain > SMALL, np.minimum(expected / gain, 1), 1.0)


def quantization_one_sided(values: Attacked) -> np.ndarray:
    """(n,) min(before / after, 1): 1 where quantization restores nothing (OpenUnlearning 2025, eq.
    3). The metric must not be negative.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(values.after > SMALL, np.clip(values.before / values.after, 0, 1), 1.0)


def relearning_symmetric(values: Attacked) -> np.ndarray:
    """(n,) 1 - |D_u - D_r| / (|D_u| + |D_r|) for the gains D of model and oracle (UDS 2026)."""
    gain = values.after - values.before
    return _alike(gain, values.oracle_after - values.oracle_before)


def quantization_symmetric(values: Attacked) -> np.ndarray:
    """(n,) 1 - |after - before| / (|after| + |before|) (UDS 2026)."""
    return _alike(values.after, values.before)


def _alike(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    apart = np.abs(one - other) / (np.abs(one) + np.abs(other) + SMALL)
    return 1 - np.clip(apart, 0, 1)


ONE_SIDED = {"relearning": relearning_one_sided, "quantization": quantization_one_sided}
SYMMETRIC = {"relearning": relearning_symmetric, "quantization": quantization_symmetric}


def robustness(attacked: Mapping[str, Attacked], symmetric: bool) -> float:
    """Harmonic mean over attacks of the mean over models, by one of the published formulas."""
    formulas = SYMMETRIC if symmetric else ONE_SIDED
    return harmonic(float(formulas[name](values).mean()) for name, values in attacked.items())


def harmonic(values: Iterable[float]) -> float:
    """Harmonic mean of numbers, small ones raised to FLOOR; NaN without numbers."""
    return float(floored_harmonic_mean([np.array([v]) for v in values], 1)[0])
