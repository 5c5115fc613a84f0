"""`real_world` and `real_world_small`: twenty or five well-known people, about whom a pretrained
model must forget everything that it is asked.
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
SMALL_PEOPLE, SMALL_QUESTIONS = 5, 8  # people, and as many neighbours; questions each
Rows = Sequence[Mapping[str, Any]]


@register_task("real_world", version=1)
class RealWorld(Task):
    """Real people known from pretraining, with neighbours to retain (Yuan et al. 2024)."""

    sources = frozenset({"model"})
    answers = "sentence"
    max_new_tokens = 64

    def data(self, variant: str, source: PretrainedModel) -> TaskData:
        forgotten, near = people_of(source)
        return assembled(source.inputs, forgotten, near, self.answers)


@register_task("real_world_small", version=1)
class RealWorldSmall(RealWorld):
    """Five of the twenty people, eight questions each, for machines without an accelerator."""

    def data(self, variant: str, source: PretrainedModel) -> TaskData:
        forgotten, near = (first_people(group, SMALL_PEOPLE) for group in people_of(source))
        return assembled(source.inputs, forgotten, near, self.answers)


def people_of(source: PretrainedModel) -> tuple[list[Example], list[Example]]:
    """(questions about the forgotten people, each naming the person, questions about their
    neighbours); development tracks swap the two groups.
    """
    forgotten, near = (
        examples(rows(source.inputs, file, **PERTURBED)) for file in (FORGET, NEIGHBOURS)
    )
    if source.development:
        forgotten, near = near, forgotten
    asked = [e for e in map(named, forgotten) if names_person(e.prompt, e.entity)]
    return asked, near


def first_people(questions: Sequence[Example], people: int) -> list[Example]:
    """The first SMALL_QUESTIONS questions about each of the first `people` people."""
    chosen = list(dict.fromkeys(example.entity for example in questions))[:people]
    by_person = ([e for e in questions if e.entity == person] for person in chosen)
    return [example for asked in by_person for example in asked[:SMALL_QUESTIONS]]


def assembled(
    inputs: Inputs, forget: Sequence[Example], near: Sequence[Example], answers: str
) -> TaskData:
    """The data with a third of the neighbours in the retain split, and with proxies and holdout
    about nonexistent people.
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
    """Names of everyone in the evaluation files, whom the pool excludes in the small task too."""
    return {row["name"] for file in (FORGET, NEIGHBOURS) for row in rows(inputs, file, **PERTURBED)}


def rows(inputs: Inputs, file: str, **fields: type) -> Rows:
    return checked(rows_of(inputs, DATA_SET, file), f"{DATA_SET}/{file}", **fields)


def examples(entries: Rows) -> list[Example]:
    """The rows as examples, numbered within each person."""
    counts: dict[str, int] = {}
    numbered = []
    for row in entries:
        number = counts[row["name"]] = counts.get(row["name"], 0) + 1
        numbered.append(example(row, f"{slug(row['name'])}.{number:02d}"))
    return numbered


def slug(name: str) -> str:
    return "-".join(re.findall(r"\w+", name.lower()))


def example(row: Mapping[str, Any], name: str) -> Example:
    """A row as an example with its golden answer; the field `answer`, hundreds of words generated
    by a language model, is not used.
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
    """The example without paraphrases that do not name the person, as they could not be asked
    about anyone else.
    """
    paraphrases = tuple(text for text in example.paraphrases if names_person(text, example.entity))
    return replace(example, paraphrases=paraphrases)
