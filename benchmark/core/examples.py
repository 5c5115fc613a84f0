"""Examples: what is asked, what is right, and the tags that results are broken down by."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

import datasets

EVALUATED_SPLITS = ("forget", "retain", "neighbours", "general", "holdout")
_FEATURES = datasets.Features(
    {
        "id": datasets.Value("string"),
        "entity": datasets.Value("string"),
        "prompt": datasets.Value("string"),
        "answer": datasets.Value("string"),
        "paraphrases": datasets.List(datasets.Value("string")),
        "rewordings": datasets.List(datasets.Value("string")),
        "perturbed": datasets.List(datasets.Value("string")),
        "aliases": datasets.List(datasets.Value("string")),
        "strata": datasets.List(
            {"name": datasets.Value("string"), "value": datasets.Value("string")}
        ),
    }
)


@dataclass(frozen=True)
class Pair:
    """A prompt and its answer, all that a method learns of an example."""

    prompt: str
    answer: str


@dataclass(frozen=True)
class Example:
    """One prompt/answer pair about one entity, or one text: then the prompt is empty and the answer
    is all of it.

    `paraphrases` are held-out prompts with the same answer, `rewordings` other wordings of the
    answer to the same prompt, `perturbed` are wrong answers of the same kind, `strata` are the tags
    that results are broken down by.
    """

    id: str
    entity: str
    prompt: str
    answer: str
    paraphrases: tuple[str, ...] = ()
    perturbed: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    strata: dict[str, str] = field(default_factory=dict)
    rewordings: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        return kind_of(self.prompt)

    @property
    def wordings(self) -> list[Pair]:
        """Held-out wordings of the question, or of the answer, or, where there are none, the
        pair as it is.
        """
        if self.rewordings:
            return [Pair(self.prompt, answer) for answer in self.rewordings]
        return [Pair(prompt, self.answer) for prompt in self.paraphrases]


def kind_of(prompt: str) -> str:
    """ "question" where there is something to answer, "text" where the prompt is empty: a
    sequence as it stands.
    """
    return "question" if prompt else "text"


def to_dataset(examples: Iterable[Example]) -> datasets.Dataset:
    """Rows of a `datasets.Dataset`, in order."""
    rows = [
        asdict(e) | {"strata": [{"name": k, "value": v} for k, v in e.strata.items()]}
        for e in examples
    ]
    return datasets.Dataset.from_dict(
        {name: [row[name] for row in rows] for name in _FEATURES}, features=_FEATURES
    )


def to_examples(dataset: datasets.Dataset) -> list[Example]:
    """The typed rows of a split."""
    return [_example(row) for row in dataset]


def _example(row: dict[str, Any]) -> Example:
    strata = {tag["name"]: tag["value"] for tag in row["strata"]}
    lists = {k: tuple(row[k]) for k in ("paraphrases", "perturbed", "aliases", "rewordings")}
    return Example(row["id"], row["entity"], row["prompt"], row["answer"], **lists, strata=strata)
