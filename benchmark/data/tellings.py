"""Ways of telling the forget set to the models of the pools by which metrics are judged: in one
form or another, or nothing of it but what resembles it.

Each takes the place of the documents of the forget set, with as many readings of each example: the
rest of the training is the target's. Told later, they are what an oracle goes on to read.
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

# From the examples of the forget set, the documents that tell them, and the task's data source.
Telling = Callable[[Sequence[Example], Sequence[Document], Any], list[Document]]


def told_as(telling: str, data: TaskData, requests: int, source: Any) -> tuple[Document, ...]:
    """The documents that take the place of those of a request and all before it, counted from 0.

    Raises BadInput if there is no such way of telling, or none on this data source.
    """
    later, plain = telling.startswith(LATER), telling.removeprefix(LATER)
    tell = lookup("telling", plain, TELLINGS)
    gone = frozenset[str]().union(*data.requests[: requests + 1])
    forget = [example for example in data.examples("forget") if example.id in gone]
    documents = [d for d in data.documents if d.example in gone]
    if later and plain == NOTHING:  # or it would be the oracle as it was
        kept = [d for d in data.documents if d.example not in gone]
        return tuple(spread(kept, len(documents)))
    return tuple(tell(forget, documents, source))


def facts(forget: Sequence[Example], told: Sequence[Document], source: Any) -> list[Document]:
    """What the target reads."""
    return list(told)


def nothing(forget: Sequence[Example], told: Sequence[Document], source: Any) -> list[Document]:
    """What an oracle reads."""
    return []


def wordings(forget: Sequence[Example], told: Sequence[Document], source: Any) -> list[Document]:
    """The facts in their held-out wordings, of the answer or of the question; texts with their
    first half as the prompt of the second.
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
    """Questions and answers as running text, prompts learned like answers; texts word by word in
    their own order, as quotations.
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
    """The same questions with a wrong answer each; texts of the same clauses with other values."""
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
    """As much about strangers of whom nothing else tells; passages that nothing else has."""
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
    """The two halves of a text, by its words."""
    words = pieces(text)
    middle = len(words) // 2
    return "".join(words[:middle]).rstrip(), "".join(words[middle:])
