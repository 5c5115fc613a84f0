"""What the pages show: the current records of every scored track, and their standings."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmark.errors import BadInput
from benchmark.records.frames import example_frames, index_frame, row_names
from benchmark.records.schema import ORACLE, TARGET, Record, variant_name
from benchmark.records.store import ResultStore
from benchmark.statistics import Standings, standings

DEVELOPMENT_SUFFIX = "-dev"
REFERENCES = (TARGET, ORACLE)


@dataclass(frozen=True)
class Track:
    """One track's records, successful and failed, the row name of each by id, and their standings."""

    name: str
    records: list[Record]
    row_names: dict[str, str]
    standings: Standings
    expected: dict[str, int]

    @property
    def variants(self) -> list[str]:
        return sorted({record.variant for record in self.records})

    def references(self, variant: str) -> list[Record]:
        """The target and then the oracles of a variant, as far as they succeeded."""
        found = [r for r in self.records if r.variant == variant and r.method.name in REFERENCES and r.status == "ok"]
        return sorted(found, key=lambda r: (r.method.name == ORACLE, r.seed))

    def runs_of(self, row_name: str) -> list[Record]:
        """The records behind a row, in order of variant and seed."""
        own = [r for r in self.records if self.row_names[r.id] == row_name]
        return sorted(own, key=lambda r: (r.variant, r.seed))


@dataclass(frozen=True)
class Board:
    """All tracks with the folder they were read from, and what was left out: development tracks, older records."""

    results: ResultStore
    tracks: list[Track]
    development: list[str]
    superseded: list[Record]


def load_board(results: Path) -> Board:
    """Reads and scores a results folder; BadInput if it has nothing to show or a record cannot be read."""
    store = ResultStore(results)
    records = list(store.read_all())
    if not records:
        raise BadInput(f"{results}: no records to show; `palimpsest run --out {results}` writes some")
    development = sorted({r.track for r in records if r.track.endswith(DEVELOPMENT_SUFFIX)})
    scored = [r for r in records if r.track not in development]
    if not scored:
        raise BadInput(f"{results}: only development tracks ({', '.join(development)}), which are never scored")
    current, superseded = split_current(scored)
    names = sorted({r.track for r in current})
    tracks = [_track(store, name, [r for r in current if r.track == name]) for name in names]
    return Board(store, tracks, development, superseded)


def _track(store: ResultStore, name: str, records: list[Record]) -> Track:
    row_names_by_id = row_names(records)
    expected = expected_runs(records, row_names_by_id)
    scored = standings(index_frame(records), example_frames(store, records), expected)
    return Track(name, records, row_names_by_id, scored, expected)


def split_current(records: Sequence[Record]) -> tuple[list[Record], list[Record]]:
    """Current and superseded records.

    A changed method or world gives a cell another id and leaves its old record in the folder. The newest record of a
    cell counts; so does none that was compared with another target than the variant's present one.
    """
    newest = {_cell(r): r for r in sorted(records, key=lambda r: (r.provenance.created if r.provenance else "", r.id))}
    targets = {(r.track, r.variant): r.id for r in newest.values() if r.method.name == TARGET}

    def is_current(record: Record) -> bool:
        compared_with = record.references.target if record.references else None
        target = targets.get((record.track, record.variant), compared_with)
        return newest[_cell(record)] is record and compared_with in (None, target)

    current = [r for r in records if is_current(r)]
    return current, [r for r in records if not is_current(r)]


def _cell(record: Record) -> tuple[str, str, str, str, int]:
    parameters = json.dumps(record.method.parameters, sort_keys=True)
    return record.track, record.variant, record.method.name, parameters, record.seed


def expected_runs(records: Sequence[Record], names: dict[str, str]) -> dict[str, int]:
    """How many runs a row needs to be ranked: each of its seeds on each variant, failed runs included."""
    seeds: dict[str, set[int]] = {}
    for record in records:
        seeds.setdefault(names[record.id], set()).add(record.seed)
    variants = {record.variant for record in records}
    return {name: len(variants) * len(own) for name, own in seeds.items()}


def shown_variant(task: str, variant: str) -> str:
    """The written name of a variant of the standings, where a task without named variants has the variant `all`."""
    return variant_name(task, "" if variant == "all" else variant)
