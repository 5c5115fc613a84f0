"""Low-rank knowledge unlearning: an inverted hinge loss, and adapters initialized from the weights
that matter for the forget set.
"""

import random

import torch
from torch.nn.functional import one_hot

from benchmark.api import GradientMethod, Lora, register_method

EPSILON = 1e-5


def inverted_hinge(logits, targets):
    """relu(1 + p(y) - max_{v != y} p(v)) for logits (N, V), as (N,); at most 2, since it is
    computed on probabilities.
    """
    p = logits.float().softmax(-1)
    true = one_hot(targets, p.shape[-1]).bool()
    return (1 + p[true] - p.masked_fill(true, 0).max(-1).values).relu()


def split(weight, importance, rank, scaling):
    """A (r, in) and B (out, r) such that `scaling` B A is the best rank-r approximation of W (out,
    in) when its rows are weighted by w_i = sqrt(sum_j importance[i, j]).
    """
    w = importance.sum(1).sqrt()
    u, s, v = torch.linalg.svd(w[:, None] * weight, full_matrices=False)
    root = (s[:rank] / scaling).sqrt()
    a = root[:, None] * v[:rank]
    return a, u[:, :rank] * root / (w[:, None] + EPSILON)


@register_method("loku", reference="cha2025loku", family="hinge", sees={"forget", "retain"})
class LoKU(GradientMethod):
    """Training that lowers the probability of each answer token on forget and raises the
    probability of the likeliest other token through a bounded loss (an inverted hinge), plus a
    retain loss. It trains low-rank adapters that start from the weights most important for the
    forget set.

    Mean over answer tokens of relu(1 + p(y) - max_{v != y} p(v)) on forget, plus nll/T on retain
    (Cha et al. 2025). With `lora`, the default, adapters are initialized from the part of the
    weights that is important for forget relative to retain (FILA): the best low-rank approximation
    of each matrix, with each row weighted by the square root of its total importance.

    The importance of a weight is F_f / (F_r + 1e-5), where F is the mean squared gradient of a
    sequence's nll/T on forget or retain. It is estimated before the first step on up to `sequences`
    pairs of each set; the paper uses a whole epoch. By default, adapters have rank 8 and alpha 16
    (in the paper, rank 32 and alpha 64).
    """

    learning_rate: float = 3e-3
    lora: bool | Lora = True
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
        """Mean squared gradients of the weight matrices, by name."""
        rng = random.Random(f"fisher-{request.seed}")
        matrices = {n: p for n, p in self._model.named_parameters() if p.ndim == 2}
        squares = {name: torch.zeros_like(matrix) for name, matrix in matrices.items()}
        chosen = rng.sample(pairs, min(self.sequences, len(pairs)))
        for pair in chosen:
            loss = self.nll(self._collate([pair]), per_token=True).sum()
            grads = torch.autograd.grad(loss, list(matrices.values()), materialize_grads=True)
            for name, gradient in zip(matrices, grads, strict=True):
                squares[name] += gradient.square() / len(chosen)
        return squares

    @torch.no_grad()
    def _begin(self, model):
        """Moves part of each adapted weight into its adapter; the model's outputs do not change."""
        for name, layer in model.named_modules():
            if not hasattr(layer, "lora_A"):
                continue
            (key,) = layer.lora_A
            a, b, base = layer.lora_A[key].weight, layer.lora_B[key].weight, layer.get_base_layer()
            weight, importance = base.weight, self.importance[f"{name}.weight"]
            if layer.fan_in_fan_out:  # GPT-2 stores them transposed
                weight, importance = weight.T, importance.T
            rank, scaling = a.shape[0], layer.scaling[key]
            a_0, b_0 = split(weight.float(), importance.float(), rank, scaling)
            a[: len(a_0)].copy_(a_0)  # a weight may have fewer rows than the rank
            b[:, : len(a_0)].copy_(b_0)
            weight.sub_(scaling * (b @ a).to(weight))
