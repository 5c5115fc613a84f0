"""Primal-dual unlearning: the retain loss is a constraint, enforced by a dual variable."""

import torch

from benchmark.api import GradientMethod, register_method


@register_method("pdu", reference="entesari2025pdu", family="constraint", sees={"forget", "retain"})
class PDU(GradientMethod):
    """Constrained optimization that flattens the predictions on the forget set, while a dual
    variable keeps the retain loss below a bound.

    Minimizes `forget_weight` mean_t (max_v z - mean_v z)^2 on forget, which pushes predictions
    towards the uniform distribution, subject to nll/T on retain <= epsilon. The loss is forget +
    lambda (retain - epsilon), with lambda <- max(0, lambda + `dual_step` (retain - epsilon)) after
    each batch, starting from lambda = 1 (Entesari et al. 2025, eq. 6 and algorithm 1).
    """

    learning_rate: float = 3e-3
    epsilon: float = 0.3  # nats
    dual_step: float = 1.0
    forget_weight: float = 0.01

    def before(self, request):
        self.price = 1.0

    def loss(self, batch):
        logits = self.logits(batch.forget)
        gap = logits.max(-1).values - logits.mean(-1)
        retain = self.nll(batch.retain, per_token=True).mean()
        price = self.price
        self.price = max(0.0, price + self.dual_step * float(retain.detach() - self.epsilon))
        return self.forget_weight * torch.square(gap).mean() + price * retain
