"""Answers to practitioners' questions, as rows for the site and as Markdown for README and
docs/PRACTICE.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import median

import pandas as pd

from benchmark.records.schema import UNLEARN, Record
from benchmark.statistics.findings import spoken, steps
from benchmark.statistics.practice import picks, relearned, undone_by
from leaderboard.board import Board, Track

RETRAIN = "retrain"  # the anchor that costs are relative to
NOTHING = "–"
UNDONE = "Share of forgetting that attacks undo"
BACK = "Share of forgotten knowledge that relearning brings back"
MOST = 3  # picks per task that are shown in full
PICK_COLUMNS = (
    *("task", "method", "score", "utility", "seconds", "tokens / retraining"),
    "attack that undoes most (share of forgetting undone)",
)


@dataclass(frozen=True)
class Pick:
    """A method that no other significantly outperforms on a task, its cost, and the attack that
    undoes most of its forgetting there, "" if none undoes a significant share.

    `share` is its number of training tokens relative to retraining from the shared base; NaN if
    there is no retraining run.
    """

    task: str
    method: str
    score: str
    utility: str
    seconds: float
    share: float
    attack: str


@dataclass(frozen=True)
class Practice:
    """A track with its picks, what attacks undo, and what relearning brings back."""

    track: Track
    picks: list[Pick]
    undone: pd.DataFrame
    relearned: pd.DataFrame


def practice_of(board: Board) -> list[Practice]:
    """One entry per ranked track, and one without picks for the attack study."""
    found = [_practice(track) for track in board.attacked]
    return [own if own.track in board.ranked else replace(own, picks=[]) for own in found]


def _practice(track: Track) -> Practice:
    families = _families(track)
    rows = picks(track.standings).to_dict("records")
    return Practice(
        track,
        [_pick(track, row) for row in rows],
        undone_by(track.standings, families),
        relearned(track.standings, families),
    )


def _families(track: Track) -> dict[str, str]:
    """The method family of each row that is not an anchor."""
    competing = [record for record in track.records if not record.method.anchor]
    return {track.row_names[record.id]: record.method.family for record in competing}


def _pick(track: Track, row: dict) -> Pick:
    runs = _runs(track, row["task"], row["method"])
    retrained = _tokens(_runs(track, row["task"], RETRAIN))
    undone = undone_by(track.standings, {row["method"]: ""}, row["task"])
    certain = undone[undone["undone_low"] > 0].sort_values("undone")
    worst = certain.iloc[-1] if len(certain) else None
    return Pick(
        row["task"],
        row["method"],
        spoken(row["score"], row["score_low"], row["score_high"]),
        spoken(row["utility"], row["utility_low"], row["utility_high"]),
        median(run.provenance.cost.seconds.get(UNLEARN, math.nan) for run in runs),
        _tokens(runs) / retrained if retrained else math.nan,
        "" if worst is None else f"{worst['attack']} ({worst['undone']:.0%})",
    )


def _runs(track: Track, task: str, name: str) -> list[Record]:
    return [
        record
        for record in track.records_of(task)
        if track.row_names[record.id] == name and record.status == "ok"
    ]


def _tokens(runs: Sequence[Record]) -> float:
    return median(run.provenance.cost.tokens for run in runs) if runs else math.nan


def practice_markdown(board: Board) -> str:
    """All tables, for each track."""
    parts: list[str] = []
    for own in practice_of(board):
        parts.append(f"## `{own.track.name}`\n")
        if own.picks or own.track in board.ranked:
            parts.append("*Methods not significantly outperformed by any other*\n")
            parts += [*_picks(own.picks), ""]
        parts += _table(UNDONE, own.undone, "undone", "family")
        parts += _table(
            BACK,
            own.relearned.assign(
                attack=own.relearned["attack"] + ", " + own.relearned["point"].map(steps)
            ),
            "back",
            "method",
        )
    return "\n".join(parts)


def picks_markdown(board: Board, track: str) -> str:
    """The MOST highest-scoring picks of each task on one track."""
    own = next(own for own in board.tracks if own.name == track)
    shown = [pick for picked in by_task(_practice(own).picks).values() for pick in picked[:MOST]]
    return "\n".join([*_picks(shown), ""])


def undone_markdown(board: Board, track: str) -> str:
    """Tables by method family: what attacks undo on one track, and what relearning brings back by
    number of steps.
    """
    own = next(own for own in board.tracks if own.name == track)
    families = _families(own)
    back = relearned(own.standings, families, of="family")
    return "\n".join(
        [
            *_table(UNDONE, undone_by(own.standings, families), "undone", "family"),
            *_table(BACK, back.assign(attack=back["point"].map(steps)), "back", "family"),
        ]
    )


def by_task(picked: Sequence[Pick]) -> dict[str, list[Pick]]:
    """The picks of each task, in their original order."""
    tasks: dict[str, list[Pick]] = {}
    for pick in picked:
        tasks.setdefault(pick.task, []).append(pick)
    return tasks


def _picks(rows: Sequence[Pick]) -> Iterator[str]:
    yield f"| {' | '.join(PICK_COLUMNS)} |"
    yield f"|{'---|' * len(PICK_COLUMNS)}"
    for pick in rows:
        share = NOTHING if math.isnan(pick.share) else f"{pick.share:.1%}"
        attack = pick.attack or "none significantly"
        cells = pick.score, pick.utility, f"{pick.seconds:.1f}", share, attack
        yield f"| `{pick.task}` | `{pick.method}` | {' | '.join(cells)} |"


def _table(title: str, rows: pd.DataFrame, quantity: str, of: str) -> Iterator[str]:
    """Yields the lines of a table with a row per method or family and a column per attack,
    transposed if there are more attacks than rows; nothing if there are no rows.
    """
    if rows.empty:
        return
    numbers = zip(*(rows[f"{quantity}{end}"] for end in ("", "_low", "_high")), strict=True)
    texts = [spoken(value, low, high, digits=2) for value, low, high in numbers]
    shown = rows.assign(shown=texts)
    columns = list(dict.fromkeys(shown["attack"]))
    cells = shown.pivot(index=of, columns="attack", values="shown").reindex(columns=columns)
    if of == "family":
        cells = cells.assign(methods=shown.groupby(of)["methods"].max().map(str))
    if len(columns) > len(cells):
        cells, of = cells.T, "attack"
    yield f"*{title}*\n"
    yield f"| {of} | {' | '.join(cells.columns)} |\n|{'---|' * (len(cells.columns) + 1)}"
    for name, *values in cells.fillna(NOTHING).itertuples():
        yield f"| {name} | {' | '.join(values)} |"
    yield ""
