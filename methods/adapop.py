"""Gradient ascent weighted by the frequency of each fact, with an adaptive retain weight."""

import torch
from torch.nn import functional as F

from benchmark.api import GradientMethod, register_method


@register_method(
    "adapop", reference="adapop2026", family="ascent", sees={"forget", "retain", "frequency"}
)
class AdaPop(GradientMethod):
    """Gradient ascent that fades sooner on rare facts than on frequent ones, plus a retain loss
    whose weight rises when retain performance drops.

    -mean_t sg(p_t)^{b_i} nll_t over the answer tokens of forget, plus w nll/T on retain. b_i =
    clip(`scale` / f_i^`exponent`, 0.05, 2), where f_i is the number of training texts that state
    pair i, at least 1.

    w = clip(1 + lambda, 0, `most`), with lambda = 0 at first. After each epoch of the forget set,
    lambda <- clip(lambda + `rate` (max(0, R/R_1 - 1) - `tolerance`), 0, `most`), where R is a
    moving average of the retain loss in which the newest value has weight `smoothing`, and R_1 is
    the value of R after the first epoch. The exponent is the paper's. The paper's scale of 58.7 is
    for counts in a pre-training corpus and would give all facts stated in fewer than 70 texts the
    same b_i.
    """

    learning_rate: float = 1e-3
    scale: float = 2.0
    exponent: float = 0.796
    rate: float = 1.0
    tolerance: float = 0.05
    most: float = 10.0
    smoothing: float = 0.1

    def before(self, request):
        self.exponents = {
            pair: self._weight(max(1, request.frequency.get(pair, 1))) for pair in request.forget
        }
        self.epoch = -(-len(request.forget) // request.budget.batch_size)  # in steps
        self.price, self.steps, self.average, self.first = 0.0, 0, None, None

    def loss(self, batch):
        nll = F.cross_entropy(self.logits(batch.forget), batch.forget.targets, reduction="none")
        b = torch.tensor([self.exponents[pair] for pair in batch.forget.pairs], device=nll.device)
        forget = -((-nll).exp().detach() ** b[batch.forget.rows] * nll).mean()
        retain = self.nll(batch.retain, per_token=True).mean()
        weight = min(1 + self.price, self.most)
        self._adapt(float(retain.detach()))
        return forget + weight * retain

    def _weight(self, frequency):
        return min(max(self.scale * frequency**-self.exponent, 0.05), 2.0)

    def _adapt(self, retain):
        """Updates the moving average and, after each epoch, lambda."""
        former = retain if self.average is None else self.average
        self.average = (1 - self.smoothing) * former + self.smoothing * retain
        self.steps += 1
        if self.steps % self.epoch:
            return
        self.first = self.first or self.average
        risen = max(0.0, self.average / self.first - 1)
        self.price = min(max(0.0, self.price + self.rate * (risen - self.tolerance)), self.most)
