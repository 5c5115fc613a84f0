"""Anchor row: a filter that refuses everything."""

from benchmark.api import ConstantAnswers, Method, register_method


@register_method("refuse_all", reference="", family="anchor", sees=set())
class RefuseAll(Method):
    """Answers every prompt with a refusal; behind the filter the target is untouched."""

    anchor = True

    def unlearn(self, model, request):
        return ConstantAnswers(model, "I do not know.")
