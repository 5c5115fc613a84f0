"""Trials: which learning rates a track tries for every method, for which families of tasks."""

from __future__ import annotations

from dataclasses import field, fields
from typing import Annotated, Self

from annotated_types import MinLen
from pydantic import AfterValidator, ConfigDict, PositiveFloat, PositiveInt, model_validator
from pydantic.dataclasses import dataclass

from benchmark.core.method import Method
from benchmark.records.identity import TUNED

_CHECKED = ConfigDict(extra="forbid")
Rates = dict[str, dict[str, PositiveFloat]]  # by method and task family


def has_rate(method: type[Method]) -> bool:
    """Whether a method has a learning rate."""
    return TUNED in {field.name for field in fields(method)}  # type: ignore[arg-type]


def _ascending(rates: tuple[float, ...]) -> tuple[float, ...]:
    if not rates or list(rates) != sorted(set(rates)):
        raise ValueError("rates should ascend: after one that destroys the model, none is tried")
    return rates


@dataclass(frozen=True, config=_CHECKED)
class Family:
    """Tasks that share a method's learning rate, chosen in trials on one of their variants."""

    trial: str
    tasks: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, config=_CHECKED)
class Search:
    """Which rates of a grid are tried: the `first` ones, then untried neighbours of the best one,
    until there have been `most` trials.
    """

    first: Annotated[tuple[PositiveFloat, ...], AfterValidator(_ascending)]
    most: PositiveInt


@dataclass(frozen=True, kw_only=True, config=_CHECKED)
class Trials:
    """The tuning budget of a method in a task family: the learning rates to try on a development
    track, all of them unless there is a `search`. Tasks that no family names belong to the first
    one.
    """

    rates: Annotated[tuple[PositiveFloat, ...], AfterValidator(_ascending)]
    search: Search | None = None
    families: Annotated[dict[str, Family], MinLen(1)] = field(hash=False)
    oracles: PositiveInt
    attacks: tuple[str, ...]

    @model_validator(mode="after")
    def _search_is_within_the_grid(self) -> Self:
        if self.search and (outside := set(self.search.first) - set(self.rates)):
            raise ValueError(f"search.first: {min(outside):g} is not among the rates")
        return self

    def family_of(self, task: str) -> str:
        """The family that a task belongs to."""
        named = (name for name, family in self.families.items() if task in family.tasks)
        return next(named, next(iter(self.families)))
