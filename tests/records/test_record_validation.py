"""Validation of a folder: a good one passes; each rule has bad ones, and the finding names the
file and the check.
"""

import subprocess
import sys

import pytest
from forging import (
    FAILED,
    FAILURE,
    checks_at,
    column,
    findings,
    forge,
    inputs_file,
    move,
    outputs_file,
    path_of,
    reseal,
    rewrite,
    table,
)

from benchmark.records.outputs import Inputs, sha256
from benchmark.records.rescore import rescore_record
from benchmark.records.schema import SCHEMA_VERSION
from benchmark.records.store import INPUTS_DIGITS, ResultStore, read_record
from benchmark.records.validation import Folder, validate


@pytest.fixture
def few(results):
    """The folder with one run of one method, which is quicker to validate."""
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


# What changes a field of alpha's record, seal recomputed, with the check that must find it.
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
    """The columns of a table, each with what a stratum that nothing is known of adds."""
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


# These break one rule in the folder, and return the path that a finding must name.


def value_of_the_target(results):
    """A worse target makes every method look better."""
    return reseal(path_of(results, "target"), lambda r: column(r).__setitem__(0, 0.0))


def target_names_another(results):
    def change(record):
        record["references"]["target"] = record["references"]["oracles"][0]

    return reseal(path_of(results, "target"), change)


def oracle_names_others_alone(results):
    path = path_of(results, "oracle")
    return reseal(path, lambda r: r["references"]["oracles"].remove(path.stem))


def remove(path):
    outputs_file(path).unlink()
    path.unlink()


def oracle_missing(results):
    remove(path_of(results, "oracle"))
    return path_of(results, "alpha")


def target_missing(results):
    remove(path_of(results, "target"))
    return path_of(results, "alpha")


def _failed(results, name):
    outputs_file(reseal(path_of(results, name), lambda r: r.update(FAILED))).unlink()
    return path_of(results, "alpha")


def target_failed(results):
    return _failed(results, "target")


def oracle_failed(results):
    return _failed(results, "oracle")


def proxy_of_an_oracle(results):
    return reseal(path_of(results, "oracle"), lambda r: r["references"].update(proxy=True))


def proxies_everywhere(results):
    """Oracles of their own models are no proxies, though all records say so."""
    for path in results.paths():
        reseal(path, lambda r: r["references"].update(proxy=True))
    return path_of(results, "oracle")


def moved_to_another_method(results):
    path = path_of(results, "alpha")
    return move(path, path.parents[1] / "beta" / path.name)


def moved_to_another_variant(results):
    path = path_of(results, "alpha")
    return move(path, path.parents[2] / "high" / "alpha" / path.name)


def moved_one_folder_up(results):
    """Where no reader looks for records: it would silently be missing from the leaderboard."""
    path = path_of(results, "alpha")
    return move(path, path.parents[1] / path.name)


def renamed(results):
    path = path_of(results, "alpha")
    return move(path, path.with_name("0123456789abcdef.json"))


def copied(results):
    path = path_of(results, "alpha")
    copy = path.with_name("0123456789abcdef.json")
    copy.write_bytes(path.read_bytes())
    outputs_file(copy).write_bytes(outputs_file(path).read_bytes())
    return copy


def copied_under_another_id(results):
    """A second seed for nothing."""
    copy = copied(results)
    return reseal(copy, lambda r: r.update(id=copy.stem))


def orphaned_outputs(results):
    path = path_of(results, "alpha")
    path.unlink()
    return outputs_file(path)


def stray_outputs(results):
    path = path_of(results, "alpha")
    stray = outputs_file(path.with_name("stray.json"))
    stray.write_bytes(outputs_file(path).read_bytes())
    return stray


def stray_inputs(results):
    file = inputs_file(path_of(results, "alpha"))
    stray = file.with_name("inputs-0000.parquet")
    stray.write_bytes(file.read_bytes())
    return stray


def outputs_missing(results):
    path = path_of(results, "alpha")
    outputs_file(path).unlink()
    return path


def outputs_changed(results):
    path = path_of(results, "alpha")
    content = outputs_file(path).read_bytes()
    outputs_file(path).write_bytes(content[:50] + bytes([content[50] ^ 1]) + content[51:])
    return path


def outputs_of_another(results):
    path = path_of(results, "alpha")
    outputs_file(path).write_bytes(outputs_file(path_of(results, "oracle")).read_bytes())
    return path


def _outputs(results, content):
    path = path_of(results, "alpha")
    outputs_file(path).write_bytes(content)
    return reseal(path, lambda r: r["outputs"].update(sha256=sha256(content)))


def outputs_of_another_with_its_hash(results):
    return _outputs(results, outputs_file(path_of(results, "oracle")).read_bytes())


def outputs_unreadable(results):
    return _outputs(results, b"garbage")


def inputs_missing(results):
    path = path_of(results, "alpha")
    inputs_file(path).unlink()
    return path


def inputs_changed(results):
    path = path_of(results, "alpha")
    inputs_file(path).write_bytes(inputs_file(path).read_bytes()[:-1])
    return path


def inputs_shuffled(results):
    path = path_of(results, "alpha")
    rows = Inputs.from_bytes(inputs_file(path).read_bytes()).rows
    inputs_file(path).write_bytes(Inputs(rows[::-1]).to_bytes())
    return path


def _other_inputs(results, change):
    path = path_of(results, "alpha")
    rows = Inputs.from_bytes(inputs_file(path).read_bytes()).rows
    content = Inputs(change(rows)).to_bytes()
    digest = sha256(content)[:INPUTS_DIGITS]
    inputs_file(path).with_name(f"inputs-{digest}.parquet").write_bytes(content)
    return reseal(path, lambda r: r["outputs"].update(inputs=digest))


def inputs_of_its_own(results):
    """Easier answers, whose hash is right."""
    return _other_inputs(results, lambda rows: [row | {"answer": "Burg"} for row in rows])


def inputs_shuffled_with_their_hash(results):
    return _other_inputs(results, lambda rows: rows[::-1])


def inputs_too_few(results):
    return _other_inputs(results, lambda rows: rows[:3])


def _forged(results, change):
    return forge(results, path_of(results, "alpha"), change)


def attack_weaker_than_that_of_the_target(results):
    return _forged(results, lambda r: r["shards"]["shaken"].update(recipe={"steps": 0}))


def asked_otherwise_than_the_target(results):
    return _forged(results, lambda r: r["evaluation"]["generation"].update(max_new_tokens=1))


def evaluated_by_another_version(results):
    return _forged(results, lambda r: r["evaluation"].update(version=99))


def a_shard_more_with_its_id(results):
    return _forged(results, lambda r: r["shards"].update(new=r["shards"]["shaken"]))


def a_request_more_with_its_id(results):
    shard = {"id": "", "recipe": {}, "rows": 6, "digest": "0" * 16}
    return _forged(results, lambda r: r["shards"].update({"request 01": shard}))


def a_recipe_on_the_way(results):
    shard = {"id": "", "recipe": {"steps": 1}, "rows": 6, "digest": "0" * 16}
    return _forged(results, lambda r: r["shards"].update({"budget 0.50": shard}))


def renamed_with_wrong_references(results):
    def change(record):
        record["identity"]["method"]["name"] = "gamma"
        record["references"]["target"] = record["references"]["oracles"][0]

    return forge(results, path_of(results, "alpha"), change)


def a_method_as_oracle(results):
    """Its model is the target's."""
    return forge(
        results,
        path_of(results, "alpha"),
        lambda r: r["identity"]["method"].update(name="oracle"),
    )


def truncated(results):
    path = path_of(results, "alpha")
    path.write_bytes(path.read_bytes()[:300])
    return path


def empty(results):
    path = path_of(results, "alpha")
    path.write_bytes(b"")
    return path


def _raw(change):
    return lambda results: rewrite(path_of(results, "alpha"), change)


BROKEN = {
    "value_of_the_target": (value_of_the_target, "values"),
    "target_names_another": (target_names_another, "references"),
    "oracle_names_others_alone": (oracle_names_others_alone, "references"),
    "oracle_missing": (oracle_missing, "references"),
    "target_missing": (target_missing, "references"),
    "target_failed": (target_failed, "references"),
    "oracle_failed": (oracle_failed, "references"),
    "proxy_of_an_oracle": (proxy_of_an_oracle, "models"),
    "proxies_everywhere": (proxies_everywhere, "models"),
    "moved_to_another_method": (moved_to_another_method, "place"),
    "moved_to_another_variant": (moved_to_another_variant, "place"),
    "moved_one_folder_up": (moved_one_folder_up, "place"),
    "renamed": (renamed, "place"),
    "copied": (copied, "place"),
    "copied_under_another_id": (copied_under_another_id, "identity"),
    "orphaned_outputs": (orphaned_outputs, "orphans"),
    "stray_outputs": (stray_outputs, "orphans"),
    "stray_inputs": (stray_inputs, "orphans"),
    "outputs_missing": (outputs_missing, "outputs"),
    "outputs_changed": (outputs_changed, "outputs"),
    "outputs_of_another": (outputs_of_another, "outputs"),
    "outputs_of_another_with_its_hash": (outputs_of_another_with_its_hash, "shards"),
    "outputs_unreadable": (outputs_unreadable, "shards"),
    "inputs_missing": (inputs_missing, "outputs"),
    "inputs_changed": (inputs_changed, "outputs"),
    "inputs_shuffled": (inputs_shuffled, "outputs"),
    "inputs_of_its_own": (inputs_of_its_own, "outputs"),
    "inputs_shuffled_with_their_hash": (inputs_shuffled_with_their_hash, "shards"),
    "inputs_too_few": (inputs_too_few, "shards"),
    "attack_weaker_than_that_of_the_target": (attack_weaker_than_that_of_the_target, "references"),
    "asked_otherwise_than_the_target": (asked_otherwise_than_the_target, "references"),
    "evaluated_by_another_version": (evaluated_by_another_version, "references"),
    "a_shard_more_with_its_id": (a_shard_more_with_its_id, "references"),
    "a_request_more_with_its_id": (a_request_more_with_its_id, "requests"),
    "a_recipe_on_the_way": (a_recipe_on_the_way, "identity"),
    "renamed_with_wrong_references": (renamed_with_wrong_references, "references"),
    "a_method_as_oracle": (a_method_as_oracle, "models"),
    "truncated": (truncated, "schema"),
    "empty": (empty, "schema"),
    "unknown_schema": (_raw(lambda r: r.update(schema_version=SCHEMA_VERSION + 1)), "schema"),
    "older_schema": (_raw(lambda r: r.update(schema_version=SCHEMA_VERSION - 1)), "schema"),
    "no_schema": (_raw(lambda r: r.pop("schema_version")), "schema"),
    "field_added": (_raw(lambda r: r.update(score=1.0)), "schema"),
    "field_of_the_identity_added": (_raw(lambda r: r["identity"].update(lr=1)), "schema"),
    "field_of_a_table_added": (_raw(lambda r: table(r).update(unit="share")), "schema"),
    "field_missing": (_raw(lambda r: r["identity"].pop("seed")), "schema"),
    "status_unknown": (_raw(lambda r: r.update(status="fine")), "schema"),
    "value_no_number": (_raw(lambda r: column(r).__setitem__(0, "high")), "schema"),
    "count_no_whole_number": (_raw(lambda r: table(r)["n"].__setitem__(0, 1.5)), "schema"),
}

# These break nothing else.
ALONE = {
    *("value_of_the_target", "moved_one_folder_up", "stray_outputs", "stray_inputs", "truncated"),
    *("attack_weaker_than_that_of_the_target", "evaluated_by_another_version"),
    *("orphaned_outputs", "field_added"),
}


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
    """Were an oracle compared with itself, its forget quality would be drawn towards 1."""
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
    """So that whoever checks a submission installs no engine, and waits for none."""
    code = (
        "import sys; from benchmark.cli import app\n"
        f"app(['validate', {str(results.root)!r}], standalone_mode=False)\n"
        "print(sorted({'torch', 'transformers', 'datasets'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]", done.stdout
