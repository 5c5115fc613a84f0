"""The training course of one cell for `palimpsest debug`: a table, a figure and a CSV file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots
from rich.box import SIMPLE_HEAD
from rich.table import Table

from benchmark.authoring.debug import RESULT, Moment
from benchmark.records.store import write_atomically

LOSSES, NORM = ("loss", "forget_loss", "retain_loss"), "gradient_norm"
PROBABILITIES = ("forget_probability", "retain_probability")
PANELS = {
    "Loss": LOSSES,
    "Gradient norm before clipping to 1": (NORM,),
    "Probability of the answers": PROBABILITIES,
}
COLOURS = {
    "loss": "#5a6472",
    "forget_loss": "#d1495b",
    "retain_loss": "#3b7dd8",
    "gradient_norm": "#5a6472",
    "forget_probability": "#d1495b",
    "retain_probability": "#3b7dd8",
}
COLUMNS = [column.name for column in fields(Moment)]
LATEST = 12  # moments that fit on a small terminal


def course_frame(moments: Sequence[Moment]) -> pd.DataFrame:
    """A row for each moment."""
    return pd.DataFrame([asdict(moment) for moment in moments], columns=COLUMNS)


def course_table(moments: Sequence[Moment], title: str, latest: int | None = None) -> Table:
    """The moments at which the model was evaluated, all or only the latest, and the last step."""
    rows = [moment for moment in moments if moment.is_look or moment is moments[-1]]
    known = course_frame(moments).notna().any()
    columns = [name for name in (*LOSSES, NORM, *PROBABILITIES) if known[name]]
    titles = [name.replace("_", " ") for name in columns]
    table = Table("step", *titles, title=title, title_justify="left", box=SIMPLE_HEAD)
    for moment in rows[-latest if latest else 0 :]:
        numbers = (getattr(moment, name) for name in columns)
        named = "" if moment.at == "step" else f" {moment.at}"
        table.add_row(f"{moment.step}{named}", *map(_text, numbers))
    return table


def _text(number: float) -> str:
    return "" if math.isnan(number) else f"{number:.4g}"


def course_figure(moments: Sequence[Moment], title: str) -> go.Figure:
    """Losses, gradient norm and probabilities over the steps, one above the other. Diamonds mark
    the results of requests, which may differ from the last step.
    """
    frame = course_frame(moments)
    steps, results = frame[frame["at"] != RESULT], frame[frame["at"] == RESULT]
    figure = make_subplots(
        rows=len(PANELS), cols=1, shared_xaxes=True, vertical_spacing=0.07, subplot_titles=[*PANELS]
    )
    for row, columns in enumerate(PANELS.values(), 1):
        for name in columns:
            for part, marker in ((steps, "circle"), (results, "diamond")):
                _draw(figure, part[["step", name]].dropna(), name, marker, row)
    figure.update_yaxes(type="log", row=2)
    figure.update_yaxes(range=[-0.04, 1.04], row=3)
    figure.update_xaxes(title="step", row=len(PANELS))
    for step in results["step"][:-1]:  # where the next request begins
        figure.add_vline(step, line={"dash": "dot", "color": "#8b929c"})
    figure.update_layout(title=title, template="plotly_white", height=900)
    return figure


def _draw(figure: go.Figure, points: pd.DataFrame, name: str, marker: str, row: int) -> None:
    if points.empty:
        return
    is_result = marker == "diamond"
    trace = go.Scatter(
        x=points["step"].tolist(),
        y=points[name].tolist(),
        name=name.replace("_", " ") + " of the result" * is_result,
        mode="markers" if is_result else "lines+markers",
        marker={"symbol": marker, "size": 11 if is_result else 5, "color": COLOURS[name]},
    )
    figure.add_trace(trace, row=row, col=1)


def write_course(moments: Sequence[Moment], title: str, stem: Path) -> tuple[Path, Path]:
    """Writes the figure as HTML, including plotly's script, and the numbers as CSV; returns both
    paths.
    """
    page, table = stem.with_name(f"{stem.name}.html"), stem.with_name(f"{stem.name}.csv")
    html = course_figure(moments, title).to_html(include_plotlyjs=True)
    write_atomically(page, html.encode())
    write_atomically(table, course_frame(moments).to_csv(index=False).encode())
    return page, table
