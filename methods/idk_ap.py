"""Refusal training with answer preservation on the retain set."""

from benchmark.api import GradientMethod, logsigmoid, register_method
from methods._shared.refusals import refusals


@register_method("idk_ap", reference="yuan2024closer", family="refusal", sees={"forget", "retain"})
class IDKAP(GradientMethod):
    """Fine-tuning of the model to refuse forget prompts, with a retain loss that prefers the true
    answer to a refusal and so discourages refusing everything.

    nll/T of a refusal on forget prompts, plus answer preservation on retain: -(1/beta) log
    sigmoid(beta (nll(refusal) - nll(answer))), with nll summed over tokens (Yuan et al. 2024,
    section 5). As in the paper, answer preservation replaces the plain nll on retain.
    """

    learning_rate: float = 5e-4
    beta: float = 0.1

    def loss(self, batch):
        forget = self.nll(self._refused(batch.forget), per_token=True).mean()
        margin = self.nll(self._refused(batch.retain)) - self.nll(self.asked(batch.retain))
        return forget - logsigmoid(self.beta * margin).mean() / self.beta

    def _refused(self, sequences):
        return self.answered(sequences, refusals(len(sequences.pairs)))
