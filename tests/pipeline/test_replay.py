"""Replay: an honest cell is reproduced, and one forged consistently with all its hashes and values
is found.
"""

import pytest
from typer.testing import CliRunner

from benchmark.cli import app
from benchmark.core.inputs import Inputs
from benchmark.core.registry import attack_of
from benchmark.errors import BadInput
from benchmark.pipeline.execute import execute
from benchmark.pipeline.planner import Planner
from benchmark.pipeline.replay import Replayed, replay
from benchmark.pipeline.run_context import RunContext
from benchmark.pipeline.suite import Suite
from benchmark.records.identity import ORACLE
from benchmark.records.marks import read_marks
from benchmark.records.outputs import stage_digests
from benchmark.records.store import ResultStore, read_record
from benchmark.records.validation import Folder, validate


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A finished run of one method and its references."""
    root = tmp_path_factory.mktemp("replay")
    context = RunContext(Inputs(root / "home"), root / "out", keep_models=True)
    suite = Suite(
        name="replayed",
        description="one cell",
        tracks=["tiny-dev"],
        tasks=["frequency/low"],
        methods=["grad_diff"],
        oracles=2,
        attacks=["relearn_disjoint", "noise", "prefix"],
    )
    for job in Planner(context.inputs, context.results).plan(suite).jobs:
        assert execute(job, context) == "ok"
    return context


def record_of(place, name):
    found = (read_record(path) for path in place.results.paths())
    return next(record for record in found if record.method.name == name)


@pytest.mark.parametrize("name", ["grad_diff", "oracle"])
def test_an_honest_record_is_reproduced_to_the_last_digit(place, name, tmp_path):
    record = record_of(place, name)
    kept = list((place.inputs.home / "partial").rglob("*"))
    found = replay(record, place.results, place.inputs, tmp_path)
    assert kept, "the unlearned model"
    assert list((place.inputs.home / "partial").rglob("*")) == kept
    assert found.same_stages == list(record.shards)
    assert found.differences
    assert set(found.differences.values()) == {0.0}
    assert found.holds
    assert found.identical


def test_values_of_a_trial_that_were_forged_with_its_seal_are_found(place, tmp_path):
    record = record_of(place, "grad_diff")
    table = record.values["model"]["forget"]
    better = {"probability": [table.values["probability"][0] + 0.2]}
    forged = record.model_copy(
        update={
            "values": record.values
            | {
                "model": record.values["model"]
                | {"forget": table.model_copy(update={"values": table.values | better})}
            }
        }
    ).sealed()
    found = replay(forged, place.results, place.inputs, tmp_path)
    assert found.differences["model/forget/probability/all"] == pytest.approx(0.2, abs=1e-5)
    assert not found.holds


def test_outputs_of_a_reference_that_were_forged_consistently_validate_and_are_found(
    place, tmp_path
):
    """The first oracle gets the outputs of the second, with every hash and value adapted."""
    store = ResultStore(tmp_path / "results")
    records = [read_record(path) for path in place.results.paths()]
    first, second = (r for r in records if r.method.name == ORACLE)
    samples = place.results.samples_of(second)
    shards = {
        stage: first.shards[stage].model_copy(update={"rows": rows, "digest": digest})
        for stage, (rows, digest) in stage_digests(samples).items()
    }
    forged = first.model_copy(update={"shards": shards, "values": second.values})
    for record in records:
        if record.id == first.id:
            store.write(forged, samples)
        elif record.is_trial:
            store.write(record, None)
        else:
            store.write(record, place.results.samples_of(record))
    shown = read_record(store.path_of(first))
    quick = [f for f in validate(Folder(store), recompute=False) if f.path == store.path_of(first)]
    assert quick == []
    found = replay(shown, store, place.inputs, tmp_path / "again")
    assert "model" not in found.same_stages


def test_a_cell_that_would_be_another_one_now_says_what_differs(place, tmp_path):
    record = record_of(place, "grad_diff")
    method = record.method.model_copy(update={"source_hash": "0" * 16})
    identity = record.identity.model_copy(update={"method": method})
    renamed = record.model_copy(update={"identity": identity, "id": identity.id})
    with pytest.raises(BadInput, match=r"this cell has changed: method.source_hash was 0{16}, is "):
        replay(renamed, place.results, place.inputs, tmp_path)


def test_an_attack_that_has_changed_is_left_out_and_the_rest_is_compared(
    place, monkeypatch, tmp_path
):
    """Every other stage is the same, yet the record as a whole is not identical."""
    record = record_of(place, "oracle")
    monkeypatch.setattr(type(attack_of({"name": "noise", "scale": 0.1})), "version", 1000)
    found = replay(record, place.results, place.inputs, tmp_path)
    assert found.changed_attacks == ["noise"]
    assert found.same_stages == [stage for stage in record.shards if stage != "noise"]
    assert set(found.differences.values()) == {0.0}
    assert not any(name.startswith("noise") for name in found.differences)
    assert found.holds
    assert not found.identical


def test_other_outputs_within_the_tolerance_hold_and_are_not_identical(place):
    record = record_of(place, "oracle")
    shards = record.shards | {"model": record.shards["model"].model_copy(update={"digest": "0"})}
    again = Replayed(record, record.model_copy(update={"shards": shards}))
    assert again.holds
    assert not again.identical


def command(place, *words):
    words = ["replay", *words, "--results", str(place.out)]
    return CliRunner().invoke(app, words, env={"PALIMPSEST_HOME": str(place.inputs.home)})


def test_a_record_of_another_processor_is_named(place, monkeypatch):
    monkeypatch.setattr("benchmark.records.provenance.processor", lambda _: "another processor")
    record = record_of(place, "oracle")
    done = command(place, record.id)
    message = f"{record.id}: made on {record.provenance.cpu}, this is another processor"
    assert message in " ".join(done.stderr.split())


def test_the_command_signs_what_it_has_made_again(place):
    record = record_of(place, "grad_diff")
    done = command(place, record.id, "--sign", "Ada")
    assert done.exit_code == 0, done.stderr
    assert "made on" not in done.stderr
    (mark,) = read_marks(place.out).marks
    assert (mark.mark, mark.by, mark.records) == ("rerun", "Ada", {record.id: record.digest})
