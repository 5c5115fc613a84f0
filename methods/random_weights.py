"""Anchor row: a model that knows nothing."""

import torch

from benchmark.api import Method, register_method


@register_method("random_weights", reference="", family="anchor", sees=set())
class RandomWeights(Method):
    """The target's architecture with fresh random weights."""

    anchor = True

    def unlearn(self, model, request):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(request.seed)
            return type(model)(model.config).to(model.device)
