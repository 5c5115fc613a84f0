"""Membership inference with reference models that never saw the example: the oracles.

A loss says little if examples differ in difficulty. These attacks correct for difficulty by the
oracles' loss on each example; never-seen examples (the holdout) are the population. An oracle is
compared with the other oracles, so its AUC should be 1/2.
"""

from __future__ import annotations

import numpy as np

from benchmark.metrics.base import BOTH, Aggregate, Metric, above, auc, register
from benchmark.metrics.membership import mean_logprob
from benchmark.metrics.probability import TIE_DECIMALS, probability

OFFLINE = 0.3  # RMIA's parameter a, at its default
FALSE_POSITIVES = 0.01

tpr = Aggregate(above(1 - FALSE_POSITIVES))


def likelihood_ratios(values: np.ndarray, oracles: np.ndarray) -> np.ndarray:
    """p(x) / p_r(x), (n,), from the model's probabilities p (n,) and the oracles' (k, n):
    p_r = ((1 + a) mean p_oracle + 1 - a) / 2 with a = 0.3. The oracles serve as RMIA's reference
    models, which never saw x.

    RMIA's score of x is the share of the population whose ratio is lower (Zarifzadeh et al. 2024,
    eqs. 2, 3 and 12, gamma 1). With ties counted half, it ranks members and population (here the
    negatives) in the same order as the ratio, so the AUC and the true positive rate are the same.
    """
    expected = ((1 + OFFLINE) * oracles.mean(0) + 1 - OFFLINE) / 2
    return np.round(values / expected, TIE_DECIMALS)


def calibrated_logprobs(values: np.ndarray, oracles: np.ndarray) -> np.ndarray:
    """Mean log-probability minus its mean over the oracles, (n,), in nats (Watson et al. 2022,
    section 3: difficulty calibration).
    """
    return np.round(values - oracles.mean(0), TIE_DECIMALS)


register(
    Metric(
        "rmia",
        1,
        probability,
        ("forget",),
        "oracle",
        "AUC",
        "Zarifzadeh et al. 2024 (RMIA)",
        "membership inference by likelihood ratio against the oracles",
        forms=BOTH,
        aggregate=auc,
        contrast=True,
        relative=likelihood_ratios,
    )
)
register(
    Metric(
        "rmia_tpr",
        1,
        probability,
        ("forget",),
        "oracle",
        "share",
        "Zarifzadeh et al. 2024 (RMIA); Carlini et al. 2022",
        "true positive rate of RMIA at 1 % false positives: share of forget examples above 99 % of "
        "the holdout (1 % of which is often a single example)",
        forms=BOTH,
        aggregate=tpr,
        contrast=True,
        relative=likelihood_ratios,
    )
)
register(
    Metric(
        "mia_reference",
        1,
        mean_logprob,
        ("forget",),
        "oracle",
        "AUC",
        "Carlini et al. 2021; Watson et al. 2022",
        "membership inference by loss relative to the oracles' mean loss",
        forms=BOTH,
        aggregate=auc,
        contrast=True,
        relative=calibrated_logprobs,
    )
)
