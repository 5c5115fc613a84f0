"""vLLM against transformers on a small model, and engines whose weights are swapped or that are
replaced or killed.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace

import numpy as np
import psutil
import pytest
import torch
from toy_models import tiny_tokenizer
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

from benchmark.core.examples import Prompt
from benchmark.core.registry import task_named
from benchmark.errors import BadInput
from benchmark.evaluation.lm_eval_adapter import run_harness
from benchmark.evaluation.outputs import prompts_of
from benchmark.inference import predictors, vllm_engine
from benchmark.inference.generation import generate
from benchmark.inference.predictors import predictor_of
from benchmark.inference.vllm_engine import (
    EngineDied,
    Engines,
    VllmEngine,
    architecture_of,
    vllm_installed,
)
from benchmark.models import ControlledModels
from benchmark.models.artifacts import ArtifactStore
from benchmark.models.tracks import Training, track_named
from benchmark.tokens.prompts import encode_prompt, token_ids
from benchmark.training.lora import adapt

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.skipif(not vllm_installed(), reason="vllm is not installed (make vllm)"),
]
VOCABULARY, LONGEST, NEW, STOP = 320, 64, 12, 1
RNG = random.Random(0)
PROMPTS = [[RNG.randrange(2, VOCABULARY) for _ in range(RNG.randint(2, 20))] for _ in range(100)]


def small_model(seed, layers=2, vocabulary=VOCABULARY, stop=STOP, longest=LONGEST):
    """A model with heads of 32 dimensions, the fewest that vLLM supports on a CPU, and weights
    large enough to tell tokens apart.
    """
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=64,
        num_hidden_layers=layers,
        intermediate_size=96,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=longest,
        initializer_range=0.2,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=stop,
        pad_token_id=0,
    )
    torch.manual_seed(seed)
    return LlamaForCausalLM(config).eval()


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    """Limits torch to one thread, since more only wait for each other on models this small."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Checkpoints by name: `first` and `second` have one shape, `deeper` another."""
    home = tmp_path_factory.mktemp("checkpoints")
    found = {"first": small_model(0), "second": small_model(1), "deeper": small_model(2, layers=3)}
    for name, model in found.items():
        model.save_pretrained(home / name)
    return {name: (home / name, model) for name, model in found.items()}


@pytest.fixture(scope="module")
def engines():
    with Engines() as shared:
        yield shared


@torch.no_grad()
def continued(model, prompt, stop=STOP):
    settings = GenerationConfig(
        max_new_tokens=NEW, do_sample=False, eos_token_id=stop, pad_token_id=0
    )
    ids = torch.tensor([prompt])
    output = model.generate(ids, attention_mask=torch.ones_like(ids), generation_config=settings)
    tokens = output[0, len(prompt) :].tolist()
    return tokens[: tokens.index(stop)] if stop in tokens else tokens


@torch.no_grad()
def gap_where_they_part(model, prompt, one, other):
    """Gap between the two largest logits at the first token where the continuations differ."""
    same = next(
        i for i, (a, b) in enumerate(zip([*one, None], [*other, None], strict=False)) if a != b
    )
    first, second = model(torch.tensor([prompt + one[:same]])).logits[0, -1].topk(2).values
    return float(first - second)


def check_greedy(engine, model, stop=STOP):
    said = [only for (only,) in engine.generate(PROMPTS, NEW, [stop])]
    expected = [continued(model, prompt, stop) for prompt in PROMPTS]
    parted = [(p, e, s) for p, e, s in zip(PROMPTS, expected, said, strict=True) if e != s]
    assert len(parted) <= len(PROMPTS) // 100
    assert all(gap_where_they_part(model, *case) < 1e-3 for case in parted)
    return said


def test_greedy_continuations_are_those_of_transformers(engines, models):
    folder, model = models["first"]
    said = check_greedy(engines.at(folder, "float32", LONGEST), model)
    stop = said[0][4]
    cut = check_greedy(engines.at(folder, "float32", LONGEST), model, stop)
    assert cut[0] == said[0][: said[0].index(stop)]
    assert not any(stop in tokens for tokens in cut)


@pytest.mark.slow
def test_the_controlled_model_says_the_same_in_an_engine(engines, tmp_path):
    """Uses its architecture and tokenizer after two epochs of training; at least 99 % of all
    questions of a task get the same answer.
    """
    engines.close()
    base = Training(epochs=2, batch_size=64, learning_rate=3e-3)
    track = replace(track_named("controlled-1m"), base=base)
    models = ControlledModels(track, ArtifactStore(tmp_path))
    model, tokenizer = models.load(models.base())
    data = task_named("fictitious")().data("", models.data_source)
    questions = [
        q for e in data.examples("forget") + data.examples("general") for q in prompts_of(e)
    ]
    try:
        said, expected = (
            predictor_of(model, tokenizer, kind).generate(questions, 10) for kind in ("vllm", "hf")
        )
    finally:
        predictors._engines.close()
    parted = [q for q in expected if said[q] != expected[q]]
    assert len(set(expected.values())) > 10, "it says something"
    assert len(parted) <= len(expected) / 100
    for question in parted:
        one, other = (token_ids(tokenizer, texts[question]) for texts in (said, expected))
        assert (
            gap_where_they_part(
                model, list(encode_prompt(question, tokenizer)), list(one), list(other)
            )
            < 1e-3
        )


def test_a_subject_in_an_engine_answers_samples_and_scores_like_one_in_memory(engines):
    """Closes `engines`, because a process can have only one engine at a time."""
    engines.close()
    tokenizer = tiny_tokenizer()
    model = small_model(5, vocabulary=len(tokenizer), stop=tokenizer.eos_token_id)
    here, there = predictor_of(model, tokenizer), predictor_of(model, tokenizer, "vllm")
    texts = ["Where was Ada Kel born?", "Who pays Ivo Tor?", "Ada"]
    questions = [Prompt(text) for text in texts]
    try:
        assert there.generate(questions, 8) == here.generate(questions, 8)
        ((whole,),) = generate(model, tokenizer, [encode_prompt(questions[0], tokenizer)], 8)
        model.generation_config.eos_token_id = [
            whole[2]
        ]  # a checkpoint's own configuration may name more stop tokens
        stopped = there.generate(questions, 8)
        assert stopped == here.generate(questions, 8)
        assert len(token_ids(tokenizer, stopped[questions[0]])) < len(whole)
        assert there.go_on(texts, 8) == here.go_on(texts, 8)
        assert {
            q: len(drawn) for q, drawn in there.sample(questions, 4, 5).items()
        } == dict.fromkeys(questions, 5)
        asked = [(PROMPTS[0][:4], [3, 4, 5]), ([], [6, 7, 8]), ([2], [9])]
        asked = [([t % len(tokenizer) for t in p], a) for p, a in asked]
        for one, other in zip(there.score_tokens(asked), here.score_tokens(asked), strict=True):
            np.testing.assert_allclose(one.logprobs, other.logprobs, atol=1e-4)
            assert one.correct.tolist() == other.correct.tolist()
        changed = small_model(6, vocabulary=len(tokenizer), stop=tokenizer.eos_token_id)
        swapped, expected = (
            predictor_of(changed, tokenizer, kind).generate(questions, 8) for kind in ("vllm", "hf")
        )
        assert swapped == expected != here.generate(questions, 8)
        adapt(changed)
        with torch.no_grad():
            for key, parameter in changed.named_parameters():
                if "lora_B" in key:
                    parameter.fill_(0.3)
        looked, expected = (
            predictor_of(changed, tokenizer, kind).generate(questions, 8) for kind in ("vllm", "hf")
        )
        assert looked == expected != swapped, "on its way, before its adapters are merged"
    finally:
        predictors._engines.close()


@pytest.mark.slow
def test_general_tasks_are_answered_alike_in_an_engine_and_in_memory(engines):
    engines.close()
    tokenizer = tiny_tokenizer()
    model = small_model(7, vocabulary=len(tokenizer), stop=tokenizer.eos_token_id, longest=512)
    try:
        there, here = (
            run_harness(predictor_of(model, tokenizer, kind), "palimpsest", 6)
            for kind in ("vllm", "hf")
        )
    finally:
        predictors._engines.close()
    assert there == here
    assert 0 < sum(item.score for item in here) < len(here) == 24


@torch.no_grad()
def test_scores_are_those_of_transformers(engines, models):
    folder, model = models["first"]
    pairs = [(prompt, [*continued(model, prompt), STOP, 7]) for prompt in PROMPTS[:30]]
    pairs += [([], PROMPTS[0]), ([5], [6]), ([5], PROMPTS[1] * (LONGEST // len(PROMPTS[1]) - 1))]
    scores = engines.at(folder, "float32", LONGEST).score(pairs)
    for (prompt, answer), (logprobs, greedy) in zip(pairs, scores, strict=True):
        start = max(1, len(prompt))
        logits = model(torch.tensor([prompt + answer])).logits[0, start - 1 : -1]
        tokens = torch.tensor((prompt + answer)[start:])
        expected = logits.log_softmax(-1).gather(-1, tokens[:, None])[:, 0].numpy()
        np.testing.assert_allclose(logprobs, expected, atol=1e-4)
        assert (logprobs.dtype, greedy.dtype) == (np.float32, bool)
        assert greedy.tolist() == (logits.argmax(-1) == tokens).tolist()


def test_a_sequence_may_be_as_long_as_was_promised_and_no_longer(engines, models):
    engine = engines.at(models["first"][0], "float32", LONGEST)
    text = [3 + i % 300 for i in range(LONGEST)]
    assert len(engine.score([(text[:1], text[1:])])[0][0]) == LONGEST - 1
    assert len(engine.generate([text[:-NEW]], NEW, [])[0][0]) == NEW
    with pytest.raises(ValueError, match="65 tokens"):
        engine.score([(text, [3])])
    with pytest.raises(ValueError, match="new ones"):
        engine.generate([text], 1, [])
    with pytest.raises(ValueError, match="no continuation"):
        engine.generate([[]], 1, [])
    assert engine.alive
    assert engine.generate([], 1, []) == engine.score([]) == []


def test_weights_are_swapped_in_place_and_back(engines, models):
    """The embeddings are tied to the head, of which vLLM keeps a copy."""
    process = engines.at(models["first"][0], "float32", LONGEST).process.pid
    for name in ("second", "first"):
        folder, model = models[name]
        engine = engines.at(folder, "float32", LONGEST)
        assert engine.process.pid == process
        check_greedy(engine, model)


def test_samples_are_varied_and_repeatable(engines, models):
    engine = engines.at(models["first"][0], "float32", LONGEST)
    drawn = engine.generate(PROMPTS[:5], NEW, [STOP], n=8, temperature=1.0, seed=3)
    assert [len(samples) for samples in drawn] == [8] * 5
    assert all(len({tuple(tokens) for tokens in samples}) > 4 for samples in drawn)
    assert engine.generate(PROMPTS[2:5], NEW, [STOP], n=8, temperature=1.0, seed=3) == drawn[2:]
    assert engine.generate(PROMPTS[:5], NEW, [STOP], n=8, temperature=1.0, seed=4) != drawn
    with pytest.raises(ValueError, match="greedy"):
        engine.generate(PROMPTS[:1], NEW, [STOP], n=8)


def test_a_killed_engine_is_an_error_and_is_replaced(engines, models):
    folder, model = models["second"]
    engine = engines.at(folder, "float32", LONGEST)
    killed = threading.Timer(0.3, engine.process.kill)
    killed.start()
    started = time.monotonic()
    with pytest.raises(EngineDied, match="exit code -9"):
        engine.generate(PROMPTS * 40, LONGEST - max(map(len, PROMPTS)), [])
    assert time.monotonic() - started < 3
    with pytest.raises(EngineDied):
        engine.score([([5], [6])])
    assert not engine.alive
    check_greedy(engines.at(folder, "float32", LONGEST), model)


def test_a_hung_engine_is_ended_after_a_limit_and_one_that_computes_is_not(
    engines, models, monkeypatch
):
    """A long request reports its steps, each within the limit."""
    folder, model = models["second"]
    engine = engines.at(folder, "float32", LONGEST)
    monkeypatch.setattr(vllm_engine, "SILENCE_LIMIT", 4.0)
    room = LONGEST - max(map(len, PROMPTS))
    started = time.monotonic()
    engine.generate(PROMPTS * 80, room, [])
    assert time.monotonic() - started > 4, "the question was long enough to tell"
    stopped = threading.Timer(0.3, engine.process.send_signal, [signal.SIGSTOP])
    stopped.start()
    started = time.monotonic()
    with pytest.raises(EngineDied, match="has been silent for 4 s and was ended"):
        engine.generate(PROMPTS * 40, room, [])
    assert time.monotonic() - started < 10
    check_greedy(engines.at(folder, "float32", LONGEST), model)


def test_another_shape_replaces_the_engine(engines, models):
    first = engines.at(models["first"][0], "float32", LONGEST)
    with pytest.raises(ValueError, match="another architecture"):
        first.load(models["deeper"][0])
    folder, model = models["deeper"]
    engine = engines.at(folder, "float32", LONGEST)
    assert not first.alive
    check_greedy(engine, model)


def test_an_architecture_is_a_shape_without_names_and_precision(models, tmp_path):
    first, second, deeper = (
        architecture_of(models[name][0]) for name in ("first", "second", "deeper")
    )
    assert first == second != deeper
    small_model(0).to(torch.bfloat16).save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["dtype"] == "bfloat16"
    config |= {"_name_or_path": "elsewhere", "transformers_version": "0"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert architecture_of(tmp_path) == first
    (tmp_path / "model.safetensors").unlink()  # vLLM would keep the weights it has
    assert architecture_of(tmp_path) != first
    with pytest.raises(BadInput, match=r"config\.json is missing"):
        architecture_of(tmp_path / "nowhere")


def test_an_engine_that_cannot_start_says_why(models, tmp_path):
    with pytest.raises(EngineDied, match=r"did not start within 0\.1 s"):
        VllmEngine(models["first"][0], "float32", LONGEST, start_limit=0.1)
    with pytest.raises(ValueError, match="64 positions"):
        VllmEngine(models["first"][0], "float32", LONGEST + 1)
    shutil.copytree(models["first"][0], tmp_path, dirs_exist_ok=True)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(EngineDied, match=r"exit code 1.*weights.*--backend hf"):
        VllmEngine(tmp_path, "float32", LONGEST)


def test_the_engine_ends_with_a_parent_that_was_killed(models):
    start = (
        "import sys; from pathlib import Path; from benchmark.inference.vllm_engine import "
        "VllmEngine; "
    )
    start += f"VllmEngine(Path(sys.argv[1]), 'float32', {LONGEST})"
    parent = subprocess.Popen([sys.executable, "-c", start, str(models["first"][0])])
    children, until = [], time.monotonic() + 60
    while not children and time.monotonic() < until:
        time.sleep(0.1)
        children = psutil.Process(parent.pid).children()
    time.sleep(4)  # until it watches its parent process
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    gone, alive = psutil.wait_procs(children, timeout=60)
    assert gone
    assert not alive
