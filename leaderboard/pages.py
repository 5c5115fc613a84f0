"""Renders all pages of the site except those of methods and records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmark.metrics import METRICS
from benchmark.records.schema import Record
from benchmark.statistics import FLOOR
from benchmark.statistics.axes import splits_fed
from leaderboard.attack_pages import attack_pages
from leaderboard.board import SCALING_PAGE, Board, Track
from leaderboard.choosing_pages import choosing_pages
from leaderboard.claim_pages import claim_page
from leaderboard.downloads import downloads
from leaderboard.metric_pages import metric_pages
from leaderboard.plots import Looks
from leaderboard.practice_pages import practice_page
from leaderboard.render import Page, Renderer
from leaderboard.run_values import left_out
from leaderboard.scaling_pages import scaling_page
from leaderboard.tables import QUANTITIES
from leaderboard.task_pages import TaskShown, homes_of, task_pages, tasks_shown
from leaderboard.views import View, choices, view_files, views_of

EXTRA_COLUMNS = ("mean over attacks", "tokens", "runs")  # of the index page, hidden at first
COLUMNS = ("rank", *QUANTITIES, "worst attack", "seconds", *EXTRA_COLUMNS)


def pages_of(board: Board, looks: Looks, address: str) -> Iterator[Page]:
    """Yields all pages and downloads except those of methods and records; `address` is the public
    URL.
    """
    tasks = tasks_shown(board, looks)
    axes = {name: dict.fromkeys(axis for axis, _ in splits_fed(name)) for name in METRICS}
    homes = homes_of(tasks)
    shared = {"board": board, "homes": homes, "axes_of_metrics": axes, "address": address}
    renderer = Renderer(looks, board.extra, **shared)
    views = [views_of(track, looks) for track in board.ranked]
    yield _first_screen(board, views, tasks, renderer)
    for own in views:
        yield from view_files(own, renderer)
    yield from choosing_pages(board.ranked, renderer)
    yield from downloads(views, address)
    yield renderer.page("downloads.html", "downloads.html", tracks=views, tasks=tasks)
    yield renderer.page("submit.html", "submit.html")
    yield renderer.page("about.html", "about.html", metrics=METRICS.values(), floor=FLOOR)
    yield renderer.page(
        "left-out.html", "left_out.html", left_out={t.name: left_out(t) for t in board.tracks}
    )
    yield practice_page(board, renderer)
    if SCALING_PAGE in board.extra:
        yield scaling_page(board, renderer, looks)
    yield claim_page(board, renderer)
    yield from metric_pages(board, renderer)
    yield from attack_pages(board, looks, renderer)
    yield from task_pages(tasks, renderer)


def _first_screen(
    board: Board, views: Sequence[Sequence[View]], tasks: Sequence[TaskShown], renderer: Renderer
) -> Page:
    methods = [row.method for own in views for row in own[0].rows]
    return renderer.page(
        "index.html",
        "index.html",
        tracks=views,
        first=views[0],
        choices=choices(views),
        families=sorted({method.family for method in methods if method.family}),
        sees=sorted({seen for method in methods for seen in method.sees}),
        columns=COLUMNS,
        extra_columns=EXTRA_COLUMNS,
        failures=_failures([own[0].track for own in views]),
        tasks=tasks,
    )


def _failures(tracks: Sequence[Track]) -> dict[tuple[str, str, str], list[Record]]:
    """Failed runs by track, row name and error message, which is usually the same for all seeds and
    variants.
    """
    failures: dict[tuple[str, str, str], list[Record]] = {}
    for track in tracks:
        names = track.row_names
        for record in sorted(track.records, key=lambda r: (names[r.id], r.variant, r.seed)):
            if record.status == "error":
                message = record.error.message if record.error else "no error message recorded"
                failures.setdefault((track.name, names[record.id], message), []).append(record)
    return failures
