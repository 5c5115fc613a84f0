"""All that the author of a method or a task imports."""

from torch.nn.functional import logsigmoid

from benchmark.data import Budget, Document, Example, Pair, Request, TaskData
from benchmark.errors import BadInput
from benchmark.ground import (
    Knowledge,
    Pretrained,
    checked,
    chunks,
    coined_names,
    json_rows,
    local_file,
    other_answers,
    rows_of,
    spread,
    text_examples,
)
from benchmark.method import ConstantAnswers, Method
from benchmark.registry import register_method, register_task
from benchmark.task import Task
from benchmark.training.gradient_method import ForgetRetainBatch, GradientMethod
from benchmark.training.prompts import LEAD
from benchmark.training.sequences import kl_from_uniform
from benchmark.training.task_vector import negated
from benchmark.world import Fact, World, documents_about
from benchmark.world.examples import examples_about, first_prompts, retain_splits
from benchmark.world.passages import passages

__all__ = [
    "LEAD",
    "BadInput",
    "Budget",
    "ConstantAnswers",
    "Document",
    "Example",
    "Fact",
    "ForgetRetainBatch",
    "GradientMethod",
    "Knowledge",
    "Method",
    "Pair",
    "Pretrained",
    "Request",
    "Task",
    "TaskData",
    "World",
    "checked",
    "chunks",
    "coined_names",
    "documents_about",
    "examples_about",
    "first_prompts",
    "json_rows",
    "kl_from_uniform",
    "local_file",
    "logsigmoid",
    "negated",
    "other_answers",
    "passages",
    "register_method",
    "register_task",
    "retain_splits",
    "rows_of",
    "spread",
    "text_examples",
]
