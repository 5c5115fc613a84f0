"""Suites: YAML files that name tracks, task variants, methods and seeds."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, product
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from benchmark.core.registry import lookup
from benchmark.core.yaml_files import content_of, refusal

FOLDER = Path(__file__).parents[1] / "suites"


class MethodEntry(BaseModel):
    """A method of a suite; a bare name in YAML means default parameters and one seed on all tasks
    of the suite. A `grid` makes it a row for each combination of the grid's values.
    """

    model_config = ConfigDict(extra="forbid")
    name: str
    seeds: int = Field(default=1, ge=1)
    parameters: dict[str, Any] = {}
    grid: dict[str, Annotated[list[Any], Field(min_length=1)]] = {}
    tasks: list[str] | None = None  # the suite's tasks that it runs on, as the suite spells them
    tracks: list[str] | None = None  # the suite's tracks that it runs on


class Published(BaseModel):
    """The target and the oracles of a variant as models that others fine-tuned, each a folder or
    `org/name@revision`.
    """

    model_config = ConfigDict(extra="forbid")
    target: str
    oracles: list[str]


class Suite(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str
    description: str
    tracks: list[str] = Field(min_length=1)
    tasks: list[str] = Field(min_length=1)
    only: dict[str, list[str]] = {}  # the tasks of tracks that run only some of them
    methods: list[MethodEntry] = Field(min_length=1)
    oracles: int = Field(ge=2)
    # Chosen from the attacks that its tracks declare, by default all; by track if they differ.
    attacks: list[str] | dict[str, list[str]] | None = None
    backend: Literal["hf", "vllm"] | None = None  # by default, `usual_backend`'s choice
    precision: Literal["float32", "bfloat16"] | None = (
        None  # for training pretrained models; by default, the track's
    )
    harness: str | None = None  # group of lm-eval tasks for utility; by default, the track's
    published: dict[
        str, Published
    ] = {}  # by variant, as spelled in `tasks`; models of other variants are fine-tuned here

    @field_validator("methods", mode="before")
    @classmethod
    def _bare_names(cls, entries: Any) -> Any:
        if not isinstance(entries, list):
            return entries
        return [{"name": entry} if isinstance(entry, str) else entry for entry in entries]

    @field_validator("methods")
    @classmethod
    def _spread_out(cls, entries: list[MethodEntry]) -> list[MethodEntry]:
        return [row for entry in entries for row in _rows_of(entry)]

    @model_validator(mode="after")
    def _attacks_are_of_its_tracks(self) -> Suite:
        if isinstance(self.attacks, dict) and self.attacks.keys() != set(self.tracks):
            raise ValueError(f"attacks: found {sorted(self.attacks)}; name each of {self.tracks}")
        return self

    def attacks_on(self, track: str) -> list[str] | None:
        """The names of the suite's attacks on a track; None for all that the track declares. A
        track given on the command line instead of the suite's gets all attacks that the suite
        names.
        """
        if not isinstance(self.attacks, dict):
            return self.attacks
        named = dict.fromkeys(chain.from_iterable(self.attacks.values()))
        return self.attacks.get(track, list(named))

    @model_validator(mode="after")
    def _published_models_are_enough(self) -> Suite:
        for name, models in self.published.items():
            if len(models.oracles) < self.oracles:
                raise ValueError(
                    f"published: {name} has {len(models.oracles)} oracles, the suite needs "
                    f"{self.oracles}"
                )
        return self


def _rows_of(entry: MethodEntry) -> Iterator[MethodEntry]:
    """Yields the entry for each combination of its grid."""
    for values in product(*entry.grid.values()):
        chosen = dict(zip(entry.grid, values, strict=True))
        yield entry.model_copy(update={"parameters": {**entry.parameters, **chosen}, "grid": {}})


def suite_files() -> dict[str, Path]:
    return {path.stem: path for path in sorted(FOLDER.glob("*.yaml"))}


def load_suite(name: str) -> Suite:
    """Loads a suite by name or from the path of a YAML file; BadInput names the file, the field and
    what was found.
    """
    path = Path(name) if name.endswith((".yaml", ".yml")) else lookup("suite", name, suite_files())
    content = content_of(path)
    try:
        return Suite.model_validate(content)
    except ValidationError as error:
        raise refusal(path, error) from None
