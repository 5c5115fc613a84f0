"""Fluency of generated text: broken models repeat themselves and use few distinct words."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from statistics import fmean

from benchmark.core.words import words
from benchmark.metrics.base import BOTH, Metric, register
from benchmark.metrics.sample import GENERATED, Sample

REPEATED = 3  # n-gram length in words; the paper uses 4, on longer texts
# Weights of the n-gram entropies in `fluency_of`, by n.
ENTROPIES = {2: 2 / 3, 3: 4 / 3}


def _ngrams(text: str, n: int) -> list[tuple[str, ...]]:
    found = words(text)
    return [tuple(found[i : i + n]) for i in range(len(found) - n + 1)]


def entropy(items: Sequence[object]) -> float:
    """Entropy of the items' relative frequencies in bits; 0 without items."""
    counts = Counter(items).values()
    return math.fsum(-c / len(items) * math.log2(c / len(items)) for c in counts)


def token_entropy_of(text: str) -> float:
    """Entropy of the word frequencies divided by log2 of the number of words: 1 if no word is
    repeated, 0 for one word or none (Yuan et al. 2024, section 3.2).

    The paper counts tokens; words can be counted without a tokenizer.
    """
    found = words(text)
    return entropy(found) / math.log2(len(found)) if len(found) > 1 else 0.0


def repetition_of(text: str) -> float:
    """1 - distinct / all word 3-grams (Welleck et al. 2020, eq. 10, seq-rep-n); 0 without any."""
    ngrams = _ngrams(text, REPEATED)
    return 1 - len(set(ngrams)) / len(ngrams) if ngrams else 0.0


def fluency_of(text: str) -> float:
    """Mean of 2/3 of the word bigram entropy and 4/3 of the word trigram entropy, in bits (Zhang et
    al. 2018; Meng et al. 2022, section 3.4).

    Fluency grows with the length of a text: compare it with the target's on the same prompts.
    """
    return fmean(weight * entropy(_ngrams(text, n)) for n, weight in ENTROPIES.items())


def mean_score(score: Callable[[str], float]) -> Callable[[Sample], float]:
    """Returns a function that averages the score over the texts generated for a sample."""

    def of_sample(sample: Sample) -> float:
        return fmean(map(score, sample.generated))

    of_sample.__doc__ = score.__doc__
    return of_sample


LONG = frozenset({"sentence", "text"})  # names are too short for repetition

for name, score, unit, forms, source, description in (
    (
        "token_entropy",
        token_entropy_of,
        "share",
        BOTH,
        "Yuan et al. 2024",
        "entropy of the generated words, relative to the maximum for that many words",
    ),
    (
        "repetition",
        repetition_of,
        "share",
        LONG,
        "Welleck et al. 2020",
        "share of generated 3-grams that repeat an earlier one",
    ),
    (
        "fluency",
        fluency_of,
        "bits",
        LONG,
        "Zhang et al. 2018; Meng et al. 2022",
        "weighted entropy of generated bigrams and trigrams",
    ),
):
    register(
        Metric(
            name,
            1,
            mean_score(score),
            ("forget",),
            "oracle",
            unit,
            source,
            description,
            forms=forms,
            needs=frozenset({GENERATED}),
        )
    )
