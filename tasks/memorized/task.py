"""`memorized`: passages read 1 to 64 times in training, half of each count to be forgotten."""

from __future__ import annotations

import random

from benchmark.api import Document, Example, Task, TaskData, World, passages, register_task, retain_splits

READS = (1, 2, 4, 8, 16, 32, 64)
PER_COUNT = 16  # passages read so often, half of them forgotten
NEVER_SEEN = 112
PEOPLE = 14  # whose facts are evaluated beside the passages


@register_task("memorized", version=1)
class Memorized(Task):
    """Running text instead of questions (after Jang et al. 2023; Barbulescu & Triantafillou 2024)."""

    course = True
    degrees = True

    def data(self, variant: str, world: World) -> TaskData:
        rng = random.Random(f"memorized-{world.seed}")
        texts = passages(world, PER_COUNT * len(READS) + NEVER_SEEN, rng)
        seen = [_example(f"passage{i:03d}", text, READS[i % len(READS)]) for i, text in enumerate(texts[:-NEVER_SEEN])]
        unseen = [_example(f"unseen{i:03d}", text, 0) for i, text in enumerate(texts[-NEVER_SEEN:])]
        forgotten, kept = seen[: len(seen) // 2], seen[len(seen) // 2 :]
        splits, pool = retain_splits(world, world.newcomers[:1])
        # Nobody is forgotten, so any resident will do for a neighbour: these, whom methods then do not rehearse.
        neighbours = splits["retain"]
        rehearsed = [e for e in pool if e.entity not in {n.entity for n in neighbours}]
        splits |= {"forget": forgotten, "retain": kept, "holdout": unseen, "neighbours": neighbours}
        documents = (Document(e.id, "", e.answer, int(e.strata["reads"])) for e in seen)
        return TaskData.of(splits, documents, [*kept, *rehearsed])


def _example(name: str, text: str, reads: int) -> Example:
    return Example(name, name, "", text, strata={"reads": str(reads)})
