"""Reads YAML files written by users and reports each error in one line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from benchmark.errors import BadInput

UNKNOWN = frozenset({"extra_forbidden", "unexpected_keyword_argument"})


def content_of(path: Path) -> Any:
    """The content of a YAML file; BadInput if it cannot be read or parsed."""
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
    """The first validation error of a file's content."""
    return BadInput(refusals(path, error)[0])


def refusals(path: Path, error: ValidationError) -> list[str]:
    """All validation errors of a file's content, one line each: file, field, what is expected, what
    was found.
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
