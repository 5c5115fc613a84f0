"""Renders the pages of records, most of the site. Each page loads a file with its values and
answers, and one file of examples per variant. Pages are rendered variant by variant, so that worker
processes can share the work.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pandas as pd

from benchmark.metrics import METRICS
from benchmark.metrics.stages import ON_THE_WAY, sort_of
from benchmark.records.code_digest import behind
from benchmark.records.derived import Derived
from benchmark.records.frames import has_outputs
from benchmark.records.identity import ORACLE
from benchmark.records.outputs import sha256
from benchmark.records.schema import Record
from benchmark.records.store import ResultStore, read_record
from leaderboard.board import Board, Track
from leaderboard.croissant import examples_lines
from leaderboard.examples import Said
from leaderboard.plots import Looks, plain
from leaderboard.render import (
    Page,
    Renderer,
    compact_json,
    data_page,
    examples_file,
    record_file,
    record_page,
)
from leaderboard.run_values import RunScores, ValueRow, on_the_way, rows_of_variant, run_scores

METRICS_FILE = "data/metrics.js"
NO_SCORES = RunScores({})


@dataclass(frozen=True)
class VariantRecords:
    """One variant's records without their values, and all that their pages need; `row_names` are
    by record id, `standings` the rows of all runs.
    """

    results: ResultStore
    derived: Derived
    track: str
    ranked: bool
    variant: str
    records: list[Record]
    references: list[Record]
    row_names: Mapping[str, str]
    standings: pd.DataFrame
    proxy: bool
    looks: Looks
    extra: frozenset[str]

    def pages(self) -> Iterator[Page]:
        """Yields the two files of examples, then a page for each record and a data file for each
        successful one.
        """
        renderer = Renderer(self.looks, self.extra)
        scores = run_scores(self.standings, self.records, self.row_names)
        answered = [r for r in (*self.references, *self.records) if has_outputs(r)]
        said = Said(self.results, self.derived, answered)
        yield self._examples(said)
        yield examples_lines(self.track, self.variant, said.examples)
        for record in self.records:
            run = scores.get(record.id, NO_SCORES)
            yield renderer.page(
                record_page(record),
                "record.html",
                record=record,
                row_name=self.row_names[record.id],
                ranked=self.ranked,
                proxy=self.proxy,
                references=self._compared_with(record),
                examples=examples_file(self.track, self.variant),
                metrics=METRICS_FILE,
                beside=self._beside(record),
                scores=run.scores,
                kinds=said.kinds,
            )
            if record.status == "ok":
                yield data_page(record_file(record), self._content(record, run, said))

    def _beside(self, record: Record) -> dict[str, Record]:
        """The target and the first oracle, whose answers are shown next to the record's."""
        first: dict[str, Record] = {}
        for reference in self._compared_with(record):
            if has_outputs(reference):
                first.setdefault(reference.method.name, reference)
        return {name: r for name, r in first.items() if r.id != record.id}

    def _compared_with(self, record: Record) -> list[Record]:
        """The oracles, and of several targets the one that the record names; all targets for a
        failed record, which names none.
        """
        named = record.references
        return [
            r
            for r in self.references
            if named is None or r.method.name == ORACLE or r.id == named.target
        ]

    def _examples(self, said: Said) -> Page:
        """The file of examples, with the ids of records by row name and seed."""
        runs: dict[str, dict[int, str]] = {}
        for record in sorted(self.records, key=lambda r: (self.row_names[r.id], r.seed)):
            if has_outputs(record):
                runs.setdefault(self.row_names[record.id], {})[record.seed] = record.id
        about = f'{{"examples":{said.examples_json},"runs":{compact_json(runs)}}}'
        return data_page(examples_file(self.track, self.variant), about)

    def _content(self, head: Record, run: RunScores, said: Said) -> str:
        """The values and answers of a record as JSON."""
        answers = said.answers(head) if has_outputs(head) else "null"

        def make() -> bytes:
            values = run.values(read_record(self.results.path_of(head)))
            return compact_json(plain(_packed(values))).encode()

        compared = [record.seal for record in self.references]
        sources = [_code(), behind("benchmark.statistics.parts"), head.seal, compared]
        values = self.derived.content("record_values", sources, make).decode()
        return f'{{"values":{values},"answers":{answers}}}'


@cache
def _code() -> str:
    """A digest of the code that packs values."""
    own = Path(__file__)
    return sha256(own.read_bytes() + own.with_name("run_values.py").read_bytes())


def _packed(values: Sequence[ValueRow]) -> dict[str, list]:
    """`rows`: stage, split, metric, stratum, value, scored, failed, target, oracle, recovery, axis.
    `ways`: tables of values at intermediate stages.
    """
    ends = [row for row in values if sort_of(row.value.stage) not in ON_THE_WAY]
    ways = [
        {
            "sort": table.sort,
            "stages": table.stages,
            "rows": [[v.split, v.metric, v.stratum, *numbers] for v, numbers in table.rows],
        }
        for table in on_the_way(values)
    ]
    return {"rows": [_row(row) for row in ends], "ways": ways}


def _row(row: ValueRow) -> list:
    value = row.value
    names = [value.stage, value.split, value.metric, value.stratum]
    counts = [value.n_scored, value.n_failed]
    return [*names, value.value, *counts, row.target, row.oracle, row.recovery, row.axis]


def metrics_data() -> Page:
    """Unit and description of every metric."""
    about = {name: [metric.unit, metric.description] for name, metric in METRICS.items()}
    return data_page(METRICS_FILE, compact_json(about))


def variant_records(board: Board, looks: Looks) -> Iterator[VariantRecords]:
    """The records of each variant of each track."""
    for track in board.tracks:
        proxies = track.proxies
        for variant in track.variants:
            yield _of_variant(board, track, variant, variant in proxies, looks)


def _of_variant(
    board: Board, track: Track, variant: str, proxy: bool, looks: Looks
) -> VariantRecords:
    records = [record for record in track.records if record.variant == variant]
    return VariantRecords(
        results=board.results,
        derived=board.derived,
        track=track.name,
        ranked=track.is_ranked,
        variant=variant,
        records=records,
        references=track.references(variant),
        row_names={record.id: track.row_names[record.id] for record in records},
        standings=rows_of_variant(track, records[0]),
        proxy=proxy,
        looks=looks,
        extra=board.extra,
    )
