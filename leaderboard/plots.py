"""Figures for plotly's script: forgetting against utility, and residual knowledge by frequency."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from leaderboard.board import REFERENCES, Track
from leaderboard.tables import Quantity, Row

PALETTE = (
    "#3b7dd8", "#e07b39", "#2f9e6e", "#c2477f", "#8662c7", "#b08a1e", "#1f9bb0", "#d1495b", "#6b8e23", "#a0653b",
)  # fmt: skip
GREY = "#8b929c"
ANCHOR_SYMBOLS = ("diamond", "square", "x", "cross", "triangle-up", "triangle-down", "star")
REFERENCE_DASHES = {"target": "dash", "oracle": "dot"}
FREQUENCY_METRICS = {
    "paraphrased_probability": "probability of the answer",
    "exact_answer": "share answered",
}
DODGE = 0.07  # octaves between neighbouring methods, so that their error bars do not cover each other

Colours = dict[str, str]
Figure = dict[str, Any]


def colours_of(rows: Sequence[Row]) -> Colours:
    """A colour for each row name: the same in all plots and tables, grey for anchors."""
    methods = sorted({row.name for row in rows if not row.anchor})
    colours = {name: PALETTE[i % len(PALETTE)] for i, name in enumerate(methods)}
    return colours | {row.name: GREY for row in rows if row.anchor}


def scatter(rows: Sequence[Row], colours: Colours) -> Figure:
    """Forgetting against utility with intervals both ways, a point per row; anchors are hollow and grey."""
    known = [row for row in rows if row.quantity("forgetting").known and row.quantity("utility").known]
    anchors = sorted(row.name for row in known if row.anchor)
    symbols = {name: ANCHOR_SYMBOLS[i % len(ANCHOR_SYMBOLS)] + "-open" for i, name in enumerate(anchors)}
    points = sorted(known, key=lambda row: row.anchor)
    traces = [_point(row, colours[row.name], symbols.get(row.name, "circle")) for row in points]
    axes = {"xaxis": _share_axis("forgetting"), "yaxis": _share_axis("utility")}
    return _figure(traces, axes)


def _point(row: Row, colour: str, symbol: str) -> go.Scatter:
    x, y = row.quantity("forgetting"), row.quantity("utility")
    return go.Scatter(
        x=[x.value],
        y=[y.value],
        name=row.name,
        mode="markers",
        marker={"color": colour, "symbol": symbol, "size": 11, "line": {"color": colour, "width": 1.5}},
        error_x=_error_bar([x], colour),
        error_y=_error_bar([y], colour),
        hovertemplate=f"{_spoken('forgetting', x)}<br>{_spoken('utility', y)}",
    )


def _spoken(name: str, quantity: Quantity) -> str:
    interval = f" [{quantity.low:.3f}, {quantity.high:.3f}]" if quantity.has_interval else ""
    return f"{name} {quantity.value:.3f}{interval}"


def _error_bar(quantities: Sequence[Quantity], colour: str) -> dict[str, Any]:
    """Distances up and down to the ends of the intervals."""
    up = [q.high - q.value if q.has_interval else None for q in quantities]
    down = [q.value - q.low if q.has_interval else None for q in quantities]
    look = {"color": colour, "thickness": 1.2, "width": 3}
    return {"type": "data", "symmetric": False, "array": up, "arrayminus": down} | look


def frequency_figures(track: Track, colours: Colours) -> dict[str, Figure]:
    """For each metric, what is left of facts by how often they were seen; empty if the track has no such strata."""
    strata = track.standings.strata
    if strata.empty:
        return {}
    rows = strata[(strata["task"] == "frequency") & strata["stratum"].str.startswith("frequency=")].copy()
    rows["frequency"] = pd.to_numeric(rows["stratum"].str.removeprefix("frequency="), errors="coerce")
    rows = rows[rows["frequency"] > 0].sort_values(["frequency", "variant"])
    by_metric = {metric: rows[rows["metric"] == metric] for metric in FREQUENCY_METRICS}
    return {metric: _frequency_figure(own, metric, colours) for metric, own in by_metric.items() if len(own)}


def _frequency_figure(rows: pd.DataFrame, metric: str, colours: Colours) -> Figure:
    methods = [name for name in sorted(set(rows["method"])) if colours.get(name, GREY) != GREY]
    present = [name for name in REFERENCES if name in set(rows["method"])]
    traces = [_line(rows[rows["method"] == name], name, GREY, 0, REFERENCE_DASHES[name]) for name in present]
    for i, name in enumerate(methods):
        shift = DODGE * (i - (len(methods) - 1) / 2)
        traces.append(_line(rows[rows["method"] == name], name, colours[name], shift, "solid"))
    ticks = sorted({int(f) for f in rows["frequency"]})
    span = [math.log10(ticks[0]) - 0.12, math.log10(ticks[-1]) + 0.12]
    marks = {"tickvals": ticks, "ticktext": [str(tick) for tick in ticks]}
    times_seen = _axis("times seen") | {"type": "log", "range": span} | marks
    return _figure(traces, {"xaxis": times_seen, "yaxis": _share_axis(FREQUENCY_METRICS[metric])})


def _line(rows: pd.DataFrame, name: str, colour: str, shift: float, dash: str) -> go.Scatter:
    quantities = [Quantity(*map(float, row)) for row in rows[["value", "low", "high"]].itertuples(index=False)]
    seen = rows["frequency"].astype(int).tolist()
    points = zip(seen, quantities, rows["n"], strict=True)
    spoken = [f"seen {times} times<br>{_spoken('value', q)}<br>n {n}" for times, q, n in points]
    return go.Scatter(
        x=[frequency * 2**shift for frequency in seen],
        y=[q.value for q in quantities],
        name=name,
        mode="lines+markers",
        line={"color": colour, "dash": dash, "width": 2},
        marker={"size": 6},
        error_y=_error_bar(quantities, colour),
        text=spoken,
        hovertemplate="%{text}",
    )


def _share_axis(title: str) -> dict[str, Any]:
    """An axis for values between 0 and 1, with room for the markers at both ends."""
    return _axis(title) | {"range": [-0.04, 1.04], "tickvals": [0, 0.25, 0.5, 0.75, 1]}


def _axis(title: str) -> dict[str, Any]:
    return {"title": {"text": title, "standoff": 10}, "automargin": True, "zeroline": False}


def _figure(traces: list[go.Scatter], axes: dict[str, Any]) -> Figure:
    """Colours of text and grid are set where the page's theme is known: in plots.js."""
    figure = go.Figure(traces, {"template": "none", "hovermode": "closest", "dragmode": False} | axes)
    figure.update_layout(
        margin={"l": 10, "r": 12, "t": 12, "b": 10},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"size": 12}},
    )
    return figure.to_plotly_json()
