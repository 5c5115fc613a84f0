"""Anchor: the models by which metrics are judged (suite `meta`)."""

from benchmark.api import Method, register_method


@register_method("pool", reference="dorna2025openunlearning", family="pool", sees={"training"})
class Pool(Method):
    """Trains again, from the base, with the forget set told in one form or another, or with what
    only resembles it: of these models it is known whether they know it. `telling` says which.
    """

    anchor = True
    telling: str = "facts"
    learning_rate: float = 2.5e-3
    epochs: int = 10

    def unlearn(self, model, request):
        return request.retrain(self.telling, learning_rate=self.learning_rate, epochs=self.epochs)
