"""Negative preference optimization held back by the target's own answers."""

from benchmark.api import GradientMethod, logsigmoid, register_method
from methods._shared.divergences import kl


@register_method(
    "npo_kl", reference="zhang2024npo", family="preference", sees={"forget", "retain", "target"}
)
class NPOKL(GradientMethod):
    """NPO with a KL term that keeps predictions on retain data close to the target's, instead of
    a retain loss.

    The forget loss of NPO, with the factor 2/beta (Zhang et al. 2024, eq. 3), plus KL(target ||
    model) at the answer tokens of retain instead of a retain loss (section 4.2 there).
    """

    learning_rate: float = 3e-4
    beta: float = 0.1
    retain_weight: float = 1.0

    def loss(self, batch):
        margin = self.nll(batch.forget) - self.reference_nll(batch.forget)
        forget = -(2 / self.beta) * logsigmoid(self.beta * margin).mean()
        kept = kl(self.reference_logits(batch.retain), self.logits(batch.retain)).mean()
        return forget + self.retain_weight * kept
