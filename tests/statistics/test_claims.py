"""Claims put to the records: estimates by hand, verdicts at their edges, no estimate at all."""

import math
from dataclasses import fields

import pandas as pd
import pytest

from benchmark.statistics.claims import (
    BALUTA,
    CLAIMS,
    CONTROLLED,
    FAILS,
    HOLDS,
    KRISHNAN,
    OPEN,
    STUDIES,
    Claim,
    SetUp,
    claim_rows,
    verdict,
)
from benchmark.statistics.estimates import difference
from benchmark.statistics.ranking import Standings
from benchmark.statistics.variants import QUANTITIES
from leaderboard.claim_tables import claims_markdown

NAN = math.nan


def test_mover_by_hand():
    """Of 0.7 [0.6, 0.9] and 0.2 [0.1, 0.5]."""
    found = difference((0.7, 0.6, 0.9), (0.2, 0.1, 0.5))
    below, above = math.hypot(0.1, 0.3), math.hypot(0.2, 0.1)
    assert found == pytest.approx((0.5, 0.5 - below, 0.5 + above))
    turned = difference((0.2, 0.1, 0.5), (0.7, 0.6, 0.9))
    assert turned == pytest.approx((-found[0], -found[2], -found[1]))


@pytest.mark.parametrize(
    ("spread", "sign", "expected"),
    [
        ((0.2, 0.1, 0.3), 1, HOLDS),
        ((0.2, 0.1, 0.3), -1, FAILS),
        ((-0.2, -0.3, -0.1), -1, HOLDS),
        ((-0.2, -0.3, -0.1), 1, FAILS),
        ((-0.2, -0.3, -0.1), 0, HOLDS),
        ((0.2, 0.0, 0.3), 1, OPEN),
        ((0.2, -0.1, 0.3), 0, OPEN),
        ((NAN, NAN, NAN), 1, OPEN),
        ((math.inf, NAN, NAN), 1, OPEN),
        ((5.0, 2.0, math.inf), 1, HOLDS),
    ],
)
def test_a_claim_holds_only_where_the_interval_lies_on_its_side(spread, sign, expected):
    assert verdict(spread, sign) == expected


def strata(**left):
    """Probability left on `frequency` by method, as (low, high) of the two variants."""
    rows = [
        {"track": CONTROLLED, "task": "frequency", "variant": variant, "method": method}
        | {"metric": "paraphrased_probability", "stratum": "all"}
        | {"value": value, "low": value - 0.05, "high": value + 0.05}
        for method, values in left.items()
        for variant, value in zip(("low", "high"), values, strict=True)
    ]
    return pd.DataFrame(rows)


def tables(**given):
    """Standings of these tables alone."""
    return Standings(**{field.name: pd.DataFrame() for field in fields(Standings)} | given)


@pytest.fixture
def standings():
    """Standings with what is left of frequent and rare facts, and nothing else."""
    overall = pd.DataFrame({"method": ["npo", "sga", "idk", "none"], "anchor": [0, 0, 0, 1]})
    left = strata(npo=(0.1, 0.4), sga=(0.4, 0.1), idk=(0.2, 0.22), none=(0.8, 0.9), oracle=(0, 0))
    return tables(overall=overall, strata=left)


def test_each_method_that_competes_has_a_verdict(standings):
    first = claim_rows([standings], CLAIMS[:1])
    assert dict(zip(first["of"], first["verdict"], strict=True)) == {
        "npo": HOLDS,
        "sga": FAILS,
        "idk": OPEN,
    }
    [npo] = first[first["of"] == "npo"].to_dict("records")
    assert (npo["paper"], npo["track"]) == (KRISHNAN, CONTROLLED)
    half = math.hypot(0.05, 0.05)
    assert (npo["value"], npo["low"], npo["high"]) == pytest.approx((0.3, 0.3 - half, 0.3 + half))


def test_where_nothing_is_scored_no_claim_can_be_told():
    rows = claim_rows([tables()])
    assert len(rows) == len(CLAIMS)
    assert set(rows["verdict"]) == {OPEN}


def test_a_claim_without_estimates_is_told_as_such(standings):
    [row] = claim_rows([standings], [Claim("A paper", "A claim.")]).to_dict("records")
    assert (row["verdict"], row["test"]) == (OPEN, "")
    text = claims_markdown(claim_rows([standings], CLAIMS))
    assert text.count("No published record tests it.") == len(CLAIMS) - 1
    assert "| 1 | 1 | 1 | 0.020 (-0.300 to 0.300) |" in text


def test_a_difference_that_no_draw_reaches_is_neither_averaged_nor_lost(standings):
    def never(_, __):
        yield "npo", (math.inf, NAN, NAN)

    rows = claim_rows(
        [standings], [Claim(BALUTA, "Steps.", (SetUp(CONTROLLED, "steps", 1, never),))]
    )
    assert rows["verdict"].tolist() == [OPEN]
    assert "| steps | `controlled-1m` | 0 | 0 | 1 | – |" in claims_markdown(rows)


def test_a_claim_may_compare_the_tracks_of_two_standings():
    """Of npo the two disagree on .1 of the facts in the small model, on .3 in the large one."""

    def disagreement(track, value):
        place = {"track": track, "task": "frequency", "variant": "high", "stratum": "all"}
        number = {"value": value, "low": value - 0.03, "high": value + 0.04}
        return tables(
            overall=pd.DataFrame({"track": [track], "method": ["npo"], "anchor": [False]}),
            misalignment=pd.DataFrame(
                [place | {"method": "npo", "quantity": "disagreement"} | number]
            ),
        )

    [larger] = [claim for claim in CLAIMS if "larger models" in claim.text]
    apart = [disagreement(track, value) for track, value in zip(STUDIES, (0.1, 0.3), strict=False)]
    [row] = claim_rows(apart, [larger]).to_dict("records")
    assert (row["track"], row["of"], row["verdict"]) == ("study-1m", "npo", HOLDS)
    assert (row["value"], row["low"]) == pytest.approx((0.2, 0.2 - math.hypot(0.03, 0.04)))


def test_leads_that_turn_are_told_by_pairs():
    """a leads b by .4 at one per cent and trails by .2 at 25: the lead shrinks by .6."""
    scores = {"1": {"a": 0.8, "b": 0.4}, "25": {"a": 0.3, "b": 0.5}}
    rows = [
        {"track": STUDIES[1], "task": "forget_size", "variant": variant, "method": method}
        | {"score": score, "score_low": score - 0.1, "score_high": score + 0.1}
        for variant, by_method in scores.items()
        for method, score in by_method.items()
    ]
    [depends] = [claim for claim in CLAIMS if "forget-set size" in claim.text]
    [row] = claim_rows([tables(variants=pd.DataFrame(rows))], [depends]).to_dict("records")
    assert (row["of"], row["verdict"]) == ("a against b", HOLDS)
    assert (row["value"], row["high"]) == pytest.approx((-0.6, -0.6 + 0.2))


def test_forms_of_a_method_are_compared_each_with_its_rivals():
    rows = [
        {"track": STUDIES[1], "task": "fictitious", "method": method}
        | {f"{name}{end}": score for name in QUANTITIES for end in ("", "_low", "_high")}
        for method, score in (("me_gd (lora=False)", 0.2), ("me_gd (lora=True)", 0.5), ("npo", 0.4))
    ]
    [beats] = [claim for claim in CLAIMS if claim.text.startswith("Maximizing entropy")]
    found = claim_rows([tables(tasks=pd.DataFrame(rows))], [beats])
    scores = found[found["test"].str.startswith("score,")]
    assert dict(zip(scores["of"], scores["verdict"], strict=True)) == {
        "me_gd (lora=False) against npo": FAILS,
        "me_gd (lora=True) against npo": HOLDS,
    }


def test_tofus_own_measures_are_compared_by_their_range_over_seeds():
    place = {"track": "smollm2-135m", "task": "tofu_small", "quantity": "model_utility"}
    rows = [
        place | {"method": "idk_ap", "value": 0.6, "low": 0.58, "high": 0.62},
        place | {"method": "npo", "value": 0.5, "low": 0.45, "high": 0.52},
    ]
    [beats] = [claim for claim in CLAIMS if claim.text.startswith("Answer preservation")]
    [row] = claim_rows([tables(summaries=pd.DataFrame(rows))], [beats]).to_dict("records")
    assert (row["test"], row["of"]) == ("TOFU's model utility", "idk_ap against npo")
    assert (row["value"], row["low"]) == pytest.approx((0.1, 0.1 - math.hypot(0.02, 0.02)))
