"""Models fine-tuned by others, which a suite names as target and oracles instead of training them
here.
"""

from pathlib import Path

import pytest
from pydantic import ValidationError
from test_tofu import data  # noqa: F401 (a fixture)
from toy_models import tiny_model, tiny_tokenizer

from benchmark.core.inputs import Inputs
from benchmark.errors import BadInput
from benchmark.models.artifacts import made_of
from benchmark.models.pretrained import PretrainedModels
from benchmark.pipeline.planner import Planner
from benchmark.pipeline.suite import Suite
from benchmark.records.identity import ORACLE, TARGET
from benchmark.records.store import ResultStore

NAMES = ("base", "full", "without", "without-too")


@pytest.fixture
def folders(tmp_path):
    for seed, name in enumerate(NAMES):
        tiny_model(seed).save_pretrained(tmp_path / name)
        tiny_tokenizer().save_pretrained(tmp_path / name)
    return {name: str(tmp_path / name) for name in NAMES}


def suite_of(folders, tasks=("tofu_small",), published="tofu_small", **changes):
    models = {"target": folders["full"], "oracles": [folders["without"], folders["without-too"]]}
    settings = {
        "tracks": [folders["base"]],
        "tasks": list(tasks),
        "methods": ["none", "retrain"],
        "oracles": 2,
    }
    return Suite(name="s", description="", published={published: models}, **settings | changes)


def planned(suite, tmp_path):
    return Planner(
        Inputs(tmp_path / "home", data=tmp_path / "data"), ResultStore(tmp_path / "out")
    ).plan(suite)


@pytest.mark.usefixtures("data")
def test_references_are_the_named_models_and_retraining_starts_from_the_base(folders, tmp_path):
    plan = planned(suite_of(folders), tmp_path)
    assert not plan.missing
    variant = next(job.variant for job in plan.jobs)
    models = PretrainedModels(variant.track, variant.inputs)
    found = [models.trained(variant.documents(0 if seed == 0 else 1), seed) for seed in (0, 1, 2)]
    assert [made_of(folder)["made"].rpartition(" ")[2] for folder in found] == [
        "full",
        "without",
        "without-too",
    ]
    roles = [(TARGET, 0), (ORACLE, 1), (ORACLE, 2)]
    assert [variant.model_keys(*role) for role in roles] == [[folder.name] for folder in found]
    own = models.trained_key(variant.documents(1), 1000)
    assert own == PretrainedModels(variant.track, variant.inputs).trained_key(
        variant.documents(1), 1000
    )
    assert own not in {folder.name for folder in found}


@pytest.mark.usefixtures("data")
def test_a_plan_names_untuned_methods_and_their_rate_on_a_model_of_a_user(folders, tmp_path):
    given = {"name": "npo", "parameters": {"learning_rate": 1e-4}}
    plan = planned(suite_of(folders, methods=["none", "grad_diff", given]), tmp_path)
    (said,) = plan.untuned
    assert said.endswith(" · tofu_small: not tuned, runs at the learning rate 1e-05: grad_diff")
    rates = {c.method_name: c.parameters.get("learning_rate") for c in plan.cells}
    assert rates["grad_diff"] == 1e-5
    assert rates["npo"] == 1e-4


@pytest.mark.usefixtures("data")
def test_records_with_published_models_are_other_records(folders, tmp_path):
    named = planned(suite_of(folders), tmp_path)
    trained = planned(suite_of(folders).model_copy(update={"published": {}}), tmp_path)
    assert len(named.ids) == len(trained.ids)
    assert not named.ids & trained.ids


@pytest.mark.usefixtures("data")
def test_what_retraining_starts_from_is_part_of_a_record(folders, tmp_path):
    """The published models and the track's name are the same; only the base from which `retrain` is
    tuned differs.
    """
    tiny_model(seed=9).save_pretrained(tmp_path / "other" / "base")
    tiny_tokenizer().save_pretrained(tmp_path / "other" / "base")
    other = suite_of(folders, tracks=[str(tmp_path / "other" / "base")])
    ids = [
        {c.method_name: c.id for c in planned(s, tmp_path).cells}
        for s in (suite_of(folders), other)
    ]
    assert ids[0]["retrain"] != ids[1]["retrain"]


@pytest.mark.usefixtures("data")
def test_what_is_not_fine_tuned_for_one_request_cannot_be_published(folders, tmp_path):
    suite = suite_of(folders, ["tofu_continual/forget01"], "tofu_continual/forget01")
    assert "for a single request" in planned(suite, tmp_path).missing[0]


@pytest.mark.usefixtures("data")
def test_a_folder_that_is_no_model_is_said(folders, tmp_path):
    (tmp_path / "full" / "config.json").unlink()
    assert "the folder lacks a config.json" in planned(suite_of(folders), tmp_path).missing[0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"published": "tofu"}, "published: tofu: name one variant, e.g. tofu/forget01"),
        ({"published": "tofu/forget99"}, "forget99"),
        ({"tracks": ["smollm2-135m", "pythia-1.4b"]}, "need exactly one pretrained track"),
        ({"tracks": ["controlled-1m"]}, "need exactly one pretrained track"),
    ],
)
def test_names_that_could_be_passed_over_are_bad_input(folders, tmp_path, changes, message):
    suite = suite_of(folders, **changes)
    suite = suite.model_copy(update={"tasks": ["tofu_small", "fictitious"]})
    with pytest.raises(BadInput, match=message):
        planned(suite, tmp_path)


def test_fewer_oracles_than_the_suite_wants_are_refused(folders):
    with pytest.raises(ValidationError, match="has 2 oracles, the suite needs 3"):
        suite_of(folders, oracles=3)


SUITE = """
name: published
description: Models that others fine-tuned
tracks: [ada/base@{base}]
tasks: [tofu_small]
methods: [none]
oracles: 2
backend: hf
attacks: []
harness: ""
published:
  tofu_small:
    target: ada/full@{full}
    oracles: [ada/without@{without}, ada/without-too@{without-too}]
"""


@pytest.mark.slow
@pytest.mark.usefixtures("data")
def test_checkpoints_of_a_hub_are_target_and_oracles(folders, tmp_path, hub, palimpsest):
    commits = {
        name: hub.put("model", f"ada/{name}", {p.name: p.read_bytes() for p in Path(f).iterdir()})
        for name, f in folders.items()
    }
    (tmp_path / "suite.yaml").write_text(SUITE.format(**commits))
    options = ("--suite", "suite.yaml", "--data-dir", tmp_path / "data", "--workers", "2")
    ran = palimpsest("run", *options)
    assert ran.returncode == 0, ran.stderr
    records = {(r.method.name, r.seed): r for r in ResultStore(tmp_path / "runs").read_all()}
    assert len(records) == 4
    for name, role in (
        ("full", ("target", 0)),
        ("without", ("oracle", 1)),
        ("without-too", ("oracle", 2)),
    ):
        assert commits[name] in str(records[role].provenance.made)
    assert {r.references.target for r in records.values() if r.references} == {
        records["target", 0].id
    }
    assert "4 cells, 4 cached, 0 models to train" in palimpsest("plan", *options).stdout
