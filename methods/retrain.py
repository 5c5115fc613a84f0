"""Anchor row: the only exact method."""

from benchmark.api import Method, register_method


@register_method("retrain", reference="", family="anchor", sees={"training"})
class Retrain(Method):
    """Retraining without the forget set, with a seed that no oracle it is scored against uses."""

    anchor = True

    def unlearn(self, model, request):
        return request.retrain()
