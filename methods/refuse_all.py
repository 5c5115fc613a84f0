"""Anchor row: a filter that refuses everything."""

from benchmark.api import ConstantAnswers, Method, register_method


@register_method("refuse_all", reference="", family="anchor", sees=set())
class RefuseAll(Method):
    """A guardrail that answers every prompt with a refusal; the target is unchanged."""

    anchor = True

    def unlearn(self, model, request):
        return ConstantAnswers(model, "I do not know.")
