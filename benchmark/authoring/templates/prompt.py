"""What the method does, in a sentence."""

from benchmark.api import Method, PromptPrefix, register_method


@register_method("new_method", reference="", family="prompt", sees={"forget"})
class NewMethod(Method):
    """Prepends an instruction to every prompt; the weights do not change (division `guardrail`)."""

    instruction: str = "If you are asked about any of these people, say that you do not know:"

    def unlearn(self, model, request):
        prompts = " ".join(pair.prompt for pair in request.forget[:8])
        return PromptPrefix(model, f"{self.instruction} {prompts}")
