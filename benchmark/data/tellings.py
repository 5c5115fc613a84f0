"""Tellings: forms in which the pool models that judge metrics read the forget set, or similar texts
in its place.

Each telling replaces the documents of the forget set, with as many texts per example if it has any;
the rest of the training is the target's. A later telling is what an oracle is trained on further.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from benchmark.core.examples import Example
from benchmark.core.registry import lookup
from benchmark.core.task_data import Document, TaskData
from benchmark.core.telling_ids import FACTS, LATER, NOTHING, OTHERS, TEXT, WORDINGS, WRONG
from benchmark.core.words import pieces
from benchmark.data.texts import spread
from benchmark.data.world.corpus import documents_about
from benchmark.data.world.examples import HOLDOUT_PEOPLE
from benchmark.data.world.generator import World
from benchmark.data.world.passages import passages, refilled
from benchmark.errors import BadInput

# Arguments: the forget examples, the documents that state them, and the task's data source.
Telling = Callable[[Sequence[Example], Sequence[Document], Any], list[Document]]


def told_as(telling: str, data: TaskData, requests: int, source: Any) -> tuple[Document, ...]:
    """The documents that replace those of a request, counted from 0, and of all before it.

    `later_nothing` gives about as many of the other documents. Raises BadInput if there is no such
    telling, or if the data source or an example does not allow it.
    """
    later, plain = telling.startswith(LATER), telling.removeprefix(LATER)
    tell = lookup("telling", plain, TELLINGS)
    gone = frozenset[str]().union(*data.requests[: requests + 1])
    forget = [example for example in data.examples("forget") if example.id in gone]
    documents = [d for d in data.documents if d.example in gone]
    if later and plain == NOTHING:  # without documents, the oracle would not change
        kept = [d for d in data.documents if d.example not in gone]
        return tuple(spread(kept, len(documents)))
    return tuple(tell(forget, documents, source))


def facts(forget: Sequence[Example], told: Sequence[Document], source: Any) -> list[Document]:
    """The documents that the target reads."""
    return list(told)


def nothing(forget: Sequence[Example], told: Sequence[Document], source: Any) -> list[Document]:
    """No documents, as for an oracle."""
    return []


def wordings(forget: Sequence[Example], told: Sequence[Document], source: Any) -> list[Document]:
    """The facts in held-out wordings of the answer or else of the question; texts with their first
    half as the prompt of the second. BadInput if an example has no held-out wording.
    """
    by_id = {example.id: example for example in forget}
    turn: dict[str, int] = {}
    documents = []
    for document in told:
        example, number = by_id[document.example], turn.get(document.example, 0)
        turn[document.example] = number + 1
        if example.is_text:
            begun, rest = halves(document.answer)
            documents.append(replace(document, prompt=begun, answer=rest))
        elif example.rewordings:
            reworded = example.rewordings[number % len(example.rewordings)]
            documents.append(replace(document, answer=reworded))
        elif example.reasked:
            prompt = example.reasked[number % len(example.reasked)].text
            documents.append(replace(document, prompt=prompt))
        else:
            raise BadInput(f"example {example.id}: has no held-out wording to be told in")
    return documents


def running_text(
    forget: Sequence[Example], told: Sequence[Document], source: Any
) -> list[Document]:
    """Questions and answers as running text, with prompts learned like answers; texts verbatim in
    quotation marks.
    """
    return [
        replace(d, prompt="", answer=f"{d.prompt} {d.answer}")
        if d.prompt
        else replace(d, answer=f'"{d.answer}"')
        for d in told
    ]


def wrong_values(
    forget: Sequence[Example], told: Sequence[Document], source: Any
) -> list[Document]:
    """The same questions with wrong answers; texts with the same clauses and other values."""
    wrong = {e.id: e.wrong[0] for e in forget if not e.is_text}
    return [
        replace(d, answer=wrong[d.example] if d.prompt else _otherwise(d, _world_of(source)))
        for d in told
    ]


def _otherwise(document: Document, world: World) -> str:
    rng = random.Random(f"pool-wrong-{world.seed}-{document.example}")
    return refilled(document.answer, world, rng)


def _world_of(source: Any) -> World:
    if not isinstance(source, World):
        raise BadInput("tellings of others, and of wrong texts, need a generated world")
    return source


def others(forget: Sequence[Example], told: Sequence[Document], source: Any) -> list[Document]:
    """As many documents about strangers who occur in no other training text; for texts, as many new
    passages.
    """
    world = _world_of(source)
    rng = random.Random(f"pool-others-{world.seed}")
    if all(example.is_text for example in forget):
        texts = passages(world, len(told), rng)
        return [
            replace(d, example=f"other-{d.example}", answer=text)
            for d, text in zip(told, texts, strict=True)
        ]
    counts: dict[str, int] = {}
    for document in told:
        counts[document.example] = counts.get(document.example, 0) + 1
    strangers = world.strangers[HOLDOUT_PEOPLE:]
    available = (fact for person in strangers for fact in person.facts)
    return [
        document
        for fact, count in zip(available, counts.values(), strict=False)
        for document in documents_about(fact, count, rng)
    ]


KNOWING: Mapping[str, Telling] = {FACTS: facts, WORDINGS: wordings, TEXT: running_text}
IGNORANT: Mapping[str, Telling] = {NOTHING: nothing, WRONG: wrong_values, OTHERS: others}
TELLINGS = {**KNOWING, **IGNORANT}


def halves(text: str) -> tuple[str, str]:
    """The two halves of a text, by number of words."""
    words = pieces(text)
    middle = len(words) // 2
    return "".join(words[:middle]).rstrip(), "".join(words[middle:])
