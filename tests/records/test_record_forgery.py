"""A forger who recomputes ids, digests and the seal: contradictions with references or outputs are
still found; what remains is listed here and is the purpose of `palimpsest replay`.
"""

import dataclasses
import json

import numpy as np
import pytest
from forging import checks_at, findings, forge, path_of, rewrite, with_ids

from benchmark.records.schema import References, TrialScore
from benchmark.records.store import ResultStore, read_record
from benchmark.records.values import trial_tables, versions_of

# Each field of an identity: another value, and the check that finds it in a method's record with
# matching ids and seal; None if nothing in the folder contradicts it.
FIELDS = {
    "track": ("toy-2", "references"),
    "task.name": ("villages", "references"),
    "task.version": (2, "references"),
    "task.variant": ("high", "references"),
    "task.data_fingerprint": ("d1", "references"),
    "models": (["m9"], "models"),
    "method.name": ("gamma", None),
    "method.reference": ("Nobody 2030", None),
    "method.family": ("other", None),
    "method.sees": ([], None),
    "method.anchor": (True, None),
    "method.source_hash": ("s1", None),
    "method.parameters": ({"learning_rate": 0.1}, None),
    "seed": (7, None),
    "budget.steps": (4, "references"),
    "budget.batch_size": (1, "references"),
    "precision": ("bfloat16", "references"),
    "settings": ({"profile": {"prompts": "chat"}}, "references"),
    "training": (99, "references"),
}
WHOLE = ("models", "method.sees", "method.parameters", "settings")


def leaves(fields, prefix=""):
    """Names of all fields, with dots for nested ones."""
    for name, value in fields.items():
        if isinstance(value, dict) and prefix + name not in WHOLE:
            yield from leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name


def setting(field):
    """A function that gives a field of the identity in a record's JSON another value."""
    *outer, name = field.split(".")

    def change(record):
        place = record["identity"]
        for part in outer:
            place = place[part]
        assert place[name] != FIELDS[field][0]
        place[name] = FIELDS[field][0]

    return change


def rewrite_outputs(path, change, make_record, results):
    """Changes a record's samples and makes files, shards, values and seal match."""
    record = read_record(path)
    samples = change(results.samples_of(record))
    folder = path.parents[1] / "oracle"
    oracles = {
        i: results.samples_of(read_record(folder / f"{i}.json")) for i in record.references.oracles
    }
    fresh = make_record(record.method.name, record.seed, samples, oracles, record.identity)
    return results.write(*fresh)


@pytest.fixture
def few(results):
    """Target, two oracles and one run of alpha."""
    for path in results.paths():
        record = read_record(path)
        if record.method.name == "beta" or (record.method.name, record.seed) == ("alpha", 1):
            path.unlink()
            path.with_suffix(".outputs.parquet").unlink()
    return results


def test_every_field_of_the_identity_is_tried(few):
    identity = read_record(path_of(few, "alpha")).identity.model_dump(mode="json")
    assert set(leaves(identity)) == set(FIELDS)


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("name", ["target", "oracle", "alpha"])
def test_a_field_changed_alone_does_not_fit_the_id(few, field, name):
    path = rewrite(path_of(few, name), setting(field))
    assert {"identity", "seal"} <= checks_at(few, path)
    path.write_bytes(read_record(path).sealed().to_json())
    found = checks_at(few, path)
    assert "identity" in found
    assert "seal" not in found


@pytest.mark.parametrize("field", FIELDS)
def test_a_field_changed_with_all_ids_is_found_where_references_contradict_it(few, field):
    path = forge(few, path_of(few, "alpha"), setting(field))
    check = FIELDS[field][1]
    assert check in checks_at(few, path) if check else findings(few) == []


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("name", ["target", "oracle"])
def test_a_reference_with_another_identity_is_not_the_one_that_methods_name(few, field, name):
    forge(few, path_of(few, name), setting(field))
    assert "references" in checks_at(few, path_of(few, "alpha"))


def test_what_a_run_spent_cannot_be_recomputed(few):
    path = path_of(few, "alpha")
    rewrite(path, lambda r: r["provenance"]["cost"]["seconds"].update(unlearn=0.01))
    path.write_bytes(read_record(path).sealed().to_json())
    assert findings(few) == []


def test_outputs_that_were_forged_with_all_that_follows_pass(few, make_record):
    """The method claims empty completions; only its model could prove otherwise."""

    def silent(samples):
        return [dataclasses.replace(s, generation="") for s in samples]

    before = read_record(path_of(few, "alpha"))
    path = rewrite_outputs(path_of(few, "alpha"), silent, make_record, few)
    assert read_record(path).shards != before.shards
    assert findings(few) == []


def test_outputs_of_an_oracle_are_no_methods(few, make_record):
    oracle = few.samples_of(read_record(path_of(few, "oracle")))
    path = rewrite_outputs(path_of(few, "alpha"), lambda _: oracle, make_record, few)
    assert [(f.path, f.check) for f in findings(few)] == [(path, "models")]


def without_one(samples):
    """Leaves out a hard example."""
    return [s for s in samples if s.example != "forget-0"]


def without_one_under_attack(samples):
    return [s for s in samples if (s.stage, s.example) != ("shaken", "forget-0")]


def one_twice(samples):
    """Counts an easy example twice."""
    return [*samples, samples[0]]


def one_more(samples):
    return [*samples, dataclasses.replace(samples[0], example="easy")]


def easier(samples):
    return [dataclasses.replace(s, answer="Burg") if s.split == "retain" else s for s in samples]


def other_strata(samples):
    return [dataclasses.replace(s, strata={}) for s in samples]


def other_subjects(samples):
    return [dataclasses.replace(s, entity="p") for s in samples]


def other_wrong_answers(samples):
    return [dataclasses.replace(s, perturbed=("Kel",)) for s in samples]


@pytest.mark.parametrize(
    "change",
    [
        *(without_one, without_one_under_attack, one_twice, one_more),
        *(easier, other_strata, other_subjects, other_wrong_answers),
    ],
)
def test_a_method_is_measured_on_the_examples_of_its_target(few, make_record, change):
    """Without this check it would pass, since hashes, rows and values match."""
    path = rewrite_outputs(path_of(few, "alpha"), change, make_record, few)
    assert checks_at(few, path) & {"questions", "outputs"}


def on_the_way(samples, stage):
    """The samples, preceded by a copy of those of the forget split at an intermediate stage."""
    forget = [s for s in samples if s.split == "forget" and s.stage == "model"]
    return [*(dataclasses.replace(s, stage=stage) for s in forget), *samples]


def test_what_a_method_shows_on_the_way_needs_no_counterpart_in_the_target(few, make_record):
    """The target has no intermediate stages: its record covers only the final model and the
    attacks.
    """
    rewrite_outputs(
        path_of(few, "alpha"), lambda own: on_the_way(own, "budget 0.50"), make_record, few
    )
    assert findings(few) == []


def test_what_a_method_shows_after_a_request_needs_its_counterpart_in_the_oracles(few, make_record):
    path = rewrite_outputs(
        path_of(few, "alpha"), lambda own: on_the_way(own, "request 02"), make_record, few
    )
    assert [(f.path, f.check) for f in findings(few)] == [(path, "requests")]


def test_on_the_way_too_a_method_is_asked_what_its_target_was(few, make_record):
    def others(samples):
        return [
            dataclasses.replace(s, example=f"easy {s.example}")
            if s.stage.startswith("budget")
            else s
            for s in on_the_way(samples, "budget 0.50")
        ]

    path = rewrite_outputs(path_of(few, "alpha"), others, make_record, few)
    assert "outputs" in checks_at(few, path)


@pytest.fixture
def proxies(tmp_path, make_record, make_identity, model_samples):
    """A folder whose oracles are proxies: the target, asked about facts that never existed."""

    def asked_about_nobody(samples):
        return [
            dataclasses.replace(s, answer="Nowhere") if s.split == "forget" else s for s in samples
        ]

    store = ResultStore(tmp_path / "proxies")
    target = make_identity("target", 0)
    identities = {s: make_identity("oracle", s, models=["m0"]) for s in (1, 2)}
    oracles = {identities[s].id: asked_about_nobody(model_samples(0.2, 0.9, s)) for s in identities}
    told = References(target=target.id, oracles=list(oracles), proxy=True)
    runs = [
        (make_identity("alpha", 0), model_samples(0.3, 0.85, 0)),
        (target, model_samples(0.9, 0.9, 0)),
        *((identity, oracles[identity.id]) for identity in identities.values()),
    ]
    for identity, samples in runs:
        fresh = make_record("", 0, samples, oracles, identity, references=told)
        store.write(*fresh)
    return store


def test_proxy_references_are_asked_about_others(proxies):
    assert len(list(proxies.root.rglob("inputs-*"))) == 2
    assert findings(proxies) == []


def test_a_method_is_not_asked_what_proxies_are(proxies, make_record):
    """It would know nothing of such facts, as if it had forgotten."""
    alpha, oracle = (read_record(path_of(proxies, name)) for name in ("alpha", "oracle"))
    asked = {(s.split, s.example): s.answer for s in proxies.samples_of(oracle)}
    samples = [
        dataclasses.replace(s, answer=asked[s.split, s.example]) for s in proxies.samples_of(alpha)
    ]
    oracles = {
        i: proxies.samples_of(proxies_record)
        for i, proxies_record in ((r.id, r) for r in proxies.read_all())
        if i in alpha.references.oracles
    }
    fresh = make_record("", 0, samples, oracles, alpha.identity, references=alpha.references)
    path = proxies.write(*fresh)
    assert "questions" in checks_at(proxies, path)


@pytest.fixture
def dev(tmp_path, make_record, make_identity, model_samples):
    """A folder of a development track: references with outputs, and a trial without."""
    store = ResultStore(tmp_path / "dev")
    oracles = {
        make_identity("oracle", s, track="toy-dev").id: model_samples(0.2, 0.9, s) for s in (1, 2)
    }
    known = {"target": 0.9, "oracle": 0.2}
    for name, seed in (("target", 0), ("oracle", 1), ("oracle", 2)):
        identity = make_identity(name, seed, track="toy-dev")
        store.write(
            *make_record(name, seed, model_samples(known[name], 0.9, seed), oracles, identity)
        )
    identity = make_identity("alpha", 0, track="toy-dev")
    record, _ = make_record("alpha", 0, model_samples(0.3, 0.85, 0), oracles, identity)
    score = TrialScore.of({"forgetting": 0.5}, np.array([0.5, 0.4, 0.6]))
    tables = trial_tables(record.values)
    changes = {"trial": score, "values": tables, "metrics": versions_of(tables)}
    store.write(record.model_copy(update=changes), None)
    return store


def test_a_trial_is_valid_without_outputs(dev):
    assert findings(dev) == []


def without_an_attack(fields):
    [attack] = [stage for stage in fields["shards"] if stage != "model"]
    for place in (fields["shards"], fields["values"]):
        place.pop(attack, None)


def test_a_trial_may_leave_out_what_its_references_have(dev):
    path = rewrite(path_of(dev, "alpha"), without_an_attack)
    path.write_bytes(read_record(path).sealed().to_json())
    assert findings(dev) == []
    path = rewrite(path_of(dev, "oracle"), without_an_attack)
    path.write_bytes(read_record(path).sealed().to_json())
    assert findings(dev), "an oracle may not"


def test_values_of_a_trial_cannot_be_recomputed(dev):
    path = rewrite(
        path_of(dev, "alpha"),
        lambda r: r["values"]["model"]["forget"]["values"].update(exact_answer=[0.0]),
    )
    path.write_bytes(read_record(path).sealed().to_json())
    assert findings(dev) == []


TRIALS = {
    "with_strata": (
        lambda r: r["values"]["model"].update(
            forget={
                "strata": ["all", "frequency=low"],
                "n": [6, 3],
                "values": {name: [0.5, 0.5] for name in r["values"]["model"]["forget"]["values"]},
            }
        ),
        "columns",
    ),
    "with_values_on_the_way": (
        lambda r: r["values"].update({"budget 0.50": r["values"]["model"]}),
        "columns",
    ),
    "with_outputs": (
        lambda r: r.update(outputs={"sha256": "0" * 64, "inputs": "0" * 16}),
        "status",
    ),
    "without_score": (lambda r: r.update(trial=None), "status"),
    "with_a_score_that_is_none": (lambda r: r["trial"].update(drawn="garbage"), "trial"),
    "with_a_score_of_no_draws": (
        lambda r: r.update(trial=json.loads(TrialScore.of({}, np.array([0.5])).model_dump_json())),
        "trial",
    ),
    "with_the_digest_of_an_oracle": (lambda r: None, "models"),
    "of_an_unknown_target": (lambda r: r["references"].update(target="0" * 16), "references"),
    "of_another_budget": (lambda r: r["identity"]["budget"].update(steps=9), "references"),
    "under_another_attack": (
        lambda r: r["shards"]["shaken"].update(recipe={"steps": 1}),
        "references",
    ),
}


@pytest.mark.parametrize("name", TRIALS)
def test_a_broken_trial_is_found(dev, name):
    change, check = TRIALS[name]
    path = rewrite(path_of(dev, "alpha"), change)
    record = read_record(path)
    if name == "with_the_digest_of_an_oracle":
        oracle = read_record(path_of(dev, "oracle"))
        record = record.model_copy(update={"shards": oracle.shards})
    path.unlink()
    path = dev.path_of(with_ids(record))
    path.write_bytes(with_ids(record).to_json())
    assert check in checks_at(dev, path)


def test_a_scored_record_that_became_a_trial_has_no_references_there(few):
    """This must not be a way to hide its outputs."""

    def change(record):
        record["identity"]["track"] = "toy-dev"

    path = forge(few, path_of(few, "alpha"), change)
    assert {"status", "references"} <= checks_at(few, path)
