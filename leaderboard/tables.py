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
    """One line of a ranked table: a method on a track, a task or a variant; `quantities` is empty
    if nothing is scored.

    `ranks` is the range of ranks in 95 % of the bootstrap replicates, `of` the number of variants
    of the table, `expected` the number of runs that the row needs on the variants it was run on;
    `marks` and `disputes` are those of its runs.
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
        """The variants that the method was run on, successfully or not."""
        return sorted({record.variant for record in self.runs})

    @property
    def anchor(self) -> bool:
        return self.method.anchor

    @property
    def division(self) -> str:
        """GUARDRAIL if any run of the row is a guardrail, otherwise WEIGHTS."""
        guarded = any(run.provenance.division == GUARDRAIL for run in self.runs)
        return GUARDRAIL if guarded else WEIGHTS

    @property
    def seconds(self) -> float:
        """Median duration of unlearning; NaN without a successful run."""
        return _median(run.provenance.cost.seconds.get(UNLEARN, math.nan) for run in self._scored)

    @property
    def tokens(self) -> float:
        """Median number of training tokens of unlearning; NaN without a successful run."""
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
        """`failed` if no run succeeded, `unscored` if there are no references to compare with,
        `complete`, `partial` if all runs succeeded on the variants that the method was run on but
        the table has others, otherwise `incomplete`.
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
        """The dispute of exactly these runs with the lowest score, if that is below the row's own
        score. The rank is still by the row's own score, since the other rows did not face that
        attack.
        """
        scores = [row.dispute for row in self.disputes if row.whole]
        return next((d for d in scores if d.score < self.quantity("score").value), None)


def _median(values: Iterable[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return median(known) if known else math.nan


def overall_rows(track: Track) -> list[Row]:
    """The ranked table of a track; rows whose runs all failed come last, without numbers."""
    attacked = _attacked(track.standings.variants, track.standings.attacks)
    return _ranked_rows(track, track.records, track.standings.overall.to_dict("records"), attacked)


def by_division(rows: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    """The rows split into one table per division, with the anchors in each."""
    return divided(rows, lambda row: row.anchor, lambda row: row.division)


def task_rows(track: Track, task: str) -> list[Row]:
    """The ranked table of one task, which also ranks methods that are run on this task only."""
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
    """The table of one variant; single variants are not ranked."""
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
    """By method: the attack after which the least forgetting remains, and the forgetting that
    remains on average over attacks and variants.
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
    """The attack after which the least forgetting of a method remains, averaged over the variants
    on which all its attacks were run, or over each attack's own variants if there are none; "" if
    several attacks tie.
    """
    scored = attacks.dropna(subset=["value"])
    left = scored.pivot(index=["task", "variant"], columns="attack", values="value")
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
    """The records of methods (not references) by row name, sorted by variant and seed."""
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
