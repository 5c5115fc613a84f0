"""The data of one variant of a task, and the documents that its models are trained on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import datasets

from benchmark.core.answer_form import Answers, form_of, misfit
from benchmark.core.examples import ROLES, Example, Pair, to_dataset, to_examples
from benchmark.core.hashing import fingerprint
from benchmark.errors import BadInput

REQUIRED = ROLES[:2]


@dataclass(frozen=True)
class Document:
    """One training text, as prompt and answer; `example` is the id of the example whose knowledge
    it carries.

    `reads` is the total number of times that training reads it; by default, once per epoch.
    """

    example: str
    prompt: str
    answer: str
    reads: int | None = None

    @property
    def pair(self) -> Pair:
        return Pair(self.prompt, self.answer)


@dataclass(frozen=True)
class TaskData:
    """The data of one variant of a task.

    `splits` are the evaluation sets, one per role, each with one answer form. `forget` and `retain`
    are required. Among the sets to preserve, `retain_eval` is never rehearsed, `neighbors` is close
    to the forget set, `general` far from it. No model is trained on `holdout`; membership inference
    compares with it. `documents` are the target's training texts beyond the shared base; the engine
    derives the oracles' texts by dropping every document of a forget example, so tasks cannot get
    this wrong. `retain_pool` holds the examples that methods may rehearse. `requests` are the ids
    of the forget examples in each sequential request; by default, a single request has all of them.
    If no oracle can be trained, `proxies` replace the oracles: several sets of the same questions,
    with the same ids, about nonexistent subjects. `forget_pool` holds the examples that methods are
    given to forget, if they differ from the evaluated forget set.
    """

    splits: datasets.DatasetDict
    documents: tuple[Document, ...]
    retain_pool: datasets.Dataset
    requests: tuple[frozenset[str], ...] = ()
    proxies: tuple[datasets.Dataset, ...] = ()
    forget_pool: datasets.Dataset | None = None

    def __post_init__(self) -> None:
        _require_roles(self.splits)
        forgotten = sorted(self.splits["forget"]["id"])
        if self.requests and sorted(i for request in self.requests for i in request) != forgotten:
            raise ValueError("every forget example must be in exactly one request")
        if any(list(proxy["id"]) != list(self.splits["forget"]["id"]) for proxy in self.proxies):
            raise ValueError("every proxy must have the ids of the forget set, in the same order")
        if (self.proxies or self.forget_pool is not None) and len(self.requests) > 1:
            raise ValueError("proxies and a separate forget pool require a single request")
        if not all(self.requests):
            raise ValueError("a request must have at least one example")
        object.__setattr__(self, "requests", self.requests or (frozenset(forgotten),))

    @classmethod
    def of(
        cls,
        splits: Mapping[str, Iterable[Example]],
        documents: Iterable[Document],
        retain_pool: Iterable[Example],
        requests: Iterable[frozenset[str]] = (),
        proxies: Iterable[Iterable[Example]] = (),
        forget_pool: Iterable[Example] | None = None,
        *,
        answers: Answers,
    ) -> TaskData:
        """Builds the data from lists of examples and checks the declared answer forms; BadInput
        names the first example that does not fit.
        """
        rows = {
            role: _of_form(f"the split {role}", examples, form_of(answers, role))
            for role, examples in splits.items()
        }
        form = form_of(answers, "forget")
        stand_ins = tuple(
            _of_form(f"proxy {number}", examples, form)
            for number, examples in enumerate(proxies, 1)
        )
        given = None if forget_pool is None else to_dataset(forget_pool)
        pool = to_dataset(retain_pool)
        split_rows = datasets.DatasetDict(rows)
        return cls(split_rows, tuple(documents), pool, tuple(requests), stand_ins, given)

    def examples(self, split: str) -> list[Example]:
        return list(self._typed[split])

    @cached_property
    def _typed(self) -> dict[str, list[Example]]:
        """Examples by role, converted once because a cell needs them at every stage."""
        return {role: to_examples(rows) for role, rows in self.splits.items()}

    @cached_property
    def rehearsed(self) -> list[Pair]:
        """The pairs that methods and attackers may rehearse."""
        return [example.pair for example in to_examples(self.retain_pool)]

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles of the present splits, in the order of `ROLES`."""
        return tuple(role for role in ROLES if role in self.splits)

    @property
    def evaluated(self) -> dict[str, list[Example]]:
        """The examples of every split, by role."""
        return {role: self.examples(role) for role in self.roles}

    @property
    def forms(self) -> dict[str, str]:
        """The answer form of every split, by role."""
        return {role: self.splits[role][0]["form"] for role in self.roles}

    def asked(self, number: int) -> list[Example]:
        """The examples that methods must forget in a request, counted from 0."""
        if self.forget_pool is not None:
            return to_examples(self.forget_pool)
        return [e for e in self.examples("forget") if e.id in self.requests[number]]

    def documents_after(self, requests: int) -> tuple[Document, ...]:
        """The training texts of a model that never saw the first `requests` requests; 0 gives the
        target's texts.
        """
        gone = frozenset[str]().union(*self.requests[:requests])
        return tuple(d for d in self.documents if d.example not in gone)

    @property
    def fingerprint(self) -> str:
        """Hash of every row and document; it changes only when the data change.

        Probes are excluded; they enter the recipes of the attacks that ask them.
        """
        given = self.forget_pool
        return fingerprint(
            {
                "splits": {role: _content(rows) for role, rows in self.splits.items()},
                "documents": [vars(document) for document in self.documents],
                "retain_pool": _content(self.retain_pool),
                "requests": [sorted(request) for request in self.requests],
                "proxies": [_content(rows) for rows in self.proxies],
                "forget_pool": None if given is None else _content(given),
            }
        )


def _content(rows: datasets.Dataset) -> list[dict[str, Any]]:
    return rows.remove_columns("probes").to_list()


def _require_roles(splits: datasets.DatasetDict) -> None:
    """Raises ValueError if a split is missing or has an unknown role, or if the holdout and the
    forget set have different answer forms; BadInput if a split is empty.
    """
    if unknown := [role for role in splits if role not in ROLES]:
        raise ValueError(f"unknown splits {unknown}; roles: {ROLES}")
    if missing := [role for role in REQUIRED if role not in splits]:
        raise ValueError(f"task data lack the splits {missing}")
    if empty := [role for role, rows in splits.items() if not len(rows)]:
        raise BadInput(f"the splits {empty} are empty; omit empty splits")  # the users' rows
    if "holdout" in splits and splits["holdout"][0]["form"] != splits["forget"][0]["form"]:
        raise ValueError("forget and holdout must have answers of the same form")


def _of_form(where: str, examples: Iterable[Example], form: str) -> datasets.Dataset:
    """The examples with their answer form set; BadInput if one does not fit it."""
    stamped = [replace(example, form=form) for example in examples]
    for example in stamped:
        if wrong := misfit(example, form):
            raise BadInput(f"{where}: example {example.id} does not fit the form {form}: {wrong}")
    return to_dataset(stamped)
