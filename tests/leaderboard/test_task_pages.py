"""Task pages: cards as safe HTML, and tables and figures that agree with the standings."""

import math
from types import SimpleNamespace

import pandas as pd
import pytest

from benchmark.metrics.frames import ALL
from benchmark.records.identity import ORACLE, TARGET
from benchmark.statistics.trajectories import AREA, LOST, ORACLE_LEVEL, SHARE_LEVEL, STEPS
from leaderboard.cards import card_of, rendered
from leaderboard.plots import PLAIN, Look, looks_of
from leaderboard.strata_plots import is_geometric, is_numeric, stratum_plots
from leaderboard.tables import UNKNOWN, Quantity
from leaderboard.task_pages import _few
from leaderboard.task_tables import (
    BESIDE,
    NEVER,
    contrast_grids,
    level_grids,
    metric_grids,
    misalignment_grids,
    printed,
    probe_grids,
    rival_grids,
)
from leaderboard.trajectory_plots import request_plots, trajectory_plots

KNOWN = "paraphrased_probability"
LOOKS = {"mine": Look("#3b7dd8"), "yours": Look("#e07b39", "square"), "none": PLAIN}


@pytest.mark.parametrize("count", [0, 1, 4, 5, 6, 12, 33])
def test_five_examples_are_shown_or_all(count):
    shown = _few({"low": [{"id": n} for n in range(count)]})
    assert len({example["id"] for _, example in shown}) == min(5, count)


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [((9, 9), (3, 2)), ((9, 9, 9), (2, 2, 1)), ((9,) * 7, (1, 1, 1, 1, 1, 0, 0)), ((1, 9), (1, 2))],
)
def test_examples_come_from_all_variants_as_far_as_they_go(sizes, expected):
    forgotten = {f"v{i}": [{"id": n} for n in range(size)] for i, size in enumerate(sizes)}
    shown = _few(forgotten)
    assert tuple(sum(own == v for own, _ in shown) for v in forgotten) == expected


def test_a_card_has_a_title_a_summary_and_a_body():
    card = rendered("# `towns`: forget a *town*\n\n| measures |\n|---|\n| towns |\n", "towns")
    assert str(card.title) == "<code>towns</code>: forget a <em>town</em>"
    assert card.summary == "forget a town"
    assert "<td>towns</td>" in card.body


@pytest.mark.parametrize(
    "hostile", ["<script>x()</script>", "![x](http://a.b/c.png)", "[x](javascript:x())"]
)
def test_a_card_loads_and_runs_nothing(hostile):
    body = rendered(f"# t\n\n{hostile}\n", "t").body
    assert "<script" not in body
    assert "<img" not in body
    assert "href" not in body


def test_comments_of_a_card_are_not_shown():
    body = rendered(
        "# t\n\nbefore\n\n<!-- figures: written by `make docs` -->\nafter\n<!-- end -->\n", "t"
    ).body
    assert body == "<p>before</p>\n<p>after</p>\n"


def test_links_of_a_card_lead_to_the_web_or_nowhere():
    body = rendered("# t\n\n[paper](https://a.org/x) and [notes](../notes.md)\n", "t").body
    assert 'href="https://a.org/x"' in body
    assert body.count("href") == 1
    assert "notes" in body


@pytest.mark.parametrize("name", ["..", "../frequency", "no-such-task", "a/b", ""])
def test_tasks_from_elsewhere_have_no_card(name):
    assert card_of(name) is None


@pytest.mark.parametrize(
    ("quantity", "value", "interval"),
    [
        (Quantity(0.1234, 0.1, 0.2), "0.123", "0.100 to 0.200"),
        (Quantity(-7.25, -12.5, -1.9), "−7.250", "−12.500 to −1.900"),
        (Quantity(10.0, 9.0, math.inf), "10.000", "9.000 to ∞"),
        (Quantity(math.inf, math.nan, math.nan), NEVER, ""),
        (UNKNOWN, "–", ""),
        (Quantity(0.5, math.nan, math.nan), "0.500", ""),
        (Quantity(-25.0, -math.inf, -16.0), "−25.000", "−∞ to −16.000"),
        (Quantity(0.2, -math.inf, math.inf), "0.200", "not reached in all draws"),
    ],
)
def test_a_cell_says_value_and_interval(quantity, value, interval):
    assert (printed(quantity).value, printed(quantity).interval) == (value, interval)


def rows(*cells, **same):
    return pd.DataFrame(
        [same | dict(zip(("method", "level", "quantity", "value"), c, strict=True)) for c in cells]
    )


def spread(frame):
    return frame.assign(low=frame["value"] - 1, high=frame["value"] + 1)


@pytest.fixture
def board():
    """Two methods on two variants; `yours` never reaches the oracles' interval."""
    place = {"track": "toy", "task": "towns"}
    levels = rows(
        ("mine", "", AREA, 0.9),
        ("mine", ORACLE_LEVEL, STEPS, 30.0),
        ("mine", ORACLE_LEVEL, LOST, 0.2),
        ("mine", SHARE_LEVEL, STEPS, 20.0),
        ("mine", SHARE_LEVEL, LOST, 0.1),
        ("yours", "", AREA, 0.4),
        ("yours", ORACLE_LEVEL, STEPS, math.inf),
        ("yours", ORACLE_LEVEL, LOST, math.nan),
        ("yours", SHARE_LEVEL, STEPS, 50.0),
        ("yours", SHARE_LEVEL, LOST, 0.3),
        variant="in",
        **place,
    )
    rivals = rows(
        ("yours", SHARE_LEVEL, STEPS, 30.0),
        ("yours", ORACLE_LEVEL, STEPS, math.inf),
        variant="in",
        **place,
    )
    contrasts = rows(("mine", ORACLE_LEVEL, STEPS, -math.inf), variant="out", minus="in", **place)
    trajectories = pd.DataFrame(
        [
            place
            | {
                "variant": "in",
                "method": m,
                "quantity": q,
                "share": s,
                "value": v,
                "low": v,
                "high": v,
            }
            for m in ("mine", "yours", "none")
            for q, s, v in [
                (KNOWN, 0, 0.9),
                (KNOWN, 1, 0.1),
                ("utility", 0, 1.0),
                ("utility", 1, 0.8),
            ]
        ]
    )
    strata = pd.DataFrame(
        [
            place
            | {"variant": "in", "method": m, "metric": KNOWN, "stratum": s}
            | {"value": v, "low": v, "high": v, "n": 9, "seeds": 1}
            for m, v in ((TARGET, 0.9), (ORACLE, 0.1), ("mine", 0.2))
            for s in ("all", "frequency=1", "frequency=16", "frequency=32")
        ]
    )  # fmt: skip
    return SimpleNamespace(
        levels=spread(levels),
        rivals=spread(rivals),
        contrasts=spread(contrasts),
        trajectories=trajectories,
        strata=strata,
        uninformative=pd.DataFrame(
            [place | {"variant": "in", "metric": "exact_answer"}],
        ),
    )


def cells(grid):
    names = [(h.name, c) for h in grid.headings for c in h.columns]
    return {
        (method, *name): cell.value
        for method, line in grid.rows
        for name, cell in zip(names, line, strict=True)
    }


def test_the_table_of_levels_stands_in_the_order_of_the_ranking(board):
    (grid,) = level_grids(board, "towns", ["yours", "mine"])
    assert [method for method, _ in grid.rows] == ["yours", "mine"]
    found = cells(grid)
    assert found["mine", "at 90 % of the target-oracle gap", "steps"] == "20.0"
    assert found["mine", "at the oracles' interval", "utility lost"] == "0.200"
    assert found["yours", "at the oracles' interval", "steps"] == NEVER
    assert found["yours", "", "area"] == "0.400"


def test_differences_say_which_of_the_two_never_got_there(board):
    (rivals,) = rival_grids(board, "towns", ["mine", "yours"])
    assert cells(rivals)["yours", "at 90 % of the target-oracle gap", "steps"] == "30.0"
    assert (
        cells(rivals)["yours", "at the oracles' interval", "steps"] == "not reached by the method"
    )
    (variants,) = contrast_grids(board, "towns", ["mine", "yours"])
    assert variants.label == "towns/out minus towns/in"
    assert cells(variants)["mine", "at the oracles' interval", "steps"] == "not reached by towns/in"


def test_all_metrics_stand_below_their_axes_with_references_first(board):
    (grid,) = metric_grids(board, "towns", ["mine"])
    assert [method for method, _ in grid.rows] == [TARGET, ORACLE, "mine"]
    assert cells(grid)["mine", "forgetting", KNOWN] == "0.200"


def test_a_metric_that_a_variant_leaves_out_feeds_no_axis_there(board):
    board.uninformative = board.uninformative.assign(metric=KNOWN)
    (grid,) = metric_grids(board, "towns", ["mine"])
    assert cells(grid)["mine", BESIDE, KNOWN] == "0.200"


@pytest.mark.parametrize("count", [1, 3, 36])
def test_however_many_methods_there_are_each_stands_at_its_request(count):
    names = [f"m{number:02}" for number in range(count)]
    requests = pd.DataFrame(
        {"task": "towns", "variant": "10", "method": name, "request": request}
        | {"quantity": "utility", "value": 0.5, "low": 0.4, "high": 0.6}
        for name in names
        for request in (1, 2)
    )
    (group,) = request_plots(SimpleNamespace(requests=requests), "towns", looks_of(names))
    places = [trace["x"] for trace in group.plots[0].figure["data"]]
    assert all(abs(x[0] - 1) <= 0.3 and abs(x[1] - 2) <= 0.3 for x in places)
    assert len({x[0] for x in places}) == count


def test_a_course_goes_from_the_target_to_the_end_and_anchors_are_left_out(board):
    knowledge, trade_off = trajectory_plots(board, "towns", LOOKS)
    lines = {
        t["name"]: t for t in knowledge.plots[0].figure["data"] if t.get("name") and t.get("line")
    }
    assert set(lines) == {ORACLE, "mine", "yours"}
    assert (lines["mine"]["x"], lines["mine"]["y"]) == ([0, 1], [0.9, 0.1])
    price = {t["name"]: t for t in trade_off.plots[0].figure["data"]}
    assert price["mine"]["x"] == pytest.approx(
        [0, 1]
    )  # nothing, and all of the way from the target to the oracles
    assert price["mine"]["y"] == [1.0, 0.8]


def test_strata_of_numbers_are_drawn_in_their_order(board):
    (group,) = stratum_plots(board, "towns", LOOKS)
    lines = {t["name"]: t for t in group.plots[0].figure["data"]}
    assert lines[TARGET]["x"] == [1, 16, 32]


def by_word(*levels):
    """Strata of one method: (variant, stratum) with values for probability and for generation."""
    return pd.DataFrame(
        [
            {"task": "towns", "variant": v, "method": "mine", "metric": m}
            | {"stratum": f"kind={level}"}
            | {"value": 0.2, "low": 0.1, "high": 0.3, "n": 9, "seeds": 1}
            for v, level in levels
            for m in (KNOWN, "exact_answer")
        ]
    )  # fmt: skip


def test_what_is_said_is_drawn_beside_what_is_probable_unless_it_takes_a_plot_for_each_variant():
    apart = SimpleNamespace(strata=by_word(("rare", "low"), ("often", "high")))
    assert [len(group.plots) for group in stratum_plots(apart, "towns", LOOKS)] == [1, 1]
    both = SimpleNamespace(
        strata=by_word(*((variant, kind) for variant in ("rare", "often") for kind in ("a", "b")))
    )
    assert [(g.title, len(g.plots)) for g in stratum_plots(both, "towns", LOOKS)] == [
        ("Paraphrased probability by kind", 2)
    ]


def test_a_stratum_that_is_the_whole_has_no_table_of_its_own():
    place = {
        "task": "towns",
        "variant": "often",
        "method": "mine",
        "value": 0.2,
        "low": 0.1,
        "high": 0.3,
    }
    counts = {ALL: 4, "frequency=high": 4, "kind=a": 1, "kind=b": 3}
    rows = [place | {"stratum": s, "n": n, "quantity": "gap"} for s, n in counts.items()]
    grids = misalignment_grids(SimpleNamespace(misalignment=pd.DataFrame(rows)), "towns", ["mine"])
    assert [grid.label for grid in grids] == [
        "towns/often",
        "towns/often, kind=a",
        "towns/often, kind=b",
    ]


def test_what_any_probe_tells_has_references_first_and_says_of_how_many_examples():
    shares = {"target": 1.0, "oracle": 0.25, "mine": 0.5}
    rows = [
        {"task": "towns", "variant": "often", "method": method, "quantity": quantity, "n": n}
        | {"value": value, "low": value, "high": value}
        for method, value in shares.items()
        for quantity, n in (("any probe", 4), ("reverse", 2))
        if (method, quantity) != ("oracle", "reverse")
    ]
    standings = SimpleNamespace(probes=pd.DataFrame(rows))
    (grid,) = probe_grids(standings, "towns", ["mine", "yours"])
    assert [name for name, _ in grid.rows] == ["target", "oracle", "mine"]
    assert [[cell.value for cell in cells] for _, cells in grid.rows] == [
        ["1.000", "1.000"],
        ["0.250", "–"],
        ["0.500", "0.500"],
    ]
    (heading,) = grid.headings
    assert heading.titles == ["of 4 examples", "of 2 examples"]
    assert probe_grids(standings, "villages", ["mine"]) == []


def test_nothing_to_draw_gives_no_plots(board):
    empty = SimpleNamespace(trajectories=board.trajectories.iloc[:0], strata=board.strata.iloc[:0])
    assert trajectory_plots(empty, "towns", LOOKS) == stratum_plots(empty, "towns", LOOKS) == []
    assert (
        stratum_plots(
            SimpleNamespace(strata=board.strata[board.strata["stratum"] == "all"]), "towns", LOOKS
        )
        == []
    )


def test_axes_are_logarithmic_where_values_double():
    assert is_geometric([1, 2, 4, 8, 64])
    assert not is_geometric([1, 2, 3, 4])
    assert not is_geometric([0, 1, 2])
    assert is_numeric(["1", "16"])
    assert not is_numeric(["low", "mid"])
    assert not is_numeric(["nan"])
