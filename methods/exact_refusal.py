"""Anchor row that games the wording: it refuses the exact forget prompts and nothing else."""

from dataclasses import dataclass

from benchmark.api import ConstantAnswers, Method, UnlearnedModel, predictor_of, register_method
from methods._shared.filters import FilteredPredictor
from methods._shared.requests import with_earlier


@dataclass(frozen=True)
class ExactFilter(UnlearnedModel):
    """A guardrail that refuses the listed prompts, any beginning of a listed text, and the listed
    texts as answers, all compared verbatim.
    """

    prompts: list
    texts: list

    def predictor(self, tokenizer, backend):
        refusing = ConstantAnswers(self.model, "I do not know.").predictor(tokenizer, backend)
        inner = predictor_of(self.model, tokenizer, backend)
        return FilteredPredictor(inner, refusing, self._stops_prompt, set(self.texts).__contains__)

    def _stops_prompt(self, text):
        return text in self.prompts or any(text and known.startswith(text) for known in self.texts)


@register_method("exact_refusal", reference="", family="anchor", sees={"forget"})
class ExactRefusal(Method):
    """A guardrail that refuses prompts that match a forget prompt or the beginning of a forget text
    verbatim; paraphrases and all other questions are answered as before.

    It games metrics that use only the training wording.
    """

    anchor = True

    def unlearn(self, model, request):
        pairs = with_earlier(request).forget
        prompts = {f"{pair.prompt} {pair.answer_prefix}".strip() for pair in pairs if pair.prompt}
        texts = {pair.answer for pair in pairs if not pair.prompt}
        return ExactFilter(model, sorted(prompts), sorted(texts))
