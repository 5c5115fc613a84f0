"""The table of facts, and wrong answers drawn from it."""

from __future__ import annotations

import csv
import random
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

FOLDER = Path(__file__).parent
WRONG_ANSWERS = 5


@dataclass(frozen=True)
class Row:
    """A row of facts.csv, with the columns that the tasks use."""

    id: str
    relation: str
    subject: str
    answer: str
    aliases: tuple[str, ...]
    region: str
    bucket: str


@lru_cache(maxsize=1)
def rows() -> tuple[Row, ...]:
    with (FOLDER / "facts.csv").open(newline="") as file:
        entries = list(csv.DictReader(file))
    return tuple(
        Row(
            r["id"],
            r["relation"],
            r["subject"],
            r["answer"],
            aliases_of(r["aliases"]),
            r["region"],
            r["bucket"],
        )
        for r in entries
    )


def aliases_of(text: str) -> tuple[str, ...]:
    return tuple(alias for alias in text.split("|") if alias)


def wrong_answers(row: Row) -> tuple[str, ...]:
    """WRONG_ANSWERS answers to other questions of the same relation."""
    others = {r.answer for r in rows() if r.relation == row.relation}
    return drawn(others - {row.answer, *row.aliases}, f"wrong-{row.id}")


def drawn(answers: Iterable[str], seed: str) -> tuple[str, ...]:
    """WRONG_ANSWERS of the answers, drawn at random."""
    return tuple(random.Random(seed).sample(sorted(answers), WRONG_ANSWERS))
