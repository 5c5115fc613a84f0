"""`frequency/low|mid|high`: equal-sized forget sets of facts stated in 1-2, 4-8 or 16-32 texts."""

from __future__ import annotations

import random

from benchmark.api import (
    Fact,
    Task,
    TaskData,
    World,
    documents_about,
    examples_about,
    first_prompts,
    register_task,
    retain_splits,
)

LEVELS = {
    "low": (1, 2),
    "mid": (4, 8),
    "high": (16, 32),
}  # texts per fact, each for half of a bucket's facts
PEOPLE_PER_BUCKET = 10
FIRST_NEWCOMER = 20  # earlier newcomers belong to `fictitious`
RETAINED_PER_BUCKET = 4  # people of each other bucket in the retain split


@register_task("frequency", version=1)
class Frequency(Task):
    """Forgetting one of three frequency buckets in one target (after Krishnan et al. 2025)."""

    answers = "name"
    variants = tuple(LEVELS)

    def data(self, variant: str, world: World) -> TaskData:
        rng = random.Random(f"frequency-{world.seed}")
        buckets, counts = self._buckets(world, rng)
        documents = tuple(
            d
            for facts in buckets.values()
            for f in facts
            for d in documents_about(f, counts[f.id], rng)
        )
        prompts = first_prompts(documents)
        strata = {fact_id: {"frequency": str(count)} for fact_id, count in counts.items()}
        forgotten = {fact.entity for fact in buckets[variant]}
        splits, pool = retain_splits(world, [p for p in world.newcomers if p.id in forgotten])
        others = {name: facts for name, facts in buckets.items() if name != variant}
        splits["forget"] = examples_about(buckets[variant], prompts, world, strata)
        for facts in others.values():
            rehearsed = examples_about(facts, prompts, world, strata)
            splits["retain"] += rehearsed[: RETAINED_PER_BUCKET * 6]
            pool += rehearsed
        return TaskData.of(splits, documents, pool, answers=self.answers)

    @staticmethod
    def _buckets(world: World, rng: random.Random) -> tuple[dict[str, list[Fact]], dict[str, int]]:
        """(facts of each bucket, number of texts that state each fact)."""
        buckets: dict[str, list[Fact]] = {}
        counts: dict[str, int] = {}
        start = FIRST_NEWCOMER
        for name, levels in LEVELS.items():
            people = world.newcomers[start : start + PEOPLE_PER_BUCKET]
            start += PEOPLE_PER_BUCKET
            buckets[name] = [fact for person in people for fact in person.facts]
            drawn = [levels[i % 2] for i in range(len(buckets[name]))]
            rng.shuffle(drawn)
            counts |= {fact.id: count for fact, count in zip(buckets[name], drawn, strict=True)}
        return buckets, counts
