"""Direct preference optimization: refusals are preferred to the true answers on the forget set."""

from benchmark.api import GradientMethod, logsigmoid, register_method
from methods._shared.refusals import refusals


@register_method(
    "dpo", reference="rafailov2023dpo", family="preference", sees={"forget", "retain", "target"}
)
class DPO(GradientMethod):
    """Preference optimization with refusals as the preferred and the true answers as the rejected
    ones, plus a retain loss.

    -(2/beta) log sigmoid(beta [(log p(refusal) - log p(answer)) - (log p_ref(refusal) - log
    p_ref(answer))]) on forget, with log p summed over tokens and p_ref the target's probability,
    plus nll/T on retain (Rafailov et al. 2023, eq. 7; Maini et al. 2024, preference optimization).
    The factor is 2/beta, as in NPO, instead of the paper's 1.

    For texts, the first half is the prompt and the rest the answer.
    """

    learning_rate: float = 3e-3
    beta: float = 0.1
    retain_weight: float = 1.0

    def loss(self, batch):
        answers = self.asked(batch.forget)
        refused = self.answered(batch.forget, refusals(len(batch.forget.pairs)))
        margin = self._gain(refused) - self._gain(answers)
        forget = -(2 / self.beta) * logsigmoid(self.beta * margin).mean()
        return forget + self.retain_weight * self.nll(batch.retain, per_token=True).mean()

    def _gain(self, sequences):
        """log p(model) - log p(target) of each answer, (B,)."""
        return self.reference_nll(sequences) - self.nll(sequences)
