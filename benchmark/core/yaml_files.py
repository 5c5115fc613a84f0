"""YAML files that users write: what is wrong with one is said in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from benchmark.errors import BadInput

UNKNOWN = frozenset({"extra_forbidden", "unexpected_keyword_argument"})


def content_of(path: Path) -> Any:
    """What a YAML file holds; BadInput if it cannot be read."""
    try:
        return yaml.safe_load(path.read_text())
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: byte {error.start} is not UTF-8") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise BadInput(
            f"{path}: {where}not valid YAML: {getattr(error, 'problem', None) or error}"
        ) from None


def refusal(path: Path, error: ValidationError) -> BadInput:
    """The first thing that a file's content was refused for: file, field, what would be right,
    what was found.
    """
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"]) or "file"
    if first["type"] == "missing":
        return BadInput(f"{path}: {where}: is missing")
    if first["type"] in UNKNOWN:
        return BadInput(f"{path}: {where}: there is no such field")
    reason = first["msg"].removeprefix("Value error, ")
    return BadInput(f"{path}: {where}: {reason}, found {str(first.get('input'))[:60]!r}")
