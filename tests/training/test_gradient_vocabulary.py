"""What the loss of a gradient method can use, and the hooks around it, against values by hand."""

import copy
import math

import pytest
import torch
from toy_methods import (
    FORGET,
    RETAIN,
    TOYS,
    ToyAlternatives,
    ToyProjection,
    a_request,
    knowing_target,
    weights_of,
)
from toy_models import plain_tokenizer, tiny_model, tiny_tokenizer

from benchmark.api import GradientMethod, register_method
from benchmark.core.examples import Pair
from benchmark.core.method import create
from benchmark.core.registry import method_named
from benchmark.core.updates import Updates
from benchmark.errors import BadInput
from benchmark.inference.predictors import ModelPredictor, sampler
from benchmark.tokens.batches import collate
from benchmark.tokens.losses import answer_nll
from benchmark.tokens.prompts import encode_pair
from benchmark.training.activations import answer_states
from benchmark.training.loop import updated_by


@pytest.fixture(scope="module")
def target():
    return knowing_target()


@torch.no_grad()
def left_by(modules, model, ids):
    """States (L, H) that each of the modules outputs for one sequence."""
    left = []
    handles = [m.register_forward_hook(lambda *call: left.append(call[2])) for m in modules]
    model(torch.tensor([ids]))
    for handle in handles:
        handle.remove()
    return [
        (states[0] if isinstance(states, tuple) else states).reshape(len(ids), -1)
        for states in left
    ]


def test_hidden_states_are_those_of_the_blocks_at_the_positions_of_answers(target):
    """Questions and texts, as padded batches and as trees, against hooks on single passes."""
    asking = plain_tokenizer()
    pairs = [*FORGET, Pair("", "Ivo Tor works for Bren Union")]
    blocks = (target.model.embed_tokens, target.model.layers[0])
    for tokenizer in (tiny_tokenizer(), asking):
        expected = ([], [])
        for pair in pairs:
            prompt, answer = encode_pair(pair, tokenizer)
            start = max(0, len(prompt) - 1)
            for states, own in zip(left_by(blocks, target, prompt + answer), expected, strict=True):
                own.append(states[start:-1])
        found = answer_states(target, collate(pairs, tokenizer, target), [0, 1])
        for own, by_hand in zip(found, expected, strict=True):
            torch.testing.assert_close(own, torch.cat(by_hand), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("layers", [[3], [-1], [0, 99]])
def test_layers_that_there_are_not_are_named(target, layers):
    with pytest.raises(BadInput, match="the model has layers 0 to 2"):
        answer_states(target, collate(FORGET, tiny_tokenizer()), layers)


def test_what_is_computed_of_the_target_has_to_be_declared(target):
    class Peeking(TOYS["toy_projection"]):
        def loss(self, batch):
            return getattr(self, self.wanted)(batch.forget, *self.more).sum()

    for wanted, more in (
        ("reference_logits", ()),
        ("reference_hidden_states", ([1],)),
        ("reference_nll", ()),
    ):
        method = Peeking()
        method.wanted, method.more = wanted, more
        with pytest.raises(PermissionError, match="target"):
            method.unlearn(copy.deepcopy(target), a_request(Peeking))


def test_the_reference_stays_the_target_while_the_model_changes(target):
    seen = []

    class Watching(TOYS["toy_rmu"]):
        def loss(self, batch):
            own, kept = self.logits(batch.forget), self.reference_logits(batch.forget)
            assert not kept.requires_grad
            seen.append((own.detach(), kept))
            return super().loss(batch)

    Watching().unlearn(copy.deepcopy(target), a_request(Watching, steps=3))
    assert torch.equal(*seen[0])
    assert not torch.allclose(*seen[2])


def test_gradients_kept_apart_are_combined_as_by_hand(target):
    """After one step: the gradient left in the weights, clipped to norm one."""
    left = []
    request = a_request(
        ToyProjection,
        steps=1,
        watch=lambda m, _: left.extend(p.grad.clone() for p in m.parameters()),
    )
    create(TOYS["toy_projection"], {}).unlearn(copy.deepcopy(target), request)

    def gradient(pairs, sign):
        model = copy.deepcopy(target)
        loss = sign * answer_nll(model, collate(pairs, tiny_tokenizer()), per_token=True).mean()
        return torch.cat([g.flatten() for g in torch.autograd.grad(loss, [*model.parameters()])])

    forget, retain = gradient(FORGET, -1), gradient(RETAIN, 1)
    assert forget @ retain < 0  # otherwise nothing would be projected out
    projected = forget - (forget @ retain) / (retain @ retain) * retain
    assert abs(projected @ retain) < 1e-3 * projected.norm() * retain.norm()
    expected = projected + retain
    expected = expected / expected.norm().clamp(min=1)
    found = torch.cat([g.flatten() for g in left])
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("lora", [False, True])
def test_two_losses_that_are_added_train_as_their_sum(target, lora):
    class Apart(TOYS["toy_projection"]):
        def combine(self, forget_grads, retain_grads):
            return GradientMethod.combine(self, forget_grads, retain_grads)

    class Together(TOYS["toy_projection"]):
        def loss(self, batch):
            return sum(super().loss(batch))

    found = []
    for cls in (Apart, Together):
        torch.manual_seed(0)  # adapters start at random
        found.append(cls(lora=lora).unlearn(copy.deepcopy(target), a_request(cls, steps=4)))
    torch.testing.assert_close(*map(weights_of, found), atol=1e-4, rtol=1e-3)
    assert not torch.equal(weights_of(found[0]), weights_of(target))


@pytest.mark.parametrize("broken", [0, 1])
def test_each_of_two_losses_must_be_finite(target, broken):
    class Breaking(TOYS["toy_projection"]):
        def loss(self, batch):
            losses = list(super().loss(batch))
            losses[broken] = losses[broken] * math.nan
            return tuple(losses)

    with pytest.raises(FloatingPointError, match="the loss is nan at step 1 of 2"):
        Breaking().unlearn(copy.deepcopy(target), a_request(Breaking, steps=2))


def test_hooks_are_called_in_order(target):
    called = []

    class Noting(TOYS["toy_projection"]):
        def before(self, request):
            called.append(("before", request.meter.steps, self.nll_of_target(request)))

        def before_loss(self, model):
            called.append(("before_loss", model.training))

        def loss(self, batch):
            called.append("loss")
            return super().loss(batch)

        def combine(self, forget_grads, retain_grads):
            called.append("combine")
            return super().combine(forget_grads, retain_grads)

        def after(self, model):
            called.append(
                ("after", model.training, any("lora" in n for n, _ in model.named_parameters()))
            )

        def nll_of_target(self, request):
            batch = collate(request.forget, request.tokenizer)
            return round(float(self.nll(batch).detach().mean()), 4)

    Noting(lora=True).unlearn(copy.deepcopy(target), a_request(Noting, steps=2))
    nll = float(answer_nll(target, collate(FORGET, tiny_tokenizer())).detach().mean())
    step = [("before_loss", True), "loss", "combine"]
    assert called == [("before", 0, round(nll, 4)), *step, *step, ("after", False, False)]


def test_answers_are_drawn_from_the_target_before_the_training(target):
    request = a_request(ToyAlternatives)
    method = create(TOYS["toy_alternatives"], {})
    drawn = []
    method.before = lambda request: drawn.extend(method.sample([*FORGET, FORGET[0]], 5))
    method.loss = lambda batch: method.nll(batch.forget).mean()
    method.unlearn(copy.deepcopy(target), request)
    expected = ModelPredictor(target, tiny_tokenizer()).sample(said_prompts(), 8, 5)
    assert drawn == [list(expected[p.asked]) for p in [*FORGET, FORGET[0]]]
    assert drawn[0].count("Malport") >= 3  # it knows the answer, and is asked as in evaluation


def said_prompts():
    return [pair.asked for pair in FORGET]


def test_draws_depend_on_the_seed():
    model, prompts = tiny_model(), said_prompts()
    found = [sampler(tiny_tokenizer(), 8, seed)(model, prompts, 3) for seed in (0, 0, 1)]
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize("tokenizer", [tiny_tokenizer(), plain_tokenizer()], ids=["bare", "tree"])
@torch.no_grad()
def test_a_whole_sequence_is_predicted_but_for_its_first_token(target, tokenizer):
    batch = collate(FORGET, tokenizer, target, whole=True)
    encoded = [encode_pair(pair, tokenizer) for pair in FORGET]
    assert batch.targets.tolist() == [
        t for prompt, answer in encoded for t in (prompt + answer)[1:]
    ]
    losses = answer_nll(target, batch)
    for (prompt, answer), loss in zip(encoded, losses, strict=True):
        ids = torch.tensor([prompt + answer])
        alone = target(ids, labels=ids).loss * (ids.shape[1] - 1)
        assert float(loss) == pytest.approx(float(alone), rel=1e-4)


def confident_share(model, pairs):
    """Share of answer tokens with over 70 % of the probability held by them and their ten likeliest
    rivals.
    """
    sure = []
    for pair in pairs:
        prompt, answer = encode_pair(pair, tiny_tokenizer())
        with torch.no_grad():
            logits = model(torch.tensor([prompt + answer])).logits[0]
        for place, token in enumerate(answer, start=len(prompt)):
            odds = logits[place - 1].exp().tolist()
            rivals = sorted(odds[:token] + odds[token + 1 :], reverse=True)[:10]
            sure.append(odds[token] / (odds[token] + sum(rivals)) > 0.7)
    return sum(sure) / len(sure)


class Descent(GradientMethod):
    """Raises the loss on the forget set until it is told to stop."""

    learning_rate: float = 2e-3

    def loss(self, batch):
        return -self.nll(batch.forget, per_token=True).mean()


@pytest.mark.parametrize("share", [0.8, 0.3])
def test_training_stops_once_few_answer_tokens_are_confident(target, share):
    """Training stops right before the first step on whose batch the model is confident in at most
    this share.
    """
    method = register_method("descent", reference="", family="test", sees={"forget"})(Descent)
    model, shares = copy.deepcopy(target), []
    request = a_request(method, steps=40)
    request.meter.watch = lambda model, steps: shares.append(confident_share(model, FORGET))
    create(method, {"stop_share": share}).unlearn(model, request)
    assert confident_share(target, FORGET) > share
    assert 0 < len(shares) < 40
    assert shares[-1] <= share < min([1.0, *shares[:-1]])
    unbounded = a_request(method, steps=40)
    create(method, {}).unlearn(copy.deepcopy(target), unbounded)
    assert unbounded.meter.steps == 40


def test_a_request_without_a_sampler_says_so(target):
    request = a_request(ToyAlternatives)
    request.sample = None
    with pytest.raises(RuntimeError, match="no sampler"):
        create(TOYS["toy_alternatives"], {}).unlearn(copy.deepcopy(target), request)


@pytest.mark.parametrize("name", ["grad_diff", "npo"])
def test_a_batch_in_parts_trains_as_the_whole_one(target, name):
    """The losses are means over pairs; a batch of two pairs is split into up to two parts."""
    cls, ended = method_named(name), []
    for parts in (1, 2, 5):
        with updated_by(Updates(parts=parts)):
            model = create(cls, {}).unlearn(copy.deepcopy(target), a_request(cls, steps=2))
        ended.append(model.state_dict())
    for other in ended[1:]:
        for key, value in ended[0].items():
            torch.testing.assert_close(other[key], value, atol=2e-4, rtol=1e-3)


@pytest.mark.parametrize(("name", "state"), [("rr", "share"), ("adapop", "steps")])
def test_the_state_of_a_loss_advances_once_per_step(target, name, state):
    cls, ended = method_named(name), set()
    for parts in (1, 2, 5):
        method = create(cls, {})
        with updated_by(Updates(parts=parts)):
            method.unlearn(copy.deepcopy(target), a_request(cls, steps=2))
        ended.add(getattr(method, state))
    assert len(ended) == 1
