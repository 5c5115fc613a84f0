"""Trajectories and sequential requests, against values worked out by hand."""

import math

import numpy as np
import pytest

from benchmark.metrics.stages import budget_stage, request_stage
from benchmark.statistics.continual import request_rows
from benchmark.statistics.trajectories import (
    AREA,
    EQUAL_LEVEL,
    LOST,
    ORACLE_LEVEL,
    SHARE_LEVEL,
    STEPS,
    area,
    contrast_rows,
    first_below,
    level_rows,
    rival_rows,
    spent_by,
    spread,
    trajectory_rows,
    value_at,
)
from benchmark.statistics.variants import Run, VariantScores

PLACE = ("toy", "towns", "low")
KNOWN, KEPT, GENERAL = "paraphrased_probability", "probability", "exact_answer"
REPLICATES = 4


def same(value):
    """The plain value with identical replicates."""
    return np.full(REPLICATES + 1, float(value))


def model(known, kept, stage="model"):
    return {
        (stage, "forget", KNOWN, "all"): same(known),
        (stage, "retain", KEPT, "all"): same(kept),
    }


def run(values, target=None):
    return Run(values, target or model(1, 1), scored=None, sizes={})


def board(trajectories, oracle=0.0, steps=100):
    """A variant whose methods have this knowledge and utility halfway and at the end; the target
    has 1 of both.
    """
    runs = {
        name: {0: run(model(*half, budget_stage(0.5)) | model(*end))}
        for name, (half, end) in trajectories.items()
    }
    return VariantScores(runs, {"t": model(1, 1)}, model(oracle, 1), set(), {}, REPLICATES, steps)


def spent(scores):
    return {method: spent_by(scores, method) for method in scores.runs}


def levels(scores):
    found = spent(scores)
    return [row for method in sorted(found) for row in level_rows(PLACE, method, found[method])]


def cells(rows, *columns):
    return {tuple(row[c] for c in columns): row["value"] for row in rows}


def curve(*values):
    return np.array(values, dtype=float)[:, None]


SHARES = np.array([0, 0.5, 1.0])


@pytest.mark.parametrize(
    ("values", "level", "share"),
    [
        ((1, 0.6, 0.2), 0.4, 0.75),  # halfway through the second half
        ((1, 0.6, 0.2), 0.6, 0.5),  # exactly at a point
        ((1, 0.6, 0.2), 1.0, 0.0),  # from the start
        ((1, 0.2, 0.8), 0.6, 0.25),  # a later return does not count
        ((1, 0.6, 0.2), 0.1, math.inf),  # never
    ],
)
def test_a_level_is_reached_where_the_line_between_two_looks_crosses_it(values, level, share):
    assert first_below(curve(*values), SHARES, level).tolist() == [pytest.approx(share)]


def test_values_are_read_off_between_two_looks():
    found = value_at(np.array([[1, 1, 1, 1], [0.5, 0.5, 0.5, 0.5], [0.3, 0.3, 0.3, 0.3]]), SHARES,
                     np.array([0, 0.25, 0.75, math.inf]))  # fmt: skip
    assert found[:3].tolist() == pytest.approx([1, 0.75, 0.4])
    assert math.isnan(found[3])


@pytest.mark.parametrize(
    ("known", "kept", "expected"),
    [
        ((1, 0.5, 0), (1, 1, 1), 1.0),  # forgets all and loses nothing
        ((1, 0.5, 0), (0.5, 0.5, 0.5), 0.5),
        ((1, 0.5, 0), (1, 0.5, 0), 0.5),  # loses as much as it forgets: the triangle
        (
            (1, 0.5, 0.5),
            (1, 1, 1),
            0.525,
        ),  # halfway: eleven of twenty-one levels, the last step to 0
        ((1, 1, 1), (1, 1, 1), 0.025),  # forgets nothing: only the level at 0
    ],
)
def test_the_area_is_the_utility_at_each_level_of_forgetting(known, kept, expected):
    found = area(SHARES, {"k": curve(*known), "utility": curve(*kept)}, "k", 1.0, 0.0)
    assert found.tolist() == [pytest.approx(expected)]


def test_intervals_are_open_where_draws_never_reach_the_level():
    reached = spread(np.array([10.0, 9, 10, 11]))
    assert (reached["value"], reached["low"] <= 9.1, reached["high"] >= 10.9) == (10, True, True)
    half = spread(np.array([10.0, 9, math.inf, math.inf]))
    assert (half["value"], half["low"], half["high"]) == (10, 9, math.inf)
    ahead = spread(
        np.array([-25.0, -29, -17, -math.inf, -math.inf])
    )  # a difference where the other never gets there
    assert (ahead["low"], ahead["high"]) == (-math.inf, -17)
    unknown = spread(
        np.array([0.3, 0.2, 0.4, math.nan])
    )  # nothing to compare in a third of the draws
    assert (unknown["low"], unknown["high"]) == (-math.inf, math.inf)
    rarely = spread(np.array([10.0, *range(1, 100), math.inf]))  # one draw in a hundred
    assert (rarely["low"], rarely["high"]) == (3, 98)
    seldom = spread(np.array([math.inf, 9, 10, 11]))
    assert (seldom["value"], seldom["low"], seldom["high"]) == (math.inf, 9, math.inf)
    never = spread(np.array([math.inf, math.inf, math.inf]))  # beyond any number
    assert (never["low"], never["high"]) == (math.inf, math.inf)
    unvalued = spread(np.array([math.nan, 1, 2]))
    assert math.isnan(unvalued["low"])


def test_steps_and_utility_lost_at_both_levels():
    """The oracles know 0.2: this level is reached after 80 of 100 steps, and 90 % of the way to it
    (0.28) after 72.
    """
    scores = board({"plain": ((0.5, 0.9), (0.0, 0.4))}, oracle=0.2)
    found = cells(levels(scores), "level", "quantity")
    assert found[ORACLE_LEVEL, STEPS] == pytest.approx(80)
    assert found[SHARE_LEVEL, STEPS] == pytest.approx(72)
    assert found[ORACLE_LEVEL, LOST] == pytest.approx(1 - (0.9 - 0.5 * 0.6))
    assert found[SHARE_LEVEL, LOST] == pytest.approx(1 - (0.9 - 0.5 * 0.44))


def test_a_course_runs_from_the_target_to_the_final_model():
    scores = board({"plain": ((0.5, 0.9), (0.0, 0.4))})
    found = cells(trajectory_rows(PLACE, scores), "quantity", "share")
    assert [found[KNOWN, share] for share in (0.0, 0.5, 1.0)] == [1, 0.5, 0]
    assert [found["utility", share] for share in (0.0, 0.5, 1.0)] == pytest.approx([1, 0.9, 0.4])


def test_methods_that_take_no_steps_have_no_course():
    scores = VariantScores(
        {"still": {0: run(model(1, 1))}},
        {"t": model(1, 1)},
        model(0, 1),
        set(),
        {},
        REPLICATES,
        100,
    )
    assert {row["share"] for row in trajectory_rows(PLACE, scores)} == {0, 1}
    assert levels(scores) == []


def test_beside_others_methods_that_take_no_steps_have_a_start_and_an_end():
    scores = board({"plain": ((0.5, 0.9), (0.0, 0.4))})
    scores.runs["at once"] = {0: run(model(0.1, 0.7))}
    rows = [row for row in trajectory_rows(PLACE, scores) if row["method"] == "at once"]
    assert cells(rows, "quantity", "share") == {
        (KNOWN, 0.0): 1,
        (KNOWN, 1.0): 0.1,
        ("utility", 0.0): 1,
        ("utility", 1.0): pytest.approx(0.7),
    }
    assert not [row for row in levels(scores) if row["method"] == "at once"]


def test_a_run_that_ended_early_stays_as_it_ended():
    runs = {0: run(model(0.5, 1, budget_stage(0.5)) | model(0, 1)), 1: run(model(0.2, 1))}
    scores = VariantScores({"m": runs}, {"t": model(1, 1)}, model(0, 1), set(), {}, REPLICATES, 100)
    assert cells(trajectory_rows(PLACE, scores), "quantity", "share")[KNOWN, 0.5] == pytest.approx(
        (0.5 + 0.2) / 2
    )


def test_the_others_are_compared_with_gradient_ascent():
    scores = board(
        {
            "grad_ascent": ((0.5, 1), (0.0, 1)),
            "slow": ((0.9, 1), (0.0, 1)),
            "stuck": ((1, 1), (1, 1)),
        }
    )
    found = cells(rival_rows(PLACE, spent(scores)), "method", "level", "quantity")
    # 90 % of the way is 0.1: gradient ascent gets there after 90 steps, `slow` 4.4 steps later.
    assert found["slow", SHARE_LEVEL, STEPS] == pytest.approx(50 + 50 * 8 / 9 - 90)
    assert found["stuck", SHARE_LEVEL, STEPS] == math.inf
    assert not [key for key in found if key[0] == "grad_ascent"]
    assert not list(rival_rows(PLACE, spent(board({"slow": ((0.9, 1), (0.1, 1))}))))


def test_a_final_model_is_compared_with_gradient_ascent_where_that_knew_as_much():
    """Gradient ascent knows 0.6 after 0.4 of the budget, having lost 0.16 of utility; it never gets
    to 0.1.
    """
    scores = board(
        {
            "grad_ascent": ((0.5, 0.8), (0.2, 0.4)),
            "half": ((0.9, 1), (0.6, 0.95)),
            "more": ((0.5, 1), (0.1, 1)),
        }
    )
    found = cells(rival_rows(PLACE, spent(scores)), "method", "level", "quantity")
    assert found["half", EQUAL_LEVEL, LOST] == pytest.approx(0.05 - 0.16)
    assert math.isnan(found["more", EQUAL_LEVEL, LOST])
    assert EQUAL_LEVEL not in {row["level"] for row in levels(scores)}


def test_variants_are_compared_within_a_task():
    low, high = (board({"m": ((knows, 1), (0.0, 1))}) for knows in (0.5, 0.9))
    places = {PLACE: low, ("toy", "towns", "high"): high, ("toy", "lakes", "high"): high}
    rows = list(contrast_rows({place: spent(own) for place, own in places.items()}))
    assert {(row["variant"], row["minus"]) for row in rows} == {("low", "high")}
    found = cells(rows, "level", "quantity")
    # 0.1 is reached at 90 steps from (0.5 at 50, 0 at 100), at 94.44 from (0.9 at 50, 0 at 100).
    assert found[SHARE_LEVEL, STEPS] == pytest.approx(90 - (50 + 50 * 0.8 / 0.9))
    assert found["", AREA] == pytest.approx(0)


def test_a_draw_without_the_people_of_one_request_has_those_of_the_others():
    missing = np.array([0.4, math.nan, 0.4, 0.4, math.nan])
    own = after("model", (0.2, 0.2, 0.2), 1) | {("model", "forget", KNOWN, "step=1"): missing}
    own |= after(request_stage(1), (0.2, 0.2, 0.2), 1) | after(request_stage(2), (0.2, 0.2, 0.2), 1)
    target = after("model", (1, 1, 1), 1)
    runs = {"m": {0: run(own, target)}}
    scores = VariantScores(runs, {"t": target}, own, set(), {}, REPLICATES, 100)
    (row,) = [
        row for row in request_rows(PLACE, scores, ["m"])
        if (row["method"], row["request"], row["quantity"]) == ("m", 3, "earlier")
    ]  # fmt: skip
    assert (row["value"], row["low"], row["high"]) == pytest.approx((0.3, 0.2, 0.3), abs=0.01)


def after(stage, steps, kept):
    known = {(stage, "forget", KNOWN, f"step={i}"): same(v) for i, v in enumerate(steps, 1)}
    return known | {
        (stage, "retain", KEPT, "all"): same(kept),
        (stage, "general", GENERAL, "all"): same(kept),
    }


def test_each_request_has_its_people_the_earlier_and_the_later_ones():
    target = after("model", (1, 1, 1), 0.8)
    own = after(request_stage(1), (0.1, 1, 0.8), 0.8) | after(
        request_stage(2), (0.3, 0.2, 0.6), 0.6
    )
    own |= after("model", (0.5, 0.3, 0.1), 0.4)
    runs, oracle = {"m": {0: run(own, target)}}, after("model", (0, 0, 0), 0.8)
    scores = VariantScores(runs, {"t": target}, oracle, set(), {}, REPLICATES, 100)
    rows = [row for row in request_rows(PLACE, scores, ["m"]) if row["method"] == "m"]
    found = cells(rows, "request", "quantity")
    assert [found[i, "current"] for i in (1, 2, 3)] == pytest.approx([0.1, 0.2, 0.1])
    assert [found[i, "earlier"] for i in (2, 3)] == pytest.approx([0.3, 0.4])
    assert [found[i, "later"] for i in (1, 2)] == pytest.approx([0.9, 0.6])
    assert [found[i, "utility"] for i in (1, 2, 3)] == pytest.approx([1, 0.75, 0.5])


def test_one_request_is_no_row_of_requests():
    assert list(request_rows(PLACE, board({"m": ((0.5, 1), (0, 1))}), ["m"])) == []
