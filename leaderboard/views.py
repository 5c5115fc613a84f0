"""The tables of the index page: one for each track, each task on it and each variant. The first
table is part of the page; the others are files that the page loads on selection.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from benchmark.records.schema import GUARDRAIL, Record
from leaderboard.board import Track
from leaderboard.plots import Figure, Looks, scatter
from leaderboard.render import Page, Renderer, compact_json, data_page, view_file
from leaderboard.tables import Row, overall_rows, task_rows, variant_rows

EVERYTHING = "all tasks"


@dataclass(frozen=True)
class View:
    """One ranked table with its scatter plot: of a whole track (no `task`), of a task, or of one of
    its variants, which is not ranked. `references` are those of the variant if a task view has only
    one.
    """

    track: Track
    task: str
    variant: str
    rows: list[Row]
    figure: Figure
    references: list[Record]

    @property
    def name(self) -> str:
        return self.variant or self.task or EVERYTHING

    @property
    def ranked(self) -> bool:
        return not self.variant

    @property
    def variants(self) -> list[str]:
        """The variants over which the scores are averaged."""
        of = self.track.records_of(self.task) if self.task else self.track.records
        return [self.variant] if self.variant else sorted({record.variant for record in of})

    @property
    def divisions(self) -> list[str]:
        """The divisions with at least one row that is not an anchor, guardrails last."""
        return sorted({row.division for row in self.rows if not row.anchor}, key=GUARDRAIL.__eq__)


def views_of(track: Track, looks: Looks) -> list[View]:
    """All views of a track, the whole track first; a task with one variant has one view."""
    views = [_view(track, "", "", overall_rows(track), looks)]
    of_task = sorted({(r.task.name, r.variant) for r in track.records})
    for task, places in groupby(of_task, key=lambda place: place[0]):
        views.append(_view(track, task, "", task_rows(track, task), looks))
        variants = [variant for _, variant in places]
        for variant in variants if len(variants) > 1 else []:
            views.append(_view(track, task, variant, variant_rows(track, variant), looks))
    return views


def _view(track: Track, task: str, variant: str, rows: list[Row], looks: Looks) -> View:
    view = View(track, task, variant, rows, scatter(rows, looks), [])
    alone = view.variants if task and len(view.variants) == 1 else []
    return replace(view, references=[r for name in alone for r in track.references(name)])


def choices(tracks: Sequence[Sequence[View]]) -> dict[str, dict[str, dict[str, object]]]:
    """The options of the page's script: by track, by name of the view."""
    return {
        views[0].track.name: {
            view.name: {
                "file": view_file(view.track.name, view.name),
                "divisions": view.divisions,
                "of": view.task if view.variant else "",
            }
            for view in views
        }
        for views in tracks
    }


def view_files(views: Sequence[View], renderer: Renderer) -> Iterator[Page]:
    """Yields the table and figure of each view as a file that the index page loads."""
    for view in views:
        part = compact_json(renderer.filled("view.html", view=view))
        yield data_page(view_file(view.track.name, view.name), part)
