"""Divisions: methods that change the weights and guardrails are ranked apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from benchmark.records.schema import GUARDRAIL, WEIGHTS

Row = TypeVar("Row")
DIVISIONS = (WEIGHTS, GUARDRAIL)


def divided(
    rows: Sequence[Row], anchor: Callable[[Row], bool], division: Callable[[Row], str]
) -> list[tuple[str, list[Row]]]:
    """The rows of each division that has a method, in the order of DIVISIONS. Anchors appear in
    every division because they mark the ends of each scale; if there are only anchors, they form
    one table.
    """
    present = [d for d in DIVISIONS if any(division(r) == d and not anchor(r) for r in rows)]
    return [
        (name, [row for row in rows if anchor(row) or division(row) == name])
        for name in present or DIVISIONS[:1]
    ]
