"""Attacks relative to oracles: RMIA against its definition by pairs, calibration by the oracles,
and true positives at a low false-positive rate.
"""

import numpy as np
import pytest

from benchmark.metrics.base import Draws, above
from benchmark.metrics.frames import example_frame
from benchmark.metrics.reference_attacks import calibrated_logprobs, likelihood_ratios
from benchmark.metrics.values import metric_values

A = 0.3


def frame_of(make_sample, forget, holdout):
    """A frame of examples with one token each; the numbers are the tokens' log-probabilities."""
    return example_frame(
        make_sample(split=split, example=f"{split}-{i}", logprobs=np.array([float(value)]))
        for split, values in (("forget", forget), ("holdout", holdout))
        for i, value in enumerate(values)
    )


def value_of(frame, oracles, metric):
    values = {v.metric: v for v in metric_values(frame, oracles) if v.split == "forget"}
    return values[metric].value if metric in values else None


def rmia_by_pairs(model, oracles, holdout, held_out_oracles):
    """Scores as in eqs. 2, 3 and 12 of the paper, with ties counting half, and their AUC by
    counting pairs.
    """

    def ratio(p, p_out):
        return p / ((1 + A) / 2 * p_out + (1 - A) / 2)

    population = [ratio(p, o) for p, o in zip(holdout, held_out_oracles, strict=True)]
    members = [ratio(p, o) for p, o in zip(model, oracles, strict=True)]

    def score(own):
        return np.mean([(own > other) + 0.5 * (own == other) for other in population])

    positives, negatives = [score(m) for m in members], [score(z) for z in population]
    return np.mean([(p > n) + 0.5 * (p == n) for p in positives for n in negatives])


def test_rmia_is_the_auc_of_the_papers_scores(make_sample):
    rng = np.random.default_rng(0)
    draws = {n: -3 * rng.random((2, 15)) for n in ("model", "o1", "o2")}
    frames = {name: frame_of(make_sample, *values) for name, values in draws.items()}
    found = value_of(frames["model"], [frames["o1"], frames["o2"]], "rmia")
    p = {name: np.exp(values) for name, values in draws.items()}
    expected = (p["o1"] + p["o2"]) / 2
    by_hand = rmia_by_pairs(p["model"][0], expected[0], p["model"][1], expected[1])
    assert found == pytest.approx(by_hand)


def test_ratios_and_calibration_by_hand():
    values, oracles = np.array([0.5, 0.2]), np.array([[0.1, 0.2], [0.3, 0.6]])
    assert likelihood_ratios(values, oracles) == pytest.approx(
        [0.5 / (0.65 * 0.2 + 0.35), 0.2 / (0.65 * 0.4 + 0.35)]
    )
    assert calibrated_logprobs(np.array([-1.0]), np.array([[-2.0], [-4.0]])) == pytest.approx([2])


def test_what_is_easy_for_oracles_too_is_no_membership(make_sample):
    """Forget examples are likelier for every model, which a loss attack mistakes for membership."""
    easy, hard = [-0.2, -0.3, -0.4], [-3.0, -3.2, -3.4]
    oracle = frame_of(make_sample, easy, hard)
    model = frame_of(make_sample, easy, hard)
    assert value_of(model, [oracle], "mia_loss") == 1
    assert value_of(model, [oracle], "mia_reference") == pytest.approx(0.5)
    knows = frame_of(make_sample, [-0.05, -0.05, -0.05], hard)
    assert value_of(knows, [oracle], "mia_reference") == 1
    assert value_of(knows, [oracle], "rmia") == 1


def test_without_oracles_there_is_none_and_an_example_that_one_lacks_has_failed(make_sample):
    model = frame_of(make_sample, [-1, -2], [-1, -2])
    assert value_of(model, [], "rmia") is None
    values = metric_values(model, [frame_of(make_sample, [-1], [-1, -2])])
    (rmia,) = [v for v in values if v.metric == "rmia"]
    assert (rmia.n_scored, rmia.n_failed) == (1, 1)


@pytest.mark.parametrize(
    ("values", "expected"), [([0.5, 99.5, 100.5], 1 / 3), ([1, 2], 0), ([101, 102], 1)]
)
def test_true_positives_are_above_ninety_nine_of_a_hundred(values, expected):
    """The threshold is the 99th of a hundred values: 100 itself, the largest, is a false
    positive.
    """
    holdout = np.arange(1.0, 101)
    shares = above(0.99)(np.array(values, dtype=float), holdout, Draws.plain(100))
    assert shares.mean() == pytest.approx(expected + (99.5 in values) / 3)


def test_true_positives_of_few_examples_beat_all_of_them(make_sample):
    oracle = frame_of(make_sample, [-1.0] * 3, [-1.0] * 3)
    model = frame_of(make_sample, [-0.1, -0.9, -3], [-1.0, -0.5, -2])
    assert value_of(model, [oracle], "rmia_tpr") == pytest.approx(1 / 3)
