"""Metrics of the scoring pass that are based on the probabilities of whole answers."""

from __future__ import annotations

import math

import numpy as np

from benchmark.metrics.base import BOTH, KEPT, KNOWLEDGE, Metric, register
from benchmark.metrics.sample import Sample
from benchmark.metrics.stages import ON_THE_WAY, REQUEST, TRUE_FALSE

TIE = 1e-9  # nats: log-probabilities closer than this count as equal
TIE_DECIMALS = 9  # far finer than stored log-probabilities, far coarser than errors of summation


def mean_of(logprobs: np.ndarray) -> float:
    """Mean over an answer's tokens; ValueError if there are none.

    Rounded to TIE_DECIMALS places, so that equal means tie when examples are ranked. Answers have
    few tokens, for which numpy's mean is ten times slower.
    """
    if len(logprobs) == 0:
        raise ValueError("an answer without tokens has no probability")
    return round(math.fsum(logprobs) / len(logprobs), TIE_DECIMALS)


def normalized_probability(logprobs: np.ndarray) -> float:
    """exp(mean log-probability of the T answer tokens); ValueError if there are none."""
    return math.exp(mean_of(logprobs))


def probability(sample: Sample) -> float:
    """Length-normalized probability of the answer given the training prompt."""
    return normalized_probability(sample.logprobs)


def paraphrased_probability(sample: Sample) -> float:
    """Mean length-normalized probability of the answer over the held-out prompts; NaN if there are
    none.
    """
    if not sample.paraphrase_logprobs:
        return float("nan")
    return math.fsum(map(normalized_probability, sample.paraphrase_logprobs)) / len(
        sample.paraphrase_logprobs
    )


def choice_probability(sample: Sample) -> float:
    """p(answer) / (p(answer) + sum of p(perturbed)), length-normalized, under the first held-out
    prompt; NaN without a held-out prompt or perturbed answers.
    """
    right, wrong = _right_and_wrong(sample)
    return (
        float(right / (right + wrong.sum()))
        if len(wrong) and right + wrong.sum() > 0
        else float("nan")
    )


def choice_accuracy(sample: Sample) -> float:
    """Whether the correct choice has the highest length-normalized probability, as in
    lm-evaluation-harness's acc_norm but normalized by tokens instead of characters.

    1/k if k choices, including the correct one, tie for the highest. NaN without a held-out prompt
    or another choice.
    """
    if not (sample.paraphrase_logprobs and sample.perturbed_logprobs):
        return float("nan")
    right = mean_of(sample.paraphrase_logprobs[0])
    others = [mean_of(wrong) for wrong in sample.perturbed_logprobs]
    ties = sum(math.isclose(right, other, abs_tol=TIE) for other in others)
    beaten = all(other < right + TIE for other in others)
    return 1 / (1 + ties) if beaten else 0.0


def truth_ratio_raw(sample: Sample) -> float:
    """R = (geometric mean of p(perturbed)) / p(answer), length-normalized, under the first held-out
    prompt.

    Maini et al. 2024 use the training question and a paraphrased answer; if the answer is a name,
    only the question can be paraphrased. NaN without a held-out prompt or perturbed answers.
    """
    if not (sample.paraphrase_logprobs and sample.perturbed_logprobs):
        return float("nan")
    right = mean_of(sample.paraphrase_logprobs[0])
    wrong = math.fsum(map(mean_of, sample.perturbed_logprobs)) / len(sample.perturbed_logprobs)
    return math.exp(min(max(wrong - right, -700), 700))


def truth_ratio(sample: Sample) -> float:
    """min(R, 1/R): 0 if the model clearly prefers the correct or the perturbed answers, 1 if it has
    no preference.
    """
    ratio = truth_ratio_raw(sample)
    return min(ratio, 1 / ratio) if ratio == ratio else ratio


def truth_ratio_cw(sample: Sample) -> float:
    """1 / (1 + R): 1 if the model prefers the correct answer, 1/2 if it has no preference."""
    return 1 / (1 + truth_ratio_raw(sample))


def truth_ratio_utility(sample: Sample) -> float:
    """max(0, 1 - R), the form used in TOFU's model utility."""
    ratio = truth_ratio_raw(sample)
    return max(0.0, 1 - ratio) if ratio == ratio else ratio


def _right_and_wrong(sample: Sample) -> tuple[float, np.ndarray]:
    if not sample.paraphrase_logprobs:
        return float("nan"), np.zeros(0)
    right = normalized_probability(sample.paraphrase_logprobs[0])
    return right, np.array([normalized_probability(lp) for lp in sample.perturbed_logprobs])


TOFU = "Maini et al. 2024 (TOFU), section 2.2"

register(
    Metric(
        "probability",
        1,
        probability,
        KNOWLEDGE,
        "oracle",
        "probability",
        TOFU,
        "length-normalized probability of the answer given the training prompt, or of a text",
        forms=BOTH,
        on_the_way=ON_THE_WAY,
    )
)
register(
    Metric(
        "paraphrased_probability",
        1,
        paraphrased_probability,
        KNOWLEDGE,
        "oracle",
        "probability",
        "Krishnan et al. 2025, section 3",
        "length-normalized probability of the answer under held-out paraphrases",
        attacked=True,
        on_the_way=ON_THE_WAY,
    )
)
register(
    Metric(
        "choice_probability",
        1,
        choice_probability,
        KNOWLEDGE,
        "oracle",
        "probability",
        TOFU,
        "probability of the answer relative to the perturbed answers",
        on_the_way=frozenset({REQUEST}),
    )
)
register(
    Metric(
        "truth_ratio",
        1,
        truth_ratio,
        ("forget",),
        "oracle",
        "ratio",
        TOFU,
        "truth ratio R as min(R, 1/R)",
        attacked=True,
    )
)
register(
    Metric(
        "truth_ratio_cw",
        1,
        truth_ratio_cw,
        ("forget",),
        "oracle",
        "ratio",
        TOFU,
        "truth ratio in the form c/(c+w)",
        attacked=True,
    )
)
register(
    Metric(
        "truth_ratio_utility",
        1,
        truth_ratio_utility,
        KEPT,
        "higher",
        "ratio",
        TOFU,
        "truth ratio R as max(0, 1-R)",
        on_the_way=frozenset({REQUEST}),
    )
)
register(
    Metric(
        "choice_accuracy",
        1,
        choice_accuracy,
        KNOWLEDGE,
        "oracle",
        "share",
        "Brown et al. 2020 (GPT-3), section 2.4; Gao et al. 2024 (lm-evaluation-harness)",
        "multiple-choice accuracy by length-normalized probability",
        forms=frozenset({"choice"}),
        attacked=True,
        on_the_way=frozenset({REQUEST}),
    )
)
register(
    Metric(
        "true_false",
        1,
        choice_accuracy,
        ("forget",),
        "oracle",
        "share",
        "Lynch et al. 2024; our balance of true and false statements",
        "accuracy of judging statements, half of which are true, by length-normalized probability",
        attacked=True,
        only=TRUE_FALSE,
    )
)
