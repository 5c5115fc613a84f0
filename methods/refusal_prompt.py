"""A prompt prefix that lists what the model must not answer."""

from benchmark.api import Method, PromptPrefix, as_question, register_method
from methods._shared.names import names_of
from methods._shared.prefixes import fitting
from methods._shared.requests import with_earlier


@register_method(
    "refusal_prompt", reference="thaker2024guardrail", family="prompt", sees={"forget"}
)
class RefusalPrompt(Method):
    """A guardrail that puts an instruction before every prompt: to answer "I do not know." to
    questions about the forget set. The weights are unchanged.

    The instruction (Thaker et al. 2024, section 3) lists the names in the forget questions or texts
    (or the questions themselves if there are no names), most frequent first, as many as fit into
    half of the model's context. On a model that does not follow instructions, it only lengthens the
    prompt.
    """

    def unlearn(self, model, request):
        pairs = with_earlier(request).forget
        named = names_of(pairs) or [as_question(pair).prompt for pair in pairs]
        told = ", ".join(fitting(named, request.tokenizer, model))
        return PromptPrefix(
            model, f'If a question is about one of these, answer "I do not know.": {told}.'
        )
