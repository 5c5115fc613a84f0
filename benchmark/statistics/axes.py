"""The axes and the score: which metric on which split feeds which axis, with a version.

Metrics not listed here are reported but do not count, so new metrics leave all scores unchanged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

SCORE_VERSION = 4  # raise it when this table or a formula changes a score
AXES = ("forgetting", "utility", "privacy", "robustness")  # the last is forgetting under attack
FLOOR = 0.01  # harmonic means raise smaller values to this
TIE = 1e-9
LEAST_GAP = 0.05  # between target and oracles: dividing by less turns noise into a score
LEAST_KEPT = 0.1  # by the target in a utility metric: retention of less would be noise
# Share of the forget set that an attack must cover: else the worst attack may be one scored on few
# examples.
LEAST_SHARE = 1 / 3

_OTHERS = ("rouge_l_recall", "choice_probability", "truth_ratio_utility", "choice_accuracy")
_RETAINED = (
    *("rouge_l_recall", "probability", "truth_ratio_utility", "choice_accuracy"),
    "memorization_accuracy",
)
# Metrics by axis and split.
FED_BY: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "forgetting": {
        "forget": (
            *("exact_answer", "leak_at_16", "union_of_probes", "sentence_recall"),
            *("paraphrased_probability", "truth_ratio", "choice_accuracy", "memorization_gap"),
        )
    },
    "utility": {
        "retain": _RETAINED,
        "retain_eval": _RETAINED,
        "neighbors": _OTHERS,
        "general": _OTHERS,
        "harness": ("harness_accuracy",),
    },
    "privacy": {"forget": ("mia_loss", "mia_min_k", "rmia", "mia_unlearned", "exposure")},
}

# By answer form, metrics of the forget set that feed no axis because they fail the rule of
# `axis_rule`.
BARRED: Mapping[str, frozenset[str]] = {"sentence": frozenset({"exact_answer"})}


def axis_of(metric: str, split: str) -> str:
    """The axis that a metric on a split feeds, empty if none."""
    return next((axis for axis, splits in FED_BY.items() if metric in splits.get(split, ())), "")


def is_barred(metric: str, split: str, form: str) -> bool:
    """Whether a metric on a split is barred from all axes for an answer form."""
    return split == "forget" and metric in BARRED.get(form, ())


def splits_fed(metric: str) -> Iterator[tuple[str, str]]:
    """Every (axis, split) that a metric feeds."""
    for axis, splits in FED_BY.items():
        for split, metrics in splits.items():
            if metric in metrics:
                yield axis, split
