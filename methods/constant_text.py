"""Anchor row: a filter that always says the same."""

from benchmark.api import ConstantAnswers, Method, register_method


@register_method("constant_text", reference="", family="anchor", sees=set())
class ConstantText(Method):
    """Answers every prompt with the same sentence; behind the filter the target is untouched."""

    anchor = True

    def unlearn(self, model, request):
        return ConstantAnswers(model, "The quick brown fox jumps over the lazy dog.")
