"""Metrics of the generation pass; the continuation alone is compared, never prompt and continuation."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import lru_cache
from statistics import fmean

from rouge_score.rouge_scorer import RougeScorer
from rouge_score.tokenizers import DefaultTokenizer, Tokenizer

from benchmark.metrics.base import BOTH, Metric, register
from benchmark.metrics.sample import SAMPLES, SCORED, Sample, sampled
from benchmark.metrics.stages import ON_THE_WAY
from benchmark.sentences import SENTENCE

KNOWLEDGE_SPLITS = ("forget", "retain", "neighbours", "general")
REMEMBERED = 1 << 16  # texts: models say the same things over and over


class _Stems(Tokenizer):
    """The stemming tokenizer of rouge-score, which remembers what it has seen."""

    tokenize = staticmethod(lru_cache(REMEMBERED)(DefaultTokenizer(use_stemmer=True).tokenize))


_rouge = RougeScorer(["rougeL"], tokenizer=_Stems())


@lru_cache(REMEMBERED)
def normalize(text: str) -> str:
    """Lower case, letters and digits of any script only, single spaces."""
    return " ".join(re.findall(r"[^\W_]+", text.casefold()))


def contains_answer(generation: str, answer: str, aliases: tuple[str, ...] = ()) -> bool:
    """Whether the normalised answer or an alias stands, as whole words, in the normalised generation."""
    text = f" {normalize(generation)} "
    wanted = [normalize(a) for a in (answer, *aliases)]
    return any(w and f" {w} " in text for w in wanted)


@lru_cache(REMEMBERED)
def rouge_l_recall_of(answer: str, generation: str) -> float:
    """ROUGE-L recall of one continuation (rouge-score, with stemmer).

    The tokenizer of rouge-score knows a-z and 0-9 only: an answer without any is a ValueError, not a zero.
    """
    if not re.search(r"[a-z0-9]", answer.lower()):
        raise ValueError(f"rouge-score sees no word in {answer!r}")
    return float(_rouge.score(answer, generation)["rougeL"].recall)


def exact_answer(sample: Sample) -> float:
    """Share of the held-out prompts whose continuation contains the answer."""
    return fmean(contains_answer(g, sample.answer, sample.aliases) for g in sample.knowledge_generations)


def exact_answer_trained(sample: Sample) -> float:
    """Whether the continuation of the prompt as trained contains the answer."""
    return float(contains_answer(sample.generation, sample.answer, sample.aliases))


def harness_accuracy(sample: Sample) -> float:
    """What the harness made of its item; a ValueError without."""
    if sample.score is None:
        raise ValueError("the harness gave no score")
    return sample.score


def rouge_l_recall(sample: Sample) -> float:
    """Mean ROUGE-L recall over the held-out prompts."""
    return fmean(rouge_l_recall_of(sample.answer, g) for g in sample.knowledge_generations)


register(
    Metric(
        "exact_answer", 1, exact_answer, KNOWLEDGE_SPLITS, {"forget": "forgetting"}, "oracle", "share",
        "Krishnan et al. 2025, section 3", "the answer stands in what is generated for held-out wordings",
        attacked=True, on_the_way=ON_THE_WAY,
    )
)  # fmt: skip
register(
    Metric(
        "exact_answer_trained", 1, exact_answer_trained, KNOWLEDGE_SPLITS, {}, "oracle", "share",
        "Krishnan et al. 2025, section 3", "the answer stands in what is generated for the prompt as trained",
    )
)  # fmt: skip


def leak_at(k: int) -> Callable[[Sample], float]:
    """Probability that at least one of k answers drawn at temperature 1 contains the answer, from n >= k of them.

    1 - C(n-c, k) / C(n, k) for c of n that do: the unbiased estimator of pass@k (Chen et al. 2021, eq. 1). Fewer than
    k answers are a ValueError.
    """

    def leak(sample: Sample) -> float:
        drawn = len(sample.sampled)
        if drawn < k:
            raise ValueError(f"{drawn} answers were drawn, {k} are needed")
        found = sum(contains_answer(text, sample.answer, sample.aliases) for text in sample.sampled)
        return 1 - math.comb(drawn - found, k) / math.comb(drawn, k)

    leak.__doc__ = (leak_at.__doc__ or "").replace("k answers", f"{k} answers")
    return leak


register(
    Metric(
        "rouge_l_recall", 1, rouge_l_recall, KNOWLEDGE_SPLITS,
        {"retain": "utility", "neighbours": "utility", "general": "utility"}, "oracle", "share",
        "Lin 2004; Maini et al. 2024", "ROUGE-L recall of what is generated for held-out wordings", attacked=True,
        on_the_way=ON_THE_WAY,
    )
)  # fmt: skip
for k in SAMPLES:
    register(
        Metric(
            f"leak_at_{k}", 1, leak_at(k), ("forget",), {"forget": "forgetting"} if k == 16 else {}, "oracle",
            "probability", "Chen et al. 2021 (pass@k), on leaks",
            f"at least one of {k} sampled answers contains the answer", needs=sampled(k),
        )
    )  # fmt: skip
register(
    Metric(
        "sentence_recall", 1, rouge_l_recall, ("forget",), {"forget": "forgetting"}, "oracle", "share",
        "Lin 2004; Maini et al. 2024", "ROUGE-L recall of answers that are sentences, which are hardly ever repeated "
        "word for word", attacked=True, needs=frozenset({SENTENCE}),
    )
)  # fmt: skip
register(
    Metric(
        "harness_accuracy", 1, harness_accuracy, ("harness",), {"harness": "utility"}, "higher", "share",
        "lm-evaluation-harness (Gao et al. 2024)", "items of the general tasks that are answered rightly", kinds=BOTH,
        needs=frozenset({SCORED}),
    )
)  # fmt: skip
