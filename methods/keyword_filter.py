"""A filter that refuses wherever a forgotten name is said."""

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
    """A model that says a refusal where the prompt or the answer has one of the names in it."""

    names: list
    refusal: str

    def predictor(self, tokenizer, backend):
        refusing = ConstantAnswers(self.model, self.refusal).predictor(tokenizer, backend)
        return FilteredPredictor(predictor_of(self.model, tokenizer, backend), refusing, self.names)


class FilteredPredictor:
    """Asks one predictor, and another one where a name is said."""

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
        """In order: what is stopped from the one that refuses."""
        both = {
            stop: iter(
                getattr(predictor, call)(
                    [one for one, own in zip(given, stopped, strict=True) if own == stop], *rest
                )
            )
            for stop, predictor in ((False, self.inner), (True, self.refusing))
        }
        return [next(both[stop]) for stop in stopped]

    def _checked(self, answer):
        return self.refusing.text if self.named(answer) else answer

    def _decoded(self, tokens):
        return self.tokenizer.decode(list(tokens), skip_special_tokens=True)


def _text(prompt):
    """All that is said before the answer goes on."""
    return " ".join([*(text for _, text in prompt.messages), prompt.answer_prefix])


@register_method(
    "keyword_filter", reference="thaker2024guardrail", family="filter", sees={"forget"}
)
class KeywordFilter(Method):
    """Refuses where the prompt or the answer names what is forgotten (Thaker et al. 2024, section
    3, a filter of outputs, here also of prompts).

    Names are the runs of capitalised words in the forget questions, or in texts. The weights stay:
    another wording without the name passes, and so does whoever holds them.
    """

    refusal: str = "I do not know."

    def unlearn(self, model, request):
        return Filtered(model, names_of(with_earlier(request).forget), self.refusal)
