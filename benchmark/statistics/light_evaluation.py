"""Whether trials, which are scored under few attacks, rank methods as all attacks would."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean

import numpy as np
import pandas as pd

from benchmark.statistics.attack_agreement import agreement
from benchmark.statistics.scores import floored_harmonic_mean
from benchmark.statistics.tables import Place, Row, where_of
from benchmark.statistics.variants import Run, VariantScores

ALL_ATTACKS = "all attacks"
# The attacks of each light evaluation, which may stand in for all attacks. Trials are also scored
# under those of the last one.
LIGHT: Mapping[str, tuple[str, ...]] = {
    "no attack": (),
    "on weights": ("quantize_int4_g64", "relearn_disjoint"),
    "by asking": ("prefix", "in_context"),
    "suite cpu": ("quantize_int4_g64", "relearn_disjoint", "prefix", "in_context"),
}
UNATTACKED = ("forgetting", "utility", "privacy")


def evaluation_rows(place: Place, scores: VariantScores) -> Iterator[Row]:
    """Yields the score of each method, averaged over its seeds, under each light evaluation and
    under all attacks; no rows if the variant has no attacks beyond the light ones.
    """
    where = where_of(place)
    for method, by_seed in sorted(scores.runs.items()):
        runs = list(by_seed.values())
        every = tuple(runs[0].scored.attacks)
        if not set(LIGHT["suite cpu"]) < set(every):
            continue
        for name, attacks in {**LIGHT, ALL_ATTACKS: every}.items():
            value = fmean(_score(scores, run, attacks) for run in runs)
            yield where | {"method": method, "evaluation": name, "value": value}


def _score(scores: VariantScores, run: Run, attacks: Sequence[str]) -> float:
    """The score of a run under these attacks alone, or of the other axes if there are no attacks;
    NaN if an axis is NaN.
    """
    axes = [run.scored.axes[axis][:1] for axis in UNATTACKED if scores.informs(axis)]
    if attacks:
        axes.append(np.min([run.scored.attacks[name][:1] for name in attacks], axis=0))
    if np.isnan(axes).any():
        return float("nan")
    return float(floored_harmonic_mean(axes, 1)[0])


def light_agreement(rows: pd.DataFrame) -> pd.DataFrame:
    """A row per light evaluation `one`: Kendall's tau-b between its scores and those under all
    attacks, `tau` with `low` and `high` over resampled methods, and the numbers of `points` and
    `methods`.
    """
    found = agreement(rows.rename(columns={"evaluation": "attack"}))
    return found[found["other"] == ALL_ATTACKS].drop(columns="other").reset_index(drop=True)
