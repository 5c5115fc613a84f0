"""Negative preference optimization."""

from benchmark.api import GradientMethod, logsigmoid, register_method


@register_method(
    "npo", reference="zhang2024npo", family="preference", sees={"forget", "retain", "target"}
)
class NPO(GradientMethod):
    """Gradient ascent with a bounded loss, which fades where an answer is already much less likely
    than under the target, plus a retain loss.

    -(2/beta) log sigmoid(beta (nll - nll_ref)) on forget, with nll summed over answer tokens, plus
    nll/T on retain (Zhang et al. 2024, eq. 3).
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
