"""Anchor row that games probabilities: likely tokens become less likely but stay the argmax."""

from dataclasses import dataclass

import torch

from benchmark.api import LogitsTransform, Method, register_method


@dataclass(frozen=True)
class ShiftedMargin(LogitsTransform):
    """A guardrail that lowers the largest logit by `shift` nats, but keeps it above the second
    largest.
    """

    shift: float

    def transform(self, ids, logits):
        largest, places = logits.topk(2, dim=-1)
        least = torch.nextafter(largest[..., 1], largest[..., 0])  # keeps the argmax
        lowered = (largest[..., 0] - self.shift).maximum(least)
        return logits.scatter(-1, places[..., :1], lowered[..., None])


@register_method("margin_shift", reference="", family="anchor", sees=set())
class MarginShift(Method):
    """A guardrail that lowers the logit of the most likely token by `shift` nats at every position
    of every prompt, or by less where it would no longer be the largest.

    It is meant to game likelihoods and membership inference from them; greedy generations are the
    target's.
    """

    anchor = True
    shift: float = 5.0

    def unlearn(self, model, request):
        return ShiftedMargin(model, self.shift)
