"""NPO without a reference model, on the mean log-likelihood of an answer's tokens."""

from benchmark.api import GradientMethod, logsigmoid, register_method


@register_method(
    "simnpo", reference="fan2024simnpo", family="preference", sees={"forget", "retain"}
)
class SimNPO(GradientMethod):
    """NPO without a reference model, normalized by the length of the answer, plus a retain loss.

    -(2/beta) `forget_weight` log sigmoid(beta (nll/T - delta)) on forget, where T is the number of
    answer tokens, plus nll/T on retain (Fan et al. 2024, eq. 4; `delta` is the paper's gamma /
    beta).

    The margin is a mean over tokens, unlike the sum in NPO, so long answers are not forgotten
    first.
    """

    learning_rate: float = 3e-3
    beta: float = 4.5
    delta: float = 0.0
    forget_weight: float = 0.125
    retain_weight: float = 1.0

    def loss(self, batch):
        margin = self.nll(batch.forget, per_token=True) - self.delta
        forget = -(2 / self.beta) * logsigmoid(self.beta * margin).mean()
        retain = self.nll(batch.retain, per_token=True).mean()
        return self.forget_weight * forget + self.retain_weight * retain
