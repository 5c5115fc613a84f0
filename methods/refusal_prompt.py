"""A prompt that tells the model what it is not to answer."""

from benchmark.api import Method, PromptPrefix, as_question, register_method
from methods._shared.names import names_of
from methods._shared.prefixes import fitting
from methods._shared.requests import with_earlier


@register_method(
    "refusal_prompt", reference="thaker2024guardrail", family="prompt", sees={"forget"}
)
class RefusalPrompt(Method):
    """An instruction before every question to answer "I do not know." to all about the forgotten
    (Thaker et al. 2024, section 3).

    It lists the names in the forget questions, the most frequent first, as many as have room in
    half of the model's positions, or the questions where there are none. The weights stay. A model
    that follows no instructions only reads more words.
    """

    def unlearn(self, model, request):
        pairs = with_earlier(request).forget
        named = names_of(pairs) or [as_question(pair).prompt for pair in pairs]
        told = ", ".join(fitting(named, request.tokenizer, model))
        return PromptPrefix(
            model, f'If a question is about one of these, answer "I do not know.": {told}.'
        )
