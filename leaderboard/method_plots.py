"""Figures of one method: its tuning trials, its trajectories, and its forgetting after attacks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import pandas as pd
import plotly.graph_objects as go

from benchmark.records.identity import ORACLE, TUNED, shown_variant
from benchmark.records.schema import Record
from benchmark.statistics.attack_curves import END, HALF
from benchmark.statistics.bootstrap import interval
from benchmark.statistics.findings import steps
from leaderboard.board import Track
from leaderboard.plots import (
    GREY,
    Look,
    Looks,
    Plot,
    PlotGroup,
    axis,
    error_bar,
    figure,
    line,
    looks_of,
    marker_of,
    share_axis,
    spoken,
)
from leaderboard.tables import Quantity
from leaderboard.trajectory_plots import trajectory_plots

CURVE_CAPTION = (
    "Knowledge is paraphrased probability, on texts memorization accuracy. Dotted: the oracles."
)
COURSES = 2  # trajectory plots shown: knowledge, and utility against forgetting
MANY = 6  # figures with more variants are tall


@dataclass(frozen=True)
class Section:
    """Figures under one heading, with a note on all of them."""

    title: str
    note: str
    groups: Sequence[PlotGroup]


def method_sections(
    track: Track, name: str, trials: Sequence[Record], looks: Looks
) -> list[Section]:
    """The sections that have data; `trials` are the method's records on the development track."""
    sections = [
        Section(
            "Tuning",
            "Score of each trial by learning rate, on development data that never count towards "
            "the leaderboard, with 95 % confidence intervals. docs/TUNING.md has the rates used.",
            list(_trials(trials)),
        ),
        Section(
            "Trajectories",
            "Checkpoints after fixed fractions of the budget; bands are 95 % confidence intervals.",
            list(_courses(track, name, looks)),
        ),
        Section(
            "Attacks",
            "Forgetting that remains after each attack, relative to the oracles under the same "
            "attack; means over seeds.",
            list(_attacks(track, name)),
        ),
    ]
    return [section for section in sections if section.groups]


def _trials(records: Sequence[Record]) -> Iterator[PlotGroup]:
    scores: dict[str, dict[float, Quantity]] = {}
    for record in records:
        rate, trial = record.method.parameters.get(TUNED), record.trial
        if rate and trial:
            score = Quantity(trial.score, *interval(trial.replicates))
            scores.setdefault(record.variant, {})[rate] = score
    traces = []
    for variant, look in looks_of(sorted(scores)).items():
        rates, own = zip(*sorted(scores[variant].items()), strict=True)
        pairs = zip(rates, own, strict=True)
        text = [f"{variant}, {rate:g}: {spoken('score', score)}" for rate, score in pairs]
        bars = error_bar(own, look.colour)
        traces.append(line(rates, own, variant, look, text=text, error_y=bars))
    if traces:
        tried = sorted({rate for by_rate in scores.values() for rate in by_rate})
        across = axis("learning rate") | {"type": "log", "tickvals": tried, "tickformat": "~g"}
        caption = "One line per trial variant."
        yield PlotGroup("Trials", caption, [Plot(figure(traces, across, share_axis("score")))])


def _courses(track: Track, name: str, looks: Looks) -> Iterator[PlotGroup]:
    all_rows = track.standings.trajectories
    own = all_rows[all_rows["method"] == name]
    standings = replace(track.standings, trajectories=own)
    for task in sorted(set(own["task"])):
        for group in trajectory_plots(standings, task, looks)[:COURSES]:
            yield replace(group, title=f"{group.title}: {task}")


def _attacks(track: Track, name: str) -> Iterator[PlotGroup]:
    attacks = track.standings.attacks
    rows = attacks[attacks["method"] == name] if len(attacks) else attacks
    rows = rows.dropna(subset=["value"]) if len(rows) else rows
    if len(rows):
        looks = looks_of(name for name, _ in _by_variant(rows))
        traces = [_dots(own, place, looks[place]) for place, own in _by_variant(rows)]
        names = axis("") | {"autorange": "reversed"}
        plot = Plot(figure(traces, share_axis("remaining forgetting"), names))
        caption = "The most damaging attack on each run determines its robustness."
        yield PlotGroup("Forgetting after attacks", caption, [plot], tall=len(looks) > MANY)
    yield from _curves(track, name)


def _by_variant(rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    for (task, variant), own in rows.groupby(["task", "variant"], sort=True):
        yield shown_variant(str(task), str(variant)), own


def _dots(rows: pd.DataFrame, name: str, look: Look) -> go.Scatter:
    return go.Scatter(
        x=rows["value"].tolist(),
        y=rows["attack"].tolist(),
        name=name,
        mode="markers",
        marker=marker_of(look, 8),
        hovertemplate=f"{name}<br>%{{y}}: %{{x:.3f}}",
    )


def _curves(track: Track, name: str) -> Iterator[PlotGroup]:
    """Yields the knowledge along each attack that has intermediate points, next to the oracles."""
    curves = track.standings.curves
    if curves.empty:
        return
    own = curves[curves["method"].isin([name, ORACLE]) & (curves["point"] != HALF)]
    for attack, rows in own.groupby("attack", sort=True):
        if name not in set(rows["method"]):
            continue
        yield curve_group(f"Knowledge along {attack}", rows)


def curve_group(title: str, rows: pd.DataFrame) -> PlotGroup:
    """The knowledge of a method at each point of an attack on each variant, next to the oracles."""
    looks = looks_of(name for name, _ in _by_variant(rows))
    traces = [
        _curve(part, place, looks[place], is_oracle=who == ORACLE)
        for place, of_place in _by_variant(rows)
        for who, part in of_place.groupby("method", sort=True)
    ]
    points = axis("point of the attack") | {"type": "category"}
    plot = Plot(figure(traces, points, axis("knowledge") | {"rangemode": "tozero"}))
    return PlotGroup(title, CURVE_CAPTION, [plot], tall=len(looks) > MANY)


def _curve(rows: pd.DataFrame, place: str, look: Look, is_oracle: bool) -> go.Scatter:
    ordered = sorted(rows.to_dict("records"), key=lambda row: (row["point"] == END, row["point"]))
    quantities = [Quantity(row["value"], row["low"], row["high"]) for row in ordered]
    points = [steps(str(row["point"])) for row in ordered]
    name = f"{place}, oracles" if is_oracle else place
    text = [
        f"{name}, {p}: {spoken('knowledge', q)}" for p, q in zip(points, quantities, strict=True)
    ]
    dash = {"color": look.colour, "width": 2, "dash": "dot" if is_oracle else "solid"}
    bars = error_bar(quantities, GREY if is_oracle else look.colour)
    return go.Scatter(
        x=points,
        y=[quantity.value for quantity in quantities],
        name=name,
        legendgroup=place,
        showlegend=not is_oracle,
        mode="lines+markers",
        marker={"symbol": look.symbol},
        line=dash,
        error_y=bars,
        text=text,
        hovertemplate="%{text}",
    )
