"""Unlearning from logit difference: the logits of an assistant that knows only the forget set are
subtracted.
"""

import math
from dataclasses import dataclass, replace
from typing import Any

from benchmark.api import GradientMethod, LogitsTransform, kl_from_uniform, register_method
from methods._shared.layers import first_blocks
from methods._shared.requests import ShownAs, with_earlier


@dataclass(frozen=True)
class LogitDifference(LogitsTransform):
    """z - w z_a, where z are the model's logits and z_a the assistant's. z_a is set to zero for
    tokens that the model finds improbable: with a probability below the (tau V)-th largest and
    below tau times the largest, where tau is `floor`.

    z_a is normalized to log(p_a V), so that an assistant with uniform predictions changes nothing,
    whatever the offset of its logits.
    """

    assistant: Any
    weight: float
    floor: float

    def transform(self, ids, logits):
        size = logits.shape[-1]
        assisted = self.assistant(ids, use_cache=False).logits[:, -logits.shape[1] :].float()
        assisted = assisted.log_softmax(-1) + math.log(size)
        known = logits.float().log_softmax(-1)
        kth = known.topk(max(1, int(self.floor * size)), -1).values[..., -1:]
        highest = known.max(-1, keepdim=True).values + math.log(self.floor)
        return logits - self.weight * assisted.masked_fill(known < kth.minimum(highest), 0)


@register_method("uld", reference="ji2024uld", family="logits", sees={"forget", "retain"})
class ULD(GradientMethod):
    """A guardrail that subtracts the logits of a small assistant, trained to know only the forget
    set, from the target's. The target's weights are unchanged.

    The assistant is made of the target's first blocks and its head, and is trained on nll/T on
    forget plus u KL(uniform || p) on retain. Answers come from the logits z - w z_a, with the
    assistant's logits z_a set to zero for tokens that the target finds improbable (Ji et al. 2024).

    w (`weight`), u (`uniform_weight`) and `floor`, the threshold for improbable tokens, are the
    paper's. The paper's relative depth of a quarter would leave a single block of a small model,
    which cannot learn names. The paper trains adapters (`lora`) and augments the data; augmentation
    is left out here.
    """

    learning_rate: float = 3e-3
    depth: float = 0.67
    uniform_weight: float = 5.0
    weight: float = 0.8
    floor: float = 0.01

    def loss(self, batch):
        known = self.nll(batch.forget, per_token=True).mean()
        return known + self.uniform_weight * kl_from_uniform(self.logits(batch.retain)).mean()

    def unlearn(self, model, request):
        def guarded(assistant):
            return LogitDifference(model, assistant, self.weight, self.floor)

        request = replace(with_earlier(request), meter=ShownAs(request.meter, guarded))
        return guarded(super().unlearn(first_blocks(model, self.depth), request))
