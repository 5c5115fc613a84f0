"""Records as DataFrames, for statistics and the leaderboard."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import pandas as pd

from benchmark.metrics.frames import example_frame
from benchmark.records.derived import Derived
from benchmark.records.identity import TARGET
from benchmark.records.schema import WEIGHTS, Record
from benchmark.records.store import ResultStore, outputs_content, parsed

FRAMES_HELD = 16  # in memory: those of a few records and of their target and oracles


def heads(results: ResultStore) -> Iterator[Record]:
    """All records of a folder without their values, which would not fit in memory for thousands."""
    for record in results.read_all():
        yield record.model_copy(update={"values": {}})


def split_current(records: Sequence[Record]) -> tuple[list[Record], list[Record]]:
    """(current, superseded) records.

    After a change of method, task or world a cell has a new id, and its old record stays in the
    folder. The current record of a cell is the newest among those with the most oracles, if it was
    compared with one of the variant's current targets.
    """
    newest = {_cell(record): record for record in sorted(records, key=_age)}
    targets: dict[tuple[str, str], set[str]] = {}
    told = [record for record in newest.values() if record.method.name == TARGET]
    for first in (record for record in told if record.seed == 0):
        place = first.track, first.variant
        same = [r for r in told if (r.track, r.variant) == place and _is_like(r, first)]
        targets[place] = {record.id for record in same}

    def is_current(record: Record) -> bool:
        compared_with = record.references.target if record.references else None
        present = targets.get((record.track, record.variant), {compared_with})
        return newest[_cell(record)] is record and compared_with in {None, *present}

    current = [r for r in records if is_current(r)]
    current_ids = {r.id for r in current}
    return current, [r for r in records if r.id not in current_ids]


def _is_like(record: Record, first: Record) -> bool:
    """Whether a target is of the same data as the first, and compared with the same oracles."""
    of_first, own = first.references, record.references
    alike = record.identity.task == first.identity.task
    return alike and (own and own.oracles) == (of_first and of_first.oracles)


def _age(record: Record) -> tuple[int, int, str, str]:
    """Later task versions, more oracles and later dates come last."""
    oracles = len(record.references.oracles) if record.references else 0
    return (
        record.task.version,
        oracles,
        record.provenance.created,
        record.id,
    )


def _cell(record: Record) -> tuple[str, str, str, str, int]:
    parameters = json.dumps(record.method.parameters, sort_keys=True)
    return record.track, record.variant, record.method.name, parameters, record.seed


def expected_seeds(records: Sequence[Record]) -> dict[str, int]:
    """How many seeds each row needs on every variant to be ranked: all that it was run with,
    failed runs included.
    """
    names, by_row = row_names(records), dict[str, set[int]]()
    for record in records:
        by_row.setdefault(names[record.id], set()).add(record.seed)
    return {name: len(seeds) for name, seeds in by_row.items()}


def row_names(records: Sequence[Record]) -> dict[str, str]:
    """A name for each record's row: the method's, with those parameters in brackets that tell it
    from its namesakes on a variant of the track. A parameter whose value is another one on each
    family of tasks tells no row from another.
    """
    names: dict[str, str] = {}
    by_method: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        by_method.setdefault((record.track, record.method.name), []).append(record)
    for (_, method), namesakes in by_method.items():
        telling = _telling(namesakes)
        for record in namesakes:
            shown = ", ".join(f"{n}={record.method.parameters.get(n)}" for n in telling)
            names[record.id] = f"{method} ({shown})" if shown else method
    return names


def _telling(namesakes: Sequence[Record]) -> list[str]:
    """The parameters that have several values on one variant."""
    values: dict[tuple[str, str], set[str]] = {}
    for name in {name for record in namesakes for name in record.method.parameters}:
        for record in namesakes:
            value = json.dumps(record.method.parameters.get(name))
            values.setdefault((name, record.variant), set()).add(value)
    return sorted({name for (name, _), distinct in values.items() if len(distinct) > 1})


def has_outputs(record: Record) -> bool:
    """Whether a record can be scored: it succeeded, and is no trial that kept its values alone."""
    return record.status == "ok" and record.outputs is not None


def digest_of(record: Record) -> str:
    """The digest of a record's outputs: the same outputs have the same example frame."""
    return f"{record.outputs.inputs}{record.outputs.sha256}" if record.outputs else ""


def index_frame(records: Sequence[Record]) -> pd.DataFrame:
    """A row per record that can be scored: id, role, track, task, variant, method (row name),
    seed, anchor, division, target (the record that it is compared with), budget_steps, digest (of
    its outputs).
    """
    names = row_names(records)
    rows = [
        {
            "id": r.id,
            "role": r.method.name if r.identity.is_reference else "method",
            "track": r.track,
            "task": r.task.name,
            "variant": r.task.variant or "all",
            "method": names[r.id],
            "seed": r.seed,
            "anchor": r.method.anchor,
            "division": r.provenance.division or WEIGHTS,
            "target": r.references.target if r.references else "",
            "budget_steps": r.budget.steps,
            "digest": digest_of(r),
        }
        for r in records
        if has_outputs(r)
    ]
    columns = ["id", "role", "track", "task", "variant", "method", "seed", "anchor", "division"]
    return pd.DataFrame(rows, columns=[*columns, "target", "budget_steps", "digest"])


class ExampleFrames(Mapping[str, pd.DataFrame]):
    """The example frame of every record that can be scored, by id: read when asked for, and only
    the last few are held.
    """

    def __init__(
        self, results: ResultStore, records: Sequence[Record], derived: Derived | None = None
    ) -> None:
        self._results, self._derived = results, derived or Derived()
        self._records = {record.id: record for record in records if has_outputs(record)}
        self._held: dict[str, pd.DataFrame] = {}

    def __getitem__(self, record_id: str) -> pd.DataFrame:
        record = self._records[record_id]
        digest = digest_of(record)
        frame = self._held.pop(digest, None)
        if frame is None:
            tables = self._derived.tables("frames", digest, lambda: self._made(record))
            frame = tables["frame"].to_pandas()
        self._held[digest] = frame  # the last one asked for comes last
        if len(self._held) > FRAMES_HELD:
            del self._held[next(iter(self._held))]
        return frame

    def _made(self, record: Record) -> dict[str, pd.DataFrame]:
        return {"frame": read_frame(self._results.path_of(record), record)}

    def only(self, record_ids: Iterable[str]) -> ExampleFrames:
        """Those of some of the records."""
        return ExampleFrames(self._results, [self._records[i] for i in record_ids], self._derived)

    def __iter__(self) -> Iterator[str]:
        return iter(self._records)

    def __len__(self) -> int:
        return len(self._records)


def read_frame(path: Path, record: Record) -> pd.DataFrame:
    """The example frame of the outputs of the record at `path`; what has the same bytes is not
    computed twice in a row.
    """
    return _frame(*outputs_content(path, record), path)


@lru_cache(FRAMES_HELD)
def _frame(outputs: bytes, inputs: bytes, path: Path) -> pd.DataFrame:
    return example_frame(parsed(outputs, inputs, path))
