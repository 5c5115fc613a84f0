"""Methods: their name, the information that they see, their parameters, and `unlearn`."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any, ClassVar

from pydantic import ConfigDict, ValidationError
from pydantic.dataclasses import dataclass as parameter_dataclass

from benchmark.core.request import Request
from benchmark.errors import BadInput

INFORMATION = frozenset({"forget", "retain", "target", "frequency", "training"})


class Method:
    """Base class of methods. Class-level annotations with defaults are the method's parameters."""

    name: ClassVar[str]
    reference: ClassVar[str]
    family: ClassVar[str]
    sees: ClassVar[frozenset[str]]
    anchor: ClassVar[bool] = False  # a fixed row that gives scores meaning and is never ranked

    def unlearn(self, model, request: Request):
        """Turns the target (a copy that may be changed in place) into the unlearned model.

        Returns a model of the same class, which counts as changed weights, or an `Unlearned`.
        """
        raise NotImplementedError(
            f"{type(self).__name__} must define unlearn(model, request) or loss(batch)"
        )

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters' names and values, part of a cell's identity."""
        return dataclasses.asdict(self)  # type: ignore[call-overload]  # register() makes it a dataclass


def with_parameters(cls: type[Method]) -> type[Method]:
    """Turns the annotations of a class and of its bases into validated parameters."""
    return parameter_dataclass(cls, kw_only=True, config=ConfigDict(extra="forbid"))  # type: ignore[return-value]


def describe(cls: type, name: str, reference: str, family: str, sees: set[str]) -> type[Method]:
    """Adds the description to a method class and turns its annotations into validated parameters.

    Raises BadInput if `sees` has unknown entries or the class is not a method.
    """
    unknown = set(sees) - INFORMATION
    if unknown:
        raise BadInput(
            f"method {name}: unknown `sees` {sorted(unknown)}; known: {sorted(INFORMATION)}"
        )
    if not (inspect.isclass(cls) and issubclass(cls, Method)):
        raise BadInput(f"method {name}: {cls!r} is not a subclass of Method")
    cls.name, cls.reference, cls.family, cls.sees = name, reference, family, frozenset(sees)
    return with_parameters(cls)


def create(cls: type[Method], parameters: dict[str, Any]) -> Method:
    """An instance with validated parameters; BadInput lists the valid ones."""
    try:
        return cls(**parameters)
    except ValidationError as error:
        first = error.errors()[0]
        known = ", ".join(f.name for f in dataclasses.fields(cls)) or "none"  # type: ignore[arg-type]
        where = ".".join(str(part) for part in first["loc"])
        raise BadInput(
            f"method {cls.name}: parameter {where}: {first['msg']} (parameters: {known})"
        ) from None
