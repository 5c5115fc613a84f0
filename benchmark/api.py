"""All that the author of a method or a task imports."""

from torch.nn.functional import logsigmoid

from benchmark.data import Budget, Document, Example, Pair, Request, TaskData
from benchmark.errors import BadInput
from benchmark.method import ConstantAnswers, Method
from benchmark.registry import register_method, register_task
from benchmark.task import Task
from benchmark.training.gradient_method import ForgetRetainBatch, GradientMethod
from benchmark.training.sequences import kl_from_uniform
from benchmark.training.task_vector import negated
from benchmark.world import Fact, World, documents_about
from benchmark.world.examples import examples_about, first_prompts, retain_splits
from benchmark.world.passages import passages

__all__ = [
    "BadInput",
    "Budget",
    "ConstantAnswers",
    "Document",
    "Example",
    "Fact",
    "ForgetRetainBatch",
    "GradientMethod",
    "Method",
    "Pair",
    "Request",
    "Task",
    "TaskData",
    "World",
    "documents_about",
    "examples_about",
    "first_prompts",
    "kl_from_uniform",
    "logsigmoid",
    "negated",
    "passages",
    "register_method",
    "register_task",
    "retain_splits",
]
