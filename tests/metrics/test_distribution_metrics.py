"""Whole-model metrics: the Kolmogorov-Smirnov test against scipy, harmonic means by hand."""

import math
from statistics import harmonic_mean as stdlib_harmonic_mean

import numpy as np
import pytest
from scipy.stats import ks_2samp

from benchmark.metrics.distribution import (
    MODEL_UTILITY,
    forget_quality,
    harmonic_mean,
    model_utility,
    privacy_leakage,
)

NAN = float("nan")


def test_forget_quality_of_disjoint_samples_by_hand():
    """Two of the C(6, 3) = 20 ways to deal six ranks separate the samples completely."""
    p_value, statistic = forget_quality(np.array([1.0, 2, 3]), [np.array([4.0, 5, 6])])
    assert statistic == pytest.approx(1)
    assert p_value == pytest.approx(2 / 20)


def test_forget_quality_of_the_same_values_is_one():
    values = np.linspace(0, 1, 30)
    assert forget_quality(values, [values]) == pytest.approx((1, 0))


def test_forget_quality_is_scipys_averaged_over_oracles():
    rng = np.random.default_rng(1)
    model, one, other = rng.random(40), rng.random(40) ** 2, rng.random(35)
    results = [ks_2samp(model, one), ks_2samp(model, other)]
    p_value, statistic = forget_quality(model, [one, other])
    assert p_value == pytest.approx((results[0].pvalue + results[1].pvalue) / 2)
    assert statistic == pytest.approx((results[0].statistic + results[1].statistic) / 2)


def test_forget_quality_statistic_is_the_largest_gap_between_the_distributions():
    rng = np.random.default_rng(2)
    model, oracle = rng.random(25), rng.random(31)
    gaps = [abs((model <= x).mean() - (oracle <= x).mean()) for x in np.r_[model, oracle]]
    assert forget_quality(model, [oracle])[1] == pytest.approx(max(gaps))


def test_forget_quality_leaves_failures_out():
    model, oracle = np.array([0.1, 0.4, 0.5, 0.9]), np.array([0.2, 0.3, 0.8])
    with_failures = forget_quality(
        np.r_[model, NAN], [np.r_[NAN, oracle, NAN], np.array([NAN, NAN])]
    )
    assert with_failures == pytest.approx(forget_quality(model, [oracle]))


@pytest.mark.parametrize(
    ("model", "oracles"),
    [([NAN, NAN], [[0.1]]), ([0.1], []), ([0.1], [[NAN]]), ([], [[0.1]]), ([0.1], [[]])],
)
def test_forget_quality_without_values_is_nan(model, oracles):
    found = forget_quality(
        np.array(model, dtype=float), [np.array(o, dtype=float) for o in oracles]
    )
    assert all(math.isnan(value) for value in found)


def test_harmonic_mean_by_hand():
    assert harmonic_mean([1, 2, 4]) == pytest.approx(3 / 1.75)
    assert harmonic_mean([0.5, 0.5]) == pytest.approx(0.5)
    assert harmonic_mean([0.3, 0.7, 0.9]) == pytest.approx(stdlib_harmonic_mean([0.3, 0.7, 0.9]))


def test_harmonic_mean_is_at_most_the_arithmetic_and_at_least_the_least():
    values = [0.2, 0.9, 0.6]
    assert min(values) < harmonic_mean(values) < sum(values) / 3


def test_harmonic_mean_of_a_zero_is_zero():
    assert harmonic_mean([0, 1, 1]) == 0


@pytest.mark.parametrize("values", [[], [NAN], [1, NAN], [0, NAN]])
def test_harmonic_mean_without_a_value_is_nan(values):
    assert math.isnan(harmonic_mean(values))


NINE = {
    ("probability", "retain"): 0.9,
    ("rouge_l_recall", "retain"): 0.8,
    ("truth_ratio_utility", "retain"): 0.5,
    ("choice_probability", "neighbors"): 0.4,
    ("rouge_l_recall", "neighbors"): 1.0,
    ("truth_ratio_utility", "neighbors"): 0.25,
    ("choice_probability", "general"): 0.6,
    ("rouge_l_recall", "general"): 0.75,
    ("truth_ratio_utility", "general"): 0.2,
}


def test_model_utility_has_tofus_nine_components():
    assert set(MODEL_UTILITY) == set(NINE)
    assert len(MODEL_UTILITY) == 9


def test_model_utility_is_the_harmonic_mean_of_nine():
    # 10/9 + 5/4 + 2 + 5/2 + 1 + 4 + 5/3 + 4/3 + 5 = 19.8611...
    assert model_utility(NINE) == pytest.approx(
        9 / (10 / 9 + 1.25 + 2 + 2.5 + 1 + 4 + 5 / 3 + 4 / 3 + 5)
    )
    assert model_utility(NINE) == pytest.approx(stdlib_harmonic_mean(NINE.values()))


def test_model_utility_ignores_other_values():
    assert model_utility(NINE | {("probability", "forget"): 0.0}) == model_utility(NINE)


@pytest.mark.parametrize("component", NINE)
def test_any_zero_component_gives_zero(component):
    assert model_utility(NINE | {component: 0.0}) == 0


@pytest.mark.parametrize("component", NINE)
def test_a_missing_component_gives_nan_not_a_mean_of_eight(component):
    assert math.isnan(model_utility({k: v for k, v in NINE.items() if k != component}))
    assert math.isnan(model_utility(NINE | {component: NAN}))


@pytest.mark.parametrize(
    ("auc", "oracles", "expected"),
    [
        (0.5, [0.5, 0.5], 0),  # like an oracle
        (1, [0.5], -1),  # all is known: MUSE reports about -100 %
        (0.25, [0.5], 0.5),  # below a model that never saw the data
        (0.9, [0.4, 0.6], -0.8),
    ],
)
def test_privacy_leakage_in_muses_direction(auc, oracles, expected):
    assert privacy_leakage(auc, oracles) == pytest.approx(expected)


def test_privacy_leakage_has_no_measure_where_oracles_leave_nothing():
    assert math.isnan(privacy_leakage(0.5, [1, 1]))
