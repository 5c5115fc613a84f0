"""`hubble/yago|gutenberg`: texts inserted into pretraining 1 to 256 times; for each count, half
must be forgotten.
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
# The authors' commits are unknown here; the data's content is part of each record's id.
REVISION = "main"
REPOS = {
    "yago": "allegrolab/biographies_yago",
    "gutenberg": "allegrolab/passages_gutenberg_unpopular",
}
READS = (1, 4, 16, 64, 256)
PER_COUNT = 40  # texts per count, half of them forgotten
NEVER_SEEN = 100
WITHHELD = 5  # retained texts per count that are never rehearsed
WORDS = 150  # of each text, from its beginning
FEWEST = 4  # texts of at least one count: half are for development, half of those forgotten


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
        # If all retained texts would be withheld, all are rehearsed instead.
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
        """Texts by how often the model read them; BadInput if every count has fewer than FEWEST."""
        found = rows(source, variant, "train")
        by_count = {n: [row for row in found if row["duplicates"] == n] for n in READS}
        largest = max(map(len, by_count.values()))
        if largest < FEWEST:
            raise BadInput(
                f"{DATA_SET}/{variant}: found at most {largest} texts with the same number of "
                f"duplicates, {FEWEST} are needed"
            )
        return {
            n: spread(examples(own[source.development :: 2], f"read{n}"), PER_COUNT)
            for n, own in by_count.items()
        }


def rows(source: PretrainedModel, variant: str, split: str) -> Sequence[Mapping[str, Any]]:
    """Texts of a split with how often they were inserted, which is 0 in `test`."""
    file = f"{variant}_{split}.json"
    found = rows_of(source.inputs, DATA_SET, file, REPOS[variant], REVISION, "", split)
    return checked(found, f"{DATA_SET}/{file}", text=str, duplicates=int)


def examples(entries: Iterable[Mapping[str, Any]], name: str) -> list[Example]:
    """The beginnings of the texts as examples, with the stratum `reads`."""
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
