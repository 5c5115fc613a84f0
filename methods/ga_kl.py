"""Gradient ascent, regularized by a KL divergence from the target on retain data."""

from benchmark.api import GradientMethod, register_method
from methods._shared.divergences import kl


@register_method(
    "ga_kl", reference="maini2024tofu", family="ascent", sees={"forget", "retain", "target"}
)
class GAKL(GradientMethod):
    """Gradient ascent on the forget set, with a KL term that keeps the model's predictions on
    retain data close to the target's.

    -nll/T on forget plus KL(target || model), averaged over the answer tokens of retain (Maini et
    al. 2024, section 3.2, KL minimization).
    """

    learning_rate: float = 1e-4
    retain_weight: float = 1.0

    def loss(self, batch):
        forget = -self.nll(batch.forget, per_token=True).mean()
        kept = kl(self.reference_logits(batch.retain), self.logits(batch.retain)).mean()
        return forget + self.retain_weight * kept
