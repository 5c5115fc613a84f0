"""Tuning: the trials that a track declares for all methods, and the file of the chosen rates."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from benchmark.core.registry import lookup, method_named, methods
from benchmark.errors import BadInput
from benchmark.models.track_files import CHOSEN, chosen
from benchmark.models.tracks import track_named, tracks_with_files
from benchmark.models.trials import Trials, has_rate
from benchmark.pipeline.selection import expand_tasks
from benchmark.pipeline.suite import MethodEntry, Suite
from benchmark.records.identity import DEVELOPMENT_SUFFIX, TUNED, variant_name
from benchmark.records.schema import Record
from benchmark.records.store import write_atomically
from benchmark.statistics.trials import best_of, compared, has_destroyed, rate_of

HEADER = "# Learning rates by method and task family, written by `palimpsest tune --write`.\n"


def tunable(specs: Sequence[str]) -> list[str]:
    """The named methods, or by default all ranked registered methods that have a learning rate;
    BadInput if a named method has none.
    """
    if not specs:
        return [n for n, cls in methods().items() if has_rate(cls) and not cls.anchor]
    for spec in specs:
        if not has_rate(cls := method_named(spec)):
            raise BadInput(f"method {cls.name}: has no {TUNED}, so there is nothing to tune")
    return list(specs)


def development_of(track: str) -> str:
    """The name of a track's development track; a development track is its own."""
    return track.removesuffix(DEVELOPMENT_SUFFIX) + DEVELOPMENT_SUFFIX


def declared_trials(development: str) -> Trials:
    """The trials that a development track declares; BadInput if it declares none."""
    trials = track_named(development).trials
    if trials is None:
        raise BadInput(f"track {development}: declares no trials")
    return trials


def trial_variant(trials: Trials, family: str) -> str:
    """The task variant on which a family's trials run; BadInput if there is no such family."""
    named = lookup("task family", family, trials.families).trial
    return variant_name(*expand_tasks([named])[0])


def next_rates(trials: Trials, tried: Sequence[Record]) -> list[float]:
    """The learning rates to try next, given the trials of a method in a family so far; empty at the
    end of the search. No rate is tried above one that destroyed the model.
    """
    done = [rate_of(record) for record in tried]
    limit = min((rate_of(r) for r in tried if has_destroyed(r)), default=math.inf)
    left = [rate for rate in trials.rates if rate < limit and rate not in done]
    first = trials.search.first if trials.search else trials.rates
    if waiting := [rate for rate in left if rate in first]:
        return waiting[:1]
    if trials.search is None or not (scored := compared(tried)):
        return []
    best = trials.rates.index(best_of(scored).rate)
    neighbours = trials.rates[max(0, best - 1) : best + 2]
    return [rate for rate in left if rate in neighbours][: max(0, trials.search.most - len(done))]


def searched(trials: Trials, records: Sequence[Record]) -> list[Record]:
    """Those of a method's trials in a family that the search would have run."""
    by_rate = {rate_of(record): record for record in records}
    found: list[Record] = []
    while rates := [rate for rate in next_rates(trials, found) if rate in by_rate]:
        found += [by_rate[rate] for rate in rates]
    return found


def trial_suite(track: str, wanted: Mapping[tuple[str, str], Sequence[float]]) -> Suite:
    """The suite of trials at the `wanted` learning rates by method and task family."""
    development = development_of(track)
    declared = declared_trials(development)
    tasks = {name: family.trial for name, family in declared.families.items()}
    families: dict[tuple[str, float], list[str]] = {}
    for (spec, family), rates in wanted.items():
        for rate in rates:
            families.setdefault((spec, rate), []).append(tasks[family])
    asked = {task for of_row in families.values() for task in of_row}
    return Suite(
        name="tune",
        description=f"trials of the {TUNED}",
        tracks=[development],
        tasks=[task for task in tasks.values() if task in asked],
        methods=[
            MethodEntry(name=spec, parameters={TUNED: rate}, tasks=of_row)
            for (spec, rate), of_row in families.items()
        ],
        oracles=declared.oracles,
        backend="hf",  # the same trials on every machine
        attacks=list(declared.attacks),
    )


def chosen_file(track: str) -> Path:
    """The path of a track's own file of chosen rates; BadInput if `track` is not a scored track
    with a file.
    """
    if track not in tracks_with_files() or track.endswith(DEVELOPMENT_SUFFIX):
        raise BadInput(f"--write: {track} is not a scored track of this installation")
    return CHOSEN / f"{track}.yaml"


def write_chosen(path: Path, rates: Mapping[str, Mapping[str, float]]) -> None:
    """Writes rates by method and family, merged into the track's existing rates (from its file, or
    from the track whose models it shares); new rates take precedence.
    """
    shared = chosen(path.stem).get("chosen", {})
    known = yaml.safe_load(path.read_text()) if path.is_file() else shared
    merged = {name: {**known.get(name, {}), **rates.get(name, {})} for name in {*known, *rates}}
    lines = [
        f"{name}: {{{', '.join(f'{family}: {_number(r)}' for family, r in sorted(own.items()))}}}\n"
        for name, own in sorted(merged.items())
    ]
    write_atomically(path, (HEADER + "".join(lines)).encode())


def _number(rate: float) -> str:
    """Formats a rate as 1.0e-4, because YAML reads 1e-4 as a string."""
    mantissa, exponent = f"{rate:e}".split("e")
    return f"{float(mantissa)}e{int(exponent):+d}"
