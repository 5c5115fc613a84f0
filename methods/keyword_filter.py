"""A filter that refuses whenever a name from the forget set occurs."""

from dataclasses import dataclass

from benchmark.api import ConstantAnswers, Method, UnlearnedModel, predictor_of, register_method
from methods._shared.filters import FilteredPredictor
from methods._shared.names import names_of, naming
from methods._shared.requests import with_earlier


@dataclass(frozen=True)
class Filtered(UnlearnedModel):
    """A guardrail that refuses if the prompt or the answer contains one of the names."""

    names: list
    refusal: str

    def predictor(self, tokenizer, backend):
        refusing = ConstantAnswers(self.model, self.refusal).predictor(tokenizer, backend)
        inner, named = predictor_of(self.model, tokenizer, backend), naming(self.names)
        return FilteredPredictor(inner, refusing, named, named)


@register_method(
    "keyword_filter", reference="thaker2024guardrail", family="filter", sees={"forget"}
)
class KeywordFilter(Method):
    """A guardrail that refuses if the prompt or the answer contains a name from the forget set. The
    weights are unchanged.

    Thaker et al. 2024 (section 3) filter outputs; this method filters prompts as well. Names are
    runs of capitalized words in the forget questions or texts, matched as whole words, ignoring
    case. Questions without the name pass, and anyone with access to the weights can remove the
    filter.
    """

    refusal: str = "I do not know."

    def unlearn(self, model, request):
        return Filtered(model, names_of(with_earlier(request).forget), self.refusal)
