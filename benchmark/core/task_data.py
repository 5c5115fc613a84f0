"""All that one variant of a task is made of, and what its models read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import datasets

from benchmark.core.answer_form import EXTRACTABLE, SENTENCE, is_extractable, is_sentence
from benchmark.core.examples import EVALUATED_SPLITS, Example, kind_of, to_dataset, to_examples
from benchmark.core.hashing import fingerprint


@dataclass(frozen=True)
class Document:
    """One training text, kept as prompt and answer; `example` names the example whose knowledge it
    carries.

    `reads`: how often training reads it in all; without it, once in every epoch.
    """

    example: str
    prompt: str
    answer: str
    reads: int | None = None


@dataclass(frozen=True)
class TaskData:
    """All that one variant of a task is made of.

    `splits` are evaluated (see `EVALUATED_SPLITS`; `holdout` was never trained on by any model),
    each of one kind of examples. `documents` is what the target read beyond the shared base; the
    engine makes the oracles' reading from it by dropping every document of a forgotten example, so
    that no task can get this wrong. `retain_pool` is what methods may rehearse. `requests` are the
    ids of the forget examples that each of several requests in a row asks for; without it there is
    one request for all of them. Where no model can be trained that never saw the forgotten,
    `proxies` are references instead: the same questions, with the same ids, about subjects that
    never existed, several times over. `forget_pool` is what methods are given to forget where that
    is not what is asked afterwards.
    """

    splits: datasets.DatasetDict
    documents: tuple[Document, ...]
    retain_pool: datasets.Dataset
    requests: tuple[frozenset[str], ...] = ()
    proxies: tuple[datasets.Dataset, ...] = ()
    forget_pool: datasets.Dataset | None = None

    def __post_init__(self) -> None:
        missing = [s for s in EVALUATED_SPLITS if s not in self.splits]
        if missing:
            raise ValueError(f"task data lack the splits {missing}")
        kinds = {
            name: {kind_of(prompt) for prompt in self.splits[name]["prompt"]}
            for name in EVALUATED_SPLITS
        }
        for name, found in kinds.items():
            if len(found) > 1:
                raise ValueError(f"the split {name} mixes questions and texts")
        if kinds["forget"] != kinds["holdout"]:
            raise ValueError("forget and holdout must both be questions or both be texts")
        forgotten = sorted(self.splits["forget"]["id"])
        if self.requests and sorted(i for request in self.requests for i in request) != forgotten:
            raise ValueError("every forget example must be asked for by one request")
        if any(list(proxy["id"]) != list(self.splits["forget"]["id"]) for proxy in self.proxies):
            raise ValueError("every proxy must ask for each forget example, in their order")
        if (self.proxies or self.forget_pool is not None) and len(self.requests) > 1:
            raise ValueError("proxies and a pool of their own to forget are for a single request")
        if not all(self.requests):
            raise ValueError("a request must ask for at least one example")
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
    ) -> TaskData:
        """The data made of lists of examples."""
        rows = datasets.DatasetDict(
            {name: to_dataset(examples) for name, examples in splits.items()}
        )
        pool, stand_ins = (
            to_dataset(retain_pool),
            tuple(to_dataset(examples) for examples in proxies),
        )
        given = None if forget_pool is None else to_dataset(forget_pool)
        return cls(rows, tuple(documents), pool, tuple(requests), stand_ins, given)

    def examples(self, split: str) -> list[Example]:
        return to_examples(self.splits[split])

    def asked(self, number: int) -> list[Example]:
        """What the request of that number, from 0, gives to methods to forget."""
        if self.forget_pool is not None:
            return to_examples(self.forget_pool)
        return [e for e in self.examples("forget") if e.id in self.requests[number]]

    def documents_after(self, requests: int) -> tuple[Document, ...]:
        """What is read by a model that never saw what the first so many requests ask for: 0 is
        the target's reading.
        """
        gone = frozenset[str]().union(*self.requests[:requests])
        return tuple(d for d in self.documents if d.example not in gone)

    @property
    def features(self) -> frozenset[str]:
        """What only some metrics can score: the features that most examples to be forgotten
        have.
        """
        forget = self.splits["forget"]
        has = {SENTENCE: is_sentence, EXTRACTABLE: is_extractable}
        counted = {
            name: sum(map(test, forget["prompt"], forget["answer"])) for name, test in has.items()
        }
        return frozenset(name for name, count in counted.items() if count > len(forget) / 2)

    @property
    def fingerprint(self) -> str:
        """Hash of every row and document; it changes only when the data change."""
        parts: dict[str, list] = {name: _content(self.splits[name]) for name in sorted(self.splits)}
        parts["retain_pool"] = _content(self.retain_pool)
        parts["documents"] = [
            {k: v for k, v in asdict(d).items() if v is not None} for d in self.documents
        ]
        if len(self.requests) > 1:
            parts["requests"] = [sorted(request) for request in self.requests]
        if self.proxies:
            parts["proxies"] = [_content(proxy) for proxy in self.proxies]
        if self.forget_pool is not None:
            parts["forget_pool"] = _content(self.forget_pool)
        return fingerprint(parts)


def _content(rows: datasets.Dataset) -> list[dict[str, Any]]:
    """The rows, without rewordings where they have none: data from before there were any keep
    their fingerprint.
    """
    return [{k: v for k, v in row.items() if v or k != "rewordings"} for row in rows]
