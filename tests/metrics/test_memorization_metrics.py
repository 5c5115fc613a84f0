"""Metrics of greedy tokens against values counted by hand."""

import numpy as np
import pytest

from benchmark.metrics.memorization import exact_memorization, extraction_strength


def extraction_by_trying(correct):
    """The definition: tries every prefix length, shortest first."""
    length = len(correct)
    for given in range(length):
        if all(correct[given:]):
            return 1 - given / length
    return 0.0


@pytest.mark.parametrize(
    ("correct", "expected"),
    [
        ([False, False, False], 0),
        ([False], 0),  # a public implementation gives 1
        ([True, True, False], 0),  # a public implementation gives 1/3
        ([False, True, True, True], 0.75),
        ([True, False, True, True], 0.5),
        ([True, True, True], 1),
        ([True], 1),
        ([False, False, False, True], 0.25),
    ],
)
def test_extraction_strength_by_hand(make_sample, correct, expected):
    assert extraction_strength(make_sample(correct=np.array(correct))) == pytest.approx(expected)


def test_extraction_strength_is_the_shortest_prefix_that_works(make_sample):
    for bits in range(1, 64):
        correct = [bool(bits >> place & 1) for place in range(6)]
        assert extraction_strength(make_sample(correct=np.array(correct))) == pytest.approx(
            extraction_by_trying(correct)
        )


@pytest.mark.parametrize(
    ("correct", "expected"),
    [([True, False, True, True], 0.75), ([False], 0), ([True, True], 1), ([True, False], 0.5)],
)
def test_exact_memorization_is_the_share_of_right_tokens(make_sample, correct, expected):
    assert exact_memorization(make_sample(correct=np.array(correct))) == expected


def test_a_strong_extraction_is_at_most_the_memorization(make_sample):
    rng = np.random.default_rng(0)
    for _ in range(50):
        sample = make_sample(correct=rng.random(rng.integers(1, 9)) < 0.7)
        assert extraction_strength(sample) <= exact_memorization(sample) + 1e-12


@pytest.mark.parametrize("metric", [extraction_strength, exact_memorization])
def test_an_answer_without_tokens_is_an_error(make_sample, metric):
    with pytest.raises(ValueError, match="without tokens"):
        metric(make_sample(correct=np.zeros(0, dtype=bool)))
