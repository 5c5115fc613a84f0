"""A row with its neighbours in the ranking, as a pull request shows it."""

import re

import pytest

from benchmark.errors import BadInput
from benchmark.records.derived import Derived
from benchmark.reports.neighbours import compared_rows, neighbour_table
from benchmark.statistics import AXES


def rows(*names):
    """Rows in order: anchors in capitals, guardrails marked with `+`."""
    figures = dict.fromkeys(("score", "score_low", "score_high", *AXES), 0.5)
    return [
        figures
        | {
            "method": name,
            "anchor": name.isupper(),
            "division": "guardrail" if "+" in name else "weights",
            "rank": float("nan") if name.isupper() else place,
            "runs": 3,
        }
        for place, name in enumerate(names, 1)
    ]


def shown(table, name):
    lines = list(neighbour_table(table, name))
    return re.findall(r"`([^`]+)`", "\n".join(lines))


def test_a_row_stands_between_two_on_either_side_and_the_anchors():
    table = rows("TOP", "a", "b", "c", "MIDDLE", "d", "e", "f", "g", "LAST")
    assert shown(table, "d") == ["TOP", "b", "c", "MIDDLE", "d", "e", "f", "LAST"]


def test_at_an_end_there_are_neighbours_on_one_side():
    assert shown(rows("a", "b", "c", "d"), "a") == ["a", "b", "c"]


def test_a_guardrail_has_guardrails_for_neighbours():
    assert shown(rows("TOP", "a", "x+", "b", "y+"), "x+") == ["TOP", "x+", "y+"]


def test_a_row_is_found_by_its_name_or_the_id_of_a_record(results):
    text = compared_rows(results.root, ["alpha"], Derived())
    ids = [r.id for r in results.read_all() if r.method.name == "alpha"]
    assert text == compared_rows(results.root, ids[:1], Derived())
    assert "**`alpha`**" in text
    assert "| `beta` |" in text
    assert all(record_id in text for record_id in ids)


def test_an_unknown_row_is_one_clear_line(results):
    with pytest.raises(BadInput, match="no row or current record of alpa"):
        compared_rows(results.root, ["alpa"], Derived())
