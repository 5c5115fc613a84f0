"""Membership attacks by loss: can forgotten examples be told from examples that no model ever saw?

Values are AUCs: 1 means that the forget set looks like training data, 1/2 that it cannot be told from the holdout,
below 1/2 that it was forgotten more than if it had never been seen. Other suites report 1 - AUC.
"""

from __future__ import annotations

import math

import numpy as np

from benchmark.metrics.base import Metric, register
from benchmark.metrics.probability import mean_of
from benchmark.metrics.sample import Sample

MIN_K = 0.4


def mean_logprob(sample: Sample) -> float:
    """Mean log-probability of the answer's tokens: the loss attack's score (Yeom et al. 2018)."""
    return mean_of(sample.logprobs)


def min_k_logprob(sample: Sample) -> float:
    """Mean log-probability of the 40 % least likely tokens, at least one (Shi et al. 2024)."""
    kept = max(1, math.floor(MIN_K * len(sample.logprobs)))
    return mean_of(np.sort(sample.logprobs)[:kept])


register(
    Metric(
        "mia_loss", 1, mean_logprob, ("forget",), {"forget": "privacy"}, "oracle", "AUC", "Yeom et al. 2018",
        "telling forget examples from never-seen ones by loss", contrast=True,
    )
)  # fmt: skip
register(
    Metric(
        "mia_min_k", 1, min_k_logprob, ("forget",), {"forget": "privacy"}, "oracle", "AUC", "Shi et al. 2024",
        "telling forget examples from never-seen ones by their least likely tokens", contrast=True,
    )
)  # fmt: skip
