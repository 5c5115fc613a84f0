"""Renders a page per row of each track's ranking."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from benchmark.records.identity import DEVELOPMENT_SUFFIX
from benchmark.records.schema import Record
from leaderboard.board import Board, Track
from leaderboard.citation import bibtex, citation, row_digest
from leaderboard.method_plots import method_sections
from leaderboard.plots import Looks
from leaderboard.render import Page, Renderer, method_page
from leaderboard.tables import Row, overall_rows, task_rows, variant_rows
from leaderboard.task_pages import tasks_with_pages
from leaderboard.texts import texts_of


@dataclass(frozen=True)
class TrackMethods:
    """A track and all that the pages of its methods need: their `trials`, and the tasks that have
    pages, `with_pages`.
    """

    track: Track
    trials: list[Record]
    with_pages: frozenset[str]
    looks: Looks
    extra: frozenset[str]

    def pages(self) -> Iterator[Page]:
        track, renderer = self.track, Renderer(self.looks, self.extra)
        variants = {variant: variant_rows(track, variant) for variant in track.variants}
        by_task = {task: task_rows(track, task) for task in track.tasks}
        for row in overall_rows(track):
            own = [record for record in self.trials if record.method.name == row.method.name]
            yield renderer.page(
                method_page(track.name, row.name),
                "method.html",
                track=track,
                row=row,
                ranked=track.is_ranked,
                texts=texts_of(row.method.name, row.method.reference),
                parameters=_parameters(row),
                sections=method_sections(track, row.name, own, self.looks),
                by_task=_own(row, by_task),
                with_pages=self.with_pages,
                variants_of=partial(_of_task, _own(row, variants)),
                cited=citation(track, row),
                bibtex=bibtex(track, row),
                digest=row_digest(row),
            )


def track_methods(board: Board, looks: Looks) -> Iterator[TrackMethods]:
    """The methods of each track."""
    with_pages = frozenset(tasks_with_pages(board))
    for track in board.tracks:
        trials = [r for r in board.trials if r.track == track.name + DEVELOPMENT_SUFFIX]
        yield TrackMethods(track, trials, with_pages, looks, board.extra)


def _own(row: Row, tables: Mapping[str, Sequence[Row]]) -> dict[str, Row]:
    """The row of the same name in each table that has it."""
    return {place: own for place, rows in tables.items() for own in rows if own.name == row.name}


def _of_task(by_variant: Mapping[str, Row], task: str) -> dict[str, Row]:
    return {name: own for name, own in by_variant.items() if own.runs[0].task.name == task}


def _shown(value: object) -> str:
    """A parameter's value as text: `yes`, `no` and `none` instead of Python's constants."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)


def _parameters(row: Row) -> dict[str, dict[str, list[str]]]:
    """The tasks on which each value of each parameter was used."""
    used: dict[str, dict[str, list[str]]] = {}
    for run in row.runs:
        for name, value in sorted(run.method.parameters.items()):
            tasks = used.setdefault(name, {}).setdefault(_shown(value), [])
            if run.task.name not in tasks:
                tasks.append(run.task.name)
    return used
