"""Track files: which settings apply where, what a user's own file changes, and what is refused."""

from dataclasses import replace
from pathlib import Path

import pytest
from toy_models import PLAIN, chat_tokenizer, plain_tokenizer, tiny_model
from typer.testing import CliRunner

from benchmark.cli import app
from benchmark.core.examples import Prompt
from benchmark.core.inputs import Inputs
from benchmark.core.method import create
from benchmark.core.registry import method_named
from benchmark.core.task_data import Document
from benchmark.errors import BadInput
from benchmark.models import models_of, track_files, tracks
from benchmark.models.pretrained import PretrainedModels, source_of
from benchmark.models.track_files import FOLDER
from benchmark.models.tracks import all_tracks, track_named
from benchmark.pipeline.suite import load_suite, suite_files
from benchmark.tokens.profile import profile_of
from benchmark.tokens.prompts import encode_prompt

TASK, NPO = "fictitious", method_named("npo")
# Hashes of the recipes of the controlled tracks' models; published models are found by them.
FINGERPRINTS = {
    "controlled-1m": "8acb819eb1f4c19c",
    "controlled-1m-dev": "9bcde2fd96d0da15",
    "controlled-250k": "4be1a9de8d82242f",
    "tiny-dev": "ba134881b463feb3",
}
# At which rates suites run on pretrained tracks: the chosen or the usual ones.
RATES = {
    "smollm2": {
        "altpo": {"learning_rate": 3e-5},
        "dpo": {"learning_rate": 1e-4},
        "grad_ascent": {"learning_rate": 3e-6},
        "grad_diff": {"learning_rate": 3e-5},
        "idk": {"learning_rate": 3e-4},
        "idk_ap": {"learning_rate": 3e-4},
        "me_gd": {"learning_rate": 1e-4},
        "npo": {"learning_rate": 3e-5},
        "rmu": {"learning_rate": 3e-3},
        "sga": {"learning_rate": 3e-5},  # on texts, as tau
        "simnpo": {"learning_rate": 1e-3},
        "task_arithmetic": {"learning_rate": 1e-5},
        "tau": {"learning_rate": 1e-4, "tuning_rate": 1e-5},
        "undial": {"learning_rate": 1e-3},
        "wga": {"learning_rate": 3e-4},
    },
    "custom": {
        "grad_diff": {"learning_rate": 3e-5},
        "npo": {"learning_rate": 3e-5},
        "idk": {"learning_rate": 3e-4},
    },
    "hub": {
        name: {"learning_rate": 1e-5}
        for name in ("grad_ascent", "grad_diff", "npo", "idk", "me_gd", "sga")
    },
}


@pytest.fixture
def folder(tmp_path):
    """A checkpoint whose tokenizer has no chat template."""
    tiny_model().save_pretrained(tmp_path / "tiny")
    plain_tokenizer().save_pretrained(tmp_path / "tiny")
    source_of.cache_clear()
    return tmp_path / "tiny"


@pytest.fixture
def file(tmp_path):
    def write(text):
        (tmp_path / "mine.yaml").write_text(text)
        return tmp_path / "mine.yaml"

    return write


def test_every_file_is_the_track_of_its_name():
    named = {path.stem for path in FOLDER.glob("*.yaml") if not path.stem.startswith("_")}
    assert {track.name for track in all_tracks()} == named
    assert len({track.description for track in all_tracks()}) == len(named)


@pytest.mark.parametrize("name", FINGERPRINTS)
def test_the_recipes_of_controlled_models_are_pinned(name):
    assert track_named(name).fingerprint == FINGERPRINTS[name]


def test_the_keys_of_models_are_pinned(tmp_path):
    """Published models are found by the keys of a base model and of a model trained from it."""
    models = models_of(track_named("controlled-1m"), Inputs(tmp_path))
    assert models.base_key == "77f7fb752b35e6d0"
    document = Document("a", "Where was Ada Kel born?", "Malport")
    assert models.trained_key((document,), 1) == "79035e2cb32ef273"


@pytest.mark.parametrize("name", ["controlled-1m", "smollm2-135m"])
def test_a_stage_of_its_own_makes_another_model(name, tmp_path, monkeypatch):
    monkeypatch.setattr(PretrainedModels, "base_key", "ed5a5f3665d57a1b")
    models, text = models_of(track_named(name), Inputs(tmp_path)), (Document("a", "Who?", "Kel"),)
    usual = models.trained_key(text, 1)
    assert models.trained_key(text, 1, models.track.stage) == usual
    stages = [replace(models.track.stage, epochs=3), replace(models.track.stage, epochs=4)]
    keys = {models.trained_key(text, 1, stage) for stage in stages}
    assert len(keys | {usual}) == 3


def test_the_key_of_a_tuned_model_is_pinned(tmp_path, monkeypatch):
    models = PretrainedModels(track_named("smollm2-135m"), Inputs(tmp_path))
    monkeypatch.setattr(PretrainedModels, "base_key", "ed5a5f3665d57a1b")
    document = Document("a", "Where was Ada Kel born?", "Malport")
    assert models.trained_key((document,), 1) == "cf80aaf2e2c98715"


@pytest.mark.parametrize("suite", RATES)
def test_suites_run_at_the_rates_of_their_tracks(suite):
    suite, rates = load_suite(suite), RATES[suite]
    for track in map(track_named, suite.tracks):
        found = {
            entry.name: track.parameters_of(
                method_named(entry.name), (entry.tasks or [TASK])[0], entry.parameters
            )
            for entry in suite.methods
            if not method_named(entry.name).anchor and "lora" not in entry.parameters
        }
        assert found == rates


def test_an_entry_that_gives_parameters_keeps_them():
    (entry,) = (e for e in load_suite("hub").methods if e.parameters)
    given = track_named("pythia-1.4b").parameters_of(
        method_named(entry.name), TASK, entry.parameters
    )
    assert given == {"learning_rate": 1e-4, "lora": True}


def test_methods_that_are_not_tuned_run_at_the_usual_rate_of_large_models():
    """The default of gradient methods, 1e-3, is for small models trained from scratch."""
    track = track_named("llama-3.2-1b")
    usual = {"learning_rate": 1e-5}
    for name in ("simnpo", "rmu", "rr", "satimp"):
        assert track.parameters_of(method_named(name), TASK, {}) == usual
    assert track.parameters_of(method_named("tau"), TASK, {}) == usual | {"tuning_rate": 1e-5}
    assert track.parameters_of(method_named("refuse_all"), TASK, {}) == {}
    tuned = replace(track, tuned={"rmu": {"learning_rate": 0.5}})
    assert tuned.parameters_of(method_named("rmu"), TASK, {}) == {"learning_rate": 0.5}


def test_what_is_given_comes_before_what_is_tuned():
    track = track_named("smollm2-135m")
    assert track.parameters_of(method_named("tau"), TASK, {"learning_rate": 0.5}) == {
        "learning_rate": 0.5,
        "tuning_rate": 1e-5,
    }
    assert track_named("tiny-dev").parameters_of(NPO, TASK, {}) == {}
    chosen = track_named("controlled-1m").parameters_of(NPO, TASK, {})
    assert track_named("controlled-1m-dev").parameters_of(NPO, TASK, {}) == chosen != {}
    same_models, other_models = track_named("study-1m"), track_named("study-25m")
    assert same_models.parameters_of(NPO, TASK, {}) == chosen
    assert other_models.parameters_of(NPO, TASK, {}) == {}


def test_rates_that_do_not_ascend_are_no_trials(file):
    with pytest.raises(BadInput, match=r"trials\.rates: rates should ascend"):
        track_named("org/name@main", file("extends: smollm2-135m\ntrials: {rates: [1.0, 0.5]}\n"))


@pytest.mark.parametrize("name", suite_files())
def test_what_suites_and_tracks_give_to_methods_are_their_parameters(name):
    suite = load_suite(name)
    for track in map(track_named, suite.tracks):
        for entry in suite.methods:
            cls = method_named(entry.name)
            create(cls, track.parameters_of(cls, TASK, entry.parameters))


def test_a_development_track_differs_in_what_its_file_says():
    one, other = track_named("controlled-1m"), track_named("controlled-1m-dev")
    assert {key for key, value in vars(one).items() if value != vars(other)[key]} == {
        "name",
        "description",
        "world_seed",
    }
    smollm2 = [vars(track_named(name)) for name in ("smollm2-135m", "smollm2-135m-dev")]
    assert {key for key in smollm2[0] if smollm2[0][key] != smollm2[1][key]} == {
        "name",
        "description",
    }


def test_mappings_are_extended_key_by_key_and_lists_replaced(file):
    track = track_named(
        "org/name@main",
        file(
            "extends: smollm2-135m\nstage: {epochs: 2}\n"
            "tuned: {npo: {learning_rate: 1}, tau: {learning_rate: 0.5}}\n"
            "attacks: [{name: quantize_nf4, block: 32}]\n"
        ),
    )
    assert (track.stage.epochs, track.stage.batch_size, track.stage.learning_rate) == (2, 8, 2e-4)
    assert track.tuned["tau"] == {"learning_rate": 0.5, "tuning_rate": 1e-5}
    assert track.tuned["npo"] == {"learning_rate": 1}
    assert track.usual_rate == 3e-5
    assert [attack.recipe()["parameters"] for attack in track.attacks] == [{"block": 32}]
    assert (track.name, track.repo, track.revision) == ("org--name", "org/name", "main")
    assert (track.package, track.gguf, track.probed) == ("", "", "")
    assert "SmolLM2" not in track.description


def test_a_file_says_what_a_model_of_ones_own_is_without_it(folder, file):
    plain = track_named(str(folder))
    said = track_named(
        str(folder),
        file(
            "name: mine-dev\nbudget: {steps: 7, batch_size: 3}\nprecision: float32\nharness: yuan"
        ),
    )
    assert (said.name, said.budget.steps, said.precision, said.harness) == (
        "mine-dev",
        7,
        "float32",
        "yuan",
    )
    assert (said.path, said.given) == (plain.path, plain.given)
    assert (said.stage, said.attacks, said.profile) == (plain.stage, plain.attacks, plain.profile)


def test_tracks_of_ours_are_as_their_own_files_say(file):
    assert track_named("smollm2-135m", file("precision: bfloat16")).precision == "float32"


REFUSED = {
    "budget: {steps: 0, batch_size: 3}": "budget: steps and batch_size should be at least 1, found",
    "stage: {epochs: -1}": "stage.epochs: Input should be greater than 0, found '-1'",
    "stage: {epoch: 2}": "stage.epoch: there is no such field",
    "stagee: {epochs: 2}": "unknown field 'stagee'; did you mean stage",
    "precision: float16": "precision: Input should be 'float32' or 'bfloat16', found 'float16'",
    "profile: {prompts: template}": "profile.prompts: Input should be 'bare', 'plain' or 'chat'",
    "profile: {linears: mkl}": "profile.linears: Input should be 'torch' or 'onednn', found 'mkl'",
    "profile: {trees: true}": "profile.trees: there is no such field",
    "attacks: [{name: quantise_int4}]": "attacks.0: unknown attack 'quantise_int4'; did you mean",
    "attacks: [{name: quantize_nf4, blocks: 2}]": "unknown parameter of quantize_nf4",
    "attacks: [{name: noise}]": "noise: parameter scale: Field requ",
    "attacks: [{name: quantize_nf4, block: 0}]": "parameter block: Input should be",
    "attacks: [quantize_nf4]": "attacks.0: an attack is its name with its parameters",
    "tuned: {grad_dif: {learning_rate: 1}}": "unknown method 'grad_dif'; did you mean grad_diff",
    "tuned: {npo: {rate: 1}}": "tuned: method npo: parameter rate",
    "tuned: [npo]": "tuned: Input should be a valid dictionary, found",
    "extends: smollm2": "extends: unknown track 'smollm2'; did you mean smollm2-135m",
    "extends: controlled-1m": "kind: found 'controlled'; must be pretrained",
    "kind: other": "kind: found 'other'; must be pretrained",
    "name: smollm2-135m": "name: found 'smollm2-135m'; use a-z",
    "name: ''": "name: found ''; use a-z",
    "3: 4": "unknown field '3'",
    "attacks: [&a {name: quantize_nf4, block: 64}, *a]": (
        "attacks: quantize_nf4 is listed twice; list it once"
    ),
    "name: My Model": "name: found 'My Model'; use a-z",
    "repo: org/name": "repo: is set by --model; remove it",
    "path: /models/x": "path: there is no such field",
    "- name": "file: found",
    "budget: {": "not valid YAML",
}


@pytest.mark.parametrize("text", REFUSED)
def test_a_file_that_is_wrong_is_one_line_with_file_field_and_what_is_right(file, text):
    with pytest.raises(BadInput) as error:
        track_named("org/name@main", file(text))
    said = str(error.value)
    assert REFUSED[text] in said
    assert "mine.yaml: " in said
    assert "\n" not in said


def test_a_file_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(BadInput, match=r"none.yaml: No such file"):
        track_named("org/name@main", tmp_path / "none.yaml")


@pytest.mark.parametrize(
    "words",
    [
        ["plan"],
        ["run"],
        ["evaluate", "--task", "custom"],
        ["perf"],
        ["probe", "--task", "real_entities", "--track", "smollm2-135m"],
    ],
)
def test_commands_refuse_a_track_file_without_a_model_of_ones_own(file, words):
    named = ["--model", "smollm2-135m"] if words[0] != "probe" else []
    found = CliRunner().invoke(
        app, [*words, *named, "--track-file", str(file("precision: float32"))]
    )
    assert found.exit_code == 2
    assert "applies only to your own model" in found.stderr


def test_the_command_line_refuses_a_wrong_file_with_exit_code_2(folder, file):
    found = CliRunner().invoke(
        app, ["plan", "--model", str(folder), "--track-file", str(file("precison: float32"))]
    )
    assert found.exit_code == 2
    assert "unknown field 'precison'; did you mean precision" in found.stderr


def asked(models):
    _, tokenizer = models.load(models.base())
    return profile_of(tokenizer).prompts, tokenizer.decode(encode_prompt(Prompt("Who?"), tokenizer))


CHATTY = "{% for m in messages %}{{ '<' + m['content'] + '>' }}{% endfor %}"


def test_how_an_undescribed_model_is_asked_is_settled_by_its_tokenizer(folder, tmp_path):
    models = PretrainedModels(track_named(str(folder)), Inputs(tmp_path / "home"))
    assert models.track.profile.prompts is None
    assert models.profile == PLAIN
    assert asked(models) == ("plain", "Question: Who?\nAnswer:")
    chat_tokenizer(CHATTY).save_pretrained(folder)
    source_of.cache_clear()
    models = PretrainedModels(track_named(str(folder)), Inputs(tmp_path / "home"))
    assert asked(models) == ("chat", "<Who?><"), "up to where the template writes the answer"


def test_a_file_may_say_that_a_chat_model_is_asked_plainly(folder, tmp_path, file):
    """Trained models and knowledge probe results from the same weights then get different keys."""
    chat_tokenizer(CHATTY).save_pretrained(folder)
    source_of.cache_clear()
    home = Inputs(tmp_path / "home")
    chat = PretrainedModels(track_named(str(folder)), home)
    plain = PretrainedModels(track_named(str(folder), file("profile: {prompts: plain}")), home)
    assert asked(plain) == ("plain", "Question: Who?\nAnswer:")
    document = Document("a", "Who?", "Ada")
    assert plain.base_key == chat.base_key
    assert plain.trained_key((document,), 1) != chat.trained_key((document,), 1)
    files = {models.data_source.knowledge_file("real_entities") for models in (plain, chat)}
    assert len(files) == 2


def test_a_chat_without_a_template_is_refused(folder, tmp_path, file):
    track = track_named(str(folder), file("profile: {prompts: chat}"))
    models = PretrainedModels(track, Inputs(tmp_path / "home"))
    with pytest.raises(BadInput, match="its tokenizer has no chat template; use `prompts: plain`"):
        models.load(models.base())


def test_a_loaded_tokenizer_is_saved_without_anything_planted(folder, tmp_path):
    models = PretrainedModels(track_named(str(folder)), Inputs(tmp_path / "home"))
    _, tokenizer = models.load(models.base())
    tokenizer.save_pretrained(tmp_path / "again")
    assert not tokenizer.chat_template
    assert not list(Path(tmp_path / "again").glob("*.jinja"))
    assert "compute_profile" not in (tmp_path / "again" / "tokenizer_config.json").read_text()


def test_a_track_of_ours_that_lacks_a_field_is_one_line(tmp_path, monkeypatch):
    (tmp_path / "half.yaml").write_text("name: half\ndescription: half a track\nkind: controlled\n")
    monkeypatch.setattr(track_files, "FOLDER", tmp_path)
    tracks._tracks.cache_clear()
    with pytest.raises(BadInput, match=r"half.yaml: \w+: is missing"):
        track_named("half")
    tracks._tracks.cache_clear()
