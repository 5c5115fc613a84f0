"""The page of the papers' claims: a plot and a table of estimates for each test."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from benchmark.statistics.claims import FAILS, HOLDS, OPEN, claim_rows, over_methods
from benchmark.statistics.findings import spoken
from leaderboard.board import Board
from leaderboard.claim_tables import NOTHING, estimates_of
from leaderboard.plots import (
    GREY,
    PALETTE,
    Figure,
    Plot,
    PlotGroup,
    axis,
    figure,
    points,
)
from leaderboard.render import Page, Renderer
from leaderboard.tables import overall_rows

PAGE = "claims.html"
COLOURS = {HOLDS: PALETTE[2], FAILS: PALETTE[1], OPEN: GREY}


@dataclass(frozen=True)
class Test:
    """One set-up of a claim: the median estimate with its verdict, how many estimates there are of
    each verdict, each of them as text, and a plot.
    """

    title: str
    track: str
    median: str
    verdict: str
    counts: dict[str, int]
    rows: list[tuple[str, str, str]]
    plot: PlotGroup


@dataclass(frozen=True)
class Told:
    """A claim with its tests; none if no record tests it."""

    paper: str
    text: str
    tests: list[Test]


def claim_page(board: Board, renderer: Renderer) -> Page:
    """The page, from the standings of all tracks."""
    rows = claim_rows([track.standings for track in board.tracks])
    told = [
        Told(str(paper), str(claim), list(_tests(own[own["test"] != ""])))
        for (paper, claim), own in rows.groupby(["paper", "claim"], sort=False)
    ]
    linked = {
        track.name: {row.name for row in overall_rows(track)} for track in board.tracks
    }  # which have pages
    return renderer.page(PAGE, PAGE, claims=told, verdicts=tuple(COLOURS), linked=linked)


def _tests(rows: pd.DataFrame) -> Iterator[Test]:
    for middle in over_methods(rows).to_dict("records"):
        track, test = middle["track"], middle["test"]
        shown = estimates_of(rows, middle).sort_values("value", kind="stable")
        texts = [
            (row["of"], spoken(row["value"], row["low"], row["high"]), row["verdict"])
            for row in shown.to_dict("records")
        ]
        caption = f"{test[0].upper()}{test[1:]}; 95 % bootstrap intervals."
        plot = PlotGroup("Estimates", caption, [Plot(_estimates(shown))], tall=len(shown) > 8)
        median = spoken(middle["value"], middle["low"], middle["high"])
        numbers = {verdict: middle[verdict] for verdict in COLOURS}
        yield Test(test, track, median, middle["verdict"] or NOTHING, numbers, texts, plot)


def _estimates(rows: pd.DataFrame) -> Figure:
    """A point per method, coloured by verdict; those that are never reached have none."""
    finite = rows.replace({math.inf: math.nan, -math.inf: math.nan}).dropna(subset=["value"])
    traces = [
        points(finite[finite["verdict"] == told], "of", told, colour)
        for told, colour in COLOURS.items()
    ]
    order = {"categoryorder": "array", "categoryarray": finite["of"].tolist(), "dtick": 1}
    return figure(traces, axis("difference"), axis("") | order | {"tickfont": {"size": 10}})
