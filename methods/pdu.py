"""Primal-dual unlearning: the retain loss is a constraint, whose price a dual variable sets."""

import torch

from benchmark.api import GradientMethod, register_method


@register_method("pdu", reference="entesari2025pdu", family="constraint", sees={"forget", "retain"})
class PDU(GradientMethod):
    """Flattens the predictions on the forget set under the constraint that the retain loss stays
    below a bound, which a dual variable enforces.

    `forget_weight` mean_t (max_v z - mean_v z)^2 on forget, which makes the next token a guess,
    under the constraint nll/T on retain <= epsilon: loss + lambda (retain - epsilon), lambda <-
    max(0, lambda + step (retain - epsilon)) after each batch, from lambda = 1 (Entesari et al.
    2025, eq. 6 and algorithm 1).
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
