"""Margin self-correction: lowers margins to a calibrated level and ends training by itself."""

import math

from benchmark.api import GradientMethod, margins, register_method


@register_method("masc", reference="masc2026", family="margin", sees={"forget"})
class MASC(GradientMethod):
    """Training that lowers the margin of each answer token until the model is no longer confident
    in it, and then stops. It needs no retain data.

    `weight` mean_t relu(m_t - (tau - eta))/eta on forget, with the margin m_t = z_y - logsumexp of
    the ten largest other logits and tau = log(rho/(1 - rho)) (arXiv 2606.02920). Training ends once
    at most the share `stop_share` of a batch's answer tokens has a margin above log(0.7/0.3), which
    is tau at the default rho.

    The paper uses a random suffix of each answer; answers here are short, so all of their tokens
    count.
    """

    learning_rate: float = 3e-4
    stop_share: float | None = 0.475
    weight: float = 1.0
    rho: float = 0.7
    eta: float = 0.25

    def loss(self, batch):
        above = margins(self.logits(batch.forget), batch.forget.targets)
        tau = math.log(self.rho / (1 - self.rho))
        return self.weight * (above - (tau - self.eta)).relu().mean() / self.eta
