"""The id of a cell: pinned, and changed by everything that changes the outcome, nothing else."""

import re

import pytest

from benchmark.core.hashing import fingerprint
from benchmark.records.identity import (
    BudgetInfo,
    Evaluation,
    Identity,
    MethodInfo,
    TaskInfo,
)

EXAMPLE = Identity(
    track="controlled-1m",
    task=TaskInfo(name="frequency", version=1, variant="low", data_fingerprint="0123456789abcdef"),
    models=["aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb"],
    method=MethodInfo(
        name="npo",
        reference="Zhang et al. 2024",
        family="preference",
        sees=["forget", "retain"],
        anchor=False,
        source_hash="dddddddddddddddd",
        parameters={"beta": 0.1, "retain_weight": 1.0},
    ),
    seed=0,
    budget=BudgetInfo(steps=60, batch_size=16),
    precision="float32",
    settings={"profile": {"prompts": "bare"}, "tuning": 1},
    training=1,
)
CHANGES = {
    "track": "controlled-5m",
    "task": {"name": "fictitious", "version": 2, "variant": "high", "data_fingerprint": "0"},
    "models": ["aaaaaaaaaaaaaaaa"],
    "method": {
        **{"name": "simnpo", "reference": "", "family": "gradient", "sees": ["forget"]},
        **{"anchor": True, "source_hash": "0", "parameters": {"beta": 0.2}},
    },
    "seed": 1,
    "budget": {"steps": 61, "batch_size": 8},
    "precision": "bfloat16",
    "settings": {"profile": {"prompts": "chat"}, "tuning": 1},
    "training": 2,
}
NESTED = ("task", "method", "budget")


def changed():
    """Yields (field, example with this field changed), including nested fields."""
    for name, value in CHANGES.items():
        if name not in NESTED:
            yield name, EXAMPLE.model_copy(update={name: value})
            continue
        for inner, other in value.items():
            part = getattr(EXAMPLE, name).model_copy(update={inner: other})
            yield f"{name}.{inner}", EXAMPLE.model_copy(update={name: part})


def test_the_recipe_is_pinned():
    """This id must never change: every published record is found by the id that this recipe gave
    it.

    If this test fails, the recipe has changed and all records are orphaned. Undo that change; if
    the same cell would really come out differently now, raise TRAINING_VERSION or the version of
    the task instead.
    """
    assert EXAMPLE.id == "d1d32bf59e08f9c6"


def test_the_recipe_of_fingerprints_is_pinned():
    """For the same reason: fingerprints identify data, models and cells."""
    assert fingerprint({"b": [1, 2.5, None], "a": "é"}) == "84afbf1d4853005f"


def test_every_field_is_tried():
    assert set(CHANGES) == set(Identity.model_fields)
    for name in NESTED:
        assert set(CHANGES[name]) == set(type(getattr(EXAMPLE, name)).model_fields)


@pytest.mark.parametrize(("field", "other"), changed(), ids=[name for name, _ in changed()])
def test_each_field_changes_the_id(field, other):
    assert other.id != EXAMPLE.id


def test_all_changed_ids_differ():
    ids = [other.id for _, other in changed()]
    assert len(set(ids)) == len(ids)


def test_the_order_of_names_does_not_matter():
    turned = EXAMPLE.model_copy(update={"settings": dict(reversed(EXAMPLE.settings.items()))})
    assert list(turned.settings) != list(EXAMPLE.settings)
    assert turned.id == EXAMPLE.id


def test_an_identity_read_back_has_the_same_id():
    assert Identity.model_validate_json(EXAMPLE.model_dump_json()).id == EXAMPLE.id


def test_the_order_of_models_is_that_of_their_requests():
    assert EXAMPLE.model_copy(update={"models": EXAMPLE.models[::-1]}).id != EXAMPLE.id


def test_an_id_of_outputs_is_moved_by_all_that_they_depend_on():
    evaluation = Evaluation(generation={"max_new_tokens": 24})
    ids = [
        evaluation.shard_id("a", "model", {}),
        evaluation.shard_id("b", "model", {}),
        evaluation.shard_id("a", "shaken", {}),
        evaluation.shard_id("a", "model", {"steps": 1}),
        Evaluation(generation={"max_new_tokens": 25}).shard_id("a", "model", {}),
        evaluation.model_copy(update={"version": 99}).shard_id("a", "model", {}),
    ]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(
    ("track", "name", "trial"),
    [
        ("small-dev", "npo", True),
        ("small-dev", "target", False),
        ("small-dev", "oracle", False),
        ("small", "npo", False),
        ("dev", "npo", False),
    ],
)
def test_a_trial_is_a_methods_on_a_development_track(track, name, trial):
    method = EXAMPLE.method.model_copy(update={"name": name})
    identity = EXAMPLE.model_copy(update={"track": track, "method": method})
    assert identity.is_trial == trial
    assert identity.is_reference == (name != "npo")


def test_an_id_is_sixteen_hex_digits():
    assert re.fullmatch(r"[0-9a-f]{16}", EXAMPLE.id)


def test_neighbouring_fields_do_not_run_into_each_other():
    ids = {
        EXAMPLE.model_copy(
            update={"task": EXAMPLE.task.model_copy(update={"name": name, "variant": variant})}
        ).id
        for name, variant in (("ab", "c"), ("a", "bc"))
    }
    assert len(ids) == 2
