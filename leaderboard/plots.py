"""Building blocks of all plotly figures, and the scatter plot of the rankings: utility against
forgetting.
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
SYMBOLS = ("circle", "square", "diamond", "cross", "triangle-up")  # for names that share a colour
GREY = "#8b929c"
ANCHOR_SYMBOLS = ("diamond", "square", "x", "cross", "triangle-up", "triangle-down", "star")
REFERENCE_DASHES = {"target": "dash", "oracle": "dot"}
DIGITS = 5  # significant digits in figures: more than is visible, and they halve the size of a page

Figure = dict[str, Any]


class Look(NamedTuple):
    """How the points of a method or a variant are drawn."""

    colour: str
    symbol: str = "circle"


Looks = Mapping[str, Look]


@dataclass(frozen=True)
class Plot:
    """A figure; `label` names the part of the group's data that it shows, empty if it shows all."""

    figure: Figure
    label: str = ""


@dataclass(frozen=True)
class PlotGroup:
    """Figures shown side by side on the same axes, with a caption that explains them; `crowded`
    groups have long legends.
    """

    title: str
    caption: str
    plots: list[Plot]
    compact: bool = False
    tall: bool = False
    crowded: bool = False


PLAIN = Look(GREY)


def looks_of(names: Iterable[str]) -> dict[str, Look]:
    """A colour and a symbol for each name; the first fifty pairs are distinct."""
    count = len(PALETTE)
    return {
        name: Look(PALETTE[i % count], SYMBOLS[i // count % len(SYMBOLS)])
        for i, name in enumerate(names)
    }


def method_looks(rows: Sequence[Row]) -> Looks:
    """A look for each row name, assigned in order: the same in all plots and tables, grey for
    anchors.
    """
    methods = looks_of(dict.fromkeys(row.name for row in rows if not row.anchor))
    return methods | {row.name: PLAIN for row in rows if row.anchor}


def marker_of(look: Look, size: float) -> dict[str, Any]:
    return {"color": look.colour, "symbol": look.symbol, "size": size}


def drawn(names: Sequence[str] | pd.Series, looks: Looks) -> list[str]:
    """The methods among these names that plots show, sorted: no anchors, and no references, which
    are drawn separately.
    """
    return sorted({name for name in names if looks.get(name, PLAIN) != PLAIN})


def scatter(rows: Sequence[Row], looks: Looks) -> Figure:
    """Utility against forgetting, a point per row with intervals in both directions; anchors are
    hollow and grey.

    Partial rows are left out, since a mean over only some of the variants is not comparable.
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
    """The same group with these methods hidden until their names in the legend are clicked."""

    def visible(trace: Figure) -> Figure:
        name = trace.get("legendgroup") or trace.get("name")
        return trace | {"visible": "legendonly"} if name in hidden else trace

    plots = [
        replace(plot, figure=plot.figure | {"data": [visible(t) for t in plot.figure["data"]]})
        for plot in group.plots
    ]
    return replace(group, plots=plots)


def quantities_of(rows: pd.DataFrame) -> list[Quantity]:
    """The value and interval of each row of a frame of the standings."""
    columns = (rows[name].tolist() for name in ("value", "low", "high"))
    return [Quantity(*map(float, row)) for row in zip(*columns, strict=True)]


def titled(metric: str) -> str:
    return metric.replace("_", " ").capitalize()


def sentence(metric: str) -> str:
    """The description of a metric, capitalized to start a sentence."""
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
    """A method's values, joined in the order given; hovering shows `text`."""
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
    """The intervals of a line as a band behind it; the legend toggles both together."""
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
    """Error bars that extend from each value up and down to the ends of its interval."""
    up = [q.high - q.value if q.has_interval else None for q in quantities]
    down = [q.value - q.low if q.has_interval else None for q in quantities]
    look = {"color": colour, "thickness": 1.2, "width": 3}
    return {"type": "data", "symmetric": False, "array": up, "arrayminus": down} | look


def points(rows: pd.DataFrame, of: str, name: str, colour: str, digits: int = 3) -> go.Scatter:
    """A point with a horizontal interval for each row (value, low, high), labelled by
    column `of`.
    """
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
    """A figure as JSON-compatible data; plots.js sets the colours of text and grid, which depend on
    the theme of the page.
    """
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
    """A JSON-compatible copy: floats rounded to DIGITS, None for NaN and infinities."""
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
    return value
