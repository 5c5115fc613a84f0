"""Agreement of attacks: tau-b against scipy, ties, and the unit of resampling."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kendalltau

from benchmark.statistics import standings
from benchmark.statistics.attack_agreement import WITHOUT, agreement, tau_b
from benchmark.statistics.scores import Scored, forgetting_before


def rows_of(**attacks):
    """Rows of forgetting after each attack, for one method per value on a single variant."""
    return pd.DataFrame(
        {"track": "toy", "task": "towns", "variant": "low", "method": f"m{i}"}
        | {"attack": attack, "value": value}
        for attack, values in attacks.items()
        for i, value in enumerate(values)
    )


def test_tau_b_is_that_of_scipy_with_ties_and_weights():
    rng = np.random.default_rng(0)
    x = np.round(rng.random(30), 1)
    y = np.clip(x + 0.3 * rng.standard_normal(30), 0, 1).round(1)
    drawn = rng.multinomial(30, np.full(30, 1 / 30), size=3)
    values = tau_b(x, y, np.vstack([np.ones(30), drawn]))
    repeated = [np.repeat(np.arange(30), weights) for weights in drawn]
    expected = [kendalltau(x[i], y[i]).statistic for i in (np.arange(30), *repeated)]
    assert values == pytest.approx(expected)


def test_pairs_by_hand():
    """Of six pairs of methods, a and b order five alike; c ties them all."""
    found = agreement(rows_of(a=[0.1, 0.2, 0.3, 0.4], b=[0.2, 0.1, 0.3, 0.4], c=[1, 1, 1, 1]))
    taus = {(r.one, r.other): r.tau for r in found.itertuples()}
    assert taus["a", "b"] == pytest.approx((5 - 1) / 6)
    assert np.isnan(taus["a", "c"])
    assert np.isnan(taus["b", "c"])
    assert (found["points"] == 4).all()
    assert (found["methods"] == 4).all()


def test_differences_of_rounding_are_ties():
    (row,) = agreement(rows_of(a=[0.1 + 0.2, 0.3, 0.5], b=[0.1, 0.9, 0.2])).itertuples()
    assert row.tau == pytest.approx(0, abs=1e-9)


def test_only_points_that_both_inform_about_count():
    rows = rows_of(a=[0.1, 0.2, 0.3], b=[0.3, 0.2, np.nan]).dropna()
    (row,) = agreement(rows).itertuples()
    assert (row.tau, row.points) == (-1, 2)
    elsewhere = rows_of(c=[0.1, 0.2]).assign(variant="high")
    found = agreement(pd.concat([rows, elsewhere]))
    assert found[["one", "other"]].to_numpy().tolist() == [["a", "b"]], "nothing is said of c"


def test_rows_are_drawn_with_all_their_variants():
    """Three methods on ten variants each are three rows: the interval is as wide as for three
    points that repeat.
    """
    once = rows_of(a=[0.1, 0.2, 0.3], b=[0.2, 0.1, 0.3])
    repeated = pd.concat([once.assign(variant=f"v{i}") for i in range(10)])
    (few,), (many,) = (agreement(rows).itertuples() for rows in (once, repeated))
    assert (few.points, many.points) == (3, 30)
    assert few.methods == many.methods == 3
    assert (many.low, many.high) == (few.low, few.high) == (-1, 1)


def test_standings_hold_forgetting_after_each_attack(make_board, model_frame):
    methods = {name: [model_frame(level)] for name, level in {"a": 0.3, "b": 0.5}.items()}
    index, frames = make_board(methods)
    scores = standings(index, frames, replicates=10)
    axes = scores.variants.set_index("method")
    left = scores.attacks.set_index(["method", "attack"])["value"]
    assert set(left.index.get_level_values("attack")) == {WITHOUT, "quantize"}
    for method in methods:
        assert left[method, WITHOUT] == pytest.approx(axes.loc[method, "forgetting"])
        assert left[method, "quantize"] == pytest.approx(axes.loc[method, "robustness"])
    undone = scores.attacks.set_index(["method", "attack"])
    for method in methods:
        before, after = (left[method, attack] for attack in (WITHOUT, "quantize"))
        row = undone.loc[(method, "quantize")]
        assert row["undone"] == pytest.approx(1 - after / before)
        assert row["undone_low"] <= row["undone"] <= row["undone_high"]
        assert undone.loc[(method, WITHOUT), "undone"] == 0


def test_forgetting_before_and_after_is_by_the_same_metrics():
    """Answers are sampled only before the attack: of the metric measured both times, half is
    undone.
    """
    place = ("forget", "paraphrased_probability", "all")
    parts = {
        ("model", *place): np.full(3, 0.8),
        ("model", "forget", "leak_at_16", "all"): np.full(3, 0.2),
        ("noise", *place): np.full(3, 0.4),
    }
    scored = Scored(parts, {}, {"noise": np.full(3, 0.4)}, np.zeros(3))
    assert forgetting_before(scored, "noise").tolist() == pytest.approx([0.8] * 3)
    del parts["model", *place]
    assert np.isnan(forgetting_before(scored, "noise")).all(), "not informative before"


def test_where_nothing_was_forgotten_nothing_is_undone(make_board, model_frame):
    index, frames = make_board({"a": [model_frame(0.9)]})
    assert standings(index, frames, replicates=10).attacks["undone"].isna().all()
