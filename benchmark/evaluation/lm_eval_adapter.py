"""General utility with lm-eval: wraps any `TokenScorer` as an lm-eval model and returns a score
for every item of its tasks.
"""

from __future__ import annotations

import logging
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from benchmark.core.registry import lookup
from benchmark.errors import BadInput
from benchmark.inference.scoring import AnswerScores

LOCAL_GROUP = "palimpsest"
LOCAL_TASKS = Path(__file__).with_name("lm_eval_tasks")
GROUPS: dict[str, tuple[str, ...]] = {
    LOCAL_GROUP: (
        "palimpsest_facts",
        "palimpsest_grammar",
        "palimpsest_arithmetic",
        "palimpsest_completions",
    ),
    # Jang et al. 2023 (Knowledge Unlearning); also Barbulescu & Triantafillou 2024.
    "jang": (
        "hellaswag",
        "lambada_openai",
        "winogrande",
        "copa",
        "arc_easy",
        "arc_challenge",
        "piqa",
        "mathqa",
        "pubmedqa",
    ),
    # Yuan et al. 2024 (A Closer Look), the real-world scenario.
    "yuan": ("arc_challenge", "mmlu", "truthfulqa_mc1", "triviaqa", "gsm8k"),
}
MAIN_METRICS = ("acc_norm", "acc", "exact_match")  # a task's score is the first that it has
MAX_LENGTH = 2048  # tokens of context and continuation; lm-eval's own default
MAX_NEW_TOKENS = 256  # if a task sets no limit; lm-eval's own default
SEED = 1234  # for drawing few-shot examples; lm-eval's own default


class TokenScorer(Protocol):
    """A causal language model in memory or in an inference engine, with its tokenizer."""

    @property
    def tokenizer(self) -> Any: ...

    def score_tokens(
        self, sequences: Sequence[tuple[Sequence[int], Sequence[int]]]
    ) -> list[AnswerScores]:
        """Scores of every continuation, given as (context ids, continuation ids)."""
        ...

    def generate_tokens(
        self, prompts: Sequence[Sequence[int]], max_new_tokens: int
    ) -> list[list[int]]:
        """The greedy continuation of every prompt, up to the end token."""
        ...


@dataclass(frozen=True)
class HarnessItem:
    """One item of an lm-eval task: `doc` is its number in the task, `score` (0 to 1) its value of
    the task's main metric.
    """

    task: str
    doc: str
    question: str
    answer: str
    score: float


def run_harness(scorer: TokenScorer, group: str, limit: int | None = None) -> list[HarnessItem]:
    """The scored items of all tasks of a group, at most `limit` per task, in each task's order.

    BadInput if the group is unknown, lm-eval is not installed, or the data of a task cannot be
    loaded.
    """
    names = group_tasks(group)
    with _quietly():
        from lm_eval import evaluate

        loaded = _load(group, names)
        results = evaluate(
            predictor_lm(scorer), loaded, limit=limit, bootstrap_iters=0, log_samples=True
        )
    return [item for task in loaded["tasks"] for item in _items(task, results["samples"][task])]


def group_tasks(group: str) -> tuple[str, ...]:
    """The names of a group's tasks; BadInput if the group is unknown or lm-eval not installed."""
    names = lookup("lm-eval group", group, GROUPS)
    _require_lm_eval()
    return names


def predictor_lm(scorer: TokenScorer) -> Any:
    """Wraps the scorer as a `PredictorLM`, an lm-eval `TemplateLM`; prompts stay plain text."""
    return _predictor_class()(scorer)


@lru_cache(maxsize=1)
def _predictor_class() -> type[Any]:
    """Creates `PredictorLM` on first use: importing lm-eval is slow, and it may be missing."""
    from lm_eval.api.model import TemplateLM

    return type(
        "PredictorLM", (_PredictorMethods, TemplateLM), {"__doc__": "A TokenScorer for lm-eval."}
    )


class _PredictorMethods:
    """The methods that `PredictorLM` adds to `TemplateLM`."""

    def __init__(self, scorer: TokenScorer) -> None:
        super().__init__()
        self.scorer, self.tokenizer = scorer, scorer.tokenizer
        self.max_length = min(MAX_LENGTH, self.tokenizer.model_max_length)

    @property
    def eot_token_id(self) -> int:
        return self.tokenizer.eos_token_id

    @property
    def prefix_token_id(self) -> int:
        """The token placed before a text that has no context."""
        bos = self.tokenizer.bos_token_id
        return self.eot_token_id if bos is None else bos

    def tok_encode(
        self, string: str, add_special_tokens: bool | None = None, **_: Any
    ) -> list[int]:
        """Token ids, with the special tokens that the tokenizer adds, but never a second initial
        token.
        """
        if add_special_tokens is None:
            add_special_tokens = not string.startswith(
                self.tokenizer.decode([self.prefix_token_id])
            )
        return self.tokenizer.encode(string, add_special_tokens=add_special_tokens)

    def _loglikelihood_tokens(
        self, requests: Sequence[tuple[Any, list[int], list[int]]], **_: Any
    ) -> list[tuple]:
        """(log-probability in nats, whether greedy) per request; long contexts are truncated on the
        left.
        """
        room = [max(1, self.max_length - len(continuation)) for _, _, continuation in requests]
        pairs = [
            (context[-n:], continuation)
            for (_, context, continuation), n in zip(requests, room, strict=True)
        ]
        order = sorted(
            range(len(pairs)), key=lambda i: len(pairs[i][0]) + len(pairs[i][1])
        )  # by length, to avoid padding
        scores = dict(zip(order, self.scorer.score_tokens([pairs[i] for i in order]), strict=True))
        return [
            (float(scores[i].logprobs.sum(dtype=float)), bool(scores[i].correct.all()))
            for i in range(len(pairs))
        ]

    def loglikelihood_rolling(
        self, requests: Sequence[Any], disable_tqdm: bool = False
    ) -> list[float]:
        """Log-probability of each whole text, computed in windows of the model's maximum length."""
        from lm_eval.utils import get_rolling_token_windows, make_disjoint_window

        totals = []
        for request in requests:
            ids = self.tok_encode(request.args[0])
            windows = get_rolling_token_windows(ids, self.prefix_token_id, self.max_length - 1, 1)
            parts = self._loglikelihood_tokens(
                [(None, *make_disjoint_window(window)) for window in windows]
            )
            totals.append(sum(logprob for logprob, _ in parts))
        return totals

    def generate_until(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[str]:
        """Greedy continuations, each cut before its first stop string."""
        from lm_eval.models.utils import normalize_gen_kwargs, postprocess_generated_text

        wanted = [normalize_gen_kwargs(request.args[1], MAX_NEW_TOKENS) for request in requests]
        rows_of: dict[int, list[int]] = defaultdict(list)
        for row, settings in enumerate(wanted):
            rows_of[settings["max_gen_toks"]].append(row)
        texts = [""] * len(requests)
        for limit, rows in rows_of.items():
            room = max(1, self.max_length - limit)
            prompts = [self.tok_encode(requests[row].args[0])[-room:] for row in rows]
            for row, ids in zip(rows, self.scorer.generate_tokens(prompts, limit), strict=True):
                text = self.tokenizer.decode(ids, skip_special_tokens=True)
                texts[row] = postprocess_generated_text(text, wanted[row]["until"], None)
        return texts


def _require_lm_eval() -> None:
    try:
        import lm_eval  # noqa: F401
    except ImportError:
        raise BadInput("lm-eval is not installed: run `make venv`") from None


@lru_cache(maxsize=2)
def task_manager(hub: bool) -> Any:
    """lm-eval's task index; `hub` adds lm-eval's built-in tasks, whose index takes seconds to
    read.
    """
    from lm_eval.tasks import TaskManager

    return TaskManager(include_path=str(LOCAL_TASKS), include_defaults=hub)


def _load(group: str, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Loads the named lm-eval tasks and groups with their data, configured as by
    `lm_eval.simple_evaluate`.

    That function itself would also seed the random number generators of the whole process and
    query git and pip.
    """
    manager = task_manager(hub=group != LOCAL_GROUP)
    loaded: dict[str, dict[str, Any]] = {"tasks": {}, "groups": {}}
    for name in names:
        part = _load_one(group, name, manager)
        for kind, known in loaded.items():
            known.update(part[kind])
    for task in loaded["tasks"].values():
        if task.get_config("num_fewshot") is None:
            task.set_config(key="num_fewshot", value=0)
        task.set_fewshot_seed(seed=SEED)
    return loaded


def _load_one(group: str, name: str, manager: Any) -> dict[str, Any]:
    """Loads one task; BadInput if its data cannot be loaded from the hub, whose client raises
    different exceptions for different data sets.
    """
    try:
        return manager.load([name])
    except Exception as error:
        if group == LOCAL_GROUP:
            raise
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        message = (
            f"lm-eval task {name} of group {group!r}: its data set cannot be loaded (no hub?): "
            f"{reason}"
        )
        raise BadInput(message) from None


def _items(task: str, samples: Sequence[dict[str, Any]]) -> list[HarnessItem]:
    """One item per question; of several answer filters the last one counts, e.g. gsm8k's flexible
    one, as in Yuan et al.
    """
    last = {sample["doc_id"]: sample for sample in samples}
    return [
        HarnessItem(task, str(doc), _question(s), _answer(s), _score(s)) for doc, s in last.items()
    ]


def _question(sample: dict[str, Any]) -> str:
    """The context; if it is empty or differs between options, every context with its option."""
    contexts = {arguments[0] for arguments in sample["arguments"]}
    if len(contexts) == 1 and contexts != {""}:
        return contexts.pop()
    return " | ".join(context + continuation for context, continuation in sample["arguments"])


def _answer(sample: dict[str, Any]) -> str:
    target = sample["target"]
    if isinstance(target, int):
        return sample["arguments"][target][1].strip()
    return str(target[0] if isinstance(target, list) else target).strip()


def _score(sample: dict[str, Any]) -> float:
    return float(next(sample[metric] for metric in MAIN_METRICS if metric in sample["metrics"]))


@contextmanager
def _quietly() -> Iterator[None]:
    """Suppresses progress bars and log messages below error level."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with open(os.devnull, "w") as sink, redirect_stdout(sink), redirect_stderr(sink):
            yield
    finally:
        logging.disable(level)
