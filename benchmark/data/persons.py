"""Questions about persons: finds the person named, and rewrites them about invented persons."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from benchmark.core.examples import Example
from benchmark.data.invented_names import coined_names

PROXIES = 3  # invented persons per forgotten person; one more is held out
NO_NAME = r"[A-Z]\.|[IVX]+"  # initials and ordinals, which many persons share


def surnames(name: str) -> Iterator[str]:
    """Yields shorter forms of a person's name: all but the first name, and the last word.

    First names are left out: in these data, a first name on its own belongs to somebody else.
    """
    words = [word for word in name.split() if not re.fullmatch(NO_NAME, word)]
    if len(words) > 2:
        yield " ".join(words[1:])
    if words and words[-1] != name:
        yield words[-1]


def names_person(text: str, name: str) -> bool:
    return any(_pattern(part).search(text) for part in (name, *surnames(name)))


def renamed(text: str, name: str, other: str) -> str:
    """The text rewritten about another person; `other` has two words and does not end in s."""
    text = _replaced(text, name, other)
    for part in surnames(name):
        text = _replaced(text, part, other.split()[-1])
    return text


def _replaced(text: str, part: str, other: str) -> str:
    return _pattern(part).sub(lambda match: other + ("'s" if match["possessive"] else ""), text)


def _pattern(part: str) -> re.Pattern[str]:
    """Matches whole words with an optional possessive: 's, or only an apostrophe after an s."""
    bare = r"|['’](?=\s)" if part.endswith("s") else ""
    return re.compile(rf"(?<!\w){re.escape(part)}(?P<possessive>['’]s{bare})?(?!\w)")


def about(example: Example, other: str) -> Example:
    """The example rewritten about another person in all wordings, with the same id."""

    def changed(texts: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(renamed(text, example.entity, other) for text in texts)

    return replace(
        example,
        prompt=renamed(example.prompt, example.entity, other),
        answer=renamed(example.answer, example.entity, other),
        paraphrases=changed(example.paraphrases),
        rewordings=changed(example.rewordings),
        perturbed=changed(example.perturbed),
    )


def retained_and_withheld(questions: Sequence[Example]) -> tuple[list[Example], list[Example]]:
    """Splits examples into those about the first third of the persons, rounded up, and the rest."""
    persons = list(dict.fromkeys(example.entity for example in questions))
    first = set(persons[: -(-len(persons) // 3)])
    others = [e for e in questions if e.entity not in first]
    return [e for e in questions if e.entity in first], others


def strangers(forget: Sequence[Example], seed: str) -> list[list[Example]]:
    """`PROXIES` + 1 copies of the questions, each about different invented persons."""
    persons = list(dict.fromkeys(example.entity for example in forget))
    names = iter(coined_names(len(persons) * (PROXIES + 1), seed))
    sets = [dict(zip(persons, names, strict=False)) for _ in range(PROXIES + 1)]
    return [[about(example, others[example.entity]) for example in forget] for others in sets]
