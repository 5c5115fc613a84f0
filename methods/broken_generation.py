"""Anchor row that games generation metrics: garbled generations, unchanged likelihoods."""

from dataclasses import dataclass

import torch

from benchmark.api import LogitsTransform, Method, register_method


@dataclass(frozen=True)
class SecondChoice(LogitsTransform):
    """A guardrail that never generates the most likely token and does not change the likelihoods of
    scored answers.
    """

    def transform(self, ids, logits):
        if logits.shape[1] > 1:  # all positions at once: an answer is being scored
            return logits
        return logits.scatter(-1, logits.argmax(-1, keepdim=True), -torch.inf)


@register_method("broken_generation", reference="", family="anchor", sees=set())
class BrokenGeneration(Method):
    """A guardrail that rules out the most likely token at each step of every generation.

    It games generation metrics: everything the target knows is still in its likelihoods.
    """

    anchor = True

    def unlearn(self, model, request):
        return SecondChoice(model)
