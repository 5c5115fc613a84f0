"""The rows of the ranked tables."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import pandas as pd

from benchmark.records.identity import MethodInfo, shown_variant
from benchmark.records.marks import Dispute
from benchmark.records.schema import GUARDRAIL, UNLEARN, WEIGHTS, Record
from benchmark.statistics import AXES
from benchmark.statistics.attack_agreement import WITHOUT
from benchmark.statistics.axes import TIE
from benchmark.statistics.divisions import divided
from leaderboard.board import REFERENCES, Track
from leaderboard.marks import RowDispute, RowMark, row_disputes, row_marks

QUANTITIES = ("score", *AXES)
ATTACKED = ("worst_attack", "mean_over_attacks")


@dataclass(frozen=True)
class Quantity:
    """A score or an axis with its interval; NaN where there is none."""

    value: float
    low: float
    high: float

    @property
    def known(self) -> bool:
        return not math.isnan(self.value)

    @property
    def has_interval(self) -> bool:
        return not (math.isnan(self.low) or math.isnan(self.high))


UNKNOWN = Quantity(math.nan, math.nan, math.nan)


@dataclass(frozen=True)
class Row:
    """One line of a ranked table: a method on a track, a task or a variant; no `quantities`:
    nothing is scored.

    `ranks` are those that it takes over the draws, `of` is how many variants the table has,
    `expected` how many runs the row needs on those that it was run on; `marks` and `disputes` are
    those of its runs.
    """

    name: str
    method: MethodInfo
    quantities: dict[str, Quantity]
    runs: list[Record]
    expected: int
    complete: bool
    rank: int | None = None
    ranks: tuple[int, int] | None = None
    tied: bool = False
    worst_attack: str = ""
    mean_over_attacks: float = math.nan
    of: int = 1
    marks: Sequence[RowMark] = ()
    disputes: Sequence[RowDispute] = ()

    @property
    def variants(self) -> list[str]:
        """The variants that the method was run on, with or without success."""
        return sorted({record.variant for record in self.runs})

    @property
    def anchor(self) -> bool:
        return self.method.anchor

    @property
    def division(self) -> str:
        """A row with any run that is a guardrail is one."""
        guarded = any(run.provenance.division == GUARDRAIL for run in self.runs)
        return GUARDRAIL if guarded else WEIGHTS

    @property
    def seconds(self) -> float:
        """Median duration of unlearning; NaN without a successful run."""
        return _median(run.provenance.cost.seconds.get(UNLEARN, math.nan) for run in self._scored)

    @property
    def tokens(self) -> float:
        """Median number of tokens read in unlearning; NaN without a successful run."""
        return _median(run.provenance.cost.tokens for run in self._scored)

    @property
    def _scored(self) -> list[Record]:
        return [run for run in self.runs if run.status == "ok"]

    @property
    def succeeded(self) -> int:
        return sum(record.status == "ok" for record in self.runs)

    @property
    def failed(self) -> list[Record]:
        return [record for record in self.runs if record.status == "error"]

    @property
    def state(self) -> str:
        """`failed` without any result, `unscored` without references to compare with, `complete`,
        `incomplete`, or `partial`: nothing is missing on the variants that the method was run on,
        but the table has others.
        """
        if not self.quantities:
            return "unscored" if self.succeeded else "failed"
        if self.complete:
            return "complete"
        return (
            "partial"
            if len(self.variants) < self.of and self.succeeded == self.expected
            else "incomplete"
        )

    def quantity(self, name: str) -> Quantity:
        return self.quantities.get(name, UNKNOWN)

    @property
    def lowered(self) -> Dispute | None:
        """The dispute of exactly these runs that leaves the lowest score, if it is below their own;
        the rank is that of their own score, for the other rows were not attacked like that.
        """
        scores = [row.dispute for row in self.disputes if row.whole]
        return next((d for d in scores if d.score < self.quantity("score").value), None)


def _median(values: Iterable[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return median(known) if known else math.nan


def overall_rows(track: Track) -> list[Row]:
    """The ranked table of a track; rows whose runs all failed stand at the end, without numbers."""
    attacked = _attacked(track.standings.variants, track.standings.attacks)
    return _ranked_rows(track, track.records, track.standings.overall.to_dict("records"), attacked)


def by_division(rows: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    """The tables that these rows are shown in."""
    return divided(rows, lambda row: row.anchor, lambda row: row.division)


def task_rows(track: Track, task: str) -> list[Row]:
    """The ranked table of one task, where methods that a suite runs on this task only have a
    rank too.
    """
    rows = [row for row in track.standings.tasks.to_dict("records") if row["task"] == task]
    tables = (track.standings.variants, track.standings.attacks)
    attacked = _attacked(*(t[t["task"] == task] if len(t) else t for t in tables))
    return _ranked_rows(track, track.records_of(task), rows, attacked)


def _ranked_rows(
    track: Track,
    records: Sequence[Record],
    standing: Sequence[Mapping[Any, Any]],
    attacked: Mapping[str, dict[str, Any]],
) -> list[Row]:
    scored = {row["method"]: row for row in standing}
    ranked = {name: row for name, row in scored.items() if not pd.isna(row["rank"])}
    shared = Counter((row["division"], row["rank"]) for row in ranked.values())
    variants = len({record.variant for record in records})
    rows = []
    for name, runs in _runs_by_row(records, track).items():
        complete = name in scored and bool(scored[name]["complete"])
        expected = track.expected[name] * len({run.variant for run in runs})
        quantities = _quantities(scored.get(name))
        row = Row(name, runs[0].method, quantities, runs, expected, complete, of=variants)
        more = attacked.get(name, {}) | _said_of(runs, track)
        if place := ranked.get(name):
            rank, low, high = (int(place[key]) for key in ("rank", "rank_low", "rank_high"))
            tied = shared[place["division"], place["rank"]] > 1
            more |= {"rank": rank, "ranks": (low, high), "tied": tied}
        rows.append(replace(row, **more))
    return sorted(rows, key=_by_score)


def variant_rows(track: Track, variant: str) -> list[Row]:
    """The table of one variant; nothing is ranked on a variant alone."""
    records = track.standings.variants.to_dict("records")
    scored = {r["method"]: r for r in records if shown_variant(r["task"], r["variant"]) == variant}
    rows = []
    for name, runs in _runs_by_row(
        [r for r in track.records if r.variant == variant], track
    ).items():
        expected = track.expected[name]
        complete = sum(run.status == "ok" for run in runs) >= expected
        quantities = _quantities(scored.get(name))
        row = Row(name, runs[0].method, quantities, runs, expected, complete)
        attacked = {key: scored[name][key] for key in ATTACKED} if name in scored else {}
        rows.append(replace(row, **attacked, **_said_of(runs, track)))
    return sorted(rows, key=_by_score)


def _attacked(variants: pd.DataFrame, attacks: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """By method: the attack that leaves the least forgetting, and the forgetting left after an
    attack, averaged over attacks and variants.
    """
    made = attacks[attacks["attack"] != WITHOUT] if len(attacks) else attacks
    if made.empty or variants.empty:
        return {}
    means = variants.groupby("method")["mean_over_attacks"].mean().to_dict()
    return {
        str(name): dict(zip(ATTACKED, (_worst(own), means.get(name, math.nan)), strict=True))
        for name, own in made.groupby("method")
    }


def _worst(attacks: pd.DataFrame) -> str:
    """The attack of a method that leaves the least forgetting, averaged over the variants that all
    its attacks were made on, or each over its own if there are none; "" where several leave as
    little.
    """
    left = attacks.pivot_table(index=["task", "variant"], columns="attack", values="value")
    shared = left.dropna()
    means = (left if shared.empty else shared).mean().sort_values()
    tied = means[means - means.iloc[:1].sum() < TIE]
    return str(tied.index[0]) if len(tied) == 1 else ""


def _said_of(runs: Sequence[Record], track: Track) -> dict[str, Any]:
    return {
        "marks": row_marks(runs, track.marks),
        "disputes": row_disputes(runs, track.marks),
    }


def _runs_by_row(records: Iterable[Record], track: Track) -> dict[str, list[Record]]:
    """The records of methods, not of references, by row name, each in order of variant and seed."""
    by_row: dict[str, list[Record]] = {}
    for record in sorted(records, key=lambda r: (r.variant, r.seed)):
        if record.method.name not in REFERENCES:
            by_row.setdefault(track.row_names[record.id], []).append(record)
    return by_row


def _quantities(row: Mapping[Any, Any] | None) -> dict[str, Quantity]:
    if row is None:
        return {}
    return {
        name: Quantity(*(float(row[f"{name}{end}"]) for end in ("", "_low", "_high")))
        for name in QUANTITIES
    }


def _by_score(row: Row) -> tuple[bool, float, str]:
    score = row.quantity("score")
    return not score.known, -score.value if score.known else 0.0, row.name
