"""Adapters: their rank, scale and layers, and the target that remains when they are off."""

import copy

import pytest
import torch
from toy_methods import TOYS, a_request
from toy_models import tiny_model

from benchmark.core.method import create
from benchmark.core.registry import method_named
from benchmark.errors import BadInput
from benchmark.training.lora import Lora, adapt, without_adapters

SMALL = {"rank": 3, "alpha": 6, "targets": ["q_proj", "down_proj"]}
# One method for each quantity requested from the target: likelihoods, logits, states.
COMPARING = ("npo", "ga_kl", "rmu")


def adapters(model):
    return {name: m for name, m in model.named_modules() if hasattr(m, "lora_A")}


def test_adapters_have_the_rank_scale_and_layers_that_are_given():
    model = tiny_model()
    adapt(model, Lora(**SMALL))
    layers = adapters(model)
    assert {name.rpartition(".")[2] for name in layers} == {"q_proj", "down_proj"}
    for layer in layers.values():
        assert layer.lora_A["default"].weight.shape[0] == 3
        assert layer.scaling["default"] == 2


def test_true_means_rank_8_with_alpha_16_on_all_linear_layers():
    model = tiny_model()
    adapt(model, True)
    layers = adapters(model)
    assert {name.rpartition(".")[2] for name in layers} >= {"q_proj", "o_proj", "up_proj"}
    assert {layer.lora_A["default"].weight.shape[0] for layer in layers.values()} == {8}
    assert {layer.scaling["default"] for layer in layers.values()} == {2}


def test_a_layer_that_there_is_not_is_named_with_those_that_there_are():
    with pytest.raises(ValueError, match=r"no linear layers c_attn, q; found .*down_proj"):
        adapt(tiny_model(), Lora(targets=("q", "c_attn")))


def test_settings_are_parameters_of_every_gradient_method():
    method = create(method_named("npo"), {"lora": SMALL})
    assert method.parameters["lora"] == {"rank": 3, "alpha": 6, "targets": ("q_proj", "down_proj")}
    assert create(method_named("npo"), method.parameters).parameters == method.parameters
    for wrong in ({"rank": 0}, {"ranks": 4}, {"alpha": -1}):
        with pytest.raises(BadInput, match="lora"):
            create(method_named("npo"), {"lora": wrong})


def test_a_method_trains_the_layers_that_its_settings_name():
    model, before = tiny_model(), tiny_model().state_dict()
    create(method_named("grad_diff"), {"lora": SMALL}).unlearn(
        model, a_request(method_named("grad_diff"), steps=2)
    )
    changed = {n for n, value in model.state_dict().items() if not torch.equal(value, before[n])}
    assert {name.split(".")[-2] for name in changed} == {"q_proj", "down_proj"}


def test_without_adapters_a_model_is_what_it_was_and_goes_on_afterwards():
    model, tokens = tiny_model().train(), torch.arange(2, 12)[None]
    plain = model(tokens).logits
    adapt(model)
    with torch.no_grad():
        for layer in adapters(model).values():
            layer.lora_B["default"].weight.fill_(0.1)
    layers = list(adapters(model).values())
    layers[0].lora_A["default"].weight.requires_grad_(False)
    trained = [p.requires_grad for p in model.parameters()]
    adapted = model(tokens).logits
    with without_adapters(model):
        assert not model.training
        assert torch.equal(model(tokens).logits, plain)
    assert model.training
    assert [p.requires_grad for p in model.parameters()] == trained
    assert torch.equal(model(tokens).logits, adapted)
    assert not torch.allclose(adapted, plain)


@pytest.mark.parametrize("name", COMPARING)
def test_switched_off_adapters_stand_for_a_copy_of_the_target(name, monkeypatch):
    """The final weights are the same whichever of the two the method was compared with."""
    target, ended = tiny_model(), []
    for copied in (False, True):
        model, cls = copy.deepcopy(target), method_named(name)
        monkeypatch.setattr(cls, "moves_target", copied)
        method = create(cls, {"lora": True, "learning_rate": 1e-3})
        torch.manual_seed(0)  # for the adapters
        method.unlearn(model, a_request(cls, steps=2))
        assert (method._reference is model) != copied
        ended.append(model.state_dict())
    for key, value in ended[0].items():
        torch.testing.assert_close(value, ended[1][key], atol=1e-6, rtol=1e-5, msg=key)


def test_a_method_that_moves_the_target_first_keeps_a_copy():
    """`undo` distils from the model before the damage; adapters sit on damaged weights."""
    model, cls = tiny_model(), TOYS["toy_rmu"]

    class Damaging(cls):
        moves_target = True

        def before(self, request):
            with torch.no_grad():
                for parameter in self._model.parameters():
                    parameter.mul_(0.5)
            super().before(request)

        def loss(self, batch):
            with torch.no_grad():
                assert not torch.allclose(self.logits(batch.forget), whole(batch))
                torch.testing.assert_close(self.reference_logits(batch.forget), whole(batch))
            return super().loss(batch)

    intact = copy.deepcopy(model)
    probe = cls()
    probe._model = intact

    def whole(batch):
        return probe.logits(batch.forget)

    Damaging(lora=True).unlearn(model, a_request(Damaging, steps=1))
