"""Task arithmetic: subtracts the weight change of fine-tuning on the forget set."""

from benchmark.api import GradientMethod, negated, register_method


@register_method(
    "task_arithmetic", reference="ilharco2023editing", family="arithmetic", sees={"forget"}
)
class TaskArithmetic(GradientMethod):
    """Fine-tuning on the forget set, followed by subtraction of the resulting weight change from
    the target.

    theta - `scale` (theta' - theta), where theta are the target's weights and theta' the weights
    fine-tuned on forget (Ilharco et al. 2023, section 3).

    The trajectory shows the model during fine-tuning, when it knows more than the target; only the
    final model is negated.
    """

    learning_rate: float = 2e-4
    scale: float = 1.0

    def unlearn(self, model, request):
        return negated(model, request.forget, request, self.learning_rate, self.scale, self.lora)
