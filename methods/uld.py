"""Unlearning from logit difference: a small assistant knows what is to be forgotten, and its
logits are taken away.
"""

import math
from dataclasses import dataclass, replace
from typing import Any

from benchmark.api import GradientMethod, LogitsTransform, kl_from_uniform, register_method
from methods._shared.layers import first_blocks
from methods._shared.requests import ShownAs, with_earlier


@dataclass(frozen=True)
class LogitDifference(LogitsTransform):
    """z - w z_a, where z_a are the assistant's logits, zero for tokens that are improbable
    already: below the k-th probability and below a share tau of the largest, k = tau V.

    z_a is log(p_a V), the logits less their mean exponential: an assistant that knows nothing
    changes nothing, whatever the offset of its logits.
    """

    assistant: Any
    weight: float
    floor: float

    def transform(self, ids, logits):
        size = logits.shape[-1]
        own = self.assistant(ids, use_cache=False).logits[:, -logits.shape[1] :].float()
        own = own.log_softmax(-1) + math.log(size)
        known = logits.float().log_softmax(-1)
        kth = known.topk(max(1, int(self.floor * size)), -1).values[..., -1:]
        highest = known.max(-1, keepdim=True).values + math.log(self.floor)
        return logits - self.weight * own.masked_fill(known < kth.minimum(highest), 0)


@register_method("uld", reference="ji2024uld", family="logits", sees={"forget", "retain"})
class ULD(GradientMethod):
    """The assistant, the first blocks of the target, learns nll/T on forget plus u KL(uniform || p)
    on retain; answers come from z - w z_a (Ji et al. 2024, eq. 4 to 6).

    The weights stay as they are: a guardrail. w, u and tau are the paper's (.8, 5, .01); its depth
    of a quarter would be a single block of a small model, which learns no names. It trains
    adapters (`lora`) and augments the data, which is left out here. Untuned.
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
