"""The papers' claims put to the records: printed by `report --claims`, and as Markdown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmark.records.derived import Derived
from benchmark.reports.terminal import published_standings
from benchmark.statistics.claims import FAILS, HOLDS, OPEN, claim_rows
from benchmark.statistics.findings import spoken

VERDICTS = (HOLDS, FAILS, OPEN)
UNTESTED = "No published record tests it.\n"


def print_claims(folder: Path, console: Console, derived: Derived) -> None:
    """Prints every estimate behind every claim, from the current records below a folder."""
    rows = claim_rows([published_standings(folder, derived)])
    for (paper, claim), own in rows.groupby(["paper", "claim"], sort=False):
        table = Table(
            *("track", "test", "of", "estimate", "verdict"),
            title=f"{paper}: {claim}",
            title_justify="left",
            box=SIMPLE_HEAD,
        )
        for row in own[own["test"] != ""].to_dict("records"):
            estimate = spoken(row["value"], row["low"], row["high"])
            table.add_row(row["track"], row["test"], row["of"], estimate, row["verdict"])
        console.print(table if table.rows else f"{paper}: {claim}\n{UNTESTED}")
    console.print("Differences with 95 % bootstrap confidence intervals.")


def claims_markdown(rows: pd.DataFrame) -> str:
    """Each claim with a row for each test: for how many estimates it holds, and their median."""
    parts: list[str] = []
    for paper, of_paper in rows.groupby("paper", sort=False):
        parts.append(f"## {paper}\n")
        for claim, own in of_paper.groupby("claim", sort=False):
            parts += [f"**{claim}**\n", *_tests(own[own["test"] != ""])]
    return "\n".join(parts)


def _tests(rows: pd.DataFrame) -> Iterator[str]:
    if rows.empty:
        yield UNTESTED
        return
    yield f"| test | track | {' | '.join(VERDICTS)} | median estimate (range) |"
    yield f"|{'---|' * (len(VERDICTS) + 3)}"
    for (track, test), own in rows.groupby(["track", "test"], sort=False):
        counts = own["verdict"].value_counts()
        values = own["value"].dropna()
        spread = (
            f"{values.median():.3f} ({values.min():.3f} to {values.max():.3f})"
            if len(values)
            else "–"
        )
        numbers = " | ".join(str(counts.get(verdict, 0)) for verdict in VERDICTS)
        yield f"| {test} | `{track}` | {numbers} | {spread} |"
    yield ""
