"""The page of the metrics: how far each can be trusted, where there are records of the pools."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from benchmark.records.store import ResultStore
from benchmark.statistics.axis_rule import LEAST_AUC, LEAST_PASSED
from benchmark.statistics.meta_evaluation import BOARD
from benchmark.statistics.meta_tables import meta_tables
from leaderboard.board import METRICS_PAGE
from leaderboard.plots import (
    GREY,
    PALETTE,
    Figure,
    Plot,
    PlotGroup,
    axis,
    figure,
    points,
    share_axis,
)
from leaderboard.render import Page, Renderer

TITLES = {"names": "Questions", "sentences": "TOFU with SmolLM2", "texts": "Texts"}
FED, SPARE, BARRED = "feeds an axis", "meets the rule", "does not meet the rule"
COLOURS = {FED: PALETTE[0], SPARE: PALETTE[2], BARRED: GREY}
SCALE = [[0, PALETTE[1]], [0.5, "#f4f4f4"], [1, PALETTE[0]]]  # from -1 over 0 to 1


@dataclass(frozen=True)
class Judged:
    """What is said of the metrics on one form of answers: a row and a point in the plot for each.

    `models` are how many know the forget set and how many do not.
    """

    id: str
    title: str
    models: tuple[int, int]
    rows: list[dict]
    plot: PlotGroup


def metric_page(results: ResultStore, renderer: Renderer) -> Page:
    """The page, from the records of the pools and of the board; BadInput where there are none."""
    tables = meta_tables(results)
    judged = tables.judged[~tables.judged["metric"].str.contains(": ")]
    forms = [
        _judged(form, title, judged[judged["form"] == form])
        for form, title in TITLES.items()
        if form in set(judged["form"])
    ]
    rule = {"least_auc": LEAST_AUC, "least_passed": LEAST_PASSED}
    agreement = _agreement(tables.agreement, list(dict.fromkeys(judged["metric"])))
    return renderer.page(METRICS_PAGE, METRICS_PAGE, forms=forms, agreement=agreement, **rule)


def _judged(form: str, title: str, rows: pd.DataFrame) -> Judged:
    models = int(rows["knowing"].max()), int(rows["ignorant"].max())
    caption = "AUC between models that know the forget set and models that do not, with 95 % "
    caption += f"bootstrap intervals over models. The rule asks for {LEAST_AUC}."
    plot = PlotGroup("Faithfulness", caption, [Plot(_aucs(rows.iloc[::-1]))], tall=True)
    return Judged(form, title, models, rows.to_dict("records"), plot)


def _aucs(rows: pd.DataFrame) -> Figure:
    """A point per metric, upwards in the order of the rows, and a line at the least AUC."""
    names = rows["metric"].tolist()
    states = np.where(rows["axis"] != "", FED, np.where(rows["meets"], SPARE, BARRED))
    aucs = rows.rename(columns={"auc": "value"})
    traces = [
        points(aucs[states == state], "metric", state, colour, digits=2)
        for state, colour in COLOURS.items()
    ]
    bar = {"color": GREY, "width": 1, "dash": "dot"}
    ends = [names[0], names[-1]]
    traces.append(go.Scatter(x=[LEAST_AUC] * 2, y=ends, mode="lines", line=bar, showlegend=False))
    ticks = {"categoryorder": "array", "categoryarray": names, "tickfont": {"size": 10}, "dtick": 1}
    return figure(traces, share_axis("AUC"), axis("") | ticks)


def _agreement(found: pd.DataFrame, metrics: Sequence[str]) -> PlotGroup:
    """Kendall's tau-b between all metrics that were compared."""
    taus = {(row["one"], row["other"]): row["tau"] for row in found.to_dict("records")}
    taus |= {(other, one): tau for (one, other), tau in taus.items()}
    names = [name for name in metrics if any(name in pair for pair in taus)]
    matrix = [[taus.get((one, other), math.nan) for other in names] for one in names]
    trace = go.Heatmap(
        z=matrix,
        x=names,
        y=names,
        zmin=-1,
        zmax=1,
        colorscale=SCALE,
        hovertemplate="%{y} and %{x}: %{z:.2f}<extra></extra>",
        colorbar={"title": {"text": "tau-b"}, "thickness": 12},
    )
    small = {"tickfont": {"size": 10}, "dtick": 1}
    across, down = axis("") | small | {"tickangle": 90}, axis("") | small
    caption = "Kendall's tau-b between the recoveries by two metrics, over methods and variants of "
    caption += f"{BOARD} on which both tell target and oracles apart; empty where there are none."
    plot = Plot(figure([trace], across, down | {"autorange": "reversed"}))
    return PlotGroup("Agreement", caption, [plot], tall=True)
