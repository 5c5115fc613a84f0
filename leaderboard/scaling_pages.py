"""Renders the page on how results change with the size of the model and of the forget set."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from leaderboard.board import SCALING_PAGE, Board
from leaderboard.plots import (
    Figure,
    Looks,
    Plot,
    PlotGroup,
    axis,
    drawn,
    error_bar,
    figure,
    line,
    looks_of,
    quantities_of,
    share_axis,
    spoken,
)
from leaderboard.render import Page, Renderer
from leaderboard.scaling_tables import CAPTIONS, best_by_size, scaling_of, size_text


def scaling_page(board: Board, renderer: Renderer, looks: Looks) -> Page:
    """Renders the page, with a plot for each question."""
    scaling = scaling_of(board)
    table = best_by_size(scaling.best)
    seconds = scaling.seconds.rename(columns={"seconds": "value"})
    # The page's few methods get distinct colours; across the whole site, several share each.
    own = looks_of(drawn(scaling.rows["method"], looks))
    plots = [*_plots(scaling.rows, own), _costs(seconds, own)]
    return renderer.page(
        SCALING_PAGE,
        SCALING_PAGE,
        columns=list(table.columns),
        cells=table.to_numpy().tolist(),
        plots=plots,
    )


def _plots(rows: pd.DataFrame, looks: Looks) -> Iterator[PlotGroup]:
    for quantity, (title, caption) in CAPTIONS.items():
        own = rows[rows["quantity"] == quantity]
        yield PlotGroup(title, caption, [Plot(_over_sizes(own, looks, axis("")))])
    scores = rows[rows["quantity"] == "score"]
    yield PlotGroup(
        "Score by size of model and forget set",
        "Score on forget_size; each plot forgets another share of the same people.",
        [
            Plot(_over_sizes(own, looks, share_axis("score")), f"{share} % of the people")
            for share, own in scores.groupby("share")
        ],
    )


def _costs(seconds: pd.DataFrame, looks: Looks) -> PlotGroup:
    rows = seconds.assign(low=float("nan"), high=float("nan"))
    scale = axis("seconds") | {"type": "log", "dtick": 1}
    caption = "Median seconds of unlearning, over all variants of forget_size and frequency."
    return PlotGroup("Cost", caption, [Plot(_over_sizes(rows, looks, scale))])


def _over_sizes(rows: pd.DataFrame, looks: Looks, yaxis: dict) -> Figure:
    """A line for each method over model sizes."""
    traces = []
    for name in drawn(rows["method"], looks):
        own = rows[rows["method"] == name].sort_values("size")
        quantities, sizes = quantities_of(own), own["size"].tolist()
        text = [
            f"{name}, {size_text(size)}<br>{spoken('value', quantity)}"
            for size, quantity in zip(sizes, quantities, strict=True)
        ]
        bars = error_bar(quantities, looks[name].colour)
        traces.append(line(sizes, quantities, name, looks[name], text=text, error_y=bars))
    sizes = sorted(set(rows["size"]))
    ticks = {"type": "log", "tickvals": sizes, "ticktext": [size_text(size) for size in sizes]}
    return figure(traces, axis("parameters") | ticks, yaxis)
