"""Metrics of the generation pass; only the generated text is compared, never the prompt."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from statistics import fmean

from benchmark.core.words import words
from benchmark.metrics.base import KNOWLEDGE, Metric, register
from benchmark.metrics.sample import SAMPLES, Sample, sampled
from benchmark.metrics.stages import ON_THE_WAY

REMEMBERED = 1 << 16  # cached texts: many generations are identical


@lru_cache(REMEMBERED)
def normalize(text: str) -> str:
    """The case-folded words of a text in any script, joined by spaces (`benchmark.core.words`)."""
    return " ".join(words(text))


def contains_answer(generation: str, answer: str, aliases: tuple[str, ...] = ()) -> bool:
    """Whether the normalized generation contains the answer or an alias as whole words."""
    text = f" {normalize(generation)} "
    wanted = [normalize(a) for a in (answer, *aliases)]
    return any(w and f" {w} " in text for w in wanted)


def says_answer(sample: Sample, generation: str) -> bool:
    """Whether the generation contains the answer or an alias; ValueError if neither the answer nor
    any alias contains a word.
    """
    if not any(map(words, (sample.answer, *sample.aliases))):
        raise ValueError(f"there is no word in {sample.answer!r}")
    return contains_answer(generation, sample.answer, sample.aliases)


def exact_answer(sample: Sample) -> float:
    """Share of held-out prompts whose generation contains the answer.

    Matching is by words, or by characters in scripts without spaces, and ignores case as defined by
    Unicode.
    """
    return fmean(says_answer(sample, generation) for generation in sample.knowledge_generations)


def exact_answer_trained(sample: Sample) -> float:
    """Whether the generation for the training prompt contains the answer."""
    return float(says_answer(sample, sample.generation))


def rouge_l_recall(sample: Sample) -> float:
    """Mean ROUGE-L recall, which ignores additional text, over the held-out prompts.

    Answers in Latin script are tokenized as in rouge-score, which keeps only a-z and 0-9; answers
    in other scripts are split into words, or into characters in scripts without spaces.
    """
    from benchmark.metrics.rouge import rouge_l  # slow to import, and not needed for planning

    return fmean(rouge_l(sample.answer, g).recall for g in sample.knowledge_generations)


def rouge_l_f1(sample: Sample) -> float:
    """Mean ROUGE-L F1 over the held-out prompts, tokenized as for `rouge_l_recall`."""
    from benchmark.metrics.rouge import rouge_l

    return fmean(rouge_l(sample.answer, g).fmeasure for g in sample.knowledge_generations)


register(
    Metric(
        "exact_answer",
        1,
        exact_answer,
        KNOWLEDGE,
        "oracle",
        "share",
        "Krishnan et al. 2025, section 3",
        "answer found in the generations for held-out paraphrases",
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
        "answer found in the generation for the training prompt",
    )
)


def leak_at(k: int) -> Callable[[Sample], float]:
    """Probability that at least one of k answers sampled at temperature 1 contains the answer,
    estimated from n >= k samples.

    1 - C(n-c, k) / C(n, k), where c of n samples contain it: the unbiased estimator of pass@k (Chen
    et al. 2021, eq. 1). Fewer than k samples are an error.
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
        "ROUGE-L recall of the generations for held-out paraphrases",
        attacked=True,
        on_the_way=ON_THE_WAY,
    )
)
register(
    Metric(
        "rouge_l_f1",
        1,
        rouge_l_f1,
        ("forget",),
        "oracle",
        "share",
        "Lin 2004",
        "ROUGE-L F1 of the generations for held-out paraphrases",
    )
)
for k in SAMPLES:
    register(
        Metric(
            f"leak_at_{k}", 1, leak_at(k), ("forget",),
            "oracle", "probability",
            "Chen et al. 2021 (pass@k), on leaks",
            f"answer found in at least one of k = {k} sampled answers", needs=sampled(k),
            attacked=True,
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
        "ROUGE-L recall of sentence answers, which are rarely repeated verbatim",
        attacked=True,
        forms=frozenset({"sentence"}),
    )
)
