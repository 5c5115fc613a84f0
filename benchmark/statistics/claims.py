"""What papers claim of unlearning, put to the records: an estimate for each method and set-up, with
an interval and a verdict.

Estimates are differences. Where a table of the standings has them paired they are taken from
there; else they combine two intervals by MOVER (Zou and Donner 2008), as if the two were
independent, which is conservative where shared draws correlate them positively.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import pandas as pd

from benchmark.metrics.frames import ALL
from benchmark.records.identity import ORACLE, TARGET
from benchmark.statistics.ranking import Standings
from benchmark.statistics.trajectories import AREA, LOST, ORACLE_LEVEL, SHARE_LEVEL, STEPS

HOLDS, FAILS, OPEN = "holds", "does not hold", "cannot be told"
CONTROLLED, PRETRAINED = "controlled-1m", "smollm2-135m"
BASELINES = ("grad_ascent", "grad_diff", "npo")
BLIND = ("grad_ascent", "grad_diff", "npo", "idk")  # to how well each text is memorized
COLUMNS = ("paper", "claim", "track", "test", "of", "value", "low", "high", "verdict")

Row = dict[str, object]
Spread = tuple[float, float, float]  # value, low, high
Estimates = Iterator[tuple[str, Spread]]  # by what they are of: methods, or pairs of them


@dataclass(frozen=True)
class SetUp:
    """One test of a claim on a track. `sign` is what the claim expects of the estimates: 1 or -1, 0
    for a difference in either direction.
    """

    track: str
    test: str
    sign: int
    estimates: Callable[[Standings, str], Estimates]


@dataclass(frozen=True)
class Claim:
    """A paper's claim in its own direction; without set-ups nothing in the records tests it."""

    paper: str
    text: str
    setups: tuple[SetUp, ...] = ()


def difference(one: Spread, other: Spread) -> Spread:
    """One less the other, with the interval of MOVER."""
    value = one[0] - other[0]
    below = math.hypot(one[0] - one[1], other[2] - other[0])
    above = math.hypot(one[2] - one[0], other[0] - other[1])
    return value, value - below, value + above


def verdict(spread: Spread, sign: int) -> str:
    """Whether an interval lies on the side that the claim expects, on the other, or on both."""
    value, low, high = spread
    if math.isnan(value) or math.isnan(low) or low <= 0 <= high:
        return OPEN
    return HOLDS if sign == 0 or (value > 0) == (sign > 0) else FAILS


def claim_rows(
    standings: Sequence[Standings], claims: Iterable[Claim] | None = None
) -> pd.DataFrame:
    """A row for each estimate of each set-up (COLUMNS) on the tracks of all these standings; a
    claim without any has one, without a value. All claims if none are given.
    """
    rows: list[Row] = []
    for claim in CLAIMS if claims is None else claims:
        found = [row for own in standings for row in _rows(own, claim)]
        nothing = {"track": "", "test": "", "of": "", "verdict": OPEN}
        rows += found or [{"paper": claim.paper, "claim": claim.text, **nothing}]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _rows(standings: Standings, claim: Claim) -> Iterator[Row]:
    for setup in claim.setups:
        about: Row = {"paper": claim.paper, "claim": claim.text, "track": setup.track}
        for name, spread in setup.estimates(standings, setup.track):
            numbers: Row = dict(zip(("value", "low", "high"), spread, strict=True))
            found: Row = {"test": setup.test, "of": name, "verdict": verdict(spread, setup.sign)}
            yield about | found | numbers


def _where(frame: pd.DataFrame, **wanted: object) -> pd.DataFrame:
    for column, value in wanted.items():
        frame = frame[frame[column] == value] if len(frame) else frame
    return frame


def _spreads(rows: pd.DataFrame) -> dict[str, Spread]:
    """By method; none of an empty table."""
    if rows.empty:
        return {}
    columns = zip(rows["method"], rows["value"], rows["low"], rows["high"], strict=True)
    return {name: (value, low, high) for name, value, low, high in columns}


def _competitors(spreads: Mapping[str, Spread], standings: Standings) -> Estimates:
    """Those of methods that compete: no anchors, no references."""
    overall = standings.overall
    anchors = set(_where(overall, anchor=True)["method"]) if len(overall) else set()
    for name, spread in spreads.items():
        if name not in anchors and name not in (TARGET, ORACLE):
            yield name, spread


def _strata(standings: Standings, **wanted: str) -> dict[str, Spread]:
    return _spreads(_where(standings.strata, **wanted))


def more_left(standings: Standings, track: str, task: str, metric: str) -> Estimates:
    """What is left by a metric of the variant `high` less that of `low`."""
    low, high = (
        _strata(standings, track=track, task=task, variant=variant, metric=metric, stratum=ALL)
        for variant in ("low", "high")
    )
    both = {name: difference(high[name], low[name]) for name in high if name in low}
    return _competitors(both, standings)


def by_stratum(
    standings: Standings, track: str, task: str, variant: str, metric: str, stratum: str
) -> Estimates:
    """What is left of the upper third of a stratum less that of the lower."""
    about = {"track": track, "task": task, "variant": variant, "metric": metric}
    low, high = (_strata(standings, **about, stratum=f"{stratum}={end}") for end in ("low", "high"))
    both = {name: difference(high[name], low[name]) for name in high if name in low}
    return _competitors(both, standings)


def misaligned(standings: Standings, track: str, task: str, variant: str) -> Estimates:
    """Knowledge by generation less that by probability."""
    about = {"track": track, "task": task, "variant": variant, "stratum": ALL, "quantity": "gap"}
    return _competitors(_spreads(_where(standings.misalignment, **about)), standings)


def out_less_in(standings: Standings, track: str, level: str, quantity: str) -> Estimates:
    """What the trajectories on `distribution/out` come to less those on `distribution/in`."""
    about = {"track": track, "task": "distribution", "level": level, "quantity": quantity}
    rows = _where(standings.contrasts, **about)
    return _competitors(_spreads(_where(rows, variant="out")), standings)


def better_than(
    standings: Standings,
    track: str,
    task: str,
    method: str,
    rivals: Iterable[str],
    quantity: str = "score",
) -> Estimates:
    """An axis, or the score, of a method on a task less that of others."""
    rows = _where(standings.tasks, track=track, task=task)
    if rows.empty:
        return
    ends = {end: rows[f"{quantity}{end}"] for end in ("", "_low", "_high")}
    named = rows.assign(value=ends[""], low=ends["_low"], high=ends["_high"])
    spreads = _spreads(named)
    for rival in rivals:
        if method in spreads and rival in spreads:
            yield f"{method} against {rival}", difference(spreads[method], spreads[rival])


def above_the_oracle(
    standings: Standings, track: str, task: str, metric: str, methods: Iterable[str]
) -> Estimates:
    """A metric after methods less that of the oracles."""
    spreads = _strata(standings, track=track, task=task, metric=metric, stratum=ALL)
    for name in methods:
        if name in spreads and ORACLE in spreads:
            yield name, difference(spreads[name], spreads[ORACLE])


def against_ascent(
    standings: Standings, track: str, quantity: str, methods: Iterable[str]
) -> Estimates:
    """Of methods less that of `grad_ascent`, where both have forgotten equally much."""
    about = {"track": track, "task": "memorized", "level": SHARE_LEVEL, "quantity": quantity}
    spreads = _spreads(_where(standings.rivals, **about))
    return ((name, spreads[name]) for name in methods if name in spreads)


KRISHNAN, BALUTA = "Krishnan et al. 2025", "Baluta et al. 2024"
YUAN, BARBULESCU = "Yuan et al. 2024", "Barbulescu and Triantafillou 2024"
PROBABILITY, SAID = "paraphrased_probability", "exact_answer"


def _beats(method: str, rivals: tuple[str, ...]) -> tuple[SetUp, ...]:
    """In the paper's three scenarios, by the score and by what it consists of."""
    places = {
        "fictitious people": (CONTROLLED, "fictitious"),
        "ten requests in a row": (CONTROLLED, "continual"),
        "real facts": (PRETRAINED, "real_entities"),
        "TOFU": (PRETRAINED, "tofu_small"),
    }
    return tuple(
        SetUp(
            track,
            f"{quantity}, {scenario}",
            1,
            partial(better_than, task=task, method=method, rivals=rivals, quantity=quantity),
        )
        for scenario, (track, task) in places.items()
        for quantity in ("score", "forgetting", "utility")
    )


CLAIMS = (
    Claim(
        KRISHNAN,
        "More frequent knowledge is harder to unlearn.",
        (
            SetUp(
                CONTROLLED,
                "probability left of facts in 16-32 texts less that of facts in 1-2",
                1,
                partial(more_left, task="frequency", metric=PROBABILITY),
            ),
            SetUp(
                CONTROLLED,
                "answers left of facts in 16-32 texts less those of facts in 1-2",
                1,
                partial(more_left, task="frequency", metric=SAID),
            ),
            SetUp(
                PRETRAINED,
                "probability left of frequent entities less that of rare ones",
                1,
                partial(more_left, task="real_entities", metric=PROBABILITY),
            ),
            SetUp(
                PRETRAINED,
                "frequent entities with the answer among 16 samples less rare ones",
                1,
                partial(more_left, task="real_entities", metric="leak_at_16"),
            ),
        ),
    ),
    Claim(
        KRISHNAN,
        "Probability-based and generation-based evaluations disagree.",
        tuple(
            SetUp(
                track,
                f"knowledge by generation less that by probability, {task}/{variant}",
                0,
                partial(misaligned, task=task, variant=variant),
            )
            for track, task in ((CONTROLLED, "frequency"), (PRETRAINED, "real_entities"))
            for variant in ("low", "high")
        ),
    ),
    Claim(KRISHNAN, "They disagree more in larger models."),
    Claim(
        BALUTA,
        "Out-of-distribution examples need more steps.",
        tuple(
            SetUp(
                CONTROLLED,
                f"steps to {level}, canaries less ordinary facts",
                1,
                partial(out_less_in, level=level, quantity=STEPS),
            )
            for level in (SHARE_LEVEL, ORACLE_LEVEL)
        ),
    ),
    Claim(
        BALUTA,
        "Out-of-distribution examples have the better trade-off of forgetting and utility.",
        (
            SetUp(
                CONTROLLED,
                "area under utility over forgetting, canaries less ordinary facts",
                1,
                partial(out_less_in, level="", quantity=AREA),
            ),
        ),
    ),
    Claim(
        BALUTA,
        "Unlearning in-distribution examples costs utility fast.",
        (
            SetUp(
                CONTROLLED,
                f"utility lost at {SHARE_LEVEL}, canaries less ordinary facts",
                -1,
                partial(out_less_in, level=SHARE_LEVEL, quantity=LOST),
            ),
        ),
    ),
    Claim(
        BALUTA,
        "Memorization and difficulty of an example matter.",
        tuple(
            SetUp(
                CONTROLLED,
                f"probability left of the upper third by {stratum} less the lower, {variant}",
                0,
                partial(
                    by_stratum,
                    task="distribution",
                    variant=variant,
                    metric=PROBABILITY,
                    stratum=stratum,
                ),
            )
            for stratum in ("memorization", "difficulty")
            for variant in ("in", "out")
        ),
    ),
    Claim(
        YUAN,
        "Maximizing entropy (ME+GD) outperforms gradient ascent, gradient difference and NPO.",
        _beats("me_gd", BASELINES),
    ),
    Claim(
        YUAN,
        "Answer preservation (IDK+AP) outperforms refusal training (IDK) and NPO.",
        _beats("idk_ap", ("idk", "npo")),
    ),
    Claim(
        BARBULESCU,
        "Methods blind to how well each text is memorized leave outliers.",
        (
            SetUp(
                CONTROLLED,
                "outliers left less those of the oracles",
                1,
                partial(above_the_oracle, task="memorized", metric="outliers", methods=BLIND),
            ),
        ),
    ),
    Claim(
        BARBULESCU,
        "A membership attack on losses (MIAU) tells what they unlearned.",
        (
            SetUp(
                CONTROLLED,
                "AUC of MIAU less that of the oracles",
                1,
                partial(above_the_oracle, task="memorized", metric="mia_unlearned", methods=BLIND),
            ),
        ),
    ),
    Claim(
        BARBULESCU,
        "SGA and TAU leave fewer outliers than ascent where both have forgotten equally much.",
        (
            SetUp(
                CONTROLLED,
                f"outliers at {SHARE_LEVEL} less those of gradient ascent",
                -1,
                partial(against_ascent, quantity="outliers", methods=("sga", "tau")),
            ),
        ),
    ),
    Claim(BARBULESCU, "Which method is best depends on model size and forget-set size."),
)
