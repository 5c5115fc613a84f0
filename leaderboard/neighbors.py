"""Rows among their neighbours, as a table in Markdown: what a pull request shows of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

from benchmark.core.registry import lookup
from benchmark.errors import BadInput
from benchmark.records.derived import Derived
from leaderboard.board import load_board
from leaderboard.render import number
from leaderboard.tables import QUANTITIES, Quantity, Row, by_division, overall_rows

NEAREST = 2  # rows above and below


def ranking(results: Path, names: Collection[str], derived: Derived) -> str:
    """The ranking of each track and division that has one of these rows: they themselves, anchors,
    and the rows next to them; whole without names. BadInput if there is no such row.
    """
    tables = [
        (f"{track.name}, {division}", rows)
        for track in load_board(results, derived).tracks
        for division, rows in by_division(overall_rows(track))
    ]
    known = {row.name: row.name for _, rows in tables for row in rows}
    if not known:
        raise BadInput(f"{results}: no rows")
    wanted = {lookup("row", name, known) for name in names}
    parts = [
        _table(title, near(rows, wanted), wanted)
        for title, rows in tables
        if not wanted or wanted & {row.name for row in rows}
    ]
    return "\n\n".join(parts)


def near(rows: Sequence[Row], wanted: Collection[str]) -> list[Row]:
    """The wanted rows, those within `NEAREST` places of one, and the anchors, in order; all rows if
    none is wanted.
    """
    methods = [row.name for row in rows if not row.anchor]
    places = [place for place, name in enumerate(methods) if name in wanted]
    around = {
        name
        for place, name in enumerate(methods)
        if any(abs(place - other) <= NEAREST for other in places)
    }
    return [row for row in rows if not wanted or row.anchor or row.name in around | set(wanted)]


def _table(title: str, rows: Sequence[Row], wanted: Collection[str]) -> str:
    header = ["rank", "method", *QUANTITIES, "runs"]
    lines = [f"### {title}", "", _line(header), _line(["---"] * len(header))]
    return "\n".join([*lines, *(_line(_cells(row, wanted)) for row in rows)])


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cells(row: Row, wanted: Collection[str]) -> Iterator[str]:
    yield "anchor" if row.anchor else str(row.rank or row.state)
    yield f"**{row.name}**" if row.name in wanted else row.name
    yield from (_printed(row.quantity(name)) for name in QUANTITIES)
    yield f"{row.succeeded} of {row.expected}"


def _printed(quantity: Quantity) -> str:
    if not quantity.known:
        return "–"
    interval = f" [{number(quantity.low)}, {number(quantity.high)}]"
    return number(quantity.value) + (interval if quantity.has_interval else "")
