"""Bootstrap draws: seeded and clustered, with the plain sample in row 0, and intervals as wide as
theory predicts.
"""

import numpy as np
import pandas as pd
import pytest

from benchmark.metrics.base import mean
from benchmark.statistics.bootstrap import (
    LEVEL,
    draws_of,
    entity_weights,
    interval,
    mean_of_picks,
    picks,
)


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.fixture
def examples():
    """Five forget entities with two to six examples, and three retain entities; one entity is in
    both splits.
    """
    rows = [("forget", f"p{e}") for e in range(5) for _ in range(e + 2)] + [
        ("retain", f"p{e}") for e in (4, 5, 6)
    ]
    return pd.DataFrame(rows, columns=["split", "entity"])


def test_the_first_row_counts_everything_once(examples):
    assert all((drawn[0] == 1).all() for _, drawn in entity_weights(examples, 10, rng()).values())


def test_each_replicate_draws_as_many_entities_as_there_are(examples):
    weights = entity_weights(examples, 200, rng())
    for split, count in (("forget", 5), ("retain", 3)):
        _, drawn = weights[split]
        assert drawn.shape == (201, count)
        assert (drawn.sum(1) == count).all()
        assert (drawn >= 0).all()
        assert (drawn == drawn.round()).all()


def test_every_entity_has_one_weight_that_all_its_examples_share(examples):
    forgotten = examples[examples["split"] == "forget"]
    each = draws_of(forgotten, entity_weights(examples, 10, rng())).each()
    assert each.shape == (11, len(forgotten))
    for entity in forgotten["entity"].unique():
        own = each[:, (forgotten["entity"] == entity).to_numpy()]
        assert (own == own[:, :1]).all()
    assert len(np.unique(each, axis=1).T) == 5, "and other entities have others"


def test_entities_that_were_not_drawn_have_no_weight(examples):
    weights = entity_weights(examples[examples["entity"] != "p2"], 10, rng())
    with pytest.raises(KeyError, match="p2"):
        draws_of(examples[examples["split"] == "forget"], weights)


def test_entities_are_drawn_equally_often_however_many_examples_they_have(examples):
    _, drawn = entity_weights(examples, 4000, rng())["forget"]
    assert drawn[1:].mean(0) == pytest.approx([1] * 5, abs=0.06)


def test_the_same_seed_gives_the_same_draws_in_any_order_of_rows(examples):
    first = entity_weights(examples, 50, rng(7))
    for order in (examples, examples[::-1], examples.sample(frac=1, random_state=1)):
        again = entity_weights(order, 50, rng(7))
        assert first.keys() == again.keys()
        for (entities, drawn), (same, redrawn) in zip(first.values(), again.values(), strict=True):
            assert entities.equals(same)
            assert (drawn == redrawn).all()


def test_another_seed_gives_other_draws(examples):
    (_, one), (_, other) = (entity_weights(examples, 50, rng(seed))["forget"] for seed in (1, 2))
    assert (one != other).any()


def test_picks_are_all_in_row_zero_and_drawn_with_replacement_below():
    chosen = picks(3, 500, rng())
    assert chosen.shape == (501, 3)
    assert chosen[0].tolist() == [0, 1, 2]
    assert set(np.unique(chosen)) == {0, 1, 2}
    assert any(len(set(row)) < 3 for row in chosen.tolist())
    assert (picks(3, 500, rng()) == chosen).all()


def test_mean_of_picks_by_hand():
    values = np.array([[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]])  # two oracles, three replicates
    chosen = np.array([[0, 1], [1, 1], [0, 0]])
    assert mean_of_picks(values, chosen).tolist() == [5.5, 20.0, 3.0]


def test_interval_is_the_central_95_percent_of_the_draws():
    assert LEVEL == 0.95
    drawn = rng().permutation(np.linspace(0, 1, 2001))
    assert interval(np.r_[0.5, drawn]) == pytest.approx((0.025, 0.975))


def test_interval_holds_the_plain_estimate():
    """At the end of a clipped scale, all draws may lie on one side of the plain estimate."""
    low, high = interval(np.r_[1.0, np.linspace(0.8, 0.9, 100)])
    assert low < 0.81
    assert high == 1


@pytest.mark.parametrize("replicated", [[0.5, np.nan, np.nan], [np.nan, 0.1, 0.2], [0.5]])
def test_interval_without_estimate_or_draws_is_nan(replicated):
    assert np.isnan(interval(np.array(replicated))).all()


def clusters(values):
    return pd.DataFrame({"split": "forget", "entity": [f"p{i:04}" for i in range(len(values))]})


def interval_of_mean(values, entities, seed=0, replicates=1000):
    weights = entity_weights(entities, replicates, rng(seed))
    return interval(
        mean(values, draws_of(entities, weights), np.zeros(0), draws_of(entities[:0], weights))
    )


@pytest.mark.parametrize("count", [40, 150])
def test_interval_of_a_mean_is_as_wide_as_theory_says(count):
    values = rng(1).normal(0.5, 0.2, count)
    low, high = interval_of_mean(values, clusters(values), replicates=3000)
    assert high - low == pytest.approx(2 * 1.96 * values.std(ddof=1) / np.sqrt(count), rel=0.15)


def test_intervals_hold_the_truth_about_19_times_in_20():
    hits = 0
    for seed in range(200):
        values = rng(1000 + seed).normal(0.5, 0.2, 50)
        low, high = interval_of_mean(values, clusters(values), seed, replicates=300)
        hits += low <= 0.5 <= high
    assert 0.89 <= hits / 200 <= 0.98


def test_repeating_examples_of_an_entity_is_no_more_evidence():
    """Entities are the clusters: four copies of each example do not change the interval."""
    values = rng(2).random(40)
    once = interval_of_mean(values, clusters(values))
    repeated = clusters(values).loc[np.repeat(np.arange(40), 4)].reset_index(drop=True)
    assert interval_of_mean(np.repeat(values, 4), repeated) == pytest.approx(once)
    as_if_independent = interval_of_mean(np.repeat(values, 4), clusters(np.repeat(values, 4)))
    assert as_if_independent[1] - as_if_independent[0] < 0.65 * (once[1] - once[0])
