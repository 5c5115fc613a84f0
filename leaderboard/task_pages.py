"""A page per task: its card, its ranking on each track, and the figures and tables that its
records have data for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from leaderboard.board import Board, Track
from leaderboard.cards import Card, card_of
from leaderboard.plots import Colours, PlotGroup
from leaderboard.render import Page, Renderer, slug, task_page
from leaderboard.strata_plots import misalignment_plots, stratum_plots, text_plots
from leaderboard.tables import Row, task_rows
from leaderboard.task_tables import (
    Grid,
    contrast_grids,
    level_grids,
    metric_grids,
    misalignment_grids,
    rival_grids,
)
from leaderboard.trajectory_plots import request_plots, trajectory_plots

MISALIGNED_NOTE = (
    "Of each forgotten example, what its probability says (0 as under the oracles, 1 as under "
    "the target) beside the "
    "share of held-out wordings that are answered rightly; means over seeds, 95 % intervals "
    "over entities and seeds."
)
CLUTTER = "Anchors, which would only clutter these plots, are in the tables alone."


@dataclass(frozen=True)
class Part:
    """Figures and tables under one heading; `note` says what they have in common."""

    id: str
    title: str
    note: str
    groups: list[PlotGroup]
    grids: list[Grid]


@dataclass(frozen=True)
class TaskOnTrack:
    """What a task's page says about one track."""

    id: str
    track: Track
    variants: list[str]
    rows: list[Row]
    parts: list[Part]
    metrics: list[Grid]

    @property
    def ranked(self) -> list[str]:
        return [row.name for row in self.rows if row.rank]


@dataclass(frozen=True)
class TaskShown:
    """A task with its card, if it has one, and what its page says about each track that has it."""

    name: str
    card: Card | None
    tracks: list[TaskOnTrack]


def tasks_shown(board: Board, colours: Colours) -> list[TaskShown]:
    names = sorted({task for track in board.tracks for task in track.tasks})
    return [
        TaskShown(
            name,
            card_of(name),
            [_on_track(t, name, colours) for t in board.tracks if name in t.tasks],
        )
        for name in names
    ]


def task_pages(tasks: list[TaskShown], renderer: Renderer) -> Iterator[Page]:
    for task in tasks:
        yield renderer.page(task_page(task.name), "task.html", task=task)


def homes_of(tasks: list[TaskShown]) -> Mapping[tuple[str, str], list[str]]:
    """The tasks on which a row has all its runs, by track and row name: there it is ranked if it
    is no anchor.
    """
    homes: dict[tuple[str, str], list[str]] = {}
    for task in tasks:
        for shown in task.tracks:
            for row in shown.rows:
                if row.state == "complete":
                    homes.setdefault((shown.track.name, row.name), []).append(task.name)
    return homes


def _on_track(track: Track, task: str, colours: Colours) -> TaskOnTrack:
    rows = task_rows(track, task)
    order = [row.name for row in rows]
    variants = sorted({record.variant for record in track.records_of(task)})
    name, standings = slug(track.name), track.standings
    parts = [
        _trajectory_part(track, task, order, colours),
        Part(
            "requests",
            "Requests in a row",
            "Each request is put to the model that the one before left; means over seeds, 95 % "
            f"intervals. {CLUTTER}",
            request_plots(standings, task, colours),
            [],
        ),
        _stratum_part(track, task, colours),
        Part(
            "misaligned",
            "Probability against generation",
            MISALIGNED_NOTE,
            misalignment_plots(standings, task, colours),
            misalignment_grids(standings, task, order),
        ),
        Part(
            "texts",
            "Text by text",
            "Anchors are in grey.",
            text_plots(track, task, order, colours),
            [],
        ),
    ]
    filled = [part for part in parts if part.groups or part.grids]
    return TaskOnTrack(name, track, variants, rows, filled, metric_grids(standings, task, order))


def _trajectory_part(track: Track, task: str, order: list[str], colours: Colours) -> Part:
    note = (
        "Models on the way, looked at after shares of the budget; a run that ended early stays "
        "as it ended. Lines are "
        "means over seeds, bands and bars 95 % intervals. Methods that take no steps have a "
        "start and an end. Where "
        "one jumps at its end (task arithmetic negates a tuned model), what is read off after "
        "the last look lies in "
        f"the jump. {CLUTTER}"
    )
    makers = (level_grids, rival_grids, contrast_grids)
    grids = [grid for make in makers for grid in make(track.standings, task, order)]
    return Part(
        "trajectory", "On the way", note, trajectory_plots(track.standings, task, colours), grids
    )


def _stratum_part(track: Track, task: str, colours: Colours) -> Part:
    note = (
        "The forget set at the end of unlearning, means over seeds with 95 % intervals. A "
        "method that forgets well is "
        "near the oracles' dotted line, neither above nor below; points are set apart "
        f"sideways. {CLUTTER}"
    )
    return Part(
        "strata",
        "What is left, by stratum",
        note,
        stratum_plots(track.standings, task, colours),
        [],
    )
