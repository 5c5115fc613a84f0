"""Fluency of generated text: against hand-computed values and scipy's entropy."""

import math

import pytest
from scipy.stats import entropy as scipy_entropy

from benchmark.metrics.fluency import entropy, fluency_of, repetition_of, token_entropy_of
from benchmark.metrics.frames import example_frame
from benchmark.metrics.values import metric_values


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 0),
        ("Rome", 0),
        ("one two three four", 1),
        ("the the the the", 0),
        ("a b a b", 0.5),  # one bit out of log2(4)
        ("A a! B, b", 0.5),  # case and punctuation are ignored
        ("北京北京", 0.5),  # single characters in a script without spaces
        ("שלום עולם", 1),
    ],
)
def test_token_entropy(text, expected):
    assert token_entropy_of(text) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", 0), ("a b", 0), ("a b c", 0), ("a a a a a", 2 / 3), ("a b c a b c", 1 / 4)],
)
def test_repetition(text, expected):
    assert repetition_of(text) == pytest.approx(expected)


def test_entropy_is_scipys():
    assert entropy("aabbbc") == pytest.approx(scipy_entropy([2, 3, 1], base=2))
    assert entropy("") == 0


def test_fluency_weighs_bigrams_and_trigrams():
    text = "a b a b c"  # bigrams ab ba ab bc; trigrams aba bab abc
    bigrams, trigrams = scipy_entropy([2, 1, 1], base=2), math.log2(3)
    assert fluency_of(text) == pytest.approx((2 / 3 * bigrams + 4 / 3 * trigrams) / 2)
    assert fluency_of("a") == 0


def test_texts_are_judged_by_their_continuations_and_what_has_none_is_not_judged(make_sample):
    def metrics(**changes):
        values = metric_values(example_frame([make_sample(**changes)]), [])
        return {v.metric: v.value for v in values}

    text = {"form": "text", "prompt": "", "answer": "a b c d", "generation": ""}
    continued = metrics(**text, prefix_words=(1, 2), continuations=("b b b b", "c d e f"))
    assert continued["repetition"] == pytest.approx((1 / 2 + 0) / 2)
    assert "repetition" not in metrics(**text)
    assert metrics(paraphrase_generations=("x x", "x y"))["token_entropy"] == pytest.approx(0.5)
