"""Tests of the papers' claims against the records, as `report --claims` prints them."""

from __future__ import annotations

from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmark.records.derived import Derived
from benchmark.reports.terminal import published_standings
from benchmark.statistics.claims import claim_rows
from benchmark.statistics.findings import spoken

UNTESTED = "No published record tests it.\n"


def print_claims(folder: Path, console: Console, derived: Derived) -> None:
    """Prints every estimate for every claim, from the current records below a folder."""
    rows = claim_rows([published_standings(folder, derived)])
    for (paper, claim), own in rows.groupby(["paper", "claim"], sort=False):
        table = Table(
            *("track", "test", "method", "estimate", "verdict"),
            title=f"{paper}: {claim}",
            title_justify="left",
            box=SIMPLE_HEAD,
        )
        for row in own[own["test"] != ""].to_dict("records"):
            estimate = spoken(row["value"], row["low"], row["high"])
            table.add_row(row["track"], row["test"], row["of"], estimate, row["verdict"])
        console.print(table if table.rows else f"{paper}: {claim}\n{UNTESTED}")
    console.print("Differences with 95 % bootstrap confidence intervals.")
