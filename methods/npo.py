"""Negative preference optimisation."""

from benchmark.api import GradientMethod, logsigmoid, register_method


@register_method(
    "npo", reference="zhang2024npo", family="preference", sees={"forget", "retain", "target"}
)
class NPO(GradientMethod):
    """Gradient ascent bounded by the target's own likelihood (Zhang et al. 2024, eq. 3), with a
    retain loss.
    """

    learning_rate: float = 1.5e-4
    beta: float = 0.1
    retain_weight: float = 1.0

    def loss(self, batch):
        margin = self.nll(batch.forget) - self.reference_nll(
            batch.forget
        )  # summed over answer tokens, (B,)
        forget = -(2 / self.beta) * logsigmoid(self.beta * margin).mean()
        return forget + self.retain_weight * self.nll(batch.retain, per_token=True).mean()
