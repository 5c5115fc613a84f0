"""Negative preference optimization with a KL divergence from the target on retain data."""

from benchmark.api import GradientMethod, logsigmoid, register_method
from methods._shared.divergences import kl


@register_method(
    "npo_kl", reference="zhang2024npo", family="preference", sees={"forget", "retain", "target"}
)
class NPOKL(GradientMethod):
    """NPO with a KL term that keeps the predictions on retain data close to the target's, in place
    of the retain loss.

    -(2/beta) log sigmoid(beta (nll - nll_ref)) on forget, with nll summed over answer tokens (Zhang
    et al. 2024, eq. 3), plus KL(target || model), averaged over the answer tokens of retain
    (section 4.2).
    """

    learning_rate: float = 3e-4
    beta: float = 0.1
    retain_weight: float = 1.0

    def loss(self, batch):
        margin = self.nll(batch.forget) - self.reference_nll(batch.forget)
        forget = -(2 / self.beta) * logsigmoid(self.beta * margin).mean()
        kept = kl(self.reference_logits(batch.retain), self.logits(batch.retain)).mean()
        return forget + self.retain_weight * kept
