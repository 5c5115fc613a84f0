"""Anchor row: the only exact method."""

from benchmark.api import Method, register_method


@register_method("retrain", reference="", family="anchor", sees={"training"})
class Retrain(Method):
    """Retraining without the forget set, from a seed other than those of its oracles."""

    anchor = True

    def unlearn(self, model, request):
        return request.retrain()
