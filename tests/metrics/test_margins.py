"""Margins against logits, and KLOM against its definition and in its edge cases."""

import math

import numpy as np
import pytest
from scipy.special import log_softmax, logsumexp
from scipy.stats import entropy

from benchmark.metrics.margins import binned_kl, energy_distances, klom, margin


def test_a_margin_is_the_logit_less_all_others(make_sample):
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(3, 7))
    answer = [2, 5, 0]
    expected = [
        row[y] - logsumexp(np.delete(row, y)) for row, y in zip(logits, answer, strict=True)
    ]
    logprobs = log_softmax(logits, axis=1)[range(3), answer]
    assert margin(make_sample(logprobs=logprobs)) == pytest.approx(np.mean(expected))


@pytest.mark.parametrize(
    ("logprob", "expected"), [(0.0, 10), (-1e9, -100), (math.log(0.5), 0), (1e-12, 10)]
)
def test_certain_and_impossible_tokens_are_cut(make_sample, logprob, expected):
    assert margin(make_sample(logprobs=np.array([logprob]))) == pytest.approx(expected)


def test_an_answer_without_tokens_has_no_margin(make_sample):
    with pytest.raises(ValueError, match="without tokens"):
        margin(make_sample(logprobs=np.zeros(0)))


def test_binned_kl_is_that_of_two_histograms():
    model, oracle = np.array([0, 0, 1, 20.0]), np.array([0, 20, 20, 20.0])
    # Three of the 20 bins of width 1 on [0, 20] have values: the first, the second and the last.
    p, q = np.full(20, 1e-5), np.full(20, 1e-5)
    p[[0, 1, 19]] = [0.5, 0.25, 0.25]
    q[[0, 19]] = [0.25, 0.75]
    assert binned_kl(model, oracle) == pytest.approx(entropy(p / p.sum(), q / q.sum()))


def test_the_largest_margin_is_in_the_last_bin():
    """The published code drops it, so two groups that differ only there would look the same."""
    one, other = np.array([0, 0, 0, 1.0]), np.array([0, 0, 0, 0.0])
    assert binned_kl(one, other) > 1


def test_equal_groups_are_no_distance_apart_and_missing_values_none():
    same = np.array([1.0, 2, 3])
    assert binned_kl(same, same) == 0
    assert binned_kl(np.ones(3), np.ones(2)) == 0
    assert math.isnan(binned_kl(np.array([np.nan]), same))
    assert binned_kl(np.array([1, np.nan, 2, 3]), same) == 0


def test_klom_goes_by_example():
    rng = np.random.default_rng(1)
    models, oracles = rng.normal(size=(50, 3)), rng.normal([0, 1, 10], size=(50, 3))
    found = klom(models, oracles)
    assert found.shape == (3,)
    assert found[0] < found[1] < found[2]
    assert found[2] == pytest.approx(binned_kl(models[:, 2], oracles[:, 2]))


def test_energy_distances_by_hand():
    """The square root of 2 E|X-Y| - E|X-X'| - E|Y-Y'|."""
    models, oracles = np.array([[0.0, 1], [2.0, 1]]), np.array([[1.0, 1], [1.0, 1]])
    assert energy_distances(models, oracles) == pytest.approx([math.sqrt(2 * 1 - 1), 0])
    models[0, 0] = np.nan
    assert math.isnan(energy_distances(models, oracles)[0])
