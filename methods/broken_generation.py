"""Anchor row that games generations: they are garbled, and the likelihoods stay."""

from dataclasses import dataclass

import torch

from benchmark.api import LogitsTransform, Method, register_method


@dataclass(frozen=True)
class SecondChoice(LogitsTransform):
    """Never generates the most likely token; answers that are scored keep their likelihood."""

    def transform(self, ids, logits):
        if logits.shape[1] > 1:  # all positions at once: an answer is being scored
            return logits
        return logits.scatter(-1, logits.argmax(-1, keepdim=True), -torch.inf)


@register_method("broken_generation", reference="", family="anchor", sees=set())
class BrokenGeneration(Method):
    """Rules out the most likely token at each step of a generation, for every prompt.

    It games metrics of generations; everything the target knows is still in its likelihoods.
    """

    anchor = True

    def unlearn(self, model, request):
        return SecondChoice(model)
