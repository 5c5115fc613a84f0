"""NPO with sharpness-aware minimization, for robustness to relearning."""

import torch

from benchmark.api import GradientMethod, logsigmoid, register_method


@register_method(
    "npo_sam", reference="fan2025sam", family="preference", sees={"forget", "retain", "target"}
)
class NPOSAM(GradientMethod):
    """NPO made robust to relearning by sharpness-aware minimization: the forget gradient is taken
    at a nearby point at which the forget loss is higher.

    The forget gradient of NPO is taken at theta + rho g/|g|, where g is the forget gradient at
    theta and |g| its global norm. The gradient of the retain loss, nll/T, is taken at theta (Fan et
    al. 2025, eq. 4).
    """

    learning_rate: float = 3e-4
    beta: float = 0.1
    rho: float = 1e-2
    retain_weight: float = 1.0

    def before_loss(self, model):
        self.moved = [p for p in model.parameters() if p.requires_grad]

    def loss(self, batch):
        retain = self.retain_weight * self.nll(batch.retain, per_token=True).mean()
        retain_grads = torch.autograd.grad(retain, self.moved, materialize_grads=True)
        first = torch.autograd.grad(self._npo(batch.forget), self.moved, materialize_grads=True)
        norm = torch.stack([g.norm() for g in first]).norm().clamp(min=1e-12)
        self.shift = [self.rho * g / norm for g in first]
        self._move(1)
        # The second loss is linear in the weights; its gradient is the retain gradient.
        linear = sum((p * g).sum() for p, g in zip(self.moved, retain_grads, strict=True))
        return self._npo(batch.forget), linear

    def combine(self, forget_grads, retain_grads):
        self._move(-1)
        return super().combine(forget_grads, retain_grads)

    def _npo(self, sequences):
        margin = self.nll(sequences) - self.reference_nll(sequences)
        return -(2 / self.beta) * logsigmoid(self.beta * margin).mean()

    @torch.no_grad()
    def _move(self, sign):
        for parameter, shift in zip(self.moved, self.shift, strict=True):
            parameter.add_(sign * shift)
