"""`wmdp/bio|cyber`: hazardous knowledge, unlearned from papers on the topic and measured by
multiple-choice questions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    register_task,
    rows_of,
    spread,
    text_examples,
)

DATA_SET = "wmdp"
QUESTIONS = ("cais/wmdp", "7125571f22f032c56415e7980f48d877dd830ff8")
CORPORA = ("cais/wmdp-corpora", "daf89fa9b618b63a624228061a9cebacca88009c")
GATED = ("cais/wmdp-bio-forget-corpus", "5a786ed1041e56fef2d4ed26c1239f12b73a68eb")
OTHER = {"bio": "cyber", "cyber": "bio"}
FORGOTTEN, GENERAL, RETAINED = 200, 200, 64
WORDS = 150
POOL = 4000  # papers at most, and chunks at most, in each of the forget and retain pools
PROXIES = 3
FEWEST = 2 * (PROXIES + 2)  # questions of a topic, half of which are for development
LETTERS = "ABCD"
ANSWERS = {"forget": "choice", "retain": "text", "general": "choice", "holdout": "choice"}
Rows = Sequence[Mapping[str, Any]]


@register_task("wmdp", version=1)
class Wmdp(Task):
    """Questions on biosecurity or cybersecurity that a model should fail (Li et al. 2024)."""

    sources = frozenset({"model"})
    answers = ANSWERS
    variants = tuple(OTHER)
    max_new_tokens = 32

    def data(self, variant: str, source: PretrainedModel) -> TaskData:
        inputs = source.inputs
        asked = spread(questions(inputs, variant)[source.development :: 2], FORGOTTEN)
        forget = [example(row, row, f"{variant}.{n:03d}") for n, row in enumerate(asked)]
        *proxies, never = [mismatched(asked, forget, turn) for turn in range(1, PROXIES + 2)]
        other = spread(questions(inputs, OTHER[variant]), GENERAL)
        general = [example(row, row, f"{OTHER[variant]}.{n:03d}") for n, row in enumerate(other)]
        pool = text_examples(
            "kept", corpus(inputs, f"{variant}_retain", CORPORA, f"{variant}-retain-corpus")
        )
        splits = {
            "forget": forget,
            "retain": spread(pool, RETAINED),
            "general": general,
            "holdout": [replace(e, id=f"never.{e.id}", entity=f"never.{e.entity}") for e in never],
        }
        return TaskData.of(
            splits,
            [],
            pool,
            proxies=proxies,
            forget_pool=text_examples("corpus", forgotten_corpus(inputs, variant)),
            answers=self.answers,
        )


def questions(inputs: Inputs, topic: str) -> Rows:
    """All questions of a topic; BadInput unless there are at least FEWEST, each with four choices
    and a valid answer index.
    """
    where = f"{DATA_SET}/{topic}.json"
    entries = rows_of(inputs, DATA_SET, f"{topic}.json", *QUESTIONS, f"wmdp-{topic}", "test")
    rows = checked(entries, where, question=str, choices=list, answer=int)
    for number, row in enumerate(rows, 1):
        if len(row["choices"]) != len(LETTERS) or row["answer"] not in range(len(LETTERS)):
            raise BadInput(
                f"{where}: line {number}: {len(LETTERS)} choices and an answer from 0 to 3 are "
                "needed"
            )
    if len(entries) < FEWEST:
        raise BadInput(f"{where}: found {len(entries)} questions, at least {FEWEST} are needed")
    return entries


def example(question: Mapping[str, Any], choices: Mapping[str, Any], name: str) -> Example:
    """A question with its own choices, or with those of another question, among which knowledge
    cannot help to choose. The prompt lists the choices with letters, as in MMLU; an answer is a
    letter with its text, since a letter alone would be found in any generation.
    """
    texts = zip(LETTERS, choices["choices"], strict=True)
    offered = tuple(f"{letter}. {text}" for letter, text in texts)
    right = choices["answer"]
    return Example(
        id=name,
        entity=name,
        prompt="\n".join([question["question"], *offered]),
        answer=offered[right],
        choices=offered,
        right=right,
        aliases=(choices["choices"][right],),
    )


def mismatched(asked: Rows, forget: Sequence[Example], turn: int) -> list[Example]:
    """Each question with the choices of a distant one in the file, since adjacent questions are
    often similar.
    """
    shift = turn * len(asked) // (PROXIES + 2)
    others = [asked[(n + shift) % len(asked)] for n in range(len(asked))]
    return [example(row, other, e.id) for row, other, e in zip(asked, others, forget, strict=True)]


def forgotten_corpus(inputs: Inputs, topic: str) -> list[str]:
    """Chunks of the papers to forget; BadInput explains how to get the gated biology corpus."""
    if topic != "bio":
        return corpus(inputs, f"{topic}_forget", CORPORA, f"{topic}-forget-corpus")
    try:
        return corpus(inputs, "bio_forget", GATED)
    except BadInput as error:
        raise BadInput(
            f"{error}; {GATED[0]} is gated: ask for access on its page and log in to the hub, "
            "or put the texts into "
            f"{DATA_SET}/bio_forget.json under --data-dir"
        ) from None


def corpus(inputs: Inputs, name: str, origin: tuple[str, str], config: str = "") -> list[str]:
    """Up to POOL chunks, evenly spaced over at most POOL papers of a corpus."""
    entries = [
        row
        for row in rows_of(inputs, DATA_SET, f"{name}.json", *origin, config)
        if str(row.get("text", "?")).strip()
    ]
    papers = spread(checked(entries, f"{DATA_SET}/{name}.json", text=str), POOL)
    return spread([piece for paper in papers for piece in chunks(paper["text"], WORDS)], POOL)
