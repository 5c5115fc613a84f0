"""The page of what practitioners ask: picks, what attacks undo, and what relearning brings back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd
import plotly.graph_objects as go

from benchmark.records.identity import ORACLE
from benchmark.statistics.findings import steps
from leaderboard.board import Board
from leaderboard.plots import (
    PALETTE,
    PLAIN,
    Figure,
    Looks,
    Plot,
    PlotGroup,
    axis,
    drawn,
    error_bar,
    figure,
    line,
    quantities_of,
    spoken,
)
from leaderboard.practice_tables import Pick, Practice, practice_of
from leaderboard.render import Page, Renderer

PAGE = "practice.html"
SCALE = [[0, "#f4f4f4"], [1, PALETTE[1]]]


@dataclass(frozen=True)
class Shown:
    """A track's picks and plots; a study's methods are not ranked."""

    track: str
    ranked: bool
    picks: list[Pick]
    plots: list[PlotGroup]


def practice_page(board: Board, renderer: Renderer, looks: Looks) -> Page:
    """The page, from the records of all tracks."""
    ranked = {track.name for track in board.ranked}
    shown = [
        Shown(own.track.name, own.track.name in ranked, own.picks, list(_plots(own, looks)))
        for own in practice_of(board)
    ]
    return renderer.page(PAGE, PAGE, tracks=shown)


def _plots(own: Practice, looks: Looks) -> Iterator[PlotGroup]:
    if len(own.undone):
        yield PlotGroup(
            "Forgetting undone, by attack and method family",
            "Mean share of forgetting undone by each attack, over the family's methods and the "
            "variants on which they forgot at least half. Below 0, the model is closer to the "
            "oracles when both have been attacked than it was before the attack.",
            [Plot(_heat(own.undone))],
            tall=own.undone["family"].nunique() > 8,
        )
    for attack, rows in own.relearned.groupby("attack", sort=False):
        yield PlotGroup(
            f"Knowledge recovered after {attack}",
            "Share of forgotten knowledge recovered, averaged over the variants on which a "
            "method forgot at least half; 1 means as much as before unlearning. What the oracles "
            "gain over the same steps is newly learned, not recovered.",
            [Plot(_curves(rows, looks))],
        )


def _heat(rows: pd.DataFrame) -> Figure:
    table = rows.pivot(index="family", columns="attack", values="undone")
    intervals = rows.assign(
        shown=[
            spoken(f"{family} after {attack}:", quantity)
            for family, attack, quantity in zip(
                rows["family"], rows["attack"], _quantities(rows, "undone"), strict=True
            )
        ]
    )
    texts = intervals.pivot(index="family", columns="attack", values="shown").fillna("")
    trace = go.Heatmap(
        z=table.to_numpy().tolist(),
        x=table.columns.tolist(),
        y=table.index.tolist(),
        text=texts.to_numpy().tolist(),
        zmin=0,
        zmax=1,
        colorscale=SCALE,
        hovertemplate="%{text}<extra></extra>",
        colorbar={"title": {"text": "undone"}, "thickness": 12, "tickformat": ".0%"},
    )
    small = {"tickfont": {"size": 10}, "dtick": 1}
    return figure([trace], axis("") | small, axis("") | small | {"autorange": "reversed"})


def _curves(rows: pd.DataFrame, looks: Looks) -> Figure:
    places = list(dict.fromkeys(rows["point"]))
    traces = []
    for name in (*drawn(rows["method"], looks), ORACLE):
        own, look = rows[rows["method"] == name], looks.get(name, PLAIN)
        quantities = _quantities(own, "back")
        text = [
            f"{name}, {steps(point)}<br>{spoken('back', quantity)}"
            for point, quantity in zip(own["point"], quantities, strict=True)
        ]
        x = [places.index(point) for point in own["point"]]
        bars = error_bar(quantities, look.colour)
        traces.append(line(x, quantities, name, look, text=text, error_y=bars))
    ticks = {"tickvals": list(range(len(places))), "ticktext": [steps(p) for p in places]}
    return figure(traces, axis("") | ticks, axis("share recovered"))


def _quantities(rows: pd.DataFrame, name: str):
    ends = {name: "value", f"{name}_low": "low", f"{name}_high": "high"}
    return quantities_of(rows.rename(columns=ends))
