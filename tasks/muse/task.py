"""`muse/news|books`: running text that the model was trained on and must forget entirely."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from benchmark.api import (
    BadInput,
    Document,
    Example,
    Inputs,
    PretrainedModel,
    Task,
    TaskData,
    checked,
    chunks,
    other_answers,
    register_task,
    rows_of,
    spread,
    text_examples,
)

DATA_SET = "muse"
SOURCES = {
    "news": ("muse-bench/MUSE-News", "506bd5b150b92814d45e4404a82f120ab2d748bf"),
    "books": ("muse-bench/MUSE-Books", "051ba90319e920d410d87cfdbd61f25843c1b892"),
}
WORDS = 150  # of each text; short enough for small models
RETAINED, HELD_OUT = 100, 100  # evaluated texts of the retain and holdout splits
WRONG_ANSWERS = 5
FEWEST = 4  # passages: half are reserved for development, and attacks get half of the forget set


@register_task("muse", version=1)
class Muse(Task):
    """News articles or the Harry Potter books, verbatim (Shi et al. 2024)."""

    sources = frozenset({"model"})
    answers = dict.fromkeys(("forget", "retain", "holdout"), "text") | {"retain_eval": "name"}
    variants = tuple(SOURCES)
    max_new_tokens = 32

    def data(self, variant: str, source: PretrainedModel) -> TaskData:
        inputs = source.inputs
        forget = text_examples("forget", passages(inputs, variant)[source.development :: 2])
        asked = rows(inputs, variant, "knowmem", "retain_qa", question=str, answer=str)
        splits = {
            "forget": forget,
            "retain": text_examples(
                "retain", spread(pieces(inputs, variant, "privleak", "retain"), RETAINED)
            ),
            "retain_eval": questions(asked),
            "holdout": text_examples(
                "never", spread(pieces(inputs, variant, "privleak", "holdout"), HELD_OUT)
            ),
        }
        corpus = text_examples("corpus", pieces(inputs, variant, "raw", "forget"))
        kept = text_examples("kept", pieces(inputs, variant, "raw", "retain2"))
        rehearsed = text_examples(
            "rehearsed", spread(pieces(inputs, variant, "raw", "retain1"), len(corpus))
        )
        documents = [
            *carried(corpus, forget),
            *(Document(e.id, "", e.answer) for e in (*kept, *rehearsed)),
        ]
        return TaskData.of(splits, documents, rehearsed, forget_pool=corpus, answers=self.answers)


def rows(
    inputs: Inputs, variant: str, config: str, split: str, **fields: type
) -> list[dict[str, Any]]:
    """The rows of a configuration and split; BadInput if there are none or a field is missing."""
    repo, revision = SOURCES[variant]
    file = f"{variant}_{config}_{split}.json"
    return checked(
        rows_of(inputs, DATA_SET, file, repo, revision, config, split),
        f"{DATA_SET}/{file}",
        **fields,
    )


def passages(inputs: Inputs, variant: str) -> list[str]:
    """The last WORDS words of each passage: the end of its prompt with the verbatim continuation.

    BadInput if there are fewer than FEWEST.
    """
    entries = rows(inputs, variant, "verbmem", "forget", prompt=str, gt=str)
    if len(entries) < FEWEST:
        raise BadInput(
            f"{DATA_SET}: found {len(entries)} passages of {variant}, at least {FEWEST} are needed"
        )
    word_lists = (re.findall(r"\S+\s*", f"{row['prompt']} {row['gt']}") for row in entries)
    return ["".join(words[-WORDS:]).rstrip() for words in word_lists]


def pieces(inputs: Inputs, variant: str, config: str, split: str) -> list[str]:
    """The texts of a split, in chunks of about WORDS words."""
    return [
        piece
        for row in rows(inputs, variant, config, split, text=str)
        for piece in chunks(row["text"], WORDS)
    ]


def carried(corpus: Sequence[Example], forget: Sequence[Example]) -> list[Document]:
    """The corpus to be forgotten as documents, assigned to the forget examples in turn, so that
    removing these examples removes the whole corpus.
    """
    return [
        Document(forget[n % len(forget)].id, "", piece.answer) for n, piece in enumerate(corpus)
    ]


def questions(entries: Sequence[dict[str, Any]]) -> list[Example]:
    """Questions as examples, with answers to other questions as wrong answers."""
    answers = {row["answer"] for row in entries}
    return [
        Example(
            id=f"knowledge.{n:03d}",
            entity=f"knowledge.{n:03d}",
            prompt=row["question"],
            answer=row["answer"],
            perturbed=other_answers(answers, row["answer"], WRONG_ANSWERS, f"muse-{n}"),
        )
        for n, row in enumerate(entries)
    ]
