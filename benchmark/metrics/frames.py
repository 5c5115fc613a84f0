"""Example frames, with a row per sample and a column per metric, and the parts of a frame that are
aggregated.

Runs, validation and the bootstrap share them; the bootstrap changes only the weights.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
import pandas as pd

from benchmark.metrics.base import MEMBERSHIP_HOLDOUT, METRICS, Metric
from benchmark.metrics.sample import Sample
from benchmark.metrics.stages import BUDGET, MODEL_STAGE, POINT, sort_of
from benchmark.metrics.union import UNION, union_of

ALL = "all"


def _score(metric: Metric, sample: Sample) -> float:
    """The metric's score of a sample; NaN, counted as failed, if the sample cannot be scored."""
    try:
        return metric.example(sample)
    except ValueError:  # an example that cannot be scored is counted as failed, never as a value
        return float("nan")


def _scored(stage: str, split: str, form: str, features: frozenset[str]) -> list[Metric]:
    return [m for m in METRICS.values() if m.applies(stage, split, form, features)]


def example_frame(samples: Iterable[Sample]) -> pd.DataFrame:
    """One row per sample: stage, split, example, entity, form, features, strata (JSON), and a
    column per metric.

    NaN marks values that were not scored.
    """
    rows = []
    scored = lru_cache(maxsize=None)(_scored)
    for sample in samples:
        features = sample.features
        row: dict[str, object] = {
            "stage": sample.stage,
            "split": sample.split,
            "example": sample.example,
            "entity": sample.entity,
            "form": sample.form,
            "features": " ".join(sorted(features)),
        }
        row["strata"] = json.dumps(sample.strata, sort_keys=True)
        if not np.isnan(
            sample.logprobs
        ).any():  # with NaN, all greedy tokens are wrong, and the resulting 0 would score best
            metrics = scored(sample.stage, sample.split, sample.form, features)
            row |= {m.id: _score(m, sample) for m in metrics}
        rows.append(row)
    columns = ["stage", "split", "example", "entity", "form", "features", "strata", *METRICS]
    return _fitted(pd.DataFrame(rows).reindex(columns=columns))


def _fitted(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with the values of fitted metrics replaced by their classifiers' scores, stage by
    stage.
    """
    fits = {metric.id: metric.fit for metric in METRICS.values() if metric.fit is not None}
    for name, fit in fits.items():
        for _, part in frame[frame[name].notna()].groupby("stage"):
            forget, holdout = (
                part.index[part["split"] == split] for split in ("forget", MEMBERSHIP_HOLDOUT)
            )
            scores = fit(
                *(frame.loc[rows, name].to_numpy(dtype=float) for rows in (forget, holdout))
            )
            for rows, values in zip((forget, holdout), scores, strict=True):
                frame.loc[rows, name] = values
    return frame


def relative_to(
    oracles: Sequence[pd.DataFrame], frame: pd.DataFrame, target: pd.DataFrame | None = None
) -> pd.DataFrame:
    """The frame with relative metrics computed against the oracles' values, and with the union of
    the probes that the target passes; NaN for examples that an oracle or the target lacks.
    """
    relative = {m.id: m.relative for m in METRICS.values() if m.relative is not None}
    final = frame["stage"] == MODEL_STAGE
    asked = pd.MultiIndex.from_frame(frame.loc[final, ["split", "example"]])
    theirs = [_of_final_model(oracle, list(relative)).reindex(asked) for oracle in oracles]
    related = frame.copy()
    for name, relate in relative.items():
        values = frame.loc[final, name].to_numpy(dtype=float)
        known = np.array([other[name].to_numpy(dtype=float) for other in theirs])
        related.loc[final, name] = relate(values, known) if theirs else np.nan
    if target is not None:
        rows = final & (frame["split"] == "forget")
        united = union_of(frame, target)
        related.loc[rows, UNION] = frame.loc[rows, "example"].map(united).astype(float)
    return related


def _of_final_model(frame: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    rows = frame[frame["stage"] == MODEL_STAGE]
    return rows.set_index(["split", "example"])[columns]


def reported(
    whole: pd.DataFrame, part: pd.DataFrame, stage: str, split: str, holdout: pd.DataFrame
) -> list[Metric]:
    """The metrics reported for a stage and split: those that apply to all its answer forms and to
    the features common to all samples in `part`; contrast metrics also need a holdout.

    `whole` is the split as evaluated on the final model, which determines the answer forms, since
    attacks may be scored on a subset.
    """
    forms = set(whole["form"])
    features = [frozenset(names.split()) for names in part["features"].unique()]
    common = frozenset.intersection(*features)
    return [
        metric
        for metric in METRICS.values()
        if split in metric.splits
        and all(metric.applies(stage, split, form, common) for form in forms)
        and not (metric.contrast and holdout.empty)
    ]


def parts_of(frame: pd.DataFrame) -> dict[tuple[str, str], pd.DataFrame]:
    """The rows of each stage and split."""
    return {
        (str(stage), str(split)): part
        for (stage, split), part in frame.groupby(["stage", "split"], sort=True)
    }


def strata_masks(part: pd.DataFrame, stage: str = MODEL_STAGE) -> dict[str, np.ndarray]:
    """(n,) boolean masks of the strata: "all", then "name=value" in sorted order; budget stages and
    points of an attack have only "all".
    """
    if sort_of(stage) in (BUDGET, POINT):
        return {ALL: np.ones(len(part), dtype=bool)}
    places, texts = pd.factorize(part["strata"])
    tags = [json.loads(text) for text in texts]
    names = sorted({(name, value) for tag in tags for name, value in tag.items()})
    masks = {
        f"{name}={value}": np.array([tag.get(name) == value for tag in tags])[places]
        for name, value in names
    }
    return {ALL: np.ones(len(part), dtype=bool), **masks}
