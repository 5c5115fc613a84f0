"""Tuning a method: the trials that a track declares, and where the chosen rate is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import yaml

from benchmark.core.registry import lookup, method_named, methods
from benchmark.errors import BadInput
from benchmark.models.tracks import FOLDER, Trials, track_named
from benchmark.pipeline.suite import MethodEntry, Suite
from benchmark.records.identity import DEVELOPMENT_SUFFIX

PARAMETER = "learning_rate"


def trial_suite(spec: str, track: str, families: Sequence[str]) -> Suite:
    """The trials of a method on the development track of `track`, in all task families if none are
    given; BadInput if the method has no learning rate or the track no trials.
    """
    cls = method_named(spec)
    if PARAMETER not in {field.name for field in fields(cls)}:  # type: ignore[arg-type]
        raise BadInput(f"method {cls.name}: has no {PARAMETER}, so there is nothing to tune")
    development = track.removesuffix(DEVELOPMENT_SUFFIX) + DEVELOPMENT_SUFFIX
    declared = declared_trials(development)
    return Suite(
        name="tune",
        description=f"the trials of {cls.name}",
        tracks=[development],
        tasks=[
            lookup("task family", name, declared.families) for name in families or declared.families
        ],
        methods=[
            MethodEntry(name=spec, parameters={PARAMETER: rate}) for rate in sorted(declared.rates)
        ],
        oracles=declared.oracles,
        attacks=list(declared.attacks),
    )


def declared_trials(development: str) -> Trials:
    """What a development track says of trials; BadInput if nothing."""
    trials = track_named(development).trials
    if trials is None:
        raise BadInput(f"track {development}: declares no trials")
    return trials


def tuned_file(spec: str, track: str) -> Path:
    """The track's file, which is to hold the rate; BadInput if the method is no registered one or
    the track has no file.
    """
    if spec not in methods():
        raise BadInput(
            f"--write: a track names registered methods alone; without it, write the chosen "
            f"{PARAMETER} into {spec.partition(':')[0]}"
        )
    path = FOLDER / f"{track}.yaml"
    if not path.is_file() or track.endswith(DEVELOPMENT_SUFFIX):
        raise BadInput(f"--write: {track} is no scored track with a file in {FOLDER}")
    return path


def write_rate(path: Path, method: str, rate: float) -> None:
    """Writes a method's learning rate into a track's file and leaves all else as it stands."""
    path.write_text(with_rate(path.read_text(), method, rate))


def with_rate(text: str, method: str, rate: float) -> str:
    """A track's file in which `tuned` has this rate for the method; comments and order stay."""
    number = _yaml_number(rate)
    tuned = _value(yaml.compose(text), "tuned")
    if tuned is None:
        edited = f"{text.rstrip()}\ntuned:\n  {method}: {{{PARAMETER}: {number}}}\n"
    else:
        edited = _with_entry(text, tuned, method, number)
    expected = yaml.safe_load(text)
    former = expected.get("tuned") or {}
    expected["tuned"] = {**former, method: {**former.get(method, {}), PARAMETER: rate}}
    if yaml.safe_load(edited) != expected:
        raise BadInput(f"tuned: {method}: cannot be written here; set {PARAMETER}: {number}")
    return edited


def _with_entry(text: str, tuned: Any, method: str, number: str) -> str:
    line = f"{method}: {{{PARAMETER}: {number}}}"
    if not (isinstance(tuned, yaml.MappingNode) and tuned.value):  # `{}`, or nothing
        start, end = tuned.start_mark.index, tuned.end_mark.index
        return _after_line(text[:start].rstrip(" ") + text[end:], start - 1, f"  {line}")
    entry = _value(tuned, method)
    if entry is None:
        return _with_key(text, tuned, line)
    rate = _value(entry, PARAMETER)
    if rate is None and entry.value:
        return _with_key(text, entry, f"{PARAMETER}: {number}")
    if rate is None:
        rate, number = entry, f"{{{PARAMETER}: {number}}}"
    return text[: rate.start_mark.index] + number + text[rate.end_mark.index :]


def _with_key(text: str, mapping: Any, line: str) -> str:
    """The text with one more entry at the end of a mapping, written as the others are."""
    end = _leaf_end(mapping)
    if mapping.flow_style:
        return f"{text[:end]}, {line}{text[end:]}"
    return _after_line(text, end, " " * mapping.value[0][0].start_mark.column + line)


def _after_line(text: str, place: int, line: str) -> str:
    """The text with a further line below the one of this place."""
    end = text.find("\n", place)
    end = len(text) if end < 0 else end
    return f"{text[:end]}\n{line}{text[end:]}"


def _leaf_end(node: Any) -> int:
    """Where the last entry of a mapping ends: a block's own mark lies behind what follows it."""
    last = node.value[-1][1]
    return _leaf_end(last) if _is_block(last) else last.end_mark.index


def _is_block(node: Any) -> bool:
    return isinstance(node, yaml.MappingNode | yaml.SequenceNode) and not node.flow_style


def _value(mapping: Any, key: str) -> Any:
    """The node of a key; None if there is none, or where nothing is said."""
    if not isinstance(mapping, yaml.MappingNode):
        return None
    return next((value for name, value in mapping.value if name.value == key), None)


def _yaml_number(rate: float) -> str:
    """As the files write it: 1.0e-4, which YAML reads as a number, and 1e-4 as a text."""
    mantissa, exponent = f"{rate:e}".split("e")
    return f"{float(mantissa)}e{int(exponent):+d}"
