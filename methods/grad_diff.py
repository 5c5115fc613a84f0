"""Gradient difference: ascent on the forget set, descent on the retain set."""

from benchmark.api import GradientMethod, register_method


@register_method(
    "grad_diff", reference="liu2022continual", family="ascent", sees={"forget", "retain"}
)
class GradDiff(GradientMethod):
    """Gradient ascent on the forget set and, at the same time, gradient descent on the retain
    set.

    -nll/T on forget plus nll/T on retain (Liu et al. 2022; Maini et al. 2024, section 3).
    """

    learning_rate: float = 2e-4
    retain_weight: float = 1.0

    def loss(self, batch):
        forget = -self.nll(batch.forget, per_token=True).mean()
        return forget + self.retain_weight * self.nll(batch.retain, per_token=True).mean()
