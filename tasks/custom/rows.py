"""The user's own questions: read from JSON lines files, with a clear message for each error."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import regex

from benchmark.api import BadInput, json_rows

TEXTS, LISTS = ("question", "answer", "subject"), ("paraphrases", "perturbed", "aliases")
TURNS, SPEAKERS = "history", ("system", "user", "assistant")
FIELDS = (*TEXTS, *LISTS, TURNS)
NEEDED = {"forget": TEXTS, "retain": ("question", "answer")}
FEWEST = {"forget": 4, "retain": 8}
# Invisible characters without a use in running text: control characters except tabs and line
# breaks, noncharacters, zero-width spaces, invisible operators, and direction embeddings and
# overrides. Joiners and direction marks do have a use.
_OUT_OF_PLACE = regex.compile(
    r"(?V1)[[\p{Cc}--[\t\n\r]]\p{Noncharacter_Code_Point}\u180E\u200B\u202A-\u202E\u2060-\u206F\uFEFF]"
)
_NOTHING_SEEN = regex.compile(r"[\s\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}]*")
_WORD = regex.compile(r"[\p{L}\p{N}]")
_LABELS = {"Cc": "<control>", "Cn": "<noncharacter>"}  # for characters without a name


@dataclass(frozen=True)
class Row:
    """A line of a file; `subject` is optional in the retain file."""

    number: int
    question: str
    answer: str
    subject: str = ""
    paraphrases: tuple[str, ...] = ()
    perturbed: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    history: tuple[tuple[str, str], ...] = ()


def read(side: str, file: Path | None) -> list[Row]:
    """The rows of the file for `forget` or `retain`; BadInput names the first wrong line and what
    is needed instead.

    Texts are normalized to Unicode's composed form (NFC), so that comparisons, of a subject with
    its question or of a wrong answer with the right ones, ignore how accents were typed.
    """
    file = _given(side, file)
    lines = json_rows(file)
    if len(lines) < FEWEST[side]:
        raise BadInput(
            f"--{side}: {file}: found {len(lines)} rows, at least {FEWEST[side]} are needed"
        )
    rows = []
    for number, given in enumerate(lines, 1):
        line = {field: _composed(value) for field, value in given.items()}
        for field, problem in _problems(line, side):
            raise BadInput(f"{file}: line {number}: {_label(field)}: {problem}")
        rows.append(_row(number, line))
    if side == "forget":
        _refuse_unnamed(rows, file)
    return rows


def _given(side: str, file: Path | None) -> Path:
    if file is None:
        raise BadInput(
            f"custom: no --{side} FILE is given; the task asks the questions of --forget and "
            "--retain"
        )
    if not file.is_file():
        raise BadInput(f"--{side}: {file} is not a file; a JSON lines file is needed")
    return file


def _problems(line: Mapping[str, Any], side: str) -> Iterator[tuple[str, str]]:
    """Yields (field, what was found and what is needed) for each problem in a line."""
    for field in line:
        if field not in FIELDS:
            near = difflib.get_close_matches(field, FIELDS, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(FIELDS)}"
            yield field, f"unknown field; {hint}"
    for field in TEXTS:
        if (field in line or field in NEEDED[side]) and not _filled(line.get(field)):
            yield field, f"found {_shown(line, field)}, a text is needed"
    if _filled(line.get("answer")) and not _WORD.search(line["answer"]):
        yield (
            "answer",
            f"found {_shown(line, 'answer')}, an answer with a letter or digit is needed",
        )
    for field in FIELDS:
        for text in _texts(line.get(field)):
            if match := _OUT_OF_PLACE.search(text):
                yield (
                    field,
                    f"found {_named(match[0])} as character {match.start() + 1}; it must be "
                    "left out",
                )
    if not _are_turns(line.get(TURNS, [])):
        yield (
            TURNS,
            f'found {_shown(line, TURNS)}; a list of turns is needed, each {{"role": one of '
            f'{", ".join(SPEAKERS)}, "content": a text}}',
        )
    for field in LISTS:
        value = line.get(field, [])
        if not isinstance(value, list) or not all(map(_filled, value)):
            yield field, f"found {_shown(line, field)}, a list of texts is needed"
    for wrong in line.get("perturbed", []):
        if wrong.strip() in {text.strip() for text in (line["answer"], *line.get("aliases", []))}:
            yield (
                "perturbed",
                f"found {wrong[:60]!r}, which is also the right answer; wrong ones are needed",
            )


def _composed(value: Any) -> Any:
    """The value with all texts in NFC and anything else unchanged."""
    if isinstance(value, list):
        return [_composed(part) for part in value]
    if isinstance(value, dict):
        return {name: _composed(part) for name, part in value.items()}
    return unicodedata.normalize("NFC", value) if isinstance(value, str) else value


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [text for part in parts for text in _texts(part)]


def _are_turns(value: Any) -> bool:
    """Whether the value is a list of earlier turns, each with a known role and a content."""
    return isinstance(value, list) and all(
        isinstance(turn, dict)
        and set(turn) == {"role", "content"}
        and turn["role"] in SPEAKERS
        and _filled(turn["content"])
        for turn in value
    )


def _label(field: str) -> str:
    """The field's name; unknown names are quoted and truncated."""
    return field if field in FIELDS else repr(field)[:60]


def _named(character: str) -> str:
    """The code point and name of a character, such as U+200B ZERO WIDTH SPACE."""
    name = unicodedata.name(character, _LABELS.get(unicodedata.category(character), ""))
    return f"U+{ord(character):04X} {name}"


def _filled(value: Any) -> bool:
    """Whether the value is a text with a visible character."""
    return isinstance(value, str) and not _NOTHING_SEEN.fullmatch(value)


def _shown(line: Mapping[str, Any], field: str) -> str:
    return repr(line[field])[:60] if field in line else "nothing"


def _row(number: int, line: Mapping[str, Any]) -> Row:
    question, answer, subject = (line.get(field, "").strip() for field in TEXTS)
    lists = {field: tuple(text.strip() for text in line.get(field, [])) for field in LISTS}
    history = tuple((turn["role"], turn["content"].strip()) for turn in line.get(TURNS, []))
    return Row(number, question, answer, subject, **lists, history=history)


def _refuse_unnamed(rows: Sequence[Row], file: Path) -> None:
    """BadInput if a question lacks its subject, as it could not be asked about another one."""
    for row in rows:
        for field, text in [
            ("question", row.question),
            *(("paraphrases", text) for text in row.paraphrases),
        ]:
            if row.subject not in text:
                raise BadInput(
                    f"{file}: line {row.number}: {field}: found {text[:60]!r}, which must "
                    f"contain the subject {row.subject!r}"
                )


def refuse_shared(forget: Sequence[Row], retain: Sequence[Row]) -> None:
    """BadInput if a question occurs twice, since it cannot be both forgotten and retained."""
    seen: dict[tuple, str] = {}
    for side, rows in (("forget", forget), ("retain", retain)):
        for row in rows:
            place = f"line {row.number} of --{side}"
            question = row.history, row.question
            if question in seen:
                raise BadInput(
                    f"custom: {place}: question: found {row.question[:60]!r}, which "
                    f"{seen[question]} asks"
                )
            seen[question] = place
