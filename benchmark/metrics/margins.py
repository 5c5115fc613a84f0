"""Margins, and how far the margins of two groups of models are apart.

The margin of a token is its logit less the log of the summed exponentials of all others, which is
log p - log(1 - p). KLOM compares, example by example, its distribution over unlearned models with
that over oracles (Rinberg et al. 2025).
"""

from __future__ import annotations

import numpy as np
import scipy

from benchmark.metrics.base import BOTH, Metric, register
from benchmark.metrics.probability import mean_of
from benchmark.metrics.sample import Sample

# Nats. Log-probabilities are stored to ten-thousandths, so that a larger margin cannot be told from
# certainty; the paper's bounds are -100 and 100.
LEAST_MARGIN, LARGEST = -100.0, 10.0
BINS = 20
LEAST = 1e-5  # probability of a bin


def margin(sample: Sample) -> float:
    """Mean over the answer's tokens of log p - log(1 - p), in nats, each cut at -100 and 10."""
    logprobs = np.minimum(np.asarray(sample.logprobs, dtype=float), 0)
    with np.errstate(divide="ignore"):
        margins = logprobs - np.log(-np.expm1(logprobs))
    return mean_of(np.clip(margins, LEAST_MARGIN, LARGEST))


def binned_kl(model: np.ndarray, oracle: np.ndarray) -> float:
    """KL(model || oracle) in nats between histograms of margins with 20 equal bins on their joint
    range.

    Rinberg et al. 2025, section 4. Probabilities of bins are raised to 1e-5 and normalized; the
    largest value belongs to the last bin, which the published code leaves out. NaN without values.
    """
    model, oracle = model[~np.isnan(model)], oracle[~np.isnan(oracle)]
    if not (len(model) and len(oracle)):
        return float("nan")
    return float(klom(model[:, None], oracle[:, None])[0])


def klom(models: np.ndarray, oracles: np.ndarray) -> np.ndarray:
    """`binned_kl` of margins (models, n) and (oracles, n), example by example: (n,) in nats.

    Made for a hundred models of each; with a few, most bins are empty, and all that it says is
    whether the margins overlap. `energy_distances` needs no bins.
    """
    joint = np.concatenate([models, oracles])
    edges = np.linspace(joint.min(0), joint.max(0), BINS + 1, axis=-1)
    p, q = (_shares(values, edges) for values in (models, oracles))
    return np.where(edges[:, 0] == edges[:, -1], 0.0, (p * np.log(p / q)).sum(1))


def _shares(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """(n, BINS) probabilities of the bins between edges (n, BINS + 1), over values (models, n)."""
    bins = np.minimum((values[:, :, None] >= edges).sum(2) - 1, BINS - 1)
    counts = (bins[:, :, None] == np.arange(BINS)).sum(0)
    shares = np.maximum(counts / len(values), LEAST)
    return shares / shares.sum(1, keepdims=True)


def energy_distances(models: np.ndarray, oracles: np.ndarray) -> np.ndarray:
    """Energy distance (Székely & Rizzo 2013) of margins (models, n) and (oracles, n), example by
    example: (n,) in the square root of nats. NaN where a margin is.
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
