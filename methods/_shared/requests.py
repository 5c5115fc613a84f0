"""Requests and meters for methods that build guardrails."""

from dataclasses import replace

from benchmark.api import Pair


def with_earlier(request):
    """The request with the forget pairs of all earlier requests added. Each request's guardrail
    wraps the bare weights, so a guardrail for the current request alone would undo the earlier
    ones.
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
    """A meter that passes its counts on to another meter, together with `shown(model)` instead of
    the model being trained, which is only a part of the unlearned model.
    """

    def __init__(self, meter, shown):
        self.meter, self.shown = meter, shown

    def step(self, model, tokens):
        training = model.training
        model.eval()
        self.meter.step(self.shown(model), tokens)
        model.train(training)
