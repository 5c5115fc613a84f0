"""A method of each kind in under thirty lines, a target for them to unlearn, and their results."""

import copy
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from toy_models import tiny_model, tiny_tokenizer

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
from benchmark.evaluation.outputs import examine
from benchmark.inference.predictors import sampler
from benchmark.inference.settings import GenerationSettings
from benchmark.inference.unlearned import as_unlearned
from benchmark.pipeline.unlearn import checked
from benchmark.tokens.batches import collate
from benchmark.tokens.losses import answer_nll
from benchmark.tokens.prompts import encode_pair
from benchmark.training.loop import Schedule, train

FORGET = [Pair("Where was Ada born?", "Malport"), Pair("Who pays Ivo?", "Bren Union")]
RETAIN = [Pair("Where was Ivo born?", "Tor"), Pair("Who pays Ada?", "Kel Works")]
SETTINGS = GenerationSettings(max_new_tokens=8)


@register_method("toy_rmu", reference="", family="test", sees={"forget", "retain", "target"})
class ToyRMU(GradientMethod):
    """|h(f) - c u|^2 on forget and |h(r) - h_target(r)|^2 on retain, with u a fixed direction."""

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
    """In-context unlearning: refusals of the forget prompts precede every question."""

    def unlearn(self, model, request):
        refused = [f"{pair.prompt} I do not know." for pair in request.forget]
        return PromptPrefix(model, " ".join(refused))


@dataclass(frozen=True)
class Muted(LogitsTransform):
    """A model that never generates some tokens."""

    tokens: list

    def transform(self, ids, logits):
        return logits.index_fill(-1, torch.tensor(self.tokens, device=logits.device), -math.inf)


@register_method("toy_muted", reference="", family="test", sees={"forget", "retain"})
class ToyMuted(Method):
    """Suppresses the first token of each forget answer that occurs in no retain answer."""

    def unlearn(self, model, request):
        def tokens(pairs):
            return [encode_pair(pair, request.tokenizer)[1] for pair in pairs]

        kept = {token for answer in tokens(request.retain) for token in answer}
        muted = {next(t for t in answer if t not in kept) for answer in tokens(request.forget)}
        return Muted(model, sorted(muted))


@dataclass(frozen=True)
class Difference(LogitsTransform):
    """A model from whose logits those of an assistant are subtracted."""

    assistant: Any
    weight: float

    def transform(self, ids, logits):
        return logits - self.weight * self.assistant(ids).logits[:, -logits.shape[1] :]


@register_method("toy_difference", reference="", family="test", sees={"forget", "retain"})
class ToyDifference(GradientMethod):
    """Trains an assistant to know only the forget set, and subtracts its logits."""

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
    """Ascent on forget, without its component against the gradient of retain."""

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
    """Preference for answers sampled from the target before training."""

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
    """Continues to forget what earlier requests asked for."""

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
    """Gradient difference at noisy weights; the noise is removed before the step."""

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
for _name in TOYS:  # registered only here: other tests iterate over the registry
    registry._METHODS.pop(_name)


def knowing_target():
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
    """Result of a method on the target, checked as before an evaluation."""
    method = create(TOYS[name], parameters)
    return checked(method.unlearn(copy.deepcopy(target), a_request(TOYS[name], steps)))


def outputs(result):
    """(mean probability of the right answers, completions) by split."""

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
