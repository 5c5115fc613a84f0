"""Records as DataFrames: row names, the index, and records that must never be scored together."""

import pytest

from benchmark.errors import BadInput
from benchmark.records.frames import ExampleFrames, index_frame, row_names
from benchmark.records.schema import Failure
from benchmark.statistics import standings


@pytest.fixture
def records(results):
    return list(results.read_all())


def of(records, method):
    return [r for r in records if r.method.name == method]


def with_parameters(record, record_id, **parameters):
    method = record.method.model_copy(update={"parameters": parameters})
    identity = record.identity.model_copy(update={"method": method})
    return record.model_copy(update={"id": record_id, "identity": identity})


def test_a_method_is_its_own_name(records):
    assert {row_names(records)[r.id] for r in of(records, "alpha")} == {"alpha"}


def test_rows_are_told_apart_by_the_parameters_that_differ(records):
    alpha = of(records, "alpha")[0]
    own = [with_parameters(alpha, "a", beta=0.1, lr=1), with_parameters(alpha, "b", beta=0.5, lr=1)]
    names = row_names([*own, *of(records, "beta")])
    assert names["a"] == "alpha (beta=0.1)"
    assert names["b"] == "alpha (beta=0.5)"
    assert {names[r.id] for r in of(records, "beta")} == {"beta"}


def test_several_parameters_are_named_in_order(records):
    alpha = of(records, "alpha")[0]
    own = [with_parameters(alpha, "a", lr=1, beta=0.1), with_parameters(alpha, "b", lr=2, beta=0.5)]
    assert row_names(own)["a"] == "alpha (beta=0.1, lr=1)"


def test_seeds_of_one_configuration_share_a_row(records):
    alpha = of(records, "alpha")[0]
    own = [with_parameters(alpha, "a", beta=[1, 2]), with_parameters(alpha, "b", beta=[1, 2])]
    assert set(row_names(own).values()) == {"alpha"}


def test_a_parameter_that_only_one_has_tells_them_apart(records):
    """Otherwise two configurations would be averaged as if they were seeds of one."""
    alpha = of(records, "alpha")[0]
    names = row_names([with_parameters(alpha, "a"), with_parameters(alpha, "b", beta=0.5)])
    assert names["a"] != names["b"]


def test_a_parameter_tuned_for_each_family_of_tasks_tells_no_rows_apart(records):
    """Otherwise a method would have a separate row for each family."""
    alpha = of(records, "alpha")[0]
    on_texts = alpha.identity.task.model_copy(update={"name": "texts"})
    texts = alpha.model_copy(
        update={"identity": alpha.identity.model_copy(update={"task": on_texts})}
    )
    names = row_names([with_parameters(alpha, "a", lr=1), with_parameters(texts, "b", lr=2)])
    assert names == {"a": "alpha", "b": "alpha"}
    more = [with_parameters(alpha, "a", lr=1), with_parameters(texts, "b", lr=2)]
    more += [with_parameters(texts, "c", lr=1)]
    assert row_names(more) == {"a": "alpha (lr=1)", "b": "alpha (lr=2)", "c": "alpha (lr=1)"}


def test_index_has_a_row_per_success(records):
    failed = records[0].model_copy(
        update={"id": "z", "status": "error", "error": Failure(type="E", message="m", traceback="")}
    )
    index = index_frame([*records, failed])
    assert list(index.columns) == [
        "id",
        "role",
        "track",
        "task",
        "variant",
        "method",
        "seed",
        "anchor",
        "division",
        "target",
        "budget_steps",
        "digest",
    ]
    assert sorted(index["id"]) == sorted(r.id for r in records)
    assert index["role"].value_counts().to_dict() == {"method": 4, "oracle": 2, "target": 1}


def test_index_of_nothing_has_its_columns():
    assert list(index_frame([]).columns) == [
        "id",
        "role",
        "track",
        "task",
        "variant",
        "method",
        "seed",
        "anchor",
        "division",
        "target",
        "budget_steps",
        "digest",
    ]


def test_an_unnamed_variant_is_all(records):
    task = records[0].task.model_copy(update={"variant": ""})
    identity = records[0].identity.model_copy(update={"task": task})
    record = records[0].model_copy(update={"identity": identity})
    assert index_frame([record]).loc[0, "variant"] == "all"


def test_example_frames_are_those_of_the_files(results, records):
    frames = ExampleFrames(results, records)
    assert set(frames) == {r.id for r in records}
    assert all(len(frames[r.id]) == sum(s.rows for s in r.shards.values()) for r in records)


def moved(record, **task):
    """The same record under another task version or other data, with alpha renamed to gamma and
    beta to delta.
    """
    name = {"alpha": "gamma", "beta": "delta"}.get(record.method.name, record.method.name)
    references = {
        "target": f"2{record.references.target}",
        "oracles": [f"2{i}" for i in record.references.oracles],
    }
    changes = {
        "id": f"2{record.id}",
        "identity": record.identity.model_copy(
            update={
                "task": record.task.model_copy(update=task),
                "method": record.method.model_copy(update={"name": name}),
            }
        ),
        "references": record.references.model_copy(update=references),
    }
    return record.model_copy(update=changes)


@pytest.mark.parametrize(
    "task", [{"version": 2, "data_fingerprint": "d1"}, {"data_fingerprint": "d1"}]
)
def test_records_of_other_data_are_never_scored_together(results, records, task):
    """A changed task gets a new version, and its old results stay under the old one.

    gamma was run only on the changed task, whose target is another model: its score must not depend
    on whether the folder also holds records of the earlier task. Refusing such a folder is right as
    well.
    """
    changed = [moved(r, **task) for r in records]
    frames = dict(ExampleFrames(results, records))
    frames |= {
        f"2{r.id}": frames[of(records, "beta")[0].id if r.method.name == "target" else r.id]
        for r in records
    }

    def score(chosen):
        found = standings(index_frame(chosen), frames, replicates=5).variants
        return found.loc[found["method"] == "gamma", ["forgetting", "utility", "score"]].to_numpy()[
            0
        ]

    alone = score(changed)
    try:
        both = [score([*records, *changed]), score([*changed, *records])]
    except BadInput:
        return
    assert both[0] == pytest.approx(alone, nan_ok=True)
    assert both[1] == pytest.approx(alone, nan_ok=True)
