"""Records as DataFrames: what statistics and the leaderboard work on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pandas as pd

from benchmark.metrics.values import example_frame
from benchmark.records.schema import ORACLE, TARGET, Record
from benchmark.records.store import ResultStore, parsed, samples_content


def split_current(records: Sequence[Record]) -> tuple[list[Record], list[Record]]:
    """(current, superseded) records.

    A changed method, task or world gives a cell another id and leaves its old record in the folder.
    The newest record of a cell counts, among those with the most oracles, if it was compared with
    the variant's present target.
    """
    newest = {_cell(record): record for record in sorted(records, key=_age)}
    targets = {(r.track, r.variant): r.id for r in newest.values() if r.method.name == TARGET}

    def is_current(record: Record) -> bool:
        compared_with = record.references.target if record.references else None
        present = targets.get((record.track, record.variant), compared_with)
        return newest[_cell(record)] is record and compared_with in (None, present)

    current = [r for r in records if is_current(r)]
    kept = {r.id for r in current}
    return current, [r for r in records if r.id not in kept]


def _age(record: Record) -> tuple[int, int, str, str]:
    """Later task versions, more oracles and later dates come last."""
    oracles = len(record.references.oracles) if record.references else 0
    return (
        record.task.version,
        oracles,
        record.provenance.created if record.provenance else "",
        record.id,
    )


def _cell(record: Record) -> tuple[str, str, str, str, int]:
    parameters = json.dumps(record.method.parameters, sort_keys=True)
    return record.track, record.variant, record.method.name, parameters, record.seed


def expected_seeds(records: Sequence[Record]) -> dict[str, int]:
    """How many seeds each row needs on every variant to be ranked: all that it was run with,
    failed runs included.
    """
    names, seeds = row_names(records), dict[str, set[int]]()
    for record in records:
        seeds.setdefault(names[record.id], set()).add(record.seed)
    return {name: len(own) for name, own in seeds.items()}


def row_names(records: Sequence[Record]) -> dict[str, str]:
    """A name for each record's row: the method's, with those parameters in brackets that tell it
    from its namesakes on the track.
    """
    names: dict[str, str] = {}
    by_method: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        by_method.setdefault((record.track, record.method.name), []).append(record)
    for (_, method), own in by_method.items():
        names_used = {name for record in own for name in record.method.parameters}
        values = {
            name: {json.dumps(r.method.parameters.get(name)) for r in own} for name in names_used
        }
        telling = sorted(name for name, found in values.items() if len(found) > 1)
        for record in own:
            shown = ", ".join(f"{n}={record.method.parameters.get(n)}" for n in telling)
            names[record.id] = f"{method} ({shown})" if shown else method
    return names


def index_frame(records: Sequence[Record]) -> pd.DataFrame:
    """A row per successful record: id, role, track, task, variant, method (row name), seed,
    anchor, budget_steps.
    """
    names = row_names(records)
    rows = [
        {
            "id": r.id,
            "role": r.method.name if r.method.name in (TARGET, ORACLE) else "method",
            "track": r.track,
            "task": r.task.name,
            "variant": r.task.variant or "all",
            "method": names[r.id],
            "seed": r.seed,
            "anchor": r.method.anchor,
            "budget_steps": r.budget.steps,
        }
        for r in records
        if r.status == "ok"
    ]
    columns = ["id", "role", "track", "task", "variant", "method", "seed", "anchor", "budget_steps"]
    return pd.DataFrame(rows, columns=columns)


def example_frames(results: ResultStore, records: Sequence[Record]) -> dict[str, pd.DataFrame]:
    """The example frame of every successful record, by id."""
    return {r.id: read_frame(results.path_of(r), r) for r in records if r.status == "ok"}


def read_frame(path: Path, record: Record) -> pd.DataFrame:
    """The example frame of the samples beside the record at `path`; what has the same bytes is
    computed once.
    """
    return _frame(samples_content(path, record), path)


@cache
def _frame(content: bytes, path: Path) -> pd.DataFrame:
    return example_frame(parsed(content, path))
