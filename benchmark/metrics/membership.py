"""Membership inference by loss: does the forget set differ from a holdout that no model saw?

An AUC of 1 means that the forget set looks like training data, 1/2 that it is indistinguishable
from the holdout, and below 1/2 that the model fits it worse than never-seen data. Other suites
report 1 - AUC.
"""

from __future__ import annotations

import math
import zlib

import numpy as np

from benchmark.metrics.base import (
    BOTH,
    TEXT,
    Aggregate,
    Draws,
    Metric,
    auc,
    holdout_weight_below,
    register,
    shares_below,
)
from benchmark.metrics.probability import TIE_DECIMALS, mean_of
from benchmark.metrics.sample import STANDARDIZED, Sample
from benchmark.metrics.stages import ON_THE_WAY

MIN_K = 0.4
FOLDS = 5


def mean_logprob(sample: Sample) -> float:
    """Mean log-probability of the answer tokens, as in the loss attack (Yeom et al. 2018)."""
    return mean_of(sample.logprobs)


def min_k_logprob(sample: Sample) -> float:
    """Mean log-probability of the 40 % least likely tokens, at least one (Shi et al. 2024)."""
    tokens = max(1, math.floor(MIN_K * len(sample.logprobs)))
    return mean_of(np.sort(sample.logprobs)[:tokens])


def min_k_pp(sample: Sample) -> float:
    """Mean of the 40 % lowest standardized log-probabilities, at least one (Zhang et al. 2025,
    eq. 3).
    """
    tokens = max(1, math.floor(MIN_K * len(sample.standardized)))
    return mean_of(np.sort(sample.standardized)[:tokens])


def zlib_ratio(sample: Sample) -> float:
    """Log-probability of the answer divided by its zlib-compressed size in bytes (Carlini et al.
    2021, section 5.2).
    """
    size = len(zlib.compress(sample.answer.encode()))
    return round(math.fsum(sample.logprobs) / size, TIE_DECIMALS)


def bits_of_rank(values: np.ndarray, holdout: np.ndarray, drawn: Draws) -> np.ndarray:
    """-log2((1 + #{r in R: nll(r) <= nll(x)}) / (1 + |R|)), where R is the holdout and nll the
    negative mean log-probability.

    Our reading of Baluta et al. 2024 after Carlini et al. 2019: 0 if every holdout sequence is at
    least as likely as x, log2(1 + |R|) if none is; NaN without a holdout.
    """
    weights = drawn.each()
    total = weights.sum(1, keepdims=True)
    likelier = total - holdout_weight_below(values, holdout, weights, "left")
    return np.where(total > 0, -np.log2((1 + likelier) / (1 + total)), np.nan)


def out_of_fold_scores(forget: np.ndarray, holdout: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each example's log-odds of belonging to the forget set, (n,) and (m,), from a logistic
    regression on the standardized value, fitted on the four of five folds that do not contain the
    example; NaN for NaN values, and for all examples if either set has fewer than 5 values.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    values = np.concatenate([forget, holdout])
    labels = np.concatenate([np.ones(len(forget), dtype=int), np.zeros(len(holdout), dtype=int)])
    known = ~np.isnan(values)
    scores = np.full(len(values), np.nan)
    if min(np.bincount(labels[known], minlength=2)) >= FOLDS:
        classifier = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced"))
        folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
        scores[known] = cross_val_predict(
            classifier, values[known, None], labels[known], cv=folds, method="decision_function"
        )
    return scores[: len(forget)], scores[len(forget) :]


def two_sided(aucs: np.ndarray) -> np.ndarray:
    """max(AUC, 1 - AUC): an attack that is always wrong is as informative as one that is always
    right.
    """
    return np.maximum(aucs, 1 - aucs)


exposures = Aggregate(bits_of_rank)
two_sided_auc = Aggregate(shares_below, finish=two_sided)

register(
    Metric(
        "mia_loss",
        1,
        mean_logprob,
        ("forget",),
        "oracle",
        "AUC",
        "Yeom et al. 2018",
        "membership inference by loss, forget set vs. holdout",
        forms=BOTH,
        aggregate=auc,
        contrast=True,
    )
)
register(
    Metric(
        "mia_min_k",
        1,
        min_k_logprob,
        ("forget",),
        "oracle",
        "AUC",
        "Shi et al. 2024",
        "membership inference by the least likely tokens (Min-K%)",
        forms=BOTH,
        aggregate=auc,
        contrast=True,
    )
)
register(
    Metric(
        "mia_min_k_pp",
        1,
        min_k_pp,
        ("forget",),
        "oracle",
        "AUC",
        "Zhang et al. 2025 (Min-K%++)",
        "membership inference by the least likely tokens, each relative to the whole vocabulary "
        "(Min-K%++)",
        forms=BOTH,
        aggregate=auc,
        contrast=True,
        needs=frozenset({STANDARDIZED}),
    )
)
register(
    Metric(
        "mia_zlib",
        1,
        zlib_ratio,
        ("forget",),
        "oracle",
        "AUC",
        "Carlini et al. 2021",
        "membership inference by loss relative to zlib-compressed size",
        forms=BOTH,
        aggregate=auc,
        contrast=True,
    )
)
register(
    Metric(
        "mia_unlearned",
        1,
        mean_logprob,
        ("forget",),
        "oracle",
        "AUC",
        "Barbulescu & Triantafillou 2024 (MIAU)",
        "membership inference by a cross-validated classifier on losses, unlearned vs. holdout "
        "texts, two-sided",
        forms=TEXT,
        aggregate=two_sided_auc,
        contrast=True,
        fit=out_of_fold_scores,
        on_the_way=ON_THE_WAY,
    )
)
register(
    Metric(
        "exposure",
        1,
        mean_logprob,
        ("forget",),
        "oracle",
        "bits",
        "Carlini et al. 2019; our reading of Baluta et al. 2024",
        "exposure: rank of a forget example among the holdout by loss, in bits",
        forms=BOTH,
        aggregate=exposures,
        contrast=True,
        on_the_way=ON_THE_WAY,
    )
)
