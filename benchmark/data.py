"""Examples and requests: what is to be forgotten, and what a method is allowed to see of it."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import datasets

from benchmark.sentences import EXTRACTABLE, SENTENCE, is_extractable, is_sentence

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
        "strata": datasets.List({"name": datasets.Value("string"), "value": datasets.Value("string")}),
    }
)


@dataclass(frozen=True)
class Pair:
    """A prompt and its answer, all that a method learns of an example."""

    prompt: str
    answer: str


@dataclass(frozen=True)
class Example:
    """One prompt/answer pair about one entity, or one text: then the prompt is empty and the answer is all of it.

    `paraphrases` are held-out prompts with the same answer, `rewordings` other wordings of the answer to the same
    prompt, `perturbed` are wrong answers of the same kind, `strata` are the tags that results are broken down by.
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
        """Held-out wordings of the question, or of the answer, or, where there are none, the pair as it is."""
        if self.rewordings:
            return [Pair(self.prompt, answer) for answer in self.rewordings]
        return [Pair(prompt, self.answer) for prompt in self.paraphrases]


def kind_of(prompt: str) -> str:
    """ "question" where there is something to answer, "text" where the prompt is empty: a sequence as it stands."""
    return "question" if prompt else "text"


def to_dataset(examples: Iterable[Example]) -> datasets.Dataset:
    """Rows of a `datasets.Dataset`, in order."""
    rows = [asdict(e) | {"strata": [{"name": k, "value": v} for k, v in e.strata.items()]} for e in examples]
    return datasets.Dataset.from_dict({name: [row[name] for row in rows] for name in _FEATURES}, features=_FEATURES)


def to_examples(dataset: datasets.Dataset) -> list[Example]:
    """The typed rows of a split."""
    return [_example(row) for row in dataset]


def _example(row: dict[str, Any]) -> Example:
    strata = {tag["name"]: tag["value"] for tag in row["strata"]}
    lists = {k: tuple(row[k]) for k in ("paraphrases", "perturbed", "aliases", "rewordings")}
    return Example(row["id"], row["entity"], row["prompt"], row["answer"], **lists, strata=strata)


@dataclass(frozen=True)
class Document:
    """One training text, kept as prompt and answer; `example` names the example whose knowledge it carries.

    `reads`: how often training reads it in all; without it, once in every epoch.
    """

    example: str
    prompt: str
    answer: str
    reads: int | None = None


@dataclass(frozen=True)
class TaskData:
    """All that one variant of a task is made of.

    `splits` are evaluated (see `EVALUATED_SPLITS`; `holdout` was never trained on by any model), each of one kind
    of examples. `documents` is what the target read beyond the shared base; the engine makes the oracles' reading
    from it by dropping every document of a forgotten example, so that no task can get this wrong.
    `retain_pool` is what methods may rehearse. `requests` are the ids of the forget examples that each of several
    requests in a row asks for; without it there is one request for all of them. Where no model can be trained that
    never saw the forgotten, `proxies` are references instead: the same questions, with the same ids, about subjects
    that never existed, several times over. `forget_pool` is what methods are given to forget where that is not what is
    asked afterwards.
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
        kinds = {name: {kind_of(prompt) for prompt in self.splits[name]["prompt"]} for name in EVALUATED_SPLITS}
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
        rows = datasets.DatasetDict({name: to_dataset(examples) for name, examples in splits.items()})
        pool, stand_ins = to_dataset(retain_pool), tuple(to_dataset(examples) for examples in proxies)
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
        """What is read by a model that never saw what the first so many requests ask for: 0 is the target's reading."""
        gone = frozenset[str]().union(*self.requests[:requests])
        return tuple(d for d in self.documents if d.example not in gone)

    @property
    def features(self) -> frozenset[str]:
        """What only some metrics can score: the features that most examples to be forgotten have."""
        forget = self.splits["forget"]
        has = {SENTENCE: is_sentence, EXTRACTABLE: is_extractable}
        counted = {name: sum(map(test, forget["prompt"], forget["answer"])) for name, test in has.items()}
        return frozenset(name for name, count in counted.items() if count > len(forget) / 2)

    @property
    def fingerprint(self) -> str:
        """Hash of every row and document; it changes only when the data change."""
        parts: dict[str, list] = {name: _content(self.splits[name]) for name in sorted(self.splits)}
        parts["retain_pool"] = _content(self.retain_pool)
        parts["documents"] = [{k: v for k, v in asdict(d).items() if v is not None} for d in self.documents]
        if len(self.requests) > 1:
            parts["requests"] = [sorted(request) for request in self.requests]
        if self.proxies:
            parts["proxies"] = [_content(proxy) for proxy in self.proxies]
        if self.forget_pool is not None:
            parts["forget_pool"] = _content(self.forget_pool)
        return fingerprint(parts)


def _content(rows: datasets.Dataset) -> list[dict[str, Any]]:
    """The rows, without rewordings where they have none: data from before there were any keep their fingerprint."""
    return [{k: v for k, v in row.items() if v or k != "rewordings"} for row in rows]


def fingerprint(value: Any) -> str:
    """16 hex digits of the SHA-256 of the value's canonical JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Budget:
    """How much training a method may do: the same for every method of a track."""

    steps: int
    batch_size: int


class BudgetExceeded(RuntimeError):
    """A method took more steps than its budget has."""


@dataclass
class Meter:
    """Counts what is spent, whatever the loop, and shows the model to `watch(model, steps)` after every step.

    A step beyond `limit` is BudgetExceeded.
    """

    steps: int = 0
    tokens: int = 0
    limit: int | None = None
    watch: Callable[[Any, int], None] | None = None

    def step(self, model: Any, tokens: int) -> None:
        """One step was taken on so many tokens; `model` is what it has made of the target so far."""
        if self.limit is not None and self.steps >= self.limit:
            raise BudgetExceeded(f"the budget has {self.limit} steps")
        self.steps += 1
        self.tokens += tokens
        if self.watch:
            self.watch(model, self.steps)


@dataclass
class Request:
    """What a method is given, and nothing from evaluation.

    Of several requests in a row a method sees the current one alone; what it puts into `state` (numbers, texts,
    tensors, and lists or dictionaries of them) it finds there again at the next. `retrain` is there only for methods
    that declare `sees={"training"}`; it returns a model trained like the target, without anything that this and
    earlier requests ask for, from a seed that no oracle uses.
    """

    forget: list[Pair]
    retain: list[Pair]
    tokenizer: Any
    seed: int
    budget: Budget
    meter: Meter = field(default_factory=Meter)
    retrain: Callable[[], Any] | None = None
    state: dict[str, Any] = field(default_factory=dict)

    def batches(self) -> Iterator[tuple[list[Pair], list[Pair]]]:
        """Endless (forget, retain) batches: forget items in shuffled epochs, retain items drawn anew at each step.

        Both from the run's seed; a side that is withheld gives empty batches.
        """
        rng = random.Random(f"request-{self.seed}")
        size = self.budget.batch_size
        queue: list[Pair] = []
        while True:
            while self.forget and len(queue) < size:
                queue += rng.sample(self.forget, len(self.forget))
            forget, queue = queue[:size], queue[size:]
            yield forget, rng.sample(self.retain, min(size, len(self.retain)))
