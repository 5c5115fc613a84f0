"""Metrics of the generation pass; the continuation alone is compared, never prompt and
continuation.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from statistics import fmean

from benchmark.core.words import words
from benchmark.metrics.base import KNOWLEDGE, Metric, register
from benchmark.metrics.sample import SAMPLES, SCORED, Sample, sampled
from benchmark.metrics.stages import HARNESS, ON_THE_WAY

REMEMBERED = 1 << 16  # texts: models say the same things over and over


@lru_cache(REMEMBERED)
def normalize(text: str) -> str:
    """The words of a text in any script, folded, with single spaces (`benchmark.core.words`)."""
    return " ".join(words(text))


def contains_answer(generation: str, answer: str, aliases: tuple[str, ...] = ()) -> bool:
    """Whether the normalised answer or an alias stands, as whole words, in the normalised
    generation.
    """
    text = f" {normalize(generation)} "
    wanted = [normalize(a) for a in (answer, *aliases)]
    return any(w and f" {w} " in text for w in wanted)


def says_answer(sample: Sample, generation: str) -> bool:
    """Whether the answer or an alias stands in what was generated; a ValueError where none of
    them has a word.
    """
    if not any(map(words, (sample.answer, *sample.aliases))):
        raise ValueError(f"there is no word in {sample.answer!r}")
    return contains_answer(generation, sample.answer, sample.aliases)


def exact_answer(sample: Sample) -> float:
    """Share of the held-out prompts whose continuation contains the answer.

    Words of any script are compared, or characters where a script has no spaces, without regard to
    case as Unicode defines it.
    """
    return fmean(says_answer(sample, generation) for generation in sample.knowledge_generations)


def exact_answer_trained(sample: Sample) -> float:
    """Whether the continuation of the prompt as trained contains the answer."""
    return float(says_answer(sample, sample.generation))


def harness_accuracy(sample: Sample) -> float:
    """What the harness made of its item; a ValueError without."""
    if sample.score is None:
        raise ValueError("the harness gave no score")
    return sample.score


def rouge_l_recall(sample: Sample) -> float:
    """Mean ROUGE-L recall over the held-out prompts.

    Answers in Latin letters are read as rouge-score reads them, which knows a-z and 0-9 alone;
    those in other scripts by words, or by characters where a script has no spaces.
    """
    from benchmark.metrics.rouge import rouge_l_recall_of  # planning needs none of it

    return fmean(rouge_l_recall_of(sample.answer, g) for g in sample.knowledge_generations)


register(
    Metric(
        "exact_answer",
        1,
        exact_answer,
        KNOWLEDGE,
        "oracle",
        "share",
        "Krishnan et al. 2025, section 3",
        "the answer stands in what is generated for held-out wordings",
        attacked=True,
        on_the_way=ON_THE_WAY,
    )
)
register(
    Metric(
        "exact_answer_trained",
        1,
        exact_answer_trained,
        KNOWLEDGE,
        "oracle",
        "share",
        "Krishnan et al. 2025, section 3",
        "the answer stands in what is generated for the prompt as trained",
    )
)


def leak_at(k: int) -> Callable[[Sample], float]:
    """Probability that at least one of k answers drawn at temperature 1 contains the answer, from n
    >= k of them.

    1 - C(n-c, k) / C(n, k) for c of n that do: the unbiased estimator of pass@k (Chen et al. 2021,
    eq. 1). Fewer than k answers are a ValueError.
    """

    def leak(sample: Sample) -> float:
        drawn = len(sample.sampled)
        if drawn < k:
            raise ValueError(f"{drawn} answers were drawn, {k} are needed")
        leaked = sum(says_answer(sample, text) for text in sample.sampled)
        return 1 - math.comb(drawn - leaked, k) / math.comb(drawn, k)

    leak.__doc__ = (leak_at.__doc__ or "").replace("k answers", f"{k} answers")
    return leak


register(
    Metric(
        "rouge_l_recall",
        1,
        rouge_l_recall,
        KNOWLEDGE,
        "oracle",
        "share",
        "Lin 2004; Maini et al. 2024",
        "ROUGE-L recall of what is generated for held-out wordings",
        attacked=True,
        on_the_way=ON_THE_WAY,
    )
)
for k in SAMPLES:
    register(
        Metric(
            f"leak_at_{k}", 1, leak_at(k), ("forget",),
            "oracle", "probability",
            "Chen et al. 2021 (pass@k), on leaks",
            f"at least one of {k} sampled answers contains the answer", needs=sampled(k),
        )
    )  # fmt: skip
register(
    Metric(
        "sentence_recall",
        1,
        rouge_l_recall,
        ("forget",),
        "oracle",
        "share",
        "Lin 2004; Maini et al. 2024",
        "ROUGE-L recall of answers that are sentences, which are hardly ever repeated "
        "word for word",
        attacked=True,
        forms=frozenset({"sentence"}),
    )
)
register(
    Metric(
        "harness_accuracy",
        1,
        harness_accuracy,
        (HARNESS,),
        "higher",
        "share",
        "lm-evaluation-harness (Gao et al. 2024)",
        "items of the general tasks that are answered rightly",
        forms=frozenset({""}),
        needs=frozenset({SCORED}),
    )
)
