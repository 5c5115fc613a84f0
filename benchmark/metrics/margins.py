"""Margins, and divergences between the margins of two groups of models.

The margin of a token is its logit minus the log-sum-exp of all other logits, which equals
log p - log(1 - p). For each example, KLOM compares the distribution of margins over unlearned
models with the distribution over oracles (Rinberg et al. 2025).
"""

from __future__ import annotations

import numpy as np
import scipy

from benchmark.metrics.base import BOTH, Metric, register
from benchmark.metrics.probability import mean_of
from benchmark.metrics.sample import Sample

# Nats. Log-probabilities are stored with four decimals, so a larger margin is indistinguishable
# from certainty; the paper's bounds are -100 and 100.
LEAST_MARGIN, LARGEST = -100.0, 10.0
BINS = 20
LEAST = 1e-5  # smallest probability of a bin


def margin(sample: Sample) -> float:
    """Mean over the answer's tokens of log p - log(1 - p), in nats, each clipped to [-100, 10]."""
    logprobs = np.minimum(np.asarray(sample.logprobs, dtype=float), 0)
    with np.errstate(divide="ignore"):
        margins = logprobs - np.log(-np.expm1(logprobs))
    return mean_of(np.clip(margins, LEAST_MARGIN, LARGEST))


def binned_kl(model: np.ndarray, oracle: np.ndarray) -> float:
    """KL(model || oracle) in nats between histograms of margins with 20 equal bins over their joint
    range.

    Rinberg et al. 2025, section 4. Bin probabilities are at least 1e-5 and then normalized; the
    last bin includes the largest value, which the published code leaves out. NaN without values.
    """
    model, oracle = model[~np.isnan(model)], oracle[~np.isnan(oracle)]
    if not (len(model) and len(oracle)):
        return float("nan")
    return float(klom(model[:, None], oracle[:, None])[0])


def klom(models: np.ndarray, oracles: np.ndarray) -> np.ndarray:
    """(n,) `binned_kl` in nats of each example's margins, (models, n) and (oracles, n).

    Designed for a hundred models per group; with a few, most bins are empty, and the result only
    shows whether the margins overlap. `energy_distances` needs no bins.
    """
    joint = np.concatenate([models, oracles])
    edges = np.linspace(joint.min(0), joint.max(0), BINS + 1, axis=-1)
    p, q = (_shares(values, edges) for values in (models, oracles))
    return np.where(edges[:, 0] == edges[:, -1], 0.0, (p * np.log(p / q)).sum(1))


def _shares(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """(n, BINS) probabilities of values (models, n) in the bins between edges (n, BINS + 1)."""
    bins = np.minimum((values[:, :, None] >= edges).sum(2) - 1, BINS - 1)
    counts = (bins[:, :, None] == np.arange(BINS)).sum(0)
    shares = np.maximum(counts / len(values), LEAST)
    return shares / shares.sum(1, keepdims=True)


def energy_distances(models: np.ndarray, oracles: np.ndarray) -> np.ndarray:
    """(n,) energy distances (Székely & Rizzo 2013) between each example's margins, (models, n) and
    (oracles, n), in the square root of nats; NaN where a margin is NaN.
    """
    distances = []
    for model, oracle in zip(models.T, oracles.T, strict=True):
        known = not (np.isnan(model).any() or np.isnan(oracle).any())
        distances.append(scipy.stats.energy_distance(model, oracle) if known else float("nan"))
    return np.array(distances)


register(
    Metric(
        "margin",
        1,
        margin,
        ("forget",),
        "oracle",
        "nats",
        "Rinberg et al. 2025",
        "log-odds of the answer's tokens against all other tokens",
        forms=BOTH,
    )
)
