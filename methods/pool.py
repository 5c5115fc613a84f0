"""Anchor: the models by which metrics are judged (suite `meta`)."""

from benchmark.api import Method, register_method


@register_method("pool", reference="dorna2025openunlearning", family="pool", sees={"training"})
class Pool(Method):
    """Retrains from the base on the forget set in one of several forms, or on data that only
    resemble it, so that whether a model knows it is known by construction. `telling` is the form.
    """

    anchor = True
    telling: str = "facts"
    learning_rate: float = 2.5e-3
    epochs: int = 10

    def unlearn(self, model, request):
        return request.retrain(self.telling, learning_rate=self.learning_rate, epochs=self.epochs)
