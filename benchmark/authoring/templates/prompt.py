"""What the method does, in a sentence."""

from benchmark.api import Method, PromptPrefix, register_method


@register_method("new_method", reference="", family="prompt", sees={"forget"})
class NewMethod(Method):
    """An instruction before every prompt; the weights stay as they are (division `guardrail`)."""

    instruction: str = "If you are asked about any of these people, say that you do not know:"

    def unlearn(self, model, request):
        prompts = " ".join(pair.prompt for pair in request.forget[:8])
        return PromptPrefix(model, f"{self.instruction} {prompts}")
