"""The rule that admits metrics of the forget set to an axis of the score.

A metric feeds forgetting or privacy for an answer form only if, on the pools of that form,

1. it is faithful: its AUC between models that know the facts and models that do not is at least
   LEAST_AUC;
2. it is neutral: the interval of its AUC between one half of the oracles and the other contains
   1/2, or there are too few oracles to tell;
3. it is fair: at least LEAST_PASSED of the oracles pass the threshold that is best for all other
   models.

Membership metrics, which compare with a holdout, are judged on models that have seen the examples
themselves. Robustness is reported but is not part of the rule: where an attack restores knowledge,
a faithful metric must rise. A metric on which models that were told the facts hardly differ from
the oracles is not judged; the score leaves it out wherever this happens.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmark.metrics import METRICS
from benchmark.statistics.axes import FED_BY, axis_of, is_barred
from benchmark.statistics.faithfulness import harmonic

LEAST_AUC, LEAST_PASSED = 0.9, 0.9
NEUTRAL = "oracle against oracle"
# By answer form: the group of models that judges metrics, and the one that judges membership.
JUDGES = {
    "names": ("questions", "seen questions"),
    "sentences": ("SmolLM2", "seen TOFU"),
    "texts": ("texts", "seen texts"),
}
# Names of these forms in `axes`.
ANSWERS = {"names": "name", "sentences": "sentence", "texts": "text"}
PRIVLEAK = "privleak"  # a model-level metric, from an AUC of membership
GAP = "memorization_gap"  # compares with a holdout, but measures knowledge
FED = ("forgetting", "privacy")  # the axes that the rule governs


def judged_rows(
    bars: pd.DataFrame, controls: pd.DataFrame, audits: pd.DataFrame, robust: pd.DataFrame
) -> pd.DataFrame:
    """The rows of `bars` that judge a metric for an answer form, most faithful first, with form,
    axis, neutral, passed, one_sided, symmetric, rows, overall (harmonic mean of AUC and symmetric
    robustness), and whether the metric `meets` the rule.

    The tables are those of `meta_evaluation`. Columns that were not measured are NaN and bar no
    metric.
    """
    place = ["group", "metric"]
    same = controls[controls["control"] == NEUTRAL]
    same = same.assign(neutral=(same["low"] <= 0.5) & (same["high"] >= 0.5))
    table = bars.assign(form=[_form(*pair) for pair in zip(*map(bars.get, place), strict=True)])
    table = table[table["form"] != ""]
    for measured, columns in (
        (same, ["neutral"]),
        (audits, ["passed"]),
        (robust, ["one_sided", "symmetric", "rows"]),
    ):
        table = table.merge(measured[[*place, *columns]], how="left", on=place)
    alone = set(table["metric"])
    table["axis"] = [
        _axis(_known_as(metric, alone), ANSWERS[form])
        for metric, form in zip(table["metric"], table["form"], strict=True)
    ]
    table["overall"] = [
        harmonic(pair) if not np.isnan(pair[1]) else np.nan
        for pair in zip(table["auc"], table["symmetric"], strict=True)
    ]
    fair = table["passed"].isna() | (table["passed"] >= LEAST_PASSED)
    neutral = table["neutral"].isna() | (table["neutral"] == True)  # noqa: E712, NaN among them
    table["meets"] = table["informative"] & (table["auc"] >= LEAST_AUC) & neutral & fair
    return table.sort_values(["form", "auc"], ascending=[True, False], kind="stable")


def _form(group: str, metric: str) -> str:
    """The answer form for which a group judges a metric, empty if there is none."""
    contrast = metric in METRICS and METRICS[metric].contrast
    membership = metric == PRIVLEAK or (contrast and metric != GAP)
    return next((form for form, judges in JUDGES.items() if judges[membership] == group), "")


def _known_as(metric: str, alone: set[str]) -> str:
    """The plain name of a metric that only attacks measure, as with leak@k; else the full name."""
    plain = metric.rpartition(": ")[2]
    return metric if plain in alone else plain


def _axis(metric: str, form: str) -> str:
    return "" if is_barred(metric, "forget", form) else axis_of(metric, "forget")


def below_the_bar(judged: pd.DataFrame) -> list[str]:
    """Metrics that feed an axis although they fail the rule, with the form: "metric of names"."""
    failed = judged[judged["axis"].isin(FED) & judged["informative"] & ~judged["meets"]]
    return [f"{row.metric} of {row.form}" for row in failed.itertuples()]


def unjudged(judged: pd.DataFrame) -> list[str]:
    """Metrics that feed an axis of the rule but are in no pool; they are admitted by definition."""
    fed = {metric for axis in FED for metric in FED_BY[axis]["forget"]}
    return sorted(fed - set(judged["metric"].str.rpartition(": ")[2]))
