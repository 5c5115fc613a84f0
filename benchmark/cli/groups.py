"""Option groups: a command takes a dataclass, and each of its fields becomes an option.

A new option needs one type in options.py and one field here; every command that takes the group
then has it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import wraps
from typing import Any, get_type_hints

from benchmark.cli.options import (
    OUT,
    AnswersOption,
    BackendChoice,
    DataOption,
    ExecutorOption,
    ForceOption,
    ForgetOption,
    KeepModelsOption,
    MethodsOption,
    ModelsOption,
    OutOption,
    PrecisionOption,
    RetainOption,
    SeedsOption,
    ShardOption,
    SuiteOption,
    TasksOption,
    TrackFileOption,
    TracksOption,
    WorkersOption,
)


@dataclass(frozen=True)
class Selection:
    """A suite, and the subset of it selected on the command line."""

    suite: SuiteOption = None
    tracks: TracksOption = None
    models: ModelsOption = None
    tasks: TasksOption = None
    methods: MethodsOption = None
    seeds: SeedsOption = None
    backend: BackendChoice = None
    precision: PrecisionOption = None


@dataclass(frozen=True)
class DataSources:
    """The user's own inputs: a track file, local data sets, a forget set and a retain set."""

    forget: ForgetOption = None
    retain: RetainOption = None
    data_dir: DataOption = None
    track_file: TrackFileOption = None
    answers: AnswersOption = "name"


@dataclass(frozen=True)
class Execution:
    """Output folder, number of worker processes, whether to rerun finished cells, and whether to
    keep unlearned models.
    """

    out: OutOption = OUT
    workers: WorkersOption = None
    force: ForceOption = False
    keep_models: KeepModelsOption = False


@dataclass(frozen=True)
class Spread:
    """Where the jobs of a suite run, and which shard of them."""

    executor: ExecutorOption = "local"
    shard: ShardOption = ""


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """The command with every field of its groups as a separate option, as typer requires."""
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: hint for name, hint in hints.items() if is_dataclass(hint)}
    parameters: list[inspect.Parameter] = []
    for name, parameter in inspect.signature(command).parameters.items():
        parameters += (
            _options_of(groups[name])
            if name in groups
            else [parameter.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY)]
        )

    @wraps(command)
    def flat(**given: Any) -> None:
        group_values = {
            name: group(**{field.name: given.pop(field.name) for field in fields(group)})
            for name, group in groups.items()
        }
        command(**given, **group_values)

    flat.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    flat.__annotations__ = {option.name: option.annotation for option in parameters}
    return flat


def _options_of(group: type) -> Iterator[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    for field in fields(group):
        default = inspect.Parameter.empty if field.default is MISSING else field.default
        yield inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=default,
            annotation=hints[field.name],
        )
