"""Examples: prompts, answers, and the strata by which results are broken down."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import datasets

# Roles of splits; every task has the first two.
ROLES = ("forget", "retain", "retain_eval", "neighbors", "general", "holdout")
Turn = tuple[str, str]  # role ("system", "user" or "assistant") and text

_TEXT, _TEXTS = datasets.Value("string"), datasets.List(datasets.Value("string"))
_FEATURES = datasets.Features(
    {
        **dict.fromkeys(("id", "entity", "prompt", "answer", "answer_prefix", "form"), _TEXT),
        **dict.fromkeys(
            (
                "paraphrases",
                "paraphrase_prefixes",
                "rewordings",
                "perturbed",
                "aliases",
                "choices",
            ),
            _TEXTS,
        ),
        "right": datasets.Value("int32"),
        "history": datasets.List({"role": _TEXT, "text": _TEXT}),
        "strata": datasets.List({"name": _TEXT, "value": _TEXT}),
        "probes": datasets.List(
            {
                **dict.fromkeys(("name", "prompt", "answer", "answer_prefix"), _TEXT),
                **dict.fromkeys(("aliases", "perturbed"), _TEXTS),
            }
        ),
    }
)


@dataclass(frozen=True, order=True)
class Prompt:
    """A prompt: the user's turn, the turns before it, and the given beginning of the answer. For
    texts all three are empty.
    """

    text: str
    history: tuple[Turn, ...] = ()
    answer_prefix: str = ""

    @property
    def messages(self) -> tuple[Turn, ...]:
        """The conversation up to and including the user's turn."""
        return (*self.history, ("user", self.text)) if self.text else ()


@dataclass(frozen=True)
class Pair:
    """A prompt and its answer: everything that a method sees of an example. The prompt fields are
    those of `Prompt`; for texts the prompt is empty.
    """

    prompt: str
    answer: str
    answer_prefix: str = ""
    history: tuple[Turn, ...] = ()

    @property
    def asked(self) -> Prompt:
        return Prompt(self.prompt, self.history, self.answer_prefix)


@dataclass(frozen=True)
class Question:
    """A further question about the subject of an example, with a separate answer; the fields are
    those of `Example`.
    """

    prompt: str
    answer: str
    answer_prefix: str = ""
    aliases: tuple[str, ...] = ()
    perturbed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Example:
    """A question with its answer, a multiple choice, or a text (an empty prompt, with the text as
    the answer). Each example is about one entity.

    `history` holds the turns before the prompt, `answer_prefix` the beginning of the answer that
    the model is given. `paraphrases` are held-out prompts with the same answer, and
    `paraphrase_prefixes` are their answer prefixes (by default that of the example). `rewordings`
    are paraphrases of the answer to the same prompt, `perturbed` wrong answers of the same kind,
    `aliases` other forms of the correct answer. For multiple choice, `choices` are all options and
    `right` is the zero-based index of the correct one, which is also the answer; the others are the
    wrong answers. `strata` are the tags by which results are broken down. `form` is the answer
    form, which `TaskData.of` sets as the task declares. `probes` are further questions by the name
    of the attack that asks them; models are not trained on them, and only that attack uses them.
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
    answer_prefix: str = ""
    history: tuple[Turn, ...] = ()
    paraphrase_prefixes: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    right: int = 0
    form: str = ""
    probes: dict[str, Question] = field(default_factory=dict)

    @property
    def is_text(self) -> bool:
        return not self.prompt

    @property
    def pair(self) -> Pair:
        return Pair(self.prompt, self.answer, self.answer_prefix, self.history)

    @property
    def wrong(self) -> tuple[str, ...]:
        """The wrong answers; for multiple choice, the other options."""
        others = (text for number, text in enumerate(self.choices) if number != self.right)
        return self.perturbed or tuple(others)

    @property
    def reasked(self) -> tuple[Prompt, ...]:
        """The held-out prompts, in order."""
        prefixes = self.paraphrase_prefixes or (self.answer_prefix,) * len(self.paraphrases)
        prompts = zip(self.paraphrases, prefixes, strict=True)
        return tuple(Prompt(text, self.history, prefix) for text, prefix in prompts)

    @property
    def wordings(self) -> list[Pair]:
        """Held-out paraphrases of the answer, or else of the question; empty if there are none."""
        if self.rewordings:
            return [pair_of(self.pair.asked, answer) for answer in self.rewordings]
        return [pair_of(prompt, self.answer) for prompt in self.reasked]


def pair_of(prompt: Prompt, answer: str) -> Pair:
    """The pair of a prompt and an answer."""
    return Pair(prompt.text, answer, prompt.answer_prefix, prompt.history)


def to_dataset(examples: Iterable[Example]) -> datasets.Dataset:
    """The examples as rows of a `datasets.Dataset`, in order."""
    rows = [_row(example) for example in examples]
    return datasets.Dataset.from_dict(
        {name: [row[name] for row in rows] for name in _FEATURES}, features=_FEATURES
    )


def _row(example: Example) -> dict[str, Any]:
    turns = [{"role": role, "text": text} for role, text in example.history]
    strata = [{"name": name, "value": value} for name, value in example.strata.items()]
    probes = [{"name": name} | vars(question) for name, question in example.probes.items()]
    return vars(example) | {"history": turns, "strata": strata, "probes": probes}


def to_examples(dataset: datasets.Dataset) -> list[Example]:
    """The rows of a split as typed examples."""
    return [_example(row) for row in dataset]


def _example(row: dict[str, Any]) -> Example:
    typed = _typed(row)
    typed["probes"] = {p["name"]: _question(p) for p in row["probes"]}
    typed["history"] = tuple((turn["role"], turn["text"]) for turn in row["history"])
    typed["strata"] = {tag["name"]: tag["value"] for tag in row["strata"]}
    return Example(**typed)


def _question(row: dict[str, Any]) -> Question:
    return Question(**{name: value for name, value in _typed(row).items() if name != "name"})


def _typed(row: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}
