"""What a run prints when it ends: what the targets knew, and the ranked table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmark.errors import BadInput
from benchmark.planning import Plan
from benchmark.records.frames import example_frames, index_frame
from benchmark.records.schema import TARGET, Record
from benchmark.records.store import ResultStore, read_record
from benchmark.statistics import AXES, Standings, standings

TRAINED_BAR, HELD_OUT_BAR = 0.95, 0.90


def standings_of(
    folder: Path, records: Sequence[Record] | None = None, expected: dict[str, int] | None = None
) -> Standings:
    """Standings of all records below a folder, or of some of them."""
    results = ResultStore(folder)
    chosen = list(results.read_all()) if records is None else list(records)
    if not chosen:
        raise BadInput(f"{folder}: no records")
    return standings(index_frame(chosen), example_frames(results, chosen), expected)


def print_standings(plan: Plan, out: Path, console: Console) -> None:
    """The quality of the targets and the table of the plan's own records."""
    results = ResultStore(out)
    paths = [cell.path(results) for cell in (*plan.references, *plan.cells)]
    records = [read_record(path) for path in paths if path.is_file()]
    print_quality(records, console)
    expected: dict[str, int] = {}
    for cell in plan.cells:
        expected[cell.method_name] = expected.get(cell.method_name, 0) + 1
    table = standings_of(out, records, expected).overall
    if table.empty:
        console.print("no results to rank")
        return
    for track, rows in table.groupby("track"):
        console.print(_ranked_table(str(track), rows))
    console.print("Means over variants; 95 % bootstrap intervals over entities, seeds and oracles; equal ranks tie.")


def _ranked_table(track: str, rows: pd.DataFrame) -> Table:
    table = Table("rank", "method", "score", *AXES, "runs", title=track, title_justify="left", box=SIMPLE_HEAD)
    for row in rows.to_dict("records"):
        cells = [f"{row[q]:.3f}\n[dim]{row[f'{q}_low']:.2f}-{row[f'{q}_high']:.2f}[/]" for q in ("score", *AXES)]
        table.add_row(_rank_text(row), row["method"], *cells, str(row["runs"]), style="dim" if row["anchor"] else "")
    return table


def _rank_text(row: dict) -> str:
    if row["anchor"]:
        return "anchor"
    return "partial" if pd.isna(row["rank"]) else f"{row['rank']:.0f}"


def print_quality(records: Sequence[Record], console: Console) -> None:
    """What each target answers before unlearning, against the bar: 95 % of trained, 90 % of held-out wordings."""
    table = Table("target of", "split", "trained wordings", "held-out wordings", "facts", box=SIMPLE_HEAD)
    table.title = f"Answered before unlearning (bar for facts seen often: {TRAINED_BAR:.0%} and {HELD_OUT_BAR:.0%})"
    for record in (r for r in records if r.method.name == TARGET and r.status == "ok"):
        values = {(v.split, v.metric): v for v in record.values if v.stage == "model" and v.stratum == "all"}
        for split in ("forget", "retain", "neighbours", "general"):
            trained, held_out = values[(split, "exact_answer_trained")], values[(split, "exact_answer")]
            row = (f"{trained.value:.1%}", f"{held_out.value:.1%}", str(held_out.n_scored))
            table.add_row(record.variant, split, *row)
    console.print(table)
