"""Rows among their neighbours, as a pull request shows them."""

from types import SimpleNamespace

import pytest

from benchmark.errors import BadInput
from benchmark.records.derived import Derived
from leaderboard.neighbors import near, ranking


def rows(*names):
    """Rows in order; those in capitals are anchors."""
    return [SimpleNamespace(name=name, anchor=name.isupper()) for name in names]


def test_a_row_stands_between_two_on_either_side_and_the_anchors():
    table = rows("TOP", "a", "b", "c", "MIDDLE", "d", "e", "f", "g", "LAST")
    shown = [row.name for row in near(table, {"d"})]
    assert shown == ["TOP", "b", "c", "MIDDLE", "d", "e", "f", "LAST"]


def test_at_an_end_there_are_neighbours_on_one_side():
    assert [row.name for row in near(rows("a", "b", "c", "d"), {"a"})] == ["a", "b", "c"]


def test_without_names_all_rows_are_shown():
    assert len(near(rows("a", "b", "c", "d", "TOP"), set())) == 5


def test_the_table_is_markdown_with_the_numbers_of_the_board(results):
    text = ranking(results.root, ["alpha"], Derived())
    lines = [line for line in text.splitlines() if line.startswith("|")]
    columns = {line.count("|") for line in lines}
    assert len(columns) == 1
    assert sum("**alpha**" in line for line in lines) == 1
    assert any("| beta |" in line for line in lines)


def test_an_unknown_row_names_the_nearest(results):
    with pytest.raises(BadInput, match="unknown row 'alpa'; did you mean alpha"):
        ranking(results.root, ["alpa"], Derived())
