"""docs/META.md: how far each metric can be trusted, beside what others published."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pandas as pd

from benchmark.records.store import ResultStore
from benchmark.reports.methods_page import NOTE
from benchmark.statistics.axis_rule import LEAST_AUC, LEAST_PASSED
from benchmark.statistics.findings import spoken
from benchmark.statistics.meta_evaluation import (
    BOARD,
    GAMING,
    GROUPS,
    LEAST_UTILITY,
    QUESTIONS,
    TEXTS,
    TOFU,
)
from benchmark.statistics.meta_tables import MetaTables, meta_tables

MISSING = "–"

INTRODUCTION = f"""Which metrics can be trusted? The suite `meta` trains pools of models whose
knowledge of the forget set is known by construction (method [`pool`](METHODS.md#pool)). Starting
from the shared base, the models that know read the forget set as the target does, in held-out
wordings, or as running text; the models that do not read nothing in its place, wrong answers, or as
many facts about other people. Each is trained at several learning rates and for two lengths.
`palimpsest meta --results results` prints all figures from the records in `results/`; brackets are
95 % bootstrap confidence intervals over models.

- *AUC* (faithfulness): how well a metric of the forget set alone separates models that know from
  models that do not. Membership metrics are judged on models that have seen the examples
  themselves.
- *neutral*: whether the confidence interval of the AUC between two halves of the oracles contains
  1/2.
- *passed*: the share of the pools' oracles (which read nothing in place of the forget set) that are
  below the threshold that best separates all other models.
- *robustness*: the symmetric formula of UDS (2026) over relearning and int4 quantization, for the
  methods that were run beside the pools, keep a utility of {LEAST_UTILITY} and pass the threshold;
  in brackets the one-sided formula of OpenUnlearning (2025). *overall* is the harmonic mean of AUC
  and symmetric robustness.
- *seconds*: of one evaluation that yields the metric, on two cores; metrics of the plain evaluation
  share it.

**The rule.** A metric of the forget set feeds forgetting or privacy only if, for every answer form
that the pools cover, its AUC is at least {LEAST_AUC}, it is neutral, and at least {LEAST_PASSED} of
the oracles pass. Robustness is reported and excludes nothing: if an attack brings knowledge back, a
faithful metric must rise.
"""
# Faithfulness, robustness and overall of UDS (2026), table 2, where the definition is the same;
# on TOFU with Llama-3.2-1B.
UDS = {
    "extraction_strength": (0.891, 0.859, 0.875),
    "exact_memorization": (0.817, 0.750, 0.781),
    "probability": (0.816, 0.757, 0.785),
    "truth_ratio_cw": (0.947, 0.379, 0.537),
    "rouge_l_recall": (0.722, 0.333, 0.454),
    "paraphrase: rouge_l_recall": (0.832, 0.119, 0.213),
    "jailbreak: rouge_l_recall": (0.757, 0.308, 0.437),
    "mia_loss": (0.902, 0.668, 0.766),
    "mia_zlib": (0.867, 0.642, 0.738),
    "mia_min_k": (0.907, 0.675, 0.773),
    "mia_min_k_pp": (0.816, 0.579, 0.678),
    "unlearning_depth": (0.971, 0.933, 0.951),
}
TITLES = {"names": "Questions", "sentences": "TOFU with SmolLM2", "texts": "Texts"}
VARIANTS = {"names": QUESTIONS, "sentences": TOFU, "texts": TEXTS}  # of the pools
ANSWERED = ("exact_answer", "rouge_l_recall", "paraphrased_probability", "truth_ratio_cw")


def meta_page(results: ResultStore) -> str:
    """The page, from the records of the pools and of the board."""
    tables = meta_tables(results)
    judged = tables.judged
    fed = list(dict.fromkeys(judged.loc[judged["axis"] != "", "metric"]))
    parts = [
        f"# Meta-evaluation\n\n{NOTE}",
        INTRODUCTION,
        *(line for form, title in TITLES.items() for line in _form(tables, form, title)),
        "## Beside published figures\n",
        "UDS (2026), table 2: TOFU with Llama-3.2-1B, 30 + 30 models, no intervals.\n",
        *_beside_published(judged),
        "## Probes\n",
        "AUC of metrics of the answers to each probe, over the models that answer questions.\n",
        *_probes(tables.bars),
        "## Strata\n",
        *_by_group(tables.bars, fed, [g.name for g in GROUPS if not g.name.startswith("seen")]),
        "## Negative controls\n",
        "The AUC should be 1/2.\n",
        *_controls(tables.controls, fed),
        "## Gaming anchors\n",
        "Share of variants on which the metric flags the anchor, which hides what it knows.\n",
        *_anchors(tables.caught, fed),
        "## Agreement\n",
        "Kendall's tau-b between the recoveries by two metrics, over methods x variants of "
        f"`{BOARD}`.\n",
        *_agreement(tables.agreement, fed),
    ]
    return "\n".join(parts)


def _form(tables: MetaTables, form: str, title: str) -> Iterator[str]:
    """What is said of each metric that is no probe's, and whether it meets the rule."""
    judged = tables.judged[tables.judged["form"] == form]
    rows = judged[~judged["metric"].str.contains(": ") | (judged["axis"] != "")]
    if rows.empty:
        return
    know, lack = rows["knowing"].max(), rows["ignorant"].max()
    yield f"## {title}\n\n{know} models that know, {lack} that do not.\n"
    yield from _table(
        ["metric", "axis", "AUC", "neutral", "passed", "robustness", "overall", "seconds", "meets"],
        (
            [
                f"`{row['metric']}`",
                row["axis"],
                spoken(row["auc"], row["low"], row["high"], digits=2),
                _yes(row["neutral"]),
                _figure(row["passed"]),
                f"{_figure(row['symmetric'])} ({_figure(row['one_sided'])})",
                _figure(row["overall"]),
                _figure(_seconds(tables, form, row["metric"]), digits=1),
                _yes(row["meets"]),
            ]
            for row in rows.to_dict("records")
        ),
    )


def _seconds(tables: MetaTables, form: str, metric: str) -> float:
    """Mean seconds of the evaluation that gives a metric."""
    stage = tables.pools.loc[tables.pools["metric"] == metric, "stage"].iloc[0]
    spent = [tables.seconds.get((variant, stage), np.nan) for variant in VARIANTS[form]]
    return float(np.mean(spent))


def _beside_published(judged: pd.DataFrame) -> Iterator[str]:
    by_place = judged.set_index(["form", "metric"])

    def ours(metric: str, column: str) -> list[str]:
        places = [(form, metric) for form in ("names", "sentences")]
        return [_figure(by_place[column].get(place, np.nan)) for place in places]

    yield from _table(
        [
            "metric",
            *(
                f"{what}{whose}"
                for what in ("AUC", "robustness", "overall")
                for whose in (", questions", ", TOFU", ", UDS")
            ),
        ],
        (
            [
                f"`{metric}`",
                *ours(metric, "auc"),
                _figure(published[0]),
                *ours(metric, "symmetric"),
                _figure(published[1]),
                *ours(metric, "overall"),
                _figure(published[2]),
            ]
            for metric, published in UDS.items()
        ),
    )


def _probes(bars: pd.DataFrame) -> Iterator[str]:
    """A row per probe, a column per metric of its answers."""
    asked = bars[(bars["group"] == "questions") & bars["metric"].str.contains(": ")]
    parts = asked["metric"].str.partition(": ")
    named = asked.assign(probe=parts[0], of=parts[2])
    yield from _wide(named[named["of"].isin(ANSWERED)], "probe", "of", ANSWERED)


def _by_group(bars: pd.DataFrame, fed: Sequence[str], groups: Sequence[str]) -> Iterator[str]:
    yield from _wide(bars[bars["metric"].isin(fed)], "metric", "group", groups)


def _controls(controls: pd.DataFrame, fed: Sequence[str]) -> Iterator[str]:
    plain = controls[controls["metric"].isin(fed) & controls["group"].isin(("questions", "texts"))]
    named = plain.assign(control=plain["group"] + ": " + plain["control"])
    yield from _wide(named, "metric", "control", list(dict.fromkeys(named["control"])))


def _wide(rows: pd.DataFrame, down: str, across: str, columns: Sequence[str]) -> Iterator[str]:
    """AUCs with their intervals, a row for each value of `down`."""
    texts = {
        (row[down], row[across]): spoken(row["auc"], row["low"], row["high"], digits=2)
        for row in rows.to_dict("records")
    }
    names = list(dict.fromkeys(rows[down]))
    cells = ([f"`{name}`", *(texts.get((name, c), MISSING) for c in columns)] for name in names)
    yield from _table([down, *columns], cells)


def _anchors(caught: pd.DataFrame, fed: Sequence[str]) -> Iterator[str]:
    chosen = caught[caught["metric"].isin(fed) & caught["group"].isin(("questions", "texts"))]
    shares = {
        (row["metric"], row["group"], row["anchor"]): row["caught"]
        for row in chosen.to_dict("records")
    }
    columns = [(group, anchor) for group in ("questions", "texts") for anchor in GAMING]
    yield from _table(
        ["metric", *(f"{group}: `{anchor}`" for group, anchor in columns)],
        (
            [f"`{metric}`", *(_figure(shares.get((metric, *c), np.nan)) for c in columns)]
            for metric in dict.fromkeys(chosen["metric"])
        ),
    )


def _agreement(found: pd.DataFrame, fed: Sequence[str]) -> Iterator[str]:
    """The matrix, with the columns numbered like the rows."""
    taus = {(row["one"], row["other"]): row["tau"] for row in found.to_dict("records")}
    taus |= {(other, one): tau for (one, other), tau in taus.items()}
    names = [name for name in fed if any(name in pair for pair in taus)]
    yield from _table(
        ["", "metric", *(str(number) for number, _ in enumerate(names, 1))],
        (
            [str(n), f"`{one}`", *(_figure(taus.get((one, other), np.nan)) for other in names)]
            for n, one in enumerate(names, 1)
        ),
    )


def _figure(value: float, digits: int = 2) -> str:
    return MISSING if np.isnan(value) else f"{value:.{digits}f}"


def _yes(value: bool | float) -> str:
    return MISSING if pd.isna(value) else ("no", "yes")[bool(value)]


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A table in Markdown, with an empty line after it."""
    yield _line(columns)
    yield f"|{'---|' * len(columns)}"
    yield from map(_line, rows)
    yield ""


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
