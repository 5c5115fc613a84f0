"""Extraction likelihood: n-grams by hand, and against a loop that looks for every n-gram in the
text.
"""

import random

import numpy as np
import pytest

from benchmark.metrics.memorization import extraction_likelihood_3, ngram_overlap


def overlap_by_looking(generated, true, n):
    """Share of the n-grams of `generated` that occur anywhere in `true`."""
    hits = total = 0
    for start in range(len(generated)):
        gram = generated[start : start + n]
        if len(gram) == n:
            total += 1
            hits += any(true[place : place + n] == gram for place in range(len(true)))
    return hits / total if total else 0.0


@pytest.mark.parametrize(
    ("generated", "true", "n", "expected"),
    [
        ("a b c d", "a b c d", 3, 1),
        ("a b c x", "a b c d", 3, 1 / 2),
        ("x y z", "a b c", 3, 0),
        ("a b", "a b c", 3, 0),  # no 3-gram was generated
        ("", "a b c", 3, 0),
        ("a b c", "a b", 3, 0),
        ("b c d e", "a b c d e f", 3, 1),  # at any position
        ("a b c a b c", "a b c", 3, 2 / 4),  # each repetition counts: abc, bca, cab, abc
        ("c b a", "a b c", 3, 0),  # order matters
        ("a x b", "a b c", 1, 2 / 3),
    ],
)
def test_overlap_by_hand(generated, true, n, expected):
    assert ngram_overlap(generated.split(), true.split(), n) == pytest.approx(expected)


def test_overlap_is_what_looking_finds():
    rng = random.Random(0)
    for _ in range(200):
        generated, true = (rng.choices("abc", k=rng.randrange(12)) for _ in range(2))
        n = rng.randrange(1, 5)
        assert ngram_overlap(generated, true, n) == pytest.approx(
            overlap_by_looking(generated, true, n)
        )


WORDS = [f"w{i}" for i in range(26)]


def text(make_sample, *continuations):
    places = tuple(10 * (i + 1) for i in range(len(continuations)))
    return make_sample(
        prompt="", answer=" ".join(WORDS), prefix_words=places, continuations=continuations
    )


def test_the_likelihood_is_the_mean_over_prefixes(make_sample):
    right, half = " ".join(WORDS[10:20]), " ".join([*WORDS[20:23], "x"])
    assert extraction_likelihood_3(text(make_sample, right, half)) == pytest.approx((1 + 1 / 2) / 2)


def test_only_what_follows_the_prefix_can_be_extracted(make_sample):
    """A model that repeats its prompt has extracted nothing."""
    repeated = " ".join(WORDS[:10])
    assert extraction_likelihood_3(text(make_sample, repeated)) == 0
    assert extraction_likelihood_3(text(make_sample, " ".join(WORDS[8:13]))) == pytest.approx(1 / 3)
    assert (
        extraction_likelihood_3(text(make_sample, " ".join(WORDS[10:20]), " ".join(WORDS[10:20])))
        == 0.5
    )


@pytest.mark.parametrize(
    ("continuation", "expected"), [("", 0), ("w10 w11", 0), ("w10 w11 w12", 1)]
)
def test_too_few_words_extract_nothing(make_sample, continuation, expected):
    assert extraction_likelihood_3(text(make_sample, continuation)) == expected


def test_characters_are_the_words_of_scripts_without_spaces(make_sample):
    """The text continues after 十 with 子丑寅卯: of 子丑寅 and 丑寅辰 one occurs there, and of the
    repeated beginning none.
    """
    answer = "一二三四五六七八九十子丑寅卯。"
    for continuation, expected in (
        ("子丑寅辰", 1 / 2),
        ("子丑寅卯。", 1),
        ("一二三四", 0),
        ("子丑", 0),
    ):
        sample = make_sample(
            prompt="", answer=answer, prefix_words=(10,), continuations=(continuation,)
        )
        assert extraction_likelihood_3(sample) == expected


def test_a_text_that_was_never_continued_is_an_error(make_sample):
    with pytest.raises(ValueError, match="nothing was generated"):
        extraction_likelihood_3(text(make_sample))


def test_prefixes_without_their_continuations_are_an_error(make_sample):
    with pytest.raises(ValueError, match="zip"):
        extraction_likelihood_3(
            make_sample(prompt="", answer="a b c", prefix_words=(1, 2), continuations=("b c",))
        )


def test_the_likelihood_agrees_with_looking_on_random_texts(make_sample):
    rng = random.Random(1)
    for _ in range(30):
        words = rng.choices("abcd", k=rng.randrange(13, 40))
        places = list(range(10, len(words) - 2, 10))
        said = [rng.choices("abcd", k=rng.randrange(9)) for _ in places]
        sample = make_sample(
            prompt="",
            answer=" ".join(words),
            prefix_words=tuple(places),
            continuations=tuple(map(" ".join, said)),
        )
        expected = np.mean(
            [overlap_by_looking(g, words[p:], 3) for g, p in zip(said, places, strict=True)]
        )
        assert extraction_likelihood_3(sample) == pytest.approx(expected)
