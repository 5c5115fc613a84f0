"""Results folders that each break one rule, with the check that must find it."""

from forging import (
    FAILED,
    column,
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
from benchmark.records.schema import SCHEMA_VERSION
from benchmark.records.store import INPUTS_DIGITS


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
    """Oracles with models other than the target's are not proxies, even if all records say so."""
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
    """Readers do not look for records there: it would silently be missing from the leaderboard."""
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
    """It would count as a second seed without another run."""
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
    """The inputs have easier answers and a correct hash."""
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
    """Its model is the target's, so it cannot be an oracle."""
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

# These trip no other check.
ALONE = {
    *("value_of_the_target", "moved_one_folder_up", "stray_outputs", "stray_inputs", "truncated"),
    *("attack_weaker_than_that_of_the_target", "evaluated_by_another_version"),
    *("orphaned_outputs", "field_added"),
}
