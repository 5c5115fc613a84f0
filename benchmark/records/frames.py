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

FRAMES_HELD = 16  # in memory: enough for a few records with their target and oracles


def heads(results: ResultStore) -> Iterator[Record]:
    """Yields all records of a folder without values, which would not fit in memory."""
    for record in results.read_all():
        yield record.model_copy(update={"values": {}})


def split_current(records: Sequence[Record]) -> tuple[list[Record], list[Record]]:
    """(current, superseded) records.

    When its method, task or world changes, a cell gets a new id, and the old record stays in the
    folder. The current record of a cell has the latest task version, then the most oracles, then
    the latest date; a record that is compared with a superseded target is superseded too.
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
    """Whether a target has the same task data and oracles as the first."""
    of_first, own = first.references, record.references
    alike = record.identity.task == first.identity.task
    return alike and (own and own.oracles) == (of_first and of_first.oracles)


def _age(record: Record) -> tuple[int, int, str, str]:
    """A sort key: by task version, then number of oracles, then date."""
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
    """The number of seeds that each row needs on every variant to be ranked: all seeds that it was
    run with, including those of failed runs.
    """
    names, by_row = row_names(records), dict[str, set[int]]()
    for record in records:
        by_row.setdefault(names[record.id], set()).add(record.seed)
    return {name: len(seeds) for name, seeds in by_row.items()}


def row_names(records: Sequence[Record]) -> dict[str, str]:
    """The row name of each record, by id: the method's name, with the parameters in parentheses
    that distinguish it from other rows of the method on the same variant of the track. Parameters
    that only differ between task families are not shown.
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
    """The parameters that take several values on one variant."""
    values: dict[tuple[str, str], set[str]] = {}
    for name in {name for record in namesakes for name in record.method.parameters}:
        for record in namesakes:
            value = json.dumps(record.method.parameters.get(name))
            values.setdefault((name, record.variant), set()).add(value)
    return sorted({name for (name, _), distinct in values.items() if len(distinct) > 1})


def has_outputs(record: Record) -> bool:
    """Whether a record can be scored: it succeeded and is not a trial, which has no outputs."""
    return record.status == "ok" and record.outputs is not None


def digest_of(record: Record) -> str:
    """The digest of a record's inputs and outputs, which determine its example frame."""
    return f"{record.outputs.inputs}{record.outputs.sha256}" if record.outputs else ""


def index_frame(records: Sequence[Record]) -> pd.DataFrame:
    """One row per record that can be scored: id, role, track, task, variant, method (row name),
    seed, anchor, division, target (id of the target's record), budget_steps, digest (of its inputs
    and outputs).
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
    """The example frame of every record that can be scored, by id: read on access, with only the
    most recently used ones kept in memory.
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
        self._held[digest] = frame  # the most recently used one comes last
        if len(self._held) > FRAMES_HELD:
            del self._held[next(iter(self._held))]
        return frame

    def _made(self, record: Record) -> dict[str, pd.DataFrame]:
        return {"frame": read_frame(self._results.path_of(record), record)}

    def only(self, record_ids: Iterable[str]) -> ExampleFrames:
        """The frames of some of the records."""
        return ExampleFrames(self._results, [self._records[i] for i in record_ids], self._derived)

    def __iter__(self) -> Iterator[str]:
        return iter(self._records)

    def __len__(self) -> int:
        return len(self._records)


def read_frame(path: Path, record: Record) -> pd.DataFrame:
    """The example frame of the record at `path`; the last FRAMES_HELD stay in memory."""
    return _frame(*outputs_content(path, record), path)


@lru_cache(FRAMES_HELD)
def _frame(outputs: bytes, inputs: bytes, path: Path) -> pd.DataFrame:
    return example_frame(parsed(outputs, inputs, path))
