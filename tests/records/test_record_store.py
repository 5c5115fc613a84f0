"""Records on disk: schema, reading, refusing, and writing all or nothing."""

import json
import math
import os
import stat
from pathlib import Path

import pytest
from pydantic import ValidationError

from benchmark.errors import BadInput
from benchmark.records import provenance
from benchmark.records.samples import sha256
from benchmark.records.schema import SCHEMA_VERSION, Cost, Failure, Record, variant_name
from benchmark.records.store import ResultStore, read_record, samples_content, write_atomically


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
    broken = record.values[0].model_copy(update={"value": float("nan")})
    again = Record.model_validate_json(
        record.model_copy(update={"values": [broken]}).model_dump_json()
    )
    assert math.isnan(again.values[0].value)


def test_a_record_cannot_be_changed(path):
    record = read_record(path)
    with pytest.raises(ValidationError):
        record.seed = 5


def test_written_where_its_content_says_and_ends_with_a_newline(results, path):
    record = read_record(path)
    assert (
        results.path_of(record)
        == path
        == results.root / "toy/towns/low/alpha" / f"{record.id}.json"
    )
    assert path.read_bytes().endswith(b"}\n")


def test_a_task_without_variants_uses_the_folder_all(tmp_path):
    assert ResultStore(tmp_path).path("t", "task", "", "m", "x") == tmp_path / "t/task/all/m/x.json"
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
    """A newer schema always has fields that this one lacks; the reader needs to hear of the
    version, not of those.
    """
    rewrite(path, lambda r: r.update(schema_version=SCHEMA_VERSION + 1, carbon=1))
    assert "schema_version" in refusal(path)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda r: r.update(extra=1), "extra"),
        (lambda r: r["task"].update(extra=1), "task.extra"),
        (lambda r: r["values"][0].update(extra=1), "values.0.extra"),
        (lambda r: r.pop("seed"), "seed"),
        (lambda r: r.update(seed="first"), "seed"),
        (lambda r: r.update(status="fine"), "status"),
        (lambda r: r["values"][1].update(better="up"), "values.1.better"),
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


def test_changed_samples_are_refused(results, path):
    record = read_record(path)
    file = path.parent / record.samples.file
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(BadInput, match="sha256") as caught:
        results.samples_of(record)
    assert str(file) in str(caught.value)


def test_missing_samples_are_refused(results, path):
    record = read_record(path)
    (path.parent / record.samples.file).unlink()
    with pytest.raises(BadInput, match="missing"):
        results.samples_of(record)


@pytest.mark.parametrize("content", [b"", b"not a parquet file", b"PAR1 PAR1"])
def test_samples_that_are_no_parquet_are_bad_input_though_their_hash_is_right(
    results, path, content
):
    rewrite(path, lambda r: r["samples"].update(sha256=sha256(content)))
    path.with_name(f"{path.stem}.samples.parquet").write_bytes(content)
    with pytest.raises(BadInput, match=path.stem):
        results.samples_of(read_record(path))


def test_an_error_record_has_no_samples(path):
    record = read_record(path).model_copy(update={"samples": None, "status": "error"})
    with pytest.raises(BadInput, match="status error"):
        samples_content(path, record)


def test_samples_of_a_record_are_those_that_were_written(results, path, model_samples):
    record = read_record(path)
    written = model_samples(0.3, 0.85, record.seed)
    assert [s.example for s in results.samples_of(record)] == [s.example for s in written]


def test_an_error_record_is_written_and_read_back(tmp_path, path):
    failure = Failure(type="ValueError", message="loss is NaN", traceback="…")
    empty = {
        "status": "error",
        "values": [],
        "samples": None,
        "references": None,
        "model": None,
        "error": failure,
    }
    record = read_record(path).model_copy(update=empty)
    store = ResultStore(tmp_path / "other")
    written = store.write(record, None)
    assert read_record(written) == record
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
    """As any file that the process creates: a temporary file's private mode must not stay."""
    plain = tmp_path / "plain"
    plain.write_bytes(b"")
    write_atomically(tmp_path / "x", b"")
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_samples_are_written_before_their_record(results, path, monkeypatch, tmp_path):
    """So that a crash in between leaves no record without its samples."""
    record = read_record(path)
    content = (path.parent / record.samples.file).read_bytes()
    written = []
    monkeypatch.setattr(
        "benchmark.records.store.write_atomically", lambda file, _: written.append(file.name)
    )
    ResultStore(tmp_path / "other").write(record, content)
    assert written == [record.samples.file, f"{record.id}.json"]


def test_provenance_says_what_it_does_not_know(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = provenance.collect(
        Cost(steps=1, tokens=2, seconds={}), 1, "none", "float32", {"greedy": True}
    )
    assert provenance.package_version("no-such-package-here") == "not installed"
    assert found.packages["numpy"]
    assert found.created.endswith("+00:00")
    assert found.generation == {"greedy": True}


def test_two_hosts_that_write_one_file_do_not_share_a_temporary_name(tmp_path, monkeypatch):
    """Processes on two hosts may have one number: what one is writing must not become what the
    other renames.
    """
    names = []
    monkeypatch.setattr("os.replace", lambda source, target: names.append(source))
    monkeypatch.setattr("os.getpid", lambda: 7)
    for _ in range(2):
        write_atomically(tmp_path / "record.json", b"{}")
    assert len(set(names)) == 2
