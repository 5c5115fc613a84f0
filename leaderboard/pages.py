"""Every page of the site: where it lies, and what its template is filled with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmark.metrics import METRICS
from benchmark.metrics.stages import ON_THE_WAY, sort_of
from benchmark.records.frames import has_outputs
from benchmark.records.schema import Record
from benchmark.records.store import read_record
from benchmark.statistics import FLOOR
from leaderboard.board import Board, Track
from leaderboard.examples import Said
from leaderboard.plots import Colours, Figure, colours_of, scatter
from leaderboard.render import (
    Page,
    Renderer,
    examples_file,
    method_page,
    record_page,
    slug,
)
from leaderboard.tables import Row, ScoresByRun, left_out, on_the_way, overall_rows, variant_rows
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
        found: dict[tuple[str, str], list[Record]] = {}
        for record in sorted(
            self.track.records, key=lambda r: (self.track.row_names[r.id], r.variant, r.seed)
        ):
            if record.status == "error":
                message = record.error.message if record.error else "no reason was recorded"
                found.setdefault((self.track.row_names[record.id], message), []).append(record)
        return found


def all_pages(board: Board) -> Iterator[Page]:
    """The pages, and the data files that they load."""
    overall = {track.name: overall_rows(track) for track in board.tracks}
    colours = colours_of([row for rows in overall.values() for row in rows])
    tasks = tasks_shown(board, colours)
    renderer = Renderer(board, colours, homes=homes_of(tasks))
    tracks = [Shown(t, _views(t, overall[t.name], colours)) for t in board.tracks]
    yield renderer.page("index.html", "index.html", tracks=tracks, tasks=tasks)
    yield renderer.page("about.html", "about.html", metrics=METRICS.values(), floor=FLOOR)
    yield renderer.page(
        "left-out.html", "left_out.html", left_out={t.name: left_out(t) for t in board.tracks}
    )
    yield from task_pages(tasks, renderer)
    for shown in tracks:
        yield from _method_pages(shown, tasks, renderer)
        scores = ScoresByRun(shown.track)
        for variant in shown.track.variants:
            yield from _record_pages(board, shown.track, variant, scores, renderer)


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


def _method_pages(shown: Shown, tasks: Sequence[TaskShown], renderer: Renderer) -> Iterator[Page]:
    whole, *views = shown.views
    by_task = {
        task.name: own.rows for task in tasks for own in task.tracks if own.track is shown.track
    }
    for row in whole.rows:
        by_variant = {
            view.variant: own for view in views for own in view.rows if own.name == row.name
        }
        in_tasks = {
            task: own for task, rows in by_task.items() for own in rows if own.name == row.name
        }
        path = method_page(shown.track.name, row.name)
        yield renderer.page(
            path, "method.html", track=shown.track, row=row, by_variant=by_variant, by_task=in_tasks
        )


def _record_pages(
    board: Board, track: Track, variant: str, scores: ScoresByRun, renderer: Renderer
) -> Iterator[Page]:
    """The pages of one variant's records, and the file of prompts and reference answers that
    they share.
    """
    references = track.references(variant)
    records = [record for record in track.records if record.variant == variant]
    said = Said(
        board.results,
        board.derived,
        [record for record in (*references, *records) if has_outputs(record)],
    )
    compared = {r.method.name: r for r in reversed(references)}  # the target and the first oracle
    script = examples_file(track.name, variant)
    yield script, said.script(list(compared.values()))
    for head in records:
        record = read_record(board.results.path_of(head))
        run = scores.of(head)
        values = run.values(record)
        own = has_outputs(record) and record.id not in [r.id for r in compared.values()]
        yield renderer.page(
            record_page(record),
            "record.html",
            record=record,
            track=track,
            references=references,
            script=script,
            answers=said.answers(record) if own else None,
            scores=run.scores,
            values=[row for row in values if sort_of(row.value.stage) not in ON_THE_WAY],
            way=on_the_way(values),
            kinds=said.kinds,
        )
