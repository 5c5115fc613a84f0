"""The site's pages other than those of records: their places and what fills their templates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmark.metrics import METRICS
from benchmark.records.schema import Record
from benchmark.statistics import FLOOR
from benchmark.statistics.axes import splits_fed
from leaderboard.board import METRICS_PAGE, SCALING_PAGE, Board, Track
from leaderboard.citation import bibtex, citation
from leaderboard.claim_pages import claim_page
from leaderboard.metric_pages import metric_page
from leaderboard.plots import Colours, Figure, scatter
from leaderboard.practice_pages import practice_page
from leaderboard.render import Page, Renderer, compact_json, method_page, slug, view_file
from leaderboard.scaling_pages import scaling_page
from leaderboard.tables import Row, left_out, overall_rows, variant_rows
from leaderboard.task_pages import TaskShown, homes_of, task_pages, tasks_shown


@dataclass(frozen=True)
class View:
    """One table of the index with its scatter plot: of a whole track (`variant` is empty) or of
    one of its variants.
    """

    id: str
    variant: str
    rows: list[Row]
    figure: Figure
    references: list[Record]
    task: str = ""  # that a variant belongs to


@dataclass(frozen=True)
class Shown:
    """A track and what its pages show; the first view is that of the whole track."""

    track: Track
    views: list[View]

    @property
    def failures(self) -> dict[tuple[str, str], list[Record]]:
        """Failed runs by row name and error message, most often the same for all seeds and
        variants.
        """
        failures: dict[tuple[str, str], list[Record]] = {}
        for record in sorted(
            self.track.records, key=lambda r: (self.track.row_names[r.id], r.variant, r.seed)
        ):
            if record.status == "error":
                message = record.error.message if record.error else "no error message recorded"
                failures.setdefault((self.track.row_names[record.id], message), []).append(record)
        return failures


def pages_of(board: Board, colours: Colours) -> Iterator[Page]:
    """All pages but those of records."""
    overall = {track.name: overall_rows(track) for track in board.tracks}
    tasks = tasks_shown(board, colours)
    renderer = Renderer(colours, board.extra, board=board, homes=homes_of(tasks))
    tracks = [Shown(t, _views(t, overall[t.name], colours)) for t in board.tracks]
    first = [shown for shown in tracks if shown.track in board.ranked]
    yield renderer.page("index.html", "index.html", tracks=first, tasks=tasks)
    for shown in first:
        yield from _view_files(shown, renderer)
    axes = {name: dict.fromkeys(axis for axis, _ in splits_fed(name)) for name in METRICS}
    yield renderer.page(
        "about.html", "about.html", metrics=METRICS.values(), axes_of=axes, floor=FLOOR
    )
    yield renderer.page(
        "left-out.html", "left_out.html", left_out={t.name: left_out(t) for t in board.tracks}
    )
    yield practice_page(board, renderer, colours)
    if SCALING_PAGE in board.extra:
        yield scaling_page(board, renderer, colours)
    yield claim_page(board, renderer)
    if METRICS_PAGE in board.extra:
        yield metric_page(board.results, renderer)
    yield from task_pages(tasks, renderer)
    for shown in tracks:
        yield from _method_pages(shown, tasks, renderer)


def _views(track: Track, overall: list[Row], colours: Colours) -> list[View]:
    views = [View(f"view-{slug(track.name)}", "", overall, scatter(overall, colours), [])]
    for variant in track.variants:
        rows = variant_rows(track, variant)
        name = f"{views[0].id}-{slug(variant)}"
        task = next(record.task.name for record in track.records if record.variant == variant)
        views.append(
            View(name, variant, rows, scatter(rows, colours), track.references(variant), task)
        )
    return views


def _view_files(shown: Shown, renderer: Renderer) -> Iterator[Page]:
    """What the index shows of each variant when it is asked for."""
    track = shown.track
    for view in shown.views[1:]:
        part = renderer.filled("view.html", view=view, track=track)
        call = f"showLoaded({compact_json(view.id)}, {compact_json(part)});\n"
        yield view_file(track.name, view.variant), call


def _method_pages(shown: Shown, tasks: Sequence[TaskShown], renderer: Renderer) -> Iterator[Page]:
    overall, *views = shown.views
    by_task = {
        task.name: on_track.rows
        for task in tasks
        for on_track in task.tracks
        if on_track.track is shown.track
    }
    for row in overall.rows:
        by_variant = {
            view.variant: view_row
            for view in views
            for view_row in view.rows
            if view_row.name == row.name
        }
        in_tasks = {
            task: task_row
            for task, rows in by_task.items()
            for task_row in rows
            if task_row.name == row.name
        }
        path = method_page(shown.track.name, row.name)
        yield renderer.page(
            path,
            "method.html",
            track=shown.track,
            row=row,
            by_variant=by_variant,
            by_task=in_tasks,
            cited=citation(shown.track, row),
            bibtex=bibtex(shown.track, row),
        )
