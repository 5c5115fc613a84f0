"""Tests published claims about unlearning on the records: an estimate per method and set-up, with
an interval and a verdict.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from types import MappingProxyType

import pandas as pd

from benchmark.statistics.estimates import (
    PAIR,
    Estimates,
    Spread,
    above_the_oracle,
    against_ascent,
    better_by_metric,
    better_than,
    by_stratum,
    grown,
    median_over,
    misaligned,
    more_left,
    out_less_in,
    turned,
)
from benchmark.statistics.ranking import Standings, combined
from benchmark.statistics.trajectories import (
    AREA,
    EQUAL_LEVEL,
    LOST,
    ORACLE_LEVEL,
    SHARE_LEVEL,
    STEPS,
)

HOLDS, FAILS, OPEN = "holds", "does not hold", "cannot be told"
CONTROLLED, PRETRAINED = "controlled-1m", "smollm2-135m"
STUDIES = ("study-250k", "study-1m", "study-4m", "study-16m")  # by model size
CLOSER = ("study-claims-1m", "study-claims-4m")  # their set-ups are closer to those of the papers
BASELINES = ("grad_ascent", "grad_diff", "npo")
SELECTIVE = ("sga", "tau")  # select texts by how well these are memorized
AWARE = (*SELECTIVE, "wga", "satimp", "adapop")  # also those that weight tokens by probability
SETTING = ("paper", "claim", "track", "task", "test", "sign")
COLUMNS = (*SETTING, "of", "value", "low", "high", "verdict")

LEAST = 0.005  # smallest difference that counts if either direction is expected

Row = dict[str, object]


@dataclass(frozen=True)
class SetUp:
    """One test of a claim on a track and task. `sign` is the sign of the estimates that the claim
    expects: 1 or -1, or 0 for a difference in either direction.
    """

    track: str
    task: str
    test: str
    sign: int
    estimates: Callable[[Standings, str, str], Estimates]


@dataclass(frozen=True)
class Claim:
    """A claim in the direction that the paper states; without set-ups, no record tests it."""

    paper: str
    text: str
    setups: tuple[SetUp, ...] = ()


def verdict(spread: Spread, sign: int) -> str:
    """HOLDS or FAILS by the side of 0 on which an interval lies; OPEN if that cannot be told."""
    value, low, high = spread
    unclear = math.isnan(value) or math.isnan(low) or low <= 0 <= high
    if unclear or (sign == 0 and abs(value) < LEAST):
        return OPEN
    return HOLDS if sign == 0 or (value > 0) == (sign > 0) else FAILS


def claim_rows(
    standings: Sequence[Standings], claims: Iterable[Claim] | None = None
) -> pd.DataFrame:
    """A row for each estimate of each set-up (COLUMNS) on the tracks of all these standings; a
    claim without estimates has one row without a value. Uses CLAIMS if no claims are given.
    """
    rows: list[Row] = []
    together = combined(standings)
    for claim in CLAIMS if claims is None else claims:
        found = list(_rows(together, claim))
        nothing = {"track": "", "task": "", "test": "", "sign": 0, "of": "", "verdict": OPEN}
        rows += found or [{"paper": claim.paper, "claim": claim.text, **nothing}]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _rows(standings: Standings, claim: Claim) -> Iterator[Row]:
    for setup in claim.setups:
        about: Row = {"paper": claim.paper, "claim": claim.text}
        about |= {"track": setup.track, "task": setup.task}
        about |= {"test": setup.test, "sign": setup.sign}
        for name, spread in setup.estimates(standings, setup.track, setup.task):
            numbers: Row = dict(zip(("value", "low", "high"), spread, strict=True))
            yield about | numbers | {"of": name, "verdict": verdict(spread, setup.sign)}


def over_methods(rows: pd.DataFrame) -> pd.DataFrame:
    """A row per test in `claim_rows`: SETTING, the counts of its verdicts, and the median estimate
    with its interval over methods and the verdict on it.

    Estimates for pairs of methods are not independent, so their median has no interval and no
    verdict. A test that expects a difference in either direction has no verdict either, since
    opposite differences may have a median of 0.
    """
    found: list[Row] = []
    for setting, own in rows[rows["test"] != ""].groupby(list(SETTING), sort=False):
        about: Row = dict(zip(SETTING, setting, strict=True))
        value, *ends = median_over(own["value"])
        paired = own["of"].str.contains(PAIR).any()
        sign, (low, high) = int(own["sign"].iloc[0]), (math.nan, math.nan) if paired else ends
        counts = {told: int((own["verdict"] == told).sum()) for told in (HOLDS, FAILS, OPEN)}
        numbers: Row = {"estimates": int(own["value"].notna().sum())}
        numbers |= {"value": value, "low": low, "high": high}
        told = verdict((value, low, high), sign) if sign and not paired else ""
        found.append(about | counts | numbers | {"verdict": told})
    columns = [*SETTING, HOLDS, FAILS, OPEN, "estimates", "value", "low", "high", "verdict"]
    return pd.DataFrame(found, columns=columns)


KRISHNAN, BALUTA = "Krishnan et al. 2025", "Baluta et al. 2024"
YUAN, BARBULESCU = "Yuan et al. 2024", "Barbulescu and Triantafillou 2024"
PROBABILITY, SAID = "paraphrased_probability", "exact_answer"

PLACES = {
    "fictitious people": (CONTROLLED, "fictitious"),
    "ten sequential requests": (CONTROLLED, "continual"),
    "real facts": (PRETRAINED, "real_entities"),
    "TOFU": (PRETRAINED, "tofu_small"),
}
DEFAULT_FORM = "me_gd (direction=from_uniform, positions=answer)"  # already tested on the board
OTHER_FORMS = {  # of a method, with other parameters
    "fictitious people, other variants of ME+GD": (CLOSER[0], "fictitious"),
    "ten sequential requests, other variants of ME+GD": (CLOSER[0], "continual"),
}
# Measures of TOFU itself and of Yuan et al., with the sign of a better method's difference.
MEASURES = {
    "ROUGE on the forget set": ("rouge_l_recall", -1),
    "probability of the forget set": ("probability", -1),
    "ROUGE on the retain set": ("retain.rouge_l_recall", 1),
    "probability of the retain set": ("retain.probability", 1),
    "token entropy of generations on the forget set": ("token_entropy", 1),
}


def _beats(
    method: str,
    rivals: tuple[str, ...],
    forms: Mapping[str, tuple[str, str]] = MappingProxyType({}),
) -> tuple[SetUp, ...]:
    """Set-ups of score and axes in all PLACES and `forms`, and of MEASURES, against `rivals`."""
    rated = tuple(
        SetUp(
            track,
            task,
            f"{quantity}, {scenario}",
            1,
            partial(
                better_than,
                method=method,
                rivals=rivals,
                quantity=quantity,
                without=DEFAULT_FORM if scenario in forms else "",
            ),
        )
        for scenario, (track, task) in {**PLACES, **forms}.items()
        for quantity in ("score", "forgetting", "utility")
    )
    return rated + tuple(
        SetUp(
            PRETRAINED,
            "tofu_small",
            f"{test}, TOFU",
            sign,
            partial(better_by_metric, method=method, rivals=rivals, metric=metric),
        )
        for test, (metric, sign) in MEASURES.items()
    )


CLAIMS = (
    Claim(
        KRISHNAN,
        "More frequent knowledge is harder to unlearn.",
        (
            SetUp(
                CONTROLLED,
                "frequency",
                "residual probability, facts in 16-32 texts minus facts in 1-2",
                1,
                partial(more_left, metric=PROBABILITY),
            ),
            SetUp(
                CONTROLLED,
                "frequency",
                "share still answered correctly, facts in 16-32 texts minus facts in 1-2",
                1,
                partial(more_left, metric=SAID),
            ),
            SetUp(
                PRETRAINED,
                "real_entities",
                "residual probability, frequent minus rare entities",
                1,
                partial(more_left, metric=PROBABILITY),
            ),
            SetUp(
                PRETRAINED,
                "real_entities",
                "leak@16, frequent minus rare entities",
                1,
                partial(more_left, metric="leak_at_16"),
            ),
        ),
    ),
    Claim(
        KRISHNAN,
        "Probability-based and generation-based evaluations disagree.",
        tuple(
            SetUp(
                track,
                task,
                f"knowledge by generation minus that by probability, {task}/{variant}",
                0,
                partial(misaligned, variant=variant),
            )
            for track, task in ((CONTROLLED, "frequency"), (PRETRAINED, "real_entities"))
            for variant in ("low", "high")
        ),
    ),
    Claim(
        KRISHNAN,
        "Probability-based and generation-based evaluations disagree more in larger models.",
        tuple(
            SetUp(
                track,
                "frequency",
                f"{measure} minus that on {smaller}",
                sign,
                partial(grown, smaller=smaller, variant="high", quantity=quantity),
            )
            for quantity, measure, sign in (
                ("disagreement", "share of frequent facts on which the two disagree", 1),
                ("correlation", "rank correlation of the two over frequent facts", -1),
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
                "distribution",
                f"steps to {level}, canaries minus ordinary facts",
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
                "distribution",
                "area under the utility-forgetting curve, canaries minus ordinary facts",
                1,
                partial(out_less_in, level="", quantity=AREA),
            ),
        ),
    ),
    Claim(
        BALUTA,
        "Utility decays fast when in-distribution examples are unlearned.",
        (
            SetUp(
                CONTROLLED,
                "distribution",
                f"utility lost at {SHARE_LEVEL}, canaries minus ordinary facts",
                -1,
                partial(out_less_in, level=SHARE_LEVEL, quantity=LOST),
            ),
        ),
    ),
    Claim(
        BALUTA,
        "What remains of an example depends on its memorization and difficulty.",
        tuple(
            SetUp(
                CONTROLLED,
                "distribution",
                f"residual probability, upper minus lower third by {stratum}, split {variant}",
                0,
                partial(by_stratum, variant=variant, metric=PROBABILITY, stratum=stratum),
            )
            for stratum in ("memorization", "difficulty")
            for variant in ("in", "out")
        ),
    ),
    Claim(
        YUAN,
        "Maximizing entropy (ME+GD) outperforms gradient ascent, gradient difference and NPO.",
        _beats("me_gd", BASELINES, OTHER_FORMS),
    ),
    Claim(
        YUAN,
        "Answer preservation (IDK+AP) outperforms refusal training (IDK) and NPO.",
        _beats("idk_ap", ("idk", "npo")),
    ),
    Claim(
        BARBULESCU,
        "Methods that ignore how well each text is memorized leave outliers.",
        (
            SetUp(
                CONTROLLED,
                "memorized",
                "outliers after unlearning minus those of the oracles",
                1,
                partial(above_the_oracle, metric="outliers", without=AWARE),
            ),
        ),
    ),
    Claim(
        BARBULESCU,
        "A loss-based membership attack (MIAU) reveals which texts such methods unlearned.",
        (
            SetUp(
                CONTROLLED,
                "memorized",
                "AUC of MIAU minus that of the oracles",
                1,
                partial(above_the_oracle, metric="mia_unlearned", without=AWARE),
            ),
        ),
    ),
    Claim(
        BARBULESCU,
        "SGA and TAU leave fewer outliers than gradient ascent at equal forgetting.",
        tuple(
            SetUp(
                track,
                task,
                f"outliers minus those of gradient ascent at {EQUAL_LEVEL}{setting}",
                -1,
                partial(against_ascent, quantity="outliers", methods=SELECTIVE),
            )
            for track, task, setting in (
                (CONTROLLED, "memorized", ""),
                (CLOSER[0], "memorized", ", thresholds from 0.1 to 0.7"),
                (CLOSER[0], "memorized_distinct", ", texts that share no clauses"),
                (CLOSER[1], "memorized", ", a larger model"),
                (CLOSER[1], "memorized_distinct", ", a larger model, texts that share no clauses"),
            )
        ),
    ),
    Claim(
        BARBULESCU,
        "Which method is best depends on model size and forget-set size.",
        (
            SetUp(
                STUDIES[1],
                "forget_size",
                "score difference at 25 % of the people, pairs that differ significantly at 1 %",
                -1,
                lambda standings, track, task: turned(
                    standings, (track, task, "1"), (track, task, "25")
                ),
            ),
            SetUp(
                STUDIES[-1],
                "forget_size",
                f"score difference at 10 %, pairs that differ significantly on {STUDIES[0]}",
                -1,
                lambda standings, track, task: turned(
                    standings, (STUDIES[0], task, "10"), (track, task, "10")
                ),
            ),
        ),
    ),
)
