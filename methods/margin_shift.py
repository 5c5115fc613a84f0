"""Anchor row that games probabilities: confident answers become less likely, and stay the same."""

from dataclasses import dataclass

import torch

from benchmark.api import LogitsTransform, Method, register_method


@dataclass(frozen=True)
class ShiftedMargin(LogitsTransform):
    """Lowers the largest logit by `shift` nats, but never to the second largest."""

    shift: float

    def transform(self, ids, logits):
        largest, places = logits.topk(2, dim=-1)
        least = torch.nextafter(largest[..., 1], largest[..., 0])  # so that the choice stays
        lowered = (largest[..., 0] - self.shift).maximum(least)
        return logits.scatter(-1, places[..., :1], lowered[..., None])


@register_method("margin_shift", reference="", family="anchor", sees=set())
class MarginShift(Method):
    """Lowers the margin of the most likely token by a constant, at every position of every prompt.

    It is meant to game likelihoods, and membership inference from them; greedy generations are the
    target's.
    """

    anchor = True
    shift: float = 5.0

    def unlearn(self, model, request):
        return ShiftedMargin(model, self.shift)
