"""The axes and the score: which metric on which split feeds which axis, with a version.

Metrics not listed here are reported but do not count, so new metrics leave all scores unchanged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

SCORE_VERSION = 4  # raise it when a score would be another one: of this table, or of its formulas
AXES = ("forgetting", "utility", "privacy", "robustness")  # the last is forgetting under attack
FLOOR = 0.01  # inside harmonic means smaller values count as this
TIE = 1e-9
LEAST_GAP = 0.05  # between target and oracles: divided by less, chance becomes a score
LEAST_KEPT = 0.1  # by the target: of less, a share that is kept would be chance
LEAST_SHARE = (
    1 / 3
)  # of the forget set: the worst of several attacks would be one on a few examples

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

# Metrics of the forget set that feed no axis where the answers have this form: there they fail the
# rule of `axis_rule`.
BARRED: Mapping[str, frozenset[str]] = {"sentence": frozenset({"exact_answer"})}


def axis_of(metric: str, split: str) -> str:
    """The axis that a metric on a split feeds, empty if none."""
    return next((axis for axis, splits in FED_BY.items() if metric in splits.get(split, ())), "")


def is_barred(metric: str, split: str, form: str) -> bool:
    """Whether a metric feeds no axis for answers of a form."""
    return split == "forget" and metric in BARRED.get(form, ())


def splits_fed(metric: str) -> Iterator[tuple[str, str]]:
    """Every (axis, split) that a metric feeds."""
    for axis, splits in FED_BY.items():
        for split, metrics in splits.items():
            if metric in metrics:
                yield axis, split
