"""`rwku/1|10|50`: well-known people, asked about at three levels, with neighbours to retain."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from benchmark.api import (
    BadInput,
    Example,
    Inputs,
    PretrainedModel,
    Task,
    TaskData,
    checked,
    chunks,
    names_person,
    other_answers,
    register_task,
    retained_and_withheld,
    rows_of,
    spread,
    strangers,
    text_examples,
)

DATA_SET = "rwku"
REPO, REVISION = "jinzhuoran/RWKU", "d72f493d481d1b0a9bdc6e869d32baeffad8904f"
SIZES = {"1": 1, "10": 10, "50": 50}  # people, the first of the 200
# The kind of question at each level, and the instruction before a blank to fill in.
LEVELS = {"1": "blank", "2": "question", "3": "attack"}
BLANK = "Complete the blank in this sentence. "
ASKED = 150  # questions at most, for each level and for each split to be preserved
WORDS = 150  # of each chunk of a passage
LONGEST = 20  # words of an answer, which must be a name or a short phrase
WRONG_ANSWERS = 5
FIELDS = {"query": str, "answer": str, "subject": str}
Rows = Sequence[Mapping[str, Any]]


@register_task("rwku", version=1)
class Rwku(Task):
    """One, ten or fifty of RWKU's 200 well-known people are forgotten (Jin et al. 2024)."""

    sources = frozenset({"model"})
    answers = "name"
    variants = tuple(SIZES)
    max_new_tokens = 32

    def data(self, variant: str, source: PretrainedModel) -> TaskData:
        inputs, persons = source.inputs, everyone(source.inputs)
        count = SIZES[variant]
        if len(persons) < 2 * count:
            raise BadInput(f"{DATA_SET}: found {len(persons)} persons, {2 * count} are needed")
        chosen = persons[-count:] if source.development else persons[:count]
        forget = [e for level in LEVELS for e in asked_about(inputs, level, chosen)]
        retain, withheld = retained_and_withheld(neighbours(inputs, chosen))
        others = [name for name in persons if name not in chosen]
        general = [e for level in ("1", "2") for e in asked_about(inputs, level, others)]
        *proxies, holdout = strangers(forget, DATA_SET)
        corpus = passages(inputs, chosen)
        kept = spread(passages(inputs, others), len(corpus))
        splits = {
            "forget": forget,
            "retain": spread(retain, ASKED),
            "neighbors": spread(withheld, ASKED),
            "general": spread(general, ASKED),
            "holdout": [replace(e, id=f"never.{e.id}", perturbed=()) for e in holdout],
        }
        return TaskData.of(
            splits,
            [],
            [*retain, *text_examples("kept", kept)],
            proxies=proxies,
            forget_pool=text_examples("corpus", corpus),
            answers=self.answers,
        )


def everyone(inputs: Inputs) -> list[str]:
    """The names of all people, in RWKU's order."""
    return [row["target"] for row in rows(inputs, "forget_target", "train", target=str)]


def rows(inputs: Inputs, config: str, split: str, **fields: type) -> Rows:
    """The rows of a configuration; BadInput if there are none or a field is missing."""
    file = f"{config}.json"
    found = rows_of(inputs, DATA_SET, file, REPO, REVISION, config, split)
    return checked(found, f"{DATA_SET}/{file}", **fields)


def asked_about(inputs: Inputs, level: str, persons: Sequence[str]) -> list[Example]:
    """Up to ASKED questions at a level that name one of these people; only such questions can be
    asked about somebody else.
    """
    found = examples(rows(inputs, f"forget_level{level}", "test", **FIELDS), level, "subject")
    return spread(
        [e for e in found if e.entity in persons and names_person(e.prompt, e.entity)], ASKED
    )


def neighbours(inputs: Inputs, persons: Sequence[str]) -> list[Example]:
    """Questions about people close to these, who are not among them."""
    found = []
    for level in ("1", "2"):
        near = rows(inputs, f"neighbor_level{level}", "test", neighbor=str, **FIELDS)
        close = [
            row for row in near if row["subject"] in persons and row["neighbor"] not in persons
        ]
        found += examples(close, level, "neighbor")
    return found


def examples(entries: Iterable[Mapping[str, Any]], level: str, about: str) -> list[Example]:
    """The rows with short answers as examples, with answers to other rows as wrong answers."""
    short = [row for row in entries if len(row["answer"].split()) <= LONGEST]
    answers = {row["answer"] for row in short}
    return [
        Example(
            id=f"{about}.{level}.{number:05d}",
            entity=row[about],
            prompt=(BLANK if LEVELS[level] == "blank" else "") + row["query"],
            answer=row["answer"],
            perturbed=other_answers(
                answers, row["answer"], WRONG_ANSWERS, f"rwku-{level}-{number}"
            ),
            strata={"level": LEVELS[level]},
        )
        for number, row in enumerate(short)
    ]


def passages(inputs: Inputs, persons: Sequence[str]) -> list[str]:
    """Chunks of the passages about these people."""
    entries = rows(inputs, "train_original_passage", "train", text=str, subject=str)
    return [
        piece
        for row in entries
        if row["subject"] in persons
        for piece in chunks(row["text"], WORDS)
    ]
