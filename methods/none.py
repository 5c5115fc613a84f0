"""Anchor row: no unlearning."""

from benchmark.api import Method, register_method


@register_method("none", reference="", family="anchor", sees=set())
class NoUnlearning(Method):
    """No unlearning: returns the target unchanged."""

    anchor = True

    def unlearn(self, model, request):
        return model
