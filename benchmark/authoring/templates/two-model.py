"""What the method does, in a sentence."""

import copy
from dataclasses import dataclass
from typing import Any

from benchmark.api import GradientMethod, LogitsTransform, kl_from_uniform, register_method


@dataclass(frozen=True)
class NewMethodLogits(LogitsTransform):
    """The target's logits minus scaled assistant logits; `ids` are all tokens so far, (B, L)."""

    assistant: Any
    weight: float

    def transform(self, ids, logits):
        return logits - self.weight * self.assistant(ids).logits[:, -logits.shape[1] :]


@register_method("new_method", reference="", family="two models", sees={"forget", "retain"})
class NewMethod(GradientMethod):
    """Trains an assistant that knows only the forget set, and subtracts its logits while the target
    decodes (division `guardrail`).
    """

    learning_rate: float = 1e-3
    weight: float = 0.5

    def loss(self, batch):
        known = self.nll(batch.forget, per_token=True).mean()
        return known + kl_from_uniform(self.logits(batch.retain)).mean()

    def unlearn(self, model, request):
        assistant = super().unlearn(copy.deepcopy(model), request)
        return NewMethodLogits(model, assistant, self.weight)
