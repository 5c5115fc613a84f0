"""A cell's id: pinned, moved by everything that changes the outcome, and by nothing else."""

import dataclasses
import re

import pytest

from benchmark.core.hashing import fingerprint
from benchmark.records.identity import Identity

EXAMPLE = Identity(
    track="controlled-1m",
    task="frequency",
    task_version=1,
    variant="low",
    data_fingerprint="0123456789abcdef",
    model_fingerprint="aaaaaaaaaaaaaaaa",
    oracle_fingerprints=["bbbbbbbbbbbbbbbb", "cccccccccccccccc"],
    method="npo",
    method_source="dddddddddddddddd",
    parameters={"beta": 0.1, "retain_weight": 1.0},
    budget={"steps": 60, "batch_size": 16},
    seed=0,
    precision="float32",
    generation={"max_new_tokens": 24, "greedy": True},
    metrics={"probability": 1, "exact_answer": 1},
    evaluation=1,
)

CHANGES = {
    "track": "controlled-5m",
    "task": "fictitious",
    "task_version": 2,
    "variant": "high",
    "data_fingerprint": "0123456789abcdee",
    "model_fingerprint": "aaaaaaaaaaaaaaab",
    "oracle_fingerprints": ["bbbbbbbbbbbbbbbb"],
    "method": "simnpo",
    "method_source": "ddddddddddddddde",
    "parameters": {"beta": 0.2, "retain_weight": 1.0},
    "budget": {"steps": 61, "batch_size": 16},
    "seed": 1,
    "precision": "bfloat16",
    "generation": {"max_new_tokens": 25, "greedy": True},
    "metrics": {"probability": 2, "exact_answer": 1},
    "evaluation": 2,
}


def test_the_recipe_is_pinned():
    """This id must never move: every published record is found by the id that this recipe gave it.

    If this fails, the recipe has changed and all records are orphaned. Undo that change; if the
    same cell would truly come out differently now, raise EVALUATION_VERSION, or the version of the
    task or metric, instead.
    """
    assert EXAMPLE.id == "fc5cb2008f2013a3"


def test_the_recipe_of_fingerprints_is_pinned():
    """For the same reason: it names data, models and cells."""
    assert fingerprint({"b": [1, 2.5, None], "a": "é"}) == "84afbf1d4853005f"


def test_every_field_is_tried():
    assert set(CHANGES) == {f.name for f in dataclasses.fields(Identity)}


@pytest.mark.parametrize("field", CHANGES)
def test_each_field_changes_the_id(field):
    assert dataclasses.replace(EXAMPLE, **{field: CHANGES[field]}).id != EXAMPLE.id


def test_all_changed_ids_differ():
    ids = {dataclasses.replace(EXAMPLE, **{field: value}).id for field, value in CHANGES.items()}
    assert len(ids) == len(CHANGES)


@pytest.mark.parametrize("field", ["parameters", "budget", "generation", "metrics"])
def test_the_order_of_names_does_not_matter(field):
    turned = dict(reversed(getattr(EXAMPLE, field).items()))
    assert list(turned) != list(getattr(EXAMPLE, field))
    assert dataclasses.replace(EXAMPLE, **{field: turned}).id == EXAMPLE.id


def test_a_tuple_of_oracles_is_a_list_of_oracles():
    as_tuple = tuple(EXAMPLE.oracle_fingerprints)
    assert dataclasses.replace(EXAMPLE, oracle_fingerprints=as_tuple).id == EXAMPLE.id


def test_an_id_is_sixteen_hex_digits():
    assert re.fullmatch(r"[0-9a-f]{16}", EXAMPLE.id)


def test_neighbouring_fields_do_not_run_into_each_other():
    one = dataclasses.replace(EXAMPLE, task="ab", variant="c")
    other = dataclasses.replace(EXAMPLE, task="a", variant="bc")
    assert one.id != other.id
