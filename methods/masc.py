"""Margins are lowered to a calibrated level, and training stops by itself."""

import math

import torch

from benchmark.api import GradientMethod, register_method


@register_method("masc", reference="masc2026", family="margin", sees={"forget"})
class MASC(GradientMethod):
    """weight mean_t relu(m_t - (tau - eta))/eta with the margin m_t = z_y - logsumexp of the ten
    largest other logits and tau = log(rho/(1 - rho)) (arXiv 2606.02920). No retain loss.

    Training stops as soon as at most `enough` of a batch's answer tokens have a margin above tau:
    the rule needs neither labels nor an oracle. The paper takes a random suffix of each answer;
    answers here are short, so that all of their tokens count.
    """

    learning_rate: float = 3e-4
    weight: float = 1.0
    rho: float = 0.7
    eta: float = 0.25
    enough: float = 0.475

    def before(self, request):
        self.above = 1.0  # the share of tokens above tau in the last batch

    def batches(self, request):
        for batch in request.batches():
            if self.above <= self.enough:
                return
            yield batch

    def loss(self, batch):
        logits, targets = self.logits(batch.forget), batch.forget.targets[:, None]
        others = logits.scatter(1, targets, -torch.inf).topk(10, dim=-1).values
        margins = logits.gather(1, targets)[:, 0] - others.logsumexp(-1)
        tau = math.log(self.rho / (1 - self.rho))
        self.above = float((margins.detach() > tau).float().mean())
        return self.weight * (margins - (tau - self.eta)).relu().mean() / self.eta
