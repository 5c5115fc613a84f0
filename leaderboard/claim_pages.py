"""Renders the page of the papers' claims, with a plot and a table of estimates for each test."""

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
    """One test of a claim: the median estimate with its verdict, the number of estimates per
    verdict, every estimate as text, and a plot.
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
    """A claim with its tests; `tests` is empty if no record tests the claim."""

    paper: str
    text: str
    tests: list[Test]


def claim_page(board: Board, renderer: Renderer) -> Page:
    """Renders the page from the standings of all tracks."""
    rows = claim_rows([track.standings for track in board.tracks])
    told = [
        Told(str(paper), str(claim), list(_tests(own[own["test"] != ""])))
        for (paper, claim), own in rows.groupby(["paper", "claim"], sort=False)
    ]
    linked = {
        track.name: {row.name for row in overall_rows(track)} for track in board.tracks
    }  # rows that have pages
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
    """A point per estimate, coloured by verdict; levels that are never reached are left out."""
    finite = rows.replace({math.inf: math.nan, -math.inf: math.nan}).dropna(subset=["value"])
    traces = [
        points(finite[finite["verdict"] == told], "of", told, colour)
        for told, colour in COLOURS.items()
    ]
    order = {"categoryorder": "array", "categoryarray": finite["of"].tolist(), "dtick": 1}
    return figure(traces, axis("difference"), axis("") | order | {"tickfont": {"size": 10}})
