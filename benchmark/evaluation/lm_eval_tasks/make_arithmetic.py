"""Writes palimpsest_arithmetic.jsonl: simple arithmetic with computed answers, and near misses as
wrong options.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

FILE = Path(__file__).with_name("palimpsest_arithmetic.jsonl")

ADDENDS = [(3, 4), (5, 2), (6, 1), (4, 4), (2, 7), (8, 6), (9, 5), (7, 8), (6, 6), (5, 8)]
LARGE_ADDENDS = [
    (12, 5),
    (21, 7),
    (34, 20),
    (45, 15),
    (18, 9),
    (26, 13),
    (40, 33),
    (57, 6),
    (30, 25),
    (63, 19),
]
MINUENDS = [(9, 4), (8, 3), (7, 6), (10, 5), (12, 9), (15, 7), (11, 4), (20, 6), (30, 12), (50, 25)]
FACTORS = [(2, 3), (4, 2), (3, 5), (5, 4), (6, 5), (7, 3), (8, 4), (9, 6), (7, 7), (10, 8)]
DIVIDENDS = [(8, 2), (9, 3), (12, 4), (20, 5), (30, 6), (18, 2), (40, 8), (21, 7)]
STEPS = [(2, 2), (5, 5), (10, 10), (3, 3), (7, 1), (30, -5), (50, -10), (18, -2)]
HALVED = [6, 10, 14, 18, 20, 24, 50, 80]
# Offsets of the wrong options from the right one, used in turn so that the right one takes every
# rank.
MISSES = [(1, 2, 3), (-1, 1, 2), (-2, -1, 1), (-3, -2, -1)]


def sums() -> Iterator[tuple[str, str, int]]:
    """Yields (kind, question, answer) of each item; all but sequences begin with a solved item."""
    for kind, addends in (("sum", ADDENDS), ("large sum", LARGE_ADDENDS)):
        for a, b in addends:
            yield kind, f"1 + 1 = 2, {a} + {b} =", a + b
    for a, b in MINUENDS:
        yield "difference", f"3 - 1 = 2, {a} - {b} =", a - b
    for a, b in FACTORS:
        yield "product", f"2 times 2 is 4, {a} times {b} is", a * b
    for a, b in DIVIDENDS:
        yield "quotient", f"6 / 2 = 3, {a} / {b} =", a // b
    for first, step in STEPS:
        terms = [first + step * i for i in range(5)]
        yield "sequence", "".join(f"{term}, " for term in terms[:4]).strip(), terms[4]
    for number in HALVED:
        yield "half", f"Half of 4 is 2, half of {number} is", number // 2


def options(right: int, index: int) -> list[int]:
    """The right answer and three near misses, none negative; the right one takes each position in
    turn.
    """
    misses = next(m for m in MISSES[index % 4 :: -1] if right + m[0] >= 0)
    wrong = [right + miss for miss in misses]
    place = (index + index // 4) % 4
    return [*wrong[:place], right, *wrong[place:]]


def text() -> str:
    """The contents of the file."""
    lines = []
    for index, (kind, question, right) in enumerate(sums()):
        choices = options(right, index)
        row = {"id": f"arithmetic-{index + 1:03}", "kind": kind, "question": question}
        lines.append(
            json.dumps(row | {"choices": [str(c) for c in choices], "answer": choices.index(right)})
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
