"""What all figures for plotly's script share, and the one of the rankings: forgetting against
utility.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import pandas as pd
import plotly.graph_objects as go

from benchmark.metrics import METRICS
from leaderboard.tables import Quantity, Row

PALETTE = (
    *("#3b7dd8", "#e07b39", "#2f9e6e", "#c2477f", "#8662c7"),
    *("#b08a1e", "#1f9bb0", "#d1495b", "#6b8e23", "#a0653b"),
)
SYMBOLS = ("circle", "square", "diamond", "cross", "triangle-up")  # of names that share a colour
GREY = "#8b929c"
ANCHOR_SYMBOLS = ("diamond", "square", "x", "cross", "triangle-up", "triangle-down", "star")
REFERENCE_DASHES = {"target": "dash", "oracle": "dot"}
DIGITS = (
    5  # significant digits that figures carry: more than can be seen, and half the size of a page
)

Figure = dict[str, Any]


class Look(NamedTuple):
    """How the points of a method or a variant are drawn."""

    colour: str
    symbol: str = "circle"


Looks = Mapping[str, Look]


@dataclass(frozen=True)
class Plot:
    """A figure; `label` says which part of its group's data it shows, and is empty where it
    shows all.
    """

    figure: Figure
    label: str = ""


@dataclass(frozen=True)
class PlotGroup:
    """Figures that are read together, side by side on the same axes, and how to read them;
    `crowded` ones have long legends.
    """

    title: str
    caption: str
    plots: list[Plot]
    compact: bool = False
    tall: bool = False
    crowded: bool = False


PLAIN = Look(GREY)


def looks_of(names: Iterable[str]) -> dict[str, Look]:
    """Colour and symbol of each; no two of fifty have both in common."""
    count = len(PALETTE)
    return {
        name: Look(PALETTE[i % count], SYMBOLS[i // count % len(SYMBOLS)])
        for i, name in enumerate(names)
    }


def method_looks(rows: Sequence[Row]) -> Looks:
    """A look for each row name, in their order: the same in all plots and tables, grey for
    anchors.
    """
    methods = looks_of(dict.fromkeys(row.name for row in rows if not row.anchor))
    return methods | {row.name: PLAIN for row in rows if row.anchor}


def marker_of(look: Look, size: float) -> dict[str, Any]:
    return {"color": look.colour, "symbol": look.symbol, "size": size}


def drawn(names: Sequence[str] | pd.Series, looks: Looks) -> list[str]:
    """The methods among these names that plots show: neither anchors nor references, which are
    drawn apart.
    """
    return sorted({name for name in names if looks.get(name, PLAIN) != PLAIN})


def scatter(rows: Sequence[Row], looks: Looks) -> Figure:
    """Forgetting against utility with intervals both ways, a point per row; anchors are hollow and
    grey.

    A mean over a part of the variants cannot be compared with the others, so partial rows are left
    out.
    """
    known = [
        row for row in rows if row.quantity("forgetting").known and row.quantity("utility").known
    ]
    known = [row for row in known if row.state != "partial"]
    anchors = sorted(row.name for row in known if row.anchor)
    hollow = {
        name: Look(GREY, ANCHOR_SYMBOLS[i % len(ANCHOR_SYMBOLS)] + "-open")
        for i, name in enumerate(anchors)
    }
    points = sorted(known, key=lambda row: row.anchor)
    traces = [_point(row, hollow.get(row.name, looks[row.name])) for row in points]
    return figure(traces, share_axis("forgetting"), share_axis("utility"))


def _point(row: Row, look: Look) -> go.Scatter:
    x, y = row.quantity("forgetting"), row.quantity("utility")
    return go.Scatter(
        x=[x.value],
        y=[y.value],
        name=row.name,
        meta="anchor" if row.anchor else "",
        mode="markers",
        showlegend=False,
        marker=marker_of(look, 11) | {"line": {"color": look.colour, "width": 1.5}},
        error_x=error_bar([x], look.colour),
        error_y=error_bar([y], look.colour),
        hovertemplate=f"{spoken('forgetting', x)}<br>{spoken('utility', y)}",
    )


def focused(group: PlotGroup, hidden: Collection[str]) -> PlotGroup:
    """The same group, in which these methods are hidden at first: they come by their names in the
    legend.
    """

    def visible(trace: Figure) -> Figure:
        name = trace.get("legendgroup") or trace.get("name")
        return trace | {"visible": "legendonly"} if name in hidden else trace

    plots = [
        replace(plot, figure=plot.figure | {"data": [visible(t) for t in plot.figure["data"]]})
        for plot in group.plots
    ]
    return replace(group, plots=plots)


def quantities_of(rows: pd.DataFrame) -> list[Quantity]:
    """Value and interval of each row of a frame of the standings."""
    return [
        Quantity(*map(float, row)) for row in rows[["value", "low", "high"]].itertuples(index=False)
    ]


def titled(metric: str) -> str:
    return metric.replace("_", " ").capitalize()


def sentence(metric: str) -> str:
    """What a metric is, as the beginning of a sentence."""
    text = METRICS[metric].description
    return text[0].upper() + text[1:]


def spoken(name: str, quantity: Quantity) -> str:
    interval = f" [{quantity.low:.3f}, {quantity.high:.3f}]" if quantity.has_interval else ""
    return f"{name} {quantity.value:.3f}{interval}"


def line(
    x: Sequence[float],
    quantities: Sequence[Quantity],
    name: str,
    look: Look,
    size: float = 7,
    **changes: Any,
) -> go.Scatter:
    """A method's values, joined in the order given; hovering tells `text`."""
    style = {
        "mode": "lines+markers",
        "marker": marker_of(look, size),
        "line": {"color": look.colour, "width": 2, "dash": REFERENCE_DASHES.get(name, "solid")},
        "hovertemplate": "%{text}",
    }
    return go.Scatter(
        x=list(x), y=[q.value for q in quantities], name=name, legendgroup=name, **(style | changes)
    )


def band(x: Sequence[float], quantities: Sequence[Quantity], name: str, colour: str) -> go.Scatter:
    """The intervals of a line as a band behind it, which goes when the line is clicked away in
    the legend.
    """
    known = [(place, q) for place, q in zip(x, quantities, strict=True) if q.has_interval]
    there, back = [(p, q.high) for p, q in known], [(p, q.low) for p, q in reversed(known)]
    return go.Scatter(
        x=[place for place, _ in there + back],
        y=[end for _, end in there + back],
        fill="toself",
        fillcolor=transparent(colour),
        mode="none",
        legendgroup=name,
        showlegend=False,
        hoverinfo="skip",
    )


def reference(span: tuple[float, float], quantity: Quantity, name: str) -> list[go.Scatter]:
    """A reference's value as a line across the plot, with its interval as a band."""
    ends = [quantity, quantity]
    text = [f"{name}: {spoken('value', quantity)}"] * 2
    return [band(span, ends, name, GREY), line(span, ends, name, PLAIN, mode="lines", text=text)]


def error_bar(quantities: Sequence[Quantity], colour: str) -> dict[str, Any]:
    """Distances up and down to the ends of the intervals."""
    up = [q.high - q.value if q.has_interval else None for q in quantities]
    down = [q.value - q.low if q.has_interval else None for q in quantities]
    look = {"color": colour, "thickness": 1.2, "width": 3}
    return {"type": "data", "symmetric": False, "array": up, "arrayminus": down} | look


def points(rows: pd.DataFrame, of: str, name: str, colour: str, digits: int = 3) -> go.Scatter:
    """A point with its interval, across, for each row of value, low and high; `of` names them."""
    quantities = quantities_of(rows)
    return go.Scatter(
        x=[quantity.value for quantity in quantities],
        y=rows[of].tolist(),
        name=name,
        mode="markers",
        marker={"color": colour, "size": 9},
        error_x=error_bar(quantities, colour),
        hovertemplate=f"%{{y}}: %{{x:.{digits}f}}",
    )


def transparent(colour: str) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.13)"


def share_axis(title: str) -> dict[str, Any]:
    """An axis for values between 0 and 1, with room for the markers at both ends."""
    return axis(title) | {"range": [-0.04, 1.04], "tickvals": [0, 0.25, 0.5, 0.75, 1]}


def axis(title: str) -> dict[str, Any]:
    return {"title": {"text": title, "standoff": 10}, "automargin": True, "zeroline": False}


def figure(
    traces: Sequence[go.Scatter | go.Box | go.Heatmap], xaxis: dict[str, Any], yaxis: dict[str, Any]
) -> Figure:
    """Colours of text and grid are set where the page's theme is known: in plots.js."""
    plot = go.Figure(
        list(traces),
        {
            "template": "none",
            "hovermode": "closest",
            "dragmode": False,
            "xaxis": xaxis,
            "yaxis": yaxis,
        },
    )
    plot.update_layout(
        margin={"l": 10, "r": 12, "t": 12, "b": 10},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"size": 12}},
    )
    return plain(plot.to_plotly_json())


def plain(value: Any) -> Any:
    """A figure as JSON can hold it: numbers rounded, and nothing where a number is missing or
    has no end.
    """
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
    return value
