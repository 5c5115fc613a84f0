"""Validation: a good folder passes; each rule has one bad folder, and the finding names the file
and the check.
"""

import dataclasses
import json
import subprocess
import sys

import pytest

from benchmark.records.samples import samples_from_bytes, samples_to_bytes, sha256
from benchmark.records.schema import SCHEMA_VERSION, Failure, Record
from benchmark.records.store import ResultStore, read_record
from benchmark.records.validation import Folder, validate

FAILURE = Failure(type="ValueError", message="loss is NaN", traceback="…").model_dump()


@pytest.fixture
def few(results):
    """The folder with one run of one method, which is quicker to validate."""
    for path in (
        *results.root.glob("toy/towns/low/beta/*"),
        *results.root.glob("toy/towns/low/alpha/alpha1*"),
    ):
        path.unlink()
    return results


def findings(results):
    return validate(Folder(results))


def path_of(results, name):
    """The first record file of a method."""
    return next(p for p in results.paths() if p.parent.name == name)


def samples_file(path):
    return path.with_name(f"{path.stem}.samples.parquet")


def rewrite(path, change):
    """Changes the JSON of a record in place and returns its path."""
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return path


def value(record, metric="exact_memorization", stratum="all"):
    """The JSON of one of a record's values on the forget split."""
    wanted = ("model", "forget", metric, stratum)
    return next(
        v for v in record["values"] if (v["stage"], v["split"], v["metric"], v["stratum"]) == wanted
    )


def move(path, target):
    """Moves a record and its samples to another folder."""
    target.parent.mkdir(parents=True, exist_ok=True)
    samples_file(path).rename(samples_file(target))
    path.rename(target)
    return target


def rewrite_samples(path, change, make_record, results):
    """Changes a record's samples and makes hash, rows and values fit them, as a careful forger
    would.
    """
    record = read_record(path)
    samples = change(results.samples_of(record))
    oracle_paths = [path.parents[1] / "oracle" / f"{i}.json" for i in record.references.oracles]
    oracles = {p.stem: results.samples_of(read_record(p)) for p in oracle_paths}
    fresh, content = make_record(record.method.name, record.seed, samples, oracles)
    results.write(fresh, content)
    return path


def test_a_good_folder_has_no_findings(results):
    assert findings(results) == []


def test_an_empty_folder_has_no_findings(tmp_path):
    assert findings(ResultStore(tmp_path)) == []


def test_progress_is_told_of_every_record(results):
    told = []
    validate(Folder(results), told.append)
    assert told == list(range(1, 8))


def test_an_error_record_is_valid(results):
    path = path_of(results, "alpha")
    empty = {
        "status": "error",
        "values": [],
        "samples": None,
        "references": None,
        "model": None,
        "error": FAILURE,
    }
    rewrite(path, lambda r: r.update(empty))
    samples_file(path).unlink()
    assert findings(results) == []


# Each mutation breaks one rule in the folder, and returns the path that a finding must name.


def value_altered(results):
    return rewrite(
        path_of(results, "alpha"), lambda r: value(r).update(value=value(r)["value"] + 1e-6)
    )


def value_of_a_stratum_altered(results):
    return rewrite(
        path_of(results, "alpha"), lambda r: value(r, stratum="frequency=low").update(value=0.123)
    )


def value_made_nan(results):
    return rewrite(path_of(results, "alpha"), lambda r: value(r).update(value=float("nan")))


def summary_altered(results):
    return rewrite(
        path_of(results, "alpha"), lambda r: value(r, "forget_quality").update(value=0.99)
    )


def value_of_the_target_altered(results):
    """A worse target makes every method look better."""
    return rewrite(path_of(results, "target"), lambda r: value(r).update(value=0.0))


def n_altered(results):
    return rewrite(path_of(results, "alpha"), lambda r: value(r).update(n_scored=7))


def failures_hidden(results):
    return rewrite(path_of(results, "alpha"), lambda r: value(r).update(n_failed=1))


def direction_altered(results):
    return rewrite(path_of(results, "alpha"), lambda r: value(r).update(better="higher"))


def unit_altered(results):
    return rewrite(path_of(results, "alpha"), lambda r: value(r).update(unit="percent"))


def value_missing(results):
    return rewrite(path_of(results, "alpha"), lambda r: r["values"].remove(value(r)))


def value_added(results):
    return rewrite(
        path_of(results, "alpha"), lambda r: r["values"].append(value(r) | {"metric": "made_up"})
    )


def value_twice(results):
    """The first is false, the last is right."""
    return rewrite(
        path_of(results, "alpha"), lambda r: r["values"].insert(0, value(r) | {"value": 0.123})
    )


def oracle_missing(results):
    path = path_of(results, "oracle")
    samples_file(path).unlink()
    path.unlink()
    return path_of(results, "alpha")


def target_missing(results):
    path = path_of(results, "target")
    samples_file(path).unlink()
    path.unlink()
    return path_of(results, "alpha")


def oracle_of_other_data(results):
    rewrite(path_of(results, "oracle"), lambda r: r["task"].update(data_fingerprint="d1"))
    return path_of(results, "alpha")


def oracle_of_another_task_version(results):
    rewrite(path_of(results, "oracle"), lambda r: r["task"].update(version=2))
    return path_of(results, "alpha")


def target_is_a_method(results):
    return rewrite(path_of(results, "alpha"), lambda r: r["references"].update(target=r["id"]))


def target_failed(results):
    failed = {"status": "error", "values": [], "samples": None, "error": FAILURE}
    path = rewrite(path_of(results, "target"), lambda r: r.update(failed))
    samples_file(path).unlink()
    return path_of(results, "alpha")


def one_oracle(results):
    return rewrite(path_of(results, "alpha"), lambda r: r["references"]["oracles"].pop())


def the_same_oracle_twice(results):
    def twice(record):
        record["references"]["oracles"][1] = record["references"]["oracles"][0]

    return rewrite(path_of(results, "alpha"), twice)


def no_references(results):
    return rewrite(path_of(results, "alpha"), lambda r: r.update(references=None))


def wrong_method_folder(results):
    path = path_of(results, "alpha")
    return move(path, path.parent.parent / "beta" / path.name)


def wrong_variant_folder(results):
    path = path_of(results, "alpha")
    return move(path, path.parents[2] / "high" / "alpha" / path.name)


def one_folder_too_high(results):
    """Where no reader looks for records: it would silently be missing from the leaderboard."""
    path = path_of(results, "alpha")
    return move(path, path.parents[1] / path.name)


def wrong_name(results):
    path = path_of(results, "alpha")
    target = path.with_name("0123456789abcdef.json")
    path.rename(target)
    return target


def orphan_samples(results):
    path = path_of(results, "alpha")
    path.unlink()
    return samples_file(path)


def stray_samples(results):
    path = path_of(results, "alpha")
    stray = path.with_name("stray.samples.parquet")
    stray.write_bytes(samples_file(path).read_bytes())
    return stray


def samples_changed(results):
    path = path_of(results, "alpha")
    file = samples_file(path)
    samples = samples_from_bytes(file.read_bytes())
    file.write_bytes(samples_to_bytes(samples[::-1]))
    return path


def samples_missing(results):
    path = path_of(results, "alpha")
    samples_file(path).unlink()
    return path


def samples_unnamed(results):
    return rewrite(path_of(results, "alpha"), lambda r: r.update(samples=None))


def samples_unreadable(results):
    """Garbage whose hash is right."""
    path = path_of(results, "alpha")
    samples_file(path).write_bytes(b"garbage")
    return rewrite(path, lambda r: r["samples"].update(sha256=sha256(b"garbage")))


def rows_altered(results):
    return rewrite(path_of(results, "alpha"), lambda r: r["samples"].update(rows=999))


def truncated(results):
    path = path_of(results, "alpha")
    path.write_bytes(path.read_bytes()[:300])
    return path


def unknown_schema(results):
    return rewrite(path_of(results, "alpha"), lambda r: r.update(schema_version=SCHEMA_VERSION + 1))


def error_with_values(results):
    return rewrite(path_of(results, "alpha"), lambda r: r.update(status="error", error=FAILURE))


def error_without_error(results):
    return rewrite(path_of(results, "alpha"), lambda r: r.update(status="error", values=[]))


def success_with_error(results):
    return rewrite(path_of(results, "alpha"), lambda r: r.update(error=FAILURE))


def success_without_values(results):
    return rewrite(path_of(results, "alpha"), lambda r: r.update(values=[]))


def metric_of_another_version(results):
    return rewrite(path_of(results, "alpha"), lambda r: value(r).update(version=99))


def summary_of_another_version(results):
    return rewrite(
        path_of(results, "alpha"), lambda r: value(r, "forget_quality").update(version=99)
    )


BROKEN = [
    (value_altered, "values"),
    (value_of_a_stratum_altered, "values"),
    (value_made_nan, "values"),
    (summary_altered, "values"),
    (value_of_the_target_altered, "values"),
    (n_altered, "values"),
    (failures_hidden, "values"),
    (direction_altered, "values"),
    (unit_altered, "values"),
    (value_missing, "values"),
    (value_added, "values"),
    (value_twice, "values"),
    (oracle_missing, "references"),
    (target_missing, "references"),
    (oracle_of_other_data, "references"),
    (oracle_of_another_task_version, "references"),
    (target_is_a_method, "references"),
    (target_failed, "references"),
    (one_oracle, "references"),
    (the_same_oracle_twice, "references"),
    (no_references, "references"),
    (wrong_method_folder, "place"),
    (wrong_variant_folder, "place"),
    (one_folder_too_high, "place"),
    (wrong_name, "place"),
    (orphan_samples, "orphans"),
    (stray_samples, "orphans"),
    (samples_changed, "samples"),
    (samples_missing, "samples"),
    (samples_unnamed, "samples"),
    (samples_unreadable, "samples"),
    (rows_altered, "samples"),
    (truncated, "schema"),
    (unknown_schema, "schema"),
    (error_with_values, "failures"),
    (error_without_error, "failures"),
    (success_with_error, "failures"),
    (success_without_values, "failures"),
    (metric_of_another_version, "metric_versions"),
    (summary_of_another_version, "metric_versions"),
]


# These break nothing else.
ALONE = {
    *(value_altered, n_altered, metric_of_another_version, stray_samples, truncated),
    *(rows_altered, value_missing, success_with_error, direction_altered, value_twice),
    one_folder_too_high,
}


@pytest.mark.parametrize(("mutation", "check"), BROKEN, ids=[m.__name__ for m, _ in BROKEN])
def test_a_broken_rule_is_found_and_named(few, mutation, check):
    path = mutation(few)
    found = findings(few)
    assert (path, check) in {(f.path, f.check) for f in found}
    assert all(str(f).startswith(f"{f.path}: {f.check}: ") and "\n" not in str(f) for f in found)
    if mutation in ALONE:
        assert len(found) == 1


def test_a_finding_says_what_was_recorded_and_what_is_right(few):
    path = path_of(few, "alpha")
    right = value(json.loads(path.read_text()))["value"]
    rewrite(path, lambda r: value(r).update(value=0.123))
    (finding,) = findings(few)
    assert "model/forget/exact_memorization/all" in finding.message
    assert "0.123" in finding.message
    assert f"{right:.6g}" in finding.message


def test_values_within_rounding_are_no_finding(few):
    rewrite(path_of(few, "alpha"), lambda r: value(r).update(value=value(r)["value"] + 1e-11))
    assert findings(few) == []


def test_every_oracle_is_compared_with_the_others_only(few):
    """Were an oracle compared with itself, its forget quality would be drawn towards 1."""
    path = path_of(few, "oracle")
    record = Record.model_validate_json(path.read_text())
    recorded = next(v.value for v in record.values if v.metric == "forget_quality_ks")
    assert recorded > 0
    rewrite(path, lambda r: value(r, "forget_quality_ks").update(value=recorded / 2))
    assert [f.path for f in findings(few)] == [path]


def test_a_method_is_measured_on_all_that_the_target_was(few, make_record):
    """Leaving hard examples out would otherwise pass: hash, rows and values fit."""
    path = path_of(few, "alpha")
    rewrite_samples(
        path, lambda samples: [s for s in samples if s.example != "forget-0"], make_record, few
    )
    assert path in [f.path for f in findings(few)]


def test_a_method_is_measured_on_the_same_questions_as_the_target(few, make_record):
    """An example whose answer was replaced by an easier one is another example."""

    def easier(samples):
        return [
            dataclasses.replace(s, answer="Burg") if s.split == "retain" else s for s in samples
        ]

    path = path_of(few, "alpha")
    rewrite_samples(path, easier, make_record, few)
    assert path in [f.path for f in findings(few)]


def on_the_way(samples, stage="budget 0.50"):
    """The samples with those of the forget split once more, as they were half way."""
    forget = [s for s in samples if s.split == "forget" and s.stage == "model"]
    return [*(dataclasses.replace(s, stage=stage) for s in forget), *samples]


def test_what_a_method_shows_on_the_way_needs_no_counterpart_in_the_target(few, make_record):
    """The target has no way: its record has the final model and the attacks alone."""
    rewrite_samples(path_of(few, "alpha"), on_the_way, make_record, few)
    assert findings(few) == []


def test_what_a_method_shows_after_a_request_needs_its_counterpart_in_the_oracles(few, make_record):
    path = path_of(few, "alpha")
    rewrite_samples(path, lambda samples: on_the_way(samples, "request 02"), make_record, few)
    assert [(f.path, f.check) for f in findings(few)] == [(path, "requests")]


def test_on_the_way_too_a_method_is_measured_on_the_questions_of_the_target(few, make_record):
    def easier(samples):
        changed = [
            dataclasses.replace(s, answer="Burg") if s.stage.startswith("budget") else s
            for s in samples
        ]
        assert changed != samples
        return changed

    path = path_of(few, "alpha")
    rewrite_samples(path, lambda samples: easier(on_the_way(samples)), make_record, few)
    assert path in [f.path for f in findings(few)]


def test_unreadable_records_do_not_make_their_samples_orphans(few):
    truncated(few)
    assert [f.check for f in findings(few)] == ["schema"]


def test_the_command_that_validates_needs_no_torch(results):
    """So that whoever checks a submission installs no engine, and waits for none."""
    code = (
        "import sys; from benchmark.cli import app\n"
        f"app(['validate', {str(results.root)!r}], standalone_mode=False)\n"
        "print(sorted({'torch', 'transformers', 'datasets'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]", done.stdout
