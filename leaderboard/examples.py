"""Packs the answers of models for the pages: the prompts of a variant once, then each run's
answers, before and after attacks.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from benchmark.core.probe_ids import probed
from benchmark.metrics.base import MEMBERSHIP_HOLDOUT
from benchmark.metrics.generation import contains_answer
from benchmark.metrics.memorization import cut_after, ngram_overlap, split_words
from benchmark.metrics.probability import normalized_probability
from benchmark.metrics.sample import Sample
from benchmark.metrics.stages import ATTACK, MODEL_STAGE, sort_of
from benchmark.records.derived import Derived
from benchmark.records.frames import digest_of
from benchmark.records.outputs import sha256
from benchmark.records.schema import Record
from benchmark.records.store import ResultStore
from leaderboard.render import compact_json

LONGEST = 400  # characters shown of a generation; the outputs file has all of it
GRAM = 3  # words per n-gram that is looked up in the true continuation of a text
ENOUGH = 0.5  # share of matching n-grams at which a continuation counts as correct
WHOLE = "(full text)"
SHOWN = (MODEL_STAGE, ATTACK)  # sorts of stages with answers on pages

# The text (None where nothing was generated), a number (the length-normalized probability of the
# expected answer; for a continuation, the share of its n-grams that occur in the true one), and
# whether it counts as correct.
Answer = tuple[str | None, float | None, int]
Answers = list[Answer] | None  # one per prompt of an example; None if the example was not asked
Attacked = dict[str, dict[int, list[Answer]]]  # by attack and example
Key = tuple[str, str]


class Said:
    """The answers of the models on a variant, as the JSON embedded in its pages.

    `records` are those with outputs; the first one defines the examples and their order.
    """

    def __init__(self, results: ResultStore, derived: Derived, records: Sequence[Record]) -> None:
        self._results, self._derived = results, derived
        self._first = records[0] if records else None
        self._examples_json = self._derived.content(
            "examples", [_code(), *map(digest_of, records[:1])], self._made_examples
        )
        self._examples: list[dict] = json.loads(self._examples_json)

    def _made_examples(self) -> bytes:
        samples = self._results.samples_of(self._first, SHOWN) if self._first else []
        return compact_json(variant_examples(samples)).encode()

    @property
    def kinds(self) -> list[str]:
        return sorted({example["kind"] for example in self._examples})

    def answers(self, record: Record) -> str:
        """A model's answers to each example, in order, and its answers on the forget set after each
        attack that produces any, as JSON.
        """
        assert self._first is not None

        def make() -> bytes:
            samples = self._results.samples_of(record, SHOWN)
            own = answers(samples, self._examples)
            return compact_json(
                {"own": own, "attacked": attacked(samples, self._examples)}
            ).encode()

        sources = [_code(), digest_of(self._first), digest_of(record)]
        return self._derived.content("answers", sources, make).decode()

    @property
    def examples(self) -> list[dict]:
        return self._examples

    @property
    def examples_json(self) -> str:
        """The examples as JSON, in the order that all answers follow."""
        return self._examples_json.decode()


@cache
def _code() -> str:
    return sha256(Path(__file__).read_bytes())


def shown(samples: Sequence[Sample]) -> dict[Key, Sample]:
    """The samples shown on pages, by split and example: those of the final model, without the
    membership holdout.
    """
    return {
        (s.split, s.example): s
        for s in samples
        if s.stage == MODEL_STAGE and s.split != MEMBERSHIP_HOLDOUT
    }


def variant_examples(samples: Sequence[Sample]) -> list[dict]:
    """The examples of a variant: split, id, kind, strata, prompts, the expected answer (one, or one
    per prompt) and, where there are any, `aliases` that also count as correct.

    For a question, the training prompt comes first, then the held-out paraphrases. The prompts of a
    text are its prefixes, whose lengths are its `words`.
    """
    return [
        {
            "split": s.split,
            "id": s.example,
            "kind": "text" if s.form == "text" else "question",
            "strata": ", ".join(f"{name} {value}" for name, value in sorted(s.strata.items())),
            **(_text(s) if s.form == "text" else {"expected": [s.answer], "prompts": _prompts(s)}),
            **({"aliases": list(s.aliases)} if s.aliases else {}),
        }
        for s in shown(samples).values()
    ]


def _prompts(sample: Sample) -> list[str]:
    """The prompts as shown: one dialogue turn per line, then the prompt and the answer prefix."""
    prefixes = sample.paraphrase_prefixes or (sample.answer_prefix,) * len(sample.paraphrases)
    questions = zip(
        (sample.prompt, *sample.paraphrases), (sample.answer_prefix, *prefixes), strict=True
    )
    before = [f"{role}: {text}" for role, text in sample.history]
    return [
        "\n".join([*before, f"{prompt} → {prefix}" if prefix else prompt])
        for prompt, prefix in questions
    ]


def _text(sample: Sample) -> dict[str, list]:
    """The prefixes of a text, their lengths and their true continuations; without generations, the
    whole text.
    """
    if not sample.continuations:
        return {"expected": [sample.answer], "prompts": [WHOLE]}
    cuts = [cut_after(sample.answer, count) for count in sample.prefix_words]
    return {
        "expected": [rest for _, rest in cuts],
        "prompts": [prefix for prefix, _ in cuts],
        "words": list(sample.prefix_words),
    }


def answers(samples: Sequence[Sample], examples: Sequence[dict]) -> list[Answers]:
    """A model's answers to each of the examples, in order."""
    by_example = shown(samples)
    matches = (by_example.get((example["split"], example["id"])) for example in examples)
    return [None if sample is None else _answers_of(sample) for sample in matches]


def attacked(samples: Sequence[Sample], examples: Sequence[dict]) -> Attacked:
    """A model's answers to the examples of the forget set after each attack; only the first answer
    where the attack uses a prompt of its own.
    """
    places = {(example["split"], example["id"]): n for n, example in enumerate(examples)}
    found: Attacked = {}
    for sample in samples:
        place = places.get((sample.split, probed(sample.example)))
        answered = sample.generation or sample.paraphrase_generations or sample.continuations
        if sort_of(sample.stage) == ATTACK and place is not None and answered:
            answers_made = _answers_of(sample)
            whole = probed(sample.example) == sample.example
            kept = answers_made if whole else answers_made[:1]
            found.setdefault(sample.stage, {}).setdefault(place, kept)
    return found


def _answers_of(sample: Sample) -> list[Answer]:
    return _continued(sample) if sample.form == "text" else _answered(sample)


def _continued(sample: Sample) -> list[Answer]:
    if not sample.continuations:
        return [(None, _rounded(sample.logprobs), 0)]
    words = split_words(sample.answer)
    found: list[Answer] = []
    for count, text in zip(sample.prefix_words, sample.continuations, strict=True):
        share = ngram_overlap(split_words(text), words[count:], GRAM)
        found.append((_cut(text), round(share, 3), int(share >= ENOUGH)))
    return found


def _answered(sample: Sample) -> list[Answer]:
    texts = (sample.generation, *sample.paraphrase_generations)
    logprobs = (sample.logprobs, *sample.paraphrase_logprobs)
    return [
        (
            _cut(text) if sample.form else None,  # items of other harnesses have no generations
            _rounded(probabilities),
            int(contains_answer(text, sample.answer, sample.aliases)),
        )
        for text, probabilities in zip(texts, logprobs, strict=False)
    ]


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"


def _rounded(logprobs) -> float | None:
    return round(normalized_probability(logprobs), 3) if len(logprobs) else None
