"""Renders a page per metric, with its meta-evaluation on the pools of models, and a page that
compares all metrics.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from benchmark.metrics import METRICS
from benchmark.metrics.frames import ALL
from benchmark.records.code_digest import behind
from benchmark.records.identity import ORACLE, TARGET, shown_variant
from benchmark.statistics.axis_rule import LEAST_AUC, LEAST_PASSED
from benchmark.statistics.meta_evaluation import BOARD
from benchmark.statistics.meta_tables import meta_tables
from leaderboard.board import METRICS_PAGE, Board
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
from leaderboard.render import Page, Renderer, metric_path
from leaderboard.texts import DOCS, section
from leaderboard.trajectory_plots import metric_axis

TITLES = {"names": "Questions", "sentences": "TOFU with SmolLM2", "texts": "Texts"}
FED, SPARE, BARRED = "feeds an axis", "meets the rule", "does not meet the rule"
DOTS = {  # symbol, colour and size
    "methods": ("circle", "rgba(59,125,216,0.55)", 8),
    TARGET: ("line-ns-open", GREY, 16),
    ORACLE: ("diamond-open", "#2f9e6e", 11),
}
COLOURS = {FED: PALETTE[0], SPARE: PALETTE[2], BARRED: GREY}
NUMBERS = ("auc", "low", "high", "passed", "symmetric", "overall")  # NaN where there is none
SCALE = [[0, PALETTE[1]], [0.5, "#f4f4f4"], [1, PALETTE[0]]]  # from -1 through 0 to 1


@dataclass(frozen=True)
class Judged:
    """The meta-evaluation of the metrics on one answer form, with a table row and a point in the
    plot for each.

    `models` counts the models that know the forget set and those that do not.
    """

    id: str
    title: str
    models: tuple[int, int]
    rows: list[dict]
    plot: PlotGroup


def metric_pages(board: Board, renderer: Renderer) -> Iterator[Page]:
    """Yields a page for each metric. If there are records of pools, each page includes the metric's
    meta-evaluation, and one more page compares all metrics.
    """
    tables = _tables(board) if METRICS_PAGE in board.extra else None
    judged = tables[0] if tables else None
    for metric in METRICS.values():
        yield renderer.page(
            metric_path(metric.id),
            "metric.html",
            metric=metric,
            about=section(DOCS / "METRICS.md", metric.id),
            judged=_of(judged, metric.id),
            titles=TITLES,
            plots=list(_values(board, metric.id)),
        )
    if tables:
        yield _comparison(*tables, renderer)


def _tables(board: Board) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The meta-evaluation of the metrics and their agreement, cached since it takes a minute."""

    def make() -> dict[str, pd.DataFrame]:
        tables = meta_tables(board.results)
        return {"judged": tables.judged, "agreement": tables.agreement}

    kept = board.derived.tables("meta", [behind(meta_tables.__module__), board.digest], make)
    judged = _of_metrics(kept["judged"].to_pandas())
    return judged.astype(dict.fromkeys(NUMBERS, float)), kept["agreement"].to_pandas()


def _of_metrics(judged: pd.DataFrame) -> pd.DataFrame:
    """The rows of metrics measured on the model itself; for a metric measured only under an attack,
    the rows under that attack.
    """
    names = [str(name).rpartition(": ") for name in judged["metric"]]
    plain = {metric for attack, _, metric in names if not attack}
    kept = [not attack or metric not in plain for attack, _, metric in names]
    return judged.assign(metric=[metric for *_, metric in names])[kept]


def _of(judged: pd.DataFrame | None, metric: str) -> list[dict]:
    return [] if judged is None else judged[judged["metric"] == metric].to_dict("records")


def _comparison(judged: pd.DataFrame, agreement: pd.DataFrame, renderer: Renderer) -> Page:
    forms = [
        _judged(form, title, judged[judged["form"] == form])
        for form, title in TITLES.items()
        if form in set(judged["form"])
    ]
    rule = {"least_auc": LEAST_AUC, "least_passed": LEAST_PASSED}
    agreed = _agreement(agreement, list(dict.fromkeys(judged["metric"])))
    return renderer.page(METRICS_PAGE, METRICS_PAGE, forms=forms, agreement=agreed, **rule)


def _values(board: Board, metric: str) -> Iterator[PlotGroup]:
    """Yields a plot per track: methods, target and oracles on each variant's forget set."""
    for track in board.ranked:
        strata = track.standings.strata
        if strata.empty:
            continue
        rows = strata[(strata["metric"] == metric) & (strata["stratum"] == ALL)]
        if len(rows):
            places = zip(rows["task"], rows["variant"], strict=True)
            rows = rows.assign(place=[shown_variant(*place) for place in places])
            shape = axis("") | {"autorange": "reversed"}
            plot = Plot(figure(list(_dots(rows)), metric_axis(metric), shape))
            caption = "Means over seeds after unlearning. Methods should match the oracles."
            yield PlotGroup(f"On the forget sets of {track.name}", caption, [plot])


def _dots(rows: pd.DataFrame) -> Iterator[go.Scatter]:
    """Yields the methods first, so that none is drawn on top of a reference."""
    role = rows["method"].where(rows["method"].isin([TARGET, ORACLE]), "methods")
    for name, (symbol, colour, size) in DOTS.items():
        own = rows[role == name]
        yield go.Scatter(
            x=own["value"].tolist(),
            y=own["place"].tolist(),
            name=name,
            text=own["method"].tolist(),
            mode="markers",
            marker={"symbol": symbol, "color": colour, "size": size, "line": {"width": 1.5}},
            hovertemplate="%{text}: %{x:.3f}",
        )


def _judged(form: str, title: str, rows: pd.DataFrame) -> Judged:
    models = int(rows["knowing"].max()), int(rows["ignorant"].max())
    caption = "AUC between models that know the forget set and models that do not, with 95 % "
    caption += f"bootstrap intervals over models. Dotted line: required AUC, {LEAST_AUC}."
    plot = PlotGroup("Faithfulness", caption, [Plot(_aucs(rows.iloc[::-1]))], tall=True)
    return Judged(form, title, models, rows.to_dict("records"), plot)


def _aucs(rows: pd.DataFrame) -> Figure:
    """A point per metric, bottom to top in row order, and a line at the required AUC."""
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
    """A heatmap of Kendall's tau-b between all metrics that were compared."""
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
    caption += f"{BOARD} on which both separate target and oracles; blank if there are none."
    plot = Plot(figure([trace], across, down | {"autorange": "reversed"}))
    return PlotGroup("Agreement", caption, [plot], tall=True)
