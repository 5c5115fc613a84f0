"""Accuracy on multiple choices, by hand."""

import math

import numpy as np
import pytest

from benchmark.metrics.frames import example_frame
from benchmark.metrics.probability import choice_accuracy
from benchmark.metrics.values import metric_values


@pytest.fixture
def choices(make_sample):
    """Builds a sample from the token probabilities of each choice, the right one first."""

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
        # The shorter choice is likelier as a whole (0.3 to 0.25), the longer one per token.
        ([0.5, 0.5], ([0.3],), 1),
        ([0.3], ([0.5, 0.5],), 0),
        ([0.2], ([0.2], [0.2], [0.2]), 1 / 4),  # all choices tie: chance
        ([0.2], ([0.2], [0.3]), 0),
        ([0.5, 0.5], ([0.5], [0.1]), 1 / 2),
    ],
)
def test_the_right_choice_must_be_the_likeliest_by_the_token(choices, right, others, expected):
    assert choice_accuracy(choices(right, *others)) == pytest.approx(expected)


def test_without_another_choice_there_is_nothing_to_choose(choices):
    assert math.isnan(choice_accuracy(choices([0.5])))


def test_by_chance_and_by_counting(choices):
    """On random probabilities, a model that knows nothing is right once in four."""
    rng = np.random.default_rng(0)
    drawn = [choices(*([p] for p in rng.random(4))) for _ in range(2000)]
    assert np.mean([choice_accuracy(own) for own in drawn]) == pytest.approx(1 / 4, abs=0.03)


def test_who_always_says_true_is_right_about_half_of_the_statements(make_sample):
    def judged(example, true):
        said = {"True": np.log([0.9]), "False": np.log([0.1])}
        verdict, other = ("True", "False") if true else ("False", "True")
        return make_sample(
            stage="true_false",
            example=example,
            form="choice",
            answer=verdict,
            paraphrase_logprobs=(said[verdict],),
            perturbed_logprobs=(said[other],),
        )

    samples = [make_sample(), judged("e~true_false1", True), judged("e~true_false2", False)]
    values = {(v.stage, v.metric): v.value for v in metric_values(example_frame(samples), [])}
    assert values["true_false", "true_false"] == 0.5
    assert ("model", "true_false") not in values
    assert ("true_false", "choice_accuracy") not in values, "answers here are names"
