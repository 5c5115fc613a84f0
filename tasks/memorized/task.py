"""`memorized`, `memorized_distinct`: passages read 1 to 64 times in training; for each count, half
must be forgotten.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import ClassVar

from benchmark.api import (
    Document,
    Example,
    PretrainedModel,
    Task,
    TaskData,
    World,
    passages,
    register_task,
    retain_splits,
    shuffled_passages,
)

READS = (1, 2, 4, 8, 16, 32, 64)
PER_COUNT = 16  # passages per count, half of them forgotten
NEVER_SEEN = 112
SCORED_WORLD, DEVELOPMENT_WORLD = 1, 101  # seeds of the worlds whose passages are fine-tuned in
WITHHELD = 14  # retained passages, two per count, that are never rehearsed


@register_task("memorized", version=1)
class Memorized(Task):
    """Passages instead of questions (after Jang et al. 2023; Barbulescu & Triantafillou 2024)."""

    sources = frozenset({"world", "model"})
    answers = dict.fromkeys(("forget", "retain", "retain_eval", "holdout"), "text") | {
        "neighbors": "name",
        "general": "name",
    }
    trajectory = True
    difficulty = True
    # A method that needs a question uses a text's first half as the prompt, as running text.
    asking: ClassVar[dict] = {"prompts": "bare"}
    texts = staticmethod(passages)

    def data(self, variant: str, source: World | PretrainedModel) -> TaskData:
        if isinstance(source, PretrainedModel):
            return self._on_model(source)
        return self._in_world(source)

    def _in_world(self, world: World) -> TaskData:
        forgotten, kept, unseen = self._passages(world)
        splits, pool = retain_splits(world, world.newcomers[:1])
        # No person is forgotten, so any residents can serve as neighbors; these are removed from
        # the rehearsed examples.
        near = splits["retain"]
        rehearsed = [e for e in pool if e.entity not in {n.entity for n in near}]
        splits |= {"forget": forgotten, "retain": kept, "holdout": unseen, "neighbors": near}
        documents = _documents([*forgotten, *kept])
        return TaskData.of(splits, documents, [*kept, *rehearsed], answers=self.answers)

    def _on_model(self, source: PretrainedModel) -> TaskData:
        """The data for a pretrained model, which is fine-tuned on passages of a world: for each
        count, half are forgotten, and some of the others are never rehearsed.

        A pretrained model knows no people of that world, so utility is measured on the passages
        and by the harness.
        """
        world = World(DEVELOPMENT_WORLD if source.development else SCORED_WORLD)
        forgotten, kept, unseen = self._passages(world)
        rehearsed, withheld = kept[:-WITHHELD], kept[-WITHHELD:]
        splits = {"forget": forgotten, "retain": rehearsed, "retain_eval": withheld}
        splits["holdout"] = unseen
        documents = _documents([*forgotten, *kept])
        return TaskData.of(splits, documents, rehearsed, answers=self.answers)

    def _passages(self, world: World) -> tuple[list[Example], list[Example], list[Example]]:
        """(forgotten, retained, never read) passages; the first two split each count evenly."""
        count, rng = PER_COUNT * len(READS) + NEVER_SEEN, random.Random(f"memorized-{world.seed}")
        texts = self.texts(world, count, rng)
        seen = [
            _example(f"passage{i:03d}", text, READS[i % len(READS)])
            for i, text in enumerate(texts[:-NEVER_SEEN])
        ]
        unseen = [_example(f"unseen{i:03d}", text, 0) for i, text in enumerate(texts[-NEVER_SEEN:])]
        return seen[: len(seen) // 2], seen[len(seen) // 2 :], unseen


@register_task("memorized_distinct", version=1)
class MemorizedDistinct(Memorized):
    """`memorized` with passages that share no clauses (after Barbulescu & Triantafillou 2024)."""

    sources = frozenset({"world"})
    texts = staticmethod(shuffled_passages)


def _documents(read: Iterable[Example]) -> list[Document]:
    return [Document(e.id, "", e.answer, int(e.strata["reads"])) for e in read]


def _example(name: str, text: str, reads: int) -> Example:
    return Example(name, name, "", text, strata={"reads": str(reads)})
