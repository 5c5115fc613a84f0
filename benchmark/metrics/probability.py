"""Metrics of the scoring pass that read probabilities of whole answers."""

from __future__ import annotations

import math

import numpy as np

from benchmark.metrics.base import BOTH, KEPT, KNOWLEDGE, Metric, register
from benchmark.metrics.sample import Sample
from benchmark.metrics.stages import ON_THE_WAY, REQUEST

TIE = 1e-9  # nats between what counts as equally likely
TIE_DECIMALS = 9  # far below the precision of log-probabilities, far above that of a sum


def mean_of(logprobs: np.ndarray) -> float:
    """Mean over an answer's tokens; an answer without tokens is a ValueError.

    Rounded to TIE_DECIMALS places, so that equal means tie where examples are ranked. Answers have
    a handful of tokens, for which numpy's own mean is ten times slower.
    """
    if len(logprobs) == 0:
        raise ValueError("an answer without tokens has no probability")
    return round(math.fsum(logprobs) / len(logprobs), TIE_DECIMALS)


def normalized_probability(logprobs: np.ndarray) -> float:
    """exp(mean log-probability of the T answer tokens); an answer without tokens is a
    ValueError.
    """
    return math.exp(mean_of(logprobs))


def probability(sample: Sample) -> float:
    """Length-normalised probability of the answer to the prompt as trained."""
    return normalized_probability(sample.logprobs)


def paraphrased_probability(sample: Sample) -> float:
    """Mean length-normalised probability of the answer over the held-out prompts; NaN without
    any.
    """
    if not sample.paraphrase_logprobs:
        return float("nan")
    return math.fsum(map(normalized_probability, sample.paraphrase_logprobs)) / len(
        sample.paraphrase_logprobs
    )


def choice_probability(sample: Sample) -> float:
    """p(y) / (p(y) + sum of p(perturbed)), all length-normalised, under the first held-out
    prompt.
    """
    right, wrong = _right_and_wrong(sample)
    return (
        float(right / (right + wrong.sum()))
        if len(wrong) and right + wrong.sum() > 0
        else float("nan")
    )


def choice_accuracy(sample: Sample) -> float:
    """Whether the right choice has the highest length-normalised probability of all, as in
    lm-evaluation-harness's acc_norm but by tokens instead of bytes.

    Of k choices that are likeliest alike, the right one among them, it is 1/k. NaN without another
    choice.
    """
    if not (sample.paraphrase_logprobs and sample.perturbed_logprobs):
        return float("nan")
    right = mean_of(sample.paraphrase_logprobs[0])
    others = [mean_of(wrong) for wrong in sample.perturbed_logprobs]
    ties = sum(math.isclose(right, other, abs_tol=TIE) for other in others)
    beaten = all(other < right + TIE for other in others)
    return 1 / (1 + ties) if beaten else 0.0


def truth_ratio_raw(sample: Sample) -> float:
    """R = geometric mean of p(perturbed) over p(answer), length-normalised, under the first
    held-out prompt.

    Maini et al. 2024 ask the question as trained and paraphrase the answer; where the answer is a
    name, the question is what can be paraphrased. NaN without held-out prompt or perturbed answers.
    """
    if not (sample.paraphrase_logprobs and sample.perturbed_logprobs):
        return float("nan")
    right = mean_of(sample.paraphrase_logprobs[0])
    wrong = math.fsum(map(mean_of, sample.perturbed_logprobs)) / len(sample.perturbed_logprobs)
    return math.exp(min(max(wrong - right, -700), 700))


def truth_ratio(sample: Sample) -> float:
    """min(R, 1/R): 0 where the model is sure of either side, 1 where it cannot tell."""
    ratio = truth_ratio_raw(sample)
    return min(ratio, 1 / ratio) if ratio == ratio else ratio


def truth_ratio_cw(sample: Sample) -> float:
    """c/(c+w) = 1/(1+R): 1 where the model prefers the truth, 1/2 where it cannot tell."""
    return 1 / (1 + truth_ratio_raw(sample))


def truth_ratio_utility(sample: Sample) -> float:
    """max(0, 1-R), the form that TOFU's model utility uses."""
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
        "length-normalised probability of the answer to the prompt as trained, or of a text",
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
        "length-normalised probability of the answer under held-out wordings",
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
        "probability of the answer against the perturbed ones",
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
        "min(R, 1/R) of the truth ratio R",
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
        "c/(c+w) form of the truth ratio",
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
        "max(0, 1-R) of the truth ratio R",
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
        "multiple choices of which the right one is the likeliest",
        forms=frozenset({"choice"}),
        attacked=True,
        on_the_way=frozenset({REQUEST}),
    )
)
