"""lm-eval over a scorer of tokens: the same numbers as lm-eval's own model class, and the items of
the local group.
"""

import importlib.util
import json
import operator
import shutil
import sys
from collections import Counter

import datasets
import numpy as np
import pytest
import torch
from toy_models import tiny_model, tiny_tokenizer

from benchmark.errors import BadInput
from benchmark.evaluation import lm_eval_adapter as harness
from benchmark.evaluation.lm_eval_adapter import (
    GROUPS,
    LOCAL_TASKS,
    HarnessItem,
    predictor_lm,
    run_harness,
    task_manager,
)
from benchmark.evaluation.lm_eval_tasks import make_arithmetic
from benchmark.inference.scoring import AnswerScores

ITEMS = {"facts": 158, "grammar": 139, "arithmetic": 64, "completions": 80}
SIGNS = {"+": operator.add, "-": operator.sub, "times": operator.mul, "/": operator.truediv}
SPOKEN_TASK = """
task: aloud
custom_dataset: !function read_items.dataset
test_split: test
output_type: generate_until
doc_to_text: "Q: {{q}}\\nA:"
doc_to_target: "{{a}}"
generation_kwargs: {until: ["\\n\\n"], max_gen_toks: 4}
filter_list:
  - {name: strict, filter: [{function: regex, regex_pattern: "#### (.*)"}, {function: take_first}]}
  - {name: flexible, filter: [{function: take_first}]}
metric_list: [{metric: exact_match, aggregation: mean, higher_is_better: true}]
metadata: {version: 1.0}
"""
needs_lm_eval = pytest.mark.skipif(
    not importlib.util.find_spec("lm_eval"), reason="lm-eval is an extra"
)


class OneByOne:
    """The slow, obvious scorer, which runs each sequence alone."""

    def __init__(self, seed=0):
        self.model, self.tokenizer = tiny_model(seed), tiny_tokenizer()

    @torch.no_grad()
    def score_tokens(self, sequences):
        scores = []
        for context, continuation in sequences:
            logits = self.model(torch.tensor([[*context, *continuation]])).logits[
                0, len(context) - 1 : -1
            ]
            logprobs = logits.log_softmax(-1)[range(len(continuation)), continuation]
            scores.append(
                AnswerScores(
                    logprobs.numpy(), (logits.argmax(-1) == torch.tensor(continuation)).numpy()
                )
            )
        return scores

    @torch.no_grad()
    def generate_tokens(self, prompts, max_new_tokens):
        continuations = []
        for prompt in prompts:
            said = []
            while len(said) < max_new_tokens and self.tokenizer.eos_token_id not in said:
                said.append(
                    int(self.model(torch.tensor([[*prompt, *said]])).logits[0, -1].argmax())
                )
            continuations.append(said)
        return continuations


def rows_of(task):
    return [
        json.loads(line)
        for line in (LOCAL_TASKS / f"palimpsest_{task}.jsonl").read_text().splitlines()
    ]


@pytest.mark.parametrize(("task", "count"), ITEMS.items())
def test_items_are_many_distinct_and_balanced(task, count):
    rows = rows_of(task)
    assert len(rows) == len({row["id"] for row in rows}) == count
    assert len({(row.get("question"), frozenset(row["choices"])) for row in rows}) == count
    options = len(rows[0]["choices"])
    assert options == (2 if task == "grammar" else 4)
    assert all(len(set(row["choices"])) == options for row in rows)
    places = Counter(row["answer"] for row in rows)
    assert set(places) == set(range(options))
    assert max(places.values()) - min(places.values()) <= 1


def test_questions_and_sentences_do_not_repeat():
    questions = [
        row["question"] for task in ("facts", "arithmetic", "completions") for row in rows_of(task)
    ]
    sentences = [choice for row in rows_of("grammar") for choice in row["choices"]]
    assert max(Counter(questions + sentences).values()) == 1
    assert len({row["kind"] for row in rows_of("grammar")}) >= 30


def test_arithmetic_is_right():
    assert make_arithmetic.FILE.read_text() == make_arithmetic.text()
    for row in rows_of("arithmetic"):
        right = int(row["choices"][row["answer"]])
        *_, one, sign, other = row["question"].removesuffix(" =").removesuffix(" is").split()
        if row["kind"] == "sequence":
            terms = [int(term) for term in row["question"].rstrip(",").split(",")]
            assert set(np.diff([*terms, right])) == {terms[1] - terms[0]}
        elif row["kind"] == "half":
            assert int(other) == 2 * right
        else:
            assert SIGNS[sign](int(one), int(other)) == right


@pytest.fixture(scope="module")
def models():
    """The same model behind our class and lm-eval's. The latter's length limit excludes the last
    token, which is never fed to the model.
    """
    from lm_eval.models.huggingface import HFLM

    ours = predictor_lm(OneByOne())
    ours.max_length = 101
    return ours, HFLM(tiny_model(), tokenizer=tiny_tokenizer(), batch_size=3, max_length=100)


def asked(kind, *arguments):
    from lm_eval.api.instance import Instance

    return [Instance(kind, {}, given, 0) for given in arguments]


@needs_lm_eval
def test_log_likelihoods_equal_those_of_lm_evals_own_model(models):
    long = "Ada Kel was born in Malport. " * 8
    pairs = [
        ("Ivo Tor works", " for"),
        ("", "Bren Union"),
        ("Ada ", "Kel"),
        (long, " I do"),
        ("<end>I", " know."),
    ]
    ours, theirs = (model.loglikelihood(asked("loglikelihood", *pairs)) for model in models)
    for (logprob, greedy), (expected, greedy_there) in zip(ours, theirs, strict=True):
        assert logprob == pytest.approx(expected, abs=1e-4)
        assert greedy == greedy_there


@needs_lm_eval
def test_whole_texts_are_read_in_windows_as_lm_eval_reads_them(models):
    texts = [("I do not know.",), ("Ada Kel was born in Malport. " * 12,)]
    ours, theirs = (
        model.loglikelihood_rolling(asked("loglikelihood_rolling", *texts)) for model in models
    )
    assert ours == pytest.approx(theirs, abs=1e-3)


@needs_lm_eval
def test_generations_end_before_a_stop_string_and_in_the_order_asked(models):
    settings = [
        {"until": ["e"], "max_gen_toks": 20},
        {"max_gen_toks": 5},
        {"until": "a", "max_gen_toks": 20},
    ]
    wanted = [(context, given) for context in ("Where was Ada", "Ivo") for given in settings]
    ours, theirs = (model.generate_until(asked("generate_until", *wanted)) for model in models)
    assert ours == theirs
    assert len(set(ours)) > 1
    assert "e" not in ours[0]


@needs_lm_eval
def test_items_have_the_scores_of_lm_eval_with_its_own_model(models, capfd, monkeypatch, tmp_path):
    import lm_eval
    from lm_eval.tasks import TaskManager

    manager = TaskManager(include_path=str(LOCAL_TASKS), include_defaults=False)
    found = lm_eval.simple_evaluate(
        models[1], tasks=["palimpsest"], task_manager=manager, limit=12, bootstrap_iters=0
    )
    capfd.readouterr()
    monkeypatch.chdir(tmp_path)
    items = run_harness(OneByOne(), "palimpsest", limit=12)
    assert capfd.readouterr() == ("", "")
    assert run_harness(OneByOne(), "palimpsest", limit=12) == items
    assert [item.task for item in items] == [
        task for task in GROUPS["palimpsest"] for _ in range(12)
    ]
    for task, metric in zip(
        GROUPS["palimpsest"], ("acc_norm", "acc", "acc", "acc_norm"), strict=True
    ):
        scores = [item.score for item in items if item.task == task]
        assert np.mean(scores) == pytest.approx(found["results"][task][f"{metric},none"])
        assert scores == [sample[metric] for sample in found["samples"][task]]


@needs_lm_eval
def test_items_say_what_was_asked_and_what_is_right():
    items = {item.task: item for item in run_harness(OneByOne(), "palimpsest", limit=1)}
    facts, grammar = (items[f"palimpsest_{task}"] for task in ("facts", "grammar"))
    assert facts == HarnessItem(
        facts.task, "0", rows_of("facts")[0]["question"], "lamb", facts.score
    )
    assert grammar.question == " | ".join(rows_of("grammar")[0]["choices"])
    assert grammar.answer == "The keys to the cabinet are on the table."


@needs_lm_eval
def test_running_leaves_the_random_numbers_of_the_process_alone():
    scorer, drawn = OneByOne(), []
    for run in (False, True):
        torch.manual_seed(5)
        np.random.seed(5)
        if run:
            run_harness(scorer, "palimpsest", limit=1)
        drawn.append((float(torch.rand(1)), np.random.rand()))
    assert drawn[0] == drawn[1]


@needs_lm_eval
def test_of_several_ways_to_read_an_answer_the_last_counts(monkeypatch, tmp_path):
    """As in lm-eval's gsm8k, one answer is generated and parsed first strictly, then flexibly."""
    from lm_eval.tasks import TaskManager

    scorer = OneByOne()
    said = scorer.tokenizer.decode(
        scorer.generate_tokens([scorer.tokenizer.encode("Q: 1 + 1\nA:")], 4)[0]
    )
    shutil.copy(LOCAL_TASKS / "read_items.py", tmp_path)
    (tmp_path / "aloud.yaml").write_text(SPOKEN_TASK)
    (tmp_path / "aloud.jsonl").write_text(
        "".join(json.dumps({"q": "1 + 1", "a": a}) + "\n" for a in (said, "no"))
    )
    monkeypatch.setattr(
        harness,
        "task_manager",
        lambda hub: TaskManager(include_path=tmp_path, include_defaults=hub),
    )
    monkeypatch.setitem(GROUPS, "palimpsest", ("aloud",))
    right, wrong = run_harness(scorer, "palimpsest")
    assert right == HarnessItem("aloud", "0", "Q: 1 + 1\nA:", said.strip(), 1.0)
    assert (wrong.doc, wrong.answer, wrong.score) == ("1", "no", 0.0)


def test_a_group_that_is_not_there_is_answered_with_the_nearest():
    with pytest.raises(
        BadInput, match="unknown lm-eval group 'palimpsets'; did you mean palimpsest"
    ):
        run_harness(OneByOne(), "palimpsets")


def test_without_lm_eval_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "lm_eval", None)
    with pytest.raises(BadInput, match="lm-eval is not installed: run `make venv`"):
        run_harness(OneByOne(), "palimpsest")


@needs_lm_eval
def test_lm_eval_knows_every_task_and_without_a_hub_one_line_says_so(monkeypatch):
    def unreachable(path, **_):
        raise ConnectionError(f"Couldn't reach {path!r}\non the Hub")

    monkeypatch.setattr(datasets, "load_dataset", unreachable)
    with pytest.raises(
        BadInput, match="hellaswag of group 'jang': its data set cannot be loaded"
    ) as raised:
        run_harness(OneByOne(), "jang")
    assert str(raised.value).endswith("(no hub?): Couldn't reach 'Rowan/hellaswag'")
    known = task_manager(hub=True).all_tasks
    assert {name for names in GROUPS.values() for name in names} <= set(known)
