"""The child process in which vLLM runs: starts the engine, then serves requests until the parent
closes the pipe.
"""

from __future__ import annotations

import json
import os
import signal
import sys
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
from benchmark.runtime.orphans import end_with

GPU_MEMORY_SHARE = 0.4
BEAT, BEAT_SECONDS = "computing", 1.0  # sent at most this often while a request is processed

Scores = tuple[np.ndarray, np.ndarray]


def serve(descriptor: str, parent: str, folder: str, options: str) -> None:
    """Main loop of the child process: starts vLLM, serves requests until the parent closes the
    pipe, and exits on any error.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    keep_freed_memory()
    end_with(int(parent))
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
        os._exit(1)  # a normal exit could wait for ever for vLLM's threads


class _Model:
    """vLLM in the child process; its methods return objects that can be pickled."""

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
            generation_config="vllm",  # else the stop tokens in the folder's config would apply
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
    """The engine's step function, which also sends heartbeats."""
    last = 0.0

    def stepped() -> Any:
        nonlocal last
        if time.monotonic() - last > BEAT_SECONDS:
            beat()
            last = time.monotonic()
        return step()

    return stepped


def _renew_heads(model: torch.nn.Module) -> None:
    """Repacks output heads after a reload: on the CPU they use a packed copy of their weights,
    which vLLM does not refresh if they are tied to the embeddings.
    """
    layers = import_module("vllm.model_executor.layers.vocab_parallel_embedding")
    for module in model.modules():
        if isinstance(module, layers.ParallelLMHead):
            module.quant_method.process_weights_after_loading(module)


def _seed_of(prompt: list[int], seed: int) -> int:
    """A hash of seed and prompt: vLLM adds the sample's index, so nearby seeds would overlap."""
    return zlib.crc32(json.dumps([seed, prompt]).encode())


def _without_stop(output: Any) -> list[int]:
    tokens = list(output.token_ids)
    return tokens[:-1] if output.finish_reason == "stop" else tokens


def _scores_of(request: Any, start: int) -> Scores:
    """Scores of the tokens from position `start` on; each row of `prompt_logprobs` holds the token
    and the most likely one.
    """
    tokens, rows = request.prompt_token_ids[start:], request.prompt_logprobs[start:]
    logprobs = [row[token].logprob for token, row in zip(tokens, rows, strict=True)]
    return np.array(logprobs, dtype=np.float32), np.array(
        [len(row) == 1 for row in rows], dtype=bool
    )
