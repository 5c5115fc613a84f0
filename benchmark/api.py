"""The public API: everything that methods and tasks import."""

from torch.nn.functional import logsigmoid

from benchmark.core.examples import Example, Pair, Question
from benchmark.core.inputs import Inputs
from benchmark.core.method import Method
from benchmark.core.registry import register_method, register_task
from benchmark.core.request import Budget, Request
from benchmark.core.task import Task
from benchmark.core.task_data import Document, TaskData
from benchmark.core.unlearned import Unlearned
from benchmark.data.files import checked, json_rows, rows_of
from benchmark.data.invented_names import coined_names
from benchmark.data.knowledge import Knowledge, PretrainedModel
from benchmark.data.persons import names_person, retained_and_withheld, strangers
from benchmark.data.texts import chunks, other_answers, spread, text_examples
from benchmark.data.world import Fact, World, documents_about
from benchmark.data.world.examples import examples_about, first_prompts, retain_splits
from benchmark.data.world.passages import passages, shuffled_passages
from benchmark.errors import BadInput
from benchmark.inference.predictors import predictor_of
from benchmark.inference.unlearned import (
    ConstantAnswers,
    LogitsTransform,
    PromptPrefix,
    UnlearnedModel,
)
from benchmark.tokens.losses import kl_from_uniform, kl_to_uniform, margins
from benchmark.training.activations import blocks_of
from benchmark.training.gradient_method import ForgetRetainBatch, GradientMethod
from benchmark.training.gradient_method import _as_question as as_question
from benchmark.training.lora import Lora
from benchmark.training.task_vector import negated

__all__ = [
    "BadInput",
    "Budget",
    "ConstantAnswers",
    "Document",
    "Example",
    "Fact",
    "ForgetRetainBatch",
    "GradientMethod",
    "Inputs",
    "Knowledge",
    "LogitsTransform",
    "Lora",
    "Method",
    "Pair",
    "PretrainedModel",
    "PromptPrefix",
    "Question",
    "Request",
    "Task",
    "TaskData",
    "Unlearned",
    "UnlearnedModel",
    "World",
    "as_question",
    "blocks_of",
    "checked",
    "chunks",
    "coined_names",
    "documents_about",
    "examples_about",
    "first_prompts",
    "json_rows",
    "kl_from_uniform",
    "kl_to_uniform",
    "logsigmoid",
    "margins",
    "names_person",
    "negated",
    "other_answers",
    "passages",
    "predictor_of",
    "register_method",
    "register_task",
    "retain_splits",
    "retained_and_withheld",
    "rows_of",
    "shuffled_passages",
    "spread",
    "strangers",
    "text_examples",
]
