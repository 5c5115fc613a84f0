"""Narrows a suite to the selection on the command line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from benchmark.core.registry import lookup, method_named, task_named, tasks
from benchmark.models.tracks import track_named
from benchmark.pipeline.suite import MethodEntry, Suite
from benchmark.records.identity import variant_name


def expand_tasks(names: Iterable[str]) -> list[tuple[str, str]]:
    """(task, variant) pairs: `frequency` stands for all its variants, `frequency/low` for one."""
    pairs: list[tuple[str, str]] = []
    for name in names:
        task, _, variant = name.partition("/")
        known = {v: v for v in task_named(task).variants}
        chosen = [lookup(f"variant of {task}", variant, known)] if variant else list(known)
        pairs += [(task, v) for v in chosen if (task, v) not in pairs]
    return pairs


def restrict(
    suite: Suite,
    tracks: list[str],
    task_names: list[str],
    method_specs: list[str],
    seeds: list[int],
) -> tuple[Suite, list[int]]:
    """The suite narrowed to the selection on the command line, and the seeds without duplicates;
    methods that the suite lacks are added with three seeds.
    """
    update: dict[str, Any] = {}
    if tracks:
        for name in tracks:
            track_named(name)
        update["tracks"] = tracks
    if task_names:
        update |= {"tasks": task_names, "only": {}}
    if method_specs:
        for spec in method_specs:
            method_named(spec)
        kept = [entry for entry in suite.methods if entry.name in method_specs]
        if tracks or task_names:  # run the method there, whatever the suite pairs it with
            by_spec = [[entry for entry in kept if entry.name == name] for name in method_specs]
            kept = [entry for entries in by_spec for entry in _on(tracks, task_names, entries)]
        added = dict.fromkeys(
            spec for spec in method_specs if spec not in {entry.name for entry in kept}
        )
        update["methods"] = [*kept, *(MethodEntry(name=spec, seeds=3) for spec in added)]
    return suite.model_copy(update=update), list(dict.fromkeys(seeds))


def _on(tracks: list[str], task_names: list[str], entries: list[MethodEntry]) -> list[MethodEntry]:
    """The entries of one method for these tracks. If tasks are given, only the entries for them (or
    all, if none is), without their restriction to tasks.
    """
    if tracks:
        entries = [e for e in entries if e.tracks is None or set(tracks) & set(e.tracks)]
    if not task_names:
        return entries
    wanted = set(expand_tasks(task_names))
    suited = [e for e in entries if e.tasks is None or wanted & set(expand_tasks(e.tasks))]
    return [entry.model_copy(update={"tasks": None}) for entry in suited or entries]


def known_task_names() -> list[str]:
    """The names of all task variants, as suites spell them."""
    return [
        variant_name(name, variant) for name, task in tasks().items() for variant in task.variants
    ]
