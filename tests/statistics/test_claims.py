"""Claims tested on the records: estimates by hand, borderline verdicts, and missing estimates."""

import math
from dataclasses import fields

import numpy as np
import pandas as pd
import pytest

from benchmark.metrics import METRICS
from benchmark.statistics.claims import (
    BALUTA,
    CLAIMS,
    CLOSER,
    CONTROLLED,
    DEFAULT_FORM,
    FAILS,
    HOLDS,
    KRISHNAN,
    MEASURES,
    OPEN,
    STUDIES,
    Claim,
    SetUp,
    claim_rows,
    over_methods,
    verdict,
)
from benchmark.statistics.draws import packed
from benchmark.statistics.estimates import difference, drawn, median_over, paired
from benchmark.statistics.ranking import Standings
from benchmark.statistics.variants import QUANTITIES
from leaderboard.claim_tables import claims_markdown, claims_summary, task_claims

NAN = math.nan


def test_mover_by_hand():
    """Difference between 0.7 [0.6, 0.9] and 0.2 [0.1, 0.5]."""
    found = difference((0.7, 0.6, 0.9), (0.2, 0.1, 0.5))
    below, above = math.hypot(0.1, 0.3), math.hypot(0.2, 0.1)
    assert found == pytest.approx((0.5, 0.5 - below, 0.5 + above))
    turned = difference((0.2, 0.1, 0.5), (0.7, 0.6, 0.9))
    assert turned == pytest.approx((-found[0], -found[2], -found[1]))


def test_what_rises_and_falls_together_is_told_apart_by_its_draws():
    """Means over two variants are 0.5 and 0.4; both vary by .3 over the draws but always differ by
    .1.
    """
    ups = np.array([0, -0.15, 0.05, 0.15])
    rows = [
        {"track": "t", "task": "k", "variant": variant, "method": method, "quantity": "score"}
        | {"packed": packed(score + ups + shift)}
        for method, score in (("one", 0.5), ("other", 0.4))
        for variant, shift in (("a", 0.05), ("b", -0.05))
    ]
    found = drawn(tables(draws=pd.DataFrame(rows)), "score", track="t", task="k")
    assert found["one"] == pytest.approx(0.5 + ups, abs=1e-4)
    assert paired(found["one"], found["other"]) == pytest.approx((0.1, 0.1, 0.1), abs=1e-4)


@pytest.mark.parametrize(
    ("spread", "sign", "expected"),
    [
        ((0.2, 0.1, 0.3), 1, HOLDS),
        ((0.2, 0.1, 0.3), -1, FAILS),
        ((-0.2, -0.3, -0.1), -1, HOLDS),
        ((-0.2, -0.3, -0.1), 1, FAILS),
        ((-0.2, -0.3, -0.1), 0, HOLDS),
        ((0.2, 0.0, 0.3), 1, OPEN),
        ((0.004, 0.003, 0.006), 0, OPEN),
        ((0.004, 0.003, 0.006), 1, HOLDS),
        ((0.2, -0.1, 0.3), 0, OPEN),
        ((NAN, NAN, NAN), 1, OPEN),
        ((math.inf, NAN, NAN), 1, OPEN),
        ((5.0, 2.0, math.inf), 1, HOLDS),
    ],
)
def test_a_claim_holds_only_where_the_interval_lies_on_its_side(spread, sign, expected):
    assert verdict(spread, sign) == expected


def strata(**left):
    """Probability left on `frequency` by method, given as (low, high) for the two variants."""
    rows = [
        {"track": CONTROLLED, "task": "frequency", "variant": variant, "method": method}
        | {"metric": "paraphrased_probability", "stratum": "all"}
        | {"value": value, "low": value - 0.05, "high": value + 0.05}
        for method, values in left.items()
        for variant, value in zip(("low", "high"), values, strict=True)
    ]
    return pd.DataFrame(rows)


def tables(**given):
    """Standings that contain only these tables."""
    return Standings(**{field.name: pd.DataFrame() for field in fields(Standings)} | given)


@pytest.fixture
def standings():
    """Standings that contain only what is left of frequent and rare facts."""
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
    assert "| `controlled-1m` | npo | 0.300 [0.229, 0.371] | holds |" in text
    assert "| `controlled-1m` | sga | -0.300 [-0.371, -0.229] | does not hold |" in text


def test_a_difference_that_no_draw_reaches_is_neither_averaged_nor_lost(standings):
    def never(*_):
        yield "npo", (math.inf, NAN, NAN)

    rows = claim_rows(
        [standings],
        [Claim(BALUTA, "Steps.", (SetUp(CONTROLLED, "distribution", "steps", 1, never),))],
    )
    assert rows["verdict"].tolist() == [OPEN]
    [told] = over_methods(rows).to_dict("records")
    assert (told["value"], told["verdict"], told[OPEN]) == (math.inf, OPEN, 1)
    assert "| npo | not within the budget | cannot be told |" in claims_markdown(rows)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([3, 1, 2], (2, NAN, NAN)),
        ([1, 2, 3, 4, 5, 6], (3.5, 1, 6)),
        ([*range(1, 10)], (5, 2, 8)),
        ([*range(1, 34)], (17, 11, 23)),
        ([math.inf, 1, NAN, 2, 3, math.inf, -math.inf], (2.5, -math.inf, math.inf)),
        ([NAN], (NAN, NAN, NAN)),
    ],
)
def test_the_interval_of_a_median_is_that_of_the_sign_test(values, expected):
    """Ends from a table of the sign test: the 1st, 2nd and 11th value from either side for n = 6,
    9, 33.
    """
    assert median_over(values) == pytest.approx(expected, nan_ok=True)


def test_pairs_and_differences_in_either_direction_have_no_verdict_on_their_median(standings):
    """The six pairs share a method; the six methods differ, three in each direction."""

    def pairs(*_):
        for i in range(6):
            yield f"a against b{i}", (0.5, 0.4, 0.6)

    def both(*_):
        for i in range(6):
            value = (-1) ** i * 0.5
            yield f"m{i}", (value, value - 0.1, value + 0.1)

    setups = (
        SetUp(CONTROLLED, "frequency", "pairs", 1, pairs),
        SetUp(CONTROLLED, "frequency", "both", 0, both),
    )
    rows = claim_rows([standings], [Claim(BALUTA, "Something.", setups)])
    pair, either = over_methods(rows).to_dict("records")
    assert (pair["value"], pair[HOLDS], pair["verdict"]) == (0.5, 6, "")
    assert math.isnan(pair["low"])
    assert (either["low"], either["high"], either[HOLDS], either["verdict"]) == (-0.5, 0.5, 6, "")
    assert "| median of 6 | 0.500 | – | 6 | 0 | 0 |" in claims_markdown(rows)


def test_a_test_of_many_methods_has_a_row_with_their_median(standings):
    """Eight methods, one of which contradicts the claim."""

    def eight(*_):
        for i in range(8):
            value = -0.1 if i == 0 else i / 10
            yield f"m{i}", (value, value - 0.15, value + 0.05)

    claim = Claim(BALUTA, "Steps.", (SetUp(CONTROLLED, "distribution", "steps", 1, eight),))
    rows = claim_rows([standings], [claim])
    text = claims_markdown(rows)
    assert "| steps | `controlled-1m` | median of 8 | 0.350 [-0.100, 0.700] |" in text
    assert "| cannot be told | 6 | 1 | 1 |" in text
    assert f"| {BALUTA} | Steps. | 6 | 1 | 1 |" in claims_summary(rows)
    assert task_claims(rows, "distribution")
    assert not task_claims(rows, "frequency")


def test_a_claim_may_compare_the_tracks_of_two_standings():
    """For npo, probability and generation disagree on .1 of the facts in the small model and on .3
    in the large one.
    """

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


def scores_at(track, variant, **scores):
    """Ten draws of each score, the same in every call, that deviate by up to .1 independently of
    each other.
    """
    place = {"track": track, "task": "forget_size", "variant": variant}
    rng = np.random.default_rng(0)
    return [
        place
        | {"method": m, "quantity": "score"}
        | {"packed": packed(s + np.append(0, rng.uniform(-0.1, 0.1, 10)))}
        for m, s in scores.items()
    ]


def test_the_best_depends_on_size_where_a_certain_lead_turns():
    """a leads b by .4 at one per cent and trails by .2 at 25; it certainly leads c at both sizes.
    At one per cent neither b nor c certainly leads the other.
    """
    rows = [
        *scores_at(STUDIES[1], "1", a=0.8, b=0.4, c=0.45),
        *scores_at(STUDIES[1], "25", a=0.5, b=0.7, c=0.1),
    ]
    [depends] = [claim for claim in CLAIMS if "forget-set size" in claim.text]
    found = claim_rows([tables(draws=pd.DataFrame(rows))], [depends]).set_index("of")
    assert found["verdict"].to_dict() == {"a against b": HOLDS, "a against c": FAILS}
    assert found.loc["a against b", "value"] == pytest.approx(-0.2, abs=1e-4)


def test_other_forms_of_a_method_are_compared_each_with_its_rivals():
    """The default form, which the board's track tests already, is not tested twice."""
    rows = [
        {"track": CLOSER[0], "task": "fictitious", "variant": "", "method": method}
        | {"quantity": name, "packed": packed(np.full(5, score))}
        for method, score in (
            *((DEFAULT_FORM, 0.9), ("me_gd (lora=False)", 0.2)),
            *(("me_gd (lora=True)", 0.5), ("npo", 0.4)),
        )
        for name in QUANTITIES
    ]
    [beats] = [claim for claim in CLAIMS if claim.text.startswith("Maximizing entropy")]
    found = claim_rows([tables(draws=pd.DataFrame(rows))], [beats])
    scores = found[found["test"].str.startswith("score,")]
    assert dict(zip(scores["of"], scores["verdict"], strict=True)) == {
        "me_gd (lora=False) against npo": FAILS,
        "me_gd (lora=True) against npo": HOLDS,
    }


def test_only_methods_that_choose_texts_by_memorization_may_leave_none(standings):
    texts = standings.strata.assign(task="memorized", metric="outliers")
    left = tables(overall=standings.overall, strata=texts[texts["variant"] == "low"])
    [claim] = [claim for claim in CLAIMS if "leave outliers" in claim.text]
    found = claim_rows([left], [claim])
    assert dict(zip(found["of"], found["value"], strict=True)) == {"npo": 0.1, "idk": 0.2}


def test_what_is_left_of_tofu_should_be_less_than_after_rivals():
    place = {"track": "smollm2-135m", "task": "tofu_small", "variant": "all", "stratum": "all"}
    rows = [
        place | {"metric": metric, "method": method, "value": value}
        for metric in ("rouge_l_recall", "retain.rouge_l_recall")
        for method, value in (("idk_ap", 0.2), ("npo", 0.5))
    ]
    strata = pd.DataFrame(rows).assign(low=lambda t: t["value"] - 0.1, high=lambda t: t["value"])
    [beats] = [claim for claim in CLAIMS if claim.text.startswith("Answer preservation")]
    found = claim_rows([tables(strata=strata)], [beats]).set_index("test")["verdict"]
    assert found.to_dict() == {
        "ROUGE on the forget set, TOFU": HOLDS,
        "ROUGE on the retain set, TOFU": FAILS,
    }


def test_measures_of_claims_are_of_splits_that_have_them():
    for name, _ in MEASURES.values():
        split, _, metric = name.rpartition(".")
        assert (split or "forget") in METRICS[metric].splits
