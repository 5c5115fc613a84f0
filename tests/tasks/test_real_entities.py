"""`real_entities`: buckets of equal size and equal knowledge, disjoint splits, and references that
nobody can know.
"""

import csv
import random

import pytest

from benchmark.core.inputs import Inputs
from benchmark.core.registry import task_named
from benchmark.data.knowledge import PretrainedModel
from benchmark.errors import BadInput
from benchmark.models.tracks import track_named
from tasks.real_entities.task import (
    BUCKETS,
    GENERAL_RELATIONS,
    PROXIES,
    SMALL_FORGOTTEN,
    WHOLE,
    WORDS,
    WORKS,
    RealEntities,
    RealEntitiesSmall,
    RealPeople,
    _draw,
    matched,
    rows,
    shares,
    well_known,
)
from tasks.real_entities.wordings import WORDINGS


def ground_of(home, development=False):
    return PretrainedModel("model", "m0", development, Inputs(home))


def probe_results_of(home, known=lambda row, rng: rng.random() < 0.4):
    """Invented probe results: known facts have a probability between 0.1 and 1, all others are
    unknown.
    """
    path = ground_of(home).knowledge_file("real_entities")
    path.parent.mkdir(parents=True)
    rng = random.Random(0)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "generated", "probability"])
        for row in rows():
            knows = known(row, rng)
            writer.writerow([row.id, 1.0 if knows else 0.0, rng.uniform(0.1, 1) if knows else 0.01])
    return ground_of(home).known("real_entities", home)


@pytest.fixture
def home(tmp_path):
    probe_results_of(tmp_path)
    return tmp_path


def data_of(home, variant, development=False):
    return RealEntities().data(variant, ground_of(home, development))


def test_the_three_buckets_are_equal_in_size_relations_and_knowledge(home):
    knowledge = ground_of(home).known("real_entities", home)
    known = {bucket: [] for bucket in BUCKETS}
    relations = []
    for bucket in BUCKETS:
        forget = data_of(home, bucket).examples("forget")
        assert {e.strata["frequency"] for e in forget} == {bucket}
        known[bucket] = [knowledge[e.id].probability for e in forget]
        relations.append(sorted(e.strata["relation"] for e in forget))
    assert relations[0] == relations[1] == relations[2]
    means = [sum(values) / len(values) for values in known.values()]
    assert max(means) - min(means) < 0.05


@pytest.mark.parametrize("variant", BUCKETS)
def test_splits_are_apart_and_what_is_withheld_is_not_rehearsed(home, variant):
    data = data_of(home, variant)
    ids = {split: {e.id for e in data.examples(split)} for split in data.roles}
    rehearsed = set(data.retain_pool["id"])
    for one, other in [(a, b) for a in ids for b in ids if a < b]:
        assert not ids[one] & ids[other], (one, other)
    assert ids["retain"] <= rehearsed
    assert not rehearsed & (ids["forget"] | ids["neighbors"] | ids["general"])
    assert {e.strata["relation"] for e in data.examples("general")} <= GENERAL_RELATIONS
    forget = {(e.strata["relation"]) for e in data.examples("forget")}
    assert {e.strata["relation"] for e in data.examples("neighbors")} <= forget
    assert not data.documents


def test_what_one_bucket_forgets_no_other_rehearses_or_measures(home):
    """This keeps the three variants comparable: their other splits hold none of each other's forget
    facts.
    """
    forgotten = {e.id for bucket in BUCKETS for e in data_of(home, bucket).examples("forget")}
    for bucket in BUCKETS:
        assert not forgotten & set(data_of(home, bucket).retain_pool["id"])


def test_references_ask_the_same_of_subjects_that_never_existed(home):
    data = data_of(home, "mid")
    forget = data.examples("forget")
    real = {row.subject for row in rows()}
    assert len(data.proxies) == PROXIES
    asked = [e.prompt for e in data.examples("holdout")]
    for proxy in data.proxies:
        for own, stand_in in zip(forget, proxy, strict=True):
            assert (stand_in["id"], stand_in["answer"], stand_in["entity"]) == (
                own.id,
                own.answer,
                own.entity,
            )
            assert own.entity not in stand_in["prompt"]
            asked.append(stand_in["prompt"])
    assert len(asked) == len(set(asked)) == WHOLE.never_existed + PROXIES * len(forget)
    assert not [prompt for prompt in asked if any(f" {name}?" in prompt for name in real)]


def test_the_small_edition_forgets_some_facts_of_each_bucket_and_rehearses_no_others_of_them(home):
    data = RealEntitiesSmall().data("", ground_of(home))
    whole = {bucket: {e.id for e in data_of(home, bucket).examples("forget")} for bucket in BUCKETS}
    forget = data.examples("forget")
    for bucket in BUCKETS:
        own = {e.id for e in forget if e.strata["frequency"] == bucket}
        assert len(own) == SMALL_FORGOTTEN
        assert own <= whole[bucket]
        assert not whole[bucket] & set(data.retain_pool["id"])
    relations = [
        sorted(e.strata["relation"] for e in forget if e.strata["frequency"] == b) for b in BUCKETS
    ]
    assert relations[0] == relations[1] == relations[2]


def test_development_forgets_other_facts(home):
    scored, development = (data_of(home, "high", flag).examples("forget") for flag in (False, True))
    assert not {e.id for e in scored} & {e.id for e in development}


def test_data_depend_on_nothing_but_the_knowledge_probe(home):
    assert data_of(home, "low").fingerprint == data_of(home, "low").fingerprint


def test_a_model_that_nobody_asked_is_bad_input(tmp_path):
    with pytest.raises(BadInput, match="palimpsest probe --task real_entities --track model"):
        data_of(tmp_path, "low")


def test_a_model_that_knows_too_little_is_bad_input(tmp_path):
    probe_results_of(tmp_path, lambda row, rng: row.bucket == "high" and rng.random() < 0.2)
    with pytest.raises(BadInput, match="knows 0 facts in every bucket"):
        data_of(tmp_path, "high")


@pytest.mark.parametrize(
    ("kept", "missing"), [(GENERAL_RELATIONS, "neighbors"), ({"author"}, "composer")]
)
def test_a_model_that_knows_nothing_that_is_to_be_kept_is_bad_input(tmp_path, kept, missing):
    """All capitals that the model knows are to be forgotten; `kept` are the other relations that it
    knows.
    """
    capitals = [row for row in rows() if row.relation == "capital" and _draw(row.id) >= 0.5]
    asked = {row for bucket in BUCKETS for row in [r for r in capitals if r.bucket == bucket][:9]}
    probe_results_of(tmp_path, lambda row, rng: row in asked or row.relation in kept)
    with pytest.raises(BadInput, match=f"no other facts .*{missing}"):
        data_of(tmp_path, "low")


def test_facts_of_one_relation_alone_use_the_invented_names_up(tmp_path):
    probe_results_of(
        tmp_path, lambda row, rng: row.relation in {"symbol", "element_symbol", *GENERAL_RELATIONS}
    )
    with pytest.raises(BadInput, match="too many of the facts"):
        data_of(tmp_path, "low")


def test_the_knowledge_probe_of_one_source_stands_for_the_others_of_a_model(home):
    known = ground_of(home).known("real_entities", home)
    other = PretrainedModel("model", "other-weights", False, Inputs(home), probed="m0")
    (home / "m0.csv").write_bytes(ground_of(home).knowledge_file("real_entities").read_bytes())
    assert other.known("real_entities", home) == known
    with pytest.raises(BadInput):
        PretrainedModel("model", "other-weights", False, Inputs(home)).known("real_entities", home)


def test_shares_are_as_even_as_there_is_room():
    assert shares({"a": 10, "b": 2, "c": 10}, 12) == {"a": 5, "b": 2, "c": 5}
    assert shares({"a": 1, "b": 2}, 12) == {"a": 1, "b": 2}


def test_matching_takes_the_facts_that_are_known_as_well(home):
    knowledge = ground_of(home).known("real_entities", home)
    known = [
        row for row in rows() if knowledge[row.id].probability >= 0.1 and row.relation == "capital"
    ]
    chosen = matched(known, knowledge, 12)
    assert len({len(own) for own in chosen.values()}) == 1
    assert all(len({row.id for row in own}) == len(own) for own in chosen.values())


def people_of(home, development=False):
    """The task's data, with the same knowledge of works in this task's probe results."""
    ground = ground_of(home, development)
    path = ground.knowledge_file("real_people")
    path.parent.mkdir(exist_ok=True)
    head, *probed = ground.knowledge_file("real_entities").read_text().splitlines()
    works = [line for line in probed if line.startswith(("author.", "painter."))]
    path.write_text("\n".join([head, *works]) + "\n")
    return RealPeople().data("", ground)


def test_of_a_person_all_known_works_are_forgotten_and_none_is_kept(home):
    works = {row.id: row for row in rows() if row.relation in WORKS}
    data = people_of(home)
    forgotten = data.examples("forget")
    people = {e.entity for e in forgotten}
    assert people == {works[e.id].answer for e in forgotten}
    assert 24 < len(forgotten) <= 32
    assert len(forgotten) > len(people), "somebody has several works"
    known = well_known(ground_of(home).known("real_people", home))
    assert {e.id for e in forgotten} == {row.id for row in known if row.answer in people}
    kept = [pair.answer for pair in data.rehearsed]
    beside = [e for role in ("retain", "neighbors", "general") for e in data.examples(role)]
    assert not people & {*kept, *(e.answer for e in beside)}
    assert {e.entity for e in data.examples("neighbors")} & {row.answer for row in works.values()}
    assert not people & {e.entity for e in people_of(home, development=True).examples("forget")}


def test_a_model_that_knows_no_works_is_bad_input(tmp_path):
    probe_results_of(tmp_path, known=lambda row, rng: row.relation not in WORKS)
    with pytest.raises(BadInput, match=r"real_people: the model knows 0 works, 8 are needed"):
        people_of(tmp_path)


def test_every_relation_has_its_wordings():
    assert {row.relation for row in rows()} == set(WORDINGS)
    for wordings in WORDINGS.values():
        assert len(wordings) == 3
        assert all("{}" in question and "{}" in lead for question, lead in wordings)


@pytest.mark.parametrize("name", ["real_entities", "real_entities_small", "real_people"])
def test_an_answer_is_the_name_alone(name):
    """A full stop and an end token would make up most of the answer, and be the same in all."""
    track = track_named("smollm2-135m")
    assert track.profile.ended
    assert not track.on(task_named(name)).profile.ended
    candidates = task_named(name)().candidates() or task_named("real_entities")().candidates()
    asked = {example.id: example for example in candidates}
    for row in (row for row in rows() if name == "real_entities" or row.relation in WORKS):
        texts = (asked[row.id].answer, *asked[row.id].perturbed)
        assert texts[0] == row.answer
        assert set(texts) <= {r.answer for r in rows() if r.relation == row.relation}


def test_symbols_that_any_sentence_may_hold_are_no_facts_to_forget_or_keep(tmp_path):
    knowledge = probe_results_of(tmp_path, known=lambda row, rng: True)
    assert {row.answer for row in rows()} >= WORDS
    assert not {row.answer for row in well_known(knowledge)} & WORDS
