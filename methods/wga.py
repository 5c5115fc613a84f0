"""Weighted gradient ascent: tokens that are already unlikely get little weight."""

from torch.nn import functional as F

from benchmark.api import GradientMethod, register_method


@register_method("wga", reference="wang2025rethinking", family="ascent", sees={"forget", "retain"})
class WGA(GradientMethod):
    """Gradient ascent in which each answer token is weighted by its current probability, so that
    the ascent fades as the token is forgotten, plus a retain loss.

    -mean_t sg(p_t)^beta nll_t over the answer tokens of forget, plus nll/T on retain (Wang et
    al. 2025, eq. 9). The weights carry no gradient.
    """

    learning_rate: float = 1e-3
    beta: float = 1.0
    retain_weight: float = 1.0

    def loss(self, batch):
        nll = F.cross_entropy(self.logits(batch.forget), batch.forget.targets, reduction="none")
        forget = -((-nll).exp().detach() ** self.beta * nll).mean()
        return forget + self.retain_weight * self.nll(batch.retain, per_token=True).mean()
