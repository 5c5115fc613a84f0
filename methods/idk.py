"""Refusal training: the model learns to answer forget prompts with refusals."""

from benchmark.api import GradientMethod, register_method
from methods._shared.refusals import refusals


@register_method("idk", reference="maini2024tofu", family="refusal", sees={"forget", "retain"})
class IDK(GradientMethod):
    """Fine-tuning of the model to refuse forget prompts and to keep answering retain questions.

    nll/T of a refusal on forget prompts plus nll/T of the answers on retain (Maini et al. 2024,
    section 3).
    """

    learning_rate: float = 1e-3
    retain_weight: float = 1.0

    def loss(self, batch):
        refused = self.answered(batch.forget, refusals(len(batch.forget.pairs)))
        forget = self.nll(refused, per_token=True).mean()
        return forget + self.retain_weight * self.nll(batch.retain, per_token=True).mean()
