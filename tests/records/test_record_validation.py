"""Validation of a folder: a valid one passes, and for each broken rule the finding names the file
and the check.
"""

import subprocess
import sys

import pytest
from broken_folders import ALONE, BROKEN, truncated
from forging import (
    FAILED,
    FAILURE,
    checks_at,
    column,
    findings,
    outputs_file,
    path_of,
    reseal,
    rewrite,
    table,
)

from benchmark.records.rescore import rescore_record
from benchmark.records.store import ResultStore, read_record
from benchmark.records.validation import Folder, validate


@pytest.fixture
def few(results):
    """The folder with a single method run, which is quicker to validate."""
    for path in results.paths():
        record = read_record(path)
        if record.method.name == "beta" or (record.method.name, record.seed) == ("alpha", 1):
            path.unlink()
            outputs_file(path).unlink()
    return results


@pytest.mark.parametrize("recompute", [True, False])
def test_a_good_folder_has_no_findings(results, recompute):
    assert validate(Folder(results), recompute=recompute) == []


def test_an_empty_folder_has_no_findings(tmp_path):
    assert findings(ResultStore(tmp_path)) == []


def test_progress_is_told_of_every_record(results):
    told = []
    validate(Folder(results), told.append)
    assert told == list(range(1, 8))


@pytest.mark.parametrize("references", [{}, {"references": None}])
def test_an_error_record_is_valid(few, references):
    path = reseal(path_of(few, "alpha"), lambda r: r.update(FAILED | references))
    outputs_file(path).unlink()
    assert findings(few) == []


# Changes to a field of alpha's record, with the seal recomputed, and the check that must find each.
SEALED = {
    "value": (lambda r: column(r).__setitem__(0, column(r)[0] + 1e-5), "values"),
    "value_in_the_last_digit": (lambda r: column(r).__setitem__(0, 0.123456789), "columns"),
    "value_of_a_stratum": (lambda r: column(r).__setitem__(1, 0.123), "values"),
    "value_made_nan": (lambda r: column(r).__setitem__(0, "NaN"), "values"),
    "value_made_infinite": (lambda r: column(r).__setitem__(0, "Infinity"), "values"),
    "value_hidden": (lambda r: column(r).__setitem__(0, None), "values"),
    "summary": (lambda r: column(r, "forget_quality").__setitem__(0, 0.99), "values"),
    "count": (lambda r: table(r)["n"].__setitem__(0, 7), "values"),
    "count_of_a_stratum": (lambda r: table(r)["n"].__setitem__(1, 1), "values"),
    "failures_hidden": (
        lambda r: table(r)["failed"].update(exact_memorization=[1, 0, 0]),
        "values",
    ),
    "failures_of_nothing": (lambda r: table(r)["failed"].update(made_up=[1, 0, 0]), "columns"),
    "stratum_renamed": (lambda r: table(r)["strata"].__setitem__(1, "frequency=rare"), "values"),
    "strata_swapped": (lambda r: table(r)["strata"].reverse(), "values"),
    "stratum_twice": (lambda r: table(r)["strata"].__setitem__(1, "all"), "columns"),
    "stratum_without_values": (
        lambda r: [own.append(more) for own, more in _longer(table(r))],
        "columns",
    ),
    "stratum_missing": (lambda r: table(r)["strata"].pop(), "columns"),
    "column_shorter": (lambda r: column(r).pop(), "columns"),
    "counts_shorter": (lambda r: table(r)["n"].pop(), "columns"),
    "column_missing": (lambda r: table(r)["values"].pop("probability"), "values"),
    "columns_swapped": (
        lambda r: table(r)["values"].update(probability=column(r), exact_memorization=[0, 0, 0]),
        "values",
    ),
    "column_added": (
        lambda r: (
            table(r)["values"].update(made_up=[0.5, 0.5, 0.5]),
            r["metrics"].update(made_up=1),
        ),
        "metric_versions",
    ),
    "column_without_version": (
        lambda r: table(r)["values"].update(made_up=[0.5, 0.5, 0.5]),
        "columns",
    ),
    "split_missing": (lambda r: r["values"]["model"].pop("retain"), "values"),
    "split_renamed": (
        lambda r: r["values"]["model"].update(other=r["values"]["model"].pop("retain")),
        "values",
    ),
    "stage_missing": (lambda r: r["values"].pop("shaken"), "values"),
    "stage_without_values": (lambda r: r["values"].update(ghost={}), "columns"),
    "table_without_values": (
        lambda r: r["values"]["model"].update(ghost={"strata": [], "n": [], "values": {}}),
        "columns",
    ),
    "stages_swapped": (
        lambda r: r["values"]["model"].update(forget=r["values"]["shaken"]["forget"]),
        "values",
    ),
    "metric_version": (lambda r: r["metrics"].update(exact_memorization=99), "metric_versions"),
    "summary_version": (lambda r: r["metrics"].update(forget_quality=99), "metric_versions"),
    "version_missing": (lambda r: r["metrics"].pop("exact_memorization"), "columns"),
    "version_of_no_metric": (lambda r: r["metrics"].update(made_up=1), "metric_versions"),
    "version_without_values": (lambda r: r["metrics"].update(outliers=1), "columns"),
    "shard_id": (lambda r: r["shards"]["model"].update(id="0" * 16), "identity"),
    "shard_rows": (lambda r: r["shards"]["model"].update(rows=999), "shards"),
    "shard_digest": (lambda r: r["shards"]["shaken"].update(digest="0" * 16), "shards"),
    "shard_recipe": (lambda r: r["shards"]["shaken"].update(recipe={"steps": 0}), "identity"),
    "shard_missing": (lambda r: r["shards"].pop("shaken"), "references"),
    "final_shard_missing": (lambda r: r["shards"].pop("model"), "status"),
    "shard_added": (lambda r: r["shards"].update(new=r["shards"]["model"]), "shards"),
    "shards_swapped": (
        lambda r: r.update(shards={"model": r["shards"]["shaken"], "shaken": r["shards"]["model"]}),
        "identity",
    ),
    "generation": (lambda r: r["evaluation"]["generation"].update(backend="vllm"), "identity"),
    "evaluation_version": (lambda r: r["evaluation"].update(version=99), "references"),
    "outputs_unnamed": (lambda r: r.update(outputs=None), "status"),
    "outputs_hash": (lambda r: r["outputs"].update(sha256="0" * 64), "outputs"),
    "outputs_hash_empty": (lambda r: r["outputs"].update(sha256=""), "outputs"),
    "outputs_hash_cut": (
        lambda r: r["outputs"].update(sha256=r["outputs"]["sha256"][:8]),
        "outputs",
    ),
    "inputs_hash": (lambda r: r["outputs"].update(inputs="0" * 16), "outputs"),
    "target_is_itself": (lambda r: r["references"].update(target=r["id"]), "references"),
    "target_unknown": (lambda r: r["references"].update(target="0" * 16), "references"),
    "target_and_oracle_swapped": (
        lambda r: r.update(
            references={
                "target": r["references"]["oracles"][0],
                "oracles": [r["references"]["target"], r["references"]["oracles"][1]],
            }
        ),
        "references",
    ),
    "one_oracle": (lambda r: r["references"]["oracles"].pop(), "references"),
    "no_oracle": (lambda r: r["references"].update(oracles=[]), "references"),
    "an_oracle_twice": (
        lambda r: r["references"]["oracles"].append(r["references"]["oracles"][0]),
        "references",
    ),
    "oracle_is_itself": (lambda r: r["references"]["oracles"].append(r["id"]), "references"),
    "no_references": (lambda r: r.update(references=None), "references"),
    "proxy": (lambda r: r["references"].update(proxy=True), "references"),
    "error_with_values": (lambda r: r.update(status="error", error=FAILURE), "status"),
    "error_without_error": (lambda r: r.update(FAILED | {"error": None}), "status"),
    "error_with_outputs": (lambda r: r.update(FAILED | {"outputs": r["outputs"]}), "status"),
    "error_with_shards": (lambda r: r.update(FAILED | {"shards": r["shards"]}), "status"),
    "error_with_versions": (lambda r: r.update(FAILED | {"metrics": r["metrics"]}), "columns"),
    "success_with_error": (lambda r: r.update(error=FAILURE), "status"),
    "success_without_values": (lambda r: r.update(values={}, metrics={}), "status"),
    "success_with_score_of_a_trial": (
        lambda r: r.update(trial={"axes": {}, "score": 0.5, "drawn": "x"}),
        "status",
    ),
}


def _longer(own):
    """The columns of a table, each with an entry that adds a stratum without known values."""
    return [
        (own["strata"], "frequency=never"),
        (own["n"], 5),
        *((c, None) for c in own["values"].values()),
    ]


@pytest.mark.parametrize("name", SEALED)
def test_a_changed_field_is_found_though_the_seal_fits(few, name):
    change, check = SEALED[name]
    path = reseal(path_of(few, "alpha"), change)
    found = findings(few)
    assert (path, check) in {(f.path, f.check) for f in found}
    assert "seal" not in {f.check for f in found}
    assert all(str(f).startswith(f"{f.path}: {f.check}: ") and "\n" not in str(f) for f in found)


@pytest.mark.parametrize("name", SEALED)
def test_a_changed_field_breaks_the_seal(few, name):
    path = rewrite(path_of(few, "alpha"), SEALED[name][0])
    assert "seal" in {f.check for f in validate(Folder(few), recompute=False) if f.path == path}


@pytest.mark.parametrize(
    "change",
    [
        lambda r: r.update(seal=""),
        lambda r: r.pop("seal"),
        lambda r: r.update(seal="0" * 16),
        lambda r: r["provenance"].update(commit="c1"),
        lambda r: r["provenance"].update(created="2024-01-01T00:00:00+00:00"),
        lambda r: r["provenance"].update(dirty=True),
        lambda r: r["provenance"].update(weights="w1"),
        lambda r: r["provenance"].update(division="guardrail"),
        lambda r: r["provenance"]["cost"].update(tokens=1),
        lambda r: r["provenance"]["cost"]["seconds"].update(unlearn=0.1),
        lambda r: r["provenance"]["made"].update(steps=4),
        lambda r: r["provenance"]["packages"].update(torch="1.0"),
    ],
)
def test_what_cannot_be_recomputed_is_under_the_seal(few, change):
    path = rewrite(path_of(few, "alpha"), change)
    assert [(f.path, f.check) for f in findings(few)] == [(path, "seal")]


# Each of these breaks one rule in the folder and returns the path that a finding must name.


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_rule_is_found_and_named(few, name):
    mutation, check = BROKEN[name]
    path = mutation(few)
    found = findings(few)
    assert (path, check) in {(f.path, f.check) for f in found}
    assert all("\n" not in str(f) for f in found)
    if name in ALONE:
        assert {f.check for f in found} == {check}


def test_a_finding_says_what_was_recorded_and_what_is_right(few):
    path = path_of(few, "alpha")
    right = read_record(path).values["model"]["forget"].values["exact_memorization"][0]
    reseal(path, lambda r: column(r).__setitem__(0, 0.123))
    (finding,) = findings(few)
    assert "model/forget/exact_memorization/all" in finding.message
    assert "0.123" in finding.message
    assert f"{right:.6g}" in finding.message


def test_values_within_rounding_are_no_finding(few):
    def change(record):
        column(record)[0] = float(f"{column(record)[0] * (1 + 6e-6):.6g}")

    path = path_of(few, "alpha")
    before = read_record(path).values
    reseal(path, change)
    assert read_record(path).values != before
    assert findings(few) == []


def test_every_oracle_is_compared_with_the_others_only(few):
    """An oracle compared with itself would pull its forget quality towards 1."""
    path = path_of(few, "oracle")
    recorded = read_record(path).values["model"]["forget"].values["forget_quality_ks"][0]
    assert recorded > 0.123
    reseal(path, lambda r: column(r, "forget_quality_ks").__setitem__(0, 0.123))
    assert [(f.path, f.check) for f in findings(few)] == [(path, "values")]


def test_an_unreadable_record_makes_its_outputs_no_orphans(few):
    path = truncated(few)
    assert [(f.path, f.check) for f in findings(few)] == [(path, "schema")]


@pytest.mark.parametrize("name", ["alpha", "oracle", "target"])
def test_rescoring_restores_mutilated_values(few, name):
    path = path_of(few, name)
    before = path.read_bytes()

    def mutilate(record):
        record["values"].pop("shaken")
        column(record)[0] = 0.123
        record["metrics"]["probability"] = 0

    reseal(path, mutilate)
    assert checks_at(few, path)
    assert rescore_record(path, few) == "rescored"
    assert path.read_bytes() == before


def test_rescoring_leaves_a_valid_folder_as_it_is(results):
    before = {path: path.read_bytes() for path in results.root.rglob("*.*")}
    assert {rescore_record(path, results) for path in results.paths()} == {"unchanged"}
    assert {path: path.read_bytes() for path in results.root.rglob("*.*")} == before


def test_what_failed_is_not_rescored(few):
    path = reseal(path_of(few, "alpha"), lambda r: r.update(FAILED))
    assert rescore_record(path, few) == "without outputs"


def test_the_command_that_validates_needs_no_torch(results):
    """Anyone who checks a submission thus needs no engine installed and need not wait for one to
    load.
    """
    code = (
        "import sys; from benchmark.cli import app\n"
        f"app(['validate', {str(results.root)!r}], standalone_mode=False)\n"
        "print(sorted({'torch', 'transformers', 'datasets'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]", done.stdout
