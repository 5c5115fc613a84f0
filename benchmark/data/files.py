"""Reads and checks rows of files from users or other projects; each error is one line."""

from __future__ import annotations

import codecs
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmark.core.inputs import Inputs
from benchmark.errors import BadInput
from benchmark.runtime.hub import hub_answers

DEEPEST = 20  # levels of nested lists and objects; rows of data sets have at most three


def json_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a JSON lines file; BadInput names the first invalid line.

    Invalid lines include valid JSON that cannot be used: a duplicate field, a number with thousands
    of digits, half of a surrogate pair (which no tokenizer accepts), or values nested deeper than
    `DEEPEST`.
    """
    rows = []
    content = path.read_bytes().removeprefix(codecs.BOM_UTF8).rstrip(b"\r\n")
    lines = (
        content.split(b"\n") if content else []
    )  # split at line feeds only: texts may contain other line separators
    for number, line in enumerate(lines, 1):
        try:
            rows.append(_parsed(line))
        except ValueError as error:
            raise BadInput(f"{path}: line {number}: {error}") from None
    return rows


_TOO_DEEP = (
    f"found lists or objects nested more than {DEEPEST} deep; texts and lists of texts are needed"
)


def _parsed(line: bytes) -> dict[str, Any]:
    """Parses the JSON object on a line; ValueError says what was found instead."""
    try:
        row = json.loads(line.decode("utf-8"), parse_int=_whole_number, object_pairs_hook=_fields)
    except UnicodeDecodeError as error:
        raise ValueError(f"byte {error.start + 1} is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise ValueError(
            f"not valid JSON at character {error.colno}: {error.msg.removesuffix(' at')}"
        ) from None
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    if not isinstance(row, dict):
        raise ValueError(f"found {type(row).__name__}, an object is needed")
    for field, value in row.items():
        halves = (
            half for text in _texts({field: value}) for half in re.findall("[\ud800-\udfff]", text)
        )
        for half in halves:
            character = f"U+{ord(half):04X} in the field {repr(field)[:60]}"
            raise ValueError(
                f"found {character}, half of a surrogate pair; whole characters are needed"
            )
    return row


def _whole_number(digits: str) -> int:
    try:
        return int(digits)
    except ValueError:  # Python neither parses nor prints longer numbers
        most = sys.get_int_max_str_digits()
        raise ValueError(
            f"found a number of {len(digits.lstrip('-'))} digits, at most {most} can be read"
        ) from None


def _fields(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Builds an object; ValueError for a duplicate field, whose last value `json` would keep."""
    values: dict[str, Any] = {}
    for name, value in pairs:
        if name in values:
            raise ValueError(f"found the field {repr(name)[:60]} twice, once is needed")
        values[name] = value
    return values


def _texts(value: Any, depth: int = 0) -> Iterator[str]:
    """Yields every text in a value, including field names; ValueError if nested too deeply."""
    if depth > DEEPEST:
        raise ValueError(_TOO_DEEP)
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, part in value.items():
            yield name
            yield from _texts(part, depth + 1)
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part, depth + 1)


def rows_of(
    inputs: Inputs,
    data_set: str,
    file: str,
    repo: str = "",
    revision: str = "",
    config: str = "",
    split: str = "train",
) -> list[dict[str, Any]]:
    """Rows of a data set, from a local JSON lines file or else from a configuration and split on a
    hub at a pinned revision.

    BadInput says what is missing if neither is available.
    """
    path = inputs.data_file(data_set, file)
    if path is not None:
        return json_rows(path)
    looked = (
        f"{inputs.data} has no {file}" if inputs.data else f"no --data-dir with {file} is given"
    )
    if not repo:
        raise BadInput(f"{data_set}: {looked}")
    if not hub_answers():
        raise BadInput(f"{data_set}: {looked}, and no hub can be reached for {repo}")
    import datasets

    try:
        return list(datasets.load_dataset(repo, config or None, split=split, revision=revision))
    except Exception as error:  # whatever the cause, the user needs either the file or the hub
        reason = type(error).__name__
        raise BadInput(
            f"{data_set}: {looked}, and {repo} could not be loaded from a hub ({reason})"
        ) from None


_NEEDED = {str: "a text", list: "a list of texts", int: "a whole number"}


def checked(rows: list[dict[str, Any]], where: str, **fields: type) -> list[dict[str, Any]]:
    """The rows, if there are any and each has these fields, non-empty and of these types; BadInput
    names the first invalid one.
    """
    if not rows:
        raise BadInput(f"{where}: found no rows")
    for number, row in enumerate(rows, 1):
        for name, kind in fields.items():
            if not _fits(row.get(name), kind):
                shown = repr(row[name])[:60] if name in row else "nothing"
                raise BadInput(
                    f"{where}: line {number}: {name}: found {shown}, {_NEEDED[kind]} is needed"
                )
    return rows


def _fits(value: Any, kind: type) -> bool:
    """Whether a value is a non-empty text, a non-empty list of those, or an integer, by `kind`."""
    if kind is list:
        return isinstance(value, list) and bool(value) and all(_fits(part, str) for part in value)
    return (
        isinstance(value, kind)
        and not isinstance(value, bool)
        and (kind is not str or bool(str(value).strip()))
    )
