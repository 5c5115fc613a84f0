"""Summaries for practitioners, against values by hand."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from benchmark.records.schema import GUARDRAIL, WEIGHTS
from benchmark.statistics import standings
from benchmark.statistics.attack_agreement import WITHOUT
from benchmark.statistics.attack_curves import HALF
from benchmark.statistics.practice import SHOWN, picks, relearned, undone_by
from benchmark.statistics.tables import spread_columns
from leaderboard.documents import with_figures

FAMILIES = {"a": "ascent", "b": "ascent", "c": "refusal"}


@pytest.fixture
def empty(make_board, model_frame):
    index, frames = make_board({"a": [model_frame(0.3)]})
    return standings(index, frames, replicates=10)


def task_row(method, rank, division=WEIGHTS):
    values = {column: 0.5 for name in SHOWN for column in spread_columns(name)}
    about = {"track": "toy", "task": "towns", "method": method, "anchor": False}
    return about | {"division": division, "rank": rank} | values


def test_picks_are_all_that_no_other_is_certainly_better_than(empty):
    rows = [task_row("a", 1), task_row("b", 1), task_row("c", 3), task_row("e", None)]
    rows.append(task_row("d", 1, GUARDRAIL))
    found = picks(replace(empty, tasks=pd.DataFrame(rows)))
    assert found["method"].tolist() == ["a", "b"]
    assert picks(replace(empty, tasks=pd.DataFrame())).empty


def attack_row(method, variant, attack, value, undone, wide=0.1):
    about = {"track": "toy", "task": "towns", "variant": variant, "method": method}
    ends = (undone, undone - wide, undone + wide)
    spread = dict(zip(spread_columns("undone"), ends, strict=True))
    return about | {"attack": attack, "value": value} | spread


def test_what_attacks_undo_is_averaged_over_what_was_forgotten(empty):
    """In the ascent family, attacks undo .2 and .6 for a, .4 on average, and 1 for b; `high` does
    not count for b, which did not forget it.
    """
    rows = [
        attack_row("a", "low", WITHOUT, 0.9, 0),
        attack_row("a", "low", "noise", 0.72, 0.2),
        attack_row("a", "high", WITHOUT, 0.8, 0),
        attack_row("a", "high", "noise", 0.32, 0.6, wide=0.4),
        attack_row("b", "low", WITHOUT, 0.5, 0),
        attack_row("b", "low", "noise", 0, 1),
        attack_row("b", "high", WITHOUT, 0.4, 0),
        attack_row("b", "high", "noise", 0.4, 0),
        attack_row("c", "low", WITHOUT, 0.9, 0),
        attack_row("c", "low", "noise", 0.99, -0.1),
        attack_row("an anchor", "low", WITHOUT, 0.9, 0),
        attack_row("an anchor", "low", "noise", 0.9, 0),
    ]
    found = undone_by(replace(empty, attacks=pd.DataFrame(rows)), FAMILIES)
    by_family = found.set_index("family")
    assert set(by_family.index) == {"ascent", "refusal"}
    assert by_family.loc["ascent", "undone"] == pytest.approx((0.4 + 1) / 2)
    below = (0.1 + 0.4) / 2
    assert by_family.loc["ascent", "undone_low"] == pytest.approx(0.7 - (below + 0.1) / 2)
    assert by_family["methods"].to_dict() == {"ascent": 2, "refusal": 1}
    assert by_family.loc["refusal", "undone"] == pytest.approx(-0.1)
    assert undone_by(replace(empty, attacks=pd.DataFrame(rows)), FAMILIES, "elsewhere").empty


def curve_row(method, attack, point, back):
    about = {"track": "toy", "task": "towns", "variant": "low", "method": method}
    spread = dict(zip(spread_columns("back"), (back, back, back), strict=True))
    return about | {"attack": attack, "point": point, "value": 0.5} | spread


def test_relearning_is_told_point_by_point(empty):
    rows = [
        curve_row("a", "relearn_lora", "005", 0.1),
        curve_row("a", "relearn_lora", "010", 0.3),
        curve_row("a", "interpolate", "0.10", 0.3),
        curve_row("a", "relearn_lora", HALF, np.nan),
        curve_row("b", "relearn_lora", "005", np.nan),
        curve_row("target", "relearn_lora", "005", 1.0),
        curve_row("c", "relearn_lora", "005", 9.0),
        curve_row("oracle", "relearn_lora", "005", 0.2),
    ]
    forgot = {"a": 0.9, "b": 0.9, "c": 0.1}
    attacks = pd.DataFrame(attack_row(m, "low", WITHOUT, v, 0) for m, v in forgot.items())
    found = relearned(replace(empty, curves=pd.DataFrame(rows), attacks=attacks), FAMILIES)
    assert found[["method", "point", "back"]].to_numpy().tolist() == [
        ["a", "005", 0.1],
        ["a", "010", 0.3],
        ["oracle", "005", 0.2],
    ], "c hardly forgot anything"


def test_relearning_is_averaged_over_the_methods_of_a_family(empty):
    rows = [curve_row(m, "relearn_lora", "005", b) for m, b in (("a", 0.1), ("b", 0.4), ("c", 0.9))]
    rows.append(curve_row("oracle", "relearn_lora", "005", 0.2))
    attacks = pd.DataFrame(attack_row(m, "low", WITHOUT, 0.9, 0) for m in FAMILIES)
    board = replace(empty, curves=pd.DataFrame(rows), attacks=attacks)
    found = relearned(board, FAMILIES, of="family").set_index("family")
    assert found["back"].to_dict() == pytest.approx({"ascent": 0.25, "refusal": 0.9, "oracle": 0.2})
    assert found["methods"].to_dict() == {"ascent": 2, "refusal": 1, "oracle": 1}


def test_without_attacks_nothing_is_said(empty):
    assert relearned(empty, FAMILIES).empty
    assert undone_by(empty, {}).empty


def test_each_part_of_a_document_is_written_between_its_own_marks():
    marks = "{} <!-- {}: written by `make docs` -->\nold\n<!-- end of {} -->\n"
    text = marks.format("one", "figures", "figures") + marks.format("two", "picks", "picks")
    written = with_figures(with_figures(text, "1\n"), "2\n", "picks")
    assert written == text.replace("old", "1", 1).replace("old", "2", 1)
