"""Self-distillation with adjusted logits."""

import torch
from torch.nn import functional as F

from benchmark.api import GradientMethod, register_method


@register_method(
    "undial", reference="dong2025undial", family="distillation", sees={"forget", "retain", "target"}
)
class UNDIAL(GradientMethod):
    """Self-distillation towards the target's predictions on the forget set with the logit of the
    true token lowered, plus a retain loss.

    Cross-entropy to softmax(z_ref - beta onehot(y_t)), where z_ref are the target's logits,
    averaged over the answer tokens of forget, plus nll/T on retain (Dong et al. 2025, eq. 3, which
    has no retain term).
    """

    learning_rate: float = 3e-3
    beta: float = 10.0
    forget_weight: float = 1.0
    retain_weight: float = 1.0

    def loss(self, batch):
        targets = batch.forget.targets[:, None]
        taught = self.reference_logits(batch.forget)
        lowered = torch.full_like(targets, -self.beta, dtype=taught.dtype)
        taught = taught.scatter_add(1, targets, lowered)
        forget = F.cross_entropy(self.logits(batch.forget), taught.softmax(-1))
        retain = self.nll(batch.retain, per_token=True).mean()
        return self.forget_weight * forget + self.retain_weight * retain
