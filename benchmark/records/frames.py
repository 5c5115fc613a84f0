"""Records as DataFrames: what statistics and the leaderboard work on."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pandas as pd

from benchmark.metrics.values import example_frame
from benchmark.records.schema import ORACLE, TARGET, Record
from benchmark.records.store import ResultStore


def row_names(records: Sequence[Record]) -> dict[str, str]:
    """A name for each record's row: the method's, with those parameters in brackets that tell it from its namesakes."""
    names: dict[str, str] = {}
    by_method: dict[str, list[Record]] = {}
    for record in records:
        by_method.setdefault(record.method.name, []).append(record)
    for method, own in by_method.items():
        names_used = {name for record in own for name in record.method.parameters}
        values = {name: {json.dumps(r.method.parameters.get(name)) for r in own} for name in names_used}
        telling = sorted(name for name, found in values.items() if len(found) > 1)
        for record in own:
            shown = ", ".join(f"{n}={record.method.parameters.get(n)}" for n in telling)
            names[record.id] = f"{method} ({shown})" if shown else method
    return names


def index_frame(records: Sequence[Record]) -> pd.DataFrame:
    """A row per successful record: id, role, track, task, variant, method (row name), seed, anchor."""
    names = row_names(records)
    newest: dict[tuple[str, str], int] = {}
    for r in records:
        newest[r.track, r.task.name] = max(r.task.version, newest.get((r.track, r.task.name), 0))
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
        }
        for r in records
        if r.status == "ok" and r.task.version == newest[r.track, r.task.name]
    ]
    columns = ["id", "role", "track", "task", "variant", "method", "seed", "anchor"]
    return pd.DataFrame(rows, columns=columns)


def example_frames(results: ResultStore, records: Sequence[Record]) -> dict[str, pd.DataFrame]:
    """The example frame of every successful record, by id."""
    return {r.id: example_frame(results.samples_of(r)) for r in records if r.status == "ok"}
