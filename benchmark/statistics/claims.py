"""What papers claim of unlearning, put to the records: an estimate for each method and set-up, with
an interval and a verdict.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import pandas as pd

from benchmark.statistics.estimates import (
    Estimates,
    Spread,
    above_the_oracle,
    against_ascent,
    better_by_metric,
    better_than,
    by_stratum,
    grown,
    misaligned,
    more_left,
    out_less_in,
    turned,
)
from benchmark.statistics.ranking import Standings, combined
from benchmark.statistics.trajectories import AREA, LOST, ORACLE_LEVEL, SHARE_LEVEL, STEPS

HOLDS, FAILS, OPEN = "holds", "does not hold", "cannot be told"
CONTROLLED, PRETRAINED = "controlled-1m", "smollm2-135m"
STUDIES = ("study-250k", "study-1m", "study-4m", "study-16m")  # by size
BASELINES = ("grad_ascent", "grad_diff", "npo")
BLIND = ("grad_ascent", "grad_diff", "npo", "idk")  # to how well each text is memorized
COLUMNS = ("paper", "claim", "track", "test", "of", "value", "low", "high", "verdict")

Row = dict[str, object]


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
    together = combined(standings)
    for claim in CLAIMS if claims is None else claims:
        found = list(_rows(together, claim))
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


KRISHNAN, BALUTA = "Krishnan et al. 2025", "Baluta et al. 2024"
YUAN, BARBULESCU = "Yuan et al. 2024", "Barbulescu and Triantafillou 2024"
PROBABILITY, SAID = "paraphrased_probability", "exact_answer"


def _beats(method: str, rivals: tuple[str, ...]) -> tuple[SetUp, ...]:
    """In the paper's three scenarios: by the score and by what it consists of, by TOFU's own
    measures, and by what the paper adds to them. Again where the method's parameters vary.
    """
    places = {
        "fictitious people": (CONTROLLED, "fictitious"),
        "ten requests in a row": (CONTROLLED, "continual"),
        "real facts": (PRETRAINED, "real_entities"),
        "TOFU": (PRETRAINED, "tofu_small"),
        "fictitious people, other forms of the method": (STUDIES[1], "fictitious"),
        "ten requests in a row, other forms of the method": (STUDIES[1], "continual"),
    }
    metrics = {
        "TOFU's forget quality": (PRETRAINED, "tofu_small", "forget_quality"),
        "TOFU's model utility": (PRETRAINED, "tofu_small", "model_utility"),
        "token entropy of answers on the retain set, TOFU": (
            *(PRETRAINED, "tofu_small", "retain.token_entropy"),
        ),
        "token entropy of answers on the retain set, fictitious people": (
            *(CONTROLLED, "fictitious", "retain.token_entropy"),
        ),
    }
    by_metric = tuple(
        SetUp(
            *(track, test, 1),
            partial(better_by_metric, task=task, method=method, rivals=rivals, metric=metric),
        )
        for test, (track, task, metric) in metrics.items()
    )
    return by_metric + tuple(
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
    Claim(
        KRISHNAN,
        "They disagree more in larger models.",
        tuple(
            SetUp(
                track,
                f"share of frequent facts of which the two disagree less that on {smaller}",
                1,
                partial(grown, smaller=smaller, variant="high", quantity="disagreement"),
            )
            for smaller, track in pairwise(STUDIES)
        ),
    ),
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
        tuple(
            SetUp(
                track,
                f"outliers at {SHARE_LEVEL} less those of gradient ascent{where}",
                -1,
                partial(against_ascent, task=task, quantity="outliers", methods=("sga", "tau")),
            )
            for track, task, where in (
                (CONTROLLED, "memorized", ""),
                (STUDIES[1], "memorized", ", other thresholds"),
                (STUDIES[1], "memorized_distinct", ", texts that share no clauses"),
                (STUDIES[2], "memorized", ", larger model"),
            )
        ),
    ),
    Claim(
        BARBULESCU,
        "Which method is best depends on model size and forget-set size.",
        (
            SetUp(
                STUDIES[1],
                "lead of a method over another at 25 % of the people less that at 1 %",
                0,
                lambda standings, track: turned(
                    standings, (track, "forget_size", "1"), (track, "forget_size", "25")
                ),
            ),
            SetUp(
                STUDIES[-1],
                f"lead of a method over another at 10 % of the people less that on {STUDIES[0]}",
                0,
                lambda standings, track: turned(
                    standings, (STUDIES[0], "forget_size", "10"), (track, "forget_size", "10")
                ),
            ),
        ),
    ),
)
