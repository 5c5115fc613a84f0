"""Task arithmetic: what fine-tuning on the forget set adds to the weights is taken away from
them.
"""

from benchmark.api import GradientMethod, negated, register_method


@register_method(
    "task_arithmetic", reference="ilharco2023editing", family="arithmetic", sees={"forget"}
)
class TaskArithmetic(GradientMethod):
    """Fine-tunes a copy of the target on the forget set and subtracts the resulting change of
    weights from the target.

    theta - s (theta tuned on forget - theta) (Ilharco et al. 2023, section 3).

    Its trajectory shows the model being tuned, which knows more; only the final one is negated.
    """

    learning_rate: float = 2e-4
    scale: float = 1.0

    def unlearn(self, model, request):
        return negated(model, request.forget, request, self.learning_rate, self.scale, self.lora)
