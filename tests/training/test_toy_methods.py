"""A method of each kind in under thirty lines, from the target to what it answers: a new method
touches its own file alone.
"""

import copy
import inspect
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from models import tiny_model, tiny_tokenizer

from benchmark.api import (
    GradientMethod,
    LogitsTransform,
    Method,
    PromptPrefix,
    kl_from_uniform,
    logsigmoid,
    register_method,
)
from benchmark.core import registry
from benchmark.core.examples import Example, Pair
from benchmark.core.method import create
from benchmark.core.request import Budget, Meter, Request
from benchmark.errors import BadInput
from benchmark.evaluation.outputs import examine
from benchmark.inference.generation import GenerationSettings
from benchmark.inference.predictors import ModelPredictor, sampler
from benchmark.inference.unlearned import as_unlearned
from benchmark.models.artifacts import ArtifactStore
from benchmark.models.loading import load_model
from benchmark.pipeline.checkpoints import Checkpoints, Progress
from benchmark.pipeline.unlearn import checked
from benchmark.tokens.batches import collate
from benchmark.tokens.losses import answer_nll
from benchmark.tokens.prompts import PLAIN_TEMPLATE, encode_pair
from benchmark.training.activations import answer_states
from benchmark.training.loop import Schedule, train

FORGET = [Pair("Where was Ada born?", "Malport"), Pair("Who pays Ivo?", "Bren Union")]
RETAIN = [Pair("Where was Ivo born?", "Tor"), Pair("Who pays Ada?", "Kel Works")]
SETTINGS = GenerationSettings(max_new_tokens=8)
_KNOWN = dict(registry.methods())


@register_method("toy_rmu", reference="", family="test", sees={"forget", "retain", "target"})
class ToyRMU(GradientMethod):
    """|h(f) - c u|^2 on forget and |h(r) - h_target(r)|^2 on retain, u a fixed direction."""

    learning_rate: float = 1e-2
    layer: int = 1
    strength: float = 4.0
    retain_weight: float = 10.0

    def before(self, request):
        self.generator = torch.Generator().manual_seed(request.seed)
        self.direction = None

    def loss(self, batch):
        (forget,) = self.hidden_states(batch.forget, [self.layer])
        (retain,) = self.hidden_states(batch.retain, [self.layer])
        (kept,) = self.reference_hidden_states(batch.retain, [self.layer])
        if self.direction is None:
            u = torch.rand(forget.shape[-1], generator=self.generator)
            self.direction = self.strength * u / u.norm()
        misled = (forget - self.direction).square().sum(-1).mean()
        return misled + self.retain_weight * (retain - kept).square().sum(-1).mean()


@register_method("toy_prefix", reference="", family="test", sees={"forget"})
class ToyPrefix(Method):
    """In-context unlearning: refusals of what is to be forgotten stand before every question."""

    def unlearn(self, model, request):
        refused = [f"{pair.prompt} I do not know." for pair in request.forget]
        return PromptPrefix(model, " ".join(refused))


@dataclass(frozen=True)
class Muted(LogitsTransform):
    """Some tokens are never said."""

    tokens: list

    def transform(self, ids, logits):
        return logits.index_fill(-1, torch.tensor(self.tokens, device=logits.device), -math.inf)


@register_method("toy_muted", reference="", family="test", sees={"forget", "retain"})
class ToyMuted(Method):
    """What begins the answers to forget, and is no part of those to retain, is never said."""

    def unlearn(self, model, request):
        def tokens(pairs):
            return [encode_pair(pair, request.tokenizer)[1] for pair in pairs]

        kept = {token for answer in tokens(request.retain) for token in answer}
        muted = {next(t for t in answer if t not in kept) for answer in tokens(request.forget)}
        return Muted(model, sorted(muted))


@dataclass(frozen=True)
class Difference(LogitsTransform):
    """Away from what an assistant knows."""

    assistant: Any
    weight: float

    def transform(self, ids, logits):
        return logits - self.weight * self.assistant(ids).logits[:, -logits.shape[1] :]


@register_method("toy_difference", reference="", family="test", sees={"forget", "retain"})
class ToyDifference(GradientMethod):
    """An assistant learns to know what is to be forgotten alone; its logits are taken away."""

    learning_rate: float = 1e-2
    weight: float = 1.0

    def loss(self, batch):
        known = self.nll(batch.forget, per_token=True).mean()
        return known + kl_from_uniform(self.logits(batch.retain)).mean()

    def unlearn(self, model, request):
        assistant = super().unlearn(copy.deepcopy(model), request)
        return Difference(model, assistant, self.weight)


@register_method("toy_projection", reference="", family="test", sees={"forget", "retain"})
class ToyProjection(GradientMethod):
    """Ascent on forget without its part against the gradient of retain."""

    learning_rate: float = 3e-3

    def loss(self, batch):
        forget = -self.nll(batch.forget, per_token=True).mean()
        return forget, self.nll(batch.retain, per_token=True).mean()

    def combine(self, forget_grads, retain_grads):
        both = list(zip(forget_grads, retain_grads, strict=True))
        dot, norm = sum((f * r).sum() for f, r in both), sum((r * r).sum() for _, r in both)
        against = (dot / norm).clamp(max=0)
        return [f - against * r + r for f, r in both]


@register_method("toy_alternatives", reference="", family="test", sees={"forget", "target"})
class ToyAlternatives(GradientMethod):
    """Preference for answers that the target gives itself, drawn before the training."""

    learning_rate: float = 3e-3
    beta: float = 0.5

    def before(self, request):
        drawn = zip(request.forget, self.sample(request.forget, 8), strict=True)
        self.others = {
            p: next(t for t in [*texts, "Tor"] if t not in ("", p.answer)) for p, texts in drawn
        }

    def loss(self, batch):
        other = self.answered(batch.forget, [self.others[pair] for pair in batch.forget.pairs])
        own = self.nll(batch.forget) - self.reference_nll(batch.forget)
        margin = own - (self.nll(other) - self.reference_nll(other))
        return -(2 / self.beta) * logsigmoid(self.beta * margin).mean()


@register_method("toy_continual", reference="", family="test", sees={"forget"})
class ToyContinual(GradientMethod):
    """Goes on forgetting what earlier requests asked for."""

    learning_rate: float = 1e-3

    def before(self, request):
        self.earlier = [Pair(*texts) for texts in request.state.get("earlier", [])]
        asked = [[pair.prompt, pair.answer] for pair in [*self.earlier, *request.forget]]
        request.state["earlier"] = asked

    def batches(self, request):
        return ((forget + self.earlier, []) for forget, _ in request.batches())

    def loss(self, batch):
        return -self.nll(batch.forget, per_token=True).mean()


@register_method("toy_smoothing", reference="", family="test", sees={"forget", "retain"})
class ToySmoothing(GradientMethod):
    """The gradient difference at weights with noise, which is taken away before the step."""

    learning_rate: float = 3e-3
    rho: float = 1e-2

    def before_loss(self, model):
        self.moved = [p for p in model.parameters() if p.requires_grad]
        self.noise = [self.rho * torch.randn_like(p) for p in self.moved]
        self.shift(1)

    def loss(self, batch):
        forget = -self.nll(batch.forget, per_token=True).mean()
        return forget, self.nll(batch.retain, per_token=True).mean()

    def combine(self, forget_grads, retain_grads):
        self.shift(-1)
        return super().combine(forget_grads, retain_grads)

    @torch.no_grad()
    def shift(self, sign):
        for parameter, noise in zip(self.moved, self.noise, strict=True):
            parameter.add_(sign * noise)


TOYS = {name: cls for name, cls in registry._METHODS.items() if name.startswith("toy_")}
for _name in TOYS:  # known here alone: other tests look at all that is registered
    registry._METHODS.pop(_name)


@pytest.fixture(scope="module")
def target():
    """A model that has learned all pairs by heart."""
    model = tiny_model()
    train(
        model,
        [collate([*FORGET, *RETAIN], tiny_tokenizer())] * 80,
        lambda batch: answer_nll(model, batch).mean(),
        Schedule(80, 1e-2),
        Meter(),
        lambda batch: 1,
    )
    return model


def a_request(cls, steps=30, forget=FORGET, tokenizer=None, state=None, watch=None):
    tokenizer = tokenizer or tiny_tokenizer()
    return Request(
        forget=list(forget) if "forget" in cls.sees else [],
        retain=list(RETAIN) if "retain" in cls.sees else [],
        tokenizer=tokenizer,
        seed=0,
        budget=Budget(steps, 2),
        meter=Meter(limit=steps, watch=watch),
        sample=sampler(tokenizer, 8, 0),
        state={} if state is None else state,
    )


def unlearned(name, target, steps=30, **parameters):
    """What a method makes of the target, as it is checked before it is evaluated."""
    method = create(TOYS[name], parameters)
    return checked(method.unlearn(copy.deepcopy(target), a_request(TOYS[name], steps)))


def outputs(result):
    """Mean probability of the right answers, and what is said, by split."""

    def examples(pairs):
        return [Example(pair.prompt, "", pair.prompt, pair.answer) for pair in pairs]

    splits = {"forget": examples(FORGET), "retain": examples(RETAIN)}
    predictor = as_unlearned(result).predictor(tiny_tokenizer(), "hf")
    samples = examine(predictor, splits, "model", SETTINGS)
    return {
        split: (
            np.mean([np.exp(s.logprobs.mean()) for s in samples if s.split == split]),
            [s.generation for s in samples if s.split == split],
        )
        for split in splits
    }


def said(pairs):
    return [pair.answer for pair in pairs]


def weights_of(model):
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def test_a_toy_method_is_short():
    parts = [[ToyMuted, Muted], [ToyDifference, Difference]]
    alone = [[cls] for cls in TOYS.values() if cls not in (ToyMuted, ToyDifference)]
    for classes in parts + alone:
        assert sum(len(inspect.getsource(cls).splitlines()) for cls in classes) < 30, classes


def test_the_target_knows_everything(target):
    found = outputs(target)
    for split, pairs in (("forget", FORGET), ("retain", RETAIN)):
        assert found[split][0] > 0.9
        assert found[split][1] == said(pairs)


@pytest.mark.parametrize("name", sorted(TOYS.keys() - {"toy_prefix", "toy_continual"}))
def test_a_toy_method_forgets_what_it_should_and_keeps_the_rest(name, target):
    found = outputs(unlearned(name, target))
    assert found["forget"][0] < 0.5 < 0.9 < outputs(target)["forget"][0]
    assert not set(found["forget"][1]) & set(said(FORGET))
    if "retain" in TOYS[name].sees:
        assert found["retain"][1] == said(RETAIN)
        assert found["retain"][0] > 2 * found["forget"][0]


def test_hidden_states_of_forget_are_led_astray_and_those_of_retain_stay(target):
    model = unlearned("toy_rmu", target, steps=100, strength=3.0)
    u = torch.rand(16, generator=torch.Generator().manual_seed(0))
    forget, retain = (collate(pairs, tiny_tokenizer()) for pairs in (FORGET, RETAIN))
    with torch.no_grad():
        (before,), (after,) = (answer_states(m, forget, [1]) for m in (target, model))
        (kept_before,), (kept_after,) = (answer_states(m, retain, [1]) for m in (target, model))
    goal = 3.0 * u / u.norm()
    assert (after - goal).norm(dim=-1).mean() < (before - goal).norm(dim=-1).mean() / 2
    moved, stayed = (after - before).norm(dim=-1).mean(), (kept_after - kept_before).norm(dim=-1)
    assert stayed.mean() < moved / 3


@torch.no_grad()
def left_by(modules, model, ids):
    """The states (L, H) that each of the modules leaves of one sequence."""
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
    """Of questions and texts, as padded batches and as trees, against hooks on single passes."""
    asking = copy.deepcopy(tiny_tokenizer())
    asking.chat_template = PLAIN_TEMPLATE
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


def test_a_prefix_is_before_every_question_and_the_weights_are_the_targets(target):
    result = unlearned("toy_prefix", target)
    prefix = "Where was Ada born? I do not know. Who pays Ivo? I do not know."
    assert result.division == "guardrail"
    assert torch.equal(weights_of(result.weights), weights_of(target))
    plain = ModelPredictor(target, tiny_tokenizer())
    asked = [f"{prefix} {pair.prompt}" for pair in FORGET]
    assert outputs(result)["forget"][1] == list(plain.generate(asked, 8).values())
    assert outputs(result)["forget"][0] < outputs(target)["forget"][0]


@pytest.mark.parametrize("name", ["toy_muted", "toy_difference"])
def test_behind_changed_logits_the_target_still_knows(name, target):
    result = unlearned(name, target)
    assert result.division == "guardrail"
    assert outputs(result.weights) == outputs(target)


def test_muted_answers_have_no_probability_left(target):
    assert outputs(unlearned("toy_muted", target))["forget"][0] < 1e-3


def test_the_difference_of_two_models_is_that_of_their_logits(target):
    result = unlearned("toy_difference", target, weight=0.5)
    predictor = result.predictor(tiny_tokenizer(), "hf")
    for pair, own in predictor.score([*FORGET, *RETAIN]).items():
        prompt, answer = encode_pair(pair, tiny_tokenizer())
        tokens = torch.tensor([prompt + answer])
        with torch.no_grad():
            logits = result.model(tokens).logits - 0.5 * result.assistant(tokens).logits
        known = logits[0].log_softmax(-1)[len(prompt) - 1 : -1]
        expected = known[range(len(answer)), answer].numpy()
        np.testing.assert_allclose(own.logprobs, expected, atol=1e-3)


def test_gradients_kept_apart_are_combined_as_by_hand(target):
    """One step: the gradient that is left in the weights, clipped to norm one."""
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
    assert forget @ retain < 0  # else nothing would be taken away
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
        torch.manual_seed(0)  # adapters begin at random
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
    assert drawn == [list(expected[p.prompt]) for p in [*FORGET, FORGET[0]]]
    assert drawn[0].count("Malport") >= 3  # it knows, and is asked as it is measured


def said_prompts():
    return [pair.prompt for pair in FORGET]


def test_draws_depend_on_the_seed():
    model, prompts = tiny_model(), said_prompts()
    found = [sampler(tiny_tokenizer(), 8, seed)(model, prompts, 3) for seed in (0, 0, 1)]
    assert found[0] == found[1] != found[2]


def test_a_request_without_a_sampler_says_so(target):
    request = a_request(ToyAlternatives)
    request.sample = None
    with pytest.raises(RuntimeError, match="no sampler"):
        create(TOYS["toy_alternatives"], {}).unlearn(copy.deepcopy(target), request)


def test_noise_is_gone_when_the_step_is_taken(target):
    """With a learning rate of zero nothing is left of it."""
    model = unlearned("toy_smoothing", target, steps=3, learning_rate=0.0, rho=0.1)
    torch.testing.assert_close(weights_of(model), weights_of(target), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["toy_continual", "toy_difference", "toy_prefix", "toy_muted"])
def test_a_second_request_finds_what_the_first_one_left(name, target, tmp_path):
    """Through a checkpoint, as between two requests of a run."""
    cls, state = TOYS[name], {}
    first = a_request(cls, steps=3, forget=FORGET[:1], state=state)
    result = create(cls, {}).unlearn(copy.deepcopy(target), first)
    checkpoints = Checkpoints(ArtifactStore(tmp_path), "cell", load_model)
    checkpoints.save(Progress(1, result, state=state))
    found = checkpoints.load()
    assert as_unlearned(found.result).division == as_unlearned(result).division
    assert outputs(found.result) == outputs(result)

    second = a_request(cls, steps=3, forget=FORGET[1:], state=found.state)
    method, seen = create(cls, {}), []
    if name == "toy_continual":
        original = method.loss
        method.loss = lambda batch: (seen.append(set(batch.forget.pairs)), original(batch))[1]
    again = method.unlearn(found.result.weights, second)
    assert set(outputs(again)) == {"forget", "retain"}
    if name == "toy_continual":
        assert seen == [set(FORGET)] * 3
        assert found.state["earlier"] == [[pair.prompt, pair.answer] for pair in FORGET]
