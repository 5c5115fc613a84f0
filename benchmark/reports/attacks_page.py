"""docs/ATTACKS.md: what every registered attack does, with its parameters and cost."""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import median

from benchmark.core.attack import Attack
from benchmark.core.registry import attacks
from benchmark.metrics.stages import MEASURING
from benchmark.models.tracks import track_named
from benchmark.records.store import ResultStore
from benchmark.reports.methods_page import NOTE, TRACK, VARIANT, published_runs, shown

ATTACKED_TRACKS = ("controlled-1m", "smollm2-135m")
INTRODUCTION = f"""An attack tries to recover forgotten knowledge from a model; a *measurement*
({", ".join(f"`{name}`" for name in sorted(MEASURING))}) only yields a metric and never enters
robustness. Both run on the target, on the oracles and on every method alike. An attack on
*weights* starts from the weights without any guardrail; an attack on *questions* is prompt-based
and leaves the model and its guardrails unchanged. A suite selects its attacks from those that its
tracks declare (`benchmark/tracks`); the parameters are part of the id of the outputs. `points` are
intermediate stages of an attack, which are evaluated but do not enter the score. Cost is the
median over the published runs on `{VARIANT}` of `{TRACK}`, in seconds on one thread, including the
scoring afterwards; a dash means that none is published there.
"""


def attacks_page(results: ResultStore) -> str:
    """The attacks in one table, then each with its source and its parameters on each track."""
    seconds = _seconds(results)
    overview = [
        "| attack | on | version | seconds |",
        "|---|---|---|---|",
        *(_row(cls, seconds[cls.name, cls.version]) for cls in attacks().values()),
    ]
    parts = ["# Attacks\n\n" + NOTE, INTRODUCTION, *overview, ""]
    return "\n".join([*parts, *(_attack(cls) for cls in attacks().values())])


def _seconds(results: ResultStore) -> Mapping[tuple[str, int], list[float]]:
    """The seconds that each version of an attack took in the published runs."""
    seconds = defaultdict(list)
    for record in published_runs(results):
        for stage, shard in record.shards.items():
            if "version" in shard.recipe:
                spent = record.provenance.cost.seconds[stage]
                seconds[stage, shard.recipe["version"]].append(spent)
    return seconds


def _row(cls: type[Attack], seconds: Sequence[float]) -> str:
    cost = f"{median(seconds):.1f}" if seconds else "-"
    return f"| [`{cls.name}`](#{cls.name}) | {_on(cls)} | {cls.version} | {cost} |"


def _on(cls: type[Attack]) -> str:
    return "questions" if cls.asks else "weights"


def _attack(cls: type[Attack]) -> str:
    parameters = {
        track.name: ", ".join(
            f"`{name}` = {shown(value)}"
            for attack in track.attacks
            if attack.name == cls.name
            for name, value in attack.recipe()["parameters"].items()
        )
        for track in map(track_named, ATTACKED_TRACKS)
    }
    facts = [
        f"on: {_on(cls)}; version {cls.version}",
        *(f"parameters on `{track}`: {text}" for track, text in parameters.items() if text),
        *([f"utility afterwards on {cls.kept} retain examples"] if cls.kept else []),
        f"source: {cls.source}",
    ]
    lines = "\n".join(f"- {fact}" for fact in facts)
    return f"## `{cls.name}`\n\n{inspect.cleandoc(cls.__doc__ or '')}\n\n{lines}\n"
