"""A filter on a model's prompts and answers, which replaces the answers by refusals."""

from typing import Any


class FilteredPredictor:
    """Predictor that sends prompts to `inner`, or to `refusing` if the filter stops them.

    `stops_prompt` and `stops_answer` are predicates on texts. A generated answer that is stopped is
    replaced by the refusal; an answer to score goes to `refusing` if it or its prompt is stopped.
    """

    def __init__(self, inner: Any, refusing: Any, stops_prompt, stops_answer):
        self.inner, self.refusing = inner, refusing
        self.stops_prompt, self.stops_answer = stops_prompt, stops_answer

    @property
    def tokenizer(self):
        return self.inner.tokenizer

    def score(self, pairs):
        stopped = [p for p in pairs if self._stops(_text(p.asked), p.answer)]
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
        stopped = [self._stops(self._decoded(p), self._decoded(a)) for p, a in sequences]
        return self._merged("score_tokens", sequences, stopped)

    def generate_tokens(self, prompts, max_new_tokens):
        stopped = [self.stops_prompt(self._decoded(prompt)) for prompt in prompts]
        said = self._merged("generate_tokens", prompts, stopped, max_new_tokens)
        again = [self.stops_answer(self._decoded(answer)) for answer in said]
        return [
            self.refusing.generate_tokens([prompt], max_new_tokens)[0] if stop else answer
            for prompt, answer, stop in zip(prompts, said, again, strict=True)
        ]

    def _stops(self, prompt, answer):
        return self.stops_prompt(prompt) or self.stops_answer(answer)

    def _said(self, call, given, text_of, *rest):
        stopped = [one for one in given if self.stops_prompt(text_of(one))]
        others = [one for one in given if one not in set(stopped)]
        answers = getattr(self.inner, call)(others, *rest)
        return answers | getattr(self.refusing, call)(stopped, *rest)

    def _merged(self, call, given, stopped, *rest):
        """The answers in order; those to stopped prompts come from the refusing predictor."""
        answers = {}
        for stop, predictor in ((False, self.inner), (True, self.refusing)):
            asked = [one for one, flag in zip(given, stopped, strict=True) if flag == stop]
            answers[stop] = iter(getattr(predictor, call)(asked, *rest))
        return [next(answers[stop]) for stop in stopped]

    def _checked(self, answer):
        return self.refusing.text if self.stops_answer(answer) else answer

    def _decoded(self, tokens):
        return self.tokenizer.decode(list(tokens), skip_special_tokens=True)


def _text(prompt):
    """All text before the answer."""
    return " ".join([*(text for _, text in prompt.messages), prompt.answer_prefix]).strip()
