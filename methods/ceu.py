"""Cross-entropy unlearning: the next token is what the model would say if the answer's token did
not exist.
"""

import torch
from torch.nn import functional as F

from benchmark.api import GradientMethod, register_method


@register_method("ceu", reference="yang2025ceu", family="entropy", sees={"forget"})
class CEU(GradientMethod):
    """Trains the model towards its own prediction with the true token removed. It needs no
    retain data.

    Cross-entropy to softmax(sg z) without the answer's token, over the answer tokens of forget
    (Yang 2025, CE-U, eq. 5). No retain loss. Public code skips the first answer token; here, where
    answers may have only two, all count.
    """

    learning_rate: float = 3e-4

    def loss(self, batch):
        logits = self.logits(batch.forget)
        targets = batch.forget.targets[:, None]
        without = logits.detach().scatter(1, targets, -torch.inf)
        return F.cross_entropy(logits, without.softmax(-1))
