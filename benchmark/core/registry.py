"""Registry of methods, tasks and attacks; errors on unknown names suggest the nearest matches."""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import importlib
import importlib.util
import pkgutil
import re
import sys
from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from pydantic import ConfigDict, ValidationError
from pydantic.dataclasses import dataclass

from benchmark.core.attack import Attack
from benchmark.core.method import Method, describe
from benchmark.core.task import Task
from benchmark.errors import BadInput

T = TypeVar("T")
RESERVED = frozenset({"target", "oracle", "model"})
_METHODS: dict[str, type[Method]] = {}
_TASKS: dict[str, type[Task]] = {}
_ATTACKS: dict[str, type[Attack]] = {}


def lookup(kind: str, name: str, known: Mapping[str, T]) -> T:
    """The entry with this name; otherwise BadInput with suggestions."""
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(sorted(known))}"
    raise BadInput(f"unknown {kind} {name!r}; {hint}")


def _add(kind: str, name: str, entry: type, registered: dict[str, type]) -> None:
    other = registered.get(name)
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name):
        raise BadInput(f"{kind} {name!r}: use only a-z, 0-9, _ and - (the name becomes a folder)")
    if name in RESERVED:
        raise BadInput(f"{kind} {name!r}: this name is reserved")
    if other is not None and (other.__module__, other.__qualname__) != (
        entry.__module__,
        entry.__qualname__,
    ):
        raise BadInput(
            f"{kind} {name!r} is defined twice: in {other.__module__} and in {entry.__module__}"
        )
    registered[name] = entry


def register_method(
    name: str, *, reference: str, family: str, sees: set[str]
) -> Callable[[type[Method]], type[Method]]:
    """Class decorator that registers a method under `name`; `sees` declares the information that it
    uses.
    """

    def decorate(cls: type[Method]) -> type[Method]:
        described = describe(cls, name, reference, family, sees)
        _add("method", name, described, _METHODS)
        return described

    return decorate


def register_task(name: str, *, version: int) -> Callable[[type[Task]], type[Task]]:
    """Class decorator that registers a task under `name`."""

    def decorate(cls: type[Task]) -> type[Task]:
        cls.name, cls.version = name, version
        _add("task", name, cls, _TASKS)
        return cls

    return decorate


def register_attack(
    name: str, *, version: int, source: str
) -> Callable[[type[Attack]], type[Attack]]:
    """Class decorator that registers an attack under `name` and turns its annotations into
    validated parameters.
    """

    def decorate(cls: type[Attack]) -> type[Attack]:
        cls.name, cls.version, cls.source = name, version, source
        checked: Any = dataclass(cls, frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
        _add("attack", name, checked, _ATTACKS)
        return checked

    return decorate


@lru_cache(maxsize=3)
def _discover(package: str) -> None:
    """Imports all modules of a package, once."""
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
        if module.name.startswith("_"):
            continue  # shared helpers, which register nothing
        inner = f"{package}.{module.name}" + (".task" if module.ispkg else "")
        importlib.import_module(inner)


@lru_cache(maxsize=1)
def _discover_methods() -> None:
    _discover("methods")
    for point in metadata.entry_points(group="palimpsest.methods"):
        point.load()


def methods() -> dict[str, type[Method]]:
    """All registered methods by name, including those of installed packages."""
    _discover_methods()
    return dict(sorted(_METHODS.items()))


def tasks() -> dict[str, type[Task]]:
    """All registered tasks by name."""
    _discover("tasks")
    return dict(sorted(_TASKS.items()))


def attacks() -> dict[str, type[Attack]]:
    """All registered attacks by name."""
    _discover("benchmark.attacks")
    return dict(sorted(_ATTACKS.items()))


def attack_of(entry: Mapping[str, Any]) -> Attack:
    """Creates the attack from an entry with its name and parameters; BadInput if a name is unknown
    (with the nearest known ones) or a value is invalid.
    """
    parameters = dict(entry)
    cls = lookup("attack", str(parameters.pop("name", "")), attacks())
    known = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    for name in parameters:
        lookup(f"parameter of {cls.name}", str(name), known)
    try:
        return cls(**parameters)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadInput(f"attack {cls.name}: parameter {where}: {first['msg']}") from None


def method_named(spec: str) -> type[Method]:
    """A method by name, or by `path/to/file.py:Class` for one outside the tree."""
    if ":" in spec and spec.partition(":")[0].endswith(".py"):
        return _method_from_file(spec)
    return lookup("method", spec, methods())


def imported_method(spec: str) -> type[Method] | None:
    """The method of a spec (see `method_named`) if this process has already imported it."""
    file, _, class_name = spec.partition(":")
    if not (class_name and file.endswith(".py")):
        return _METHODS.get(spec)
    return getattr(_module_of(Path(file).resolve()), class_name, None)


def has_imported_methods() -> bool:
    """Whether this process has imported any method."""
    return bool(_METHODS)


def method_in(spec: str) -> str:
    """Returns `path/to/file.py:Class` for a file, which must define exactly one method (BadInput
    otherwise), and any other spec unchanged.
    """
    if not spec.endswith(".py"):
        return spec
    path = Path(spec).resolve()
    if not path.is_file():
        raise BadInput(f"method {spec!r}: {path} is not a file")
    _discover_methods()
    module = _module_of(path) or _imported(path, spec)
    names = [
        name
        for name, cls in vars(module).items()
        if isinstance(cls, type) and cls.__module__ == module.__name__ and hasattr(cls, "sees")
    ]
    if len(names) != 1:
        raise BadInput(
            f"method {spec!r}: it defines {', '.join(names) or 'no method'}; "
            f"name one, e.g. {spec}:Class"
        )
    return f"{spec}:{names[0]}"


def task_named(name: str) -> type[Task]:
    return lookup("task", name, tasks())


def _method_from_file(spec: str) -> type[Method]:
    file, _, class_name = spec.partition(":")
    path = Path(file).resolve()
    if not path.is_file():
        raise BadInput(f"method {spec!r}: {path} is not a file")
    _discover_methods()
    module = _module_of(path) or _imported(path, spec)
    cls = getattr(module, class_name, None)
    if cls is None:
        defined = [
            n
            for n, c in vars(module).items()
            if isinstance(c, type) and c.__module__ == module.__name__
        ]
        raise BadInput(
            f"method {spec!r}: no class {class_name!r} in {path}; it defines "
            f"{', '.join(defined) or 'none'}"
        )
    if not hasattr(cls, "name"):
        raise BadInput(f"method {spec!r}: {class_name} lacks @register_method")
    return cls


def _module_of(path: Path) -> ModuleType | None:
    """The module already imported from this file, if any; methods in `methods/` always are, and
    must not be registered twice.
    """
    return next(
        (m for m in list(sys.modules.values()) if getattr(m, "__file__", None) == str(path)), None
    )


def _imported(path: Path, spec: str) -> ModuleType:
    name = f"palimpsest_file_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    module_spec = importlib.util.spec_from_file_location(name, path)
    assert module_spec is not None
    assert module_spec.loader is not None
    module = importlib.util.module_from_spec(module_spec)
    sys.modules[name] = module
    try:
        module_spec.loader.exec_module(module)
    except BadInput:
        del sys.modules[name]
        raise
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise BadInput(
            f"method {spec!r}: importing {path} raised {type(error).__name__}: {error}"
        ) from None
    return module
