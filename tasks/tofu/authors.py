"""TOFU's fictitious authors and their questions, in the same order for all data sources."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from benchmark.api import BadInput, Document, Example, Inputs, checked, rows_of

DATA_SET = "tofu"
REPO, REVISION = "locuslab/TOFU", "324592d84ae4f482ac7249b9285c2ecdb53e3a68"
QUESTIONS = 20  # per author, in consecutive rows
PERTURBED = {"question": str, "answer": str, "perturbed_answer": list}
REWORDED = {**PERTURBED, "paraphrased_answer": str}
Rows = list[dict[str, Any]]


def rows(inputs: Inputs, config: str, **fields: type) -> Rows:
    """The rows of a configuration of TOFU; BadInput if there are none or a field is missing."""
    entries = rows_of(inputs, DATA_SET, f"{config}.json", REPO, REVISION, config)
    return checked(
        entries, f"{DATA_SET}/{config}.json", **(fields or {"question": str, "answer": str})
    )


def first_request(entries: Rows) -> Rows:
    """TOFU's own rows, without the later requests in the files of Yuan et al. 2024."""
    return [row for row in entries if str(row.get("task_id", 1)) == "1"]


def _grouped(entries: Rows, config: str) -> list[Rows]:
    """The rows grouped by author; BadInput unless there are QUESTIONS per author."""
    if not entries or len(entries) % QUESTIONS:
        raise BadInput(
            f"{DATA_SET}/{config}.json: found {len(entries)} rows, {QUESTIONS} of each author are "
            "needed"
        )
    return [entries[start : start + QUESTIONS] for start in range(0, len(entries), QUESTIONS)]


def key(row: dict[str, Any]) -> tuple[str, str]:
    """The key of a row: question and answer, since one question is asked about two authors."""
    return row["question"].strip(), row["answer"].strip()


class Authors:
    """All authors with their questions, numbered; those of `retain90` come first."""

    def __init__(self, inputs: Inputs) -> None:
        retained = _grouped(rows(inputs, "retain90"), "retain90")
        forgotten = _grouped(first_request(rows(inputs, "forget10")), "forget10")
        # The hub and the files of Yuan et al. 2024 order the authors of forget10 differently.
        self.all = [*retained, *sorted(forgotten, key=lambda author: author[0]["question"])]
        self.retained = range(len(retained))
        self._place = {
            key(row): (a, n) for a, author in enumerate(self.all) for n, row in enumerate(author)
        }

    def place(self, row: dict[str, Any]) -> tuple[int, int]:
        """(author's number, number of the row within the author); BadInput for an unknown row."""
        if key(row) not in self._place:
            raise BadInput(
                f"{DATA_SET}: {row['question']!r} is in neither retain90 nor forget10, which "
                "make the full set"
            )
        return self._place[key(row)]

    def numbers(self, entries: Rows) -> list[int]:
        """The numbers of the authors that these rows are about, sorted."""
        return sorted({self.place(row)[0] for row in entries})

    def example(self, row: dict[str, Any], **strata: str) -> Example:
        """A row as an example; TOFU compares wrong answers with its paraphrased answer."""
        author, number = self.place(row)
        return Example(
            id=f"author{author:03d}.{number:02d}",
            entity=f"author{author:03d}",
            prompt=row["question"],
            answer=row["answer"],
            rewordings=(row["paraphrased_answer"],) if "paraphrased_answer" in row else (),
            perturbed=tuple(row.get("perturbed_answer", ())),
            strata=strata,
        )

    def examples(self, authors: Iterable[int]) -> list[Example]:
        """All questions about these authors, as in training."""
        return [self.example(row) for number in authors for row in self.all[number]]

    def documents(self, authors: Iterable[int]) -> list[Document]:
        """The training documents about these authors."""
        return [
            Document(example.id, example.prompt, example.answer)
            for example in self.examples(authors)
        ]


def asked_of_all(inputs: Inputs, config: str) -> list[Example]:
    """Questions about real authors or world facts, which any model may know."""
    entries = rows(inputs, config, **PERTURBED)
    return [
        Example(
            f"{config}.{n:03d}",
            f"{config}.{n:03d}",
            row["question"],
            row["answer"],
            (),
            tuple(row["perturbed_answer"]),
        )
        for n, row in enumerate(entries)
    ]


def of_authors(entries: Rows, authors: Authors, wanted: Sequence[int]) -> Rows:
    """The rows about the wanted authors."""
    return [row for row in entries if authors.place(row)[0] in wanted]
