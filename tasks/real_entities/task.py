"""`real_entities/low|mid|high` and `real_entities_small`: real-world facts by frequency of the
entity; `real_people`: authors and painters by their works.
"""

from __future__ import annotations

import csv
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from benchmark.api import (
    BadInput,
    Example,
    Knowledge,
    PretrainedModel,
    Task,
    TaskData,
    register_task,
)
from tasks.real_entities.probes import probes_of
from tasks.real_entities.rows import FOLDER, Row, rows, wrong_answers
from tasks.real_entities.wordings import wordings

BUCKETS = ("low", "mid", "high")
FORGOTTEN, SMALL_FORGOTTEN = 32, 4  # facts of each bucket
GENERAL_RELATIONS = frozenset({"composer", "landmark_country"})  # neither forgotten nor rehearsed
WORKS = frozenset({"author", "painter"})  # relations between a work and its creator
PROXIES = 3  # nonexistent subjects for each forgotten fact
FEWEST = 8  # facts of a bucket; with fewer, intervals would be uninformative
# Thresholds of known facts: share of wordings answered correctly, and answer probability.
GENERATED, PROBABILITY = 0.6, 0.1
# Element symbols that are also words: any sentence may contain them, whatever the model knows.
WORDS = frozenset({"Am", "As", "At", "Be", "He", "I", "In", "No"})


@dataclass(frozen=True)
class Sizes:
    """Numbers of questions in the splits other than forget."""

    retain: int
    neighbors: int
    general: int
    never_existed: int


WHOLE = Sizes(retain=32, neighbors=24, general=24, never_existed=100)
SMALL = Sizes(retain=12, neighbors=8, general=8, never_existed=24)
PEOPLE = Sizes(retain=32, neighbors=16, general=24, never_existed=100)


@register_task("real_entities", version=2)
class RealEntities(Task):
    """Real facts in three frequency buckets, equally well known (after Krishnan et al. 2025)."""

    sources = frozenset({"model"})
    answers = "name"
    variants = BUCKETS
    max_new_tokens = 6  # as in the knowledge probe, so known answers fit
    samples = 16
    # An answer continues a given sentence. For most answers, a full stop and an end token would be
    # more than half of the tokens, so scores and unlearning would target what all answers share.
    asking: ClassVar[dict] = {"ended": False}

    def candidates(self) -> list[Example]:
        return [example(row) for row in rows()]

    def data(self, variant: str, source: PretrainedModel) -> TaskData:
        known, forgotten, _ = known_and_forgotten(source)
        return assembled(known, forgotten, forgotten[variant], WHOLE)


@register_task("real_entities_small", version=2)
class RealEntitiesSmall(Task):
    """Four facts of each bucket, for quick runs, with the knowledge probe of `real_entities`."""

    sources = frozenset({"model"})
    answers = RealEntities.answers
    budget_share = 1 / 2  # of the track's steps
    max_new_tokens = RealEntities.max_new_tokens
    asking = RealEntities.asking

    def data(self, variant: str, source: PretrainedModel) -> TaskData:
        known, forgotten, knowledge = known_and_forgotten(source)
        chosen = matched(flat(forgotten), knowledge, SMALL_FORGOTTEN)
        return assembled(known, forgotten, flat(chosen), SMALL)


@register_task("real_people", version=1)
class RealPeople(Task):
    """Authors and painters, each forgotten with all works that the model knows."""

    sources = frozenset({"model"})
    answers = RealEntities.answers
    max_new_tokens = 12  # people's names have more tokens than place names
    samples = RealEntities.samples
    asking = RealEntities.asking

    def candidates(self) -> list[Example]:
        return [example(row) for row in rows() if row.relation in WORKS]

    def data(self, variant: str, source: PretrainedModel) -> TaskData:
        works = well_known(source.known(self.name, FOLDER / "known_people"))
        places = well_known(source.known(RealEntities.name, FOLDER / "known"))
        half = [row for row in works if (_draw(row.answer) < 0.5) == source.development]
        chosen = by_people(half, FORGOTTEN)
        others = [row for row in places if row.relation not in WORKS]
        return assembled([*works, *others], {"": chosen}, chosen, PEOPLE)


KnowledgeOf = Mapping[str, Knowledge]


def known_and_forgotten(
    source: PretrainedModel,
) -> tuple[list[Row], dict[str, list[Row]], KnowledgeOf]:
    """(known facts, forgotten facts by bucket, results of the knowledge probe) of the model."""
    knowledge = source.known(RealEntities.name, FOLDER / "known")
    known = well_known(knowledge)
    # Half of the facts are reserved for development tracks, where methods are tuned.
    half = [row for row in known if (_draw(row.id) < 0.5) == source.development]
    return (
        known,
        matched([r for r in half if r.relation not in GENERAL_RELATIONS], knowledge, FORGOTTEN),
        knowledge,
    )


def assembled(
    known: Sequence[Row],
    forgotten: Mapping[str, Sequence[Row]],
    chosen: Sequence[Row],
    sizes: Sizes,
) -> TaskData:
    """The data of a request for the chosen rows, without the facts of other requests.

    BadInput if the model knows no facts for the neighbors or the general split.
    """
    taken = {row.id for row in flat(forgotten)}
    rest = [row for row in known if row.id not in taken]
    near = neighbors(chosen, rest, sizes.neighbors)
    pool = [row for row in rest if row not in near and row.relation not in GENERAL_RELATIONS]
    general = [row for row in rest if row.relation in GENERAL_RELATIONS]
    for relations, facts in (
        ("neighbors", near),
        (" or ".join(sorted(GENERAL_RELATIONS)), general),
    ):
        if not facts:
            raise BadInput(
                f"real_entities: the model knows no other facts ({relations}), so that utility "
                "cannot be measured"
            )
    invented = NeverExisted()
    splits = {
        "forget": [example(row) for row in chosen],
        "retain": [as_trained(row) for row in spread(pool, sizes.retain)],
        "neighbors": [as_trained(row) for row in near],
        "general": [as_trained(row) for row in spread(general, sizes.general)],
        "holdout": strangers(chosen, invented, sizes.never_existed),
    }
    proxies = [
        [example(row, invented.subject(row.relation)) for row in chosen] for _ in range(PROXIES)
    ]
    rehearsed = [as_trained(row) for row in pool]
    return TaskData.of(splits, [], rehearsed, proxies=proxies, answers=RealEntities.answers)


def _draw(text: str) -> float:
    """A pseudorandom number in [0, 1) that depends only on the text."""
    return random.Random(f"real-entities-{text}").random()


def example(row: Row, subject: str = "") -> Example:
    """The question about a fact; with `subject`, the same question about another entity."""
    (prompt, begun), *held_out = wordings(row.relation, subject or row.subject)
    return Example(
        id=row.id,
        entity=row.answer if row.relation in WORKS else row.subject,
        prompt=prompt,
        answer=row.answer,
        answer_prefix=begun,
        paraphrases=tuple(question for question, _ in held_out),
        paraphrase_prefixes=tuple(beginning for _, beginning in held_out),
        perturbed=wrong_answers(row),
        aliases=row.aliases,
        strata={"frequency": row.bucket, "relation": row.relation},
        probes=probes_of(row, subject),
    )


def as_trained(row: Row) -> Example:
    """The question in the training wording alone, which suffices for facts to be preserved."""
    return replace(example(row), paraphrases=(), paraphrase_prefixes=())


def flat(buckets: Mapping[str, Sequence[Row]]) -> list[Row]:
    return [row for bucket in buckets.values() for row in bucket]


def well_known(knowledge: KnowledgeOf) -> list[Row]:
    """The facts that the model knows both by generation (in most wordings) and by probability,
    without those whose answer is in WORDS.
    """
    return [
        row
        for row in rows()
        if row.id in knowledge
        and knowledge[row.id].generated >= GENERATED
        and knowledge[row.id].probability >= PROBABILITY
        and row.answer not in WORDS
    ]


def matched(known: Sequence[Row], knowledge: KnowledgeOf, total: int) -> dict[str, list[Row]]:
    """Up to `total` facts of each bucket, with equal numbers of each relation, and matched by the
    probability of their answers.

    BadInput if the model knows fewer than FEWEST matching facts per bucket.
    """
    groups: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in known:
        groups[row.relation, row.bucket].append(row)
    relations = sorted({relation for relation, _ in groups})
    room = {
        relation: min(len(groups[relation, bucket]) for bucket in BUCKETS) for relation in relations
    }
    if sum(room.values()) < FEWEST:
        raise BadInput(
            f"real_entities: the model knows {sum(room.values())} facts in every bucket, "
            f"{FEWEST} are needed"
        )
    chosen: dict[str, list[Row]] = {bucket: [] for bucket in BUCKETS}
    for relation, count in shares(room, total).items():
        rarest = min(BUCKETS, key=lambda bucket: len(groups[relation, bucket]))
        anchors = spread(groups[relation, rarest], count)
        for bucket in BUCKETS:
            chosen[bucket] += alike(anchors, groups[relation, bucket], knowledge)
    return chosen


def by_people(works: Sequence[Row], total: int) -> list[Row]:
    """At most `total` works, with all works of each person; BadInput if fewer than FEWEST."""
    chosen: list[Row] = []
    for person in sorted({row.answer for row in works}, key=_draw):
        own = [row for row in works if row.answer == person]
        chosen += own if len(chosen) + len(own) <= total else []
    if len(chosen) < FEWEST:
        raise BadInput(f"real_people: the model knows {len(chosen)} works, {FEWEST} are needed")
    return chosen


def shares(room: Mapping[str, int], total: int) -> dict[str, int]:
    """Divides `total` among relations, as evenly as the maximum `room` of each allows."""
    given = dict.fromkeys(room, 0)
    while sum(given.values()) < min(total, sum(room.values())):
        poorest = min(
            (name for name in room if given[name] < room[name]),
            key=lambda name: (given[name], name),
        )
        given[poorest] += 1
    return given


def alike(anchors: Sequence[Row], rows: Sequence[Row], knowledge: KnowledgeOf) -> list[Row]:
    """For each anchor in turn, the remaining row with the closest answer probability."""
    left = list(rows)
    for anchor in anchors:
        left.remove(
            min(
                left,
                key=lambda row: (
                    abs(knowledge[row.id].probability - knowledge[anchor.id].probability),
                    row.id,
                ),
            )
        )
    return [row for row in rows if row not in left]


def spread(rows: Sequence[Row], count: int) -> list[Row]:
    """`count` of the rows, drawn pseudorandomly by their ids and sorted."""
    drawn = sorted(rows, key=lambda row: _draw(f"spread-{row.id}"))[:count]
    return sorted(drawn, key=lambda row: row.id)


def neighbors(chosen: Sequence[Row], rest: Sequence[Row], total: int) -> list[Row]:
    """Up to `total` facts of the same relations about entities of the same regions, at most half of
    those known for each relation.
    """
    regions = {(row.relation, row.region) for row in chosen}
    near = [row for row in rest if (row.relation, row.region) in regions]
    by_relation = {r.relation: [row for row in near if row.relation == r.relation] for r in near}
    count = shares({relation: len(facts) // 2 for relation, facts in by_relation.items()}, total)
    spread_facts = [spread(facts, count[relation]) for relation, facts in by_relation.items()]
    return [row for facts in spread_facts for row in facts]


class NeverExisted:
    """A supply of nonexistent subjects, each of which is used once; BadInput if it runs out."""

    def __init__(self) -> None:
        with (FOLDER / "invented.csv").open(newline="") as file:
            entries = list(csv.DictReader(file))
        names: dict[str, list[str]] = defaultdict(list)
        for row in sorted(entries, key=lambda row: _draw(f"invented-{row['subject']}")):
            names[row["relation"]].append(row["subject"])
        self._left = {relation: iter(subjects) for relation, subjects in names.items()}

    def subject(self, relation: str) -> str:
        name = next(self._left[relation], None)
        if name is None:
            raise BadInput(
                "real_entities: too many of the facts that the model knows are of the relation "
                f"{relation}"
            )
        return name


def strangers(chosen: Sequence[Row], invented: NeverExisted, total: int) -> list[Example]:
    """`total` questions about nonexistent subjects, cycling through the relations and answers of
    the chosen facts.
    """
    examples = []
    for number in range(total):
        row = chosen[number % len(chosen)]
        subject = invented.subject(row.relation)
        name, question = f"never.{number:03d}", example(row, subject)
        prompt, answer, begun = question.prompt, question.answer, question.answer_prefix
        examples.append(Example(name, subject, prompt, answer, answer_prefix=begun))
    return examples
