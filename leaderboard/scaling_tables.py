"""How results change with model and forget-set size, for the site and docs/SCALING.md."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from benchmark.records.schema import UNLEARN
from benchmark.statistics.findings import spoken
from benchmark.statistics.ranking import combined
from benchmark.statistics.scaling import SIZES, best, scaling_rows
from leaderboard.board import SCALING_PAGE, Board

NOTHING = "–"
TASKS = ("forget_size", "frequency")
CAPTIONS = {
    "harder": (
        "Are frequent facts harder to forget at each size?",
        "Residual probability of facts stated in 16-32 texts minus that of facts stated in 1-2. "
        "Above 0, frequent facts are harder to forget.",
    ),
    "disagreement": (
        "Do probability and generation disagree more in larger models?",
        "Share of frequent facts on which the two contradict each other: one counts a fact as "
        "forgotten (below 0.2), the other as known (above 0.8). It also depends on how far a "
        "method forgets.",
    ),
    "gap": (
        "Which of the two finds more knowledge?",
        "Mean knowledge of frequent facts by generation minus that by probability. Above 0, models "
        "answer correctly although the answer's probability is low.",
    ),
}


@dataclass(frozen=True)
class Scaling:
    """All rows, the best methods for each size of model and forget set, and median seconds of
    unlearning by size and method.
    """

    rows: pd.DataFrame
    best: pd.DataFrame
    seconds: pd.DataFrame


def scaling_of(board: Board) -> Scaling:
    """Computes the tables from the records of the scaling tracks."""
    together = combined([track.standings for track in board.tracks])
    rows = scaling_rows(together)
    spent = [
        {
            "size": SIZES[track.name],
            "method": track.row_names[record.id],
            "seconds": record.provenance.cost.seconds.get(UNLEARN),
        }
        for track in board.tracks
        if track.name in SIZES
        for record in track.records
        if record.task.name in TASKS and record.status == "ok" and not record.method.anchor
    ]
    costs = pd.DataFrame(spent, columns=["size", "method", "seconds"])
    seconds = costs.groupby(["size", "method"], as_index=False).agg({"seconds": "median"})
    return Scaling(rows, best(rows, set(costs["method"]), together), seconds)


def size_text(millions: float) -> str:
    return f"{millions:g}M"


def best_by_size(rows: pd.DataFrame) -> pd.DataFrame:
    """A row per share and size: the highest-scoring method, and those not significantly worse."""
    ordered = rows.sort_values(["share", "size", "value"], ascending=[True, True, False])
    texts = ordered.assign(
        people=ordered["share"].map("{} %".format),
        parameters=ordered["size"].map(size_text),
        shown=[
            f"{row['method']} {spoken(row['value'], row['low'], row['high'], digits=2)}"
            for row in ordered.to_dict("records")
        ],
    )
    places = texts.groupby(["people", "parameters"], sort=False)["shown"]
    cells = [(*place, *own.iloc[:1], ", ".join(own.iloc[1:]) or NOTHING) for place, own in places]
    return pd.DataFrame(
        cells, columns=["people to forget", "parameters", "best", "not significantly worse"]
    )


def scaling_markdown(board: Board) -> str:
    """A table for each question."""
    if SCALING_PAGE not in board.extra:
        return "No records of the suite `scaling` are published yet.\n"
    scaling = scaling_of(board)
    parts: list[str] = []
    for quantity, (title, caption) in CAPTIONS.items():
        own = scaling.rows[scaling.rows["quantity"] == quantity]
        texts = [
            spoken(row["value"], row["low"], row["high"], digits=2)
            for row in own.to_dict("records")
        ]
        cells = _by_size(own.assign(shown=texts))
        parts += [f"## {title}\n", f"{caption}\n", *_table(cells, "method"), ""]
    parts.append("## Which method is best?\n")
    parts.append(
        "The highest-scoring method and those not significantly worse, by share of people to "
        "forget and model size.\n"
    )
    table = best_by_size(scaling.best)
    parts += [*_table(table.set_index(table.columns[0]), table.columns[0]), ""]
    seconds = scaling.seconds.assign(shown=scaling.seconds["seconds"].map("{:.1f}".format))
    parts += ["## What does it cost?\n", "Median seconds of unlearning.\n"]
    parts += [*_table(_by_size(seconds), "method"), ""]
    return "\n".join(parts)


def _by_size(rows: pd.DataFrame) -> pd.DataFrame:
    """A row per method and a column per size; the cells are from the column `shown`."""
    cells = rows.pivot(index="method", columns="size", values="shown")
    return cells.sort_index(axis=1).rename(columns=size_text)


def _table(cells: pd.DataFrame, index: str) -> Iterator[str]:
    yield f"| {index} | {' | '.join(map(str, cells.columns))} |"
    yield f"|{'---|' * (len(cells.columns) + 1)}"
    for name, *values in cells.fillna(NOTHING).itertuples():
        yield f"| {name} | {' | '.join(map(str, values))} |"
