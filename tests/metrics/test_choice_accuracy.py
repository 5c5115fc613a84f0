"""Accuracy of multiple choices, by hand."""

import math

import numpy as np
import pytest

from benchmark.metrics.probability import choice_accuracy


@pytest.fixture
def choices(make_sample):
    """A sample of choices whose tokens have these probabilities, the right one first."""

    def made(right, *others):
        logs = [np.log(np.array(tokens, dtype=float)) for tokens in (right, *others)]
        return make_sample(
            form="choice", paraphrase_logprobs=(logs[0],), perturbed_logprobs=tuple(logs[1:])
        )

    return made


@pytest.mark.parametrize(
    ("right", "others", "expected"),
    [
        ([0.5], ([0.4], [0.1], [0.2]), 1),
        ([0.4], ([0.5], [0.1], [0.2]), 0),
        # The shorter one is likelier as a whole (0.3 to 0.25), the longer one by the token.
        ([0.5, 0.5], ([0.3],), 1),
        ([0.3], ([0.5, 0.5],), 0),
        ([0.2], ([0.2], [0.2], [0.2]), 1 / 4),  # nothing is told apart: chance
        ([0.2], ([0.2], [0.3]), 0),
        ([0.5, 0.5], ([0.5], [0.1]), 1 / 2),
    ],
)
def test_the_right_choice_must_be_the_likeliest_by_the_token(choices, right, others, expected):
    assert choice_accuracy(choices(right, *others)) == pytest.approx(expected)


def test_without_another_choice_there_is_nothing_to_choose(choices):
    assert math.isnan(choice_accuracy(choices([0.5])))


def test_by_chance_and_by_counting(choices):
    """Over random probabilities a blind model is right once in four."""
    rng = np.random.default_rng(0)
    drawn = [choices(*([p] for p in rng.random(4))) for _ in range(2000)]
    assert np.mean([choice_accuracy(own) for own in drawn]) == pytest.approx(1 / 4, abs=0.03)
