"""The papers' claims as Markdown, for the README, docs/CLAIMS.md and the task cards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandas as pd

from benchmark.statistics.claims import FAILS, HOLDS, OPEN, SETTING, over_methods
from benchmark.statistics.findings import spoken

VERDICTS = (HOLDS, FAILS, OPEN)
UNTESTED = "No published record tests it.\n"
NOTHING = "–"
FEW = 5  # up to this many estimates get a row each: too few for an interval of the median
HEADER = "| test | track | method | estimate | verdict |"


def claims_markdown(rows: pd.DataFrame) -> str:
    """Each claim as a table with a row per test, or a row per estimate if these are few."""
    parts: list[str] = []
    for paper, of_paper in rows.groupby("paper", sort=False):
        parts.append(f"## {paper}\n")
        for claim, own in of_paper.groupby("claim", sort=False):
            parts += [f"**{claim}**\n", *_tests(own)]
    return "\n".join(parts)


def task_claims(rows: pd.DataFrame, task: str) -> str:
    """The claims tested on a task, as Markdown; empty if there are none."""
    own = rows[rows["task"] == task]
    return claims_markdown(own).replace("## ", "### ") if len(own) else ""


def claims_summary(rows: pd.DataFrame) -> str:
    """A table with a row per claim: the number of estimates per verdict, over all its tests."""
    lines = [f"| paper | claim | {' | '.join(VERDICTS)} |", f"|{'---|' * (len(VERDICTS) + 2)}"]
    for (paper, claim), own in rows.groupby(["paper", "claim"], sort=False):
        counts = own.loc[own["test"] != "", "verdict"].value_counts()
        numbers = " | ".join(str(counts.get(told, 0)) for told in VERDICTS)
        lines.append(f"| {paper} | {claim} | {numbers} |")
    return "\n".join([*lines, ""])


def _tests(rows: pd.DataFrame) -> Iterator[str]:
    tests = over_methods(rows).to_dict("records")
    if not tests:
        yield UNTESTED
        return
    yield f"{HEADER} {' | '.join(VERDICTS)} |"
    yield f"|{'---|' * (HEADER.count('|') - 1 + len(VERDICTS))}"
    for test in tests:
        setting = f"| {test['test']} | `{test['track']}` |"
        if test["estimates"] > FEW:
            counts = " | ".join(str(test[told]) for told in VERDICTS)
            yield f"{setting} median of {test['estimates']} | {_told(test)} | {counts} |"
            continue
        for estimate in estimates_of(rows, test).to_dict("records"):
            yield f"{setting} {estimate['of']} | {_told(estimate)} |{' |' * len(VERDICTS)}"
    yield ""


def estimates_of(rows: pd.DataFrame, test: Mapping) -> pd.DataFrame:
    """The rows of one test."""
    for name in SETTING:
        rows = rows[rows[name] == test[name]]
    return rows


def _told(row: Mapping) -> str:
    return f"{spoken(row['value'], row['low'], row['high'])} | {row['verdict'] or NOTHING}"
