"""The page for practitioners: knowledge recovered by attacks, and the picks for each task."""

import pandas as pd

from benchmark.records.identity import ORACLE
from leaderboard.practice_pages import _recovered
from leaderboard.practice_tables import Pick, by_task


def test_the_method_that_regains_the_most_is_at_the_top_and_each_point_has_its_dots():
    back = {"robust": (0.3, 0.2), "fragile": (0.1, 0.9), ORACLE: (0.0, 0.05)}
    rows = pd.DataFrame(
        {
            "method": name,
            "attack": "relearn_disjoint",
            "point": point,
            "back": value,
            "back_low": value - 0.1,
            "back_high": value + 0.2,
        }
        for name, values in back.items()
        for point, value in zip(("5", "end"), values, strict=True)
    )
    early, end = _recovered(rows)["data"]
    assert early["y"] == end["y"] == [f"{ORACLE}s", "robust", "fragile"]  # plotly starts below
    assert (early["name"], early["x"]) == ("5 steps", [0.0, 0.3, 0.1])
    assert (end["name"], end["x"]) == ("end", [0.05, 0.2, 0.9])
    assert end["text"][2] == "fragile, end: 0.900 [0.800, 1.100]"


def test_picks_keep_their_order_within_each_task():
    picks = [
        Pick(task, method, "0.5", "0.9", 1.0, 0.1, "")
        for task, method in (("b", "first"), ("a", "only"), ("b", "second"))
    ]
    found = by_task(picks)
    assert {task: [p.method for p in own] for task, own in found.items()} == {
        "b": ["first", "second"],
        "a": ["only"],
    }
