"""Figures of the final model: residual knowledge by stratum, and the individual texts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from benchmark.metrics.base import MEMBERSHIP_HOLDOUT
from benchmark.metrics.frames import ALL
from benchmark.records.identity import ORACLE, TARGET, shown_variant
from benchmark.statistics import Standings
from leaderboard.board import REFERENCES, Track
from leaderboard.plots import (
    GREY,
    PLAIN,
    REFERENCE_DASHES,
    Figure,
    Looks,
    Plot,
    PlotGroup,
    axis,
    drawn,
    error_bar,
    figure,
    line,
    marker_of,
    quantities_of,
    sentence,
    share_axis,
    spoken,
    titled,
    transparent,
)
from leaderboard.trajectory_plots import metric_axis, reference_value

# Metrics of residual knowledge, two for questions and two for texts. Strata named by words that
# need a plot per variant are shown only for the first of each.
LEFT = (
    "paraphrased_probability",
    "exact_answer",
    "memorization_accuracy",
    "extraction_likelihood_3",
)
LEFT_FIRST = ("paraphrased_probability", "memorization_accuracy")
ORDERED_WORDS = ("low", "mid", "high")
NEVER_SEEN = "holdout texts"
SPREAD = 0.6  # width of the methods at a stratum, as a share of the distance to the next


def stratum_plots(standings: Standings, task: str, looks: Looks) -> list[PlotGroup]:
    """Residual knowledge by each kind of stratum: first those with numeric levels, as lines, then
    those with words, as dots.
    """
    strata = standings.strata
    if strata.empty:
        return []
    rows = strata[
        (strata["task"] == task) & strata["metric"].isin(LEFT) & (strata["stratum"] != ALL)
    ]
    if rows.empty:
        return []
    parts = rows["stratum"].str.partition("=")
    rows = rows.assign(name=parts[0], level=parts[2])
    groups = [
        g
        for name, stratum_rows in rows.groupby("name", sort=True)
        for g in _stratum_groups(stratum_rows, task, str(name), looks)
    ]
    return sorted(groups, key=lambda group: group.compact)


def _stratum_groups(rows: pd.DataFrame, task: str, name: str, looks: Looks) -> list[PlotGroup]:
    numeric = is_numeric(rows["level"].tolist())
    groups = []
    for metric in (metric for metric in LEFT if metric in set(rows["metric"])):
        parts = _apart(rows[rows["metric"] == metric], task)
        if len(parts) > 1 and not numeric and metric not in LEFT_FIRST:
            continue
        plots = [
            Plot(
                (_by_number if numeric else _by_word)(part, name, metric_axis(metric), looks),
                label,
            )
            for label, part in parts.items()
            if part["level"].nunique() > 1 and drawn(part["method"], looks)
        ]
        if plots:
            title = f"{titled(metric)} by {name}"
            groups.append(PlotGroup(title, f"{sentence(metric)}.", plots, compact=not numeric))
    return groups


def is_numeric(levels: Sequence[str]) -> bool:
    """Whether all levels of a stratum are finite numbers."""
    numbers = pd.to_numeric(pd.Series(levels, dtype=object), errors="coerce")
    return bool(len(numbers) and np.isfinite(numbers.to_numpy(dtype=float)).all())


def _apart(rows: pd.DataFrame, task: str) -> dict[str, pd.DataFrame]:
    """The rows by variant, or all rows under "" if no level occurs in two variants."""
    by_variant = {str(variant): part for variant, part in rows.groupby("variant", sort=True)}
    if sum(part["level"].nunique() for part in by_variant.values()) == rows["level"].nunique():
        return {"": rows}
    return {shown_variant(task, variant): part for variant, part in by_variant.items()}


def is_geometric(values: Sequence[float]) -> bool:
    """Whether the ascending values are more evenly spaced on a logarithmic than on a linear
    axis.
    """
    if len(values) < 3 or values[0] <= 0:
        return False
    uneven = [np.std(gaps) / np.mean(gaps) for gaps in (np.diff(values), np.diff(np.log(values)))]
    return bool(uneven[1] < uneven[0])


def _by_number(rows: pd.DataFrame, name: str, values: dict[str, Any], looks: Looks) -> Figure:
    rows = rows.assign(place=pd.to_numeric(rows["level"])).sort_values(["place", "variant"])
    places = sorted({float(place) for place in rows["place"]})
    log = is_geometric(places)
    scale = np.log10 if log else np.asarray
    span = float(scale(places[-1]) - scale(places[0]))
    methods = drawn(rows["method"], looks)
    step = min(
        0.012 * span, SPREAD * span / (len(places) - 1) / max(1, len(methods))
    )  # a small offset to each side
    traces = []
    for method, shift in _shifts(rows, methods, step).items():
        method_rows = rows[rows["method"] == method]
        on_axis = method_rows["place"]
        at = [10 ** (math.log10(x) + shift) if log else x + shift for x in on_axis]
        quantities, look = quantities_of(method_rows), looks.get(method, PLAIN)
        text = _stratum_texts(method_rows, method, name)
        bars = error_bar(quantities, look.colour)
        traces.append(line(at, quantities, method, look, text=text, error_y=bars))
    ends = [float(scale(places[0])) - 0.06 * span, float(scale(places[-1])) + 0.06 * span]
    marks = {"tickvals": places, "ticktext": [f"{place:g}" for place in places], "range": ends}
    ticks = axis(name) | marks | ({"type": "log"} if log else {})
    return figure(traces, ticks, values)


def _shifts(rows: pd.DataFrame, methods: Sequence[str], step: float) -> dict[str, float]:
    """The horizontal offset of each line, so that error bars do not overlap; 0 for references."""
    references = {name: 0.0 for name in REFERENCES if name in set(rows["method"])}
    return references | {
        name: step * (i - (len(methods) - 1) / 2) for i, name in enumerate(methods)
    }


def _stratum_texts(rows: pd.DataFrame, method: str, name: str) -> list[str]:
    points = zip(rows["level"], quantities_of(rows), rows["n"], strict=True)
    return [f"{method}, {name} {level}<br>{spoken('value', q)}<br>n {n}" for level, q, n in points]


def _by_word(rows: pd.DataFrame, name: str, values: dict[str, Any], looks: Looks) -> Figure:
    """Dots side by side at each word, with lines for target and oracles."""
    words = sorted(
        set(rows["level"]), key=lambda w: (ORDERED_WORDS.index(w) if w in ORDERED_WORDS else -1, w)
    )
    rows = rows.assign(place=rows["level"].map(words.index)).sort_values("place")
    methods = drawn(rows["method"], looks)
    shifts = _shifts(rows, methods, SPREAD / max(1, len(methods)))
    traces = []
    for method, shift in shifts.items():
        method_rows = rows[rows["method"] == method]
        quantities, texts = quantities_of(method_rows), _stratum_texts(method_rows, method, name)
        if method in REFERENCES:
            values_there = [q.value for q in quantities]
            traces.append(_segments(method_rows["place"].tolist(), values_there, texts, method))
            continue
        at, look = [place + shift for place in method_rows["place"]], looks[method]
        dots = {"mode": "markers", "error_y": error_bar(quantities, look.colour)}
        traces.append(line(at, quantities, method, look, size=8, text=texts, **dots))
    ticks = axis(name) | {
        "tickvals": list(range(len(words))),
        "ticktext": words,
        "range": [-0.5, len(words) - 0.5],
    }
    return figure(traces, ticks | {"showgrid": False}, values)


def misalignment_plots(standings: Standings, task: str, looks: Looks) -> list[PlotGroup]:
    """Knowledge of the forget set by generation minus that by probability, by variant."""
    rows = standings.misalignment
    rows = rows[(rows["task"] == task) & (rows["stratum"] == ALL) & (rows["quantity"] == "gap")]
    if not drawn(rows["method"], looks):
        return []
    rows = rows.assign(
        level=[shown_variant(task, str(v)) if v == ALL else v for v in rows["variant"]]
    )
    plot = _by_word(
        rows, "variant", axis("generation minus probability") | {"zeroline": True}, looks
    )
    caption = (
        "Above 0, the model still generates answers that appear forgotten by probability; "
        "below 0, it is the reverse."
    )
    title = "Knowledge by generation minus by probability"
    return [PlotGroup(title, caption, [Plot(plot, "")])]


def _segments(
    places: Sequence[float], values: Sequence[float], texts: Sequence[str], name: str
) -> go.Scatter:
    """A reference's value at each of several places, as disconnected line segments."""
    x, y, text = [], [], []
    for place, value, label in zip(places, values, texts, strict=True):
        x += [place - 0.42, place + 0.42, None]
        y += [value, value, None]
        text += [label, label, ""]
    style = {"color": GREY, "width": 2, "dash": REFERENCE_DASHES[name]}
    return go.Scatter(
        x=x, y=y, text=text, name=name, mode="lines", line=style, hovertemplate="%{text}"
    )


def text_plots(track: Track, task: str, order: Sequence[str], looks: Looks) -> list[PlotGroup]:
    """The memorization accuracy of every text under each model, and outliers; empty for tasks that
    forget only facts.
    """
    variants = sorted({r.task.variant or ALL for r in track.records_of(task)})
    boxes, counts = [], []
    for variant in variants:
        label = shown_variant(task, variant) if len(variants) > 1 else ""
        by_model = accuracies(track.standings, task, variant, order)
        if by_model:
            boxes.append(Plot(_boxes(by_model, looks), label))
            counted = _outliers(track.standings, task, variant, list(by_model), looks)
            counts += [Plot(counted, label)] if counted else []
    groups = [
        PlotGroup(
            "Forget-set texts",
            "Memorization accuracy of each text (one dot), pooled over seeds, with median and "
            "quartiles. After unlearning, the distribution should match the oracles'. Dots far "
            "to the right are still memorized; a cluster to the left of the holdout texts "
            "(scored with the target) reveals that something was unlearned.",
            boxes,
        ),
        PlotGroup(
            "Outliers",
            f"{sentence('outliers')}. Closer to the oracles' dotted line is better.",
            counts,
        ),
    ]
    return [group for group in groups if group.plots]


def accuracies(
    standings: Standings, task: str, variant: str, order: Sequence[str]
) -> dict[str, list[float]]:
    """Memorization accuracy of individual texts by row, in this order: holdout texts under the
    target, then forget-set texts under oracles, target and methods.
    """
    rows = standings.texts
    rows = rows[(rows["task"] == task) & (rows["variant"] == variant)]
    by_row = {key: part["value"].tolist() for key, part in rows.groupby(["split", "method"])}
    forgotten = {name: by_row.get(("forget", name), []) for name in (ORACLE, TARGET, *order)}
    if not any(forgotten.values()):
        return {}
    never = by_row.get((MEMBERSHIP_HOLDOUT, TARGET), [])
    return {name: values for name, values in ({NEVER_SEEN: never} | forgotten).items() if values}


def _boxes(by_model: Mapping[str, Sequence[float]], looks: Looks) -> Figure:
    traces = []
    for name, values in by_model.items():
        colour = looks.get(name, PLAIN).colour
        traces.append(
            go.Box(
                x=list(values),
                name=name,
                orientation="h",
                boxpoints="all",
                jitter=0.7,
                pointpos=0,
                marker={"color": colour, "size": 3.5, "opacity": 0.45},
                line={"color": colour, "width": 1.4},
                fillcolor=transparent(colour),
                hoveron="boxes",
                showlegend=False,
            )
        )
    rows = axis("") | {"autorange": "reversed", "showgrid": False}
    return figure(traces, share_axis("memorization accuracy"), rows)


def _outliers(
    standings: Standings, task: str, variant: str, names: Sequence[str], looks: Looks
) -> Figure | None:
    """A dot per method, in the order of the boxes; None if outliers were not counted."""
    strata = standings.strata
    if strata.empty:
        return None
    place = (strata["task"] == task) & (strata["variant"] == variant) & (strata["stratum"] == ALL)
    rows = strata[place & (strata["metric"] == "outliers")].set_index("method")
    methods = [name for name in names if name in rows.index and name not in REFERENCES]
    if not methods:
        return None
    traces = []
    for name in REFERENCES:
        value = reference_value(strata, task, variant, name, "outliers")
        if value.known:
            style = {"color": GREY, "width": 2, "dash": REFERENCE_DASHES[name]}
            ends, text = [-0.5, len(methods) - 0.5], [f"{name}: {spoken('outliers', value)}"] * 2
            line = {"name": name, "mode": "lines", "line": style, "text": text}
            traces.append(go.Scatter(x=[value.value] * 2, y=ends, hovertemplate="%{text}", **line))
    for i, name in enumerate(methods):
        (quantity,) = quantities_of(rows.loc[[name]])
        marker = marker_of(looks[name], 9)
        point = go.Scatter(
            x=[quantity.value],
            y=[i],
            name=name,
            mode="markers",
            marker=marker,
            showlegend=False,
            error_x=error_bar([quantity], looks[name].colour),
            hovertemplate=f"{name}: {spoken('outliers', quantity)}",
        )
        traces.append(point)
    ticks = {
        "tickvals": list(range(len(methods))),
        "ticktext": methods,
        "range": [len(methods) - 0.5, -0.5],
    }
    return figure(traces, axis("outliers (texts)") | {"rangemode": "tozero"}, axis("") | ticks)
