"""Metrics of the scoring pass that read which greedy tokens are right."""

from __future__ import annotations

import numpy as np

from benchmark.metrics.base import Metric, register
from benchmark.metrics.sample import Sample


def extraction_strength(sample: Sample) -> float:
    """1 - k/T, k the least prefix length after which the greedy tokens equal the answer to its end.

    Carlini et al. 2021 as used by OpenUnlearning, but an answer whose last token is wrong scores 0, not 1/T.
    """
    correct = np.asarray(sample.correct, dtype=bool)
    if len(correct) == 0:
        raise ValueError("an answer without tokens has no extraction strength")
    wrong = np.flatnonzero(~correct)
    prefix = 0 if len(wrong) == 0 else int(wrong[-1]) + 1
    return 1 - prefix / len(correct)


def exact_memorization(sample: Sample) -> float:
    """Share of the answer's positions whose greedy token is right (Tirumala et al. 2022)."""
    if len(sample.correct) == 0:
        raise ValueError("an answer without tokens has no memorisation")
    return float(np.mean(sample.correct))


register(
    Metric(
        "extraction_strength", 1, extraction_strength, ("forget",), {"forget": "forgetting"}, "oracle", "share",
        "Carlini et al. 2021", "1 - share of the answer that must be given before greedy decoding completes it",
        attacked=True,
    )
)  # fmt: skip
register(
    Metric(
        "exact_memorization", 1, exact_memorization, ("forget",), {}, "oracle", "share", "Tirumala et al. 2022",
        "share of answer tokens that greedy decoding gets right", attacked=True,
    )
)  # fmt: skip
