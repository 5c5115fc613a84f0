"""Metrics that compare a whole model with oracles, or summarize it in one number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import scipy

# The nine components of TOFU's model utility, with its retain set, real authors and world facts
# mapped to this suite's splits.
MODEL_UTILITY = (
    ("probability", "retain"),
    ("rouge_l_recall", "retain"),
    ("truth_ratio_utility", "retain"),
    ("choice_probability", "neighbors"),
    ("rouge_l_recall", "neighbors"),
    ("truth_ratio_utility", "neighbors"),
    ("choice_probability", "general"),
    ("rouge_l_recall", "general"),
    ("truth_ratio_utility", "general"),
)


# Model-level metrics: (better direction, unit, version).
SUMMARIES: dict[str, tuple[Literal["higher", "lower", "oracle"], str, int]] = {
    "forget_quality": ("higher", "p-value", 2),
    "forget_quality_ks": ("lower", "KS statistic", 2),
    "model_utility": ("higher", "harmonic mean", 1),
    "privleak": ("oracle", "relative difference", 1),
    "margin_kl": ("lower", "nats", 1),
    "unlearning_depth": ("higher", "share", 1),
    "unlearning_depth_least": ("higher", "share", 1),
    "unlearning_depth_most": ("higher", "share", 1),
}


def forget_quality(model: np.ndarray, oracles: Sequence[np.ndarray]) -> tuple[float, float]:
    """(p-value, statistic) of two-sample Kolmogorov-Smirnov tests between the truth ratios of the
    model and of each oracle, averaged over oracles.

    Maini et al. 2024, section 2.2.2. The p-value depends on n: never compare it across sample
    sizes. NaN values are dropped; without any value or oracle both results are NaN.
    """
    model = model[~np.isnan(model)]
    results = [
        scipy.stats.ks_2samp(model, o[~np.isnan(o)])
        for o in oracles
        if len(model) and (~np.isnan(o)).any()
    ]
    if not results:
        return float("nan"), float("nan")
    return float(np.mean([r.pvalue for r in results])), float(
        np.mean([r.statistic for r in results])
    )


def harmonic_mean(values: Sequence[float] | np.ndarray) -> float:
    """Harmonic mean of the values; 0 if any is at most 0, NaN if there are none or one is NaN."""
    array = np.asarray(values, dtype=float)
    if array.size == 0 or np.isnan(array).any():
        return float("nan")
    return 0.0 if (array <= 0).any() else float(array.size / np.sum(1 / array))


def model_utility(values: Mapping[tuple[str, str], float]) -> float:
    """TOFU's model utility: the harmonic mean of its nine components; NaN if one is missing."""
    return harmonic_mean([values.get(component, float("nan")) for component in MODEL_UTILITY])


def privacy_leakage(auc: float, oracles: Sequence[float]) -> float:
    """MUSE's PrivLeak as a share, not in percent: (A - A_oracle) / A_oracle, where A_oracle is the
    mean over oracles (Shi et al. 2024, section 3.1).

    A is 1 - AUC of Min-40%, since MUSE ranks by loss. PrivLeak is about -1 for a model that still
    knows everything, 0 for an oracle, above 0 if unlearning went too far; NaN if A_oracle is 0.
    """
    expected = 1 - float(np.mean(oracles))
    return (1 - auc - expected) / expected if expected else float("nan")
