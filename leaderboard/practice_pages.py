"""Renders the page for practitioners: picks, what attacks undo, and what relearning brings back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
import plotly.graph_objects as go

from benchmark.records.identity import ORACLE
from benchmark.statistics.findings import steps
from leaderboard.board import Board
from leaderboard.plots import (
    PALETTE,
    Figure,
    Plot,
    PlotGroup,
    axis,
    error_bar,
    figure,
    quantities_of,
    spoken,
)
from leaderboard.practice_tables import MOST, Pick, Practice, by_task, practice_of
from leaderboard.render import Page, Renderer

PAGE = "practice.html"
SCALE = [[0, "#f4f4f4"], [1, PALETTE[1]]]


@dataclass(frozen=True)
class Shown:
    """The picks and plots of a track; study tracks are not ranked."""

    track: str
    ranked: bool
    picks: Mapping[str, Sequence[Pick]]
    plots: list[PlotGroup]


def practice_page(board: Board, renderer: Renderer) -> Page:
    """Renders the page from the ranked tracks and the attack study."""
    ranked = {track.name for track in board.ranked}
    shown = [
        Shown(own.track.name, own.track.name in ranked, by_task(own.picks), list(_plots(own)))
        for own in practice_of(board)
    ]
    return renderer.page(PAGE, PAGE, tracks=shown, most=MOST)


def _plots(own: Practice) -> Iterator[PlotGroup]:
    if len(own.undone):
        yield PlotGroup(
            "Forgetting undone, by attack and method family",
            "Mean share of forgetting undone by each attack, over the family's methods and the "
            "variants on which they forgot at least half. Negative shares are coloured like 0: the "
            "model is closer to the oracles when both have been attacked than before.",
            [Plot(_heat(own.undone))],
            tall=own.undone["family"].nunique() > 8,
        )
    for attack, rows in own.relearned.groupby("attack", sort=False):
        yield PlotGroup(
            f"Knowledge recovered after {attack}",
            "Share of forgotten knowledge recovered, averaged over the variants on which a "
            "method forgot at least half; 1 means as much as before unlearning. What the oracles "
            "gain over the same steps is newly learned, not recovered.",
            [Plot(_recovered(rows))],
            tall=rows["method"].nunique() > 12,
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


def _recovered(rows: pd.DataFrame) -> Figure:
    """A row per method, most recovered at the top, with a dot for each point of the attack."""
    points = list(dict.fromkeys(rows["point"]))
    order = rows.groupby("method", sort=False)["back"].last().sort_values().index
    traces = [
        _dots(rows[rows["point"] == point].set_index("method").reindex(order), steps(point), shade)
        for point, shade in zip(points, _shades(len(points)), strict=True)
    ]
    small = {"tickfont": {"size": 10}, "dtick": 1}
    return figure(traces, axis("share recovered"), axis("") | small)


def _shades(count: int) -> list[str]:
    """One shade per point of an attack, darker for later points."""
    return [f"rgba(27, 74, 143, {(number + 1) / count:.2f})" for number in range(count)]


def _dots(rows: pd.DataFrame, point: str, shade: str) -> go.Scatter:
    names = [f"{name}s" if name == ORACLE else str(name) for name in rows.index]
    quantities = _quantities(rows, "back")
    texts = [
        spoken(f"{name}, {point}:", quantity)
        for name, quantity in zip(names, quantities, strict=True)
    ]
    return go.Scatter(
        x=[quantity.value for quantity in quantities],
        y=names,
        name=point,
        mode="markers",
        marker={"color": shade, "size": 8},
        error_x=error_bar(quantities, shade),
        text=texts,
        hovertemplate="%{text}<extra></extra>",
    )


def _quantities(rows: pd.DataFrame, name: str):
    ends = {name: "value", f"{name}_low": "low", f"{name}_high": "high"}
    return quantities_of(rows.rename(columns=ends))
