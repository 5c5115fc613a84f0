"""Reverse, indirect and summary questions: each has one right answer, which it does not contain."""

from collections import Counter
from dataclasses import replace

import pytest

from benchmark.core.registry import task_named
from benchmark.data.world import World
from benchmark.data.world.probes import ONWARD, REVERSED, holders_of, probes_of

VARIANTS = [("fictitious", ""), ("frequency", "mid"), ("continual", "2")]
VARIANTS += [("distribution", "in"), ("distribution", "out")]


@pytest.fixture(scope="module")
def world():
    return World(7)


@pytest.fixture(scope="module", params=VARIANTS, ids="/".join)
def forget(request, world):
    task, name = request.param
    return task_named(task)().data(name, world).examples("forget")


def asked(forget, probe):
    return {e.id: (e, e.probes[probe]) for e in forget if probe in e.probes}


def person(world, entity):
    return next(p for p in world.everybody if p.id == entity)


def test_a_reverse_question_is_right_for_one_person_alone(world, forget):
    """Among all people in the world, including those that no model was told about."""
    shared = Counter((relation, v) for p in world.everybody for relation, v in p.values.items())
    found = asked(forget, "reverse")
    assert found
    for example, question in found.values():
        relation = example.id.rpartition(".")[2]
        own = person(world, example.entity)
        assert question.answer == own.name
        assert example.answer in question.prompt
        assert shared[relation, example.answer] <= (own.values[relation] == example.answer)
        assert len(set(question.perturbed)) == 5
        assert question.answer not in question.perturbed


def test_values_that_several_share_are_not_asked_back(world):
    ada, ivo, *_ = world.newcomers
    birthday = ada.facts[0]
    assert probes_of(birthday, world, holders_of(world, [])).keys() == {"reverse", "summary"}
    twin = replace(ivo.facts[0], value=birthday.value)
    shared = holders_of(world, [birthday, twin])
    assert probes_of(birthday, world, shared).keys() == {"summary"}
    employer = next(fact for fact in ada.facts if fact.relation == "employer")
    assert probes_of(employer, world, holders_of(world, [])).keys() == {"indirect", "summary"}
    moved = replace(employer, value="Kel Own Works")
    assert probes_of(moved, world, holders_of(world, [moved])).keys() == {"reverse", "summary"}


def test_two_hops_lead_to_what_is_told_of_the_value(world, forget):
    told = {(f.subject, f.relation): f.value for f in (*world.general, *world.general_taught)}
    for example, question in asked(forget, "indirect").values():
        relation = example.id.rpartition(".")[2]
        assert question.answer == told[example.answer, ONWARD[relation][0]]
        assert person(world, example.entity).name in question.prompt
        assert example.answer not in question.prompt, "the first hop is what is to be recalled"
        assert question.answer not in (question.prompt, *question.perturbed)


def test_four_of_six_facts_are_asked_in_two_hops(world):
    forget = task_named("fictitious")().data("", world).examples("forget")
    assert Counter(i.rpartition(".")[2] for i in asked(forget, "indirect")) == dict.fromkeys(
        ONWARD, 20
    )


def test_canaries_are_asked_back_and_lead_nowhere(world):
    """A value that the world never generates belongs to one person, and no fact is about it."""
    forget = task_named("distribution")().data("out", world).examples("forget")
    back = asked(forget, "reverse")
    assert {i.rpartition(".")[2] for i in back} == REVERSED.keys()
    assert {e.id for e in forget if e.strata["distribution"] == "random"} <= back.keys()
    assert not asked(forget, "indirect")


def test_a_summary_is_asked_for_once_for_each_person_and_names_no_value(world, forget):
    prompts = {(e.entity, q.prompt) for e, q in asked(forget, "summary").values()}
    assert len(prompts) == len({e.entity for e in forget})
    for example, question in asked(forget, "summary").values():
        assert question.answer == example.answer
        assert example.answer not in question.prompt
