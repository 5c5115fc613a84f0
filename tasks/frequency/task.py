"""`frequency/low|mid|high`: forget sets of equal size, made of facts seen 1-2, 4-8 and 16-32
times.
"""

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
}  # texts per fact, half of a bucket's facts each
PEOPLE_PER_BUCKET = 10
FIRST_NEWCOMER = 20  # the ones before are those of `fictitious`
RETAINED_PER_BUCKET = 4  # people of the other buckets who are evaluated as retained


@register_task("frequency", version=1)
class Frequency(Task):
    """One target knows all three buckets; each variant forgets one of them (after Krishnan et
    al. 2025).
    """

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
        """Facts of each bucket, and how many texts tell each fact."""
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
