"""Probability against generation, on a board small enough to compute by hand."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from benchmark.statistics.misalignment import misalignment_rows

PLACE = ("track", "task", "variant")


def frame(probabilities, answers, strata=None):
    """The forget examples of one model, each about a different entity."""
    count = len(probabilities)
    return pd.DataFrame(
        {
            "stage": "model",
            "split": "forget",
            "example": [f"e{i}" for i in range(count)],
            "entity": [f"p{i}" for i in range(count)],
            "form": "name",
            "features": "",
            "strata": [json.dumps(s) for s in strata or [{}] * count],
            "paraphrased_probability": probabilities,
            "exact_answer": answers,
        }
    )


def rows_of(target, oracle, *runs, strata=None, replicates=200, other_target=None):
    """Rows of runs that all start from the target; if another target is given, the second run
    starts from that one.
    """
    frames = {"t": frame(*target, strata), "o": frame(*oracle, strata)}
    frames |= {f"m{seed}": frame(*run, strata) for seed, run in enumerate(runs)}
    rows = [
        {"id": "t", "role": "target", "method": "target", "seed": 0, "target": "t"},
        {"id": "o", "role": "oracle", "method": "oracle", "seed": 1, "target": "t"},
        *(
            {"id": f"m{seed}", "role": "method", "method": "npo", "seed": seed, "target": "t"}
            for seed in range(len(runs))
        ),
    ]
    if other_target:
        frames["u"] = frame(*other_target, strata)
        rows.append({"id": "u", "role": "target", "method": "target", "seed": 1, "target": "u"})
        rows[3]["target"] = "u"
    index = pd.DataFrame(rows)
    return pd.DataFrame(misalignment_rows(PLACE, index, frames, replicates))


def value(rows, quantity, stratum="all"):
    found = rows[(rows["quantity"] == quantity) & (rows["stratum"] == stratum)]
    assert len(found) == 1
    return found.iloc[0]


KNOWN, UNKNOWN = ([1.0] * 4, [1.0] * 4), ([0.0] * 4, [0.0] * 4)


def test_gap_and_disagreement_by_hand():
    """Knowledge is 0.1, 0.5, 0.9, 0 by probability and 1, 0.5, 0, 0 by generation: two of four
    examples contradict.
    """
    rows = rows_of(KNOWN, UNKNOWN, ([0.1, 0.5, 0.9, -0.2], [1.0, 0.5, 0.0, 0.0]))
    assert value(rows, "gap")["value"] == pytest.approx((0.9 + 0 - 0.9 + 0) / 4)
    assert value(rows, "disagreement")["value"] == pytest.approx(2 / 4)
    assert value(rows, "correlation")["value"] == pytest.approx(
        stats.spearmanr([0.1, 0.5, 0.9, 0.0], [1.0, 0.5, 0.0, 0.0]).statistic
    )


def test_where_probabilities_say_nothing_there_is_nothing_to_compare():
    """All four examples are likelier under the target, but only by 0.02: any point in this gap is
    chance.
    """
    target, oracle = ([0.07] * 4, [1.0] * 4), ([0.05] * 4, [0.0] * 4)
    assert rows_of(target, oracle, ([0.06] * 4, [0.5] * 4)).empty


def test_each_seed_is_scaled_by_the_target_that_it_started_from():
    """A probability of .4 is half of the way to .8 and all of the way to .4; generation knows
    nothing. The third example, no likelier under the second target than under the oracles, counts
    for neither seed.
    """
    run = ([0.4] * 3, [0.0] * 3)
    target, other = ([0.8] * 3, [1.0] * 3), ([0.4, 0.4, 0.0], [1.0] * 3)
    rows = rows_of(target, ([0.0] * 3, [0.0] * 3), run, run, other_target=other)
    assert value(rows, "gap")["value"] == pytest.approx(-(0.5 + 1) / 2)
    assert value(rows, "gap")["n"] == 2


def test_probabilities_are_scaled_between_oracles_and_target_example_by_example():
    target, oracle = ([0.8, 0.5], [1.0, 1.0]), ([0.2, 0.1], [0.0, 0.0])
    rows = rows_of(target, oracle, ([0.5, 0.1], [0.5, 0.0]))
    assert value(rows, "gap")["value"] == pytest.approx(0.0)
    assert value(rows, "disagreement")["value"] == 0


def test_what_the_target_knew_no_better_than_the_oracles_is_left_out():
    target, oracle = ([0.9, 0.3], [1.0, 0.0]), ([0.1, 0.3], [0.0, 0.0])
    rows = rows_of(target, oracle, ([0.9, 0.9], [0.0, 0.0]))
    assert (value(rows, "gap")["value"], value(rows, "gap")["n"]) == (-1.0, 1)


def test_seeds_are_averaged_and_intervals_hold_the_value():
    rng = np.random.default_rng(0)
    target, oracle = (np.full(30, 0.9), np.ones(30)), (np.full(30, 0.1), np.zeros(30))
    runs = [(rng.uniform(0, 1, 30), rng.integers(0, 3, 30) / 2) for _ in range(3)]
    rows = rows_of(target, oracle, *runs)
    single = [value(rows_of(target, oracle, run), "gap")["value"] for run in runs]
    whole = value(rows, "gap")
    assert whole["value"] == pytest.approx(np.mean(single))
    assert whole["low"] < whole["value"] < whole["high"]


def test_strata_have_rows_of_their_own():
    strata = [{"relation": "a"}, {"relation": "a"}, {"relation": "b"}, {"relation": "b"}]
    rows = rows_of(KNOWN, UNKNOWN, ([0.0, 0.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0]), strata=strata)
    assert value(rows, "gap", "relation=a")["value"] == 1
    assert value(rows, "gap", "relation=b")["value"] == 0
    assert np.isnan(value(rows, "correlation", "relation=a")["value"]), "nothing varies there"


def test_texts_have_no_such_rows():
    nothing = ([np.nan] * 4, [np.nan] * 4)
    assert rows_of(nothing, nothing, nothing).empty
