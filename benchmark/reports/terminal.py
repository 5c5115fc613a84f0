"""Tables that `run` and `report` print: the targets' knowledge, the ranking, the findings on one
task.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmark.core.registry import lookup
from benchmark.errors import BadInput
from benchmark.metrics.base import KNOWLEDGE
from benchmark.metrics.frames import ALL
from benchmark.metrics.stages import MODEL_STAGE
from benchmark.pipeline.plan import Plan
from benchmark.records.derived import Derived
from benchmark.records.frames import expected_seeds, heads, row_names, split_current
from benchmark.records.identity import DEVELOPMENT_SUFFIX, TARGET
from benchmark.records.schema import GUARDRAIL, Record
from benchmark.records.store import ResultStore, read_record
from benchmark.statistics import AXES, Standings, findings
from benchmark.statistics.divisions import divided
from benchmark.statistics.published import standings_of

TRAINED_BAR, HELD_OUT_BAR = 0.95, 0.90


def published_standings(folder: Path, derived: Derived) -> Standings:
    """Standings of the current records below a folder; BadInput if there is none."""
    results = ResultStore(folder)
    current, _ = split_current(list(heads(results)))
    if not current:
        raise BadInput(f"{folder}: no records")
    return standings_of(results, current, expected_seeds(current), derived)


def _planned_seeds(plan: Plan, records: Sequence[Record]) -> dict[str, int]:
    """The number of seeds that the plan has for each row, including those without a record."""
    names, by_row = row_names(records), dict[str, set[int]]()
    rows = {(c.method, json.dumps(c.parameters)): names[c.id] for c in plan.cells if c.id in names}
    for cell in plan.cells:
        row = rows.get((cell.method, json.dumps(cell.parameters)))
        if row:
            by_row.setdefault(row, set()).add(cell.seed)
    return {row: len(seeds) for row, seeds in by_row.items()}


def print_standings(plan: Plan, out: Path, console: Console, derived: Derived) -> None:
    """Prints the targets' knowledge, the trials and the ranking from the plan's own records."""
    results = ResultStore(out)
    paths = [cell.path(results) for cell in (*plan.references, *plan.cells)]
    records = [read_record(path) for path in paths if path.is_file()]
    print_quality(records, console)
    trials = [record for record in records if record.trial]
    if trials:
        console.print(_trial_table(trials))
    table = standings_of(results, records, _planned_seeds(plan, records), derived).overall
    if table.empty and not trials:
        console.print("no results to rank")
    if table.empty:
        return
    for track, rows in table.groupby("track"):
        by_division = divided(
            rows.to_dict("records"), lambda row: row["anchor"], lambda row: row["division"]
        )
        for division, own in by_division:
            title = f"{track} guardrails, separate ranking" if division == GUARDRAIL else str(track)
            console.print(_ranked_table(title, own))
        proxies = sorted(
            {r.variant for r in records if r.track == track and r.references and r.references.proxy}
        )
        if proxies:
            console.print(
                f"proxy reference on {', '.join(proxies)}: the target on nonexistent subjects, no "
                "exact oracle"
            )
    console.print(
        "Means over variants with 95 % bootstrap confidence intervals over entities, seeds and "
        "oracles. A rank is one plus the number of significantly better methods."
    )


def _trial_table(trials: Sequence[Record]) -> Table:
    """The table of trials; they run on development tracks, which have no ranking."""
    names = row_names(trials)
    title = "trials on development tracks, not ranked"
    columns = ("method", "variant", "seed", "score", *AXES)
    table = Table(*columns, title=title, title_justify="left", box=SIMPLE_HEAD)
    for record in trials:
        assert record.trial is not None
        figures = (record.trial.score, *(record.trial.axes[axis] for axis in AXES))
        table.add_row(
            names[record.id],
            record.variant,
            str(record.seed),
            *("–" if pd.isna(value) else f"{value:.3f}" for value in figures),
        )
    return table


def _ranked_table(title: str, rows: Sequence[dict]) -> Table:
    table = Table(
        "rank", "method", "score", *AXES, "runs", title=title, title_justify="left", box=SIMPLE_HEAD
    )
    for row in rows:
        cells = [_interval_text(row, quantity) for quantity in ("score", *AXES)]
        table.add_row(
            _rank_text(row),
            row["method"],
            *cells,
            str(row["runs"]),
            style="dim" if row["anchor"] else "",
        )
    return table


def _interval_text(row: dict, quantity: str) -> str:
    value, low, high = (row[quantity + end] for end in ("", "_low", "_high"))
    return "–" if pd.isna(value) else f"{value:.3f}\n[dim]{low:.2f}-{high:.2f}[/]"


def _rank_text(row: dict) -> str:
    if row["anchor"]:
        return "anchor"
    return "partial" if pd.isna(row["rank"]) else f"{row['rank']:.0f}"


# Metrics of a target's knowledge on training prompts and on held-out paraphrases; texts have no
# paraphrases.
KNOWN_BY = (("exact_answer_trained", "exact_answer"), ("memorization_accuracy", ""))


def print_quality(records: Sequence[Record], console: Console) -> None:
    """Prints each target's knowledge before unlearning, with the thresholds: 95 % of training
    questions, 90 % of held-out paraphrases.
    """
    table = Table(
        "target", "split", "training prompt", "held-out paraphrases", "examples", box=SIMPLE_HEAD
    )
    bars = f"{TRAINED_BAR:.0%} and {HELD_OUT_BAR:.0%}"
    table.title = f"Knowledge before unlearning (threshold for frequent facts: {bars})"
    for record in (r for r in records if r.method.name == TARGET and r.status == "ok"):
        values = {
            (v.split, v.metric): v
            for v in record.value_rows()
            if v.stage == MODEL_STAGE and v.stratum == ALL
        }
        for split in KNOWLEDGE:
            for trained, held_out in (
                (values.get((split, a)), values.get((split, b))) for a, b in KNOWN_BY
            ):
                if trained:
                    reworded = f"{held_out.value:.1%}" if held_out else "–"
                    table.add_row(
                        record.variant,
                        split,
                        f"{trained.value:.1%}",
                        reworded,
                        str(trained.n_scored),
                    )
    console.print(table)
    console.print("For texts, which have no paraphrases: share of tokens predicted greedily.")


def print_task(task: str, folder: Path, console: Console, derived: Derived) -> None:
    """Prints the findings on a task from the current records below a folder, for each scored track;
    BadInput if there are none.
    """
    results = ResultStore(folder)
    current, _ = split_current(list(heads(results)))
    scored = [r for r in current if not r.track.endswith(DEVELOPMENT_SUFFIX)]
    name = lookup("task", task, {r.task.name: r.task.name for r in scored})
    for track in sorted({r.track for r in scored if r.task.name == name}):
        records = [r for r in scored if (r.track, r.task.name) == (track, name)]
        scores = standings_of(results, records, expected_seeds(records), derived)
        frames = findings(scores, name)
        if not frames:
            raise BadInput(
                f"{folder}: {name} on {track} cannot be scored: target or oracles are missing"
            )
        for title, frame in frames.items():
            table = Table(
                *frame.columns, title=f"{track}: {title}", title_justify="left", box=SIMPLE_HEAD
            )
            for row in frame.itertuples(index=False):
                table.add_row(*row)
            console.print(table)
    console.print("95 % bootstrap confidence intervals over entities, seeds and oracles.")
