"""Renders a page per attack (what it does, how much forgetting remains for each method, and which
other attacks it agrees with) and a page that compares all attacks.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from benchmark.metrics.frames import ALL
from benchmark.records.identity import ORACLE
from benchmark.statistics.attack_agreement import WITHOUT, agreement
from benchmark.statistics.attack_curves import HALF
from leaderboard.board import Board, Track
from leaderboard.method_plots import curve_group
from leaderboard.plots import GREY, Looks, Plot, PlotGroup, axis, drawn, figure, share_axis
from leaderboard.render import Page, Renderer, attack_path
from leaderboard.tables import overall_rows
from leaderboard.texts import DOCS, section

PAGE = "attacks.html"
SHOWN = 25  # methods in a figure, from the top of the ranking
FOLLOWED = 5  # top methods that get a figure of curves each


@dataclass(frozen=True)
class Attacked:
    """An attack on a track. `left` is the mean forgetting that remains after it, over methods and
    variants; `worst` the number of the `of` (method, variant) pairs on which no attack leaves less;
    `seconds` the median duration.

    `metrics` are those measured under the attack, with the number of variants on which each is
    informative; `agrees` the other attacks with Kendall's tau-b, highest first. `version` and
    `parameters` come from the records.
    """

    track: str
    version: int | None
    parameters: Mapping[str, Any]
    left: float
    worst: int
    of: int
    seconds: float
    plots: Sequence[PlotGroup]
    metrics: Sequence[dict]
    agrees: Sequence[dict]


def attack_pages(board: Board, looks: Looks, renderer: Renderer) -> Iterator[Page]:
    by_attack: dict[str, list[Attacked]] = {}
    for track in board.attacked:
        for name, attacked in _on_track(track, looks):
            by_attack.setdefault(name, []).append(attacked)
    abouts = {name: section(DOCS / "ATTACKS.md", name) for name in sorted(by_attack)}
    yield renderer.page(PAGE, PAGE, attacks=by_attack, abouts=abouts)
    for name, found in by_attack.items():
        yield renderer.page(
            attack_path(name), "attack.html", name=name, about=abouts[name], found=found
        )


def _on_track(track: Track, looks: Looks) -> Iterator[tuple[str, Attacked]]:
    if track.standings.attacks.empty:
        return
    rows = track.standings.attacks.dropna(subset=["value"])
    shown = drawn(rows["method"], looks)
    order = [row.name for row in overall_rows(track) if row.name in shown]
    rows = rows[rows["method"].isin(order)]
    made = rows[rows["attack"] != WITHOUT]
    pairs = ["task", "variant", "method"]
    least = made.groupby(pairs)["value"].transform("min")
    found = agreement(made)
    for name, own in made.groupby("attack", sort=True):
        plots = [_left(rows, str(name), order, looks), *_curves(track, str(name), order)]
        recipe = _recipe(track, str(name))
        yield (
            str(name),
            Attacked(
                track=track.name,
                version=recipe.get("version"),
                parameters=recipe.get("parameters", {}),
                left=float(own["value"].mean()),
                worst=int((own["value"] <= least[own.index]).sum()),
                of=len(own),
                seconds=_seconds(track, str(name)),
                plots=plots,
                metrics=list(_metrics(track, str(name))),
                agrees=list(_agrees(found, str(name))),
            ),
        )


def _recipe(track: Track, attack: str) -> Mapping[str, Any]:
    """Recipe of an attack (name, version and parameters, where stated) from its first record."""
    return next(r.shards[attack].recipe for r in track.records if attack in r.shards)


def _metrics(track: Track, attack: str) -> Iterator[dict]:
    """Yields the metrics measured under an attack: the means of target and oracles over variants,
    and the number of variants on which the metric separates the two.
    """
    rows = track.standings.table
    under = rows["metric"].str.startswith(f"{attack}.") & (rows["axis"] == "robustness")
    for metric, own in rows[under & (rows["stratum"] == ALL)].groupby("metric", sort=True):
        variants = own.groupby(["task", "variant"])
        means = variants[["target", "oracle"]].mean().mean()
        yield {
            "name": str(metric).partition(".")[2],
            "target": float(means["target"]),
            "oracle": float(means["oracle"]),
            "informative": int(variants["recovery"].count().gt(0).sum()),
            "of": variants.ngroups,
        }


def _seconds(track: Track, attack: str) -> float:
    costs = (r.provenance.cost.seconds for r in track.records if r.status == "ok")
    known = [seconds[attack] for seconds in costs if attack in seconds]
    return median(known) if known else math.nan


def _agrees(found: pd.DataFrame, attack: str) -> Iterator[dict]:
    """Yields the other attacks with tau-b and its interval, highest tau-b first."""
    pairs = found[(found["one"] == attack) | (found["other"] == attack)]
    for row in pairs.sort_values("tau", ascending=False).to_dict("records"):
        yield row | {"name": row["other"] if row["one"] == attack else row["one"]}


def _left(rows: pd.DataFrame, attack: str, methods: Sequence[str], looks: Looks) -> PlotGroup:
    """Mean forgetting before and after the attack, over variants on which both are informative."""
    after = rows[rows["attack"] == attack].set_index(["task", "variant", "method"])["value"]
    before = rows[rows["attack"] == WITHOUT].set_index(["task", "variant", "method"])["value"]
    both = pd.DataFrame({"before": before, "after": after}).dropna().groupby("method").mean()
    order = [name for name in methods if name in both.index]
    are_more, both = len(order) > SHOWN, both.reindex(order[:SHOWN])
    joined = [
        value for pair in zip(both["before"], both["after"], strict=True) for value in (*pair, None)
    ]
    names = [name for own in both.index for name in (own, own, None)]
    style = {"color": GREY, "width": 1}
    traces = [
        go.Scatter(x=joined, y=names, mode="lines", line=style, hoverinfo="skip", showlegend=False),
        _ends(both["before"], "before", [GREY] * len(both), "circle-open"),
        _ends(both["after"], "after", [looks[name].colour for name in both.index]),
    ]
    shape = axis("") | {"autorange": "reversed", "dtick": 1, "tickfont": {"size": 11}}
    plot = Plot(figure(traces, share_axis("forgetting"), shape))
    caption = "Mean forgetting before and after the attack, over the variants on which both "
    caption += "are informative, relative to the oracles under the same attack"
    caption += f"; the {SHOWN} highest-scoring methods." if are_more else "."
    return PlotGroup("Remaining forgetting", caption, [plot], tall=len(both) > 12)


def _ends(
    values: pd.Series, name: str, shades: Sequence[str], symbol: str = "circle"
) -> go.Scatter:
    marker = {"symbol": symbol, "size": 10, "color": list(shades)}
    return go.Scatter(
        x=values.tolist(),
        y=values.index.tolist(),
        name=name,
        mode="markers",
        marker=marker,
        hovertemplate=f"%{{y}}, {name}: %{{x:.3f}}<extra></extra>",
    )


def _curves(track: Track, attack: str, order: Sequence[str]) -> Iterator[PlotGroup]:
    """Yields the knowledge of the best methods along an attack with intermediate points."""
    curves = track.standings.curves
    if curves.empty or attack not in set(curves["attack"]):
        return
    own = curves[(curves["attack"] == attack) & (curves["point"] != HALF)]
    for name in [name for name in order if name in set(own["method"])][:FOLLOWED]:
        rows = own[own["method"].isin([name, ORACLE])]
        yield curve_group(f"Knowledge of {name}", rows)
