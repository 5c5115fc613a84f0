"""`palimpsest perf`: measures how fast a checkpoint generates, is scored and is trained here,
compared with the machine's peak.
"""

from __future__ import annotations

import gc
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch.nn import functional as F
from torch.utils.mkldnn import to_mkldnn
from transformers import AutoModelForCausalLM, GenerationConfig

from benchmark.core.request import Meter
from benchmark.inference.scoring import score_tokens
from benchmark.inference.vllm_engine import Engines, VllmEngine, vllm_installed
from benchmark.models.linears import computed_by
from benchmark.models.loading import load_tokenizer
from benchmark.models.placement import computing_in
from benchmark.runtime.memory import keep_freed_memory
from benchmark.runtime.processors import cores
from benchmark.tokens.profile import ComputeProfile, with_profile
from benchmark.training.loop import Schedule, train

Progress = Callable[[str], None]
Shape = tuple[int, int, int]  # m, k, n of an (m, k) by (k, n) product
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
# Times the repeats: a product takes only milliseconds, and the fastest one is the peak.
PRODUCTS = 5


@dataclass(frozen=True)
class Extent:
    """Sizes of the measurements, in tokens unless noted otherwise; the fastest of `repeats` runs
    counts.
    """

    square: int = 2048  # rows and columns of a matrix
    rows: int = 512  # multiplied by the model's own matrices
    repeats: int = 2
    prompt: int = 32
    new: int = 32
    hf_batches: Sequence[int] = (1, 8, 32)  # prompts
    vllm_batches: Sequence[int] = (1, 8, 32, 128)
    text: int = 128
    texts: int = 8  # texts in a batch that is scored or trained on
    steps: int = 4
    checkpoints: int = 8
    fresh: int = 2  # engines actually started for the checkpoints
    asked: int = 32  # prompts per checkpoint
    answer: int = 16


QUICK = Extent(
    square=256,
    rows=64,
    repeats=1,
    prompt=8,
    new=4,
    hf_batches=(1, 4),
    vllm_batches=(1, 4),
    text=16,
    texts=2,
    steps=2,
    checkpoints=2,
    fresh=1,
    asked=4,
    answer=4,
)


@dataclass(frozen=True)
class Row:
    """One measurement; `batch` is a number of prompts, texts or matrix rows."""

    what: str
    backend: str
    precision: str
    batch: int | None
    value: float
    unit: str
    operations: float | None = None  # per second


def measure(
    folder: Path,
    profile: ComputeProfile,
    progress: Progress,
    quick: bool = False,
    vllm: bool | None = None,
) -> pd.DataFrame:
    """Rows (what, backend, precision, batch, value, unit, share_of_peak) of the checkpoint in
    `folder`, computed as its profile says, on all cores.

    `progress` is told what is measured next. The peak of a precision is its fastest matrix product
    in this run, by any library; a share above 1 shows that other programs slowed that product down.
    A token counts 2 operations per parameter when it is generated or scored and 6 when it is
    trained on; generation counts only new tokens. vLLM is left out if `vllm` is false, or if `vllm`
    is None and it is not installed.
    """
    keep_freed_memory()  # as the workers of a run do
    extent = QUICK if quick else Extent()
    with _all_cores():
        here = _Here(folder, profile, progress, extent)
        here.matrix_products()
        here.transformers()
        if vllm_installed() if vllm is None else vllm:
            here.vllm()
            here.checkpoints()
        here.matrix_products()  # again: other programs may have kept the cores busy
    return here.frame()


@contextmanager
def _all_cores() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(cores())
    try:
        yield
    finally:
        torch.set_num_threads(before)


class _Here:
    """The measurements of one run, collected as rows."""

    def __init__(
        self, folder: Path, profile: ComputeProfile, progress: Progress, extent: Extent
    ) -> None:
        self.folder, self.profile, self.progress, self.extent = folder, profile, progress, extent
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.rows: list[Row] = []
        # operations per second by library, precision and shape
        self.products: dict[tuple[str, str, Shape], float] = {}
        model = self._load("float32")
        self.tokenizer = with_profile(load_tokenizer(folder), profile)
        self.config, self.parameters = model.config, sum(p.numel() for p in model.parameters())

    def _load(self, precision: str) -> Any:
        model = AutoModelForCausalLM.from_pretrained(self.folder, dtype=PRECISIONS[precision])
        return model.eval().to(self.device)

    def _ids(self, count: int, length: int) -> torch.Tensor:
        """(count, length) random tokens, the same in every run."""
        generator = torch.Generator().manual_seed(0)
        return torch.randint(self.config.vocab_size, (count, length), generator=generator)

    def _texts(self) -> list[tuple[list[int], list[int]]]:
        """Random texts as (first token, all others): they rarely begin alike, so that no
        computation is shared.
        """
        return [
            (text[:1], text[1:]) for text in self._ids(self.extent.texts, self.extent.text).tolist()
        ]

    def _seconds(self, action: Callable[[], Any]) -> float:
        """Seconds of the fastest run, after a warm-up run that does not count."""
        action()
        return min(self._once(action) for _ in range(self.extent.repeats))

    def _once(self, action: Callable[[], Any]) -> float:
        self._wait()
        started = time.perf_counter()
        action()
        self._wait()
        return time.perf_counter() - started

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def _tokens(
        self, what: str, backend: str, precision: str, batch: int, rate: float, passes: int = 2
    ) -> None:
        """Adds a row of tokens per second; `passes` is the number of operations per token and
        parameter.
        """
        self.rows.append(
            Row(what, backend, precision, batch, rate, "tokens/s", passes * self.parameters * rate)
        )

    def frame(self) -> pd.DataFrame:
        """All rows, with operations per second as shares of their precision's peak."""
        products = [
            Row(f"matrix product {m}x{k}x{n}", library, precision, m, rate / 1e9, "GFLOP/s", rate)
            for (library, precision, (m, k, n)), rate in self.products.items()
        ]
        rows = pd.DataFrame([asdict(row) for row in [*products, *self.rows]])
        rows = rows.astype({"batch": "Int64", "operations": "float64"})
        peaks = rows[rows.unit == "GFLOP/s"].groupby("precision").operations.max()
        rows["share_of_peak"] = rows.operations / rows.precision.map(peaks)
        return rows.drop(columns="operations")

    def matrix_products(self) -> None:
        """Measures square products and the model's own: hidden states into and out of its layers
        and into logits.
        """
        side, rows, config = self.extent.square, self.extent.rows, self.config
        hidden = config.hidden_size
        # GPT-2 and GPT-Neo have no such field.
        inner = getattr(config, "intermediate_size", None) or 4 * hidden
        shapes = [
            (side, side, side),
            (rows, hidden, inner),
            (rows, inner, hidden),
            (rows, hidden, config.vocab_size),
        ]
        for precision in PRECISIONS:
            self.progress(f"matrix products, {precision}")
            for shape, library in product(shapes, self._libraries(precision)):
                before = self.products.get((library, precision, shape), 0.0)
                self.products[library, precision, shape] = max(
                    before, self._product(shape, precision, library)
                )

    def _libraries(self, precision: str) -> list[str]:
        """The libraries to measure: in float32 torch uses MKL, which on some processors is half as
        fast as oneDNN, which it also includes.
        """
        onednn = (
            precision == "float32"
            and self.device.type == "cpu"
            and torch.backends.mkldnn.is_available()
        )
        return ["torch", "onednn"] if onednn else ["torch"]

    @torch.inference_mode()
    def _product(self, shape: Shape, precision: str, library: str) -> float:
        """Operations per second of a linear layer from k inputs to n outputs on m rows."""
        m, k, n = shape
        x = torch.randn(m, k, dtype=PRECISIONS[precision], device=self.device)
        layer = torch.nn.Linear(k, n, bias=False, dtype=x.dtype, device=self.device)
        if library == "onednn":
            x, layer = x.to_mkldnn(), to_mkldnn(layer)
        return 2 * m * k * n / min(self._seconds(partial(layer, x)) for _ in range(PRODUCTS))

    def transformers(self) -> None:
        """Measures generation and scoring in both precisions, then training of float32 weights with
        and without autocast.
        """
        for precision in PRECISIONS:
            model = self._load(precision)
            with computed_by(self.profile.linears, model):  # as in the suite's own passes
                self._passes(model, precision)
        ids = self._ids(self.extent.texts, self.extent.text).to(self.device)
        model = self._load("float32")
        for precision in PRECISIONS:
            self.progress(f"training, {precision}")
            rate = ids.numel() / self._step_seconds(model, ids, precision)
            self._tokens("training step", "hf", precision, len(ids), rate, passes=6)

    def _passes(self, model: Any, precision: str) -> None:
        for batch in self.extent.hf_batches:
            self.progress(f"generation with transformers, {precision}, batch {batch}")
            seconds = self._seconds(partial(self._generate, model, batch))
            self._tokens("generation", "hf", precision, batch, batch * self.extent.new / seconds)
        self.progress(f"scoring with transformers, {precision}")
        texts = self._texts()
        rate = (
            len(texts)
            * self.extent.text
            / self._seconds(partial(score_tokens, model, self.tokenizer, texts))
        )
        self._tokens("scoring", "hf", precision, len(texts), rate)

    @torch.inference_mode()
    def _generate(self, model: Any, batch: int) -> None:
        ids, new = self._ids(batch, self.extent.prompt).to(self.device), self.extent.new
        settings = GenerationConfig(
            max_new_tokens=new, min_new_tokens=new, do_sample=False, pad_token_id=0
        )
        model.generate(ids, attention_mask=torch.ones_like(ids), generation_config=settings)

    def _step_seconds(self, model: Any, ids: torch.Tensor, precision: str) -> float:
        """Seconds of the fastest step after the first, which creates the optimiser's state."""
        ends: list[float] = []

        def note(model: Any, steps: int) -> None:
            self._wait()
            ends.append(time.perf_counter())

        def loss(batch: torch.Tensor) -> torch.Tensor:
            logits = model(batch).logits[:, :-1]
            return F.cross_entropy(logits.flatten(0, 1).float(), batch[:, 1:].flatten())

        steps = self.extent.steps
        with computing_in(precision, self.profile.linears, model):
            train(
                model,
                [ids] * steps,
                loss,
                Schedule(steps, 1e-6),
                Meter(watch=note),
                tokens_of=torch.numel,
            )
        return min(after - before for before, after in pairwise(ends))

    def vllm(self) -> None:
        """Measures start, generation and scoring in both precisions."""
        for precision in PRECISIONS:
            gc.collect()  # frees models measured before
            self.progress(f"vLLM, {precision}: start")
            started = time.perf_counter()
            longest = max(self.extent.prompt + self.extent.new, self.extent.text)
            with VllmEngine(self.folder, precision, longest) as engine:
                self.rows.append(
                    Row("engine start", "vllm", precision, None, time.perf_counter() - started, "s")
                )
                for batch in self.extent.vllm_batches:
                    self.progress(f"generation with vLLM, {precision}, batch {batch}")
                    prompts = self._ids(batch, self.extent.prompt).tolist()
                    seconds = self._seconds(partial(engine.generate, prompts, self.extent.new, []))
                    self._tokens(
                        "generation", "vllm", precision, batch, batch * self.extent.new / seconds
                    )
                self.progress(f"scoring with vLLM, {precision}")
                texts = self._texts()
                rate = len(texts) * self.extent.text / self._seconds(partial(engine.score, texts))
                self._tokens("scoring", "vllm", precision, len(texts), rate)

    def checkpoints(self) -> None:
        """Measures saving, loading and prompting checkpoints: with one engine whose weights are
        swapped, and with a new engine for each.
        """
        for precision in PRECISIONS:
            self._checkpoints(precision)

    def _checkpoints(self, precision: str) -> None:
        extent, model = self.extent, self._load(precision)
        work = f"{extent.checkpoints} checkpoints saved, loaded and asked"
        loads: list[float] = []
        with tempfile.TemporaryDirectory() as home, Engines() as engines:
            started = time.perf_counter()
            for number in range(extent.checkpoints):
                self.progress(
                    f"checkpoint {number + 1} of {extent.checkpoints} with one engine, {precision}"
                )
                loads.append(self._ask(_saved(model, Path(home)), precision, engines))
            swapped = time.perf_counter() - started
        started = time.perf_counter()
        for number in range(extent.fresh):
            self.progress(
                f"checkpoint {number + 1} of {extent.fresh} with an engine of its own, {precision}"
            )
            with tempfile.TemporaryDirectory() as home, Engines() as engines:
                self._ask(_saved(model, Path(home)), precision, engines)
        fresh = (time.perf_counter() - started) / extent.fresh * extent.checkpoints
        measured = (
            f"an engine for each ({extent.fresh} measured, times "
            f"{extent.checkpoints / extent.fresh:g})"
        )
        for what, value in (
            (f"{work}: one engine, its start included", swapped),
            (f"{work}: {measured}", fresh),
        ):
            self.rows.append(Row(what, "vllm", precision, extent.asked, value, "s"))
        self.rows.append(Row("weights swapped", "vllm", precision, None, min(loads[1:]), "s"))

    def _ask(self, folder: Path, precision: str, engines: Engines) -> float:
        """Prompts the checkpoint and removes it; returns the seconds that the engine took to load
        its weights.
        """
        started = time.perf_counter()
        engine = engines.at(folder, precision, self.extent.prompt + self.extent.answer)
        loaded = time.perf_counter() - started
        engine.generate(
            self._ids(self.extent.asked, self.extent.prompt).tolist(), self.extent.answer, []
        )
        shutil.rmtree(folder)
        return loaded


@torch.no_grad()
def _saved(model: Any, home: Path) -> Path:
    """Changes the model a little, as if by training, and saves a checkpoint of it."""
    for parameter in model.parameters():
        parameter.mul_(1.0001)
    folder = Path(tempfile.mkdtemp(dir=home))
    model.save_pretrained(folder)
    return folder
