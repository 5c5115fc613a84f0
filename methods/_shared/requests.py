"""Requests and meters for guardrails."""

from dataclasses import replace

from benchmark.api import Pair


def with_earlier(request):
    """The request with the forget pairs of all earlier requests added: each request's guardrail
    wraps the bare weights, so one for the current request alone would undo the earlier ones.
    """
    earlier = [
        Pair(prompt, answer, prefix, tuple(map(tuple, history)))
        for prompt, answer, prefix, history in request.state.get("asked", [])
    ]
    asked = list(dict.fromkeys([*earlier, *request.forget]))
    request.state["asked"] = [
        [pair.prompt, pair.answer, pair.answer_prefix, [list(turn) for turn in pair.history]]
        for pair in asked
    ]
    return replace(request, forget=asked)


class ShownAs:
    """A meter that passes counts on to another and shows it `shown(model)`, of which the model in
    training is only a part.
    """

    def __init__(self, meter, shown):
        self.meter, self.shown = meter, shown

    def step(self, model, tokens):
        training = model.training
        model.eval()
        self.meter.step(self.shown(model), tokens)
        model.train(training)
