"""Figures of intermediate stages: over the budget of one request, and from request to request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from benchmark.metrics import METRICS
from benchmark.metrics.frames import ALL
from benchmark.records.identity import ORACLE, TARGET, shown_variant
from benchmark.statistics import Standings
from benchmark.statistics.trajectories import KNOWLEDGE, UTILITY
from leaderboard.plots import (
    GREY,
    PLAIN,
    REFERENCE_DASHES,
    Figure,
    Looks,
    Plot,
    PlotGroup,
    axis,
    band,
    drawn,
    error_bar,
    figure,
    line,
    quantities_of,
    reference,
    sentence,
    share_axis,
    spoken,
    titled,
)
from leaderboard.tables import UNKNOWN, Quantity

WHOLE_BUDGET = (0.0, 1.0)
EQUAL = 1e-9  # target and oracles closer than this in knowledge leave no gap to scale by
# Horizontal offset between neighbouring methods, and the most that all methods together may take
# up at a request, so that error bars do not overlap.
REQUEST_STEP, REQUEST_SPREAD = 0.05, 0.6
REQUEST_GROUPS = {
    "utility": (
        "Utility",
        "Share of the target's performance on the retain set and on general knowledge that is "
        "kept after each request.",
    ),
    "current": ("Current request", "Knowledge of the people in the latest request."),
    "earlier": (
        "Earlier requests",
        "Knowledge of the people in all earlier requests: does it come back?",
    ),
    "later": (
        "Later requests",
        "Knowledge of the people in later requests, which should be intact.",
    ),
}


def reference_value(
    strata: pd.DataFrame, task: str, variant: str, name: str, metric: str
) -> Quantity:
    """The target's or the oracles' value of a metric on a variant's forget set."""
    place = (strata["task"] == task) & (strata["variant"] == variant) & (strata["stratum"] == ALL)
    rows = strata[place & (strata["method"] == name) & (strata["metric"] == metric)]
    return quantities_of(rows)[0] if len(rows) else UNKNOWN


def _label(task: str, variant: str, variants: Sequence[str]) -> str:
    """The name of a variant; empty if it is the only one."""
    return shown_variant(task, variant) if len(variants) > 1 else ""


def metric_axis(metric: str) -> dict[str, Any]:
    """An axis from 0 to 1 for shares and probabilities, with the unit for other metrics."""
    unit = METRICS[metric].unit
    title = metric.replace("_", " ")
    if unit in ("probability", "share"):
        return share_axis(title)
    return axis(f"{title} ({unit})") | {"rangemode": "tozero" if unit != "AUC" else "normal"}


def trajectory_plots(standings: Standings, task: str, looks: Looks) -> list[PlotGroup]:
    """Plots of knowledge, of utility against forgetting, and of each metric that compares with
    never-seen examples; empty without a trajectory.
    """
    rows = standings.trajectories[standings.trajectories["task"] == task]
    rows = rows[rows["method"].isin(drawn(rows["method"], looks))]
    measured = set(rows["quantity"])
    knowledge = next((name for name in KNOWLEDGE if name in measured), None)
    if knowledge is None:
        return []
    strata = _of_references(standings.strata, task)
    contrasts = [name for name, metric in METRICS.items() if name in measured and metric.contrast]
    groups = [
        PlotGroup(
            "Knowledge over the budget",
            f"{sentence(knowledge)}, from the target at 0 to the final model at 1. The dotted "
            "line is the oracles' value; below it, the model has forgotten more than retraining "
            "would.",
            _over_budget(strata, rows, task, knowledge, looks),
        ),
        PlotGroup(
            "Utility vs. forgetting",
            "Each point is a checkpoint. The horizontal axis is forgetting: 0 at the target's "
            "knowledge, 1 at the oracles' (dotted). Utility here is the "
            "share of the target's performance kept on the retain set alone. Higher is better.",
            _trade_offs(strata, rows, task, knowledge, looks),
        ),
    ]
    groups += [
        PlotGroup(
            f"{titled(name)} over the budget",
            f"{sentence(name)}. Closer to the oracles' dotted line, from either side, is better.",
            _over_budget(strata, rows, task, name, looks),
        )
        for name in contrasts
    ]
    return [group for group in groups if group.plots]


def _of_references(strata: pd.DataFrame, task: str) -> pd.DataFrame:
    """The few rows that `reference_value` looks up: finding each among all rows takes long."""
    return strata[(strata["task"] == task) & strata["method"].isin([TARGET, ORACLE])]


def _over_budget(
    strata: pd.DataFrame, rows: pd.DataFrame, task: str, quantity: str, looks: Looks
) -> list[Plot]:
    quantity_rows = rows[rows["quantity"] == quantity]
    variants = sorted(set(quantity_rows["variant"]))
    share = share_axis("share of the budget")
    plots = []
    for variant in variants:
        oracle = reference_value(strata, task, variant, ORACLE, quantity)
        traces = reference(WHOLE_BUDGET, oracle, ORACLE) if oracle.known else []
        traces += _trajectories(quantity_rows[quantity_rows["variant"] == variant], looks)
        plots.append(
            Plot(figure(traces, share, metric_axis(quantity)), _label(task, variant, variants))
        )
    return plots


def _trajectories(rows: pd.DataFrame, looks: Looks) -> list[go.Scatter]:
    """All bands first, so that they are drawn behind the lines."""
    bands, lines = [], []
    for name in drawn(rows["method"], looks):
        method_rows = rows[rows["method"] == name].sort_values("share")
        shares, quantities = method_rows["share"].tolist(), quantities_of(method_rows)
        points = zip(shares, quantities, strict=True)
        text = [
            f"{name} after {share:.0%} of the budget<br>{spoken('value', q)}" for share, q in points
        ]
        bands.append(band(shares, quantities, name, looks[name].colour))
        lines.append(line(shares, quantities, name, looks[name], text=text, size=5))
    return bands + lines


def _trade_offs(
    strata: pd.DataFrame, rows: pd.DataFrame, task: str, knowledge: str, looks: Looks
) -> list[Plot]:
    variants = sorted(set(rows["variant"]))
    plots = []
    for variant in variants:
        ends = [
            reference_value(strata, task, variant, name, knowledge).value
            for name in (TARGET, ORACLE)
        ]
        if abs(ends[0] - ends[1]) > EQUAL:  # False for NaN, an unknown reference, too
            variant_rows = rows[rows["variant"] == variant]
            plots.append(
                Plot(
                    _trade_off(variant_rows, knowledge, (ends[0], ends[1]), looks),
                    _label(task, variant, variants),
                )
            )
    return plots


def _trade_off(
    rows: pd.DataFrame, knowledge: str, ends: tuple[float, float], looks: Looks
) -> Figure:
    """Utility against forgetting, scaled from 0 at the target's knowledge, `ends[0]`, to 1 at the
    oracles', `ends[1]`.
    """
    gap = ends[0] - ends[1]
    style = {"color": GREY, "width": 2, "dash": REFERENCE_DASHES[ORACLE]}
    traces = [
        go.Scatter(x=[1, 1], y=[0, 1], mode="lines", name=ORACLE, line=style, hoverinfo="skip")
    ]
    for name in drawn(rows["method"], looks):
        method_rows = rows[rows["method"] == name]
        known = method_rows[method_rows["quantity"] == knowledge].set_index("share").sort_index()
        utility_rows = method_rows[method_rows["quantity"] == UTILITY].set_index("share")
        ways = [
            Quantity(*((ends[0] - v) / gap for v in (q.value, q.high, q.low)))
            for q in quantities_of(known)
        ]
        utility = quantities_of(utility_rows.reindex(known.index))
        pairs = [
            f"{spoken('forgetting', w)}<br>{spoken('utility', u)}"
            for w, u in zip(ways, utility, strict=True)
        ]
        points = zip(known.index, pairs, strict=True)
        text = [f"{name} after {share:.0%} of the budget<br>{pair}" for share, pair in points]
        bars = {
            "error_x": _thin(error_bar(ways, looks[name].colour)),
            "error_y": _thin(error_bar(utility, looks[name].colour)),
        }
        x = [way.value for way in ways]
        traces.append(line(x, utility, name, looks[name], text=text, size=5, **bars))
    return figure(traces, axis("forgetting (1 = oracles)"), share_axis("utility on retain"))


def _thin(bar: dict[str, Any]) -> dict[str, Any]:
    return bar | {"thickness": 0.7, "width": 0}


def request_plots(standings: Standings, task: str, looks: Looks) -> list[PlotGroup]:
    """Utility, and knowledge of the people in the current, earlier and later requests, over
    requests; empty for tasks with a single request.
    """
    rows = standings.requests[standings.requests["task"] == task]
    variants = sorted(
        set(rows["variant"]),
        key=lambda variant: int(rows[rows["variant"] == variant]["request"].max()),
    )
    groups = []
    for quantity, (title, caption) in REQUEST_GROUPS.items():
        quantity_rows = rows[rows["quantity"] == quantity]
        plots = [
            Plot(_over_requests(part, quantity, looks), _label(task, variant, variants))
            for variant in variants
            if len(part := quantity_rows[quantity_rows["variant"] == variant])
        ]
        groups.append(PlotGroup(title, caption, plots))
    return [group for group in groups if group.plots]


def _over_requests(rows: pd.DataFrame, quantity: str, looks: Looks) -> Figure:
    methods = drawn(rows["method"], looks)
    step = min(REQUEST_STEP, REQUEST_SPREAD / max(1, len(methods)))
    shifts = {name: step * (i - (len(methods) - 1) / 2) for i, name in enumerate(methods)}
    traces = []
    for name in (*[n for n in (TARGET, ORACLE) if n in set(rows["method"])], *methods):
        method_rows = rows[rows["method"] == name].sort_values("request")
        requests, quantities = method_rows["request"].tolist(), quantities_of(method_rows)
        look, x = looks.get(name, PLAIN), [request + shifts.get(name, 0) for request in requests]
        text = [
            f"{name} after request {r}<br>{spoken('value', q)}"
            for r, q in zip(requests, quantities, strict=True)
        ]
        bars = error_bar(quantities, look.colour)
        traces.append(line(x, quantities, name, look, text=text, error_y=bars))
    last = int(rows["request"].max())
    ticks = axis("requests") | {
        "tickvals": list(range(1, last + 1)),
        "range": [0.6, last + 0.4],
    }
    return figure(
        traces, ticks, share_axis("utility" if quantity == UTILITY else "paraphrased probability")
    )
