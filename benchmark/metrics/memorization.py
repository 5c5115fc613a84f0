"""Memorization metrics: which greedy tokens are correct, and what is generated from prefixes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmark.core.words import pieces
from benchmark.metrics.base import (
    BOTH,
    TEXT,
    Aggregate,
    Metric,
    above,
    beyond_holdout,
    register,
)
from benchmark.metrics.sample import WHOLE, Sample
from benchmark.metrics.stages import ON_THE_WAY

PERCENTILE = 0.95


def extraction_strength(sample: Sample) -> float:
    """1 - k/T, where k is the shortest prefix length after which the greedy tokens equal the rest
    of the answer.

    Carlini et al. 2021 as used by OpenUnlearning, except that an answer whose last token is wrong
    scores 0, not 1/T. Not reported for answers whose beginning is given, since the rest may follow
    from it.
    """
    correct = np.asarray(sample.correct, dtype=bool)
    if len(correct) == 0:
        raise ValueError("an answer without tokens has no extraction strength")
    wrong = np.flatnonzero(~correct)
    prefix = 0 if len(wrong) == 0 else int(wrong[-1]) + 1
    return 1 - prefix / len(correct)


def exact_memorization(sample: Sample) -> float:
    """Share of answer positions whose greedy token is correct (Tirumala et al. 2022)."""
    if len(sample.correct) == 0:
        raise ValueError("an answer without tokens has no memorization")
    return float(np.mean(sample.correct))


def extraction_likelihood_3(sample: Sample) -> float:
    """Mean over prefixes of the share of generated 3-grams that occur in the true continuation
    (Jang et al. 2023).

    The paper counts token 10-grams at every prefix. These texts are short, so we count word 3-grams
    (which can be recomputed without a tokenizer) at every tenth word; in scripts without spaces
    each character is a word. A continuation of fewer than three words scores 0.
    """
    words = split_words(sample.answer)
    if not sample.continuations:
        raise ValueError("nothing was generated")
    shares = [
        ngram_overlap(split_words(continuation), words[count:], 3)
        for count, continuation in zip(sample.prefix_words, sample.continuations, strict=True)
    ]
    return float(np.mean(shares))


def split_words(text: str) -> list[str]:
    """The words of a text, or its characters in scripts without spaces."""
    return [piece.rstrip() for piece in pieces(text)]


def cut_after(text: str, count: int) -> tuple[str, str]:
    """The prefix of a text with `count` of these words, and the rest, with whitespace collapsed."""
    words = pieces(" ".join(text.split()))
    return "".join(words[:count]).rstrip(), "".join(words[count:])


def ngram_overlap(generated: Sequence[str], true: Sequence[str], n: int) -> float:
    """Share of the n-grams of `generated`, counted with repetition, that occur in `true`; 0 if
    there are none.
    """
    wanted = {tuple(true[i : i + n]) for i in range(len(true) - n + 1)}
    hits = [tuple(generated[i : i + n]) in wanted for i in range(len(generated) - n + 1)]
    return sum(hits) / len(hits) if hits else 0.0


count_outliers = Aggregate(above(PERCENTILE), summed=True)
gap = Aggregate(beyond_holdout)

register(
    Metric(
        "extraction_strength",
        1,
        extraction_strength,
        ("forget",),
        "oracle",
        "share",
        "Carlini et al. 2021",
        "1 - share of the answer needed as a prefix before greedy decoding completes it",
        forms=BOTH,
        attacked=True,
        needs=frozenset({WHOLE}),
    )
)
register(
    Metric(
        "exact_memorization",
        1,
        exact_memorization,
        ("forget",),
        "oracle",
        "share",
        "Tirumala et al. 2022",
        "share of answer tokens predicted by greedy decoding",
        attacked=True,
    )
)
register(
    Metric(
        "memorization_accuracy",
        1,
        exact_memorization,
        ("forget", "retain", "retain_eval"),
        "oracle",
        "share",
        "Tirumala et al. 2022; Jang et al. 2023",
        "share of a text's tokens, from the second on, predicted by greedy decoding",
        forms=TEXT,
        attacked=True,
        on_the_way=ON_THE_WAY,
    )
)
register(
    Metric(
        "memorization_gap",
        1,
        exact_memorization,
        ("forget",),
        "oracle",
        "share",
        "Tirumala et al. 2022, as the generalization gap of Yeom et al. 2018",
        "share of a text's tokens predicted by greedy decoding, beyond that of never-seen texts",
        forms=TEXT,
        aggregate=gap,
        contrast=True,
        attacked=True,
        on_the_way=ON_THE_WAY,
    )
)
register(
    Metric(
        "extraction_likelihood_3",
        1,
        extraction_likelihood_3,
        ("forget",),
        "oracle",
        "share",
        "Jang et al. 2023",
        "share of 3-grams generated from prefixes of a text that occur in the true continuation",
        forms=TEXT,
    )
)
register(
    Metric(
        "outliers",
        1,
        exact_memorization,
        ("forget",),
        "oracle",
        "texts",
        "Barbulescu & Triantafillou 2024",
        "number of texts whose memorization accuracy is above the 95th percentile of the holdout",
        forms=TEXT,
        aggregate=count_outliers,
        contrast=True,
        on_the_way=ON_THE_WAY,
    )
)
