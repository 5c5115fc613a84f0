"""Weighted means and AUCs: counts as weights equal repeated items, and the values agree with
scikit-learn and scipy.
"""

import numpy as np
import pytest
from scipy.stats import mannwhitneyu
from sklearn.metrics import roc_auc_score

from benchmark.metrics.base import Draws, auc, mean
from benchmark.metrics.membership import exposures, two_sided_auc
from benchmark.metrics.memorization import count_outliers, gap

NAN = float("nan")


def each(weights):
    """Draws in which each example is a cluster of its own, with (B, n) weights."""
    return Draws(weights, np.arange(weights.shape[1]))


def weighted_mean(values, weights):
    return mean(values, each(weights), np.zeros(0), each(np.ones((len(weights), 0))))


def weighted_auc(positive, negative, wp, wn):
    return auc(positive, each(wp), negative, each(wn))


def auc_by_pairs(positive, negative):
    """The definition: the share of all pairs in which the positive is above; ties count half."""
    pairs = [(p, n) for p in positive for n in negative]
    return sum(1.0 if p > n else 0.5 if p == n else 0.0 for p, n in pairs) / len(pairs)


def plain_auc(positive, negative):
    positive, negative = np.array(positive, dtype=float), np.array(negative, dtype=float)
    return weighted_auc(
        positive, negative, np.ones((1, len(positive))), np.ones((1, len(negative)))
    )[0]


@pytest.fixture
def drawn():
    """Scores with many ties, and bootstrap counts that include zeros."""
    rng = np.random.default_rng(3)
    positive, negative = rng.integers(0, 6, 17).astype(float), rng.integers(-2, 5, 11).astype(float)
    return positive, negative, rng.integers(0, 4, (5, 17)), rng.integers(0, 4, (5, 11))


def test_mean_by_hand():
    weights = np.array([[1, 1, 1], [2, 0, 1], [0, 0, 3]])
    assert weighted_mean(np.array([1.0, 4.0, 7.0]), weights) == pytest.approx([4.0, 3.0, 7.0])


def test_mean_of_counts_is_the_mean_of_repeated_items(drawn):
    values, _, counts, _ = drawn
    repeated = [np.repeat(values, row).mean() for row in counts]
    assert weighted_mean(values, counts) == pytest.approx(repeated)


def test_mean_leaves_failures_out_with_their_weight():
    values = np.array([1.0, NAN, 3.0])
    assert weighted_mean(values, np.array([[1, 50, 1], [3, 0, 1]])) == pytest.approx([2.0, 1.5])


def test_mean_without_anything_left_is_nan_not_zero():
    found = weighted_mean(np.array([NAN, 2.0]), np.array([[1, 1], [1, 0]]))
    assert found[0] == 2
    assert np.isnan(found[1])
    assert np.isnan(weighted_mean(np.array([NAN]), np.ones((2, 1)))).all()
    assert np.isnan(weighted_mean(np.zeros(0), np.ones((2, 0)))).all()


@pytest.mark.parametrize(
    ("positive", "negative", "expected"),
    [
        ([2, 3], [0, 1], 1),
        ([0, 1], [2, 3], 0),
        ([1], [1], 0.5),
        ([1, 1, 1], [1, 1], 0.5),
        ([3, 1], [2, 1], (1 + 1 + 0 + 0.5) / 4),
    ],
)
def test_auc_by_hand(positive, negative, expected):
    assert plain_auc(positive, negative) == pytest.approx(expected)


def test_auc_agrees_with_pairs_mann_whitney_and_scikit_learn(drawn):
    positive, negative, _, _ = drawn
    u = mannwhitneyu(positive, negative).statistic / (len(positive) * len(negative))
    labels = np.r_[np.ones(len(positive)), np.zeros(len(negative))]
    assert plain_auc(positive, negative) == pytest.approx(auc_by_pairs(positive, negative))
    assert plain_auc(positive, negative) == pytest.approx(u)
    assert plain_auc(positive, negative) == pytest.approx(
        roc_auc_score(labels, np.r_[positive, negative])
    )


def test_auc_of_counts_is_the_auc_of_repeated_items(drawn):
    positive, negative, wp, wn = drawn
    repeated = [
        auc_by_pairs(np.repeat(positive, p), np.repeat(negative, n))
        for p, n in zip(wp, wn, strict=True)
    ]
    assert weighted_auc(positive, negative, wp, wn) == pytest.approx(repeated)


def test_auc_agrees_with_scikit_learn_on_real_weights():
    rng = np.random.default_rng(5)
    positive, negative = rng.normal(0.5, 1, 30).round(1), rng.normal(0, 1, 40).round(1)
    wp, wn = rng.random((4, 30)), rng.random((4, 40))
    labels, scores = np.r_[np.ones(30), np.zeros(40)], np.r_[positive, negative]
    expected = [
        roc_auc_score(labels, scores, sample_weight=np.r_[p, n])
        for p, n in zip(wp, wn, strict=True)
    ]
    assert weighted_auc(positive, negative, wp, wn) == pytest.approx(expected)


def test_auc_is_symmetric_and_sees_ranks_only(drawn):
    positive, negative, wp, wn = drawn
    found = weighted_auc(positive, negative, wp, wn)
    assert weighted_auc(negative, positive, wn, wp) == pytest.approx(1 - found)
    assert weighted_auc(np.exp(positive), np.exp(negative), wp, wn) == pytest.approx(found)


def test_auc_leaves_failures_out():
    assert plain_auc([3, NAN, 1], [2, NAN]) == pytest.approx(0.5)
    weights = np.array([[1, 9, 1]]), np.array([[1, 9]])
    assert weighted_auc(np.array([3, NAN, 1.0]), np.array([2, NAN]), *weights)[0] == pytest.approx(
        0.5
    )


def test_auc_ranks_impossible_answers_lowest():
    assert plain_auc([-np.inf, -1], [-np.inf, -2]) == pytest.approx((0.5 + 0 + 1 + 1) / 4)


@pytest.mark.parametrize(
    ("positive", "negative"), [([NAN], [1]), ([1], [NAN]), ([], [1]), ([1], []), ([], [])]
)
def test_auc_without_one_side_is_nan_not_half(positive, negative):
    assert np.isnan(plain_auc(positive, negative))


@pytest.mark.parametrize("aggregate", [mean, auc, two_sided_auc, exposures, count_outliers, gap])
def test_strata_taken_together_are_those_taken_one_by_one(drawn, aggregate):
    values, holdout, weights, holdout_weights = drawn
    values[3] = holdout[2] = NAN
    masks = np.array([np.ones(17), np.arange(17) % 2, np.arange(17) == 3, np.zeros(17)], dtype=bool)
    never_seen = each(holdout_weights)
    together = aggregate.by_stratum(values, each(weights), masks, holdout, never_seen)
    apart = [aggregate(values[m], each(weights[:, m]), holdout, never_seen) for m in masks]
    assert together == pytest.approx(np.vstack(apart), nan_ok=True)
    assert np.isnan(together[2:]).all()


@pytest.mark.parametrize("aggregate", [mean, auc, two_sided_auc, exposures, count_outliers, gap])
def test_examples_of_a_cluster_weigh_what_it_weighs(drawn, aggregate):
    """Weights per cluster and per example give the same values."""
    values, holdout, weights, holdout_weights = drawn
    cluster, other = np.arange(17) % 4, np.arange(11) // 3
    values[5] = holdout[0] = NAN
    masks = np.array([np.ones(17), np.arange(17) < 8], dtype=bool)
    once = aggregate.by_stratum(
        values, Draws(weights, cluster), masks, holdout, Draws(holdout_weights, other)
    )
    told = aggregate.by_stratum(
        values, each(weights[:, cluster]), masks, holdout, each(holdout_weights[:, other])
    )
    assert once == pytest.approx(told, nan_ok=True)


def test_a_plain_draw_counts_each_once():
    assert Draws.plain(3).each().tolist() == [[1, 1, 1]]
    assert Draws.plain(0).each().shape == (1, 0)
