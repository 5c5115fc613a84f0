"""Metrics that read a stored score instead of answers or their log-probabilities: from measurements
(`attacks/measurements.py`, `attacks/judgements.py`) or from lm-evaluation-harness.
"""

from __future__ import annotations

from benchmark.metrics.base import BOTH, QUESTION, Metric, auc, register
from benchmark.metrics.sample import SCORED, Sample
from benchmark.metrics.stages import (
    COSINE_SIMILARITY,
    CROSS_LIKELIHOOD,
    ENTAILMENT,
    GRADIENT_NORM,
    HARNESS,
)


def given_score(sample: Sample) -> float:
    """The stored score of the example; ValueError if there is none."""
    if sample.score is None:
        raise ValueError("no score was given")
    return sample.score


def flatness(sample: Sample) -> float:
    """Negative gradient norm: the loss of examples that were trained on is flat."""
    return -given_score(sample)


register(
    Metric(
        "harness_accuracy",
        1,
        given_score,
        (HARNESS,),
        "higher",
        "share",
        "lm-evaluation-harness (Gao et al. 2024)",
        "accuracy on the general tasks in lm-evaluation-harness",
        forms=frozenset({""}),
        needs=frozenset({SCORED}),
    )
)
register(
    Metric(
        "mia_gradnorm",
        1,
        flatness,
        ("forget",),
        "oracle",
        "AUC",
        "Wang et al. 2024 (Pandora's White-Box)",
        "membership inference by the norm of the loss's gradient with respect to all weights",
        forms=BOTH,
        aggregate=auc,
        contrast=True,
        needs=frozenset({SCORED}),
        attacked=True,
        only=GRADIENT_NORM,
    )
)
register(
    Metric(
        "fade",
        1,
        given_score,
        ("forget",),
        "lower",
        "nats",
        "FADE (arXiv 2510.12981); our reading",
        "divergence from an oracle, on answers sampled from both models and scored under both",
        forms=QUESTION,
        needs=frozenset({SCORED}),
        attacked=True,
        only=CROSS_LIKELIHOOD,
    )
)
for name, description in (
    (COSINE_SIMILARITY, "cosine of the sentence embeddings of generation and answer, at least 0"),
    (ENTAILMENT, "share of generations that entail the answer, as an NLI model labels them"),
):
    register(
        Metric(
            name,
            1,
            given_score,
            ("forget",),
            "oracle",
            "share",
            "Yuan et al. 2024",
            description,
            forms=QUESTION,
            needs=frozenset({SCORED}),
            attacked=True,
            only=name,
        )
    )
