"""How findings change with model size, by hand; the sizes are those of the tracks."""

from collections import UserList
from dataclasses import fields

import numpy as np
import pandas as pd
import pytest
import torch

from benchmark.models.controlled import new_model
from benchmark.models.tracks import all_tracks, track_named
from benchmark.records.identity import STUDY_PREFIX
from benchmark.statistics.claims import CLOSER, STUDIES
from benchmark.statistics.draws import packed
from benchmark.statistics.practice import ATTACKS_STUDY
from benchmark.statistics.ranking import Standings
from benchmark.statistics.scaling import SHARES, SIZES, best, scaling_rows
from tasks.forget_size.task import PEOPLE


def tables(**given):
    return Standings(**{field.name: pd.DataFrame() for field in fields(Standings)} | given)


class Vocabulary(UserList):
    """A vocabulary with as many tokens as a track asks for."""

    eos_token_id, pad_token_id = 0, 1


@pytest.mark.parametrize("track", SIZES)
def test_sizes_are_those_of_the_models(track):
    described = track_named(track)
    with torch.device("meta"):
        model = new_model(described, Vocabulary(range(described.vocabulary)), seed=0)
    assert sum(p.numel() for p in model.parameters()) / 1e6 == pytest.approx(SIZES[track], rel=0.03)
    assert described.parameters == model.num_parameters()
    assert described.gains_from_gpus == (SIZES[track] > 5)


def test_every_scaling_track_has_a_size_and_every_share_its_people():
    names = {track.name for track in all_tracks() if track.name.startswith(STUDY_PREFIX)}
    apart = {*CLOSER, ATTACKS_STUDY}
    own = {name for name in names if not name.endswith("-dev")} - apart
    assert own == set(SIZES) >= set(STUDIES)
    assert {variant: 240 * share // 100 for variant, share in SHARES.items()} == PEOPLE


def strata(track, left):
    return pd.DataFrame(
        {"track": track, "task": "frequency", "variant": variant, "method": method}
        | {"metric": "paraphrased_probability", "stratum": "all"}
        | {"value": value, "low": value - 0.03, "high": value + 0.03}
        for method, values in left.items()
        for variant, value in zip(("low", "high"), values, strict=True)
    )


def variants(track, scores, half=0.05):
    return pd.DataFrame(
        {"track": track, "task": "forget_size", "variant": variant, "method": method}
        | {"score": score, "score_low": score - half, "score_high": score + half}
        for method, by_variant in scores.items()
        for variant, score in by_variant.items()
    )


def test_rows_by_hand():
    found = scaling_rows(
        tables(
            strata=strata("study-4m", {"npo": (0.1, 0.5)}),
            variants=variants("study-4m", {"npo": {"25": 0.6}}),
        )
    )
    harder, score = found.to_dict("records")
    assert (harder["quantity"], harder["size"]) == ("harder", SIZES["study-4m"])
    assert (harder["value"], harder["low"]) == pytest.approx((0.4, 0.4 - 0.03 * 2**0.5))
    assert (score["quantity"], score["share"], score["value"]) == ("score", 25, 0.6)


def draws(track, scores, half):
    """Five draws each, the plain score between the ends; all methods rise and fall together."""
    return pd.DataFrame(
        {"track": track, "task": "forget_size", "variant": variant, "method": method}
        | {"quantity": "score", "packed": packed(score + half * np.array([0, -1, -0.5, 0.5, 1]))}
        for method, by_variant in scores.items()
        for variant, score in by_variant.items()
    )


def test_the_best_are_all_that_the_highest_score_is_not_certainly_above():
    """Draws are paired: c is behind a in every draw although their intervals overlap, while b is
    ahead in one.
    """
    scores = {"a": {"1": 0.7, "5": 0.2}, "b": {"1": 0.64, "5": 0.6}, "c": {"1": 0.6}}
    scores["an anchor"] = {"1": 0.99}
    drawn = draws("study-1m", scores, 0.2)
    ahead = packed(np.array([0.64, 0.6, 0.3, 0.9, 0.8]))
    drawn.loc[(drawn["method"] == "b") & (drawn["variant"] == "1"), "packed"] = ahead
    together = tables(
        strata=strata("study-1m", {"a": (0, 0)}),
        variants=variants("study-1m", scores),
        draws=drawn,
    )
    kept = best(scaling_rows(together), {"a", "b", "c"}, together)
    assert kept[["share", "method"]].to_numpy().tolist() == [[1, "a"], [1, "b"], [5, "b"]]


def test_without_records_there_is_nothing():
    rows = scaling_rows(tables())
    assert rows.empty
    assert best(rows, {"a"}, tables()).empty
