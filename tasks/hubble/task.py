"""`hubble/yago|gutenberg`: texts inserted into pretraining 1 to 256 times, half of each number to
be forgotten.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from benchmark.api import (
    BadInput,
    Document,
    Example,
    PretrainedModel,
    Task,
    TaskData,
    checked,
    register_task,
    rows_of,
    spread,
)

DATA_SET = "hubble"
# The authors' commits are not known here; what was read is part of a record's id by its content.
REVISION = "main"
REPOS = {
    "yago": "allegrolab/biographies_yago",
    "gutenberg": "allegrolab/passages_gutenberg_unpopular",
}
READS = (1, 4, 16, 64, 256)
PER_COUNT = 40  # texts read so often, half of them forgotten
NEVER_SEEN = 100
WITHHELD = 5  # of each half of texts read so often: kept, and never rehearsed
WORDS = 150  # of a text, from its beginning
FEWEST = 4  # texts read so often: half are for development, half of those are forgotten


@register_task("hubble", version=1)
class Hubble(Task):
    """Biographies or books in the pretraining of one model of a minimal pair (Wei et al. 2025)."""

    sources = frozenset({"model"})
    answers = "text"
    asking: ClassVar[dict] = {"prompts": "bare"}  # as in `memorized`
    variants = tuple(REPOS)
    trajectory = True
    max_new_tokens = 32

    def data(self, variant: str, source: PretrainedModel) -> TaskData:
        read = {n: rows for n, rows in self._inserted(variant, source).items() if rows}
        forgotten = [e for rows in read.values() for e in rows[::2]]
        kept = [e for rows in read.values() for e in rows[1::2]]
        withheld = [e for rows in read.values() for e in rows[1::2][-WITHHELD:]]
        # Of few texts some are rehearsed all the same.
        rehearsed = [e for e in kept if e not in withheld] or kept
        unseen = examples(rows(source, variant, "test")[source.development :: 2], "never")
        splits = {
            "forget": forgotten,
            "retain": rehearsed,
            "retain_eval": withheld,
            "holdout": spread(unseen, NEVER_SEEN),
        }
        documents = [Document(e.id, "", e.answer) for e in (*forgotten, *kept)]
        return TaskData.of(splits, documents, rehearsed, answers=self.answers)

    def _inserted(self, variant: str, source: PretrainedModel) -> dict[int, list[Example]]:
        """Texts by how often the model has read them; BadInput if there are too few of each."""
        found = rows(source, variant, "train")
        by_count = {n: [row for row in found if row["duplicates"] == n] for n in READS}
        largest = max(map(len, by_count.values()))
        if largest < FEWEST:
            raise BadInput(
                f"{DATA_SET}/{variant}: found {largest} texts of a number of duplicates at most, "
                f"{FEWEST} are needed"
            )
        return {
            n: spread(examples(own[source.development :: 2], f"read{n}"), PER_COUNT)
            for n, own in by_count.items()
        }


def rows(source: PretrainedModel, variant: str, split: str) -> Sequence[Mapping[str, Any]]:
    """Texts of a split, with how often they were inserted: never, in `test`."""
    file = f"{variant}_{split}.json"
    found = rows_of(source.inputs, DATA_SET, file, REPOS[variant], REVISION, "", split)
    return checked(found, f"{DATA_SET}/{file}", text=str, duplicates=int)


def examples(entries: Iterable[Mapping[str, Any]], name: str) -> list[Example]:
    """The beginnings of the texts."""
    return [
        Example(
            f"{name}.{number:04d}",
            f"{name}.{number:04d}",
            "",
            "".join(re.findall(r"\S+\s*", row["text"])[:WORDS]).rstrip(),
            strata={"reads": str(row["duplicates"])},
        )
        for number, row in enumerate(entries)
    ]
