"""Anchor row: nothing is done."""

from benchmark.api import Method, register_method


@register_method("none", reference="", family="anchor", sees=set())
class NoUnlearning(Method):
    """Returns the target as it is."""

    anchor = True

    def unlearn(self, model, request):
        return model
