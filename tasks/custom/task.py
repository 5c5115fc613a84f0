"""`custom`: your own questions, from the two files given by `--forget` and `--retain`."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import chain

from benchmark.api import (
    BadInput,
    Example,
    PretrainedModel,
    Task,
    TaskData,
    coined_names,
    other_answers,
    register_task,
)
from tasks.custom.rows import Row, read, refuse_shared

PROXIES = 3  # nonexistent subjects for each forgotten one
NEVER_EXISTED = 20  # minimum number of holdout questions
WRONG_ANSWERS = 5


@register_task("custom", version=1)
class Custom(Task):
    """Your own forget set and retain set for a pretrained model."""

    sources = frozenset({"model"})
    answers = "name"  # unless `--answers` says otherwise
    max_new_tokens = 64

    def data(self, variant: str, source: PretrainedModel) -> TaskData:
        forget, retain = read("forget", source.inputs.forget), read("retain", source.inputs.retain)
        refuse_shared(forget, retain)
        answers = {row.answer for row in (*forget, *retain)}
        if len(answers) == 1:
            raise BadInput(
                f"custom: every answer is {answers.pop()!r}; another is needed as a wrong answer"
            )
        forgotten = [example(row, "forget", answers) for row in forget]
        subjects = {e.id: row.subject for e, row in zip(forgotten, forget, strict=True)}
        if (
            len(set(subjects.values())) == 1
        ):  # entity clusters and disjoint halves for attacks need several entities
            forgotten = [replace(e, entity=e.id) for e in forgotten]
        *proxies, holdout = strangers(forgotten, subjects)
        rehearsed, withheld = drawn([example(row, "retain", answers) for row in retain])
        splits = {
            "forget": forgotten,
            "retain": rehearsed,
            "retain_eval": withheld,
            "holdout": holdout,
        }
        form = source.inputs.answers
        try:
            return TaskData.of(splits, [], rehearsed, proxies=proxies, answers=form)
        except BadInput as error:
            raise BadInput(f"custom: {error}; --answers says which form they have") from None


def drawn(examples: Sequence[Example]) -> tuple[list[Example], list[Example]]:
    """(rehearsed, withheld) examples: halves as nearly as possible without splitting an entity,
    drawn independently of the order of the lines. A single entity is split by prompt.
    """
    one = len({e.entity for e in examples}) == 1
    owners = [
        "\n".join([*chain(*e.history), e.prompt]) if one or e.entity == e.id else e.entity
        for e in examples
    ]
    counts = Counter(owners)
    names = sorted(counts)
    random.Random("custom-retain").shuffle(names)
    side_of: dict[str, bool] = {}
    sizes = [0, 0]
    for name in names:  # to the side with fewer examples
        side = side_of[name] = sizes[True] < sizes[False]
        sizes[side] += counts[name]
    sides = [side_of[owner] for owner in owners]
    withheld = [e for e, side in zip(examples, sides, strict=True) if side]
    return [e for e, side in zip(examples, sides, strict=True) if not side], withheld


def example(row: Row, side: str, answers: Iterable[str]) -> Example:
    """A row as an example; if it gives no wrong answers, answers to other questions are used."""
    name = f"{side}.{row.number:04d}"
    others = set(answers) - set(row.aliases)
    return Example(
        id=name,
        entity=row.subject or name,
        prompt=row.question,
        history=row.history,
        answer=row.answer,
        paraphrases=row.paraphrases,
        perturbed=row.perturbed or other_answers(others, row.answer, WRONG_ANSWERS, name),
        aliases=row.aliases,
    )


def strangers(asked: Sequence[Example], subjects: dict[str, str]) -> list[list[Example]]:
    """The same questions about nonexistent subjects: one set for each proxy, then the holdout."""
    real = list(dict.fromkeys(subjects.values()))
    rounds = -(-NEVER_EXISTED // len(asked))
    names = iter(coined_names(len(real) * (PROXIES + rounds), "custom"))
    sets = [dict(zip(real, names, strict=False)) for _ in range(PROXIES + rounds)]
    renamed = [[about(e, subjects[e.id], others[subjects[e.id]]) for e in asked] for others in sets]
    held_out = [never(e, n) for n, questions in enumerate(renamed[PROXIES:]) for e in questions]
    return [*renamed[:PROXIES], held_out]


def about(example: Example, subject: str, other: str) -> Example:
    """The example with the same id about another subject, replaced in all its texts."""
    name = other if " " in subject else other.split()[-1]

    def changed(texts: Iterable[str]) -> tuple[str, ...]:
        return tuple(text.replace(subject, name) for text in texts)

    prompt, answer = changed((example.prompt, example.answer))
    roles, said = [role for role, _ in example.history], (text for _, text in example.history)
    return replace(
        example,
        prompt=prompt,
        answer=answer,
        history=tuple(zip(roles, changed(said), strict=True)),
        paraphrases=changed(example.paraphrases),
        perturbed=changed(example.perturbed),
    )


def never(example: Example, number: int) -> Example:
    """A holdout question about a nonexistent subject."""
    return Example(
        f"never.{number}.{example.id}",
        f"never.{number}.{example.entity}",
        example.prompt,
        example.answer,
        history=example.history,
    )
