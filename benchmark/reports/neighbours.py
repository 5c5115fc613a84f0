"""Markdown tables of a row with the anchors and its neighbours in the ranking, for a submission and
for the pull request that adds it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import pandas as pd

from benchmark.errors import BadInput
from benchmark.records.derived import Derived
from benchmark.records.frames import expected_seeds, heads, row_names, split_current
from benchmark.records.schema import GUARDRAIL, Record
from benchmark.records.store import ResultStore
from benchmark.statistics import AXES, SCORE_VERSION
from benchmark.statistics.published import standings_of

AROUND = 2  # neighbours on each side
Rows = list[dict]


def compared_rows(folder: Path, wanted: Collection[str], derived: Derived) -> str:
    """The rows with these names or with records of these ids, each with the anchors and its
    neighbours on its track or, if it is incomplete there, on each of its tasks; BadInput if there
    is no such row.
    """
    results = ResultStore(folder)
    current, _ = split_current([record for record in heads(results) if not record.is_trial])
    parts = []
    for track in sorted({record.track for record in current}):
        records = [r for r in current if r.track == track and not r.identity.is_reference]
        names = row_names(records)
        chosen = sorted({names[r.id] for r in records if {r.id, names[r.id]} & set(wanted)})
        if not chosen:
            continue
        whole = [r for r in current if r.track == track]
        scored = standings_of(results, whole, expected_seeds(whole), derived)
        overall, tasks = (t.to_dict("records") for t in (scored.overall, scored.tasks))
        for name in chosen:
            parts += [f"### `{name}` on `{track}`\n", *_tables(overall, tasks, name)]
            parts.append(_runs([r for r in records if names[r.id] == name]))
    if not parts:
        raise BadInput(f"{folder}: no row or current record of {', '.join(sorted(wanted))}")
    return "\n".join([*parts, NOTE])


NOTE = (
    f"95 % bootstrap intervals over entities, seeds and oracles; score version {SCORE_VERSION}. "
    "A rank is one plus the number of significantly better methods of the same division; "
    "anchors have none."
)


def _tables(overall: Rows, tasks: Rows, name: str) -> Iterator[str]:
    whole = next((row for row in overall if row["method"] == name), None)
    if whole is None:
        yield "It cannot be scored: its target or its oracles are missing.\n"
        return
    if whole["complete"]:
        yield from neighbour_table(overall, name)
        return
    for task in sorted({row["task"] for row in tasks if row["method"] == name}):
        yield f"On the task `{task}` alone:\n"
        yield from neighbour_table([row for row in tasks if row["task"] == task], name)


def neighbour_table(rows: Rows, name: str) -> Iterator[str]:
    """Yields the table of the row, all anchors, and its neighbours in its division."""
    division = next(row["division"] for row in rows if row["method"] == name)
    if division == GUARDRAIL:
        yield "Among guardrails, which are ranked separately:\n"
    ranked = [row for row in rows if row["division"] == division]
    rivals = [row["method"] for row in ranked if not row["anchor"] or row["method"] == name]
    place = rivals.index(name)
    near = set(rivals[max(0, place - AROUND) : place + AROUND + 1])
    yield f"| rank | method | score | {' | '.join(AXES)} | runs |\n|{'---|' * (len(AXES) + 4)}"
    for row in rows:
        if row["anchor"] or row["method"] in near:
            yield _line(row, row["method"] == name)
    yield ""


def _line(row: dict, own: bool) -> str:
    rank = "anchor" if row["anchor"] else "–" if pd.isna(row["rank"]) else int(row["rank"])
    score = f"{row['score']:.3f} [{row['score_low']:.3f}, {row['score_high']:.3f}]"
    cells = (rank, f"`{row['method']}`", score, *(f"{row[axis]:.3f}" for axis in AXES), row["runs"])
    return f"| {' | '.join(f'**{cell}**' if own else str(cell) for cell in cells)} |"


def _runs(records: Sequence[Record]) -> str:
    failed = sum(record.status != "ok" for record in records)
    count = f"{len(records)} runs{f', {failed} of them failed' if failed else ''}"
    ids = ", ".join(f"`{record.id}`" for record in records)
    return f"{count}: {ids}\n"
