"""Renders a page per task: its card, its ranking on each track, and the figures and tables for
which its records have data.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from benchmark.records.frames import has_outputs
from benchmark.records.schema import Record
from leaderboard.board import Board, Track
from leaderboard.cards import Card, card_of
from leaderboard.examples import Said
from leaderboard.plots import Looks, PlotGroup, focused
from leaderboard.render import Page, Renderer, slug, task_page
from leaderboard.strata_plots import misalignment_plots, stratum_plots, text_plots
from leaderboard.tables import Row, task_rows
from leaderboard.task_tables import (
    Grid,
    contrast_grids,
    level_grids,
    metric_grids,
    misalignment_grids,
    probe_grids,
    rival_grids,
)
from leaderboard.trajectory_plots import request_plots, trajectory_plots

MISALIGNED_NOTE = (
    "For each forget-set example, knowledge by probability (0 at the oracles, 1 at the target) "
    "and knowledge by generation (the share of held-out paraphrases answered correctly). Means "
    "over seeds, with 95 % confidence intervals over entities and seeds."
)
PROBED_NOTE = (
    "Share of the forget set that the model still reveals, when asked directly or by any attack "
    "through prompts. For each example, only the probes that the target passes count, without "
    "`prefix`, which supplies part of the answer; the target's row shows each probe's pass rate. "
    "Means over seeds, with 95 % confidence intervals over entities, seeds and oracles."
)
FOCUS = 8  # methods that plots show at first, from the top of the ranking
CLUTTER = (
    f"Plots show the {FOCUS} highest-scoring methods at first; click on a name in the legend to "
    "show or hide it. Anchors appear only in the tables."
)
SHOWN_EXAMPLES = 5
TEXTS = "texts"
OPENED = ("strata", "requests", TEXTS, "trajectory")  # the first one that a page has is open


@dataclass(frozen=True)
class Part:
    """Figures and tables under one heading; `note` explains what they have in common."""

    id: str
    title: str
    note: str
    groups: list[PlotGroup]
    grids: list[Grid]


@dataclass(frozen=True)
class TaskOnTrack:
    """The content of a task's page for one track."""

    id: str
    track: Track
    task: str
    variants: list[str]
    rows: list[Row]
    parts: list[Part]
    metrics: list[Grid]

    @property
    def open(self) -> str:
        """The part that is open at first; empty if there is none."""
        ids = [part.id for part in self.parts]
        return next((part for part in OPENED if part in ids), "")

    @property
    def versions(self) -> list[int]:
        """The versions of the task that the records are of."""
        return sorted({record.task.version for record in self.track.records_of(self.task)})

    @property
    def ranked(self) -> list[str]:
        return [row.name for row in self.rows if row.rank]


@dataclass(frozen=True)
class TaskShown:
    """A task with its card, if it has one, and the content of its page for each track that has the
    task.

    `examples` are a few (variant, example) pairs from the forget sets on `example_track`, which
    have `forgotten` examples in total.
    """

    name: str
    card: Card | None
    tracks: list[TaskOnTrack]
    examples: list[tuple[str, dict]]
    forgotten: int
    example_track: str


def tasks_with_pages(board: Board) -> list[str]:
    return sorted({task for track in board.ranked for task in track.tasks})


def tasks_shown(board: Board, looks: Looks) -> list[TaskShown]:
    return [_shown(board, name, looks) for name in tasks_with_pages(board)]


def _shown(board: Board, name: str, looks: Looks) -> TaskShown:
    tracks = [_on_track(t, name, looks) for t in board.ranked if name in t.tasks]
    own = next((own for own in tracks if _first_records(own, name)), None)
    forgotten = _forgotten(board, own, name) if own else {}
    count, where = sum(map(len, forgotten.values())), own.track.name if own else ""
    return TaskShown(name, card_of(name), tracks, _few(forgotten), count, where)


def _few(forgotten: Mapping[str, list[dict]]) -> list[tuple[str, dict]]:
    """SHOWN_EXAMPLES (variant, example) pairs, split evenly over variants and spread over the list
    of each.
    """
    found = []
    for number, (variant, examples) in enumerate(forgotten.items()):
        share = SHOWN_EXAMPLES // len(forgotten) + (number < SHOWN_EXAMPLES % len(forgotten))
        count = min(share, len(examples))
        places = (n * (len(examples) - 1) // max(1, count - 1) for n in range(count))
        found += [(variant, examples[place]) for place in places]
    return found


def _first_records(own: TaskOnTrack, task: str) -> dict[str, Record]:
    """The first record with outputs of each variant."""
    records = [record for record in own.track.records_of(task) if has_outputs(record)]
    return {record.variant: record for record in reversed(records)}


def _forgotten(board: Board, own: TaskOnTrack, task: str) -> dict[str, list[dict]]:
    """The forget-set examples of each variant."""
    first = _first_records(own, task)
    said = {v: Said(board.results, board.derived, [first[v]]) for v in own.variants if v in first}
    return {v: [e for e in own.examples if e["split"] == "forget"] for v, own in said.items()}


def task_pages(tasks: list[TaskShown], renderer: Renderer) -> Iterator[Page]:
    for task in tasks:
        yield renderer.page(task_page(task.name), "task.html", task=task)


def homes_of(tasks: list[TaskShown]) -> Mapping[tuple[str, str], list[str]]:
    """The tasks on which a row has all its runs, by track and row name; unless it is an anchor, the
    row is ranked there.
    """
    homes: dict[tuple[str, str], list[str]] = {}
    for task in tasks:
        for shown in task.tracks:
            for row in shown.rows:
                if row.state == "complete":
                    homes.setdefault((shown.track.name, row.name), []).append(task.name)
    return homes


def _on_track(track: Track, task: str, looks: Looks) -> TaskOnTrack:
    rows = task_rows(track, task)
    order = [row.name for row in rows]
    variants = sorted({record.variant for record in track.records_of(task)})
    name, standings = slug(track.name), track.standings
    parts = [
        _trajectory_part(track, task, order, looks),
        Part(
            "requests",
            "Sequential requests",
            "Each request is applied to the model left by the previous one. Means over seeds, "
            f"with 95 % confidence intervals. {CLUTTER}",
            request_plots(standings, task, looks),
            [],
        ),
        _stratum_part(track, task, looks),
        Part(
            "misaligned",
            "Probability vs. generation",
            MISALIGNED_NOTE,
            misalignment_plots(standings, task, looks),
            misalignment_grids(standings, task, order),
        ),
        Part("probed", "Known by any probe", PROBED_NOTE, [], probe_grids(standings, task, order)),
        Part(
            TEXTS,
            "Individual texts",
            "Anchors are grey.",
            text_plots(track, task, order, looks),
            [],
        ),
    ]
    rest = [row.name for row in rows if not row.anchor][FOCUS:]
    filled = [_focused(part, rest) for part in parts if part.groups or part.grids]
    return TaskOnTrack(
        name, track, task, variants, rows, filled, metric_grids(standings, task, order)
    )


def _focused(part: Part, hidden: Collection[str]) -> Part:
    """The same part, with these methods hidden at first in its plots."""
    if part.id == TEXTS:  # a row per method, no legend
        return part
    groups = [focused(group, hidden) for group in part.groups]
    crowded = len(hidden) > FOCUS
    return replace(part, groups=[replace(group, crowded=crowded) for group in groups])


def _trajectory_part(track: Track, task: str, order: list[str], looks: Looks) -> Part:
    note = (
        "Intermediate checkpoints, evaluated after fixed shares of the budget. A run that stops "
        "early keeps its final values. Lines are means over seeds; bands and bars are 95 % "
        "confidence intervals. Methods without training steps have only a start and an end. "
        "Some methods change the weights only at the end (task arithmetic negates a fine-tuned "
        "model): between their last checkpoint and their result, values are interpolated and were "
        f"never measured. Utility is measured on the retain set alone. {CLUTTER}"
    )
    makers = (level_grids, rival_grids, contrast_grids)
    grids = [grid for make in makers for grid in make(track.standings, task, order)]
    return Part(
        "trajectory", "Trajectory", note, trajectory_plots(track.standings, task, looks), grids
    )


def _stratum_part(track: Track, task: str, looks: Looks) -> Part:
    note = (
        "Forget set after unlearning; means over seeds with 95 % confidence intervals. A good "
        "method lies on the oracles' dotted line, neither above nor below. Points are offset "
        f"horizontally for readability. {CLUTTER}"
    )
    return Part(
        "strata",
        "Residual knowledge by stratum",
        note,
        stratum_plots(track.standings, task, looks),
        [],
    )
