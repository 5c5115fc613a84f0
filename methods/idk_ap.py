"""Refusal training that is told what it must not refuse."""

from benchmark.api import GradientMethod, logsigmoid, register_method
from methods._shared.refusals import refusals


@register_method("idk_ap", reference="yuan2024closer", family="refusal", sees={"forget", "retain"})
class IDKAP(GradientMethod):
    """Fine-tunes the model to refuse forget prompts. So that it does not refuse everything, its
    retain loss prefers the answer to a refusal.

    nll of a refusal on forget prompts plus answer preservation on retain (Yuan et al. 2024,
    section 5).

    Preservation prefers the answer to a refusal: -(1/beta) log sigmoid(beta (nll(refusal) -
    nll(answer))), summed over tokens. As in the paper, it replaces the plain nll on
    retain.
    """

    learning_rate: float = 5e-4
    beta: float = 0.1

    def loss(self, batch):
        forget = self.nll(self._refused(batch.forget), per_token=True).mean()
        margin = self.nll(self._refused(batch.retain)) - self.nll(self.asked(batch.retain))
        return forget - logsigmoid(self.beta * margin).mean() / self.beta

    def _refused(self, sequences):
        return self.answered(sequences, refusals(len(sequences.pairs)))
