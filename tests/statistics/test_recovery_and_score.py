"""Recoveries, axes and the score, by hand."""

import numpy as np
import pytest

from benchmark.statistics.scores import (
    FLOOR,
    asks_enough,
    floored_harmonic_mean,
    informative,
    reason_against,
    recovery,
    retention,
    score_run,
    told_apart,
)

NAN = float("nan")


def arrays(*values):
    return [np.array([float(v)]) for v in values]


@pytest.mark.parametrize(
    ("method", "target", "oracle", "expected"),
    [
        (0.9, 0.9, 0.1, 0),  # nothing was done
        (0.1, 0.9, 0.1, 1),  # as if never learned
        (0.5, 0.9, 0.1, 0.5),
        (0.3, 0.9, 0.1, 0.75),
        (0.0, 0.9, 0.1, 0.875),  # forgetting more than the oracle costs too
        (0.0, 0.9, 0.5, 0),
        (0.95, 0.9, 0.1, 0),  # worse than doing nothing is clipped
        (0.6, 0.2, 0.8, 2 / 3),  # metrics that rise with forgetting
        (1.0, 0.2, 0.8, 2 / 3),
    ],
)
def test_recovery_by_hand(method, target, oracle, expected):
    assert recovery(*arrays(method, target, oracle))[0] == pytest.approx(expected)


def test_recovery_is_nan_where_there_is_nothing_to_recover():
    assert np.isnan(recovery(*arrays(0.5, 0.3, 0.3))[0])
    assert np.isnan(recovery(*arrays(0.3, 0.3, 0.3))[0])


@pytest.mark.parametrize("missing", range(3))
def test_recovery_of_a_missing_value_is_nan(missing):
    values = [0.5, 0.9, 0.1]
    values[missing] = NAN
    assert np.isnan(recovery(*arrays(*values))[0])


def test_recovery_does_not_depend_on_scale_or_sign():
    rng = np.random.default_rng(0)
    method, target, oracle = rng.random((3, 50))
    plain = recovery(method, target, oracle)
    assert recovery(-5 * method + 2, -5 * target + 2, -5 * oracle + 2) == pytest.approx(plain)
    assert ((plain >= 0) & (plain <= 1)).all()


@pytest.mark.parametrize(
    ("method", "target", "expected"), [(0.6, 0.8, 0.75), (0.9, 0.8, 1), (0, 0.8, 0), (0.8, 0.8, 1)]
)
def test_retention_by_hand(method, target, expected):
    assert retention(*arrays(method, target))[0] == pytest.approx(expected)


def test_retention_of_nothing_is_nan():
    assert np.isnan(retention(*arrays(0.5, 0))[0])
    assert np.isnan(retention(*arrays(NAN, 0.5))[0])


@pytest.mark.parametrize(
    ("target", "oracles", "expected"),
    [
        (0.9, [0.1, 0.2], True),
        (0.3, [0.1, 0.3], False),  # 0.1 from their mean, while they are 0.2 apart
        (0.75, [0.0, 0.5], True),  # exactly as far as they are apart
        (0.74, [0.0, 0.5], False),
        (0.1, [0.7, 0.8], True),  # the direction does not matter
        (0.4, [0.4, 0.4], False),
        (0.45, [0.4, 0.4], True),
        (0.054, [0.044, 0.043], False),  # a fifth of the value, but tiny in absolute terms
        (0.9, [NAN, 0.2], False),
        (NAN, [0.1, 0.2], False),
    ],
)
def test_informative(target, oracles, expected):
    assert informative(target, np.array(oracles)) is expected


def test_target_and_oracles_that_other_entities_would_turn_around_are_not_told_apart():
    """Over the draws, the first target is always 0.2 to 0.4 above the oracles' mean; the second is
    below it in a tenth of the draws.
    """
    oracles = [np.full(1001, 0.1), np.full(1001, 0.3)]
    draws = np.linspace(0.4, 0.6, 1001)
    assert told_apart(draws, oracles)
    assert told_apart(0.4 - draws, oracles), "the direction does not matter"
    assert not told_apart(np.where(np.arange(1001) % 10 == 9, 0.1, draws), oracles)
    assert told_apart(draws[:1], [own[:1] for own in oracles]), (
        "without draws there is nothing that speaks against it"
    )


def test_harmonic_mean_floors_what_is_below_a_hundredth():
    assert FLOOR == 0.01
    assert floored_harmonic_mean(arrays(0.5, 1), 1)[0] == pytest.approx(2 / 3)
    assert floored_harmonic_mean(arrays(0, 1), 1)[0] == pytest.approx(2 / 101)
    assert (
        floored_harmonic_mean(arrays(0.004, 1), 1)[0] == floored_harmonic_mean(arrays(0, 1), 1)[0]
    )
    assert floored_harmonic_mean(arrays(0, 0), 1)[0] == pytest.approx(0.01)


def test_harmonic_mean_is_taken_replicate_by_replicate():
    values = [np.array([1.0, 0.5, NAN]), np.array([1.0, 1.0, 0.3])]
    assert floored_harmonic_mean(values, 3) == pytest.approx([1, 2 / 3, 0.3])


def test_harmonic_mean_of_nothing_is_nan():
    assert np.isnan(floored_harmonic_mean([], 4)).tolist() == [True] * 4
    assert np.isnan(floored_harmonic_mean(arrays(NAN, NAN), 1)[0])


NULL_BOUND = 4 / (1 / 0.01 + 3)


def test_one_lost_axis_bounds_the_score_of_a_null_model():
    assert floored_harmonic_mean(arrays(0, 1, 1, 1), 1)[0] == pytest.approx(NULL_BOUND)
    rng = np.random.default_rng(0)
    for others in rng.random((20, 3)):
        assert floored_harmonic_mean(arrays(0, *others), 1)[0] <= NULL_BOUND


# (method, target, oracle) by key, with each recovery worked out beside it.
PARAPHRASED = ("model", "forget", "paraphrased_probability", "all")
RETAIN = ("model", "retain", "probability", "all")
MIA = ("model", "forget", "mia_loss", "all")
QUANTIZED = ("quantize", "forget", "paraphrased_probability", "all")
RELEARNED = ("relearn", "forget", "paraphrased_probability", "all")
RUN = {
    PARAPHRASED: (0.3, 0.9, 0.1),  # 3/4
    ("model", "forget", "exact_answer", "all"): (
        0.4,
        0.8,
        0.0,
    ),  # 1/2; forgetting is 2/(4/3 + 2) = 0.6
    RETAIN: (0.6, 0.8, 0.7),  # 0.6/0.8 = 3/4; the oracle does not matter
    MIA: (0.3, 1.0, 0.5),  # 1 - 0.2/0.5 = 0.6
    QUANTIZED: (0.5, 0.9, 0.1),  # 1/2
    RELEARNED: (0.2, 1.0, 0.2),  # 1; the worse one gives robustness 1/2
    ("model", "forget", "paraphrased_probability", "frequency=low"): (
        0.9,
        0.9,
        0.1,
    ),  # strata do not enter the score
    ("model", "forget", "truth_ratio_cw", "all"): (0.9, 0.9, 0.1),  # feeds no axis
    ("model", "general", "probability", "all"): (0.0, 0.9, 0.1),  # feeds no axis on this split
}


def scored(run, usable=None):
    method, target, oracle = (
        {key: np.array([float(v[i])]) for key, v in run.items()} for i in range(3)
    )
    return score_run(method, target, oracle, set(run) if usable is None else usable)


def test_axes_and_score_by_hand():
    found = scored(RUN)
    axes = {name: values[0] for name, values in found.axes.items()}
    assert axes == pytest.approx(
        {"forgetting": 0.6, "utility": 0.75, "privacy": 0.6, "robustness": 0.5}
    )
    assert found.score[0] == pytest.approx(4 / (1 / 0.6 + 4 / 3 + 1 / 0.6 + 2))
    assert min(found.attacks, key=lambda name: found.attacks[name][0]) == "quantize"


def test_parts_are_recoveries_and_retentions():
    parts = scored(RUN).parts
    assert parts[PARAPHRASED][0] == pytest.approx(0.75)
    assert parts[RETAIN][0] == pytest.approx(0.75)
    assert parts[("model", "forget", "paraphrased_probability", "frequency=low")][0] == 0


def test_uninformative_keys_are_left_out_of_every_axis():
    usable = set(RUN) - {PARAPHRASED, QUANTIZED, MIA}
    found = scored(RUN, usable)
    assert found.axes["forgetting"][0] == pytest.approx(0.5)
    assert found.axes["robustness"][0] == pytest.approx(1)
    assert np.isnan(found.axes["privacy"][0])
    assert found.score[0] == pytest.approx(3 / (1 / 0.5 + 4 / 3 + 1))


def test_an_attack_without_informative_forgetting_does_not_undo_robustness():
    """The attack is left out by rule, even if other values or strata under it are informative."""
    beside = {
        ("relearn", "forget", "exact_memorization", "all"): (0.5, 0.9, 0.1),
        ("relearn", "forget", "paraphrased_probability", "frequency=low"): (0.5, 0.9, 0.1),
    }
    run = RUN | beside
    found = scored(run, set(run) - {RELEARNED})
    assert found.axes["robustness"][0] == pytest.approx(0.5)
    assert min(found.attacks, key=lambda name: found.attacks[name][0]) == "quantize"


def test_a_draw_on_which_an_axis_is_undefined_has_no_score():
    """The draw contains no example that was asked after the attack: the other axes alone would
    score better.
    """
    method, target, oracle = (
        {key: np.full(3, float(v[i])) for key, v in RUN.items()} for i in range(3)
    )
    for values in (method, target, oracle):
        for key in (QUANTIZED, RELEARNED):
            values[key] = np.array([values[key][0], values[key][0], NAN])
    found = score_run(method, target, oracle, set(RUN))
    assert found.score[:2] == pytest.approx(scored(RUN).score[0])
    assert np.isnan(found.score[2])
    assert found.axes["forgetting"] == pytest.approx(0.6)


def test_over_forgetting_costs_as_much_as_under_forgetting():
    under, over = scored(RUN | {MIA: (0.6, 1.0, 0.5)}), scored(RUN | {MIA: (0.4, 1.0, 0.5)})
    assert under.score[0] == pytest.approx(over.score[0])


@pytest.mark.parametrize("key", [PARAPHRASED, RETAIN, MIA, QUANTIZED])
def test_a_failed_value_never_scores_better_than_the_worst_one(key):
    """Zero would be the best value, and a missing value could win as well: failures must not be
    averaged away.
    """
    _, target, oracle = RUN[key]
    worst = scored(RUN | {key: (0 if key == RETAIN else target, target, oracle)}).score[0]
    failed = scored(RUN | {key: (NAN, target, oracle)}).score[0]
    assert np.isnan(failed) or failed <= worst


@pytest.mark.parametrize("key", [PARAPHRASED, RETAIN, MIA, QUANTIZED])
def test_a_value_that_is_not_there_never_scores_better_than_the_worst_one(key):
    """The run's attack or split was never measured."""
    _, target, oracle = RUN[key]
    worst = scored(RUN | {key: (0 if key == RETAIN else target, target, oracle)}).score[0]
    method, targets, oracles = (
        {k: np.array([float(v[i])]) for k, v in RUN.items()} for i in range(3)
    )
    del method[key]
    found = score_run(method, targets, oracles, set(RUN)).score[0]
    assert np.isnan(found) or found <= worst


def test_keys_that_other_entities_would_turn_around_are_not_usable():
    draws = np.where(np.arange(1001) % 10 == 9, 0.0, 0.9)
    oracles = [{PARAPHRASED: np.full(1001, 0.1)}, {PARAPHRASED: np.full(1001, 0.2)}]
    turned = reason_against(PARAPHRASED, {PARAPHRASED: draws}, oracles)
    assert turned == "the interval of the difference over entities contains 0"
    assert reason_against(PARAPHRASED, {PARAPHRASED: np.full(1001, 0.9)}, oracles) == ""


@pytest.mark.parametrize(
    ("stage", "split", "asked", "counts"),
    [
        ("prefix", "forget", 10, True),  # a third of thirty
        ("prefix", "forget", 9, False),
        ("prefix", "retain", 9, True),  # utility cost of an attack, on few examples by design
        ("budget 0.50", "forget", 9, True),
    ],
)
def test_an_attack_counts_from_a_third_of_the_forget_set_on(stage, split, asked, counts):
    metric = "paraphrased_probability"
    sizes = {("model", split, metric, "all"): 30, (stage, split, metric, "all"): asked}
    assert asks_enough((stage, split, metric, "all"), sizes) is counts
    assert asks_enough((stage, split, metric, "frequency=1"), sizes) is counts


def test_each_key_that_says_nothing_has_its_reason():
    def replicated(values):
        return {key: np.full(3, value) for key, value in values.items()}

    near, flat, unmeasured, alone = (
        ("model", "forget", name, "all")
        for name in ("exact_answer", "rouge_l_recall", "extraction_strength", "truth_ratio")
    )
    little, enough = (("model", split, "rouge_l_recall", "all") for split in ("general", "retain"))
    utility = {RETAIN: 0.8, little: 0.099, enough: 0.1}
    target = utility | {PARAPHRASED: 0.9, near: 0.2, flat: 0.44, unmeasured: NAN, alone: 0.9}
    one = utility | {PARAPHRASED: 0.1, near: 0.18, flat: 0.1, unmeasured: 0.5, alone: 0.1}
    other = utility | {PARAPHRASED: 0.2, near: 0.2, flat: 0.5, unmeasured: 0.6}
    oracles = [replicated(one), replicated(other)]
    found = {key: reason_against(key, replicated(target), oracles) for key in target}
    assert found == {
        RETAIN: "",  # utility counts although target and oracles agree ...
        enough: "",
        little: "the target scores below 0.1",  # ... unless the target is below a tenth
        PARAPHRASED: "",
        near: "target and oracles differ by less than 0.05",
        flat: "target and oracles differ by less than the spread among the oracles",
        unmeasured: "without a value for the target or an oracle",
        alone: "without a value for the target or an oracle",
    }
