"""Generates the reference pages in docs/ from registries and records (`make docs`)."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

from benchmark.metrics import METRICS, Metric
from benchmark.metrics.distribution import SUMMARIES
from benchmark.metrics.measured import given_score
from benchmark.metrics.stages import BUDGET, REQUEST
from benchmark.records.store import ResultStore
from benchmark.reports import tuning_page as tuning
from benchmark.reports.attacks_page import attacks_page
from benchmark.reports.meta_page import meta_page
from benchmark.reports.methods_page import NOTE, methods_page
from benchmark.statistics.axes import splits_fed

ON_THE_WAY_TEXTS = {BUDGET: "along the trajectory", REQUEST: "after each sequential request"}
ROOT = Path(__file__).resolve().parents[2]
DOCS, RESULTS = ROOT / "docs", ROOT / "results"


def metrics_page() -> str:
    """The metrics with their definition, direction, unit and source."""
    parts = [
        "# Metrics\n\n" + NOTE,
        "Every metric is computed from the stored samples of one model, some relative to those of",
        "the oracles. *better* is the better direction on the forget set; `oracle` means that",
        "closer to the oracle is better. Failed values are counted, never replaced by zero. *axis*",
        "names the axis that a metric feeds if its answer form meets the rule:",
        "[SCORES.md](SCORES.md#score) has the table.\n",
    ]
    summaries = [
        f"| `{name}` | {unit} | {better} | {version} |"
        for name, (better, unit, version) in SUMMARIES.items()
    ]
    table = "| id | unit | better | version |\n|---|---|---|---|"
    return "\n".join(
        [
            *parts,
            *(_metric(metric) for metric in METRICS.values()),
            f"## Model-level metrics\n\n{table}",
            *summaries,
            "\n`forget_quality` is the p-value and `forget_quality_ks` the statistic of the",
            "Kolmogorov-Smirnov test between the truth ratios of model and oracle, averaged over",
            "oracles (Maini et al. 2024); `model_utility` is TOFU's harmonic mean of nine",
            "components on retain, neighbors and general. `unlearning_depth` is the Unlearning",
            "Depth Score of the attack `patching`: the share of what the oracle's states lack,",
            "layer by layer, that the model's states lack too; averaged over oracles, with",
            "their minimum and maximum. `privleak` is MUSE's PrivLeak with the AUC of Min-40%, as",
            "a share: about -1 if all is known, 0 for the oracles (Shi et al. 2024). `margin_kl`",
            "compares the histogram of the forget examples' margins with that of all oracles.",
            "`klom`, `klom_p95` and `klom_energy`, which need several seeds, compare each",
            "example's margins over a method's seeds with those over the oracles (Rinberg et al.",
            "2025); `palimpsest report` shows them.\n",
            "",
        ]
    )


def _metric(metric: Metric) -> str:
    axes = (
        ", ".join(f"{axis} (on {split})" for axis, split in splits_fed(metric.id))
        or "reported only"
    )
    again = [
        "after each attack" + " that provides its inputs" * bool(metric.needs)
    ] * metric.attacked
    again += [ON_THE_WAY_TEXTS[sort] for sort in sorted(metric.on_the_way)]
    facts = [
        f"answers: {', '.join(sorted(filter(None, metric.forms))) or 'any'}",
        f"reported on: {'; '.join([', '.join(metric.splits), *again])}",
        f"axis: {axes}",
        f"better: {metric.better}; unit: {metric.unit}; version {metric.version}",
        f"source: {metric.source}",
    ]
    lines = "\n".join(f"- {fact}" for fact in facts)
    told = "\n\n".join([_sentence(metric.description) + ".", *_definition(metric)])
    return f"## `{metric.id}`\n\n{told}\n\n{lines}\n"


def _definition(metric: Metric) -> Iterator[str]:
    """Yields paragraphs on what is computed for an example and what it is compared with."""
    example = inspect.cleandoc(metric.example.__doc__ or "")
    # The description already defines a stored score, and it may be the whole definition.
    if metric.example is not given_score and example[:-1] not in _sentence(metric.description):
        yield f"Per example: {_continued(example)}"
    if metric.fit:
        yield f"Fitted: {_continued(inspect.cleandoc(metric.fit.__doc__ or ''))}"
    if metric.contrast:
        compared = _continued(inspect.cleandoc(metric.aggregate.contributions.__doc__ or ""))
        finish = metric.aggregate.finish
        finished = f" Then {inspect.cleandoc(finish.__doc__ or '')}" if finish else ""
        yield f"Compared with the holdout: {compared}{finished}"
    if metric.relative:
        related = _continued(inspect.cleandoc(metric.relative.__doc__ or ""))
        yield f"Relative to the oracles: {related}"


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}"


def _continued(text: str) -> str:
    """The text as continued after a colon: first letter in lower case, unless it is an acronym."""
    return text if text[:1].isupper() and text[1:2].isupper() else f"{text[0].lower()}{text[1:]}"


def main() -> None:
    """Writes the pages."""
    results = ResultStore(RESULTS)
    (DOCS / "METHODS.md").write_text(methods_page(results))
    (DOCS / "METRICS.md").write_text(metrics_page())
    (DOCS / "ATTACKS.md").write_text(attacks_page(results))
    (DOCS / "META.md").write_text(meta_page(results))
    (DOCS / "TUNING.md").write_text(tuning.page(results))


if __name__ == "__main__":
    main()
