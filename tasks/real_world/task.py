"""`real_world` and `real_world_small`: twenty or five well-known persons, of whom a pretrained
model is to forget all that it can be asked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from benchmark.api import (
    Example,
    Inputs,
    PretrainedModel,
    Task,
    TaskData,
    checked,
    names_person,
    register_task,
    retained_and_withheld,
    rows_of,
    strangers,
)

DATA_SET = "real_world"
FORGET, NEIGHBOURS, REHEARSED = "forget_perturbed.json", "neighbor_perturbed.json", "neighbor.json"
PLAIN = {"name": str, "question": str, "golden_answer": str}
PERTURBED = {
    **PLAIN,
    "paraphrased_question": str,
    "paraphrased_answer": str,
    "perturbed_answer": list,
}
SMALL_PEOPLE, SMALL_QUESTIONS = 5, 8  # forgotten, and as many neighbours; of each person
Rows = Sequence[Mapping[str, Any]]


@register_task("real_world", version=1)
class RealWorld(Task):
    """Real persons that models know from pretraining, with neighbours who are to be kept (Yuan
    et al. 2024).
    """

    sources = frozenset({"model"})
    answers = "sentence"
    max_new_tokens = 64

    def data(self, variant: str, source: PretrainedModel) -> TaskData:
        forgotten, near = people_of(source)
        return assembled(source.inputs, forgotten, near, self.answers)


@register_task("real_world_small", version=1)
class RealWorldSmall(RealWorld):
    """Five of the twenty persons with eight questions each, for machines without an accelerator."""

    def data(self, variant: str, source: PretrainedModel) -> TaskData:
        forgotten, near = (first_people(group, SMALL_PEOPLE) for group in people_of(source))
        return assembled(source.inputs, forgotten, near, self.answers)


def people_of(source: PretrainedModel) -> tuple[list[Example], list[Example]]:
    """The questions about those who are forgotten, each naming the person, and those about their
    neighbours; the other way round for development.
    """
    forgotten, near = (
        examples(rows(source.inputs, file, **PERTURBED)) for file in (FORGET, NEIGHBOURS)
    )
    if source.development:
        forgotten, near = near, forgotten
    asked = [e for e in map(named, forgotten) if names_person(e.prompt, e.entity)]
    return asked, near


def first_people(questions: Sequence[Example], people: int) -> list[Example]:
    """The first SMALL_QUESTIONS about each of the first people."""
    chosen = list(dict.fromkeys(example.entity for example in questions))[:people]
    by_person = ([e for e in questions if e.entity == person] for person in chosen)
    return [example for asked in by_person for example in asked[:SMALL_QUESTIONS]]


def assembled(
    inputs: Inputs, forget: Sequence[Example], near: Sequence[Example], answers: str
) -> TaskData:
    """With a third of the neighbours retained, and proxies and holdout of persons who never
    existed.
    """
    retain, withheld = retained_and_withheld(near)
    splits = {"forget": list(forget), "retain": retain, "neighbors": withheld}
    *proxies, holdout = strangers(forget, DATA_SET)
    splits["holdout"] = [
        replace(e, id=f"never.{e.id}", perturbed=(), paraphrases=(), rewordings=()) for e in holdout
    ]
    kept = examples(rows(inputs, REHEARSED, **PLAIN))
    pool = [e for e in kept if e.entity not in evaluated_of(inputs)]
    return TaskData.of(splits, [], [*retain, *pool], proxies=proxies, answers=answers)


def evaluated_of(inputs: Inputs) -> set[str]:
    """Everyone about whom models are asked, in the small task too: they are in no retain pool."""
    return {row["name"] for file in (FORGET, NEIGHBOURS) for row in rows(inputs, file, **PERTURBED)}


def rows(inputs: Inputs, file: str, **fields: type) -> Rows:
    return checked(rows_of(inputs, DATA_SET, file), f"{DATA_SET}/{file}", **fields)


def examples(entries: Rows) -> list[Example]:
    """The rows as examples, numbered person by person."""
    counts: dict[str, int] = {}
    numbered = []
    for row in entries:
        number = counts[row["name"]] = counts.get(row["name"], 0) + 1
        numbered.append(example(row, f"{slug(row['name'])}.{number:02d}"))
    return numbered


def slug(name: str) -> str:
    return "-".join(re.findall(r"\w+", name.lower()))


def example(row: Mapping[str, Any], name: str) -> Example:
    """A row with its golden answer: `answer` is what one language model said, over hundreds of
    words.
    """
    answer = row["golden_answer"]
    reworded = row.get("paraphrased_answer", answer)
    return Example(
        id=name,
        entity=row["name"],
        prompt=row["question"],
        answer=answer,
        paraphrases=(row["paraphrased_question"],) if "paraphrased_question" in row else (),
        rewordings=(reworded,) if reworded != answer else (),
        perturbed=tuple(row.get("perturbed_answer", ())),
    )


def named(example: Example) -> Example:
    """The example without other wordings that leave the person out: they could be asked of
    nobody else.
    """
    paraphrases = tuple(text for text in example.paraphrases if names_person(text, example.entity))
    return replace(example, paraphrases=paraphrases)
