"""Requests as guardrails need them."""

from dataclasses import replace

from benchmark.api import Pair


def with_earlier(request):
    """The request, to forget also what earlier ones asked for: a guardrail of the current one alone
    would bring that back, since it is put around the bare weights.
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
    """A meter that counts for another one, and shows it what the model being trained is a part of,
    `shown(model)`, instead of that model.
    """

    def __init__(self, meter, shown):
        self.meter, self.shown = meter, shown

    def step(self, model, tokens):
        training = model.training
        model.eval()
        self.meter.step(self.shown(model), tokens)
        model.train(training)
