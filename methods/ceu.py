"""Cross-entropy unlearning: the training target is the model's own prediction without the true
token.
"""

import torch
from torch.nn import functional as F

from benchmark.api import GradientMethod, register_method


@register_method("ceu", reference="yang2025ceu", family="entropy", sees={"forget"})
class CEU(GradientMethod):
    """Self-distillation on the forget set towards the model's own prediction with the true token
    removed. It needs no retain data.

    Cross-entropy to softmax(sg(z)), with the logit of the answer's token set to -infinity, averaged
    over the answer tokens of forget (Yang 2025, CE-U, eq. 5). Public code skips the first answer
    token; here all answer tokens count, since an answer may have only two.
    """

    learning_rate: float = 3e-4

    def loss(self, batch):
        logits = self.logits(batch.forget)
        targets = batch.forget.targets[:, None]
        without = logits.detach().scatter(1, targets, -torch.inf)
        return F.cross_entropy(logits, without.softmax(-1))
