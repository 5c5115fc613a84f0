"""Anchor: the pools of models on which metrics are evaluated (suite `meta`)."""

from benchmark.api import Method, register_method


@register_method("pool", reference="dorna2025openunlearning", family="pool", sees={"training"})
class Pool(Method):
    """A model whose knowledge of the forget set is known by construction, retrained from the base.

    It is trained on the forget set in the form given by `telling`: as the target reads it
    ("facts"), in held-out wordings ("wordings") or as running text ("text"). Or it is trained on
    other data in place of the forget set: wrong answers ("wrong"), other subjects ("others") or no
    data ("nothing"). With the prefix "later_", a model trained without the forget set is trained
    further on that form.
    """

    anchor = True
    telling: str = "facts"
    learning_rate: float = 2.5e-3
    epochs: int = 10

    def unlearn(self, model, request):
        return request.retrain(self.telling, learning_rate=self.learning_rate, epochs=self.epochs)
