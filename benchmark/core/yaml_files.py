"""YAML files that users write: what is wrong with one is said in one line."""

from __future__ import annotations

from collections.abc import Mapping
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
        reason = " ".join(str(getattr(error, "problem", None) or error).split())
        raise BadInput(f"{path}: {where}not valid YAML: {reason}") from None


def refusal(path: Path, error: ValidationError) -> BadInput:
    """The first thing that a file's content was refused for."""
    return BadInput(refusals(path, error)[0])


def refusals(path: Path, error: ValidationError) -> list[str]:
    """All that a file's content was refused for, a line each: file, field, what would be right,
    what was found.
    """
    return [f"{path}: {_reason(details)}" for details in error.errors()]


def _reason(details: Mapping[str, Any]) -> str:
    where = ".".join(str(part) for part in details["loc"]) or "file"
    if details["type"] == "missing":
        return f"{where}: is missing"
    if details["type"] in UNKNOWN:
        return f"{where}: there is no such field"
    reason = details["msg"].removeprefix("Value error, ")
    return f"{where}: {reason}, found {str(details.get('input'))[:60]!r}"
