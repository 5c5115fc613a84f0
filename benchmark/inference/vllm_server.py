"""The process in which vLLM runs: it starts the engine, then answers requests until its parent
hangs up.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
import traceback
import zlib
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import torch

from benchmark.runtime.memory import keep_freed_memory

GPU_MEMORY_SHARE = 0.4
BEAT, BEAT_SECONDS = "computing", 1.0  # said so often, at most, between question and answer

Scores = tuple[np.ndarray, np.ndarray]


def serve(descriptor: str, parent: str, folder: str, options: str) -> None:
    """The child's life: starts vLLM, answers until its parent hangs up, and ends at what goes
    wrong.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    keep_freed_memory()
    threading.Thread(target=_exit_with_parent, args=(int(parent),), daemon=True).start()
    connection = Connection(int(descriptor))
    try:
        model = _Model(folder, lambda: connection.send(BEAT), **json.loads(options))
        connection.send("ready")
        while True:
            name, arguments = connection.recv()
            connection.send(getattr(model, name)(*arguments))
    except EOFError:
        os._exit(0)
    except Exception as error:
        traceback.print_exc()
        print(
            f"{type(error).__name__}: {' '.join(str(error).split())}", file=sys.stderr, flush=True
        )
        os._exit(1)  # what is left of vLLM may wait for ever for its own threads


def _exit_with_parent(parent: int) -> None:
    """Ends the child soon after its parent is gone, however that was killed and whatever the
    child is doing.
    """
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


class _Model:
    """vLLM itself, in the child: answers with what can be pickled."""

    def __init__(
        self, folder: str, beat: Callable[[], None], dtype: str, max_model_len: int, seed: int
    ) -> None:
        self.vllm = import_module("vllm")
        self.llm = self.vllm.LLM(
            folder,
            dtype=dtype,
            max_model_len=max_model_len + 1,
            seed=seed,
            skip_tokenizer_init=True,
            generation_config="vllm",  # else the stop tokens of the folder's own would count
            enforce_eager=True,
            gpu_memory_utilization=GPU_MEMORY_SHARE,
        )
        engine = self.llm.llm_engine
        engine.step = _beating(engine.step, beat)

    def load(self, folder: str) -> None:
        self.llm.collective_rpc("reload_weights", kwargs={"weights_path": folder})
        self.llm.apply_model(_renew_heads)
        self.llm.reset_prefix_cache()

    def generate(
        self,
        prompts: list[list[int]],
        max_new_tokens: int,
        stop_ids: list[int],
        n: int,
        temperature: float,
        seed: int,
    ) -> list[list[list[int]]]:
        common = {
            "n": n,
            "temperature": temperature,
            "max_tokens": max_new_tokens,
            "stop_token_ids": stop_ids,
        }
        options = [
            {**common, "ignore_eos": True, "seed": _seed_of(prompt, seed)} for prompt in prompts
        ]
        return [
            [_without_stop(output) for output in request.outputs]
            for request in self._ask(prompts, options)
        ]

    def score(self, pairs: list[tuple[list[int], list[int]]]) -> list[Scores]:
        sequences = [prompt + answer for prompt, answer in pairs]
        requests = self._ask(
            sequences, [{"max_tokens": 1, "temperature": 0.0, "prompt_logprobs": 1}] * len(pairs)
        )
        return [
            _scores_of(r, max(1, len(prompt)))
            for r, (prompt, _) in zip(requests, pairs, strict=True)
        ]

    def _ask(self, prompts: list[list[int]], options: Sequence[Mapping[str, Any]]) -> list[Any]:
        parameters = [self.vllm.SamplingParams(detokenize=False, **option) for option in options]
        return self.llm.generate(
            [{"prompt_token_ids": p} for p in prompts], parameters, use_tqdm=False
        )


def _beating(step: Callable[[], Any], beat: Callable[[], None]) -> Callable[[], Any]:
    """The engine's step, which is heard of."""
    last = 0.0

    def stepped() -> Any:
        nonlocal last
        if time.monotonic() - last > BEAT_SECONDS:
            beat()
            last = time.monotonic()
        return step()

    return stepped


def _renew_heads(model: torch.nn.Module) -> None:
    """On the CPU a head computes with a packed copy of its weights; a reload forgets it if they
    are the embeddings'.
    """
    layers = import_module("vllm.model_executor.layers.vocab_parallel_embedding")
    for module in model.modules():
        if isinstance(module, layers.ParallelLMHead):
            module.quant_method.process_weights_after_loading(module)


def _seed_of(prompt: list[int], seed: int) -> int:
    """vLLM adds the sample's number to it: neighbours must not lie next to each other."""
    return zlib.crc32(json.dumps([seed, prompt]).encode())


def _without_stop(output: Any) -> list[int]:
    tokens = list(output.token_ids)
    return tokens[:-1] if output.finish_reason == "stop" else tokens


def _scores_of(request: Any, start: int) -> Scores:
    """Scores of the tokens from position `start` on, from rows that hold the token and the
    likeliest one.
    """
    tokens, rows = request.prompt_token_ids[start:], request.prompt_logprobs[start:]
    logprobs = [row[token].logprob for token, row in zip(tokens, rows, strict=True)]
    return np.array(logprobs, dtype=np.float32), np.array(
        [len(row) == 1 for row in rows], dtype=bool
    )
