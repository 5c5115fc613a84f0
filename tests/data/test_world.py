"""The controlled world: its guarantees on people, wordings, and how often each fact is told."""

import random
from collections import Counter

import pytest

from benchmark.core.registry import task_named
from benchmark.data.world import (
    World,
    base_corpus,
    documents_about,
    held_out_wordings,
    trained_wordings,
)
from benchmark.data.world.generator import PERSON_RELATIONS
from benchmark.data.world.wordings import QUESTIONS, STATEMENTS

VARIANTS = [("fictitious", ""), ("frequency", "low"), ("frequency", "mid"), ("frequency", "high")]


@pytest.fixture(scope="module")
def world():
    return World(7)


@pytest.fixture(scope="module", params=VARIANTS, ids="/".join)
def variant(request, world):
    task, name = request.param
    return task_named(task)().data(name, world)


def test_the_same_seed_gives_the_same_world_and_another_seed_another(world):
    again, other = World(7), World(8)
    assert [p.values for p in world.everybody] == [p.values for p in again.everybody]
    assert world.general == again.general
    assert {p.name for p in world.everybody} != {p.name for p in other.everybody}


def test_at_least_200_people_of_six_attributes_and_unique_names(world):
    assert len(world.everybody) >= 200
    assert len({p.name for p in world.everybody}) == len(world.everybody)
    assert all(len(p.values) == 6 for p in world.everybody)


def test_employers_city_is_that_of_the_employer(world):
    assert all(
        p.values["employer_city"] == world.headquarters[p.values["employer"]]
        for p in world.everybody
    )


@pytest.mark.parametrize("relation", PERSON_RELATIONS)
def test_ten_statements_and_six_questions_of_which_some_are_held_out(relation):
    assert (len(set(STATEMENTS[relation])), len(set(QUESTIONS[relation]))) == (10, 6)
    trained, held_out = set(trained_wordings(relation)), set(held_out_wordings(relation))
    assert not trained & held_out
    assert len(trained | held_out) == 16
    assert {w.is_question for w in held_out} == {True, False}


def test_a_fact_is_told_exactly_as_often_as_asked_in_different_texts(world):
    fact = world.newcomers[0].facts[0]
    for count in (1, 2, 12, 32):
        prompts = [d.prompt for d in documents_about(fact, count, random.Random(1))]
        assert len(set(prompts)) == len(prompts) == count
    with pytest.raises(ValueError, match=r"p180\.birthday: 1000 texts"):
        documents_about(fact, 1000, random.Random(1))


def test_no_wording_that_tests_knowledge_was_trained_on_anyone_evaluated(world, variant):
    read = {d.prompt for d in (*base_corpus(world), *variant.documents)}
    for split in ("forget", "retain", "neighbors", "general"):
        for example in variant.examples(split):
            assert example.prompt in read
            assert not read & set(example.paraphrases)


def test_no_model_ever_reads_about_the_holdout(world, variant):
    names = {p.name for p in world.strangers}
    texts = [d.prompt for d in (*base_corpus(world), *variant.documents)]
    assert not [t for t in texts if any(name in t for name in names)]
    assert all(any(name in e.prompt for name in names) for e in variant.examples("holdout"))


def test_the_base_and_the_oracle_never_read_about_the_forgotten_facts(world, variant):
    names = {e.entity: None for e in variant.examples("forget")}
    people = {p.id: p.name for p in world.newcomers if p.id in names}
    assert not [d for d in base_corpus(world) if any(name in d.prompt for name in people.values())]
    assert not [
        d for d in variant.documents_after(1) if any(name in d.prompt for name in people.values())
    ]
    assert {d.example for d in variant.documents} >= variant.requests[0]


def test_methods_are_given_neither_neighbours_nor_general_facts_nor_the_forgotten(variant):
    pool = set(variant.retain_pool["id"])
    for split in ("forget", "neighbors", "general", "holdout"):
        assert not pool & set(variant.splits[split]["id"])


def test_perturbed_answers_are_wrong_and_of_the_same_kind(world, variant):
    for example in variant.examples("forget"):
        assert len(set(example.perturbed)) == 5
        assert example.answer not in example.perturbed
    cities = [e for e in variant.examples("forget") if e.id.endswith("birth_city")]
    assert all(set(e.perturbed) <= set(world.cities) for e in cities)


def test_neighbours_share_a_place_with_a_forgotten_person_and_retained_residents_do_not(
    world, variant
):
    forgotten = [
        p for p in world.newcomers if p.id in {e.entity for e in variant.examples("forget")}
    ]
    residents = {p.id: p for p in world.residents}
    assert all(
        residents[e.entity].shares_place_with(forgotten) for e in variant.examples("neighbors")
    )
    retained = [e for e in variant.examples("retain") if e.entity in residents]
    assert retained
    assert not [e for e in retained if residents[e.entity].shares_place_with(forgotten)]


def test_frequency_strata_are_the_true_counts_and_buckets_are_of_equal_size(world):
    data = {v: task_named("frequency")().data(v, world) for v in ("low", "mid", "high")}
    assert len({len(d.splits["forget"]) for d in data.values()}) == 1
    assert len({d.documents for d in data.values()}) == 1
    told = Counter(d.example for d in data["low"].documents)
    expected = {"low": {1, 2}, "mid": {4, 8}, "high": {16, 32}}
    for name, own in data.items():
        counts = Counter(told[e.id] for e in own.examples("forget"))
        assert set(counts) == expected[name]
        assert len(set(counts.values())) == 1
        assert all(e.strata["frequency"] == str(told[e.id]) for e in own.examples("forget"))


def test_fictitious_forgets_one_person_in_ten(world):
    data = task_named("fictitious")().data("", world)
    forgotten = {e.entity for e in data.examples("forget")}
    assert len(forgotten) * 10 == len(world.teachers) + len(world.residents) + len(forgotten)
