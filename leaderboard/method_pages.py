"""A page per row of each track's ranking."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from leaderboard.board import Track
from leaderboard.citation import bibtex, citation
from leaderboard.render import Page, Renderer, method_page
from leaderboard.tables import Row, overall_rows, variant_rows
from leaderboard.task_pages import TaskShown


def method_pages(track: Track, tasks: Sequence[TaskShown], renderer: Renderer) -> Iterator[Page]:
    variants = {variant: variant_rows(track, variant) for variant in track.variants}
    by_task = {
        task.name: on_track.rows
        for task in tasks
        for on_track in task.tracks
        if on_track.track is track
    }
    for row in overall_rows(track):
        by_variant = {
            v: own for v, rows in variants.items() for own in rows if own.name == row.name
        }
        in_tasks = {t: own for t, rows in by_task.items() for own in rows if own.name == row.name}
        yield renderer.page(
            method_page(track.name, row.name),
            "method.html",
            track=track,
            row=row,
            by_variant=by_variant,
            by_task=in_tasks,
            cited=citation(track, row),
            bibtex=bibtex(track, row),
        )


def _own(row: Row, tables: Mapping[str, Sequence[Row]]) -> dict[str, Row]:
    """The row of the same name in each table that has it."""
    return {place: own for place, rows in tables.items() for own in rows if own.name == row.name}
