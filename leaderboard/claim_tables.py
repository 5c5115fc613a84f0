"""The papers' claims as Markdown, for docs/CLAIMS.md."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from benchmark.statistics.claims import FAILS, HOLDS, OPEN

VERDICTS = (HOLDS, FAILS, OPEN)
UNTESTED = "No published record tests it.\n"


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
    yield f"| test | track | {' | '.join(VERDICTS)} | median (range) where reached |"
    yield f"|{'---|' * (len(VERDICTS) + 3)}"
    for (track, test), own in rows.groupby(["track", "test"], sort=False):
        counts = own["verdict"].value_counts()
        values = own.loc[np.isfinite(own["value"].astype(float)), "value"]
        spread = (
            f"{values.median():.3f} ({values.min():.3f} to {values.max():.3f})"
            if len(values)
            else "–"
        )
        numbers = " | ".join(str(counts.get(verdict, 0)) for verdict in VERDICTS)
        yield f"| {test} | `{track}` | {numbers} | {spread} |"
    yield ""
