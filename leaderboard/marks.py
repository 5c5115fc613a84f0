"""Marks and disputes that apply to the runs of a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from benchmark.records.marks import KINDS, Dispute, Mark, Marks
from benchmark.records.schema import Record


@dataclass(frozen=True)
class RowMark:
    """A mark on `count` of the row's `of` successful runs: by whom, when last, and links."""

    mark: str
    count: int
    of: int
    by: list[str]
    at: date
    links: list[str]

    @property
    def label(self) -> str:
        return self.mark if self.count == self.of else f"{self.mark} {self.count} of {self.of}"


@dataclass(frozen=True)
class RowDispute:
    """A dispute of `count` of the row's `of` successful runs. It is `whole`, and its score one of
    the row, if it names exactly these runs.
    """

    dispute: Dispute
    count: int
    of: int
    whole: bool


def row_marks(runs: Sequence[Record], marks: Marks) -> list[RowMark]:
    """One RowMark for each kind of mark on any of the runs."""
    kept = _successful(runs)
    found = []
    for kind in KINDS:
        own = [m for m in marks.marks if m.mark == kind and _named(m, kept)]
        if own:
            count = len({record_id for mark in own for record_id in _named(mark, kept)})
            links = [m.link for m in own if m.link]
            last = max(mark.at for mark in own)
            found.append(RowMark(kind, count, len(kept), _distinct(own), last, links))
    return found


def row_disputes(runs: Sequence[Record], marks: Marks) -> list[RowDispute]:
    """The disputes of any of the runs, lowest score first."""
    kept = _successful(runs)
    found = [
        RowDispute(dispute, len(named), len(kept), named == dispute.records.keys() == kept.keys())
        for dispute in marks.disputes
        if (named := _named(dispute, kept))
    ]
    return sorted(found, key=lambda row: row.dispute.score)


def _successful(runs: Sequence[Record]) -> dict[str, str]:
    """The digest of each successful run by its id."""
    return {run.id: run.seal for run in runs if run.status == "ok"}


def _named(said: Mark | Dispute, runs: dict[str, str]) -> set[str]:
    """The ids of the runs that a mark or dispute names with their current digest."""
    return {
        record_id for record_id, digest in runs.items() if said.records.get(record_id) == digest
    }


def _distinct(marks: Sequence[Mark]) -> list[str]:
    return sorted({mark.by for mark in marks})
