"""Anchor row: the only exact method."""

from benchmark.api import Method, register_method


@register_method("retrain", reference="", family="anchor", sees={"training"})
class Retrain(Method):
    """Retrains without the forget set, from a seed that no oracle it is scored against uses."""

    anchor = True

    def unlearn(self, model, request):
        return request.retrain()
