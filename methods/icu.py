"""In-context unlearning: forget questions with wrong answers precede every prompt."""

import random

from benchmark.api import Method, PromptPrefix, as_question, register_method
from methods._shared.alternatives import other_answers_of
from methods._shared.prefixes import fitting
from methods._shared.requests import with_earlier


@register_method("icu", reference="pawelczyk2024icu", family="prompt", sees={"forget", "retain"})
class ICU(Method):
    """A guardrail that puts in-context examples before every prompt: forget questions with wrong
    answers, then as many retain questions with their true answers. The weights are unchanged.

    Up to `shown` questions of each kind (Pawelczyk et al. 2024, section 4). The paper flips labels;
    here, a wrong answer is the answer to a similarly worded question. The paper chooses the
    examples for each query; here, all prompts get the same random sample, as much of it as fits
    into half of the model's context.
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
    """A question followed by an answer; for a text, its first half followed by a continuation."""
    return " ".join(f"{as_question(pair).prompt} {answer}".split())
