"""Record pages, most of the site: rendered variant by variant, so that processes can share them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from benchmark.metrics.stages import ON_THE_WAY, sort_of
from benchmark.records.derived import Derived
from benchmark.records.frames import has_outputs
from benchmark.records.schema import Record
from benchmark.records.store import ResultStore, read_record
from leaderboard.board import Board, Track
from leaderboard.examples import Said
from leaderboard.plots import Colours
from leaderboard.render import Page, Renderer, examples_file, record_page
from leaderboard.run_values import RunScores, on_the_way, run_scores

NO_SCORES = RunScores({})


@dataclass(frozen=True)
class VariantRecords:
    """One variant's records without their values, and what their pages say of each by its id."""

    results: ResultStore
    derived: Derived
    track: str
    variant: str
    records: list[Record]
    references: list[Record]
    row_names: Mapping[str, str]
    scores: Mapping[str, RunScores]
    proxy: bool
    colours: Colours
    extra: frozenset[str]

    def pages(self) -> Iterator[Page]:
        """A page for each record, and the file of prompts and reference answers that they share."""
        renderer = Renderer(self.colours, self.extra)
        compared = {r.method.name: r for r in reversed(self.references)}  # target, first oracle
        told = {record.id for record in compared.values()}  # by the file
        answered = [r for r in (*self.references, *self.records) if has_outputs(r)]
        said = Said(self.results, self.derived, answered)
        script = examples_file(self.track, self.variant)
        yield script, said.script(list(compared.values()))
        for head in self.records:
            record = read_record(self.results.path_of(head))
            run = self.scores.get(record.id, NO_SCORES)
            values = run.values(record)
            yield renderer.page(
                record_page(record),
                "record.html",
                record=record,
                row_name=self.row_names[record.id],
                proxy=self.proxy,
                references=self.references,
                script=script,
                answers=said.answers(record)
                if has_outputs(record) and record.id not in told
                else None,
                scores=run.scores,
                values=[row for row in values if sort_of(row.value.stage) not in ON_THE_WAY],
                way=on_the_way(values),
                kinds=said.kinds,
            )


def variant_records(board: Board, colours: Colours) -> Iterator[VariantRecords]:
    """The records of each variant of each track."""
    for track in board.tracks:
        proxies = track.proxies
        for variant in track.variants:
            yield _of_variant(board, track, variant, variant in proxies, colours)


def _of_variant(
    board: Board, track: Track, variant: str, proxy: bool, colours: Colours
) -> VariantRecords:
    records = [record for record in track.records if record.variant == variant]
    return VariantRecords(
        results=board.results,
        derived=board.derived,
        track=track.name,
        variant=variant,
        records=records,
        references=track.references(variant),
        row_names={record.id: track.row_names[record.id] for record in records},
        scores=run_scores(track, records),
        proxy=proxy,
        colours=colours,
        extra=board.extra,
    )
