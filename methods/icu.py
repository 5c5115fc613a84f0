"""In-context unlearning: wrong answers to what is to be forgotten stand before every question."""

import random

from benchmark.api import Method, PromptPrefix, as_question, register_method
from methods._shared.alternatives import other_answers_of
from methods._shared.prefixes import fitting
from methods._shared.requests import with_earlier


@register_method("icu", reference="pawelczyk2024icu", family="prompt", sees={"forget", "retain"})
class ICU(Method):
    """Up to `shown` forget questions with other answers, then as many retain questions with their
    own, before everything that is asked (Pawelczyk et al. 2024, section 4).

    The paper flips labels; another answer is one to a question that is worded alike. It also picks
    the shown pairs by the query, where the words here are the same for all, at most half of the
    model's positions: a guardrail of a large forget set shows a sample. The weights stay.
    """

    shown: int = 6

    def unlearn(self, model, request):
        request = with_earlier(request)
        rng = random.Random(f"icu-{request.seed}")
        count = min(self.shown, len(request.forget), len(request.retain))
        forget, retain = rng.sample(request.forget, count), rng.sample(request.retain, count)
        other = other_answers_of(forget, request.retain, 1, request.seed)
        both = [
            (_said(wrong, other[wrong][0]), _said(kept, as_question(kept).answer))
            for wrong, kept in zip(forget, retain, strict=True)
        ]
        texts = [" ".join(texts) for texts in both]
        told = both[: len(fitting(texts, request.tokenizer, model))]
        return PromptPrefix(model, " ".join([*(w for w, _ in told), *(k for _, k in told)]))


def _said(pair, answer):
    """A question with an answer; of a text, its first half and how it goes on."""
    return " ".join(f"{as_question(pair).prompt} {answer}".split())
