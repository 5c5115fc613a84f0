"""Reads track files: the content of each merged over the file that it extends, and what its trials
chose.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmark.core.registry import lookup
from benchmark.core.yaml_files import content_of
from benchmark.errors import BadInput
from benchmark.records.identity import DEVELOPMENT_SUFFIX

FOLDER = Path(__file__).parents[1] / "tracks"
CHOSEN = FOLDER / "chosen"  # one file per track, written by `tune`: what its trials chose
NOT_IN_FILES = ("path", "given", "published", "chosen")  # set by a command or a suite


def files() -> dict[str, Path]:
    return {path.stem: path for path in sorted(FOLDER.glob("*.yaml"))}


def chosen(name: str) -> dict[str, Any]:
    """What the trials of a track chose; empty if it has none."""
    path = chosen_path(name)
    return {"chosen": mapping(path)} if path.is_file() else {}


def chosen_path(name: str) -> Path:
    """The file of the rates that a track uses, which may not exist yet. A development track uses
    those of the track that it serves, and a track that only renames another those of that one.
    """
    name = name.removesuffix(DEVELOPMENT_SUFFIX)
    path = CHOSEN / f"{name}.yaml"
    content = mapping(files()[name]) if name in files() else {}
    if path.is_file() or content.keys() != {"name", "description", "extends"}:
        return path
    return chosen_path(content["extends"])


def read(path: Path) -> dict[str, Any]:
    """The content of a track file, merged over the content of the file that it extends."""
    return extended(mapping(path), "", path)


def extended(content: dict[str, Any], parent: str, path: Path) -> dict[str, Any]:
    parent = content.pop("extends", parent)
    if not parent:
        return content
    with said_of(f"{path}: extends"):
        below = read(lookup("track", str(parent), files()))
    for name in ("name", "description"):  # each track has its own
        below.pop(name, None)
    return _merged(below, content)


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Merges mappings key by key; any other value is replaced."""
    common = (key for key in below.keys() & above.keys() if _are_mappings(below[key], above[key]))
    return below | above | {key: _merged(below[key], above[key]) for key in common}


def _are_mappings(*values: Any) -> bool:
    return all(isinstance(value, dict) for value in values)


def mapping(path: Path) -> dict[str, Any]:
    content = content_of(path)
    if not isinstance(content, dict):
        raise BadInput(f"{path}: file: found {str(content)[:60]!r}; must be a mapping")
    if known_elsewhere := [key for key in NOT_IN_FILES if key in content]:
        raise BadInput(f"{path}: {known_elsewhere[0]}: there is no such field")
    return content


@contextmanager
def said_of(where: str) -> Iterator[None]:
    """Context that prefixes BadInput errors with `where`, a place in a file."""
    try:
        yield
    except BadInput as error:
        raise BadInput(f"{where}: {error}") from None
