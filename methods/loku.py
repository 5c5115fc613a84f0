"""Low-rank knowledge unlearning: an inverted hinge on probabilities, and adapters that begin at
what matters for the forget set.
"""

import random

import torch
from torch.nn.functional import one_hot

from benchmark.api import GradientMethod, register_method

EPSILON = 1e-5


def inverted_hinge(logits, targets):
    """(N,) relu(1 + p(y) - max over other tokens of p(v)), of (N, V) logits: on probabilities, so
    that it is bounded, by 2.
    """
    p = logits.float().softmax(-1)
    true = one_hot(targets, p.shape[-1]).bool()
    return (1 + p[true] - p.masked_fill(true, 0).max(-1).values).relu()


def split(weight, importance, rank, scaling):
    """A (r, in) and B (out, r), so that `scaling` B A is the best approximation of W (out, in) of
    that rank where rows are weighted by w_i, the root of the sum over j of importance[i, j].
    """
    w = importance.sum(1).sqrt()
    u, s, v = torch.linalg.svd(w[:, None] * weight, full_matrices=False)
    root = (s[:rank] / scaling).sqrt()
    a = root[:, None] * v[:rank]
    return a, u[:, :rank] * root / (w[:, None] + EPSILON)


@register_method("loku", reference="cha2025loku", family="hinge", sees={"forget", "retain"})
class LoKU(GradientMethod):
    """Mean over answer tokens of relu(1 + p(y) - max_v p(v)) on forget plus nll/T on retain (Cha et
    al. 2025, eq. 4); with `lora`, its default, adapters begin at the part of the weights that is
    important for forget relative to retain (eq. 6, FILA).

    The importance of a weight is F_f / (F_r + 1e-5), F the mean squared gradient of a sequence's
    nll/T. It is estimated before the first step on `sequences` of each side, where the paper takes
    an epoch. Adapters have the suite's rank and twice that as alpha (paper: 32, 64). Untuned.
    """

    learning_rate: float = 2e-3
    lora: bool = True
    retain_weight: float = 1.0
    sequences: int = 64

    def before(self, request):
        self.importance: dict[str, torch.Tensor] = {}
        if self.lora:
            forget, retain = (
                self._fisher(pairs, request) for pairs in (request.forget, request.retain)
            )
            self.importance = {n: f / (retain[n] + EPSILON) for n, f in forget.items()}

    def before_loss(self, model):
        if self.importance:
            self._begin(model)
            self.importance = {}

    def loss(self, batch):
        forget = inverted_hinge(self.logits(batch.forget), batch.forget.targets).mean()
        return forget + self.retain_weight * self.nll(batch.retain, per_token=True).mean()

    def _fisher(self, pairs, request):
        """Mean squared gradients of the matrices, by name."""
        rng = random.Random(f"fisher-{request.seed}")
        own = {n: p for n, p in self._model.named_parameters() if p.ndim == 2}
        found = {name: torch.zeros_like(parameter) for name, parameter in own.items()}
        chosen = rng.sample(pairs, min(self.sequences, len(pairs)))
        for pair in chosen:
            loss = self.nll(self._collate([pair]), per_token=True).sum()
            grads = torch.autograd.grad(loss, list(own.values()), materialize_grads=True)
            for name, gradient in zip(own, grads, strict=True):
                found[name] += gradient.square() / len(chosen)
        return found

    @torch.no_grad()
    def _begin(self, model):
        """Moves a part of each adapted weight into its adapter: the model says the same."""
        for name, layer in model.named_modules():
            if not hasattr(layer, "lora_A"):
                continue
            (key,) = layer.lora_A
            a, b, base = layer.lora_A[key].weight, layer.lora_B[key].weight, layer.get_base_layer()
            weight, importance = base.weight, self.importance[f"{name}.weight"]
            if layer.fan_in_fan_out:  # GPT-2 stores them transposed
                weight, importance = weight.T, importance.T
            rank, scaling = a.shape[0], layer.scaling[key]
            own_a, own_b = split(weight.float(), importance.float(), rank, scaling)
            a[: len(own_a)].copy_(own_a)  # a weight may have fewer rows than the rank
            b[:, : len(own_a)].copy_(own_b)
            weight.sub_(scaling * (b @ a).to(weight))
