"""Linear layers by oneDNN: same values and gradients as torch, and active only while requested."""

import copy
from dataclasses import replace

import pytest
import torch
from toy_models import plain_tokenizer, tiny_model

from benchmark.core.examples import Pair
from benchmark.core.task_data import Document
from benchmark.models import controlled, linears
from benchmark.models.artifacts import ArtifactStore
from benchmark.models.linears import fast_linears, head_in_float32
from benchmark.models.tracks import track_named
from benchmark.tokens.batches import collate
from benchmark.tokens.losses import answer_logits

PAIRS = [Pair("Where was Ada Kel born?", "Malport"), Pair("Who pays Ivo?", "Bren Union")]


def layers(bias):
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(6, 8, bias=bias), torch.nn.Linear(8, 5, bias=bias))


def through(model, states):
    states = states.clone().requires_grad_()
    out = model(states)
    out.pow(2).sum().backward()
    gradients = [p.grad.clone() for p in model.parameters() if p.grad is not None]
    model.zero_grad()
    return [out.detach(), states.grad, *gradients]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(4, 6), (2, 3, 6)])
def test_values_and_gradients_are_those_of_torch(bias, shape):
    model, states = layers(bias), torch.randn(shape)
    plain = through(model, states)
    with fast_linears(model):
        fast = through(model, states)
    assert len(plain) == len(fast) == (6 if bias else 4)
    for one, other in zip(plain, fast, strict=True):
        torch.testing.assert_close(one, other)


def test_frozen_weights_get_no_gradient_and_states_do():
    model, states = layers(True).requires_grad_(False), torch.randn(4, 6)
    with fast_linears(model):
        fast = through(model, states)
    torch.testing.assert_close(fast[1], through(model, states)[1])
    assert len(fast) == 2


def test_a_look_within_a_training_leaves_the_layers_fast_and_the_end_leaves_them_as_they_were():
    model = layers(False)
    with fast_linears(model):
        outer = model[0].forward
        with fast_linears(model):
            pass
        assert model[0].forward is outer
    assert all("forward" not in layer.__dict__ for layer in model)


def test_a_copy_made_within_computes_with_its_own_weights():
    model, states = layers(False), torch.randn(4, 6)
    with fast_linears(model):
        other = copy.deepcopy(model)
        with torch.no_grad():
            other[1].weight.zero_()
        assert other(states).abs().max() == 0
        assert model(states).abs().max() > 0
    assert other(states).abs().max() == 0


def test_a_bfloat16_head_computes_float32_logits_for_as_long_as_asked():
    model = tiny_model().to(torch.bfloat16)
    states = torch.randn(3, 16).to(torch.bfloat16)
    expected = torch.nn.functional.linear(states.float(), model.lm_head.weight.float())
    with head_in_float32("onednn", model), torch.inference_mode():
        logits = model.lm_head(states)
        of_answers = answer_logits(model, collate(PAIRS, plain_tokenizer(), model))
    torch.testing.assert_close(logits, expected)
    with torch.inference_mode():
        batch = collate(PAIRS, plain_tokenizer(), model)
        torch.testing.assert_close(of_answers, answer_logits(model, batch))
    assert of_answers.dtype is torch.float32
    assert "forward" not in model.lm_head.__dict__
    with head_in_float32("torch", model):
        assert "forward" not in model.lm_head.__dict__


@pytest.mark.parametrize("library", ["torch", "onednn"])
def test_models_trained_from_scratch_compute_by_what_their_track_names(
    library, tmp_path, monkeypatch
):
    corpus, multiplied, seen = controlled.base_corpus, linears._multiplied, []
    monkeypatch.setattr(controlled, "base_corpus", lambda source: corpus(source)[:64])
    monkeypatch.setattr(
        linears, "_multiplied", lambda *given: seen.append(given) or multiplied(*given)
    )
    track = track_named("controlled-250k")
    profile, base = replace(track.profile, linears=library), replace(track.base, epochs=1)
    short = replace(track, profile=profile, base=base, stage=base, replay=8)
    models = controlled.ControlledModels(short, ArtifactStore(tmp_path))
    models.base()
    assert bool(seen) == (library == "onednn")
    seen.clear()
    models.trained([Document("ada", "", "Ada Kel lives in Malport.")], seed=0)
    assert bool(seen) == (library == "onednn")
