"""Records on disk: schema, reading, refusals, and atomic writing."""

import json
import math
import os
import stat
import time
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError

from benchmark.errors import BadInput
from benchmark.records import provenance
from benchmark.records.identity import variant_name
from benchmark.records.outputs import Inputs, sha256
from benchmark.records.schema import SCHEMA_VERSION, Cost, Failure, Record
from benchmark.records.store import (
    KILLED,
    ResultStore,
    inputs_path,
    outputs_content,
    read_record,
    write_atomically,
)


@pytest.fixture
def path(results):
    """The record file of one method run."""
    return next(p for p in results.paths() if p.parent.name == "alpha")


def rewrite(path, change):
    """Changes the JSON of a record in place."""
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def refusal(path):
    with pytest.raises(BadInput) as caught:
        read_record(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    return message


def test_round_trip_through_json_is_exact(path):
    record = read_record(path)
    text = record.model_dump_json()
    assert Record.model_validate_json(text).model_dump_json() == text


def test_nan_survives_the_round_trip(path):
    record = read_record(path)
    table = record.values["model"]["forget"]
    broken = table.model_copy(update={"values": {"probability": [float("nan"), None, 0.5]}})
    changed = record.model_copy(update={"values": {"model": {"forget": broken}}})
    again = Record.model_validate_json(changed.to_json())
    first, *others = again.values["model"]["forget"].values["probability"]
    assert math.isnan(first)
    assert others == [None, 0.5]
    assert again.digest == changed.digest


def test_the_seal_is_of_everything_else(path):
    record = read_record(path)
    assert record.seal == record.digest
    assert record.sealed() == record
    provenance = record.provenance.model_copy(update={"commit": "c1"})
    changed = record.model_copy(update={"provenance": provenance})
    assert changed.digest != record.seal
    assert changed.sealed().seal == changed.digest


def test_a_line_for_each_field(path):
    lines = path.read_text().splitlines()
    assert lines[0] == "{"
    assert lines[-1] == "}"
    assert len(lines) == 2 + len(Record.model_fields)
    assert json.loads(path.read_text())["id"] == path.stem


def test_a_record_cannot_be_changed(path):
    record = read_record(path)
    with pytest.raises(ValidationError):
        record.status = "error"
    with pytest.raises(ValidationError):
        record.identity.seed = 5


def test_written_where_its_content_says_and_ends_with_a_newline(results, path):
    record = read_record(path)
    assert (
        results.path_of(record)
        == path
        == results.root / "toy/towns/low/alpha" / f"{record.id}.json"
    )
    assert path.read_bytes().endswith(b"}\n")


def test_a_task_without_variants_uses_the_folder_all(tmp_path, make_identity):
    task = make_identity("m", 0).task.model_copy(update={"variant": ""})
    identity = make_identity("m", 0, task=task)
    assert ResultStore(tmp_path).path(identity) == tmp_path / f"toy/towns/all/m/{identity.id}.json"
    assert variant_name("task", "") == "task"
    assert variant_name("task", "low") == "task/low"


def test_paths_are_all_records_in_order(results):
    paths = results.paths()
    assert len(paths) == 7
    assert paths == sorted(paths)
    assert [r.id for r in results.read_all()] == [p.stem for p in paths]


def test_an_absent_record_is_bad_input(tmp_path):
    assert "no such record" in refusal(tmp_path / "x.json")


@pytest.mark.parametrize("version", [0, 1, SCHEMA_VERSION + 1, 99])
def test_an_unknown_schema_version_is_refused(path, version):
    rewrite(path, lambda r: r.update(schema_version=version))
    message = refusal(path)
    assert "schema_version" in message
    assert f"found {version}" in message


def test_a_later_schema_is_named_as_such_though_it_has_new_fields(path):
    """A newer schema always has fields that this one lacks; the message must name the version
    rather than those fields.
    """
    rewrite(path, lambda r: r.update(schema_version=SCHEMA_VERSION + 1, carbon=1))
    assert "schema_version" in refusal(path)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda r: r.update(extra=1), "extra"),
        (lambda r: r["identity"]["task"].update(extra=1), "identity.task.extra"),
        (lambda r: r["values"]["model"]["forget"].update(extra=1), "values.model.forget.extra"),
        (lambda r: r["identity"].pop("seed"), "identity.seed"),
        (lambda r: r["identity"].update(seed="first"), "identity.seed"),
        (lambda r: r.update(status="fine"), "status"),
        (lambda r: r["shards"]["model"].update(rows="many"), "shards.model.rows"),
    ],
)
def test_other_fields_than_the_schemas_are_refused_by_name(path, change, field):
    rewrite(path, change)
    assert f": {field}: " in refusal(path)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"id": 1}'])
def test_what_is_not_a_record_is_refused_in_one_line(path, content):
    path.write_bytes(content)
    refusal(path)


def test_a_truncated_record_is_refused_in_one_line(path):
    whole = path.read_bytes()
    for length in (1, 100, len(whole) // 2, len(whole) - 3):
        path.write_bytes(whole[:length])
        refusal(path)


FILES = {
    "outputs": lambda path, record: path.with_suffix(".outputs.parquet"),
    "inputs": inputs_path,
}


@pytest.mark.parametrize("kind", FILES)
def test_changed_files_are_refused(results, path, kind):
    record = read_record(path)
    file = FILES[kind](path, record)
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(BadInput, match="sha256") as caught:
        results.samples_of(record)
    assert str(file) in str(caught.value)


@pytest.mark.parametrize("kind", FILES)
def test_missing_files_are_refused(results, path, kind):
    record = read_record(path)
    FILES[kind](path, record).unlink()
    with pytest.raises(BadInput, match="missing"):
        results.samples_of(record)


def test_shuffled_inputs_are_refused(results, path):
    """Otherwise rows of outputs would silently be taken as answers to other questions."""
    record = read_record(path)
    file = inputs_path(path, record)
    file.write_bytes(Inputs(Inputs.from_bytes(file.read_bytes()).rows[::-1]).to_bytes())
    with pytest.raises(BadInput, match="sha256"):
        results.samples_of(record)


@pytest.mark.parametrize("sha", ["", "0", "short"])
def test_a_hash_that_was_cut_off_is_none(results, path, sha):
    record = read_record(path)
    said = record.outputs.sha256
    cut = record.outputs.model_copy(update={"sha256": said[:8] if sha == "short" else sha})
    with pytest.raises(BadInput, match="sha256"):
        results.samples_of(record.model_copy(update={"outputs": cut}))


@pytest.mark.parametrize("content", [b"", b"not a parquet file", b"PAR1 PAR1"])
def test_outputs_that_are_no_parquet_are_bad_input_though_their_hash_is_right(
    results, path, content
):
    rewrite(path, lambda r: r["outputs"].update(sha256=sha256(content)))
    path.with_suffix(".outputs.parquet").write_bytes(content)
    with pytest.raises(BadInput, match=path.stem):
        results.samples_of(read_record(path))


def test_an_error_record_has_no_outputs(path):
    record = read_record(path).model_copy(update={"outputs": None, "status": "error"})
    with pytest.raises(BadInput, match="status error"):
        outputs_content(path, record)


def test_samples_of_a_record_are_those_that_were_written(results, path, model_samples):
    record = read_record(path)
    written = model_samples(0.3, 0.85, record.seed)
    read = results.samples_of(record)
    assert [(s.stage, s.example, s.generation) for s in read] == [
        (s.stage, s.example, s.generation) for s in written
    ]


def test_cells_of_a_variant_share_one_file_of_inputs(results):
    files = list(results.root.rglob("inputs-*.parquet"))
    assert files == [results.root / "toy/towns/low" / files[0].name]
    assert {inputs_path(results.path_of(r), r) for r in results.read_all()} == set(files)


@pytest.fixture
def alone(results, path, tmp_path):
    """A store with two records of one variant that share the same inputs."""
    store = ResultStore(tmp_path / "alone")
    record = read_record(path)
    for seed in (0, 1):
        identity = record.identity.model_copy(update={"seed": seed})
        changed = record.model_copy(update={"identity": identity, "id": identity.id})
        store.write(changed, results.samples_of(record))
    return store


def asked_otherwise(store, record):
    """The record's samples, with another entity for the first example."""
    first, *others = store.samples_of(record)
    samples = [replace(s, entity="another") if s.example == first.example else s for s in others]
    return [replace(first, entity="another"), *samples]


def inputs_of(store):
    return {file.name for file in store.root.rglob("inputs-*.parquet")}


def test_inputs_go_with_the_last_record_that_names_them(alone):
    first, second = alone.read_all()
    former = inputs_of(alone)
    alone.write(first, asked_otherwise(alone, first))
    assert len(inputs_of(alone) - former) == 1
    assert former < inputs_of(alone), "the second record names them"
    alone.write(second, asked_otherwise(alone, second))
    assert len(inputs_of(alone)) == 1
    assert not inputs_of(alone) & former
    for record in alone.read_all():
        assert alone.samples_of(record)


@pytest.mark.parametrize("moment", ["exists", "unlink"])
def test_inputs_that_another_process_names_meanwhile_stay(alone, moment, monkeypatch):
    """The other process does so between the scan of all records and the removal, or just before the
    file is removed.
    """
    first, second = alone.read_all()
    samples = alone.samples_of(second)
    alone.write(first, other := asked_otherwise(alone, first))
    plain, others = getattr(Path, moment), []

    def interrupted(file, **options):
        if file.name.startswith("inputs-") and not others:
            others.append(file)
            ResultStore(alone.root).write(second, samples)
        return plain(file, **options)

    with monkeypatch.context() as patch:
        alone.write(second, other)
        patch.setattr(Path, moment, interrupted)
        alone.write(first, samples)
        alone.write(first, other)
    assert others
    for record in alone.read_all():
        assert alone.samples_of(record)


def test_a_failed_rerun_leaves_no_outputs_of_the_run_before(results, path):
    results.write(read_record(path).model_copy(update={"outputs": None}), None)
    assert not path.with_suffix(".outputs.parquet").exists()


def test_an_error_record_is_written_and_read_back(tmp_path, path):
    failure = Failure(type="ValueError", message="loss is NaN", traceback="…")
    empty = {
        "status": "error",
        "values": {},
        "metrics": {},
        "shards": {},
        "outputs": None,
        "references": None,
        "error": failure,
    }
    record = read_record(path).model_copy(update=empty)
    store = ResultStore(tmp_path / "other")
    written = store.write(record, None)
    assert read_record(written) == record.sealed()
    assert [p.name for p in written.parent.iterdir()] == [written.name]


def test_write_makes_folders_and_replaces(tmp_path):
    file = tmp_path / "a/b/c.txt"
    write_atomically(file, b"one")
    write_atomically(file, b"two")
    assert file.read_bytes() == b"two"
    assert os.listdir(file.parent) == ["c.txt"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_a_failed_write_keeps_the_old_content_and_leaves_nothing_behind(
    tmp_path, monkeypatch, step, error
):
    file = tmp_path / "record.json"
    write_atomically(file, b"old")

    def fail(*_):
        raise error

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(type(error)):
        write_atomically(file, b"new")
    assert file.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["record.json"]


def test_content_is_on_disk_before_it_gets_its_name(tmp_path, monkeypatch):
    steps = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(
        os, "fsync", lambda fd: (steps.append(("fsync", os.fstat(fd).st_size)), fsync(fd))
    )
    monkeypatch.setattr(
        os, "replace", lambda a, b: (steps.append(("replace", Path(a).parent)), replace(a, b))
    )
    write_atomically(tmp_path / "x", b"12345")
    assert steps[:2] == [("fsync", 5), ("replace", tmp_path)]


def test_a_record_can_be_read_by_others(tmp_path):
    """Its mode is that of any file the process creates, not a temporary file's private mode."""
    plain = tmp_path / "plain"
    plain.write_bytes(b"")
    write_atomically(tmp_path / "x", b"")
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_outputs_are_written_before_their_record(results, path, monkeypatch, tmp_path):
    """A crash in between therefore leaves no record without its outputs."""
    record = read_record(path)
    samples = results.samples_of(record)
    written = []

    def noted(file, content):
        written.append(file.name)
        write_atomically(file, content)

    monkeypatch.setattr("benchmark.records.store.write_atomically", noted)
    ResultStore(tmp_path / "other").write(record, samples)
    assert written == [
        f"inputs-{record.outputs.inputs}.parquet",
        f"{record.id}.outputs.parquet",
        f"{record.id}.json",
    ]


def test_provenance_says_what_it_does_not_know(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = provenance.collect(Cost(steps=1, tokens=2, seconds={}), 1, "none", "AVX2", weights="w1")
    assert provenance.package_version("no-such-package-here") == "not installed"
    assert found.packages["numpy"]
    assert found.created.endswith("+00:00")
    assert (found.weights, found.division, found.made) == ("w1", "", {})


def test_two_hosts_that_write_one_file_do_not_share_a_temporary_name(tmp_path, monkeypatch):
    """Processes on two hosts may have the same pid: neither may rename a file that the other is
    still writing.
    """
    names = []
    monkeypatch.setattr("os.replace", lambda source, target: names.append(source))
    monkeypatch.setattr("os.getpid", lambda: 7)
    for _ in range(2):
        write_atomically(tmp_path / "record.json", b"{}")
    assert len(set(names)) == 2


def test_what_a_killed_writer_of_the_same_cell_left_goes_with_the_next_record(results, path):
    record = read_record(path)
    left = path.with_name(f".{path.stem}.outputs.parquet-0123abcd")
    fresh = path.with_name(f".{path.stem}.json-0123abcd")
    other = path.with_name(".fedcba9876543210.json-0123abcd")
    for file in (left, fresh, other):
        file.write_bytes(b"half")
    for file in (left, other):
        os.utime(file, (time.time() - 2 * KILLED,) * 2)
    results.write_files(record, outputs_content(path, record))
    assert not left.exists()
    assert fresh.exists(), "a writer on another machine may be using it"
    assert other.exists(), "another cell's may be under way"
    fresh.unlink()
    other.unlink()
    assert read_record(path) == record
