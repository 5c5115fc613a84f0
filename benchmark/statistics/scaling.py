"""How findings change with the size of the model and of the forget set (suite `scaling`)."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from benchmark.statistics.claims import PROBABILITY
from benchmark.statistics.estimates import drawn, misaligned, more_left, paired, where
from benchmark.statistics.ranking import Standings

# Parameters in millions, by track.
SIZES = {
    "study-250k": 0.26,
    "study-1m": 0.93,
    "study-4m": 3.9,
    "study-5m": 5.5,
    "study-16m": 16.4,
    "study-25m": 27.0,
    "study-85m": 86.9,
    "study-210m": 208.0,
}
SHARES = {"1": 1, "5": 5, "10": 10, "25": 25}  # per cent of the people, by variant of forget_size
SCORE = ("score", "score_low", "score_high")
NUMBERS = ("value", "low", "high")

Row = dict[str, object]


def scaling_rows(standings: Standings) -> pd.DataFrame:
    """Rows of track, size, method, quantity, share, value, low and high, for each size:

    - `harder`: the residual probability of frequent facts minus that of rare ones;
    - `disagreement`: the share of frequent facts on which probability and generation contradict
      each other;
    - `gap`: knowledge of frequent facts by generation minus knowledge by probability;
    - `score`: by `share` of the people forgotten, in per cent; the share is 0 for other quantities.
    """
    tracks = [track for track in SIZES if track in set(standings.strata.get("track", ()))]
    rows = [row for track in tracks for row in _rows(standings, track)]
    return pd.DataFrame(rows, columns=["track", "size", "method", "quantity", "share", *NUMBERS])


def _rows(standings: Standings, track: str) -> Iterator[Row]:
    about: Row = {"track": track, "size": SIZES[track]}
    quantities = {
        "harder": more_left(standings, track, "frequency", PROBABILITY),
        "disagreement": misaligned(standings, track, "frequency", "high", "disagreement"),
        "gap": misaligned(standings, track, "frequency", "high", "gap"),
    }
    for quantity, estimates in quantities.items():
        for method, spread in estimates:
            numbers: Row = dict(zip(NUMBERS, spread, strict=True))
            yield about | {"method": method, "quantity": quantity, "share": 0} | numbers
    own = where(standings.variants, track=track, task="forget_size")
    for row in own.to_dict("records"):
        numbers = {name: row[column] for name, column in zip(NUMBERS, SCORE, strict=True)}
        share = SHARES[row["variant"]]
        yield about | {"method": row["method"], "quantity": "score", "share": share} | numbers


def best(rows: pd.DataFrame, competing: set[str], standings: Standings) -> pd.DataFrame:
    """The score rows of `scaling_rows`, for each size of model and forget set, of the competing
    methods that the best one does not significantly beat, in descending order.
    """
    scores = rows[(rows["quantity"] == "score") & rows["method"].isin(competing)].dropna(
        subset=["value"]
    )
    kept = []
    for (track, share), own in scores.groupby(["track", "share"], sort=False):
        ordered = own.sort_values("value", ascending=False)
        place = {"track": str(track), "task": "forget_size", "variant": str(share)}
        by_method = drawn(standings, "score", **place)
        first, *_ = names = list(ordered["method"])
        behind = [paired(by_method[first], by_method[name])[1] > 0 for name in names]
        kept.append(ordered[[not clearly for clearly in behind]])
    return pd.concat(kept) if kept else scores
