"""Anchor row: a filter that gives the same answer to every prompt."""

from benchmark.api import ConstantAnswers, Method, register_method


@register_method("constant_text", reference="", family="anchor", sees=set())
class ConstantText(Method):
    """A guardrail that answers every prompt with the same sentence; the target is unchanged."""

    anchor = True

    def unlearn(self, model, request):
        return ConstantAnswers(model, "The quick brown fox jumps over the lazy dog.")
