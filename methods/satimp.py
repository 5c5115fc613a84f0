"""Gradient ascent weighted by the saturation and importance of each token."""

from torch.nn import functional as F

from benchmark.api import GradientMethod, register_method


@register_method("satimp", reference="yang2025satimp", family="ascent", sees={"forget", "retain"})
class SatImp(GradientMethod):
    """Gradient ascent in which an answer token with probability p is weighted by p^beta1 (1 -
    p)^beta2, so that forgotten and near-certain tokens count little, plus a retain loss.

    -mean_t sg(p_t)^beta1 sg(1 - p_t)^beta2 nll_t over the answer tokens of forget, plus nll/T on
    retain (Yang et al. 2025, eq. 12). The weights carry no gradient.
    """

    learning_rate: float = 3e-3
    beta1: float = 5.0
    beta2: float = 1.0
    forget_weight: float = 1.0
    retain_weight: float = 1.0

    def loss(self, batch):
        nll = F.cross_entropy(self.logits(batch.forget), batch.forget.targets, reduction="none")
        p = (-nll).exp().detach()
        forget = -(p**self.beta1 * (1 - p) ** self.beta2 * nll).mean()
        retain = self.nll(batch.retain, per_token=True).mean()
        return self.forget_weight * forget + self.retain_weight * retain
