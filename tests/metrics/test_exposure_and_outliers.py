"""Exposure, outliers and the two-sided membership attack: by hand, and against plain loops over
the definitions.
"""

import math

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import StandardScaler

from benchmark.metrics.base import Draws
from benchmark.metrics.frames import example_frame
from benchmark.metrics.membership import exposures, out_of_fold_scores, two_sided_auc
from benchmark.metrics.memorization import count_outliers, gap
from benchmark.metrics.values import metric_values

NAN = float("nan")


def exposure_by_counting(values, holdout):
    """-log2((1 + #{r in R: nll(r) <= nll(x)}) / (1 + |R|)), averaged; values are
    log-probabilities, so nll = -value.
    """
    bits = []
    for x in values:
        as_likely = sum(1 for r in holdout if -r <= -x)
        bits.append(-math.log2((1 + as_likely) / (1 + len(holdout))))
    return sum(bits) / len(bits)


def outliers_by_counting(values, holdout):
    """Number of values above the least holdout value that at least 95 in 100 holdout values do not
    exceed.
    """
    reached = [
        bound
        for bound in sorted(holdout)
        if 100 * sum(1 for r in holdout if r <= bound) >= 95 * len(holdout)
    ]
    return sum(1 for x in values if x > reached[0])


def gap_by_counting(values, holdout):
    return sum(values) / len(values) - sum(holdout) / len(holdout)


def plain(aggregate, values, holdout):
    values, holdout = np.array(values, dtype=float), np.array(holdout, dtype=float)
    return float(aggregate(values, Draws.plain(len(values)), holdout, Draws.plain(len(holdout)))[0])


@pytest.fixture
def drawn():
    """Values with many ties among themselves and with the holdout, and bootstrap counts that
    include zeros.
    """
    rng = np.random.default_rng(7)
    values, holdout = rng.integers(-2, 9, 23).astype(float), rng.integers(-3, 7, 31).astype(float)
    return values, holdout, rng.integers(0, 4, (6, 23)), rng.integers(0, 4, (6, 31))


@pytest.mark.parametrize(
    ("value", "holdout", "expected"),
    [
        (-1, [-2, -3, -4], 2),  # likelier than all three: log2(1 + 3)
        (-9, [-2, -3, -4], 0),  # all three are likelier
        (-2.5, [-2, -3, -4], 1),  # one of three is likelier: -log2(2/4)
        (-2, [-2, -3, -4], 1),  # equally likely counts as likelier
        (0, [-1] * 127, 7),
    ],
)
def test_exposure_by_hand(value, holdout, expected):
    assert plain(exposures, [value], holdout) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("aggregate", "by_counting"),
    [
        (exposures, exposure_by_counting),
        (count_outliers, outliers_by_counting),
        (gap, gap_by_counting),
    ],
)
def test_contrasts_agree_with_counting_and_weights_with_repetition(drawn, aggregate, by_counting):
    values, holdout, weights, holdout_weights = drawn
    assert plain(aggregate, values, holdout) == pytest.approx(by_counting(values, holdout))
    repeated = [
        by_counting(np.repeat(values, own), np.repeat(holdout, other))
        for own, other in zip(weights, holdout_weights, strict=True)
    ]
    drawn_values, drawn_holdout = (
        Draws(own, np.arange(own.shape[1])) for own in (weights, holdout_weights)
    )
    assert aggregate(values, drawn_values, holdout, drawn_holdout) == pytest.approx(repeated)


@pytest.mark.parametrize("aggregate", [exposures, count_outliers])
def test_contrasts_do_not_depend_on_order_and_see_ranks_only(drawn, aggregate):
    values, holdout, _, _ = drawn
    found = plain(aggregate, values, holdout)
    assert plain(aggregate, values[::-1], holdout[::-1]) == pytest.approx(found)
    assert plain(aggregate, np.exp(values), np.exp(holdout)) == pytest.approx(found)


@pytest.mark.parametrize("aggregate", [exposures, count_outliers, gap])
def test_contrasts_leave_failures_out_on_both_sides(drawn, aggregate):
    values, holdout, _, _ = drawn
    failed = plain(aggregate, [NAN, *values, NAN], [*holdout, NAN])
    assert failed == pytest.approx(plain(aggregate, values, holdout))


@pytest.mark.parametrize("aggregate", [exposures, count_outliers, gap])
@pytest.mark.parametrize(("values", "holdout"), [([NAN, NAN], [1.0, 2.0]), ([1.0], [NAN, NAN])])
def test_contrasts_without_one_side_are_nan_not_a_good_score(aggregate, values, holdout):
    assert math.isnan(plain(aggregate, values, holdout))


def test_exposure_lies_between_zero_and_the_bits_of_the_holdout():
    rng = np.random.default_rng(0)
    for size in (1, 5, 100):
        found = [plain(exposures, [x], rng.normal(size=size)) for x in rng.normal(size=20)]
        assert min(found) >= 0
        assert max(found) <= math.log2(1 + size) + 1e-12


@pytest.mark.parametrize(
    ("values", "expected"),
    [([0.95], 0), ([0.96], 1), ([0.5, 0.951, 0.99, 1.0], 3), ([0.1], 0)],
)
def test_of_a_hundred_the_ninety_fifth_is_the_bound(values, expected):
    """The holdout is 0.01, 0.02, ... 1.00: 95 of them are at most 0.95."""
    assert plain(count_outliers, values, [i / 100 for i in range(1, 101)]) == expected


@pytest.mark.parametrize("size", [1, 19, 20, 21, 40, 112])
def test_few_of_a_holdout_are_outliers_of_itself(size):
    holdout = np.arange(size, dtype=float)
    assert plain(count_outliers, holdout, holdout) == size - math.ceil(0.95 * size)


def test_an_outlier_drawn_twice_counts_twice():
    values, holdout = np.array([1.0, 0.0]), np.zeros(10)
    weights = np.array([[2, 1], [0, 5]])
    drawn, each = Draws(weights, np.arange(2)), Draws(np.ones((2, 1)), np.zeros(10, dtype=int))
    assert count_outliers(values, drawn, holdout, each).tolist() == [2, 0]


def attack_by_folds(forget, holdout):
    """A plain MIAU: every example is scored by a classifier that was fitted without its fold."""
    x = np.array([*forget, *holdout], dtype=float)[:, None]
    y = np.array([1] * len(forget) + [0] * len(holdout))
    scores = np.zeros(len(y))
    for train, test in StratifiedKFold(5, shuffle=True, random_state=0).split(x, y):
        scaler = StandardScaler().fit(x[train])
        model = LogisticRegression(class_weight="balanced").fit(
            scaler.transform(x[train]), y[train]
        )
        scores[test] = model.decision_function(scaler.transform(x[test]))
    auc = roc_auc_score(y, scores)
    return max(auc, 1 - auc)


def attack(forget, holdout):
    forget, holdout = np.array(forget, dtype=float), np.array(holdout, dtype=float)
    return plain(two_sided_auc, *out_of_fold_scores(forget, holdout))


@pytest.mark.parametrize("shift", [-3.0, -0.5, 0.0, 0.4, 2.0])
def test_the_attack_agrees_with_a_loop_over_folds(shift):
    rng = np.random.default_rng(11)
    forget, holdout = rng.normal(shift, 1, 37), rng.normal(0, 1, 53)
    assert attack(forget, holdout) == pytest.approx(attack_by_folds(forget, holdout))


def test_the_attack_is_two_sided_and_blind_to_scale():
    rng = np.random.default_rng(12)
    forget, holdout = rng.normal(0.7, 1, 40), rng.normal(0, 1, 60)
    found = attack(forget, holdout)
    assert 0.5 < found < 1
    assert attack(-forget, -holdout) == pytest.approx(found)
    assert attack(100 * forget - 3, 100 * holdout - 3) == pytest.approx(found)


@pytest.mark.parametrize("sign", [1, -1])
def test_what_was_forgotten_too_well_is_found_as_well(sign):
    assert (
        attack([sign * (5 + i / 10) for i in range(20)], [-sign * i / 10 for i in range(20)]) == 1
    )


def test_where_all_losses_are_the_same_the_attack_guesses():
    assert attack([-1.0] * 20, [-1.0] * 30) == pytest.approx(0.5)


def test_the_attack_leaves_failures_out():
    rng = np.random.default_rng(13)
    forget, holdout = rng.normal(1, 1, 20), rng.normal(0, 1, 30)
    own, other = out_of_fold_scores(np.r_[forget, NAN], np.r_[holdout, NAN, NAN])
    assert (np.isnan(own).tolist(), np.isnan(other).tolist()) == (
        [False] * 20 + [True],
        [False] * 30 + [True] * 2,
    )
    assert attack([*forget, NAN], [*holdout, NAN, NAN]) == pytest.approx(
        attack_by_folds(forget, holdout)
    )


@pytest.mark.parametrize(("forget", "holdout"), [(4, 30), (30, 4), (0, 10), (10, 0), (0, 0)])
def test_too_few_examples_are_no_attack(forget, holdout):
    own, other = out_of_fold_scores(np.arange(forget, dtype=float), np.arange(holdout, dtype=float))
    assert (len(own), len(other)) == (forget, holdout)
    assert np.isnan(own).all()
    assert np.isnan(other).all()


@pytest.fixture
def texts(make_sample):
    """Samples of texts: `texts(split, values, stage)`, where each value is the only log-probability
    and all tokens are correct.
    """

    def make(split, values, stage="model", **changes):
        return [
            make_sample(
                stage=stage,
                split=split,
                example=f"{split}{i}",
                entity=f"{split}{i}",
                prompt="",
                answer="some words",
                logprobs=np.array([value]),
                correct=np.array([True]),
                paraphrases=(),
                paraphrase_logprobs=(),
                paraphrase_generations=(),
                perturbed=(),
                perturbed_logprobs=(),
                **changes,
            )
            for i, value in enumerate(values)
        ]

    return make


def value_of(samples, metric, stage="model", stratum="all"):
    values = metric_values(example_frame(samples), [])
    (only,) = [
        v
        for v in values
        if (v.metric, v.stage, v.stratum, v.split) == (metric, stage, stratum, "forget")
    ]
    return only


def test_the_recorded_attack_is_fitted_stage_by_stage(texts):
    """The forget set stands out in one stage but not in the other; fitting them together would blur
    both.
    """
    rng = np.random.default_rng(5)
    apart, alike, unseen = (rng.normal(m, 1, 30) for m in (2.0, 0.0, 0.0))
    samples = [
        *texts("forget", apart),
        *texts("holdout", unseen),
        *texts("forget", alike, "budget 0.50"),
        *texts("holdout", unseen, "budget 0.50"),
    ]
    assert value_of(samples, "mia_unlearned").value == pytest.approx(attack_by_folds(apart, unseen))
    half_way = value_of(samples, "mia_unlearned", "budget 0.50")
    assert half_way.value == pytest.approx(attack_by_folds(alike, unseen))
    assert value_of(samples, "exposure").value == pytest.approx(exposure_by_counting(apart, unseen))


def test_fitting_changes_the_column_of_the_fitted_metric_alone(texts):
    samples = [
        *texts("forget", range(-10, 0)),
        *texts("holdout", range(-30, -20)),
        *texts("retain", [-1.0]),
    ]
    frame = example_frame(samples)
    assert frame["mia_loss"].tolist()[:20] == [*range(-10, 0), *range(-30, -20)]
    assert frame["mia_unlearned"].notna().tolist() == [True] * 20 + [False]
    assert (frame.loc[:9, "mia_unlearned"] > 0).all()  # log-odds of membership in the forget set
    assert (frame.loc[10:19, "mia_unlearned"] < 0).all()


def test_too_few_texts_fail_the_attack_and_nothing_else(texts):
    samples = [*texts("forget", [-1.0, -2, -3]), *texts("holdout", range(-20, 0))]
    attack, exposure = value_of(samples, "mia_unlearned"), value_of(samples, "exposure")
    assert (attack.n_scored, attack.n_failed) == (0, 3)
    assert math.isnan(attack.value)
    assert (exposure.n_scored, exposure.n_failed) == (3, 0)


@pytest.mark.parametrize(
    "metric", ["mia_loss", "mia_min_k", "mia_unlearned", "exposure", "outliers"]
)
def test_texts_on_which_a_model_gives_nan_fail(texts, metric):
    """A number would mean nothing extracted, nothing exposed and no outliers: the score of perfect
    forgetting.
    """
    some = value_of(
        [*texts("forget", [NAN, *range(-9, 0)]), *texts("holdout", range(-20, 0))], metric
    )
    assert (some.n_scored, some.n_failed) == (9, 1)
    none = value_of([*texts("forget", [NAN] * 8), *texts("holdout", range(-20, 0))], metric)
    assert (none.n_scored, none.n_failed) == (0, 8)
    assert math.isnan(none.value)


def test_memorization_accuracy_is_the_share_of_right_tokens_of_texts(texts, make_sample):
    halves = texts("forget", [-1.0, -1.0])
    right = [np.array([True, False, False, False]), np.array([True, True])]
    samples = [
        make_sample(**(vars(s) | {"correct": c})) for s, c in zip(halves, right, strict=True)
    ]
    assert value_of(samples, "memorization_accuracy").value == pytest.approx((0.25 + 1) / 2)


def test_the_memorization_gap_is_what_never_seen_texts_do_not_explain(texts, make_sample):
    """0.75 of the forget set's tokens and 0.25 of the holdout's are right, so the gap is 0.5."""

    def right(samples, count):
        return [make_sample(**(vars(s) | {"correct": np.arange(8) < count})) for s in samples]

    forget = right(texts("forget", [-1.0, -1.0]), 6)
    holdout = right(texts("holdout", [-1.0] * 4), 2)
    assert value_of([*forget, *holdout], "memorization_gap").value == pytest.approx(0.5)
    alike = [*right(texts("forget", [-1.0]), 6), *right(texts("holdout", [-1.0] * 4), 6)]
    assert value_of(alike, "memorization_gap").value == pytest.approx(0)


def test_outliers_read_the_memorization_accuracy(texts, make_sample):
    def right(samples, shares):
        return [
            make_sample(**(vars(s) | {"correct": np.arange(10) < n}))
            for s, n in zip(samples, shares, strict=True)
        ]

    forget, holdout = (
        right(texts("forget", [-1.0] * 4), [3, 4, 9, 10]),
        right(texts("holdout", [-1.0] * 20), range(20)),
    )
    assert (
        value_of([*forget, *right(texts("holdout", [-1.0] * 4), [2, 3, 3, 1])], "outliers").value
        == 3
    )
    assert (
        value_of([*forget, *holdout], "outliers").value == 0
    )  # the bound is 1.0, and no value is above it
