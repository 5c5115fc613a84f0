"""The tables of the first screen: of each track, of each task on it and of each variant. The first
one stands in the page, the others are files that it loads when they are chosen.
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
    its variants, which alone ranks nothing. `references` are those of the only variant.
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
        """The variants that its scores are means over."""
        of = self.track.records_of(self.task) if self.task else self.track.records
        return [self.variant] if self.variant else sorted({record.variant for record in of})

    @property
    def divisions(self) -> list[str]:
        """Those that have a row that is no anchor."""
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
    """What the page's script chooses among: by track, by name of the view."""
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
    """What the first screen shows of each."""
    for view in views:
        part = compact_json(renderer.filled("view.html", view=view))
        yield data_page(view_file(view.track.name, view.name), part)
