"""A filter that refuses whenever a forgotten name occurs."""

from dataclasses import dataclass
from typing import Any

from benchmark.api import (
    ConstantAnswers,
    Method,
    UnlearnedModel,
    predictor_of,
    register_method,
)
from methods._shared.names import names_of, naming
from methods._shared.requests import with_earlier


@dataclass(frozen=True)
class Filtered(UnlearnedModel):
    """A model that refuses if the prompt or the answer contains one of the names."""

    names: list
    refusal: str

    def predictor(self, tokenizer, backend):
        refusing = ConstantAnswers(self.model, self.refusal).predictor(tokenizer, backend)
        return FilteredPredictor(predictor_of(self.model, tokenizer, backend), refusing, self.names)


class FilteredPredictor:
    """Passes prompts on to one predictor, and those that contain a name to another."""

    def __init__(self, inner: Any, refusing: Any, names):
        self.inner, self.refusing, self.named = inner, refusing, naming(names)

    @property
    def tokenizer(self):
        return self.inner.tokenizer

    def score(self, pairs):
        stopped = [p for p in pairs if self.named(f"{_text(p.asked)} {p.answer}")]
        rest = [pair for pair in pairs if pair not in set(stopped)]
        return self.inner.score(rest) | self.refusing.score(stopped)

    def generate(self, prompts, max_new_tokens):
        said = self._said("generate", prompts, _text, max_new_tokens)
        return {prompt: self._checked(answer) for prompt, answer in said.items()}

    def go_on(self, texts, max_new_tokens):
        said = self._said("go_on", texts, str, max_new_tokens)
        return {text: self._checked(answer) for text, answer in said.items()}

    def sample(self, prompts, max_new_tokens, samples):
        said = self._said("sample", prompts, _text, max_new_tokens, samples)
        return {prompt: tuple(map(self._checked, drawn)) for prompt, drawn in said.items()}

    def score_tokens(self, sequences):
        stopped = [self.named(self._decoded([*p, *a])) for p, a in sequences]
        return self._merged("score_tokens", sequences, stopped)

    def generate_tokens(self, prompts, max_new_tokens):
        stopped = [self.named(self._decoded(prompt)) for prompt in prompts]
        said = self._merged("generate_tokens", prompts, stopped, max_new_tokens)
        again = [self.named(self._decoded(answer)) for answer in said]
        return [
            self.refusing.generate_tokens([prompt], max_new_tokens)[0] if stop else answer
            for prompt, answer, stop in zip(prompts, said, again, strict=True)
        ]

    def _said(self, call, given, text_of, *rest):
        stopped = [one for one in given if self.named(text_of(one))]
        others = [one for one in given if one not in set(stopped)]
        return getattr(self.inner, call)(others, *rest) | getattr(self.refusing, call)(
            stopped, *rest
        )

    def _merged(self, call, given, stopped, *rest):
        """The answers in order; those to stopped prompts come from the refusing predictor."""
        answers = {}
        for stop, predictor in ((False, self.inner), (True, self.refusing)):
            asked = [one for one, flag in zip(given, stopped, strict=True) if flag == stop]
            answers[stop] = iter(getattr(predictor, call)(asked, *rest))
        return [next(answers[stop]) for stop in stopped]

    def _checked(self, answer):
        return self.refusing.text if self.named(answer) else answer

    def _decoded(self, tokens):
        return self.tokenizer.decode(list(tokens), skip_special_tokens=True)


def _text(prompt):
    """All text before the answer."""
    return " ".join([*(text for _, text in prompt.messages), prompt.answer_prefix])


@register_method(
    "keyword_filter", reference="thaker2024guardrail", family="filter", sees={"forget"}
)
class KeywordFilter(Method):
    """Refuses if the prompt or the answer contains a forgotten name (Thaker et al. 2024, section 3,
    filter outputs; this one filters prompts as well).

    Names are runs of capitalised words in the forget questions or texts. The weights are unchanged:
    a question without the name passes, and so does anyone with access to the weights.
    """

    refusal: str = "I do not know."

    def unlearn(self, model, request):
        return Filtered(model, names_of(with_earlier(request).forget), self.refusal)
