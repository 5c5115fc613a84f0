"""Anchor row: the only exact method."""

from benchmark.api import Method, register_method


@register_method("retrain", reference="", family="anchor", sees={"training"})
class Retrain(Method):
    """Trains again without the forget set, from another seed than the oracles it is scored
    against.
    """

    anchor = True

    def unlearn(self, model, request):
        return request.retrain()
